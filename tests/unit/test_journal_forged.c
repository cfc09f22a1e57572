/* Bytes whose checksum is right and whose meaning is not: a bug of another program's, or somebody's
 * hand. None of them may be taken. */
#include "tests/support/case.h"

#include "bus/journal/format.h"

#include <endian.h>
#include <stdlib.h>

#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#define SEED     UINT64_C(77)
#define SEQUENCE UINT64_C(3)

static void seal(void *data, size_t size) {
    uint64_t checksum = htole64(XXH3_64bits((uint8_t *)data + 8, size - 8));
    memcpy(data, &checksum, sizeof checksum);
}

/* --- heads --- */

/* A head with one byte changed and sealed again, as it is read. */
typedef fob_found_t(with_t)(size_t at, uint8_t byte);

/* The version that stands at this byte is ours, none, a newer one; the magic is not ours. */
static void expect_a_version_at(size_t at, with_t *with) {
    assert_int_equal(with(at, FOB_FORMAT_VERSION), FOB_FOUND_WHOLE);
    assert_int_equal(with(at, 0), FOB_FOUND_BAD);
    assert_int_equal(with(at, FOB_FORMAT_VERSION + 1), FOB_FOUND_NEWER);
    assert_int_equal(with(8, 0), FOB_FOUND_BAD);
}

static fob_found_t segment_with(size_t at, uint8_t byte) {
    uint8_t data[FOB_SEGMENT_HEADER_BYTES];
    fob_segment_head_t head = {.sequence = SEQUENCE, .seed = SEED, .epoch = 1, .bytes = 8192};
    fob_segment_head_t out;
    fob_format_segment_encode(&head, data);
    data[at] = byte;
    seal(data, sizeof data);
    return fob_format_segment_decode(data, &out);
}

static void a_segments_head_with_reserved_bytes_set_is_bad(void **state) {
    (void)state;
    expect_a_version_at(16, segment_with);
    assert_int_equal(segment_with(20, 1), FOB_FOUND_BAD);
    assert_int_equal(segment_with(64, 1), FOB_FOUND_BAD);
    assert_int_equal(segment_with(72, 1), FOB_FOUND_BAD);
    assert_int_equal(segment_with(FOB_SEGMENT_HEADER_BYTES - 1, 1), FOB_FOUND_BAD);
}

static fob_found_t checkpoint_with(size_t at, uint8_t byte) {
    fob_disk_checkpoint_t disk;
    fob_checkpoint_head_t head = {.position = 9, .seed = SEED}, out;
    fob_format_checkpoint_encode(&head, &disk);
    ((uint8_t *)&disk)[at] = byte;
    seal(&disk, sizeof disk);
    return fob_format_checkpoint_decode(&disk, &out);
}

static void a_checkpoints_head_with_reserved_bytes_set_is_bad(void **state) {
    (void)state;
    expect_a_version_at(16, checkpoint_with);
    assert_int_equal(checkpoint_with(20, 1), FOB_FOUND_BAD);
    assert_int_equal(checkpoint_with(48, 1), FOB_FOUND_BAD);
    assert_int_equal(checkpoint_with(56, 1), FOB_FOUND_BAD);
}

static fob_found_t epoch_with(size_t at, uint8_t byte) {
    fob_disk_epoch_t disk;
    fob_epoch_mark_t mark = {.epoch = 1, .turn = 1, .clean = true, .level_disk = true}, out;
    fob_format_epoch_encode(&mark, 1, &disk);
    ((uint8_t *)&disk)[at] = byte;
    seal(&disk, sizeof disk);
    return fob_format_epoch_decode(&disk, &out);
}

static void a_record_of_the_epoch_file_with_unknown_flags_is_bad(void **state) {
    (void)state;
    expect_a_version_at(16, epoch_with);
    assert_int_equal(epoch_with(20, 4), FOB_FOUND_BAD);
    assert_int_equal(epoch_with(20, 3), FOB_FOUND_WHOLE);
}

/* --- slices of a checkpoint --- */

static fob_found_t slice_with(size_t at, uint8_t byte, uint64_t index) {
    static const uint8_t bytes[16] = "five!"; /* and zeros to a multiple of 8 */
    fob_disk_slice_t slice;
    uint64_t upto;
    fob_format_slice_seal(&slice, SEED, 2, 0, bytes, 5);
    ((uint8_t *)&slice)[at] = byte;
    return fob_format_slice_check(&slice, SEED, index, bytes, &upto);
}

static void a_slice_at_another_place_or_with_other_bytes_is_bad(void **state) {
    (void)state;
    uint64_t upto;
    bool end;
    uint32_t length;
    assert_int_equal(slice_with(12, 5, 2), FOB_FOUND_WHOLE);
    assert_int_equal(slice_with(12, 5, 3), FOB_FOUND_BAD); /* out of its turn */
    assert_int_equal(slice_with(12, 6, 2), FOB_FOUND_BAD); /* another length */
    assert_int_equal(slice_with(8, 0, 2), FOB_FOUND_BAD);
    assert_int_equal(slice_with(24, 1, 2), FOB_FOUND_BAD); /* only an end tells how far it goes */
    static const uint8_t dirty[8] = "five!\0\0x";
    fob_disk_slice_t slice;
    fob_format_slice_seal(&slice, SEED, 0, 0, dirty, 5);
    assert_int_equal(fob_format_slice_check(&slice, SEED, 0, dirty, &upto), FOB_FOUND_BAD);
    fob_format_slice_seal(&slice, SEED, 4, 99, NULL, 0);
    assert_int_equal(fob_format_slice_check(&slice, SEED, 4, dirty, &upto), FOB_FOUND_WHOLE);
    assert_int_equal(upto, 99);
    assert_int_equal(fob_format_slice_peek(&slice, &end, &length), FOB_FOUND_WHOLE);
    assert_true(end);
    slice.length = htole32(8); /* an end holds nothing */
    assert_int_equal(fob_format_slice_check(&slice, SEED, 4, dirty, &upto), FOB_FOUND_BAD);
}

/* --- commits --- */

typedef struct {
    uint32_t length, count;
    uint64_t first;
    uint8_t fill; /* all bytes, the padding too */
} forged_t;

static fob_disk_commit_t commit_head(size_t payload, uint32_t entries, uint32_t events) {
    return (fob_disk_commit_t){.magic = htole32(FOB_COMMIT_MAGIC),
                               .version = htole16(FOB_FORMAT_VERSION),
                               .payload_bytes = htole32((uint32_t)payload),
                               .entry_count = htole32(entries),
                               .position = htole64(1),
                               .sequence = htole64(SEQUENCE),
                               .first_offset = htole64(10),
                               .event_count = htole32(events)};
}

/* A commit of these entries, of `payload` bytes in all, that claims `events`; its head with one
 * byte changed (`at` 0: none) and sealed again. */
static fob_found_t commit_of(const forged_t *entries, size_t count, size_t payload, uint32_t events,
                             uint32_t claimed, size_t at, uint8_t byte) {
    uint8_t data[512] = {0};
    fob_disk_commit_t head = commit_head(payload, claimed, events);
    size_t to = sizeof head;
    for (size_t i = 0; i < count; i++) {
        fob_disk_entry_t entry = {.length = htole32(entries[i].length),
                                  .count = htole32(entries[i].count),
                                  .first_offset = htole64(entries[i].first)};
        memcpy(data + to, &entry, sizeof entry);
        to += sizeof entry;
        memset(data + to, entries[i].fill, entries[i].length < 64 ? entries[i].length : 0);
        to += entries[i].length < 64 ? fob_pad8(entries[i].length) : 0;
    }
    if (at != 0)
        ((uint8_t *)&head)[at] = byte;
    struct iovec parts = {data + sizeof head, payload};
    fob_format_commit_seal(&head, SEED, &parts, 1);
    memcpy(data, &head, sizeof head);
    fob_commit_t out;
    return fob_format_commit_check(data, sizeof data, SEQUENCE, SEED, &out);
}

#define COMMIT(payload, events, claimed, ...)                                                      \
    commit_of((const forged_t[]){__VA_ARGS__},                                                     \
              sizeof((const forged_t[]){__VA_ARGS__}) / sizeof(forged_t), payload, events,         \
              claimed, 0, 0)

static void a_commit_whose_entries_do_not_add_up_is_bad(void **state) {
    (void)state;
    assert_int_equal(COMMIT(48, 3, 2, {8, 2, 10, 'a'}, {8, 1, 12, 'b'}), FOB_FOUND_WHOLE);
    assert_int_equal(COMMIT(48, 1, 2, {8, 0, 0, 'a'}, {8, 1, 12, 'b'}), FOB_FOUND_WHOLE);
    assert_int_equal(COMMIT(48, 4, 2, {8, 2, 10, 'a'}, {8, 1, 12, 'b'}), FOB_FOUND_BAD);
    assert_int_equal(COMMIT(48, 3, 1, {8, 2, 10, 'a'}, {8, 1, 12, 'b'}), FOB_FOUND_BAD);
    /* Offsets that go back, or lie below what the head says. */
    assert_int_equal(COMMIT(48, 3, 2, {8, 2, 10, 'a'}, {8, 1, 11, 'b'}), FOB_FOUND_BAD);
    assert_int_equal(COMMIT(24, 1, 1, {8, 1, 9, 'a'}), FOB_FOUND_BAD);
    /* No events, and yet an offset. */
    assert_int_equal(COMMIT(24, 0, 1, {8, 0, 10, 'a'}), FOB_FOUND_BAD);
    /* An entry that is longer than what is there; half a head of one. */
    assert_int_equal(COMMIT(24, 1, 1, {9, 1, 10, 'a'}), FOB_FOUND_BAD);
    assert_int_equal(COMMIT(24, 1, 1, {UINT32_MAX, 1, 10, 'a'}), FOB_FOUND_BAD);
    assert_int_equal(COMMIT(32, 1, 1, {8, 1, 10, 'a'}), FOB_FOUND_BAD);
}

static void a_commit_with_bytes_in_its_padding_is_bad(void **state) {
    (void)state;
    uint8_t data[sizeof(fob_disk_commit_t) + 24] = {0};
    fob_disk_commit_t head = commit_head(24, 1, 1);
    fob_disk_entry_t entry = {
        .length = htole32(5), .count = htole32(1), .first_offset = htole64(10)};
    memcpy(data + sizeof head, &entry, sizeof entry);
    for (size_t dirty = 0; dirty < 8; dirty++) {
        fob_commit_t out;
        memset(data + sizeof head + sizeof entry, 0, 8);
        data[sizeof head + sizeof entry + dirty] = 'x';
        struct iovec part = {data + sizeof head, 24};
        fob_format_commit_seal(&head, SEED, &part, 1);
        memcpy(data, &head, sizeof head);
        assert_int_equal(fob_format_commit_check(data, sizeof data, SEQUENCE, SEED, &out),
                         dirty < 5 ? FOB_FOUND_WHOLE : FOB_FOUND_BAD);
    }
}

static fob_found_t head_with(size_t at, uint8_t byte) {
    const forged_t one = {8, 1, 10, 'a'};
    return commit_of(&one, 1, 24, 1, 1, at, byte);
}

static void a_commits_head_with_reserved_bytes_set_is_bad(void **state) {
    (void)state;
    expect_a_version_at(12, head_with);
    assert_int_equal(head_with(14, 1), FOB_FOUND_BAD);
    assert_int_equal(head_with(60, 1), FOB_FOUND_BAD);
    assert_int_equal(head_with(72, 1), FOB_FOUND_BAD);
    assert_int_equal(head_with(16, 25), FOB_FOUND_BAD); /* no multiple of 8 */
    assert_int_equal(head_with(40, SEQUENCE + 1), FOB_FOUND_BAD);
}

static void a_commit_that_is_only_begun_says_how_much_is_needed(void **state) {
    (void)state;
    uint8_t data[512] = {0};
    fob_disk_commit_t head = {.magic = htole32(FOB_COMMIT_MAGIC),
                              .payload_bytes = htole32(400),
                              .sequence = htole64(SEQUENCE)};
    fob_commit_t out;
    assert_int_equal(fob_format_commit_check(data, sizeof head - 1, SEQUENCE, SEED, &out),
                     FOB_FOUND_PART);
    assert_int_equal(out.total, sizeof head);
    assert_int_equal(fob_format_commit_check(data, sizeof head, SEQUENCE, SEED, &out),
                     FOB_FOUND_NOTHING);
    memcpy(data, &head, sizeof head);
    assert_int_equal(fob_format_commit_check(data, sizeof head, SEQUENCE, SEED, &out),
                     FOB_FOUND_PART);
    assert_int_equal(out.total, sizeof head + 400);
}

/* Nobody writes one; it is read with no bytes at hand. */
static void a_slice_without_bytes_is_looked_at_without_any(void **state) {
    (void)state;
    fob_disk_slice_t slice;
    uint64_t upto;
    fob_format_slice_seal(&slice, 7, 0, 0, (const uint8_t *)"", 0);
    assert_int_equal(fob_format_slice_check(&slice, 7, 0, NULL, &upto), FOB_FOUND_WHOLE);
    assert_int_equal(fob_format_slice_check(&slice, 8, 0, NULL, &upto), FOB_FOUND_BAD);
}

FOB_MAIN(FOB_CASE(a_slice_without_bytes_is_looked_at_without_any),
         FOB_CASE(a_segments_head_with_reserved_bytes_set_is_bad),
         FOB_CASE(a_checkpoints_head_with_reserved_bytes_set_is_bad),
         FOB_CASE(a_record_of_the_epoch_file_with_unknown_flags_is_bad),
         FOB_CASE(a_slice_at_another_place_or_with_other_bytes_is_bad),
         FOB_CASE(a_commit_whose_entries_do_not_add_up_is_bad),
         FOB_CASE(a_commit_with_bytes_in_its_padding_is_bad),
         FOB_CASE(a_commits_head_with_reserved_bytes_set_is_bad),
         FOB_CASE(a_commit_that_is_only_begun_says_how_much_is_needed))
