/* holding: the events that are out with the application, found by their lease's token. An
 * open-addressed table: no allocation once it has grown to `jobs`. Pure; one thread at a time. */
#ifndef FOB_LEASE_HOLDING_H
#define FOB_LEASE_HOLDING_H

#include "proto/event.h"
#include "proto/slice.h"

typedef struct {
    uint64_t token;
    uint64_t offset;
    fob_event_t *event; /* the application's; NULL: a free slot */
    bool lost;          /* the bus took the lease away */
    uint64_t lost_in;   /* on which connection, by its number; 0: between two */
} fob_held_t;

/* All zeros is an empty table. */
typedef struct {
    fob_held_t *slots;
    size_t capacity; /* a power of two, or 0 */
    size_t count;    /* slots in use */
    size_t lost;     /* of these: lost */
} fob_holding_t;

/* Makes room for one more. False: no memory, nothing changed. */
bool fob_holding_reserve(fob_holding_t *self);
/* Puts one in; room was reserved and the token is not in it. */
void fob_holding_put(fob_holding_t *self, uint64_t token, uint64_t offset, fob_event_t *event);
/* The one with this token; NULL: none. Good until the next put or take. */
fob_held_t *fob_holding_find(const fob_holding_t *self, uint64_t token);
/* Takes one out that find gave; the event is the caller's. */
void fob_holding_take(fob_holding_t *self, fob_held_t *held);
/* Marks as lost, on connection `in`, what lies in a range of leases. Returns how many were not lost
 * before. */
uint64_t fob_holding_lose(fob_holding_t *self, uint64_t offset, uint64_t count, uint64_t token,
                          uint64_t in);
/* Marks all as lost. */
void fob_holding_lose_all(fob_holding_t *self);
/* Destroys the events that are still in it and frees the table. */
void fob_holding_free(fob_holding_t *self);

/* Whether the lease (offset, token) is in the range [first, count, first_token]: the one test for
 * every range. */
static inline bool fob_lease_within(uint64_t offset, uint64_t token, uint64_t first, uint64_t count,
                                    uint64_t first_token) {
    return token - first_token == offset - first && offset >= first && offset - first < count;
}

#endif
