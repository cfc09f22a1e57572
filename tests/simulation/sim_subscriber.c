/* A subscriber: the real sequencer in one of its modes, a way of the broadcast that loses and
 * breaks, and a reader who takes his time. */
#include "sim_world.h"

#include "sim_broadcast.h"
#include "sim_live.h"
#include "subscribers/sequence/sequencer.h"

#define STUCK_NS (60 * FOB_SEC) /* once faults stop, without anything new */

typedef struct {
    fob_sequencer_t *sequencer;
    fob_sequencer_options_t options;
    sim_broadcast_t broadcast;
    fob_batch_t batch;
    uint64_t elsewhere; /* of the batch, not read yet */
    fob_buf_t header;   /* of what it asks */
    bool up, ever_up;
    int64_t read_ns; /* reads on then */
    uint64_t pause_ns, read_most;
    uint64_t position;        /* told last */
    uint64_t progress;        /* read and told in all */
    uint64_t stuck_at;        /* its progress and position as of */
    int64_t stuck_ns;         /* then; 0: not watched yet */
    bool closing_missed;      /* it did not listen to all of what was said last */
    uint64_t repairs, pauses; /* of the figures: seen */
    sim_live_t *live;         /* mode LIVE */
    uint64_t held;            /* LIVE: in its queue, by our account */
} subscriber_t;

static const char *const patterns[] = {">",           "orders.*", "mail",    "pay.>",
                                       "audit.*.log", "*.eu",     "*.*.log", "pay.card"};
#define PATTERNS (sizeof patterns / sizeof *patterns)

/* --- how it is --- */

static uint64_t place(sim_client_t *self, fob_sequencer_from_t from) {
    sim_random_t *random = &self->random;
    const sim_ground_t *ground = &self->world->witness.ground;
    if (self->late)
        return 1 + sim_random_skewed(random, ground->head);
    if (from == FOB_SEQUENCER_OFFSET)
        return 1 + sim_random_below(random, ground->head + 1 + sim_random_below(random, 50));
    if (from != FOB_SEQUENCER_TIME)
        return 0;
    uint64_t offset = ground->head ? 1 + sim_random_below(random, ground->head) : 0;
    int64_t time_ms = offset ? ground->events[offset].time_ms : 1700000000000;
    return (uint64_t)time_ms + sim_random_below(random, 3);
}

static void draw(sim_client_t *self, subscriber_t *own) {
    sim_random_t *random = &self->random;
    fob_sequencer_options_t *options = &own->options;
    uint64_t mode = sim_random_below(random, self->late ? 5 : 6);
    options->pattern = fob_slice_str(patterns[sim_random_below(random, PATTERNS)]);
    options->mode = mode < 3   ? FOB_SEQUENCER_RELIABLE
                    : mode < 5 ? FOB_SEQUENCER_NOTIFY
                               : FOB_SEQUENCER_LIVE;
    options->queue = 8 + sim_random_skewed(random, 20000);
    if (options->mode != FOB_SEQUENCER_LIVE) {
        options->from = (fob_sequencer_from_t)sim_random_below(random, FOB_SEQUENCER_TIME + 1);
        if (self->late)
            options->from = FOB_SEQUENCER_OFFSET;
        options->value = place(self, options->from);
        options->bytes = sim_random_once(random, 3) ? 500 + sim_random_skewed(random, 100000) : 0;
        options->topics =
            sim_random_once(random, 2) ? 1 + (uint32_t)sim_random_below(random, SIM_TOPICS) : 0;
        options->recent =
            sim_random_once(random, 2) ? 1 + (uint32_t)sim_random_below(random, 30) : 0;
        options->far =
            sim_random_once(random, 2) ? 4 + (uint32_t)sim_random_skewed(random, 2000) : 0;
        options->holes = sim_random_once(random, 2) ? 1 + (uint32_t)sim_random_below(random, 5) : 0;
    }
    own->pause_ns = sim_random_once(random, 3) ? 0 : sim_random_skewed(random, 20 * FOB_SEC);
    own->read_most = 1 + sim_random_skewed(random, 5000);
}

static subscriber_t *of(sim_client_t *self) {
    if (self->own)
        return self->own;
    subscriber_t *own = self->own = sim_alloc(sizeof *own);
    draw(self, own);
    sim_broadcast_init(&own->broadcast, sim_random_fork(&self->random));
    own->sequencer = fob_sequencer_new(&own->options);
    if (own->options.mode == FOB_SEQUENCER_LIVE)
        own->live = sim_alloc(sizeof *own->live);
    return own;
}

static int64_t now_at(const sim_client_t *self) {
    return sim_clock_now(&self->clock, self->world->now_ns).mono_ns;
}

static void tell(sim_client_t *self, sim_fact_t fact) {
    fact.worker = self->number;
    sim_witness_tell(&self->world->witness, &fact);
}

static void reached(sim_client_t *self, sim_reached_subscriber_t what) {
    sim_reached_note(&self->world->witness.reached, SIM_REACHED_SUBSCRIBER, what);
}

/* --- the broadcast --- */

static unsigned topic_of(sim_client_t *self, fob_slice_t topic) {
    for (unsigned t = 0; t < SIM_TOPICS; t++)
        if (fob_slice_eq(topic, fob_slice_str(sim_topics[t])))
            return t;
    sim_world_fail(self->world, "the bus speaks the protocol", "it broadcasts an unknown topic");
}

/* What comes counts, what has no room is lost, and so is what is missing before it. */
static void account(sim_client_t *self, const fob_cast_t *frame, uint64_t told) {
    subscriber_t *own = of(self);
    const sim_ground_t *ground = &self->world->witness.ground;
    uint64_t room = own->options.queue > own->held ? own->options.queue - own->held : 0;
    uint64_t taken = frame->count < room ? frame->count : room;
    if (!fob_pattern_match(own->options.pattern, frame->topic))
        return;
    own->held += taken;
    uint64_t lacks =
        sim_live_heard(own->live, ground, frame, topic_of(self, frame->topic), taken, told);
    tell(self,
         (sim_fact_t){.kind = SIM_MISSED, .offset = frame->offset, .value = lacks, .count = told});
}

static void hear(sim_client_t *self, const sim_frame_t *frame) {
    subscriber_t *own = of(self);
    fob_cast_t cast;
    if (fob_cast_read(fob_slice(frame->header, frame->size), &cast) != FOB_OK)
        sim_world_fail(self->world, "the bus speaks the protocol", "a broadcast cannot be read");
    uint64_t before = fob_sequencer_lost(own->sequencer);
    fob_sequencer_take(own->sequencer, &cast, frame->body, own->elsewhere);
    if (own->live)
        account(self, &cast, fob_sequencer_lost(own->sequencer) - before);
}

static void unhear(sim_client_t *self) {
    subscriber_t *own = of(self);
    if (sim_broadcast_close(&own->broadcast, now_at(self)))
        fob_sequencer_pause(own->sequencer);
}

static void cast(sim_client_t *self, fob_slice_t header, fob_slice_t body) {
    subscriber_t *own = of(self);
    int64_t now = now_at(self);
    bool closing = self->world->closing && own->live;
    if (!self->world->calm && sim_broadcast_breaks(&own->broadcast)) {
        unhear(self);
        reached(self, SIM_SUBSCRIBER_CUT);
        if (own->up)
            sim_broadcast_open(&own->broadcast, now);
    }
    if (closing && !sim_broadcast_listens(&own->broadcast, now))
        own->closing_missed = true;
    int64_t at = sim_broadcast_put(&own->broadcast, now, !closing, header, body);
    if (at == FOB_NEVER)
        return;
    at = sim_clock_when(&self->clock, at);
    at = at < self->frozen_ns ? self->frozen_ns : at;
    self->due_ns = at < self->due_ns ? at : self->due_ns;
}

/* --- reading --- */

static void hand_out(sim_client_t *self, const fob_event_t *event) {
    subscriber_t *own = of(self);
    tell(self, (sim_fact_t){.kind = own->live ? SIM_HEARD : SIM_HANDED,
                            .offset = fob_event_offset(event),
                            .time_ms = fob_event_time(event),
                            .bytes = fob_event_envelope(event)->bytes});
    own->held -= own->live != NULL;
}

static void read_one(sim_client_t *self) {
    subscriber_t *own = of(self);
    fob_event_t *event;
    fob_status_t status = fob_batch_next(&own->batch, NULL, &event);
    const fob_notice_t *notice = &own->batch.notice;
    own->elsewhere--;
    own->progress++;
    if (status == FOB_OK)
        hand_out(self, event);
    else if (status == FOB_GAP) {
        sim_world_note(self->world, "client %u is told (%d): %llu to %llu, epoch %llu %s",
                       self->number, (int)notice->kind, (unsigned long long)notice->first,
                       (unsigned long long)notice->last, (unsigned long long)notice->epoch,
                       notice->topic);
        tell(self, (sim_fact_t){.kind = SIM_NOTICE,
                                .value = notice->kind,
                                .offset = notice->first,
                                .count = notice->last,
                                .token = notice->epoch,
                                .bytes = fob_slice_str(notice->topic)});
    } else
        sim_world_fail(self->world, "what is delivered is what was published",
                       "a subscriber is handed what cannot be decoded");
    fob_event_destroy(&event);
}

/* All is read: what it says it has is held against what it got. */
static void tell_position(sim_client_t *self) {
    subscriber_t *own = of(self);
    fob_sequencer_figures_t figures;
    fob_sequencer_figures(own->sequencer, &figures);
    if (own->live || !own->ever_up || figures.position == own->position)
        return;
    own->position = figures.position;
    tell(self, (sim_fact_t){.kind = SIM_POSITION, .offset = figures.position});
}

static void read_some(sim_client_t *self, fob_now_t now) {
    subscriber_t *own = of(self);
    bool calm = self->world->calm;
    if (!calm && now.mono_ns < own->read_ns)
        return;
    for (uint64_t left = calm ? UINT64_MAX : own->read_most; left > 0; left--) {
        if (fob_batch_empty(&own->batch))
            own->elsewhere += fob_sequencer_move(own->sequencer, &own->batch);
        if (fob_batch_empty(&own->batch))
            break;
        read_one(self);
    }
    own->read_ns = now.mono_ns + (int64_t)sim_random_skewed(&self->random, own->pause_ns + 1);
    if (fob_batch_empty(&own->batch) && !fob_sequencer_queued(own->sequencer))
        tell_position(self);
}

/* --- its part in the world --- */

static void up(sim_client_t *self, fob_now_t now, const fob_wire_t *welcome) {
    subscriber_t *own = of(self);
    const fob_sequencer_options_t *options = &own->options;
    fob_sequencer_up(own->sequencer, now, welcome);
    fob_link_epoch(self->link, fob_sequencer_epoch(own->sequencer));
    sim_broadcast_open(&own->broadcast, now.mono_ns);
    own->up = true;
    sim_world_note(
        self->world, "client %u subscribes (mode %d, from %d %llu): epoch %llu head %llu",
        self->number, (int)options->mode, (int)options->from, (unsigned long long)options->value,
        (unsigned long long)welcome->epoch, (unsigned long long)welcome->head);
    if (!own->ever_up)
        tell(self, (sim_fact_t){.kind = SIM_SUBSCRIBED,
                                .status = (fob_status_t)options->mode,
                                .count = options->from,
                                .value = options->value,
                                .offset = welcome->head,
                                .token = welcome->epoch,
                                .bytes = options->pattern});
    own->ever_up = true;
}

static void down(sim_client_t *self, fob_now_t now, fob_status_t why, const char *text) {
    subscriber_t *own = of(self);
    (void)now, (void)why, (void)text;
    own->up = false;
    unhear(self);
    fob_sequencer_down(own->sequencer);
}

static void beat(sim_client_t *self, fob_now_t now, const fob_wire_t *msg) {
    subscriber_t *own = of(self);
    fob_sequencer_beat(own->sequencer, now, msg);
    fob_link_epoch(self->link, fob_sequencer_epoch(own->sequencer));
}

static void note(const sim_client_t *self, const fob_wire_t *msg) {
    static const char *const names[] = {[FOB_VERB_FETCH] = "asks for",
                                        [FOB_VERB_FETCHED] = "gets",
                                        [FOB_VERB_WHOLE] = "asks whether whole",
                                        [FOB_VERB_WHOLENESS] = "hears whether whole"};
    if (msg->verb < FOB_VERB_FETCH || msg->verb > FOB_VERB_WHOLENESS)
        return;
    sim_world_note(
        self->world, "client %u %s: from %llu upto %llu next %llu head %llu floor %llu%s%s",
        self->number, names[msg->verb], (unsigned long long)msg->from,
        (unsigned long long)msg->upto, (unsigned long long)msg->next, (unsigned long long)msg->head,
        (unsigned long long)msg->floor, msg->latest ? " latest" : "", msg->dry ? " dry" : "");
}

static void input(sim_client_t *self, fob_now_t now, const fob_wire_t *msg, fob_blob_t *body) {
    subscriber_t *own = of(self);
    note(self, msg);
    if (msg->verb == FOB_VERB_FETCHED)
        reached(self, msg->gone.size ? SIM_SUBSCRIBER_GONE : SIM_SUBSCRIBER_FETCHED);
    if (msg->verb == FOB_VERB_WHOLENESS)
        reached(self, msg->floor ? SIM_SUBSCRIBER_FLOOR : SIM_SUBSCRIBER_WHOLE);
    fob_sequencer_input(own->sequencer, now, msg, body);
    fob_sequencer_figures_t figures;
    fob_sequencer_figures(own->sequencer, &figures);
    if (figures.malformed || figures.doubted)
        sim_world_fail(self->world, "the bus speaks the protocol",
                       "a subscriber calls what it says malformed");
}

static bool output(sim_client_t *self, fob_now_t now, fob_slice_t *header, fob_blob_t **body) {
    subscriber_t *own = of(self);
    fob_wire_t msg;
    if (!fob_sequencer_ask(own->sequencer, &msg))
        return false;
    note(self, &msg);
    if (FOB_HAS(&msg, parts))
        reached(self, SIM_SUBSCRIBER_PART);
    if (!self->world->calm && sim_random_once(&self->random, 100)) {
        fob_sequencer_unsent(own->sequencer, now, &msg);
        return false;
    }
    fob_buf_clear(&own->header);
    if (fob_wire_write(&own->header, &msg) != FOB_OK)
        sim_world_fail(self->world, "a subscriber speaks the protocol", "it cannot ask");
    *header = fob_buf_slice(&own->header);
    *body = NULL;
    return true;
}

static bool at_rest(const sim_client_t *self) {
    const subscriber_t *own = self->own;
    const sim_ground_t *ground = &self->world->witness.ground;
    fob_sequencer_figures_t figures;
    fob_sequencer_figures(own->sequencer, &figures);
    bool read = !fob_sequencer_queued(own->sequencer) && !own->elsewhere && !own->broadcast.count;
    bool all = figures.position >= ground->head && figures.state == FOB_SEQUENCER_CURRENT;
    return own->ever_up && read && (own->live || (all && !figures.holes));
}

/* Once faults stop it gets on, until it has all. */
static void watch(sim_client_t *self) {
    subscriber_t *own = of(self);
    uint64_t progress = own->progress + own->position;
    int64_t now_ns = self->world->now_ns;
    if (own->stuck_at != progress || !own->stuck_ns || !own->up || at_rest(self)) {
        own->stuck_at = progress;
        own->stuck_ns = now_ns;
    }
    if (now_ns - own->stuck_ns > STUCK_NS)
        sim_world_fail(self->world, "once faults stop a subscriber has all, or is told",
                       "a subscriber gets no further");
}

static void tick(sim_client_t *self, fob_now_t now) {
    subscriber_t *own = of(self);
    sim_frame_t frame;
    while (sim_broadcast_take(&own->broadcast, now.mono_ns, &frame)) {
        hear(self, &frame);
        sim_frame_free(&frame);
    }
    read_some(self, now);
    fob_sequencer_round(own->sequencer, now, own->elsewhere);
    bool deaf = fob_sequencer_deaf(own->sequencer);
    if (sim_broadcast_rest(&own->broadcast, now.mono_ns, deaf) && deaf)
        reached(self, SIM_SUBSCRIBER_DEAF);
    fob_sequencer_figures_t figures;
    fob_sequencer_figures(own->sequencer, &figures);
    for (; own->repairs < figures.repairs; own->repairs++)
        reached(self, SIM_SUBSCRIBER_BEHIND);
    if (self->world->calm)
        watch(self);
}

static int64_t deadline(sim_client_t *self) {
    subscriber_t *own = of(self);
    int64_t at = fob_sequencer_deadline(own->sequencer);
    int64_t frame = sim_broadcast_next(&own->broadcast);
    bool reads = own->elsewhere || fob_sequencer_queued(own->sequencer);
    if (reads && own->read_ns < at)
        at = own->read_ns;
    return frame < at ? frame : at;
}

static void end(sim_client_t *self) {
    subscriber_t *own = of(self);
    fob_sequencer_destroy(&own->sequencer);
    sim_broadcast_free(&own->broadcast);
    fob_batch_clear(&own->batch);
    fob_buf_free(&own->header);
    free(own->live);
    free(own);
}

/* --- the end --- */

bool sim_subscriber_done(const sim_client_t *self) {
    return self->own && at_rest(self);
}

static void hold(sim_client_t *self, uint64_t lacks, uint64_t told) {
    tell(self, (sim_fact_t){.kind = SIM_MISSED,
                            .offset = self->world->witness.ground.head + 1,
                            .value = lacks,
                            .count = told});
}

void sim_subscriber_sum(sim_client_t *self) {
    const subscriber_t *own = self->own;
    const sim_ground_t *ground = &self->world->witness.ground;
    if (own && !own->live)
        tell(self, (sim_fact_t){.kind = SIM_RESTS, .offset = ground->head});
    for (unsigned t = 0; own && own->live && !own->closing_missed && t < SIM_TOPICS; t++) {
        const sim_thread_t *newest = sim_live_newest(own->live, t);
        if (!newest)
            continue;
        uint64_t stored = sim_live_stored(ground, t, newest->first - 1, ground->head + 1);
        hold(self, stored - newest->heard, newest->told);
        hold(self, sim_live_stored(ground, t, newest->last, ground->head + 1), 0);
    }
}

const sim_role_t sim_subscriber_role = {"subscriber", up,       down, input, output,
                                        tick,         deadline, cast, beat,  end};
