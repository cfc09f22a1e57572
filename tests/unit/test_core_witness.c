/* The half of the model that watches: deliveries, answers and receipts must fit what went before.
 */
#include "test_core_world.h"

#include "proto/topic.h"

#include <stdlib.h>

static worker_t *worker_of(uint64_t conn) {
    for (size_t i = 0; i < WORKERS; i++) {
        if (world->workers[i].conn == conn)
            return &world->workers[i];
    }
    return NULL;
}

static void hold_event(worker_t *worker, const uint64_t *row) {
    uint64_t offset = row[0], token = row[1], attempt = row[2];
    fate_t *fate = &world->fates[worker->group][offset];
    check(!fate->settled, "event %llu of %s goes out, but it was settled",
          (unsigned long long)offset, group_names[worker->group]);
    check(fate->holder == 0, "event %llu of %s goes to %llu while %llu holds it",
          (unsigned long long)offset, group_names[worker->group], (unsigned long long)worker->conn,
          (unsigned long long)fate->holder);
    check(token > fate->token, "token %llu of event %llu is not above %llu",
          (unsigned long long)token, (unsigned long long)offset, (unsigned long long)fate->token);
    check(attempt >= 1 && attempt <= 5, "attempt %llu", (unsigned long long)attempt);
    if (!fate->handed_out) {
        /* Tokens tell the order of hand-outs, also where a delivery waited for its worker's JOINED.
         * After a start, what may have been out before comes back in its own order. */
        hold_t *fresh = &world->fresh[worker->group];
        check(world->plan.crashes || (offset > fresh->offset) == (token > fresh->token),
              "first hand-out of %llu under %llu, of %llu under %llu", (unsigned long long)offset,
              (unsigned long long)token, (unsigned long long)fresh->offset,
              (unsigned long long)fresh->token);
        if (offset > fresh->offset)
            *fresh = (hold_t){offset, token};
    }
    fate->handed_out = true;
    fate->token = token;
    fate->holder = worker->conn;
    check(worker->held_count < HELD_MAX, "held too much");
    worker->held[worker->held_count++] = (hold_t){offset, token};
}

/* A delivery to a worker that is gone: these are no first hand-outs any more. */
static void see_ghost(const kit_effect_t *effect) {
    unsigned group = 0;
    while (strcmp(effect->group, group_names[group]) != 0)
        group++;
    for (size_t i = 0; i < effect->row_count; i++)
        world->fates[group][effect->rows[i][0]].handed_out = true;
}

static void see_delivery(const kit_effect_t *effect) {
    worker_t *worker = worker_of(effect->conn);
    if (!worker) {
        see_ghost(effect);
        return;
    }
    check(strcmp(effect->group, group_names[worker->group]) == 0, "delivered to a stranger");
    for (size_t i = 0; i < effect->row_count; i++) {
        check(i == 0 || effect->rows[i][1] == effect->rows[i - 1][1] + 1 ||
                  effect->rows[i][1] > effect->rows[i - 1][1],
              "tokens of a delivery do not ascend");
        fob_slice_t topic, bytes;
        fob_cursor_t cursor = fob_cursor(fob_slice(effect->events[i], effect->sizes[i]));
        check(fob_envelope_skim(&cursor, &topic, &bytes), "not an event");
        check(fob_pattern_match(fob_slice_str(group_patterns[worker->group]), topic),
              "an event of another topic");
        hold_event(worker, effect->rows[i]);
        worker->got++;
    }
    check(worker->got <= worker->credit, "more than the credit");
}

bool model_refused(const kit_effect_t *effect, const hold_t *hold, uint64_t *code) {
    for (size_t i = 0; i < effect->row_count; i++) {
        const uint64_t *row = effect->rows[i];
        if (hold->offset >= row[1] && hold->offset < row[1] + row[2] &&
            hold->token == row[3] + (hold->offset - row[1])) {
            *code = row[0];
            return true;
        }
    }
    return false;
}

static void see_settled(const kit_effect_t *effect) {
    worker_t *worker = worker_of(effect->conn);
    if (!worker)
        return;
    check(worker->pending_count > 0, "an answer to nothing");
    pending_t *pending = &worker->pending[0];
    check(pending->seq == effect->seq, "answers out of order");
    for (size_t i = 0; i < pending->count; i++) {
        uint64_t code;
        check(!model_refused(effect, &pending->holds[i], &code), "refused %llu: %s",
              (unsigned long long)pending->holds[i].offset, fob_status_name((fob_status_t)code));
        if (pending->kind == FOB_KIND_ACK || pending->kind == FOB_KIND_REJECT)
            world->fates[worker->group][pending->holds[i].offset].settled = true;
    }
    free(pending->holds);
    memmove(pending, pending + 1, --worker->pending_count * sizeof *pending);
}

static void see_receipt(const kit_effect_t *effect) {
    unsigned index = (unsigned)(effect->conn - 1001);
    publisher_t *publisher = &world->publishers[index];
    for (size_t i = 0; i < effect->row_count; i++) {
        const uint64_t *row = effect->rows[i];
        for (uint64_t k = 0; k < row[2]; k++) {
            uint64_t number = row[1] + k;
            check(number < publisher->next, "a receipt for what was never sent");
            if (row[0] == FOB_OK) {
                check(publisher->kinds[number] == 0, "a bad event was stored");
                check(publisher->receipts[number] != 1 || publisher->offsets[number] == row[3] + k,
                      "a second receipt names another offset");
                publisher->receipts[number] = 1;
                publisher->offsets[number] = row[3] + k;
            } else if (row[0] == FOB_BAD_TOPIC) {
                check(publisher->kinds[number] == 1, "a good event was refused");
                publisher->receipts[number] = 2;
            } else {
                /* FORGOTTEN only where nothing was ever confirmed: the first message was lost. */
                check(row[0] == FOB_GAP || row[0] == FOB_DISK_FULL ||
                          (row[0] == FOB_FORGOTTEN && publisher->low == 1),
                      "number %llu answered %s; low is %llu, next %llu", (unsigned long long)number,
                      fob_status_name((fob_status_t)row[0]), (unsigned long long)publisher->low,
                      (unsigned long long)publisher->next);
                if (row[0] == FOB_FORGOTTEN)
                    number = 1;
                if (!publisher->receipts[number] &&
                    (publisher->resend == 0 || number < publisher->resend))
                    publisher->resend = number;
            }
        }
    }
    while (publisher->low < publisher->next && publisher->receipts[publisher->low])
        publisher->low++;
}

void model_look(void) {
    kit_t *kit = &world->kit;
    for (size_t i = 0; i < kit->shown_count; i++) {
        kit_effect_t *effect = &kit->shown[i];
        if (effect->kind == FOB_EFF_DELIVER)
            see_delivery(effect);
        else if (effect->kind == FOB_EFF_SETTLED)
            see_settled(effect);
        else if (effect->kind == FOB_EFF_RECEIPT)
            see_receipt(effect);
        else if (effect->kind == FOB_EFF_NEED) {
            check(world->need_count < 64, "too many needs under way");
            world->needs[world->need_count++] = effect->need_offset;
        }
    }
    kit_clear(kit);
    kit_books(kit);
    check(books_feed(&world->books) && books_agree(&world->books), "%s", world->books.trouble);
}
