/* clang-format off */
/* checkpoint: all durable state as bytes, taken a part at a time between turns, and read back.
 *
 * The state is cut into units: the head with the list of groups, then each group's state, then the
 * sessions by the buckets of their table. Each is copied whole when its turn comes and says before
 * which record it was (its stamp); the first stamp is the checkpoint's. Replay begins there, and
 * skips for each group and each session the records that its unit holds already:
 *
 *   - every record names the groups and sessions that it changes, and changes each of them by what
 *     this one was before (and the head): so units need not be of the same age;
 *   - a group that began after the first stamp is not in the list: its records are all replayed. One
 *     that ended before its turn has no unit: its records are skipped up to its end;
 *   - a session keeps its bucket: it has its turn, or began in a bucket that was done, and then all
 *     its records are replayed, or was forgotten before, and then a record comes that says so.
 *
 * A group is one unit, however large; a unit is handed out in slices. Format, little-endian:
 *
 *   slice     0 u32 magic "FOBC"   4 u32 version 2
 *             8 u8 kind of unit   9 u8 1: the unit goes on in the next slice  10 u16 zero
 *            12 u32 stamp: index of the record in its commit   16 u64 stamp: position of the commit
 *            24 u64 number of the slice, from 0
 *            32 the bytes
 *   head 1    u64 head, i64 time, u64 uses of sessions, u32 next group, u32 groups, then these:
 *             u32 id, u8 flags (1 temporary), u8 bytes of name, u8 of pattern, u8 zero, name,
 *             pattern, i64 since, u64 start
 *   groups 2  any number of: u32 id, u32 flags (1 damaged), u64 generation, u64 accepted, acked,
 *             dead, expired, shed, removed, u64 mark offset, mark token, floor,
 *             u64 intervals, back entries, dead letters, then these:
 *   interval  u64 from, to
 *   back      u64 offset, token, i64 due, u32 attempts, u16 releases, u8 reason, u8 out
 *   dead      u64 offset, u32 count, attempts, i64 time, u64 reason, serial
 *   writers 3 any number of: 16 bytes session, u64 next, low, i64 seen, u64 use, u64 answers, then
 *             these:
 *   answer    u64 number, offset, u32 count, groups
 *   end 4     nothing: the last slice
 *
 * To change it: raise the version, write that, and keep reading the old one. The journal guards the
 * bytes by checksums; what is read is checked all the same. */
/* clang-format on */
#include "bus/core/little.h"
#include "bus/core/state.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define MAGIC       UINT32_C(0x43424F46)
#define VERSION     2u
#define SLICE_HEAD  32u
#define SLICE_BYTES ((size_t)256 * 1024)

enum { UNIT_NONE, UNIT_HEAD, UNIT_GROUPS, UNIT_WRITERS, UNIT_END };

/* --- writing --- */

static void put8(fob_buf_t *out, uint8_t value) {
    fob_buf_put(out, &value, 1);
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

static void put_cover(fob_buf_t *out, const fob_cover_t *cover) {
    for (size_t i = 0; i < cover->count; i++) {
        uint8_t bytes[16];
        fob_put64(bytes, cover->items[cover->begin + i].from);
        fob_put64(bytes + 8, cover->items[cover->begin + i].to);
        fob_buf_put(out, bytes, sizeof bytes);
    }
}

static void put_back(fob_buf_t *out, const fob_back_t *back) {
    uint32_t at = 0;
    for (const fob_back_entry_t *e; (e = fob_back_next(back, &at)) != NULL;) {
        uint8_t bytes[32];
        fob_put64(bytes, e->offset);
        fob_put64(bytes + 8, e->token);
        fob_put64(bytes + 16, (uint64_t)e->due_ms);
        fob_put32(bytes + 24, e->attempts);
        bytes[28] = (uint8_t)e->releases;
        bytes[29] = (uint8_t)(e->releases >> 8);
        bytes[30] = e->reason;
        bytes[31] = e->out;
        fob_buf_put(out, bytes, sizeof bytes);
    }
}

static void put_dead(fob_buf_t *out, const fob_deads_t *deads) {
    size_t at = 0;
    for (const fob_dead_t *dead; (dead = fob_deads_next(deads, &at)) != NULL;) {
        uint8_t bytes[40];
        fob_put64(bytes, dead->offset);
        fob_put32(bytes + 8, dead->count);
        fob_put32(bytes + 12, dead->attempts);
        fob_put64(bytes + 16, (uint64_t)dead->time_ms);
        fob_put64(bytes + 24, dead->reason);
        fob_put64(bytes + 32, dead->serial);
        fob_buf_put(out, bytes, sizeof bytes);
    }
}

static void put_listed(fob_buf_t *out, const fob_group_t *group) {
    put32(out, group->id);
    put8(out, group->temporary ? 1 : 0);
    put8(out, (uint8_t)group->name.size);
    put8(out, (uint8_t)group->pattern.size);
    put8(out, 0);
    fob_buf_put(out, group->text, group->name.size + group->pattern.size);
    put64(out, (uint64_t)group->since_ms);
    put64(out, group->start);
}

static void put_group(fob_buf_t *out, const fob_group_t *group) {
    const fob_cover_t *cover = &group->cover;
    const uint64_t fields[] = {
        group->generation, group->accepted,   group->acked,       group->dead,       group->expired,
        group->shed,       group->removed,    group->mark_offset, group->mark_token, cover->floor,
        cover->count,      group->back.count, group->deads.count};
    put32(out, group->id);
    put32(out, group->damaged ? 1 : 0);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        put64(out, fields[i]);
    put_cover(out, cover);
    put_back(out, &group->back);
    put_dead(out, &group->deads);
}

static void put_writer(fob_buf_t *out, const fob_writer_t *writer) {
    fob_buf_put(out, writer->session, FOB_SESSION_SIZE);
    put64(out, writer->next);
    put64(out, writer->low);
    put64(out, (uint64_t)writer->seen_ms);
    put64(out, writer->use);
    put64(out, writer->count);
    for (uint32_t i = 0; i < writer->count; i++) {
        const fob_answer_t *answer = fob_writer_at(writer, i);
        put64(out, answer->number);
        put64(out, answer->offset);
        put32(out, answer->count);
        put32(out, answer->groups);
    }
}

static void put_head(const fob_core_t *self, fob_buf_t *out) {
    put64(out, self->head);
    put64(out, (uint64_t)self->time_ms);
    put64(out, self->writers.uses);
    put32(out, self->next_group);
    put32(out, (uint32_t)self->groups.count);
    for (size_t i = 0; i < self->groups.count; i++)
        put_listed(out, self->groups.by_id[i]);
}

static size_t slice_bytes(const fob_core_t *self) {
    return self->config.slice_bytes ? self->config.slice_bytes : SLICE_BYTES;
}

static void begin_unit(fob_core_t *self, uint8_t kind) {
    fob_snapshot_t *snapshot = &self->snapshot;
    fob_buf_clear(&snapshot->unit);
    snapshot->kind = kind;
    snapshot->at = 0;
    snapshot->stamp = fob_core_stamp(self);
}

/* As many groups as fill a slice; nothing: there are no more. */
static void take_groups(fob_core_t *self) {
    fob_snapshot_t *snapshot = &self->snapshot;
    begin_unit(self, UNIT_GROUPS);
    while (snapshot->unit.size < slice_bytes(self) && !snapshot->unit.failed) {
        const fob_group_t *group = fob_groups_from_id(&self->groups, snapshot->group);
        if (!group || group->id >= snapshot->last)
            return;
        put_group(&snapshot->unit, group);
        snapshot->group = group->id + 1;
    }
}

static void take_writers(fob_core_t *self) {
    fob_snapshot_t *snapshot = &self->snapshot;
    begin_unit(self, UNIT_WRITERS);
    while (snapshot->unit.size < slice_bytes(self) && !snapshot->unit.failed &&
           snapshot->bucket <= self->writers.bucket_mask) {
        const fob_writer_t *writer = self->writers.buckets[snapshot->bucket++];
        for (; writer; writer = writer->chain)
            put_writer(&snapshot->unit, writer);
    }
}

/* The next unit; each stage ends with one that is empty. */
static void take_unit(fob_core_t *self) {
    fob_snapshot_t *snapshot = &self->snapshot;
    if (snapshot->stage == UNIT_GROUPS) {
        take_groups(self);
        if (snapshot->unit.size == 0)
            snapshot->stage = UNIT_WRITERS;
    }
    if (snapshot->stage == UNIT_WRITERS) {
        take_writers(self);
        if (snapshot->unit.size == 0)
            snapshot->stage = UNIT_END;
    }
    if (snapshot->stage == UNIT_END)
        begin_unit(self, UNIT_END);
}

static void stop(fob_core_t *self) {
    fob_buf_free(&self->snapshot.unit);
    self->snapshot = (fob_snapshot_t){0};
}

void fob_core_checkpoint_begin(fob_core_t *self) {
    stop(self);
    begin_unit(self, UNIT_HEAD);
    self->snapshot.stage = UNIT_HEAD;
    self->snapshot.last = self->next_group;
    put_head(self, &self->snapshot.unit);
}

static void put_slice(fob_core_t *self, fob_buf_t *slice) {
    fob_snapshot_t *snapshot = &self->snapshot;
    size_t left = snapshot->unit.size - snapshot->at, most = slice_bytes(self);
    size_t size = left < most ? left : most;
    put32(slice, MAGIC);
    put32(slice, VERSION);
    put8(slice, snapshot->kind);
    put8(slice, size < left);
    put8(slice, 0);
    put8(slice, 0);
    put32(slice, snapshot->stamp.index);
    put64(slice, snapshot->stamp.position);
    put64(slice, snapshot->number++);
    if (size)
        fob_buf_put(slice, snapshot->unit.data + snapshot->at, size);
    snapshot->at += size;
}

bool fob_core_checkpoint_next(fob_core_t *self, fob_buf_t *slice) {
    fob_snapshot_t *snapshot = &self->snapshot;
    fob_buf_clear(slice);
    if (snapshot->stage && snapshot->stage != UNIT_HEAD && snapshot->at == snapshot->unit.size)
        take_unit(self);
    if (snapshot->unit.failed)
        slice->failed = true;
    else if (snapshot->stage)
        put_slice(self, slice);
    if (slice->failed || !snapshot->stage) {
        stop(self);
        return false;
    }
    if (snapshot->kind == UNIT_END)
        snapshot->stage = UNIT_NONE;
    else if (snapshot->stage == UNIT_HEAD && snapshot->at == snapshot->unit.size)
        snapshot->stage = UNIT_GROUPS;
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
        fob_dead_t dead = {.offset = get64(in), .count = get32(in)};
        dead.attempts = get32(in);
        dead.time_ms = (int64_t)get64(in);
        dead.reason = (uint8_t)get64(in);
        dead.serial = get64(in);
        if (dead.serial <= group->deads.last_serial || fob_deads_find(&group->deads, dead.offset))
            in->failed = true;
        else
            fob_deads_add(&group->deads, &dead);
    }
}

/* The parts of a group behind its counts. */
static fob_status_t get_group_body(reader_t *in, fob_group_t *group) {
    size_t intervals = get_count(in, 16), back = get_count(in, 32), dead = get_count(in, 40);
    if (in->failed)
        return FOB_DAMAGED;
    if (!fob_cover_reserve(&group->cover, intervals) || !fob_back_reserve(&group->back, back) ||
        !fob_deads_reserve(&group->deads, dead))
        return FOB_NO_MEMORY;
    get_cover(in, &group->cover, intervals);
    get_back(in, &group->back, back);
    get_dead(in, group, dead);
    return in->failed ? FOB_DAMAGED : FOB_OK;
}

static fob_status_t get_group(reader_t *in, fob_core_t *self) {
    fob_group_t *group = fob_groups_by_id(&self->groups, get32(in));
    uint32_t flags = get32(in);
    if (in->failed || flags > 1 || !group || group->loaded.position != UINT64_MAX)
        return FOB_DAMAGED;
    group->loaded = self->snapshot.stamp;
    group->damaged = flags & 1;
    group->generation = get64(in);
    group->accepted = get64(in);
    group->acked = get64(in);
    group->dead = get64(in);
    group->expired = get64(in);
    group->shed = get64(in);
    group->removed = get64(in);
    group->mark_offset = get64(in);
    group->mark_token = get64(in);
    group->cover.floor = get64(in);
    return get_group_body(in, group);
}

static fob_status_t get_listed(reader_t *in, fob_core_t *self) {
    uint32_t id = get32(in);
    uint8_t flags = get8(in), name_size = get8(in), pattern_size = get8(in);
    get8(in);
    const uint8_t *text = take(in, (size_t)name_size + pattern_size);
    int64_t since_ms = (int64_t)get64(in);
    uint64_t start = get64(in);
    if (in->failed || !text || name_size == 0 || pattern_size == 0 || id >= self->next_group ||
        fob_groups_by_id(&self->groups, id))
        return FOB_DAMAGED;
    fob_slice_t name = fob_slice(text, name_size);
    fob_slice_t pattern = fob_slice(text + name_size, pattern_size);
    if (fob_groups_find(&self->groups, name))
        return FOB_DAMAGED;
    if (!fob_core_reserve_group(self))
        return FOB_NO_MEMORY;
    fob_group_t *group = fob_group_new(id, name, pattern, start, since_ms);
    if (!group)
        return FOB_NO_MEMORY;
    group->temporary = flags & 1;
    group->policy = self->config.policy;
    group->loaded = FOB_STAMP_NEVER; /* until its state comes */
    fob_groups_add(&self->groups, group);
    return FOB_OK;
}

static fob_status_t get_head(reader_t *in, fob_core_t *self) {
    self->head = get64(in);
    self->time_ms = (int64_t)get64(in);
    self->writers.uses = get64(in);
    self->next_group = get32(in);
    uint32_t groups = get32(in);
    fob_status_t status = in->failed ? FOB_DAMAGED : FOB_OK;
    for (uint32_t i = 0; i < groups && status == FOB_OK; i++)
        status = get_listed(in, self);
    self->loaded = self->snapshot.stamp;
    self->position = self->loaded.position - 1;
    fob_topics_flush(&self->topics);
    return status;
}

static fob_status_t get_writer(reader_t *in, fob_core_t *self) {
    uint8_t session[FOB_SESSION_SIZE];
    memcpy(session, take(in, FOB_SESSION_SIZE), FOB_SESSION_SIZE);
    uint64_t next = get64(in), low = get64(in);
    int64_t seen_ms = (int64_t)get64(in);
    uint64_t use = get64(in), uses = self->writers.uses;
    size_t answers = get_count(in, 24);
    if (in->failed || answers > FOB_WINDOW_MAX || fob_writers_find(&self->writers, session))
        return FOB_DAMAGED;
    if (!fob_writers_reserve(&self->writers, session, (uint32_t)answers))
        return FOB_NO_MEMORY;
    fob_writer_t *writer = fob_writers_see(&self->writers, session, seen_ms);
    self->writers.uses = uses;
    writer->use = use;
    writer->next = next;
    writer->low = low;
    writer->loaded = self->snapshot.stamp;
    for (size_t i = 0; i < answers; i++) {
        fob_answer_t answer = {.number = get64(in), .offset = get64(in)};
        answer.count = get32(in);
        answer.groups = get32(in);
        fob_writer_answer(writer, answer);
    }
    return in->failed ? FOB_DAMAGED : FOB_OK;
}

/* Reads a whole unit. */
static fob_status_t get_unit(fob_core_t *self) {
    fob_snapshot_t *snapshot = &self->snapshot;
    reader_t in = {snapshot->unit.data, snapshot->unit.data + snapshot->unit.size, false};
    fob_status_t status = FOB_OK;
    if (snapshot->kind == UNIT_HEAD)
        status = get_head(&in, self);
    while (status == FOB_OK && snapshot->kind == UNIT_GROUPS && in.at < in.end)
        status = get_group(&in, self);
    while (status == FOB_OK && snapshot->kind == UNIT_WRITERS && in.at < in.end)
        status = get_writer(&in, self);
    bool rest = in.at != in.end || (snapshot->kind != UNIT_END && snapshot->unit.size == 0);
    fob_buf_clear(&snapshot->unit);
    if (status == FOB_OK && !rest && snapshot->kind == UNIT_END)
        stop(self);
    return status == FOB_OK && rest ? FOB_DAMAGED : status;
}

static fob_status_t not_ours(fob_core_t *self) {
    snprintf(self->error, sizeof self->error, "the checkpoint is not one that we wrote");
    return FOB_DAMAGED;
}

/* Whether a slice is the one that follows; keeps what its head says. */
static bool follows(fob_core_t *self, fob_slice_t slice) {
    fob_snapshot_t *snapshot = &self->snapshot;
    if (slice.size < SLICE_HEAD || fob_get32(slice.data) != MAGIC ||
        fob_get32(slice.data + 4) != VERSION || slice.data[9] > 1 || slice.data[10] ||
        slice.data[11] || fob_get64(slice.data + 24) != snapshot->number)
        return false;
    uint8_t kind = slice.data[8];
    fob_stamp_t stamp = {fob_get64(slice.data + 16), fob_get32(slice.data + 12)};
    bool more = snapshot->unit.size > 0;
    if (snapshot->number == 0 ? kind != UNIT_HEAD || stamp.position == 0 || self->loaded.position
        : more ? kind != snapshot->kind || fob_stamp_before(stamp, snapshot->stamp) ||
                     fob_stamp_before(snapshot->stamp, stamp)
               : kind < snapshot->kind || kind == UNIT_HEAD || kind > UNIT_END ||
                     fob_stamp_before(stamp, snapshot->stamp))
        return false;
    snapshot->number++;
    snapshot->stage = snapshot->kind = kind;
    snapshot->stamp = stamp;
    return true;
}

fob_status_t fob_core_load(fob_core_t *self, fob_slice_t slice) {
    fob_buf_t *unit = &self->snapshot.unit;
    assert(!self->live);
    if (!follows(self, slice))
        return not_ours(self);
    if (slice.size > SLICE_HEAD)
        fob_buf_put(unit, slice.data + SLICE_HEAD, slice.size - SLICE_HEAD);
    if (unit->failed)
        return FOB_NO_MEMORY;
    if (slice.data[9])
        return FOB_OK;
    fob_status_t status = get_unit(self);
    return status == FOB_DAMAGED ? not_ours(self) : status;
}
