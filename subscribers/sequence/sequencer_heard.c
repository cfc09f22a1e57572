/* The sequencer's ear: what the broadcast brings. */
#include "subscribers/sequence/sequencer_inside.h"

#include "proto/envelope.h"
#include "proto/planted.h"
#include "proto/uniform.h"

/* A fire-and-forget publisher is a stranger: a hole beyond this is nonsense, not a loss. */
#define FIRE_HOLE_MOST ((uint64_t)1 << 32)
/* Of topics, in an answer to WHOLE, which holds 256 KiB and what was looked at for it: more than
 * that would have to be read. */
#define ROWS_BYTES ((size_t)160 << 10)
#define ROW_BYTES  13 /* of a row, beside the name, at the most */

static size_t rows_bytes(const fob_marks_t *marks) {
    return marks->names_size + (size_t)marks->count * ROW_BYTES;
}

/* So many topics are remembered that it is time to ask whether all is there, and to forget: the
 * table is soon full, or the answer would be. */
static bool many_marks(const fob_sequencer_t *self) {
    const fob_marks_t *marks = &self->marks;
    uint32_t max = fob_marks_max(marks);
    return (marks->count > max / 4 * 3 && marks->count >= self->marks_after + max / 8) ||
           rows_bytes(marks) >= ROWS_BYTES * fob_sequencer_parts(self);
}

static bool wanted(const fob_sequencer_t *self, fob_slice_t topic) {
    if (!fob_topic_valid(topic) && !fob_topic_is_sys(topic))
        return false;
    return fob_pattern_match(self->pattern, topic);
}

/* Whether the body is `count` events of the topic and nothing else. */
static bool whole(const fob_cast_t *cast, fob_slice_t body) {
    return fob_uniform(body, cast->topic, cast->count, UINT64_MAX) == FOB_OK;
}

/* How many of a message the queue takes. */
static uint64_t room_for(const fob_sequencer_t *self, fob_blob_t *body, uint64_t elsewhere) {
    if (self->inbox.messages && self->inbox.bytes + fob_blob_slice(body).size > self->bytes)
        return 0;
    return fob_sequencer_room(self, elsewhere);
}

/* --- what is counted only: fire-and-forget, and all in mode LIVE --- */

/* How many are lost at once at the most. */
static uint64_t most_lost(const fob_cast_t *cast) {
    return cast->kind == FOB_CAST_FIRE ? FIRE_HOLE_MOST : UINT64_MAX;
}

/* Counts what is missing before these events. */
static void count_hole(fob_sequencer_t *self, const fob_cast_t *cast) {
    uint64_t missing;
    if (!fob_gaps_see(self->gaps, cast->source, cast->topic, cast->seq, cast->count,
                      most_lost(cast), &missing))
        self->malformed++;
    fob_sequencer_lose(self, FOB_PLANTED(LOSS_UNTOLD) ? 0 : missing);
}

/* They came, and had to be dropped. */
static void drop(fob_sequencer_t *self, const fob_cast_t *cast, uint64_t count) {
    fob_gaps_lose(self->gaps, cast->source, cast->topic, count);
    fob_sequencer_lose(self, count);
}

/* What does not fit into a queue is lost; while stored events wait for room, half of it is
 * theirs. */
static void take_counted(fob_sequencer_t *self, const fob_cast_t *cast, fob_blob_t *body,
                         uint64_t elsewhere) {
    if (!wanted(self, cast->topic))
        return;
    if (!whole(cast, fob_blob_slice(body))) {
        self->malformed++; /* its numbers are not to be believed, either */
        return;
    }
    count_hole(self, cast);
    uint64_t keep = room_for(self, body, elsewhere);
    uint64_t theirs = self->queue - self->queue / 2;
    if (self->state == FOB_SEQUENCER_BEHIND)
        keep = keep > theirs ? keep - theirs : 0;
    if (keep > cast->count)
        keep = cast->count;
    if (keep && !fob_inbox_reserve(&self->inbox, 1))
        keep = 0;
    drop(self, cast, cast->count - keep);
    const fob_queued_t message = {.blob = body,
                                  .bytes = fob_blob_slice(body),
                                  .offset = cast->kind == FOB_CAST_STORED ? cast->offset : 0,
                                  .count = keep,
                                  .time_ms = cast->time_ms,
                                  .shard = cast->shard,
                                  .epoch = cast->epoch};
    if (keep) {
        fob_blob_ref(body);
        fob_inbox_put(&self->inbox, &message);
    }
}

void fob_sequencer_miss(fob_sequencer_t *self, const fob_cast_t *cast) {
    bool stored = cast->kind == FOB_CAST_STORED, fire = cast->kind == FOB_CAST_FIRE;
    if (!cast->count || !(stored || fire) || !wanted(self, cast->topic))
        return;
    if (stored && fob_sequencer_chained(self))
        return; /* the chain tells */
    if (cast->count > most_lost(cast)) {
        self->malformed++;
        return;
    }
    count_hole(self, cast);
    drop(self, cast, cast->count);
}

/* --- the chain --- */

uint64_t fob_sequencer_had(fob_sequencer_t *self, fob_slice_t topic, fob_topic_mark_t **mark) {
    uint64_t had = fob_marks_had(&self->marks, topic, mark);
    return had > self->done ? had : self->done;
}

/* The events first .. first + count - 1 of a message. */
static fob_slice_t part(const fob_heard_t *heard, uint64_t first, uint64_t count) {
    fob_cursor_t cursor = fob_cursor(fob_blob_slice(heard->body));
    fob_slice_t topic, bytes;
    for (uint64_t skip = first - heard->offset; skip > 0; skip--)
        (void)fob_envelope_skim(&cursor, &topic, &bytes); /* skimmed when it came */
    const uint8_t *begin = cursor.at;
    if (first + count == heard->offset + heard->count)
        return fob_slice(begin, (size_t)(cursor.end - begin));
    for (; count > 0; count--)
        (void)fob_envelope_skim(&cursor, &topic, &bytes);
    return fob_slice(begin, (size_t)(cursor.at - begin));
}

/* Room to note that the topic is had further, beyond the event `first`; `hole`: but not all below.
 * What joins `done` needs no mark. */
static bool reserve(fob_sequencer_t *self, const fob_heard_t *heard, bool hole, uint64_t had,
                    uint64_t first, fob_topic_mark_t **mark) {
    if (!fob_inbox_reserve(&self->inbox, 1) || (hole && !fob_holes_reserve(&self->holes)))
        return false;
    if (*mark || first <= self->done + 1)
        return true;
    *mark = fob_marks_add(&self->marks, heard->topic, had);
    self->whole_due = self->whole_due || many_marks(self);
    return *mark != NULL;
}

/* Each event of the topic up to `upto` is had, and `first` to `upto` are its. */
static void note(fob_sequencer_t *self, fob_topic_mark_t *mark, uint64_t first, uint64_t upto) {
    if (mark)
        fob_marks_raise(&self->marks, mark, upto);
    if (upto > self->seen)
        self->seen = upto;
    if (first <= self->done + 1 && upto > self->done)
        self->done = upto;
    if (first < self->dense_first || first > self->dense_last + 1)
        self->dense_first = first;
    else if (upto <= self->dense_last)
        return;
    self->dense_last = upto;
}

fob_heard_fate_t fob_sequencer_offer(fob_sequencer_t *self, const fob_heard_t *heard,
                                     uint64_t elsewhere) {
    fob_topic_mark_t *mark;
    uint64_t had = fob_sequencer_had(self, heard->topic, &mark);
    uint64_t last = heard->offset + heard->count - 1;
    if (FOB_PLANTED(RECENT_TAKEN_TWICE) && self->state == FOB_SEQUENCER_BEHIND &&
        had >= heard->offset)
        had = heard->offset - 1;
    bool hole = heard->prev > had && !FOB_PLANTED(PREV_IGNORED);
    if (last <= had) {
        self->duplicates += heard->count;
        return FOB_HEARD_OLD;
    }
    if (hole && (self->mode == FOB_SEQUENCER_RELIABLE || self->story != STORY_NONE))
        return FOB_HEARD_HOLE;
    uint64_t first = heard->offset > had ? heard->offset : had + 1;
    uint64_t room = room_for(self, heard->body, elsewhere), count = last - first + 1;
    if (!room)
        return FOB_HEARD_FULL;
    if (!reserve(self, heard, hole, had, first, &mark))
        return FOB_HEARD_UNKEPT;
    if (count > room)
        count = room;
    const fob_queued_t message = {.blob = fob_blob_ref(heard->body),
                                  .bytes = part(heard, first, count),
                                  .offset = first,
                                  .count = count,
                                  .time_ms = heard->time_ms,
                                  .shard = heard->shard,
                                  .epoch = self->epoch};
    fob_inbox_put(&self->inbox, &message);
    if (hole)
        fob_holes_put(&self->holes, heard->topic,
                      had + (FOB_PLANTED(HOLE_ONE_SHORT) && had + 1 < heard->prev), heard->prev);
    uint64_t upto = FOB_PLANTED(FULL_IS_TAKEN) ? last : first + count - 1;
    note(self, mark, first, upto);
    self->duplicates += first - heard->offset;
    return upto == last ? FOB_HEARD_TAKEN : FOB_HEARD_FULL;
}

void fob_sequencer_fall_behind(fob_sequencer_t *self, bool caught) {
    self->done = fob_sequencer_low(self);
    self->repairs += self->state == FOB_SEQUENCER_CURRENT;
    self->state = FOB_SEQUENCER_BEHIND;
    self->caught = caught;
    self->whole.vain = true;
    fob_sequencer_end_whole(self);
}

void fob_sequencer_join(fob_sequencer_t *self) {
    if (self->story == STORY_HISTORY && self->first_heard &&
        (self->marks.base_low >= self->first_heard - 1 || self->done >= self->first_heard - 1))
        self->story = STORY_NONE;
}

void fob_sequencer_settle_done(fob_sequencer_t *self) {
    if (self->done > self->marks.base_low)
        fob_marks_rise(&self->marks, self->done);
    /* (Below a base the marks say what is not had.) */
    if (self->done >= self->marks.base_high && self->marks.count &&
        (self->caught || self->marks.high <= self->done)) {
        fob_marks_sweep(&self->marks, self->done);
        self->marks_after = self->marks.count;
    }
}

void fob_sequencer_settle_dense(fob_sequencer_t *self) {
    self->done = fob_sequencer_low(self);
    bool joins = self->dense_first <= self->done + 1 || FOB_PLANTED(RUN_BEHIND_GAP);
    if (joins && self->dense_last > self->done)
        self->done = self->dense_last;
    fob_sequencer_settle_done(self);
}

static void take_chained(fob_sequencer_t *self, const fob_cast_t *cast, fob_blob_t *body,
                         uint64_t elsewhere) {
    const fob_heard_t heard = {.body = body,
                               .topic = cast->topic,
                               .offset = cast->offset,
                               .count = cast->count,
                               .prev = cast->prev,
                               .time_ms = cast->time_ms,
                               .shard = cast->shard};
    uint64_t last = cast->offset + cast->count - 1;
    if (!fob_marks_find(&self->marks, cast->topic) && !wanted(self, cast->topic))
        return;
    if (!whole(cast, fob_blob_slice(body)) || last == UINT64_MAX) {
        self->malformed++;
        return;
    }
    self->heard++;
    if (last > self->arrived)
        self->arrived = last;
    if (!self->first_heard)
        self->first_heard = cast->offset;
    fob_sequencer_join(self);
    if (self->state == FOB_SEQUENCER_CURRENT) {
        fob_heard_fate_t fate = fob_sequencer_offer(self, &heard, elsewhere);
        if (fate == FOB_HEARD_TAKEN || fate == FOB_HEARD_OLD)
            return;
        fob_sequencer_fall_behind(self, fate == FOB_HEARD_FULL);
    }
    if (!self->deaf)
        fob_recent_put(&self->recent, &heard);
}

void fob_sequencer_take(fob_sequencer_t *self, const fob_cast_t *cast, fob_blob_t *body,
                        uint64_t elsewhere) {
    bool stored = cast->kind == FOB_CAST_STORED;
    if (!cast->count || (!stored && cast->kind != FOB_CAST_FIRE))
        return;
    if (!stored || !fob_sequencer_chained(self))
        take_counted(self, cast, body, elsewhere);
    else if (self->state != FOB_SEQUENCER_AWAY && cast->epoch == self->epoch)
        take_chained(self, cast, body, elsewhere);
    /* What is of another epoch is fetched, when the bus has told how it numbers now. */
}
