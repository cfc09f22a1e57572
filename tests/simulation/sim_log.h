/* A journal in memory that behaves as a disk may: it syncs late, loses what was not synced when the
 * machine falls, reads slowly, is full, fails for good. What survives a fall is the log; each start
 * of the bus opens it anew as a fob_journal_t. It is a guess at what a disk does, and fast. */
#ifndef FOB_TESTS_SIMULATION_LOG_H
#define FOB_TESTS_SIMULATION_LOG_H

#include "random.h"
#include "sim_store.h"

typedef struct {
    uint64_t seed;
    int64_t sync_least_ns, sync_most_ns;
    int64_t read_least_ns, read_most_ns;
    uint64_t max_bytes;
    uint64_t segment_bytes;
    uint64_t checkpoint_bytes; /* one is due after so many */
    bool epochs;               /* a start after a fall begins a new one */
} sim_log_options_t;

/* Never NULL: out of memory ends the program, as everywhere in the simulator. The history's
 * functions are the caller's to set. */
sim_store_t *sim_log_new(const sim_log_options_t *options);

#endif
