/* A journal with a hole: what becomes of its groups. In a seeded world records are taken out of the
 * middle; what is left is salvaged, and worked off to the end. */
#include "bus/core/durable/salvage.h"
#include "test_core_kit.h"
#include "tests/support/case.h"

#include <stdlib.h>

#define EVENTS 600
#define GROUPS 2
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ROUNDS 25 /* each takes several times as long */
#else
#define ROUNDS 150
#endif

/* What was told of an event in a group. */
typedef struct {
    bool mine, acked, held, seen;
    uint64_t acked_at; /* position */
    uint64_t token, conn;
} fate_t;

static kit_t kit;
static fate_t fates[GROUPS][EVENTS + 1];
static const char *const names[GROUPS] = {"some", "all"};
static const char *const patterns[GROUPS] = {"a.*", ">"};
static uint64_t published, seq, next_conn, holders[GROUPS], number;
static uint64_t random_state;

static uint64_t draw(uint64_t below) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % below;
}

static size_t group_of(const char *name) {
    return strcmp(name, names[0]) == 0 ? 0 : 1;
}

/* --- the world --- */

/* Notes what was handed out since. */
static void look(void) {
    kit_pages(&kit);
    for (size_t i = 0; i < kit.shown_count; i++) {
        const kit_effect_t *effect = &kit.shown[i];
        for (size_t k = 0; effect->kind == FOB_EFF_DELIVER && k < effect->row_count; k++) {
            fate_t *fate = &fates[group_of(effect->group)][effect->rows[k][0]];
            assert_true(fate->mine);
            fate->held = fate->seen = true;
            fate->token = effect->rows[k][1];
            fate->conn = effect->conn;
        }
    }
    kit_clear(&kit);
}

static void join(size_t group) {
    if (holders[group])
        kit_lost(&kit, holders[group]);
    for (size_t n = 1; n <= published; n++)
        fates[group][n].held = false;
    holders[group] = ++next_conn;
    kit_join(&kit, holders[group], names[group], patterns[group], 1000);
    look();
}

static void publish(void) {
    fob_buf_t body = {0};
    unsigned count = 1 + (unsigned)draw(8);
    for (unsigned i = 0; i < count && published < EVENTS; i++) {
        static const char *const topics[] = {"a.x", "a.y", "b"};
        const char *topic = topics[draw(3)];
        char id[24] = "";
        if (draw(3) == 0)
            snprintf(id, sizeof id, "i%llu", (unsigned long long)published);
        kit_event_with(&body, topic, id, draw(4) == 0 ? (uint8_t)draw(10) : 0, "x", 1);
        published++;
        fates[0][published].mine = topic[0] == 'a';
        fates[1][published].mine = true;
    }
    if (body.size)
        kit_publish_body(&kit, 1, number, number, &body, FOB_OK);
    number = published + 1;
    look();
}

static void settle(size_t group) {
    for (size_t n = 1; n <= published; n++) {
        fate_t *fate = &fates[group][n];
        if (!fate->held || fate->conn != holders[group] || draw(3) == 0)
            continue;
        unsigned kind = draw(4) ? FOB_KIND_ACK : FOB_KIND_RETRY + (unsigned)draw(3);
        fate->held = false;
        kit_settle(&kit, holders[group], names[group], ++seq, kind, n, 1, fate->token);
        if (kind == FOB_KIND_ACK) {
            fate->acked = true;
            fate->acked_at = kit.position;
        }
        if (draw(8) == 0)
            break;
    }
    look();
}

static void step(void) {
    switch (draw(12)) {
    case 0:
        join(draw(GROUPS));
        break;
    case 1:
        if (draw(2) == 0) {
            kit_crash(&kit, kit.position);
            memset(holders, 0, sizeof holders);
            kit_clear(&kit);
            join(0);
            join(1);
        }
        break;
    case 2:
        if (draw(8) == 0)
            kit_checkpoint(&kit);
        break;
    case 3:
        kit_pass(&kit, (int64_t)draw(20000));
        look();
        break;
    case 4:
    case 5:
    case 6:
    case 7:
        settle(draw(GROUPS));
        break;
    default:
        publish();
    }
}

static void begin(uint64_t seed) {
    random_state = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    memset(fates, 0, sizeof fates);
    memset(holders, 0, sizeof holders);
    published = seq = next_conn = 0;
    number = 1;
    kit_init(&kit, &kit_config);
    kit_pass(&kit, 4000);
    join(0);
    join(1);
    while (published < EVENTS)
        step();
    for (unsigned i = 0; i < 40; i++)
        step();
}

/* --- the hole --- */

static void tell_lost(uint64_t from, uint64_t to) {
    for (size_t i = 0; i < kit.log_count; i++) {
        kit_record_t *record = &kit.log[i];
        if (record->position < from || record->position > to)
            continue;
        record->unreadable = true;
        if (record->count)
            assert_int_equal(fob_core_salvage_lost(kit.core, record->first_offset,
                                                   record->first_offset + record->count - 1),
                             FOB_OK);
    }
}

/* A new core of all but the commits from..to, as it would be after the salvage's checkpoint. */
static void salvage(uint64_t from, uint64_t to) {
    uint64_t unused = 0;
    kit_crash(&kit, kit.position);
    fob_core_destroy(&kit.core);
    kit.core = fob_core_new(&kit.config);
    for (size_t i = 0; i < kit.slice_count; i++)
        assert_int_equal(fob_core_load(kit.core, fob_buf_slice(&kit.slices[i])), FOB_OK);
    for (size_t i = 0; i < kit.log_count; i++) {
        const kit_record_t *record = &kit.log[i];
        fob_slice_t bytes = fob_slice(record->bytes, record->size);
        bool used = true;
        if (record->position < from) {
            assert_int_equal(fob_core_replay(kit.core, record->position, bytes), FOB_OK);
        } else if (record->position > to) {
            fob_core_salvage_hole(kit.core, 0);
            assert_int_equal(fob_core_salvage_record(kit.core, record->position, bytes, &used),
                             FOB_OK);
        }
        unused += !used;
    }
    fob_core_salvage_hole(kit.core, published);
    tell_lost(from, to);
    fob_core_salvage_end(kit.core);
    fob_core_start(kit.core, kit.now, kit.position);
    kit_checkpoint(&kit);
    kit_clear(&kit);
    /* The groups are made first, and never in the hole. */
    assert_int_equal(unused, 0);
}

/* Works until nothing comes any more. */
static void work_off(void) {
    for (size_t g = 0; g < GROUPS; g++) {
        for (size_t n = 1; n <= EVENTS; n++)
            fates[g][n].held = fates[g][n].seen = false;
        holders[g] = 0;
        join(g);
    }
    for (unsigned round = 0; round < 30; round++) {
        for (size_t g = 0; g < GROUPS; g++) {
            for (size_t n = 1; n <= EVENTS; n++) {
                if (!fates[g][n].held)
                    continue;
                fates[g][n].held = false;
                kit_settle(&kit, holders[g], names[g], ++seq, FOB_KIND_ACK, n, 1,
                           fates[g][n].token);
            }
        }
        look();
        kit_books(&kit);
        kit_pass(&kit, 60000);
        look();
    }
}

/* The offsets of a group's dead letters, told by DEAD_LIST. */
static bool is_dead(const char *group, uint64_t offset) {
    fob_command_t command = {.kind = FOB_CMD_DEAD_SHOW,
                             .conn = 99,
                             .dead = {.group = fob_slice_str(group), .filter = {.offset = offset}}};
    kit_do(&kit, &command);
    kit_pages(&kit);
    bool dead = kit_last(&kit, FOB_EFF_REPLY)->status == FOB_OK;
    kit_clear(&kit);
    return dead;
}

static bool is_lost(uint64_t offset) {
    for (size_t i = 0; i < kit.log_count; i++)
        if (kit.log[i].unreadable && kit.log[i].count && offset >= kit.log[i].first_offset &&
            offset < kit.log[i].first_offset + kit.log[i].count)
            return true;
    return false;
}

static void check(uint64_t seed, uint64_t from, size_t *twice) {
    for (size_t g = 0; g < GROUPS; g++) {
        fob_group_stats_t stats = kit_stats(&kit, names[g]);
        assert_int_equal(stats.ready + stats.leased + stats.delayed, 0);
        for (uint64_t n = 1; n <= EVENTS; n++) {
            const fate_t *fate = &fates[g][n];
            if (!fate->mine || is_lost(n))
                continue;
            if (!fate->acked && !fate->seen && !is_dead(names[g], n))
                fail_msg("seed %llu: event %llu of %s was not done, and never comes again",
                         (unsigned long long)seed, (unsigned long long)n, names[g]);
            if (fate->acked && fate->acked_at < from && fate->seen)
                fail_msg("seed %llu: event %llu of %s was acked before the hole, and comes again",
                         (unsigned long long)seed, (unsigned long long)n, names[g]);
            *twice += fate->acked && fate->seen;
        }
    }
}

static void what_was_not_done_comes_again_whatever_records_are_missing(void **state) {
    (void)state;
    size_t twice = 0, missing = 0;
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        begin(seed);
        uint64_t least = kit.checkpoint_position + 10;
        uint64_t from = least + draw(kit.position > least ? kit.position - least : 1);
        uint64_t to = from + draw(20);
        if (to > kit.position)
            to = kit.position;
        for (size_t i = 0; i < kit.log_count; i++)
            missing += kit.log[i].position >= from && kit.log[i].position <= to;
        salvage(from, to);
        work_off();
        check(seed, from, &twice);
        kit_crash(&kit, kit.position); /* and it replays */
        kit_free(&kit);
    }
    printf("%zu records missing, %zu events came although they were acked\n", missing, twice);
    assert_true(missing > ROUNDS);
}

static void tokens_go_on_above_all_that_may_have_been_given(void **state) {
    (void)state;
    begin(1);
    uint64_t highest = 0;
    for (size_t n = 1; n <= EVENTS; n++)
        if (fates[1][n].token > highest)
            highest = fates[1][n].token;
    uint64_t from = kit.position - 30;
    salvage(from, kit.position);
    work_off();
    for (size_t n = 1; n <= EVENTS; n++)
        if (fates[1][n].seen)
            assert_true(fates[1][n].token > highest + kit.config.mark_block);
    kit_free(&kit);
}

static void a_group_whose_beginning_is_lost_is_told_and_the_others_go_on(void **state) {
    (void)state;
    kit_init(&kit, &kit_config);
    kit_join(&kit, 1, "lost", ">", 10);
    uint64_t hole = kit.position;
    kit_join(&kit, 2, "kept", ">", 10);
    kit_publish(&kit, 1, 1, 1, "a", 3);
    uint64_t token = kit_last(&kit, FOB_EFF_DELIVER)->rows[0][1];
    kit_settle(&kit, 1, "lost", 1, FOB_KIND_ACK, 1, 1, token);
    kit_crash(&kit, kit.position);
    fob_core_destroy(&kit.core);
    kit.core = fob_core_new(&kit.config);
    unsigned unused = 0;
    for (size_t i = 0; i < kit.log_count; i++) {
        bool used = true;
        if (kit.log[i].position <= hole)
            continue;
        assert_int_equal(fob_core_salvage_record(kit.core, kit.log[i].position,
                                                 fob_slice(kit.log[i].bytes, kit.log[i].size),
                                                 &used),
                         FOB_OK);
        unused += !used;
    }
    assert_true(unused > 0);
    fob_core_salvage_end(kit.core);
    fob_core_start(kit.core, kit.now, kit.position);
    assert_int_equal(fob_core_group_count(kit.core), 1);
    kit_clear(&kit);
    kit_join(&kit, 3, "kept", ">", 10);
    kit_pages(&kit);
    assert_int_equal(kit_delivered(&kit, 3), 3);
    kit_books(&kit);
    kit_free(&kit);
}

FOB_MAIN(FOB_CASE(what_was_not_done_comes_again_whatever_records_are_missing),
         FOB_CASE(tokens_go_on_above_all_that_may_have_been_given),
         FOB_CASE(a_group_whose_beginning_is_lost_is_told_and_the_others_go_on))
