/* The shell around a client's pure parts, as proto/link/conduit.c is, on the simulated network. */
#include "sim_world.h"

#define INPUTS  128
#define OUTPUTS 128

static fob_now_t now_of(const sim_client_t *self) {
    return sim_clock_now(&self->clock, self->world->now_ns);
}

void sim_client_wake(sim_client_t *self) {
    if (!self->own || !self->conn)
        return;
    int64_t at = sim_pipe_next(&self->conn->down);
    if (self->conn->told_client_ns < at)
        at = self->conn->told_client_ns;
    at = at < self->frozen_ns ? self->frozen_ns : at;
    if (at < self->due_ns)
        self->due_ns = at;
}

int64_t sim_client_heard(const sim_client_t *self) {
    return fob_link_heard(self->link);
}

void sim_client_restart(sim_client_t *self, fob_now_t now, const char *why) {
    fob_link_failed(self->link, now, FOB_UNREACHABLE, why);
}

void sim_client_cut(sim_client_t *self, bool tell_client, bool tell_bus) {
    if (!self->conn)
        return;
    sim_network_cut(&self->world->network, self->conn, self->world->now_ns, tell_client, tell_bus);
    sim_witness_tell(&self->world->witness,
                     &(sim_fact_t){.kind = SIM_DOWN, .worker = self->number});
    sim_client_wake(self);
}

/* --- the link's wishes --- */

static void close_conn(sim_client_t *self, bool polite) {
    if (self->conn)
        sim_network_close(&self->world->network, self->conn, self->world->now_ns, polite);
    self->conn = NULL;
}

static void open_conn(sim_client_t *self) {
    sim_world_t *world = self->world;
    close_conn(self, false);
    self->conn = sim_network_open(&world->network, self->index, world->now_ns);
    if (self->conn && !world->bus.ledger) { /* nobody listens: refused */
        self->conn->up.cut = self->conn->down.cut = true;
        self->conn->told_client_ns = world->now_ns + FOB_MS;
    }
}

static void send(sim_client_t *self, fob_now_t now, fob_slice_t header, fob_blob_t *body) {
    if (!self->conn) {
        fob_blob_unref(&body);
        fob_link_broken(self->link, now, "the connection was lost");
        return;
    }
    sim_network_send(&self->world->network, self->conn, true, self->world->now_ns, header, body);
    fob_link_sent(self->link, now);
}

static void acts_run(sim_client_t *self, fob_now_t now) {
    fob_link_act_t act;
    while (fob_link_poll(self->link, now, &act)) {
        switch (act.kind) {
        case FOB_LINK_NONE:
            break;
        case FOB_LINK_OPEN:
            open_conn(self);
            break;
        case FOB_LINK_SEND:
            if (self->conn)
                send(self, now, act.header, NULL);
            break;
        case FOB_LINK_CLOSE:
            close_conn(self, fob_link_state(self->link) == FOB_LINK_CLOSED);
            break;
        case FOB_LINK_TELL_UP:
            self->role->up(self, now, act.welcome);
            break;
        case FOB_LINK_TELL_DOWN:
            sim_witness_tell(&self->world->witness,
                             &(sim_fact_t){.kind = SIM_DOWN, .worker = self->number});
            self->role->down(self, now, act.status, act.text);
            break;
        }
    }
}

/* --- rounds --- */

static bool for_client(fob_verb_t verb) {
    return verb != FOB_VERB_WELCOME && verb != FOB_VERB_BEAT && verb != FOB_VERB_GOODBYE;
}

static void message(sim_client_t *self, fob_now_t now, const sim_letter_t *letter) {
    fob_wire_t msg;
    if (fob_wire_read(fob_slice(letter->header, letter->size), &msg) != FOB_OK)
        sim_world_fail(self->world, "the bus speaks the protocol",
                       "a client got a header that it cannot read");
    fob_link_message(self->link, now, &msg);
    bool up = fob_link_state(self->link) == FOB_LINK_UP;
    acts_run(self, now);
    if (up && for_client(msg.verb))
        self->role->input(self, now, &msg, letter->body);
    else if (up && msg.verb == FOB_VERB_BEAT && self->role->beat)
        self->role->beat(self, now, &msg);
}

static void input(sim_client_t *self, fob_now_t now) {
    sim_letter_t letter;
    unsigned n = 0;
    while (n < INPUTS && self->conn &&
           sim_network_arrived(&self->conn->down, self->world->now_ns, &letter)) {
        message(self, now, &letter);
        sim_letter_free(&letter);
        acts_run(self, now);
        n++;
    }
    self->more = n == INPUTS;
    if (!self->more && self->conn && self->conn->told_client_ns <= self->world->now_ns)
        fob_link_broken(self->link, now, "the connection was lost");
    acts_run(self, now);
}

static bool output(sim_client_t *self, fob_now_t now) {
    for (unsigned n = 0; n < OUTPUTS; n++) {
        fob_slice_t header = {0};
        fob_blob_t *body = NULL;
        if (fob_link_state(self->link) != FOB_LINK_UP)
            return false;
        if (!self->role->output(self, now, &header, &body))
            return true;
        send(self, now, header, body);
    }
    self->more = true;
    return false;
}

static void due(sim_client_t *self) {
    int64_t at = fob_link_deadline(self->link);
    int64_t role = self->role->deadline(self);
    at = sim_clock_when(&self->clock, role < at ? role : at);
    if (at <= self->world->now_ns)
        at = self->world->now_ns + FOB_MS / 100;
    if (self->more)
        at = self->world->now_ns;
    self->due_ns = at;
    sim_client_wake(self);
}

void sim_client_run(sim_client_t *self) {
    fob_now_t now = now_of(self);
    self->more = false;
    input(self, now);
    fob_link_tick(self->link, now);
    acts_run(self, now);
    self->role->tick(self, now);
    acts_run(self, now);
    bool all_sent = output(self, now);
    acts_run(self, now);
    if (self->leaving && all_sent) {
        fob_link_goodbye(self->link, now);
        acts_run(self, now);
        self->gone = true;
    }
    due(self);
}

/* --- life --- */

void sim_client_birth(sim_world_t *world, sim_client_t *self, const sim_role_t *role) {
    fob_link_options_t link = {.endpoints = fob_slice_str("tcp://bus:7670"),
                               .role = role->name,
                               .client = "simulated",
                               .holds = role == &sim_worker_role};
    self->world = world;
    self->role = role;
    self->number = ++world->next_number;
    self->random = sim_random_fork(&world->random);
    self->clock = (sim_clock_t){(int64_t)sim_random_between(&self->random, 1, 1u << 30) * FOB_MS,
                                (int64_t)sim_random_below(&self->random, 401) - 200, 1700000000000};
    sim_random_fill(&self->random, link.session, sizeof link.session);
    self->link = fob_link_new(&link);
    self->leaving = self->gone = self->more = false;
    self->frozen_ns = 0;
    self->conn = NULL;
    self->due_ns = world->now_ns;
}

void sim_client_death(sim_client_t *self, bool polite) {
    sim_witness_tell(&self->world->witness,
                     &(sim_fact_t){.kind = SIM_DOWN, .worker = self->number});
    if (self->conn && !polite && sim_random_once(&self->random, 3))
        sim_network_cut(&self->world->network, self->conn, self->world->now_ns, false, false);
    close_conn(self, polite);
    self->role->end(self);
    self->own = NULL;
    fob_link_destroy(&self->link);
    self->due_ns = FOB_NEVER;
}
