#include "bus/fetch/search.h"

static void halve(fob_search_t *self) {
    self->middle = self->low + (self->high - self->low) / 2;
    self->at = self->low < self->high ? self->middle : 0;
}

void fob_search_begin(fob_search_t *self, uint64_t head) {
    self->low = 1;
    self->high = head + 1;
    halve(self);
}

/* The index of the first piece from `i` on whose time is known; the count: there is none. */
static size_t dated(const fob_past_t *past, size_t i) {
    while (i < past->piece_count &&
           (past->pieces[i].kind == FOB_PIECE_GONE || past->pieces[i].kind == FOB_PIECE_DAMAGED))
        i++;
    return i;
}

/* The first one is older: so are perhaps some behind it. */
static void pass_older(fob_search_t *self, const fob_past_t *past, size_t i, int64_t time_ms) {
    for (; i < past->piece_count; i = dated(past, i + 1)) {
        const fob_piece_t *piece = &past->pieces[i];
        if (piece->time_ms >= time_ms) {
            self->low = self->high = piece->first;
            return;
        }
        self->low = piece->first + piece->count;
    }
    if (self->low > self->high) /* more was stored since the search began */
        self->high = self->low;
}

void fob_search_look(fob_search_t *self, const fob_past_t *past, int64_t time_ms) {
    size_t i = dated(past, fob_past_find(past, self->at));
    if (i == past->piece_count && past->end < self->high) {
        self->at = past->end; /* all of it is gone: what comes behind it tells */
        return;
    }
    if (i < past->piece_count && past->pieces[i].time_ms < time_ms)
        pass_older(self, past, i, time_ms);
    else if (i < past->piece_count && past->pieces[i].first > self->low &&
             past->pieces[i].first < self->middle)
        self->high = past->pieces[i].first;
    else
        self->high = self->middle;
    halve(self);
}
