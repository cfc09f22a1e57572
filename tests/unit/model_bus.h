/* model_bus: what a bus promises to publishers, as the simplest program that keeps it: for tests of
 * the session without sockets. It answers each number as PROTOCOL.md says, remembers what it
 * stored, and can be told to be busy, full, or forgetful. */
#ifndef FOB_MODEL_BUS_H
#define FOB_MODEL_BUS_H

#include "proto/buf.h"
#include "proto/wire.h"

#define MODEL_EVENTS 200000
#define MODEL_TOPICS 4

typedef enum { NUMBER_NEW, NUMBER_STORED, NUMBER_REFUSED, NUMBER_USED_UP } model_number_t;

typedef struct {
    unsigned topic;  /* 't0', 't1', ... */
    uint64_t serial; /* the event's data: who it is */
} model_event_t;

typedef struct {
    model_event_t stored[MODEL_EVENTS]; /* by offset - 1 */
    uint64_t head;
    uint8_t numbers[MODEL_EVENTS]; /* model_number_t, of the session */
    uint64_t offsets[MODEL_EVENTS];
    uint64_t next;                 /* the next number that is new; 0: the session is not known */
    uint64_t closed[MODEL_TOPICS]; /* 0, or the first number that was refused BUSY */
    bool busy[MODEL_TOPICS];
    bool full;
    uint64_t full_first; /* 0, or the first number that was refused DISK_FULL */
    unsigned voids, publishes, gaps;
} model_bus_t;

void model_bus_start(model_bus_t *self);
void model_bus_forget(model_bus_t *self); /* the session, as another bus or one that gave it up */
uint64_t model_bus_last(const model_bus_t *self);

/* Takes a PUBLISH; *runs, emptied before, gets what its RECEIPT says. */
void model_bus_publish(model_bus_t *self, const fob_wire_t *msg, fob_slice_t body, fob_buf_t *runs);

void model_welcome(fob_wire_t *msg, uint64_t last, uint64_t window);

#endif
