/* request: one question to the bus, and its answer: for the commands that ask, add or remove. */
#ifndef FOB_REQUEST_H
#define FOB_REQUEST_H

#include "proto/blob.h"
#include "proto/wire.h"

typedef struct {
    char text[512];     /* one sentence; empty where it is FOB_OK and the bus said no more */
    fob_blob_t *body;   /* REPLY's msgpack value, or NULL */
    char endpoint[280]; /* of the bus that answered, or was tried last */
    char bus[64];       /* its own words, "fob/0.1.0"; these as WELCOME gave them */
    char level[16];
    uint64_t version, heartbeat_ms, epoch, head;
    uint32_t asked; /* how often the question was sent: above 1, it may have been done twice */
} fob_answer_t;

/* Connects with role admin, asks, waits for the REPLY, says goodbye. `question` needs verb and
 * fields, not req; NULL: only the WELCOME is waited for. `bus` as in fob_conduit_bus. Where the
 * connection goes before the answer, it asks again. Fills *answer in every case: fob_answer_clear
 * it. May be called from any thread; blocks for `timeout_ns` at the most. FOB_OK; what the bus
 * answered (NO_GROUP, PATTERN_DIFFERS, ...); UNREACHABLE, VERSION, DENIED: no bus; INVALID: `bus`
 * is no endpoint; AGAIN: reached, but no answer in time; NO_MEMORY. */
fob_status_t fob_request(const char *bus, const fob_wire_t *question, int64_t timeout_ns,
                         fob_answer_t *answer) FOB_MUST_USE;

/* Drops what the answer holds. */
void fob_answer_clear(fob_answer_t *self);

#endif
