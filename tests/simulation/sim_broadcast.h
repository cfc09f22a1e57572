/* The way of the broadcast to one subscriber: ordered and late, as its connection is; full, it
 * loses what comes; it breaks apart from the connection on which is asked. Times are the
 * subscriber's own (monotonic). */
#ifndef FOB_TESTS_SIMULATION_BROADCAST_H
#define FOB_TESTS_SIMULATION_BROADCAST_H

#include "proto/blob.h"
#include "random.h"

typedef struct {
    int64_t at_ns; /* when it arrives */
    uint8_t *header;
    size_t size;
    fob_blob_t *body;
} sim_frame_t;

typedef struct {
    sim_random_t random;
    uint64_t drop_in, burst; /* one in so many frames is lost, and up to so many behind it */
    uint64_t cut_in;         /* frames, about, between two cuts; 0: none */
    size_t most;             /* frames under way: what comes on top is lost */
    int64_t delay_ns;        /* at the most */
    int64_t listens_ns;      /* the bus knows the subscription from then on; FOB_NEVER */
    int64_t last_ns;         /* when the last frame arrives */
    uint64_t losing;         /* so many more are lost */
    bool rests;              /* it is not subscribed for now; the bus knows */
    int64_t changed_ns;      /* from then on */
    sim_frame_t *ring;
    size_t first, count, room;
} sim_broadcast_t;

/* Draws how it is. */
void sim_broadcast_init(sim_broadcast_t *self, sim_random_t random);
void sim_broadcast_free(sim_broadcast_t *self);
/* It subscribes: that takes a while. */
void sim_broadcast_open(sim_broadcast_t *self, int64_t now_ns);
/* What is under way is lost. Returns whether it listened. */
bool sim_broadcast_close(sim_broadcast_t *self, int64_t now_ns);
bool sim_broadcast_listens(const sim_broadcast_t *self, int64_t now_ns);
/* The subscription rests, or is taken up again, on the same connection. Returns whether that is
 * new. */
bool sim_broadcast_rest(sim_broadcast_t *self, int64_t now_ns, bool rest);
/* Whether it is to break now. */
bool sim_broadcast_breaks(sim_broadcast_t *self);
/* The bus sends a frame. Returns when it arrives; FOB_NEVER: not. */
int64_t sim_broadcast_put(sim_broadcast_t *self, int64_t now_ns, bool lossy, fob_slice_t header,
                          fob_slice_t body);
/* The next one that has arrived, to be freed; false: none. */
bool sim_broadcast_take(sim_broadcast_t *self, int64_t now_ns, sim_frame_t *out);
int64_t sim_broadcast_next(const sim_broadcast_t *self); /* when it arrives; FOB_NEVER */
void sim_frame_free(sim_frame_t *frame);

#endif
