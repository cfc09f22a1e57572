/* clang-format off */
/* checkpoint: all durable state as bytes, handed out in slices, and read back.
 *
 * The state is copied at the beginning, so that every slice is true for the same position, and
 * turns go on while the slices are written. Format, little-endian:
 *
 *   slice     0 u32 magic "FOBC"   4 u32 version 1   8 u64 position
 *            16 u64 place of this slice's bytes in all   24 u64 bytes in all
 *            32 the bytes
 *   all      head, groups, writers
 *   head     u64 head, i64 time, u32 next group, u32 groups, u32 writers, u32 zero
 *   group    u32 id, u8 flags (1 temporary, 2 damaged), u8 bytes of name, u8 of pattern, u8 zero,
 *            name, pattern, u64 generation, i64 since, u64 start, u64 accepted, acked, dead,
 *            expired, shed, removed, u64 mark offset, mark token, floor,
 *            u64 intervals, back entries, dead letters, then these:
 *   interval u64 from, to
 *   back     u64 offset, token, i64 due, u32 attempts, u16 releases, u8 reason, u8 out
 *   dead     u64 offset, u32 count, attempts, i64 time, u64 reason
 *   writer   16 bytes session, u64 next, low, i64 seen, u64 answers, then these; the longest unseen
 *            first
 *   answer   u64 number, offset, u32 count, groups
 *
 * To change it: raise the version, write that, and keep reading the old one. The journal guards the
 * bytes by checksums; what is read is checked all the same. */
/* clang-format on */
#include "bus/core/little.h"
#include "bus/core/state.h"

#include <stdio.h>
#include <stdlib.h>

#define MAGIC       UINT32_C(0x43424F46)
#define VERSION     1u
#define SLICE_HEAD  32u
#define SLICE_BYTES ((size_t)256 * 1024)

/* --- writing --- */

static void put8(fob_buf_t *out, uint8_t value) {
    fob_buf_put(out, &value, 1);
}
static void put16(fob_buf_t *out, uint16_t value) {
    put8(out, (uint8_t)value);
    put8(out, (uint8_t)(value >> 8));
}
static void put32(fob_buf_t *out, uint32_t value) {
    uint8_t bytes[4];
    fob_put32(bytes, value);
    fob_buf_put(out, bytes, sizeof bytes);
}
static void put64(fob_buf_t *out, uint64_t value) {
    uint8_t bytes[8];
    fob_put64(bytes, value);
    fob_buf_put(out, bytes, sizeof bytes);
}

static void put_back(fob_buf_t *out, const fob_back_t *back) {
    uint32_t at = 0;
    for (const fob_back_entry_t *e; (e = fob_back_next(back, &at)) != NULL;) {
        put64(out, e->offset);
        put64(out, e->token);
        put64(out, (uint64_t)e->due_ms);
        put32(out, e->attempts);
        put16(out, e->releases);
        put8(out, e->reason);
        put8(out, e->out);
    }
}

static void put_dead(fob_buf_t *out, const fob_dead_t *dead) {
    put64(out, dead->offset);
    put32(out, dead->count);
    put32(out, dead->attempts);
    put64(out, (uint64_t)dead->time_ms);
    put64(out, dead->reason);
}

static void put_group(fob_buf_t *out, const fob_group_t *group) {
    const fob_cover_t *cover = &group->cover;
    put32(out, group->id);
    put8(out, (uint8_t)((group->temporary ? 1 : 0) | (group->damaged ? 2 : 0)));
    put8(out, (uint8_t)group->name.size);
    put8(out, (uint8_t)group->pattern.size);
    put8(out, 0);
    fob_buf_put(out, group->text, group->name.size + group->pattern.size);
    const uint64_t fields[] = {group->generation, (uint64_t)group->since_ms,
                               group->start,      group->accepted,
                               group->acked,      group->dead,
                               group->expired,    group->shed,
                               group->removed,    group->mark_offset,
                               group->mark_token, cover->floor,
                               cover->count,      group->back.count,
                               group->dead_count};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        put64(out, fields[i]);
    for (size_t i = 0; i < cover->count; i++) {
        put64(out, cover->items[cover->begin + i].from);
        put64(out, cover->items[cover->begin + i].to);
    }
    put_back(out, &group->back);
    for (size_t i = 0; i < group->dead_count; i++)
        put_dead(out, &group->dead_letters[i]);
}

static void put_writer(fob_buf_t *out, const fob_writer_t *writer) {
    fob_buf_put(out, writer->session, FOB_SESSION_SIZE);
    put64(out, writer->next);
    put64(out, writer->low);
    put64(out, (uint64_t)writer->seen_ms);
    put64(out, writer->count);
    for (uint32_t i = 0; i < writer->count; i++) {
        const fob_answer_t *answer = fob_writer_at(writer, i);
        put64(out, answer->number);
        put64(out, answer->offset);
        put32(out, answer->count);
        put32(out, answer->groups);
    }
}

void fob_core_checkpoint_begin(fob_core_t *self) {
    fob_buf_t *out = &self->snapshot;
    bool open = self->open && self->open->record_count;
    fob_buf_clear(out);
    self->snapshot_at = 0;
    self->snapshot_open = true;
    self->snapshot_position = self->position + (open ? 1 : 0);
    put64(out, self->head);
    put64(out, (uint64_t)self->time_ms);
    put32(out, self->next_group);
    put32(out, (uint32_t)self->groups.count);
    put32(out, self->writers.count);
    put32(out, 0);
    for (size_t i = 0; i < self->groups.count; i++)
        put_group(out, self->groups.by_id[i]);
    for (const fob_writer_t *w = self->writers.oldest; w; w = w->newer)
        put_writer(out, w);
}

bool fob_core_checkpoint_next(fob_core_t *self, fob_buf_t *slice) {
    fob_buf_t *all = &self->snapshot;
    fob_buf_clear(slice);
    if (all->failed)
        slice->failed = true;
    if (!self->snapshot_open || all->failed || self->snapshot_at >= all->size) {
        fob_buf_free(all);
        self->snapshot_open = false;
        return false;
    }
    size_t left = all->size - self->snapshot_at;
    size_t size = left < SLICE_BYTES ? left : SLICE_BYTES;
    put32(slice, MAGIC);
    put32(slice, VERSION);
    put64(slice, self->snapshot_position);
    put64(slice, self->snapshot_at);
    put64(slice, all->size);
    fob_buf_put(slice, all->data + self->snapshot_at, size);
    if (slice->failed)
        return false;
    self->snapshot_at += size;
    return true;
}

/* --- reading --- */

/* What is left to read; a read past the end fails it, and gives zeros. */
typedef struct {
    const uint8_t *at, *end;
    bool failed;
} reader_t;

static const uint8_t *take(reader_t *in, size_t size) {
    static const uint8_t zeros[64];
    if ((size_t)(in->end - in->at) < size) {
        in->failed = true;
        return size <= sizeof zeros ? zeros : NULL;
    }
    const uint8_t *bytes = in->at;
    in->at += size;
    return bytes;
}
static uint8_t get8(reader_t *in) {
    return *take(in, 1);
}
static uint16_t get16(reader_t *in) {
    const uint8_t *bytes = take(in, 2);
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}
static uint32_t get32(reader_t *in) {
    return fob_get32(take(in, 4));
}
static uint64_t get64(reader_t *in) {
    return fob_get64(take(in, 8));
}

/* A count of things of `size` bytes, of which so many could be there. */
static size_t get_count(reader_t *in, size_t size) {
    uint64_t count = get64(in);
    if (count > (uint64_t)(in->end - in->at) / size)
        in->failed = true;
    return in->failed ? 0 : (size_t)count;
}

static void get_cover(reader_t *in, fob_cover_t *cover, size_t count) {
    for (size_t i = 0; i < count && !in->failed; i++) {
        uint64_t from = get64(in), to = get64(in);
        if (from > to || to == UINT64_MAX)
            in->failed = true;
        else
            fob_cover_add(cover, from, to);
    }
}

static void get_back(reader_t *in, fob_back_t *back, size_t count) {
    for (size_t i = 0; i < count && !in->failed; i++) {
        uint64_t offset = get64(in);
        if (offset == 0 || fob_back_find(back, offset)) {
            in->failed = true;
            return;
        }
        fob_back_entry_t *entry = fob_back_add(back, offset);
        entry->token = get64(in);
        entry->due_ms = (int64_t)get64(in);
        entry->attempts = get32(in);
        entry->releases = get16(in);
        entry->reason = get8(in);
        entry->out = get8(in) != 0;
    }
}

static void get_dead(reader_t *in, fob_group_t *group, size_t count) {
    for (size_t i = 0; i < count && !in->failed; i++) {
        fob_dead_t *dead = &group->dead_letters[group->dead_count++];
        dead->offset = get64(in);
        dead->count = get32(in);
        dead->attempts = get32(in);
        dead->time_ms = (int64_t)get64(in);
        dead->reason = (uint8_t)get64(in);
        if (dead->offset && dead->offset < group->dead_lowest)
            group->dead_lowest = dead->offset;
    }
}

/* The parts of a group behind its names. */
static fob_status_t get_group_body(reader_t *in, fob_group_t *group) {
    group->generation = get64(in);
    group->since_ms = (int64_t)get64(in);
    group->start = get64(in);
    group->accepted = get64(in);
    group->acked = get64(in);
    group->dead = get64(in);
    group->expired = get64(in);
    group->shed = get64(in);
    group->removed = get64(in);
    group->mark_offset = get64(in);
    group->mark_token = get64(in);
    group->cover.floor = get64(in);
    size_t intervals = get_count(in, 16), back = get_count(in, 32), dead = get_count(in, 32);
    if (in->failed)
        return FOB_DAMAGED;
    if (!fob_cover_reserve(&group->cover, intervals) || !fob_back_reserve(&group->back, back) ||
        !fob_group_reserve_dead(group, dead))
        return FOB_NO_MEMORY;
    get_cover(in, &group->cover, intervals);
    get_back(in, &group->back, back);
    get_dead(in, group, dead);
    return in->failed ? FOB_DAMAGED : FOB_OK;
}

static fob_status_t get_group(reader_t *in, fob_core_t *self) {
    uint32_t id = get32(in);
    uint8_t flags = get8(in), name_size = get8(in), pattern_size = get8(in);
    get8(in);
    const uint8_t *text = take(in, (size_t)name_size + pattern_size);
    if (in->failed || !text || name_size == 0 || pattern_size == 0 || id >= self->next_group ||
        fob_groups_by_id(&self->groups, id))
        return FOB_DAMAGED;
    fob_slice_t name = fob_slice(text, name_size);
    fob_slice_t pattern = fob_slice(text + name_size, pattern_size);
    if (fob_groups_find(&self->groups, name))
        return FOB_DAMAGED;
    if (!fob_core_reserve_group(self))
        return FOB_NO_MEMORY;
    fob_group_t *group = fob_group_new(id, name, pattern, 0, 0);
    if (!group)
        return FOB_NO_MEMORY;
    group->temporary = flags & 1;
    group->damaged = (flags & 2) != 0;
    fob_groups_add(&self->groups, group);
    return get_group_body(in, group);
}

static fob_status_t get_writer(reader_t *in, fob_core_t *self) {
    uint8_t session[FOB_SESSION_SIZE];
    memcpy(session, take(in, FOB_SESSION_SIZE), FOB_SESSION_SIZE);
    uint64_t next = get64(in), low = get64(in);
    int64_t seen_ms = (int64_t)get64(in);
    size_t answers = get_count(in, 24);
    if (in->failed || answers > FOB_WINDOW_MAX || fob_writers_find(&self->writers, session))
        return FOB_DAMAGED;
    if (!fob_writers_reserve(&self->writers, session, (uint32_t)answers))
        return FOB_NO_MEMORY;
    fob_writer_t *writer = fob_writers_see(&self->writers, session, seen_ms);
    writer->next = next;
    writer->low = low;
    for (size_t i = 0; i < answers; i++) {
        fob_answer_t answer = {.number = get64(in), .offset = get64(in)};
        answer.count = get32(in);
        answer.groups = get32(in);
        fob_writer_answer(writer, answer);
    }
    return in->failed ? FOB_DAMAGED : FOB_OK;
}

static fob_status_t get_all(reader_t *in, fob_core_t *self) {
    self->head = get64(in);
    self->time_ms = (int64_t)get64(in);
    self->next_group = get32(in);
    uint32_t groups = get32(in), writers = get32(in);
    fob_status_t status = get32(in) == 0 && !in->failed ? FOB_OK : FOB_DAMAGED;
    for (uint32_t i = 0; i < groups && status == FOB_OK; i++)
        status = get_group(in, self);
    for (uint32_t i = 0; i < writers && status == FOB_OK; i++)
        status = get_writer(in, self);
    fob_topics_flush(&self->topics);
    return status == FOB_OK && in->at != in->end ? FOB_DAMAGED : status;
}

static fob_status_t not_ours(fob_core_t *self) {
    snprintf(self->error, sizeof self->error, "the checkpoint is not one that we wrote");
    return FOB_DAMAGED;
}

fob_status_t fob_core_load(fob_core_t *self, fob_slice_t slice) {
    fob_buf_t *all = &self->snapshot;
    if (slice.size <= SLICE_HEAD || fob_get32(slice.data) != MAGIC ||
        fob_get32(slice.data + 4) != VERSION)
        return not_ours(self);
    uint64_t position = fob_get64(slice.data + 8), at = fob_get64(slice.data + 16);
    uint64_t size = fob_get64(slice.data + 24);
    bool first = at == 0 && all->size == 0 && self->loaded == 0;
    if (!first && (at != all->size || position != self->snapshot_position))
        return not_ours(self);
    self->snapshot_position = position;
    fob_buf_put(all, slice.data + SLICE_HEAD, slice.size - SLICE_HEAD);
    if (all->failed)
        return FOB_NO_MEMORY;
    if (all->size > size)
        return not_ours(self);
    if (all->size < size)
        return FOB_OK;
    reader_t in = {all->data, all->data + all->size, false};
    fob_status_t status = get_all(&in, self);
    fob_buf_free(all);
    self->loaded = self->position = position;
    return status == FOB_DAMAGED ? not_ours(self) : status;
}
