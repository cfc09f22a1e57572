/* apply: records change the durable state, live and in replay, by the same code. */
#include "bus/core/state.h"

#include <stdio.h>
#include <stdlib.h>

#define DEAD_MAX 1000000u /* dead letters kept of a group, where the config says nothing */

static fob_status_t damaged(fob_core_t *self, uint64_t position, const char *what) {
    snprintf(self->error, sizeof self->error, "commit %llu: %s", (unsigned long long)position,
             what);
    return FOB_DAMAGED;
}

/* --- events --- */

/* How many answers the events need: one for each stretch that enters as many groups. */
static uint32_t count_answers(const fob_sheet_t *sheet) {
    if (sheet->topic_count <= 1)
        return sheet->count ? 1 : 0;
    uint32_t answers = 1;
    for (uint32_t i = 1; i < sheet->count; i++)
        answers += sheet->topics[sheet->topic[i]].group_count !=
                   sheet->topics[sheet->topic[i - 1]].group_count;
    return answers;
}

bool fob_apply_reserve_events(fob_core_t *self, const fob_record_events_t *record,
                              const fob_sheet_t *sheet) {
    return fob_writers_reserve(&self->writers, record->session, sheet ? count_answers(sheet) : 0);
}

static void answer(fob_writer_t *writer, const fob_record_events_t *record,
                   const fob_sheet_t *sheet) {
    for (uint32_t from = 0; from < sheet->count;) {
        uint32_t groups = sheet->topics[sheet->topic[from]].group_count, to = from + 1;
        if (sheet->topic_count == 1)
            to = sheet->count;
        while (to < sheet->count && sheet->topics[sheet->topic[to]].group_count == groups)
            to++;
        fob_writer_answer(writer, (fob_answer_t){.number = record->first_number + from,
                                                 .offset = record->first_offset + from,
                                                 .count = to - from,
                                                 .groups = groups});
        from = to;
    }
}

static void accept(fob_core_t *self, fob_group_t *group, uint64_t first, uint32_t count) {
    if (fob_core_holds(self, group->loaded))
        return;
    group->accepted += count;
    self->unsettled += count;
    if (!self->live)
        return;
    fob_meter_add(&group->in, self->now.mono_ns, count);
    if (group->caught_up) {
        group->caught_up = false;
        group->cursor = first;
    }
    fob_core_wake(self, group);
}

/* What the record means to its session. */
static void remember(fob_core_t *self, uint64_t position, const fob_record_events_t *record,
                     const fob_sheet_t *sheet) {
    fob_writer_t *writer = fob_writers_see(&self->writers, record->session, record->time_ms);
    writer->next = record->next_number;
    writer->position = position;
    fob_writer_confirm(writer, record->low);
    if (sheet)
        answer(writer, record, sheet);
}

void fob_apply_events(fob_core_t *self, uint64_t position, const fob_record_events_t *record,
                      const fob_sheet_t *sheet) {
    self->time_ms = record->time_ms;
    const fob_writer_t *known = fob_writers_find(&self->writers, record->session);
    if (known && fob_core_holds(self, known->loaded))
        self->writers.uses++;
    else
        remember(self, position, record, sheet);
    if (!sheet)
        return;
    self->head += record->count;
    for (uint32_t t = 0; t < sheet->topic_count; t++) {
        const fob_sheet_topic_t *topic = &sheet->topics[t];
        for (uint32_t g = 0; g < topic->group_count; g++)
            accept(self, sheet->groups[topic->groups_at + g], record->first_offset + topic->first,
                   topic->count);
    }
}

static fob_status_t replay_events(fob_core_t *self, uint64_t position, fob_slice_t bytes) {
    fob_record_events_t record;
    if (!fob_record_read_events(bytes, &record))
        return damaged(self, position, "the head of a batch of events is not one that we wrote");
    fob_slice_t body =
        fob_slice(bytes.data + FOB_RECORD_EVENTS_SIZE, bytes.size - FOB_RECORD_EVENTS_SIZE);
    if (record.count == 0 && body.size == 0) {
        if (!fob_apply_reserve_events(self, &record, NULL))
            return FOB_NO_MEMORY;
        fob_apply_events(self, position, &record, NULL);
        return FOB_OK;
    }
    fob_sheet_t *sheet = fob_sheet_new(&self->sheets);
    if (!sheet)
        return FOB_NO_MEMORY;
    fob_status_t status = fob_sheet_index(sheet, NULL, 0, body, false, 0);
    if (status == FOB_BAD_EVENT || (status == FOB_OK && (sheet->count != record.count ||
                                                         record.first_offset != self->head + 1)))
        status = damaged(self, position, "a batch of events does not fit its head, or its place");
    else if (status == FOB_OK && (!fob_sheet_route(sheet, &self->topics, &self->groups) ||
                                  !fob_apply_reserve_events(self, &record, sheet)))
        status = FOB_NO_MEMORY;
    else if (status == FOB_OK)
        fob_apply_events(self, position, &record, sheet);
    fob_sheet_unref(&self->sheets, sheet);
    return status;
}

static fob_status_t apply_forget(fob_core_t *self, uint64_t position, fob_slice_t bytes) {
    uint32_t count;
    if (!fob_record_read_forget(bytes, &count))
        return damaged(self, position, "forgotten sessions are not what we wrote");
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *session = bytes.data + FOB_RECORD_FORGET_SIZE + i * FOB_SESSION_SIZE;
        fob_writer_t *writer = fob_writers_find(&self->writers, session);
        /* A checkpoint has it no more; or as it came back later, and then the records since make
         * it anew. */
        if (writer)
            fob_writers_forget(&self->writers, writer);
    }
    return FOB_OK;
}

/* --- groups --- */

/* Every group may be on the list of dirty ones twice: those looked at in a take, and those to look
 * at again. */
bool fob_core_reserve_group(fob_core_t *self) {
    if (!fob_groups_reserve(&self->groups) ||
        !fob_waits_reserve(&self->waits, self->groups.count + 1))
        return false;
    if ((self->groups.count + 1) * 2 <= self->dirty_capacity)
        return true;
    size_t capacity = self->dirty_capacity ? self->dirty_capacity * 2 : 16;
    fob_group_t **dirty = realloc(self->dirty, capacity * sizeof *dirty);
    if (!dirty)
        return false;
    self->dirty = dirty;
    self->dirty_capacity = capacity;
    return true;
}

static fob_status_t apply_group_add(fob_core_t *self, uint64_t position, fob_slice_t bytes) {
    fob_record_group_add_t record;
    if (!fob_record_read_group_add(bytes, &record) || record.id < self->next_group ||
        fob_groups_find(&self->groups, record.name))
        return damaged(self, position, "a new group is not one that we wrote");
    if (!fob_core_reserve_group(self))
        return FOB_NO_MEMORY;
    fob_group_t *group =
        fob_group_new(record.id, record.name, record.pattern, record.start, record.time_ms);
    if (!group)
        return FOB_NO_MEMORY;
    group->temporary = record.temporary;
    group->born = position;
    group->no_member_ns = self->now.mono_ns;
    self->next_group = record.id + 1;
    self->time_ms = record.time_ms;
    fob_groups_add(&self->groups, group);
    fob_topics_flush(&self->topics);
    return FOB_OK;
}

static void forget_dirty(fob_core_t *self, const fob_group_t *group) {
    for (size_t i = 0; group->dirty && i < self->dirty_count; i++) {
        if (self->dirty[i] == group)
            self->dirty[i] = self->dirty[--self->dirty_count];
    }
}

static fob_status_t apply_group_remove(fob_core_t *self, uint64_t position, fob_slice_t bytes) {
    uint32_t id;
    int64_t time_ms;
    if (!fob_record_read_group_remove(bytes, &id, &time_ms))
        return damaged(self, position, "the end of a group is not one that we wrote");
    fob_group_t *group = fob_groups_by_id(&self->groups, id);
    if (!group)
        return damaged(self, position, "a group ends that there is not");
    self->time_ms = time_ms;
    uint64_t unsettled = fob_group_pristine(group) + group->back.count;
    self->unsettled -= unsettled < self->unsettled ? unsettled : self->unsettled;
    forget_dirty(self, group);
    fob_waits_forget(&self->waits, group);
    fob_groups_remove(&self->groups, group);
    fob_group_free(group);
    fob_topics_flush(&self->topics);
    return FOB_OK;
}

static fob_status_t apply_mark(fob_core_t *self, uint64_t position, fob_slice_t bytes) {
    fob_record_mark_t record;
    if (!fob_record_read_mark(bytes, &record))
        return damaged(self, position, "a mark is not one that we wrote");
    fob_group_t *group = fob_groups_by_id(&self->groups, record.group);
    if (!group)
        return damaged(self, position, "a mark of a group that there is not");
    if (fob_core_holds(self, group->loaded))
        return FOB_OK;
    group->mark_offset = record.offset;
    group->mark_token = record.token;
    return FOB_OK;
}

/* --- runs --- */

static uint64_t first_event(const fob_run_record_t *run) {
    return run->to - run->count + 1;
}

static bool all_back(const fob_group_t *group, const fob_run_record_t *run) {
    if (run->from != first_event(run))
        return false;
    for (uint64_t offset = run->from; offset <= run->to; offset++) {
        if (!fob_back_find(&group->back, offset))
            return false;
    }
    return true;
}

static bool run_fits(const fob_core_t *self, const fob_group_t *group,
                     const fob_run_record_t *run) {
    if (run->to > self->head)
        return false;
    if (run->verb == FOB_RUN_COVER || (run->flags & (FOB_RUN_FRESH | FOB_RUN_UNKNOWN)))
        return true;
    return all_back(group, run);
}

static void bury(fob_core_t *self, fob_group_t *group, const fob_run_record_t *run) {
    uint64_t first = run->flags & FOB_RUN_UNKNOWN ? 0 : first_event(run);
    fob_dead_t dead = {.offset = first,
                       .count = run->count,
                       .attempts = (uint32_t)run->token,
                       .time_ms = self->time_ms,
                       .reason = run->reason};
    uint64_t most = self->config.dead_max ? self->config.dead_max : DEAD_MAX;
    fob_group_bury(group, &dead);
    group->dead += run->count;
    while (group->dead_count > most)
        fob_group_unbury(group);
}

void fob_core_schedule(fob_core_t *self, fob_group_t *group, fob_back_entry_t *entry) {
    int64_t wait = entry->due_ms - fob_core_time(self);
    if (wait <= 0) {
        fob_back_set(&group->back, entry, FOB_BACK_READY, 0);
        return;
    }
    int64_t due = self->now.mono_ns + wait * FOB_MS;
    fob_back_set(&group->back, entry, FOB_BACK_DELAYED, due);
    fob_waits_due(&self->waits, group, due);
}

static void give_back(fob_core_t *self, fob_group_t *group, const fob_run_record_t *run,
                      uint64_t offset, uint64_t token) {
    fob_back_entry_t *entry = run->flags & FOB_RUN_FRESH ? fob_back_add(&group->back, offset)
                                                         : fob_back_find(&group->back, offset);
    entry->token = token;
    entry->due_ms = run->due_ms;
    entry->reason = run->reason;
    entry->out = false;
    entry->attempts += run->flags & FOB_RUN_COUNTED ? 1 : 0;
    if ((run->flags & FOB_RUN_RELEASED) && entry->releases < UINT16_MAX)
        entry->releases++;
    if (self->live)
        fob_core_schedule(self, group, entry);
}

static void hand_out(fob_core_t *self, fob_group_t *group, const fob_run_record_t *run,
                     uint64_t offset, uint64_t token) {
    fob_back_entry_t *entry = run->flags & FOB_RUN_FRESH ? fob_back_add(&group->back, offset)
                                                         : fob_back_find(&group->back, offset);
    entry->token = token;
    entry->due_ms = 0;
    entry->out = true;
    if (self->live)
        fob_back_set(&group->back, entry, FOB_BACK_LEASED, 0);
}

static void remove_back(fob_group_t *group, const fob_run_record_t *run) {
    for (uint64_t offset = run->from; offset <= run->to; offset++)
        fob_back_remove(&group->back, fob_back_find(&group->back, offset));
}

static void settle_run(fob_core_t *self, fob_group_t *group, const fob_run_record_t *run) {
    if (!(run->flags & (FOB_RUN_FRESH | FOB_RUN_UNKNOWN)))
        remove_back(group, run);
    if (run->verb == FOB_RUN_DEAD)
        bury(self, group, run);
    else
        group->acked += run->count;
    self->unsettled -= run->count < self->unsettled ? run->count : self->unsettled;
    if (self->live)
        fob_meter_add(&group->out, self->now.mono_ns, run->count);
}

static void apply_run(fob_core_t *self, fob_group_t *group, const fob_run_record_t *run) {
    if (run->verb == FOB_RUN_COVER || (run->flags & FOB_RUN_FRESH))
        fob_cover_add(&group->cover, run->from, run->to);
    if (run->flags & FOB_RUN_DAMAGED)
        group->damaged = true;
    if (run->verb == FOB_RUN_ACK || run->verb == FOB_RUN_DEAD) {
        settle_run(self, group, run);
        if (run->flags & FOB_RUN_UNKNOWN)
            group->damaged = false;
        return;
    }
    if (run->verb == FOB_RUN_COVER)
        return;
    if (run->verb == FOB_RUN_HANDOUT && run->token + run->count - 1 > group->mark_token)
        group->mark_token = run->token + run->count - 1;
    for (uint32_t i = 0; i < run->count; i++) {
        if (run->verb == FOB_RUN_RETURN)
            give_back(self, group, run, first_event(run) + i, run->token + i);
        else
            hand_out(self, group, run, first_event(run) + i, run->token + i);
    }
}

/* Every run fits the state before the record: the runs of one record are about different events. */
static fob_status_t check_runs(fob_core_t *self, uint64_t position, const fob_group_t *group,
                               fob_slice_t bytes, size_t count, size_t *events) {
    *events = 0;
    for (size_t i = 0; i < count; i++) {
        fob_run_record_t run;
        if (!fob_record_read_run(bytes.data + FOB_RECORD_RUNS_SIZE + i * FOB_RUN_SIZE, &run) ||
            !run_fits(self, group, &run))
            return damaged(self, position, "a settle or a hand-out is not one that we wrote");
        *events += run.verb == FOB_RUN_RETURN || run.verb == FOB_RUN_HANDOUT ? run.count : 0;
    }
    return FOB_OK;
}

static fob_status_t apply_runs(fob_core_t *self, uint64_t position, fob_slice_t bytes) {
    uint32_t id;
    int64_t time_ms;
    size_t count, events;
    if (!fob_record_read_runs(bytes, &id, &time_ms, &count))
        return damaged(self, position, "settles are not what we wrote");
    fob_group_t *group = fob_groups_by_id(&self->groups, id);
    if (!group)
        return damaged(self, position, "settles of a group that there is not");
    if (fob_core_holds(self, group->loaded)) {
        self->time_ms = time_ms;
        return FOB_OK;
    }
    if (!self->live) { /* our own bytes fit, and room for them was reserved */
        fob_status_t status = check_runs(self, position, group, bytes, count, &events);
        if (status != FOB_OK)
            return status;
        if (!fob_cover_reserve(&group->cover, count) || !fob_back_reserve(&group->back, events) ||
            !fob_group_reserve_dead(group, count))
            return FOB_NO_MEMORY;
    }
    self->time_ms = time_ms;
    for (size_t i = 0; i < count; i++) {
        fob_run_record_t run;
        fob_record_read_run(bytes.data + FOB_RECORD_RUNS_SIZE + i * FOB_RUN_SIZE, &run);
        apply_run(self, group, &run);
    }
    return FOB_OK;
}

fob_status_t fob_apply(fob_core_t *self, uint64_t position, fob_slice_t record) {
    switch (record.size ? record.data[0] : 0) {
    case FOB_RECORD_EVENTS:
        return replay_events(self, position, record);
    case FOB_RECORD_GROUP_ADD:
        return apply_group_add(self, position, record);
    case FOB_RECORD_GROUP_REMOVE:
        return apply_group_remove(self, position, record);
    case FOB_RECORD_MARK:
        return apply_mark(self, position, record);
    case FOB_RECORD_RUNS:
        return apply_runs(self, position, record);
    case FOB_RECORD_FORGET:
        return apply_forget(self, position, record);
    default:
        return damaged(self, position, "a record of a kind that this version does not know");
    }
}
