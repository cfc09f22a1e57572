/* store: what an offer stores becomes records: one of events for each stretch of numbers that
 * follow one another, one for the duplicates. All that can fail is done first. */
#include "bus/core/durable/seed.h"
#include "bus/core/publish/shed.h"
#include "proto/planted.h"

#include <assert.h>

#define FORGET_MOST 2 /* sessions for one that comes: the table shrinks all the same */

/* A batch to be stored. */
typedef struct {
    fob_sheet_t *sheet;
    uint64_t number; /* of its first event */
    uint32_t runs;   /* of one topic each */
} piece_t;

/* What storing needs, in the open turn. */
typedef struct {
    fob_offer_t *offer;
    piece_t *pieces;
    uint32_t count, rows; /* rows: of duplicates */
    fob_shed_t *sheds;
    size_t shed_count;
    fob_span_t *spans;
    uint8_t *heads, *forget, *answers;
    const uint8_t *due[FORGET_MOST]; /* sessions that make room for this one */
    uint32_t due_count;
} plan_t;

/* --- the broadcast --- */

static uint32_t topic_runs(const fob_sheet_t *sheet) {
    uint32_t runs = 1;
    for (uint32_t i = 1; sheet->topic_count > 1 && i < sheet->count; i++)
        runs += sheet->topic[i] != sheet->topic[i - 1];
    return runs;
}

/* Tells the broadcast of each run of one topic. */
static fob_span_t *cast(fob_core_t *core, const fob_sheet_t *sheet, fob_span_t *spans) {
    for (uint32_t from = 0; from < sheet->count;) {
        uint32_t to = from + 1, topic = sheet->topic[from];
        if (sheet->topic_count == 1)
            to = sheet->count;
        while (to < sheet->count && sheet->topic[to] == topic)
            to++;
        fob_slice_t name = fob_sheet_topic(sheet, topic);
        uint64_t offset = sheet->first_offset + from;
        fob_linked_t link = fob_chain_link(&core->chain, name, offset, to - from);
        *spans = (fob_span_t){.offset = offset,
                              .count = to - from,
                              .time_ms = sheet->time_ms,
                              .blob = sheet->blob,
                              .at = sheet->at + sheet->begin[from],
                              .size = sheet->begin[to] - sheet->begin[from]};
        fob_effect_t *effect = fob_turn_effect(core->open, FOB_EFF_STORED);
        effect->after = sheet->position;
        effect->spans = spans++;
        effect->span_count = 1;
        effect->topic = name;
        effect->prev = FOB_PLANTED(PREV_UNTOLD) ? 0 : link.prev;
        effect->nth = link.nth;
        effect->born = link.born;
        from = to;
    }
    return spans;
}

/* --- pieces --- */

static bool stores(const fob_offer_t *self, uint32_t index) {
    return !self->items || self->items[index].fate == FOB_FATE_STORE;
}

/* The first index behind the stretch of numbers with one fate that begins at `from`. */
static uint32_t stretch_end(const fob_offer_t *self, uint32_t from) {
    if (!self->items)
        return self->count;
    uint32_t to = from + 1;
    while (to < self->count && self->items[to].fate == self->items[from].fate)
        to++;
    return to;
}

static uint32_t count_pieces(const fob_offer_t *self) {
    uint32_t pieces = 0;
    for (uint32_t from = 0; from < self->count; from = stretch_end(self, from))
        pieces += stores(self, from);
    return pieces;
}

/* A sheet of a copy of the bytes of items[from..to - 1], all good; NULL: no memory. */
static fob_sheet_t *copy_stretch(fob_offer_t *self, uint32_t from, uint32_t to) {
    fob_core_t *core = self->core;
    const fob_item_t *first = &self->items[from], *last = &self->items[to - 1];
    fob_slice_t body = fob_blob_slice(self->body);
    fob_blob_t *blob =
        fob_blob_copy(fob_slice(body.data + first->at, last->at + last->size - first->at));
    fob_sheet_t *sheet = blob ? fob_sheet_new(&core->sheets) : NULL;
    fob_status_t status = FOB_NO_MEMORY;
    if (sheet)
        status = fob_sheet_index(sheet, blob, 0, fob_blob_slice(blob), false, 0,
                                 FOB_SHEET_PRIORITIES | FOB_SHEET_IDS, core->dedup);
    assert(status != FOB_BAD_EVENT); /* each was read just now */
    if (status == FOB_OK && !fob_sheet_route(sheet, &core->topics, &core->groups))
        status = FOB_NO_MEMORY;
    fob_blob_unref(&blob);
    if (status == FOB_OK)
        return sheet;
    if (sheet)
        fob_sheet_unref(&core->sheets, sheet);
    return NULL;
}

static void drop_pieces(plan_t *self) {
    for (uint32_t i = 0; i < self->count; i++)
        fob_sheet_unref(&self->offer->core->sheets, self->pieces[i].sheet);
    self->count = 0;
}

/* A batch all of which is to be stored is stored as it is. */
static fob_sheet_t *piece_of(fob_offer_t *offer, uint32_t from, uint32_t to) {
    if (from == 0 && to == offer->count)
        return fob_sheet_ref(offer->sheet);
    return copy_stretch(offer, from, to);
}

/* False: no memory. */
static bool make_pieces(plan_t *self) {
    fob_offer_t *offer = self->offer;
    for (uint32_t from = 0, to; from < offer->count; from = to) {
        to = stretch_end(offer, from);
        if (!stores(offer, from))
            continue;
        fob_sheet_t *sheet = piece_of(offer, from, to);
        if (!sheet) {
            drop_pieces(self);
            return false;
        }
        self->pieces[self->count++] = (piece_t){sheet, offer->first + from, topic_runs(sheet)};
    }
    return true;
}

/* --- room --- */

/* Before any event is stored: what goes for it is counted from what is there. */
static bool reserve_sheds(plan_t *self, fob_open_turn_t *turn) {
    self->shed_count = fob_shed_count(self->offer);
    if (self->shed_count == 0)
        return true;
    self->sheds = (void *)fob_turn_bytes(turn, self->shed_count * sizeof *self->sheds);
    return self->sheds && fob_shed_reserve(self->offer, self->sheds, self->shed_count);
}

static bool reserve_bytes(plan_t *self, fob_open_turn_t *turn, uint32_t runs) {
    size_t heads = (self->count ? self->count : 1) * (size_t)FOB_RECORD_EVENTS_SIZE;
    size_t forget = FOB_RECORD_FORGET_SIZE + self->due_count * (size_t)FOB_SESSION_SIZE;
    size_t answers = FOB_RECORD_ANSWERS_SIZE + self->rows * (size_t)FOB_RECORD_ANSWERS_ROW;
    self->spans = runs ? (void *)fob_turn_bytes(turn, runs * sizeof *self->spans) : NULL;
    self->heads = fob_turn_bytes(turn, heads);
    self->forget = self->due_count ? fob_turn_bytes(turn, forget) : NULL;
    self->answers = self->rows ? fob_turn_bytes(turn, answers) : NULL;
    return (self->spans || !runs) && self->heads && (self->forget || !self->due_count) &&
           (self->answers || !self->rows);
}

/* Everything that may fail, but for the pieces; the secret of ids last, as it is a record. */
static bool reserve(plan_t *self, size_t effects) {
    fob_offer_t *offer = self->offer;
    fob_core_t *core = offer->core;
    fob_open_turn_t *turn = core->open;
    uint32_t runs = 0, answers = self->rows;
    for (uint32_t i = 0; i < self->count; i++) {
        runs += self->pieces[i].runs;
        answers += fob_apply_count_answers(self->pieces[i].sheet);
    }
    self->due_count = fob_writers_due(&core->writers, offer->session, core->now.mono_ns,
                                      fob_core_time(core), self->due, FORGET_MOST);
    bool ids = self->count && offer->sheet->flags & FOB_SHEET_IDS;
    if (self->count && !fob_apply_reserve_sheet(core, offer->sheet))
        return false;
    return fob_writers_reserve(&core->writers, offer->session, answers) &&
           fob_cache_reserve(&core->cache, self->count) && reserve_bytes(self, turn, runs) &&
           reserve_sheds(self, turn) &&
           (!offer->refusal || fob_refusals_reserve(&core->refusals, offer->conn)) &&
           fob_turn_reserve(turn, self->count + 4 + self->shed_count, runs + effects, self->count,
                            self->count) &&
           (!ids || fob_core_seed(core));
}

/* --- records --- */

/* Forgets who must make room for this session. */
static void forget_due(plan_t *self) {
    fob_core_t *core = self->offer->core;
    if (self->due_count == 0)
        return;
    fob_slice_t record = fob_slice(self->forget, FOB_RECORD_FORGET_SIZE +
                                                     self->due_count * (size_t)FOB_SESSION_SIZE);
    fob_record_write_forget(self->forget, self->due, self->due_count);
    fob_status_t status = fob_apply(core, fob_core_next_position(core), record);
    assert(status == FOB_OK);
    (void)status;
    fob_turn_record(core->open, record, NULL, 0, 0);
}

static fob_record_events_t events_record(const fob_offer_t *offer, uint64_t number) {
    fob_record_events_t record = {.time_ms = fob_core_time(offer->core),
                                  .first_offset = offer->core->head + 1,
                                  .first_number = number,
                                  .low = offer->low,
                                  .next_number = offer->end};
    memcpy(record.session, offer->session, FOB_SESSION_SIZE);
    return record;
}

static uint8_t *next_head(plan_t *self) {
    uint8_t *head = self->heads;
    self->heads += FOB_RECORD_EVENTS_SIZE;
    return head;
}

static void store_piece(plan_t *self, const piece_t *piece) {
    fob_core_t *core = self->offer->core;
    fob_open_turn_t *turn = core->open;
    fob_sheet_t *sheet = piece->sheet;
    fob_record_events_t record = events_record(self->offer, piece->number);
    record.flags = sheet->flags;
    record.count = sheet->count;
    uint8_t *head = next_head(self);
    fob_record_write_events(head, &record);
    fob_turn_record(turn, fob_slice(head, FOB_RECORD_EVENTS_SIZE), sheet->blob, record.first_offset,
                    record.count);
    sheet->first_offset = record.first_offset;
    sheet->time_ms = record.time_ms;
    sheet->position = fob_core_next_position(core);
    sheet->pinned = true;
    turn->sheets[turn->sheet_count++] = fob_sheet_ref(sheet);
    fob_cache_add(&core->cache, sheet);
    fob_apply_events(core, sheet->position, &record, sheet);
    self->spans = cast(core, sheet, self->spans);
    core->events_in += sheet->count;
}

/* The session's numbers move on where nothing is stored. */
static void store_nothing(plan_t *self) {
    fob_core_t *core = self->offer->core;
    fob_record_events_t record = events_record(self->offer, self->offer->first);
    uint8_t *head = next_head(self);
    fob_record_write_events(head, &record);
    fob_turn_record(core->open, fob_slice(head, FOB_RECORD_EVENTS_SIZE), NULL, 0, 0);
    fob_apply_events(core, fob_core_next_position(core), &record, NULL);
}

/* Whether the duplicate continues the row. */
static bool continues(const fob_record_answer_t *row, const fob_item_t *item, uint64_t number) {
    return row->count && row->number + row->count == number &&
           row->offset + row->count == item->offset && row->flags == item->flags;
}

static void store_duplicates(plan_t *self) {
    fob_offer_t *offer = self->offer;
    fob_record_answers_t record = {
        .time_ms = fob_core_time(offer->core), .low = offer->low, .next_number = offer->end};
    memcpy(record.session, offer->session, FOB_SESSION_SIZE);
    uint8_t *at = self->answers + FOB_RECORD_ANSWERS_SIZE - FOB_RECORD_ANSWERS_ROW;
    fob_record_answer_t row = {0};
    for (uint32_t i = 0; i < offer->count; i++) {
        const fob_item_t *item = &offer->items[i];
        if (item->fate != FOB_FATE_DUPLICATE)
            continue;
        if (!continues(&row, item, offer->first + i)) {
            at += FOB_RECORD_ANSWERS_ROW;
            record.rows++;
            row = (fob_record_answer_t){
                .number = offer->first + i, .offset = item->offset, .flags = item->flags};
        }
        row.count++;
        fob_record_write_answer(at, &row);
    }
    fob_record_write_answers(self->answers, &record);
    fob_core_t *core = offer->core;
    fob_slice_t bytes =
        fob_slice(self->answers, (size_t)(at + FOB_RECORD_ANSWERS_ROW - self->answers));
    fob_turn_record(core->open, bytes, NULL, 0, 0);
    fob_status_t status = fob_apply(core, fob_core_next_position(core), bytes);
    assert(status == FOB_OK); /* room was reserved, and we wrote it */
    (void)status;
}

static void perform(plan_t *self) {
    fob_offer_t *offer = self->offer;
    fob_core_t *core = offer->core;
    bool moves = self->count || self->rows || offer->end > offer->next;
    if (moves)
        forget_due(self);
    for (uint32_t i = 0; i < self->count; i++)
        store_piece(self, &self->pieces[i]);
    for (size_t i = 0; i < self->shed_count; i++)
        fob_shed_perform(offer, &self->sheds[i]);
    if (self->rows)
        store_duplicates(self);
    else if (moves && !self->count)
        store_nothing(self);
    if (self->count || self->rows)
        fob_core_wait(core, fob_core_next_position(core));
    if (offer->refusal)
        fob_refusals_keep(&core->refusals, offer->conn, offer->end);
    core->busy += offer->busy;
}

fob_status_t fob_offer_store(fob_offer_t *self, size_t effects) {
    plan_t plan = {.offer = self, .rows = self->duplicates};
    fob_open_turn_t *turn = fob_core_open(self->core);
    uint32_t pieces = count_pieces(self);
    plan.pieces = turn ? (void *)fob_turn_bytes(turn, (pieces + 1) * sizeof *plan.pieces) : NULL;
    if (!plan.pieces || !make_pieces(&plan))
        return FOB_NO_MEMORY;
    bool room = reserve(&plan, effects);
    if (room)
        perform(&plan);
    for (uint32_t i = 0; i < plan.count; i++)
        fob_sheet_forget_idents(plan.pieces[i].sheet);
    drop_pieces(&plan);
    return room ? FOB_OK : FOB_NO_MEMORY;
}
