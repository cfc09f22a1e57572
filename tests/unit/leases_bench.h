/* leases_bench: a lease table, and messages to and from it, by hand. */
#ifndef FOB_LEASES_BENCH_H
#define FOB_LEASES_BENCH_H

#include "proto/envelope.h"
#include "subscribers/lease/leases.h"

#define BEAT FOB_SEC

typedef struct {
    fob_leases_t *leases;
    fob_now_t now;
} bench_t;

static inline bench_t bench(uint32_t jobs, uint32_t prefetch, uint64_t count) {
    fob_leases_options_t options = {.group = fob_slice_str("g"),
                                    .pattern = fob_slice_str("t"),
                                    .jobs = jobs,
                                    .prefetch = prefetch,
                                    .count = count,
                                    .give_up_mono = 50 * FOB_SEC};
    bench_t b = {fob_leases_new(&options), {10 * FOB_SEC, 0}};
    assert_non_null(b.leases);
    return b;
}

static inline void up(bench_t *b, uint64_t epoch) {
    fob_wire_t msg = {.verb = FOB_VERB_WELCOME};
    FOB_SET(&msg, heartbeat, 1000);
    FOB_SET(&msg, epoch, epoch);
    fob_leases_up(b->leases, b->now, &msg);
}

/* The next message it sends, which must be of this verb. */
static inline fob_wire_t sent(bench_t *b, fob_verb_t verb) {
    fob_slice_t header;
    fob_wire_t msg;
    assert_true(fob_leases_output(b->leases, b->now, &header));
    assert_int_equal(fob_wire_read(header, &msg), FOB_OK);
    assert_int_equal(msg.verb, verb);
    assert_true(fob_slice_eq(msg.group, fob_slice_str("g")));
    return msg;
}

static inline void sends_nothing(bench_t *b) {
    fob_slice_t header;
    assert_false(fob_leases_output(b->leases, b->now, &header));
}

/* One row, or none. */
static inline void input(bench_t *b, fob_wire_t *msg, fob_slice_t *field, unsigned bit,
                         const uint64_t *row, unsigned width, fob_blob_t *body) {
    fob_buf_t runs = {0};
    FOB_SET(msg, group, fob_slice_str("g"));
    fob_pack_array(&runs, row ? 1 : 0);
    if (row)
        fob_run_write(&runs, row, width);
    *field = fob_buf_slice(&runs);
    msg->present |= (uint64_t)1 << bit;
    fob_leases_input(b->leases, b->now, msg, body);
    fob_buf_free(&runs);
}

static inline void joined(bench_t *b, const uint64_t *refused) {
    fob_wire_t msg = {.verb = FOB_VERB_JOINED};
    FOB_SET(&msg, code, FOB_OK);
    input(b, &msg, &msg.refused, FOB_FIELD_refused, refused, 4, NULL);
}

static inline void settled(bench_t *b, uint64_t seq, const uint64_t *refused) {
    fob_wire_t msg = {.verb = FOB_VERB_SETTLED};
    FOB_SET(&msg, seq, seq);
    input(b, &msg, &msg.refused, FOB_FIELD_refused, refused, 4, NULL);
}

/* `whole` of the `count` events are in the body. */
static inline void delivered(bench_t *b, uint64_t offset, uint64_t count, uint64_t token,
                             uint64_t whole) {
    fob_buf_t body = {0};
    fob_wire_t msg = {.verb = FOB_VERB_DELIVER};
    for (uint64_t i = 0; i < whole; i++) {
        fob_envelope_t event = {.topic = fob_slice_str("t"), .data = fob_slice_str("x")};
        assert_int_equal(fob_envelope_write(&body, 100, &event), FOB_OK);
    }
    if (whole < count)
        fob_buf_put(&body, "\xc1junk", 5);
    fob_blob_t *blob = fob_blob_copy(fob_buf_slice(&body));
    input(b, &msg, &msg.runs, FOB_FIELD_runs, (uint64_t[]){offset, count, token, 2, 5}, 5, blob);
    fob_blob_unref(&blob);
    fob_buf_free(&body);
}

static inline void lost(bench_t *b, uint64_t offset, uint64_t count, uint64_t token) {
    fob_wire_t msg = {.verb = FOB_VERB_LOST};
    input(b, &msg, &msg.runs, FOB_FIELD_runs, (uint64_t[]){offset, count, token}, 3, NULL);
}

static inline fob_event_t *next(bench_t *b, uint64_t offset) {
    fob_event_t *event = NULL;
    assert_int_equal(fob_leases_next(b->leases, b->now, &event), FOB_OK);
    assert_int_equal(fob_event_offset(event), offset);
    return event;
}

static inline void next_says(bench_t *b, fob_status_t status) {
    fob_event_t *event = NULL;
    assert_int_equal(fob_leases_next(b->leases, b->now, &event), status);
    assert_null(event);
    assert_int_equal(fob_leases_ready(b->leases, b->now), status != FOB_AGAIN);
}

static inline void settle(bench_t *b, fob_event_t *event, fob_settle_kind_t kind,
                          fob_status_t status) {
    const fob_settle_how_t how = {.kind = kind};
    assert_int_equal(fob_leases_settle(b->leases, b->now, event, &how), status);
    fob_event_destroy(&event);
}

/* The rows of a message, as "a b c d|a b c d". */
static inline void rows_are(fob_slice_t raw, unsigned width, const char *expected) {
    char text[400] = "";
    fob_runs_t runs;
    fob_run_t run;
    assert_true(fob_runs(raw, &runs));
    while (fob_runs_next(&runs, &run))
        for (unsigned i = 0; i < width; i++) {
            size_t at = strlen(text);
            snprintf(text + at, sizeof text - at, "%s%llu",
                     i    ? " "
                     : at ? "|"
                          : "",
                     (unsigned long long)run.at[i]);
        }
    assert_string_equal(text, expected);
}

static inline bench_t working(uint32_t jobs, uint32_t prefetch, uint64_t count) {
    bench_t b = bench(jobs, prefetch, count);
    up(&b, 1);
    fob_wire_t join = sent(&b, FOB_VERB_JOIN);
    assert_int_equal(join.credit, count && count < prefetch ? count : prefetch);
    assert_int_equal(join.jobs, jobs);
    assert_true(join.create);
    rows_are(join.runs, 3, "");
    joined(&b, NULL);
    sends_nothing(&b);
    return b;
}

#endif
