#include "bus/core/runs.h"

#include <assert.h>

bool fob_runs_begin(fob_runs_writer_t *self, fob_core_t *core, fob_group_t *group, size_t runs,
                    size_t events) {
    *self = (fob_runs_writer_t){.core = core, .group = group};
    fob_open_turn_t *turn = fob_core_open(core);
    if (!turn || !fob_turn_reserve(turn, 1, 0, 0, 0) || !fob_cover_reserve(&group->cover, runs) ||
        !fob_back_reserve(&group->back, events) || !fob_deads_reserve(&group->deads, runs))
        return false;
    self->room = FOB_RECORD_RUNS_SIZE + runs * FOB_RUN_SIZE;
    self->bytes = fob_turn_bytes(turn, self->room);
    if (!self->bytes)
        return false;
    fob_record_write_runs(self->bytes, group->id, fob_core_time(core));
    self->size = FOB_RECORD_RUNS_SIZE;
    return true;
}

/* Whether the events of both are neighbours, and nothing lies between. */
static bool adjacent(const fob_run_record_t *a, const fob_run_record_t *b) {
    return b->from == a->to + 1 && a->verb == b->verb && a->flags == b->flags &&
           a->reason == b->reason && UINT32_MAX - a->count >= b->count;
}

static bool join(fob_run_record_t *a, const fob_run_record_t *b) {
    if (!adjacent(a, b))
        return false;
    if (a->verb == FOB_RUN_RETURN || a->verb == FOB_RUN_HANDOUT) {
        bool dense = b->to - b->from + 1 == b->count;
        if (!dense || b->token != a->token + a->count || a->due_ms != 0 || b->due_ms != 0)
            return false;
    } else if (a->verb != FOB_RUN_ACK && a->verb != FOB_RUN_COVER) {
        return false;
    }
    a->to = b->to;
    a->count += b->count;
    return true;
}

static void flush(fob_runs_writer_t *self) {
    if (!self->last.verb)
        return;
    assert(self->size + FOB_RUN_SIZE <= self->room);
    fob_record_write_run(self->bytes + self->size, &self->last);
    self->size += FOB_RUN_SIZE;
}

void fob_runs_put(fob_runs_writer_t *self, const fob_run_record_t *run) {
    if (self->last.verb && join(&self->last, run))
        return;
    flush(self);
    self->last = *run;
}

bool fob_runs_end(fob_runs_writer_t *self) {
    flush(self);
    fob_open_turn_t *turn = self->core->open;
    bool any = self->size > FOB_RECORD_RUNS_SIZE;
    fob_turn_shrink(turn, self->bytes, self->room, any ? self->size : 0);
    if (!any)
        return false;
    fob_slice_t record = fob_slice(self->bytes, self->size);
    fob_turn_record(turn, record, NULL, 0, 0);
    fob_status_t status = fob_apply(self->core, fob_core_next_position(self->core), record);
    assert(status == FOB_OK); /* room was reserved, and we wrote it */
    (void)status;
    return true;
}
