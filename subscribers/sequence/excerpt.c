#include "subscribers/sequence/excerpt.h"

#include "proto/envelope.h"
#include "proto/topic.h"

#define FIRST   at[0] /* of a run, of a row of `gone` */
#define COUNT   at[1] /* of a run */
#define TIME    at[2]
#define LAST    at[1] /* of a row of `gone` */
#define DAMAGED at[2] /* 1: because of damage */

/* The next row of `gone` that has a part in what is told. */
static void next_hole(fob_excerpt_t *self) {
    while (fob_runs_next(&self->gone, &self->hole)) {
        if (self->hole.FIRST < self->from)
            self->hole.FIRST = self->from;
        if (self->hole.LAST >= self->next)
            self->hole.LAST = self->next - 1;
        if (self->hole.FIRST <= self->hole.LAST)
            return;
    }
    self->hole.LAST = 0;
}

static void next_run(fob_excerpt_t *self) {
    if (!fob_runs_next(&self->runs, &self->run))
        self->run.COUNT = 0;
}

/* Rows ascend and lie within [from, next); their events are all that the body is. */
static bool runs_good(fob_excerpt_t *self, fob_slice_t pattern, uint64_t *events) {
    uint64_t free = self->from;
    fob_run_t run;
    fob_slice_t topic, bytes;
    for (*events = 0; fob_runs_next(&self->runs, &run); free = run.FIRST + run.COUNT) {
        if (run.FIRST < free || run.FIRST >= self->next || !run.COUNT ||
            run.COUNT > self->next - run.FIRST || run.TIME > INT64_MAX)
            return false;
        *events += run.COUNT;
        for (uint64_t i = 0; self->bodied && i < run.COUNT; i++)
            if (!fob_envelope_skim(&self->body, &topic, &bytes) ||
                (!fob_topic_valid(topic) && !fob_topic_is_sys(topic)) ||
                !fob_pattern_match(pattern, topic))
                return false;
    }
    return !self->runs.cursor.failed && (!self->bodied || fob_cursor_end(&self->body));
}

static bool gone_good(fob_excerpt_t *self) {
    uint64_t free = 1;
    fob_run_t hole;
    for (; fob_runs_next(&self->gone, &hole); free = hole.LAST + 1)
        if (hole.FIRST < free || hole.LAST < hole.FIRST || hole.LAST == UINT64_MAX)
            return false;
    return !self->gone.cursor.failed;
}

static bool begin(fob_excerpt_t *self, const fob_wire_t *msg, fob_slice_t body) {
    self->runs = self->gone = (fob_runs_t){0};
    self->body = fob_cursor(body);
    return (!FOB_HAS(msg, runs) || fob_runs(msg->runs, &self->runs)) &&
           (!FOB_HAS(msg, gone) || fob_runs(msg->gone, &self->gone));
}

bool fob_excerpt_open(fob_excerpt_t *self, const fob_wire_t *msg, fob_slice_t body,
                      fob_slice_t pattern, uint64_t from, bool bodied) {
    uint64_t events;
    *self = (fob_excerpt_t){.bodied = bodied, .from = from ? from : 1, .next = msg->next};
    if (!self->next || self->next < from || !begin(self, msg, body) ||
        !runs_good(self, pattern, &events) || !gone_good(self))
        return false;
    bool again = begin(self, msg, body);
    next_run(self);
    next_hole(self);
    return again;
}

static void take_event(fob_excerpt_t *self, fob_passage_t *out) {
    bool good = fob_envelope_skim(&self->body, &out->topic, &out->bytes);
    (void)good; /* skimmed when it was opened */
    out->last = out->first;
    self->run.FIRST++;
    if (--self->run.COUNT == 0)
        next_run(self);
}

bool fob_excerpt_next(fob_excerpt_t *self, fob_passage_t *out) {
    *out = (fob_passage_t){0};
    if (self->hole.LAST && (!self->run.COUNT || self->hole.FIRST < self->run.FIRST)) {
        *out = (fob_passage_t){.first = self->hole.FIRST,
                               .last = self->hole.LAST,
                               .gone = true,
                               .damaged = self->hole.DAMAGED == 1};
        next_hole(self);
        return true;
    }
    if (!self->run.COUNT)
        return false;
    out->first = self->run.FIRST;
    out->time_ms = (int64_t)self->run.TIME;
    if (self->bodied) {
        take_event(self, out);
    } else {
        out->last = self->run.FIRST + self->run.COUNT - 1;
        next_run(self);
    }
    return true;
}
