/* Every commit that ever became durable in a world, whatever became of it on the disk later: what
 * checkers are told, and what a journal that is read must show. */
#ifndef FOB_TESTS_SIMULATION_HISTORY_H
#define FOB_TESTS_SIMULATION_HISTORY_H

#include "bus/journal/journal.h"

typedef struct {
    uint64_t position;
    uint32_t record_count;
    bool trimmed;
    bool hit; /* its bytes on the disk were harmed */
    size_t bytes;
    fob_stored_t *records; /* behind it in the same memory */
} sim_commit_t;

/* Not durable yet: a copy of the bytes as they were given, and where they lie. */
typedef struct {
    sim_commit_t *commit;
    struct iovec *parts;
    size_t part_count;
} sim_pending_t;

/* Where the events of one record are. */
typedef struct {
    uint64_t first_offset, next_offset;
    size_t commit; /* index */
    uint32_t record;
} sim_spot_t;

typedef struct {
    sim_commit_t **commits; /* position 1 is at 0 */
    size_t count, room;
    sim_spot_t *spots; /* in the order of offsets */
    size_t spot_count, spot_room;
    /* Told each commit once it is durable, in order. */
    void (*durable)(void *arg, const sim_commit_t *commit);
    /* A commit was harmed on the disk; what is in it may be lost. */
    void (*hit)(void *arg, const sim_commit_t *commit);
    /* What is broken. */
    void (*wrong)(void *arg, const char *promise, const char *text);
    void *arg;
} sim_history_t;

void sim_history_free(sim_history_t *self);
/* Takes the commit, the next one. */
void sim_history_keep(sim_history_t *self, sim_commit_t *commit);
/* The first spot that ends above the offset; spot_count: none. */
size_t sim_history_find(const sim_history_t *self, uint64_t offset);
const fob_stored_t *sim_history_record(const sim_history_t *self, size_t spot);
/* Shows the records of all commits from this index on. False: stopped. */
bool sim_history_replay(const sim_history_t *self, size_t from, const fob_replay_t *to);
/* Ends the run. */
void sim_history_wrong(const sim_history_t *self, const char *promise, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Of what an append was given. */
sim_pending_t sim_pending(uint64_t position, const fob_entry_t *entries, size_t count);
/* It is durable: its bytes must be as they were given. Its commit goes into the history. */
void sim_pending_keep(sim_pending_t *self, sim_history_t *history, bool bytes_too);
/* It never will be. */
void sim_pending_drop(sim_pending_t *self);

#endif
