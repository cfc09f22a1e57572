/* Checkpoints taken a slice at a time while all goes on: groups and sessions come and go, and a
 * crash must come to the same state from whatever was the last whole one. A failure names its seed.
 */
#include "test_core_kit.h"

#include "tests/support/case.h"
#include "tests/support/seeds.h"

#include <inttypes.h>

#define STEPS    3000
#define SESSIONS 40
#define GROUPS   8
#define CONNS    6

static kit_t kit;
static uint64_t chances, next_number[SESSIONS], seqs[CONNS];
static unsigned joined[CONNS]; /* group + 1; 0: none */
static unsigned recovered;     /* from a checkpoint */

static uint64_t chance(uint64_t below) {
    uint64_t x = chances += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (x ^ (x >> 31)) % below;
}

static const char *name_of(unsigned group) {
    static const char *const names[GROUPS] = {"g1", "g2", "g3", "g4", "g5", "g6", "g7", "g8"};
    return names[group];
}

static const char *pattern_of(unsigned group) {
    static const char *const patterns[] = {">", "a", "b", "*.x"};
    return patterns[group % 4];
}

static void act_publish(void) {
    static const char *const topics[] = {"a b a.x", "b b", "a", "c.x a b", "d"};
    unsigned session = (unsigned)chance(SESSIONS);
    uint64_t *next = &next_number[session], low = *next > 5 && chance(2) ? *next - 5 : *next;
    const char *some = topics[chance(5)];
    kit_publish_topics(&kit, (uint8_t)(session + 1), *next, low, some);
    *next += (strlen(some) + 1) / 2 - (strchr(some, '.') ? 1 : 0);
}

static void act_worker(void) {
    unsigned at = (unsigned)chance(CONNS), group = (unsigned)chance(GROUPS);
    if (!joined[at]) {
        kit_join(&kit, at + 1, name_of(group), pattern_of(group), 10 + chance(50));
        joined[at] = group + 1;
        seqs[at] = 0;
    } else if (chance(2)) {
        kit_lost(&kit, at + 1);
        joined[at] = 0;
    } else {
        kit_leave(&kit, at + 1, name_of(joined[at] - 1));
        joined[at] = 0;
    }
}

static void act_remove(void) {
    kit_do(&kit,
           &(fob_command_t){.kind = FOB_CMD_GROUP_REMOVE,
                            .conn = 999,
                            .admin = {1, fob_slice_str(name_of((unsigned)chance(GROUPS))), {0}}});
}

/* Settles some of what was shown; what is not held any more is refused, and nothing changes. */
static void settle_shown(void) {
    for (size_t i = 0; i < kit.shown_count; i++) {
        kit_effect_t *shown = &kit.shown[i];
        if (shown->kind == FOB_EFF_NEED)
            kit_page(&kit, shown->need_offset, 2000);
        shown = &kit.shown[i]; /* it may have moved */
        if (shown->kind != FOB_EFF_DELIVER)
            continue;
        char group[256];
        snprintf(group, sizeof group, "%s", shown->group);
        for (size_t k = 0; k < kit.shown[i].row_count; k++) {
            const uint64_t *row = kit.shown[i].rows[k];
            uint64_t conn = kit.shown[i].conn, kind = chance(10);
            if (chance(4) == 0)
                continue;
            kit_settle(&kit, conn, group, ++seqs[conn - 1],
                       kind < 6   ? FOB_KIND_ACK
                       : kind < 8 ? FOB_KIND_REJECT
                                  : FOB_KIND_RETRY,
                       row[0], 1, row[1]);
        }
    }
    kit_clear(&kit);
}

static void act_crash(void) {
    recovered += kit.slice_count > 0;
    kit_crash(&kit, kit.durable + chance(kit.position - kit.durable + 1)); /* compares the hashes */
    kit_clear(&kit);
    memset(joined, 0, sizeof joined);
}

static void run(uint64_t seed) {
    fob_core_config_t config = kit_config;
    config.slice_bytes = 1 + (uint32_t)(seed % 3) * 300;
    config.max_sessions = 10;
    config.session_keep_ms = 20000;
    config.policy.dead_max = 3;
    chances = seed;
    kit_init(&kit, &config);
    kit.hash_turns = kit.manual = true;
    memset(joined, 0, sizeof joined);
    for (unsigned i = 0; i < SESSIONS; i++)
        next_number[i] = 1;
    for (unsigned step = 0; step < STEPS; step++) {
        uint64_t what = chance(100);
        if (what < 50)
            act_publish();
        else if (what < 60)
            act_worker();
        else if (what < 62)
            act_remove();
        else if (what < 70)
            kit_sync(&kit, kit.position);
        else if (what < 76)
            kit_pass(&kit, (int64_t)chance(2000));
        else if (what < 77)
            act_crash();
        if (chance(2))
            kit_checkpoint_some(&kit);
        settle_shown();
        kit_books(&kit);
    }
    act_crash();
    kit_free(&kit);
}

static void any_whole_checkpoint_and_the_rest_give_the_same_state(void **state) {
    (void)state;
    seeds_t seeds = seeds_given(1, 8);
    for (uint64_t i = 0; i < seeds.count; i++) {
        uint64_t seed = seeds.first + i;
        print_message("FOB_SEED=%" PRIu64 "\n", seed);
        run(seed);
    }
    assert_true(seeds.chosen || recovered > seeds.count); /* it is about something */
}

static bool is_known(uint8_t number) {
    uint8_t session[FOB_SESSION_SIZE];
    bool known;
    memset(session, number, sizeof session);
    fob_core_session_last(kit.core, session, &known);
    return known;
}

static void the_longest_unseen_is_forgotten_first_also_after_a_start(void **state) {
    (void)state;
    fob_core_config_t config = kit_config;
    config.slice_bytes = 1;
    config.max_sessions = 20;
    kit_init(&kit, &config);
    kit.hash_turns = true;
    for (uint8_t i = 1; i <= 20; i++)
        kit_publish(&kit, i, 1, 1, "a", 1);
    kit_checkpoint_some(&kit); /* the list of groups; no session yet */
    for (uint8_t i = 10; i >= 1; i--)
        kit_publish(&kit, i, 2, 2, "a", 1);
    do
        kit_checkpoint_some(&kit);
    while (kit.taking_on);
    kit_crash(&kit, kit.position);
    for (uint8_t i = 0; i < 20; i++) {
        uint8_t oldest = i < 10 ? i + 11 : 20 - i;
        assert_true(is_known(oldest));
        kit_publish(&kit, 21 + i, 1, 1, "a", 1);
        assert_false(is_known(oldest));
    }
    kit_free(&kit);
}

/* One forgotten and come back while a checkpoint is taken: its end, replayed, is not the end of
 * what came back. */
static void a_session_that_came_back_is_not_forgotten_again(void **state) {
    (void)state;
    fob_core_config_t config = kit_config;
    config.max_sessions = 1;
    kit_init(&kit, &config);
    kit.hash_turns = true;
    kit_publish(&kit, 1, 1, 1, "a", 1);
    kit_checkpoint_some(&kit);
    kit_publish(&kit, 2, 1, 1, "a", 1);
    kit_publish(&kit, 1, 5, 5, "a", 1);
    do
        kit_checkpoint_some(&kit);
    while (kit.taking_on);
    kit_crash(&kit, kit.position); /* compares the hashes */
    assert_true(is_known(1));
    assert_false(is_known(2));
    kit_free(&kit);
}

/* However much there is, a call does a slice's work. */
static void a_slice_is_bounded(void **state) {
    (void)state;
    fob_buf_t slice = {0};
    size_t slices = 0, writers = 0;
    fob_core_config_t config = kit_config;
    config.max_sessions = 100000;
    kit_init(&kit, &config);
    fob_buf_t body = {0};
    kit_event(&body, "a", "", 0);
    fob_blob_t *blob = fob_blob_copy(fob_buf_slice(&body));
    for (uint64_t i = 1; i <= 20000; i++) {
        uint8_t session[FOB_SESSION_SIZE];
        memset(session, 0, sizeof session);
        memcpy(session, &i, sizeof i);
        kit_do(&kit, &(fob_command_t){.kind = FOB_CMD_PUBLISH,
                                      .conn = i,
                                      .publish = {session, 1, 1, blob, FOB_OK}});
    }
    fob_core_checkpoint_begin(kit.core);
    for (; fob_core_checkpoint_next(kit.core, &slice); slices++) {
        assert_true(slice.size <= 32 + 256 * 1024);
        writers += slice.data[8] == 3 ? slice.size : 0;
    }
    assert_true(writers > 20000 * 72 && slices >= 6);
    assert_false(slice.failed);
    fob_buf_free(&slice);
    fob_buf_free(&body);
    fob_blob_unref(&blob);
    kit_free(&kit);
}

FOB_MAIN(FOB_CASE(any_whole_checkpoint_and_the_rest_give_the_same_state),
         FOB_CASE(the_longest_unseen_is_forgotten_first_also_after_a_start),
         FOB_CASE(a_session_that_came_back_is_not_forgotten_again), FOB_CASE(a_slice_is_bounded))
