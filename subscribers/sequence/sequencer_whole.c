/* The sequencer's conscience: the bus tells each topic's last event, and what is not there though
 * the bus has it was lost, also where nothing comes behind it. */
#include "proto/planted.h"
#include "subscribers/sequence/sequencer_inside.h"

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

void fob_sequencer_drop_rows(fob_sequencer_t *self) {
    fob_blob_unref(&self->rows);
}

/* --- the question --- */

static uint64_t target(const fob_sequencer_t *self) {
    return self->arrived > self->head ? self->arrived : self->head;
}

bool fob_sequencer_wants_whole(const fob_sequencer_t *self) {
    return fob_sequencer_chained(self) && self->state == FOB_SEQUENCER_CURRENT && self->whole_due &&
           !self->whole.under_way && !self->rows && target(self) > self->base;
}

void fob_sequencer_write_whole(fob_sequencer_t *self, fob_wire_t *out) {
    *out = (fob_wire_t){.verb = FOB_VERB_WHOLE, .shard = self->shard};
    self->whole = (fob_request_t){
        .under_way = true, .req = ++self->req, .from = self->base, .upto = target(self)};
    self->whole_due = false;
    FOB_SET(out, req, self->whole.req);
    FOB_SET(out, pattern, self->pattern);
    FOB_SET(out, from, self->whole.from);
    FOB_SET(out, upto, self->whole.upto);
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

/* All up to rows_upto is here, but for topics of which later events are on their way: what of these
 * is below is not told by the row, so their marks stay exact. */
static void settle(fob_sequencer_t *self) {
    rows_t rows;
    fob_topic_mark_t *mark;
    bool good = true;
    (void)rows_open(&rows, self->rows);
    while (good && rows_next(&rows))
        if (rows.last > self->rows_upto && !FOB_PLANTED(ON_ITS_WAY_IS_HERE) &&
            fob_sequencer_had(self, rows.topic, &mark) < rows.last)
            good = keep(self, rows.topic);
    if (good) {
        self->base = self->rows_upto;
        fob_sequencer_sweep(self, self->base);
        fob_sequencer_join(self);
    } else {
        fob_marks_unkeep(&self->marks); /* no memory: the next beat asks again */
    }
    fob_sequencer_drop_rows(self);
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
}

void fob_sequencer_wholeness(fob_sequencer_t *self, const fob_wire_t *msg, fob_blob_t *body) {
    if ((msg->floor > self->base && !FOB_PLANTED(FLOOR_IGNORED)) || msg->more) {
        fob_sequencer_fall_behind(self, false); /* the bus cannot say: the journal can */
        return;
    }
    if (!rows_good(self, body)) {
        fob_sequencer_doubt(self, "breaks the protocol");
        return;
    }
    self->rows = fob_blob_ref(body);
    self->rows_upto = self->whole.upto;
    self->rows_at = self->now + FOB_SEQUENCER_GRACE;
    self->rows_heard = self->heard;
    self->rows_looks = 0;
    look(self);
}
