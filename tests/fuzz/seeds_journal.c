/* seeds, journal: folders as journals leave them, and segments. */
#include "tests/fuzz/seeds.h"

#include "tests/fuzz/journal_pieces.h"
#include "tests/support/case.h"

#define SEGMENT_MOST 24576 /* bytes of a recorded segment */

static fob_buf_t out;

static void piece(uint8_t kind, unsigned which, const void *bytes, size_t size) {
    seed_piece(&out, (const char[]){(char)kind, (char)which}, 2, fob_slice(bytes, size));
}

static void segment(unsigned sequence) {
    piece(JOURNAL_SEGMENT, sequence - 1, (const uint8_t[]){(uint8_t)sequence, 3, 4}, 3);
}

/* A commit of two entries: events from `offset` on, and something else. */
static fob_buf_t commit(unsigned sequence, uint64_t position, uint64_t offset, uint32_t count) {
    static const uint8_t zeros[8];
    fob_buf_t bytes = {0};
    fob_disk_entry_t events = {.length = 11, .count = count, .first_offset = offset};
    fob_disk_entry_t other = {.length = 4};
    fob_disk_commit_t head = {.magic = FOB_COMMIT_MAGIC,
                              .version = FOB_FORMAT_VERSION,
                              .payload_bytes = 16 + 16 + 16 + 8,
                              .entry_count = 2,
                              .position = position,
                              .durable = position - 1,
                              .sequence = sequence,
                              .first_offset = offset,
                              .event_count = count,
                              .wall_ms = 2000};
    fob_buf_put(&bytes, &head, sizeof head);
    fob_buf_put(&bytes, &events, sizeof events);
    fob_buf_put(&bytes, "some events", 11);
    fob_buf_put(&bytes, zeros, 5);
    fob_buf_put(&bytes, &other, sizeof other);
    fob_buf_put(&bytes, "note", 4);
    fob_buf_put(&bytes, zeros, 4);
    fob_format_commit_seal((fob_disk_commit_t *)(void *)bytes.data, JOURNAL_SEED,
                           &(struct iovec){bytes.data + sizeof head, bytes.size - sizeof head}, 1);
    return bytes;
}

static void add_commit(unsigned sequence, uint64_t position, uint64_t offset, uint32_t count) {
    fob_buf_t bytes = commit(sequence, position, offset, count);
    piece(JOURNAL_COMMIT, sequence - 1, bytes.data, bytes.size);
    fob_buf_free(&bytes);
}

static void epoch(uint8_t slot, uint8_t position, uint8_t turn, uint8_t highest, uint8_t flags) {
    piece(JOURNAL_EPOCH, JOURNAL_EPOCH_FILE,
          (const uint8_t[]){slot, 3, position, turn, highest, 1, flags}, 7);
}

static void checkpoint(uint8_t position, uint8_t upto) {
    unsigned which = JOURNAL_SEGMENTS + position - 1;
    piece(JOURNAL_CHECKPOINT, which, &position, 1);
    piece(JOURNAL_SLICE, which, "\0first slice", 12);
    piece(JOURNAL_SLICE, which, "\1second", 7);
    piece(JOURNAL_END, which, (const uint8_t[]){2, upto}, 2);
}

static void end(const char *name) {
    seed_write("journal", name, fob_buf_slice(&out));
    fob_buf_free(&out);
}

static void folders(void) {
    end("new");
    segment(1);
    for (uint64_t i = 1; i <= 3; i++)
        add_commit(1, i, i * 2, 2);
    epoch(0, 3, 1, 1, 3);
    end("clean_end");
    segment(1);
    add_commit(1, 1, 1, 1);
    add_commit(1, 2, 2, 1);
    piece(JOURNAL_RAW, 0, "torn", 4);
    segment(2);
    epoch(0, 0, 1, 1, 2);
    epoch(1, 1, 2, 2, 2);
    end("torn_tail");
    segment(1);
    add_commit(1, 1, 1, 3);
    piece(JOURNAL_ZEROS, 0, "\100", 1);
    segment(2);
    add_commit(2, 2, 4, 1);
    add_commit(2, 3, 5, 1);
    segment(3);
    checkpoint(1, 1);
    checkpoint(2, 3);
    epoch(1, 2, 4, 3, 2);
    end("two_segments_and_checkpoints");
    segment(1);
    add_commit(1, 1, 1, 1);
    piece(JOURNAL_ZEROS, 0, "\1", 1);
    add_commit(1, 3, 3, 1);
    epoch(0, 3, 1, 1, 0);
    end("a_commit_is_missing");
}

static void segments(void) {
    fob_buf_t all = {0};
    for (uint64_t i = 1; i <= 3; i++) {
        static const uint8_t zeros[64];
        fob_buf_t one = commit(1, i, i * 2, 2);
        fob_buf_put(&all, one.data, one.size);
        if (i == 2)
            fob_buf_put(&all, zeros, sizeof zeros);
        fob_buf_free(&one);
    }
    seed_write("scan", "three_commits_and_a_gap", fob_buf_slice(&all));
    seed_write("scan", "cut_in_the_first", fob_slice(all.data, 100));
    seed_write("scan", "cut_in_a_head", fob_slice(all.data, 50));
    fob_buf_free(&all);
}

/* The commits of a segment as a bus wrote it, as many as fit, as if they were of the segment that
 * the target reads. */
void seeds_segment(const char *path, const char *name) {
    static uint8_t bytes[SEGMENT_MOST];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, FOB_SEGMENT_HEADER_BYTES, SEEK_SET), 0);
    size_t size = fread(bytes, 1, sizeof bytes, file), at = 0;
    assert_int_equal(fclose(file), 0);
    while (at + sizeof(fob_disk_commit_t) <= size) {
        fob_disk_commit_t head;
        memcpy(&head, bytes + at, sizeof head);
        if (head.magic != FOB_COMMIT_MAGIC || head.payload_bytes > size - at - sizeof head)
            break;
        head.sequence = 1;
        fob_format_commit_seal(&head, JOURNAL_SEED,
                               &(struct iovec){bytes + at + sizeof head, head.payload_bytes}, 1);
        memcpy(bytes + at, &head, sizeof head);
        at += sizeof head + head.payload_bytes;
    }
    if (at > 0) /* else it was only made ahead */
        seed_write("scan", name, fob_slice(bytes, at));
}

void seeds_journal(void) {
    folders();
    segments();
}
