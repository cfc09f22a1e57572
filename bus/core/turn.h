/* turn: the records and effects of one commit, and the memory they lie in.
 *
 * Bytes come from chunks that never move, so that slices stay good while more is added. Released
 * turns keep their memory for the next ones: once warm nothing is allocated. One thread. */
#ifndef FOB_CORE_TURN_H
#define FOB_CORE_TURN_H

#include "bus/core/core.h"

struct fob_sheet;

typedef struct fob_chunk fob_chunk_t;

typedef struct fob_open_turn {
    fob_turn_t lent; /* first: what the shell is shown */
    struct fob_open_turn *next;
    fob_record_t *records;
    size_t record_count, record_capacity;
    size_t record_begun; /* places among the free ones that writers of runs hold */
    fob_effect_t *effects;
    size_t effect_count, effect_capacity;
    fob_blob_t **blobs; /* held until the release */
    size_t blob_count, blob_capacity;
    struct fob_sheet **sheets; /* made in this turn: not to be dropped before it is durable */
    size_t sheet_count, sheet_capacity;
    fob_chunk_t *chunks, *chunk; /* all; the one being filled */
    size_t bytes;                /* of the records */
    uint64_t sequence;           /* of turns, in the order taken */
} fob_open_turn_t;

/* An empty turn; NULL: no memory. */
fob_open_turn_t *fob_turn_new(void);
void fob_turn_free(fob_open_turn_t *self);
/* Drops holds and contents, keeps memory (not more than a little). Batches are the caller's to
 * unpin before. */
void fob_turn_clear(fob_open_turn_t *self);

/* `size` bytes, aligned to 8, good until the turn is cleared; NULL: no memory. */
uint8_t *fob_turn_bytes(fob_open_turn_t *self, size_t size);
/* Gives back the end of the last fob_turn_bytes. */
void fob_turn_shrink(fob_open_turn_t *self, const uint8_t *bytes, size_t from, size_t to);
/* A copy; the data is NULL where there is no memory (and size is not 0). */
fob_slice_t fob_turn_copy(fob_open_turn_t *self, fob_slice_t bytes);

/* Room for so many more; false: no memory. What is then added cannot fail. */
bool fob_turn_reserve(fob_open_turn_t *self, size_t records, size_t effects, size_t blobs,
                      size_t sheets);
/* Zeroed but for the kind; there must be room. */
fob_effect_t *fob_turn_effect(fob_open_turn_t *self, fob_effect_kind_t kind);
/* There must be room, for a blob too where there is a body. */
void fob_turn_record(fob_open_turn_t *self, fob_slice_t head, fob_blob_t *body,
                     uint64_t first_offset, uint32_t count);
/* Holds the blob until the release (once, where it was the last one held); there must be room. */
void fob_turn_hold(fob_open_turn_t *self, fob_blob_t *blob);

#endif
