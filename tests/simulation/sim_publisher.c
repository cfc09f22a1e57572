/* A publisher: the real session, an application that offers events and reads its receipts. */
#include "sim_world.h"

#include "publishers/session.h"

#define THINKS_MOST 20000 /* ms */

typedef struct {
    fob_session_t *session;
    fob_receipts_t receipts;
    uint64_t serial;  /* offered so far */
    uint64_t thought; /* about the one behind that */
    int64_t offer_at;
    bool known;    /* the bus has said on this connection that it knows the session */
    unsigned said; /* topics, by bit, of which one was stored anew */
} publisher_t;

static publisher_t *of(sim_client_t *self) {
    if (self->own)
        return self->own;
    publisher_t *own = self->own = sim_alloc(sizeof *own);
    own->receipts.wanted = true;
    own->session = fob_session_new(
        &(fob_session_options_t){.window = 1 + (uint32_t)sim_random_skewed(&self->random, 400),
                                 .seed = sim_random_next(&self->random),
                                 .connect_at = FOB_NEVER,
                                 .receipts = &own->receipts});
    return own;
}

static void renew_if_wanted(sim_client_t *self, fob_now_t now) {
    uint8_t secret[FOB_SESSION_SIZE];
    if (!fob_session_renewal(of(self)->session))
        return;
    sim_random_fill(&self->random, secret, sizeof secret);
    fob_link_session(self->link, secret);
    sim_client_restart(self, now, "the bus has forgotten this session");
}

static void up(sim_client_t *self, fob_now_t now, const fob_wire_t *welcome) {
    of(self)->known = welcome->last > 0;
    fob_session_up(of(self)->session, now, welcome);
    renew_if_wanted(self, now);
}

static void down(sim_client_t *self, fob_now_t now, fob_status_t why, const char *text) {
    fob_session_down(of(self)->session, now, why, text);
}

/* The session of a connection that is there is not forgotten. */
static void look_at_runs(sim_client_t *self, const fob_wire_t *msg) {
    publisher_t *own = of(self);
    fob_runs_t runs;
    fob_run_t run;
    if (msg->verb != FOB_VERB_RECEIPT || !fob_runs(msg->runs, &runs))
        return;
    while (fob_runs_next(&runs, &run)) {
        if (run.at[0] == FOB_FORGOTTEN && own->known)
            sim_world_fail(self->world, "who is connected is not forgotten",
                           "a session that was known on this connection is not any more");
        own->known |= run.at[0] == FOB_OK;
    }
}

static void input(sim_client_t *self, fob_now_t now, const fob_wire_t *msg, fob_blob_t *body) {
    (void)body;
    if (msg->verb == FOB_VERB_ERROR && msg->of == FOB_VERB_PUBLISH)
        sim_world_fail(self->world, "what the session sends is well formed", "PUBLISH is refused");
    look_at_runs(self, msg);
    fob_session_input(of(self)->session, now, msg);
    renew_if_wanted(self, now);
}

static bool output(sim_client_t *self, fob_now_t now, fob_slice_t *header, fob_blob_t **body) {
    return fob_session_output(of(self)->session, now, header, body);
}

static void note_said(sim_client_t *self, const fob_receipt_t *receipt) {
    static sim_event_t event;
    if (!self->closing || receipt->status != FOB_OK || receipt->duplicate_of)
        return;
    sim_event_offer(self->world->seed, self->number, (uint64_t)(uintptr_t)receipt->tag, &event);
    of(self)->said |= 1u << event.topic;
}

static bool all_said(const sim_client_t *self) {
    const publisher_t *own = self->own;
    return own && own->said == sim_event_topics(self->number);
}

static void receipts_read(sim_client_t *self) {
    static uint8_t bytes[8192] __attribute__((aligned(8)));
    publisher_t *own = of(self);
    while (own->receipts.waiting) {
        size_t count, at = 0, size = fob_receipts_take(&own->receipts, bytes, sizeof bytes, &count);
        fob_receipt_t receipt;
        while (fob_receipts_read(bytes, size, &at, &receipt)) {
            note_said(self, &receipt);
            sim_witness_tell(&self->world->witness,
                             &(sim_fact_t){.kind = SIM_RECEIPT,
                                           .publisher = self->number,
                                           .serial = (uint64_t)(uintptr_t)receipt.tag,
                                           .status = receipt.status,
                                           .offset = receipt.offset,
                                           .duplicate_of = receipt.duplicate_of,
                                           .differs = receipt.differs != 0,
                                           .groups = receipt.groups});
        }
    }
}

/* A deadline is far away, mostly. */
static int64_t deadline_of(sim_client_t *self, fob_now_t now) {
    if (sim_random_below(&self->random, 16))
        return now.mono_ns + 600 * FOB_SEC;
    return now.mono_ns + (int64_t)sim_random_skewed(&self->random, 20 * FOB_SEC);
}

static bool offer(sim_client_t *self, fob_now_t now) {
    static sim_event_t event;
    publisher_t *own = of(self);
    uint64_t number, serial = own->serial + 1;
    sim_event_offer(self->world->seed, self->number, serial, &event);
    fob_envelope_t envelope = sim_event_envelope(&event);
    fob_status_t status = fob_session_offer(own->session, &envelope, deadline_of(self, now),
                                            (void *)(uintptr_t)serial, &number);
    if (status != FOB_OK && status != FOB_TOO_LARGE)
        return false;
    own->serial = serial;
    sim_witness_tell(
        &self->world->witness,
        &(sim_fact_t){.kind = SIM_OFFERED, .publisher = self->number, .serial = serial});
    if (status == FOB_TOO_LARGE) /* it is told so at once, and knows it for good */
        sim_witness_tell(&self->world->witness, &(sim_fact_t){.kind = SIM_RECEIPT,
                                                              .publisher = self->number,
                                                              .serial = serial,
                                                              .status = status});
    return true;
}

/* Where the bus forgets an id soon, some are offered again only when it may have. */
static bool thinks(sim_client_t *self, fob_now_t now) {
    publisher_t *own = of(self);
    int64_t window = self->world->witness.ground.dedup_window_ms;
    bool again = (own->serial + 1) % SIM_DUPLICATE == SIM_DUPLICATE - 1;
    if (!again || window > THINKS_MOST || own->thought == own->serial ||
        !sim_random_once(&self->random, 4))
        return false;
    own->thought = own->serial;
    own->offer_at =
        now.mono_ns + (int64_t)sim_random_skewed(&self->random, 3 * (uint64_t)window) * FOB_MS;
    return true;
}

static void offer_some(sim_client_t *self, fob_now_t now) {
    publisher_t *own = of(self);
    bool over = self->closing ? all_said(self) : self->world->calm;
    if (over || now.mono_ns < own->offer_at)
        return;
    uint64_t some = 1 + sim_random_skewed(&self->random, 30);
    while (some && !thinks(self, now) && offer(self, now))
        some--;
    if (own->offer_at > now.mono_ns)
        return;
    if (some) /* there is no room: later */
        own->offer_at = now.mono_ns + 20 * FOB_MS;
    if (some)
        return;
    own->offer_at =
        now.mono_ns + (int64_t)sim_random_skewed(
                          &self->random, 2 * (uint64_t)self->world->weather.offer_ms * FOB_MS);
}

static void tick(sim_client_t *self, fob_now_t now) {
    fob_session_tick(of(self)->session, now);
    receipts_read(self);
    offer_some(self, now);
}

static int64_t deadline(sim_client_t *self) {
    publisher_t *own = of(self);
    int64_t at = fob_session_deadline(own->session);
    bool over = self->closing ? all_said(self) : self->world->calm;
    return over || at < own->offer_at ? at : own->offer_at;
}

static void end(sim_client_t *self) {
    publisher_t *own = of(self);
    fob_session_close(own->session); /* those without an answer are told so, as they are */
    receipts_read(self);
    fob_session_destroy(&own->session);
    fob_receipts_free(&own->receipts);
    free(own);
}

bool sim_publisher_done(const sim_client_t *self) {
    const publisher_t *own = self->own;
    if (self->closing && !all_said(self))
        return false;
    return !own || own->receipts.owed == 0;
}

const sim_role_t sim_publisher_role = {"publisher", up,       down, input, output,
                                       tick,        deadline, NULL, NULL,  end};
