/* history: how the attempts at events ended: when, at which worker, why. Kept for events that came
 * back and for dead letters, the newest FOB_HISTORY_MAX of each.
 *
 * An attempt is 16 bytes; worker and text stand once in a counted table, as a failing group says
 * the same all the time. A chain is known by a number; 0 is the empty one. Durable. One thread. */
#ifndef FOB_CORE_HISTORY_H
#define FOB_CORE_HISTORY_H

#include "proto/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FOB_HISTORY_MAX 16  /* attempts kept of one event */
#define FOB_NOTE_MAX    255 /* bytes of a worker's name, and of a reason's text */
/* Bytes of all notes above which the core writes no new texts into its records. */
#define FOB_NOTES_MAX (UINT64_C(256) << 20)

typedef struct {
    int64_t time_ms; /* journal time at which it ended */
    uint8_t reason;  /* fob_reason_t */
    bool counted;
    fob_slice_t worker, text; /* good until the next change; may be empty */
} fob_attempt_t;

typedef struct fob_history fob_history_t;

fob_history_t *fob_history_new(void); /* NULL: no memory */
void fob_history_free(fob_history_t *self);

/* Room for `attempts` more, told with one note of these sizes. False: no memory, nothing changed.
 */
bool fob_history_reserve(fob_history_t *self, size_t attempts, size_t note_bytes);
/* Adds to the chain (the oldest goes where there are too many) and gives its number. There must be
 * room. */
uint32_t fob_history_add(fob_history_t *self, uint32_t chain, const fob_attempt_t *attempt);
/* Drops a chain. */
void fob_history_drop(fob_history_t *self, uint32_t chain);
/* How many it has; the index-th, the oldest first. */
uint32_t fob_history_count(const fob_history_t *self, uint32_t chain);
void fob_history_at(const fob_history_t *self, uint32_t chain, uint32_t index, fob_attempt_t *out);
/* Bytes of memory that all of it takes, about; of that, what notes take. */
uint64_t fob_history_bytes(const fob_history_t *self);
uint64_t fob_history_note_bytes(const fob_history_t *self);
/* The first FOB_NOTE_MAX bytes of a text, and no half character at the end. */
fob_slice_t fob_note_cut(fob_slice_t text);
/* Does not depend on numbers, only on what was told. */
uint64_t fob_history_hash(const fob_history_t *self, uint32_t chain);

#endif
