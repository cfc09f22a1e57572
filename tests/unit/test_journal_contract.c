/* What every journal promises its owner, asked of the one in memory and the one on disk alike. */
#include "journal_support.h"

#include <poll.h>
#include <stdlib.h>

#define MAX_BYTES (4u << 20)

typedef struct {
    fob_journal_t *journal;
    char *folder;
} made_t;

static made_t make_memory(void) {
    made_t made = {.journal = fob_journal_memory_new(MAX_BYTES, 1, 1)};
    assert_non_null(made.journal);
    return made;
}

static made_t make_file(void) {
    made_t made = {.folder = folder_new()};
    fob_file_options_t options = small_options(made.folder);
    options.max_bytes = MAX_BYTES;
    options.retain_bytes = 1;
    options.retain_ms = 1;
    made.journal = open_ok(&options);
    return made;
}

static void unmake(made_t *made) {
    made->journal->ops->close(&made->journal);
    assert_null(made->journal);
    if (made->folder != NULL)
        folder_remove(&made->folder);
    forget_events();
}

static void shall_number_commits(made_t made) {
    fob_journal_t *journal = made.journal;
    const fob_journal_ops_t *ops = journal->ops;
    seen_t seen;
    fob_journal_stats_t stats;
    assert_int_equal(replay_into(journal, &seen, NULL), FOB_JOURNAL_OK);
    assert_int_equal(seen.records + seen.slices, 0);
    assert_int_equal(ops->durable(journal), 0);
    assert_true(ops->epoch(journal) > 0);
    for (uint64_t i = 1; i <= 50; i++)
        assert_int_equal(put_events(journal, i, 1, 10 + (size_t)i, i % 3 == 0), i);
    assert_true(wait_durable(journal, 50));
    assert_int_equal(ops->durable(journal), 50);
    assert_int_equal(ops->health(journal, NULL), FOB_JOURNAL_OK);
    ops->stats(journal, &stats);
    assert_int_equal(stats.first_offset, 1);
    assert_int_equal(stats.last_offset, 50);
    assert_int_equal(stats.last_position, 50);
    assert_int_equal(stats.durable_position, 50);
    assert_true(stats.bytes > 0 && stats.segments > 0 && stats.free_bytes > 0);
    unmake(&made);
}

static bool is_readable(fob_journal_t *journal) {
    struct pollfd item = {.fd = journal->ops->fd(journal), .events = POLLIN};
    return poll(&item, 1, 0) == 1;
}

static void shall_ring_until_cleared(made_t made) {
    fob_journal_t *journal = made.journal;
    journal->ops->clear(journal);
    assert_false(is_readable(journal));
    uint64_t position = put_events(journal, 1, 1, 10, true);
    assert_true(wait_news(journal));
    assert_true(wait_durable(journal, position));
    journal->ops->clear(journal);
    assert_false(is_readable(journal));
    assert_int_equal(journal->ops->read(journal, 1, 100, 1), FOB_JOURNAL_OK);
    assert_true(wait_news(journal));
    assert_true(is_readable(journal)); /* looking does not clear it */
    journal->ops->clear(journal);
    fob_page_t page;
    assert_int_equal(journal->ops->page(journal, &page), FOB_JOURNAL_OK);
    free(page.memory);
    assert_int_equal(journal->ops->page(journal, &page), FOB_JOURNAL_AGAIN);
    unmake(&made);
}

static void shall_read_back(made_t made) {
    fob_journal_t *journal = made.journal;
    uint64_t last = 0;
    for (uint64_t i = 0; i < 300; i++) {
        last = put_reserved(journal, 1 + i * 4, 4, 300);
        last = put_events(journal, 0, 0, 50, false); /* no events: not in pages */
    }
    assert_true(wait_durable(journal, last));
    uint64_t offset = 1, pages = 0;
    while (offset <= 1200) {
        fob_page_t page = read_page(journal, offset, 3000);
        assert_int_equal(page.code, FOB_JOURNAL_OK);
        assert_in_range(page.entry_count, 1, 12);
        for (size_t i = 0; i < page.entry_count; i++) {
            const fob_stored_t *stored = &page.entries[i];
            assert_true(is_events(stored, 300));
            assert_int_equal(stored->first_offset, offset);
            assert_int_equal(stored->count, 4);
            assert_int_equal(stored->position, 1 + (offset - 1) / 2);
            assert_true(stored->data >= (uint8_t *)page.memory &&
                        stored->data + stored->size <= (uint8_t *)page.memory + page.memory_size);
            offset += 4;
        }
        pages++;
        free(page.memory);
    }
    assert_true(pages >= 25);
    fob_page_t page = read_page(journal, 999, 1); /* in the middle of a record: all of it */
    assert_int_equal(page.code, FOB_JOURNAL_OK);
    assert_int_equal(page.entry_count, 1);
    assert_int_equal(page.entries[0].first_offset, 997);
    free(page.memory);
    page = read_page(journal, 1201, 1000);
    assert_int_equal(page.code, FOB_JOURNAL_ABSENT);
    assert_null(page.memory);
    unmake(&made);
}

static void shall_answer_every_read(made_t made) {
    fob_journal_t *journal = made.journal;
    fob_page_t page;
    bool tags[200] = {false};
    unsigned asked = 0, answered = 0;
    for (uint64_t i = 1; i <= 200; i++)
        put_reserved(journal, i, 1, 100);
    assert_true(wait_durable(journal, 200));
    while (asked < 200 && journal->ops->read(journal, asked + 1, 1, asked) == FOB_JOURNAL_OK)
        asked++;
    assert_in_range(asked, 8, 199); /* bounded */
    while (answered < asked) {
        journal->ops->clear(journal);
        while (journal->ops->page(journal, &page) == FOB_JOURNAL_OK) {
            assert_int_equal(page.code, FOB_JOURNAL_OK);
            assert_false(tags[page.tag]);
            assert_int_equal(page.entries[0].first_offset, page.tag + 1);
            tags[page.tag] = true;
            answered++;
            free(page.memory);
        }
        assert_true(answered == asked || wait_news(journal));
    }
    assert_int_equal(journal->ops->read(journal, 1, 1, 7), FOB_JOURNAL_OK); /* left behind */
    unmake(&made);
}

/* Fills it until it refuses; returns the offset behind the last event. */
static uint64_t fill(fob_journal_t *journal, uint64_t offset, uint64_t *last) {
    /* Refused for good, not only while a segment is being made. */
    for (unsigned refusals = 0; refusals < 2000;) {
        if (!journal->ops->reserve(journal, 4000)) {
            wait_turn();
            refusals += 20;
            continue;
        }
        *last = put_events(journal, offset++, 1, 4000, true);
        refusals = 0;
        assert_true(offset < 4000);
    }
    return offset;
}

static void shall_refuse_when_full_and_go_on_after_a_trim(made_t made) {
    fob_journal_t *journal = made.journal;
    uint64_t last = 0;
    uint64_t offset = fill(journal, 1, &last);
    assert_in_range(offset, MAX_BYTES / 4000 / 3, MAX_BYTES / 4000);
    assert_true(wait_durable(journal, last));
    /* What settles is taken without a reserve. */
    for (int i = 0; i < 50; i++)
        last = put_events(journal, 0, 0, 60, false);
    assert_true(wait_durable(journal, last));
    assert_int_equal(journal->ops->health(journal, NULL), FOB_JOURNAL_OK);
    /* Needed from the first on: nothing goes, however old. */
    journal->ops->trim(journal, 1, INT64_MAX / 2);
    fob_page_t page = read_page(journal, 1, 1);
    assert_int_equal(page.code, FOB_JOURNAL_OK);
    free(page.memory);
    take_checkpoint(journal, last, "state");
    last = put_events(journal, 0, 0, 8, true);
    take_checkpoint(journal, last, "state");
    uint64_t needed = offset - 5;
    journal->ops->trim(journal, needed, INT64_MAX / 2);
    page = read_page(journal, 1, 1);
    assert_int_equal(page.code, FOB_JOURNAL_ABSENT);
    fob_page_t next = read_page(journal, page.resume, 1);
    assert_int_equal(next.code, FOB_JOURNAL_OK);
    free(next.memory);
    page = read_page(journal, needed, 1);
    assert_int_equal(page.code, FOB_JOURNAL_OK);
    assert_int_equal(page.entries[0].first_offset, needed);
    free(page.memory);
    fob_journal_stats_t stats;
    journal->ops->stats(journal, &stats);
    assert_in_range(stats.first_offset, 2, needed);
    last = put_reserved(journal, offset, 1, 4000);
    assert_true(wait_durable(journal, last));
    unmake(&made);
}

static void shall_tell_how_much_lies_from_an_offset_on(made_t made) {
    fob_journal_t *journal = made.journal;
    fob_journal_stats_t stats;
    assert_int_equal(journal->ops->bytes_from(journal, 1), 0);
    uint64_t position = 0;
    for (uint64_t offset = 1; offset <= 100; offset++)
        position = put_reserved(journal, offset, 1, 3000);
    assert_true(wait_durable(journal, position));
    journal->ops->stats(journal, &stats);
    uint64_t all = journal->ops->bytes_from(journal, 1);
    assert_in_range(all, 300000, stats.bytes);
    assert_int_equal(journal->ops->bytes_from(journal, 0), all);
    uint64_t last = journal->ops->bytes_from(journal, 100);
    assert_in_range(last, 3000, all / 2);
    for (uint64_t offset = 2; offset <= 100; offset++)
        assert_true(journal->ops->bytes_from(journal, offset) <=
                    journal->ops->bytes_from(journal, offset - 1));
    assert_int_equal(journal->ops->bytes_from(journal, 101), 0);
    unmake(&made);
}

static void the_memory_journal_numbers_commits_by_one(void **state) {
    (void)state;
    shall_number_commits(make_memory());
}

static void the_file_journal_numbers_commits_by_one(void **state) {
    (void)state;
    shall_number_commits(make_file());
}

static void the_memory_journal_is_readable_until_cleared(void **state) {
    (void)state;
    shall_ring_until_cleared(make_memory());
}

static void the_file_journal_is_readable_until_cleared(void **state) {
    (void)state;
    shall_ring_until_cleared(make_file());
}

static void the_memory_journal_reads_back_what_was_appended(void **state) {
    (void)state;
    shall_read_back(make_memory());
}

static void the_file_journal_reads_back_what_was_appended(void **state) {
    (void)state;
    shall_read_back(make_file());
}

static void the_memory_journal_answers_every_read_it_took(void **state) {
    (void)state;
    shall_answer_every_read(make_memory());
}

static void the_file_journal_answers_every_read_it_took(void **state) {
    (void)state;
    shall_answer_every_read(make_file());
}

static void the_memory_journal_refuses_when_full_and_goes_on_after_a_trim(void **state) {
    (void)state;
    shall_refuse_when_full_and_go_on_after_a_trim(make_memory());
}

static void the_file_journal_refuses_when_full_and_goes_on_after_a_trim(void **state) {
    (void)state;
    shall_refuse_when_full_and_go_on_after_a_trim(make_file());
}

static void the_memory_journal_tells_how_much_lies_from_an_offset_on(void **state) {
    (void)state;
    shall_tell_how_much_lies_from_an_offset_on(make_memory());
}

static void the_file_journal_tells_how_much_lies_from_an_offset_on(void **state) {
    (void)state;
    shall_tell_how_much_lies_from_an_offset_on(make_file());
}

FOB_MAIN(FOB_CASE(the_memory_journal_tells_how_much_lies_from_an_offset_on),
         FOB_CASE(the_file_journal_tells_how_much_lies_from_an_offset_on),
         FOB_CASE(the_memory_journal_numbers_commits_by_one),
         FOB_CASE(the_file_journal_numbers_commits_by_one),
         FOB_CASE(the_memory_journal_is_readable_until_cleared),
         FOB_CASE(the_file_journal_is_readable_until_cleared),
         FOB_CASE(the_memory_journal_reads_back_what_was_appended),
         FOB_CASE(the_file_journal_reads_back_what_was_appended),
         FOB_CASE(the_memory_journal_answers_every_read_it_took),
         FOB_CASE(the_file_journal_answers_every_read_it_took),
         FOB_CASE(the_memory_journal_refuses_when_full_and_goes_on_after_a_trim),
         FOB_CASE(the_file_journal_refuses_when_full_and_goes_on_after_a_trim))
