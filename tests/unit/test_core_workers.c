/* The workers of the model: they come, take, settle, stand still, vanish and come back. */
#include "test_core_world.h"

#include <stdlib.h>

static void forget_holds(worker_t *worker) {
    for (size_t i = 0; i < worker->held_count; i++) {
        fate_t *fate = &world->fates[worker->group][worker->held[i].offset];
        if (fate->holder == worker->conn)
            fate->holder = 0;
    }
    worker->held_count = 0;
}

static void drop_pending(worker_t *worker) {
    for (size_t i = 0; i < worker->pending_count; i++)
        free(worker->pending[i].holds);
    worker->pending_count = 0;
}

static uint64_t random_lease(void) {
    return world->plan.leases && chance(3) == 0 ? 100 + chance(3000) : 0;
}

static void join(worker_t *worker) {
    worker->conn = world->next_conn++;
    worker->session = worker->conn;
    worker->group = (unsigned)chance(GROUPS);
    worker->credit = 1 + chance(chance(3) ? 30 : 300);
    worker->got = worker->seq = 0;
    worker->jobs = chance(3);
    worker->overdue_count = worker->known = 0;
    uint8_t session[FOB_SESSION_SIZE];
    memset(session, 0, sizeof session);
    memcpy(session, &worker->conn, sizeof worker->conn);
    kit_do(&world->kit,
           &(fob_command_t){.kind = FOB_CMD_JOIN,
                            .conn = worker->conn,
                            .join = {.session = session,
                                     .group = fob_slice_str(group_names[worker->group]),
                                     .pattern = fob_slice_str(group_patterns[worker->group]),
                                     .create = true,
                                     .credit = worker->credit,
                                     .jobs = worker->jobs,
                                     .worker = fob_slice_str(chance(2) ? "anna" : "bert"),
                                     .lease_ms = random_lease()}});
}

void worker_vanish(worker_t *worker) {
    forget_holds(worker);
    drop_pending(worker);
    worker->conn = 0;
}

void worker_lose(worker_t *worker) {
    uint64_t conn = worker->conn;
    worker_vanish(worker);
    if (chance(2))
        kit_lost(&world->kit, conn);
    else
        kit_leave(&world->kit, conn, group_names[worker->group]);
}

static int by_offset(const void *a, const void *b) {
    const hold_t *x = a, *y = b;
    return (x->offset > y->offset) - (x->offset < y->offset);
}

static unsigned random_kind(void) {
    uint64_t at = chance(100);
    return at < 85   ? FOB_KIND_ACK
           : at < 92 ? FOB_KIND_RETRY
           : at < 97 ? FOB_KIND_RELEASE
                     : FOB_KIND_REJECT;
}

/* A settle of what ran out, before the worker heard of that, frees its job too. */
static void not_overdue(worker_t *worker, uint64_t token) {
    size_t kept = worker->known;
    for (size_t i = worker->known; i < worker->overdue_count; i++) {
        if (worker->overdue[i].token != token)
            worker->overdue[kept++] = worker->overdue[i];
    }
    worker->overdue_count = kept;
}

void worker_settle(worker_t *worker, size_t from, size_t count, unsigned kind) {
    fob_buf_t runs = {0};
    uint64_t after = kind == FOB_KIND_RETRY && chance(2) ? 1 + chance(3000) : 0;
    pending_t *pending = &worker->pending[worker->pending_count++];
    *pending = (pending_t){.seq = ++worker->seq, .kind = kind, .count = count};
    pending->holds = malloc(count * sizeof(hold_t));
    memcpy(pending->holds, worker->held + from, count * sizeof(hold_t));
    worker->held_count -= count;
    memmove(worker->held + from, worker->held + from + count,
            (worker->held_count - from) * sizeof(hold_t));
    fob_pack_array(&runs, count);
    for (size_t i = 0; i < count; i++) {
        const hold_t *hold = &pending->holds[i];
        world->fates[worker->group][hold->offset].holder = 0;
        not_overdue(worker, hold->token);
        fob_run_write(&runs, (uint64_t[]){kind, hold->offset, 1, hold->token, after}, 5);
    }
    worker->credit += count;
    kit_do(&world->kit,
           &(fob_command_t){.kind = FOB_CMD_SETTLE,
                            .conn = worker->conn,
                            .settle = {fob_slice_str(group_names[worker->group]), pending->seq,
                                       worker->credit, fob_buf_slice(&runs),
                                       fob_slice_str(chance(2) ? "it failed" : "")}});
    fob_buf_free(&runs);
}

void worker_tell_ended(worker_t *worker) {
    fob_buf_t runs = {0};
    size_t count = worker->known;
    pending_t *pending = &worker->pending[worker->pending_count++];
    *pending = (pending_t){.seq = ++worker->seq, .kind = FOB_KIND_RELEASE};
    fob_pack_array(&runs, count);
    for (size_t i = 0; i < count; i++)
        fob_run_write(
            &runs,
            (uint64_t[]){random_kind(), worker->overdue[i].offset, 1, worker->overdue[i].token}, 4);
    worker->overdue_count -= count;
    memmove(worker->overdue, worker->overdue + count, worker->overdue_count * sizeof(hold_t));
    worker->known = 0;
    kit_do(&world->kit,
           &(fob_command_t){.kind = FOB_CMD_SETTLE,
                            .conn = worker->conn,
                            .settle = {.group = fob_slice_str(group_names[worker->group]),
                                       .seq = pending->seq,
                                       .runs = fob_buf_slice(&runs)}});
    fob_buf_free(&runs);
}

static void settle_some(worker_t *worker) {
    if (worker->held_count == 0 || worker->pending_count == PENDING_MAX)
        return;
    if (chance(3) == 0)
        qsort(worker->held, worker->held_count, sizeof(hold_t), by_offset);
    size_t from = chance(2) ? 0 : chance(worker->held_count);
    size_t count = 1 + chance(worker->held_count - from);
    worker_settle(worker, from, count, random_kind());
}

/* All that it holds, and all that it settled without an answer. */
static hold_t *gather(const worker_t *worker, size_t *count) {
    hold_t *all = malloc((HELD_MAX + 1) * 2 * sizeof *all);
    *count = worker->held_count;
    memcpy(all, worker->held, *count * sizeof *all);
    for (size_t i = 0; i < worker->pending_count; i++) {
        for (size_t k = 0; k < worker->pending[i].count && *count < HELD_MAX; k++)
            all[(*count)++] = worker->pending[i].holds[k];
    }
    return all;
}

/* Who still holds what is in the answer, which may wait for the journal: look into the turn. */
static const kit_effect_t *find_joined(const worker_t *worker) {
    kit_t *kit = &world->kit;
    kit_effect_t *joined = kit_last(kit, FOB_EFF_JOINED);
    for (size_t i = 0; !joined && i < kit->waiting_count; i++) {
        if (kit->waiting[i].kind == FOB_EFF_JOINED && kit->waiting[i].conn == worker->conn)
            joined = &kit->waiting[i];
    }
    check(joined && joined->status == FOB_OK, "not joined");
    return joined;
}

void worker_rejoin(worker_t *worker) {
    fob_buf_t runs = {0};
    uint8_t session[FOB_SESSION_SIZE];
    size_t count;
    hold_t *all = gather(worker, &count);
    worker_vanish(worker);
    fob_pack_array(&runs, count);
    for (size_t i = 0; i < count; i++)
        fob_run_write(&runs, (uint64_t[]){all[i].offset, 1, all[i].token}, 3);
    memset(session, 0, sizeof session);
    memcpy(session, &worker->session, sizeof worker->session);
    worker->conn = world->next_conn++;
    worker->got = worker->seq = 0;
    worker->credit = 1 + chance(30);
    worker->jobs = 1;
    worker->overdue_count = worker->known = 0;
    fob_command_t join = {.kind = FOB_CMD_JOIN,
                          .conn = worker->conn,
                          .join = {.session = session,
                                   .group = fob_slice_str(group_names[worker->group]),
                                   .pattern = fob_slice_str(group_patterns[worker->group]),
                                   .create = true,
                                   .credit = worker->credit,
                                   .jobs = 1,
                                   .claims = fob_buf_slice(&runs),
                                   .lease_ms = random_lease()}};
    check(kit_step(&world->kit, &join) == FOB_OK, "the join failed");
    kit_take(&world->kit);
    const kit_effect_t *joined = find_joined(worker);
    for (size_t i = 0; i < count; i++) {
        uint64_t code;
        fate_t *fate = &world->fates[worker->group][all[i].offset];
        if (model_refused(joined, &all[i], &code))
            continue;
        check(fate->holder == 0, "claimed what %llu holds", (unsigned long long)fate->holder);
        check(fate->token == all[i].token, "claimed with an old token");
        fate->holder = worker->conn;
        worker->held[worker->held_count++] = all[i];
    }
    free(all);
    fob_buf_free(&runs);
    kit_settle_down(&world->kit);
}

void worker_act(void) {
    worker_t *worker = &world->workers[chance(WORKERS)];
    if (worker->conn == 0) {
        if (chance(4) == 0)
            join(worker);
        return;
    }
    uint64_t what = chance(100);
    if (what < 2)
        worker_lose(worker);
    else if (what < 4)
        worker_rejoin(worker);
    else if (what < 14 && worker->held_count < 200) {
        worker->credit += chance(20);
        kit_credit(&world->kit, worker->conn, group_names[worker->group], worker->credit);
    } else if (what < 30 && worker->known && worker->pending_count < PENDING_MAX)
        worker_tell_ended(worker);
    else
        settle_some(worker);
}
