/* link: see link.h. A state, four times, and a short queue of acts for the shell. */
#include "proto/link/link.h"

#include "proto/planted.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define LINK_ENDPOINTS    16
#define LINK_ENDPOINT_MAX 280 /* bytes with the zero: a host name has 255 at the most */
#define LINK_TEXT         512
#define LINK_ACTS         8
#define LINK_MISSED       3  /* beats, then the bus counts as lost */
#define LINK_UNFINISHED   30 /* beats that a MiB of a message may take, as the bus has it */
/* A try may take up to 2^2 times as long where tries ran out of time. */
#define LINK_GREET_GROWTH 2

struct fob_link {
    fob_link_state_t state;
    char endpoints[LINK_ENDPOINTS][LINK_ENDPOINT_MAX];
    unsigned endpoint_count;
    unsigned endpoint; /* in use, or tried last */
    bool step;         /* the next try is at the next endpoint */
    const char *late;  /* what to say of a try that runs out of time */

    char role[16];
    char client[64];
    uint8_t session[FOB_SESSION_SIZE];
    uint64_t epoch; /* of the offsets that the client has; 0: none */
    bool holds;
    int64_t greet_ns;
    int64_t retry_first_ns;
    int64_t retry_max_ns;

    unsigned attempt;     /* tries since it was last up for a while */
    unsigned timeouts;    /* tries in a row that ran out of time */
    uint64_t draws;       /* jitter drawn so far: no two draws of a session are alike */
    int64_t heartbeat_ns; /* as WELCOME said */
    int64_t retry_at;     /* IDLE: when to try */
    int64_t greet_at;     /* GREETING: when the try is over */
    int64_t up_at;        /* UP: since when */
    int64_t beat_at;      /* UP: when to send a beat, if nothing else goes before */
    int64_t lost_at;      /* UP: when the bus counts as lost, if it stays silent */
    int64_t heard_at;     /* UP: when it spoke last */
    bool listening;       /* UP: what came is looked at, since it spoke last: */
    uint64_t base;        /* bytes at the first look, */
    uint64_t received;    /* and at the last one */
    bool echoes;          /* UP: our beats want an answer, and the bus gives it */
    int64_t sent_at;      /* when what the bus answered last was sent: HELLO, a BEAT */

    fob_link_act_t acts[LINK_ACTS];
    unsigned act_first, act_count;
    fob_buf_t header;  /* of the last SEND that was polled */
    fob_buf_t welcome; /* the encoded WELCOME that `welcomed` points into */
    fob_wire_t welcomed;
    char text[LINK_TEXT];
};

/* --- options --- */

/* "tcp://HOST:PORT" with a host and a port that is a number from 1 to 65535. */
static bool endpoint_valid(fob_slice_t text) {
    static const char scheme[] = "tcp://";
    size_t lead = sizeof scheme - 1;
    if (text.size <= lead || text.size >= LINK_ENDPOINT_MAX || memcmp(text.data, scheme, lead) != 0)
        return false;
    size_t colon = text.size;
    while (colon > lead && text.data[colon - 1] != ':')
        colon--;
    if (colon <= lead + 1 || colon == text.size)
        return false;
    unsigned port = 0;
    for (size_t i = colon; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || port > 65535)
            return false;
        port = port * 10 + (unsigned)(text.data[i] - '0');
    }
    return port >= 1 && port <= 65535;
}

static fob_slice_t trimmed(fob_slice_t text) {
    while (text.size && text.data[0] == ' ')
        text = fob_slice(text.data + 1, text.size - 1);
    while (text.size && text.data[text.size - 1] == ' ')
        text.size--;
    return text;
}

/* False: one of them is no endpoint, there are too many, or none. */
static bool endpoints_read(fob_link_t *self, fob_slice_t list) {
    size_t at = 0;
    while (at <= list.size && list.size) {
        size_t end = at;
        while (end < list.size && list.data[end] != ',')
            end++;
        fob_slice_t one = trimmed(fob_slice(list.data + at, end - at));
        if (!endpoint_valid(one) || self->endpoint_count == LINK_ENDPOINTS)
            return false;
        memcpy(self->endpoints[self->endpoint_count], one.data, one.size);
        self->endpoints[self->endpoint_count++][one.size] = 0;
        at = end + 1;
    }
    return self->endpoint_count > 0;
}

fob_link_t *fob_link_new(const fob_link_options_t *options) {
    fob_link_t *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    if (!endpoints_read(self, options->endpoints)) {
        free(self);
        return NULL;
    }
    snprintf(self->role, sizeof self->role, "%s", options->role ? options->role : "");
    snprintf(self->client, sizeof self->client, "%s", options->client ? options->client : "");
    memcpy(self->session, options->session, sizeof self->session);
    self->holds = options->holds;
    self->greet_ns = options->greet_ns ? options->greet_ns : FOB_SEC;
    self->retry_first_ns = options->retry_first_ns ? options->retry_first_ns : 20 * FOB_MS;
    self->retry_max_ns = options->retry_max_ns ? options->retry_max_ns : FOB_SEC;
    self->heartbeat_ns = FOB_SEC;
    self->retry_at = INT64_MIN;
    return self;
}

void fob_link_destroy(fob_link_t **self_p) {
    if (!self_p || !*self_p)
        return;
    fob_buf_free(&(*self_p)->header);
    fob_buf_free(&(*self_p)->welcome);
    free(*self_p);
    *self_p = NULL;
}

void fob_link_session(fob_link_t *self, const uint8_t session[FOB_SESSION_SIZE]) {
    memcpy(self->session, session, FOB_SESSION_SIZE);
}

void fob_link_epoch(fob_link_t *self, uint64_t epoch) {
    self->epoch = epoch;
}

/* --- acts --- */

static fob_link_act_t *act_add(fob_link_t *self, fob_link_act_kind_t kind) {
    assert(self->act_count < LINK_ACTS); /* the shell polls after every input */
    fob_link_act_t *act = &self->acts[(self->act_first + self->act_count++) % LINK_ACTS];
    *act = (fob_link_act_t){.kind = kind, .endpoint = self->endpoints[self->endpoint]};
    return act;
}

/* A SEND of a verb: its header is made when it is polled. */
static void act_send(fob_link_t *self, fob_verb_t verb) {
    act_add(self, FOB_LINK_SEND)->status = (fob_status_t)verb;
}

static void header_write(fob_link_t *self, fob_now_t now, fob_verb_t verb) {
    fob_wire_t msg = {.verb = verb};
    if (verb == FOB_VERB_BEAT && self->echoes) /* rounded down: rather too early */
        FOB_SET(&msg, echo, (uint64_t)((now.mono_ns - self->up_at) / FOB_MS));
    if (verb == FOB_VERB_HELLO) {
        static const uint8_t no_caps[] = {0x90}; /* an empty array */
        FOB_SET(&msg, version_min, FOB_WIRE_VERSION);
        FOB_SET(&msg, version_max, FOB_WIRE_VERSION);
        FOB_SET(&msg, role, fob_slice_str(self->role));
        FOB_SET(&msg, client, fob_slice_str(self->client));
        FOB_SET(&msg, session, fob_slice(self->session, sizeof self->session));
        if (self->epoch)
            FOB_SET(&msg, epoch, self->epoch);
        FOB_SET(&msg, caps, fob_slice(no_caps, sizeof no_caps));
        self->sent_at = now.mono_ns;
    }
    fob_buf_clear(&self->header);
    if (fob_wire_write(&self->header, &msg) != FOB_OK)
        fob_buf_clear(&self->header); /* no memory: an empty header, which the shell drops */
}

bool fob_link_poll(fob_link_t *self, fob_now_t now, fob_link_act_t *out) {
    if (!self->act_count)
        return false;
    *out = self->acts[self->act_first];
    self->act_first = (self->act_first + 1) % LINK_ACTS;
    self->act_count--;
    if (out->kind == FOB_LINK_SEND) {
        header_write(self, now, (fob_verb_t)out->status);
        out->status = FOB_OK;
        out->header = fob_buf_slice(&self->header);
    } else if (out->kind == FOB_LINK_TELL_UP) {
        out->welcome = &self->welcomed;
    } else if (out->kind == FOB_LINK_TELL_DOWN) {
        out->text = self->text;
    }
    return true;
}

/* --- the end of a try or of a connection --- */

/* Evenly spread over (0, limit]: full jitter, alike in every run of the same session. */
static int64_t jitter(fob_link_t *self, int64_t limit) {
    uint64_t x, y;
    memcpy(&x, self->session, sizeof x);
    memcpy(&y, self->session + sizeof x, sizeof y);
    x ^= y + 0x9e3779b97f4a7c15u * ++self->draws;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    x ^= x >> 31;
    return limit > 0 ? (int64_t)(x % (uint64_t)limit) + 1 : 1;
}

static int64_t backoff(fob_link_t *self) {
    int64_t limit = self->retry_first_ns;
    for (unsigned i = 0; i < self->attempt && limit < self->retry_max_ns; i++)
        limit *= 2;
    return jitter(self, limit < self->retry_max_ns ? limit : self->retry_max_ns);
}

/* To IDLE. `wait_ns` > 0: not before that; else the usual back-off. self->text is
 * written before. */
static void drop(fob_link_t *self, fob_now_t now, fob_status_t status, int64_t wait_ns) {
    bool was_up = self->state == FOB_LINK_UP;
    if (was_up && now.mono_ns - self->up_at >= self->heartbeat_ns)
        self->attempt = 0; /* it worked for a while: a restart, so come back quickly */
    self->step = !was_up;
    act_add(self, FOB_LINK_CLOSE);
    act_add(self, FOB_LINK_TELL_DOWN)->status = status;
    self->state = FOB_LINK_IDLE;
    int64_t pause = backoff(self);
    self->retry_at = now.mono_ns + (wait_ns > pause ? wait_ns : pause);
    if (self->attempt < 30)
        self->attempt++;
}

static void drop_because(fob_link_t *self, fob_now_t now, fob_status_t status, fob_slice_t why) {
    snprintf(self->text, sizeof self->text, "%s: %.*s", self->endpoints[self->endpoint],
             (int)why.size, why.size ? (const char *)why.data : "");
    drop(self, now, status, 0);
}

static bool is_open(const fob_link_t *self) {
    return self->state == FOB_LINK_GREETING || self->state == FOB_LINK_UP;
}

void fob_link_failed(fob_link_t *self, fob_now_t now, fob_status_t status, const char *why) {
    if (is_open(self))
        drop_because(self, now, status, fob_slice_str(why));
}

void fob_link_awaits(fob_link_t *self, const char *late) {
    self->late = late;
}

void fob_link_broken(fob_link_t *self, fob_now_t now, const char *why) {
    fob_link_failed(self, now, FOB_UNREACHABLE, why);
}

/* --- messages --- */

/* Trying goes on at the slowest pace: the bus may be replaced by one that fits. */
static void version_differs(fob_link_t *self, fob_now_t now, uint64_t from, uint64_t to) {
    snprintf(self->text, sizeof self->text,
             "%s: the bus speaks protocol versions %" PRIu64 " to %" PRIu64
             ", this client speaks %d to %d: use versions of fob that fit together",
             self->endpoints[self->endpoint], from, to, FOB_WIRE_VERSION, FOB_WIRE_VERSION);
    drop(self, now, FOB_VERSION, self->retry_max_ns);
}

static void on_welcome(fob_link_t *self, fob_now_t now, const fob_wire_t *msg) {
    if (self->state != FOB_LINK_GREETING)
        return;
    if (msg->version != FOB_WIRE_VERSION) {
        version_differs(self, now, msg->version, msg->version);
        return;
    }
    fob_buf_clear(&self->welcome);
    if (fob_wire_write(&self->welcome, msg) != FOB_OK ||
        fob_wire_read(fob_buf_slice(&self->welcome), &self->welcomed) != FOB_OK) {
        drop_because(self, now, FOB_NO_MEMORY, fob_slice_str("no memory for its WELCOME"));
        return;
    }
    uint64_t ms = msg->heartbeat ? msg->heartbeat : 1000;
    self->heartbeat_ns = (int64_t)(ms < 600000 ? ms : 600000) * FOB_MS;
    self->state = FOB_LINK_UP;
    self->timeouts = 0;
    self->up_at = now.mono_ns;
    self->echoes = self->holds && fob_caps_have(msg->caps, FOB_CAP_ECHO);
    /* The answer to HELLO may have been long in coming. */
    self->beat_at = self->echoes ? now.mono_ns : now.mono_ns + self->heartbeat_ns;
    act_add(self, FOB_LINK_TELL_UP);
}

/* An answer that was not asked for, or is older than another, changes nothing. */
static void on_beat(fob_link_t *self, fob_now_t now, const fob_wire_t *msg) {
    if (!self->echoes || !FOB_HAS(msg, echo) ||
        msg->echo > (uint64_t)(now.mono_ns - self->up_at) / FOB_MS)
        return;
    int64_t sent_at = self->up_at + (int64_t)msg->echo * FOB_MS;
    if (sent_at > self->sent_at)
        self->sent_at = sent_at;
}

static void on_goodbye(fob_link_t *self, fob_now_t now, const fob_wire_t *msg) {
    fob_slice_t why = msg->text.size ? msg->text : fob_slice_str("the bus said goodbye");
    snprintf(self->text, sizeof self->text, "%s: %.*s", self->endpoints[self->endpoint],
             (int)why.size, (const char *)why.data);
    uint64_t ms = msg->retry_after < 60000 ? msg->retry_after : 60000;
    drop(self, now, FOB_STOPPING, (int64_t)ms * FOB_MS);
}

static void on_error(fob_link_t *self, fob_now_t now, const fob_wire_t *msg) {
    fob_status_t code = fob_wire_status(msg->code);
    if (code == FOB_VERSION) {
        version_differs(self, now, msg->version_min, msg->version_max);
    } else if (code == FOB_HELLO_FIRST) {
        drop_because(self, now, code, fob_slice_str("the bus does not know this connection"));
    } else if (self->state == FOB_LINK_GREETING || code == FOB_STOPPING) {
        fob_slice_t why = msg->text.size ? msg->text : fob_slice_str(fob_status_text(code));
        snprintf(self->text, sizeof self->text, "%s: %.*s", self->endpoints[self->endpoint],
                 (int)why.size, (const char *)why.data);
        drop(self, now, code, self->retry_max_ns);
    } /* else it is about one of the client's messages: the client's own affair */
}

void fob_link_message(fob_link_t *self, fob_now_t now, const fob_wire_t *msg) {
    if (!is_open(self))
        return;
    if (msg->verb == FOB_VERB_WELCOME)
        on_welcome(self, now, msg);
    else if (msg->verb == FOB_VERB_GOODBYE)
        on_goodbye(self, now, msg);
    else if (msg->verb == FOB_VERB_ERROR)
        on_error(self, now, msg);
    if (self->state != FOB_LINK_UP)
        return;
    if (msg->verb == FOB_VERB_BEAT)
        on_beat(self, now, msg);
    self->heard_at = now.mono_ns;
    self->listening = false;
    if (FOB_PLANTED(HEARD_IS_PROOF))
        self->sent_at = now.mono_ns;
    self->lost_at = now.mono_ns + LINK_MISSED * self->heartbeat_ns;
}

bool fob_link_quiet(const fob_link_t *self, fob_now_t now) {
    return self->state == FOB_LINK_UP && now.mono_ns - self->heard_at >= self->heartbeat_ns;
}

void fob_link_received(fob_link_t *self, fob_now_t now, uint64_t bytes) {
    if (!fob_link_quiet(self, now))
        return;
    bool more = self->listening && bytes > self->received;
    if (!self->listening || bytes < self->received) /* fewer: the descriptor is another's by now */
        self->base = bytes;
    self->listening = true;
    self->received = bytes;
    if (!more)
        return;
    int64_t mibs = 1 + (int64_t)((bytes - self->base) >> 20);
    int64_t end = self->heard_at + mibs * LINK_UNFINISHED * self->heartbeat_ns;
    int64_t lost_at = now.mono_ns + LINK_MISSED * self->heartbeat_ns;
    lost_at = lost_at < end ? lost_at : end;
    if (lost_at > self->lost_at)
        self->lost_at = lost_at;
}

void fob_link_sent(fob_link_t *self, fob_now_t now) {
    if (self->state == FOB_LINK_UP && !self->echoes)
        self->beat_at = now.mono_ns + self->heartbeat_ns;
}

void fob_link_goodbye(fob_link_t *self, fob_now_t now) {
    (void)now;
    if (self->state == FOB_LINK_UP)
        act_send(self, FOB_VERB_GOODBYE);
    if (is_open(self))
        act_add(self, FOB_LINK_CLOSE);
    self->state = FOB_LINK_CLOSED;
}

/* --- time --- */

static void open_next(fob_link_t *self, fob_now_t now) {
    if (self->step)
        self->endpoint = (self->endpoint + 1) % self->endpoint_count;
    self->step = false;
    self->late = "no answer in time";
    self->state = FOB_LINK_GREETING;
    unsigned growth = self->timeouts < LINK_GREET_GROWTH ? self->timeouts : LINK_GREET_GROWTH;
    self->greet_at = now.mono_ns + (self->greet_ns << growth);
    act_add(self, FOB_LINK_OPEN);
    act_send(self, FOB_VERB_HELLO);
}

/* A tick that comes long after it was asked for means that this very process stood still (a stop
 * signal, a laptop's lid, a debugger): the bus may have spoken all the time. So it gets one more
 * beat, in which the shell reads what has arrived. */
static bool stood_still(const fob_link_t *self, fob_now_t now) {
    return now.mono_ns - fob_link_deadline(self) > self->heartbeat_ns / 4;
}

static void tick_greeting(fob_link_t *self, fob_now_t now) {
    if (now.mono_ns < self->greet_at)
        return;
    if (stood_still(self, now)) {
        self->greet_at = now.mono_ns + self->greet_ns;
        return;
    }
    self->timeouts++;
    drop_because(self, now, FOB_UNREACHABLE, fob_slice_str(self->late));
}

static void tick_up(fob_link_t *self, fob_now_t now) {
    bool late = stood_still(self, now);
    if (now.mono_ns >= self->beat_at) {
        act_send(self, FOB_VERB_BEAT);
        /* Twice a beat where it is for the answer: one may be late. */
        self->beat_at = now.mono_ns + self->heartbeat_ns / (self->echoes ? 2 : 1);
    }
    if (now.mono_ns < self->lost_at)
        return;
    if (late)
        self->lost_at = now.mono_ns + self->heartbeat_ns;
    else
        drop_because(self, now, FOB_UNREACHABLE,
                     fob_slice_str("the bus has been silent for three heartbeats"));
}

void fob_link_tick(fob_link_t *self, fob_now_t now) {
    if (self->state == FOB_LINK_IDLE && now.mono_ns >= self->retry_at)
        open_next(self, now);
    else if (self->state == FOB_LINK_GREETING)
        tick_greeting(self, now);
    else if (self->state == FOB_LINK_UP)
        tick_up(self, now);
}

int64_t fob_link_deadline(const fob_link_t *self) {
    switch (self->state) {
    case FOB_LINK_IDLE:
        return self->retry_at;
    case FOB_LINK_GREETING:
        return self->greet_at;
    case FOB_LINK_UP:
        return self->beat_at < self->lost_at ? self->beat_at : self->lost_at;
    case FOB_LINK_CLOSED:
        break;
    }
    return FOB_NEVER;
}

int64_t fob_link_heard(const fob_link_t *self) {
    if (self->state != FOB_LINK_UP)
        return INT64_MIN;
    return self->echoes ? self->sent_at : self->heard_at;
}

bool fob_link_echoes(const fob_link_t *self) {
    return self->state == FOB_LINK_UP && self->echoes;
}

fob_link_state_t fob_link_state(const fob_link_t *self) {
    return self->state;
}

const char *fob_link_endpoint(const fob_link_t *self) {
    return self->endpoints[self->endpoint];
}
