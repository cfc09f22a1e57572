/* checkpoint, reading: slices joined to units, and what they hold put where it belongs. */
#include "bus/core/durable/checkpoint.h"
#include "bus/core/durable/checkpoint_fits.h"
#include "bus/core/durable/record.h"
#include "proto/topic.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static fob_status_t get_listed(fob_unit_t *in, fob_core_t *self) {
    uint32_t id = fob_get_u32(in);
    uint8_t flags = fob_get_u8(in), name_size = fob_get_u8(in), pattern_size = fob_get_u8(in);
    uint8_t zero = fob_get_u8(in);
    const uint8_t *text = fob_get_bytes(in, (size_t)name_size + pattern_size);
    if (in->failed || !text || flags > 1 || name_size == 0 || pattern_size == 0 || zero ||
        id == 0 || id >= self->next_group || fob_groups_by_id(&self->groups, id))
        return FOB_DAMAGED;
    fob_slice_t name = fob_slice(text, name_size);
    fob_slice_t pattern = fob_slice(text + name_size, pattern_size);
    if (fob_groups_find(&self->groups, name) || !fob_topic_valid(name) ||
        !fob_pattern_valid(pattern))
        return FOB_DAMAGED;
    if (!fob_core_reserve_group(self))
        return FOB_NO_MEMORY;
    fob_group_t *group = fob_group_new(id, name, pattern, 1, 0);
    if (!group)
        return FOB_NO_MEMORY;
    group->temporary = flags & 1;
    group->back.moved = group->deads.moved = &self->moved;
    group->policy = self->config.policy;
    group->loaded = FOB_STAMP_NEVER; /* until its state comes */
    fob_groups_add(&self->groups, group);
    return FOB_OK;
}

static fob_status_t get_moved(fob_unit_t *in, fob_core_t *self) {
    size_t count = fob_get_count(in, FOB_UNIT_MOVED);
    uint64_t last = 0;
    if (!in->failed && !fob_moved_reserve(&self->moved, count))
        return FOB_NO_MEMORY;
    for (size_t i = 0; i < count && !in->failed; i++) {
        uint64_t origin = fob_get_u64(in), place = fob_get_u64(in);
        if (origin == 0 || origin >= place || place <= last || place > self->head ||
            fob_moved_has(&self->moved, origin))
            return FOB_DAMAGED;
        fob_moved_add(&self->moved, origin, place);
        last = place;
    }
    return in->failed ? FOB_DAMAGED : FOB_OK;
}

static fob_status_t get_head(fob_unit_t *in, fob_core_t *self) {
    self->head = fob_get_u64(in);
    self->time_ms = (int64_t)fob_get_u64(in);
    self->writers.uses = fob_get_u64(in);
    self->seed = fob_get_u64(in);
    if (self->seed)
        fob_dedup_seed(self->dedup, self->seed);
    self->next_group = fob_get_u32(in);
    uint32_t groups = fob_get_u32(in);
    bool good = !in->failed && self->next_group > 0 && fob_state_number_fits(self->head) &&
                fob_state_time_fits(self->time_ms) && fob_state_number_fits(self->writers.uses);
    fob_status_t status = good ? FOB_OK : FOB_DAMAGED;
    for (uint32_t i = 0; i < groups && status == FOB_OK; i++)
        status = get_listed(in, self);
    if (status == FOB_OK)
        status = get_moved(in, self);
    self->loaded = self->snapshot.stamp;
    self->position = self->loaded.position - 1;
    fob_topics_flush(&self->topics);
    fob_chain_begin(&self->chain, self->head);
    return status;
}

static fob_status_t get_writer(fob_unit_t *in, fob_core_t *self) {
    const uint8_t *session = fob_get_bytes(in, FOB_SESSION_SIZE);
    uint64_t next = fob_get_u64(in), low = fob_get_u64(in);
    int64_t seen_ms = (int64_t)fob_get_u64(in);
    uint64_t use = fob_get_u64(in), uses = self->writers.uses;
    size_t answers = fob_get_count(in, FOB_UNIT_ANSWER);
    if (in->failed || answers > FOB_WINDOW_MAX + 1 || next == 0 || next > INT64_MAX || low > next ||
        !fob_record_time_fits(seen_ms) || !fob_record_number_fits(use) ||
        fob_writers_find(&self->writers, session))
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
        fob_answer_t answer = {.number = fob_get_u64(in)};
        answer.offset = fob_get_u64(in);
        answer.count = fob_get_u32(in);
        answer.groups = fob_get_u32(in);
        answer.flags = fob_get_u32(in);
        if (fob_get_u32(in) || answer.flags > (FOB_ANSWER_DUPLICATE | FOB_ANSWER_DIFFERS))
            in->failed = true;
        if (in->failed || answer.number == 0 || answer.offset == 0 || answer.count == 0 ||
            answer.number >= next || answer.count > next - answer.number ||
            !fob_record_number_fits(answer.offset) ||
            !fob_writer_free_of(writer, answer.number, answer.count))
            return FOB_DAMAGED;
        fob_writer_answer(writer, answer);
    }
    return fob_state_session_fits(self, writer) ? FOB_OK : FOB_DAMAGED;
}

static fob_status_t get_ids(fob_unit_t *in, fob_core_t *self) {
    size_t count = (size_t)(in->end - in->at) / FOB_UNIT_ID;
    if (!fob_dedup_reserve(self->dedup, count))
        return FOB_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        fob_known_t known = {.ident = {.high = fob_get_u64(in)}};
        known.ident.low = fob_get_u64(in);
        known.ident.data = fob_get_u64(in);
        known.offset = fob_get_u64(in);
        known.time_ms = (int64_t)fob_get_u64(in);
        if (known.offset <= self->snapshot.offset || !fob_state_id_fits(self, &known))
            return FOB_DAMAGED;
        self->snapshot.offset = known.offset;
        fob_dedup_add(self->dedup, &known);
    }
    return FOB_OK;
}

static fob_status_t get_topics(fob_unit_t *in, fob_core_t *self) {
    fob_chain_t *chain = &self->chain;
    uint64_t floor = fob_get_u64(in), last = chain->newest ? chain->newest->last : 0;
    if (!fob_state_floor_fits(self, floor))
        return FOB_DAMAGED;
    chain->told = floor;
    if (floor > self->head)
        floor = self->head; /* what was stored since, the replay links */
    if (!self->snapshot.topics || floor > chain->floor)
        fob_chain_vouch(chain, floor);
    self->snapshot.topics = true;
    size_t count = fob_get_count(in, FOB_UNIT_TOPIC);
    for (size_t i = 0; i < count; i++) {
        uint64_t offset = fob_get_u64(in);
        size_t size = fob_get_u8(in);
        const uint8_t *name = fob_get_bytes(in, size);
        fob_slice_t topic = fob_slice(name, size);
        if (!name || offset <= last || offset > self->head || !fob_topic_valid(topic) ||
            fob_chain_find(chain, topic))
            return FOB_DAMAGED;
        fob_chain_put(chain, topic, offset);
        last = offset;
    }
    return in->failed ? FOB_DAMAGED : FOB_OK;
}

/* Each version that knows of topics says something of them. */
static bool topics_told(const fob_core_t *self) {
    return self->snapshot.topics || self->snapshot.version == FOB_SLICE_OLDEST;
}

/* Reads a whole unit. */
static fob_status_t get_unit(fob_core_t *self) {
    fob_snapshot_t *snapshot = &self->snapshot;
    fob_slice_t bytes = fob_buf_slice(&snapshot->unit);
    fob_unit_t in = {bytes.data, bytes.size ? bytes.data + bytes.size : bytes.data, false};
    fob_status_t status = FOB_OK;
    if (snapshot->kind == FOB_UNIT_HEAD)
        status = get_head(&in, self);
    while (status == FOB_OK && snapshot->kind == FOB_UNIT_GROUPS && in.at < in.end)
        status = fob_unit_get_group(&in, self);
    while (status == FOB_OK && snapshot->kind == FOB_UNIT_WRITERS && in.at < in.end)
        status = get_writer(&in, self);
    if (snapshot->kind == FOB_UNIT_IDS)
        status = get_ids(&in, self);
    if (snapshot->kind == FOB_UNIT_TOPICS)
        status = get_topics(&in, self);
    bool rest = in.at != in.end || (snapshot->kind != FOB_UNIT_END && snapshot->unit.size == 0);
    fob_buf_clear(&snapshot->unit);
    if (snapshot->kind == FOB_UNIT_END && (!topics_told(self) || !fob_state_whole(self)))
        status = FOB_DAMAGED;
    if (status == FOB_OK && !rest && snapshot->kind == FOB_UNIT_END)
        fob_snapshot_stop(self);
    return status == FOB_OK && rest ? FOB_DAMAGED : status;
}

static fob_status_t not_ours(fob_core_t *self) {
    snprintf(self->error, sizeof self->error, "the checkpoint is not one that we wrote");
    return FOB_DAMAGED;
}

/* By its number a version is named; how its bytes are laid out is known to no other. */
static fob_status_t of_our_version(fob_core_t *self, fob_slice_t slice) {
    if (slice.size < FOB_SLICE_HEAD || fob_get32(slice.data) != FOB_SLICE_MAGIC)
        return not_ours(self);
    uint32_t version = fob_get32(slice.data + 4);
    if (self->snapshot.number > 0 && version != self->snapshot.version)
        return not_ours(self);
    self->snapshot.version = version;
    if (version >= FOB_SLICE_OLDEST && version <= FOB_SLICE_VERSION)
        return FOB_OK;
    bool newer = version > FOB_SLICE_VERSION;
    snprintf(self->error, sizeof self->error, "the checkpoint is of version %u, which %s",
             (unsigned)version,
             newer ? "only a newer version of fob knows; use that one"
                   : "was in no release and is not read any more");
    return newer ? FOB_FOLDER_NEWER : FOB_DAMAGED;
}

/* Before there were topics, the end had their number. */
static uint8_t kind_of(const fob_core_t *self, uint8_t number) {
    return self->snapshot.version == FOB_SLICE_OLDEST && number >= FOB_UNIT_TOPICS
               ? (uint8_t)(number + 1)
               : number;
}

/* Whether a slice is the one that follows; keeps what its head says. */
static bool follows(fob_core_t *self, fob_slice_t slice) {
    fob_snapshot_t *snapshot = &self->snapshot;
    if (slice.data[9] > 1 || slice.data[10] || slice.data[11] ||
        fob_get64(slice.data + 24) != snapshot->number)
        return false;
    uint8_t kind = kind_of(self, slice.data[8]);
    fob_stamp_t stamp = {fob_get64(slice.data + 16), fob_get32(slice.data + 12)};
    bool more = snapshot->unit.size > 0;
    if (snapshot->number == 0
            ? kind != FOB_UNIT_HEAD || stamp.position == 0 || self->loaded.position
        : more ? kind != snapshot->kind || fob_stamp_before(stamp, snapshot->stamp) ||
                     fob_stamp_before(snapshot->stamp, stamp)
               : kind < snapshot->kind || kind == FOB_UNIT_HEAD || kind > FOB_UNIT_END ||
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
    fob_status_t status = of_our_version(self, slice);
    if (status != FOB_OK)
        return status;
    if (!follows(self, slice))
        return not_ours(self);
    if (slice.size > FOB_SLICE_HEAD)
        fob_buf_put(unit, slice.data + FOB_SLICE_HEAD, slice.size - FOB_SLICE_HEAD);
    if (unit->failed)
        return FOB_NO_MEMORY;
    if (slice.data[9])
        return FOB_OK;
    status = get_unit(self);
    return status == FOB_DAMAGED ? not_ours(self) : status;
}
