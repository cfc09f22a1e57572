#include "bus/fetch/past.h"

#include "bus/core/durable/record.h"
#include "proto/envelope.h"

#include <assert.h>
#include <stdlib.h>

#define LOOK_BACK  8           /* topics compared before one is listed (again) */
#define ROOM_KEPT  (64u << 10) /* events: a larger index is not kept for the next page */
#define FIRST_ROOM 64

void fob_past_free(fob_past_t *self) {
    free(self->pieces);
    free(self->begin);
    free(self->topic);
    free(self->topics);
    free(self->memory);
    *self = (fob_past_t){0};
}

/* Keeps the room for an index, unless it is large. */
static void clear(fob_past_t *self) {
    if (self->event_room > ROOM_KEPT || self->topic_room > ROOM_KEPT) {
        fob_past_free(self);
        return;
    }
    free(self->memory);
    self->memory = NULL;
    self->first = self->end = 0;
    self->bytes = self->records = self->piece_count = self->event_count = self->topic_count = 0;
}

/* --- room --- */

static bool grow(void **list, size_t *room, size_t wanted, size_t size) {
    size_t more = *room ? *room : FIRST_ROOM;
    if (wanted <= *room)
        return true;
    while (more < wanted)
        more *= 2;
    void *grown = realloc(*list, more * size);
    if (!grown)
        return false;
    *list = grown;
    *room = more;
    return true;
}

static bool event_room(fob_past_t *self, size_t wanted) {
    size_t room = self->event_room;
    void *begin = self->begin, *topic = self->topic;
    bool good = grow(&begin, &room, wanted, sizeof *self->begin);
    self->begin = begin;
    room = self->event_room;
    good = good && grow(&topic, &room, wanted, sizeof *self->topic);
    self->topic = topic;
    if (good)
        self->event_room = room;
    return good;
}

static bool topic_room(fob_past_t *self) {
    void *topics = self->topics;
    bool good = grow(&topics, &self->topic_room, self->topic_count + 1, sizeof *self->topics);
    self->topics = topics;
    return good;
}

static bool add_piece(fob_past_t *self, const fob_piece_t *piece) {
    void *pieces = self->pieces;
    bool good = grow(&pieces, &self->piece_room, self->piece_count + 1, sizeof *self->pieces);
    self->pieces = pieces;
    if (!good)
        return false;
    self->pieces[self->piece_count++] = *piece;
    self->end = piece->first + piece->count;
    return true;
}

static bool add_gone(fob_past_t *self, fob_piece_kind_t kind, uint64_t end) {
    return add_piece(self,
                     &(fob_piece_t){.kind = kind, .first = self->end, .count = end - self->end});
}

/* --- events --- */

/* The index of a topic; UINT32_MAX: no memory. */
static uint32_t list_topic(fob_past_t *self, fob_slice_t topic) {
    size_t stop = self->topic_count > LOOK_BACK ? self->topic_count - LOOK_BACK : 0;
    for (size_t i = self->topic_count; i-- > stop;)
        if (fob_slice_eq(self->topics[i], topic))
            return (uint32_t)i;
    if (!topic_room(self))
        return UINT32_MAX;
    self->topics[self->topic_count] = topic;
    return (uint32_t)self->topic_count++;
}

typedef enum { READ_GOOD, READ_BAD, READ_NO_MEMORY } read_t;

/* Indexes a record's events. */
static read_t index_events(fob_past_t *self, fob_slice_t batch, uint32_t count) {
    fob_cursor_t cursor = fob_cursor(batch);
    fob_slice_t topic, bytes;
    size_t at = self->event_count;
    if (batch.size > UINT32_MAX || count > batch.size)
        return READ_BAD;
    if (!event_room(self, at + count + 1))
        return READ_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++, at++) {
        self->begin[at] = (uint32_t)(cursor.at - batch.data);
        if (!fob_envelope_skim(&cursor, &topic, &bytes) || topic.size == 0)
            return READ_BAD;
        self->topic[at] = list_topic(self, topic);
        if (self->topic[at] == UINT32_MAX)
            return READ_NO_MEMORY;
    }
    if (!fob_cursor_end(&cursor))
        return READ_BAD;
    self->begin[at] = (uint32_t)batch.size;
    self->event_count = at + 1;
    return READ_GOOD;
}

static bool same_place(const fob_stored_t *entry, uint64_t first, uint32_t count) {
    return entry->first_offset == first && entry->count == count;
}

/* Reads one record; what cannot be read is damaged. */
static read_t read_entry(fob_past_t *self, const fob_stored_t *entry, fob_piece_t *piece) {
    fob_slice_t bytes = fob_slice(entry->data, entry->size);
    fob_record_events_t events;
    fob_record_moved_t moved;
    *piece = (fob_piece_t){
        .kind = FOB_PIECE_DAMAGED, .first = entry->first_offset, .count = entry->count};
    if (fob_record_read_events(bytes, &events) &&
        same_place(entry, events.first_offset, events.count)) {
        piece->time_ms = events.time_ms;
        piece->bytes = entry->data + FOB_RECORD_EVENTS_SIZE;
        piece->index = self->event_count;
        read_t read = index_events(
            self, fob_slice(piece->bytes, entry->size - FOB_RECORD_EVENTS_SIZE), entry->count);
        if (read != READ_BAD)
            piece->kind = FOB_PIECE_EVENTS;
        return read;
    }
    if (fob_record_read_moved(bytes, &moved) && same_place(entry, moved.place, 1)) {
        piece->kind = FOB_PIECE_OTHER;
        piece->time_ms = moved.time_ms;
        return READ_GOOD;
    }
    return READ_BAD;
}

static bool add_entry(fob_past_t *self, const fob_stored_t *entry) {
    fob_piece_t piece;
    if (entry->count == 0 || entry->first_offset < self->end)
        return true;
    if (entry->first_offset > self->end && !add_gone(self, FOB_PIECE_GONE, entry->first_offset))
        return false;
    return read_entry(self, entry, &piece) != READ_NO_MEMORY && add_piece(self, &piece);
}

static bool take_all(fob_past_t *self, const fob_page_t *page, uint64_t offset, uint64_t head) {
    self->first = offset;
    if (page->code == FOB_JOURNAL_OK && page->entries[0].first_offset < offset)
        self->first = page->entries[0].first_offset;
    self->end = self->first;
    if (page->code != FOB_JOURNAL_OK)
        return add_gone(self,
                        page->code == FOB_JOURNAL_DAMAGED ? FOB_PIECE_DAMAGED : FOB_PIECE_GONE,
                        page->resume > offset ? page->resume : head + 1);
    for (size_t i = 0; i < page->entry_count; i++) {
        self->records += page->entries[i].size;
        if (!add_entry(self, &page->entries[i]))
            return false;
    }
    return true;
}

bool fob_past_take(fob_past_t *self, const fob_page_t *page, uint64_t offset, uint64_t head) {
    assert(offset <= head && (page->code != FOB_JOURNAL_OK || page->entry_count > 0));
    clear(self);
    self->memory = page->memory;
    self->bytes = page->memory_size;
    bool good = take_all(self, page, offset, head);
    if (!good)
        fob_past_free(self);
    return good;
}

size_t fob_past_find(const fob_past_t *self, uint64_t offset) {
    size_t low = 0, high = self->piece_count;
    assert(fob_past_holds(self, offset));
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (self->pieces[middle].first <= offset)
            low = middle;
        else
            high = middle;
    }
    return low;
}
