/* line: those who wait their turn, one of a connection at a time, in the order in which they came
 * and, beside it, by what each waits for: so who can be served by what is there is found without
 * going through all. Takes no memory but a place for each slot of a connection. Pure. Not
 * thread-safe. */
#ifndef FOB_FETCH_LINE_H
#define FOB_FETCH_LINE_H

#include "bus/fetch/treap.h"

#include <stddef.h>

/* Stands at the beginning of what waits; that is the caller's memory. */
typedef struct fob_waiter {
    fob_node_t node; /* first: what it waits for, and its turn */
    struct fob_waiter *before, *behind;
    bool aside;
    uint64_t conn;
} fob_waiter_t;

typedef struct {
    fob_waiter_t *first, *last;
} fob_queue_t;

/* Begins as zeros. */
typedef struct {
    fob_queue_t turns;    /* in line */
    fob_queue_t aside;    /* for whom nothing can be done now */
    fob_treap_t wants;    /* those in line, by what they wait for */
    uint64_t turn;        /* given last */
    fob_waiter_t **slots; /* by slot of the connection (the low half of its number) */
    size_t slot_count, count;
} fob_line_t;

/* Nobody waits. */
void fob_line_free(fob_line_t *self);

/* Room for one of that connection. False: no memory. */
bool fob_line_room(fob_line_t *self, uint64_t conn);
/* Who of that connection waits; NULL: nobody. */
fob_waiter_t *fob_line_of(const fob_line_t *self, uint64_t conn);
/* Takes it in, aside; there is room, and nobody of its connection, nor of one whose slot it has. */
void fob_line_add(fob_line_t *self, fob_waiter_t *waiter);
void fob_line_remove(fob_line_t *self, fob_waiter_t *waiter);
/* To the end of the line, waiting for `want`; */
void fob_line_turn(fob_line_t *self, fob_waiter_t *waiter, uint64_t want);
/* stays where it stands in line, but waits for something else; */
void fob_line_want(fob_line_t *self, fob_waiter_t *waiter, uint64_t want);
/* or out of the line, behind those who are. */
void fob_line_set_aside(fob_line_t *self, fob_waiter_t *waiter);

/* Who in line waits for the lowest in from..end - 1, and of these the first; NULL: nobody. */
fob_waiter_t *fob_line_within(const fob_line_t *self, uint64_t from, uint64_t end);

#endif
