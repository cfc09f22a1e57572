/* fuzz_client: any messages of a bus to its clients: their link, a publisher's session, a worker's
 * leases, a subscriber's sequence. A piece is an act behind a byte: see act_t. */
#include "proto/link/link.h"
#include "publishers/session.h"
#include "subscribers/lease/leases.h"
#include "subscribers/sequence/sequencer.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/pieces.h"

#include <string.h>

typedef enum {
    MESSAGE, /* its header; the body, if any, is the next piece */
    BODIED,  /* the same with a body */
    CAST,    /* a broadcast's first frame; the second is the next piece */
    PASS,    /* time */
    OFFER,   /* an event: flags, then its topic */
    SETTLE,  /* the oldest event that is out: how */
    BROKEN,  /* the connection is gone */
    DRAIN,   /* the worker takes no more */
    ACTS
} act_t;

#define OUT_MAX   8
#define JOBS      3
#define LISTENERS 3 /* one of each mode */

typedef struct {
    fob_now_t now;
    fob_link_t *link;
    fob_session_t *session;
    fob_receipts_t receipts;
    fob_leases_t *leases;
    struct {
        fob_sequencer_t *sequencer;
        uint64_t fetch, whole; /* requests asked last */
        bool fetching;
    } listeners[LISTENERS];
    fob_event_t *out[OUT_MAX];
    size_t out_count;
    uint64_t offered, told;
} client_t;

/* --- what comes out --- */

static void says(fob_slice_t header, fob_blob_t *body) {
    fob_wire_t msg;
    FUZZ_RULE(fob_wire_read(header, &msg) == FOB_OK);
    FUZZ_RULE((body != NULL) == (msg.verb == FOB_VERB_PUBLISH));
    fob_blob_unref(&body);
}

static void on_up(client_t *self, const fob_wire_t *welcome) {
    for (size_t i = 0; i < LISTENERS; i++) {
        fob_sequencer_up(self->listeners[i].sequencer, self->now, welcome);
        self->listeners[i].fetching = false;
    }
    fob_session_up(self->session, self->now, welcome);
    fob_leases_up(self->leases, self->now, welcome);
    if (fob_session_renewal(self->session))
        fob_link_session(self->link, (const uint8_t[FOB_SESSION_SIZE]){(uint8_t)self->offered, 2});
}

static void acts(client_t *self) {
    fob_link_act_t act;
    unsigned count = 0;
    while (fob_link_poll(self->link, self->now, &act)) {
        FUZZ_RULE(++count < 100);
        if (act.kind == FOB_LINK_SEND)
            says(act.header, NULL);
        if (act.kind == FOB_LINK_OPEN)
            FUZZ_RULE(act.endpoint && act.endpoint[0]);
        if (act.kind == FOB_LINK_TELL_UP)
            on_up(self, act.welcome);
        if (act.kind == FOB_LINK_TELL_DOWN) {
            fob_session_down(self->session, self->now, act.status, act.text);
            fob_leases_down(self->leases, self->now, act.status, act.text);
            for (size_t i = 0; i < LISTENERS; i++)
                fob_sequencer_down(self->listeners[i].sequencer);
        }
    }
}

static void output(client_t *self) {
    fob_slice_t header;
    fob_blob_t *body = NULL;
    unsigned count = 0;
    while (fob_link_state(self->link) == FOB_LINK_UP &&
           fob_session_output(self->session, self->now, &header, &body)) {
        FUZZ_RULE(++count < 10000);
        says(header, body);
        body = NULL;
    }
    while (fob_link_state(self->link) == FOB_LINK_UP &&
           fob_leases_output(self->leases, self->now, &header)) {
        FUZZ_RULE(++count < 10000);
        says(header, NULL);
    }
}

static void read_receipts(client_t *self) {
    static uint8_t bytes[8192] __attribute__((aligned(8)));
    while (self->receipts.waiting) {
        size_t count, at = 0;
        size_t size = fob_receipts_take(&self->receipts, bytes, sizeof bytes, &count);
        fob_receipt_t receipt;
        while (fob_receipts_read(bytes, size, &at, &receipt))
            self->told++;
    }
}

static void work(client_t *self) {
    fob_event_t *event = NULL;
    while (self->out_count < OUT_MAX &&
           fob_leases_next(self->leases, self->now, &event) == FOB_OK) {
        FUZZ_RULE(fob_event_topic(event)[0] && fob_event_offset(event) > 0);
        FUZZ_RULE(!fob_leases_sure(self->leases, self->now, event) ||
                  fob_leases_holds(self->leases, event));
        self->out[self->out_count++] = event;
    }
    FUZZ_RULE(self->out_count <= JOBS || fob_leases_lost_text(self->leases)[0] ||
              fob_leases_refused(self->leases) || fob_leases_trouble(self->leases)[0]);
}

static void ask(client_t *self, size_t which) {
    fob_buf_t header = {0};
    fob_wire_t msg;
    while (fob_link_state(self->link) == FOB_LINK_UP &&
           fob_sequencer_ask(self->listeners[which].sequencer, &msg)) {
        bool fetch = msg.verb == FOB_VERB_FETCH;
        FUZZ_RULE(fob_wire_write(&header, &msg) == FOB_OK);
        says(fob_buf_slice(&header), NULL);
        fob_buf_clear(&header);
        FUZZ_RULE(!fetch || (!self->listeners[which].fetching && msg.limit > 0));
        FUZZ_RULE(fetch || msg.upto > msg.from);
        if (fetch) {
            self->listeners[which].fetch = msg.req;
            self->listeners[which].fetching = true;
        } else {
            self->listeners[which].whole = msg.req;
        }
    }
    fob_buf_free(&header);
}

static void listen(client_t *self, size_t which) {
    fob_sequencer_t *sequencer = self->listeners[which].sequencer;
    fob_batch_t batch = {.first = 0};
    fob_event_t *event = NULL;
    fob_status_t status;
    fob_sequencer_round(sequencer, self->now, 0);
    ask(self, which);
    while (fob_sequencer_move(sequencer, &batch)) {
        while ((status = fob_batch_next(&batch, NULL, &event)) != FOB_AGAIN) {
            FUZZ_RULE(status == FOB_OK || status == FOB_BAD_EVENT || status == FOB_GAP);
            if (status == FOB_OK)
                fob_event_destroy(&event);
        }
        fob_batch_clear(&batch);
    }
    FUZZ_RULE(fob_sequencer_deadline(sequencer) >= self->now.mono_ns);
}

static void run(client_t *self) {
    fob_link_tick(self->link, self->now);
    acts(self);
    fob_session_tick(self->session, self->now);
    fob_leases_round(self->leases, self->now, fob_link_heard(self->link));
    const char *why = fob_leases_restart(self->leases);
    if (why)
        fob_link_failed(self->link, self->now, FOB_UNREACHABLE, why);
    acts(self);
    output(self);
    work(self);
    for (size_t i = 0; i < LISTENERS; i++)
        listen(self, i);
    read_receipts(self);
    FUZZ_RULE(self->told + self->receipts.owed == self->offered);
}

/* --- what comes in --- */

/* An answer is to what was asked last, whatever it says. */
static void hears(client_t *self, size_t which, const fob_wire_t *msg, fob_blob_t *body) {
    fob_sequencer_t *sequencer = self->listeners[which].sequencer;
    fob_wire_t answer = *msg;
    answer.req = self->listeners[which].whole;
    if (msg->verb == FOB_VERB_FETCHED)
        answer.req = self->listeners[which].fetch;
    if (msg->verb == FOB_VERB_FETCHED || msg->verb == FOB_VERB_ERROR)
        self->listeners[which].fetching = false;
    if (msg->verb == FOB_VERB_BEAT)
        fob_sequencer_beat(sequencer, self->now, msg);
    else
        fob_sequencer_input(sequencer, self->now, &answer, body);
}

static void message(client_t *self, fob_slice_t header, fob_blob_t *body) {
    fob_wire_t msg;
    if (fob_wire_read(header, &msg) != FOB_OK) {
        fob_link_failed(self->link, self->now, FOB_PROTOCOL, "no header");
        acts(self);
        return;
    }
    fob_link_message(self->link, self->now, &msg);
    bool up = fob_link_state(self->link) == FOB_LINK_UP;
    acts(self);
    for (size_t i = 0; up && i < LISTENERS; i++)
        hears(self, i, &msg, body);
    if (!up || msg.verb == FOB_VERB_WELCOME || msg.verb == FOB_VERB_BEAT ||
        msg.verb == FOB_VERB_GOODBYE)
        return;
    fob_session_input(self->session, self->now, &msg);
    if (fob_session_renewal(self->session))
        fob_link_session(self->link, (const uint8_t[FOB_SESSION_SIZE]){(uint8_t)self->offered, 3});
    fob_leases_input(self->leases, self->now, &msg, body);
}

static void cast(client_t *self, fob_slice_t frame, fob_blob_t *body) {
    fob_cast_t head;
    bool good = fob_cast_read(frame, &head) == FOB_OK;
    for (size_t i = 0; i < LISTENERS; i++) {
        if (good)
            fob_sequencer_take(self->listeners[i].sequencer, &head, body, 0);
        else
            fob_sequencer_spoilt(self->listeners[i].sequencer);
    }
}

static void offer(client_t *self, fob_slice_t piece) {
    uint8_t flags = piece_byte(&piece);
    uint64_t number;
    fob_envelope_t event = {.topic = piece, .data = fob_slice_str("x")};
    if (flags & 1)
        event.id = fob_slice_str("id");
    int64_t deadline = flags & 2 ? FOB_NEVER : self->now.mono_ns + (flags + 1) * 100 * FOB_MS;
    self->offered += fob_session_offer(self->session, &event, deadline, NULL, &number) == FOB_OK;
}

static void settle(client_t *self, fob_slice_t piece) {
    if (self->out_count == 0)
        return;
    fob_settle_how_t how = {.kind = (fob_settle_kind_t)(piece_byte(&piece) % 5),
                            .after = piece_byte(&piece),
                            .reason = piece};
    fob_status_t status = fob_leases_settle(self->leases, self->now, self->out[0], &how);
    FUZZ_RULE(status == FOB_OK || status == FOB_STALE || status == FOB_INVALID);
    fob_event_destroy(&self->out[0]);
    memmove(self->out, self->out + 1, --self->out_count * sizeof self->out[0]);
}

static void act(client_t *self, uint8_t what, fob_slice_t piece, fob_slice_t next) {
    fob_blob_t *body = next.data ? fob_blob_copy(next) : NULL;
    switch ((act_t)what) {
    case MESSAGE:
    case BODIED:
        message(self, piece, body);
        break;
    case CAST:
        cast(self, piece, body);
        break;
    case PASS: {
        int64_t ms = (int64_t)piece_byte(&piece) * (1 + 10 * (int64_t)piece_byte(&piece));
        self->now.mono_ns += ms * FOB_MS;
        self->now.wall_ms += ms;
        break;
    }
    case OFFER:
        offer(self, piece);
        break;
    case SETTLE:
        settle(self, piece);
        break;
    case BROKEN:
        fob_link_broken(self->link, self->now, "broken");
        for (size_t i = 0; i < LISTENERS; i++)
            fob_sequencer_pause(self->listeners[i].sequencer);
        break;
    case DRAIN:
        fob_leases_drain(self->leases, self->now);
        break;
    case ACTS:
        break;
    }
    fob_blob_unref(&body);
}

/* --- life --- */

static void begin(client_t *self) {
    *self = (client_t){.now = {FOB_SEC, 1700000000000}};
    self->receipts.wanted = true;
    self->link =
        fob_link_new(&(fob_link_options_t){.endpoints = fob_slice_str("tcp://a:1,tcp://b:2"),
                                           .role = "worker",
                                           .client = "fuzz",
                                           .session = {1}});
    self->session = fob_session_new(&(fob_session_options_t){
        .window = 16, .seed = 1, .connect_at = FOB_NEVER, .receipts = &self->receipts});
    self->leases = fob_leases_new(&(fob_leases_options_t){.group = fob_slice_str("g"),
                                                          .pattern = fob_slice_str(">"),
                                                          .jobs = JOBS,
                                                          .prefetch = 10,
                                                          .give_up_mono = FOB_NEVER});
    FUZZ_RULE(self->link && self->session && self->leases);
    for (size_t i = 0; i < LISTENERS; i++) {
        self->listeners[i].sequencer =
            fob_sequencer_new(&(fob_sequencer_options_t){.pattern = fob_slice_str("a.>"),
                                                         .mode = (fob_sequencer_mode_t)i,
                                                         .from = FOB_SEQUENCER_OFFSET,
                                                         .value = 2,
                                                         .queue = 20,
                                                         .topics = 3,
                                                         .recent = 3,
                                                         .holes = 2});
        FUZZ_RULE(self->listeners[i].sequencer);
    }
}

static void end(client_t *self) {
    fob_session_close(self->session);
    read_receipts(self);
    FUZZ_RULE(self->told == self->offered && self->receipts.owed == 0);
    fob_leases_destroy(&self->leases); /* and what is out */
    fob_session_destroy(&self->session);
    fob_receipts_free(&self->receipts);
    for (size_t i = 0; i < LISTENERS; i++)
        fob_sequencer_destroy(&self->listeners[i].sequencer);
    fob_link_destroy(&self->link);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fob_slice_t rest = fob_slice(data, size), piece, next;
    client_t client;
    begin(&client);
    run(&client);
    while (piece_next(&rest, &piece)) {
        uint8_t what = piece_byte(&piece) % ACTS;
        next = (fob_slice_t){0};
        if ((what == BODIED || what == CAST) && !piece_next(&rest, &next))
            break;
        act(&client, what, piece, next);
        run(&client);
    }
    end(&client);
    return 0;
}
