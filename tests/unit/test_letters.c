#include "tests/support/case.h"

#include "bus/service/letters.h"

#include <stdlib.h>

static fob_buf_t header, scratch;

static fob_wire_t read_back(void) {
    fob_wire_t msg;
    assert_int_equal(fob_wire_read(fob_buf_slice(&header), &msg), FOB_OK);
    return msg;
}

static fob_span_t span_of(fob_blob_t *blob, uint64_t offset, size_t at, size_t size) {
    return (fob_span_t){.offset = offset,
                        .count = 1,
                        .attempt = 1,
                        .token = 100 + offset,
                        .time_ms = 1700000000000,
                        .blob = blob,
                        .at = at,
                        .size = size};
}

static void a_delivery_of_one_piece_is_not_copied(void **state) {
    (void)state;
    fob_blob_t *blob = fob_blob_copy(fob_slice_str("0123456789"));
    fob_span_t span = span_of(blob, 7, 2, 3);
    fob_effect_t effect = {
        .kind = FOB_EFF_DELIVER, .group = fob_slice_str("emails"), .spans = &span, .span_count = 1};
    fob_body_t body;
    size_t from = 0;
    assert_int_equal(fob_letter_effect(&header, &scratch, 0, &effect, &from, &body), FOB_OK);
    assert_int_equal(from, 1);
    assert_ptr_equal(body.blob, blob);
    assert_int_equal(body.at, 2);
    assert_int_equal(body.size, 3);
    fob_wire_t msg = read_back();
    fob_runs_t runs;
    fob_run_t run;
    assert_int_equal(msg.verb, FOB_VERB_DELIVER);
    assert_true(fob_slice_eq(msg.group, fob_slice_str("emails")));
    assert_true(fob_runs(msg.runs, &runs) && fob_runs_next(&runs, &run));
    assert_int_equal(run.at[0], 7);
    assert_int_equal(run.at[1], 1);
    assert_int_equal(run.at[2], 107);
    assert_int_equal(run.at[3], 1);
    assert_true(run.at[4] == 1700000000000);
    fob_blob_unref(&body.blob);
    fob_blob_unref(&blob);
    fob_buf_free(&header);
    fob_buf_free(&scratch);
}

static void neighbours_in_one_blob_are_one_piece(void **state) {
    (void)state;
    fob_blob_t *blob = fob_blob_copy(fob_slice_str("0123456789"));
    fob_span_t spans[] = {span_of(blob, 1, 2, 3), span_of(blob, 2, 5, 4)};
    fob_effect_t effect = {
        .kind = FOB_EFF_DELIVER, .group = fob_slice_str("g"), .spans = spans, .span_count = 2};
    fob_body_t body;
    size_t from = 0;
    assert_int_equal(fob_letter_effect(&header, &scratch, 0, &effect, &from, &body), FOB_OK);
    assert_ptr_equal(body.blob, blob);
    assert_int_equal(body.size, 7);
    fob_blob_unref(&body.blob);
    fob_blob_unref(&blob);
    fob_buf_free(&header);
    fob_buf_free(&scratch);
}

static void pieces_of_several_blobs_are_gathered_in_order(void **state) {
    (void)state;
    fob_blob_t *one = fob_blob_copy(fob_slice_str("0123456789"));
    fob_blob_t *two = fob_blob_copy(fob_slice_str("abcdef"));
    fob_span_t spans[] = {span_of(one, 1, 8, 2), span_of(two, 2, 0, 3), span_of(one, 3, 0, 1)};
    fob_effect_t effect = {
        .kind = FOB_EFF_DELIVER, .group = fob_slice_str("g"), .spans = spans, .span_count = 3};
    fob_body_t body;
    size_t from = 0;
    assert_int_equal(fob_letter_effect(&header, &scratch, 0, &effect, &from, &body), FOB_OK);
    assert_true(fob_slice_eq(fob_blob_slice(body.blob), fob_slice_str("89abc0")));
    fob_blob_unref(&body.blob);
    fob_blob_unref(&one);
    fob_blob_unref(&two);
    fob_buf_free(&header);
    fob_buf_free(&scratch);
}

static void a_large_piece_is_a_message_of_its_own_and_not_copied(void **state) {
    (void)state;
    fob_blob_t *one = fob_blob_new(40000), *two = fob_blob_new(30000);
    memset(fob_blob_writable(one), 1, 40000);
    memset(fob_blob_writable(two), 2, 30000);
    fob_span_t spans[] = {span_of(one, 1, 0, 20000), span_of(one, 2, 20000, 20000),
                          span_of(two, 3, 0, 30000), span_of(one, 4, 0, 10),
                          span_of(two, 5, 0, 10)};
    fob_effect_t effect = {
        .kind = FOB_EFF_DELIVER, .group = fob_slice_str("g"), .spans = spans, .span_count = 5};
    const struct {
        size_t from, size;
        fob_blob_t *blob; /* NULL: a copy */
    } wanted[] = {{2, 40000, one}, {3, 30000, two}, {5, 20, NULL}};
    fob_body_t body;
    size_t from = 0;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(fob_letter_effect(&header, &scratch, 0, &effect, &from, &body), FOB_OK);
        assert_int_equal(from, wanted[i].from);
        assert_int_equal(body.size, wanted[i].size);
        if (wanted[i].blob)
            assert_ptr_equal(body.blob, wanted[i].blob);
        fob_blob_unref(&body.blob);
    }
    fob_blob_unref(&one);
    fob_blob_unref(&two);
    fob_buf_free(&header);
    fob_buf_free(&scratch);
}

static void a_delivery_of_very_many_pieces_is_several_messages(void **state) {
    (void)state;
    enum { MANY = 5000 };
    fob_blob_t *blob = fob_blob_copy(fob_slice_str("0123456789"));
    fob_span_t *spans = calloc(MANY, sizeof *spans);
    assert_non_null(spans);
    for (size_t i = 0; i < MANY; i++)
        spans[i] = span_of(blob, ((uint64_t)1 << 40) + 2 * i, i % 2, 5);
    fob_effect_t effect = {
        .kind = FOB_EFF_DELIVER, .group = fob_slice_str("g"), .spans = spans, .span_count = MANY};
    size_t from = 0, messages = 0, bytes = 0;
    while (from < MANY) {
        fob_body_t body;
        assert_int_equal(fob_letter_effect(&header, &scratch, 0, &effect, &from, &body), FOB_OK);
        read_back(); /* which refuses a header over the limit */
        messages++;
        bytes += body.size;
        fob_blob_unref(&body.blob);
    }
    assert_in_range(messages, 2, 20);
    assert_int_equal(bytes, 5 * MANY);
    free(spans);
    fob_blob_unref(&blob);
    fob_buf_free(&header);
    fob_buf_free(&scratch);
}

static void a_welcome_says_all_that_a_client_must_know(void **state) {
    (void)state;
    fob_house_t house = {.level = "disk",
                         .advertise = "bus.example",
                         .router = 1000,
                         .xsub = 1001,
                         .xpub = 1002,
                         .heartbeat_ms = 250,
                         .epoch = 77,
                         .max_event = 9,
                         .max_batch = 10,
                         .window = 11};
    assert_int_equal(fob_letter_welcome(&header, &house, 500, 400, 42), FOB_OK);
    fob_wire_t msg = read_back();
    fob_shard_t shard;
    assert_int_equal(msg.verb, FOB_VERB_WELCOME);
    assert_int_equal(msg.version, 1);
    assert_int_equal(msg.heartbeat, 250);
    assert_int_equal(msg.epoch, 77);
    assert_int_equal(msg.head, 500);
    assert_int_equal(msg.last, 42);
    assert_int_equal(msg.began, 400);
    assert_true(fob_caps_have(msg.caps, FOB_CAP_ECHO) && fob_caps_have(msg.caps, FOB_CAP_FETCH));
    assert_int_equal(msg.window, 11);
    assert_true(fob_slice_eq(msg.level, fob_slice_str("disk")));
    assert_true(fob_shards_find(msg.shards, 0, &shard));
    assert_true(fob_slice_eq(shard.host, fob_slice_str("bus.example")));
    assert_int_equal(shard.xpub, 1002);
    fob_buf_free(&header);
    fob_buf_free(&scratch);
}

static void a_stored_run_becomes_a_broadcast_frame(void **state) {
    (void)state;
    fob_blob_t *blob = fob_blob_copy(fob_slice_str("0123456789"));
    fob_span_t span = span_of(blob, 7, 2, 3);
    fob_effect_t effect = {.kind = FOB_EFF_STORED,
                           .topic = fob_slice_str("a.b"),
                           .prev = 5,
                           .nth = 3,
                           .spans = &span,
                           .span_count = 1};
    fob_body_t body;
    fob_cast_t cast;
    assert_int_equal(fob_letter_cast(&header, 0, 99, 1234, &effect, &body), FOB_OK);
    assert_int_equal(fob_cast_read(fob_buf_slice(&header), &cast), FOB_OK);
    assert_int_equal(cast.kind, FOB_CAST_STORED);
    assert_int_equal(cast.epoch, 99);
    assert_int_equal(cast.offset, 7);
    assert_int_equal(cast.prev, 5);
    assert_int_equal(cast.source, 1234);
    assert_int_equal(cast.seq, 3);
    assert_ptr_equal(body.blob, blob);
    fob_blob_unref(&body.blob);
    fob_blob_unref(&blob);
    fob_buf_free(&header);
    fob_buf_free(&scratch);
}

/* Makes the only message of an effect. */
static fob_wire_t letter(fob_effect_t *effect, fob_body_t *body) {
    size_t from = 0;
    assert_int_equal(fob_letter_effect(&header, &scratch, 0, effect, &from, body), FOB_OK);
    assert_int_equal(from, effect->span_count);
    return read_back();
}

static void a_reply_carries_its_value_or_nil(void **state) {
    (void)state;
    fob_body_t body;
    fob_effect_t effect = {.kind = FOB_EFF_REPLY, .req = 5, .value = fob_slice("\x92\x01\x02", 3)};
    fob_wire_t msg = letter(&effect, &body);
    assert_true(msg.verb == FOB_VERB_REPLY && msg.req == 5 && msg.code == FOB_OK);
    assert_true(body.size == 3 && fob_slice_eq(fob_blob_slice(body.blob), effect.value));
    fob_blob_unref(&body.blob);
    effect.value = fob_slice(NULL, 0);
    letter(&effect, &body);
    assert_true(body.size == 1 && fob_blob_slice(body.blob).data[0] == 0xc0);
    fob_blob_unref(&body.blob);
    fob_buf_free(&header);
    fob_buf_free(&scratch);
}

static void a_joined_tells_the_bound_of_the_leases_where_there_is_one(void **state) {
    (void)state;
    fob_body_t body;
    fob_effect_t effect = {.kind = FOB_EFF_JOINED, .group = fob_slice_str("g"), .lease_ms = 30000};
    fob_wire_t msg = letter(&effect, &body);
    assert_true(FOB_HAS(&msg, lease) && msg.lease == 30000);
    effect.lease_ms = 0;
    msg = letter(&effect, &body);
    assert_false(FOB_HAS(&msg, lease));
    fob_buf_free(&header);
    fob_buf_free(&scratch);
}

static void what_was_lost_says_why(void **state) {
    (void)state;
    fob_body_t body;
    fob_effect_t effect = {.kind = FOB_EFF_LOST,
                           .group = fob_slice_str("g"),
                           .runs = fob_slice("\x91\x93\x01\x01\x01", 5),
                           .text = fob_slice_str("the lease of 30s ran out")};
    fob_wire_t msg = letter(&effect, &body);
    assert_int_equal(msg.verb, FOB_VERB_LOST);
    assert_true(fob_slice_eq(msg.text, effect.text) && fob_slice_eq(msg.runs, effect.runs));
    effect.text = fob_slice(NULL, 0);
    msg = letter(&effect, &body);
    assert_false(FOB_HAS(&msg, text));
    fob_buf_free(&header);
    fob_buf_free(&scratch);
}

FOB_MAIN(FOB_CASE(a_delivery_of_one_piece_is_not_copied),
         FOB_CASE(neighbours_in_one_blob_are_one_piece),
         FOB_CASE(pieces_of_several_blobs_are_gathered_in_order),
         FOB_CASE(a_large_piece_is_a_message_of_its_own_and_not_copied),
         FOB_CASE(a_delivery_of_very_many_pieces_is_several_messages),
         FOB_CASE(a_welcome_says_all_that_a_client_must_know),
         FOB_CASE(a_stored_run_becomes_a_broadcast_frame),
         FOB_CASE(a_reply_carries_its_value_or_nil),
         FOB_CASE(a_joined_tells_the_bound_of_the_leases_where_there_is_one),
         FOB_CASE(what_was_lost_says_why))
