/* recovery: makes sense of a folder at the start: which checkpoint counts, where the commits end,
 * whether what is behind the end is a torn tail (cut) or damage (refused). */
#ifndef FOB_JOURNAL_RECOVERY_H
#define FOB_JOURNAL_RECOVERY_H

#include "bus/journal/checkpoint.h"
#include "bus/journal/store.h"

/* What is said of a segment file that is shorter than it was made. */
#define FOB_CUT_OFF                                                                                \
    "the file ends here and was longer: it was cut off, and what was stored behind is lost"

typedef struct {
    fob_kept_t kept;        /* the newest is whole */
    uint64_t upto;          /* of the newest */
    fob_epoch_mark_t mark;  /* of the last run; epoch 0: a new folder */
    uint64_t last_position; /* 0: no commit */
    uint64_t next_offset;   /* above all events */
    uint64_t tail_sequence; /* the segment to go on in, and where; 0: none yet */
    uint64_t tail_at;
    uint64_t torn_bytes;
    uint64_t bytes_above; /* of commits above the checkpoint */
} fob_recovered_t;

/* Fills the store's segments (those still written to are open), cuts a torn tail, rewrites and
 * syncs what was not proved durable. OK, or NEWER, DAMAGED, SYSTEM, MEMORY with *error. */
fob_journal_code_t fob_recover(fob_store_t *store, fob_recovered_t *out,
                               fob_journal_error_t *error);

#endif
