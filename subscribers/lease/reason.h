/* reason: why an event was not handled, in words that go to the bus: kept once, however many rows
 * of settles say it. Pure; one thread at a time. */
#ifndef FOB_LEASE_REASON_H
#define FOB_LEASE_REASON_H

#include "proto/slice.h"

#define FOB_REASON_MAX 255 /* bytes; a longer one is cut */

typedef struct {
    unsigned holders;
    uint8_t size;
    uint8_t text[];
} fob_words_t;

/* A copy, held once. NULL: no words, or no memory for them: then none are told. */
fob_words_t *fob_reason_new(fob_slice_t text);
fob_words_t *fob_reason_hold(fob_words_t *self); /* null-safe; gives self */
void fob_reason_drop(fob_words_t **self_p);      /* null-safe; nulls */
fob_slice_t fob_reason_text(const fob_words_t *self);
bool fob_reason_is(const fob_words_t *self, fob_slice_t text); /* as it would be kept */

#endif
