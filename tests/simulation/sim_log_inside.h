/* The inside of the log in memory, shared by its two files. */
#ifndef FOB_TESTS_SIMULATION_LOG_INSIDE_H
#define FOB_TESTS_SIMULATION_LOG_INSIDE_H

#include "sim_log.h"
#include "sim_memory.h"

#define MOST_READS     8
#define SIM_LOG_EPOCHS 256
#define FIRST_EPOCH    UINT64_C(1700000000)

typedef struct {
    uint8_t *data;
    size_t size;
} slice_t;

typedef struct {
    bool there;
    uint64_t position;
    slice_t *slices;
    size_t count, room;
} checkpoint_t;

typedef struct {
    uint64_t offset, tag;
    size_t max_bytes;
    int64_t at_ns;
} read_t;

typedef struct {
    size_t first; /* index of its first commit */
    uint64_t next_offset, bytes;
} segment_t;

typedef struct {
    struct sim_store base;
    sim_log_options_t options;
    sim_random_t random;
    int64_t now_ns;
    segment_t *segments;
    size_t segment_first, segment_count, segment_room;
    uint64_t live_bytes;
    checkpoint_t checkpoint;
    uint64_t since_checkpoint; /* bytes */
    bool full, fail;
    int64_t slow_ns;
    struct sim_journal *open;
    uint64_t syncs;
    uint64_t epoch_count;
    uint64_t began[SIM_LOG_EPOCHS]; /* what of the one before is the same, it says */
} sim_log_t;

/* What goes with the process. */
typedef struct sim_journal {
    struct fob_journal base;
    sim_log_t *log;
    sim_pending_t *pending;
    size_t pending_count, pending_room, pending_first;
    uint64_t position;
    size_t pending_bytes;
    bool syncing, failed, changed;
    size_t sync_count; /* of pending: under sync */
    int64_t sync_at;   /* when it is done */
    int64_t wanted_at; /* when the next one is to begin; INT64_MAX */
    read_t reads[MOST_READS];
    size_t read_count;
    fob_page_t pages[MOST_READS];
    size_t page_count;
    checkpoint_t draft;
    bool draft_open, draft_done;
    int64_t draft_at;
    uint64_t pinned_below, pinned_bytes;
} sim_journal_t;

extern const fob_journal_ops_t sim_journal_ops;

void sim_checkpoint_clear(checkpoint_t *self);
void sim_checkpoint_put(sim_journal_t *self);

#endif
