#include "crash_kit.h"

#include "bus/core/durable/record.h"
#include "bus/journal/file.h"
#include "bus/journal/salvage.h"
#include "proto/cursor.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define NAMES 64

/* --- folders --- */

static void run(const char *const argv[]) {
    char *err = NULL;
    if (process_run(argv, NULL, NULL, &err) != 0)
        fail_msg("%s: %s", argv[0], err);
    free(err);
}

void folder_golden_of(folder_t *self, const char *name) {
    char archive[512];
    self->top = process_folder();
    snprintf(archive, sizeof archive, "%s/tests/crash/golden/%s.tar.gz", getenv("FOB_SOURCE_DIR"),
             name);
    run((const char *const[]){"tar", "-C", self->top, "-xzf", archive, NULL});
    snprintf(self->path, sizeof self->path, "%s/%s", self->top, name);
}

void folder_golden(folder_t *self) {
    folder_golden_of(self, "format1");
}

void folder_copy(folder_t *self, const folder_t *from) {
    self->top = process_folder();
    snprintf(self->path, sizeof self->path, "%s/copy", self->top);
    run((const char *const[]){"cp", "-r", from->path, self->path, NULL});
}

void folder_free(folder_t *self) {
    process_folder_remove(&self->top);
}

char *folder_beside(const folder_t *self, const char *name) {
    char *path = NULL;
    assert_true(asprintf(&path, "%s/%s", self->top, name) > 0);
    return path;
}

static int open_file(const folder_t *self, const char *name, int flags) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", self->path, name);
    int fd = open(path, flags | O_CLOEXEC);
    if (fd < 0)
        fail_msg("cannot open %s", path);
    return fd;
}

void folder_flip(const folder_t *self, const char *name, size_t at, unsigned char bits) {
    unsigned char byte;
    int fd = open_file(self, name, O_RDWR);
    assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
    byte ^= bits;
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
    close(fd);
}

void folder_zero(const folder_t *self, const char *name, size_t from, size_t to) {
    int fd = open_file(self, name, O_RDWR);
    char *zeros = calloc(1, to - from + 1);
    assert_int_equal(pwrite(fd, zeros, to - from, (off_t)from), to - from);
    free(zeros);
    close(fd);
}

void folder_remove_file(const folder_t *self, const char *name) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", self->path, name);
    assert_int_equal(unlink(path), 0);
}

static int by_name(const void *a, const void *b) {
    return strcmp(a, b);
}

static size_t list(const folder_t *self, const char *suffix, char names[NAMES][64]) {
    DIR *dir = opendir(self->path);
    assert_non_null(dir);
    size_t count = 0;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        size_t size = strlen(entry->d_name), end = strlen(suffix);
        if (entry->d_name[0] == '.' || size < end || size >= 64 ||
            strcmp(entry->d_name + size - end, suffix) != 0)
            continue;
        assert_true(count < NAMES);
        strcpy(names[count++], entry->d_name);
    }
    closedir(dir);
    qsort(names, count, 64, by_name);
    return count;
}

const char *folder_file(const folder_t *self, const char *suffix, size_t index) {
    static char names[NAMES][64];
    assert_true(index < list(self, suffix, names));
    return names[index];
}

size_t folder_count(const folder_t *self, const char *suffix) {
    char names[NAMES][64];
    return list(self, suffix, names);
}

uint64_t folder_digest(const folder_t *self) {
    char names[NAMES][64];
    size_t count = list(self, "", names);
    uint64_t sum = count;
    for (size_t i = 0; i < count; i++) {
        struct stat stat;
        int fd = open_file(self, names[i], O_RDONLY);
        assert_int_equal(fstat(fd, &stat), 0);
        char *bytes = malloc((size_t)stat.st_size + 1);
        assert_int_equal(read(fd, bytes, (size_t)stat.st_size), stat.st_size);
        sum = XXH3_64bits_withSeed(bytes, (size_t)stat.st_size, sum);
        sum = XXH3_64bits_withSeed(names[i], strlen(names[i]), sum);
        free(bytes);
        close(fd);
    }
    return sum;
}

/* --- commits --- */

typedef struct {
    commit_t *all;
    size_t count, room;
} commits_t;

static void on_commit(void *arg, const char *name, uint64_t at, uint64_t position,
                      uint64_t first_offset, uint32_t count, uint64_t bytes) {
    commits_t *self = arg;
    if (self->count == self->room) {
        self->room = self->room ? 2 * self->room : 256;
        self->all = realloc(self->all, self->room * sizeof *self->all);
        assert_non_null(self->all);
    }
    commit_t *commit = &self->all[self->count++];
    *commit = (commit_t){.at = at,
                         .bytes = bytes,
                         .position = position,
                         .first_offset = first_offset,
                         .count = count};
    snprintf(commit->name, sizeof commit->name, "%s", name);
}

commit_t *folder_commits(const folder_t *self, size_t *count) {
    commits_t commits = {0};
    fob_journal_error_t error;
    const fob_inspect_t to = {.commit = on_commit, .arg = &commits};
    if (fob_journal_inspect(self->path, &to, &error) != FOB_JOURNAL_OK)
        fail_msg("%s", error.text);
    *count = commits.count;
    return commits.all;
}

/* --- events --- */

static void keep(events_t *self, uint64_t offset, fob_slice_t bytes) {
    if (offset >= self->room) {
        uint64_t room = 2 * offset;
        self->digests = realloc(self->digests, room * sizeof *self->digests);
        assert_non_null(self->digests);
        memset(self->digests + self->room, 0, (room - self->room) * sizeof *self->digests);
        self->room = room;
    }
    if (offset > self->last)
        self->last = offset;
    uint64_t digest = XXH3_64bits(bytes.data, bytes.size);
    self->digests[offset] = digest ? digest : 1;
}

static bool on_begin(void *arg, uint64_t epoch, uint64_t checkpoint) {
    (void)arg, (void)epoch, (void)checkpoint;
    return true;
}

static bool on_slice(void *arg, const uint8_t *data, size_t size) {
    (void)arg, (void)data, (void)size;
    return true;
}

static bool on_record(void *arg, const fob_stored_t *record) {
    size_t head =
        record->data[0] == FOB_RECORD_EVENTS ? FOB_RECORD_EVENTS_SIZE : FOB_RECORD_MOVED_SIZE;
    if (record->count == 0)
        return true;
    fob_cursor_t cursor = fob_cursor(fob_slice(record->data + head, record->size - head));
    for (uint32_t i = 0; i < record->count; i++) {
        fob_slice_t event;
        assert_true(fob_cursor_skip(&cursor, &event));
        keep(arg, record->first_offset + i, event);
    }
    return true;
}

static bool on_lost(void *arg, const fob_loss_t *loss) {
    (void)arg, (void)loss;
    return true;
}

void events_read(events_t *self, const char *path) {
    fob_journal_error_t error;
    const fob_salvage_to_t to = {on_begin, on_slice, on_record, on_lost, self};
    *self = (events_t){.digests = calloc(1, sizeof *self->digests), .room = 1};
    if (fob_journal_salvage(path, &to, &error) != FOB_JOURNAL_OK)
        fail_msg("%s", error.text);
}

void events_free(events_t *self) {
    free(self->digests);
    self->digests = NULL;
}

size_t events_within(const events_t *part, const events_t *all) {
    size_t count = 0;
    for (uint64_t offset = 1; offset <= part->last; offset++) {
        if (part->digests[offset] == 0)
            continue;
        count++;
        if (offset > all->last || part->digests[offset] != all->digests[offset])
            fail_msg("event %llu is not the one that was stored", (unsigned long long)offset);
    }
    return count;
}

/* --- chance --- */

uint64_t crash_seed(uint64_t otherwise) {
    const char *given = getenv("FOB_SEED"), *of_run = getenv("FOB_RUN_SEED");
    if (!given || !*given)
        given = of_run;
    uint64_t seed = given && *given ? strtoull(given, NULL, 10) : otherwise;
    printf("FOB_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

unsigned crash_rounds(unsigned otherwise) {
    const char *given = getenv("FOB_ROUNDS");
    return given && *given ? (unsigned)strtoul(given, NULL, 10) : otherwise;
}
