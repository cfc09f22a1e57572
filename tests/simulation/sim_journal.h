/* A journal in memory that behaves as a disk may: it syncs late, loses what was not synced when the
 * machine falls, reads slowly, is full, fails for good. What survives a fall is the log; each start
 * of the bus opens it anew as a fob_journal_t.
 *
 * Nothing happens in it by itself: sim_log_step lets its time pass. */
#ifndef FOB_TESTS_SIMULATION_JOURNAL_H
#define FOB_TESTS_SIMULATION_JOURNAL_H

#include "bus/journal/journal.h"
#include "random.h"

typedef struct {
    uint64_t position;
    uint32_t record_count;
    bool trimmed;
    size_t bytes;
    fob_stored_t *records; /* behind it in the same memory */
} sim_commit_t;

typedef struct sim_log sim_log_t;

typedef struct {
    uint64_t seed;
    int64_t sync_least_ns, sync_most_ns;
    int64_t read_least_ns, read_most_ns;
    uint64_t max_bytes;
    uint64_t segment_bytes;
    uint64_t checkpoint_bytes; /* one is due after so many */
    /* Told each commit once it is durable, in order, once in the life of the log. */
    void (*durable)(void *arg, const sim_commit_t *commit);
    /* What the bus did wrong: bytes that changed before they were durable. */
    void (*wrong)(void *arg, const char *what);
    void *arg;
} sim_log_options_t;

/* Never NULL: out of memory ends the program, as everywhere in the simulator. */
sim_log_t *sim_log_new(const sim_log_options_t *options);
void sim_log_free(sim_log_t *self);

/* Opens it; the journal's close leaves the log as it is. */
fob_journal_t *sim_log_open(sim_log_t *self);
/* The machine falls: of what was not synced a part from the front may have reached the disk. The
 * journal that is open takes and tells nothing more. */
void sim_log_crash(sim_log_t *self);
/* The bus stops in order: all is durable. */
void sim_log_settle(sim_log_t *self);

/* Lets time pass. True: there is news for the journal's owner. */
bool sim_log_step(sim_log_t *self, int64_t now_ns);
/* When something happens next; INT64_MAX: nothing is under way. */
int64_t sim_log_next(const sim_log_t *self);

/* --- faults --- */
void sim_log_full(sim_log_t *self, bool full); /* nothing can be reserved */
void sim_log_fail(sim_log_t *self);            /* the next sync fails, until it is opened anew */
void sim_log_slow(sim_log_t *self, int64_t sync_ns); /* the next sync takes so long */

/* --- for checkers --- */
/* Every commit that ever became durable, trimmed or not: position 1 is at 0. */
size_t sim_log_count(const sim_log_t *self);
const sim_commit_t *sim_log_commit(const sim_log_t *self, size_t index);
/* Shows checkpoint and tail, or, from the first commit on, all there ever was. False: stopped. */
bool sim_log_replay(const sim_log_t *self, bool from_the_first, const fob_replay_t *to);

typedef struct {
    uint64_t syncs, lost_commits, kept_commits, pages, absent, checkpoints, trimmed;
} sim_log_counts_t;
const sim_log_counts_t *sim_log_counts(const sim_log_t *self);

#endif
