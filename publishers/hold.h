/* hold: which topics the bus has refused for now (BUSY), when each is offered again, and how long
 * the pauses grow. Pure. */
#ifndef FOB_HOLD_H
#define FOB_HOLD_H

#include "proto/now.h"
#include "proto/topic.h"
#include <fob/fob_status.h>

#define FOB_HOLDS     32 /* topics told apart; beyond, all are held */
#define FOB_HOLD_TEXT 300

typedef struct {
    bool used;
    bool closed; /* else it was offered again, and is waiting for its answer */
    uint8_t topic[FOB_TOPIC_MAX];
    uint16_t topic_size;
    unsigned tries; /* refusals in a row */
    int64_t retry_at;
    fob_status_t status; /* BUSY, DISK_FULL, GAP */
    uint16_t text_size;
    char text[FOB_HOLD_TEXT];
} fob_hold_t;

typedef struct {
    unsigned count;  /* of used ones, `all` included */
    unsigned closed; /* of closed ones */
    fob_hold_t all;  /* DISK_FULL, GAP: holds every topic */
    fob_hold_t topics[FOB_HOLDS];
} fob_holds_t;

/* Closes a topic (NULL: all of them) for at least `retry_ns`, longer after each refusal in
 * a row. */
void fob_holds_close(fob_holds_t *self, fob_now_t now, const fob_slice_t *topic,
                     fob_status_t status, fob_slice_t text, int64_t retry_ns);

/* The hold that keeps this topic back, or NULL. Cheap while nothing is held. */
const fob_hold_t *fob_holds_find(const fob_holds_t *self, fob_slice_t topic);

/* When the next closed one may be opened; FOB_NEVER. */
int64_t fob_holds_deadline(const fob_holds_t *self);

/* An event of this topic was stored: its pauses start small again. */
void fob_holds_stored(fob_holds_t *self, fob_slice_t topic);

/* Opens all, as for a new connection; how long pauses have grown is kept. */
void fob_holds_open_all(fob_holds_t *self);

#endif
