/* publish: a batch is stored, or answered from what is known, or refused, number by number.
 *
 * Mostly all of it is good and new, and no group is near a limit: then it is stored as it came,
 * without a copy. Otherwise each number gets its own fate. */
#include "bus/core/publish/offer.h"

#include <assert.h>
#include <stdlib.h>

/* --- all of it is stored --- */

static uint32_t topic_runs(const fob_sheet_t *sheet) {
    return sheet->topic_count == 1 ? 1 : sheet->count;
}

/* Whether every event of a good batch is to be stored, and nothing else is to be thought of. */
static bool plain(fob_offer_t *self) {
    fob_core_t *core = self->core;
    fob_sheet_t *sheet = self->sheet;
    if (self->next ? self->first != self->next : self->first != 1 && self->low != self->first)
        return false;
    if (fob_refusals_find(&core->refusals, self->conn, self->session))
        return false;
    return fob_sheet_route(sheet, &core->topics, &core->groups) && !fob_limits_near(sheet) &&
           fob_offer_new(self);
}

static fob_status_t publish_whole(fob_offer_t *self) {
    fob_receipt_t receipt;
    size_t rows = topic_runs(self->sheet), bytes = rows * FOB_RECEIPT_ROW;
    if (!fob_receipt_reserve(&receipt, self->core, self->conn, rows, bytes))
        return FOB_NO_MEMORY;
    self->stored = self->count;
    self->end = self->first + self->count;
    fob_status_t status = fob_offer_store(self, receipt.effects_left);
    if (status != FOB_OK)
        return status;
    receipt.after = fob_core_next_position(self->core);
    fob_receipt_known(&receipt, self->session, self->first, self->count);
    fob_receipt_end(&receipt);
    return FOB_OK;
}

/* --- number by number --- */

static bool items_room(fob_core_t *core) {
    if (!core->items)
        core->items = malloc(FOB_WINDOW_MAX * sizeof *core->items);
    return core->items != NULL;
}

static void items_of_sheet(fob_offer_t *self) {
    const fob_sheet_t *sheet = self->sheet;
    self->count = sheet->count;
    for (uint32_t i = 0; i < sheet->count; i++)
        self->items[i] = (fob_item_t){
            .at = sheet->begin[i], .size = sheet->begin[i + 1] - sheet->begin[i], .event = i};
}

/* Reads each event by itself. False: bytes at which no event can be told from the next. */
static bool items_of_body(fob_offer_t *self) {
    fob_slice_t body = fob_blob_slice(self->body);
    fob_cursor_t cursor = fob_cursor(body);
    fob_envelope_t event;
    uint32_t good = 0;
    while (!fob_cursor_end(&cursor)) {
        if (self->count == FOB_WINDOW_MAX)
            return false;
        fob_cursor_t start = cursor;
        fob_status_t status = fob_envelope_read(&cursor, self->core->config.max_event, &event);
        if (status == FOB_BAD_EVENT) {
            cursor = start;
            if (!fob_cursor_skip(&cursor, NULL))
                return false;
        }
        self->items[self->count++] = (fob_item_t){.at = (uint32_t)(start.at - body.data),
                                                  .size = (uint32_t)(cursor.at - start.at),
                                                  .event = good,
                                                  .status = status};
        good += status == FOB_OK;
    }
    return self->count > 0;
}

/* The good events one after the other, as an indexed batch (*out NULL where there is none). */
static fob_status_t good_sheet(fob_offer_t *self, fob_sheet_t **out) {
    fob_core_t *core = self->core;
    fob_slice_t body = fob_blob_slice(self->body);
    fob_blob_t *blob = fob_blob_new(body.size);
    size_t size = 0;
    *out = NULL;
    if (!blob)
        return FOB_NO_MEMORY;
    for (uint32_t i = 0; i < self->count; i++) {
        const fob_item_t *item = &self->items[i];
        if (item->status != FOB_OK)
            continue;
        memcpy(fob_blob_writable(blob) + size, body.data + item->at, item->size);
        size += item->size;
    }
    fob_blob_trim(blob, size);
    fob_status_t status = FOB_OK;
    if (size) {
        *out = fob_sheet_new(&core->sheets);
        status = *out ? fob_sheet_index(*out, blob, 0, fob_blob_slice(blob), false, 0,
                                        FOB_SHEET_PRIORITIES | FOB_SHEET_IDS, core->dedup)
                      : FOB_NO_MEMORY;
    }
    assert(status != FOB_BAD_EVENT); /* each was read just now */
    fob_blob_unref(&blob);
    return status;
}

/* FOB_OK: numbers may be taken; else the answer for all of them. */
static fob_status_t admit(fob_offer_t *self) {
    fob_refusal_t *refusal = self->refusal;
    bool begins = self->first == 1 || self->low == self->first;
    uint64_t expected = refusal->answered + 1 > self->next ? refusal->answered + 1 : self->next;
    if (self->next || (refusal->begun && self->first >= refusal->begun))
        return self->first > expected ? FOB_GAP : FOB_OK;
    if (!begins)
        return FOB_FORGOTTEN;
    refusal->begun = self->first;
    return FOB_OK;
}

/* Room for the answers: each number may have a row of its own. */
static bool reserve_rows(const fob_offer_t *self, fob_receipt_t *receipt) {
    size_t bytes = (size_t)self->count * FOB_RECEIPT_ROW;
    bytes += self->crowded ? FOB_RECEIPT_CROWDED : 0; /* one row then tells of all */
    const fob_group_t *last = NULL;
    for (uint32_t i = 0; i < self->count; i++) {
        const fob_item_t *item = &self->items[i];
        const fob_group_t *group = item->fate == FOB_FATE_REFUSE ? item->group : NULL;
        if (group && group != last)
            bytes += fob_receipt_details(group);
        last = group;
    }
    return fob_receipt_reserve(receipt, self->core, self->conn, self->count, bytes);
}

static void answer_items(const fob_offer_t *self, fob_receipt_t *receipt) {
    for (uint32_t i = 0; i < self->count; i++) {
        const fob_item_t *item = &self->items[i];
        fob_answer_t one = {.number = self->first + i, .count = 1, .flags = item->flags};
        if (item->fate == FOB_FATE_REFUSE) {
            fob_receipt_add(receipt, item->status, &one, item->group);
            continue;
        }
        uint32_t end = i + 1;
        while (end < self->count && self->items[end].fate != FOB_FATE_REFUSE)
            end++;
        fob_receipt_known(receipt, self->session, self->first + i, end - i);
        i = end - 1;
    }
}

static fob_status_t publish_items(fob_offer_t *self, fob_status_t refuse) {
    fob_receipt_t receipt;
    if (!fob_offer_judge(self, refuse) || !reserve_rows(self, &receipt))
        return FOB_NO_MEMORY;
    fob_status_t status = fob_offer_store(self, receipt.effects_left);
    if (status != FOB_OK)
        return status;
    const fob_writer_t *writer = fob_writers_find(&self->core->writers, self->session);
    receipt.after = writer ? writer->position : 0;
    answer_items(self, &receipt);
    fob_receipt_end(&receipt);
    return FOB_OK;
}

/* One answer for all of it, and nothing else happens. It overtakes nothing that the session was
 * answered: where that is forgotten, the record that says so is behind all of it. */
static fob_status_t answer_all(const fob_offer_t *self, fob_status_t status) {
    fob_receipt_t receipt;
    if (!fob_receipt_reserve(&receipt, self->core, self->conn, 1, FOB_RECEIPT_ROW))
        return FOB_NO_MEMORY;
    receipt.after = self->writer ? self->writer->position : self->core->writers.forgot;
    fob_receipt_add(&receipt, status, &(fob_answer_t){.number = self->first, .count = self->count},
                    NULL);
    fob_receipt_end(&receipt);
    return FOB_OK;
}

/* `good`: the sheet holds the whole body. */
static fob_status_t publish_by_number(fob_offer_t *self, bool good, fob_status_t refuse) {
    fob_core_t *core = self->core;
    fob_sheet_t *own = NULL;
    self->refusal = fob_refusals_draft(&core->refusals, self->conn, self->session);
    if (!self->refusal || !items_room(core))
        return FOB_NO_MEMORY;
    self->items = core->items;
    self->count = 0;
    if (good)
        items_of_sheet(self);
    else if (!items_of_body(self))
        return FOB_PROTOCOL;
    fob_status_t status = admit(self);
    if (status != FOB_OK)
        return answer_all(self, status);
    if (!good) {
        status = good_sheet(self, &own);
        self->sheet = own;
    }
    if (status == FOB_OK && self->sheet &&
        !fob_sheet_route(self->sheet, &core->topics, &core->groups))
        status = FOB_NO_MEMORY;
    if (status == FOB_OK)
        status = publish_items(self, refuse);
    if (own)
        fob_sheet_unref(&core->sheets, own);
    return status;
}

/* --- the command --- */

static bool valid(const fob_offer_t *self) {
    return self->session && self->body && self->first > 0 &&
           self->first <= INT64_MAX - FOB_WINDOW_MAX &&
           fob_blob_slice(self->body).size <= UINT32_MAX;
}

/* What an older connection of the session still had under way is not carried out: meanwhile the
 * publisher may have given an event up there, and used its number up by a void one; the event
 * itself would be stored behind later ones of its topic. */
static bool overtaken(const fob_writer_t *writer, uint64_t conn) {
    return writer && writer->conn && (int64_t)(conn - writer->conn) < 0; /* they go round */
}

static void note_conn(fob_core_t *self, const uint8_t *session, uint64_t conn) {
    fob_writer_t *writer = fob_writers_find(&self->writers, session);
    if (writer)
        writer->conn = conn;
}

/* --- who is there --- */

void fob_publisher_gone(fob_core_t *self, uint64_t conn, bool done) {
    uint8_t session[FOB_SESSION_SIZE];
    if (!fob_present_remove(&self->present, conn, session) ||
        fob_present_has(&self->present, session))
        return;
    fob_writer_t *writer = fob_writers_find(&self->writers, session);
    if (writer)
        fob_writers_leave(&self->writers, writer, self->now.mono_ns, done);
}

fob_status_t fob_publisher_present(fob_core_t *self, uint64_t conn, const uint8_t *session) {
    const uint8_t *before = fob_present_session(&self->present, conn);
    if (before && memcmp(before, session, FOB_SESSION_SIZE) == 0)
        return FOB_OK;
    if (!fob_present_reserve(&self->present))
        return FOB_NO_MEMORY;
    fob_publisher_gone(self, conn, true); /* it goes on as another */
    fob_present_add(&self->present, conn, session);
    fob_writer_t *writer = fob_writers_find(&self->writers, session);
    if (writer)
        fob_writers_return(&self->writers, writer);
    return FOB_OK;
}

/* --- the command, whole --- */

/* What is to be answered to each number instead of taking it; FOB_OK: nothing. */
static fob_status_t refuses(fob_offer_t *self, fob_status_t refuse) {
    fob_core_t *core = self->core;
    self->crowded =
        refuse == FOB_OK && !self->writer && fob_writers_full(&core->writers, core->now.mono_ns);
    return self->crowded ? FOB_BUSY : refuse;
}

fob_status_t fob_publish(fob_core_t *self, const fob_command_t *command) {
    fob_offer_t offer = {.core = self,
                         .conn = command->conn,
                         .session = command->publish.session,
                         .first = command->publish.first,
                         .low = command->publish.low,
                         .body = command->publish.body};
    if (!valid(&offer))
        return FOB_PROTOCOL;
    if (offer.low > offer.first)
        offer.low = offer.first;
    if (fob_publisher_present(self, offer.conn, offer.session) != FOB_OK)
        return FOB_NO_MEMORY;
    offer.writer = fob_writers_find(&self->writers, offer.session);
    if (overtaken(offer.writer, command->conn))
        return FOB_OK;
    offer.next = offer.writer ? offer.writer->next : 0;
    offer.sheet = fob_sheet_new(&self->sheets);
    if (!offer.sheet)
        return FOB_NO_MEMORY;
    fob_sheet_t *sheet = offer.sheet;
    fob_status_t status = fob_sheet_index(sheet, offer.body, 0, fob_blob_slice(offer.body), true,
                                          self->config.max_event, 0, self->dedup);
    bool good = status == FOB_OK && sheet->count <= FOB_WINDOW_MAX;
    offer.count = sheet->count;
    if (status != FOB_NO_MEMORY) {
        fob_status_t refuse = refuses(&offer, command->publish.refuse);
        bool whole = good && refuse == FOB_OK && plain(&offer);
        status = whole ? publish_whole(&offer) : publish_by_number(&offer, good, refuse);
    }
    fob_sheet_unref(&self->sheets, sheet);
    if (!offer.writer || offer.writer->conn != command->conn)
        note_conn(self, offer.session, command->conn);
    return status;
}
