/* receipts: what became of events, from the bus's answer until the application asks for it; and how
 * many are still owed.
 *
 * Room for an event's receipt is set aside when the event is taken, so a receipt never fails for
 * want of memory. Pure; one thread at a time. */
#ifndef FOB_RECEIPTS_H
#define FOB_RECEIPTS_H

#include "proto/buf.h"
#include <fob/fob_publisher.h>

#define FOB_RECEIPT_TEXT 300 /* bytes of a sentence kept; a longer one is cut */

/* Levels by index, so that a receipt needs no string of its own. */
typedef enum {
    FOB_LEVEL_UNKNOWN,
    FOB_LEVEL_NONE,
    FOB_LEVEL_MEMORY,
    FOB_LEVEL_OS,
    FOB_LEVEL_DISK,
    FOB_LEVEL_REPLICATED
} fob_level_t;

typedef struct {
    bool wanted;   /* somebody reads them: else they are only counted */
    uint8_t *data; /* records, from `at` up to `size` */
    size_t at, size, capacity;
    size_t reserved;     /* bytes promised to events that have no receipt yet */
    size_t waiting;      /* receipts that wait to be read */
    uint64_t owed;       /* events taken that have no receipt yet */
    fob_status_t failed; /* the first failure since fob_receipts_verdict */
} fob_receipts_t;

/* An event as its receipt needs it. */
typedef struct {
    uint64_t number;
    fob_slice_t topic, id;
    void *tag;
} fob_receipt_event_t;

/* What became of it. */
typedef struct {
    fob_status_t status;
    fob_slice_t text; /* copied, up to FOB_RECEIPT_TEXT bytes, where there is room */
    fob_level_t level;
    uint64_t offset;
    uint32_t groups;
    bool duplicate; /* `offset` is the place of the first of its (topic, id) */
    bool differs;   /* which had other data */
} fob_receipt_fate_t;

void fob_receipts_free(fob_receipts_t *self);

/* Promises a receipt for an event with a topic and id of these sizes. False: no memory. */
bool fob_receipts_promise(fob_receipts_t *self, size_t topic, size_t id);

/* Keeps a promise. */
void fob_receipts_keep(fob_receipts_t *self, const fob_receipt_event_t *event,
                       const fob_receipt_fate_t *fate);

/* Takes whole records out, up to `size` bytes (one at least, if size >= FOB_RECEIPT_MAX), for
 * fob_receipts_read. Returns the bytes; *count gets how many receipts they are. */
#define FOB_RECEIPT_MAX 1024
size_t fob_receipts_take(fob_receipts_t *self, uint8_t *out, size_t size, size_t *count);

/* Reads the record at *at of what was taken, and steps past it. Pointers point into `bytes`,
 * 8-aligned. False: the end. */
bool fob_receipts_read(const uint8_t *bytes, size_t size, size_t *at, fob_receipt_t *out);

/* The first failure since the last call, FOB_OK if there was none; forgets it. */
fob_status_t fob_receipts_verdict(fob_receipts_t *self);

fob_level_t fob_level_of(fob_slice_t name);

#endif
