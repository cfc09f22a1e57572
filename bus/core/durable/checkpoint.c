/* checkpoint, writing: the units one after the other, in slices. */
#include "bus/core/durable/checkpoint.h"
#include "bus/core/durable/copy.h"

#include "proto/planted.h"

#include <stdlib.h>

#define SLICE_BYTES ((size_t)256 * 1024)

static void put_listed(fob_buf_t *out, const fob_group_t *group) {
    fob_put_u32(out, group->id);
    fob_put_u8(out, group->temporary ? 1 : 0);
    fob_put_u8(out, (uint8_t)group->name.size);
    fob_put_u8(out, (uint8_t)group->pattern.size);
    fob_put_u8(out, 0);
    fob_buf_put(out, group->text, group->name.size + group->pattern.size);
}

static void put_writer(fob_buf_t *out, const fob_writer_t *writer) {
    fob_buf_put(out, writer->session, FOB_SESSION_SIZE);
    fob_put_u64(out, writer->next);
    fob_put_u64(out, writer->low);
    fob_put_u64(out, (uint64_t)writer->seen_ms);
    fob_put_u64(out, writer->use);
    fob_put_u64(out, writer->count);
    for (uint32_t i = 0; i < writer->count; i++) {
        const fob_answer_t *answer = fob_writer_at(writer, i);
        fob_put_u64(out, answer->number);
        fob_put_u64(out, answer->offset);
        fob_put_u32(out, answer->count);
        fob_put_u32(out, answer->groups);
        fob_put_u32(out, answer->flags);
        fob_put_u32(out, 0);
    }
}

static void put_moved(fob_buf_t *out, const fob_moved_t *moved) {
    size_t at = 0;
    uint64_t count = 0;
    while (fob_moved_next(moved, &at))
        count++;
    fob_put_u64(out, count);
    at = 0;
    for (const fob_moved_item_t *item; (item = fob_moved_next(moved, &at)) != NULL;) {
        fob_put_u64(out, item->origin);
        fob_put_u64(out, item->place);
    }
}

static void put_head(const fob_core_t *self, fob_buf_t *out) {
    fob_put_u64(out, self->head);
    fob_put_u64(out, (uint64_t)self->time_ms);
    fob_put_u64(out, self->writers.uses);
    fob_put_u64(out, self->seed);
    fob_put_u32(out, self->next_group);
    fob_put_u32(out, (uint32_t)self->groups.count);
    for (size_t i = 0; i < self->groups.count; i++)
        put_listed(out, self->groups.by_id[i]);
    put_moved(out, &self->moved);
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

/* As many groups as fill a slice, the last one perhaps in part; nothing: there are no more. */
static void take_groups(fob_core_t *self) {
    fob_snapshot_t *snapshot = &self->snapshot;
    begin_unit(self, FOB_UNIT_GROUPS);
    while (snapshot->unit.size < slice_bytes(self) && !snapshot->unit.failed) {
        fob_group_t *group = fob_groups_from_id(&self->groups, snapshot->group);
        if (!group || group->id >= snapshot->last)
            return;
        fob_copy_begin(self->copy, &snapshot->unit, group, self->history);
        snapshot->group = group->id + 1;
        if (fob_copy_some(self->copy, slice_bytes(self)))
            return;
    }
}

static void take_writers(fob_core_t *self) {
    fob_snapshot_t *snapshot = &self->snapshot;
    begin_unit(self, FOB_UNIT_WRITERS);
    while (snapshot->unit.size < slice_bytes(self) && !snapshot->unit.failed &&
           snapshot->bucket <= self->writers.bucket_mask) {
        const fob_writer_t *writer = self->writers.buckets[snapshot->bucket++];
        for (; writer; writer = writer->chain)
            put_writer(&snapshot->unit, writer);
    }
}

static void put_id(fob_buf_t *out, const fob_known_t *known) {
    uint8_t bytes[FOB_UNIT_ID];
    fob_put64(bytes, known->ident.high);
    fob_put64(bytes + 8, known->ident.low);
    fob_put64(bytes + 16, known->ident.data);
    fob_put64(bytes + 24, known->offset);
    fob_put64(bytes + 32, (uint64_t)known->time_ms);
    fob_buf_put(out, bytes, sizeof bytes);
}

static void take_ids(fob_core_t *self) {
    fob_snapshot_t *snapshot = &self->snapshot;
    begin_unit(self, FOB_UNIT_IDS);
    while (snapshot->unit.size < slice_bytes(self) && !snapshot->unit.failed) {
        const fob_known_t *known = fob_dedup_above(self->dedup, snapshot->offset);
        if (!known)
            return;
        if (!FOB_PLANTED(ID_NOT_IN_CHECKPOINT) || known->offset % 8)
            put_id(&snapshot->unit, known);
        snapshot->offset = known->offset;
    }
}

static void put_tail(fob_buf_t *out, const fob_tail_t *tail) {
    fob_put_u64(out, tail->last);
    fob_put_u8(out, tail->size);
    fob_buf_put(out, tail->bytes, tail->size);
}

/* What is above the head of the begin is linked by the replay. False: that was all. */
static bool take_topics(fob_core_t *self) {
    fob_snapshot_t *snapshot = &self->snapshot;
    const fob_tail_t *tail = NULL;
    uint64_t count = 0;
    begin_unit(self, FOB_UNIT_TOPICS);
    fob_put_u64(&snapshot->unit, self->chain.floor);
    fob_put_u64(&snapshot->unit, count);
    while (snapshot->unit.size < slice_bytes(self) && !snapshot->unit.failed) {
        tail = fob_chain_next(&self->chain);
        if (!tail || tail->last > snapshot->head)
            break;
        put_tail(&snapshot->unit, tail);
        count++;
    }
    if (!snapshot->unit.failed)
        fob_put64(snapshot->unit.data + 8, count);
    return tail && tail->last <= snapshot->head;
}

/* The next unit; each stage ends with one that is empty. */
static void take_unit(fob_core_t *self) {
    fob_snapshot_t *snapshot = &self->snapshot;
    if (snapshot->stage == FOB_UNIT_GROUPS) {
        take_groups(self);
        if (snapshot->unit.size == 0)
            snapshot->stage = FOB_UNIT_WRITERS;
    }
    if (snapshot->stage == FOB_UNIT_WRITERS) {
        take_writers(self);
        if (snapshot->unit.size == 0)
            snapshot->stage = FOB_UNIT_IDS;
    }
    if (snapshot->stage == FOB_UNIT_IDS) {
        take_ids(self);
        if (snapshot->unit.size == 0) {
            snapshot->stage = FOB_UNIT_TOPICS;
            fob_chain_walk(&self->chain);
        }
    }
    if (snapshot->stage == FOB_UNIT_TOPICS) {
        if (!take_topics(self))
            snapshot->stage = FOB_UNIT_END;
        return;
    }
    if (snapshot->stage == FOB_UNIT_END)
        begin_unit(self, FOB_UNIT_END);
}

void fob_snapshot_stop(fob_core_t *self) {
    if (self->copy)
        fob_copy_stop(self->copy);
    fob_buf_free(&self->snapshot.unit);
    self->snapshot = (fob_snapshot_t){0};
}

void fob_core_checkpoint_begin(fob_core_t *self) {
    fob_snapshot_stop(self);
    if (!self->copy)
        self->copy = fob_copy_new();
    begin_unit(self, FOB_UNIT_HEAD);
    self->snapshot.stage = FOB_UNIT_HEAD;
    self->snapshot.last = self->next_group;
    self->snapshot.head = self->head;
    put_head(self, &self->snapshot.unit);
    self->snapshot.unit.failed = self->snapshot.unit.failed || !self->copy;
}

static void put_slice(fob_core_t *self, fob_buf_t *slice) {
    fob_snapshot_t *snapshot = &self->snapshot;
    size_t left = snapshot->unit.size - snapshot->at, most = slice_bytes(self);
    size_t size = left < most ? left : most;
    snapshot->open = size < left || fob_copy_runs(self->copy);
    fob_put_u32(slice, FOB_SLICE_MAGIC);
    fob_put_u32(slice, FOB_SLICE_VERSION);
    fob_put_u8(slice, snapshot->kind);
    fob_put_u8(slice, snapshot->open);
    fob_put_u8(slice, 0);
    fob_put_u8(slice, 0);
    fob_put_u32(slice, snapshot->stamp.index);
    fob_put_u64(slice, snapshot->stamp.position);
    fob_put_u64(slice, snapshot->number++);
    if (size)
        fob_buf_put(slice, snapshot->unit.data + snapshot->at, size);
    snapshot->at += size;
}

/* Bytes for the next slice: what is left of the unit, or the next one. */
static void fill(fob_core_t *self) {
    fob_snapshot_t *snapshot = &self->snapshot;
    if (!snapshot->stage || snapshot->at < snapshot->unit.size || snapshot->unit.failed)
        return;
    if (!snapshot->open) {
        if (snapshot->stage != FOB_UNIT_HEAD)
            take_unit(self);
        return;
    }
    fob_buf_clear(&snapshot->unit);
    snapshot->at = 0;
    if (fob_copy_runs(self->copy))
        fob_copy_some(self->copy, slice_bytes(self));
}

bool fob_core_checkpoint_next(fob_core_t *self, fob_buf_t *slice) {
    fob_snapshot_t *snapshot = &self->snapshot;
    fob_buf_clear(slice);
    fill(self);
    if (snapshot->unit.failed)
        slice->failed = true;
    else if (snapshot->stage)
        put_slice(self, slice);
    if (slice->failed || !snapshot->stage) {
        fob_snapshot_stop(self);
        return false;
    }
    if (snapshot->kind == FOB_UNIT_END)
        snapshot->stage = FOB_UNIT_NONE;
    else if (snapshot->stage == FOB_UNIT_HEAD && snapshot->at == snapshot->unit.size)
        snapshot->stage = FOB_UNIT_GROUPS;
    return true;
}
