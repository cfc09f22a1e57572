#include "tests/support/dealer.h"

#include "proto/cursor.h"
#include "proto/envelope.h"
#include "tests/support/case.h"

#include <stdlib.h>
#include <time.h>
#include <zmq.h>

struct dealer {
    void *zmq, *socket;
    zmq_msg_t header, body;
    fob_wire_t msg;
    uint64_t req;
    bool answers; /* each beat of the bus with one of its own */
};

int64_t dealer_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

dealer_t *dealer_new(const char *endpoint) {
    dealer_t *self = calloc(1, sizeof *self);
    assert_non_null(self);
    int none = 0;
    self->zmq = zmq_ctx_new();
    self->socket = zmq_socket(self->zmq, ZMQ_DEALER);
    assert_non_null(self->socket);
    zmq_setsockopt(self->socket, ZMQ_LINGER, &none, sizeof none);
    zmq_msg_init(&self->header);
    zmq_msg_init(&self->body);
    assert_int_equal(zmq_connect(self->socket, endpoint), 0);
    return self;
}

void dealer_destroy(dealer_t **self_p) {
    dealer_t *self = *self_p;
    if (!self)
        return;
    zmq_msg_close(&self->header);
    zmq_msg_close(&self->body);
    zmq_close(self->socket);
    zmq_ctx_term(self->zmq);
    free(self);
    *self_p = NULL;
}

/* --- messages --- */

void dealer_send_raw(dealer_t *self, const void *const *frames, const size_t *sizes, size_t count) {
    for (size_t i = 0; i < count; i++)
        assert_int_equal(
            zmq_send(self->socket, frames[i], sizes[i], i + 1 < count ? ZMQ_SNDMORE : 0), sizes[i]);
}

void dealer_send(dealer_t *self, const fob_wire_t *msg, const fob_buf_t *body) {
    fob_buf_t header = {0};
    assert_int_equal(fob_wire_write(&header, msg), FOB_OK);
    const void *frames[] = {header.data, body ? body->data : NULL};
    const size_t sizes[] = {header.size, body ? body->size : 0};
    dealer_send_raw(self, frames, sizes, body ? 2 : 1);
    fob_buf_free(&header);
}

const fob_wire_t *dealer_next(dealer_t *self, int timeout_ms) {
    zmq_pollitem_t item = {self->socket, 0, ZMQ_POLLIN, 0};
    if (zmq_poll(&item, 1, timeout_ms) <= 0)
        return NULL;
    assert_true(zmq_msg_recv(&self->header, self->socket, 0) >= 0);
    zmq_msg_close(&self->body);
    zmq_msg_init(&self->body);
    if (zmq_msg_more(&self->header)) {
        assert_true(zmq_msg_recv(&self->body, self->socket, 0) >= 0);
        assert_false(zmq_msg_more(&self->body));
    }
    fob_slice_t header = fob_slice(zmq_msg_data(&self->header), zmq_msg_size(&self->header));
    assert_int_equal(fob_wire_read(header, &self->msg), FOB_OK);
    return &self->msg;
}

fob_slice_t dealer_body(const dealer_t *self) {
    zmq_msg_t *body = (zmq_msg_t *)(uintptr_t)&self->body;
    return fob_slice(zmq_msg_data(body), zmq_msg_size(body));
}

const fob_wire_t *dealer_expect(dealer_t *self, fob_verb_t verb) {
    int64_t until = dealer_clock() + DEALER_PATIENCE;
    for (;;) {
        int64_t left = until - dealer_clock();
        const fob_wire_t *msg = left > 0 ? dealer_next(self, (int)left) : NULL;
        if (!msg)
            fail_msg("no %s came", fob_verb_name(verb));
        if (msg->verb == verb)
            return msg;
        if (msg->verb == FOB_VERB_BEAT && self->answers)
            dealer_beat(self);
        if (msg->verb != FOB_VERB_BEAT)
            fail_msg("%s came, not %s: %.*s", fob_verb_name(msg->verb), fob_verb_name(verb),
                     (int)msg->text.size, (const char *)msg->text.data);
    }
}

/* --- the connection --- */

void dealer_hello(dealer_t *self, uint64_t min, uint64_t max, const char *role, uint8_t session) {
    uint8_t secret[FOB_SESSION_SIZE];
    memset(secret, session, sizeof secret);
    fob_wire_t msg = {.verb = FOB_VERB_HELLO};
    FOB_SET(&msg, version_min, min);
    FOB_SET(&msg, version_max, max);
    FOB_SET(&msg, role, fob_slice_str(role));
    FOB_SET(&msg, client, fob_slice_str("dealer/test"));
    if (session)
        FOB_SET(&msg, session, fob_slice(secret, sizeof secret));
    dealer_send(self, &msg, NULL);
}

const fob_wire_t *dealer_greet(dealer_t *self, const char *role, uint8_t session) {
    dealer_hello(self, 1, 1, role, session);
    return dealer_expect(self, FOB_VERB_WELCOME);
}

void dealer_beat(dealer_t *self) {
    dealer_send(self, &(fob_wire_t){.verb = FOB_VERB_BEAT}, NULL);
}

void dealer_answer_beats(dealer_t *self) {
    self->answers = true;
}

void dealer_goodbye(dealer_t *self) {
    dealer_send(self, &(fob_wire_t){.verb = FOB_VERB_GOODBYE}, NULL);
}

/* --- publishing --- */

void dealer_events(fob_buf_t *out, const char *topic, size_t count, size_t size) {
    uint8_t *data = malloc(size + 1);
    assert_non_null(data);
    memset(data, 'x', size);
    for (size_t i = 0; i < count; i++) {
        fob_envelope_t event = {.topic = fob_slice_str(topic), .data = fob_slice(data, size)};
        assert_int_equal(fob_envelope_write(out, SIZE_MAX, &event), FOB_OK);
    }
    free(data);
}

void dealer_publish(dealer_t *self, uint64_t first, const char *topic, size_t count) {
    fob_buf_t body = {0};
    dealer_events(&body, topic, count, 16);
    fob_wire_t msg = {.verb = FOB_VERB_PUBLISH};
    FOB_SET(&msg, first, first);
    FOB_SET(&msg, low, first);
    dealer_send(self, &msg, &body);
    fob_buf_free(&body);
}

uint64_t dealer_receipts(dealer_t *self, uint64_t first, uint64_t count, fob_status_t code) {
    uint64_t next = first, offset = 0;
    while (next < first + count) {
        const fob_wire_t *msg = dealer_expect(self, FOB_VERB_RECEIPT);
        fob_runs_t runs;
        fob_run_t run;
        assert_true(fob_runs(msg->runs, &runs));
        while (fob_runs_next(&runs, &run)) {
            if (run.at[0] != (uint64_t)code || run.at[1] != next)
                fail_msg("code %s for %lu, not %s for %lu",
                         fob_status_name((fob_status_t)run.at[0]), (unsigned long)run.at[1],
                         fob_status_name(code), (unsigned long)next);
            if (next == first)
                offset = run.at[3];
            next += run.at[2];
        }
    }
    assert_true(next == first + count);
    return offset;
}

/* --- working --- */

void dealer_join(dealer_t *self, const char *group, const char *pattern, uint64_t credit) {
    fob_wire_t msg = {.verb = FOB_VERB_JOIN};
    FOB_SET(&msg, group, fob_slice_str(group));
    FOB_SET(&msg, pattern, fob_slice_str(pattern));
    FOB_SET(&msg, create, true);
    FOB_SET(&msg, jobs, 1);
    FOB_SET(&msg, credit, credit);
    dealer_send(self, &msg, NULL);
    const fob_wire_t *joined = dealer_expect(self, FOB_VERB_JOINED);
    assert_int_equal(joined->code, FOB_OK);
}

void dealer_deliveries(dealer_t *self, uint64_t count, uint64_t *offset, uint64_t *token) {
    uint64_t seen = 0;
    while (seen < count) {
        const fob_wire_t *msg = dealer_expect(self, FOB_VERB_DELIVER);
        fob_runs_t runs;
        fob_run_t run;
        assert_true(fob_runs(msg->runs, &runs));
        while (fob_runs_next(&runs, &run)) {
            if (seen == 0) {
                *offset = run.at[0];
                *token = run.at[2];
            }
            seen += run.at[1];
        }
    }
    assert_true(seen == count);
}

void dealer_settle(dealer_t *self, const char *group, uint64_t seq, fob_settle_kind_t kind,
                   uint64_t offset, uint64_t count, uint64_t token) {
    fob_buf_t runs = {0};
    uint64_t row[] = {kind, offset, count, token};
    fob_pack_array(&runs, 1);
    fob_run_write(&runs, row, 4);
    fob_wire_t msg = {.verb = FOB_VERB_SETTLE};
    FOB_SET(&msg, group, fob_slice_str(group));
    FOB_SET(&msg, seq, seq);
    FOB_SET(&msg, runs, fob_buf_slice(&runs));
    dealer_send(self, &msg, NULL);
    fob_buf_free(&runs);
}

fob_run_t dealer_run(fob_slice_t raw) {
    fob_runs_t runs;
    fob_run_t run;
    assert_true(fob_runs(raw, &runs));
    assert_true(fob_runs_next(&runs, &run));
    return run;
}

/* --- figures --- */

/* Goes into a map to the value of a name. */
static bool find(fob_cursor_t *cursor, const char *name) {
    uint32_t count;
    fob_slice_t key;
    if (!fob_cursor_map(cursor, &count))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!fob_cursor_str(cursor, &key))
            return false;
        if (fob_slice_eq(key, fob_slice_str(name)))
            return true;
        if (!fob_cursor_skip(cursor, NULL))
            return false;
    }
    return false;
}

/* Goes to the group of that name in the array. */
static bool find_group(fob_cursor_t *cursor, const char *group) {
    uint32_t count;
    if (!fob_cursor_array(cursor, &count))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        fob_cursor_t inside = *cursor;
        fob_slice_t name;
        if (find(&inside, "group") && fob_cursor_str(&inside, &name) &&
            fob_slice_eq(name, fob_slice_str(group)))
            return true;
        if (!fob_cursor_skip(cursor, NULL))
            return false;
    }
    return false;
}

static void ask(dealer_t *self) {
    fob_wire_t msg = {.verb = FOB_VERB_STATS};
    FOB_SET(&msg, req, ++self->req);
    dealer_send(self, &msg, NULL);
    const fob_wire_t *reply = dealer_expect(self, FOB_VERB_REPLY);
    assert_true(reply->req == self->req);
    assert_int_equal(reply->code, FOB_OK);
}

uint64_t dealer_figure(dealer_t *self, const char *group, const char *name) {
    ask(self);
    fob_cursor_t cursor = fob_cursor(dealer_body(self));
    uint64_t value = 0;
    bool found = find(&cursor, group ? "groups" : "bus");
    if (found && group)
        found = find_group(&cursor, group);
    if (!found || !find(&cursor, name) || !fob_cursor_uint(&cursor, &value))
        fail_msg("no figure %s of %s", name, group ? group : "the bus");
    return value;
}

static void figure_within(dealer_t *self, const char *group, const char *name, uint64_t least,
                          uint64_t most) {
    int64_t until = dealer_clock() + DEALER_PATIENCE;
    uint64_t seen = dealer_figure(self, group, name);
    while (seen < least || seen > most) {
        if (dealer_clock() > until)
            fail_msg("%s is %lu, not %lu", name, (unsigned long)seen, (unsigned long)least);
        zmq_poll(NULL, 0, 5); /* not to fill the processor while others work */
        seen = dealer_figure(self, group, name);
    }
}

void dealer_figure_becomes(dealer_t *self, const char *group, const char *name, uint64_t value) {
    figure_within(self, group, name, value, value);
}

void dealer_figure_reaches(dealer_t *self, const char *group, const char *name, uint64_t least) {
    figure_within(self, group, name, least, UINT64_MAX);
}
