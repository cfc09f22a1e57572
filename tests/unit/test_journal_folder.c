/* The folder: its lock, its version, its epoch, what the tool sees in it. */
#include "journal_support.h"

#include "bus/journal/format.h"

#include <dirent.h>
#include <endian.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

static void a_folder_in_use_names_the_process_that_holds_it(void **state) {
    (void)state;
    char *folder = folder_new();
    fob_journal_error_t error;
    fob_file_options_t options = small_options(folder);
    fob_journal_t *journal = open_ok(&options);
    assert_null(fob_journal_file_open(&options, &error));
    assert_int_equal(error.code, FOB_JOURNAL_IN_USE);
    char pid[32];
    snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    assert_non_null(strstr(error.text, pid));
    journal->ops->close(&journal);
    journal = open_ok(&options);
    journal->ops->close(&journal);
    folder_remove(&folder);
}

static void a_folder_in_use_stays_so_when_its_lock_file_is_removed(void **state) {
    (void)state;
    char *folder = folder_new();
    fob_file_options_t options = small_options(folder);
    fob_journal_t *journal = open_ok(&options);
    char *path = folder_file(folder, "lock");
    fob_journal_error_t error;
    assert_int_equal(unlink(path), 0);
    assert_null(fob_journal_file_open(&options, &error));
    assert_int_equal(error.code, FOB_JOURNAL_IN_USE);
    free(path);
    journal->ops->close(&journal);
    folder_remove(&folder);
}

static void a_missing_folder_is_made_for_this_user_alone(void **state) {
    (void)state;
    char *folder = folder_new();
    char *deep = folder_file(folder, "a"), *deeper = folder_file(deep, "b");
    fob_file_options_t options = small_options(deeper);
    fob_journal_t *journal = open_ok(&options);
    journal->ops->close(&journal);
    struct stat st;
    assert_int_equal(stat(deeper, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    folder_remove(&deeper);
    folder_remove(&deep);
    folder_remove(&folder);
}

static void a_folder_that_cannot_be_made_is_said_so(void **state) {
    (void)state;
    fob_journal_error_t error;
    fob_file_options_t options = small_options("/proc/fob/nothing");
    assert_null(fob_journal_file_open(&options, &error));
    assert_int_equal(error.code, FOB_JOURNAL_SYSTEM);
    assert_non_null(strstr(error.text, "/proc/fob/nothing"));
}

/* What /proc says of a thread: the signals it holds off. */
static uint64_t blocked_of(const char *task) {
    char *path = NULL, line[256];
    uint64_t mask = 0;
    assert_true(asprintf(&path, "/proc/self/task/%s/status", task) > 0);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "SigBlk:", 7) == 0)
            mask = strtoull(line + 7, NULL, 16);
    fclose(file);
    free(path);
    return mask;
}

static void no_thread_of_the_journal_takes_signals(void **state) {
    (void)state;
    char *folder = folder_new(), own[32];
    fob_file_options_t options = small_options(folder);
    snprintf(own, sizeof own, "%ld", (long)getpid());
    uint64_t before = blocked_of(own);
    fob_journal_t *journal = open_ok(&options);
    assert_int_equal(blocked_of(own), before);
    struct dirent **list;
    int count = scandir("/proc/self/task", &list, NULL, NULL), others = 0;
    for (int i = 0; i < count; i++) {
        if (list[i]->d_name[0] != '.' && strcmp(list[i]->d_name, own) != 0) {
            uint64_t mask = blocked_of(list[i]->d_name), wanted = 0;
            const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD, SIGPIPE, SIGALRM};
            for (size_t s = 0; s < sizeof signals / sizeof signals[0]; s++)
                wanted |= UINT64_C(1) << (signals[s] - 1);
            others += (mask & wanted) == wanted;
        }
        free(list[i]);
    }
    free(list);
    assert_true(others >= 4); /* a sanitizer may have one of its own besides */
    journal->ops->close(&journal);
    folder_remove(&folder);
}

/* Writes a higher version into a record that is otherwise whole. */
static void raise_version(const char *path, size_t size) {
    uint8_t *data = malloc(size);
    file_read_at(path, 0, data, size);
    uint32_t version = htole32(FOB_FORMAT_VERSION + 1);
    memcpy(data + 16, &version, sizeof version);
    uint64_t checksum = htole64(XXH3_64bits(data + 8, size - 8));
    memcpy(data, &checksum, sizeof checksum);
    file_write_at(path, 0, data, size);
    free(data);
}

static void expect_newer(const char *folder, const char *suffix, size_t size) {
    char *copy = folder_copy(folder), *path = folder_nth(copy, suffix, 0);
    fob_journal_error_t error;
    fob_file_options_t options = small_options(copy);
    raise_version(path, size);
    assert_null(fob_journal_file_open(&options, &error));
    assert_int_equal(error.code, FOB_JOURNAL_NEWER);
    assert_non_null(strstr(error.text, "newer version"));
    fob_inspect_t to = {0};
    assert_int_equal(fob_journal_inspect(copy, &to, &error), FOB_JOURNAL_NEWER);
    free(path);
    folder_remove(&copy);
}

static void what_a_newer_version_wrote_is_refused_by_that_word(void **state) {
    (void)state;
    char *folder = folder_new();
    fob_file_options_t options = small_options(folder);
    fob_journal_t *journal = open_ok(&options);
    assert_true(wait_durable(journal, put_events(journal, 1, 1, 100, true)));
    take_checkpoint(journal, 1, "one");
    journal->ops->close(&journal);
    expect_newer(folder, ".seg", FOB_SEGMENT_HEADER_BYTES);
    expect_newer(folder, ".ckp", sizeof(fob_disk_checkpoint_t));
    expect_newer(folder, "poch", sizeof(fob_disk_epoch_t));
    forget_events();
    folder_remove(&folder);
}

static void a_commit_of_a_newer_version_is_refused_by_that_word(void **state) {
    (void)state;
    char *folder = folder_new();
    fob_journal_error_t error;
    fob_file_options_t options = small_options(folder);
    fob_journal_t *journal = open_ok(&options);
    journal->ops->close(&journal);
    char *path = folder_nth(folder, ".seg", 0);
    uint8_t data[FOB_SEGMENT_HEADER_BYTES];
    fob_segment_head_t segment;
    file_read_at(path, 0, data, sizeof data);
    assert_int_equal(fob_format_segment_decode(data, &segment), FOB_FOUND_WHOLE);
    fob_disk_commit_t head = {.magic = htole32(FOB_COMMIT_MAGIC),
                              .version = htole16(FOB_FORMAT_VERSION + 1),
                              .position = htole64(1),
                              .sequence = htole64(segment.sequence)};
    fob_format_commit_seal(&head, segment.seed, NULL, 0);
    file_write_at(path, FOB_SEGMENT_HEADER_BYTES, &head, sizeof head);
    free(path);
    assert_null(fob_journal_file_open(&options, &error));
    assert_int_equal(error.code, FOB_JOURNAL_NEWER);
    folder_remove(&folder);
}

/* The epoch after a first run that ended clean or was killed. */
static bool epoch_stays(fob_sync_t sync, bool clean) {
    char *folder = folder_new(), *copy = NULL;
    fob_file_options_t options = small_options(folder);
    options.sync = sync;
    fob_journal_t *journal = open_ok(&options);
    uint64_t epoch = journal->ops->epoch(journal);
    assert_true(wait_durable(journal, put_events(journal, 1, 1, 100, true)));
    if (!clean)
        copy = folder_copy(folder);
    journal->ops->close(&journal);
    if (copy != NULL)
        options.folder = copy;
    journal = open_ok(&options);
    uint64_t now = journal->ops->epoch(journal);
    assert_true(now >= epoch);
    assert_int_equal(journal->ops->durable(journal), 1);
    journal->ops->close(&journal);
    forget_events();
    if (copy != NULL)
        folder_remove(&copy);
    folder_remove(&folder);
    return now == epoch;
}

static void the_epoch_changes_after_an_unclean_end_below_disk_only(void **state) {
    (void)state;
    assert_true(epoch_stays(FOB_SYNC_ALWAYS, true));
    assert_true(epoch_stays(FOB_SYNC_ALWAYS, false));
    assert_true(epoch_stays(FOB_SYNC_OS, true));
    assert_false(epoch_stays(FOB_SYNC_OS, false));
    assert_true(epoch_stays(FOB_SYNC_INTERVAL, true));
    assert_false(epoch_stays(FOB_SYNC_INTERVAL, false));
}

typedef struct {
    uint64_t segments, commits, events, bytes, torn, epoch;
} counted_t;

static void count_segment(void *arg, const char *name, uint64_t epoch, uint64_t first_position,
                          uint64_t first_offset, uint64_t bytes_used, uint64_t bytes) {
    counted_t *counted = arg;
    (void)name, (void)first_offset;
    assert_true(bytes_used <= bytes);
    if (first_position != 0)
        counted->segments++;
    counted->epoch = epoch;
}

static void count_commit(void *arg, const char *name, uint64_t at, uint64_t position,
                         uint64_t first_offset, uint32_t count, uint64_t bytes) {
    counted_t *counted = arg;
    (void)name, (void)first_offset;
    assert_int_equal(position, ++counted->commits);
    assert_int_equal(at % 8, 0);
    counted->events += count;
    counted->bytes += bytes;
}

static void count_torn(void *arg, const char *name, uint64_t at, const char *text) {
    counted_t *counted = arg;
    (void)name, (void)at;
    assert_true(strlen(text) > 0);
    counted->torn++;
}

static void the_tool_tells_every_segment_and_commit_also_of_one_in_use(void **state) {
    (void)state;
    char *folder = folder_new();
    fob_journal_error_t error;
    fob_file_options_t options = small_options(folder);
    fob_journal_t *journal = open_ok(&options);
    uint64_t last = 0;
    for (uint64_t i = 0; i < 200; i++)
        last = put_reserved(journal, 1 + 2 * i, 2, 1000);
    assert_true(wait_durable(journal, last));
    for (int in_use = 1; in_use >= 0; in_use--) {
        counted_t counted = {0};
        fob_inspect_t to = {count_segment, count_commit, count_torn, &counted};
        assert_int_equal(fob_journal_inspect(folder, &to, &error), FOB_JOURNAL_OK);
        assert_int_equal(counted.commits, 200);
        assert_int_equal(counted.events, 400);
        assert_int_equal(counted.bytes, 200 * (1000 + 80 + 16));
        assert_int_equal(counted.segments, 4);
        assert_int_equal(counted.torn, 0);
        if (in_use) {
            assert_int_equal(counted.epoch, journal->ops->epoch(journal));
            journal->ops->close(&journal);
        }
    }
    forget_events();
    folder_remove(&folder);
}

static void the_tool_tells_a_torn_tail_and_changes_nothing(void **state) {
    (void)state;
    char *folder = folder_new();
    fob_journal_error_t error;
    fob_file_options_t options = small_options(folder);
    fob_journal_t *journal = open_ok(&options);
    assert_true(wait_durable(journal, put_events(journal, 1, 1, 100, true)));
    journal->ops->close(&journal);
    char *path = folder_nth(folder, ".seg", 0);
    file_write_at(path, FOB_SEGMENT_HEADER_BYTES + 200, "torn", 4);
    for (int i = 0; i < 2; i++) {
        counted_t counted = {0};
        fob_inspect_t to = {count_segment, count_commit, count_torn, &counted};
        assert_int_equal(fob_journal_inspect(folder, &to, &error), FOB_JOURNAL_OK);
        assert_int_equal(counted.commits, 1);
        assert_int_equal(counted.torn, 1);
    }
    free(path);
    forget_events();
    folder_remove(&folder);
}

FOB_MAIN(FOB_CASE(a_folder_in_use_names_the_process_that_holds_it),
         FOB_CASE(a_folder_in_use_stays_so_when_its_lock_file_is_removed),
         FOB_CASE(a_missing_folder_is_made_for_this_user_alone),
         FOB_CASE(a_folder_that_cannot_be_made_is_said_so),
         FOB_CASE(no_thread_of_the_journal_takes_signals),
         FOB_CASE(what_a_newer_version_wrote_is_refused_by_that_word),
         FOB_CASE(a_commit_of_a_newer_version_is_refused_by_that_word),
         FOB_CASE(the_epoch_changes_after_an_unclean_end_below_disk_only),
         FOB_CASE(the_tool_tells_every_segment_and_commit_also_of_one_in_use),
         FOB_CASE(the_tool_tells_a_torn_tail_and_changes_nothing))
