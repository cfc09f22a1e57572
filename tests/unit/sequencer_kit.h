/* sequencer_kit: a sequencer on the bench: what comes is written down in a line, what it asks and
 * hands out is compared with one. */
#ifndef FOB_TESTS_SEQUENCER_KIT_H
#define FOB_TESTS_SEQUENCER_KIT_H

#include "proto/envelope.h"
#include "subscribers/sequence/sequencer.h"
#include "support/case.h"

#include <stdlib.h>

#define EPOCH 5

typedef struct {
    fob_sequencer_t *s;
    fob_batch_t batch;
    fob_now_t now;
    uint64_t elsewhere, epoch;
    fob_wire_t fetch, whole; /* asked last; req 0: answered, or never asked */
    uint64_t floor;          /* told in each answer */
} kit_t;

static inline void kit_event(fob_buf_t *out, const char *topic) {
    fob_envelope_t event = {.topic = fob_slice_str(topic), .data = fob_slice_str("d")};
    assert_int_equal(fob_envelope_write(out, 100, &event), FOB_OK);
}

static inline fob_blob_t *kit_blob(fob_buf_t *buf) {
    fob_blob_t *blob = fob_blob_copy(fob_buf_slice(buf));
    fob_buf_free(buf);
    return blob;
}

static inline kit_t kit_new(fob_sequencer_options_t options) {
    options.queue = options.queue ? options.queue : 100;
    kit_t kit = {.s = fob_sequencer_new(&options), .now = {FOB_SEC, 1000}, .epoch = EPOCH};
    assert_non_null(kit.s);
    return kit;
}

static inline void kit_end(kit_t *kit) {
    fob_batch_clear(&kit->batch);
    fob_sequencer_destroy(&kit->s);
}

static inline void kit_up_as(kit_t *kit, uint64_t epoch, uint64_t began, uint64_t head) {
    static const uint8_t caps[] = {0x91, 0xa5, 'f', 'e', 't', 'c', 'h'};
    fob_wire_t msg = {.verb = FOB_VERB_WELCOME};
    kit->epoch = epoch;
    FOB_SET(&msg, epoch, epoch);
    FOB_SET(&msg, head, head);
    FOB_SET(&msg, began, began);
    FOB_SET(&msg, caps, fob_slice(caps, sizeof caps));
    fob_sequencer_up(kit->s, kit->now, &msg);
}

static inline void kit_up(kit_t *kit, uint64_t head) {
    kit_up_as(kit, kit->epoch, 0, head);
}

static inline kit_t kit_reliable(const char *pattern, uint64_t head) {
    kit_t kit = kit_new((fob_sequencer_options_t){.pattern = fob_slice_str(pattern)});
    kit_up(&kit, head);
    return kit;
}

static inline void beats(kit_t *kit, uint64_t head) {
    fob_wire_t msg = {.verb = FOB_VERB_BEAT};
    FOB_SET(&msg, epoch, kit->epoch);
    FOB_SET(&msg, head, head);
    FOB_SET(&msg, began, 0);
    fob_sequencer_beat(kit->s, kit->now, &msg);
}

static inline void passes(kit_t *kit, int64_t ms) {
    kit->now.mono_ns += ms * FOB_MS;
    kit->now.wall_ms += ms;
}

static inline void comes_of(kit_t *kit, uint64_t epoch, const char *topic, uint64_t offset,
                            uint64_t count, uint64_t prev) {
    fob_buf_t buf = {0};
    for (uint64_t i = 0; i < count; i++)
        kit_event(&buf, topic);
    fob_cast_t cast = {.topic = fob_slice_str(topic),
                       .kind = FOB_CAST_STORED,
                       .epoch = epoch,
                       .offset = offset,
                       .count = count,
                       .prev = prev,
                       .time_ms = 9,
                       .source = 5,
                       .seq = offset};
    fob_blob_t *body = kit_blob(&buf);
    fob_sequencer_take(kit->s, &cast, body, kit->elsewhere);
    fob_blob_unref(&body);
}

/* A broadcast message of stored events. */
static inline void comes(kit_t *kit, const char *topic, uint64_t offset, uint64_t count,
                         uint64_t prev) {
    comes_of(kit, kit->epoch, topic, offset, count, prev);
}

static inline void fires(kit_t *kit, const char *topic, uint64_t seq, uint64_t count) {
    fob_buf_t buf = {0};
    for (uint64_t i = 0; i < count; i++)
        kit_event(&buf, topic);
    fob_cast_t cast = {.topic = fob_slice_str(topic),
                       .kind = FOB_CAST_FIRE,
                       .count = count,
                       .source = 77,
                       .seq = seq};
    fob_blob_t *body = kit_blob(&buf);
    fob_sequencer_take(kit->s, &cast, body, kit->elsewhere);
    fob_blob_unref(&body);
}

/* --- what it asks --- */

static inline void kit_round(kit_t *kit) {
    fob_wire_t msg;
    fob_sequencer_round(kit->s, kit->now, kit->elsewhere);
    while (fob_sequencer_ask(kit->s, &msg)) {
        assert_true(FOB_HAS(&msg, req) && FOB_HAS(&msg, pattern));
        if (msg.verb == FOB_VERB_FETCH)
            kit->fetch = msg;
        else
            kit->whole = msg;
    }
}

static inline void asks_nothing(kit_t *kit) {
    kit->fetch.req = kit->whole.req = 0;
    kit_round(kit);
    assert_int_equal(kit->fetch.req, 0);
    assert_int_equal(kit->whole.req, 0);
}

/* `upto` 0: the head. */
static inline void asks_for(kit_t *kit, uint64_t from, uint64_t upto) {
    kit->fetch.req = 0;
    kit_round(kit);
    assert_int_not_equal(kit->fetch.req, 0);
    assert_int_equal(kit->fetch.from, from);
    assert_int_equal(kit->fetch.upto, upto);
    assert_true(FOB_HAS(&kit->fetch, limit) && kit->fetch.limit > 0);
}

static inline void asks_whether_whole(kit_t *kit, uint64_t from, uint64_t upto) {
    kit->whole.req = 0;
    kit_round(kit);
    assert_int_not_equal(kit->whole.req, 0);
    assert_int_equal(kit->whole.from, from);
    assert_int_equal(kit->whole.upto, upto);
}

/* --- what it is answered --- */

static inline void answered(kit_t *kit, fob_verb_t verb, fob_status_t code) {
    fob_wire_t msg = {.verb = verb};
    FOB_SET(&msg, req, verb == FOB_VERB_FETCHED ? kit->fetch.req : kit->whole.req);
    FOB_SET(&msg, code, code);
    fob_sequencer_input(kit->s, kit->now, &msg, NULL);
}

/* Events "topic@offset topic@offset"; what is gone as "first-last first-last", with a ! behind it
 * for damage. */
static inline void fetched(kit_t *kit, uint64_t next, uint64_t head, const char *events,
                           const char *holes) {
    fob_wire_t msg = {.verb = FOB_VERB_FETCHED};
    fob_buf_t body = {0}, runs = {0}, gone = {0}, rows = {0}, lost = {0};
    uint32_t count = 0, hole_count = 0;
    char topic[64];
    unsigned long long at, last;
    int used;
    for (; sscanf(events, " %63[^@]@%llu%n", topic, &at, &used) == 2; events += used, count++) {
        fob_run_write(&rows, (const uint64_t[]){at, 1, 9}, 3);
        kit_event(&body, topic);
    }
    for (; sscanf(holes, " %llu-%llu%n", &at, &last, &used) == 2; hole_count++) {
        holes += used;
        fob_run_write(&lost, (const uint64_t[]){at, last, *holes == '!'}, 3);
        holes += *holes == '!';
    }
    fob_pack_array(&runs, count);
    fob_buf_put(&runs, rows.data, rows.size);
    fob_pack_array(&gone, hole_count);
    fob_buf_put(&gone, lost.data, lost.size);
    FOB_SET(&msg, req, kit->fetch.req);
    FOB_SET(&msg, code, FOB_OK);
    FOB_SET(&msg, next, next);
    FOB_SET(&msg, head, head);
    FOB_SET(&msg, epoch, kit->epoch);
    if (kit->floor)
        FOB_SET(&msg, floor, kit->floor);
    FOB_SET(&msg, runs, fob_buf_slice(&runs));
    FOB_SET(&msg, gone, fob_buf_slice(&gone));
    fob_blob_t *blob = kit_blob(&body);
    fob_sequencer_input(kit->s, kit->now, &msg, kit->fetch.dry ? NULL : blob);
    fob_blob_unref(&blob);
    fob_buf_free(&runs);
    fob_buf_free(&gone);
    fob_buf_free(&rows);
    fob_buf_free(&lost);
}

/* Rows "topic@last topic@last"; `parts`: the next is to be asked in so many. */
static inline void told_parts(kit_t *kit, uint64_t floor, bool more, uint64_t parts,
                              const char *topics) {
    fob_wire_t msg = {.verb = FOB_VERB_WHOLENESS};
    fob_buf_t rows = {0}, body = {0};
    uint32_t count = 0;
    char topic[64];
    unsigned long long last;
    int used;
    for (; sscanf(topics, " %63[^@]@%llu%n", topic, &last, &used) == 2; topics += used, count++) {
        fob_pack_array(&rows, 2);
        fob_pack_str(&rows, fob_slice_str(topic));
        fob_pack_uint(&rows, last);
    }
    fob_pack_array(&body, count);
    fob_buf_put(&body, rows.data, rows.size);
    fob_buf_free(&rows);
    FOB_SET(&msg, req, kit->whole.req);
    FOB_SET(&msg, code, FOB_OK);
    FOB_SET(&msg, upto, kit->whole.upto);
    FOB_SET(&msg, floor, floor);
    FOB_SET(&msg, more, more);
    if (parts)
        FOB_SET(&msg, parts, parts);
    fob_blob_t *blob = kit_blob(&body);
    fob_sequencer_input(kit->s, kit->now, &msg, blob);
    fob_blob_unref(&blob);
}

static inline void told_whole(kit_t *kit, uint64_t floor, bool more, const char *topics) {
    told_parts(kit, floor, more, 0, topics);
}

/* --- what it hands out --- */

static inline fob_status_t kit_next(kit_t *kit, fob_event_t **event) {
    if (fob_batch_empty(&kit->batch))
        kit->elsewhere += fob_sequencer_move(kit->s, &kit->batch);
    fob_status_t status = fob_batch_next(&kit->batch, NULL, event);
    kit->elsewhere -= status != FOB_AGAIN;
    return status;
}

static inline void gets_of(kit_t *kit, uint64_t epoch, const char *topic, uint64_t offset) {
    fob_event_t *event;
    assert_int_equal(kit_next(kit, &event), FOB_OK);
    assert_string_equal(fob_event_topic(event), topic);
    assert_int_equal(fob_event_offset(event), offset);
    assert_int_equal(fob_event_epoch(event), epoch);
    fob_event_destroy(&event);
}

/* One that was fired has no offset (0), and no epoch. */
static inline void gets(kit_t *kit, const char *topic, uint64_t offset) {
    gets_of(kit, offset ? kit->epoch : 0, topic, offset);
}

static inline void is_told(kit_t *kit, fob_notice_kind_t kind, uint64_t first, uint64_t last,
                           const char *topic) {
    fob_event_t *event;
    assert_int_equal(kit_next(kit, &event), FOB_GAP);
    assert_null(event);
    assert_int_equal(kit->batch.notice.kind, kind);
    assert_int_equal(kit->batch.notice.first, first);
    assert_int_equal(kit->batch.notice.last, last);
    assert_int_equal(kit->batch.notice.epoch, kit->epoch);
    assert_string_equal(kit->batch.notice.topic, topic);
}

static inline void gets_nothing(kit_t *kit) {
    fob_event_t *event;
    assert_int_equal(kit_next(kit, &event), FOB_AGAIN);
    assert_int_equal(fob_sequencer_queued(kit->s), 0);
}

static inline fob_sequencer_figures_t figures_of(const kit_t *kit) {
    fob_sequencer_figures_t figures;
    fob_sequencer_figures(kit->s, &figures);
    return figures;
}

#endif
