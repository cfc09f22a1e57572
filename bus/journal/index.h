/* index: where in a segment an offset is, about one point every FOB_INDEX_STEP bytes. A point is a
 * commit: its byte and the first offset at or above which its events lie. */
#ifndef FOB_JOURNAL_INDEX_H
#define FOB_JOURNAL_INDEX_H

#include <stddef.h>
#include <stdint.h>

#define FOB_INDEX_STEP (128u * 1024u)

typedef struct {
    uint64_t offset, at;
} fob_point_t;

typedef struct {
    fob_point_t *points;
    size_t count, capacity;
} fob_index_t;

void fob_index_clear(fob_index_t *self);
/* Notes a commit, in ascending order of `at`; most are passed over. Without memory it stays
 * sparser. */
void fob_index_add(fob_index_t *self, uint64_t offset, uint64_t at);
/* The byte to look from for `offset`; `otherwise` where no point is at or below it. */
uint64_t fob_index_find(const fob_index_t *self, uint64_t offset, uint64_t otherwise);

#endif
