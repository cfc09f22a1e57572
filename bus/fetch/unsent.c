#include "bus/fetch/unsent.h"

#include <stdatomic.h>
#include <stdlib.h>

#define LEAST_ROOM 64

/* What an answer holds too: so long as it is not alone one is unsent. */
struct fob_ticket {
    uint32_t route;
    fob_blob_t *held; /* NULL: the place is free */
};

typedef struct {
    fob_blob_t *ticket, *account;
    size_t size;
    uint8_t bytes[];
} answer_t;

void fob_unsent_free(fob_unsent_t *self) {
    for (size_t i = 0; i < self->room; i++)
        fob_blob_unref(&self->tickets[i].held);
    free(self->tickets);
    fob_blob_unref(&self->account);
    *self = (fob_unsent_t){0};
}

/* --- the account --- */

static atomic_size_t *bytes_of(const fob_blob_t *account) {
    return (atomic_size_t *)(uintptr_t)fob_blob_slice(account).data;
}

static void free_account(void *data, void *hint) {
    (void)hint;
    free(data);
}

static bool open_account(fob_unsent_t *self) {
    atomic_size_t *bytes = self->account ? NULL : malloc(sizeof *bytes);
    if (self->account)
        return true;
    if (!bytes)
        return false;
    atomic_init(bytes, 0);
    self->account = fob_blob_wrap(bytes, sizeof *bytes, free_account, NULL);
    if (!self->account)
        free(bytes);
    return self->account != NULL;
}

size_t fob_unsent_bytes(const fob_unsent_t *self) {
    return self->account ? atomic_load_explicit(bytes_of(self->account), memory_order_relaxed) : 0;
}

/* --- tickets --- */

/* The place of a number, or the free one where it would be; there is one. */
static fob_ticket_t *place_of(fob_ticket_t *tickets, size_t room, uint32_t route) {
    size_t at = (route * UINT32_C(0x9e3779b1)) & (room - 1);
    while (tickets[at].held && tickets[at].route != route)
        at = (at + 1) & (room - 1);
    return &tickets[at];
}

static size_t count_unsent(const fob_unsent_t *self) {
    size_t count = 0;
    for (size_t i = 0; i < self->room; i++)
        count += self->tickets[i].held && !fob_blob_alone(self->tickets[i].held);
    return count;
}

/* A new table, of those that are unsent; the others are forgotten. */
static bool renew(fob_unsent_t *self) {
    size_t room = LEAST_ROOM, unsent = count_unsent(self);
    while (room < 4 * unsent)
        room *= 2;
    fob_ticket_t *tickets = calloc(room, sizeof *tickets);
    if (!tickets)
        return false;
    self->count = 0;
    for (size_t i = 0; i < self->room; i++) {
        fob_ticket_t *old = &self->tickets[i];
        if (old->held && fob_blob_alone(old->held)) {
            fob_blob_unref(&old->held);
        } else if (old->held) {
            *place_of(tickets, room, old->route) = *old;
            self->count++;
        }
    }
    free(self->tickets);
    self->tickets = tickets;
    self->room = room;
    return true;
}

/* Theirs; NULL: no memory. */
static fob_blob_t *ticket_for(fob_unsent_t *self, uint32_t route) {
    if (2 * (self->count + 1) > self->room && !renew(self))
        return NULL;
    fob_ticket_t *ticket = place_of(self->tickets, self->room, route);
    if (ticket->held)
        return ticket->held;
    ticket->held = fob_blob_new(0);
    ticket->route = route;
    self->count += ticket->held != NULL;
    return ticket->held;
}

bool fob_unsent_any(const fob_unsent_t *self, uint32_t route) {
    const fob_ticket_t *ticket = self->room ? place_of(self->tickets, self->room, route) : NULL;
    return ticket && ticket->held && !fob_blob_alone(ticket->held);
}

/* --- answers --- */

static void drop(void *bytes, void *hint) {
    answer_t *answer = hint;
    (void)bytes;
    atomic_fetch_sub_explicit(bytes_of(answer->account), answer->size, memory_order_relaxed);
    fob_blob_unref(&answer->account);
    fob_blob_unref(&answer->ticket);
    free(answer);
}

fob_blob_t *fob_unsent_wrap(fob_unsent_t *self, uint32_t route, fob_slice_t bytes) {
    fob_blob_t *ticket = open_account(self) ? ticket_for(self, route) : NULL;
    answer_t *answer = ticket ? malloc(sizeof *answer + bytes.size) : NULL;
    fob_blob_t *blob = answer ? fob_blob_wrap(answer->bytes, bytes.size, drop, answer) : NULL;
    if (!blob) {
        free(answer);
        return NULL;
    }
    answer->ticket = fob_blob_ref(ticket);
    answer->account = fob_blob_ref(self->account);
    answer->size = bytes.size;
    if (bytes.size)
        memcpy(answer->bytes, bytes.data, bytes.size);
    atomic_fetch_add_explicit(bytes_of(self->account), bytes.size, memory_order_relaxed);
    return blob;
}
