/* model_bus: see model_bus.h. */
#include "support/case.h"

#include "model_bus.h"
#include "proto/envelope.h"

#include <stdlib.h>

void model_bus_start(model_bus_t *self) {
    memset(self, 0, sizeof *self);
}

void model_bus_forget(model_bus_t *self) {
    memset(self->numbers, 0, sizeof self->numbers);
    memset(self->closed, 0, sizeof self->closed);
    self->full_first = 0;
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

static void row(fob_buf_t *runs, unsigned *count, fob_status_t status, uint64_t number,
                uint64_t offset) {
    const uint64_t at[] = {status, number, 1, offset, 2};
    fob_run_write(runs, at, 5);
    ++*count;
}

static fob_status_t store(model_bus_t *self, uint64_t number, const fob_envelope_t *event) {
    unsigned topic = event->topic.data[1] - '0';
    assert_true(topic < MODEL_TOPICS && self->head + 1 < MODEL_EVENTS);
    model_event_t *to = &self->stored[self->head++];
    to->topic = topic;
    assert_int_equal(event->data.size, sizeof to->serial);
    memcpy(&to->serial, event->data.data, sizeof to->serial);
    self->offsets[number] = self->head;
    self->numbers[number] = NUMBER_STORED;
    return FOB_OK;
}

/* A refused event is offered again: what waited for it is open once more. */
static void reopen(model_bus_t *self, uint64_t number) {
    for (unsigned i = 0; i < MODEL_TOPICS; i++)
        if (self->closed[i] == number)
            self->closed[i] = 0;
    if (self->full_first == number)
        self->full_first = 0;
}

static fob_status_t offered(model_bus_t *self, uint64_t number, const fob_envelope_t *event,
                            fob_status_t readable) {
    reopen(self, number);
    if (self->full || (self->full_first && number > self->full_first)) {
        if (!self->full_first || number < self->full_first)
            self->full_first = number;
        return FOB_DISK_FULL;
    }
    if (self->next == number)
        self->next++;
    if (readable == FOB_BAD_TOPIC) {
        self->voids++;
        self->numbers[number] = NUMBER_USED_UP;
        return FOB_BAD_TOPIC;
    }
    unsigned topic = event->topic.data[1] - '0';
    if (self->busy[topic] || (self->closed[topic] && number > self->closed[topic])) {
        if (!self->closed[topic] || number < self->closed[topic])
            self->closed[topic] = number;
        self->numbers[number] = NUMBER_REFUSED;
        return FOB_BUSY;
    }
    return store(self, number, event);
}

static fob_status_t answer(model_bus_t *self, uint64_t number, uint64_t low,
                           const fob_envelope_t *event, fob_status_t readable) {
    if (!self->next) {
        if (number > 1 && low != number)
            return FOB_FORGOTTEN;
        self->next = number;
    }
    if (number < self->next && self->numbers[number] == NUMBER_STORED)
        return FOB_OK;
    if (number < self->next && self->numbers[number] == NUMBER_USED_UP)
        return FOB_BAD_TOPIC;
    if (number > self->next && !(self->full_first && number > self->full_first)) {
        self->gaps++;
        return FOB_GAP;
    }
    return offered(self, number, event, readable);
}

void model_bus_publish(model_bus_t *self, const fob_wire_t *msg, fob_slice_t body,
                       fob_buf_t *runs) {
    assert_int_equal(msg->verb, FOB_VERB_PUBLISH);
    assert_true(msg->low >= 1 && msg->low <= msg->first);
    self->publishes++;
    fob_cursor_t cursor = fob_cursor(body);
    fob_buf_t rows = {0};
    unsigned count = 0;
    uint64_t number = msg->first;
    for (; !fob_cursor_end(&cursor); number++) {
        fob_envelope_t event;
        fob_status_t readable = fob_envelope_read(&cursor, 1000000, &event);
        assert_true(readable == FOB_OK || readable == FOB_BAD_TOPIC);
        assert_true(number < MODEL_EVENTS);
        fob_status_t status = answer(self, number, msg->low, &event, readable);
        row(&rows, &count, status, number, status == FOB_OK ? self->offsets[number] : 0);
    }
    assert_true(count > 0);
    fob_buf_clear(runs);
    fob_pack_array(runs, count);
    fob_buf_put(runs, rows.data, rows.size);
    fob_buf_free(&rows);
}
