/* Checkpoints, what they let go, and what retention keeps. */
#include "journal_disk.h"
#include "journal_support.h"

#include "bus/journal/cadence.h"
#include "bus/journal/format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint64_t put_many(fob_journal_t *journal, uint64_t *offset, uint64_t count) {
    uint64_t last = 0;
    for (uint64_t i = 0; i < count; i++)
        last = put_reserved(journal, (*offset)++, 1, 1000);
    return last;
}

static void a_start_shows_the_newest_checkpoint_and_what_came_after(void **state) {
    (void)state;
    char *folder = folder_new();
    fob_file_options_t options = small_options(folder);
    fob_journal_t *journal = open_ok(&options);
    uint64_t offset = 1;
    put_many(journal, &offset, 100);
    take_checkpoint(journal, 60, "first;");
    put_many(journal, &offset, 100);
    assert_int_equal(journal->ops->checkpoint_begin(journal, 150), FOB_JOURNAL_OK);
    for (const char *c = "slice"; *c != '\0'; c++) {
        assert_int_equal(journal->ops->checkpoint_slice(journal, (const uint8_t *)c, 1),
                         FOB_JOURNAL_OK);
        put_many(journal, &offset, 1); /* turns go on between slices */
    }
    assert_int_equal(journal->ops->checkpoint_finish(journal), FOB_JOURNAL_OK);
    journal->ops->close(&journal); /* a finished one is made durable first */

    seen_t seen;
    fob_journal_stats_t stats;
    journal = open_ok(&options);
    assert_int_equal(replay_into(journal, &seen, NULL), FOB_JOURNAL_OK);
    assert_string_equal(seen.slice_text, "slice");
    assert_int_equal(seen.slices, 5);
    assert_int_equal(seen.records, 205 - 150);
    assert_int_equal(seen.last_position, 205);
    journal->ops->stats(journal, &stats);
    assert_int_equal(stats.checkpoint_position, 150);
    journal->ops->close(&journal);
    forget_events();
    folder_remove(&folder);
}

static void a_checkpoint_that_was_not_finished_is_as_if_never_begun(void **state) {
    (void)state;
    char *folder = folder_new();
    fob_file_options_t options = small_options(folder);
    fob_journal_t *journal = open_ok(&options);
    uint64_t offset = 1;
    assert_true(wait_durable(journal, put_many(journal, &offset, 10)));
    assert_int_equal(journal->ops->checkpoint_begin(journal, 10), FOB_JOURNAL_OK);
    assert_int_equal(journal->ops->checkpoint_slice(journal, (const uint8_t *)"x", 1),
                     FOB_JOURNAL_OK);
    journal->ops->close(&journal);
    seen_t seen;
    journal = open_ok(&options);
    assert_int_equal(replay_into(journal, &seen, NULL), FOB_JOURNAL_OK);
    assert_int_equal(seen.slices, 0);
    assert_int_equal(seen.records, 10);
    journal->ops->close(&journal);
    assert_null(folder_nth(folder, ".tmp", 0));
    assert_null(folder_nth(folder, ".ckp", 0));
    forget_events();
    folder_remove(&folder);
}

/* What a slice holds must not be found on disk before the commits it comes from. */
static void a_checkpoint_counts_only_once_what_it_holds_is_synced(void **state) {
    (void)state;
    char *folder = folder_new();
    test_disk_t disk;
    fob_journal_stats_t stats;
    test_disk_init(&disk);
    fob_file_options_t options = small_options(folder);
    options.sync = FOB_SYNC_OS;
    options.segment_bytes = 1u << 20;
    options.disk = &disk.table;
    fob_journal_t *journal = open_ok(&options);
    test_disk_set(&disk, hold_syncs, true);
    assert_true(wait_durable(journal, put_events(journal, 1, 1, 100, true)));
    assert_int_equal(journal->ops->checkpoint_begin(journal, 1), FOB_JOURNAL_OK);
    assert_int_equal(journal->ops->checkpoint_finish(journal), FOB_JOURNAL_OK);
    assert_true(test_disk_wait_held(&disk)); /* it asks for the sync itself */
    journal->ops->stats(journal, &stats);
    assert_int_equal(stats.checkpoint_position, 0);
    assert_null(folder_nth(folder, ".ckp", 0));
    test_disk_set(&disk, hold_syncs, false);
    while (stats.checkpoint_position != 1) {
        assert_true(wait_news(journal));
        journal->ops->clear(journal);
        journal->ops->stats(journal, &stats);
    }
    journal->ops->close(&journal);
    forget_events();
    folder_remove(&folder);
}

static void a_damaged_checkpoint_gives_way_to_the_one_before_at_any_byte(void **state) {
    (void)state;
    char *folder = folder_new();
    fob_file_options_t options = small_options(folder);
    fob_journal_t *journal = open_ok(&options);
    uint64_t offset = 1;
    put_many(journal, &offset, 10);
    take_checkpoint(journal, 4, "older");
    put_many(journal, &offset, 10);
    take_checkpoint(journal, 15, "newest");
    journal->ops->close(&journal);
    char *path = folder_nth(folder, ".ckp", 1);
    uint8_t byte, flipped;
    uint64_t size = file_size(path);
    for (uint64_t at = 0; at < size; at += 1) {
        seen_t seen;
        file_read_at(path, at, &byte, 1);
        flipped = byte ^ 16;
        file_write_at(path, at, &flipped, 1);
        journal_log[0] = '\0';
        journal = open_ok(&options);
        assert_int_equal(replay_into(journal, &seen, NULL), FOB_JOURNAL_OK);
        assert_string_equal(seen.slice_text, "older");
        assert_int_equal(seen.records, 16);
        assert_non_null(strstr(journal_log, "is damaged"));
        journal->ops->close(&journal);
        file_write_at(path, at, &byte, 1);
    }
    free(path);
    forget_events();
    folder_remove(&folder);
}

/* Left by a crash between a new one's name and an old one's removal. */
/* The end of a checkpoint of one slice says that all up to `upto` was durable. */
static void end_at(const char *path, uint64_t upto) {
    fob_disk_checkpoint_t disk;
    fob_checkpoint_head_t head;
    fob_disk_slice_t end;
    file_read_at(path, 0, &disk, sizeof disk);
    assert_int_equal(fob_format_checkpoint_decode(&disk, &head), FOB_FOUND_WHOLE);
    fob_format_slice_seal(&end, head.seed, 1, upto, NULL, 0);
    file_write_at(path, file_size(path) - sizeof end, &end, sizeof end);
}

/* A journal whose commits are gone would begin below it, and not show what it took. */
static void a_checkpoint_that_ends_below_its_own_place_is_damaged(void **state) {
    (void)state;
    char *folder = folder_new(), place[64];
    fob_file_options_t options = small_options(folder);
    fob_journal_t *journal = open_ok(&options);
    uint64_t offset = 1;
    put_many(journal, &offset, 10);
    take_checkpoint(journal, 5, "before");
    take_checkpoint(journal, 10, "newest");
    journal->ops->close(&journal);
    char *path = folder_nth(folder, ".ckp", 1);
    assert_non_null(path);
    snprintf(place, sizeof place, "is damaged at byte %llu.",
             (unsigned long long)(file_size(path) - sizeof(fob_disk_slice_t)));
    for (uint64_t upto = 10; upto >= 9; upto--) {
        seen_t seen;
        end_at(path, upto);
        journal = open_ok(&options);
        assert_int_equal(replay_into(journal, &seen, NULL), FOB_JOURNAL_OK);
        assert_string_equal(seen.slice_text, upto == 10 ? "newest" : "before");
        assert_int_equal(seen.records, upto == 10 ? 0 : 5);
        assert_true((strstr(journal_log_now(), place) != NULL) == (upto == 9));
        journal->ops->close(&journal);
    }
    free(path);
    forget_events();
    folder_remove(&folder);
}

static void checkpoints_that_count_no_more_go_with_the_next_one(void **state) {
    (void)state;
    char *folder = folder_new();
    fob_file_options_t options = small_options(folder);
    fob_journal_t *journal = open_ok(&options);
    uint64_t offset = 1;
    put_many(journal, &offset, 10);
    take_checkpoint(journal, 4, "older");
    char *kept = folder_nth(folder, ".ckp", 0), *left = folder_file(folder, "left");
    assert_int_equal(link(kept, left), 0);
    take_checkpoint(journal, 6, "newer");
    take_checkpoint(journal, 8, "newest");
    journal->ops->close(&journal);
    assert_int_equal(rename(left, kept), 0);
    journal = open_ok(&options);
    put_many(journal, &offset, 10);
    take_checkpoint(journal, 12, "one more");
    journal->ops->close(&journal);
    char *second = folder_nth(folder, ".ckp", 1);
    assert_non_null(second);
    assert_null(folder_nth(folder, ".ckp", 2));
    free(second);
    free(kept);
    free(left);
    forget_events();
    folder_remove(&folder);
}

static void segments_go_only_below_the_older_checkpoint(void **state) {
    (void)state;
    char *folder = folder_new();
    fob_file_options_t options = small_options(folder);
    options.retain_bytes = 1;
    fob_journal_stats_t stats;
    fob_journal_t *journal = open_ok(&options);
    uint64_t offset = 1;
    put_many(journal, &offset, 300);
    take_checkpoint(journal, 200, "older");
    journal->ops->trim(journal, offset, 1);
    journal->ops->stats(journal, &stats);
    assert_int_equal(stats.first_offset,
                     1); /* with one checkpoint the journal itself is the older */
    put_many(journal, &offset, 100);
    take_checkpoint(journal, 400, "newest");
    journal->ops->trim(journal, offset, 1);
    journal->ops->stats(journal, &stats);
    assert_in_range(stats.first_offset, 2, 201);
    journal->ops->close(&journal);
    /* And so the newest may turn out bad. */
    char *path = folder_nth(folder, ".ckp", 1);
    file_write_at(path, 70, "bad", 3);
    free(path);
    seen_t seen;
    journal = open_ok(&options);
    assert_int_equal(replay_into(journal, &seen, NULL), FOB_JOURNAL_OK);
    assert_string_equal(seen.slice_text, "older");
    assert_int_equal(seen.records, 200);
    journal->ops->close(&journal);
    /* Both bad: the commits that are left do not begin at the beginning. */
    path = folder_nth(folder, ".ckp", 0);
    file_write_at(path, 70, "bad", 3);
    free(path);
    fob_journal_error_t error;
    assert_null(fob_journal_file_open(&options, &error));
    assert_int_equal(error.code, FOB_JOURNAL_DAMAGED);
    forget_events();
    folder_remove(&folder);
}

static void what_is_young_and_little_is_kept_though_nobody_needs_it(void **state) {
    (void)state;
    char *folder = folder_new();
    fob_file_options_t options = small_options(folder);
    options.retain_bytes = 1u << 20;
    options.retain_ms = 3600 * 1000;
    fob_journal_stats_t stats;
    fob_journal_t *journal = open_ok(&options);
    uint64_t offset = 1;
    uint64_t last = put_many(journal, &offset, 300);
    take_checkpoint(journal, last - 1, "one");
    take_checkpoint(journal, last, "two");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t now_ms = (int64_t)now.tv_sec * 1000;
    journal->ops->trim(journal, offset, now_ms);
    journal->ops->stats(journal, &stats);
    assert_int_equal(stats.first_offset, 1); /* too young, too little */
    journal->ops->trim(journal, 150, now_ms + 2 * options.retain_ms);
    journal->ops->stats(journal, &stats);
    assert_in_range(stats.first_offset, 50, 150); /* too old, but for what is needed */
    journal->ops->close(&journal);

    /* After a restart the age is that of the commits, not of the process; and bytes count too. */
    journal = open_ok(&options);
    last = put_many(journal, &offset, 1500);
    take_checkpoint(journal, last - 1, "one");
    take_checkpoint(journal, last, "two");
    journal->ops->trim(journal, offset, now_ms);
    journal->ops->stats(journal, &stats);
    assert_in_range(stats.bytes, options.retain_bytes, options.retain_bytes + 3 * 65536);
    fob_page_t page = read_page(journal, stats.first_offset, 1);
    assert_int_equal(page.code, FOB_JOURNAL_OK);
    free(page.memory);
    page = read_page(journal, stats.first_offset - 1, 1);
    assert_int_equal(page.code, FOB_JOURNAL_ABSENT);
    journal->ops->close(&journal);
    uint64_t first = stats.first_offset;
    journal = open_ok(&options); /* the files are gone too */
    journal->ops->stats(journal, &stats);
    assert_int_equal(stats.first_offset, first);
    journal->ops->close(&journal);
    forget_events();
    folder_remove(&folder);
}

static void a_checkpoint_is_due_when_enough_was_appended(void **state) {
    (void)state;
    char *folder = folder_new();
    fob_file_options_t options = small_options(folder); /* due at an eighth of max_bytes: 2 MiB */
    fob_journal_t *journal = open_ok(&options);
    uint64_t offset = 1;
    put_many(journal, &offset, 1500);
    assert_false(journal->ops->checkpoint_due(journal));
    uint64_t last = put_many(journal, &offset, 600);
    assert_true(journal->ops->checkpoint_due(journal));
    take_checkpoint(journal, last, "one");
    assert_false(journal->ops->checkpoint_due(journal));
    journal->ops->close(&journal);
    forget_events();
    folder_remove(&folder);
}

/* MiB of events, one each. */
static uint64_t put_mib(fob_journal_t *journal, uint64_t *offset, uint64_t count) {
    uint64_t last = 0;
    for (uint64_t i = 0; i < count; i++)
        assert_true(
            wait_durable(journal, last = put_events(journal, (*offset)++, 1, 1 << 20, true)));
    return last;
}

static void a_large_checkpoint_comes_more_rarely_than_a_small_one(void **state) {
    (void)state;
    char *folder = folder_new(), *slices = calloc(1, (6 << 20) + 1);
    fob_file_options_t options = small_options(folder);
    options.sync = FOB_SYNC_OS;
    options.segment_bytes = 4 << 20;
    options.max_bytes = 1 << 30;
    fob_journal_t *journal = open_ok(&options);
    uint64_t offset = 1;
    put_mib(journal, &offset, 15);
    assert_false(journal->ops->checkpoint_due(journal));
    uint64_t last = put_mib(journal, &offset, 2);
    assert_true(journal->ops->checkpoint_due(journal));
    memset(slices, 'x', 6 << 20);
    take_checkpoint(journal, last, slices);
    put_mib(journal, &offset, 22);
    assert_false(journal->ops->checkpoint_due(journal));
    put_mib(journal, &offset, 3);
    assert_true(journal->ops->checkpoint_due(journal));
    journal->ops->close(&journal);
    forget_events();
    folder_remove(&folder);
    free(slices);
}

static void however_large_a_checkpoint_is_the_next_one_comes(void **state) {
    (void)state;
    assert_int_equal(fob_cadence(0, UINT64_MAX), FOB_CADENCE_LEAST);
    assert_int_equal(fob_cadence(FOB_CADENCE_LEAST, UINT64_MAX),
                     FOB_CADENCE_SHARE * FOB_CADENCE_LEAST);
    assert_int_equal(fob_cadence(UINT64_C(1) << 40, UINT64_MAX), FOB_CADENCE_MOST);
    assert_int_equal(fob_cadence(UINT64_C(1) << 40, 8000), 1000); /* or the disk is full before */
    assert_int_equal(fob_cadence_short(0), 0);
    assert_int_equal(fob_cadence_short(UINT64_C(4) << 20), UINT64_C(1) << 20);
    assert_int_equal(fob_cadence_short(UINT64_C(1) << 40), FOB_CADENCE_LEAST);
}

FOB_MAIN(FOB_CASE(a_start_shows_the_newest_checkpoint_and_what_came_after),
         FOB_CASE(a_checkpoint_that_was_not_finished_is_as_if_never_begun),
         FOB_CASE(a_checkpoint_counts_only_once_what_it_holds_is_synced),
         FOB_CASE(a_damaged_checkpoint_gives_way_to_the_one_before_at_any_byte),
         FOB_CASE(a_checkpoint_that_ends_below_its_own_place_is_damaged),
         FOB_CASE(checkpoints_that_count_no_more_go_with_the_next_one),
         FOB_CASE(segments_go_only_below_the_older_checkpoint),
         FOB_CASE(what_is_young_and_little_is_kept_though_nobody_needs_it),
         FOB_CASE(a_checkpoint_is_due_when_enough_was_appended),
         FOB_CASE(a_large_checkpoint_comes_more_rarely_than_a_small_one),
         FOB_CASE(however_large_a_checkpoint_is_the_next_one_comes))
