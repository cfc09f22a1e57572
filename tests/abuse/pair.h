/* pair: a publisher and a worker that behave, and how the bus serves them: one event after the
 * other is published, confirmed, handed out and acked, on a thread of its own, until it is stopped.
 */
#ifndef FOB_TESTS_PAIR_H
#define FOB_TESTS_PAIR_H

#include <stddef.h>

typedef struct pair pair_t;

/* How it went over a while, in microseconds. */
typedef struct {
    size_t trips; /* events that went the whole way */
    double seconds, per_second;
    long confirm_median, confirm_99; /* from publish to receipt */
    long trip_median, trip_worst;    /* from publish to the handler */
} pair_figures_t;

/* Begins to work with the bus at FOB_BUS, in the group `healthy`, and waits for its first event. */
pair_t *pair_new(void);
/* The figures since it was last asked; from now on they begin anew. */
pair_figures_t pair_figures(pair_t *self);
/* How many events went the whole way so far. */
size_t pair_trips(pair_t *self);
/* Stops; every event that was confirmed has been handled, or the test fails. Null-safe, nulls. */
void pair_destroy(pair_t **self_p);

#endif
