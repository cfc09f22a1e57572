/* The journal on disk: what was durable is there after a restart. */
#include "journal_support.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static void what_was_appended_is_replayed_after_a_clean_end(void **state) {
    (void)state;
    char *folder = folder_new();
    fob_file_options_t options = small_options(folder);
    fob_journal_t *journal = open_ok(&options);
    uint64_t epoch = journal->ops->epoch(journal), last = 0;
    for (uint64_t i = 0; i < 500; i++)
        last = put_reserved(journal, 1 + i * 3, 3, 400 + (size_t)i % 9);
    assert_true(wait_durable(journal, last));
    assert_int_equal(last, 500);
    journal->ops->close(&journal);
    assert_null(journal);

    seen_t seen;
    journal = open_ok(&options);
    assert_int_equal(replay_into(journal, &seen, NULL), FOB_JOURNAL_OK);
    assert_int_equal(seen.records, 500);
    assert_int_equal(seen.last_position, 500);
    assert_int_equal(seen.last_offset, 1500);
    assert_int_equal(journal->ops->epoch(journal), epoch);
    assert_string_equal(journal_log, "");
    journal->ops->close(&journal);
    forget_events();
    folder_remove(&folder);
}

static void numbers_go_on_after_a_restart(void **state) {
    (void)state;
    char *folder = folder_new();
    fob_file_options_t options = small_options(folder);
    for (uint64_t run = 0; run < 4; run++) {
        seen_t seen;
        fob_journal_stats_t stats;
        fob_journal_t *journal = open_ok(&options);
        assert_int_equal(replay_into(journal, &seen, NULL), FOB_JOURNAL_OK);
        assert_int_equal(seen.records, run * 2);
        journal->ops->stats(journal, &stats);
        assert_int_equal(stats.last_offset, run * 5);
        assert_int_equal(stats.last_position, run * 2);
        assert_int_equal(put_events(journal, 1 + run * 5, 5, 100, true), run * 2 + 1);
        assert_int_equal(put_events(journal, 0, 0, 64, false), run * 2 + 2);
        journal->ops->close(&journal);
    }
    forget_events();
    folder_remove(&folder);
}

static void a_page_holds_records_from_the_offset_asked_for_across_segments(void **state) {
    (void)state;
    char *folder = folder_new();
    fob_file_options_t options = small_options(folder);
    fob_journal_t *journal = open_ok(&options);
    uint64_t last = 0;
    for (uint64_t i = 0; i < 1000; i++)
        last = put_reserved(journal, 1 + i * 2, 2, 1000);
    assert_true(wait_durable(journal, last));
    for (uint64_t offset = 1; offset <= 2000;) {
        fob_page_t page = read_page(journal, offset, 10000);
        assert_int_equal(page.code, FOB_JOURNAL_OK);
        assert_true(page.entry_count > 0);
        for (size_t i = 0; i < page.entry_count; i++) {
            assert_true(is_events(&page.entries[i], 1000));
            assert_true(page.entries[i].first_offset == offset ||
                        page.entries[i].first_offset + 1 == offset);
            offset = page.entries[i].first_offset + 2;
        }
        free(page.memory);
    }
    fob_page_t page = read_page(journal, 2000, 100);
    assert_int_equal(page.code, FOB_JOURNAL_OK);
    assert_int_equal(page.entry_count, 1);
    free(page.memory);
    page = read_page(journal, 2001, 100);
    assert_int_equal(page.code, FOB_JOURNAL_ABSENT);
    journal->ops->close(&journal);
    forget_events();
    folder_remove(&folder);
}

/* With the segments of a user: the rest of the last one is small, and the next alone would leave
 * too little of itself. */
static void a_commit_of_most_of_a_segment_finds_room_on_an_empty_disk(void **state) {
    (void)state;
    const size_t most = 9u << 20;
    char *folder = folder_new();
    fob_file_options_t options = small_options(folder);
    options.segment_bytes = options.max_bytes = options.retain_bytes = 0; /* the defaults */
    fob_journal_t *journal = open_ok(&options);
    uint64_t last = 0, offset = 1;
    for (int i = 0; i < 4; i++)
        last = put_reserved(journal, offset++, 1, 1u << 20);
    assert_true(wait_durable(journal, last));
    for (int i = 0; i < 3; i++) { /* one behind the other */
        last = put_reserved(journal, offset++, 1, most);
        assert_true(wait_durable(journal, last));
    }
    journal->ops->close(&journal);
    forget_events();
    folder_remove(&folder);
}

static void reads_go_on_while_commits_are_appended_and_see_only_what_is_durable(void **state) {
    (void)state;
    char *folder = folder_new();
    fob_file_options_t options = small_options(folder);
    fob_journal_t *journal = open_ok(&options);
    uint64_t appended = 1, seen = 1;
    put_events(journal, 1, 1, 500, true);
    while (seen <= 3000) {
        for (int i = 0; i < 5 && appended < 3000 && journal->ops->reserve(journal, 500); i++)
            put_events(journal, ++appended, 1, 500, true);
        uint64_t durable = journal->ops->durable(journal);
        fob_page_t page = read_page(journal, seen, 4000);
        for (size_t i = 0; i < page.entry_count; i++) {
            assert_int_equal(page.entries[i].first_offset, seen++);
            assert_true(is_events(&page.entries[i], 500));
        }
        if (page.code != FOB_JOURNAL_OK) {
            assert_int_equal(page.code, FOB_JOURNAL_ABSENT);
            assert_true(seen > durable); /* what was durable when asked is there */
        }
        free(page.memory);
        assert_true(seen - 1 <= journal->ops->durable(journal));
    }
    journal->ops->close(&journal);
    forget_events();
    folder_remove(&folder);
}

static void old_segments_are_read_after_a_restart_without_having_been_walked(void **state) {
    (void)state;
    char *folder = folder_new();
    fob_file_options_t options = small_options(folder);
    options.segment_bytes = 1u << 20;
    fob_journal_t *journal = open_ok(&options);
    uint64_t last = 0;
    for (uint64_t i = 1; i <= 3000; i++)
        last = put_reserved(journal, i, 1, 1000);
    take_checkpoint(journal, last, "all");
    journal->ops->close(&journal);
    journal = open_ok(&options);
    /* From all sides: each read leaves points for the next. */
    for (uint64_t i = 0; i < 300; i++) {
        uint64_t offset = 1 + i * 1237 % 3000;
        fob_page_t page = read_page(journal, offset, 5000);
        assert_int_equal(page.code, FOB_JOURNAL_OK);
        for (size_t e = 0; e < page.entry_count; e++) {
            assert_int_equal(page.entries[e].first_offset, offset + e);
            assert_true(is_events(&page.entries[e], 1000));
        }
        free(page.memory);
    }
    journal->ops->close(&journal);
    forget_events();
    folder_remove(&folder);
}

static void damage_in_an_old_segment_is_found_by_the_read_that_meets_it(void **state) {
    (void)state;
    char *folder = folder_new();
    fob_file_options_t options = small_options(folder);
    fob_journal_t *journal = open_ok(&options);
    uint64_t last = 0;
    for (uint64_t i = 1; i <= 300; i++)
        last = put_reserved(journal, i, 1, 1000);
    take_checkpoint(journal, last, "all");
    journal->ops->close(&journal);
    char *path = folder_nth(folder, ".seg", 1);
    file_write_at(path, 4096 + 10 * 1096 + 500, "bad", 3); /* the 11th commit there */
    free(path);
    journal = open_ok(&options); /* the checkpoint is enough for a start */
    uint64_t offset = 1, damaged = 0;
    while (offset <= 300) {
        fob_page_t page = read_page(journal, offset, 20000);
        if (page.code == FOB_JOURNAL_DAMAGED) {
            assert_int_equal(damaged, 0);
            assert_null(page.memory);
            assert_non_null(
                strstr(page.text, "00000000000000000002.seg is damaged at byte 15056:"));
            assert_non_null(strstr(page.text, "up to offset 67 cannot be read"));
            assert_non_null(strstr(page.text, folder));
            assert_int_equal(page.resume, offset + 1); /* what lies behind it is well */
            damaged = offset++;
            continue;
        }
        assert_int_equal(page.code, FOB_JOURNAL_OK);
        assert_int_equal(page.entries[0].first_offset, offset);
        for (size_t e = 0; e < page.entry_count; e++)
            assert_true(is_events(&page.entries[e], 1000));
        offset = page.entries[page.entry_count - 1].first_offset + 1;
        free(page.memory);
    }
    assert_int_equal(damaged, 56 + 11);
    journal->ops->close(&journal);
    forget_events();
    folder_remove(&folder);
}

static _Atomic int reads_left; /* the next one then fails */

static ssize_t pread_until(void *arg, int fd, void *data, size_t size, off_t at) {
    if (reads_left-- != 0)
        return fob_disk_real()->pread(arg, fd, data, size, at);
    errno = EIO;
    return -1;
}

/* Which is no damage: it may be read the next time. */
static void where_the_disk_fails_behind_damage_that_is_what_is_told(void **state) {
    (void)state;
    char *folder = folder_new();
    fob_file_options_t options = small_options(folder);
    fob_disk_t disk = *fob_disk_real();
    fob_journal_t *journal = open_ok(&options);
    uint64_t last = 0;
    for (uint64_t i = 1; i <= 300; i++)
        last = put_reserved(journal, i, 1, 1000);
    take_checkpoint(journal, last, "all");
    journal->ops->close(&journal);
    char *path = folder_nth(folder, ".seg", 1);
    file_write_at(path, 4096 + 10 * 1096 + 500, "bad", 3); /* the 11th commit there: offset 67 */
    free(path);
    disk.pread = pread_until;
    options.disk = &disk;
    reads_left = -1;
    journal = open_ok(&options);
    int failed = 0;
    for (fob_journal_code_t code = FOB_JOURNAL_SYSTEM; code == FOB_JOURNAL_SYSTEM; failed++) {
        reads_left = failed;
        fob_page_t page = read_page(journal, 67, 20000);
        code = page.code;
        assert_true(code == FOB_JOURNAL_SYSTEM || code == FOB_JOURNAL_DAMAGED);
        assert_non_null(strstr(page.text, folder));
    }
    assert_true(failed > 2); /* the read that met it, one behind it, and then none */
    reads_left = -1;
    journal->ops->close(&journal);
    forget_events();
    folder_remove(&folder);
}

static void a_segment_that_went_missing_is_told_once_for_all_its_events(void **state) {
    (void)state;
    char *folder = folder_new(), text[256] = "";
    fob_file_options_t options = small_options(folder);
    fob_journal_t *journal = open_ok(&options);
    for (uint64_t i = 1; i <= 300; i++)
        put_reserved(journal, i, 1, 1000);
    assert_true(wait_durable(journal, 300));
    char *path = folder_nth(folder, ".seg", 1);
    assert_int_equal(unlink(path), 0);
    free(path);
    for (uint64_t offset = 57; offset <= 112; offset++) {
        fob_page_t page = read_page(journal, offset, 20000);
        assert_int_equal(page.code, FOB_JOURNAL_DAMAGED);
        if (offset > 57)
            assert_string_equal(page.text, text); /* so that it is told once */
        memcpy(text, page.text, sizeof text);
        assert_int_equal(page.resume, 113);
    }
    assert_non_null(strstr(text, "00000000000000000002.seg is missing"));
    assert_non_null(strstr(text, "offsets 57 to 112,"));
    assert_non_null(strstr(text, folder));
    fob_page_t page = read_page(journal, 113, 20000);
    assert_int_equal(page.code, FOB_JOURNAL_OK);
    free(page.memory);
    journal->ops->close(&journal);
    forget_events();
    folder_remove(&folder);
}

static void a_commit_larger_than_a_segment_is_stored_and_read_back(void **state) {
    (void)state;
    char *folder = folder_new();
    fob_file_options_t options = small_options(folder);
    fob_journal_t *journal = open_ok(&options);
    uint64_t offset = 1, last = 0;
    for (int i = 0; i < 6; i++) {
        last = put_reserved(journal, offset++, 1, 300);
        last = put_reserved(journal, offset++, 1, 200000 + (size_t)i);
    }
    assert_true(wait_durable(journal, last));
    for (int round = 0; round < 2; round++) {
        for (uint64_t i = 1; i < offset; i++) {
            fob_page_t page = read_page(journal, i, 1);
            assert_int_equal(page.code, FOB_JOURNAL_OK);
            assert_true(is_events(&page.entries[0], i % 2 ? 300 : 200000 + i / 2 - 1));
            free(page.memory);
        }
        journal->ops->close(&journal);
        journal = open_ok(&options);
        assert_int_equal(journal->ops->durable(journal), last);
    }
    journal->ops->close(&journal);
    forget_events();
    folder_remove(&folder);
}

static void a_commit_of_many_records_goes_in_calls_of_a_bounded_size(void **state) {
    (void)state;
    enum { RECORDS = 3000 };
    char *folder = folder_new();
    fob_file_options_t options = small_options(folder);
    options.segment_bytes = 1u << 20;
    fob_journal_t *journal = open_ok(&options);
    static fob_entry_t entries[RECORDS];
    static char bytes[RECORDS][8];
    for (uint32_t i = 0; i < RECORDS; i++) {
        snprintf(bytes[i], sizeof bytes[i], "%05u", i);
        entries[i] = (fob_entry_t){.first_offset = 1 + i,
                                   .count = 1,
                                   .part_count = 2,
                                   .parts = {{bytes[i], 2}, {bytes[i] + 2, 3}}};
    }
    assert_true(journal->ops->reserve(journal, sizeof bytes));
    assert_true(wait_durable(journal, journal->ops->append(journal, entries, RECORDS, true)));
    fob_page_t page = read_page(journal, 1, 1 << 20);
    assert_int_equal(page.entry_count, RECORDS);
    for (uint32_t i = 0; i < RECORDS; i++) {
        assert_int_equal(page.entries[i].size, 5);
        assert_memory_equal(page.entries[i].data, bytes[i], 5);
    }
    free(page.memory);
    journal->ops->close(&journal);
    folder_remove(&folder);
}

FOB_MAIN(FOB_CASE(what_was_appended_is_replayed_after_a_clean_end),
         FOB_CASE(numbers_go_on_after_a_restart),
         FOB_CASE(a_page_holds_records_from_the_offset_asked_for_across_segments),
         FOB_CASE(a_commit_of_most_of_a_segment_finds_room_on_an_empty_disk),
         FOB_CASE(reads_go_on_while_commits_are_appended_and_see_only_what_is_durable),
         FOB_CASE(old_segments_are_read_after_a_restart_without_having_been_walked),
         FOB_CASE(damage_in_an_old_segment_is_found_by_the_read_that_meets_it),
         FOB_CASE(where_the_disk_fails_behind_damage_that_is_what_is_told),
         FOB_CASE(a_segment_that_went_missing_is_told_once_for_all_its_events),
         FOB_CASE(a_commit_larger_than_a_segment_is_stored_and_read_back),
         FOB_CASE(a_commit_of_many_records_goes_in_calls_of_a_bounded_size))
