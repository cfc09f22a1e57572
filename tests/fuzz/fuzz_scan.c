/* fuzz_scan: any bytes as a segment behind its header, walked commit by commit: as they are, and
 * with the first commit's checksum made right. */
#include "bus/journal/disk.h"
#include "bus/journal/scan.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/journal_pieces.h"

#include "proto/slice.h"

#include <string.h>

static fob_slice_t file; /* what is behind the header */

/* A file whose header is not looked at. */
static ssize_t on_pread(void *arg, int fd, void *data, size_t size, off_t at) {
    (void)arg, (void)fd;
    size_t from = (size_t)at - FOB_SEGMENT_HEADER_BYTES;
    if (from >= file.size)
        return 0;
    size = size < file.size - from ? size : file.size - from;
    memcpy(data, file.data + from, size);
    return (ssize_t)size;
}

static const fob_disk_t disk = {.pread = on_pread};

/* Whatever is told of a commit lies within it. */
static void look(const fob_commit_t *commit) {
    fob_stored_t entry;
    size_t at = 0;
    uint64_t events = 0, entries = 0;
    while (fob_format_entry_next(commit, &at, &entry)) {
        FUZZ_RULE(entry.data >= commit->payload &&
                  entry.data + entry.size <= commit->payload + commit->payload_bytes);
        events += entry.count;
        entries++;
    }
    FUZZ_RULE(entries == commit->entry_count && events == commit->event_count);
}

static void walk(void) {
    const uint64_t limit = FOB_SEGMENT_HEADER_BYTES + file.size;
    fob_scan_t scan;
    fob_commit_t commit;
    fob_rest_t rest;
    uint64_t at;
    fob_found_t found;
    fob_scan_begin(&scan, &disk, 3, 1, JOURNAL_SEED, FOB_SEGMENT_HEADER_BYTES, limit);
    for (;;) {
        uint64_t before = scan.at;
        found = fob_scan_next(&scan, &commit, &at);
        FUZZ_RULE(found == FOB_FOUND_WHOLE ? scan.at > before && scan.at <= limit && at == before
                                           : scan.at == before);
        if (found == FOB_FOUND_WHOLE) {
            look(&commit);
            continue;
        }
        FUZZ_RULE(found != FOB_FOUND_PART && found != FOB_FOUND_UNREAD);
        FUZZ_RULE(fob_scan_rest(&scan, &rest) == FOB_FOUND_WHOLE && scan.at == before);
        FUZZ_RULE(rest.dirty_end >= scan.at && rest.dirty_end <= limit);
        found = fob_scan_skip(&scan, &commit);
        FUZZ_RULE((found == FOB_FOUND_WHOLE) == (rest.commits > 0));
        if (found != FOB_FOUND_WHOLE)
            break;
        FUZZ_RULE(scan.at > before);
        look(&commit);
    }
    fob_scan_end(&scan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t *copy = malloc(size ? size : 1);
    fob_disk_commit_t head;
    FUZZ_RULE(copy);
    if (size)
        memcpy(copy, data, size);
    file = fob_slice(copy, size);
    walk();
    if (size >= sizeof head) {
        memcpy(&head, data, sizeof head);
        size_t bytes =
            head.payload_bytes < size - sizeof head ? head.payload_bytes : size - sizeof head;
        struct iovec payload = {copy + sizeof head, bytes};
        fob_format_commit_seal(&head, JOURNAL_SEED, &payload, 1);
        memcpy(copy, &head, sizeof head);
        walk();
    }
    free(copy);
    return 0;
}
