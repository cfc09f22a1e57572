/* leases, the inside: shared by leases.c (the connection's side) and leases_work.c (the
 * application's). */
#ifndef FOB_LEASES_INSIDE_H
#define FOB_LEASES_INSIDE_H

#include "subscribers/lease/holding.h"
#include "subscribers/lease/leases.h"
#include "subscribers/lease/prefetch.h"
#include "subscribers/lease/settles.h"

typedef enum {
    OFF,     /* no connection */
    UP,      /* a connection; joins at join_at, if there is a reason */
    ADDING,  /* GROUP_ADD sent */
    JOINING, /* JOIN sent */
    JOINED,
    LEFT /* drained, and said so */
} state_t;

struct fob_leases {
    fob_leases_options_t options; /* slices point into names */
    uint8_t names[3 * (FOB_NAME_MAX + 1)];

    state_t state;
    uint64_t connection; /* counted */
    bool ever_up, ever_joined, created;
    bool draining, hurry;
    bool add;          /* the group is missing, and is to be made before the next JOIN */
    const char *stale; /* why the connection must go; NULL */
    fob_status_t fate; /* OK, or what ended it */
    bool fate_of_link; /* VERSION, DENIED: gone with a connection that works */
    char trouble[512];
    char lost_text[FOB_REASON_MAX + 1];
    bool lost_news; /* an event that is out was lost, and nobody was told */

    uint64_t epoch;
    int64_t beat_ns, heard, round; /* mono_ns */
    bool echoes;                   /* `heard` is when the bus heard us, at the least */
    int64_t sure;                  /* when the bus was heard last while it knew of our leases */
    int64_t join_at, unsent_since;
    int64_t busy_until; /* settles are likely to come: rounds are run without being asked for */
    uint64_t delivered, allowed; /* since this JOIN */
    uint64_t taken;              /* handed out in all */
    uint64_t refused;
    uint64_t bound; /* ms, as JOINED said */
    uint64_t req;   /* of the last GROUP_ADD */

    fob_prefetch_t prefetch;
    fob_holding_t holding;
    fob_settles_t settles;
    fob_buf_t header, runs;
    fob_pool_t pool; /* of events */
};

/* How an event ends that cannot be decoded here. */
extern const fob_settle_how_t fob_undecodable;
/* What is told of a handler whose lease was lost. */
extern const fob_settle_how_t fob_has_ended;

/* For how long after `heard` the hold is good. Three beats after it heard from us the bus gives our
 * leases away. Where it answers our beats, that leaves a beat for what we begin last. Where it does
 * not (a bus of before), we may have heard from it up to a beat later than it from us: a quarter is
 * for beats that are late, and nothing for a way that only leads to us. */
static inline int64_t fob_leases_hold(const fob_leases_t *self) {
    return self->echoes ? 2 * self->beat_ns : self->beat_ns * 7 / 4;
}
/* Keeps the sentence as the last trouble; an empty one: the status's own. */
void fob_leases_say(fob_leases_t *self, fob_slice_t text, fob_status_t status);
/* Ends a range of leases, as the next SETTLE will say. False: no memory; then they are forgotten,
 * the connection is given up, and as no claim names them they go to others. */
bool fob_leases_end(fob_leases_t *self, fob_now_t now, const fob_settle_how_t *how, uint64_t offset,
                    uint64_t token, uint64_t count);

#endif
