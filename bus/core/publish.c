/* publish: a batch is stored, or answered from what is known, or refused, number by number. */
#include "bus/core/seed.h"

#include <assert.h>
#include <stdlib.h>

#define ROWS_MAX    1500 /* in one RECEIPT: its header stays well below the limit */
#define FORGET_MOST 2    /* sessions for one that comes: the table shrinks all the same */
#define ROW_BYTES   40   /* of an encoded row, at most */

/* One PUBLISH on its way. */
typedef struct {
    fob_core_t *core;
    uint64_t conn;
    const uint8_t *session;
    uint64_t first, low, next; /* next: the number that may be stored next */
    uint32_t count;
    fob_blob_t *body;
    /* the receipts being written */
    uint8_t *area;
    uint32_t rows, effects_left;
    uint64_t row[5]; /* the last, not encoded yet; row[2] (count) 0: none */
} offer_t;

typedef fob_item_t item_t;

/* --- receipts --- */

/* Room for receipts of so many rows; false: no memory. */
static bool receipts_reserve(offer_t *self, size_t rows) {
    fob_open_turn_t *turn = fob_core_open(self->core);
    size_t effects = rows / ROWS_MAX + 1;
    size_t bytes = rows * ROW_BYTES + effects * 8;
    fob_buf_clear(&self->core->rows);
    fob_buf_clear(&self->core->row_heads);
    if (!turn || !fob_turn_reserve(turn, 0, effects, 0, 0) ||
        !fob_buf_room(&self->core->rows, ROWS_MAX * ROW_BYTES))
        return false;
    self->area = fob_turn_bytes(turn, bytes);
    self->effects_left = (uint32_t)effects;
    return self->area && fob_buf_room(&self->core->row_heads, 16);
}

static void receipt_send(offer_t *self) {
    fob_core_t *core = self->core;
    if (self->rows == 0)
        return;
    assert(self->effects_left > 0);
    self->effects_left--;
    fob_buf_clear(&core->row_heads);
    fob_pack_array(&core->row_heads, self->rows);
    size_t head = core->row_heads.size, size = head + core->rows.size;
    memcpy(self->area, core->row_heads.data, head);
    memcpy(self->area + head, core->rows.data, core->rows.size);
    const fob_writer_t *writer = fob_writers_find(&core->writers, self->session);
    fob_effect_t *effect = fob_turn_effect(core->open, FOB_EFF_RECEIPT);
    effect->conn = self->conn;
    effect->after = writer ? writer->position : 0;
    effect->runs = fob_slice(self->area, size);
    self->area += size;
    fob_buf_clear(&core->rows);
    self->rows = 0;
}

static void row_flush(offer_t *self) {
    if (self->row[2] == 0)
        return;
    fob_run_write(&self->core->rows, self->row, 5);
    self->row[2] = 0;
    if (++self->rows == ROWS_MAX)
        receipt_send(self);
}

static void answer(offer_t *self, fob_status_t status, uint64_t number, uint64_t count,
                   uint64_t offset, uint64_t groups) {
    uint64_t *last = self->row;
    if (last[2] && last[0] == (uint64_t)status && last[1] + last[2] == number &&
        last[4] == groups && (status != FOB_OK || last[3] + last[2] == offset)) {
        last[2] += count;
        return;
    }
    row_flush(self);
    uint64_t row[5] = {(uint64_t)status, number, count, offset, groups};
    memcpy(self->row, row, sizeof row);
}

/* Answers numbers from what the session remembers; one of which nothing is known gets `unknown`. */
static void answer_known(offer_t *self, uint64_t number, uint64_t count, fob_status_t unknown) {
    const fob_writer_t *writer = fob_writers_find(&self->core->writers, self->session);
    uint32_t at = writer ? fob_writer_search(writer, number) : 0;
    uint64_t end = number + count;
    while (number < end) {
        const fob_answer_t *known = writer && at < writer->count ? fob_writer_at(writer, at) : NULL;
        if (!known || known->number > number) {
            uint64_t to = known && known->number < end ? known->number : end;
            answer(self, unknown, number, to - number, 0, 0);
            number = to;
            continue;
        }
        uint64_t to = known->number + known->count < end ? known->number + known->count : end;
        answer(self, FOB_OK, number, to - number, known->offset + (number - known->number),
               known->groups);
        number = to;
        at++;
    }
}

static void answers_end(offer_t *self) {
    row_flush(self);
    receipt_send(self);
}

/* --- storing --- */

static uint32_t topic_runs(const fob_sheet_t *sheet) {
    uint32_t runs = 1;
    for (uint32_t i = 1; sheet->topic_count > 1 && i < sheet->count; i++)
        runs += sheet->topic[i] != sheet->topic[i - 1];
    return runs;
}

/* Tells the broadcast of each run of one topic. */
static void cast(fob_core_t *core, const fob_sheet_t *sheet, fob_span_t *spans) {
    for (uint32_t from = 0; from < sheet->count;) {
        uint32_t to = from + 1, topic = sheet->topic[from];
        if (sheet->topic_count == 1)
            to = sheet->count;
        while (to < sheet->count && sheet->topic[to] == topic)
            to++;
        fob_slice_t name = fob_sheet_topic(sheet, topic);
        uint64_t offset = sheet->first_offset + from;
        fob_link_t link = fob_topics_link(&core->topics, name, offset, to - from);
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
        effect->prev = link.prev;
        effect->nth = link.nth;
        effect->born = link.born;
        from = to;
    }
}

/* Forgets who must make room for this session. False: no memory; what is forgotten stays so. */
static bool forget_due(offer_t *self) {
    fob_core_t *core = self->core;
    fob_open_turn_t *turn = fob_core_open(core);
    const uint8_t *due[FORGET_MOST];
    uint32_t count =
        fob_writers_due(&core->writers, self->session, fob_core_time(core), due, FORGET_MOST);
    if (count == 0)
        return true;
    size_t size = FOB_RECORD_FORGET_SIZE + count * FOB_SESSION_SIZE;
    uint8_t *bytes = turn && fob_turn_reserve(turn, 1, 0, 0, 0) ? fob_turn_bytes(turn, size) : NULL;
    if (!bytes)
        return false;
    fob_record_write_forget(bytes, due, count);
    fob_status_t status = fob_apply(core, fob_core_next_position(core), fob_slice(bytes, size));
    assert(status == FOB_OK);
    (void)status;
    fob_turn_record(turn, fob_slice(bytes, size), NULL, 0, 0);
    return true;
}

/* Stores the sheet's events, the first as `number`; the session goes on at `next`. FOB_OK,
 * FOB_NO_MEMORY. */
static fob_status_t store(offer_t *self, fob_sheet_t *sheet, uint64_t number, uint64_t next) {
    fob_core_t *core = self->core;
    fob_open_turn_t *turn = fob_core_open(core);
    uint32_t runs = topic_runs(sheet);
    fob_record_events_t record = {.flags = sheet->flags,
                                  .count = sheet->count,
                                  .time_ms = fob_core_time(core),
                                  .first_offset = core->head + 1,
                                  .first_number = number,
                                  .low = self->low,
                                  .next_number = next};
    memcpy(record.session, self->session, FOB_SESSION_SIZE);
    if ((sheet->flags & FOB_SHEET_IDS && !fob_core_seed(core)) || !forget_due(self) ||
        !fob_sheet_route(sheet, &core->topics, &core->groups) ||
        !fob_apply_reserve_events(core, &record, sheet) || !fob_cache_reserve(&core->cache) ||
        !fob_turn_reserve(turn, 1, runs + self->effects_left, 1, 1))
        return FOB_NO_MEMORY;
    fob_span_t *spans = (void *)fob_turn_bytes(turn, runs * sizeof *spans);
    uint8_t *head = fob_turn_bytes(turn, FOB_RECORD_EVENTS_SIZE);
    if (!spans || !head)
        return FOB_NO_MEMORY;
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
    fob_sheet_forget_idents(sheet);
    cast(core, sheet, spans);
    core->events_in += sheet->count;
    fob_core_wait(core, sheet->position);
    return FOB_OK;
}

/* Moves the session's numbers on where nothing was stored. */
static fob_status_t store_nothing(offer_t *self, uint64_t number, uint64_t next) {
    fob_core_t *core = self->core;
    fob_open_turn_t *turn = fob_core_open(core);
    fob_record_events_t record = {.time_ms = fob_core_time(core),
                                  .first_offset = core->head + 1,
                                  .first_number = number,
                                  .low = self->low,
                                  .next_number = next};
    memcpy(record.session, self->session, FOB_SESSION_SIZE);
    if (!forget_due(self) || !fob_apply_reserve_events(core, &record, NULL) ||
        !fob_turn_reserve(turn, 1, 0, 0, 0))
        return FOB_NO_MEMORY;
    uint8_t *head = fob_turn_bytes(turn, FOB_RECORD_EVENTS_SIZE);
    if (!head)
        return FOB_NO_MEMORY;
    fob_record_write_events(head, &record);
    fob_turn_record(turn, fob_slice(head, FOB_RECORD_EVENTS_SIZE), NULL, 0, 0);
    fob_apply_events(core, fob_core_next_position(core), &record, NULL);
    return FOB_OK;
}

/* --- batches of which not all is good and new --- */

/* Reads each event by itself. False: bytes at which no event can be told from the next. */
static bool read_items(const fob_core_t *core, fob_slice_t body, item_t *items, uint32_t *count) {
    fob_cursor_t cursor = fob_cursor(body);
    fob_envelope_t event;
    *count = 0;
    while (!fob_cursor_end(&cursor)) {
        if (*count == FOB_WINDOW_MAX)
            return false;
        fob_cursor_t start = cursor;
        fob_status_t status = fob_envelope_read(&cursor, core->config.max_event, &event);
        if (status == FOB_BAD_EVENT) {
            cursor = start;
            if (!fob_cursor_skip(&cursor, NULL))
                return false;
        }
        items[(*count)++] =
            (item_t){(size_t)(start.at - body.data), (size_t)(cursor.at - start.at), status};
    }
    return *count > 0;
}

/* Stores items[from..to - 1], all good, from a copy of their bytes. */
static fob_status_t store_stretch(offer_t *self, const item_t *items, uint32_t from, uint32_t to,
                                  uint64_t next) {
    fob_core_t *core = self->core;
    fob_slice_t body = fob_blob_slice(self->body);
    size_t size = items[to - 1].at + items[to - 1].size - items[from].at;
    fob_blob_t *blob = fob_blob_copy(fob_slice(body.data + items[from].at, size));
    fob_sheet_t *sheet = fob_sheet_new(&core->sheets);
    fob_status_t status = blob && sheet ? FOB_OK : FOB_NO_MEMORY;
    if (status == FOB_OK)
        status = fob_sheet_index(sheet, blob, 0, fob_blob_slice(blob), false, 0,
                                 FOB_SHEET_PRIORITIES | FOB_SHEET_IDS, core->dedup);
    assert(status != FOB_BAD_EVENT); /* each was read just now */
    if (status == FOB_OK)
        status = store(self, sheet, self->first + from, next);
    if (sheet)
        fob_sheet_unref(&core->sheets, sheet);
    fob_blob_unref(&blob);
    return status;
}

/* Stores every stretch of good events from index `from` on; a refused number is used up by what
 * follows. */
static fob_status_t store_stretches(offer_t *self, const item_t *items, uint32_t from) {
    uint32_t begin = from;
    if (from == self->count)
        return FOB_OK;
    while (begin < self->count && items[begin].status != FOB_OK)
        begin++;
    if (begin == self->count)
        return store_nothing(self, self->first + from, self->first + self->count);
    while (begin < self->count) {
        uint32_t end = begin;
        while (end < self->count && items[end].status == FOB_OK)
            end++;
        uint32_t after = end;
        while (after < self->count && items[after].status != FOB_OK)
            after++;
        fob_status_t status = store_stretch(self, items, begin, end, self->first + after);
        if (status != FOB_OK)
            return status;
        begin = after;
    }
    return FOB_OK;
}

/* Answers the first `count`, each from its own fate or from what is known. */
static void answer_items(offer_t *self, const item_t *items, uint32_t count) {
    for (uint32_t i = 0; i < count;) {
        uint32_t end = i + 1;
        while (end < count && items[end].status == items[i].status)
            end++;
        if (items[i].status == FOB_OK)
            answer_known(self, self->first + i, end - i, FOB_UNKNOWN_OUTCOME);
        else
            answer(self, items[i].status, self->first + i, end - i, 0, 0);
        i = end;
    }
}

/* How many of the batch were used up before; its first number is not above the next. */
static uint32_t old_count(const offer_t *self) {
    uint64_t old = self->next - self->first;
    return old < self->count ? (uint32_t)old : self->count;
}

static fob_status_t publish_mixed(offer_t *self, const item_t *items) {
    if (!receipts_reserve(self, self->count))
        return FOB_NO_MEMORY;
    fob_status_t status = store_stretches(self, items, old_count(self));
    if (status != FOB_OK)
        return status;
    answer_items(self, items, self->count);
    answers_end(self);
    return FOB_OK;
}

/* --- refusals --- */

/* Answers all from `next` on with one status; what is older by itself (`items`; NULL: all are
 * good). */
static fob_status_t refuse(offer_t *self, fob_status_t status, const item_t *items) {
    if (!receipts_reserve(self, self->count + 1))
        return FOB_NO_MEMORY;
    uint32_t old = self->first < self->next ? old_count(self) : 0;
    if (items)
        answer_items(self, items, old);
    else if (old)
        answer_known(self, self->first, old, FOB_UNKNOWN_OUTCOME);
    if (old < self->count)
        answer(self, status, self->first + old, self->count - old, 0, 0);
    answers_end(self);
    return FOB_OK;
}

/* --- the command --- */

/* FOB_OK: numbers from self->next on may be stored; else the answer for all that is not known. */
static fob_status_t admit(offer_t *self, fob_status_t refused) {
    fob_core_t *core = self->core;
    const fob_writer_t *writer = fob_writers_find(&core->writers, self->session);
    const fob_refusal_t *refusal = fob_refusals_find(&core->refusals, self->conn, self->session);
    if (writer)
        self->next = writer->next;
    else if (refusal)
        self->next = refusal->from;
    else if (self->first == 1 || self->low == self->first)
        self->next = self->first;
    else
        return FOB_FORGOTTEN;
    uint64_t end = self->first + self->count;
    if (refused != FOB_OK && end > self->next) {
        core->busy += end - (self->first > self->next ? self->first : self->next);
        if (self->first <= self->next)
            fob_refusals_put(&core->refusals, self->conn, self->session, self->next, refused);
        return refused;
    }
    if (self->first > self->next) {
        if (!refusal)
            return FOB_GAP;
        core->busy += self->count;
        return refusal->status;
    }
    if (refusal && end > refusal->from)
        fob_refusals_forget(&core->refusals, self->conn);
    return FOB_OK;
}

static fob_status_t publish_sheet(offer_t *self, fob_sheet_t *sheet) {
    if (!receipts_reserve(self, topic_runs(sheet)))
        return FOB_NO_MEMORY;
    fob_status_t status = store(self, sheet, self->first, self->first + self->count);
    if (status != FOB_OK)
        return status;
    answer_known(self, self->first, self->count, FOB_UNKNOWN_OUTCOME);
    answers_end(self);
    return FOB_OK;
}

static fob_status_t publish_items(offer_t *self, fob_status_t refused) {
    fob_slice_t body = fob_blob_slice(self->body);
    fob_core_t *core = self->core;
    if (!core->items)
        core->items = malloc(FOB_WINDOW_MAX * sizeof *core->items);
    item_t *items = core->items;
    if (!items)
        return FOB_NO_MEMORY;
    fob_status_t status = FOB_PROTOCOL;
    if (read_items(core, body, items, &self->count)) {
        status = admit(self, refused);
        status = status == FOB_OK ? publish_mixed(self, items) : refuse(self, status, items);
    }
    return status;
}

fob_status_t fob_publish(fob_core_t *self, const fob_command_t *command) {
    offer_t offer = {.core = self,
                     .conn = command->conn,
                     .session = command->publish.session,
                     .first = command->publish.first,
                     .low = command->publish.low,
                     .body = command->publish.body};
    if (!offer.session || !offer.body || offer.first == 0 ||
        offer.first > INT64_MAX - FOB_WINDOW_MAX)
        return FOB_PROTOCOL;
    if (offer.low > offer.first)
        offer.low = offer.first;
    fob_sheet_t *sheet = fob_sheet_new(&self->sheets);
    if (!sheet)
        return FOB_NO_MEMORY;
    fob_status_t status = fob_sheet_index(sheet, offer.body, 0, fob_blob_slice(offer.body), true,
                                          self->config.max_event, 0, self->dedup);
    bool whole = status == FOB_OK && sheet->count <= FOB_WINDOW_MAX;
    const fob_writer_t *writer = fob_writers_find(&self->writers, offer.session);
    if (status == FOB_NO_MEMORY) {
        /* told below */
    } else if (!whole || (writer && offer.first < writer->next)) {
        status = publish_items(&offer, command->publish.refuse);
    } else {
        offer.count = sheet->count;
        status = admit(&offer, command->publish.refuse);
        status = status == FOB_OK ? publish_sheet(&offer, sheet) : refuse(&offer, status, NULL);
    }
    fob_sheet_unref(&self->sheets, sheet);
    return status;
}
