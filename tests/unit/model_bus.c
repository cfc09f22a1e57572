/* model_bus: see model_bus.h. */
#include "support/case.h"

#include "model_bus.h"
#include "proto/envelope.h"

#include <stdlib.h>

void model_bus_start(model_bus_t *self) {
    memset(self, 0, sizeof *self);
}

void model_bus_connect(model_bus_t *self) {
    memset(self->closed, 0, sizeof self->closed);
    self->full_first = 0;
    self->answered = 0;
}

void model_bus_forget(model_bus_t *self) {
    memset(self->numbers, 0, sizeof self->numbers);
    model_bus_connect(self);
    self->next = 0;
}

uint64_t model_bus_last(const model_bus_t *self) {
    uint64_t last = self->next ? self->next - 1 : 0;
    while (last && self->numbers[last] != NUMBER_STORED)
        last--;
    return last;
}

void model_welcome(fob_wire_t *msg, uint64_t last, uint64_t window) {
    static const uint8_t none[] = {0x90};
    *msg = (fob_wire_t){.verb = FOB_VERB_WELCOME};
    FOB_SET(msg, version, 1);
    FOB_SET(msg, heartbeat, 1000);
    FOB_SET(msg, epoch, 1);
    FOB_SET(msg, head, 1);
    FOB_SET(msg, level, fob_slice_str("disk"));
    FOB_SET(msg, shards, fob_slice(none, 1));
    FOB_SET(msg, max_event, 1000000);
    FOB_SET(msg, max_batch, 2000000);
    FOB_SET(msg, window, window);
    FOB_SET(msg, last, last);
}

/* --- what is stored --- */

static uint64_t hash(uint64_t h, fob_slice_t bytes) {
    for (size_t i = 0; i < bytes.size; i++)
        h = (h ^ bytes.data[i]) * UINT64_C(1099511628211);
    return h;
}

/* The place of (topic, id) in the table, free or not. */
static uint64_t *id_place(model_bus_t *self, const fob_envelope_t *event) {
    uint64_t key = hash(hash(UINT64_C(14695981039346656037), event->topic), event->id) | 1;
    uint64_t at = (key >> 20) % MODEL_IDS;
    while (self->ids[at] && self->ids[at] != key)
        at = (at + 1) % MODEL_IDS;
    self->ids[at] = key;
    return &self->firsts[at];
}

static uint64_t serial_of(const fob_envelope_t *event) {
    uint64_t serial;
    assert_int_equal(event->data.size, sizeof serial);
    memcpy(&serial, event->data.data, sizeof serial);
    return serial;
}

/* Whether it was stored before: then that is its answer. */
static bool is_duplicate(model_bus_t *self, uint64_t number, const fob_envelope_t *event) {
    uint64_t first = event->id.size ? *id_place(self, event) : 0;
    if (!first)
        return false;
    self->duplicates++;
    self->numbers[number] = NUMBER_DUPLICATE;
    self->offsets[number] = first;
    self->differs[number] = self->stored[first - 1].serial != serial_of(event);
    return true;
}

static void store(model_bus_t *self, uint64_t number, const fob_envelope_t *event, unsigned topic) {
    assert_true(topic < MODEL_TOPICS && self->head + 1 < MODEL_EVENTS);
    self->stored[self->head++] =
        (model_event_t){.topic = topic, .priority = event->priority, .serial = serial_of(event)};
    self->depth[topic]++;
    self->offsets[number] = self->head;
    self->numbers[number] = NUMBER_STORED;
    if (event->id.size)
        *id_place(self, event) = self->head;
}

/* --- what is answered --- */

/* A refused number is offered again, in whatever form: what waited for it is open. */
static void reopen(model_bus_t *self, uint64_t number) {
    for (unsigned i = 0; i < MODEL_TOPICS; i++)
        if (self->closed[i] == number)
            self->closed[i] = 0;
    if (self->full_first == number)
        self->full_first = 0;
}

static fob_status_t busy(model_bus_t *self, uint64_t number, unsigned topic) {
    bool limit = self->limit[topic] && self->depth[topic] >= self->limit[topic];
    if (!self->busy[topic] && !limit && !self->closed[topic])
        return FOB_OK;
    if (!self->closed[topic] || number < self->closed[topic])
        self->closed[topic] = number;
    return FOB_BUSY;
}

/* A number that has no answer. */
static fob_status_t offered(model_bus_t *self, uint64_t number, const fob_envelope_t *event,
                            fob_status_t readable) {
    reopen(self, number);
    if (self->full || self->full_first) {
        if (!self->full_first || number < self->full_first)
            self->full_first = number;
        return FOB_DISK_FULL;
    }
    if (readable == FOB_BAD_TOPIC) {
        self->voids++;
        self->numbers[number] = NUMBER_USED_UP;
        return FOB_BAD_TOPIC;
    }
    unsigned topic = event->topic.data[1] - '0';
    if (is_duplicate(self, number, event))
        return FOB_OK;
    if (busy(self, number, topic) != FOB_OK)
        return FOB_BUSY;
    store(self, number, event, topic);
    return FOB_OK;
}

static fob_status_t answer(model_bus_t *self, uint64_t number, uint64_t low,
                           const fob_envelope_t *event, fob_status_t readable) {
    uint64_t expected = self->next > self->answered + 1 ? self->next : self->answered + 1;
    if (number < low) {
        self->unknown++;
        return FOB_UNKNOWN_OUTCOME;
    }
    if (number > expected) {
        self->gaps++;
        return FOB_GAP;
    }
    if (number > self->answered)
        self->answered = number;
    if (self->numbers[number] == NUMBER_USED_UP)
        return FOB_BAD_TOPIC;
    if (self->numbers[number] != NUMBER_NEW)
        return FOB_OK;
    fob_status_t status = offered(self, number, event, readable);
    if (self->numbers[number] != NUMBER_NEW && number >= self->next)
        self->next = number + 1;
    return status;
}

/* --- rows --- */

static void put_duplicate(model_bus_t *self, fob_buf_t *rows, uint64_t number) {
    fob_pack_map(rows, self->differs[number] ? 2 : 1);
    fob_pack_cstr(rows, "duplicate");
    fob_pack_bool(rows, true);
    if (!self->differs[number])
        return;
    fob_pack_cstr(rows, "differs");
    fob_pack_bool(rows, true);
}

static void put_busy(const model_bus_t *self, fob_buf_t *rows, unsigned topic) {
    char text[100];
    snprintf(text, sizeof text, "group g%u is full (%u of %u), no worker for 3 s", topic,
             (unsigned)self->depth[topic], (unsigned)self->limit[topic]);
    fob_pack_map(rows, 5);
    fob_pack_cstr(rows, "group");
    fob_pack_cstr(rows, "g");
    fob_pack_cstr(rows, "text");
    fob_pack_cstr(rows, text);
    fob_pack_cstr(rows, "depth");
    fob_pack_uint(rows, self->depth[topic]);
    fob_pack_cstr(rows, "limit");
    fob_pack_uint(rows, self->limit[topic]);
    fob_pack_cstr(rows, "retry_after");
    fob_pack_uint(rows, self->retry_ms);
}

static void row(model_bus_t *self, fob_buf_t *rows, fob_status_t status, uint64_t number,
                unsigned topic) {
    bool again = status == FOB_OK && self->numbers[number] == NUMBER_DUPLICATE;
    bool told = status == FOB_BUSY && self->retry_ms;
    fob_pack_array(rows, again || told ? 6 : 5);
    fob_pack_uint(rows, status);
    fob_pack_uint(rows, number);
    fob_pack_uint(rows, 1);
    fob_pack_uint(rows, status == FOB_OK ? self->offsets[number] : 0);
    fob_pack_uint(rows, status == FOB_OK && !again ? 2 : 0);
    if (again)
        put_duplicate(self, rows, number);
    else if (told)
        put_busy(self, rows, topic);
}

/* Whether the session is known, or this begins it. */
static bool known(model_bus_t *self, const fob_wire_t *msg) {
    if (!self->next && msg->first != 1 && msg->first != msg->low)
        return false;
    if (!self->next) {
        self->next = msg->first;
        self->answered = msg->first - 1;
    }
    return true;
}

void model_bus_publish(model_bus_t *self, const fob_wire_t *msg, fob_slice_t body,
                       fob_buf_t *runs) {
    assert_int_equal(msg->verb, FOB_VERB_PUBLISH);
    assert_true(msg->low >= 1 && msg->low <= msg->first);
    self->publishes++;
    bool forgotten = !known(self, msg);
    fob_cursor_t cursor = fob_cursor(body);
    fob_buf_t rows = {0};
    unsigned count = 0;
    for (uint64_t number = msg->first; !fob_cursor_end(&cursor); number++, count++) {
        fob_envelope_t event;
        fob_status_t status = FOB_FORGOTTEN;
        fob_status_t readable = fob_envelope_read(&cursor, 1000000, &event);
        assert_true(readable == FOB_OK || readable == FOB_BAD_TOPIC);
        assert_true(number < MODEL_EVENTS && number < msg->low + FOB_WINDOW_MAX);
        if (!forgotten)
            status = answer(self, number, msg->low, &event, readable);
        row(self, &rows, status, number, readable == FOB_OK ? event.topic.data[1] - '0' : 0);
    }
    assert_true(count > 0);
    fob_buf_clear(runs);
    fob_pack_array(runs, count);
    fob_buf_put(runs, rows.data, rows.size);
    fob_buf_free(&rows);
}
