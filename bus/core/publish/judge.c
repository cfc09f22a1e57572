/* judge: what becomes of each number of an offer. Changes nothing but the draft of the refusals and
 * the groups' provisional loads. */
#include "bus/core/durable/digest.h"
#include "bus/core/publish/offer.h"
#include "proto/planted.h"

#include <assert.h>

static const fob_ident_t *ident_of(const fob_sheet_t *sheet, uint32_t event) {
    if (!(sheet->flags & FOB_SHEET_IDS))
        return NULL;
    const fob_ident_t *ident = &sheet->ident[event];
    return ident->high | ident->low ? ident : NULL;
}

bool fob_offer_new(fob_offer_t *self) {
    fob_core_t *core = self->core;
    const fob_sheet_t *sheet = self->sheet;
    if (!(sheet->flags & FOB_SHEET_IDS))
        return true;
    int64_t time_ms = fob_core_time(core);
    if (!fob_twins_begin(&core->twins, sheet->count))
        return false;
    for (uint32_t i = 0; i < sheet->count; i++) {
        const fob_ident_t *ident = ident_of(sheet, i);
        if (ident && (fob_dedup_find(core->dedup, *ident, time_ms) ||
                      fob_twins_meet(&core->twins, ident, i) != FOB_TWIN_NONE))
            return false;
    }
    return true;
}

/* Whether it is a duplicate, of one that is known or of an earlier one of the batch; else it is
 * kept in mind, should it be stored. */
static bool duplicate(fob_offer_t *self, fob_item_t *item, const fob_ident_t *ident) {
    const fob_known_t *known = fob_dedup_find(self->core->dedup, *ident, fob_core_time(self->core));
    uint64_t data = known ? known->ident.data : 0;
    item->offset = known ? known->offset : 0;
    if (!known) {
        uint32_t index = (uint32_t)(item - self->items);
        uint32_t twin = fob_twins_find(&self->core->twins, ident);
        if (twin == FOB_TWIN_NONE || twin == index)
            return false;
        item->offset = self->items[twin].offset;
        data = self->sheet->ident[self->items[twin].event].data;
    }
    item->flags = FOB_ANSWER_DUPLICATE | (data != ident->data ? FOB_ANSWER_DIFFERS : 0);
    return true;
}

static fob_fate_t refused(fob_item_t *item, fob_status_t status, fob_group_t *group) {
    item->status = status;
    item->group = group;
    return FOB_FATE_REFUSE;
}

static fob_group_t *group_by_id(const fob_offer_t *self, uint32_t id) {
    return id ? fob_groups_by_id(&self->core->groups, id) : NULL;
}

/* Refused as an earlier one was. */
static fob_fate_t behind(fob_offer_t *self, fob_item_t *item, fob_status_t status,
                         fob_closed_t *closed, uint64_t number) {
    item->flags = FOB_BUSY_BEHIND;
    fob_closed_refuse(closed, number);
    return refused(item, status, group_by_id(self, closed->group));
}

/* A good event whose number is free, and that is no duplicate. */
static fob_fate_t judge_new(fob_offer_t *self, fob_item_t *item, uint64_t number) {
    const fob_sheet_topic_t *topic = &self->sheet->topics[self->sheet->topic[item->event]];
    fob_slice_t name = fob_sheet_topic(self->sheet, self->sheet->topic[item->event]);
    uint64_t digest = fob_digest(name.data, name.size);
    fob_closed_t *closed = fob_refusal_closed(self->refusal, digest, number);
    if (closed && !FOB_PLANTED(TOPIC_STAYS_OPEN))
        return behind(self, item, FOB_BUSY, closed, number);
    fob_group_t *full = fob_limits_refuses(self->core, self->sheet, topic, item->size);
    if (full) {
        fob_refusal_close(self->refusal, digest, number, full->id);
        return refused(item, FOB_BUSY, full);
    }
    fob_limits_add(self->core, self->sheet, topic, item->size);
    item->offset = self->core->head + ++self->stored;
    return FOB_FATE_STORE;
}

/* A good event, or one that might be stored at another time. */
static fob_fate_t judge_free(fob_offer_t *self, fob_item_t *item, uint64_t number,
                             fob_status_t status) {
    if (status != FOB_OK) {
        fob_refusal_shut_all(self->refusal, number, status, self->holder ? self->holder->id : 0);
        item->flags = self->crowded ? FOB_BUSY_SESSIONS : 0;
        return refused(item, status, self->holder);
    }
    fob_closed_t *all = fob_refusal_shut(self->refusal, number);
    if (all)
        return behind(self, item, self->refusal->shut, all, number);
    if (item->status != FOB_OK)
        return FOB_FATE_REFUSE;
    assert(self->sheet); /* it holds every good event */
    const fob_ident_t *ident = ident_of(self->sheet, item->event);
    if (ident && duplicate(self, item, ident)) {
        self->duplicates++;
        return FOB_FATE_DUPLICATE;
    }
    fob_fate_t fate = judge_new(self, item, number);
    if (fate == FOB_FATE_STORE && ident)
        fob_twins_meet(&self->core->twins, ident, (uint32_t)(item - self->items));
    return fate;
}

/* The planted bug: what was answered as a whole is offered again, and that is forgotten. (With a
 * part of it, or with ids, assertions would fall over the numbers that are answered twice.) */
static bool forgets(const fob_offer_t *self) {
    if (!FOB_PLANTED(ANSWERS_FORGOTTEN) || !self->sheet || self->sheet->flags & FOB_SHEET_IDS)
        return false;
    uint32_t at = fob_writer_search(self->writer, self->first);
    const fob_answer_t *known = at < self->writer->count ? fob_writer_at(self->writer, at) : NULL;
    return known && known->number == self->first && known->count == self->count;
}

static fob_fate_t judge_item(fob_offer_t *self, fob_item_t *item, uint64_t number,
                             fob_status_t status) {
    item->group = NULL;
    item->flags = 0;
    if (number >= self->next)
        return judge_free(self, item, number, status);
    /* Its answer first: what is stored stays so where the bus would not take it any more. */
    if (!fob_writer_free_of(self->writer, number, 1) && !forgets(self))
        return FOB_FATE_KNOWN;
    if (number < self->writer->low)
        return refused(item, FOB_UNKNOWN_OUTCOME, NULL);
    if (item->status != FOB_OK)
        return FOB_FATE_REFUSE; /* for good, as it was before */
    return judge_free(self, item, number, status);
}

/* Whether the number may not be used up by this. */
static bool for_a_time(const fob_item_t *item) {
    return item->fate == FOB_FATE_REFUSE &&
           (item->status == FOB_BUSY || item->status == FOB_DISK_FULL ||
            item->status == FOB_STOPPING);
}

bool fob_offer_judge(fob_offer_t *self, fob_status_t status) {
    bool ids = self->sheet && self->sheet->flags & FOB_SHEET_IDS;
    if (ids && !fob_twins_begin(&self->core->twins, self->count))
        return false;
    fob_limits_begin(self->core);
    if (status == FOB_DISK_FULL)
        self->holder = fob_limits_holder(self->core);
    self->end = self->next;
    for (uint32_t i = 0; i < self->count; i++) {
        fob_item_t *item = &self->items[i];
        uint64_t number = self->first + i;
        if (!FOB_PLANTED(TOPIC_STAYS_CLOSED) || number % 8)
            fob_refusal_offer(self->refusal, number, self->low);
        item->fate = (uint8_t)judge_item(self, item, number, status);
        if (for_a_time(item))
            self->busy++;
        else if (number >= self->end)
            self->end = number + 1;
    }
    if (self->refusal->answered < self->first + self->count - 1)
        self->refusal->answered = self->first + self->count - 1;
    return true;
}
