/* apply, events: what a record of published events changes: sessions, books, who is woken. */
#include "bus/core/durable/apply.h"
#include "proto/planted.h"
#include "proto/topic.h"

uint32_t fob_apply_count_answers(const fob_sheet_t *sheet) {
    if (sheet->topic_count <= 1)
        return sheet->count ? 1 : 0;
    uint32_t answers = 1;
    for (uint32_t i = 1; i < sheet->count; i++)
        answers += sheet->topics[sheet->topic[i]].group_count !=
                   sheet->topics[sheet->topic[i - 1]].group_count;
    return answers;
}

/* Each group may get all of the sheet's events, and then lose as many, and one or two by the
 * way. */
static bool reserve_priorities(const fob_sheet_t *sheet) {
    uint32_t events[FOB_PRIORITIES] = {0};
    for (uint32_t i = 0; i < sheet->count; i++)
        events[sheet->priority[i]]++;
    for (uint32_t g = 0; g < sheet->group_count; g++) {
        for (unsigned p = 1; p < FOB_PRIORITIES; p++) {
            if (events[p] &&
                !fob_prio_reserve_adds(&sheet->groups[g]->prio, p, events[p] + sheet->count + 8))
                return false;
        }
    }
    return true;
}

bool fob_apply_reserve_sheet(fob_core_t *self, const fob_sheet_t *sheet) {
    return (!(sheet->flags & FOB_SHEET_IDS) || fob_dedup_reserve(self->dedup, sheet->count)) &&
           (!(sheet->flags & FOB_SHEET_PRIORITIES) || reserve_priorities(sheet));
}

bool fob_apply_reserve_events(fob_core_t *self, const fob_record_events_t *record,
                              const fob_sheet_t *sheet) {
    return fob_writers_reserve(&self->writers, record->session,
                               sheet ? fob_apply_count_answers(sheet) : 0) &&
           (!sheet || fob_apply_reserve_sheet(self, sheet));
}

static void answer(fob_writer_t *writer, const fob_record_events_t *record,
                   const fob_sheet_t *sheet) {
    for (uint32_t from = 0; from < sheet->count;) {
        uint32_t groups = sheet->topics[sheet->topic[from]].group_count, to = from + 1;
        if (sheet->topic_count == 1)
            to = sheet->count;
        while (to < sheet->count && sheet->topics[sheet->topic[to]].group_count == groups)
            to++;
        fob_writer_answer(writer, (fob_answer_t){.number = record->first_number + from,
                                                 .offset = record->first_offset + from,
                                                 .count = to - from,
                                                 .groups = groups});
        from = to;
    }
}

/* Those that have a priority are known by it from now on. */
static void accept_priorities(const fob_core_t *self, const fob_record_events_t *record,
                              const fob_sheet_t *sheet) {
    for (uint32_t i = 0; i < sheet->count; i++) {
        const fob_sheet_topic_t *topic = &sheet->topics[sheet->topic[i]];
        for (uint32_t g = 0; sheet->priority[i] && g < topic->group_count; g++) {
            fob_group_t *group = sheet->groups[topic->groups_at + g];
            if (!fob_core_holds(self, group->loaded))
                fob_prio_add(&group->prio, sheet->priority[i], record->first_offset + i);
        }
    }
}

static void accept(fob_core_t *self, fob_group_t *group, const fob_record_events_t *record,
                   const fob_sheet_t *sheet, uint32_t t) {
    const fob_sheet_topic_t *topic = &sheet->topics[t];
    if (fob_core_holds(self, group->loaded))
        return;
    group->accepted += topic->count;
    group->bytes += topic->bytes;
    self->unsettled += topic->count;
    if (!self->live)
        return;
    fob_meter_add(&group->in, self->now.mono_ns, topic->count);
    if (group->caught_up) {
        group->caught_up = false;
        group->cursor = record->first_offset + topic->first;
    }
    fob_core_wake(self, group);
}

static void know(fob_core_t *self, const fob_record_events_t *record, const fob_sheet_t *sheet) {
    for (uint32_t i = 0; i < sheet->count; i++) {
        const fob_ident_t *ident = &sheet->ident[i];
        if (ident->high | ident->low)
            fob_dedup_add(self->dedup, &(fob_known_t){.ident = *ident,
                                                      .offset = record->first_offset + i,
                                                      .time_ms = record->time_ms});
    }
}

/* What the record means to its session. */
static void remember(fob_core_t *self, uint64_t position, const fob_record_events_t *record,
                     const fob_sheet_t *sheet) {
    fob_writer_t *writer = fob_writers_see(&self->writers, record->session, record->time_ms);
    writer->position = position;
    fob_writer_move(writer, record->next_number, record->low);
    if (sheet)
        answer(writer, record, sheet);
}

void fob_apply_events(fob_core_t *self, uint64_t position, const fob_record_events_t *record,
                      const fob_sheet_t *sheet) {
    self->time_ms = record->time_ms;
    const fob_writer_t *known = fob_writers_find(&self->writers, record->session);
    if (known && fob_core_holds(self, known->loaded))
        self->writers.uses++;
    else
        remember(self, position, record, sheet);
    if (!sheet)
        return;
    self->head += record->count;
    if (sheet->flags & FOB_SHEET_IDS)
        know(self, record, sheet);
    for (uint32_t t = 0; t < sheet->topic_count; t++) {
        const fob_sheet_topic_t *topic = &sheet->topics[t];
        for (uint32_t g = 0; g < topic->group_count; g++)
            accept(self, sheet->groups[topic->groups_at + g], record, sheet, t);
    }
    if (sheet->flags & FOB_SHEET_PRIORITIES)
        accept_priorities(self, record, sheet);
}

/* Whether the record was made of what the session is now. */
static bool session_fits(const fob_core_t *self, const uint8_t *session, uint64_t number,
                         uint64_t count) {
    const fob_writer_t *known = fob_writers_find(&self->writers, session);
    return !known || fob_core_holds(self, known->loaded) ||
           fob_writer_free_of(known, number, count);
}

/* Else a checkpoint would tell of topics that no checkpoint may tell of. */
static bool topics_valid(const fob_sheet_t *sheet) {
    for (uint32_t t = 0; t < sheet->topic_count; t++)
        if (!fob_topic_valid(fob_sheet_topic(sheet, t)))
            return false;
    return true;
}

/* As the broadcast did, when they were stored. */
static void link_topics(fob_core_t *self, const fob_sheet_t *sheet, uint64_t first_offset) {
    for (uint32_t from = 0, to; from < sheet->count && !FOB_PLANTED(REPLAY_LINKS_NOTHING);
         from = to) {
        for (to = from + 1; to < sheet->count && sheet->topic[to] == sheet->topic[from]; to++)
            ;
        (void)fob_chain_link(&self->chain, fob_sheet_topic(sheet, sheet->topic[from]),
                             first_offset + from, to - from);
    }
}

fob_status_t fob_apply_replay_events(fob_core_t *self, uint64_t position, fob_slice_t bytes) {
    fob_record_events_t record;
    if (!fob_record_read_events(bytes, &record))
        return fob_damaged(self, position,
                           "the head of a batch of events is not one that we wrote");
    fob_slice_t body =
        fob_slice(bytes.data + FOB_RECORD_EVENTS_SIZE, bytes.size - FOB_RECORD_EVENTS_SIZE);
    if (record.count == 0 && body.size == 0) {
        if (!fob_apply_reserve_events(self, &record, NULL))
            return FOB_NO_MEMORY;
        fob_apply_events(self, position, &record, NULL);
        return FOB_OK;
    }
    fob_sheet_t *sheet = fob_sheet_new(&self->sheets);
    if (!sheet)
        return FOB_NO_MEMORY;
    fob_status_t status =
        fob_sheet_index(sheet, NULL, 0, body, false, 0, record.flags, self->dedup);
    if (status == FOB_BAD_EVENT ||
        (status == FOB_OK &&
         (!topics_valid(sheet) || sheet->count != record.count ||
          record.first_offset != self->head + 1 ||
          !session_fits(self, record.session, record.first_number, record.count))))
        status =
            fob_damaged(self, position, "a batch of events does not fit its head, or its place");
    else if (status == FOB_OK && sheet->flags & FOB_SHEET_IDS && self->seed == 0)
        status = fob_damaged(self, position, "events with ids before their secret");
    else if (status == FOB_OK && (!fob_sheet_route(sheet, &self->topics, &self->groups) ||
                                  !fob_apply_reserve_events(self, &record, sheet)))
        status = FOB_NO_MEMORY;
    else if (status == FOB_OK) {
        fob_apply_events(self, position, &record, sheet);
        link_topics(self, sheet, record.first_offset);
    }
    fob_sheet_unref(&self->sheets, sheet);
    return status;
}

/* --- answers without events --- */

/* Reads the index-th row. */
static bool read_row(fob_slice_t bytes, uint32_t index, fob_record_answer_t *out) {
    return fob_record_read_answer(
        bytes.data + FOB_RECORD_ANSWERS_SIZE + (size_t)index * FOB_RECORD_ANSWERS_ROW, out);
}

static bool rows_fit(const fob_core_t *self, const fob_record_answers_t *record,
                     fob_slice_t bytes) {
    uint64_t number = 1;
    for (uint32_t i = 0; i < record->rows; i++) {
        fob_record_answer_t row;
        if (!read_row(bytes, i, &row) || row.number < number ||
            row.number + row.count > record->next_number ||
            row.offset + row.count > self->head + 1 ||
            !session_fits(self, record->session, row.number, row.count))
            return false;
        number = row.number + row.count;
    }
    return true;
}

fob_status_t fob_apply_answers(fob_core_t *self, uint64_t position, fob_slice_t bytes) {
    fob_record_answers_t record;
    if (!fob_record_read_answers(bytes, &record) || !rows_fit(self, &record, bytes))
        return fob_damaged(self, position, "answers to duplicates are not what we wrote");
    const fob_writer_t *known = fob_writers_find(&self->writers, record.session);
    if (known && fob_core_holds(self, known->loaded)) {
        self->writers.uses++;
        self->time_ms = record.time_ms;
        return FOB_OK;
    }
    if (!fob_writers_reserve(&self->writers, record.session, record.rows))
        return FOB_NO_MEMORY;
    self->time_ms = record.time_ms;
    fob_writer_t *writer = fob_writers_see(&self->writers, record.session, record.time_ms);
    writer->position = position;
    fob_writer_move(writer, record.next_number, record.low);
    for (uint32_t i = 0; i < record.rows; i++) {
        fob_record_answer_t row;
        read_row(bytes, i, &row);
        fob_writer_answer(writer,
                          (fob_answer_t){row.number, row.offset, row.count, row.groups, row.flags});
    }
    return FOB_OK;
}

fob_status_t fob_apply_forget(fob_core_t *self, uint64_t position, fob_slice_t bytes) {
    uint32_t count;
    if (!fob_record_read_forget(bytes, &count))
        return fob_damaged(self, position, "forgotten sessions are not what we wrote");
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *session = bytes.data + FOB_RECORD_FORGET_SIZE + i * FOB_SESSION_SIZE;
        fob_writer_t *writer = fob_writers_find(&self->writers, session);
        /* A checkpoint has it no more; or as it came back later, and then the records since make
         * it anew. */
        if (writer)
            fob_writers_forget(&self->writers, writer);
    }
    self->writers.forgot = position;
    return FOB_OK;
}
