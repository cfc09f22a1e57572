/* A subscriber: the real sequencer, fed with what the broadcast lets through. */
#include "sim_world.h"

#include "subscribers/sequencer.h"

#define SOURCES 4096 /* runs of the bus times topics that are remembered */

/* The last event that came of one source and topic. */
typedef struct {
    uint64_t source, first, last;
    uint64_t heard, told; /* events that came, and that it was told it lacks, since the first */
    unsigned topic;
} thread_t;

typedef struct {
    fob_sequencer_t *sequencer;
    fob_batch_t batch;
    unsigned drop_in; /* a frame is lost once in so many times */
    thread_t threads[SOURCES];
    size_t count;
    uint64_t lost;
} subscriber_t;

static const char *const patterns[] = {">", "orders.*", "mail", "pay.>"};

static subscriber_t *of(sim_client_t *self) {
    if (self->own)
        return self->own;
    subscriber_t *own = self->own = sim_alloc(sizeof *own);
    own->drop_in = 2 + (unsigned)sim_random_below(&self->random, 100);
    own->sequencer = fob_sequencer_new(&(fob_sequencer_options_t){
        .pattern = fob_slice_str(patterns[sim_random_below(&self->random, 4)]),
        .mode = FOB_SEQUENCER_LIVE,
        .queue = UINT64_C(1) << 40});
    return own;
}

static thread_t *thread_of(subscriber_t *own, uint64_t source, unsigned topic) {
    for (size_t i = own->count; i-- > 0;)
        if (own->threads[i].source == source && own->threads[i].topic == topic)
            return &own->threads[i];
    if (own->count == SOURCES)
        return NULL;
    own->threads[own->count] = (thread_t){.source = source, .topic = topic};
    return &own->threads[own->count++];
}

/* How many of the topic were stored between the two: by the journal, not by what the bus says. */
static uint64_t stored_between(const sim_ground_t *ground, unsigned topic, uint64_t after,
                               uint64_t before) {
    uint64_t count = 0;
    for (uint64_t o = after + 1; o < before && o <= ground->head; o++)
        count += ground->events[o].there && ground->events[o].topic == topic;
    return count;
}

static void hand_out(sim_client_t *self) {
    subscriber_t *own = of(self);
    fob_event_t *event;
    while (fob_sequencer_move(own->sequencer, &own->batch))
        while (fob_batch_next(&own->batch, &event) == FOB_OK) {
            sim_witness_tell(&self->world->witness,
                             &(sim_fact_t){.kind = SIM_HEARD,
                                           .worker = self->number,
                                           .offset = fob_event_offset(event),
                                           .bytes = fob_event_envelope(event)->bytes});
            fob_event_destroy(&event);
        }
}

static void cast(sim_client_t *self, fob_slice_t header, fob_slice_t body) {
    subscriber_t *own = of(self);
    fob_cast_t frame;
    if (fob_cast_read(header, &frame) != FOB_OK)
        sim_world_fail(self->world, "the bus speaks the protocol", "a broadcast cannot be read");
    if (!self->world->closing && sim_random_once(&self->random, own->drop_in))
        return;
    fob_blob_t *copy = fob_blob_copy(body);
    uint64_t before = fob_sequencer_lost(own->sequencer);
    fob_sequencer_take(own->sequencer, &frame, copy, 0);
    fob_blob_unref(&copy);
    uint64_t missed = fob_sequencer_lost(own->sequencer) - before, expected = 0;
    bool mine = fob_sequencer_queued(own->sequencer) > 0;
    for (unsigned t = 0; mine && t < SIM_TOPICS; t++)
        if (fob_slice_eq(frame.topic, fob_slice_str(sim_topics[t]))) {
            thread_t *thread = thread_of(own, frame.source, t);
            if (!thread)
                return;
            if (thread->last)
                expected =
                    stored_between(&self->world->witness.ground, t, thread->last, frame.offset);
            else
                thread->first = frame.offset;
            thread->last = frame.offset + frame.count - 1;
            thread->heard += frame.count;
            thread->told += missed;
        }
    sim_witness_tell(&self->world->witness, &(sim_fact_t){.kind = SIM_MISSED,
                                                          .worker = self->number,
                                                          .offset = frame.offset,
                                                          .value = expected,
                                                          .count = missed});
    hand_out(self);
}

static void hold(sim_client_t *self, uint64_t lacks, uint64_t told) {
    sim_witness_tell(&self->world->witness,
                     &(sim_fact_t){.kind = SIM_MISSED,
                                   .worker = self->number,
                                   .offset = self->world->witness.ground.head + 1,
                                   .value = lacks,
                                   .count = told});
}

void sim_subscriber_sum(sim_client_t *self) {
    const subscriber_t *own = self->own;
    const sim_ground_t *ground = &self->world->witness.ground;
    for (unsigned t = 0; own && t < SIM_TOPICS; t++) {
        const thread_t *newest = NULL;
        for (size_t i = 0; i < own->count; i++)
            if (own->threads[i].topic == t && (!newest || own->threads[i].last > newest->last))
                newest = &own->threads[i];
        if (!newest || own->count == SOURCES)
            continue;
        uint64_t stored = stored_between(ground, t, newest->first - 1, ground->head + 1);
        hold(self, stored - newest->heard, newest->told);
        hold(self, stored_between(ground, t, newest->last, ground->head + 1), 0);
    }
}

static void up(sim_client_t *self, fob_now_t now, const fob_wire_t *welcome) {
    (void)self, (void)now, (void)welcome;
}

static void down(sim_client_t *self, fob_now_t now, fob_status_t why, const char *text) {
    (void)now, (void)why, (void)text;
    fob_sequencer_pause(of(self)->sequencer);
}

static void input(sim_client_t *self, fob_now_t now, const fob_wire_t *msg, fob_blob_t *body) {
    (void)self, (void)now, (void)msg, (void)body;
}

static bool output(sim_client_t *self, fob_now_t now, fob_slice_t *header, fob_blob_t **body) {
    (void)self, (void)now, (void)header, (void)body;
    return false;
}

static void tick(sim_client_t *self, fob_now_t now) {
    (void)now;
    of(self);
}

static int64_t deadline(sim_client_t *self) {
    (void)self;
    return FOB_NEVER;
}

static void end(sim_client_t *self) {
    subscriber_t *own = of(self);
    fob_sequencer_destroy(&own->sequencer);
    fob_batch_clear(&own->batch);
    free(own);
}

const sim_role_t sim_subscriber_role = {"subscriber", up,       down, input, output,
                                        tick,         deadline, cast, end};
