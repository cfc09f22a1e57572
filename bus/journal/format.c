#include "bus/journal/format.h"
#include "proto/planted.h"

#include <endian.h>
#include <string.h>

#define XXH_STATIC_LINKING_ONLY    /* the state on the stack: its layout may differ only with the  \
                                      header */
#include <xxhash.h>

static bool all_zero(const uint8_t *data, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (data[i] != 0)
            return false;
    return true;
}

void fob_format_segment_encode(const fob_segment_head_t *head, uint8_t *out) {
    memset(out, 0, FOB_SEGMENT_HEADER_BYTES);
    fob_disk_segment_t disk = {
        .magic = htole64(FOB_SEGMENT_MAGIC),
        .version = htole32(FOB_FORMAT_VERSION),
        .sequence = htole64(head->sequence),
        .seed = htole64(head->seed),
        .epoch = htole64(head->epoch),
        .created_ms = (int64_t)htole64((uint64_t)head->created_ms),
        .bytes = htole64(head->bytes),
    };
    memcpy(out, &disk, sizeof disk);
    disk.checksum = htole64(XXH3_64bits(out + 8, FOB_SEGMENT_HEADER_BYTES - 8));
    memcpy(out, &disk, sizeof disk);
}

fob_found_t fob_format_segment_decode(const uint8_t *data, fob_segment_head_t *out) {
    fob_disk_segment_t disk;
    memcpy(&disk, data, sizeof disk);
    if (le64toh(disk.magic) != FOB_SEGMENT_MAGIC ||
        le64toh(disk.checksum) != XXH3_64bits(data + 8, FOB_SEGMENT_HEADER_BYTES - 8))
        return FOB_FOUND_BAD;
    if (le32toh(disk.version) > FOB_FORMAT_VERSION)
        return FOB_FOUND_NEWER;
    if (le32toh(disk.version) == 0 || disk.reserved != 0 || disk.zero != 0 ||
        !all_zero(data + sizeof disk, FOB_SEGMENT_HEADER_BYTES - sizeof disk))
        return FOB_FOUND_BAD;
    out->sequence = le64toh(disk.sequence);
    out->seed = le64toh(disk.seed);
    out->epoch = le64toh(disk.epoch);
    out->bytes = le64toh(disk.bytes);
    out->created_ms = (int64_t)le64toh((uint64_t)disk.created_ms);
    return FOB_FOUND_WHOLE;
}

/* One hash over a seed, a head without its checksum (the first 8 bytes), and what follows. */
static uint64_t seal(uint64_t seed, const void *head, size_t head_size, const struct iovec *payload,
                     size_t count) {
    XXH3_state_t state;
    uint64_t seed_le = htole64(seed);
    XXH3_64bits_reset(&state);
    XXH3_64bits_update(&state, &seed_le, sizeof seed_le);
    XXH3_64bits_update(&state, (const uint8_t *)head + 8, head_size - 8);
    for (size_t i = 0; i < count; i++)
        if (payload[i].iov_len > 0)
            XXH3_64bits_update(&state, payload[i].iov_base, payload[i].iov_len);
    return XXH3_64bits_digest(&state);
}

void fob_format_commit_seal(fob_disk_commit_t *head, uint64_t seed, const struct iovec *payload,
                            size_t count) {
    head->checksum = htole64(seal(seed, head, sizeof *head, payload, count));
}

/* Whether the entries fill the payload exactly, their padding is zero and their events add up. */
static bool entries_add_up(const fob_commit_t *commit) {
    size_t at = 0, entries = 0;
    uint64_t events = 0, next = commit->first_offset;
    while (at < commit->payload_bytes) {
        fob_disk_entry_t entry;
        if (commit->payload_bytes - at < sizeof entry)
            return false;
        memcpy(&entry, commit->payload + at, sizeof entry);
        at += sizeof entry;
        size_t length = le32toh(entry.length);
        if (fob_pad8(length) > commit->payload_bytes - at ||
            !all_zero(commit->payload + at + length, fob_pad8(length) - length))
            return false;
        at += fob_pad8(length);
        uint32_t count = le32toh(entry.count);
        uint64_t first = le64toh(entry.first_offset);
        if (count == 0 ? first != 0 : first < next)
            return false;
        if (count > 0)
            next = first + count;
        events += count;
        entries++;
    }
    return events == commit->event_count && entries == commit->entry_count;
}

fob_found_t fob_format_commit_check(const uint8_t *data, size_t size, uint64_t sequence,
                                    uint64_t seed, fob_commit_t *out) {
    fob_disk_commit_t disk;
    if (size < sizeof disk) {
        out->total = sizeof disk;
        return FOB_FOUND_PART;
    }
    memcpy(&disk, data, sizeof disk);
    if (all_zero(data, sizeof disk))
        return FOB_FOUND_NOTHING;
    if (le32toh(disk.magic) != FOB_COMMIT_MAGIC || le64toh(disk.sequence) != sequence ||
        le32toh(disk.payload_bytes) % 8 != 0)
        return FOB_FOUND_BAD;
    out->payload_bytes = le32toh(disk.payload_bytes);
    out->total = sizeof disk + out->payload_bytes;
    if (size < out->total)
        return FOB_FOUND_PART;
    out->payload = data + sizeof disk;
    struct iovec payload = {(void *)(uintptr_t)out->payload, out->payload_bytes};
    if (le64toh(disk.checksum) != seal(seed, &disk, sizeof disk, &payload, 1) &&
        !FOB_PLANTED(CHECKSUM_NOT_CHECKED))
        return FOB_FOUND_BAD;
    if (le16toh(disk.version) > FOB_FORMAT_VERSION)
        return FOB_FOUND_NEWER;
    if (disk.version == 0 || disk.flags != 0 || disk.reserved != 0 || disk.zero != 0)
        return FOB_FOUND_BAD;
    out->position = le64toh(disk.position);
    out->durable = le64toh(disk.durable);
    out->first_offset = le64toh(disk.first_offset);
    out->wall_ms = (int64_t)le64toh((uint64_t)disk.wall_ms);
    out->event_count = le32toh(disk.event_count);
    out->entry_count = le32toh(disk.entry_count);
    return entries_add_up(out) ? FOB_FOUND_WHOLE : FOB_FOUND_BAD;
}

bool fob_format_entry_next(const fob_commit_t *commit, size_t *at, fob_stored_t *out) {
    if (*at >= commit->payload_bytes)
        return false;
    fob_disk_entry_t entry;
    memcpy(&entry, commit->payload + *at, sizeof entry);
    out->position = commit->position;
    out->first_offset = le64toh(entry.first_offset);
    out->count = le32toh(entry.count);
    out->data = commit->payload + *at + sizeof entry;
    out->size = le32toh(entry.length);
    *at += sizeof entry + fob_pad8(out->size);
    return true;
}

void fob_format_checkpoint_encode(const fob_checkpoint_head_t *head, fob_disk_checkpoint_t *out) {
    *out = (fob_disk_checkpoint_t){
        .magic = htole64(FOB_CHECKPOINT_MAGIC),
        .version = htole32(FOB_FORMAT_VERSION),
        .position = htole64(head->position),
        .seed = htole64(head->seed),
        .created_ms = (int64_t)htole64((uint64_t)head->created_ms),
    };
    out->checksum = htole64(XXH3_64bits((uint8_t *)out + 8, sizeof *out - 8));
}

fob_found_t fob_format_checkpoint_decode(const fob_disk_checkpoint_t *in,
                                         fob_checkpoint_head_t *out) {
    if (le64toh(in->magic) != FOB_CHECKPOINT_MAGIC ||
        le64toh(in->checksum) != XXH3_64bits((const uint8_t *)in + 8, sizeof *in - 8))
        return FOB_FOUND_BAD;
    if (le32toh(in->version) > FOB_FORMAT_VERSION)
        return FOB_FOUND_NEWER;
    if (in->version == 0 || in->reserved != 0 || in->zero[0] != 0 || in->zero[1] != 0)
        return FOB_FOUND_BAD;
    out->position = le64toh(in->position);
    out->seed = le64toh(in->seed);
    out->created_ms = (int64_t)le64toh((uint64_t)in->created_ms);
    return FOB_FOUND_WHOLE;
}

void fob_format_slice_seal(fob_disk_slice_t *head, uint64_t seed, uint64_t index, uint64_t upto,
                           const uint8_t *data, size_t size) {
    *head = (fob_disk_slice_t){
        .magic = htole32(data == NULL ? FOB_END_MAGIC : FOB_SLICE_MAGIC),
        .length = htole32((uint32_t)size),
        .index = htole64(index),
        .upto = htole64(upto),
    };
    struct iovec payload = {(void *)(uintptr_t)data, size};
    head->checksum = htole64(seal(seed, head, sizeof *head, &payload, 1));
}

fob_found_t fob_format_slice_peek(const fob_disk_slice_t *in, bool *end, uint32_t *length) {
    uint32_t magic = le32toh(in->magic);
    *end = magic == FOB_END_MAGIC;
    *length = le32toh(in->length);
    return *end || magic == FOB_SLICE_MAGIC ? FOB_FOUND_WHOLE : FOB_FOUND_BAD;
}

fob_found_t fob_format_slice_check(const fob_disk_slice_t *in, uint64_t seed, uint64_t index,
                                   const uint8_t *data, uint64_t *upto) {
    bool end;
    uint32_t length;
    if (fob_format_slice_peek(in, &end, &length) != FOB_FOUND_WHOLE ||
        le64toh(in->index) != index || (end && length != 0) || (!end && in->upto != 0) ||
        (length != 0 && !all_zero(data + length, fob_pad8(length) - length))) /* or no bytes */
        return FOB_FOUND_BAD;
    struct iovec payload = {(void *)(uintptr_t)data, length};
    if (le64toh(in->checksum) != seal(seed, in, sizeof *in, &payload, 1))
        return FOB_FOUND_BAD;
    *upto = le64toh(in->upto);
    return FOB_FOUND_WHOLE;
}

void fob_format_epoch_encode(const fob_epoch_mark_t *mark, int64_t now_ms, fob_disk_epoch_t *out) {
    *out = (fob_disk_epoch_t){
        .magic = htole64(FOB_EPOCH_MAGIC),
        .version = htole32(FOB_FORMAT_VERSION),
        .flags =
            htole32((mark->clean ? FOB_EPOCH_CLEAN : 0) | (mark->level_disk ? FOB_EPOCH_DISK : 0)),
        .epoch = htole64(mark->epoch),
        .position = htole64(mark->position),
        .written_ms = (int64_t)htole64((uint64_t)now_ms),
        .turn = htole64(mark->turn),
        .highest = htole64(mark->highest),
        .lowest = htole64(mark->lowest),
    };
    out->checksum = htole64(XXH3_64bits((uint8_t *)out + 8, sizeof *out - 8));
}

fob_found_t fob_format_epoch_decode(const fob_disk_epoch_t *in, fob_epoch_mark_t *out) {
    if (le64toh(in->magic) != FOB_EPOCH_MAGIC ||
        le64toh(in->checksum) != XXH3_64bits((const uint8_t *)in + 8, sizeof *in - 8))
        return FOB_FOUND_BAD;
    if (le32toh(in->version) > FOB_FORMAT_VERSION)
        return FOB_FOUND_NEWER;
    uint32_t flags = le32toh(in->flags);
    if (in->version == 0 || (flags & ~(FOB_EPOCH_CLEAN | FOB_EPOCH_DISK)) != 0)
        return FOB_FOUND_BAD;
    *out = (fob_epoch_mark_t){.epoch = le64toh(in->epoch),
                              .position = le64toh(in->position),
                              .turn = le64toh(in->turn),
                              .highest = le64toh(in->highest),
                              .lowest = le64toh(in->lowest),
                              .clean = (flags & FOB_EPOCH_CLEAN) != 0,
                              .level_disk = (flags & FOB_EPOCH_DISK) != 0};
    return FOB_FOUND_WHOLE;
}
