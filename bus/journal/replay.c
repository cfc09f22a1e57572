#include "bus/journal/replay.h"

#include "bus/journal/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static bool show(const fob_commit_t *commit, const fob_replay_t *to) {
    fob_stored_t stored;
    size_t at = 0;
    while (fob_format_entry_next(commit, &at, &stored))
        if (to->record != NULL && !to->record(to->arg, &stored))
            return false;
    return true;
}

/* What replay needs to know of a segment; taken under the lock, for the keeper is at work already.
 */
typedef struct {
    uint64_t sequence, seed, end;
} range_t;

/* 1: to the end; 0: refused by the owner or not as it was; -1: errno. */
static int show_segment(const fob_store_t *store, const range_t *segment, uint64_t above,
                        uint64_t last, const fob_replay_t *to, uint64_t *at) {
    char name[FOB_SEGMENT_NAME_SIZE], path[FOB_PATH_SIZE];
    fob_segment_name(segment->sequence, name);
    fob_store_path(store, name, path);
    int fd = store->disk->open(store->disk->arg, path, O_RDONLY, 0);
    if (fd < 0)
        return -1;
    fob_scan_t scan;
    fob_commit_t commit;
    fob_found_t found = FOB_FOUND_WHOLE;
    int rc = 1;
    fob_scan_begin(&scan, store->disk, fd, segment->sequence, segment->seed,
                   FOB_SEGMENT_HEADER_BYTES, segment->end);
    while (rc == 1 && scan.at < segment->end) {
        found = fob_scan_next(&scan, &commit, at);
        if (found != FOB_FOUND_WHOLE)
            rc = found == FOB_FOUND_UNREAD ? -1 : 0;
        else if (commit.position > above && commit.position <= last && !show(&commit, to))
            rc = 0;
    }
    if (found != FOB_FOUND_WHOLE)
        *at = scan.at;
    int saved = scan.error;
    fob_scan_end(&scan);
    store->disk->close(store->disk->arg, fd);
    errno = saved;
    return rc;
}

/* The segments with commits above `checkpoint`. NULL: no memory. */
static range_t *ranges_above(fob_store_t *store, uint64_t checkpoint, size_t *count) {
    *count = 0;
    fob_lock_take(&store->lock);
    range_t *ranges = malloc((store->segments.count + 1) * sizeof *ranges);
    for (size_t i = 0; ranges != NULL && i < store->segments.count; i++) {
        const fob_segment_t *segment = store->segments.all[i];
        if (segment->first_position != 0 && segment->last_position > checkpoint)
            ranges[(*count)++] = (range_t){segment->sequence, segment->seed, segment->end};
    }
    fob_lock_drop(&store->lock);
    return ranges;
}

static fob_journal_code_t show_ranges(const fob_store_t *store, const range_t *ranges, size_t count,
                                      uint64_t checkpoint, uint64_t last, const fob_replay_t *to,
                                      fob_journal_error_t *error) {
    for (size_t i = 0; i < count; i++) {
        uint64_t at = 0;
        int rc = show_segment(store, &ranges[i], checkpoint, last, to, &at);
        if (rc == 1)
            continue;
        fob_journal_code_t code = rc == 0           ? FOB_JOURNAL_DAMAGED
                                  : errno == ENOMEM ? FOB_JOURNAL_MEMORY
                                                    : FOB_JOURNAL_SYSTEM;
        char name[FOB_SEGMENT_NAME_SIZE];
        const char *why = rc == 0 ? "a record cannot be replayed" : strerror(errno);
        fob_segment_name(ranges[i].sequence, name);
        fob_error_set(error, code, "Segment %s in %s, byte %" PRIu64 ": %s.", name, store->folder,
                      at, why);
        return code;
    }
    return FOB_JOURNAL_OK;
}

fob_journal_code_t fob_replay_above(fob_store_t *store, uint64_t checkpoint, uint64_t last,
                                    const fob_replay_t *to, fob_journal_error_t *error) {
    uint64_t upto;
    fob_journal_code_t code = FOB_JOURNAL_OK;
    if (checkpoint != 0)
        code = fob_checkpoint_read(store->disk, store->folder, checkpoint, to->slice, to->arg,
                                   &upto, error);
    if (code != FOB_JOURNAL_OK)
        return code;
    size_t count;
    range_t *ranges = ranges_above(store, checkpoint, &count);
    if (ranges == NULL) {
        fob_error_set(error, FOB_JOURNAL_MEMORY, "No memory to replay the journal.");
        return FOB_JOURNAL_MEMORY;
    }
    code = show_ranges(store, ranges, count, checkpoint, last, to, error);
    free(ranges);
    return code;
}
