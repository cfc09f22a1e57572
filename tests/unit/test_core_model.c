#include "test_core_world.h"

#include <stdlib.h>

const char *const group_names[GROUPS] = {"all", "orders", "rare", "two"};
const char *const group_patterns[GROUPS] = {">", "order.*", "rare.thing", "*.x"};

world_t *world;
model_tally_t model_tally;

uint64_t chance(uint64_t below) {
    uint64_t x = world->state += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (x ^ (x >> 31)) % below;
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
    world->floor = 0; /* what was decided last may be gone */
    kit_t *kit = &world->kit;
    uint64_t keep = kit->durable + chance(kit->position - kit->durable + 1);
    if (chance(3) == 0)
        kit_forget_checkpoint(kit);
    kit_crash(kit, keep);
    model_tally.crashes++;
    world->need_count = 0;
    kit_clear(kit);
    memset(world->fresh, 0, sizeof world->fresh);
    for (size_t i = 0; i < PUBLISHERS; i++)
        publisher_reconnect(&world->publishers[i]);
    /* Workers come back with what they hold, at once, late, or not at all. Nothing is theirs
     * meanwhile. */
    for (size_t i = 0; i < WORKERS; i++) {
        worker_t *worker = &world->workers[i];
        if (worker->conn == 0)
            continue;
        if (chance(4)) {
            worker_rejoin(worker);
            model_look();
        } else {
            worker_vanish(worker);
        }
    }
}

/* --- the end: everything is drained --- */

/* Nothing waits, and what was shed or removed was found. */
static bool all_settled(void) {
    for (unsigned i = 0; i < GROUPS; i++) {
        const books_group_t *group = books_find(&world->books, group_names[i]);
        if (books_depth(group) || group->debt)
            return false;
    }
    return true;
}

static void finish_round(void) {
    kit_t *kit = &world->kit;
    kit_pass(kit, 400000);
    for (size_t i = 0; i < WORKERS; i++) {
        worker_t *worker = &world->workers[i];
        while (worker->conn && worker->held_count && worker->pending_count < PENDING_MAX)
            worker_settle(worker, 0, worker->held_count, FOB_KIND_ACK);
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
            worker_lose(&world->workers[i]);
    }
    if (world->plan.operators || world->plan.limits || world->plan.leases)
        operator_open_all();
    kit_sync(&world->kit, world->kit.position);
    model_look();
    for (unsigned i = 0; i < GROUPS; i++) {
        worker_t *worker = &world->workers[i];
        worker->conn = world->next_conn++;
        worker->group = i;
        worker->credit = 400;
        worker->got = worker->seq = worker->overdue_count = worker->known = 0;
        kit_join(&world->kit, worker->conn, group_names[i], group_patterns[i], worker->credit);
    }
    model_look();
    for (unsigned round = 0; publishers_finish() || !all_settled(); round++) {
        for (size_t i = 0; round >= 2000 && i < GROUPS; i++)
            printf("%s: %s\n", group_names[i], kit_stats(&world->kit, group_names[i]).why);
        check(round < 2000, "it never comes to an end");
        finish_round();
    }
}

/* --- what must hold at the end --- */

/* Every number is in the journal once, and where its receipt says. */
static void check_stored_once(void) {
    for (uint64_t offset = 1; offset <= world->books.head; offset++) {
        const books_event_t *event = &world->books.events[offset];
        if (event->size == 0)
            continue; /* the place of a copy */
        publisher_t *publisher = &world->publishers[event->data[0]];
        uint64_t number = event->data[1];
        check(publisher->receipts[number] == STORED, "stored twice, or without a receipt");
        check(publisher->offsets[number] == offset, "stored elsewhere than the receipt says");
        publisher->receipts[number] = FOUND;
    }
    for (size_t i = 0; i < PUBLISHERS; i++) {
        for (uint64_t n = 1; n < world->publishers[i].next; n++)
            check(world->publishers[i].receipts[n] > STORED, "confirmed, but not in the journal");
    }
}

/* Of one publisher and one topic, in the order sent. */
static void check_order(void) {
    for (size_t i = 0; i < PUBLISHERS; i++) {
        const publisher_t *publisher = &world->publishers[i];
        uint64_t last[TOPICS] = {0};
        for (uint64_t n = 1; n < publisher->next; n++) {
            uint64_t *before = &last[publisher->topic[n]];
            if (publisher->receipts[n] != FOUND)
                continue;
            check(publisher->offsets[n] > *before, "number %llu is at %llu, an earlier one at %llu",
                  (unsigned long long)n, (unsigned long long)publisher->offsets[n],
                  (unsigned long long)*before);
            *before = publisher->offsets[n];
        }
    }
}

/* What was acked was handed out; where nothing is dropped, each event was. */
static void check_groups(void) {
    const model_plan_t *plan = &world->plan;
    for (unsigned g = 0; g < GROUPS; g++) {
        const books_group_t *group = books_find(&world->books, group_names[g]);
        uint64_t handed = 0;
        for (uint64_t offset = 1; offset <= world->books.head; offset++) {
            handed += world->fates[g][offset].handed_out;
            check(!group->entries[offset].acked || world->fates[g][offset].handed_out,
                  "event %llu of %s is acked by nobody", (unsigned long long)offset, group->name);
        }
        check(books_depth(group) == 0 && group->debt == 0, "%s is not done", group->name);
        check(plan->damage || plan->limits || plan->operators || handed == group->accepted,
              "%s: %llu handed out, %llu accepted", group->name, (unsigned long long)handed,
              (unsigned long long)group->accepted);
    }
}

/* What nobody needs is given back, and what little is needed of some more is moved. */
static void act_reclaim(void) {
    kit_t *kit = &world->kit;
    uint64_t floor = fob_core_floor(kit->core); /* a group that began anew may need more again */
    floor = floor < world->floor ? floor : world->floor;
    for (size_t i = 0; kit->durable >= world->floor_position && i < kit->log_count; i++) {
        kit_record_t *record = &kit->log[i];
        uint64_t end = record->first_offset + record->count;
        if (record->count && end <= floor) {
            record->unreadable = true;
            world->trimmed = end > world->trimmed ? end : world->trimmed;
        }
    }
    uint64_t head = fob_core_head(kit->core), below = fob_core_floor(kit->core) + chance(500);
    kit_do(kit, &(fob_command_t){
                    .kind = FOB_CMD_RECLAIM,
                    .reclaim = {below <= head ? below : head + 1, 1000000, 300 + chance(5000)}});
    model_tally.moved += fob_core_head(kit->core) - head;
    world->floor = fob_core_floor(kit->core);
    world->floor_position = kit->position;
}

static void act(void) {
    uint64_t what = chance(1000);
    kit_t *kit = &world->kit;
    if (world->plan.checkpoints && chance(3) == 0)
        kit_checkpoint_some(kit);
    if (world->plan.operators && chance(60) == 0)
        operator_act();
    if (world->plan.reclaims && chance(20) == 0)
        act_reclaim();
    if (what < 250)
        publisher_act();
    else if (what < 260)
        publisher_go_back();
    else if (what < 700)
        worker_act();
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

static void begin_publisher(publisher_t *publisher) {
    *publisher = (publisher_t){.next = 1, .low = 1};
    publisher->receipts = calloc(EVENTS_MAX + 1, 1);
    publisher->kinds = calloc(EVENTS_MAX + 1, 1);
    publisher->topic = calloc(EVENTS_MAX + 1, 1);
    publisher->id = calloc(EVENTS_MAX + 1, 1);
    publisher->priority = calloc(EVENTS_MAX + 1, 1);
    publisher->offsets = calloc(EVENTS_MAX + 1, sizeof(uint64_t));
    publisher->turned = calloc(EVENTS_MAX + 1, sizeof(uint64_t));
    publisher_reconnect(publisher);
}

static void begin(const model_plan_t *plan) {
    fob_core_config_t config = kit_config;
    world = calloc(1, sizeof *world);
    world->plan = *plan;
    world->state = plan->seed;
    world->next_conn = 1;
    config.mark_block = 1;
    config.page_bytes = 2000;
    config.slice_bytes = plan->seed % 2 ? 100 : 5000; /* each group by itself, or some together */
    config.dedup_window_ms = 30000;
    config.dedup_max = plan->seed % 2 ? 150 : 1000000;
    if (plan->deep)
        config.cache_bytes = 20000;
    kit_init(&world->kit, &config);
    books_init(&world->books, &world->kit);
    world->kit.watch = model_watch;
    world->kit.hash_turns = world->kit.manual = true;
    for (size_t i = 0; i < GROUPS; i++)
        world->fates[i] = calloc(EVENTS_MAX + 1, sizeof(fate_t));
    world->accepted = calloc(EVENTS_MAX + 1, sizeof(uint64_t));
    for (size_t i = 0; i < PUBLISHERS; i++)
        begin_publisher(&world->publishers[i]);
    for (unsigned i = 0; i < GROUPS; i++)
        operator_add(i);
    kit_sync(&world->kit, world->kit.position);
}

static void end(void) {
    for (size_t i = 0; i < WORKERS; i++)
        worker_vanish(&world->workers[i]);
    for (size_t i = 0; i < PUBLISHERS; i++) {
        publisher_t *publisher = &world->publishers[i];
        free(publisher->receipts);
        free(publisher->kinds);
        free(publisher->topic);
        free(publisher->id);
        free(publisher->priority);
        free(publisher->offsets);
        free(publisher->turned);
    }
    for (size_t i = 0; i < GROUPS; i++)
        free(world->fates[i]);
    free(world->accepted);
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
    check_order();
    check_groups();
    /* And once more from the last checkpoint, and from nothing but the journal. */
    kit_crash(&world->kit, world->kit.position);
    kit_forget_checkpoint(&world->kit);
    kit_crash(&world->kit, world->kit.position);
    end();
}
