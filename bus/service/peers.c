#include "bus/service/peers.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define LOOKS_PER_BEAT 4 /* how often in a heartbeat the beats are looked at */

typedef struct {
    uint64_t conn;   /* 0: the slot is free */
    uint32_t number; /* of the routing id */
    uint32_t next_free;
    fob_role_t role;
    uint32_t malformed;
    bool has_session, unreachable;
    uint8_t route[FOB_ROUTE_SIZE];
    uint8_t session[FOB_SESSION_SIZE];
    uint64_t epoch; /* of the offsets that it has; 0: it did not say */
    int64_t heard_ns, sent_ns;
    uint64_t line;
} peer_t;

struct fob_peers {
    fob_peers_config_t config;
    peer_t *slots;
    size_t slot_most;    /* for those that cannot be reached, too */
    uint32_t slot_count; /* in use or on the free list */
    uint32_t free_slot;  /* index + 1; 0: none */
    uint32_t *table;     /* routing number -> slot + 1, open addressing */
    uint32_t mask;
    uint32_t hellos;            /* ever, round and round: connections are numbered in this order */
    int64_t round_ns;           /* when the last round began */
    int64_t spare_ns;           /* nobody is declared dead before */
    int64_t next_ns;            /* the next look at the beats */
    size_t expire_at, quiet_at; /* where a look has come to; SIZE_MAX: it is over */
    fob_peers_stats_t stats;
};

static uint32_t route_hash(uint32_t number) {
    number ^= number >> 16;
    number *= 0x7feb352dU;
    number ^= number >> 15;
    return number;
}

fob_peers_t *fob_peers_new(const fob_peers_config_t *config) {
    fob_peers_t *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->config = *config;
    uint32_t size = 16;
    self->slot_most = 2 * (size_t)config->max_connections + 1;
    while (size < 2 * (uint64_t)self->slot_most && size < 1U << 30)
        size *= 2;
    self->mask = size - 1;
    self->table = calloc(size, sizeof *self->table);
    self->slots = calloc(self->slot_most, sizeof *self->slots);
    self->next_ns = FOB_NEVER;
    self->expire_at = self->quiet_at = SIZE_MAX;
    if (!self->table || !self->slots)
        fob_peers_destroy(&self);
    return self;
}

void fob_peers_destroy(fob_peers_t **self_p) {
    fob_peers_t *self = *self_p;
    if (!self)
        return;
    free(self->table);
    free(self->slots);
    free(self);
    *self_p = NULL;
}

/* --- the table of routing ids --- */

static bool route_number(fob_slice_t route, uint32_t *number) {
    if (route.size != FOB_ROUTE_SIZE || route.data[0] != 0)
        return false;
    memcpy(number, route.data + 1, sizeof *number);
    return true;
}

/* The place in the table of a number, or the free place where it would be. */
static uint32_t place_of(const fob_peers_t *self, uint32_t number) {
    uint32_t at = route_hash(number) & self->mask;
    while (self->table[at] && self->slots[self->table[at] - 1].number != number)
        at = (at + 1) & self->mask;
    return at;
}

static peer_t *by_number(const fob_peers_t *self, uint32_t number) {
    uint32_t slot = self->table[place_of(self, number)];
    return slot ? &self->slots[slot - 1] : NULL;
}

static peer_t *by_conn(const fob_peers_t *self, uint64_t conn) {
    uint32_t slot = (uint32_t)conn;
    if (slot == 0 || slot > self->slot_count || self->slots[slot - 1].conn != conn)
        return NULL;
    return &self->slots[slot - 1];
}

/* Takes a number out, moving up what was pushed behind it by collisions. */
static void unplace(fob_peers_t *self, uint32_t number) {
    uint32_t hole = place_of(self, number);
    uint32_t at = hole;
    for (;;) {
        at = (at + 1) & self->mask;
        if (!self->table[at])
            break;
        uint32_t home = route_hash(self->slots[self->table[at] - 1].number) & self->mask;
        if (((at - home) & self->mask) >= ((at - hole) & self->mask)) {
            self->table[hole] = self->table[at];
            hole = at;
        }
    }
    self->table[hole] = 0;
}

/* All that are known. */
static uint32_t count(const fob_peers_t *self) {
    return self->stats.connections + self->stats.unreachable;
}

/* It does not count as a connection any more. */
static void uncount(fob_peers_t *self, const peer_t *peer) {
    if (peer->unreachable) {
        self->stats.unreachable--;
        return;
    }
    self->stats.connections--;
    self->stats.roles[peer->role]--;
}

static void drop(fob_peers_t *self, peer_t *peer) {
    unplace(self, peer->number);
    uncount(self, peer);
    peer->conn = 0;
    peer->next_free = self->free_slot;
    self->free_slot = (uint32_t)(peer - self->slots) + 1;
    if (count(self) == 0)
        self->next_ns = FOB_NEVER;
}

static peer_t *add(fob_peers_t *self, fob_now_t now, fob_slice_t route, uint32_t number) {
    assert(self->slots);
    uint32_t slot = self->free_slot;
    if (slot)
        self->free_slot = self->slots[slot - 1].next_free;
    else
        slot = ++self->slot_count;
    peer_t *peer = &self->slots[slot - 1];
    *peer = (peer_t){.number = number, .conn = (uint64_t)++self->hellos << 32 | slot};
    memcpy(peer->route, route.data, FOB_ROUTE_SIZE);
    peer->heard_ns = peer->sent_ns = now.mono_ns;
    self->table[place_of(self, number)] = slot;
    if (count(self) == 0)
        self->next_ns = now.mono_ns + self->config.heartbeat_ns / LOOKS_PER_BEAT;
    self->stats.connections++;
    return peer;
}

/* --- answers --- */

static void answer(fob_peers_verdict_t *out, fob_status_t code, unsigned of, const char *text) {
    out->answer = true;
    out->error = (fob_wire_t){.verb = FOB_VERB_ERROR};
    if (text != out->text)
        snprintf(out->text, sizeof out->text, "%s", text);
    FOB_SET(&out->error, code, (uint64_t)code);
    FOB_SET(&out->error, text, fob_slice_str(out->text));
    if (of)
        FOB_SET(&out->error, of, of);
}

static void end(fob_peers_t *self, peer_t *peer, fob_peers_verdict_t *out) {
    out->ended = peer->conn;
    out->conn = 0;
    drop(self, peer);
}

static void fault(fob_peers_t *self, peer_t *peer, unsigned of, const char *text,
                  fob_peers_verdict_t *out) {
    self->stats.malformed++;
    out->act = FOB_PEERS_NOTHING;
    answer(out, FOB_PROTOCOL, of, text);
    if (peer && ++peer->malformed >= FOB_PEERS_MALFORMED)
        out->faulty = peer->conn;
}

void fob_peers_fault(fob_peers_t *self, uint64_t conn, fob_verb_t of, const char *text,
                     fob_peers_verdict_t *out) {
    *out = (fob_peers_verdict_t){.conn = conn};
    fault(self, by_conn(self, conn), of, text, out);
}

/* --- the handshake --- */

static fob_role_t role_of(fob_slice_t name) {
    static const char *const names[FOB_ROLE_COUNT] = {"", "publisher", "worker", "subscriber",
                                                      "admin"};
    for (int role = FOB_ROLE_PUBLISHER; role < FOB_ROLE_COUNT; role++)
        if (fob_slice_eq(name, fob_slice_str(names[role])))
            return (fob_role_t)role;
    return FOB_ROLE_OTHER;
}

static bool speaks(const fob_wire_t *msg, fob_peers_verdict_t *out) {
    if (msg->version_min <= FOB_WIRE_VERSION && msg->version_max >= FOB_WIRE_VERSION)
        return true;
    snprintf(out->text, sizeof out->text,
             "the client speaks versions %llu to %llu of the protocol, this bus %d to %d: use a %s",
             (unsigned long long)msg->version_min, (unsigned long long)msg->version_max,
             FOB_WIRE_VERSION, FOB_WIRE_VERSION,
             msg->version_min > FOB_WIRE_VERSION ? "newer bus" : "newer client");
    answer(out, FOB_VERSION, FOB_VERB_HELLO, out->text);
    FOB_SET(&out->error, version_min, FOB_WIRE_VERSION);
    FOB_SET(&out->error, version_max, FOB_WIRE_VERSION);
    return false;
}

/* Whether a HELLO is of who was there before, and may ask for what it left unanswered. */
static bool is_same(const peer_t *peer, const fob_wire_t *msg) {
    return peer->has_session && msg->session.size == FOB_SESSION_SIZE &&
           memcmp(peer->session, msg->session.data, FOB_SESSION_SIZE) == 0;
}

static void hello(fob_peers_t *self, fob_now_t now, const fob_peers_input_t *input, uint32_t number,
                  fob_peers_verdict_t *out) {
    const fob_wire_t *msg = input->msg;
    peer_t *peer = by_number(self, number);
    bool spoken = speaks(msg, out);
    if (peer) { /* it begins anew: whatever was before is over */
        out->other = !spoken || !is_same(peer, msg);
        end(self, peer, out);
    }
    if (!spoken)
        return;
    if (msg->session.size != 0 && msg->session.size != FOB_SESSION_SIZE) {
        fault(self, NULL, FOB_VERB_HELLO, "the session in a HELLO is 16 bytes", out);
        return;
    }
    if (self->stats.connections >= self->config.max_connections || count(self) >= self->slot_most) {
        snprintf(out->text, sizeof out->text,
                 "this bus takes %u connections at the most: raise max_connections, or end some",
                 self->config.max_connections);
        answer(out, FOB_LIMIT, FOB_VERB_HELLO, out->text);
        return;
    }
    peer = add(self, now, input->route, number);
    peer->line = input->line;
    peer->role = role_of(msg->role);
    peer->epoch = msg->epoch;
    self->stats.roles[peer->role]++;
    if (msg->session.size) {
        peer->has_session = true;
        memcpy(peer->session, msg->session.data, FOB_SESSION_SIZE);
    }
    out->act = FOB_PEERS_WELCOME;
    out->conn = peer->conn;
}

/* --- messages --- */

static bool from_client(fob_verb_t verb) {
    enum { C = 1, B = 0, CB = 1 };
    switch (verb) {
#define DIRECTION(number, name, direction)                                                         \
    case FOB_VERB_##name:                                                                          \
        return direction;
        FOB_VERB_MAP(DIRECTION)
#undef DIRECTION
    }
    return false;
}

static bool well_formed(const fob_peers_input_t *input, fob_peers_verdict_t *out) {
    const char *name = fob_verb_name(input->msg->verb);
    const char *what = NULL;
    if (input->read != FOB_OK)
        what = name ? "is malformed: see PROTOCOL.md for its fields" : NULL;
    else if (!from_client(input->msg->verb))
        what = "is only sent by the bus";
    else if (!input->framed)
        what = "has a wrong number of frames";
    else
        return true;
    if (what)
        snprintf(out->text, sizeof out->text, "%s %s", name, what);
    else if (!name && input->msg->verb)
        snprintf(out->text, sizeof out->text,
                 "verb %u is none that this bus knows: it speaks version %d", input->msg->verb,
                 FOB_WIRE_VERSION);
    else
        snprintf(out->text, sizeof out->text, "the header of the message cannot be read");
    return false;
}

static bool owned(const fob_peers_t *self, const fob_wire_t *msg, fob_peers_verdict_t *out) {
    if (msg->shard == self->config.shard)
        return true;
    snprintf(out->text, sizeof out->text, "shard %u is not here: this bus owns shard %u only",
             msg->shard, self->config.shard);
    answer(out, FOB_NOT_OWNER, msg->verb, out->text);
    return false;
}

static void known(fob_peers_t *self, peer_t *peer, const fob_peers_input_t *input,
                  fob_peers_verdict_t *out) {
    const fob_wire_t *msg = input->msg;
    bool late = msg->verb == FOB_VERB_SETTLE || msg->verb == FOB_VERB_LEAVE;
    if (msg->verb == FOB_VERB_GOODBYE) {
        end(self, peer, out);
        out->goodbye = true;
    } else if (peer->unreachable && !late) {
        answer(out, FOB_HELLO_FIRST, msg->verb, fob_status_text(FOB_HELLO_FIRST));
    } else if (msg->verb == FOB_VERB_BEAT) {
        out->act = FOB_HAS(msg, echo) ? FOB_PEERS_ECHO : FOB_PEERS_NOTHING;
    } else if (owned(self, msg, out)) {
        out->act = FOB_PEERS_COMMAND;
    }
}

void fob_peers_input(fob_peers_t *self, fob_now_t now, const fob_peers_input_t *input,
                     fob_peers_verdict_t *out) {
    out->act = FOB_PEERS_NOTHING;
    out->conn = out->ended = out->faulty = 0;
    out->goodbye = out->other = out->answer = false;
    uint32_t number;
    if (!route_number(input->route, &number)) {
        fault(self, NULL, 0, "set no routing id on the DEALER: see PROTOCOL.md", out);
        return;
    }
    peer_t *peer = by_number(self, number);
    if (peer) {
        out->conn = peer->conn;
        if (!peer->unreachable)
            peer->heard_ns = now.mono_ns;
        peer->line = input->line;
    }
    unsigned verb = input->msg->verb;
    if (!well_formed(input, out)) {
        fault(self, peer, verb, out->text, out);
        return;
    }
    if (verb == FOB_VERB_HELLO) {
        hello(self, now, input, number, out);
    } else if (peer) {
        known(self, peer, input, out);
    } else if (verb != FOB_VERB_GOODBYE) {
        answer(out, FOB_HELLO_FIRST, verb, fob_status_text(FOB_HELLO_FIRST));
    }
}

/* --- beats --- */

void fob_peers_round(fob_peers_t *self, fob_now_t now) {
    int64_t beat = self->config.heartbeat_ns;
    if (self->round_ns && now.mono_ns - self->round_ns > beat / 2 + beat / LOOKS_PER_BEAT)
        self->spare_ns = now.mono_ns + beat;
    self->round_ns = now.mono_ns;
    if (now.mono_ns >= self->next_ns) {
        self->next_ns = now.mono_ns + beat / LOOKS_PER_BEAT;
        self->expire_at = self->quiet_at = 0;
    }
}

/* It was heard for the last time so long ago. */
static bool is_silent(const fob_peers_t *self, fob_now_t now, const peer_t *peer) {
    return now.mono_ns - peer->heard_ns > FOB_PEERS_BEATS * self->config.heartbeat_ns;
}

/* Hears what came of a message that is not whole yet. */
static void listen_closely(const fob_peers_t *self, peer_t *peer) {
    if (peer->unreachable || !peer->line || !self->config.more)
        return;
    int64_t more_ns = self->config.more(self->config.arg, peer->line);
    if (more_ns > peer->heard_ns)
        peer->heard_ns = more_ns;
}

uint64_t fob_peers_expired(fob_peers_t *self, fob_now_t now) {
    if (now.mono_ns < self->spare_ns)
        self->expire_at = SIZE_MAX;
    while (self->expire_at < self->slot_count) {
        peer_t *peer = &self->slots[self->expire_at++];
        if (peer->conn && is_silent(self, now, peer))
            listen_closely(self, peer);
        if (!peer->conn || !is_silent(self, now, peer))
            continue;
        uint64_t conn = peer->conn;
        self->stats.lost += !peer->unreachable;
        drop(self, peer);
        return conn;
    }
    self->expire_at = SIZE_MAX;
    return 0;
}

uint64_t fob_peers_quiet(fob_peers_t *self, fob_now_t now) {
    int64_t long_ns = self->config.heartbeat_ns - self->config.heartbeat_ns / LOOKS_PER_BEAT;
    while (self->quiet_at < self->slot_count) {
        const peer_t *peer = &self->slots[self->quiet_at++];
        if (peer->conn && !peer->unreachable && now.mono_ns - peer->sent_ns >= long_ns)
            return peer->conn;
    }
    self->quiet_at = SIZE_MAX;
    return 0;
}

int64_t fob_peers_deadline(const fob_peers_t *self) {
    return self->next_ns;
}

void fob_peers_sent(fob_peers_t *self, fob_now_t now, uint64_t conn) {
    peer_t *peer = by_conn(self, conn);
    if (peer)
        peer->sent_ns = now.mono_ns;
}

int64_t fob_peers_unreach(fob_peers_t *self, uint64_t conn) {
    peer_t *peer = by_conn(self, conn);
    if (!peer || peer->unreachable)
        return 0;
    uncount(self, peer);
    self->stats.unreachable++;
    peer->unreachable = true;
    return peer->heard_ns + FOB_PEERS_BEATS * self->config.heartbeat_ns;
}

bool fob_peers_forget(fob_peers_t *self, uint64_t conn) {
    peer_t *peer = by_conn(self, conn);
    if (peer)
        drop(self, peer);
    return peer != NULL;
}

/* --- who is there --- */

fob_slice_t fob_peers_route(const fob_peers_t *self, uint64_t conn) {
    const peer_t *peer = by_conn(self, conn);
    return peer && !peer->unreachable ? fob_slice(peer->route, FOB_ROUTE_SIZE) : fob_slice(NULL, 0);
}

uint64_t fob_peers_epoch(const fob_peers_t *self, uint64_t conn) {
    const peer_t *peer = by_conn(self, conn);
    return peer ? peer->epoch : 0;
}

const uint8_t *fob_peers_session(const fob_peers_t *self, uint64_t conn) {
    const peer_t *peer = by_conn(self, conn);
    return peer && peer->has_session ? peer->session : NULL;
}

uint64_t fob_peers_next(const fob_peers_t *self, size_t *at) {
    while (*at < self->slot_count) {
        const peer_t *peer = &self->slots[(*at)++];
        if (peer->conn && !peer->unreachable)
            return peer->conn;
    }
    return 0;
}

uint64_t fob_peers_former(const fob_peers_t *self, uint64_t conn, size_t *at) {
    const peer_t *peer = by_conn(self, conn);
    if (!peer || !peer->has_session || self->stats.unreachable == 0)
        return 0;
    while (*at < self->slot_count) {
        const peer_t *one = &self->slots[(*at)++];
        if (one->conn && one->unreachable && one->has_session &&
            memcmp(one->session, peer->session, FOB_SESSION_SIZE) == 0)
            return one->conn;
    }
    return 0;
}

void fob_peers_stats(const fob_peers_t *self, fob_peers_stats_t *out) {
    *out = self->stats;
}
