/* journal_model: what a journal was given, kept apart from it, and what may be found of it later.
 * Bytes are a function of a stamp that is never given twice: a commit that was lost and one that
 * takes its position later differ. */
#ifndef FOB_TESTS_SIMULATION_JOURNAL_MODEL_H
#define FOB_TESTS_SIMULATION_JOURNAL_MODEL_H

#include "bus/journal/journal.h"
#include "random.h"

#define MODEL_ENTRIES 3

typedef struct {
    uint64_t stamp;
    unsigned entry_count;
    struct {
        uint64_t first_offset; /* 0 where count is 0 */
        uint32_t count;
        size_t size;
    } entries[MODEL_ENTRIES];
    uint64_t next_offset; /* behind it */
} model_commit_t;

typedef struct {
    uint64_t position, stamp, slices;
    bool finished;
} model_checkpoint_t;

typedef struct {
    model_commit_t *commits; /* commits[i] has position i + 1 */
    uint64_t count, capacity;
    model_checkpoint_t *checkpoints;
    size_t checkpoint_count, checkpoint_capacity;
    uint64_t stamps;
    uint64_t floor;      /* positions up to here must be found, whatever happened, */
    uint64_t told;       /* and up to here, which it called durable, if only programs ended: */
    bool shaken;         /* power was lost, or a sync failed, since the last start */
    uint64_t trimmed;    /* offsets below need not be there */
    uint64_t checkpoint; /* position of one that counted */
    uint64_t epoch;      /* 0: not known */
    char failure[512];   /* the first thing found wrong; empty: none */
} model_t;

void model_free(model_t *self);
/* Notes what is wrong; the first stays. */
void model_fail(model_t *self, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline bool model_failed(const model_t *self) {
    return self->failure[0] != '\0';
}

/* The next commit, of about `most` bytes at the most, or of exactly so many and one event where it
 * is `even`: its entries, with bytes in *memory, which the
 * caller frees once it is durable. */
size_t model_append(model_t *self, sim_random_t *random, size_t most, bool even,
                    fob_entry_t *entries, void **memory);
uint64_t model_next_offset(const model_t *self);

uint64_t model_checkpoint_begin(model_t *self, uint64_t position);
/* The bytes of the next slice of the last one begun; the caller frees. */
void *model_slice(model_t *self, size_t *size);

/* Replay: records and slices are checked one by one, then the whole. */
typedef struct {
    model_t *model;
    uint64_t stamp, slices; /* of the checkpoint shown */
    uint64_t position;      /* of the last record, or of the checkpoint */
    unsigned entry;         /* of the next record in that commit */
    bool any;
} model_replay_t;
fob_replay_t model_replay_begin(model_replay_t *self, model_t *model);
/* All is shown, up to `last`: checks that it is enough, and of an epoch of its own where what was
 * told is not all there; forgets what was lost. */
void model_replay_end(model_replay_t *self, uint64_t last, uint64_t epoch);

/* A page that is OK, for `offset`, of what was durable up to `durable` when it came. */
void model_check_page(model_t *self, const fob_page_t *page, uint64_t offset, uint64_t durable);
/* Position of the first commit with events at or above the offset, `count` or less; 0: none. */
uint64_t model_find(const model_t *self, uint64_t offset);
/* Whether there is an event of that very offset. */
bool model_holds(const model_t *self, uint64_t offset);
/* Lowest and highest + 1 of its offsets. */
void model_range(const model_t *self, uint64_t position, uint64_t *low, uint64_t *high);

#endif
