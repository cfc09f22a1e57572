#include "bus/core/durable/runs.h"

#include <assert.h>

#define LAZY_RUNS 64

/* What a census finds enters the lists of priorities. */
static bool reserve_accepts(fob_group_t *group, size_t runs) {
    for (unsigned i = 1; fob_census_runs(group) && i < FOB_PRIORITIES; i++) {
        if (!fob_prio_reserve_adds(&group->prio, i, runs))
            return false;
    }
    return true;
}

bool fob_runs_room(fob_group_t *group, size_t runs) {
    return fob_cover_reserve(&group->cover, runs) && fob_prio_reserve_removes(&group->prio, runs);
}

/* The record itself, and what every run may do: cover, and take out of the lists of priorities. */
static bool begin(fob_runs_writer_t *self, fob_core_t *core, fob_group_t *group, size_t runs,
                  size_t head) {
    *self = (fob_runs_writer_t){.core = core, .group = group};
    fob_open_turn_t *turn = fob_core_open(core);
    if (!turn || !fob_turn_reserve(turn, 1, 0, 0, 0) || !reserve_accepts(group, runs) ||
        !fob_runs_room(group, runs))
        return false;
    self->room = head + runs * FOB_RUN_SIZE;
    self->bytes = fob_turn_bytes(turn, self->room);
    self->head = self->size = head;
    turn->record_begun += self->bytes != NULL; /* others may write theirs before this one ends */
    return self->bytes != NULL;
}

/* What comes back or dies leaves something behind. */
static bool reserve_rests(fob_core_t *core, fob_group_t *group, size_t runs, size_t events,
                          size_t note_bytes) {
    size_t most = runs > events ? runs : events;
    return fob_back_reserve(&group->back, events) && fob_deads_reserve(&group->deads, most) &&
           fob_history_reserve(core->history, most, note_bytes);
}

bool fob_runs_begin(fob_runs_writer_t *self, fob_core_t *core, fob_group_t *group, size_t runs,
                    size_t events) {
    if (!reserve_rests(core, group, runs, events, 0) ||
        !begin(self, core, group, runs, FOB_RECORD_RUNS_SIZE))
        return false;
    self->size_room = events;
    fob_record_write_runs(self->bytes, group->id, fob_core_time(core));
    return true;
}

void fob_runs_lazy(fob_runs_writer_t *self, fob_core_t *core, fob_group_t *group) {
    self->core = core;
    self->group = group;
    self->bytes = NULL;
    self->room = self->size = self->head = self->size_count = self->size_room = 0;
    self->last.verb = 0;
    self->sizes = NULL;
    self->any = false;
}

bool fob_runs_begin_noted(fob_runs_writer_t *self, fob_core_t *core, fob_group_t *group,
                          size_t runs, size_t events, fob_slice_t worker, fob_slice_t text) {
    if (worker.size + text.size == 0)
        return fob_runs_begin(self, core, group, runs, events);
    if (!reserve_rests(core, group, runs, events, worker.size + text.size) ||
        !begin(self, core, group, runs, fob_record_noted_size(worker, text)))
        return false;
    self->size_room = events;
    fob_record_write_noted(self->bytes, group->id, fob_core_time(core), worker, text);
    return true;
}

bool fob_runs_begin_ends(fob_runs_writer_t *self, fob_core_t *core, fob_group_t *group,
                         size_t runs) {
    if (!begin(self, core, group, runs, FOB_RECORD_RUNS_SIZE))
        return false;
    fob_record_write_runs(self->bytes, group->id, fob_core_time(core));
    return true;
}

/* Whether the events of both are neighbours, and nothing lies between. */
static bool adjacent(const fob_run_record_t *a, const fob_run_record_t *b) {
    return b->from == a->to + 1 && a->verb == b->verb && a->flags == b->flags &&
           a->reason == b->reason && a->detail == b->detail && UINT32_MAX - a->count >= b->count;
}

static bool join(fob_run_record_t *a, const fob_run_record_t *b) {
    if (!adjacent(a, b))
        return false;
    switch (a->verb) {
    case FOB_RUN_RETURN:
    case FOB_RUN_HANDOUT:
        if (!fob_run_dense(b) || b->token != a->token + a->count || a->due_ms != 0 ||
            b->due_ms != 0)
            return false;
        break;
    case FOB_RUN_ACK:
    case FOB_RUN_SHED:
    case FOB_RUN_REMOVE:
        /* Where some sizes are not known, the sum is not. */
        if (a->flags & FOB_RUN_DEBT || (a->bytes == 0) != (b->bytes == 0))
            return false;
        break;
    case FOB_RUN_COVER:
    case FOB_RUN_REDRIVE:
    case FOB_RUN_ACCEPT:
        break;
    default:
        return false;
    }
    a->to = b->to;
    a->count += b->count;
    a->bytes += b->bytes;
    return true;
}

static void flush(fob_runs_writer_t *self) {
    if (!self->last.verb)
        return;
    assert(self->size + FOB_RUN_SIZE <= self->room);
    fob_record_write_run(self->bytes + self->size, &self->last);
    self->size += FOB_RUN_SIZE;
}

/* Where there is no memory the size is not known: the mean stands for it. */
static void keep_size(fob_runs_writer_t *self, const fob_run_record_t *run) {
    if (!self->sizes)
        self->sizes =
            (void *)fob_turn_bytes(self->core->open, self->size_room * sizeof *self->sizes);
    if (self->sizes && self->size_count < self->size_room && run->bytes <= UINT32_MAX)
        self->sizes[self->size_count++] = (fob_runs_size_t){run->to, (uint32_t)run->bytes};
}

static void set_sizes(const fob_runs_writer_t *self) {
    for (size_t i = 0; i < self->size_count; i++) {
        fob_back_entry_t *entry = fob_back_find(&self->group->back, self->sizes[i].offset);
        if (entry)
            entry->size = self->sizes[i].size;
    }
}

void fob_runs_put(fob_runs_writer_t *self, const fob_run_record_t *run) {
    if (run->verb == FOB_RUN_RETURN && run->count == 1 && run->bytes)
        keep_size(self, run);
    if (self->last.verb && join(&self->last, run))
        return;
    flush(self);
    self->last = *run;
}

size_t fob_runs_left(const fob_runs_writer_t *self) {
    return (self->room - self->size) / FOB_RUN_SIZE - (self->last.verb ? 1 : 0);
}

/* Ends a record that is full, and begins one like it. */
static bool next_record(fob_runs_writer_t *self) {
    size_t events = self->size_room,
           runs = self->bytes ? (self->room - self->head) / FOB_RUN_SIZE : 0;
    fob_core_t *core = self->core;
    fob_group_t *group = self->group;
    bool any = fob_runs_end(self);
    bool good = events ? fob_runs_begin(self, core, group, runs, events)
                       : fob_runs_begin_ends(self, core, group, runs ? runs : LAZY_RUNS);
    self->any = any;
    return good;
}

bool fob_runs_add(fob_runs_writer_t *self, const fob_run_record_t *run) {
    if (self->last.verb && join(&self->last, run))
        return true;
    if ((!self->bytes || fob_runs_left(self) <= FOB_RUNS_SPARE) && !next_record(self))
        return false;
    fob_runs_put(self, run);
    return true;
}

bool fob_runs_end(fob_runs_writer_t *self) {
    if (!self->bytes)
        return self->any;
    flush(self);
    fob_open_turn_t *turn = self->core->open;
    bool here = self->size > self->head, any = self->any || here;
    turn->record_begun--;
    fob_turn_shrink(turn, self->bytes, self->room, here ? self->size : 0);
    if (here) {
        fob_slice_t record = fob_slice(self->bytes, self->size);
        fob_turn_record(turn, record, NULL, 0, 0);
        fob_status_t status = fob_apply(self->core, fob_core_next_position(self->core), record);
        assert(status == FOB_OK); /* room was reserved, and we wrote it */
        (void)status;
        set_sizes(self);
    }
    fob_runs_lazy(self, self->core, self->group);
    self->any = any;
    return any;
}
