/* The journal on disk: what was durable is there after a restart. */
#include "journal_support.h"

#include <stdlib.h>

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

FOB_MAIN(FOB_CASE(what_was_appended_is_replayed_after_a_clean_end),
         FOB_CASE(numbers_go_on_after_a_restart),
         FOB_CASE(a_page_holds_records_from_the_offset_asked_for_across_segments))
