/* crowd: many raw connections of subscribers in one process: each with a DEALER that greets and
 * beats, and a SUB with patterns. They read what keeps them there, and count what they hear: the
 * bus's part of a broadcast, and next to nothing of a subscriber's. One thread. */
#ifndef FOB_BENCH_CROWD_H
#define FOB_BENCH_CROWD_H

#include <stdbool.h>
#include <stdint.h>

typedef struct crowd crowd_t;

/* `members` connections to the bus at 127.0.0.1, port `port`, which hold `patterns` patterns
 * together, all different, with a wildcard in the middle. Returns when all are live. Ends the
 * program where that fails. */
crowd_t *crowd_new(int port, uint32_t members, uint32_t patterns);
/* The same, all subscribed to one topic. */
crowd_t *crowd_of_topic(int port, uint32_t members, const char *topic);
/* All say what keeps them there, and count what came; to be called more often than three beats
 * pass. */
void crowd_beat(crowd_t *self);
/* Stored events that all of them heard so far. */
uint64_t crowd_heard(const crowd_t *self);
void crowd_destroy(crowd_t **self_p);

#endif
