/* pool: see pool.h. Each place tells by itself whether it is out, so giving it back is one exchange
 * and needs no list. */
#include "proto/pool.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#define POOL_LOOKS 4 /* places looked at before malloc is asked */

enum { IN, OUT, LOOSE /* of no pool, or not any more: freed when given back */ };

struct fob_pool_place {
    atomic_uint state;
    _Alignas(max_align_t) unsigned char bytes[];
};

static fob_pool_place_t *place_new(size_t size, unsigned state) {
    if (size > SIZE_MAX - sizeof(fob_pool_place_t))
        return NULL;
    fob_pool_place_t *place = malloc(sizeof *place + size);
    if (place)
        atomic_init(&place->state, state);
    return place;
}

/* The place at `index`, if it is not out: made where there is none yet. */
static fob_pool_place_t *look(fob_pool_t *self, unsigned index) {
    fob_pool_place_t *place = self->places[index];
    if (!place)
        return self->places[index] = place_new(FOB_POOL_BYTES, OUT);
    /* Acquire: who gave it back is done with its bytes. */
    if (atomic_load_explicit(&place->state, memory_order_acquire) != IN)
        return NULL;
    atomic_store_explicit(&place->state, OUT, memory_order_relaxed);
    return place;
}

/* The first place is looked at first: who has one event at a time has always the same one, which is
 * near. Then those behind the last one that was taken. */
static fob_pool_place_t *find(fob_pool_t *self) {
    fob_pool_place_t *place = look(self, 0);
    for (unsigned i = 0; !place && i < POOL_LOOKS; i++) {
        self->next = self->next + 1 < FOB_POOL_PLACES ? self->next + 1 : 1;
        place = look(self, self->next);
    }
    return place;
}

void *fob_pool_take(fob_pool_t *self, size_t size) {
    fob_pool_place_t *place = self && size <= FOB_POOL_BYTES ? find(self) : NULL;
    if (!place)
        place = place_new(size, LOOSE);
    return place ? place->bytes : NULL;
}

void fob_pool_give(void *bytes) {
    fob_pool_place_t *place = (void *)((unsigned char *)bytes - offsetof(fob_pool_place_t, bytes));
    if (atomic_exchange_explicit(&place->state, IN, memory_order_acq_rel) == LOOSE)
        free(place);
}

void fob_pool_empty(fob_pool_t *self) {
    for (unsigned i = 0; i < FOB_POOL_PLACES; i++) {
        fob_pool_place_t *place = self->places[i];
        if (place && atomic_exchange_explicit(&place->state, LOOSE, memory_order_acq_rel) == IN)
            free(place);
    }
    *self = (fob_pool_t){0};
}
