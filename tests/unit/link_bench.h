/* link_bench: a link without sockets: the test is the shell, the bus and the clock. */
#ifndef FOB_LINK_BENCH_H
#define FOB_LINK_BENCH_H

#include "support/case.h"

#include "proto/link/link.h"

#define HB (1000 * FOB_MS)

typedef struct {
    fob_link_t *link;
    fob_now_t now;
    unsigned opens, hellos, beats, goodbyes, closes, ups, downs;
    char endpoint[300];
    char text[600];
    fob_status_t status;
    uint8_t session[FOB_SESSION_SIZE]; /* of the last HELLO */
    uint64_t epoch;                    /* the same; 0: none */
    uint64_t echo;                     /* of the last beat */
    bool echoes;
} bench_t;

static inline void bench_begin(bench_t *self, const char *endpoints, bool holds) {
    *self = (bench_t){.now = {.mono_ns = 5 * FOB_SEC}};
    fob_link_options_t options = {.endpoints = fob_slice_str(endpoints),
                                  .role = "worker",
                                  .client = "test/1",
                                  .session = "0123456789abcde",
                                  .holds = holds};
    self->link = fob_link_new(&options);
    assert_non_null(self->link);
}

static inline void bench_start(bench_t *self, const char *endpoints) {
    bench_begin(self, endpoints, false);
}

static inline void note_send(bench_t *self, fob_slice_t header) {
    fob_wire_t msg;
    assert_int_equal(fob_wire_read(header, &msg), FOB_OK);
    self->beats += msg.verb == FOB_VERB_BEAT;
    if (msg.verb == FOB_VERB_BEAT) {
        self->echoes = FOB_HAS(&msg, echo);
        self->echo = msg.echo;
    }
    self->goodbyes += msg.verb == FOB_VERB_GOODBYE;
    if (msg.verb != FOB_VERB_HELLO)
        return;
    self->hellos++;
    memcpy(self->session, msg.session.data, sizeof self->session);
    self->epoch = msg.epoch;
    assert_true(fob_slice_eq(msg.role, fob_slice_str("worker")));
    assert_int_equal(msg.version_min, 1);
    assert_int_equal(msg.version_max, 1);
}

static inline void drain(bench_t *self) {
    fob_link_act_t act;
    while (fob_link_poll(self->link, self->now, &act)) {
        if (act.kind == FOB_LINK_SEND)
            note_send(self, act.header);
        self->opens += act.kind == FOB_LINK_OPEN;
        self->closes += act.kind == FOB_LINK_CLOSE;
        self->ups += act.kind == FOB_LINK_TELL_UP;
        if (act.kind == FOB_LINK_OPEN)
            snprintf(self->endpoint, sizeof self->endpoint, "%s", act.endpoint);
        if (act.kind == FOB_LINK_TELL_UP)
            assert_int_equal(act.welcome->epoch, 77);
        if (act.kind == FOB_LINK_TELL_DOWN) {
            self->downs++;
            self->status = act.status;
            snprintf(self->text, sizeof self->text, "%s", act.text);
        }
    }
}

static inline void tick(bench_t *self) {
    fob_link_tick(self->link, self->now);
    drain(self);
}

/* Lets time pass to the next deadline, and ticks. */
static inline int64_t step(bench_t *self) {
    int64_t before = self->now.mono_ns;
    int64_t due = fob_link_deadline(self->link);
    assert_true(due < FOB_NEVER);
    if (due > self->now.mono_ns)
        self->now.mono_ns = due;
    tick(self);
    return self->now.mono_ns - before;
}

static inline void hear(bench_t *self, const fob_wire_t *msg) {
    fob_link_message(self->link, self->now, msg);
    drain(self);
}

static inline void welcome_with(bench_t *self, uint64_t version, fob_slice_t caps) {
    static const uint8_t none[] = {0x90};
    fob_wire_t msg = {.verb = FOB_VERB_WELCOME};
    FOB_SET(&msg, version, version);
    FOB_SET(&msg, heartbeat, 1000);
    FOB_SET(&msg, epoch, 77);
    FOB_SET(&msg, head, 1);
    FOB_SET(&msg, level, fob_slice_str("disk"));
    FOB_SET(&msg, shards, fob_slice(none, 1));
    FOB_SET(&msg, max_event, 1);
    FOB_SET(&msg, max_batch, 1);
    FOB_SET(&msg, window, 1);
    if (caps.size)
        FOB_SET(&msg, caps, caps);
    hear(self, &msg);
}

static inline void welcome_version(bench_t *self, uint64_t version) {
    welcome_with(self, version, fob_slice(NULL, 0));
}

static inline void come_up(bench_t *self) {
    while (fob_link_state(self->link) != FOB_LINK_GREETING)
        step(self);
    welcome_version(self, 1);
    assert_int_equal(fob_link_state(self->link), FOB_LINK_UP);
}

static inline void hear_error(bench_t *self, fob_status_t code, const char *text) {
    fob_wire_t msg = {.verb = FOB_VERB_ERROR};
    FOB_SET(&msg, code, code);
    FOB_SET(&msg, text, fob_slice_str(text));
    FOB_SET(&msg, version_min, 3);
    FOB_SET(&msg, version_max, 4);
    hear(self, &msg);
}

#endif
