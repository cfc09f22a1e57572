#include "tests/bench/scale_listeners.h"
#include "tests/bench/scale_crowd.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct listeners {
    int port;
    uint32_t count;
    const char *topic;
    sem_t live;
    atomic_uint_fast64_t heard;
    atomic_bool stop;
    pid_t pid;
};

static bool listen_to_it(void *arg) {
    listeners_t *self = arg;
    crowd_t *crowd = crowd_of_topic(self->port, self->count, self->topic);
    sem_post(&self->live);
    while (!atomic_load(&self->stop)) {
        crowd_beat(crowd);
        atomic_store(&self->heard, crowd_heard(crowd));
    }
    crowd_destroy(&crowd);
    return true;
}

listeners_t *listeners_new(const rig_t *rig, uint32_t count, const char *topic) {
    listeners_t *self = rig_shared(sizeof *self);
    self->port = atoi(strrchr(rig_endpoint(rig), ':') + 1);
    self->count = count;
    self->topic = topic;
    sem_init(&self->live, 1, 0);
    self->pid = rig_child(listen_to_it, self);
    rig_await(&self->live);
    return self;
}

uint64_t listeners_heard(const listeners_t *self) {
    return atomic_load(&self->heard);
}

void listeners_destroy(listeners_t **self_p) {
    listeners_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    atomic_store(&self->stop, true);
    (void)rig_join(self->pid);
}
