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

static unsigned group_of(const kit_effect_t *effect) {
    unsigned group = 0;
    while (strcmp(effect->group, group_names[group]) != 0)
        group++;
    return group;
}

/* --- what is decided --- */

/* Of what waited when it was decided, none had a higher priority; within one the lowest is first.
 * After a start, or a new beginning, what may have been out before comes in its own order. */
static void watch_fresh(unsigned group, uint64_t offset) {
    unsigned priority = world->books.events[offset].priority;
    uint64_t *last = world->last_fresh[group];
    for (unsigned below = 0; below < priority; below++)
        check(last[below] <= world->accepted[offset] || last[below] == world->turn,
              "%s: event %llu of priority %u waited, while one of %u went out", group_names[group],
              (unsigned long long)offset, priority, below);
    last[priority] = world->turn;
}

/* A worker whose jobs are all occupied by handlers beyond their lease gets nothing. */
static void watch_jobs(const kit_effect_t *effect) {
    const worker_t *worker = worker_of(effect->conn);
    uint64_t jobs = worker && worker->jobs ? worker->jobs : 1;
    check(!worker || worker->overdue_count < jobs,
          "%s: delivered to one of %llu jobs, all of which are occupied", effect->group,
          (unsigned long long)jobs);
}

/* Of what is taken away, what ran out occupies its job until its end is told; the rest, which goes
 * back when no job is free, does not. */
static void watch_lost(const kit_effect_t *effect) {
    worker_t *worker = worker_of(effect->conn);
    if (!worker || strncmp(effect->text, "the lease of ", 13) != 0)
        return;
    for (size_t i = 0; i < effect->row_count; i++) {
        check(worker->overdue_count < (worker->jobs ? worker->jobs : 1),
              "more ran out than there are jobs");
        worker->overdue[worker->overdue_count++] = (hold_t){effect->rows[i][0], effect->rows[i][2]};
    }
}

static void watch_delivery(const kit_effect_t *effect) {
    unsigned group = group_of(effect);
    watch_jobs(effect);
    const books_group_t *books = books_find(&world->books, effect->group);
    check(books && !books->policy.paused, "%s is paused, and hands out", effect->group);
    for (size_t i = 0; i < effect->row_count; i++) {
        uint64_t offset = effect->rows[i][0];
        const books_entry_t *entry = &books->entries[offset];
        check(entry->place == BOOKS_FRESH || (entry->place == BOOKS_BACK && entry->out),
              "event %llu of %s goes out from place %u", (unsigned long long)offset, effect->group,
              entry->place);
        world->fates[group][offset].first_out = entry->place == BOOKS_FRESH;
        if (entry->place == BOOKS_FRESH && !world->plan.crashes && !world->plan.operators)
            watch_fresh(group, offset);
    }
}

void model_watch(const kit_effect_t *effect) {
    const kit_t *kit = &world->kit;
    if (effect == kit->waiting + kit->waiting_count - 1 && world->watched != kit->turns_taken) {
        world->watched = kit->turns_taken;
        world->turn++;
    }
    check(books_feed(&world->books), "%s", world->books.trouble);
    check(world->plan.damage || world->books.unread == 0, "what a group needed was given back");
    for (size_t i = kit->turn_from; i < kit->log_count; i++) {
        for (uint64_t k = 0; k < kit->log[i].count; k++)
            world->accepted[kit->log[i].first_offset + k] = world->turn;
    }
    if (effect->kind == FOB_EFF_DELIVER)
        watch_delivery(effect);
    else if (effect->kind == FOB_EFF_LOST)
        watch_lost(effect);
    else if (effect->kind == FOB_EFF_RECEIPT)
        publisher_watch(effect);
    if (effect->kind == FOB_EFF_RECEIPT && world->plan.limits && !world->plan.crashes &&
        !world->plan.operators)
        model_watch_shed();
    if (effect->kind == FOB_EFF_REPLY)
        check(effect->status == FOB_OK || effect->status == FOB_LIMIT, "a request is answered %s",
              fob_status_name(effect->status));
}

/* --- what is shown --- */

static void hold_event(worker_t *worker, const uint64_t *row) {
    uint64_t offset = row[0], token = row[1], attempt = row[2];
    fate_t *fate = &world->fates[worker->group][offset];
    check(!fate->settled || world->plan.operators, "event %llu of %s goes out, but it was settled",
          (unsigned long long)offset, group_names[worker->group]);
    check(fate->holder == 0, "event %llu of %s goes to %llu while %llu holds it",
          (unsigned long long)offset, group_names[worker->group], (unsigned long long)worker->conn,
          (unsigned long long)fate->holder);
    check(token > fate->token, "token %llu of event %llu is not above %llu",
          (unsigned long long)token, (unsigned long long)offset, (unsigned long long)fate->token);
    check(attempt >= 1 && attempt <= 6, "attempt %llu", (unsigned long long)attempt);
    if (!fate->handed_out) {
        /* Tokens tell the order of hand-outs, also where a delivery waited for its worker's JOINED.
         * After a start, what may have been out before comes back in its own order. */
        hold_t *fresh = &world->fresh[worker->group][world->books.events[offset].priority];
        check(world->plan.crashes || world->plan.operators ||
                  (offset > fresh->offset) == (token > fresh->token),
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
    unsigned group = group_of(effect);
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

/* Taken away: it is nobody's now. */
static void see_lost(const kit_effect_t *effect) {
    worker_t *worker = worker_of(effect->conn);
    for (size_t i = 0; worker && i < effect->row_count; i++) {
        const uint64_t *row = effect->rows[i];
        size_t kept = 0;
        for (size_t k = 0; k < worker->held_count; k++) {
            hold_t hold = worker->held[k];
            if (hold.offset >= row[0] && hold.offset < row[0] + row[1] &&
                hold.token == row[2] + (hold.offset - row[0])) {
                world->fates[worker->group][hold.offset].holder = 0;
                model_tally.lost++;
            } else {
                worker->held[kept++] = hold;
            }
        }
        worker->held_count = kept;
        while (worker->known < worker->overdue_count &&
               worker->overdue[worker->known].token == row[2])
            worker->known++;
    }
    model_tally.overdue += worker ? worker->known : 0;
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
        if (model_refused(effect, &pending->holds[i], &code)) {
            check(world->plan.leases || world->plan.operators, "refused %llu: %s",
                  (unsigned long long)pending->holds[i].offset,
                  fob_status_name((fob_status_t)code));
            continue;
        }
        if (pending->kind == FOB_KIND_ACK || pending->kind == FOB_KIND_REJECT)
            world->fates[worker->group][pending->holds[i].offset].settled = true;
    }
    free(pending->holds);
    memmove(pending, pending + 1, --worker->pending_count * sizeof *pending);
}

void model_look(void) {
    kit_t *kit = &world->kit;
    for (size_t i = 0; i < kit->shown_count; i++) {
        kit_effect_t *effect = &kit->shown[i];
        if (effect->kind == FOB_EFF_DELIVER)
            see_delivery(effect);
        else if (effect->kind == FOB_EFF_SETTLED)
            see_settled(effect);
        else if (effect->kind == FOB_EFF_LOST)
            see_lost(effect);
        else if (effect->kind == FOB_EFF_RECEIPT)
            publisher_see(effect);
        else if (effect->kind == FOB_EFF_NEED) {
            check(world->need_count < sizeof world->needs / sizeof world->needs[0],
                  "too many needs under way");
            world->needs[world->need_count++] = effect->need_offset;
        }
    }
    kit_clear(kit);
    check(books_feed(&world->books) && books_agree(&world->books), "%s", world->books.trouble);
    kit_books(kit);
}
