/* Full groups in a seeded world: a publisher whose offers are under way while others are refused,
 * groups of every policy, workers that come and go, crashes that lose the tail. Each event is
 * stored once, each topic in the order sent, no group is ever above its limit, and the books
 * balance. */
#include "test_core_admin.h"

#include "tests/support/seeds.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define NUMBERS 1500
#define GROUPS  4
#define WORKERS 6

static const char *const groups[GROUPS] = {"strict", "young", "high", "grave"};
static const char *const patterns[GROUPS] = {"a.*", "a.x", ">", "*.x"};
static const uint64_t depths[GROUPS] = {12, 7, 9, 5};
static const char *const topics[] = {"a.x", "a.y", "b.x", "c"};

typedef struct {
    uint64_t conn, got, seq, offsets[64], tokens[64];
    unsigned group;
    size_t held;
} holder_t;

typedef struct {
    kit_t kit;
    uint64_t chance;
    uint8_t topic[NUMBERS + 1], priority[NUMBERS + 1], twin[NUMBERS + 1];
    uint64_t offset[NUMBERS + 1]; /* 0: no receipt yet */
    bool duplicate[NUMBERS + 1];
    uint64_t low, next, resend; /* resend: on a new connection, all below goes first */
    uint64_t refused;
    holder_t holders[WORKERS];
    uint64_t conns;
} scene_t;

static scene_t *scene;

static uint64_t chance(uint64_t below) {
    uint64_t x = scene->chance += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (x ^ (x >> 31)) % below;
}

/* --- the publisher --- */

/* A few have an id, and a few of these that of the one before. */
static void put(fob_buf_t *body, uint64_t number) {
    char id[32] = "";
    uint64_t data[1] = {number};
    if (scene->twin[number])
        snprintf(id, sizeof id, "id-%llu", (unsigned long long)(number + 1 - scene->twin[number]));
    kit_event_with(body, topics[scene->topic[number]], id, scene->priority[number], data,
                   sizeof data);
}

static void offer(uint64_t first, uint64_t count) {
    fob_buf_t body = {0};
    for (uint64_t i = 0; i < count; i++)
        put(&body, first + i);
    kit_publish_body(&scene->kit, 1, first, scene->low, &body, chance(60) ? FOB_OK : FOB_DISK_FULL);
}

static uint64_t at_most(uint64_t count, uint64_t first, uint64_t end) {
    return first + count > end ? end - first : count;
}

/* On a new connection all without a receipt goes first, in order; then whatever, also new ones
 * while refused ones wait: what was under way when the refusal came. */
static void act_publish(void) {
    uint64_t count = 1 + chance(12);
    if (scene->resend < scene->next) {
        count = at_most(count, scene->resend, scene->next);
        offer(scene->resend, count);
        scene->resend += count;
    } else if (chance(3) == 0 && scene->low < scene->next) {
        offer(scene->low, at_most(count * 4, scene->low, scene->next));
    } else if (scene->next <= NUMBERS) {
        uint64_t first = scene->next;
        count = at_most(count, first, NUMBERS + 1);
        scene->next = scene->resend = first + count;
        offer(first, count);
    }
}

static void on_receipt(const kit_effect_t *effect) {
    for (size_t i = 0; i < effect->row_count; i++) {
        const uint64_t *row = effect->rows[i];
        assert_true(row[0] == FOB_OK || row[0] == FOB_BUSY || row[0] == FOB_DISK_FULL ||
                    (row[0] == FOB_UNKNOWN_OUTCOME && row[1] < scene->low));
        scene->refused += row[0] == FOB_BUSY ? row[2] : 0;
        for (uint64_t k = 0; row[0] == FOB_OK && k < row[2]; k++) {
            uint64_t number = row[1] + k, offset = row[3] + k;
            assert_true(scene->offset[number] == 0 || scene->offset[number] == offset);
            scene->offset[number] = offset;
            scene->duplicate[number] = effect->details[i].duplicate;
        }
    }
    while (scene->low < scene->next && scene->offset[scene->low])
        scene->low++;
}

/* --- workers --- */

static void act_join(holder_t *holder) {
    if (holder->conn)
        kit_lost(&scene->kit, holder->conn);
    holder->conn = ++scene->conns;
    holder->group = (unsigned)chance(GROUPS);
    holder->held = 0;
    holder->seq = 0;
    holder->got = 1 + chance(6);
    kit_join(&scene->kit, holder->conn, groups[holder->group], patterns[holder->group],
             holder->got);
}

static void on_delivery(const kit_effect_t *effect) {
    for (size_t w = 0; w < WORKERS; w++) {
        holder_t *holder = &scene->holders[w];
        for (size_t i = 0; holder->conn == effect->conn && i < effect->row_count; i++) {
            assert_true(holder->held < 64);
            holder->offsets[holder->held] = effect->rows[i][0];
            holder->tokens[holder->held++] = effect->rows[i][1];
        }
    }
}

static void act_work(holder_t *holder) {
    uint64_t what = chance(10);
    if (holder->conn == 0) {
        if (what == 0)
            act_join(holder);
    } else if (what == 0 && chance(3) == 0) {
        kit_lost(&scene->kit, holder->conn);
        holder->conn = 0;
    } else if (holder->held) {
        size_t at = holder->held - 1;
        unsigned kind = what < 7 ? FOB_KIND_ACK : what < 8 ? FOB_KIND_REJECT : FOB_KIND_RETRY;
        kit_settle(&scene->kit, holder->conn, groups[holder->group], ++holder->seq, kind,
                   holder->offsets[at], 1, holder->tokens[at]);
        holder->held--;
        kit_credit(&scene->kit, holder->conn, groups[holder->group], ++holder->got);
    }
}

/* --- what happens --- */

static void look(void) {
    kit_t *kit = &scene->kit;
    size_t count = kit->shown_count;
    for (size_t i = 0; i < count; i++) {
        if (kit->shown[i].kind == FOB_EFF_RECEIPT)
            on_receipt(&kit->shown[i]);
        else if (kit->shown[i].kind == FOB_EFF_DELIVER)
            on_delivery(&kit->shown[i]);
    }
    kit_pages(kit);
    for (size_t i = count; i < kit->shown_count; i++) {
        if (kit->shown[i].kind == FOB_EFF_DELIVER)
            on_delivery(&kit->shown[i]);
    }
    kit_clear(kit);
    kit_books(kit);
    for (unsigned g = 0; g < GROUPS; g++) {
        fob_group_stats_t s = kit_stats(kit, groups[g]);
        assert_true(s.ready + s.leased + s.delayed <= depths[g]);
    }
}

static void forget_connections(void) {
    for (size_t w = 0; w < WORKERS; w++)
        scene->holders[w].conn = 0;
    scene->resend = scene->low;
}

static void act_crash(void) {
    kit_t *kit = &scene->kit;
    kit_crash(kit, kit->durable + chance(kit->position - kit->durable + 1));
    kit_clear(kit);
    forget_connections();
}

static void act(void) {
    kit_t *kit = &scene->kit;
    uint64_t what = chance(100);
    if (what < 35)
        act_publish();
    else if (what < 80)
        act_work(&scene->holders[chance(WORKERS)]);
    else if (what < 92)
        kit_sync(kit, kit->durable + chance(kit->position - kit->durable + 1));
    else if (what < 97)
        kit_pass(kit, (int64_t)chance(2000));
    else if (what < 98)
        kit_checkpoint_some(kit);
    else if (chance(8) == 0)
        act_crash();
    else if (chance(8) == 0) {
        kit_lost(kit, 1001);
        kit_sync(kit, kit->position); /* its answers came, or never will */
        look();
        scene->resend = scene->low;
    }
    look();
}

/* --- the end --- */

static void drain(void) {
    for (unsigned round = 0; scene->low <= NUMBERS; round++) {
        assert_true(round < 20000);
        act_publish();
        kit_sync(&scene->kit, scene->kit.position);
        look();
        for (size_t w = 0; w < WORKERS; w++) {
            if (scene->holders[w].conn == 0 || round % 50 == 49)
                act_join(&scene->holders[w]);
            act_work(&scene->holders[w]);
            look();
        }
        kit_pass(&scene->kit, 500);
        look();
    }
}

/* Of each topic later numbers lie higher, but for duplicates, which lie at their twin's. */
static void check_order(void) {
    uint64_t last[sizeof topics / sizeof topics[0]] = {0}, stored = 0, duplicates = 0;
    for (uint64_t n = 1; n <= NUMBERS; n++) {
        assert_true(scene->offset[n] > 0);
        if (scene->duplicate[n]) {
            assert_int_equal(scene->twin[n], 2);
            assert_int_equal(scene->offset[n], scene->offset[n - 1]);
            duplicates++;
            continue;
        }
        assert_true(scene->offset[n] > last[scene->topic[n]]);
        last[scene->topic[n]] = scene->offset[n];
        stored++;
    }
    assert_int_equal(stored, fob_core_head(scene->kit.core));
    assert_true(duplicates > 10);
}

/* Over all seeds: what this is about has happened. */
static uint64_t busy, young, high, grave;

static void count_what_happened(void) {
    busy += scene->refused;
    young += kit_stats(&scene->kit, "young").shed;
    high += kit_stats(&scene->kit, "high").shed;
    grave += kit_stats(&scene->kit, "grave").dead;
}

static void play(uint64_t seed) {
    scene = calloc(1, sizeof *scene);
    scene->chance = seed;
    scene->low = scene->next = scene->resend = 1;
    scene->conns = 5000;
    kit_init(&scene->kit, &kit_config);
    scene->kit.hash_turns = true;
    for (unsigned g = 0; g < GROUPS; g++) {
        admin_add(&scene->kit, groups[g], patterns[g], FOB_POLICY_overflow, g);
        admin_set(&scene->kit, groups[g], FOB_POLICY_max_depth, depths[g]);
    }
    scene->kit.manual = true;
    for (uint64_t n = 1; n <= NUMBERS; n++) {
        scene->topic[n] = (uint8_t)chance(4);
        scene->priority[n] = (uint8_t)(chance(3) ? 0 : chance(10));
        scene->twin[n] = chance(3) == 0;
        if (n > 1 && scene->twin[n - 1] == 1 && chance(4) == 0) {
            scene->twin[n] = 2;
            scene->topic[n] = scene->topic[n - 1];
        }
    }
    for (unsigned i = 0; i < 4000; i++)
        act();
    drain();
    check_order();
    count_what_happened();
    kit_free(&scene->kit);
    free(scene);
}

static void every_policy_holds_in_any_weather(void **state) {
    (void)state;
    seeds_t seeds = seeds_given(1, 12);
    for (uint64_t i = 0; i < seeds.count; i++) {
        uint64_t seed = seeds.first + i;
        printf("FOB_SEED=%" PRIu64 "\n", seed);
        play(seed);
    }
    assert_true(seeds.chosen || (busy > 1000 && young > 500 && high > 500 && grave > 500));
}

FOB_MAIN(FOB_CASE(every_policy_holds_in_any_weather))
