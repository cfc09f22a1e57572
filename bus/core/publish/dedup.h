/* dedup: which (topic, id) was stored where, for a window of time and count: so that the same event
 * published twice is stored once.
 *
 * An event is known by 128 bits of a hash under a secret of this journal, so that nobody can make
 * two that collide; what it held by 64 bits. 48 bytes an event with an id, none for one without.
 * In the order of offsets, so the oldest goes first. Durable: changes by records of events only.
 * One thread. */
#ifndef FOB_CORE_DEDUP_H
#define FOB_CORE_DEDUP_H

#include "proto/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An event with an id, as the table knows it. */
typedef struct {
    uint64_t high, low; /* of (topic, id); both 0: the event has no id */
    uint64_t data;      /* of its data and content type */
} fob_ident_t;

typedef struct {
    fob_ident_t ident;
    uint64_t offset;
    int64_t time_ms;
} fob_known_t;

typedef struct fob_dedup fob_dedup_t;

/* NULL: no memory. */
fob_dedup_t *fob_dedup_new(uint32_t max, int64_t window_ms);
void fob_dedup_free(fob_dedup_t *self);
/* The secret; before the first ident is made. */
void fob_dedup_seed(fob_dedup_t *self, uint64_t seed);
fob_ident_t fob_dedup_ident(const fob_dedup_t *self, fob_slice_t topic, fob_slice_t id,
                            fob_slice_t content_type, fob_slice_t data);

/* The entry of the same (topic, id) that is still within the window at `time_ms`, or NULL. */
const fob_known_t *fob_dedup_find(const fob_dedup_t *self, fob_ident_t ident, int64_t time_ms);
/* Room for `more` entries; false: no memory. */
bool fob_dedup_reserve(fob_dedup_t *self, size_t more);
/* Remembers one at an offset above all before, and drops what has left the window. One that is
 * there already under this or a higher offset changes nothing (a checkpoint had it). There must be
 * room. */
void fob_dedup_add(fob_dedup_t *self, const fob_known_t *known);
/* Drops what is older than the window at `time_ms`, and what is too much. */
void fob_dedup_expire(fob_dedup_t *self, int64_t time_ms);

/* How many; the time of the oldest (0: none): what span the window truly has. */
uint64_t fob_dedup_count(const fob_dedup_t *self);
int64_t fob_dedup_oldest_ms(const fob_dedup_t *self);
/* The lowest entry with an offset above `offset`, or NULL: for a checkpoint in slices. */
const fob_known_t *fob_dedup_above(const fob_dedup_t *self, uint64_t offset);
uint64_t fob_dedup_hash(const fob_dedup_t *self);

#endif
