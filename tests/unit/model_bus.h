/* model_bus: what a bus promises to publishers, as the simplest program that keeps it: for tests of
 * the session without sockets. It answers each number as PROTOCOL.md says, remembers what it
 * stored, and can be told to be busy, full, or forgetful. */
#ifndef FOB_MODEL_BUS_H
#define FOB_MODEL_BUS_H

#include "proto/buf.h"
#include "proto/wire.h"

#define MODEL_EVENTS 200000
#define MODEL_TOPICS 4
#define MODEL_IDS    (1u << 19)

typedef enum { NUMBER_NEW, NUMBER_STORED, NUMBER_DUPLICATE, NUMBER_USED_UP } model_number_t;

typedef struct {
    unsigned topic; /* 't0', 't1', ... */
    unsigned priority;
    uint64_t serial; /* the event's data: who it is */
} model_event_t;

typedef struct {
    model_event_t stored[MODEL_EVENTS]; /* by offset - 1 */
    uint64_t head;
    uint64_t ids[MODEL_IDS]; /* dedup: a hash of topic and id; 0: free */
    uint64_t firsts[MODEL_IDS];

    /* The session. */
    uint8_t numbers[MODEL_EVENTS]; /* model_number_t */
    bool differs[MODEL_EVENTS];
    uint64_t offsets[MODEL_EVENTS];
    uint64_t next; /* above the highest number that was used; 0: the session is not known */

    /* The connection. */
    uint64_t answered;             /* the highest number that was answered on it, GAP apart */
    uint64_t closed[MODEL_TOPICS]; /* 0, or the first number that was refused BUSY */
    uint64_t full_first;           /* 0, or the first number that was refused DISK_FULL */

    /* What the test sets. */
    bool busy[MODEL_TOPICS];
    uint64_t limit[MODEL_TOPICS], depth[MODEL_TOPICS]; /* limit 0: none; drained by the test */
    uint64_t retry_ms;                                 /* of BUSY; 0: no details are told */
    bool full;

    unsigned voids, publishes, gaps, unknown, duplicates;
} model_bus_t;

void model_bus_start(model_bus_t *self);
/* A new connection: all topics are open. */
void model_bus_connect(model_bus_t *self);
void model_bus_forget(model_bus_t *self); /* the session, as another bus or one that gave it up */
uint64_t model_bus_last(const model_bus_t *self);

/* Takes a PUBLISH; *runs, emptied before, gets what its RECEIPT says. */
void model_bus_publish(model_bus_t *self, const fob_wire_t *msg, fob_slice_t body, fob_buf_t *runs);

void model_welcome(fob_wire_t *msg, uint64_t last, uint64_t window);

#endif
