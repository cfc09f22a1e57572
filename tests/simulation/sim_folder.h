/* The real file journal, its threads as fibers and its files on a simulated disk: what a world's
 * bus runs on. All that it shows (at a start, in pages) is held against what was appended. */
#ifndef FOB_TESTS_SIMULATION_FOLDER_H
#define FOB_TESTS_SIMULATION_FOLDER_H

#include "sim_disk.h"
#include "sim_store.h"

typedef struct {
    uint64_t seed;
    uint64_t max_bytes, segment_bytes, retain_bytes;
    int64_t retain_ms;
    uint64_t disk_bytes;
    sim_faults_t usual;                       /* what its disk is like on a good day */
    void (*log)(void *arg, const char *text); /* what it says to the operator */
    void *log_arg;
} sim_folder_options_t;

/* Never NULL. The history's functions are the caller's to set. */
sim_store_t *sim_folder_new(const sim_folder_options_t *options);

#endif
