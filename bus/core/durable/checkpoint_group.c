/* checkpoint, groups, reading: see checkpoint_group.h; copy.c writes them. */
#include "bus/core/durable/checkpoint_group.h"
#include "bus/core/durable/checkpoint_fits.h"
#include "bus/core/durable/record.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define SCALAR(member) offsetof(fob_group_t, member)

const size_t fob_unit_scalars[FOB_UNIT_SCALARS] = {
    SCALAR(generation),    SCALAR(since_ms),      SCALAR(start),
    SCALAR(accepted),      SCALAR(acked),         SCALAR(dead),
    SCALAR(expired),       SCALAR(shed),          SCALAR(removed),
    SCALAR(shed_by[0]),    SCALAR(shed_by[1]),    SCALAR(shed_by[2]),
    SCALAR(removed_by[0]), SCALAR(removed_by[1]), SCALAR(removed_by[2]),
    SCALAR(removed_by[3]), SCALAR(removed_by[4]), SCALAR(mark_offset),
    SCALAR(mark_token),    SCALAR(paused_ms),     SCALAR(bytes),
    SCALAR(debt),          SCALAR(census_at),     SCALAR(census_to),
    SCALAR(skip_to),       SCALAR(cover.floor),   SCALAR(deads.last_serial),
    SCALAR(void_token)};

_Static_assert(FOB_OVERFLOW_DEAD_LETTER == 3 && FOB_REMOVALS == 5,
               "the counts by reason are in the format: raise its version");

/* A group's notes as they come. */
typedef struct {
    fob_history_t *history;
    struct {
        fob_slice_t worker, text;
    } * known;
    size_t count, capacity;
    bool no_memory;
} told_t;

static bool keep_note(told_t *told, fob_slice_t worker, fob_slice_t text) {
    if (told->count == told->capacity) {
        size_t capacity = told->capacity ? told->capacity * 2 : 16;
        void *known = realloc(told->known, capacity * sizeof *told->known);
        told->no_memory = !known;
        if (!known)
            return false;
        told->known = known;
        told->capacity = capacity;
    }
    told->known[told->count].worker = worker;
    told->known[told->count++].text = text;
    return true;
}

/* The note of an attempt whose head was read; false: there is none such, or no memory. */
static bool get_note(fob_unit_t *in, told_t *told, const uint8_t *head, fob_attempt_t *attempt) {
    uint32_t number = fob_get32(head + 12);
    if (head[9] & FOB_ATTEMPT_NEW_NOTE) {
        const uint8_t *text = fob_get_bytes(in, (size_t)head[10] + head[11]);
        if (!text || number != told->count ||
            !keep_note(told, fob_slice(text, head[10]), fob_slice(text + head[10], head[11])))
            return false;
    } else if (number >= told->count || head[10] || head[11]) {
        return false;
    }
    attempt->worker = told->known[number].worker;
    attempt->text = told->known[number].text;
    return true;
}

/* A chain of `count` attempts; 0: none, or it cannot be had (then `in` has failed). */
static uint32_t get_history(fob_unit_t *in, told_t *told, uint32_t count) {
    uint32_t chain = 0;
    for (uint32_t i = 0; i < count && !in->failed; i++) {
        const uint8_t *head = fob_get_bytes(in, FOB_UNIT_ATTEMPT);
        fob_attempt_t attempt;
        if (!head || count > FOB_HISTORY_MAX || head[8] >= FOB_REASON_END ||
            head[9] > (FOB_ATTEMPT_COUNTED | FOB_ATTEMPT_NEW_NOTE) ||
            !fob_record_time_fits((int64_t)fob_get64(head)) ||
            !get_note(in, told, head, &attempt)) {
            in->failed = true;
            break;
        }
        attempt.time_ms = (int64_t)fob_get64(head);
        attempt.reason = head[8];
        attempt.counted = head[9] & FOB_ATTEMPT_COUNTED;
        told->no_memory =
            !fob_history_reserve(told->history, 1, attempt.worker.size + attempt.text.size);
        in->failed = told->no_memory;
        if (!in->failed)
            chain = fob_history_add(told->history, chain, &attempt);
    }
    return chain;
}

static bool all_zero(const uint8_t *bytes, size_t count) {
    uint8_t any = 0;
    for (size_t i = 0; i < count; i++)
        any |= bytes[i];
    return any == 0;
}

static void get_back(fob_unit_t *in, told_t *told, fob_back_t *back, size_t count) {
    for (size_t i = 0; i < count && !in->failed; i++) {
        const uint8_t *bytes = fob_get_bytes(in, FOB_UNIT_BACK);
        if (!bytes || fob_get64(bytes) == 0 || fob_back_find(back, fob_get64(bytes)) ||
            bytes[30] >= FOB_REASON_END || bytes[31] > 1 || bytes[32] >= FOB_PRIORITIES ||
            !all_zero(bytes + 34, 6) || !fob_record_number_fits(fob_get64(bytes)) ||
            !fob_record_number_fits(fob_get64(bytes + 8)) ||
            !fob_record_time_fits((int64_t)fob_get64(bytes + 16))) {
            in->failed = true;
            return;
        }
        fob_back_entry_t *entry = fob_back_add(back, fob_get64(bytes));
        entry->token = fob_get64(bytes + 8);
        entry->due_ms = (int64_t)fob_get64(bytes + 16);
        entry->attempts = fob_get32(bytes + 24);
        entry->releases = (uint16_t)(bytes[28] | bytes[29] << 8);
        entry->reason = bytes[30];
        entry->out = bytes[31];
        entry->priority = bytes[32];
        entry->history = get_history(in, told, bytes[33]);
    }
}

static void get_deads(fob_unit_t *in, told_t *told, fob_group_t *group, uint64_t last_serial,
                      size_t count) {
    fob_deads_t *deads = &group->deads;
    for (size_t i = 0; i < count && !in->failed; i++) {
        const uint8_t *bytes = fob_get_bytes(in, FOB_UNIT_DEAD);
        fob_dead_t dead = {0};
        if (bytes)
            dead = (fob_dead_t){.offset = fob_get64(bytes),
                                .serial = fob_get64(bytes + 8),
                                .time_ms = (int64_t)fob_get64(bytes + 16),
                                .count = fob_get32(bytes + 24),
                                .attempts = fob_get32(bytes + 28),
                                .size = fob_get32(bytes + 32),
                                .reason = bytes[36],
                                .priority = bytes[37]};
        if (!bytes || bytes[39] || dead.count == 0 || (dead.offset && dead.count != 1) ||
            dead.serial <= deads->last_serial || dead.serial > last_serial ||
            dead.reason >= FOB_REASON_END || dead.priority >= FOB_PRIORITIES ||
            !fob_record_number_fits(dead.offset) || !fob_record_time_fits(dead.time_ms) ||
            fob_deads_find(deads, dead.offset) || fob_back_find(&group->back, dead.offset)) {
            in->failed = true;
            return;
        }
        dead.history = get_history(in, told, bytes[38]);
        fob_deads_add(deads, &dead); /* also where its history failed: it owns the chain */
    }
}

static void get_policy(fob_unit_t *in, fob_policy_t *policy, size_t count) {
    for (size_t i = 0; i < count && !in->failed; i++) {
        uint64_t number = fob_get_u64(in), value = fob_get_u64(in);
        if (number >= FOB_POLICY_END || !fob_policy_set(policy, (unsigned)number, value))
            in->failed = true;
    }
}

/* Ascending, apart from each other and from the floor. */
static void get_cover(fob_unit_t *in, fob_cover_t *cover, size_t count) {
    for (size_t i = 0; i < count && !in->failed; i++) {
        uint64_t from = fob_get_u64(in), to = fob_get_u64(in);
        if (in->failed || from <= fob_cover_end(cover) || from > to || !fob_record_number_fits(to))
            in->failed = true;
        else
            fob_cover_add(cover, from, to);
    }
}

static bool overlaps(const fob_prio_t *prio, uint64_t from, uint64_t to) {
    uint64_t next = fob_prio_first(prio, from);
    return next != 0 && next <= to;
}

/* Ascending within a priority, so that no event is there twice. */
static fob_status_t get_prio(fob_unit_t *in, fob_prio_t *prio, size_t count) {
    uint64_t last = 0, last_priority = 0;
    for (size_t i = 0; i < count && !in->failed; i++) {
        uint64_t from = fob_get_u64(in), to = fob_get_u64(in), priority = fob_get_u64(in);
        if (priority != last_priority)
            last = 0;
        if (in->failed || from <= last || from > to || !fob_record_number_fits(to) ||
            priority == 0 || priority >= FOB_PRIORITIES || priority < last_priority ||
            overlaps(prio, from, to)) {
            in->failed = true;
            break;
        }
        if (!fob_prio_reserve_adds(prio, (unsigned)priority, 1))
            return FOB_NO_MEMORY;
        fob_prio_add_run(prio, (unsigned)priority, from, to);
        last = to;
        last_priority = priority;
    }
    return FOB_OK;
}

/* The parts of a group behind its scalars. */
static fob_status_t get_parts(fob_unit_t *in, fob_group_t *group, told_t *told) {
    uint64_t last_serial = group->deads.last_serial;
    group->deads.last_serial = 0;
    size_t settings = fob_get_count(in, FOB_UNIT_SETTING),
           intervals = fob_get_count(in, FOB_UNIT_INTERVAL);
    size_t stretches = fob_get_count(in, FOB_UNIT_PRIORITY),
           back = fob_get_count(in, FOB_UNIT_BACK);
    size_t deads = fob_get_count(in, FOB_UNIT_DEAD);
    if (in->failed)
        return FOB_DAMAGED;
    if (!fob_cover_reserve(&group->cover, intervals) || !fob_back_reserve(&group->back, back) ||
        !fob_deads_reserve(&group->deads, deads))
        return FOB_NO_MEMORY;
    get_policy(in, &group->policy, settings);
    get_cover(in, &group->cover, intervals);
    if (get_prio(in, &group->prio, stretches) != FOB_OK)
        return FOB_NO_MEMORY;
    get_back(in, told, &group->back, back);
    get_deads(in, told, group, last_serial, deads);
    group->deads.last_serial = last_serial;
    return in->failed || !fob_state_group_fits(group) ? FOB_DAMAGED : FOB_OK;
}

/* A mark's offset goes up to what a record can say: no later one is above it, but for the head. */
static bool scalar_fits(size_t member, uint64_t value) {
    if (member == SCALAR(since_ms) || member == SCALAR(paused_ms))
        return fob_state_time_fits((int64_t)value);
    return member == SCALAR(mark_offset) ? fob_record_number_fits(value)
                                         : fob_state_number_fits(value);
}

fob_status_t fob_unit_get_group(fob_unit_t *in, fob_core_t *self) {
    fob_group_t *group = fob_groups_by_id(&self->groups, fob_get_u32(in));
    uint32_t flags = fob_get_u32(in);
    if (in->failed || flags > 1 || !group || group->loaded.position != UINT64_MAX)
        return FOB_DAMAGED;
    group->loaded = self->snapshot.stamp;
    group->damaged = flags & 1;
    for (size_t i = 0; i < FOB_UNIT_SCALARS; i++) {
        uint64_t value = fob_get_u64(in);
        if (!scalar_fits(fob_unit_scalars[i], value))
            in->failed = true;
        memcpy((char *)group + fob_unit_scalars[i], &value, sizeof value);
    }
    told_t told = {.history = self->history};
    fob_status_t status = get_parts(in, group, &told);
    free(told.known);
    if (status == FOB_OK && fob_state_of_head(self) &&
        !fob_state_group_fits_head(group, self->head))
        status = FOB_DAMAGED;
    return told.no_memory ? FOB_NO_MEMORY : status;
}
