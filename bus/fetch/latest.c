#include "bus/fetch/latest.h"

#include "proto/topic.h"

void fob_latest_free(fob_latest_t *self) {
    fob_gather_free(&self->gather);
}

void fob_latest_end(fob_latest_t *self) {
    self->owner = NULL;
}

void fob_latest_begin(fob_latest_t *self, fob_seeker_t *owner, const fob_topics_ops_t *topics) {
    self->owner = owner;
    self->count = self->index = 0;
    self->full = self->listed = false;
    self->head = topics->list(topics->arg, owner->next);
    fob_gather_begin(&self->gather);
}

/* Passes what is neither listed nor below the floor. */
static void pass(fob_latest_t *self) {
    fob_seeker_t *owner = self->owner;
    while (self->index < self->count && self->offsets[self->index] < owner->next)
        self->index++;
    if (owner->next <= self->floor && owner->next < self->end)
        return;
    uint64_t next = self->index < self->count ? self->offsets[self->index] : self->end;
    if (next > owner->next)
        owner->next = next;
}

size_t fob_latest_list(fob_latest_t *self, const fob_topics_ops_t *topics) {
    size_t looked;
    self->listed = topics->list_on(topics->arg, self->owner->fetch.pattern, self->offsets,
                                   FOB_LATEST_LISTED, &self->count, &self->floor, &looked);
    self->end = self->head + 1;
    if (self->count == FOB_LATEST_LISTED)
        self->end = self->offsets[self->count - 1] + 1;
    if (self->listed)
        pass(self);
    return looked;
}

uint64_t fob_latest_wants(const fob_latest_t *self, uint64_t head) {
    if (!self->listed)
        return 0;
    if (head < self->head)
        return UINT64_MAX;
    return self->full || self->owner->next >= self->end ? 0 : self->owner->next;
}

uint64_t fob_latest_span(const fob_latest_t *self, uint64_t close) {
    uint64_t next = self->owner->next, last = next;
    if (next <= self->floor)
        return UINT64_MAX; /* all of it */
    for (size_t i = self->index; i < self->count && self->offsets[i] - last <= close; i++)
        last = self->offsets[i];
    return last - next;
}

/* Whether the next one is wanted: it is listed, or of a topic whose last event nobody knows. */
static bool wants(const fob_latest_t *self, fob_slice_t topic, const fob_topics_ops_t *topics) {
    const fob_seeker_t *owner = self->owner;
    if (self->index < self->count && self->offsets[self->index] == owner->next)
        return true;
    return fob_pattern_match(owner->fetch.pattern, topic) && !topics->known(topics->arg, topic);
}

static void look_at_events(fob_latest_t *self, const fob_past_t *past, const fob_piece_t *piece,
                           size_t bytes, const fob_topics_ops_t *topics, uint64_t end) {
    fob_seeker_t *owner = self->owner;
    fob_wanted_t wanted = fob_seeker_wanted(owner, UINT64_MAX, bytes);
    while (owner->next < end) {
        fob_slice_t topic, event = fob_past_event(past, piece, owner->next, &topic);
        self->gather.looked++;
        if (wants(self, topic, topics) &&
            !fob_gather_add(&self->gather, owner->next, piece->time_ms, event, &wanted)) {
            self->full = true;
            return;
        }
        owner->next++;
        pass(self);
    }
}

bool fob_latest_look(fob_latest_t *self, const fob_past_t *past, size_t bytes,
                     const fob_topics_ops_t *topics) {
    fob_seeker_t *owner = self->owner;
    while (!self->full && owner->next < self->end && fob_past_holds(past, owner->next)) {
        const fob_piece_t *piece = &past->pieces[fob_past_find(past, owner->next)];
        uint64_t end = piece->first + piece->count;
        if (end > self->end)
            end = self->end;
        if (piece->kind == FOB_PIECE_EVENTS)
            look_at_events(self, past, piece, bytes, topics, end);
        else if (piece->kind != FOB_PIECE_OTHER && !fob_gone_add(&owner->gone, owner->next, end - 1,
                                                                 piece->kind == FOB_PIECE_DAMAGED))
            self->full = true;
        else
            owner->next = end;
        if (!self->full)
            pass(self);
    }
    return self->full || owner->next >= self->end || ++owner->pages >= FOB_FETCH_PAGES;
}

uint64_t fob_latest_head(const fob_latest_t *self, uint64_t head) {
    return self->owner->next > self->head ? self->head : head;
}
