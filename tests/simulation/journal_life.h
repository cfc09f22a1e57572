/* journal_life: the real file journal from a start to a crash, a kill or a close, on fibers and a
 * simulated disk, used at random by an owner that checks it against the model. */
#ifndef FOB_TESTS_SIMULATION_JOURNAL_LIFE_H
#define FOB_TESTS_SIMULATION_JOURNAL_LIFE_H

#include "bus/journal/file.h"
#include "fibers.h"
#include "journal_model.h"
#include "sim_disk.h"

typedef enum { LIFE_CLOSES, LIFE_IS_KILLED, LIFE_LOSES_POWER } life_end_t;

typedef struct {
    uint64_t seed;
    life_end_t end;
    sim_faults_t faults;
    fob_sync_t sync;
    uint64_t max_bytes;
    unsigned steps;
    size_t even;  /* bytes of each commit; 0: they differ */
    size_t most;  /* bytes of a commit, usually */
    bool flipped; /* a bit was: DAMAGED is an answer */
    bool careful; /* reads all at the end */
    bool clocks;  /* the wall clock jumps */
} life_plan_t;

/* What came of it. */
typedef struct {
    bool opened, failed;                /* it began; its health failed */
    bool cut;                           /* before it had closed */
    bool refused;                       /* an append, for want of room */
    fob_journal_error_t open;           /* why it did not begin, */
    char log[2048];                     /* and what it logged */
    uint64_t damaged;                   /* pages that were DAMAGED, */
    char damage[256];                   /* the first one's text, */
    uint64_t damaged_low, damaged_high; /* and the offsets */
    uint64_t turns, appended, pages, checkpoints, trims;
    int64_t us;
} life_t;

/* Lives it, on *disk, which is then as the next one finds it. What is wrong is in the model. */
void journal_life(const life_plan_t *plan, sim_disk_t **disk, model_t *model, life_t *out);

#define LIFE_FOLDER "/data/journal"

#endif
