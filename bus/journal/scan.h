/* scan: walks the commits of one segment file in order, checking each. For recovery, replay and
 * inspection. */
#ifndef FOB_JOURNAL_SCAN_H
#define FOB_JOURNAL_SCAN_H

#include "bus/journal/disk.h"
#include "bus/journal/format.h"

typedef struct {
    const fob_disk_t *disk;
    int fd;
    uint64_t sequence, seed;
    uint64_t at;    /* of the next commit */
    uint64_t limit; /* nothing is read from here on */
    int error;      /* errno of an UNREAD */
    uint8_t *buffer;
    size_t capacity, size; /* bytes at hand, */
    uint64_t from;         /* which begin at this byte of the file */
} fob_scan_t;

/* Begins behind the header, or at `at`. The descriptor stays the caller's. */
void fob_scan_begin(fob_scan_t *self, const fob_disk_t *disk, int fd, uint64_t sequence,
                    uint64_t seed, uint64_t at, uint64_t limit);
/* The next commit: WHOLE (self->at is behind it; *at where it is; `out` points into the scan until
 * the next call), or what is there instead: NOTHING, BAD, NEWER, UNREAD; self->at stays. */
fob_found_t fob_scan_next(fob_scan_t *self, fob_commit_t *out, uint64_t *at);
/* Behind a place that is no commit: moves to the next whole one, which is filled. WHOLE, NOTHING
 * (none up to the limit), UNREAD. */
fob_found_t fob_scan_skip(fob_scan_t *self, fob_commit_t *out);
void fob_scan_end(fob_scan_t *self);

/* What lies between `self->at`, where no commit is, and the limit. */
typedef struct {
    uint64_t dirty_end; /* behind the last byte that is not zero; self->at: all zeros */
    uint64_t commits;   /* whole commits found there */
    uint64_t durable;   /* the highest position that one of them says was durable */
} fob_rest_t;
/* WHOLE, or UNREAD. Does not move. */
fob_found_t fob_scan_rest(fob_scan_t *self, fob_rest_t *out);

#endif
