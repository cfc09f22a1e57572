#include "bus/service/letters.h"

#include <assert.h>
#include <stdlib.h>

#define SPANS_MAX  1000      /* in one DELIVER: its header stays well below FOB_WIRE_HEADER_MAX */
#define GATHER_MAX (1 << 20) /* bytes copied together at the most; one span may be larger */
/* So much is worth a message of its own, which costs less than to copy it, here and into fresh
 * memory at the worker. */
#define ENOUGH (16 << 10)

static fob_status_t write_header(fob_buf_t *header, const fob_wire_t *msg) {
    fob_buf_clear(header);
    return fob_wire_write(header, msg);
}

/* A letter without fields yet: what is not present is not looked at, and it is large. */
static void begin(fob_wire_t *msg, fob_verb_t verb, uint32_t shard) {
    msg->verb = verb;
    msg->shard = shard;
    msg->present = 0;
}

/* --- deliveries --- */

static void pack_runs(fob_buf_t *runs, const fob_span_t *spans, size_t count) {
    fob_buf_clear(runs);
    fob_pack_array(runs, count);
    for (size_t i = 0; i < count; i++) {
        const fob_span_t *span = &spans[i];
        uint64_t row[] = {span->offset, span->count, span->token, span->attempt,
                          (uint64_t)span->time_ms};
        fob_run_write(runs, row, 5);
    }
}

static bool joined_on(const fob_span_t *before, const fob_span_t *span) {
    return span->blob == before->blob && span->at == before->at + before->size;
}

/* How many of the spans go into one message, and their bytes. */
static size_t portion(const fob_span_t *spans, size_t count, size_t *bytes) {
    size_t taken = 1;
    *bytes = spans[0].size;
    for (; taken < count && taken < SPANS_MAX; taken++) {
        if (*bytes + spans[taken].size > GATHER_MAX)
            break;
        if (*bytes >= ENOUGH && !joined_on(&spans[taken - 1], &spans[taken]))
            break;
        *bytes += spans[taken].size;
    }
    return taken;
}

/* Whether the spans lie one behind the other in one blob. */
static bool in_one_piece(const fob_span_t *spans, size_t count) {
    for (size_t i = 1; i < count; i++)
        if (!joined_on(&spans[i - 1], &spans[i]))
            return false;
    return true;
}

static fob_status_t gather(const fob_span_t *spans, size_t count, size_t bytes, fob_body_t *body) {
    if (in_one_piece(spans, count)) {
        *body = (fob_body_t){fob_blob_ref(spans[0].blob), spans[0].at, bytes};
        return FOB_OK;
    }
    fob_blob_t *blob = fob_blob_new(bytes);
    if (!blob)
        return FOB_NO_MEMORY;
    uint8_t *to = fob_blob_writable(blob);
    for (size_t i = 0; i < count; i++) {
        memcpy(to, fob_blob_slice(spans[i].blob).data + spans[i].at, spans[i].size);
        to += spans[i].size;
    }
    *body = (fob_body_t){blob, 0, bytes};
    return FOB_OK;
}

static fob_status_t deliver(fob_buf_t *header, fob_buf_t *runs, uint32_t shard,
                            const fob_effect_t *effect, size_t *from, fob_body_t *body) {
    size_t bytes;
    const fob_span_t *spans = effect->spans + *from;
    size_t count = portion(spans, effect->span_count - *from, &bytes);
    pack_runs(runs, spans, count);
    fob_status_t status = runs->failed ? FOB_NO_MEMORY : FOB_OK;
    if (status == FOB_OK) {
        fob_wire_t msg;
        begin(&msg, FOB_VERB_DELIVER, shard);
        FOB_SET(&msg, group, effect->group);
        FOB_SET(&msg, runs, fob_buf_slice(runs));
        status = write_header(header, &msg);
    }
    if (status == FOB_OK)
        status = gather(spans, count, bytes, body);
    *from += count;
    return status;
}

/* --- the other effects --- */

static fob_status_t value_body(fob_slice_t value, fob_body_t *body) {
    static const uint8_t nil = 0xc0;
    body->blob = fob_blob_copy(value.size ? value : fob_slice(&nil, 1));
    body->size = value.size ? value.size : 1;
    return body->blob ? FOB_OK : FOB_NO_MEMORY;
}

static void joined(fob_wire_t *msg, const fob_effect_t *effect) {
    msg->verb = FOB_VERB_JOINED;
    FOB_SET(msg, group, effect->group);
    FOB_SET(msg, code, (uint64_t)effect->status);
    if (effect->text.size)
        FOB_SET(msg, text, effect->text);
    if (effect->pattern.size)
        FOB_SET(msg, pattern, effect->pattern);
    FOB_SET(msg, created, effect->created);
    if (effect->lease_ms)
        FOB_SET(msg, lease, effect->lease_ms);
    if (effect->refused.size)
        FOB_SET(msg, refused, effect->refused);
}

static void settled(fob_wire_t *msg, const fob_effect_t *effect) {
    msg->verb = FOB_VERB_SETTLED;
    FOB_SET(msg, group, effect->group);
    FOB_SET(msg, seq, effect->seq);
    if (effect->refused.size)
        FOB_SET(msg, refused, effect->refused);
}

static void reply(fob_wire_t *msg, const fob_effect_t *effect) {
    msg->verb = FOB_VERB_REPLY;
    FOB_SET(msg, req, effect->req);
    FOB_SET(msg, code, (uint64_t)effect->status);
    if (effect->text.size)
        FOB_SET(msg, text, effect->text);
}

fob_status_t fob_letter_effect(fob_buf_t *header, fob_buf_t *runs, uint32_t shard,
                               const fob_effect_t *effect, size_t *from, fob_body_t *body) {
    *body = (fob_body_t){0};
    if (effect->kind == FOB_EFF_DELIVER)
        return deliver(header, runs, shard, effect, from, body);
    *from = effect->span_count;
    fob_wire_t msg;
    fob_status_t status = FOB_OK;
    begin(&msg, FOB_VERB_ERROR, shard);
    switch (effect->kind) {
    case FOB_EFF_RECEIPT:
        msg.verb = FOB_VERB_RECEIPT;
        FOB_SET(&msg, runs, effect->runs);
        break;
    case FOB_EFF_JOINED:
        joined(&msg, effect);
        break;
    case FOB_EFF_SETTLED:
        settled(&msg, effect);
        break;
    case FOB_EFF_LOST:
        msg.verb = FOB_VERB_LOST;
        FOB_SET(&msg, group, effect->group);
        FOB_SET(&msg, runs, effect->runs);
        if (effect->text.size)
            FOB_SET(&msg, text, effect->text);
        break;
    case FOB_EFF_REPLY:
        reply(&msg, effect);
        status = value_body(effect->value, body);
        break;
    default:
        assert(!"an effect that is no letter");
        return FOB_INTERNAL;
    }
    if (status == FOB_OK)
        status = write_header(header, &msg);
    if (status != FOB_OK)
        fob_blob_unref(&body->blob);
    return status;
}

fob_status_t fob_letter_cast(fob_buf_t *header, uint32_t shard, uint64_t epoch, uint64_t source,
                             const fob_effect_t *effect, fob_body_t *body) {
    assert(effect->kind == FOB_EFF_STORED && effect->span_count == 1);
    const fob_span_t *span = &effect->spans[0];
    fob_cast_t cast = {.topic = effect->topic,
                       .kind = FOB_CAST_STORED,
                       .shard = shard,
                       .epoch = epoch,
                       .offset = span->offset,
                       .count = span->count,
                       .prev = effect->prev,
                       .time_ms = span->time_ms,
                       .source = source,
                       .seq = effect->nth};
    fob_buf_clear(header);
    fob_status_t status = fob_cast_write(header, &cast);
    *body = (fob_body_t){0};
    if (status == FOB_OK)
        *body = (fob_body_t){fob_blob_ref(span->blob), span->at, span->size};
    return status;
}

/* --- what the bus says of itself --- */

fob_status_t fob_letter_welcome(fob_buf_t *header, const fob_house_t *house, uint64_t head,
                                uint64_t began, uint64_t last) {
    fob_buf_t shards = {0}, caps = {0};
    fob_pack_array(&shards, 1);
    fob_shard_write(&shards, &(fob_shard_t){.shard = house->shard,
                                            .host = fob_slice_str(house->advertise),
                                            .router = house->router,
                                            .xsub = house->xsub,
                                            .xpub = house->xpub});
    fob_pack_array(&caps, 2);
    fob_pack_cstr(&caps, FOB_CAP_ECHO);
    fob_pack_cstr(&caps, FOB_CAP_FETCH);
    fob_status_t status = FOB_NO_MEMORY;
    if (!shards.failed && !caps.failed) {
        fob_wire_t msg = {.verb = FOB_VERB_WELCOME, .shard = house->shard};
        FOB_SET(&msg, version, FOB_WIRE_VERSION);
        FOB_SET(&msg, bus, fob_slice_str("fob/" FOB_VERSION_STRING));
        FOB_SET(&msg, heartbeat, house->heartbeat_ms);
        FOB_SET(&msg, epoch, house->epoch);
        FOB_SET(&msg, head, head);
        FOB_SET(&msg, level, fob_slice_str(house->level));
        FOB_SET(&msg, shards, fob_buf_slice(&shards));
        FOB_SET(&msg, max_event, house->max_event);
        FOB_SET(&msg, max_batch, house->max_batch);
        FOB_SET(&msg, window, house->window);
        FOB_SET(&msg, last, last);
        FOB_SET(&msg, began, began);
        FOB_SET(&msg, caps, fob_buf_slice(&caps));
        status = write_header(header, &msg);
    }
    fob_buf_free(&shards);
    fob_buf_free(&caps);
    return status;
}

fob_status_t fob_letter_beat(fob_buf_t *header, const fob_house_t *house, uint64_t head,
                             uint64_t began, const uint64_t *echo) {
    fob_wire_t msg = {.verb = FOB_VERB_BEAT, .shard = house->shard};
    FOB_SET(&msg, head, head);
    FOB_SET(&msg, epoch, house->epoch);
    FOB_SET(&msg, began, began);
    if (echo)
        FOB_SET(&msg, echo, *echo);
    return write_header(header, &msg);
}

fob_status_t fob_letter_goodbye(fob_buf_t *header, const fob_house_t *house, const char *text,
                                uint64_t retry_after_ms) {
    fob_wire_t msg = {.verb = FOB_VERB_GOODBYE, .shard = house->shard};
    FOB_SET(&msg, text, fob_slice_str(text));
    FOB_SET(&msg, retry_after, retry_after_ms);
    return write_header(header, &msg);
}

fob_status_t fob_letter_reply(fob_buf_t *header, const fob_house_t *house, uint64_t req,
                              fob_status_t code, const char *text) {
    fob_wire_t msg = {.verb = FOB_VERB_REPLY, .shard = house->shard};
    FOB_SET(&msg, req, req);
    FOB_SET(&msg, code, (uint64_t)code);
    if (text && text[0])
        FOB_SET(&msg, text, fob_slice_str(text));
    return write_header(header, &msg);
}

fob_status_t fob_letter_fetched(fob_buf_t *header, const fob_house_t *house,
                                const fob_fetched_t *answer) {
    fob_wire_t msg = {.verb = FOB_VERB_FETCHED, .shard = house->shard};
    FOB_SET(&msg, req, answer->req);
    FOB_SET(&msg, code, FOB_OK);
    FOB_SET(&msg, next, answer->next);
    FOB_SET(&msg, head, answer->head);
    FOB_SET(&msg, epoch, house->epoch);
    FOB_SET(&msg, runs, answer->runs);
    if (answer->gone.size)
        FOB_SET(&msg, gone, answer->gone);
    if (answer->floor)
        FOB_SET(&msg, floor, answer->floor);
    return write_header(header, &msg);
}

fob_status_t fob_letter_wholeness(fob_buf_t *header, const fob_house_t *house,
                                  const fob_whole_t *whole, const fob_lasts_t *answer) {
    fob_wire_t msg = {.verb = FOB_VERB_WHOLENESS, .shard = house->shard};
    FOB_SET(&msg, req, whole->req);
    FOB_SET(&msg, code, FOB_OK);
    FOB_SET(&msg, upto, whole->upto);
    FOB_SET(&msg, floor, answer->floor);
    if (answer->more)
        FOB_SET(&msg, more, true);
    if (answer->parts > 1)
        FOB_SET(&msg, parts, answer->parts);
    return write_header(header, &msg);
}

fob_status_t fob_letter_no_past(fob_buf_t *header, const fob_house_t *house, fob_verb_t verb,
                                uint64_t req, fob_status_t code, const char *text) {
    fob_wire_t msg = {.verb = verb, .shard = house->shard};
    FOB_SET(&msg, req, req);
    FOB_SET(&msg, code, (uint64_t)code);
    FOB_SET(&msg, text, fob_slice_str(text));
    return write_header(header, &msg);
}
