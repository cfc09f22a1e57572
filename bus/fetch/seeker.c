#include "bus/fetch/seeker.h"

#include <stdlib.h>

fob_seeker_t *fob_seeker_new(const fob_fetch_t *fetch) {
    fob_seeker_t *self = calloc(1, sizeof *self + fetch->pattern.size);
    if (!self)
        return NULL;
    self->waiter.conn = fetch->conn;
    self->fetch = *fetch;
    memcpy(self->pattern, fetch->pattern.data, fetch->pattern.size);
    self->fetch.pattern.data = self->pattern;
    self->next = fetch->from;
    if (!fetch->from && !fetch->time_ms)
        self->next = 1;
    self->began = self->next;
    return self;
}

/* The last offset that it gets. */
static uint64_t last_of(const fob_seeker_t *self, uint64_t head) {
    uint64_t upto = self->fetch.upto;
    return upto && upto < head ? upto : head;
}

fob_wanted_t fob_seeker_wanted(const fob_seeker_t *self, uint64_t last, size_t bytes) {
    return (fob_wanted_t){.pattern = self->fetch.pattern,
                          .last = last,
                          .limit = self->fetch.limit ? self->fetch.limit : UINT64_MAX,
                          .bytes = bytes,
                          .dry = self->fetch.dry};
}

uint64_t fob_seeker_wants(fob_seeker_t *self, uint64_t head) {
    if (!self->next && !self->search.high)
        fob_search_begin(&self->search, head);
    if (!self->next && !self->search.at)
        self->next = self->began = self->search.low;
    if (!self->next)
        return self->search.at;
    return self->next <= last_of(self, head) ? self->next : 0;
}

bool fob_seeker_look(fob_seeker_t *self, const fob_past_t *past, uint64_t head, size_t bytes,
                     fob_gather_t *gather) {
    fob_wanted_t wanted = fob_seeker_wanted(self, last_of(self, head), bytes);
    if (!self->next) {
        fob_search_look(&self->search, past, self->fetch.time_ms);
        return false;
    }
    bool full = fob_gather_from(gather, past, &wanted, &self->next, &self->gone);
    return full || gather->events > 0 || self->next > wanted.last ||
           ++self->pages >= FOB_FETCH_PAGES;
}
