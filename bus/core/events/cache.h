/* cache: the events in memory: the newest sheets, up to the head, and stretches read back from the
 * journal.
 *
 * An offset is found (HIT), known to be unreadable (HOLE), or must be asked for (MISS). Batches of
 * turns that are not released yet are never dropped, as the journal cannot be asked for them
 * before. Bounded in bytes otherwise. Volatile. */
#ifndef FOB_CORE_CACHE_H
#define FOB_CORE_CACHE_H

#include "bus/core/events/sheet.h"

#define FOB_STRETCHES_MAX 32

typedef enum {
    FOB_STRETCH_FREE,
    FOB_STRETCH_ASKED,
    FOB_STRETCH_HERE,
    FOB_STRETCH_HOLE
} fob_stretch_state_t;

/* What one NEED brought. */
typedef struct {
    fob_stretch_state_t state;
    uint64_t asked;
    uint64_t from, end; /* offsets from..end - 1 are here, or cannot be had */
    fob_sheet_t **sheets;
    uint32_t count, capacity;
    bool cut;      /* what still comes of this answer does not join on */
    uint64_t used; /* when last (by `clock`) */
    uint64_t came; /* number of the take before which it came: it stays until that is over */
} fob_stretch_t;

typedef struct {
    fob_sheet_pool_t *pool;
    fob_sheet_t **ring; /* newest sheets, without a hole between them */
    size_t begin, count, capacity;
    uint64_t bytes, max_bytes; /* of the ring */
    fob_stretch_t stretches[FOB_STRETCHES_MAX];
    uint32_t stretch_count, asked;
    uint64_t clock, takes;
} fob_cache_t;

void fob_cache_init(fob_cache_t *self, fob_sheet_pool_t *pool, uint64_t max_bytes,
                    uint32_t page_bytes);
void fob_cache_free(fob_cache_t *self);

/* Room for `more` batches at the head; false: no memory. */
bool fob_cache_reserve(fob_cache_t *self, size_t more);
/* Adds the newest batch (one more holder) and drops the oldest that are too many; there must be
 * room. */
void fob_cache_add(fob_cache_t *self, fob_sheet_t *sheet);
/* Drops what is too many; after sheets were unpinned. */
void fob_cache_trim(fob_cache_t *self);

typedef enum { FOB_CACHE_HIT, FOB_CACHE_HOLE, FOB_CACHE_MISS } fob_cache_answer_t;
/* HIT: *sheet holds the offset, good until another is found, or an add or trim. *end, for a hole
 * and for what was read back: the first offset behind it; not set for the newest. */
fob_cache_answer_t fob_cache_find(fob_cache_t *self, uint64_t offset, fob_sheet_t **sheet,
                                  uint64_t *end);

typedef enum {
    FOB_ASK_NOW,   /* the caller tells the shell of the need */
    FOB_ASK_WAITS, /* it is under way, or enough others are: wait for a page */
    FOB_ASK_LATER  /* no place before this take is over: try at the next */
} fob_ask_t;
fob_ask_t fob_cache_ask(fob_cache_t *self, uint64_t offset);

/* One record of an answer: a batch (whose holder the cache takes), or NULL where its events first..
 * (count of them) cannot be read. With `last` the answer is whole. False: nobody asked, or no
 * memory (then that offset is asked for again). */
bool fob_cache_page(fob_cache_t *self, uint64_t asked, fob_sheet_t *sheet, uint64_t first,
                    uint64_t count, bool last);

/* Bytes held. */
uint64_t fob_cache_bytes(const fob_cache_t *self);

#endif
