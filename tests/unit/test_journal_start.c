/* What a start needs of the disk, and what it makes of the epoch file. */
#include "journal_disk.h"
#include "journal_support.h"

#include "bus/journal/format.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* A folder as a kill leaves it: three commits in its first segment. */
static char *killed_folder(fob_sync_t sync, uint64_t *epoch) {
    char *folder = folder_new();
    fob_file_options_t options = small_options(folder);
    options.sync = sync;
    fob_journal_t *journal = open_ok(&options);
    wait_segments(journal, 9);
    for (uint64_t i = 1; i <= 3; i++)
        assert_true(wait_durable(journal, put_events(journal, i, 1, 100, true)));
    *epoch = journal->ops->epoch(journal);
    char *copy = folder_copy(folder);
    journal->ops->close(&journal);
    folder_remove(&folder);
    forget_events();
    return copy;
}

static void a_full_disk_starts_serves_and_ends_clean(void **state) {
    (void)state;
    uint64_t epoch;
    char *folder = killed_folder(FOB_SYNC_OS, &epoch);
    test_disk_t disk;
    fob_journal_stats_t stats;
    test_disk_init(&disk);
    test_disk_set(&disk, full, true);
    fob_file_options_t options = small_options(folder);
    options.sync = FOB_SYNC_OS;
    options.disk = &disk.table;
    for (uint64_t run = 0; run < 4; run++) {
        fob_journal_t *journal = open_ok(&options);
        /* The first run was killed; each other ended clean, though the disk was full. */
        if (run == 0)
            assert_true(journal->ops->epoch(journal) > epoch);
        else
            assert_int_equal(journal->ops->epoch(journal), epoch);
        epoch = journal->ops->epoch(journal);
        journal->ops->stats(journal, &stats);
        assert_int_equal(stats.last_position, 3 + run);
        fob_page_t page = read_page(journal, 1, 1000);
        assert_int_equal(page.code, FOB_JOURNAL_OK);
        free(page.memory);
        assert_true(wait_durable(journal, put_events(journal, 0, 0, 50, false))); /* a settle */
        journal->ops->close(&journal);
    }
    forget_events();
    folder_remove(&folder);
}

/* Its segments are larger from now on: those that were made ahead are not all that is wanted. */
static void a_journal_whose_limit_was_raised_takes_publishes(void **state) {
    (void)state;
    uint64_t epoch;
    char *folder = killed_folder(FOB_SYNC_ALWAYS, &epoch);
    fob_file_options_t options = small_options(folder);
    options.segment_bytes = 4 * 1024 * 1024;
    options.max_bytes = 64 * 1024 * 1024;
    fob_journal_t *journal = open_ok(&options);
    uint64_t offset = 4;
    for (int i = 0; i < 20; i++)
        put_reserved(journal, offset++, 1, 100);
    assert_true(wait_durable(journal, put_reserved(journal, offset, 1, 100)));
    journal->ops->close(&journal);
    forget_events();
    folder_remove(&folder);
}

static void a_lock_that_cannot_be_written_still_locks(void **state) {
    (void)state;
    char *folder = folder_new();
    fob_journal_error_t error;
    fob_file_options_t options = small_options(folder);
    fob_journal_t *journal = open_ok(&options);
    /* As it is where the disk was full: no pid in it. */
    char *path = folder_file(folder, "lock");
    assert_int_equal(truncate(path, 0), 0);
    free(path);
    assert_null(fob_journal_file_open(&options, &error));
    assert_int_equal(error.code, FOB_JOURNAL_IN_USE);
    assert_non_null(strstr(error.text, "another process"));
    journal->ops->close(&journal);
    folder_remove(&folder);
}

static void an_epoch_record_torn_at_any_byte_leaves_the_other_and_a_new_epoch(void **state) {
    (void)state;
    uint64_t epoch;
    char *folder = killed_folder(FOB_SYNC_ALWAYS, &epoch);
    char *path = folder_file(folder, "epoch");
    fob_file_options_t options = small_options(folder);
    for (uint64_t at = 0; at < 2 * sizeof(fob_disk_epoch_t); at++) {
        uint64_t slot = at % 2 * FOB_EPOCH_SLOT;
        uint8_t byte;
        file_read_at(path, slot + at / 2, &byte, 1);
        byte ^= 2;
        file_write_at(path, slot + at / 2, &byte, 1);
        fob_journal_t *journal = open_ok(&options);
        assert_true(journal->ops->epoch(journal) > epoch);
        epoch = journal->ops->epoch(journal);
        assert_int_equal(journal->ops->durable(journal), 3);
        assert_non_null(strstr(journal_log_now(), "/epoch is damaged"));
        journal->ops->close(&journal);
        /* And it is mended: both are whole again after the end's record. */
        journal = open_ok(&options);
        assert_int_equal(journal->ops->epoch(journal), epoch);
        journal->ops->close(&journal);
    }
    free(path);
    folder_remove(&folder);
}

static void an_epoch_is_never_given_twice_though_the_clock_went_back(void **state) {
    (void)state;
    uint64_t epoch;
    char *folder = killed_folder(FOB_SYNC_OS, &epoch);
    char *path = folder_file(folder, "epoch");
    /* Of a clock that runs a thousand years ahead. */
    fob_epoch_mark_t mark = {.epoch = epoch + UINT64_C(31557600000000), .turn = 7};
    for (uint64_t at = 0; at < 2 * FOB_EPOCH_SLOT; at += FOB_EPOCH_SLOT) {
        fob_disk_epoch_t disk;
        mark.turn = at == 0 ? 6 : 7;
        fob_format_epoch_encode(&mark, 1, &disk);
        file_write_at(path, at, &disk, sizeof disk);
    }
    fob_file_options_t options = small_options(folder);
    options.sync = FOB_SYNC_OS;
    fob_journal_t *journal = open_ok(&options);
    assert_int_equal(journal->ops->epoch(journal), mark.epoch + 1);
    wait_segments(journal, 9);
    journal->ops->close(&journal);
    free(path);
    folder_remove(&folder);
}

/* Three records fill a segment nearly; the fourth is alone in the next. */
static char *two_segments(uint64_t fourth, bool checkpoint) {
    char *folder = folder_new();
    fob_file_options_t options = small_options(folder);
    fob_journal_t *journal = open_ok(&options);
    for (uint64_t offset = 1; offset <= 3; offset++)
        put_events(journal, offset, 1, 20000, true);
    uint64_t last = put_events(journal, fourth, 1, 20000, true);
    assert_true(wait_durable(journal, last));
    if (checkpoint)
        take_checkpoint(journal, last, "all");
    journal->ops->close(&journal);
    forget_events();
    return folder;
}

/* The second commit says that its events are at offset 6. */
static void give_offsets_again(const char *path) {
    static uint8_t data[FOB_SEGMENT_HEADER_BYTES + 4096];
    uint8_t *first = data + FOB_SEGMENT_HEADER_BYTES;
    fob_segment_head_t head;
    fob_commit_t commit;
    file_read_at(path, 0, data, sizeof data);
    assert_int_equal(fob_format_segment_decode(data, &head), FOB_FOUND_WHOLE);
    assert_int_equal(fob_format_commit_check(first, 4096, head.sequence, head.seed, &commit),
                     FOB_FOUND_WHOLE);
    fob_disk_commit_t *second = (fob_disk_commit_t *)(void *)(first + commit.total);
    fob_disk_entry_t *entry = (fob_disk_entry_t *)(void *)(second + 1);
    struct iovec payload = {entry, second->payload_bytes};
    second->first_offset = entry->first_offset = 6;
    fob_format_commit_seal(second, head.seed, &payload, 1);
    file_write_at(path, 0, data, sizeof data);
}

/* Found by the fuzzer: two commits, each whole, of which the second gives the first one's offsets
 * again. */
static void offsets_given_twice_are_damage_that_is_named(void **state) {
    (void)state;
    char *folder = folder_new();
    fob_file_options_t options = small_options(folder);
    fob_journal_error_t error;
    fob_journal_t *journal = open_ok(&options);
    assert_true(wait_durable(journal, put_events(journal, 5, 2, 100, true)));
    assert_true(wait_durable(journal, put_events(journal, 7, 2, 100, true)));
    journal->ops->close(&journal);
    char *path = folder_nth(folder, ".seg", 0);
    give_offsets_again(path);
    assert_null(fob_journal_file_open(&options, &error));
    assert_int_equal(error.code, FOB_JOURNAL_DAMAGED);
    assert_non_null(strstr(error.text, "offsets that were given before it"));
    free(path);
    forget_events();
    folder_remove(&folder);
}

static void offsets_that_nobody_used_between_segments_are_no_damage(void **state) {
    (void)state;
    char *folder = two_segments(10, true);
    fob_file_options_t options = small_options(folder);
    fob_journal_t *journal = open_ok(&options);
    seen_t seen = {0};
    assert_int_equal(replay_into(journal, &seen, NULL), FOB_JOURNAL_OK);
    for (uint64_t offset = 3; offset <= 5; offset++) {
        fob_page_t page = read_page(journal, offset, 100);
        assert_int_equal(page.code, FOB_JOURNAL_OK);
        assert_int_equal(page.entries[0].first_offset, offset == 3 ? 3 : 10);
        free(page.memory);
    }
    journal->ops->close(&journal);
    folder_remove(&folder);
}

static void damage_to_a_segments_first_commit_is_told_of_that_segment(void **state) {
    (void)state;
    char *folder = two_segments(4, false), *path = folder_nth(folder, ".seg", 1);
    uint8_t byte;
    fob_journal_error_t error;
    fob_file_options_t options = small_options(folder);
    file_read_at(path, 4200, &byte, 1);
    byte ^= 4;
    file_write_at(path, 4200, &byte, 1);
    assert_null(fob_journal_file_open(&options, &error));
    assert_int_equal(error.code, FOB_JOURNAL_DAMAGED);
    assert_non_null(strstr(error.text, "00000000000000000002.seg"));
    assert_non_null(strstr(error.text, "byte 4096:"));
    free(path);
    folder_remove(&folder);
}

static void a_start_needs_no_more_open_files_where_there_are_more_segments(void **state) {
    (void)state;
    char *folder = folder_new();
    fob_file_options_t options = small_options(folder);
    options.sync = FOB_SYNC_OS;
    fob_journal_t *journal = open_ok(&options);
    fob_journal_stats_t stats = {0};
    for (uint64_t offset = 1; stats.segments < 60; offset++) {
        assert_true(wait_durable(journal, put_reserved(journal, offset, 1, 30000)));
        journal->ops->stats(journal, &stats);
    }
    journal->ops->close(&journal);
    struct rlimit before, few;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int next = dup(STDERR_FILENO); /* the lowest that is free */
    close(next);
    few = before;
    few.rlim_cur = (rlim_t)next + 30;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    journal = open_ok(&options);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    journal->ops->close(&journal);
    forget_events();
    folder_remove(&folder);
}

/* A flood fills a segment while the next one is made; and what is made ahead is room that nothing
 * is in. */
static void a_little_more_than_one_segment_is_made_ahead_of_need(void **state) {
    (void)state;
    char *folder = folder_new();
    fob_file_options_t options = small_options(folder);
    fob_journal_stats_t stats;
    options.sync = FOB_SYNC_OS;
    options.segment_bytes = 0;
    options.max_bytes = 1 << 30;
    fob_journal_t *journal = open_ok(&options);
    wait_segments(journal, 2);
    for (uint64_t offset = 1; offset <= 5; offset++)
        assert_true(wait_durable(journal, put_reserved(journal, offset, 1, 1 << 20)));
    journal->ops->stats(journal, &stats);
    assert_int_equal(stats.segments, 2);
    assert_true(stats.bytes <= 24 << 20);
    for (uint64_t offset = 6; offset <= 7; offset++)
        assert_true(wait_durable(journal, put_reserved(journal, offset, 1, 1 << 20)));
    wait_segments(journal, 3);
    journal->ops->close(&journal);
    forget_events();
    folder_remove(&folder);
}

FOB_MAIN(FOB_CASE(offsets_given_twice_are_damage_that_is_named),
         FOB_CASE(a_full_disk_starts_serves_and_ends_clean),
         FOB_CASE(a_journal_whose_limit_was_raised_takes_publishes),
         FOB_CASE(a_lock_that_cannot_be_written_still_locks),
         FOB_CASE(an_epoch_record_torn_at_any_byte_leaves_the_other_and_a_new_epoch),
         FOB_CASE(an_epoch_is_never_given_twice_though_the_clock_went_back),
         FOB_CASE(offsets_that_nobody_used_between_segments_are_no_damage),
         FOB_CASE(damage_to_a_segments_first_commit_is_told_of_that_segment),
         FOB_CASE(a_start_needs_no_more_open_files_where_there_are_more_segments),
         FOB_CASE(a_little_more_than_one_segment_is_made_ahead_of_need))
