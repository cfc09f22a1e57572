/* Disks that fail, are full, are slow. */
#include "journal_calm.h"
#include "journal_disk.h"
#include "journal_support.h"

#include <errno.h>
#include <stdlib.h>

#define MADE 9 /* segments with small_options: the first, and those made ahead */

static char *folder;
static test_disk_t disk;
static fob_file_options_t options; /* in that folder, on that disk */

static void begin(void) {
    folder = folder_new();
    test_disk_init(&disk);
    options = small_options(folder);
    options.disk = &disk.table;
}

static void end(void) {
    forget_events();
    folder_remove(&folder);
}

static int setup(void **state) {
    (void)state;
    begin();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    end();
    return 0;
}

static void commits_that_wait_behind_a_sync_share_the_next_one(void **state) {
    (void)state;
    options.segment_bytes = 1u << 20;
    fob_journal_t *journal = open_ok(&options);
    test_disk_set(&disk, hold_syncs, true);
    unsigned before = test_disk_syncs(&disk);
    put_events(journal, 1, 1, 100, true);
    assert_true(test_disk_wait_held(&disk));
    for (uint64_t i = 2; i <= 500; i++)
        assert_int_equal(put_events(journal, i, 1, 100, true), i); /* the owner goes on */
    assert_int_equal(journal->ops->durable(journal), 0);
    fob_page_t page = read_page(journal, 1, 1);
    assert_int_equal(page.code, FOB_JOURNAL_ABSENT); /* read only what is durable */
    test_disk_set(&disk, hold_syncs, false);
    assert_true(wait_durable(journal, 500));
    assert_int_equal(test_disk_syncs(&disk) - before, 2);
    journal->ops->close(&journal);
}

static void a_lazy_commit_rides_on_the_next_sync(void **state) {
    (void)state;
    options.segment_bytes = 1u << 20;
    options.lazy_ms = 1000000;
    fob_journal_t *journal = open_ok(&options);
    unsigned before = test_disk_syncs(&disk);
    put_events(journal, 0, 0, 10, false);
    put_events(journal, 0, 0, 10, false);
    put_events(journal, 1, 1, 10, true);
    assert_true(wait_durable(journal, 3));
    assert_int_equal(test_disk_syncs(&disk) - before, 1);
    put_events(journal, 0, 0, 10, false);
    journal->ops->close(&journal); /* and a close waits for nobody */
    journal = open_ok(&options);
    assert_int_equal(journal->ops->durable(journal), 4);
    journal->ops->close(&journal);
}

static void a_lazy_commit_becomes_durable_by_itself(void **state) {
    (void)state;
    fob_journal_t *journal = open_ok(&options);
    assert_true(wait_durable(journal, put_events(journal, 0, 0, 10, false)));
    journal->ops->close(&journal);
}

static void below_disk_level_a_commit_is_durable_once_written(void **state) {
    (void)state;
    for (int level = FOB_SYNC_INTERVAL; level <= FOB_SYNC_OS; level++) {
        begin();
        options.segment_bytes = 1u << 20;
        options.sync = (fob_sync_t)level;
        options.interval_ms = 1;
        fob_journal_t *journal = open_ok(&options);
        assert_string_equal(journal->ops->level(journal), "os");
        test_disk_set(&disk, hold_syncs, true);
        assert_true(wait_durable(journal, put_events(journal, 1, 1, 100, true)));
        if (level == FOB_SYNC_INTERVAL)
            assert_true(test_disk_wait_held(&disk)); /* the interval's sync came by itself */
        else
            assert_int_equal(test_disk_syncs(&disk), 0);
        test_disk_set(&disk, hold_syncs, false);
        journal->ops->close(&journal);
        end();
    }
}

static void after_a_failed_sync_nothing_is_durable_any_more(void **state) {
    (void)state;
    fob_journal_error_t error;
    fob_journal_t *journal = open_ok(&options);
    assert_true(wait_durable(journal, put_events(journal, 1, 1, 100, true)));
    wait_segments(journal, MADE);
    test_disk_set(&disk, fail_sync, EIO);
    assert_false(wait_durable(journal, put_events(journal, 2, 1, 100, true)));
    assert_int_equal(journal->ops->health(journal, &error), FOB_JOURNAL_FAILED);
    assert_non_null(strstr(error.text, ".seg"));
    assert_non_null(strstr(error.text, strerror(EIO)));
    /* The disk is well again: that changes nothing. */
    test_disk_set(&disk, fail_sync, 0);
    unsigned syncs = test_disk_syncs(&disk), writes = test_disk_writes(&disk);
    assert_false(wait_durable(journal, put_events(journal, 3, 1, 100, true)));
    assert_false(journal->ops->reserve(journal, 1));
    assert_int_equal(journal->ops->durable(journal), 1);
    journal->ops->close(&journal);
    assert_int_equal(test_disk_syncs(&disk), syncs);
    assert_int_equal(test_disk_writes(&disk), writes);

    /* The next start writes the tail again and syncs it before it serves. */
    journal = open_ok(&options);
    assert_true(test_disk_writes(&disk) > writes);
    assert_true(test_disk_syncs(&disk) > syncs);
    assert_int_equal(journal->ops->durable(journal), 2);
    fob_page_t page = read_page(journal, 2, 1);
    assert_int_equal(page.code, FOB_JOURNAL_OK);
    free(page.memory);
    journal->ops->close(&journal);
}

static void a_start_whose_rewrite_fails_is_refused(void **state) {
    (void)state;
    fob_journal_error_t error;
    fob_journal_t *journal = open_ok(&options);
    wait_segments(journal, MADE);
    assert_true(wait_durable(journal, put_events(journal, 1, 1, 100, true)));
    char *copy = folder_copy(folder); /* as after a kill */
    journal->ops->close(&journal);
    test_disk_set(&disk, fail_sync, EIO);
    options.folder = copy;
    assert_null(fob_journal_file_open(&options, &error));
    assert_int_equal(error.code, FOB_JOURNAL_SYSTEM);
    test_disk_set(&disk, fail_sync, 0);
    journal = open_ok(&options);
    assert_int_equal(journal->ops->durable(journal), 1);
    journal->ops->close(&journal);
    folder_remove(&copy);
}

static void a_write_that_breaks_off_is_a_torn_tail_at_the_next_start(void **state) {
    (void)state;
    for (size_t written = 0; written < 300; written += 37) {
        begin();
        fob_journal_stats_t stats;
        fob_journal_t *journal = open_ok(&options);
        assert_true(wait_durable(journal, put_events(journal, 1, 1, 200, true)));
        wait_segments(journal, MADE); /* it writes too */
        test_disk_set(&disk, write_first, written);
        test_disk_set(&disk, fail_write, EIO);
        assert_false(wait_durable(journal, put_events(journal, 2, 1, 200, true)));
        journal->ops->close(&journal);
        test_disk_set(&disk, fail_write, 0);
        journal = open_ok(&options);
        journal->ops->stats(journal, &stats);
        assert_int_equal(stats.last_position, written >= 296 ? 2 : 1);
        assert_int_equal(stats.torn_bytes > 0, written > 0 && written < 296);
        assert_int_equal(strstr(journal_log, "torn") != NULL, written > 0 && written < 296);
        uint64_t next = put_events(journal, stats.last_offset + 1, 1, 50, true);
        assert_true(wait_durable(journal, next));
        journal->ops->close(&journal);
        end();
    }
}

/* A turn of a loop that ends when a condition holds. */
static bool reserve_becomes(fob_journal_t *journal, bool wanted) {
    for (unsigned i = 0; i < 200000; i++) {
        if (journal->ops->reserve(journal, 2000) == wanted)
            return true;
        wait_turn();
    }
    return false;
}

static void a_full_disk_refuses_publishes_takes_settles_and_recovers_by_itself(void **state) {
    (void)state;
    fob_journal_t *journal = open_ok(&options);
    uint64_t last = put_reserved(journal, 1, 1, 2000), offset = 2;
    wait_segments(journal, MADE);
    test_disk_set(&disk, full, true);
    while (journal->ops->reserve(journal, 2000))
        last = put_events(journal, offset++, 1, 2000, true);
    assert_true(wait_durable(journal, last)); /* what was accepted is stored */
    for (int i = 0; i < 150; i++)
        last = put_events(journal, 0, 0, 40, false); /* so are settles */
    assert_true(wait_durable(journal, last));
    assert_int_equal(journal->ops->health(journal, NULL), FOB_JOURNAL_OK);
    assert_false(journal->ops->reserve(journal, 2000));
    test_disk_set(&disk, full, false);
    assert_true(reserve_becomes(journal, true));
    assert_non_null(strstr(journal_log, "no room"));
    assert_true(wait_durable(journal, put_events(journal, offset, 1, 2000, true)));
    journal->ops->close(&journal);
}

static void settles_beyond_all_room_wait_and_nothing_fails(void **state) {
    (void)state;
    fob_journal_t *journal = open_ok(&options);
    test_disk_set(&disk, full, true);
    uint64_t last = 0;
    for (int i = 0; i < 1000; i++) /* more than all that was made ahead */
        last = put_events(journal, 0, 0, 1000, true);
    assert_true(wait_durable(journal, 40));
    assert_true(journal->ops->durable(journal) < last);
    assert_int_equal(journal->ops->health(journal, NULL), FOB_JOURNAL_OK);
    test_disk_set(&disk, full, false);
    assert_true(wait_durable(journal, last));
    journal->ops->close(&journal);
}

static void room_for_a_large_commit_is_its_own_until_it_comes(void **state) {
    (void)state;
    const size_t large = 26 * 64 * 1024;
    uint64_t last = 0;
    options.max_bytes = 40 * 64 * 1024;
    options.runtime = calm_runtime();
    fob_journal_t *journal = open_ok(&options);
    wait_segments(journal, MADE);
    test_disk_set(&disk, fail_rename, EIO); /* none is made */
    for (int i = 0; i < 500; i++)           /* all of these are used */
        last = put_events(journal, 0, 0, 1000, false);
    assert_true(wait_durable(journal, last));
    assert_true(journal->ops->reserve(journal, large));
    test_disk_set(&disk, fail_rename, 0);
    assert_false(journal->ops->reserve(journal, 2 * large)); /* wakes who makes segments ahead */
    calm_wait();
    assert_true(wait_durable(journal, put_events(journal, 1, 1, large, true)));
    journal->ops->close(&journal);
}

static void a_close_without_room_ends_and_loses_only_what_was_not_durable(void **state) {
    (void)state;
    seen_t seen;
    fob_journal_t *journal = open_ok(&options);
    test_disk_set(&disk, full, true);
    for (int i = 0; i < 1000; i++)
        put_events(journal, 0, 0, 1000, true);
    assert_true(wait_durable(journal, 40));
    journal->ops->close(&journal);
    test_disk_set(&disk, full, false);
    journal = open_ok(&options);
    assert_int_equal(replay_into(journal, &seen, NULL), FOB_JOURNAL_OK);
    assert_in_range(seen.records, 40, 999);
    journal->ops->close(&journal);
}

static void a_checkpoint_that_fails_is_dropped_and_the_one_before_stays(void **state) {
    (void)state;
    fob_journal_stats_t stats;
    fob_journal_t *journal = open_ok(&options);
    put_events(journal, 1, 1, 100, true);
    assert_true(wait_durable(journal, put_events(journal, 2, 1, 100, true)));
    take_checkpoint(journal, 1, "one");
    test_disk_set(&disk, fail_rename, EIO);
    assert_int_equal(journal->ops->checkpoint_begin(journal, 2), FOB_JOURNAL_OK);
    assert_int_equal(journal->ops->checkpoint_finish(journal), FOB_JOURNAL_OK);
    while (strstr(journal_log_now(), "was dropped") == NULL)
        wait_turn();
    test_disk_set(&disk, fail_rename, 0);
    assert_int_equal(journal->ops->health(journal, NULL), FOB_JOURNAL_OK);
    journal->ops->stats(journal, &stats);
    assert_int_equal(stats.checkpoint_position, 1);
    assert_false(journal->ops->checkpoint_due(journal)); /* not at once, */
    while (!journal->ops->checkpoint_due(journal))       /* but long before 64 MiB more */
        wait_turn();
    take_checkpoint(journal, 2, "two");
    assert_false(journal->ops->checkpoint_due(journal));
    journal->ops->close(&journal);
}

FOB_MAIN(FOB_CASE_WITH(commits_that_wait_behind_a_sync_share_the_next_one, setup, teardown),
         FOB_CASE_WITH(a_lazy_commit_rides_on_the_next_sync, setup, teardown),
         FOB_CASE_WITH(a_lazy_commit_becomes_durable_by_itself, setup, teardown),
         FOB_CASE(below_disk_level_a_commit_is_durable_once_written),
         FOB_CASE_WITH(after_a_failed_sync_nothing_is_durable_any_more, setup, teardown),
         FOB_CASE_WITH(a_start_whose_rewrite_fails_is_refused, setup, teardown),
         FOB_CASE(a_write_that_breaks_off_is_a_torn_tail_at_the_next_start),
         FOB_CASE_WITH(a_full_disk_refuses_publishes_takes_settles_and_recovers_by_itself, setup,
                       teardown),
         FOB_CASE_WITH(settles_beyond_all_room_wait_and_nothing_fails, setup, teardown),
         FOB_CASE_WITH(room_for_a_large_commit_is_its_own_until_it_comes, setup, teardown),
         FOB_CASE_WITH(a_close_without_room_ends_and_loses_only_what_was_not_durable, setup,
                       teardown),
         FOB_CASE_WITH(a_checkpoint_that_fails_is_dropped_and_the_one_before_stays, setup,
                       teardown))
