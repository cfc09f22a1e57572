#include "bus/fetch/unsent.h"

#include <stdlib.h>

#define FIRST_SLOTS 64

void fob_unsent_free(fob_unsent_t *self) {
    for (size_t i = 0; i < self->count; i++)
        fob_blob_unref(&self->tickets[i]);
    free(self->tickets);
    *self = (fob_unsent_t){0};
}

static bool room(fob_unsent_t *self, uint32_t slot) {
    size_t count = self->count ? self->count : FIRST_SLOTS;
    if (slot < self->count)
        return true;
    while (count <= slot)
        count *= 2;
    fob_blob_t **tickets = realloc(self->tickets, count * sizeof *tickets);
    if (!tickets)
        return false;
    memset(tickets + self->count, 0, (count - self->count) * sizeof *tickets);
    self->tickets = tickets;
    self->count = count;
    return true;
}

/* A ticket for one more answer: what is unsent holds it too. NULL: no memory. */
static fob_blob_t *ticket_for(fob_unsent_t *self, uint32_t slot) {
    if (!room(self, slot))
        return NULL;
    if (!self->tickets[slot])
        self->tickets[slot] = fob_blob_new(0);
    return self->tickets[slot];
}

static void drop(void *answer, void *ticket) {
    fob_blob_t *held = ticket;
    free(answer);
    fob_blob_unref(&held);
}

fob_blob_t *fob_unsent_wrap(fob_unsent_t *self, uint64_t conn, fob_slice_t answer) {
    fob_blob_t *ticket = ticket_for(self, (uint32_t)conn);
    uint8_t *copy = ticket ? malloc(answer.size ? answer.size : 1) : NULL;
    fob_blob_t *blob = copy ? fob_blob_wrap(copy, answer.size, drop, ticket) : NULL;
    if (!blob) {
        free(copy);
        return NULL;
    }
    if (answer.size)
        memcpy(copy, answer.data, answer.size);
    (void)fob_blob_ref(ticket);
    return blob;
}

bool fob_unsent_any(const fob_unsent_t *self, uint64_t conn) {
    uint32_t slot = (uint32_t)conn;
    return slot < self->count && self->tickets[slot] && !fob_blob_alone(self->tickets[slot]);
}

void fob_unsent_forget(fob_unsent_t *self, uint64_t conn) {
    if ((uint32_t)conn < self->count)
        fob_blob_unref(&self->tickets[(uint32_t)conn]);
}
