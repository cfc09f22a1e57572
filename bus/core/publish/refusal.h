/* refusal: what a publisher's session was refused for a time on a connection, and has not offered
 * again: topics that are closed to it, or all of them, and how far its numbers were answered.
 *
 * A topic is closed behind its first refused number: what comes later is refused too, so that the
 * order of a topic stays. Once that number is offered again, those that were refused may come
 * again, and when the last of them has, the topic is open. FOB_CLOSED_MAX topics are told apart;
 * where there are more, all are closed. One for a connection at most, gone with it. Volatile: never
 * in the hash or a checkpoint. */
#ifndef FOB_CORE_REFUSAL_H
#define FOB_CORE_REFUSAL_H

#include "bus/core/table/map64.h"
#include "proto/wire.h"

#define FOB_CLOSED_MAX 64

typedef struct {
    uint64_t topic; /* its digest: two that are alike close each other, which is harmless */
    uint64_t from;  /* numbers above are refused; UINT64_MAX: it came again */
    uint64_t last;  /* the highest that was refused: those above wait until this one came again */
    uint32_t group; /* id of the one that was full; 0: none in particular */
} fob_closed_t;

typedef struct {
    uint8_t session[FOB_SESSION_SIZE];
    uint64_t begun;    /* where a session began of which nothing is stored yet; 0: none */
    uint64_t answered; /* the highest number answered */
    fob_status_t shut; /* not FOB_OK: every topic is closed, and this is why */
    fob_closed_t all;  /* where it is */
    uint32_t count, capacity;
    fob_closed_t *closed;
    uint32_t next_free; /* index + 1, of a free place */
} fob_refusal_t;

/* All zeros: none. */
typedef struct {
    fob_map64_t by_conn;
    fob_refusal_t *slab;
    uint32_t capacity, used, free;
    fob_refusal_t draft; /* the one being changed */
} fob_refusals_t;

void fob_refusals_free(fob_refusals_t *self);
/* That of the session on the connection, or NULL; good until the next call. */
const fob_refusal_t *fob_refusals_find(const fob_refusals_t *self, uint64_t conn,
                                       const uint8_t *session);
/* A copy to change, empty where there is none; good until the next draft. NULL: no memory. */
fob_refusal_t *fob_refusals_draft(fob_refusals_t *self, uint64_t conn, const uint8_t *session);
/* Room to keep the draft; false: no memory, nothing changed. */
bool fob_refusals_reserve(fob_refusals_t *self, uint64_t conn);
/* Keeps the draft as the connection's, instead of what it had; one that says nothing any more, as
 * all below `next` is used or free, is forgotten. There must be room. */
void fob_refusals_keep(fob_refusals_t *self, uint64_t conn, uint64_t next);
void fob_refusals_forget(fob_refusals_t *self, uint64_t conn);

/* The number is offered, and everything below `low` has its receipt: what waited for these opens.
 */
void fob_refusal_offer(fob_refusal_t *self, uint64_t number, uint64_t low);
/* What closes the topic to the number, and now all topics; NULL: it may be taken. */
fob_closed_t *fob_refusal_closed(const fob_refusal_t *self, uint64_t topic, uint64_t number);
fob_closed_t *fob_refusal_shut(fob_refusal_t *self, uint64_t number);
/* The number is refused as the topic is closed. */
static inline void fob_closed_refuse(fob_closed_t *self, uint64_t number) {
    self->last = number > self->last ? number : self->last;
}
/* Closes a topic behind the number, or all. */
void fob_refusal_close(fob_refusal_t *self, uint64_t topic, uint64_t number, uint32_t group);
void fob_refusal_shut_all(fob_refusal_t *self, uint64_t number, fob_status_t status,
                          uint32_t group);

#endif
