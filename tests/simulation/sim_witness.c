#include "sim_witness.h"

#include "proto/topic.h"

#include <stdarg.h>

static const sim_checker_ops_t *const all[] = {
    &sim_check_confirmed, &sim_check_places,   &sim_check_books,      &sim_check_holder,
    &sim_check_order,     &sim_check_once,     &sim_check_depth,      &sim_check_cause,
    &sim_check_bytes,     &sim_check_receipts, &sim_check_drained,    &sim_check_heard,
    &sim_check_attempts,  &sim_check_handout,  &sim_check_busy,       &sim_check_fate,
    &sim_check_settled,   &sim_check_progress, &sim_check_allowed,    &sim_check_isolated,
    &sim_check_kept,      &sim_check_again,    &sim_check_shed_order, &sim_check_lease,
    &sim_check_age,       &sim_check_sequence};

_Static_assert(sizeof all / sizeof *all <= SIM_CHECKERS, "room for all checkers");

void sim_broken(const sim_checker_t *self, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    self->fail(self->arg, self, text);
}

static void on_broken(void *arg, const sim_checker_t *checker, const char *text) {
    sim_witness_t *self = arg;
    self->fail(self->arg, checker->ops->promise, text);
}

void sim_witness_init(sim_witness_t *self, uint64_t seed) {
    self->ground.seed = seed;
    self->checker_count = sizeof all / sizeof *all;
    for (size_t i = 0; i < self->checker_count; i++)
        self->checkers[i] = (sim_checker_t){.ops = all[i],
                                            .ground = &self->ground,
                                            .own = sim_alloc(all[i]->size),
                                            .fail = on_broken,
                                            .arg = self};
}

void sim_witness_free(sim_witness_t *self) {
    for (size_t i = 0; i < self->checker_count; i++) {
        if (self->checkers[i].ops->end)
            self->checkers[i].ops->end(&self->checkers[i]);
        free(self->checkers[i].own);
    }
    free(self->ground.events);
    free(self->ground.groups);
}

/* What becomes of the event that is watched. */
static void watch(const sim_witness_t *self, const sim_fact_t *fact) {
    static const char *const names[SIM_RESTS] = {"stored",
                                                 "group made",
                                                 "group gone",
                                                 "run",
                                                 "reset",
                                                 "set",
                                                 "offered",
                                                 "receipt",
                                                 "begun",
                                                 "ended",
                                                 "down",
                                                 "froze",
                                                 "heard",
                                                 "missed",
                                                 "told lost",
                                                 "busy",
                                                 "delivered",
                                                 [SIM_HANDED] = "handed",
                                                 [SIM_NOTICE] = "told"};
    const fob_run_record_t *run = fact->run;
    bool any = fact->kind == SIM_DOWN || fact->kind == SIM_FROZE;
    bool it = any || fact->offset == self->watched ||
              ((fact->kind == SIM_TOLD_LOST || fact->kind == SIM_DELIVERED) &&
               fact->offset <= self->watched && self->watched - fact->offset < fact->count) ||
              (run && run->from <= self->watched && run->to >= self->watched);
    it = it || (fact->kind == SIM_NOTICE && fact->offset <= self->watched &&
                fact->count >= self->watched);
    if (!it || fact->kind >= SIM_RESTS || !names[fact->kind])
        return;
    printf("%14.6f  %s %s worker %u token %llu settle %d", (double)self->now_ns / 1e9,
           names[fact->kind], fact->group ? fact->group->name : "", fact->worker,
           (unsigned long long)fact->token, (int)fact->settle);
    if (run)
        printf(" verb %u flags %u reason %u %llu..%llu x %u", run->verb, run->flags, run->reason,
               (unsigned long long)run->from, (unsigned long long)run->to, run->count);
    putchar('\n');
}

#define UNDER_WAY_NS (3 * FOB_SEC) /* a LOST */

static void take(sim_witness_t *self, const sim_group_t *group, uint64_t from, uint64_t to,
                 uint64_t token) {
    self->taken[self->taken_count++ % SIM_TAKEN_KEPT] =
        (sim_taken_t){group, from, to, token, self->now_ns};
}

/* A lease ran out (then what its worker cannot have begun may go as well), or its group was reset:
 * the worker is told by a LOST, which may be under way, or find a connection that broke. */
static void note_taken(sim_witness_t *self, const sim_fact_t *fact) {
    const fob_run_record_t *run = fact->run;
    if (fact->kind == SIM_RESET)
        take(self, fact->group, 1, self->ground.head, UINT64_MAX);
    if (fact->kind == SIM_RUN && (run->verb == FOB_RUN_RETURN || run->verb == FOB_RUN_DEAD) &&
        (run->reason == FOB_REASON_LEASE || run->reason == FOB_REASON_LEAVE ||
         run->detail == FOB_REASON_LEASE))
        take(self, fact->group, run->to - run->count + 1, run->to,
             run->verb == FOB_RUN_RETURN ? run->token : UINT64_MAX);
}

bool sim_witness_taken(const sim_witness_t *self, const sim_group_t *group, uint64_t offset,
                       uint64_t token) {
    for (uint64_t i = self->taken_count; i-- > 0 && i + SIM_TAKEN_KEPT > self->taken_count;) {
        const sim_taken_t *one = &self->taken[i % SIM_TAKEN_KEPT];
        if (self->now_ns - one->at_ns > UNDER_WAY_NS)
            return false;
        if (one->group == group && offset >= one->from && offset <= one->to &&
            (one->token == UINT64_MAX || token <= one->token + (offset - one->from)))
            return true;
    }
    return false;
}

static void trace(sim_trace_t *self, const sim_fact_t *fact) {
    sim_trace_add(self, (uint64_t)fact->kind << 32 | fact->worker);
    sim_trace_add(self, (uint64_t)fact->now_ns);
    sim_trace_add(self, fact->serial << 32 | fact->publisher);
    sim_trace_add(self, fact->offset);
    sim_trace_add(self, fact->token << 20 ^ fact->count);
    sim_trace_add(self,
                  (uint64_t)fact->status << 32 | (uint64_t)fact->settle << 16 | fact->attempt);
}

void sim_witness_tell(sim_witness_t *self, sim_fact_t *fact) {
    fact->now_ns = self->now_ns;
    note_taken(self, fact);
    if (fact->kind == SIM_BEGUN)
        fact->taken =
            fact->taken || sim_witness_taken(self, fact->group, fact->offset, fact->token);
    trace(&self->trace, fact);
    sim_reached_fact(&self->reached, fact);
    if (self->watched)
        watch(self, fact);
    for (size_t i = 0; i < self->checker_count; i++)
        self->checkers[i].ops->fact(&self->checkers[i], fact);
}

const sim_group_t *sim_witness_group(const sim_witness_t *self, fob_slice_t name) {
    for (size_t i = self->ground.group_count; i-- > 0;) {
        const sim_group_t *group = &self->ground.groups[i];
        if (!group->gone && fob_slice_eq(fob_slice_str(group->name), name))
            return group;
    }
    return NULL;
}

static void wrong(sim_witness_t *self, const char *text) {
    self->fail(self->arg, "the journal can be read by its own rules", text);
}

static sim_group_t *group_by(sim_witness_t *self, uint32_t id) {
    for (size_t i = 0; i < self->ground.group_count; i++)
        if (self->ground.groups[i].id == id)
            return &self->ground.groups[i];
    wrong(self, "a record is of a group that was never made");
    return NULL;
}

/* --- events --- */

static sim_stored_t *event_at(sim_witness_t *self, uint64_t offset) {
    sim_ground_t *ground = &self->ground;
    while (offset >= ground->room)
        ground->events =
            sim_grow(ground->events, ground->room, &ground->room, sizeof *ground->events);
    if (offset != ground->head + 1)
        wrong(self, "an offset is not the one behind the head");
    ground->head = offset;
    return &ground->events[offset];
}

static void event(sim_witness_t *self, const fob_record_events_t *head, uint64_t offset,
                  uint64_t position, const fob_envelope_t *met) {
    static sim_event_t made;
    sim_stored_t *stored = event_at(self, offset);
    if (!sim_event_whole(self->ground.seed, met, &made))
        wrong(self, "what is stored was never published");
    *stored = (sim_stored_t){.there = true,
                             .publisher = made.publisher,
                             .serial = made.serial,
                             .id_of = made.id_of,
                             .topic = made.topic,
                             .priority = made.priority,
                             .size = met->bytes.size,
                             .time_ms = head->time_ms,
                             .stored_ns = self->now_ns,
                             .position = position};
    self->events++;
    sim_witness_tell(self, &(sim_fact_t){.kind = SIM_STORED, .offset = offset});
}

static void events(sim_witness_t *self, const fob_stored_t *record, fob_slice_t bytes) {
    fob_record_events_t head;
    if (!fob_record_read_events(bytes, &head) || head.count != record->count ||
        (head.count && head.first_offset != record->first_offset)) {
        wrong(self, "an EVENTS record is not what the journal was told");
        return;
    }
    fob_cursor_t cursor = fob_cursor(
        fob_slice(bytes.data + FOB_RECORD_EVENTS_SIZE, bytes.size - FOB_RECORD_EVENTS_SIZE));
    for (uint32_t i = 0; i < head.count; i++) {
        fob_envelope_t met;
        if (fob_envelope_read(&cursor, UINT64_MAX, &met) != FOB_OK) {
            wrong(self, "an event in the journal cannot be decoded");
            return;
        }
        event(self, &head, head.first_offset + i, record->position, &met);
    }
}

static void moved(sim_witness_t *self, fob_slice_t bytes) {
    fob_record_moved_t move;
    if (!fob_record_read_moved(bytes, &move)) {
        wrong(self, "a MOVED record cannot be read");
        return;
    }
    *event_at(self, move.place) = (sim_stored_t){.moved = true, .moved_of = move.origin};
    sim_witness_tell(self,
                     &(sim_fact_t){.kind = SIM_MOVED, .offset = move.origin, .value = move.place});
}

/* --- groups --- */

static void group_add(sim_witness_t *self, fob_slice_t bytes) {
    fob_record_group_add_t add;
    sim_ground_t *ground = &self->ground;
    if (!fob_record_read_group_add(bytes, &add)) {
        wrong(self, "a GROUP_ADD record cannot be read");
        return;
    }
    if (ground->group_count == 1024)
        wrong(self, "too many groups for this simulator");
    if (!ground->groups) /* checkers keep pointers to them */
        ground->groups = sim_alloc(1024 * sizeof *ground->groups);
    sim_group_t *group = &ground->groups[ground->group_count++];
    group->id = add.id;
    group->start = add.start;
    snprintf(group->name, sizeof group->name, "%.*s", (int)add.name.size, add.name.data);
    snprintf(group->pattern, sizeof group->pattern, "%.*s", (int)add.pattern.size,
             add.pattern.data);
    for (unsigned i = 0; i < SIM_TOPICS; i++)
        group->matches[i] = fob_pattern_match(add.pattern, fob_slice_str(sim_topics[i]));
    sim_witness_tell(self, &(sim_fact_t){.kind = SIM_GROUP_MADE, .group = group});
}

static void group_remove(sim_witness_t *self, fob_slice_t bytes) {
    uint32_t id;
    int64_t time_ms;
    sim_group_t *group = NULL;
    if (fob_record_read_group_remove(bytes, &id, &time_ms))
        group = group_by(self, id);
    if (!group)
        return;
    group->gone = true;
    sim_witness_tell(self, &(sim_fact_t){.kind = SIM_GROUP_GONE, .group = group});
}

/* Whether a handler runs of any that come back. */
static bool still_runs(const sim_witness_t *self, const sim_group_t *group,
                       const fob_run_record_t *run) {
    uint64_t first = fob_run_first(run);
    for (uint64_t o = first; run->verb == FOB_RUN_RETURN && o <= run->to; o++)
        if (self->runs(self->arg, group, o, run->token + (o - first)))
            return true;
    return false;
}

static void runs(sim_witness_t *self, uint64_t position, fob_slice_t bytes) {
    fob_record_runs_t head;
    fob_run_record_t run;
    if (!fob_record_read_runs(bytes, &head)) {
        wrong(self, "a RUNS record cannot be read");
        return;
    }
    const sim_group_t *group = group_by(self, head.group);
    for (size_t i = 0; i < head.count; i++) {
        if (!fob_record_read_run(head.runs + i * FOB_RUN_SIZE, &run))
            wrong(self, "a run cannot be read");
        sim_witness_tell(self, &(sim_fact_t){.kind = SIM_RUN,
                                             .group = group,
                                             .run = &run,
                                             .position = position,
                                             .sure = still_runs(self, group, &run),
                                             .time_ms = head.time_ms});
    }
}

static void settings(sim_witness_t *self, fob_slice_t bytes) {
    uint32_t id, number;
    int64_t time_ms;
    uint8_t count;
    uint64_t value;
    if (!fob_record_read_set(bytes, &id, &time_ms, &count)) {
        wrong(self, "a SET record cannot be read");
        return;
    }
    sim_group_t *group = group_by(self, id);
    for (uint8_t i = 0; group && i < count; i++) {
        if (!fob_record_read_set_item(bytes.data + FOB_RECORD_SET_SIZE +
                                          (size_t)i * FOB_RECORD_SET_ITEM,
                                      &number, &value) ||
            number >= SIM_SETTINGS)
            continue;
        group->settings[number] = value;
        sim_witness_tell(
            self,
            &(sim_fact_t){.kind = SIM_SET, .group = group, .setting = number, .value = value});
    }
}

static void reset(sim_witness_t *self, fob_slice_t bytes) {
    fob_record_reset_t record;
    if (!fob_record_read_reset(bytes, &record)) {
        wrong(self, "a RESET record cannot be read");
        return;
    }
    sim_witness_tell(
        self,
        &(sim_fact_t){.kind = SIM_RESET, .group = group_by(self, record.group), .reset = &record});
}

void sim_witness_commit(sim_witness_t *self, const sim_commit_t *commit) {
    for (uint32_t i = 0; i < commit->record_count; i++) {
        const fob_stored_t *record = &commit->records[i];
        fob_slice_t bytes = fob_slice(record->data, record->size);
        self->records++;
        sim_reached_note(&self->reached, SIM_REACHED_RECORD, record->data[0]);
        sim_trace_bytes(&self->trace, record->data, record->size);
        switch (record->data[0]) {
        case FOB_RECORD_EVENTS:
            events(self, record, bytes);
            break;
        case FOB_RECORD_MOVED:
            moved(self, bytes);
            break;
        case FOB_RECORD_GROUP_ADD:
            group_add(self, bytes);
            break;
        case FOB_RECORD_GROUP_REMOVE:
            group_remove(self, bytes);
            break;
        case FOB_RECORD_RUNS:
        case FOB_RECORD_NOTED:
            runs(self, record->position, bytes);
            break;
        case FOB_RECORD_SET:
            settings(self, bytes);
            break;
        case FOB_RECORD_RESET:
            reset(self, bytes);
            break;
        default:
            break;
        }
    }
}

void sim_witness_hit(sim_witness_t *self, const sim_commit_t *commit) {
    for (uint32_t i = 0; i < commit->record_count; i++)
        for (uint32_t e = 0; e < commit->records[i].count; e++) {
            sim_stored_t *event = &self->ground.events[commit->records[i].first_offset + e];
            event->hit = true;
            if (event->moved)
                self->ground.events[event->moved_of].hit = true;
        }
}
