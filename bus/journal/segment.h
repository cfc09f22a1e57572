/* segment: one file of the journal, and the table of them, oldest first. The table is shared by the
 * journal's threads under the store's lock; a segment's struct stays where it is until it is freed.
 */
#ifndef FOB_JOURNAL_SEGMENT_H
#define FOB_JOURNAL_SEGMENT_H

#include "bus/journal/disk.h"
#include "bus/journal/format.h"
#include "bus/journal/index.h"

#define FOB_SEGMENT_NAME_SIZE 32 /* digits, suffix, end */

typedef struct fob_segment {
    uint64_t sequence, seed;
    uint64_t bytes;  /* of the file */
    uint64_t zeroed; /* written with zeros up to here; beyond: allocated only, slower to sync */
    int fd;          /* open for writing, or -1 */
    bool zeroing;    /* the keeper writes zeros now */
    bool taken;      /* the committer writes commits: the keeper keeps off */
    /* What is durable in it; first_position 0: nothing. */
    uint64_t first_position, last_position;
    uint64_t first_offset,
        next_offset; /* events in it: from first_offset up to below next_offset */
    int64_t first_ms, last_ms;
    int64_t future_at; /* mono ms: when last_ms was first seen to lie in the future; 0: never */
    uint64_t end;      /* the byte behind the last commit */
    bool walked; /* `end` is exact; otherwise it lies before the checkpoint and was not read */
    fob_index_t index;        /* of an unwalked one: up to where a reader got */
    struct fob_segment *next; /* on the list of those to delete */
} fob_segment_t;

typedef struct {
    fob_segment_t **all;
    size_t count, capacity;
    uint64_t bytes; /* of all files */
} fob_segments_t;

/* "00000000000000000007.seg" */
void fob_segment_name(uint64_t sequence, char *out);
/* What a file's size is rounded up to. */
static inline uint64_t fob_segment_round(uint64_t bytes) {
    return (bytes + FOB_SEGMENT_HEADER_BYTES - 1) & ~(uint64_t)(FOB_SEGMENT_HEADER_BYTES - 1);
}
/* The number in front of `suffix`; false: not such a name. */
bool fob_segment_parse(const char *name, const char *suffix, uint64_t *out);
/* An empty struct; NULL: no memory. */
fob_segment_t *fob_segment_new(uint64_t sequence, uint64_t seed, uint64_t bytes);
void fob_segment_destroy(fob_segment_t **self_p);
/* A commit at `at` became durable. */
void fob_segment_note(fob_segment_t *self, uint64_t position, uint64_t first_offset,
                      uint64_t next_offset, int64_t wall_ms, uint64_t at, size_t total);

/* Appends; false: no memory. */
bool fob_segments_add(fob_segments_t *self, fob_segment_t *segment);
fob_segment_t *fob_segments_find(const fob_segments_t *self, uint64_t sequence);
/* Index of the segment to look in for an offset: the last one with commits that begins at or below
 * it; false: all begin above, or there are none. */
bool fob_segments_of_offset(const fob_segments_t *self, uint64_t offset, size_t *index);
/* Takes the oldest out. */
fob_segment_t *fob_segments_shift(fob_segments_t *self);
/* The file of one of them is larger now. */
void fob_segments_grow(fob_segments_t *self, fob_segment_t *segment, uint64_t bytes);
void fob_segments_clear(fob_segments_t *self);

#endif
