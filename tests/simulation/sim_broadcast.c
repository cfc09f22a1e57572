#include "sim_broadcast.h"

#include "proto/now.h"
#include "sim_memory.h"

void sim_frame_free(sim_frame_t *frame) {
    free(frame->header);
    fob_blob_unref(&frame->body);
}

void sim_broadcast_init(sim_broadcast_t *self, sim_random_t random) {
    *self = (sim_broadcast_t){.random = random, .listens_ns = FOB_NEVER};
    self->drop_in = 2 + sim_random_below(&self->random, 100);
    self->burst = sim_random_skewed(&self->random, 100);
    self->cut_in =
        sim_random_once(&self->random, 2) ? 0 : 100 + sim_random_below(&self->random, 2000);
    self->most = 8 + sim_random_skewed(&self->random, 4000);
    self->delay_ns = FOB_MS / 10 + (int64_t)sim_random_skewed(&self->random, 400 * FOB_MS);
}

static sim_frame_t *at(const sim_broadcast_t *self, size_t index) {
    return &self->ring[(self->first + index) % self->room];
}

static void lose_all(sim_broadcast_t *self) {
    for (; self->count; self->count--)
        sim_frame_free(at(self, self->count - 1));
}

void sim_broadcast_free(sim_broadcast_t *self) {
    lose_all(self);
    free(self->ring);
}

void sim_broadcast_open(sim_broadcast_t *self, int64_t now_ns) {
    self->listens_ns = now_ns + (int64_t)sim_random_skewed(&self->random, 2 * FOB_SEC);
}

bool sim_broadcast_listens(const sim_broadcast_t *self, int64_t now_ns) {
    return self->listens_ns <= now_ns;
}

bool sim_broadcast_close(sim_broadcast_t *self, int64_t now_ns) {
    bool listened = sim_broadcast_listens(self, now_ns);
    lose_all(self);
    self->listens_ns = FOB_NEVER;
    return listened;
}

bool sim_broadcast_rest(sim_broadcast_t *self, int64_t now_ns, bool rest) {
    if (self->rests == rest)
        return false;
    self->rests = rest;
    self->changed_ns = now_ns + (int64_t)sim_random_skewed(&self->random, (uint64_t)self->delay_ns);
    return true;
}

static bool is_resting(const sim_broadcast_t *self, int64_t now_ns) {
    return now_ns < self->changed_ns ? !self->rests : self->rests;
}

bool sim_broadcast_breaks(sim_broadcast_t *self) {
    return self->cut_in && sim_random_once(&self->random, self->cut_in);
}

static bool is_lost(sim_broadcast_t *self) {
    if (!self->losing && sim_random_once(&self->random, self->drop_in))
        self->losing = 1 + sim_random_below(&self->random, self->burst + 1);
    if (!self->losing)
        return self->count >= self->most;
    self->losing--;
    return true;
}

int64_t sim_broadcast_put(sim_broadcast_t *self, int64_t now_ns, bool lossy, fob_slice_t header,
                          fob_slice_t body) {
    if (!sim_broadcast_listens(self, now_ns) || is_resting(self, now_ns) ||
        (lossy && is_lost(self)))
        return FOB_NEVER;
    if (self->count == self->room) {
        size_t room = self->room ? 2 * self->room : 16;
        sim_frame_t *ring = sim_alloc(room * sizeof *ring);
        for (size_t i = 0; i < self->count; i++)
            ring[i] = *at(self, i);
        free(self->ring);
        self->ring = ring;
        self->first = 0;
        self->room = room;
    }
    int64_t when = now_ns + (int64_t)sim_random_skewed(&self->random, (uint64_t)self->delay_ns);
    if (when < self->last_ns)
        when = self->last_ns;
    self->last_ns = when;
    self->count++;
    *at(self, self->count - 1) =
        (sim_frame_t){when, sim_copy(header.data, header.size), header.size, fob_blob_copy(body)};
    return when;
}

bool sim_broadcast_take(sim_broadcast_t *self, int64_t now_ns, sim_frame_t *out) {
    if (!self->count || at(self, 0)->at_ns > now_ns)
        return false;
    *out = *at(self, 0);
    self->first = (self->first + 1) % self->room;
    self->count--;
    return true;
}

int64_t sim_broadcast_next(const sim_broadcast_t *self) {
    return self->count ? at(self, 0)->at_ns : FOB_NEVER;
}
