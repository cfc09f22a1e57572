/* journal_pieces: a journal's folder as pieces, in which the checksums are made right, so that what
 * is behind them is reached. A piece is a kind, which file, and: */
#ifndef FOB_TESTS_FUZZ_JOURNAL_PIECES_H
#define FOB_TESTS_FUZZ_JOURNAL_PIECES_H

#include "bus/journal/format.h"

enum {
    JOURNAL_RAW,        /* bytes, appended to the file */
    JOURNAL_ZEROS,      /* u8: so many times 64 zeros */
    JOURNAL_SEGMENT,    /* u8 sequence, epoch, and size: so many times 4096 bytes */
    JOURNAL_COMMIT,     /* fob_disk_commit_t and its payload */
    JOURNAL_CHECKPOINT, /* u8 position */
    JOURNAL_SLICE,      /* u8 index, and its bytes */
    JOURNAL_END,        /* u8 index, upto */
    JOURNAL_EPOCH, /* u8 slot, epoch, position, turn, highest, lowest, flags: 1 clean, 2 disk */
    JOURNAL_KINDS
};

/* Which file: segments 1.., checkpoints of positions 1.., and the epoch file. */
#define JOURNAL_SEGMENTS    4u
#define JOURNAL_CHECKPOINTS 8u
#define JOURNAL_FILES       (JOURNAL_SEGMENTS + JOURNAL_CHECKPOINTS + 1)
#define JOURNAL_EPOCH_FILE  (JOURNAL_FILES - 1)
#define JOURNAL_SEED        7u /* of segments and checkpoints */

#endif
