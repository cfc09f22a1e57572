/* The sequencer's eye: what it reads of the journal, and how it takes up the live stream again. */
#include "proto/planted.h"
#include "subscribers/sequence/excerpt.h"
#include "subscribers/sequence/sequencer_inside.h"

/* Answers of another epoch, one behind the other: for so long a bus may not be silent of it. */
#define STRANGE_MOST 25

/* What is missing is told, not handed out. */
static bool telling(const fob_sequencer_t *self) {
    return self->mode == FOB_SEQUENCER_NOTIFY && self->story == STORY_NONE;
}

/* These are handed out. */
static void note_fetched(fob_sequencer_t *self, const fob_queued_t *run) {
    uint64_t last = run->offset + run->count - 1;
    self->fetched += run->count;
    if (last > self->seen)
        self->seen = last;
}

/* --- the live stream again --- */

/* False: not all of what was kept could be taken. */
static bool replay(fob_sequencer_t *self) {
    const fob_heard_t *heard;
    while ((heard = fob_recent_first(&self->recent))) {
        fob_heard_fate_t fate = fob_sequencer_offer(self, heard, self->elsewhere);
        if (fate == FOB_HEARD_FULL)
            self->stalled = true;
        if (fate == FOB_HEARD_UNKEPT) {
            self->fetch_at = self->now + FOB_SEQUENCER_PAUSE;
            fob_recent_clear(&self->recent); /* the journal has it */
        }
        if (fate == FOB_HEARD_HOLE || fate == FOB_HEARD_UNKEPT)
            fob_sequencer_fall_behind(self, false);
        if (fate != FOB_HEARD_TAKEN && fate != FOB_HEARD_OLD)
            return false;
        fob_recent_drop(&self->recent);
    }
    return true;
}

/* Each topic's last event is known now. False: there is no room, or no memory, for all. */
static bool hand_out_newest(fob_sequencer_t *self) {
    uint64_t room = fob_sequencer_room(self, self->elsewhere);
    for (; fob_newest_any(&self->newest) && room > 0 && self->inbox.bytes < self->bytes; room--) {
        if (!fob_inbox_reserve(&self->inbox, 1)) {
            self->fetch_at = self->now + FOB_SEQUENCER_PAUSE;
            return false;
        }
        fob_queued_t event = fob_newest_give(&self->newest);
        event.epoch = self->epoch; /* it holds in this one, or was forgotten */
        fob_inbox_put(&self->inbox, &event);
        note_fetched(self, &event);
    }
    return !fob_newest_any(&self->newest);
}

/* Where a story other than the plain one ends. */
static void end_story(fob_sequencer_t *self, bool at_head) {
    if (self->story != STORY_LAST || (self->done < self->last_upto && !at_head))
        return;
    self->done = self->last_upto;
    if (hand_out_newest(self))
        self->story = STORY_HISTORY;
}

void fob_sequencer_go_on(fob_sequencer_t *self) {
    if (self->fetch.under_way && !self->fetch_hole)
        return;
    end_story(self, false);
    if (self->recent.holed && self->caught)
        fob_sequencer_fall_behind(self, false);
    self->recent.holed = false;
    const fob_heard_t *first = fob_recent_first(&self->recent);
    bool told = self->story == STORY_NONE || self->story == STORY_HISTORY;
    if (first && told && first->offset - 1 <= self->done)
        self->caught = true;
    if (!self->caught)
        return;
    self->quiet = false; /* it has begun: what is gone from here on is missed */
    fob_sequencer_settle_done(self);
    fob_sequencer_join(self);
    if (replay(self))
        self->state = FOB_SEQUENCER_CURRENT;
}

/* --- asking --- */

/* All is told, and waits for room. */
static bool ends_last(const fob_sequencer_t *self) {
    return self->story == STORY_LAST && self->done >= self->last_upto &&
           fob_newest_any(&self->newest);
}

bool fob_sequencer_wants_fetch(const fob_sequencer_t *self) {
    if (self->fetch.under_way || ends_last(self))
        return false;
    return self->holes.count || (self->state == FOB_SEQUENCER_BEHIND && !self->caught);
}

/* Up to where to ask; 0: the head. What the broadcast has brought since needs no asking. */
static uint64_t upto_of(const fob_sequencer_t *self) {
    const fob_heard_t *first = fob_recent_first(&self->recent);
    uint64_t upto = first && first->offset - 1 > self->done ? first->offset - 1 : 0;
    if (self->story == STORY_LAST)
        return self->last_upto;
    if (self->story == STORY_TIME)
        return 0;
    /* What was handed out beyond is known by topics only, and they are in the bodies. */
    if (telling(self) && !self->literal && self->done < self->seen && (!upto || upto > self->seen))
        upto = self->seen;
    return upto;
}

void fob_sequencer_write_fetch(fob_sequencer_t *self, fob_wire_t *out) {
    const fob_hole_t *hole = fob_holes_first(&self->holes);
    *out = (fob_wire_t){.verb = FOB_VERB_FETCH, .shard = self->shard};
    self->fetch = (fob_request_t){.under_way = true,
                                  .req = ++self->req,
                                  .from = hole ? hole->after + 1 : self->done + 1,
                                  .upto = hole ? hole->upto : upto_of(self)};
    self->fetch_hole = hole != NULL;
    self->fetch_dry = hole || (telling(self) && (self->literal || self->done >= self->seen));
    FOB_SET(out, req, self->req);
    FOB_SET(out, pattern, hole ? fob_hole_topic(hole) : self->pattern);
    FOB_SET(out, limit, fob_sequencer_room(self, self->elsewhere));
    if (!hole && self->story == STORY_TIME) {
        self->fetch.from = 0;
        FOB_SET(out, time, self->start_value);
    } else {
        FOB_SET(out, from, self->fetch.from);
    }
    if (self->fetch.upto)
        FOB_SET(out, upto, self->fetch.upto);
    if (self->fetch_dry)
        FOB_SET(out, dry, true);
    if (!hole && self->story == STORY_LAST)
        FOB_SET(out, latest, true);
}

/* --- the answer --- */

/* Events that go into the queue as one message. */
typedef struct {
    fob_blob_t *body;
    bool in_part;     /* much of it may have been had before: what is left does not keep it */
    bool begun;       /* there was an event in it */
    fob_queued_t run; /* count 0: none yet */
} gather_t;

/* The run gets what holds its bytes. False: no memory. */
static bool hold(gather_t *gather) {
    fob_queued_t *run = &gather->run;
    if (!gather->in_part || run->bytes.size > fob_blob_slice(gather->body).size / 2) {
        run->blob = fob_blob_ref(gather->body);
        return true;
    }
    run->blob = fob_blob_copy(run->bytes);
    if (run->blob)
        run->bytes = fob_blob_slice(run->blob);
    return run->blob != NULL;
}

static bool flush(fob_sequencer_t *self, gather_t *gather) {
    if (!gather->run.count)
        return true;
    if (!fob_inbox_reserve(&self->inbox, 1) || !hold(gather))
        return false;
    fob_inbox_put(&self->inbox, &gather->run);
    note_fetched(self, &gather->run);
    gather->run.count = 0;
    return true;
}

static bool add(fob_sequencer_t *self, gather_t *gather, const fob_passage_t *event) {
    fob_queued_t *run = &gather->run;
    bool joins = run->count && run->offset + run->count == event->first &&
                 run->time_ms == event->time_ms &&
                 run->bytes.data + run->bytes.size == event->bytes.data;
    if (!joins && !flush(self, gather))
        return false;
    if (!joins)
        *run = (fob_queued_t){.bytes = fob_slice(event->bytes.data, 0),
                              .offset = event->first,
                              .time_ms = event->time_ms,
                              .shard = self->shard,
                              .epoch = self->epoch};
    run->bytes.size += event->bytes.size;
    run->count++;
    return true;
}

/* Of a topic whose last event the bus does not know there may come later ones. */
static bool add_newest(fob_sequencer_t *self, gather_t *gather, const fob_passage_t *event) {
    const fob_queued_t one = {.bytes = event->bytes,
                              .offset = event->first,
                              .count = 1,
                              .time_ms = event->time_ms,
                              .shard = self->shard};
    if (event->first > self->floor && !fob_newest_has(&self->newest, event->topic))
        return add(self, gather, event);
    switch (fob_newest_hold(&self->newest, event->topic, &one, self->bytes)) {
    case FOB_NEWEST_HELD:
        return true;
    case FOB_NEWEST_FULL:
        return add(self, gather, event);
    default:
        return false;
    }
}

/* What is gone before the beginning of what was asked for is not told. What is damaged there is,
 * but where the beginning is a time: nobody knows when that was. */
static bool untold(const fob_sequencer_t *self, const gather_t *gather,
                   const fob_passage_t *passage) {
    if (self->story == STORY_HISTORY)
        return self->quiet && passage->first == 1 && !passage->damaged;
    return self->quiet && (self->story == STORY_LAST || !gather->begun);
}

static bool tell_gone(fob_sequencer_t *self, const fob_passage_t *passage, fob_slice_t topic) {
    uint64_t last = passage->last + FOB_PLANTED(GONE_TOLD_LONG);
    if (FOB_PLANTED(GONE_TOLD_SHORT) && last > passage->first)
        last--;
    return fob_sequencer_tell(self, passage->damaged ? FOB_NOTICE_DAMAGED : FOB_NOTICE_RETENTION,
                              passage->first, last, topic);
}

/* An event, or (without body) a run of them. False: no memory for it. */
static bool take_events(fob_sequencer_t *self, gather_t *gather, const fob_passage_t *passage) {
    fob_topic_mark_t *mark;
    uint64_t had = self->done, first = passage->first;
    bool beyond = first > self->marks.base_high && first > self->marks.high;
    if (self->story == STORY_LAST)
        had = 0;
    else if (!self->fetch_dry && !beyond)
        had = fob_sequencer_had(self, passage->topic, &mark);
    else if (self->fetch_dry && self->literal)
        had = fob_sequencer_had(self, self->pattern, &mark);
    if (passage->last <= had) {
        self->duplicates += passage->last - first + 1;
        return flush(self, gather);
    }
    if (self->story == STORY_LAST)
        return add_newest(self, gather, passage);
    if (!telling(self))
        return add(self, gather, passage);
    if (first <= had)
        first = had + 1;
    return fob_sequencer_tell(self, FOB_NOTICE_LOST, first, passage->last, (fob_slice_t){0});
}

/* Of what is gone only what was not handed out before, as far as that is known. */
static bool take_gone(fob_sequencer_t *self, const gather_t *gather, const fob_passage_t *passage) {
    fob_topic_mark_t *mark;
    fob_passage_t rest = *passage;
    uint64_t had = self->done;
    uint64_t of_topic = self->literal ? fob_sequencer_had(self, self->pattern, &mark) : 0;
    had = of_topic > had ? of_topic : had;
    if (rest.first <= had)
        rest.first = had + 1;
    return rest.first > rest.last || untold(self, gather, passage) ||
           tell_gone(self, &rest, (fob_slice_t){0});
}

static bool take_passage(fob_sequencer_t *self, gather_t *gather, const fob_passage_t *passage) {
    if (passage->gone)
        return flush(self, gather) && take_gone(self, gather, passage);
    gather->begun = true;
    return take_events(self, gather, passage);
}

/* Reads a page into the queue. Returns up to where all of it is there. */
static uint64_t read_page(fob_sequencer_t *self, fob_excerpt_t *excerpt, fob_blob_t *body) {
    bool in_part =
        self->fetch.from <= self->marks.base_high || self->fetch.from <= self->marks.high;
    gather_t gather = {.body = body, .in_part = in_part && self->story != STORY_LAST};
    fob_passage_t passage;
    uint64_t upto = excerpt->next - 1;
    if (self->fetch.upto && upto > self->fetch.upto)
        upto = self->fetch.upto;
    while (fob_excerpt_next(excerpt, &passage) && passage.first <= upto) {
        if (passage.last > upto)
            passage.last = upto;
        if (!take_passage(self, &gather, &passage))
            return (gather.run.count ? gather.run.offset : passage.first) - 1;
    }
    return flush(self, &gather) ? upto : gather.run.offset - 1;
}

static void page(fob_sequencer_t *self, fob_excerpt_t *excerpt, const fob_wire_t *msg,
                 fob_blob_t *body) {
    uint64_t before = self->done, upto = read_page(self, excerpt, body);
    bool all = upto == msg->next - 1, at_head = msg->next > msg->head;
    if (upto > self->done)
        self->done = upto;
    if (self->story == STORY_LAST)
        end_story(self, all && at_head);
    else
        self->caught = all && at_head;
    if (self->story == STORY_TIME)
        self->story = STORY_HISTORY;
    self->quiet = self->quiet && (self->story == STORY_LAST || self->done == before);
    fob_sequencer_settle_done(self);
    if (self->done == before && !self->caught)
        self->fetch_at = self->now + FOB_SEQUENCER_PAUSE;
}

/* What of one topic did not come. */
static void hole_page(fob_sequencer_t *self, fob_excerpt_t *excerpt, const fob_wire_t *msg) {
    fob_hole_t *hole = fob_holes_first(&self->holes);
    fob_passage_t passage;
    uint64_t before = hole->after;
    while (fob_excerpt_next(excerpt, &passage) && passage.first <= hole->upto) {
        if (passage.last > hole->upto)
            passage.last = hole->upto;
        bool told = passage.gone ? tell_gone(self, &passage, fob_hole_topic(hole))
                                 : fob_sequencer_tell(self, FOB_NOTICE_LOST, passage.first,
                                                      passage.last, fob_hole_topic(hole));
        if (!told) {
            hole->after = passage.first - 1;
            self->fetch_at = self->now + FOB_SEQUENCER_PAUSE;
            return;
        }
        hole->after = passage.last;
    }
    if (msg->next > hole->upto || msg->next > msg->head)
        fob_holes_drop(&self->holes);
    else if (msg->next - 1 > hole->after)
        hole->after = msg->next - 1;
    else if (hole->after == before)
        self->fetch_at = self->now + FOB_SEQUENCER_PAUSE;
}

/* Where there is more `next` grows with each answer. */
static bool goes_on(const fob_request_t *fetch, const fob_wire_t *msg) {
    return msg->next > fetch->from || msg->next > msg->head ||
           (fetch->upto && msg->next > fetch->upto);
}

void fob_sequencer_fetched(fob_sequencer_t *self, const fob_wire_t *msg, fob_blob_t *body) {
    fob_slice_t bytes = body ? fob_blob_slice(body) : (fob_slice_t){0};
    fob_excerpt_t excerpt;
    if (msg->epoch != self->epoch) { /* a beat is going to tell what that means */
        self->fetch_at = self->now + FOB_SEQUENCER_PAUSE;
        if (++self->strange >= STRANGE_MOST)
            fob_sequencer_doubt(self, "is of another epoch than its beats");
        return;
    }
    self->strange = 0;
    fob_slice_t pattern = self->pattern;
    if (self->fetch_hole)
        pattern = fob_hole_topic(fob_holes_first(&self->holes));
    if (!fob_excerpt_open(&excerpt, msg, bytes, pattern, self->fetch.from, !self->fetch_dry)) {
        fob_sequencer_doubt(self, "breaks the protocol");
        return;
    }
    if (!goes_on(&self->fetch, msg)) {
        fob_sequencer_doubt(self, "does not go on");
        return;
    }
    if (msg->head > self->head)
        self->head = msg->head;
    self->floor = msg->floor;
    if (self->fetch_hole)
        hole_page(self, &excerpt, msg);
    else
        page(self, &excerpt, msg, body);
}
