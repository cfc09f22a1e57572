/* A bus that says something amiss: answers nobody asked for, more than was asked, rows that are
 * none, topics that are none. What can be used is used, and nothing is told that is not so. */
#include "sequencer_kit.h"

#define PAUSE_MS (FOB_SEQUENCER_PAUSE / FOB_MS)

static kit_t reads_from_the_first(uint64_t head) {
    kit_t kit = kit_new((fob_sequencer_options_t){
        .pattern = fob_slice_str(">"), .from = FOB_SEQUENCER_OFFSET, .value = 1});
    kit_up(&kit, head);
    return kit;
}

static kit_t notified(const char *pattern, uint64_t queue, size_t recent) {
    kit_t kit = kit_new((fob_sequencer_options_t){.pattern = fob_slice_str(pattern),
                                                  .mode = FOB_SEQUENCER_NOTIFY,
                                                  .queue = queue,
                                                  .recent = recent});
    kit_up(&kit, 0);
    return kit;
}

/* --- answers --- */

static void an_answer_to_no_question_changes_nothing(void **state) {
    (void)state;
    kit_t kit = reads_from_the_first(2);
    asks_for(&kit, 1, 0);
    uint64_t req = kit.fetch.req;
    kit.fetch.req = req + 1;
    fetched(&kit, 3, 2, "x@1 x@2", "");
    gets_nothing(&kit);
    kit.fetch.req = req;
    fetched(&kit, 3, 2, "a@1 a@2", "");
    fetched(&kit, 3, 2, "a@1 a@2", ""); /* once more: that question is answered */
    gets(&kit, "a", 1);
    gets(&kit, "a", 2);
    gets_nothing(&kit);
    kit_end(&kit);
}

static void fails(kit_t *kit, fob_verb_t of, fob_status_t code) {
    fob_wire_t msg = {.verb = FOB_VERB_ERROR};
    FOB_SET(&msg, of, of);
    FOB_SET(&msg, code, code);
    fob_sequencer_input(kit->s, kit->now, &msg, NULL);
}

static void a_question_that_a_bus_does_not_take_is_asked_again_a_little_later(void **state) {
    (void)state;
    kit_t kit = reads_from_the_first(2);
    asks_for(&kit, 1, 0);
    fails(&kit, FOB_VERB_WHOLE, FOB_LIMIT); /* nothing of the kind was asked */
    asks_nothing(&kit);
    fails(&kit, FOB_VERB_FETCH, FOB_LIMIT);
    asks_nothing(&kit);
    passes(&kit, PAUSE_MS);
    asks_for(&kit, 1, 0);
    fetched(&kit, 3, 2, "a@1 a@2", "");
    beats(&kit, 3);
    asks_whether_whole(&kit, 2, 3);
    fails(&kit, FOB_VERB_WHOLE, FOB_LIMIT);
    beats(&kit, 3);
    asks_nothing(&kit);
    passes(&kit, FOB_SEQUENCER_WHOLE_PAUSE / FOB_MS);
    asks_whether_whole(&kit, 2, 3);
    kit_end(&kit);
}

/* --- more than was asked for --- */

static void what_is_gone_beyond_what_was_asked_for_is_left(void **state) {
    (void)state;
    kit_t kit = reads_from_the_first(7);
    comes(&kit, "a", 8, 1, 7);
    asks_for(&kit, 1, 7);
    fetched(&kit, 10, 9, "", "1-9");
    is_told(&kit, FOB_NOTICE_RETENTION, 1, 7, "");
    kit_round(&kit);
    gets(&kit, "a", 8);
    gets_nothing(&kit);
    kit_end(&kit);
}

static void what_is_gone_beyond_a_hole_is_left(void **state) {
    (void)state;
    for (uint64_t next = 6; next <= 9; next += 3) { /* of an answer that ends with it, or later */
        kit_t kit = notified(">", 100, 0);
        comes(&kit, "a", 1, 1, 0);
        comes(&kit, "a", 6, 1, 5);
        asks_for(&kit, 2, 5);
        fetched(&kit, next, 8, "", "2-8");
        gets(&kit, "a", 1);
        gets(&kit, "a", 6);
        is_told(&kit, FOB_NOTICE_RETENTION, 2, 5, "a");
        gets_nothing(&kit);
        asks_nothing(&kit);
        kit_end(&kit);
    }
}

static void a_hole_of_which_a_bus_tells_nothing_is_asked_about_again_a_little_later(void **state) {
    (void)state;
    kit_t kit = notified(">", 100, 0);
    comes(&kit, "a", 1, 1, 0);
    comes(&kit, "a", 6, 1, 5);
    asks_for(&kit, 2, 5);
    fetched(&kit, 2, 8, "", "");
    asks_nothing(&kit);
    passes(&kit, PAUSE_MS);
    asks_for(&kit, 2, 5);
    fetched(&kit, 6, 8, "a@3", "");
    gets(&kit, "a", 1);
    gets(&kit, "a", 6);
    is_told(&kit, FOB_NOTICE_LOST, 3, 3, "a");
    gets_nothing(&kit);
    kit_end(&kit);
}

/* One run of events, without their bytes. */
static void fetched_run(kit_t *kit, uint64_t first, uint64_t count, uint64_t head) {
    fob_wire_t msg = {.verb = FOB_VERB_FETCHED};
    fob_buf_t runs = {0};
    fob_pack_array(&runs, 1);
    fob_run_write(&runs, (const uint64_t[]){first, count, 9}, 3);
    FOB_SET(&msg, req, kit->fetch.req);
    FOB_SET(&msg, code, FOB_OK);
    FOB_SET(&msg, next, first + count);
    FOB_SET(&msg, head, head);
    FOB_SET(&msg, epoch, kit->epoch);
    FOB_SET(&msg, runs, fob_buf_slice(&runs));
    fob_sequencer_input(kit->s, kit->now, &msg, NULL);
    fob_buf_free(&runs);
}

/* The queue took a part of a message; the ring has not even that any more. */
static void of_a_run_that_was_had_in_part_only_the_rest_is_lost(void **state) {
    (void)state;
    kit_t kit = notified("a", 7, 1);
    comes(&kit, "a", 1, 1, 0);
    comes(&kit, "a", 3, 5, 1);
    comes(&kit, "a", 8, 5, 7);
    comes(&kit, "a", 13, 1, 12);
    gets(&kit, "a", 1);
    for (uint64_t offset = 3; offset <= 8; offset++)
        gets(&kit, "a", offset);
    asks_for(&kit, 2, 12);
    assert_true(kit.fetch.dry);
    fetched_run(&kit, 3, 12, 14); /* more than was asked for: 13 and 14 are not lost */
    kit_round(&kit);
    is_told(&kit, FOB_NOTICE_LOST, 9, 12, "");
    gets(&kit, "a", 13);
    gets_nothing(&kit);
    kit_end(&kit);
}

/* --- rows of the last events --- */

/* `rows`: msgpack. */
static void told_rows(kit_t *kit, const char *rows, size_t size) {
    fob_wire_t msg = {.verb = FOB_VERB_WHOLENESS};
    fob_blob_t *body = fob_blob_copy(fob_slice(rows, size));
    FOB_SET(&msg, req, kit->whole.req);
    FOB_SET(&msg, code, FOB_OK);
    FOB_SET(&msg, upto, kit->whole.upto);
    fob_sequencer_input(kit->s, kit->now, &msg, body);
    fob_blob_unref(&body);
}

static void what_a_later_bus_adds_to_a_row_is_passed_over(void **state) {
    (void)state;
    static const char rows[] = "\x91\x94\xa1\x61\x06\xc0\xa3new"; /* [["a", 6, nil, "new"]] */
    kit_t kit = kit_reliable(">", 5);
    beats(&kit, 6);
    asks_whether_whole(&kit, 5, 6);
    told_rows(&kit, rows, sizeof rows - 1);
    passes(&kit, FOB_SEQUENCER_GRACE / FOB_MS);
    asks_for(&kit, 6, 0); /* it has not come */
    assert_int_equal(figures_of(&kit).malformed, 0);
    kit_end(&kit);
}

static void rows_that_are_none_are_named_and_say_nothing(void **state) {
    (void)state;
    static const struct {
        const char *rows;
        size_t size;
    } bad[] = {{"\x91\x91\xa1\x61", 4},         /* no offset */
               {"\x91\x92\x06\xa1\x61", 5},     /* the wrong way round */
               {"\x91\x93\xa1\x61\x06", 5},     /* cut */
               {"\x91\x93\xa1\x61\x06\xc1", 6}, /* what is no msgpack */
               {"\x91\x92\xa1\x2e\x06", 5},     /* "." is no topic */
               {"\x90\x90", 2},                 /* something behind them */
               {"\x06", 1}};                    /* no array */
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        kit_t kit = kit_reliable(">", 5);
        beats(&kit, 6);
        asks_whether_whole(&kit, 5, 6);
        told_rows(&kit, bad[i].rows, bad[i].size);
        assert_non_null(strstr(fob_sequencer_trouble(kit.s), "breaks the protocol"));
        passes(&kit, FOB_SEQUENCER_GRACE / FOB_MS);
        asks_nothing(&kit);
        beats(&kit, 6);
        asks_whether_whole(&kit, 5, 6);
        kit_end(&kit);
    }
}

/* --- messages of the broadcast --- */

static void a_message_of_a_topic_that_is_none_is_passed_over(void **state) {
    (void)state;
    fob_buf_t buf = {0};
    kit_event(&buf, "a");
    fob_blob_t *body = kit_blob(&buf);
    fob_cast_t cast = {.topic = fob_slice_str("a..b"), .count = 1, .offset = 6, .seq = 1};
    for (int mode = FOB_SEQUENCER_RELIABLE; mode <= FOB_SEQUENCER_LIVE; mode++) {
        kit_t kit = kit_new((fob_sequencer_options_t){.pattern = fob_slice_str(">"),
                                                      .mode = (fob_sequencer_mode_t)mode});
        kit_up(&kit, 5);
        for (int fire = 0; fire <= 1; fire++) {
            cast.kind = fire ? FOB_CAST_FIRE : FOB_CAST_STORED;
            cast.epoch = fire ? 0 : EPOCH;
            fob_sequencer_take(kit.s, &cast, body, 0);
            fob_sequencer_miss(kit.s, &cast);
        }
        asks_nothing(&kit);
        gets_nothing(&kit);
        assert_int_equal(fob_sequencer_lost(kit.s), 0);
        kit_end(&kit);
    }
    fob_blob_unref(&body);
}

static void a_message_that_was_missed_with_a_count_beyond_belief_loses_nothing(void **state) {
    (void)state;
    kit_t kit = kit_reliable(">", 5);
    fob_cast_t cast = {.topic = fob_slice_str("a"),
                       .kind = FOB_CAST_FIRE,
                       .count = UINT64_MAX,
                       .source = 7,
                       .seq = 1};
    fob_sequencer_miss(kit.s, &cast);
    assert_int_equal(figures_of(&kit).malformed, 1);
    assert_int_equal(fob_sequencer_lost(kit.s), 0);
    cast.count = 3;
    fob_sequencer_miss(kit.s, &cast);
    assert_int_equal(fob_sequencer_lost(kit.s), 3);
    kit_end(&kit);
}

FOB_MAIN(FOB_CASE(an_answer_to_no_question_changes_nothing),
         FOB_CASE(a_question_that_a_bus_does_not_take_is_asked_again_a_little_later),
         FOB_CASE(what_is_gone_beyond_what_was_asked_for_is_left),
         FOB_CASE(what_is_gone_beyond_a_hole_is_left),
         FOB_CASE(a_hole_of_which_a_bus_tells_nothing_is_asked_about_again_a_little_later),
         FOB_CASE(of_a_run_that_was_had_in_part_only_the_rest_is_lost),
         FOB_CASE(what_a_later_bus_adds_to_a_row_is_passed_over),
         FOB_CASE(rows_that_are_none_are_named_and_say_nothing),
         FOB_CASE(a_message_of_a_topic_that_is_none_is_passed_over),
         FOB_CASE(a_message_that_was_missed_with_a_count_beyond_belief_loses_nothing))
