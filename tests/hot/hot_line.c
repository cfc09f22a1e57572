#include "hot_line.h"

#include "bus/guard/gate.h"
#include "hot_bus.h"
#include "publishers/fire.h"
#include "publishers/session.h"
#include "subscribers/lease/leases.h"
#include "subscribers/sequence/sequencer.h"

#include <stdlib.h>
#include <string.h>

#define TOPIC    "order_placed"
#define GROUP    "billing"
#define WINDOW   4096           /* of the publisher */
#define PREFETCH 4096           /* of the worker */
#define QUEUE    65536          /* of a subscriber */
#define ROUND    (100 * FOB_US) /* that a round lasts, by all clocks */
#define FOB_US   INT64_C(1000)  /* ns */
#define DEADLINE (3600 * FOB_SEC)
#define START_MS 1700000000000

#define MESSAGES 64 /* under way at once */

/* A message under way to the bus. */
typedef struct {
    uint8_t header[HOT_HEADER_MAX];
    size_t size;
    fob_blob_t *body; /* the sender's hold, then the receiver's */
} hot_message_t;

typedef struct {
    hot_message_t all[MESSAGES];
    size_t count;
} hot_messages_t;

/* Who hears a broadcast. */
typedef struct {
    fob_sequencer_t *sequencer;
    fob_batch_t batch;
    fob_pool_t pool;
    uint64_t heard; /* events */
} hot_ear_t;

struct hot_line {
    fob_now_t now;
    uint32_t batch;
    uint8_t *data;
    size_t size;
    hot_bus_t *bus;
    uint64_t offered, confirmed, handled;
    fob_receipts_t receipts;
    fob_session_t *session;
    fob_leases_t *leases;
    hot_messages_t publishes, settles;
    hot_ear_t ear; /* of stored events */
    uint64_t fired, away;
    fob_receipts_t fire_receipts;
    fob_fire_t *fire;
    hot_messages_t casts;
    hot_ear_t fire_ear;
};

/* --- messages --- */

static void send_to(hot_messages_t *self, fob_slice_t header, fob_blob_t *body) {
    HOT_MUST(self->count < MESSAGES && header.size <= HOT_HEADER_MAX);
    hot_message_t *message = &self->all[self->count++];
    memcpy(message->header, header.data, header.size);
    message->size = header.size;
    message->body = body;
}

static fob_slice_t header_of(const hot_message_t *self) {
    return fob_slice(self->header, self->size);
}

/* What a socket does with a body: the receiver has bytes of its own. */
static void net_copies(hot_messages_t *messages) {
    for (size_t i = 0; i < messages->count; i++) {
        hot_message_t *message = &messages->all[i];
        fob_blob_t *copy = fob_blob_copy(fob_blob_slice(message->body));
        HOT_MUST(copy);
        fob_blob_unref(&message->body);
        message->body = copy;
    }
}

static void net_copies_box(hot_bus_t *bus, hot_box_t box) {
    for (size_t i = bus->first[box]; i < bus->end[box]; i++) {
        fob_body_t *body = &bus->boxes[box][i % HOT_BOX].body;
        if (!body->blob)
            continue;
        fob_blob_t *copy =
            fob_blob_copy(fob_slice(fob_blob_slice(body->blob).data + body->at, body->size));
        HOT_MUST(copy);
        fob_blob_unref(&body->blob);
        *body = (fob_body_t){copy, 0, fob_blob_slice(copy).size};
    }
}

/* --- the stages of a stored event --- */

static void hot_offer(hot_line_t *self) {
    fob_envelope_t event = {.topic = fob_slice_str(TOPIC),
                            .data = fob_slice(self->data, self->size)};
    int64_t deadline = self->now.mono_ns + DEADLINE;
    fob_slice_t header;
    fob_blob_t *body;
    uint64_t number;
    self->now.mono_ns += ROUND;
    for (uint32_t i = 0; i < self->batch; i++)
        HOT_MUST(fob_session_offer(self->session, &event, deadline, self, &number) == FOB_OK);
    self->offered += self->batch;
    fob_session_tick(self->session, self->now);
    while (fob_session_output(self->session, self->now, &header, &body))
        send_to(&self->publishes, header, body);
}

static void hot_to_the_bus(hot_line_t *self) {
    net_copies(&self->publishes);
}

static void hot_publish(hot_line_t *self) {
    fob_service_round(self->bus->service, self->now);
    for (size_t i = 0; i < self->publishes.count; i++) {
        hot_message_t *message = &self->publishes.all[i];
        hot_bus_hears(self->bus, HOT_PUBLISHER, header_of(message), message->body);
        fob_blob_unref(&message->body);
    }
    self->publishes.count = 0;
}

static void hot_commit(hot_line_t *self) {
    fob_service_turn(self->bus->service, true);
}

static void hot_wait(hot_line_t *self) {
    hot_bus_wait(self->bus);
}

static void hot_rest(hot_line_t *self) {
    (void)self;
    hot_bus_rest();
}

static void hot_deliver(hot_line_t *self) {
    fob_service_news(self->bus->service);
    fob_service_perform(self->bus->service);
}

static void hot_to_the_clients(hot_line_t *self) {
    net_copies_box(self->bus, HOT_WORKER);
    net_copies_box(self->bus, HOT_CAST);
}

/* Gives how many say that all is well. */
static uint64_t read_receipts(fob_receipts_t *receipts) {
    _Alignas(8) uint8_t bytes[8192];
    size_t count, size;
    uint64_t good = 0;
    while ((size = fob_receipts_take(receipts, bytes, sizeof bytes, &count)) > 0) {
        size_t at = 0;
        fob_receipt_t receipt;
        while (fob_receipts_read(bytes, size, &at, &receipt))
            good += receipt.status == FOB_OK;
    }
    return good;
}

static void hot_receipt(hot_line_t *self) {
    hot_letter_t *letter;
    while ((letter = hot_bus_next(self->bus, HOT_PUBLISHER))) {
        fob_wire_t msg;
        HOT_MUST(fob_wire_read(fob_slice(letter->bytes, letter->size), &msg) == FOB_OK);
        fob_session_input(self->session, self->now, &msg);
        fob_blob_unref(&letter->body.blob);
    }
    fob_session_tick(self->session, self->now);
    self->confirmed += read_receipts(&self->receipts);
}

static void handle_all(hot_line_t *self) {
    const fob_settle_how_t ack = {.kind = FOB_KIND_ACK};
    fob_event_t *event;
    while (fob_leases_next(self->leases, self->now, &event) == FOB_OK) {
        size_t size;
        HOT_MUST(fob_event_data(event, &size) && size == self->size);
        HOT_MUST(fob_leases_settle(self->leases, self->now, event, &ack) == FOB_OK);
        fob_event_destroy(&event);
        self->handled++;
    }
}

static void hot_handle(hot_line_t *self) {
    hot_letter_t *letter;
    fob_slice_t header;
    while ((letter = hot_bus_next(self->bus, HOT_WORKER))) {
        fob_wire_t msg;
        HOT_MUST(fob_wire_read(fob_slice(letter->bytes, letter->size), &msg) == FOB_OK);
        fob_leases_input(self->leases, self->now, &msg, letter->body.blob);
        fob_blob_unref(&letter->body.blob);
    }
    fob_leases_round(self->leases, self->now, self->now.mono_ns);
    handle_all(self);
    fob_leases_hurry(self->leases);
    while (fob_leases_output(self->leases, self->now, &header))
        send_to(&self->settles, header, NULL);
}

static void hot_settle(hot_line_t *self) {
    fob_service_round(self->bus->service, self->now);
    for (size_t i = 0; i < self->settles.count; i++)
        hot_bus_hears(self->bus, HOT_WORKER, header_of(&self->settles.all[i]), NULL);
    self->settles.count = 0;
    fob_service_turn(self->bus->service, true);
    fob_service_perform(self->bus->service);
}

/* --- broadcasts --- */

static void hear(hot_ear_t *self, fob_now_t now, fob_slice_t header, fob_blob_t *body) {
    fob_cast_t cast;
    fob_event_t *event;
    HOT_MUST(fob_cast_read(header, &cast) == FOB_OK);
    fob_sequencer_take(self->sequencer, &cast, body, 0);
    fob_sequencer_round(self->sequencer, now, 0);
    fob_sequencer_move(self->sequencer, &self->batch);
    while (fob_batch_next(&self->batch, &self->pool, &event) == FOB_OK) {
        size_t size;
        HOT_MUST(fob_event_data(event, &size));
        fob_event_destroy(&event);
        self->heard++;
    }
}

static void hot_sub(hot_line_t *self) {
    hot_letter_t *letter;
    while ((letter = hot_bus_next(self->bus, HOT_CAST))) {
        hear(&self->ear, self->now, fob_slice(letter->bytes, letter->size), letter->body.blob);
        fob_blob_unref(&letter->body.blob);
    }
}

static void hot_fire(hot_line_t *self) {
    fob_envelope_t event = {.topic = fob_slice_str(TOPIC),
                            .data = fob_slice(self->data, self->size)};
    int64_t deadline = self->now.mono_ns + DEADLINE;
    fob_slice_t header;
    fob_blob_t *body;
    for (uint32_t i = 0; i < self->batch; i++)
        HOT_MUST(fob_fire_offer(self->fire, self->now.mono_ns, &event, deadline, self) == FOB_OK);
    self->fired += self->batch;
    fob_fire_hurry(self->fire);
    while (fob_fire_next(self->fire, self->now, &header, &body)) {
        send_to(&self->casts, header, body);
        fob_fire_sent(self->fire);
    }
    self->away += read_receipts(&self->fire_receipts);
}

static void hot_to_the_broadcast(hot_line_t *self) {
    net_copies(&self->casts);
}

static void hot_pass(hot_line_t *self) {
    const fob_gate_limits_t limits = {self->bus->house.max_batch, self->bus->house.max_event};
    for (size_t i = 0; i < self->casts.count; i++) {
        const hot_message_t *message = &self->casts.all[i];
        HOT_MUST(fob_gate_cast(header_of(message), fob_blob_slice(message->body), &limits) ==
                 FOB_OK);
    }
}

static void hot_hear(hot_line_t *self) {
    for (size_t i = 0; i < self->casts.count; i++) {
        hot_message_t *message = &self->casts.all[i];
        hear(&self->fire_ear, self->now, header_of(message), message->body);
        fob_blob_unref(&message->body);
    }
    self->casts.count = 0;
}

const hot_stage_t hot_stages[] = {
    {"offer", "publisher: an event is taken, encoded, sent", hot_offer},
    {"to_the_bus", NULL, hot_to_the_bus},
    {"publish", "bus: a PUBLISH is read, checked, decided", hot_publish},
    {"commit", "bus: the turn's records go to the journal", hot_commit},
    {"wait", NULL, hot_wait},
    {"deliver", "bus: receipts, deliveries, broadcasts go out", hot_deliver},
    {"to_the_clients", NULL, hot_to_the_clients},
    {"receipt", "publisher: a receipt is taken and read", hot_receipt},
    {"handle", "worker: a delivery is taken, handed out, acked", hot_handle},
    {"settle", "bus: a SETTLE is decided, appended, answered", hot_settle},
    {"rest", NULL, hot_rest},
    {"sub", "subscriber: a stored event is checked and handed out", hot_sub},
    {"fire", "publisher: a fire-and-forget event is taken, encoded, sent", hot_fire},
    {"to_the_broadcast", NULL, hot_to_the_broadcast},
    {"pass", "bus: a fire-and-forget event is checked", hot_pass},
    {"hear", "subscriber: the same is taken and handed out", hot_hear},
    {NULL, NULL, NULL},
};

/* --- life --- */

/* One message before anything is counted, and what the bus says to it: a letter in that box. */
static hot_letter_t *ask(hot_line_t *self, hot_box_t client, fob_slice_t header) {
    fob_service_t *service = self->bus->service;
    hot_letter_t *letter;
    fob_service_round(service, self->now);
    hot_bus_hears(self->bus, client, header, NULL);
    fob_service_turn(service, true);
    for (;;) {
        fob_service_perform(service);
        if ((letter = hot_bus_next(self->bus, client)))
            return letter;
        hot_bus_wait(self->bus);
        fob_service_news(service);
    }
}

static fob_wire_t greet(hot_line_t *self, hot_box_t client, const char *role) {
    const uint8_t session[FOB_SESSION_SIZE] = {1, (uint8_t)client};
    fob_wire_t hello = {.verb = FOB_VERB_HELLO}, welcome;
    fob_buf_t header = {0};
    FOB_SET(&hello, version_min, 1);
    FOB_SET(&hello, version_max, 1);
    FOB_SET(&hello, role, fob_slice_str(role));
    FOB_SET(&hello, session, fob_slice(session, sizeof session));
    HOT_MUST(fob_wire_write(&header, &hello) == FOB_OK);
    hot_letter_t *letter = ask(self, client, fob_buf_slice(&header));
    HOT_MUST(fob_wire_read(fob_slice(letter->bytes, letter->size), &welcome) == FOB_OK);
    HOT_MUST(welcome.verb == FOB_VERB_WELCOME);
    fob_buf_free(&header);
    return welcome;
}

static void join(hot_line_t *self) {
    fob_wire_t msg = greet(self, HOT_WORKER, "worker");
    fob_slice_t header;
    self->leases = fob_leases_new(&(fob_leases_options_t){.group = fob_slice_str(GROUP),
                                                          .pattern = fob_slice_str(TOPIC),
                                                          .jobs = 1,
                                                          .prefetch = PREFETCH,
                                                          .worker = fob_slice_str("w"),
                                                          .give_up_mono = FOB_NEVER});
    HOT_MUST(self->leases);
    fob_leases_up(self->leases, self->now, &msg);
    fob_leases_round(self->leases, self->now, self->now.mono_ns);
    HOT_MUST(fob_leases_output(self->leases, self->now, &header));
    hot_letter_t *letter = ask(self, HOT_WORKER, header);
    HOT_MUST(fob_wire_read(fob_slice(letter->bytes, letter->size), &msg) == FOB_OK);
    HOT_MUST(msg.verb == FOB_VERB_JOINED && msg.code == FOB_OK);
    fob_leases_input(self->leases, self->now, &msg, NULL);
}

static void listen_with(hot_line_t *self, hot_ear_t *ear, const fob_wire_t *welcome) {
    ear->sequencer = fob_sequencer_new(
        &(fob_sequencer_options_t){.pattern = fob_slice_str(TOPIC), .queue = QUEUE});
    HOT_MUST(ear->sequencer);
    fob_sequencer_up(ear->sequencer, self->now, welcome);
}

static void make_clients(hot_line_t *self) {
    fob_wire_t welcome = greet(self, HOT_PUBLISHER, "publisher");
    self->receipts.wanted = self->fire_receipts.wanted = true;
    self->session = fob_session_new(&(fob_session_options_t){
        .window = WINDOW, .connect_at = FOB_NEVER, .receipts = &self->receipts});
    self->fire = fob_fire_new(WINDOW, 2, &self->fire_receipts);
    HOT_MUST(self->session && self->fire);
    fob_session_up(self->session, self->now, &welcome);
    join(self);
    welcome = greet(self, HOT_LISTENER, "subscriber");
    listen_with(self, &self->ear, &welcome);
    listen_with(self, &self->fire_ear, &welcome);
}

hot_line_t *hot_line_new(const char *folder, uint32_t batch, size_t size) {
    hot_line_t *self = calloc(1, sizeof *self);
    HOT_MUST(self && (self->data = malloc(size)));
    memset(self->data, 'd', size);
    self->batch = batch;
    self->size = size;
    self->now = (fob_now_t){.mono_ns = 100 * FOB_SEC, .wall_ms = START_MS};
    self->bus = hot_bus_new(folder, self->now);
    make_clients(self);
    return self;
}

void hot_line_check(const hot_line_t *self) {
    HOT_MUST(self->offered > 0 && self->confirmed == self->offered);
    HOT_MUST(self->handled == self->offered && self->ear.heard == self->offered);
    HOT_MUST(self->away == self->fired && self->fire_ear.heard == self->fired);
}

static void ear_free(hot_ear_t *self) {
    fob_batch_clear(&self->batch);
    fob_sequencer_destroy(&self->sequencer);
    fob_pool_empty(&self->pool);
}

void hot_line_destroy(hot_line_t **self_p) {
    hot_line_t *self = *self_p;
    if (!self)
        return;
    ear_free(&self->ear);
    ear_free(&self->fire_ear);
    fob_leases_destroy(&self->leases);
    fob_session_destroy(&self->session);
    fob_fire_destroy(&self->fire);
    fob_receipts_free(&self->receipts);
    fob_receipts_free(&self->fire_receipts);
    hot_bus_destroy(&self->bus);
    free(self->data);
    free(self);
    *self_p = NULL;
}
