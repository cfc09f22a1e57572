/* Files that are not there: what was stored is never missed in silence. */
#include "journal_disk.h"
#include "journal_support.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define SEGMENTS 7

static fob_file_options_t tiny_options(const char *folder) {
    fob_file_options_t options = small_options(folder);
    options.max_bytes = 512 * 1024; /* two segments made ahead */
    return options;
}

static uint64_t fill(fob_journal_t *journal, uint64_t offset, uint64_t segments) {
    fob_journal_stats_t stats;
    uint64_t last = 0;
    do {
        last = put_reserved(journal, offset++, 1, 1000);
        assert_true(wait_durable(journal, last));
        journal->ops->stats(journal, &stats);
    } while (stats.segments < segments);
    return last;
}

/* As a kill leaves it: five segments with commits, two spares, no checkpoint. */
static char *killed_folder(void) {
    char *folder = folder_new();
    fob_file_options_t options = tiny_options(folder);
    fob_journal_t *journal = open_ok(&options);
    fill(journal, 1, SEGMENTS);
    char *copy = folder_copy(folder);
    journal->ops->close(&journal);
    folder_remove(&folder);
    forget_events();
    return copy;
}

static void remove_segment(const char *folder, uint64_t sequence) {
    char name[32];
    snprintf(name, sizeof name, "%020llu.seg", (unsigned long long)sequence);
    char *path = folder_file(folder, name);
    assert_int_equal(unlink(path), 0);
    free(path);
}

/* Both a start and the tool refuse, naming it. */
static void expect_missing(const char *folder, uint64_t sequence) {
    char name[64];
    fob_journal_error_t error;
    fob_file_options_t options = tiny_options(folder);
    fob_inspect_t to = {0};
    snprintf(name, sizeof name, "%020llu.seg is missing", (unsigned long long)sequence);
    assert_null(fob_journal_file_open(&options, &error));
    assert_int_equal(error.code, FOB_JOURNAL_DAMAGED);
    assert_non_null(strstr(error.text, name));
    assert_int_equal(fob_journal_inspect(folder, &to, &error), FOB_JOURNAL_DAMAGED);
    assert_non_null(strstr(error.text, name));
}

static void any_segment_that_is_missing_is_named(void **state) {
    (void)state;
    char *folder = killed_folder();
    for (uint64_t missing = 1; missing <= SEGMENTS; missing++) {
        char *copy = folder_copy(folder);
        remove_segment(copy, missing);
        expect_missing(copy, missing);
        folder_remove(&copy);
    }
    folder_remove(&folder);
}

static void the_last_written_segment_and_all_spares_missing_is_noticed(void **state) {
    (void)state;
    char *folder = killed_folder();
    for (uint64_t missing = SEGMENTS; missing >= 2; missing--) {
        remove_segment(folder, missing);
        expect_missing(folder, missing);
    }
    folder_remove(&folder);
}

static void a_new_journal_without_its_first_segment_is_not_an_empty_one(void **state) {
    (void)state;
    char *folder = folder_new();
    fob_file_options_t options = tiny_options(folder);
    fob_journal_t *journal = open_ok(&options);
    wait_segments(journal, 3);
    assert_true(wait_durable(journal, put_events(journal, 1, 1, 100, true)));
    char *copy = folder_copy(folder);
    journal->ops->close(&journal);
    remove_segment(copy, 1);
    expect_missing(copy, 1);
    forget_events();
    folder_remove(&folder);
    folder_remove(&copy);
}

static void segments_that_were_trimmed_are_not_missed(void **state) {
    (void)state;
    char *folder = folder_new();
    fob_file_options_t options = tiny_options(folder);
    options.retain_bytes = 1;
    fob_journal_stats_t stats;
    fob_journal_error_t error;
    fob_inspect_t to = {0};
    fob_journal_t *journal = open_ok(&options);
    uint64_t last = fill(journal, 1, SEGMENTS);
    take_checkpoint(journal, last - 1, "one");
    take_checkpoint(journal, last, "two");
    journal->ops->trim(journal, last + 1, 1);
    journal->ops->stats(journal, &stats);
    assert_true(stats.first_offset > 1);
    journal->ops->close(&journal);
    assert_int_equal(fob_journal_inspect(folder, &to, &error), FOB_JOURNAL_OK);
    journal = open_ok(&options);
    assert_int_equal(journal->ops->durable(journal), last);
    journal->ops->close(&journal);
    /* But the oldest that is left holds what no checkpoint does if both are gone. */
    for (char *path; (path = folder_nth(folder, ".ckp", 0)) != NULL; free(path))
        unlink(path);
    assert_null(fob_journal_file_open(&options, &error));
    assert_int_equal(error.code, FOB_JOURNAL_DAMAGED);
    assert_non_null(strstr(error.text, ".seg is missing"));
    assert_int_equal(fob_journal_inspect(folder, &to, &error), FOB_JOURNAL_DAMAGED);
    assert_non_null(strstr(error.text, ".seg is missing"));
    forget_events();
    folder_remove(&folder);
}

/* A checkpoint covers what it needs of the records, but groups may need the events. */
static void an_old_segment_below_the_checkpoints_that_is_missing_is_noticed(void **state) {
    (void)state;
    char *folder = folder_new();
    fob_file_options_t options = tiny_options(folder);
    fob_journal_t *journal = open_ok(&options);
    uint64_t last = fill(journal, 1, SEGMENTS);
    take_checkpoint(journal, last - 1, "one");
    take_checkpoint(journal, last, "two");
    char *copy = folder_copy(folder);
    journal->ops->close(&journal);
    remove_segment(copy, 1);
    expect_missing(copy, 1);
    remove_segment(copy, 2);
    expect_missing(copy, 1);
    forget_events();
    folder_remove(&copy);
    folder_remove(&folder);
}

static void a_missing_epoch_file_is_told_and_gives_a_new_epoch(void **state) {
    (void)state;
    char *folder = killed_folder();
    fob_file_options_t options = tiny_options(folder);
    fob_journal_t *journal = open_ok(&options);
    uint64_t epoch = journal->ops->epoch(journal), last = journal->ops->durable(journal);
    assert_null(strstr(journal_log, "epoch is missing"));
    journal->ops->close(&journal);
    char *path = folder_file(folder, "epoch");
    assert_int_equal(unlink(path), 0);
    free(path);
    journal = open_ok(&options);
    assert_non_null(strstr(journal_log, "epoch is missing"));
    assert_true(journal->ops->epoch(journal) > epoch);
    assert_int_equal(journal->ops->durable(journal), last);
    journal->ops->close(&journal);
    forget_events();
    folder_remove(&folder);
}

static void all_segments_missing_is_no_new_journal(void **state) {
    (void)state;
    char *folder = killed_folder();
    fob_journal_error_t error;
    fob_file_options_t options = tiny_options(folder);
    fob_inspect_t to = {0};
    for (uint64_t missing = 1; missing <= SEGMENTS; missing++)
        remove_segment(folder, missing);
    assert_null(fob_journal_file_open(&options, &error));
    assert_int_equal(error.code, FOB_JOURNAL_DAMAGED);
    assert_int_equal(fob_journal_inspect(folder, &to, &error), FOB_JOURNAL_DAMAGED);
    assert_non_null(strstr(error.text, "missing"));
    folder_remove(&folder);
}

/* An older one that cannot be deleted keeps those after it: a hole is always a loss. */
static void what_is_trimmed_is_deleted_in_order_or_not_at_all(void **state) {
    (void)state;
    char *folder = folder_new();
    test_disk_t disk;
    test_disk_init(&disk);
    fob_file_options_t options = tiny_options(folder);
    options.retain_bytes = 1;
    options.disk = &disk.table;
    fob_journal_t *journal = open_ok(&options);
    uint64_t last = fill(journal, 1, SEGMENTS);
    take_checkpoint(journal, last - 1, "one");
    take_checkpoint(journal, last, "two");
    test_disk_set(&disk, fail_unlink, EIO);
    test_disk_set(&disk, unlinks_to_fail, 1);
    journal->ops->trim(journal, last + 1, 1);
    while (strstr(journal_log_now(), "Cannot delete") == NULL)
        wait_turn();
    journal->ops->close(&journal);
    char *first = folder_nth(folder, ".seg", 0), *second = folder_nth(folder, ".seg", 1);
    assert_non_null(strstr(first, "01.seg"));
    assert_non_null(strstr(second, "02.seg"));
    free(first);
    free(second);
    journal = open_ok(&options);
    assert_int_equal(journal->ops->durable(journal), last);
    journal->ops->close(&journal);
    forget_events();
    folder_remove(&folder);
}

static void a_first_commit_larger_than_a_segment_outlives_a_kill(void **state) {
    (void)state;
    char *folder = folder_new();
    fob_file_options_t options = small_options(folder);
    fob_journal_t *journal = open_ok(&options);
    uint64_t last = put_reserved(journal, 1, 1, 200 * 1024);
    last = put_reserved(journal, 2, 1, 100);
    assert_int_equal(last, 2);
    assert_true(wait_durable(journal, last));
    char *copy = folder_copy(folder);
    journal->ops->close(&journal);
    seen_t seen;
    options.folder = copy;
    journal = open_ok(&options);
    assert_int_equal(replay_into(journal, &seen, NULL), FOB_JOURNAL_OK);
    assert_int_equal(seen.records, 2);
    journal->ops->close(&journal);
    forget_events();
    folder_remove(&folder);
    folder_remove(&copy);
}

FOB_MAIN(FOB_CASE(any_segment_that_is_missing_is_named),
         FOB_CASE(the_last_written_segment_and_all_spares_missing_is_noticed),
         FOB_CASE(a_new_journal_without_its_first_segment_is_not_an_empty_one),
         FOB_CASE(segments_that_were_trimmed_are_not_missed),
         FOB_CASE(an_old_segment_below_the_checkpoints_that_is_missing_is_noticed),
         FOB_CASE(a_missing_epoch_file_is_told_and_gives_a_new_epoch),
         FOB_CASE(all_segments_missing_is_no_new_journal),
         FOB_CASE(what_is_trimmed_is_deleted_in_order_or_not_at_all),
         FOB_CASE(a_first_commit_larger_than_a_segment_outlives_a_kill))
