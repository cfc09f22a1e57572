#include "proto/planted.h"
#include "subscribers/sequence/sequencer_inside.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define BLIND                                                                                      \
    "this bus cannot be asked for what is missing: its version is older, and what is lost on the " \
    "way is only counted"
static const char blind_text[] = BLIND;
static const char blind_history_text[] = BLIND "; it may lack what was stored before";

/* --- life --- */

fob_sequencer_t *fob_sequencer_new(const fob_sequencer_options_t *options) {
    assert(options->pattern.size <= FOB_TOPIC_MAX && options->queue > 0);
    fob_sequencer_t *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    memcpy(self->name, options->pattern.data, options->pattern.size);
    self->pattern = fob_slice(self->name, options->pattern.size);
    self->literal = fob_pattern_literal(self->pattern);
    self->mode = options->mode;
    self->start = options->from;
    self->start_value = options->value;
    self->epoch = options->from == FOB_SEQUENCER_OFFSET ? options->epoch : 0;
    self->queue = options->queue;
    self->bytes = options->bytes ? options->bytes : FOB_SEQUENCER_BYTES;
    self->marks.max = self->newest.topics.max = options->topics;
    self->recent.max = options->recent;
    self->holes.max = options->holes;
    self->far = options->far ? options->far : FOB_SEQUENCER_FAR;
    self->trouble = "";
    self->gaps = fob_gaps_new();
    if (!self->gaps)
        fob_sequencer_destroy(&self);
    return self;
}

void fob_sequencer_destroy(fob_sequencer_t **self_p) {
    if (!self_p || !*self_p)
        return;
    fob_sequencer_t *self = *self_p;
    fob_blob_unref(&self->rows);
    fob_newest_clear(&self->newest);
    fob_inbox_free(&self->inbox);
    fob_recent_free(&self->recent);
    fob_marks_free(&self->marks);
    fob_holes_free(&self->holes);
    fob_gaps_destroy(&self->gaps);
    free(self);
    *self_p = NULL;
}

static uint64_t lower(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* --- the queue --- */

uint64_t fob_sequencer_room(const fob_sequencer_t *self, uint64_t elsewhere) {
    uint64_t used = self->inbox.events + elsewhere;
    return used < self->queue ? self->queue - used : 0;
}

uint64_t fob_sequencer_low(const fob_sequencer_t *self) {
    uint64_t low = fob_marks_low(&self->marks);
    return low > self->done ? low : self->done;
}

bool fob_sequencer_half_free(const fob_sequencer_t *self, uint64_t elsewhere) {
    return self->inbox.events + elsewhere <= self->queue / 2 &&
           self->inbox.bytes <= self->bytes / 2;
}

/* Whether the newest in the queue is a notice that ends where this one begins. */
static bool continues(fob_queued_t *newest, const fob_queued_t *notice) {
    return newest && notice->notice != FOB_NOTICE_EPOCH && newest->notice == notice->notice &&
           newest->epoch == notice->epoch &&
           (newest->last + 1 == notice->offset ||
            (FOB_PLANTED(NOTICES_JOINED) && newest->last < notice->offset)) &&
           fob_slice_eq(newest->bytes, notice->bytes);
}

bool fob_sequencer_tell(fob_sequencer_t *self, fob_notice_kind_t kind, uint64_t first,
                        uint64_t last, fob_slice_t topic) {
    fob_queued_t notice = {.bytes = topic,
                           .offset = first,
                           .count = 1,
                           .shard = self->shard,
                           .notice = kind,
                           .last = last,
                           .epoch = self->epoch};
    fob_queued_t *newest = fob_inbox_newest(&self->inbox);
    if (continues(newest, &notice)) {
        newest->last = last;
    } else {
        if (!fob_inbox_reserve(&self->inbox, 1))
            return false;
        notice.blob = topic.size ? fob_blob_copy(topic) : NULL;
        if (topic.size && !notice.blob)
            return false;
        notice.bytes = notice.blob ? fob_blob_slice(notice.blob) : (fob_slice_t){0};
        fob_inbox_put(&self->inbox, &notice);
        self->notices += kind != FOB_NOTICE_EPOCH;
    }
    if (kind == FOB_NOTICE_LOST)
        self->told += last - first + 1;
    return true;
}

uint64_t fob_sequencer_move(fob_sequencer_t *self, fob_batch_t *batch) {
    return fob_inbox_move(&self->inbox, batch);
}

uint64_t fob_sequencer_queued(const fob_sequencer_t *self) {
    return self->inbox.events;
}

/* --- what the bus says of itself --- */

/* All that is known of offsets begins here. */
static void begin_at(fob_sequencer_t *self, uint64_t base) {
    self->done = base;
    self->dense_first = self->dense_last = 0;
    self->seen = self->arrived = self->first_heard = 0;
    fob_marks_begin(&self->marks, base);
    fob_holes_cap(&self->holes, 0);
    fob_recent_clear(&self->recent);
    self->recent.holed = false;
}

static void begin(fob_sequencer_t *self, fob_sequencer_from_t from) {
    self->state = FOB_SEQUENCER_BEHIND;
    self->caught = false;
    self->story = STORY_HISTORY;
    self->quiet =
        from == FOB_SEQUENCER_EARLIEST || from == FOB_SEQUENCER_LAST || from == FOB_SEQUENCER_TIME;
    begin_at(self, 0);
    if (from == FOB_SEQUENCER_OFFSET)
        begin_at(self, self->start_value ? self->start_value - 1 : 0);
    else if (from == FOB_SEQUENCER_TIME)
        self->story = STORY_TIME;
    else if (from == FOB_SEQUENCER_LAST && self->head)
        self->story = STORY_LAST;
    else if (from != FOB_SEQUENCER_EARLIEST) {
        begin_at(self, self->head);
        self->state = FOB_SEQUENCER_CURRENT;
        self->quiet = false; /* what is gone from here on is missed */
    }
    self->last_upto = self->head;
}

static void tell_epoch(fob_sequencer_t *self) {
    if (self->untold.kind && fob_sequencer_tell(self, FOB_NOTICE_EPOCH, self->untold.first,
                                                self->untold.last, (fob_slice_t){0}))
        self->untold.kind = FOB_NOTICE_NONE;
}

/* What came before those that are lost was dropped for them: all is looked for anew. */
static void forget_newest(fob_sequencer_t *self, uint64_t began) {
    if (fob_newest_high(&self->newest) <= began)
        return;
    fob_newest_clear(&self->newest);
    self->done = 0;
    fob_marks_begin(&self->marks, 0);
}

/* Offsets above `began` are not what they were. */
static void renumber(fob_sequencer_t *self, uint64_t epoch, uint64_t began, uint64_t head) {
    uint64_t first = began + 1, last = self->seen > began ? self->seen : began;
    if (self->untold.kind) { /* nobody heard of the one before */
        first = lower(first, self->untold.first);
        last = self->untold.last > last ? self->untold.last : last;
    }
    self->untold = (fob_notice_t){.kind = FOB_NOTICE_EPOCH, .first = first, .last = last};
    self->epoch = epoch;
    self->head = head;
    self->fetch.vain = self->whole.vain = true;
    fob_recent_clear(&self->recent);
    fob_sequencer_fall_behind(self, false);
    if (FOB_PLANTED(EPOCH_KEPT))
        began = UINT64_MAX;
    fob_marks_cap(&self->marks, began);
    fob_holes_cap(&self->holes, began);
    self->done = lower(self->done, began);
    self->dense_first = self->dense_last = 0;
    self->seen = lower(self->seen, began);
    self->last_upto = lower(self->last_upto, began);
    self->arrived = self->first_heard = 0;
    forget_newest(self, began);
    tell_epoch(self);
}

/* It begins where one of epoch `known` ended, which had all before: what of it still holds? */
static void resume(fob_sequencer_t *self, uint64_t known, const fob_wire_t *welcome) {
    self->seen = self->done;
    if (welcome->epoch != known)
        renumber(self, welcome->epoch, welcome->began, welcome->head);
    else if (welcome->head < self->seen)
        renumber(self, welcome->epoch, welcome->head, welcome->head);
}

static void go_blind(fob_sequencer_t *self) {
    self->pauses += self->ever_up && !self->blind;
    self->blind = true;
    self->trouble = self->start == FOB_SEQUENCER_LATEST ? blind_text : blind_history_text;
    self->state = FOB_SEQUENCER_CURRENT;
    fob_sequencer_end_whole(self);
    fob_recent_clear(&self->recent);
    fob_newest_clear(&self->newest);
}

/* Within an epoch what was durable stays, so a bus with less than was seen has its folder from an
 * old copy, which was not made by `fob journal`: what is stored now gets offsets again that were
 * given before. And what was on its way of a topic that is not had up to `base` may never come. */
static void up_again(fob_sequencer_t *self, const fob_wire_t *welcome) {
    uint64_t head = self->arrived > self->head ? self->arrived : self->head;
    if (welcome->epoch != self->epoch || welcome->head < head) {
        uint64_t began = welcome->epoch != self->epoch ? welcome->began : welcome->head;
        renumber(self, welcome->epoch, began, welcome->head);
        return;
    }
    self->head = welcome->head;
    if (self->state == FOB_SEQUENCER_BEHIND)
        self->caught = false;
    else if (self->head > fob_sequencer_low(self))
        fob_sequencer_fall_behind(self, false);
}

/* Far behind, and much comes meanwhile, soon more than can be kept: the broadcast is of no use. (Of
 * a pattern for which little comes it is: it says where the journal need not be read any more,
 * which may be far behind the head.) It listens again well before it is there, so that it is not of
 * two minds. */
static void listen_or_not(fob_sequencer_t *self) {
    uint64_t head = self->arrived > self->head ? self->arrived : self->head;
    uint64_t behind = head > self->done ? head - self->done : 0;
    bool was = self->deaf, much = self->recent.holed || fob_recent_much(&self->recent);
    self->deaf = self->state == FOB_SEQUENCER_BEHIND && self->mode == FOB_SEQUENCER_RELIABLE &&
                 (was ? behind > self->far / 4 : behind > self->far && much);
    if (!self->deaf || was)
        return;
    fob_recent_clear(&self->recent);
    self->recent.holed = self->caught = false;
}

bool fob_sequencer_deaf(const fob_sequencer_t *self) {
    return self->deaf;
}

void fob_sequencer_listens(fob_sequencer_t *self) {
    if (!fob_sequencer_chained(self) || self->mode != FOB_SEQUENCER_RELIABLE || !self->ever_up)
        return;
    fob_sequencer_fall_behind(self, false);
    self->fetch.vain = true; /* it may have been answered before */
}

void fob_sequencer_up(fob_sequencer_t *self, fob_now_t now, const fob_wire_t *welcome) {
    fob_sequencer_down(self);
    self->now = self->fetch_at = now.mono_ns;
    self->connected = true;
    if (self->mode == FOB_SEQUENCER_LIVE) {
        self->state = FOB_SEQUENCER_CURRENT;
        return;
    }
    bool before = self->ever_up, was_blind = self->blind;
    if (!fob_caps_have(welcome->caps, FOB_CAP_FETCH)) {
        go_blind(self);
    } else if (before && !was_blind) {
        up_again(self, welcome);
    } else {
        self->blind = false;
        self->trouble = "";
        self->pauses += was_blind;
        uint64_t known = before ? 0 : self->epoch;
        self->epoch = welcome->epoch;
        self->head = welcome->head;
        begin(self, was_blind ? FOB_SEQUENCER_LATEST : self->start);
        if (known)
            resume(self, known, welcome);
    }
    self->ever_up = true;
}

void fob_sequencer_beat(fob_sequencer_t *self, fob_now_t now, const fob_wire_t *beat) {
    self->now = now.mono_ns;
    if (!fob_sequencer_chained(self) || !self->ever_up || !FOB_HAS(beat, epoch) ||
        !FOB_HAS(beat, head))
        return;
    if (beat->epoch != self->epoch)
        renumber(self, beat->epoch, beat->began, beat->head);
    else if (beat->head > self->head)
        self->head = beat->head;
    if (self->state == FOB_SEQUENCER_CURRENT)
        fob_sequencer_settle_dense(self);
    if (self->done >= self->head && !self->holes.count)
        self->trouble = ""; /* nothing is missing, whatever was not told */
    self->whole_due =
        self->whole_due || (self->head > self->marks.base_low && !FOB_PLANTED(HEAD_IGNORED));
}

void fob_sequencer_down(fob_sequencer_t *self) {
    self->connected = false;
    self->fetch.under_way = self->whole.under_way = false;
    self->whole_at = 0;
    fob_sequencer_end_whole(self);
}

void fob_sequencer_pause(fob_sequencer_t *self) {
    self->pauses += !fob_sequencer_chained(self);
}

/* --- what it asks --- */

/* The bus does not do what it is asked to, or has no memory for it. */
static void refused(fob_sequencer_t *self, const fob_wire_t *msg, bool fetch) {
    fob_status_t status = fob_wire_status(msg->code);
    if (fetch)
        self->fetch_at = self->now + FOB_SEQUENCER_PAUSE;
    else
        self->whole_at = self->now + FOB_SEQUENCER_WHOLE_PAUSE;
    if (status == FOB_LIMIT || status == FOB_BUSY)
        return; /* it has others to serve, too */
    fob_slice_t text = msg->text.size ? msg->text : fob_slice_str(fob_status_text(status));
    int size = text.size < sizeof self->said - 64 ? (int)text.size : (int)sizeof self->said - 64;
    snprintf(self->said, sizeof self->said, "the bus does not tell what is missing: %.*s", size,
             (const char *)text.data);
    self->trouble = self->said;
}

void fob_sequencer_doubt(fob_sequencer_t *self, const char *how) {
    self->doubted++;
    self->fetch_at = self->now + FOB_SEQUENCER_PAUSE;
    snprintf(self->said, sizeof self->said,
             "what the bus answers about its journal %s: what is missing cannot be read, and is "
             "asked for again; is the bus of another version?",
             how);
    self->trouble = self->said;
}

/* Whether this is the answer to it, which is then over. */
static bool answers(fob_request_t *request, const fob_wire_t *msg, bool *vain) {
    if (!request->under_way || msg->req != request->req)
        return false;
    *vain = request->vain;
    request->under_way = false;
    return true;
}

static void answer(fob_sequencer_t *self, const fob_wire_t *msg, fob_blob_t *body) {
    bool fetched = msg->verb == FOB_VERB_FETCHED, vain;
    if (!answers(fetched ? &self->fetch : &self->whole, msg, &vain) || vain)
        return;
    if (msg->code != FOB_OK) {
        refused(self, msg, fetched);
        return;
    }
    self->trouble = "";
    if (fetched)
        fob_sequencer_fetched(self, msg, body);
    else
        fob_sequencer_wholeness(self, msg, body);
}

void fob_sequencer_input(fob_sequencer_t *self, fob_now_t now, const fob_wire_t *msg,
                         fob_blob_t *body) {
    self->now = now.mono_ns;
    bool of_fetch = msg->of == FOB_VERB_FETCH && self->fetch.under_way;
    bool of_whole = msg->of == FOB_VERB_WHOLE && self->whole.under_way;
    if (msg->verb == FOB_VERB_FETCHED || msg->verb == FOB_VERB_WHOLENESS) {
        answer(self, msg, body);
    } else if (msg->verb == FOB_VERB_ERROR && (of_fetch || of_whole)) {
        if (of_fetch)
            self->fetch.under_way = false;
        else
            self->whole.under_way = false;
        refused(self, msg, of_fetch);
    }
}

/* It would go on, or ask, had the queue more room. */
static bool waits_for_room(const fob_sequencer_t *self) {
    return (self->state == FOB_SEQUENCER_BEHIND || self->holes.count) &&
           !fob_sequencer_half_free(self, self->elsewhere);
}

void fob_sequencer_round(fob_sequencer_t *self, fob_now_t now, uint64_t elsewhere) {
    self->now = now.mono_ns;
    self->elsewhere = elsewhere;
    if (!fob_sequencer_chained(self))
        return;
    tell_epoch(self);
    fob_sequencer_reckon(self);
    listen_or_not(self);
    self->stalled = waits_for_room(self);
    if (self->state == FOB_SEQUENCER_BEHIND && !self->stalled)
        fob_sequencer_go_on(self);
    self->stalled = self->stalled || waits_for_room(self);
}

/* It has something to fetch, and no FETCH is under way. */
static bool lacks(const fob_sequencer_t *self) {
    return self->connected && fob_sequencer_chained(self) && !self->stalled &&
           fob_sequencer_wants_fetch(self);
}

int64_t fob_sequencer_deadline(const fob_sequencer_t *self) {
    int64_t due = FOB_NEVER;
    if (self->untold.kind)
        due = self->now + FOB_SEQUENCER_PAUSE;
    if (self->rows && self->rows_at < due)
        due = self->rows_at;
    if (lacks(self) && self->fetch_at > self->now && self->fetch_at < due)
        due = self->fetch_at;
    if (self->connected && self->whole_at > self->now && self->whole_at < due &&
        fob_sequencer_wants_whole(self))
        due = self->whole_at;
    return due;
}

bool fob_sequencer_ask(fob_sequencer_t *self, fob_wire_t *out) {
    if (lacks(self) && self->now >= self->fetch_at) {
        fob_sequencer_write_fetch(self, out);
        return true;
    }
    if (self->connected && fob_sequencer_wants_whole(self) && self->now >= self->whole_at) {
        fob_sequencer_write_whole(self, out);
        return true;
    }
    return false;
}

void fob_sequencer_unsent(fob_sequencer_t *self, fob_now_t now, const fob_wire_t *msg) {
    self->now = now.mono_ns;
    if (msg->verb == FOB_VERB_WHOLE) {
        self->whole.under_way = false;
        self->whole_at = self->now + FOB_SEQUENCER_PAUSE;
        return;
    }
    self->fetch.under_way = false;
    self->fetch_at = self->now + FOB_SEQUENCER_PAUSE;
}

bool fob_sequencer_has_room(const fob_sequencer_t *self, uint64_t elsewhere) {
    return self->stalled && fob_sequencer_half_free(self, elsewhere);
}

/* --- figures --- */

void fob_sequencer_spoilt(fob_sequencer_t *self) {
    self->malformed++;
}

void fob_sequencer_lose(fob_sequencer_t *self, uint64_t count) {
    self->lost = count > UINT64_MAX - self->lost ? UINT64_MAX : self->lost + count;
}

void fob_sequencer_figures(const fob_sequencer_t *self, fob_sequencer_figures_t *out) {
    uint64_t low = fob_sequencer_low(self);
    *out =
        (fob_sequencer_figures_t){.state = self->state,
                                  .lost = self->lost,
                                  .pauses = self->pauses,
                                  .malformed = self->malformed,
                                  .doubted = self->doubted,
                                  .notices = self->notices,
                                  .told = self->told,
                                  .duplicates = self->duplicates,
                                  .fetched = self->fetched,
                                  .repairs = self->repairs,
                                  .position = lower(low, fob_holes_lowest(&self->holes)),
                                  .head = self->head > self->arrived ? self->head : self->arrived,
                                  .marks = self->marks.count,
                                  .holes = self->holes.count};
}

bool fob_sequencer_losses(const fob_sequencer_t *self, size_t *at, fob_gap_loss_t *out) {
    return fob_gaps_next(self->gaps, at, out);
}

uint64_t fob_sequencer_epoch(const fob_sequencer_t *self) {
    return self->epoch;
}

uint64_t fob_sequencer_lost(const fob_sequencer_t *self) {
    return self->lost;
}

uint64_t fob_sequencer_pauses(const fob_sequencer_t *self) {
    return self->pauses;
}

uint64_t fob_sequencer_malformed(const fob_sequencer_t *self) {
    return self->malformed;
}

const char *fob_sequencer_trouble(const fob_sequencer_t *self) {
    return self->trouble;
}
