/* The sequencer's conscience: the bus tells each topic's last event, and what is not there though
 * the bus has it was lost, also where nothing comes behind it. */
#include "proto/planted.h"
#include "subscribers/sequence/sequencer_inside.h"

#include <assert.h>

#define LOOKS_MOST 20 /* while the broadcast still brings what is older */

/* --- the rows: [topic, offset of its last event] --- */

typedef struct {
    fob_cursor_t cursor;
    uint32_t left;
    fob_slice_t topic;
    uint64_t last;
} rows_t;

static bool rows_open(rows_t *self, fob_blob_t *body) {
    self->cursor = fob_cursor(fob_blob_slice(body));
    self->left = 0;
    return fob_cursor_array(&self->cursor, &self->left);
}

/* False at the end, or where it is not a row (then cursor.failed). */
static bool rows_next(rows_t *self) {
    uint32_t elements;
    if (!self->left || self->cursor.failed)
        return false;
    self->left--;
    if (!fob_cursor_array(&self->cursor, &elements) || elements < 2 ||
        !fob_cursor_str(&self->cursor, &self->topic) ||
        !fob_cursor_uint(&self->cursor, &self->last)) {
        self->cursor.failed = true;
        return false;
    }
    for (; elements > 2; elements--)
        if (!fob_cursor_skip(&self->cursor, NULL))
            return false;
    return true;
}

static bool rows_good(const fob_sequencer_t *self, fob_blob_t *body) {
    rows_t rows;
    if (!body || !rows_open(&rows, body))
        return false;
    while (rows_next(&rows))
        if ((!fob_topic_valid(rows.topic) && !fob_topic_is_sys(rows.topic)) ||
            !fob_pattern_match(self->pattern, rows.topic) || rows.last == UINT64_MAX)
            return false;
    return !rows.cursor.failed && fob_cursor_end(&rows.cursor);
}

/* --- the question --- */

void fob_sequencer_end_whole(fob_sequencer_t *self) {
    fob_blob_unref(&self->rows);
    self->parts = 0;
}

static uint64_t target(const fob_sequencer_t *self) {
    return self->arrived > self->head ? self->arrived : self->head;
}

/* All of the part that is asked about now is had up to here. */
static uint64_t part_had(const fob_sequencer_t *self) {
    assert(self->parts);
    uint64_t base = fob_marks_base(&self->marks, self->part, self->parts);
    return base > self->done ? base : self->done;
}

/* Steps over parts of which all is had. */
static void pass_over(fob_sequencer_t *self) {
    while (self->part < self->parts && part_had(self) >= self->parts_upto)
        self->part++;
    if (self->part >= self->parts)
        self->parts = 0;
}

bool fob_sequencer_wants_whole(const fob_sequencer_t *self) {
    if (!fob_sequencer_chained(self) || self->state != FOB_SEQUENCER_CURRENT ||
        self->whole.under_way || self->rows)
        return false;
    if (self->parts)
        return part_had(self) < self->parts_upto;
    return self->whole_due && target(self) > self->marks.base_low && target(self) > self->done;
}

void fob_sequencer_write_whole(fob_sequencer_t *self, fob_wire_t *out) {
    *out = (fob_wire_t){.verb = FOB_VERB_WHOLE, .shard = self->shard};
    if (!self->parts) {
        self->part = 0;
        self->parts = fob_sequencer_parts(self);
        self->parts_next = 1;
        self->parts_upto = target(self);
        self->whole_due = false;
        pass_over(self);
    }
    self->whole = (fob_request_t){
        .under_way = true, .req = ++self->req, .from = part_had(self), .upto = self->parts_upto};
    FOB_SET(out, req, self->whole.req);
    FOB_SET(out, pattern, self->pattern);
    FOB_SET(out, from, self->whole.from);
    FOB_SET(out, upto, self->whole.upto);
    if (self->parts > 1) {
        FOB_SET(out, part, self->part);
        FOB_SET(out, parts, self->parts);
    }
}

/* --- the answer --- */

/* Whether this row tells of an event that should be here and is not. */
static bool missing(fob_sequencer_t *self, const rows_t *row, uint64_t *had) {
    fob_topic_mark_t *mark;
    *had = fob_sequencer_had(self, row->topic, &mark);
    return row->last <= self->rows_upto && *had < row->last;
}

static bool any_missing(fob_sequencer_t *self) {
    rows_t rows;
    uint64_t had;
    (void)rows_open(&rows, self->rows); /* read before */
    while (rows_next(&rows))
        if (missing(self, &rows, &had))
            return true;
    return false;
}

/* The topic's mark outlives the sweep; it gets one where it has none. */
static bool keep(fob_sequencer_t *self, fob_slice_t topic) {
    fob_topic_mark_t *mark;
    uint64_t had = fob_sequencer_had(self, topic, &mark);
    if (!mark)
        mark = fob_marks_add(&self->marks, topic, had);
    if (mark)
        mark->kept = true;
    return mark != NULL;
}

/* All of this part up to rows_upto is here, but for topics of which later events are on their way:
 * what of these is below is not told by the row, so their marks stay exact. */
static void settle(fob_sequencer_t *self) {
    rows_t rows;
    fob_topic_mark_t *mark;
    bool good = true;
    (void)rows_open(&rows, self->rows);
    while (good && rows_next(&rows))
        if (rows.last > self->rows_upto && !FOB_PLANTED(ON_ITS_WAY_IS_HERE) &&
            fob_sequencer_had(self, rows.topic, &mark) < rows.last)
            good = keep(self, rows.topic);
    if (!good) { /* no place for them, or no memory: another time, up to a later offset */
        fob_marks_unkeep(&self->marks);
        self->whole_at = self->now + FOB_SEQUENCER_PAUSE;
        fob_sequencer_end_whole(self);
        return;
    }
    fob_blob_unref(&self->rows);
    bool all = FOB_PLANTED(PART_TAKEN_FOR_ALL);
    fob_marks_settle(&self->marks, all ? 0 : self->part, all ? 1 : self->parts, self->rows_upto);
    self->marks_after = self->marks.count;
    fob_sequencer_join(self);
    self->part++;
    pass_over(self);
}

/* Notes the holes, to be asked about one by one. False: too many, or no memory. */
static bool note_holes(fob_sequencer_t *self) {
    rows_t rows;
    uint64_t had;
    (void)rows_open(&rows, self->rows);
    while (rows_next(&rows)) {
        if (!missing(self, &rows, &had))
            continue;
        fob_topic_mark_t *mark = fob_marks_find(&self->marks, rows.topic);
        if (!fob_holes_reserve(&self->holes))
            return false;
        if (!mark && !(mark = fob_marks_add(&self->marks, rows.topic, had)))
            return false;
        fob_holes_put(&self->holes, rows.topic, had, rows.last);
        fob_marks_raise(&self->marks, mark, rows.last);
        if (rows.last > self->seen)
            self->seen = rows.last;
    }
    return true;
}

static void look(fob_sequencer_t *self) {
    bool lacks = any_missing(self);
    if (lacks && self->now < self->rows_at)
        return;
    if (lacks && self->arrived < self->rows_upto && self->heard != self->rows_heard &&
        ++self->rows_looks < LOOKS_MOST) {
        self->rows_heard = self->heard; /* what is older still comes */
        self->rows_at = self->now + FOB_SEQUENCER_GRACE;
        return;
    }
    bool tells = self->mode == FOB_SEQUENCER_NOTIFY && self->story == STORY_NONE;
    if (lacks && !(tells && note_holes(self)))
        fob_sequencer_fall_behind(self, false);
    else
        settle(self);
}

void fob_sequencer_reckon(fob_sequencer_t *self) {
    if (self->rows && self->now >= self->rows_at)
        look(self);
    if (self->parts && !self->whole.under_way && !self->rows)
        pass_over(self);
}

/* In how many parts the bus would be asked next. */
static uint64_t advice_of(const fob_wire_t *msg) {
    bool good = msg->parts > 0 && msg->parts <= FOB_PARTS_MAX && !(msg->parts & (msg->parts - 1));
    return good ? msg->parts : 1;
}

void fob_sequencer_wholeness(fob_sequencer_t *self, const fob_wire_t *msg, fob_blob_t *body) {
    uint64_t advice = advice_of(msg);
    if (advice > self->parts_next)
        self->parts_next = advice;
    if (msg->more && advice > self->parts) {
        fob_sequencer_end_whole(self);
        self->whole_due = true; /* in smaller parts, at once */
        return;
    }
    if ((msg->floor > part_had(self) && !FOB_PLANTED(FLOOR_IGNORED)) || msg->more) {
        fob_sequencer_fall_behind(self, false); /* the bus cannot say: the journal can */
        return;
    }
    if (!rows_good(self, body)) {
        fob_sequencer_doubt(self, "breaks the protocol");
        fob_sequencer_end_whole(self);
        return;
    }
    self->rows = fob_blob_ref(body);
    self->rows_upto = self->whole.upto;
    self->rows_at = self->now + FOB_SEQUENCER_GRACE;
    self->rows_heard = self->heard;
    self->rows_looks = 0;
    look(self);
}
