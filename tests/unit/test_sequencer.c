/* The subscriber's state machine: what it takes, loses, counts and hands out. */
#include "support/case.h"

#include "proto/envelope.h"
#include "subscribers/sequence/gaps.h"
#include "subscribers/sequence/sequencer.h"

#include <stdlib.h>

static fob_blob_t *body_of(const char *topic, uint64_t count) {
    fob_buf_t body = {0};
    for (uint64_t i = 0; i < count; i++) {
        fob_envelope_t event = {.topic = fob_slice_str(topic), .data = fob_slice_str("d")};
        assert_int_equal(fob_envelope_write(&body, 100, &event), FOB_OK);
    }
    fob_blob_t *blob = fob_blob_copy(fob_buf_slice(&body));
    fob_buf_free(&body);
    return blob;
}

static fob_sequencer_t *live(const char *pattern, uint64_t queue) {
    return fob_sequencer_new(&(fob_sequencer_options_t){
        .pattern = fob_slice_str(pattern), .mode = FOB_SEQUENCER_LIVE, .queue = queue});
}

static fob_cast_t cast_of(const char *topic, uint64_t seq, uint64_t count) {
    return (fob_cast_t){.topic = fob_slice_str(topic),
                        .kind = FOB_CAST_STORED,
                        .offset = 1000 + seq,
                        .count = count,
                        .source = 5,
                        .seq = seq,
                        .time_ms = 9};
}

static void take(fob_sequencer_t *s, const char *topic, uint64_t seq, uint64_t count) {
    fob_cast_t cast = cast_of(topic, seq, count);
    fob_blob_t *body = body_of(topic, count);
    fob_sequencer_take(s, &cast, body, 0);
    fob_blob_unref(&body);
}

static void hands_out(fob_batch_t *batch, const char *topic, uint64_t offset) {
    fob_event_t *event;
    assert_int_equal(fob_batch_next(batch, NULL, &event), FOB_OK);
    assert_string_equal(fob_event_topic(event), topic);
    assert_int_equal(fob_event_offset(event), offset);
    assert_int_equal(fob_event_time(event), 9);
    assert_int_equal(fob_event_attempt(event), 0);
    assert_int_equal(fob_event_token(event), 0);
    fob_event_destroy(&event);
}

static void is_empty(fob_batch_t *batch) {
    fob_event_t *event;
    assert_int_equal(fob_batch_next(batch, NULL, &event), FOB_AGAIN);
    assert_null(event);
}

static void events_come_out_one_by_one_in_the_order_taken(void **state) {
    (void)state;
    fob_sequencer_t *s = live("a.*", 100);
    fob_batch_t batch = {0};
    take(s, "a.b", 1, 2);
    take(s, "a.c", 1, 1);
    assert_int_equal(fob_sequencer_queued(s), 3);
    assert_int_equal(fob_sequencer_move(s, &batch), 3);
    assert_int_equal(fob_sequencer_queued(s), 0);
    hands_out(&batch, "a.b", 1001);
    hands_out(&batch, "a.b", 1002);
    hands_out(&batch, "a.c", 1001);
    is_empty(&batch);
    assert_int_equal(fob_sequencer_move(s, &batch), 0);
    fob_sequencer_destroy(&s);
}

static void other_topics_and_kinds_are_not_taken(void **state) {
    (void)state;
    fob_sequencer_t *s = live("orders", 100);
    fob_cast_t probe = {.topic = fob_slice_str("$sys.probe.x"), .kind = FOB_CAST_PROBE};
    fob_blob_t *body = body_of("orders", 1);
    take(s, "orders.x", 1, 1);
    take(s, "orders_old", 1, 1);
    fob_sequencer_take(s, &probe, body, 0);
    assert_int_equal(fob_sequencer_queued(s), 0);
    assert_int_equal(fob_sequencer_lost(s), 0);
    fob_blob_unref(&body);
    fob_sequencer_destroy(&s);
}

static void a_hole_counts_per_source_and_topic(void **state) {
    (void)state;
    fob_sequencer_t *s = live(">", 100);
    take(s, "a", 7, 1); /* what was before is not ours to count */
    take(s, "b", 1, 2);
    assert_int_equal(fob_sequencer_lost(s), 0);
    take(s, "a", 10, 1);
    assert_int_equal(fob_sequencer_lost(s), 2);
    take(s, "b", 4, 1);
    assert_int_equal(fob_sequencer_lost(s), 3);
    take(s, "b", 1, 1); /* numbered anew: nothing is hidden, nothing invented */
    take(s, "b", 2, 1);
    assert_int_equal(fob_sequencer_lost(s), 3);
    assert_int_equal(fob_sequencer_queued(s), 7);
    fob_sequencer_destroy(&s);
}

static void a_full_queue_loses_the_newest_event_by_event(void **state) {
    (void)state;
    fob_sequencer_t *s = live("a", 5);
    fob_batch_t batch = {0};
    take(s, "a", 1, 3);
    take(s, "a", 4, 4);
    take(s, "a", 8, 1);
    assert_int_equal(fob_sequencer_queued(s), 5);
    assert_int_equal(fob_sequencer_lost(s), 3);
    assert_int_equal(fob_sequencer_move(s, &batch), 5);
    for (uint64_t n = 1; n <= 5; n++)
        hands_out(&batch, "a", 1000 + n);
    is_empty(&batch);
    fob_sequencer_destroy(&s);
}

static void what_a_full_queue_loses_is_counted_by_source_and_topic(void **state) {
    (void)state;
    fob_sequencer_t *s = live(">", 3);
    fob_cast_t missed = cast_of("b", 6, 2);
    fob_gap_loss_t loss;
    size_t at = 0;
    take(s, "a", 1, 2);
    take(s, "b", 1, 3);
    take(s, "b", 4, 1);
    fob_sequencer_miss(s, &missed); /* behind a hole of one */
    assert_int_equal(fob_sequencer_lost(s), 6);
    assert_true(fob_sequencer_losses(s, &at, &loss));
    assert_true(fob_slice_eq(loss.topic, fob_slice_str("b")));
    assert_int_equal(loss.source, 5);
    assert_int_equal(loss.lost, 6);
    assert_false(fob_sequencer_losses(s, &at, &loss));
    fob_sequencer_destroy(&s);
}

static void what_a_reader_took_over_counts_as_held(void **state) {
    (void)state;
    fob_sequencer_t *s = live("a", 5);
    fob_cast_t cast = cast_of("a", 1, 3);
    fob_blob_t *body = body_of("a", 3);
    fob_sequencer_take(s, &cast, body, 4);
    assert_int_equal(fob_sequencer_queued(s), 1);
    assert_int_equal(fob_sequencer_lost(s), 2);
    fob_blob_unref(&body);
    fob_sequencer_destroy(&s);
}

static void a_body_that_is_not_what_it_says_is_malformed_and_not_lost(void **state) {
    (void)state;
    fob_sequencer_t *s = live(">", 100);
    fob_cast_t more = cast_of("a", 1, 3), other = cast_of("b", 1, 2), less = cast_of("a", 50, 1);
    fob_cast_t huge = cast_of("c", 1, UINT64_MAX);
    fob_cast_t *casts[] = {&more, &other, &less, &huge};
    fob_blob_t *two = body_of("a", 2);
    take(s, "a", 1, 1);
    for (size_t i = 0; i < 4; i++) {
        fob_sequencer_take(s, casts[i], two, 0);
        assert_int_equal(fob_sequencer_malformed(s), i + 1);
    }
    take(s, "a", 2, 1); /* their numbers were not believed, either */
    assert_int_equal(fob_sequencer_lost(s), 0);
    assert_int_equal(fob_sequencer_queued(s), 2);
    fob_blob_unref(&two);
    fob_sequencer_destroy(&s);
}

static void fire(fob_sequencer_t *s, const char *topic, uint64_t seq, uint64_t count) {
    fob_cast_t cast = cast_of(topic, seq, count);
    fob_blob_t *body = body_of(topic, count);
    cast.kind = FOB_CAST_FIRE;
    cast.offset = 0;
    fob_sequencer_take(s, &cast, body, 0);
    fob_blob_unref(&body);
}

static void a_hostile_publisher_cannot_invent_losses(void **state) {
    (void)state;
    const uint64_t jump = (uint64_t)1 << 32;
    fob_sequencer_t *s = live("a", 100);
    fire(s, "a", 1, 1);
    fire(s, "a", UINT64_MAX - 8, 1); /* a jump that cannot be */
    assert_int_equal(fob_sequencer_malformed(s), 1);
    fire(s, "a", UINT64_MAX - 5, 1); /* numbered anew from there: two are missing */
    assert_int_equal(fob_sequencer_lost(s), 2);
    fire(s, "a", UINT64_MAX, 1); /* no number is behind it */
    fire(s, "a", UINT64_MAX - 1, 2);
    assert_int_equal(fob_sequencer_malformed(s), 3);
    fire(s, "a", 1, 1);
    fire(s, "a", 2 + jump, 1); /* just possible */
    assert_int_equal(fob_sequencer_lost(s), 2 + jump);
    fire(s, "a", 4 + 2 * jump, 1);
    assert_int_equal(fob_sequencer_lost(s), 2 + jump);
    assert_int_equal(fob_sequencer_malformed(s), 4);
    assert_int_equal(fob_sequencer_queued(s), 9); /* the events themselves are good */
    fob_sequencer_destroy(&s);
}

static void the_lost_total_does_not_run_over(void **state) {
    (void)state;
    fob_sequencer_t *s = live("a", 100);
    fob_sequencer_lose(s, UINT64_MAX - 1);
    fob_sequencer_lose(s, 5);
    assert_true(fob_sequencer_lost(s) == UINT64_MAX);
    fob_sequencer_destroy(&s);
}

static void fire_and_forget_has_no_offsets(void **state) {
    (void)state;
    fob_sequencer_t *s = live("a", 100);
    fob_batch_t batch = {0};
    fob_cast_t cast = cast_of("a", 1, 2);
    fob_blob_t *body = body_of("a", 2);
    cast.kind = FOB_CAST_FIRE;
    cast.offset = 0;
    fob_sequencer_take(s, &cast, body, 0);
    fob_blob_unref(&body);
    assert_int_equal(fob_sequencer_move(s, &batch), 2);
    hands_out(&batch, "a", 0);
    hands_out(&batch, "a", 0);
    fob_sequencer_destroy(&s);
}

static void what_is_left_in_a_batch_is_freed_with_it(void **state) {
    (void)state;
    fob_sequencer_t *s = live("a", 100000);
    fob_batch_t batch = {0};
    for (uint64_t n = 0; n < 1000; n++)
        take(s, "a", 1 + n * 2, 2);
    assert_int_equal(fob_sequencer_move(s, &batch), 2 * FOB_BATCH_MESSAGES);
    hands_out(&batch, "a", 1001);
    fob_batch_clear(&batch);
    is_empty(&batch);
    assert_int_equal(fob_sequencer_queued(s), 2000 - 2 * FOB_BATCH_MESSAGES);
    fob_sequencer_destroy(&s);
}

static uint64_t see(fob_gaps_t *gaps, uint64_t source, uint64_t seq) {
    uint64_t missing;
    assert_true(fob_gaps_see(gaps, source, fob_slice_str("topic"), seq, 1, UINT64_MAX, &missing));
    return missing;
}

static void the_table_is_bounded_and_never_invents_a_loss(void **state) {
    (void)state;
    enum { PAIRS = 4 * FOB_GAPS_SETS * FOB_GAPS_WAYS };
    fob_gaps_t *gaps = fob_gaps_new();
    uint64_t missing = 0;
    for (uint64_t round = 0; round < 2; round++)
        for (uint64_t i = 0; i < PAIRS; i++)
            missing += see(gaps, i, 1 + round);
    assert_int_equal(missing, 0);
    /* Those seen last are remembered. */
    for (uint64_t i = PAIRS - 100; i < PAIRS; i++)
        missing += see(gaps, i, 5);
    assert_int_equal(missing, 200);
    fob_gaps_destroy(&gaps);
}

FOB_MAIN(FOB_CASE(events_come_out_one_by_one_in_the_order_taken),
         FOB_CASE(other_topics_and_kinds_are_not_taken),
         FOB_CASE(a_hole_counts_per_source_and_topic),
         FOB_CASE(a_full_queue_loses_the_newest_event_by_event),
         FOB_CASE(what_a_full_queue_loses_is_counted_by_source_and_topic),
         FOB_CASE(what_a_reader_took_over_counts_as_held),
         FOB_CASE(a_body_that_is_not_what_it_says_is_malformed_and_not_lost),
         FOB_CASE(a_hostile_publisher_cannot_invent_losses),
         FOB_CASE(the_lost_total_does_not_run_over), FOB_CASE(fire_and_forget_has_no_offsets),
         FOB_CASE(what_is_left_in_a_batch_is_freed_with_it),
         FOB_CASE(the_table_is_bounded_and_never_invents_a_loss))
