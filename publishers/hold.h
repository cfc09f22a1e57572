/* hold: which topics the bus has refused for now (BUSY), when each is offered again, how long the
 * pauses grow, and how many events wait for it. Pure. */
#ifndef FOB_HOLD_H
#define FOB_HOLD_H

#include "proto/now.h"
#include "proto/topic.h"
#include <fob/fob_status.h>

#define FOB_HOLDS     32 /* topics told apart; beyond, all are held */
#define FOB_HOLD_TEXT 300

typedef struct {
    bool used;
    bool closed; /* else it was offered again */
    uint8_t topic[FOB_TOPIC_MAX];
    uint16_t topic_size;
    unsigned tries;  /* refusals in a row */
    uint32_t parked; /* events that wait under it, or waited: until they are done */
    int64_t retry_at;
    fob_status_t status; /* BUSY, DISK_FULL, GAP */
    uint16_t text_size;
    char text[FOB_HOLD_TEXT];
} fob_hold_t;

typedef struct {
    unsigned count;  /* of used ones, `all` included */
    unsigned closed; /* of closed ones */
    uint64_t random; /* the state of the jitter: any number to begin with */
    fob_hold_t all;  /* DISK_FULL, GAP: holds every topic */
    fob_hold_t topics[FOB_HOLDS];
} fob_holds_t;

/* Closes a topic (NULL: all of them) for `retry_ns` and a random while on top (full jitter:
 * anything from 0 to a bound that doubles with each refusal in a row, 50 ms to 5 s), so that the
 * publishers that one group refused do not come back all at once. Gives the hold that is closed
 * now: `all` where there are too many; one that was closed already is as it was. */
fob_hold_t *fob_holds_close(fob_holds_t *self, fob_now_t now, const fob_slice_t *topic,
                            fob_status_t status, fob_slice_t text, int64_t retry_ns);

/* The hold that keeps this topic back, or NULL. Cheap while nothing is held. */
const fob_hold_t *fob_holds_find(const fob_holds_t *self, fob_slice_t topic);

/* The topic's own, also where it was offered again since; NULL: it flows. */
fob_hold_t *fob_holds_of(fob_holds_t *self, fob_slice_t topic);

/* For a note on an event: 1 + the index of a topic's hold; 0 for `all`. And back: an event that
 * waited under it is done. */
uint8_t fob_holds_mark(const fob_holds_t *self, const fob_hold_t *hold);
void fob_holds_done(fob_holds_t *self, uint8_t mark);

/* When the next closed one may be opened; FOB_NEVER. */
int64_t fob_holds_deadline(const fob_holds_t *self);

/* An event of this topic was stored: its pauses start small again. */
void fob_holds_stored(fob_holds_t *self, fob_slice_t topic);

/* Opens all, as for a new connection; how long pauses have grown is kept. */
void fob_holds_open_all(fob_holds_t *self);

#endif
