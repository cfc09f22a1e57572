/* line: those who wait their turn, one of a connection at a time. Takes no memory but a place for
 * each slot of a connection. Pure. Not thread-safe. */
#ifndef FOB_FETCH_LINE_H
#define FOB_FETCH_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Stands at the beginning of what waits; that is the caller's memory. */
typedef struct fob_waiter {
    struct fob_waiter *before, *behind;
    uint64_t conn;
} fob_waiter_t;

/* Begins as zeros. */
typedef struct {
    fob_waiter_t *first, *last;
    fob_waiter_t **slots; /* by slot of the connection (the low half of its number) */
    size_t slot_count, count;
} fob_line_t;

/* Nobody waits. */
void fob_line_free(fob_line_t *self);

/* Room for one of that connection. False: no memory. */
bool fob_line_room(fob_line_t *self, uint64_t conn);
/* Who of that connection waits; NULL: nobody. */
fob_waiter_t *fob_line_of(const fob_line_t *self, uint64_t conn);
/* At the end; there is room, and nobody of its connection, nor of one whose slot it has. */
void fob_line_add(fob_line_t *self, fob_waiter_t *waiter);
void fob_line_remove(fob_line_t *self, fob_waiter_t *waiter);
/* To the end. */
void fob_line_turn(fob_line_t *self, fob_waiter_t *waiter);

#endif
