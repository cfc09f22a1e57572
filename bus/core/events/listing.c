#include "bus/core/events/listing.h"

#include "proto/topic.h"

void fob_listing_begin(fob_listing_t *self, fob_chain_t *chain, uint64_t from, uint64_t head) {
    *self = (fob_listing_t){.from = from, .upto = head};
    fob_chain_seek(chain, from);
}

static bool wanted(const fob_listing_t *self, const fob_tail_t *tail) {
    return tail && tail->last >= self->from && tail->last <= self->upto;
}

static bool list_one(fob_listing_t *self, const fob_chain_t *chain, fob_slice_t topic,
                     uint64_t *offsets, size_t room, size_t *count) {
    const fob_tail_t *tail = fob_chain_find(chain, topic);
    self->looked = 1;
    self->floor = tail ? 0 : chain->floor; /* of a topic that is known nothing else is wanted */
    if (*count < room && wanted(self, tail))
        offsets[(*count)++] = tail->last;
    return true;
}

bool fob_listing_step(fob_listing_t *self, fob_chain_t *chain, fob_slice_t pattern,
                      uint64_t *offsets, size_t room, size_t *count) {
    if (fob_pattern_literal(pattern))
        return list_one(self, chain, pattern, offsets, room, count);
    self->floor = chain->floor;
    for (self->looked = 0; self->looked < FOB_LISTING_LOOKED; self->looked++) {
        const fob_tail_t *tail = fob_chain_sought(chain);
        if (!tail || tail->last > self->upto || *count == room)
            return true;
        if (wanted(self, tail) && fob_pattern_match(pattern, fob_tail_topic(tail)))
            offsets[(*count)++] = tail->last;
        fob_chain_pass(chain);
    }
    return false;
}
