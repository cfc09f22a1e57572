/* numbers: see numbers.h. Open addressing: nothing is ever taken out, but all at once. */
#include "publishers/numbers.h"

void fob_numbers_init(fob_numbers_t *self, uint64_t source) {
    memset(self, 0, sizeof *self);
    self->source = source;
}

static uint32_t hash(fob_slice_t topic) {
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < topic.size; i++)
        h = (h ^ topic.data[i]) * 16777619u;
    return h;
}

fob_number_t *fob_numbers_of(fob_numbers_t *self, fob_slice_t topic) {
    uint32_t at = hash(topic) % FOB_NUMBERS;
    while (self->places[at].size) {
        fob_number_t *place = &self->places[at];
        if (fob_slice_eq(fob_slice(place->topic, place->size), topic))
            return place;
        at = (at + 1) % FOB_NUMBERS;
    }
    if (self->used >= FOB_NUMBERS / 4 * 3) {
        fob_numbers_init(self, self->source * 6364136223846793005u + 1442695040888963407u);
        at = hash(topic) % FOB_NUMBERS;
    }
    fob_number_t *place = &self->places[at];
    self->used++;
    place->next = 1;
    place->size = (uint8_t)topic.size;
    memcpy(place->topic, topic.data, topic.size);
    return place;
}
