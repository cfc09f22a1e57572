#include "subscribers/commands/bench_seen.h"

#include "proto/cli/bench/stamp.h"

bool fob_seen_begin(fob_seen_t *self, fob_client_t *client, uint32_t receiver) {
    *self = (fob_seen_t){.client = client, .receiver = receiver};
    return fob_order_begin(&self->order, client->plan->publishers, client->plan->topics);
}

void fob_seen_end(fob_seen_t *self) {
    fob_order_end(&self->order);
}

static bool is_ours(const fob_client_t *client, const fob_event_t *event, fob_stamp_t *stamp) {
    size_t size;
    const void *data = fob_event_data(event, &size);
    return fob_stamp_read(data, size, client->plan->size, stamp) &&
           stamp->run == client->plan->run && stamp->source < client->plan->publishers &&
           stamp->sequence < fob_board_capacity(client->board);
}

void fob_seen_note(fob_seen_t *self, const fob_event_t *event, int64_t now_ns) {
    fob_bench_slot_t *slot = self->client->slot;
    fob_stamp_t stamp;
    if (!is_ours(self->client, event, &stamp)) {
        fob_client_count(&slot->foreign, 1);
        return;
    }
    const fob_tally_t seen = fob_board_seen(self->client->board, self->receiver, stamp.source);
    if (!fob_tally_mark(&seen, stamp.sequence)) {
        fob_client_count(&slot->again, 1);
        return;
    }
    if (!fob_order_note(&self->order, stamp.source, stamp.sequence))
        fob_client_count(&slot->disordered, 1);
    fob_histogram_add(&slot->latency, now_ns - stamp.due_ns);
    fob_client_count(&slot->received, 1);
    atomic_store_explicit(&slot->last_ns, now_ns, memory_order_relaxed);
}
