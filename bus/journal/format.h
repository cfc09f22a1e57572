/* format: the journal's bytes on disk, the only place that knows them. */
/* clang-format off */
/* All numbers are little-endian, all records begin at a multiple of 8, all reserved bytes are zero
 * and checked. A folder holds:
 *
 *     lock                      the pid, as text, of the process that uses the folder (or did last);
 *                               what it holds is flock on the folder itself
 *     epoch                     two fob_disk_epoch_t: the journal's epoch, how the last run ended,
 *                               and which segments were made
 *     NNNNNNNNNNNNNNNNNNNN.seg  segments, N the sequence (20 digits, from 1, never given twice)
 *     NNNNNNNNNNNNNNNNNNNN.ckp  checkpoints, N the position they began at; the newest two are kept
 *     *.tmp                     being made; deleted at a start
 *
 * A segment: one page of header (FOB_SEGMENT_HEADER_BYTES), then commits one behind the other, then
 * zeros to the file's end. It is made at full size ahead of need, so an empty one at the end is
 * usual. A commit lies in one segment. Where a segment's commits end is told by the first bytes
 * that are no commit of this segment: each names the segment's sequence and its checksum is seeded
 * with the segment's random seed, so bytes left from another segment's life never pass for one.
 *
 *     segment     [ fob_disk_segment_t | zeros to 4096 ][ commit ][ commit ] ... [ zeros ]
 *     commit      [ fob_disk_commit_t ][ entry ][ entry ] ...
 *     entry       [ fob_disk_entry_t ][ the record's bytes | zeros to a multiple of 8 ]
 *     checkpoint  [ fob_disk_checkpoint_t ][ slice ][ slice ] ... [ end: fob_disk_slice_t ]
 *     slice       [ fob_disk_slice_t ][ its bytes | zeros to a multiple of 8 ]
 *
 * Positions grow by one from commit to commit through all segments. A commit that is bad at
 * position P is a torn tail unless something written later proves that P was durable once: a later
 * commit's `durable`, a checkpoint's `upto`, or the epoch file's `position`. With such a proof it
 * is damage.
 *
 * To change the format:
 *   1. Add the new layout beside the old one, under a new version number; never change the meaning
 *      of one that was released. Magic, version and checksum keep their places in each record, and
 *      the checksum keeps its rule, so that an old program can tell "newer" from "damaged".
 *   2. Keep reading every older version; write only the newest. A golden folder of the old version
 *      goes into the tests before the change.
 *   3. What an old program may safely overlook can go into reserved bytes only if it checks them as
 *      zero no more: so it cannot; raise the version. An old program refuses a newer version by
 *      that word. */
/* clang-format on */
#ifndef FOB_JOURNAL_FORMAT_H
#define FOB_JOURNAL_FORMAT_H

#include "bus/journal/journal.h"

#include <assert.h>

#define FOB_FORMAT_VERSION       2u
#define FOB_SEGMENT_HEADER_BYTES 4096u
#define FOB_SEGMENT_MAGIC        UINT64_C(0x67657362756f6601) /* 01 "foubseg" */
#define FOB_COMMIT_MAGIC         0x436a6f66u                  /* "fojC" */
#define FOB_CHECKPOINT_MAGIC     UINT64_C(0x706b6362756f6601) /* 01 "foubckp" */
#define FOB_SLICE_MAGIC          0x536a6f66u                  /* "fojS" */
#define FOB_END_MAGIC            0x456a6f66u                  /* "fojE" */
#define FOB_EPOCH_MAGIC          UINT64_C(0x68706562756f6601) /* 01 "foubeph" */

/* clang-format off */

/* The head of a segment. Bytes 72..4095 are zero. The checksum is XXH3-64 over bytes 8..4095. */
typedef struct __attribute__((packed)) {
    uint64_t checksum;      /*  0 */
    uint64_t magic;         /*  8 */
    uint32_t version;       /* 16 */
    uint32_t reserved;      /* 20: zero */
    uint64_t sequence;      /* 24: as in its name */
    uint64_t seed;          /* 32: random; goes first into the checksum of each of its commits */
    uint64_t epoch;         /* 40: the journal's when it was made */
    int64_t  created_ms;    /* 48: wall time */
    uint64_t bytes;         /* 56: the file was made with; it never gets shorter. 0: not told */
    uint64_t zero;          /* 64 */
} fob_disk_segment_t;       /* 72 */
static_assert(sizeof(fob_disk_segment_t) == 72, "a segment's head is 72 bytes and zeros");

/* The head of a commit; payload_bytes of entries follow. The checksum is XXH3-64 over the segment's
 * seed (8 bytes), bytes 8..79 of this head, and the payload. */
typedef struct __attribute__((packed)) {
    uint64_t checksum;      /*  0 */
    uint32_t magic;         /*  8 */
    uint16_t version;       /* 12 */
    uint16_t flags;         /* 14: none yet, zero */
    uint32_t payload_bytes; /* 16: all entries with heads and padding; a multiple of 8 */
    uint32_t entry_count;   /* 20 */
    uint64_t position;      /* 24 */
    uint64_t durable;       /* 32: all positions up to it were synced when this was written */
    uint64_t sequence;      /* 40: of its segment */
    uint64_t first_offset;  /* 48: of its first event; without events: the one that comes next */
    uint32_t event_count;   /* 56 */
    uint32_t reserved;      /* 60: zero */
    int64_t  wall_ms;       /* 64: when it was written; never less than in the one before */
    uint64_t zero;          /* 72 */
} fob_disk_commit_t;        /* 80 */
static_assert(sizeof(fob_disk_commit_t) == 80, "a commit's head is 80 bytes");

/* The head of an entry; `length` bytes follow, then zeros to a multiple of 8. */
typedef struct __attribute__((packed)) {
    uint32_t length;        /*  0 */
    uint32_t count;         /*  4: events in it */
    uint64_t first_offset;  /*  8: of these; 0 where count is 0 */
} fob_disk_entry_t;         /* 16 */
static_assert(sizeof(fob_disk_entry_t) == 16, "an entry's head is 16 bytes");

/* A checkpoint: this head, slices, an end. The checksum is XXH3-64 over bytes 8..63. */
typedef struct __attribute__((packed)) {
    uint64_t checksum;      /*  0 */
    uint64_t magic;         /*  8 */
    uint32_t version;       /* 16 */
    uint32_t reserved;      /* 20: zero */
    uint64_t position;      /* 24: all up to here is in the slices */
    uint64_t seed;          /* 32: random; goes first into the checksum of slices and end */
    int64_t  created_ms;    /* 40 */
    uint64_t zero[2];       /* 48 */
} fob_disk_checkpoint_t;    /* 64 */
static_assert(sizeof(fob_disk_checkpoint_t) == 64, "a checkpoint's head is 64 bytes");

/* A slice's head, `length` bytes and zeros to a multiple of 8 follow; or, with FOB_END_MAGIC and
 * length 0, the end. The checksum is XXH3-64 over the seed, bytes 8..31 and the slice's bytes. */
typedef struct __attribute__((packed)) {
    uint64_t checksum;      /*  0 */
    uint32_t magic;         /*  8 */
    uint32_t length;        /* 12 */
    uint64_t index;         /* 16: of the slice, from 0; of the end: how many slices there are */
    uint64_t upto;          /* 24: end: no slice holds more than this position, which is not below
                               the head's; slice: zero */
} fob_disk_slice_t;         /* 32 */
static_assert(sizeof(fob_disk_slice_t) == 32, "a slice's head is 32 bytes");

/* The epoch file: two such records, FOB_EPOCH_SLOT bytes apart, zeros behind each. They are written
 * in turn, in place, so that a full disk keeps nobody from it and a write that is torn leaves the
 * other. The checksum is XXH3-64 over bytes 8..71. */
typedef struct __attribute__((packed)) {
    uint64_t checksum;      /*  0 */
    uint64_t magic;         /*  8 */
    uint32_t version;       /* 16 */
    uint32_t flags;         /* 20: 1: the last run ended clean; 2: its level was disk; else zero */
    uint64_t epoch;         /* 24 */
    uint64_t position;      /* 32: all up to here was durable when this was written */
    int64_t  written_ms;    /* 40 */
    uint64_t turn;          /* 48: one more than in the other record; from 1 */
    uint64_t highest;       /* 56: sequence of a segment: all up to it were made */
    uint64_t lowest;        /* 64: all from it on are still there: written before any goes */
} fob_disk_epoch_t;         /* 72 */
static_assert(sizeof(fob_disk_epoch_t) == 72, "a record of the epoch file is 72 bytes");

/* clang-format on */

#define FOB_EPOCH_CLEAN 1u
#define FOB_EPOCH_DISK  2u
#define FOB_EPOCH_SLOT  4096u

/* How a piece of bytes was found. */
typedef enum {
    FOB_FOUND_WHOLE,
    FOB_FOUND_NOTHING, /* zeros, or no room for one: the usual end */
    FOB_FOUND_PART,    /* begins well; more bytes are needed to tell (`total` of them) */
    FOB_FOUND_BAD,
    FOB_FOUND_NEWER, /* whole, of a version this program does not know */
    FOB_FOUND_UNREAD /* the disk (or memory) refused: nothing is known about it */
} fob_found_t;

typedef struct {
    uint64_t sequence, seed, epoch, bytes;
    int64_t created_ms;
} fob_segment_head_t;

typedef struct {
    uint64_t position, durable, first_offset;
    int64_t wall_ms;
    uint32_t event_count, entry_count;
    size_t total;           /* head and payload */
    const uint8_t *payload; /* points into what was checked */
    size_t payload_bytes;
} fob_commit_t;

typedef struct {
    uint64_t position, seed;
    int64_t created_ms;
} fob_checkpoint_head_t;

typedef struct {
    uint64_t epoch, position, turn, highest, lowest;
    bool clean, level_disk;
} fob_epoch_mark_t;

static inline size_t fob_pad8(size_t size) {
    return (size + 7) & ~(size_t)7;
}

/* Writes FOB_SEGMENT_HEADER_BYTES to `out`. */
void fob_format_segment_encode(const fob_segment_head_t *head, uint8_t *out);
/* WHOLE, BAD, NEWER. `data`: FOB_SEGMENT_HEADER_BYTES. */
fob_found_t fob_format_segment_decode(const uint8_t *data, fob_segment_head_t *out);

/* Fills head->checksum over the head and `payload`, which is what will follow it on disk. */
void fob_format_commit_seal(fob_disk_commit_t *head, uint64_t seed, const struct iovec *payload,
                            size_t count);
/* Looks for a commit of segment (sequence, seed) at `data`, of which `size` bytes are at hand.
 * Checks head, checksum and the layout of entries. PART fills out->total; everything else is filled
 * with WHOLE only. */
fob_found_t fob_format_commit_check(const uint8_t *data, size_t size, uint64_t sequence,
                                    uint64_t seed, fob_commit_t *out);
/* The entry at *at of a commit that was found whole, *at from 0; false: no more. */
bool fob_format_entry_next(const fob_commit_t *commit, size_t *at, fob_stored_t *out);

void fob_format_checkpoint_encode(const fob_checkpoint_head_t *head, fob_disk_checkpoint_t *out);
/* WHOLE, BAD, NEWER. */
fob_found_t fob_format_checkpoint_decode(const fob_disk_checkpoint_t *in,
                                         fob_checkpoint_head_t *out);
/* Fills all of a slice's head; `data` NULL and size 0: the end. */
void fob_format_slice_seal(fob_disk_slice_t *head, uint64_t seed, uint64_t index, uint64_t upto,
                           const uint8_t *data, size_t size);
/* The fields of a slice's head, unchecked but for its magic: WHOLE or BAD. */
fob_found_t fob_format_slice_peek(const fob_disk_slice_t *in, bool *end, uint32_t *length);
/* WHOLE or BAD. `data`: the slice's bytes and their padding. `upto` is filled for the end. */
fob_found_t fob_format_slice_check(const fob_disk_slice_t *in, uint64_t seed, uint64_t index,
                                   const uint8_t *data, uint64_t *upto);

void fob_format_epoch_encode(const fob_epoch_mark_t *mark, int64_t now_ms, fob_disk_epoch_t *out);
/* WHOLE, BAD, NEWER. */
fob_found_t fob_format_epoch_decode(const fob_disk_epoch_t *in, fob_epoch_mark_t *out);

#endif
