#include "journal_support.h"

#include "bus/journal/format.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

char journal_log[8192];

static struct {
    void **all;
    size_t count, capacity;
} kept;

static int64_t mono_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;

static void log_clear(void) {
    pthread_mutex_lock(&log_lock);
    journal_log[0] = '\0';
    pthread_mutex_unlock(&log_lock);
}

char *folder_new(void) {
    char *folder = strdup("/tmp/fob-journal-XXXXXX");
    assert_non_null(mkdtemp(folder));
    log_clear();
    return folder;
}

char *folder_file(const char *folder, const char *name) {
    char *path = NULL;
    assert_true(asprintf(&path, "%s/%s", folder, name) > 0);
    return path;
}

void folder_remove(char **folder_p) {
    DIR *dir = opendir(*folder_p);
    const struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char *path = folder_file(*folder_p, entry->d_name);
        unlink(path);
        free(path);
    }
    if (dir != NULL)
        closedir(dir);
    rmdir(*folder_p);
    free(*folder_p);
    *folder_p = NULL;
}

char *folder_nth(const char *folder, const char *suffix, size_t index) {
    struct dirent **list;
    int count = scandir(folder, &list, NULL, alphasort);
    char *found = NULL;
    for (int i = 0; i < count; i++) {
        size_t length = strlen(list[i]->d_name), tail = strlen(suffix);
        if (length > tail && strcmp(list[i]->d_name + length - tail, suffix) == 0 && index-- == 0)
            found = folder_file(folder, list[i]->d_name);
        free(list[i]);
    }
    free(list);
    return found;
}

void file_read_at(const char *path, uint64_t at, void *data, size_t size) {
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, data, size, (off_t)at), size);
    close(fd);
}

void file_write_at(const char *path, uint64_t at, const void *data, size_t size) {
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, data, size, (off_t)at), size);
    close(fd);
}

uint64_t file_size(const char *path) {
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return (uint64_t)st.st_size;
}

static void copy_file(const char *folder, const char *copy, const char *name) {
    char *from = folder_file(folder, name), *to = folder_file(copy, name);
    uint64_t size = file_size(from);
    char *data = malloc(size + 1);
    file_read_at(from, 0, data, size);
    int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), size);
    close(fd);
    free(data);
    free(from);
    free(to);
}

/* What is just being made is no part of what a kill leaves that matters. */
static int is_kept(const struct dirent *entry) {
    return entry->d_name[0] != '.' && strstr(entry->d_name, ".tmp") == NULL;
}

/* One after the other, in order: false where a file came or went meanwhile, for no kill leaves what
 * was then copied. */
static bool copy_once(const char *folder, const char *copy) {
    struct dirent **list, **again;
    int count = scandir(folder, &list, is_kept, alphasort);
    copy_file(folder, copy, "epoch"); /* it names segments: these are there when it is read */
    for (int i = 0; i < count; i++)
        if (strcmp(list[i]->d_name, "epoch") != 0)
            copy_file(folder, copy, list[i]->d_name);
    int now = scandir(folder, &again, is_kept, alphasort);
    bool same = now == count;
    for (int i = 0; i < count; i++) {
        same = same && strcmp(list[i]->d_name, again[i]->d_name) == 0;
        free(list[i]);
    }
    for (int i = 0; i < now; i++)
        free(again[i]);
    free(list);
    free(again);
    return same;
}

char *folder_copy(const char *folder) {
    for (;;) {
        char *copy = strdup("/tmp/fob-journal-XXXXXX");
        assert_non_null(mkdtemp(copy));
        if (copy_once(folder, copy)) {
            log_clear();
            return copy;
        }
        folder_remove(&copy);
    }
}

void wait_segments(fob_journal_t *journal, uint64_t count) {
    int64_t until = mono_ms() + WAIT_MS;
    fob_journal_stats_t stats = {0};
    do {
        assert_true(mono_ms() < until);
        wait_turn();
        journal->ops->stats(journal, &stats);
    } while (stats.segments < count);
    assert_int_equal(stats.segments, count);
}

void epoch_forget(const char *folder) {
    char *path = folder_file(folder, "epoch");
    for (uint64_t at = 0; at < 2 * FOB_EPOCH_SLOT; at += FOB_EPOCH_SLOT) {
        fob_disk_epoch_t disk;
        fob_epoch_mark_t mark;
        file_read_at(path, at, &disk, sizeof disk);
        assert_int_equal(fob_format_epoch_decode(&disk, &mark), FOB_FOUND_WHOLE);
        mark.clean = false;
        mark.position = 0;
        fob_format_epoch_encode(&mark, 1, &disk);
        file_write_at(path, at, &disk, sizeof disk);
    }
    free(path);
}

static void keep_log(void *arg, const char *text) {
    (void)arg;
    pthread_mutex_lock(&log_lock);
    size_t length = strlen(journal_log);
    snprintf(journal_log + length, sizeof journal_log - length, "%s\n", text);
    pthread_mutex_unlock(&log_lock);
}

const char *journal_log_now(void) {
    static char copy[sizeof journal_log];
    pthread_mutex_lock(&log_lock);
    memcpy(copy, journal_log, sizeof copy);
    pthread_mutex_unlock(&log_lock);
    return copy;
}

void wait_turn(void) {
    struct pollfd none = {.fd = -1};
    poll(&none, 1, 1);
}

fob_file_options_t small_options(const char *folder) {
    return (fob_file_options_t){.folder = folder,
                                .sync = FOB_SYNC_ALWAYS,
                                .segment_bytes = 64 * 1024,
                                .max_bytes = 16 * 1024 * 1024,
                                .log = keep_log};
}

fob_journal_t *open_ok(const fob_file_options_t *options) {
    fob_journal_error_t error = {0};
    fob_journal_t *journal = fob_journal_file_open(options, &error);
    if (journal == NULL)
        fail_msg("%s", error.text);
    return journal;
}

static uint8_t *events_of(uint64_t offset, size_t size) {
    uint8_t *data = malloc(size + 1);
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)(offset * 31 + i * 7 + 1);
    return data;
}

uint64_t put_events(fob_journal_t *journal, uint64_t offset, uint32_t count, size_t size,
                    bool sync) {
    uint8_t *data = events_of(offset, size);
    if (kept.count == kept.capacity) {
        kept.capacity = kept.capacity == 0 ? 256 : kept.capacity * 2;
        kept.all = realloc(kept.all, kept.capacity * sizeof *kept.all);
    }
    kept.all[kept.count++] = data;
    size_t half = size / 3;
    fob_entry_t entry = {.first_offset = count > 0 ? offset : 0,
                         .count = count,
                         .part_count = 2,
                         .parts = {{data, half}, {data + half, size - half}}};
    return journal->ops->append(journal, &entry, 1, sync);
}

void forget_events(void) {
    for (size_t i = 0; i < kept.count; i++)
        free(kept.all[i]);
    free(kept.all);
    kept.all = NULL;
    kept.count = kept.capacity = 0;
}

bool is_events(const fob_stored_t *stored, size_t size) {
    uint8_t *data = events_of(stored->first_offset, size);
    bool same = stored->size == size && memcmp(stored->data, data, size) == 0;
    free(data);
    return same;
}

bool wait_news(fob_journal_t *journal) {
    struct pollfd item = {.fd = journal->ops->fd(journal), .events = POLLIN};
    return poll(&item, 1, WAIT_MS) == 1;
}

bool wait_durable(fob_journal_t *journal, uint64_t position) {
    int64_t until = mono_ms() + WAIT_MS;
    while (mono_ms() < until) {
        journal->ops->clear(journal);
        if (journal->ops->durable(journal) >= position)
            return true;
        if (journal->ops->health(journal, NULL) != FOB_JOURNAL_OK)
            return false;
        if (!wait_news(journal))
            return false;
    }
    return false;
}

uint64_t put_reserved(fob_journal_t *journal, uint64_t offset, uint32_t count, size_t size) {
    int64_t until = mono_ms() + WAIT_MS;
    while (!journal->ops->reserve(journal, size)) {
        assert_true(mono_ms() < until);
        wait_turn(); /* the next segment is being made */
    }
    return put_events(journal, offset, count, size, true);
}

void take_checkpoint(fob_journal_t *journal, uint64_t position, const char *text) {
    fob_journal_stats_t stats;
    assert_true(wait_durable(journal, position));
    assert_int_equal(journal->ops->checkpoint_begin(journal, position), FOB_JOURNAL_OK);
    assert_int_equal(journal->ops->checkpoint_slice(journal, (const uint8_t *)text, strlen(text)),
                     FOB_JOURNAL_OK);
    assert_int_equal(journal->ops->checkpoint_finish(journal), FOB_JOURNAL_OK);
    for (;;) {
        journal->ops->clear(journal);
        journal->ops->stats(journal, &stats);
        if (stats.checkpoint_position == position)
            return;
        assert_true(wait_news(journal));
    }
}

fob_page_t read_page(fob_journal_t *journal, uint64_t offset, size_t max_bytes) {
    fob_page_t page = {0};
    assert_int_equal(journal->ops->read(journal, offset, max_bytes, offset + 7), FOB_JOURNAL_OK);
    for (;;) {
        journal->ops->clear(journal);
        if (journal->ops->page(journal, &page) == FOB_JOURNAL_OK)
            break;
        assert_true(wait_news(journal));
    }
    assert_int_equal(page.tag, offset + 7);
    return page;
}

static bool see_slice(void *arg, const uint8_t *data, size_t size) {
    seen_t *seen = arg;
    size_t length = strlen(seen->slice_text);
    assert_int_equal(seen->records, 0);
    if (length + size < sizeof seen->slice_text) {
        memcpy(seen->slice_text + length, data, size);
        seen->slice_text[length + size] = '\0';
    }
    seen->slices++;
    return true;
}

static bool see_record(void *arg, const fob_stored_t *record) {
    seen_t *seen = arg;
    if (seen->records > 0)
        assert_true(record->position == seen->last_position ||
                    record->position == seen->last_position + 1);
    if (record->count > 0) {
        assert_true(is_events(record, record->size));
        assert_true(record->first_offset > seen->last_offset);
        seen->last_offset = record->first_offset + record->count - 1;
    }
    seen->last_position = record->position;
    seen->records++;
    return true;
}

fob_journal_code_t replay_into(fob_journal_t *journal, seen_t *seen, fob_journal_error_t *error) {
    *seen = (seen_t){0};
    fob_replay_t to = {see_slice, see_record, seen};
    return journal->ops->replay(journal, &to, error);
}
