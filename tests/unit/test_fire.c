/* Fire-and-forget events on their way to the socket, and the receipts of both kinds. */
#include "support/case.h"

#include "proto/wire.h"
#include "publishers/fire.h"
#include "publishers/numbers.h"

#include <stdlib.h>

static const fob_now_t start = {.mono_ns = FOB_SEC, .wall_ms = 1700000000000};

typedef struct {
    fob_receipts_t receipts;
    fob_fire_t *fire;
    fob_now_t now;
} bench_t;

static void bench_start(bench_t *b, uint32_t window) {
    *b = (bench_t){.receipts.wanted = true, .now = start};
    b->fire = fob_fire_new(window, 4711, &b->receipts);
    assert_non_null(b->fire);
}

static void bench_end(bench_t *b) {
    fob_fire_destroy(&b->fire);
    fob_receipts_free(&b->receipts);
}

static fob_status_t fire(bench_t *b, const char *topic, size_t size, int64_t deadline) {
    uint8_t *data = calloc(1, size + 1);
    fob_envelope_t event = {.topic = fob_slice_str(topic), .data = fob_slice(data, size)};
    fob_status_t status = fob_fire_offer(b->fire, b->now.mono_ns, &event, deadline, NULL);
    free(data);
    return status;
}

/* The next message's header; its events are checked to be as many as it says. */
static bool next(bench_t *b, fob_cast_t *cast, char *topic) {
    fob_slice_t head, name, bytes;
    fob_blob_t *body;
    if (!fob_fire_next(b->fire, b->now, &head, &body))
        return false;
    assert_int_equal(fob_cast_read(head, cast), FOB_OK);
    snprintf(topic, 300, "%.*s", (int)cast->topic.size, (const char *)cast->topic.data);
    uint64_t count = 0;
    fob_cursor_t cursor = fob_cursor(fob_blob_slice(body));
    while (!fob_cursor_end(&cursor)) {
        assert_true(fob_envelope_skim(&cursor, &name, &bytes));
        count++;
    }
    assert_int_equal(count, cast->count);
    fob_blob_unref(&body);
    return true;
}

static unsigned receipts(bench_t *b, fob_status_t expected) {
    _Alignas(8) uint8_t bytes[8192];
    size_t size, count;
    unsigned all = 0;
    while ((size = fob_receipts_take(&b->receipts, bytes, sizeof bytes, &count)) > 0) {
        fob_receipt_t receipt;
        for (size_t at = 0; fob_receipts_read(bytes, size, &at, &receipt); all++)
            assert_int_equal(receipt.status, expected);
    }
    return all;
}

static void events_of_one_topic_ride_together_and_are_numbered(void **state) {
    (void)state;
    bench_t b;
    fob_cast_t cast;
    char topic[300];
    bench_start(&b, 1000);
    for (int i = 0; i < 20; i++)
        assert_int_equal(fire(&b, i % 2 ? "b" : "a", 10, FOB_NEVER), FOB_OK);
    assert_true(next(&b, &cast, topic));
    assert_string_equal(topic, "a");
    assert_int_equal(cast.kind, FOB_CAST_FIRE);
    assert_int_equal(cast.count, 10);
    assert_int_equal(cast.seq, 1);
    assert_int_equal(cast.source, 4711);
    assert_int_equal(cast.time_ms, start.wall_ms);
    /* What comes while the socket is full waits for the next message. */
    assert_int_equal(fire(&b, "a", 10, FOB_NEVER), FOB_OK);
    assert_true(next(&b, &cast, topic));
    assert_int_equal(cast.count, 10);
    fob_fire_sent(b.fire);
    assert_int_equal(receipts(&b, FOB_OK), 10);
    assert_true(next(&b, &cast, topic));
    assert_string_equal(topic, "b");
    fob_fire_sent(b.fire);
    assert_true(next(&b, &cast, topic));
    assert_string_equal(topic, "a");
    assert_int_equal(cast.seq, 11);
    assert_int_equal(cast.count, 1);
    fob_fire_sent(b.fire);
    assert_true(fob_fire_empty(b.fire));
    assert_int_equal(receipts(&b, FOB_OK), 11);
    bench_end(&b);
}

static void a_batch_is_bounded(void **state) {
    (void)state;
    bench_t b;
    fob_cast_t cast;
    char topic[300];
    bench_start(&b, 10000);
    for (int i = 0; i < 2000; i++)
        assert_int_equal(fire(&b, "a", 200, FOB_NEVER), FOB_OK);
    assert_int_equal(fire(&b, "a", 300000, FOB_NEVER), FOB_OK);
    b.now.mono_ns += FOB_FIRE_GATHER;
    uint64_t seq = 1;
    for (; next(&b, &cast, topic); fob_fire_sent(b.fire)) {
        assert_int_equal(cast.seq, seq);
        assert_true(cast.count < 1400);
        seq += cast.count;
    }
    assert_int_equal(seq, 2002);
    bench_end(&b);
}

/* As many small events at once as make a flood. */
static void flood(bench_t *b, const char *topic) {
    for (int i = 0; i < FOB_FIRE_FLOOD_EVENTS; i++)
        assert_int_equal(fire(b, topic, 10, FOB_NEVER), FOB_OK);
    fob_cast_t cast;
    char name[300];
    b->now.mono_ns += FOB_FIRE_GATHER / 2;
    while (next(b, &cast, name))
        fob_fire_sent(b->fire);
}

static void a_lone_event_goes_at_once(void **state) {
    (void)state;
    bench_t b;
    fob_cast_t cast;
    char topic[300];
    bench_start(&b, 10000);
    for (int i = 0; i < 2000; i++) { /* 400,000 a second for 5 ms: no flood */
        assert_false(fob_fire_eager(b.fire));
        assert_int_equal(fire(&b, "a", 10, FOB_NEVER), FOB_OK);
        assert_true(fob_fire_eager(b.fire));
        assert_true(next(&b, &cast, topic));
        assert_int_equal(cast.count, 1);
        fob_fire_sent(b.fire);
        b.now.mono_ns += 2500;
    }
    bench_end(&b);
}

static void in_a_flood_a_batch_waits_until_it_is_full_but_not_for_long(void **state) {
    (void)state;
    bench_t b;
    fob_cast_t cast;
    char topic[300];
    bench_start(&b, 10000);
    flood(&b, "a");
    uint64_t seq;
    for (int i = 0; i < 100; i++)
        assert_int_equal(fire(&b, "a", 1000, FOB_NEVER), FOB_OK);
    /* One that is full goes, by itself; what follows waits. */
    assert_true(fob_fire_eager(b.fire));
    assert_true(next(&b, &cast, topic));
    seq = cast.seq + cast.count;
    fob_fire_sent(b.fire);
    while (next(&b, &cast, topic)) {
        assert_int_equal(cast.seq, seq);
        seq += cast.count;
        fob_fire_sent(b.fire);
    }
    assert_false(fob_fire_empty(b.fire));
    assert_false(fob_fire_eager(b.fire));
    int64_t due = fob_fire_deadline(b.fire);
    assert_true(due > b.now.mono_ns && due <= b.now.mono_ns + FOB_FIRE_GATHER);
    b.now.mono_ns = due;
    assert_true(next(&b, &cast, topic));
    assert_int_equal(cast.seq, seq);
    fob_fire_sent(b.fire);
    assert_true(fob_fire_empty(b.fire));
    bench_end(&b);
}

static void a_flood_ends_when_it_was_calm_for_a_while(void **state) {
    (void)state;
    bench_t b;
    bench_start(&b, 10000);
    flood(&b, "a");
    for (unsigned i = 0; i < FOB_FIRE_CALM; i++) {
        assert_int_equal(fire(&b, "a", 1, FOB_NEVER), FOB_OK);
        assert_false(fob_fire_eager(b.fire));
        b.now.mono_ns = fob_fire_deadline(b.fire);
        fob_fire_expire(b.fire, b.now, FOB_DEADLINE, (fob_slice_t){0});
        assert_true(fob_fire_eager(b.fire));
        fob_cast_t cast;
        char topic[300];
        assert_true(next(&b, &cast, topic));
        fob_fire_sent(b.fire);
    }
    /* Nobody is woken any more, and the next lone one goes at once. */
    assert_int_equal(fob_fire_deadline(b.fire), FOB_NEVER);
    assert_int_equal(fire(&b, "a", 1, FOB_NEVER), FOB_OK);
    assert_true(fob_fire_eager(b.fire));
    bench_end(&b);
}

static void in_a_flood_who_waits_for_it_gets_it_sent(void **state) {
    (void)state;
    bench_t b;
    fob_cast_t cast;
    char topic[300];
    bench_start(&b, 2000);
    flood(&b, "a");
    assert_int_equal(fire(&b, "a", 1, FOB_NEVER), FOB_OK);
    while (next(&b, &cast, topic))
        fob_fire_sent(b.fire);
    assert_false(fob_fire_empty(b.fire)); /* it waits for more */
    fob_fire_hurry(b.fire);
    while (next(&b, &cast, topic))
        fob_fire_sent(b.fire);
    assert_true(fob_fire_empty(b.fire));
    /* Nor does what fills half of the window: whoever sends would soon wait. */
    flood(&b, "a");
    for (int i = 0; i < 1000; i++)
        assert_int_equal(fire(&b, i % 2 ? "b" : "c", 1, FOB_NEVER), FOB_OK);
    assert_true(fob_fire_eager(b.fire));
    bench_end(&b);
}

static void in_a_flood_of_topics_each_keeps_its_order(void **state) {
    (void)state;
    bench_t b;
    fob_cast_t cast;
    char topic[300], name[8];
    uint64_t seq[40] = {0}, got = 0;
    bench_start(&b, 100000);
    flood(&b, "a");
    for (fob_fire_hurry(b.fire); next(&b, &cast, topic);)
        fob_fire_sent(b.fire);
    unsigned dice = 1;
    for (int i = 0; i < 5000; i++) {
        /* Runs of one topic, and many topics in turn: more than may be open at once. */
        dice = dice * 1103515245 + 12345;
        snprintf(name, sizeof name, "t%u", (dice >> 16) % (i % 1000 < 500 ? 4 : 40));
        assert_int_equal(fire(&b, name, (dice >> 8) % 2000, FOB_NEVER), FOB_OK);
        for (; i % 7 == 0 && next(&b, &cast, topic); fob_fire_sent(b.fire)) {
            unsigned n = (unsigned)atoi(topic + 1);
            assert_int_equal(cast.seq, seq[n] + 1);
            seq[n] += cast.count;
            got += cast.count;
        }
        b.now.mono_ns += 1000;
    }
    fob_fire_hurry(b.fire);
    for (; next(&b, &cast, topic); fob_fire_sent(b.fire))
        got += cast.count;
    assert_int_equal(got, 5000);
    bench_end(&b);
}

static void what_is_with_libzmq_is_bounded_and_its_bytes_are_used_again(void **state) {
    (void)state;
    bench_t b;
    fob_slice_t head;
    fob_blob_t *out[200], *again;
    size_t count = 0;
    bench_start(&b, 100000);
    /* A socket that takes all and sends nothing. */
    for (int i = 0; i < 60000; i++) {
        assert_int_equal(fire(&b, "a", 1000, FOB_NEVER), FOB_OK);
        for (; fob_fire_eager(b.fire) && fob_fire_next(b.fire, b.now, &head, &out[count]); count++)
            fob_fire_sent(b.fire);
        assert_true(count < 150);
    }
    /* Nobody is woken in vain for what comes, but it is tried again, soon. */
    assert_false(fob_fire_empty(b.fire));
    assert_false(fob_fire_eager(b.fire));
    assert_true(fob_fire_deadline(b.fire) <= b.now.mono_ns + FOB_MS);
    b.now.mono_ns += FOB_MS;
    assert_false(fob_fire_next(b.fire, b.now, &head, &again));
    /* It sends the oldest ones: more goes, and another batch lies where the first large one was. */
    size_t large = 0;
    while (fob_blob_slice(out[large]).size < FOB_FIRE_FLOOD_BYTES * 2)
        large++;
    const uint8_t *place = fob_blob_slice(out[large]).data;
    for (size_t i = 0; i < count; i++)
        fob_blob_unref(&out[i]);
    for (int i = 0; i < 3000; i++)
        assert_int_equal(fire(&b, "a", 1000, FOB_NEVER), FOB_OK);
    b.now.mono_ns += FOB_MS;
    bool again_there = false;
    while (fob_fire_next(b.fire, b.now, &head, &again)) {
        again_there |= fob_blob_slice(again).data == place;
        fob_blob_unref(&again);
        fob_fire_sent(b.fire);
    }
    assert_true(fob_fire_empty(b.fire));
    assert_true(again_there);
    bench_end(&b);
}

static void the_queue_is_bounded_by_the_window(void **state) {
    (void)state;
    bench_t b;
    bench_start(&b, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(fire(&b, "a", 1, FOB_NEVER), FOB_OK);
    assert_int_equal(fire(&b, "a", 1, FOB_NEVER), FOB_AGAIN);
    fob_fire_fail(b.fire, FOB_CLOSED, (fob_slice_t){0});
    assert_int_equal(receipts(&b, FOB_CLOSED), 3);
    assert_int_equal(fire(&b, "no topic", 1, FOB_NEVER), FOB_BAD_TOPIC);
    assert_int_equal(fire(&b, "a", 1, FOB_NEVER), FOB_OK);
    bench_end(&b);
}

static void what_is_past_its_deadline_is_taken_out_and_leaves_no_hole(void **state) {
    (void)state;
    bench_t b;
    fob_cast_t cast;
    char topic[300];
    bench_start(&b, 100);
    uint64_t mark = fob_fire_mark(b.fire);
    for (int i = 0; i < 9; i++)
        assert_int_equal(fire(&b, "a", 1, start.mono_ns + (i % 3 + 1) * FOB_SEC), FOB_OK);
    assert_int_equal(fob_fire_deadline(b.fire), start.mono_ns + FOB_SEC);
    assert_true(fob_fire_done_below(b.fire, mark));
    mark = fob_fire_mark(b.fire);
    b.now.mono_ns += FOB_SEC;
    fob_fire_expire(b.fire, b.now, FOB_UNREACHABLE, (fob_slice_t){0});
    assert_int_equal(receipts(&b, FOB_UNREACHABLE), 3);
    assert_true(fob_fire_deadline(b.fire) > b.now.mono_ns);
    uint64_t seq = 1;
    assert_false(fob_fire_done_below(b.fire, mark));
    for (; next(&b, &cast, topic); fob_fire_sent(b.fire)) {
        assert_int_equal(cast.seq, seq);
        seq += cast.count;
    }
    assert_int_equal(seq, 7);
    assert_true(fob_fire_done_below(b.fire, mark));
    assert_int_equal(fob_fire_deadline(b.fire), FOB_NEVER);
    bench_end(&b);
}

static void too_many_topics_begin_anew_under_another_source(void **state) {
    (void)state;
    static fob_numbers_t numbers;
    fob_numbers_init(&numbers, 1);
    char topic[16];
    for (int i = 0; i < 384; i++) {
        snprintf(topic, sizeof topic, "t%d", i);
        fob_numbers_of(&numbers, fob_slice_str(topic))->next += 5;
    }
    assert_int_equal(numbers.source, 1);
    assert_int_equal(fob_numbers_of(&numbers, fob_slice_str("t7"))->next, 6);
    assert_int_equal(fob_numbers_of(&numbers, fob_slice_str("one-more"))->next, 1);
    assert_int_not_equal(numbers.source, 1);
    assert_int_equal(fob_numbers_of(&numbers, fob_slice_str("t7"))->next, 1);
}

static void receipts_come_out_whole_and_in_order(void **state) {
    (void)state;
    fob_receipts_t self = {.wanted = true};
    fob_receipt_event_t event = {.topic = fob_slice_str("order_placed"), .id = fob_slice_str("i")};
    uint64_t in = 0, out = 0;
    for (int round = 0; round < 300; round++) {
        for (int i = 0; i < round % 7 + 1; i++) {
            assert_true(fob_receipts_promise(&self, event.topic.size, event.id.size));
            event.number = ++in;
            fob_receipts_keep(&self, &event,
                              &(fob_receipt_fate_t){.status = in % 2 ? FOB_BUSY : FOB_OK,
                                                    .text = fob_slice_str("why so"),
                                                    .level = FOB_LEVEL_OS,
                                                    .offset = in * 2,
                                                    .groups = 3,
                                                    .duplicate = in % 3 == 0,
                                                    .differs = in % 9 == 0});
        }
        _Alignas(8) uint8_t bytes[FOB_RECEIPT_MAX];
        size_t count, size = fob_receipts_take(&self, bytes, sizeof bytes, &count), at = 0;
        fob_receipt_t receipt;
        while (fob_receipts_read(bytes, size, &at, &receipt)) {
            assert_int_equal(receipt.number, ++out);
            assert_int_equal(receipt.offset, out * 2);
            assert_string_equal(receipt.topic, "order_placed");
            assert_string_equal(receipt.id, "i");
            assert_string_equal(receipt.level, "os");
            assert_int_equal(receipt.duplicate_of, out % 3 ? 0 : out * 2);
            assert_int_equal(receipt.differs, out % 9 == 0);
            if (receipt.status == FOB_BUSY)
                assert_string_equal(receipt.text, "why so");
            else
                assert_null(receipt.text);
        }
    }
    assert_int_equal(in - out, self.waiting);
    assert_int_equal(self.owed, 0);
    assert_int_equal(self.reserved, 0);
    assert_int_equal(fob_receipts_verdict(&self), FOB_BUSY);
    assert_int_equal(fob_receipts_verdict(&self), FOB_OK);
    fob_receipts_free(&self);
}

static void receipts_nobody_reads_are_only_counted(void **state) {
    (void)state;
    fob_receipts_t self = {0};
    fob_receipt_event_t event = {.number = 1};
    for (int i = 0; i < 1000; i++) {
        assert_true(fob_receipts_promise(&self, 10, 10));
        fob_receipts_keep(&self, &event,
                          &(fob_receipt_fate_t){.level = FOB_LEVEL_DISK, .offset = 1});
    }
    assert_int_equal(self.waiting, 1000);
    assert_null(self.data);
}

FOB_MAIN(FOB_CASE(events_of_one_topic_ride_together_and_are_numbered), FOB_CASE(a_batch_is_bounded),
         FOB_CASE(a_lone_event_goes_at_once),
         FOB_CASE(in_a_flood_a_batch_waits_until_it_is_full_but_not_for_long),
         FOB_CASE(a_flood_ends_when_it_was_calm_for_a_while),
         FOB_CASE(in_a_flood_who_waits_for_it_gets_it_sent),
         FOB_CASE(in_a_flood_of_topics_each_keeps_its_order),
         FOB_CASE(what_is_with_libzmq_is_bounded_and_its_bytes_are_used_again),
         FOB_CASE(the_queue_is_bounded_by_the_window),
         FOB_CASE(what_is_past_its_deadline_is_taken_out_and_leaves_no_hole),
         FOB_CASE(too_many_topics_begin_anew_under_another_source),
         FOB_CASE(receipts_come_out_whole_and_in_order),
         FOB_CASE(receipts_nobody_reads_are_only_counted))
