#include "bus/core/durable/salvage.h"

#include "bus/core/durable/apply.h"
#include "bus/core/durable/checkpoint_fits.h"
#include "bus/core/table/little.h"

#include <assert.h>
#include <string.h>

void fob_core_salvage_hole(fob_core_t *self, uint64_t head) {
    assert(!self->live);
    if (head > self->head)
        self->head = head;
}

/* --- runs: what they say of single events --- */

typedef struct {
    fob_core_t *core;
    fob_group_t *group;
    const fob_record_runs_t *record;
} salvage_t;

static uint64_t first_event(const fob_run_record_t *run) {
    return run->to - run->count + 1;
}

static bool dense(const fob_run_record_t *run) {
    return run->from == first_event(run);
}

static void drop_back(const salvage_t *self, uint64_t offset) {
    fob_back_entry_t *entry = fob_back_find(&self->group->back, offset);
    if (!entry)
        return;
    fob_history_drop(self->core->history, entry->history);
    fob_back_remove(&self->group->back, entry);
}

static void drop_dead(const salvage_t *self, uint64_t offset) {
    const fob_dead_t *dead = fob_deads_find(&self->group->deads, offset);
    if (!dead)
        return;
    fob_history_drop(self->core->history, dead->history);
    fob_deads_remove(&self->group->deads, dead);
}

/* Done. Of runs with gaps only the last event is known: in a gap there may be one that came back by
 * a record that is lost. */
static void settle(const salvage_t *self, const fob_run_record_t *run) {
    if (run->flags & (FOB_RUN_DEBT | FOB_RUN_UNKNOWN))
        return;
    uint64_t from = run->from;
    if (!dense(run)) {
        if (run->verb != FOB_RUN_ACK)
            return;
        from = run->to;
    }
    for (uint64_t offset = from; offset <= run->to; offset++)
        drop_back(self, offset);
    fob_cover_add(&self->group->cover, from, run->to);
}

static uint32_t remember(const salvage_t *self, uint32_t chain, uint8_t reason, bool counted) {
    fob_attempt_t attempt = {.time_ms = self->core->time_ms,
                             .reason = reason,
                             .counted = counted,
                             .worker = self->record->worker,
                             .text = self->record->text};
    return fob_history_add(self->core->history, chain, &attempt);
}

/* Came back, or is out again: it is one of those that were out, and no dead letter. */
static void put_back(const salvage_t *self, const fob_run_record_t *run, uint64_t offset,
                     uint64_t token) {
    drop_dead(self, offset);
    fob_back_entry_t *entry = fob_back_find(&self->group->back, offset);
    if (!entry)
        entry = fob_back_add(&self->group->back, offset);
    entry->due_ms = run->verb == FOB_RUN_RETURN ? run->due_ms : 0;
    if (run->verb == FOB_RUN_REDRIVE) {
        entry->attempts = 0;
        return;
    }
    entry->token = token;
    if (token > self->group->mark_token) /* its mark may be lost */
        self->group->mark_token = token;
    if (run->verb == FOB_RUN_HANDOUT)
        return;
    entry->reason = run->reason;
    entry->attempts += run->flags & FOB_RUN_COUNTED ? 1 : 0;
    if ((run->flags & FOB_RUN_RELEASED) && entry->releases < UINT16_MAX)
        entry->releases++;
    if (run->flags & (FOB_RUN_COUNTED | FOB_RUN_RELEASED))
        entry->history = remember(self, entry->history, run->reason, run->flags & FOB_RUN_COUNTED);
}

static void come_back(const salvage_t *self, const fob_run_record_t *run) {
    uint64_t first = first_event(run);
    for (uint64_t i = 0; i < run->count; i++)
        put_back(self, run, first + i, run->token + i);
    fob_cover_add(&self->group->cover, first, run->to);
}

static void bury(const salvage_t *self, const fob_run_record_t *run, uint64_t offset) {
    fob_group_t *group = self->group;
    fob_dead_t dead = {.offset = offset,
                       .count = 1,
                       .attempts = (uint32_t)run->token,
                       .time_ms = self->core->time_ms,
                       .reason = run->reason};
    fob_back_entry_t *entry = fob_back_find(&group->back, offset);
    if (entry) {
        dead.priority = entry->priority;
        dead.history = entry->history;
        fob_back_remove(&group->back, entry);
    }
    drop_dead(self, offset);
    if (run->detail)
        dead.history = remember(self, dead.history, run->detail, true);
    fob_deads_add(&group->deads, &dead);
}

static void die(const salvage_t *self, const fob_run_record_t *run) {
    if (run->flags & FOB_RUN_UNKNOWN)
        return; /* which ones is not known, and those that are lost are told by the salvage */
    for (uint64_t offset = first_event(run); offset <= run->to; offset++)
        bury(self, run, offset);
    fob_cover_add(&self->group->cover, first_event(run), run->to);
}

static void take_run(const salvage_t *self, const fob_run_record_t *run) {
    switch (run->verb) {
    case FOB_RUN_ACK:
    case FOB_RUN_SHED:
    case FOB_RUN_REMOVE:
    case FOB_RUN_EXPIRE:
        settle(self, run);
        break;
    case FOB_RUN_RETURN:
    case FOB_RUN_HANDOUT:
    case FOB_RUN_REDRIVE:
        come_back(self, run);
        break;
    case FOB_RUN_DEAD:
        die(self, run);
        break;
    case FOB_RUN_UNBURY:
        if (run->from)
            drop_dead(self, run->from);
        break;
    default: /* COVER, ACCEPT: the events are looked through again */
        break;
    }
}

static bool reserve(fob_core_t *self, fob_group_t *group, const fob_record_runs_t *record) {
    uint64_t events = 0;
    for (size_t i = 0; i < record->count; i++) {
        fob_run_record_t run;
        if (fob_record_read_run(record->runs + i * FOB_RUN_SIZE, &run) &&
            (run.verb == FOB_RUN_RETURN || run.verb == FOB_RUN_HANDOUT ||
             run.verb == FOB_RUN_REDRIVE || run.verb == FOB_RUN_DEAD))
            events += run.count;
    }
    return fob_cover_reserve(&group->cover, record->count) &&
           fob_back_reserve(&group->back, events) && fob_deads_reserve(&group->deads, events) &&
           fob_history_reserve(self->history, events, record->worker.size + record->text.size);
}

static fob_status_t take_runs(fob_core_t *self, fob_slice_t bytes, bool *used) {
    fob_record_runs_t record;
    *used = fob_record_read_runs(bytes, &record);
    fob_group_t *group = *used ? fob_groups_by_id(&self->groups, record.group) : NULL;
    *used = group != NULL;
    if (!group || fob_core_holds(self, group->loaded))
        return FOB_OK;
    if (!reserve(self, group, &record))
        return FOB_NO_MEMORY;
    self->time_ms = record.time_ms > self->time_ms ? record.time_ms : self->time_ms;
    salvage_t salvage = {.core = self, .group = group, .record = &record};
    for (size_t i = 0; i < record.count; i++) {
        fob_run_record_t run;
        if (!fob_record_read_run(record.runs + i * FOB_RUN_SIZE, &run))
            continue;
        fob_core_salvage_hole(self, run.to);
        take_run(&salvage, &run);
    }
    return FOB_OK;
}

/* --- the others: what they take for granted is made so --- */

static void forget_writer(fob_core_t *self, const uint8_t *session) {
    fob_writer_t *writer = fob_writers_find(&self->writers, session);
    if (writer)
        fob_writers_forget(&self->writers, writer);
}

static void prepare_events(fob_core_t *self, fob_slice_t bytes) {
    fob_record_events_t record;
    if (!fob_record_read_events(bytes, &record))
        return;
    if (record.count)
        fob_core_salvage_hole(self, record.first_offset - 1);
    if (self->seed == 0 && record.flags & FOB_EVENTS_ID) {
        /* The old secret is lost, and with it what was remembered under it. */
        self->seed = self->config.seed ? self->config.seed : 1;
        fob_dedup_seed(self->dedup, self->seed);
    }
    /* Its end and new beginning may be lost. */
    const fob_writer_t *writer = fob_writers_find(&self->writers, record.session);
    if (writer && record.count && !fob_core_holds(self, writer->loaded) &&
        !fob_writer_free_of(writer, record.first_number, record.count))
        forget_writer(self, record.session);
}

/* The end of one of the same name may be lost. */
static void prepare_group(fob_core_t *self, fob_slice_t bytes) {
    fob_record_group_add_t record;
    if (!fob_record_read_group_add(bytes, &record))
        return;
    fob_core_salvage_hole(self, record.start - 1);
    fob_group_t *old = fob_groups_find(&self->groups, record.name);
    if (!old || old->id >= record.id)
        return;
    uint8_t end[FOB_RECORD_GROUP_REMOVE_SIZE];
    fob_record_write_group_remove(end, old->id, record.time_ms);
    fob_status_t status = fob_apply_group_remove(self, 0, fob_slice(end, sizeof end));
    assert(status == FOB_OK);
    (void)status;
}

/* Where a salvage's checkpoint is lost, so is its leap of the tokens: they go on where the mark is.
 */
static void prepare_mark(fob_core_t *self, fob_slice_t bytes) {
    fob_record_mark_t record;
    if (!fob_record_read_mark(bytes, &record))
        return;
    fob_group_t *group = fob_groups_by_id(&self->groups, record.group);
    if (group && !fob_core_holds(self, group->loaded) && record.token > group->mark_token &&
        fob_state_number_fits(record.token))
        group->mark_token = record.token;
}

static void prepare(fob_core_t *self, fob_slice_t bytes) {
    fob_record_moved_t moved;
    fob_record_reset_t reset;
    switch (bytes.size ? bytes.data[0] : 0) {
    case FOB_RECORD_EVENTS:
        prepare_events(self, bytes);
        break;
    case FOB_RECORD_GROUP_ADD:
        prepare_group(self, bytes);
        break;
    case FOB_RECORD_MARK:
        prepare_mark(self, bytes);
        break;
    case FOB_RECORD_MOVED:
        if (fob_record_read_moved(bytes, &moved))
            fob_core_salvage_hole(self, moved.place - 1);
        break;
    case FOB_RECORD_RESET:
        if (fob_record_read_reset(bytes, &reset))
            fob_core_salvage_hole(self, reset.head);
        break;
    default:
        break;
    }
}

fob_status_t fob_core_salvage_record(fob_core_t *self, uint64_t position, fob_slice_t record,
                                     bool *used) {
    assert(!self->live);
    *used = true;
    self->stamp.index = position == self->stamp.position ? self->stamp.index + 1 : 0;
    self->stamp.position = position;
    if (fob_stamp_before(self->stamp, self->loaded))
        return FOB_OK;
    self->position = position;
    if (record.size && (record.data[0] == FOB_RECORD_RUNS || record.data[0] == FOB_RECORD_NOTED))
        return take_runs(self, record, used);
    prepare(self, record);
    fob_status_t status = fob_apply(self, position, record);
    *used = status != FOB_DAMAGED;
    return status == FOB_DAMAGED ? FOB_OK : status;
}

/* --- the end --- */

static uint64_t count_dead(const fob_deads_t *deads) {
    uint64_t sum = 0;
    size_t at = 0;
    for (const fob_dead_t *dead; (dead = fob_deads_next(deads, &at)) != NULL;)
        sum += dead->count;
    return sum;
}

static void void_leases(fob_group_t *group) {
    uint32_t at = 0;
    for (fob_back_entry_t *e; (e = fob_back_next(&group->back, &at)) != NULL;)
        e->out = false;
    group->mark_token += FOB_TOKENS_STEP;
    group->void_token = group->mark_token;
    group->mark_offset = 0;
}

static void begin_books(const fob_core_t *self, fob_group_t *group) {
    group->generation++;
    group->since_ms = self->time_ms;
    group->dead = count_dead(&group->deads);
    group->accepted = group->dead + group->back.count;
    group->acked = group->expired = group->shed = group->removed = 0;
    memset(group->shed_by, 0, sizeof group->shed_by);
    memset(group->removed_by, 0, sizeof group->removed_by);
    fob_prio_free(&group->prio);
    group->debt = group->bytes = 0;
    group->damaged = false;
    bool any = group->cover.floor <= self->head;
    group->census_at = any ? group->cover.floor : 1;
    group->census_to = any ? self->head : 0;
}

static uint64_t last_answer(const fob_writer_t *writer) {
    uint64_t last = 0;
    for (uint32_t i = 0; i < writer->count; i++) {
        const fob_answer_t *answer = fob_writer_at(writer, i);
        uint64_t end = answer->offset + answer->count - 1;
        last = end > last ? end : last;
    }
    return last;
}

/* The parts of a checkpoint are of different moments, and the records in between may be lost: what
 * they know was given, and used. */
static void catch_up(fob_core_t *self) {
    fob_writers_t *writers = &self->writers;
    for (size_t i = 0; i < self->groups.count; i++) {
        const fob_group_t *group = self->groups.by_id[i];
        fob_core_salvage_hole(self, fob_cover_end(&group->cover) - 1);
        fob_core_salvage_hole(self, group->skip_to ? group->skip_to - 1 : 0);
    }
    for (const fob_writer_t *w = writers->lists[FOB_WRITERS_HERE].newest; w; w = w->older) {
        fob_core_salvage_hole(self, last_answer(w));
        writers->uses = w->use > writers->uses ? w->use : writers->uses;
    }
    for (const fob_known_t *id; (id = fob_dedup_above(self->dedup, self->head)) != NULL;)
        fob_core_salvage_hole(self, id->offset);
}

void fob_core_salvage_end(fob_core_t *self) {
    assert(!self->live);
    catch_up(self);
    fob_chain_begin(&self->chain, self->head); /* a topic's last event may be lost, or its place */
    for (size_t i = 0; i < self->groups.count; i++) {
        void_leases(self->groups.by_id[i]);
        begin_books(self, self->groups.by_id[i]);
    }
}

fob_status_t fob_core_salvage_lost(fob_core_t *self, uint64_t from, uint64_t to) {
    assert(!self->live);
    for (size_t i = 0; i < self->groups.count; i++) {
        fob_cover_t *cover = &self->groups.by_id[i]->cover;
        if (!fob_cover_reserve(cover, 1))
            return FOB_NO_MEMORY;
        fob_cover_add(cover, from, to);
    }
    return FOB_OK;
}
