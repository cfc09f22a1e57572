#include "test_core_world.h"

#include <stdlib.h>

const char *const group_names[GROUPS] = {"all", "orders", "rare", "two"};
const char *const group_patterns[GROUPS] = {">", "order.*", "rare.thing", "*.x"};
static const char *const topics[] = {"order.placed", "order.x", "rare.thing", "other.x", "other"};
static const unsigned topic_odds[] = {50, 20, 1, 10, 19};

world_t *world;

/* --- chance --- */

static uint64_t chance(uint64_t below) {
    uint64_t x = world->state += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (x ^ (x >> 31)) % below;
}

/* --- publishers --- */

static unsigned random_topic(void) {
    uint64_t at = chance(100);
    unsigned t = 0;
    while (at >= topic_odds[t])
        at -= topic_odds[t++];
    return t;
}

static void publish(unsigned index, uint64_t first, uint64_t count, fob_status_t refuse) {
    publisher_t *publisher = &world->publishers[index];
    fob_buf_t body = {0};
    for (uint64_t i = 0; i < count; i++) {
        uint64_t data[2] = {index, first + i};
        size_t before = body.size;
        kit_event(&body, topics[publisher->topic[first + i]], data, sizeof data);
        if (publisher->kinds[first + i])
            body.data[before + 2] = '.'; /* the first byte of the topic */
    }
    kit_publish_body(&world->kit, (uint8_t)(index + 1), first, publisher->low, &body, refuse);
}

static void act_publish(void) {
    unsigned index = (unsigned)chance(PUBLISHERS);
    publisher_t *publisher = &world->publishers[index];
    uint64_t first = publisher->next, count = 1 + chance(chance(4) ? 8 : 60);
    if (publisher->resend) {
        first = publisher->resend > publisher->low ? publisher->resend : publisher->low;
        publisher->resend = 0;
        count = publisher->next - first < count ? publisher->next - first : count;
        if (first + count < publisher->next)
            publisher->resend = first + count;
    } else {
        if (fob_core_head(world->kit.core) + count + 1000 > EVENTS_MAX ||
            publisher->next + count > EVENTS_MAX || publisher->next - publisher->low > 500)
            return;
        for (uint64_t n = first; n < first + count; n++) {
            publisher->topic[n] = (uint8_t)random_topic();
            publisher->kinds[n] = chance(200) == 0;
        }
        publisher->next += count;
    }
    if (count == 0 || chance(50) == 0)
        return; /* the message was lost on its way */
    publish(index, first, count, chance(40) == 0 ? FOB_DISK_FULL : FOB_OK);
}

static void act_resend(void) {
    publisher_t *publisher = &world->publishers[chance(PUBLISHERS)];
    if (publisher->low < publisher->next)
        publisher->resend = publisher->low;
}

/* --- workers --- */

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

static void act_join(worker_t *worker) {
    worker->conn = world->next_conn++;
    worker->session = worker->conn;
    worker->group = (unsigned)chance(GROUPS);
    worker->credit = 1 + chance(chance(3) ? 30 : 300);
    worker->got = worker->seq = 0;
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
                                     .jobs = chance(3)}});
}

static void act_lose(worker_t *worker) {
    uint64_t conn = worker->conn;
    forget_holds(worker);
    drop_pending(worker);
    worker->conn = 0;
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
           : at < 98 ? FOB_KIND_RELEASE
                     : FOB_KIND_REJECT;
}

/* Settles some of what it holds: a stretch from anywhere in it. */
static void settle(worker_t *worker, size_t from, size_t count, unsigned kind) {
    fob_buf_t runs = {0};
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
        fob_run_write(&runs, (uint64_t[]){kind, hold->offset, 1, hold->token}, 4);
    }
    worker->credit += count;
    kit_do(&world->kit,
           &(fob_command_t){.kind = FOB_CMD_SETTLE,
                            .conn = worker->conn,
                            .settle = {fob_slice_str(group_names[worker->group]), pending->seq,
                                       worker->credit, fob_buf_slice(&runs)}});
    fob_buf_free(&runs);
}

static void act_settle(worker_t *worker) {
    if (worker->held_count == 0 || worker->pending_count == PENDING_MAX)
        return;
    if (chance(3) == 0)
        qsort(worker->held, worker->held_count, sizeof(hold_t), by_offset);
    size_t from = chance(2) ? 0 : chance(worker->held_count);
    size_t count = 1 + chance(worker->held_count - from);
    settle(worker, from, count, random_kind());
}

/* Comes back on a new connection with all it may still hold. */
static void act_rejoin(worker_t *worker) {
    fob_buf_t runs = {0};
    uint8_t session[FOB_SESSION_SIZE];
    memset(session, 0, sizeof session);
    hold_t *all = malloc((HELD_MAX + 1) * 2 * sizeof *all);
    size_t count = worker->held_count;
    memcpy(all, worker->held, count * sizeof *all);
    for (size_t i = 0; i < worker->pending_count; i++) {
        for (size_t k = 0; k < worker->pending[i].count && count < HELD_MAX; k++)
            all[count++] = worker->pending[i].holds[k];
    }
    forget_holds(worker);
    drop_pending(worker);
    fob_pack_array(&runs, count);
    for (size_t i = 0; i < count; i++)
        fob_run_write(&runs, (uint64_t[]){all[i].offset, 1, all[i].token}, 3);
    memcpy(session, &worker->session, sizeof worker->session);
    worker->conn = world->next_conn++;
    worker->got = worker->seq = 0;
    worker->credit = 1 + chance(30);
    fob_command_t join = {.kind = FOB_CMD_JOIN,
                          .conn = worker->conn,
                          .join = {.session = session,
                                   .group = fob_slice_str(group_names[worker->group]),
                                   .pattern = fob_slice_str(group_patterns[worker->group]),
                                   .create = true,
                                   .credit = worker->credit,
                                   .jobs = 1,
                                   .claims = fob_buf_slice(&runs)}};
    check(kit_step(&world->kit, &join) == FOB_OK, "the join failed");
    /* Who still holds what is in the answer, which may wait for the journal: look into the turn. */
    kit_t *kit = &world->kit;
    kit_take(kit);
    kit_effect_t *joined = kit_last(kit, FOB_EFF_JOINED);
    for (size_t i = 0; !joined && i < kit->waiting_count; i++) {
        if (kit->waiting[i].kind == FOB_EFF_JOINED && kit->waiting[i].conn == worker->conn)
            joined = &kit->waiting[i];
    }
    check(joined && joined->status == FOB_OK, "not joined");
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
    kit_settle_down(kit);
}

static void act_worker(void) {
    worker_t *worker = &world->workers[chance(WORKERS)];
    if (worker->conn == 0) {
        if (chance(4) == 0)
            act_join(worker);
        return;
    }
    uint64_t what = chance(100);
    if (what < 2)
        act_lose(worker);
    else if (what < 4)
        act_rejoin(worker);
    else if (what < 14 && worker->held_count < 200) {
        worker->credit += chance(20);
        kit_credit(&world->kit, worker->conn, group_names[worker->group], worker->credit);
    } else
        act_settle(worker);
}

/* --- the journal --- */

static void act_sync(void) {
    kit_t *kit = &world->kit;
    if (kit->position > kit->durable)
        kit_sync(kit, kit->durable + 1 + chance(kit->position - kit->durable));
}

static void act_page(void) {
    if (world->need_count == 0)
        return;
    size_t at = chance(world->need_count);
    uint64_t offset = world->needs[at];
    world->needs[at] = world->needs[--world->need_count];
    kit_page(&world->kit, offset, 200 + chance(4000));
}

static void act_damage(void) {
    kit_t *kit = &world->kit;
    if (kit->log_count == 0)
        return;
    kit_record_t *record = &kit->log[chance(kit->log_count)];
    if (record->count && record->position <= kit->durable)
        record->unreadable = true;
}

static void act_crash(void) {
    kit_t *kit = &world->kit;
    uint64_t keep = kit->durable + chance(kit->position - kit->durable + 1);
    kit_crash(kit, keep);
    world->need_count = 0;
    kit_clear(kit);
    memset(world->fresh, 0, sizeof world->fresh);
    for (size_t i = 0; i < PUBLISHERS; i++) {
        publisher_t *publisher = &world->publishers[i];
        publisher->resend = publisher->low < publisher->next ? publisher->low : 0;
    }
    /* Workers come back with what they hold, at once, late, or not at all. Nothing is theirs
     * meanwhile. */
    for (size_t i = 0; i < WORKERS; i++) {
        worker_t *worker = &world->workers[i];
        if (worker->conn == 0)
            continue;
        if (chance(4)) {
            act_rejoin(worker);
            model_look();
        } else {
            forget_holds(worker);
            drop_pending(worker);
            worker->conn = 0;
        }
    }
}

/* --- the end: everything is drained --- */

static bool all_settled(void) {
    fob_group_stats_t stats;
    for (size_t i = 0; fob_core_group_stats(world->kit.core, world->kit.now, i, &stats); i++) {
        if (stats.ready + stats.leased + stats.delayed)
            return false;
    }
    for (size_t i = 0; i < PUBLISHERS; i++) {
        if (world->publishers[i].low < world->publishers[i].next)
            return false;
    }
    return true;
}

static void finish_publishers(void) {
    for (unsigned i = 0; i < PUBLISHERS; i++) {
        publisher_t *publisher = &world->publishers[i];
        while (publisher->low < publisher->next) {
            uint64_t left = publisher->next - publisher->low;
            publish(i, publisher->low, left < 100 ? left : 100, FOB_OK);
            kit_sync(&world->kit, world->kit.position);
            model_look();
            publisher->resend = 0;
        }
    }
}

static void finish_round(void) {
    kit_t *kit = &world->kit;
    kit_pass(kit, 400000);
    for (size_t i = 0; i < WORKERS; i++) {
        worker_t *worker = &world->workers[i];
        while (worker->conn && worker->held_count && worker->pending_count < PENDING_MAX)
            settle(worker, 0, worker->held_count, FOB_KIND_ACK);
        kit_sync(kit, kit->position);
        model_look();
        while (world->need_count)
            act_page();
        model_look();
    }
}

static void finish(void) {
    for (size_t i = 0; i < WORKERS; i++) {
        if (world->workers[i].conn)
            act_lose(&world->workers[i]);
    }
    model_look();
    finish_publishers();
    for (unsigned i = 0; i < GROUPS; i++) {
        worker_t *worker = &world->workers[i];
        worker->conn = world->next_conn++;
        worker->group = i;
        worker->credit = 400;
        worker->got = worker->seq = 0;
        kit_join(&world->kit, worker->conn, group_names[i], group_patterns[i], worker->credit);
    }
    for (unsigned round = 0; !all_settled(); round++) {
        for (size_t i = 0; round >= 2000 && i < GROUPS; i++)
            printf("%s: %s\n", group_names[i], kit_stats(&world->kit, group_names[i]).why);
        check(round < 2000, "it never comes to an end");
        finish_round();
    }
}

/* --- what must hold at the end --- */

/* Every number is in the journal once, and where its receipt says. */
static void check_stored_once(void) {
    kit_t *kit = &world->kit;
    for (size_t i = 0; i < kit->log_count; i++) {
        const kit_record_t *record = &kit->log[i];
        if (!record->count)
            continue;
        fob_cursor_t cursor = fob_cursor(fob_slice(record->bytes + 64, record->size - 64));
        for (uint32_t k = 0; k < record->count; k++) {
            fob_envelope_t event;
            uint64_t data[2];
            check(fob_envelope_read(&cursor, UINT64_MAX, &event) == FOB_OK, "not an event");
            memcpy(data, event.data.data, sizeof data);
            publisher_t *publisher = &world->publishers[data[0]];
            check(publisher->receipts[data[1]] == 1, "stored twice, or without a receipt");
            check(publisher->offsets[data[1]] == record->first_offset + k,
                  "stored elsewhere than the receipt says");
            publisher->receipts[data[1]] = 3;
        }
    }
    for (size_t i = 0; i < PUBLISHERS; i++) {
        for (uint64_t n = 1; n < world->publishers[i].next; n++)
            check(world->publishers[i].receipts[n] >= 2, "confirmed, but not in the journal");
    }
}

/* Every matching event is acked or dead, and counted once; without damage each was handed out. */
static void check_groups(void) {
    fob_group_stats_t stats;
    kit_t *kit = &world->kit;
    for (unsigned g = 0; g < GROUPS; g++) {
        uint64_t handed = 0;
        stats = kit_stats(kit, group_names[g]);
        check(stats.accepted == stats.acked + stats.dead, "the books of %s", group_names[g]);
        for (uint64_t offset = 1; offset <= fob_core_head(kit->core); offset++)
            handed += world->fates[g][offset].handed_out;
        check(world->plan.damage || handed == stats.accepted, "%s: %llu handed out, %llu accepted",
              group_names[g], (unsigned long long)handed, (unsigned long long)stats.accepted);
    }
}

static void act(void) {
    uint64_t what = chance(1000);
    kit_t *kit = &world->kit;
    if (world->plan.checkpoints && chance(8) == 0)
        kit_checkpoint_some(kit);
    if (what < 250)
        act_publish();
    else if (what < 260)
        act_resend();
    else if (what < 700)
        act_worker();
    else if (what < 820)
        act_sync();
    else if (what < 940)
        act_page();
    else if (what < 985)
        kit_pass(kit, (int64_t)chance(chance(10) ? 200 : 20000));
    else if (what < 988 && world->plan.crashes)
        act_crash();
    else if (what < 991)
        return;
    else if (what < 993 && world->plan.damage)
        act_damage();
}

static void begin(const model_plan_t *plan) {
    fob_core_config_t config = kit_config;
    world = calloc(1, sizeof *world);
    world->plan = *plan;
    world->state = plan->seed;
    world->next_conn = 1;
    config.mark_block = 1;
    config.page_bytes = 2000;
    config.slice_bytes = 100; /* each group and each session by itself */
    if (plan->deep)
        config.cache_bytes = 20000;
    kit_init(&world->kit, &config);
    books_init(&world->books, &world->kit);
    world->kit.hash_turns = world->kit.manual = true;
    for (size_t i = 0; i < GROUPS; i++)
        world->fates[i] = calloc(EVENTS_MAX + 1, sizeof(fate_t));
    for (size_t i = 0; i < PUBLISHERS; i++) {
        publisher_t *p = &world->publishers[i];
        *p = (publisher_t){.next = 1, .low = 1};
        p->receipts = calloc(EVENTS_MAX + 1, 1);
        p->kinds = calloc(EVENTS_MAX + 1, 1);
        p->topic = calloc(EVENTS_MAX + 1, 1);
        p->offsets = calloc(EVENTS_MAX + 1, sizeof(uint64_t));
    }
    for (unsigned i = 0; i < GROUPS; i++) {
        fob_command_t add = {
            .kind = FOB_CMD_GROUP_ADD,
            .conn = 999,
            .admin = {1, fob_slice_str(group_names[i]), fob_slice_str(group_patterns[i])}};
        kit_do(&world->kit, &add);
    }
    kit_sync(&world->kit, world->kit.position);
}

static void end(void) {
    for (size_t i = 0; i < WORKERS; i++)
        drop_pending(&world->workers[i]);
    for (size_t i = 0; i < GROUPS; i++)
        free(world->fates[i]);
    for (size_t i = 0; i < PUBLISHERS; i++) {
        free(world->publishers[i].receipts);
        free(world->publishers[i].kinds);
        free(world->publishers[i].topic);
        free(world->publishers[i].offsets);
    }
    books_free(&world->books);
    kit_free(&world->kit);
    free(world);
    world = NULL;
}

void model_run(const model_plan_t *plan) {
    begin(plan);
    for (world->step = 1; world->step <= plan->steps; world->step++) {
        act();
        model_look();
    }
    finish();
    check_stored_once();
    check_groups();
    /* And once more from nothing but the journal. */
    kit_crash(&world->kit, world->kit.position);
    end();
}
