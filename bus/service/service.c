#include "bus/service/service.h"

#include "bus/service/clerk.h"
#include "bus/service/joins.h"
#include "proto/planted.h"

#include <stdlib.h>

#define LATE_NS (50 * FOB_MS) /* behind its time, a round lets the core know */

struct fob_service {
    fob_service_options_t options;
    fob_ledger_t *ledger;
    fob_peers_t *peers;
    fob_joins_t *joins;
    fob_fetches_t *fetches;
    fob_listing_t listing; /* for who fetches last events */
    fob_buf_t header, runs, rows;
    fob_now_t now; /* of this round */
    size_t read;   /* messages since the beats were looked at last */
    bool failed;
    fob_service_counts_t counts;
};

static uint64_t on_list(void *arg, uint64_t from) {
    fob_service_t *self = arg;
    fob_core_t *core = fob_ledger_core(self->ledger);
    fob_core_list(core, &self->listing, from);
    return fob_core_head(core);
}

static bool on_list_on(void *arg, fob_slice_t pattern, uint64_t *offsets, size_t room,
                       size_t *count, uint64_t *floor, size_t *looked) {
    fob_service_t *self = arg;
    bool done = fob_core_list_on(fob_ledger_core(self->ledger), &self->listing, pattern, offsets,
                                 room, count);
    *floor = self->listing.floor;
    *looked = self->listing.looked;
    return done;
}

static bool on_known(void *arg, fob_slice_t topic) {
    const fob_service_t *self = arg;
    return fob_core_knows(fob_ledger_core(self->ledger), topic);
}

fob_service_t *fob_service_new(const fob_service_options_t *options) {
    fob_service_t *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->options = *options;
    self->ledger = options->ledger;
    fob_peers_config_t config = {options->house->shard, options->max_connections,
                                 (int64_t)options->house->heartbeat_ms * FOB_MS, options->ops->more,
                                 options->arg};
    self->peers = fob_peers_new(&config);
    self->joins = fob_joins_new();
    fob_topics_ops_t topics = {on_list, on_list_on, on_known, self};
    self->fetches = fob_fetches_new(options->fetch_rate, &topics);
    if (!self->peers || !self->joins || !self->fetches)
        fob_service_destroy(&self);
    return self;
}

void fob_service_destroy(fob_service_t **self_p) {
    fob_service_t *self = *self_p;
    if (!self)
        return;
    fob_peers_destroy(&self->peers);
    fob_joins_destroy(&self->joins);
    fob_fetches_destroy(&self->fetches);
    fob_buf_free(&self->header);
    fob_buf_free(&self->runs);
    fob_buf_free(&self->rows);
    free(self);
    *self_p = NULL;
}

/* --- failing and forgetting --- */

/* Stops serving, for good. */
static void fail(fob_service_t *self, fob_status_t status, const char *text) {
    if (self->failed)
        return;
    self->failed = true;
    self->options.ops->failed(self->options.arg, status, text);
}

static void check(fob_service_t *self, fob_status_t status) {
    if (status != FOB_OK)
        fail(self, status, "out of memory: the bus stops");
}

static void step(fob_service_t *self, const fob_command_t *command) {
    check(self, fob_ledger_step(self->ledger, self->now, command));
}

/* Whatever comes of what the connection was sent: what it was not sent goes to others, as if it had
 * never been out. */
static void take_back_unsent(fob_service_t *self, uint64_t conn) {
    uint8_t name[FOB_NAME_MAX];
    uint64_t sent;
    size_t size, at = 0;
    while ((size = fob_joins_next(self->joins, conn, &at, name, &sent)) > 0) {
        fob_command_t unsent = {.kind = FOB_CMD_UNSENT, .conn = conn};
        unsent.unsent.group = fob_slice(name, size);
        unsent.unsent.after = sent;
        step(self, &unsent);
    }
}

/* It goes, and what it held goes back uncounted. */
static void leave_all(fob_service_t *self, uint64_t conn) {
    uint8_t name[FOB_NAME_MAX];
    uint64_t sent;
    size_t size, at = 0;
    while ((size = fob_joins_next(self->joins, conn, &at, name, &sent)) > 0) {
        fob_command_t leave = {.kind = FOB_CMD_LEAVE, .conn = conn};
        leave.leave.group = fob_slice(name, size);
        step(self, &leave);
    }
}

/* What waits for it is of no use any more. */
static void drop(fob_service_t *self, uint64_t conn) {
    self->options.ops->drop(self->options.arg, conn);
    fob_fetches_forget(self->fetches, conn);
}

/* Tells the core that a connection is over; `goodbye`: it said so; `other`: its client goes on as
 * another. */
static void gone_as(fob_service_t *self, uint64_t conn, bool goodbye, bool other) {
    drop(self, conn);
    if (goodbye)
        leave_all(self, conn);
    else
        take_back_unsent(self, conn);
    fob_joins_forget(self->joins, conn);
    step(self, &(fob_command_t){.kind = FOB_CMD_LOST, .conn = conn, .lost = {goodbye, other}});
}

static void gone(fob_service_t *self, uint64_t conn) {
    gone_as(self, conn, false, false);
}

/* Ends a connection that cannot be reached, if there is nothing to wait for. */
static void end_idle(fob_service_t *self, uint64_t conn) {
    if (!fob_core_has_worker(fob_ledger_core(self->ledger), conn) &&
        fob_peers_forget(self->peers, conn))
        gone(self, conn);
}

void fob_service_forget(fob_service_t *self, uint64_t conn) {
    int64_t until_ns = fob_peers_unreach(self->peers, conn);
    if (until_ns == 0)
        return;
    drop(self, conn);
    take_back_unsent(self, conn);
    fob_command_t unreachable = {.kind = FOB_CMD_UNREACHABLE, .conn = conn};
    unreachable.unreachable.until_ns = until_ns;
    step(self, &unreachable);
    end_idle(self, conn);
    if (FOB_PLANTED(BROKEN_GIVES_AT_ONCE) && fob_peers_forget(self->peers, conn))
        gone(self, conn);
}

/* A worker is back on a new connection: its old ones are over once it took over all of theirs. */
static void end_former(fob_service_t *self, uint64_t conn) {
    size_t at = 0;
    uint64_t former;
    while ((former = fob_peers_former(self->peers, conn, &at)) != 0)
        end_idle(self, former);
}

/* --- sending --- */

/* Sends self->header and the body, whose hold passes. False: it could not be, and the connection is
 * to be forgotten. */
static bool post(fob_service_t *self, uint64_t conn, fob_body_t body) {
    fob_slice_t route = fob_peers_route(self->peers, conn);
    if (route.size == 0) {
        fob_blob_unref(&body.blob);
        return true;
    }
    fob_send_t sent =
        self->options.ops->send(self->options.arg, conn, route, fob_buf_slice(&self->header), body);
    if (sent == FOB_SEND_UNREAD) {
        self->counts.dropped_unread++;
        self->options.ops->unread(self->options.arg);
    }
    return sent == FOB_SEND_DONE;
}

/* What makes a beat needless. */
static bool say(fob_service_t *self, uint64_t conn, fob_body_t body) {
    bool done = post(self, conn, body);
    if (done)
        fob_peers_sent(self->peers, self->now, conn);
    return done;
}

static void tell(fob_service_t *self, uint64_t conn, fob_body_t body) {
    if (!say(self, conn, body))
        fob_service_forget(self, conn);
}

/* Sends an ERROR where it can be sent, to a stranger as well. */
static void send_error(fob_service_t *self, fob_slice_t route, const fob_wire_t *error) {
    fob_buf_clear(&self->header);
    if (fob_wire_write(&self->header, error) == FOB_OK)
        self->options.ops->send(self->options.arg, 0, route, fob_buf_slice(&self->header),
                                (fob_body_t){0});
}

static void note_sent(fob_service_t *self, const fob_effect_t *effect, size_t spans) {
    if (effect->kind != FOB_EFF_DELIVER || spans == 0)
        return;
    const fob_span_t *last = &effect->spans[spans - 1];
    fob_joins_sent(self->joins, effect->conn, effect->group, last->token + last->count - 1);
}

static void send_effect(fob_service_t *self, const fob_effect_t *effect) {
    size_t from = 0;
    if (FOB_PLANTED(ANSWER_LOST) && effect->kind == FOB_EFF_RECEIPT && effect->after % 64 == 1)
        return;
    do {
        fob_body_t body;
        fob_status_t status = fob_letter_effect(&self->header, &self->runs,
                                                self->options.house->shard, effect, &from, &body);
        if (status != FOB_OK || !say(self, effect->conn, body)) {
            /* Without it, it would miss something without knowing. */
            fob_service_forget(self, effect->conn);
            return;
        }
        note_sent(self, effect, from);
    } while (from < effect->span_count);
}

static void cast(fob_service_t *self, const fob_effect_t *effect) {
    const fob_house_t *house = self->options.house;
    fob_body_t body = {0};
    if (self->options.ops->audience && !self->options.ops->audience(self->options.arg))
        return;
    if (fob_letter_cast(&self->header, house->shard, house->epoch,
                        self->options.source ^ effect->born, effect, &body) != FOB_OK ||
        !self->options.ops->cast(self->options.arg, fob_buf_slice(&self->header), body))
        self->counts.dropped_casts += effect->spans[0].count;
}

/* --- the past --- */

/* Sends self->header, if it could be made, and the body, whose hold passes. Who asks again and
 * again has its beats all the same: only they make it look for what it lost of other topics. */
static void tell_past(fob_service_t *self, uint64_t conn, fob_status_t made, fob_blob_t *blob) {
    if (made == FOB_OK && blob &&
        post(self, conn, (fob_body_t){.blob = blob, .size = fob_blob_slice(blob).size}))
        return;
    if (made != FOB_OK)
        fob_blob_unref(&blob);
    fob_service_forget(self, conn); /* it must not wait for an answer that does not come */
}

static void no_past(fob_service_t *self, uint64_t conn, const fob_wire_t *msg,
                    fob_status_t status) {
    bool fetch = msg->verb == FOB_VERB_FETCH;
    const char *text = fob_status_text(status);
    if (status == FOB_LIMIT)
        text = fetch ? "one FETCH at a time: the last one has no answer yet"
                     : "one WHOLE at a time: the last one has no answer yet";
    fob_status_t made =
        fob_letter_no_past(&self->header, self->options.house,
                           fetch ? FOB_VERB_FETCHED : FOB_VERB_WHOLENESS, msg->req, status, text);
    tell_past(self, conn, made, fob_blob_new(0));
}

static void ask_past(fob_service_t *self, uint64_t conn, const fob_wire_t *msg) {
    fob_fetch_t fetch;
    fob_whole_t whole;
    fob_status_t status;
    uint32_t route = fob_route_number(fob_peers_route(self->peers, conn));
    if (msg->verb == FOB_VERB_FETCH) {
        status = fob_clerk_fetch(conn, msg, &fetch);
        fetch.route = route;
        if (status == FOB_OK)
            status = fob_fetches_add(self->fetches, &fetch);
    } else {
        status = fob_clerk_whole(conn, msg, &whole);
        whole.route = route;
        if (status == FOB_OK)
            status = fob_fetches_add_whole(self->fetches, &whole);
    }
    if (status != FOB_OK)
        no_past(self, conn, msg, status);
}

static void tell_wholeness(fob_service_t *self, const fob_whole_t *whole) {
    const fob_lasts_of_t of = {whole->pattern, whole->from, whole->part, whole->parts};
    fob_lasts_t lasts;
    fob_buf_clear(&self->rows);
    fob_core_whole(fob_ledger_core(self->ledger), &of, &self->rows, &lasts);
    fob_slice_t rows = self->rows.failed ? (fob_slice_t){0} : fob_buf_slice(&self->rows);
    fob_blob_t *blob = fob_fetches_answer(self->fetches, whole, rows, lasts.looked);
    fob_status_t made = fob_letter_wholeness(&self->header, self->options.house, whole, &lasts);
    tell_past(self, whole->conn, self->rows.failed ? FOB_NO_MEMORY : made, blob);
}

/* After all else: it may wait. */
static void serve_past(fob_service_t *self) {
    fob_page_t page;
    fob_whole_t whole;
    fob_fetched_t answer;
    uint64_t offset;
    uint32_t bytes;
    fob_fetches_round(self->fetches, self->now, fob_ledger_head(self->ledger));
    if (fob_ledger_past(self->ledger, &page))
        fob_fetches_page(self->fetches, &page);
    while (fob_fetches_whole(self->fetches, &whole))
        tell_wholeness(self, &whole);
    while (fob_fetches_next(self->fetches, &answer)) {
        fob_status_t made = fob_letter_fetched(&self->header, self->options.house, &answer);
        tell_past(self, answer.conn, made, answer.body);
    }
    if ((offset = fob_fetches_wants(self->fetches, &bytes)) != 0)
        fob_fetches_asked(self->fetches, fob_ledger_read(self->ledger, self->now, offset, bytes));
}

void fob_service_perform(fob_service_t *self) {
    const fob_effect_t *effect;
    while (!self->failed && (effect = fob_ledger_next(self->ledger, self->now))) {
        if (effect->kind == FOB_EFF_STORED)
            cast(self, effect);
        else
            send_effect(self, effect);
    }
    if (!self->failed)
        serve_past(self);
}

/* --- messages --- */

/* Sends the answer to a question, or what it lacks. */
static void answer(fob_service_t *self, uint64_t conn, const fob_wire_t *msg, fob_status_t status,
                   const char *text) {
    fob_body_t body = {0};
    status = self->options.ops->answer(self->options.arg, self->now, msg, status, text,
                                       &self->header, &body);
    if (status == FOB_OK)
        tell(self, conn, body);
    else /* out of memory: it must not wait for an answer that does not come */
        fob_service_forget(self, conn);
}

static void act_on(fob_service_t *self, const fob_mail_t *mail, const fob_peers_verdict_t *verdict);

static void out_of_place(fob_service_t *self, uint64_t conn, const fob_mail_t *mail,
                         fob_verb_t verb, const char *problem) {
    fob_peers_verdict_t verdict;
    fob_peers_fault(self->peers, conn, verb, problem, &verdict);
    act_on(self, mail, &verdict);
}

/* A connection that cannot be served for want of memory begins anew, and sends again what has no
 * answer. */
static void no_memory(fob_service_t *self, uint64_t conn, const fob_mail_t *mail) {
    fob_wire_t error = {.verb = FOB_VERB_ERROR};
    FOB_SET(&error, code, FOB_HELLO_FIRST);
    FOB_SET(&error, text, fob_slice_str("the bus is out of memory: connect again"));
    send_error(self, mail->route, &error);
    fob_service_forget(self, conn);
}

static void refuse_join(fob_service_t *self, const fob_command_t *command) {
    fob_effect_t joined = {.kind = FOB_EFF_JOINED, .conn = command->conn, .status = FOB_LIMIT};
    joined.group = command->join.group;
    joined.text =
        fob_slice_str("the connection is in too many groups: leave some, or join on another one");
    send_effect(self, &joined);
}

/* What a worker is sent must be known of each group that it is in: else what it was not sent would
 * count as attempts when it is lost. FOB_OK; FOB_LIMIT: answered, and not to be carried out;
 * FOB_NO_MEMORY. */
static fob_status_t note_joins(fob_service_t *self, const fob_command_t *command) {
    if (command->kind == FOB_CMD_LEAVE)
        fob_joins_remove(self->joins, command->conn, command->leave.group);
    if (command->kind != FOB_CMD_JOIN)
        return FOB_OK;
    fob_status_t status = fob_joins_add(self->joins, command->conn, command->join.group);
    if (status == FOB_LIMIT)
        refuse_join(self, command);
    return status == FOB_INVALID ? FOB_OK : status; /* the core says so in words */
}

/* One that the core refused is in no group by it: its name makes room for another. */
static void after_join(fob_service_t *self, const fob_command_t *command) {
    if (!fob_core_is_member(fob_ledger_core(self->ledger), command->conn, command->join.group))
        fob_joins_remove(self->joins, command->conn, command->join.group);
    end_former(self, command->conn);
}

static void command(fob_service_t *self, uint64_t conn, const fob_wire_t *msg,
                    const fob_mail_t *mail) {
    fob_command_t order;
    char problem[512] = "its runs or its body are malformed";
    fob_clerk_t clerk = {conn, fob_peers_session(self->peers, conn), self->options.max_disk};
    fob_status_t status =
        fob_clerk_command(&clerk, msg, mail->body, &order, problem, sizeof problem);
    if (status == FOB_AGAIN || status == FOB_INVALID) {
        answer(self, conn, msg, status, problem);
        return;
    }
    if (status == FOB_OK)
        status = note_joins(self, &order);
    if (status == FOB_LIMIT)
        return;
    if (status == FOB_OK) {
        status = fob_ledger_step(self->ledger, self->now, &order);
        if (order.kind == FOB_CMD_JOIN)
            after_join(self, &order);
    }
    if (status == FOB_PROTOCOL)
        out_of_place(self, conn, mail, msg->verb, problem);
    else if (status != FOB_OK)
        no_memory(self, conn, mail);
}

/* Up to where the offsets that it has are still good. */
static uint64_t began(const fob_service_t *self, uint64_t conn) {
    return fob_ledger_began(self->ledger, fob_peers_epoch(self->peers, conn));
}

/* From here on its session is not forgotten: what WELCOME says of it stays true. */
static void welcome(fob_service_t *self, uint64_t conn) {
    const uint8_t *session = fob_peers_session(self->peers, conn);
    if (session)
        step(self, &(fob_command_t){.kind = FOB_CMD_PRESENT, .conn = conn, .present = {session}});
    uint64_t last = fob_ledger_last(self->ledger, session);
    if (fob_letter_welcome(&self->header, self->options.house, fob_ledger_head(self->ledger),
                           began(self, conn), last) == FOB_OK)
        tell(self, conn, (fob_body_t){0});
    else
        fob_service_forget(self, conn);
}

static void beat(fob_service_t *self, uint64_t conn, const uint64_t *echo) {
    fob_peers_sent(self->peers, self->now, conn);
    if (fob_letter_beat(&self->header, self->options.house, fob_ledger_head(self->ledger),
                        began(self, conn), echo) == FOB_OK)
        tell(self, conn, (fob_body_t){0});
}

static void act_on(fob_service_t *self, const fob_mail_t *mail,
                   const fob_peers_verdict_t *verdict) {
    if (verdict->faulty)
        fob_service_forget(self, verdict->faulty);
    if (verdict->ended)
        gone_as(self, verdict->ended, verdict->goodbye, verdict->other);
    if (verdict->answer)
        send_error(self, mail->route, &verdict->error);
    if (verdict->act == FOB_PEERS_WELCOME)
        welcome(self, verdict->conn);
}

void fob_service_message(fob_service_t *self, const fob_mail_t *mail) {
    fob_wire_t msg; /* all of it is set, whatever the bytes are */
    fob_peers_verdict_t verdict;
    fob_status_t read = fob_wire_read(mail->header, &msg);
    size_t frames = msg.verb == FOB_VERB_PUBLISH ? 2 : 1;
    fob_peers_input_t input = {mail->route, &msg, read, mail->frames == frames, mail->line};
    self->read++;
    fob_peers_input(self->peers, self->now, &input, &verdict);
    act_on(self, mail, &verdict);
    if (verdict.act == FOB_PEERS_ECHO)
        beat(self, verdict.conn, &msg.echo);
    if (verdict.act != FOB_PEERS_COMMAND)
        return;
    if (mail->failed)
        no_memory(self, verdict.conn, mail);
    else if (msg.verb == FOB_VERB_FETCH || msg.verb == FOB_VERB_WHOLE)
        ask_past(self, verdict.conn, &msg);
    else
        command(self, verdict.conn, &msg, mail);
}

/* --- rounds --- */

void fob_service_round(fob_service_t *self, fob_now_t now) {
    int64_t late_ns = now.mono_ns - fob_core_deadline(fob_ledger_core(self->ledger));
    self->now = now;
    fob_peers_round(self->peers, now);
    if (late_ns <= LATE_NS)
        return;
    /* We stood still: what came meanwhile may be told only now, or in a while. */
    fob_command_t tick = {.kind = FOB_CMD_TICK, .tick = {late_ns}};
    check(self, fob_ledger_step(self->ledger, now, &tick));
}

void fob_service_news(fob_service_t *self) {
    char text[512] = "";
    fob_status_t status = fob_ledger_news(self->ledger, self->now, text, sizeof text);
    if (status != FOB_OK)
        fail(self, status, text);
}

/* Beats are looked at when all that had arrived was read; in a flood, when the fair queueing of the
 * socket had the time to show us something of everybody. */
static void look_at_beats(fob_service_t *self, bool drained) {
    fob_peers_stats_t stats;
    uint64_t conn;
    fob_peers_stats(self->peers, &stats);
    if (drained || self->read > FOB_SERVICE_MESSAGES + 4 * (size_t)stats.connections) {
        while ((conn = fob_peers_expired(self->peers, self->now)))
            gone(self, conn);
        self->read = 0;
    }
    while ((conn = fob_peers_quiet(self->peers, self->now)))
        beat(self, conn, NULL);
}

void fob_service_turn(fob_service_t *self, bool drained) {
    look_at_beats(self, drained);
    if (!self->failed)
        check(self, fob_ledger_turn(self->ledger, self->now));
    if (!self->failed)
        check(self, fob_ledger_tidy(self->ledger, self->now));
}

void fob_service_decide(fob_service_t *self, fob_now_t now) {
    self->now = now;
    check(self, fob_ledger_turn(self->ledger, now));
}

void fob_service_goodbye(fob_service_t *self, const char *text, uint64_t retry_after_ms) {
    size_t at = 0;
    uint64_t conn;
    while ((conn = fob_peers_next(self->peers, &at))) {
        if (fob_letter_goodbye(&self->header, self->options.house, text, retry_after_ms) == FOB_OK)
            self->options.ops->send(self->options.arg, 0, fob_peers_route(self->peers, conn),
                                    fob_buf_slice(&self->header), (fob_body_t){0});
    }
}

/* --- questions --- */

int64_t fob_service_deadline(const fob_service_t *self) {
    int64_t at = fob_ledger_deadline(self->ledger);
    int64_t peers = fob_peers_deadline(self->peers);
    int64_t fetches = fob_fetches_deadline(self->fetches);
    if (fetches < at)
        at = fetches;
    return peers < at ? peers : at;
}

bool fob_service_failed(const fob_service_t *self) {
    return self->failed;
}

fob_peers_t *fob_service_peers(fob_service_t *self) {
    return self->peers;
}

const fob_service_counts_t *fob_service_counts(const fob_service_t *self) {
    return &self->counts;
}

const fob_fetches_t *fob_service_fetches(const fob_service_t *self) {
    return self->fetches;
}
