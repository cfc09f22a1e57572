#include "sim_live.h"

uint64_t sim_live_stored(const sim_ground_t *ground, unsigned topic, uint64_t after,
                         uint64_t before) {
    uint64_t count = 0;
    for (uint64_t o = after + 1; o < before && o <= ground->head; o++)
        count += ground->events[o].there && ground->events[o].topic == topic;
    return count;
}

static sim_thread_t *thread_of(sim_live_t *self, uint64_t source, unsigned topic) {
    for (size_t i = self->count; i-- > 0;)
        if (self->threads[i].source == source && self->threads[i].topic == topic)
            return &self->threads[i];
    if (self->count == SIM_SOURCES)
        return NULL;
    self->threads[self->count] = (sim_thread_t){.source = source, .topic = topic};
    return &self->threads[self->count++];
}

uint64_t sim_live_heard(sim_live_t *self, const sim_ground_t *ground, const fob_cast_t *frame,
                        unsigned topic, uint64_t taken, uint64_t told) {
    sim_thread_t *thread = thread_of(self, frame->source, topic);
    uint64_t lacks = frame->count - taken;
    if (!thread)
        return told;
    if (thread->last)
        lacks += sim_live_stored(ground, topic, thread->last, frame->offset);
    else
        thread->first = frame->offset;
    thread->last = frame->offset + frame->count - 1;
    thread->heard += taken;
    thread->told += told;
    return lacks;
}

const sim_thread_t *sim_live_newest(const sim_live_t *self, unsigned topic) {
    const sim_thread_t *newest = NULL;
    for (size_t i = 0; i < self->count && self->count < SIM_SOURCES; i++)
        if (self->threads[i].topic == topic && (!newest || self->threads[i].last > newest->last))
            newest = &self->threads[i];
    return newest;
}
