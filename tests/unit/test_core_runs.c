/* Records of runs that are not what the core wrote: refused as damage, and never believed. */
#include "bus/core/durable/runs.h"
#include "bus/core/state.h"
#include "test_core_worker_kit.h"

#include "tests/support/case.h"

#include <stdlib.h>

static kit_t kit;
static uint64_t chances;

static uint64_t chance(uint64_t below) {
    uint64_t x = chances += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (x ^ (x >> 31)) % below;
}

static void publish(unsigned count) {
    kit_clear(&kit);
    kit_publish(&kit, 1, fob_core_head(kit.core) + 1, fob_core_head(kit.core) + 1, "a", count);
}

static void settle(unsigned kind, size_t index, const char *text) {
    kit_settle_why(&kit, 1, "g", kind, kit_last(&kit, FOB_EFF_DELIVER)->rows[index], 0, text);
}

static void dead_command(fob_command_kind_t kind, uint32_t limit) {
    kit_do(&kit, &(fob_command_t){.kind = kind,
                                  .conn = 5,
                                  .dead = {.req = 1, .group = fob_slice_str("g"), .limit = limit}});
}

/* A group to which all kinds of things happened. */
static int setup(void **state) {
    (void)state;
    kit_init(&kit, &kit_config);
    kit_pass(&kit, 3000);
    kit_join_as(&kit, 1, "g", 1000, 2, "w", 5000);
    publish(12);
    kit_effect_t *delivery = kit_last(&kit, FOB_EFF_DELIVER);
    assert_int_equal(delivery->row_count, 12);
    for (size_t i = 0; i < 4; i++)
        settle(FOB_KIND_REJECT, i, "no");
    settle(FOB_KIND_RETRY, 4, "later");
    settle(FOB_KIND_RELEASE, 5, "not here");
    settle(FOB_KIND_ACK, 6, "");
    settle(FOB_KIND_ACK, 8, "");
    dead_command(FOB_CMD_DEAD_REDRIVE, 2);
    dead_command(FOB_CMD_DEAD_PURGE, 1);
    kit_pass(&kit, 5000); /* a lease is over, a retry is due */
    kit_lost(&kit, 1);
    admin_set(&kit, "g", FOB_POLICY_max_depth, 9);
    admin_set(&kit, "g", FOB_POLICY_overflow, FOB_OVERFLOW_DROP_OLDEST);
    kit_publish(&kit, 1, 13, 13, "a", 5);
    kit_books(&kit);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    kit_free(&kit);
    return 0;
}

static bool has_runs(const kit_record_t *record) {
    return record->bytes[0] == FOB_RECORD_RUNS || record->bytes[0] == FOB_RECORD_NOTED;
}

/* Replays all, one record in other bytes. */
static fob_status_t replay_with(size_t changed, fob_slice_t bytes) {
    fob_core_t *core = fob_core_new(&kit.config);
    fob_status_t status = FOB_OK;
    for (size_t i = 0; i < kit.log_count && status == FOB_OK; i++) {
        const kit_record_t *record = &kit.log[i];
        status = fob_core_replay(core, record->position,
                                 i == changed ? bytes : fob_slice(record->bytes, record->size));
    }
    if (status == FOB_OK)
        (void)fob_core_hash(core);
    fob_core_destroy(&core);
    return status;
}

static size_t any_runs(void) {
    size_t at;
    do
        at = chance(kit.log_count);
    while (!has_runs(&kit.log[at]));
    return at;
}

static size_t runs_begin(const kit_record_t *record) {
    fob_record_runs_t runs;
    assert_true(fob_record_read_runs(fob_slice(record->bytes, record->size), &runs));
    return (size_t)(runs.runs - record->bytes);
}

static void a_changed_record_is_damage_or_does_no_harm(void **state) {
    (void)state;
    unsigned damaged = 0, taken = 0;
    uint64_t seeds = getenv("FOB_SEEDS") ? strtoull(getenv("FOB_SEEDS"), NULL, 10) : 6000;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        chances = seed;
        size_t at = any_runs();
        uint8_t bytes[4096];
        assert_true(kit.log[at].size <= sizeof bytes);
        memcpy(bytes, kit.log[at].bytes, kit.log[at].size);
        for (uint64_t n = chance(3) + 1; n > 0; n--) {
            size_t place = chance(kit.log[at].size);
            bytes[place] = (uint8_t)(chance(2) ? chance(20) : chance(256));
        }
        fob_status_t status = replay_with(at, fob_slice(bytes, kit.log[at].size));
        assert_true(status == FOB_OK || status == FOB_DAMAGED || status == FOB_NO_MEMORY ||
                    status == FOB_FOLDER_NEWER);
        damaged += status == FOB_DAMAGED;
        taken += status == FOB_OK;
    }
    assert_true(damaged > seeds / 10 && taken > 0);
}

/* Runs of one record that mean the same event: the second does not fit. */
static void the_same_run_twice_is_damage(void **state) {
    (void)state;
    unsigned tried = 0;
    for (size_t i = 0; i < kit.log_count; i++) {
        const kit_record_t *record = &kit.log[i];
        uint8_t bytes[4096 + FOB_RUN_SIZE];
        if (!has_runs(record) || record->bytes[runs_begin(record)] == FOB_RUN_COVER)
            continue;
        bool keeps = record->bytes[runs_begin(record)] == FOB_RUN_HANDOUT ||
                     (record->bytes[runs_begin(record)] == FOB_RUN_RETURN &&
                      !(record->bytes[runs_begin(record) + 1] & FOB_RUN_FRESH));
        bool counted = record->bytes[runs_begin(record) + 1] & FOB_RUN_DEBT;
        if (keeps || counted)
            continue; /* out, or back, a second time: it fits */
        memcpy(bytes, record->bytes, record->size);
        memcpy(bytes + record->size, record->bytes + runs_begin(record), FOB_RUN_SIZE);
        assert_int_equal(replay_with(i, fob_slice(bytes, record->size + FOB_RUN_SIZE)),
                         FOB_DAMAGED);
        tried++;
    }
    assert_true(tried >= 8);
}

/* One run in a record of its own, behind all others. */
static fob_status_t try_run(fob_run_record_t run) {
    uint8_t bytes[FOB_RECORD_RUNS_SIZE + FOB_RUN_SIZE];
    const kit_record_t *last = &kit.log[kit.log_count - 1];
    fob_core_t *core = fob_core_new(&kit.config);
    for (size_t i = 0; i < kit.log_count; i++)
        assert_int_equal(fob_core_replay(core, kit.log[i].position,
                                         fob_slice(kit.log[i].bytes, kit.log[i].size)),
                         FOB_OK);
    fob_record_write_runs(bytes, 1, core->time_ms);
    fob_record_write_run(bytes + FOB_RECORD_RUNS_SIZE, &run);
    fob_status_t status = fob_core_replay(core, last->position + 1, fob_slice(bytes, sizeof bytes));
    fob_core_destroy(&core);
    return status;
}

static void what_does_not_fit_the_state_is_damage(void **state) {
    (void)state;
    uint64_t head = fob_core_head(kit.core);
    const fob_group_t *group = fob_groups_find(&kit.core->groups, fob_slice_str("g"));
    size_t at = 0;
    const fob_dead_t *letter = fob_deads_next(&group->deads, &at);
    assert_non_null(letter);
    uint64_t back = fob_back_lowest(&kit.core->groups.by_id[0]->back);
    fob_run_record_t fits = {.verb = FOB_RUN_UNBURY,
                             .reason = FOB_REMOVAL_DEAD_MAX,
                             .count = 1,
                             .from = letter->offset,
                             .to = letter->offset,
                             .token = letter->serial};
    assert_int_equal(try_run(fits), FOB_OK);
    fits.token++;
    assert_int_equal(try_run(fits), FOB_DAMAGED); /* another letter */
    fits.token--;
    fits.reason = FOB_REMOVALS;
    assert_int_equal(try_run(fits), FOB_DAMAGED);
    fob_run_record_t ack = {.verb = FOB_RUN_ACK, .count = 1, .from = back, .to = back};
    assert_int_equal(try_run(ack), FOB_OK);
    ack.flags = FOB_RUN_FRESH; /* more than were never out */
    ack.from = 1;
    ack.to = head;
    ack.count = (uint32_t)head;
    assert_int_equal(try_run(ack), FOB_DAMAGED);
    fob_run_record_t again = {.verb = FOB_RUN_RETURN,
                              .flags = FOB_RUN_FRESH,
                              .count = 1,
                              .from = back,
                              .to = back,
                              .token = 1};
    assert_int_equal(try_run(again), FOB_DAMAGED); /* it is back already */
    fob_run_record_t redrive = {
        .verb = FOB_RUN_REDRIVE, .count = 1, .from = letter->offset, .to = letter->offset};
    assert_int_equal(try_run(redrive), FOB_OK);
    redrive.from = redrive.to = back; /* not dead */
    assert_int_equal(try_run(redrive), FOB_DAMAGED);
    fob_run_record_t accept = {.verb = FOB_RUN_ACCEPT, .count = 1, .from = 1, .to = 1};
    assert_int_equal(try_run(accept), FOB_DAMAGED); /* no census */
    fob_run_record_t paid = {.verb = FOB_RUN_SHED,
                             .flags = FOB_RUN_FRESH | FOB_RUN_PAID,
                             .reason = FOB_OVERFLOW_DROP_OLDEST,
                             .count = (uint32_t)group->debt + 1,
                             .from = 1,
                             .to = head};
    assert_int_equal(try_run(paid), FOB_DAMAGED);
    fob_run_record_t expire = {.verb = FOB_RUN_EXPIRE, .count = 1, .from = back, .to = back};
    assert_int_equal(try_run(expire), FOB_DAMAGED); /* of a later version */
}

/* Nothing of the group's is at that offset. */
static void cover(fob_runs_writer_t *runs, uint64_t offset) {
    fob_run_record_t run = {
        .verb = FOB_RUN_COVER, .flags = FOB_RUN_FRESH, .from = offset, .to = offset};
    fob_runs_put(runs, &run);
}

/* Each has the place it was promised, however full the turn is when they begin. */
static void two_records_may_be_written_at_a_time(void **state) {
    (void)state;
    for (size_t before = 0; before < 70; before++) {
        kit_t one;
        fob_runs_writer_t first, second;
        kit_init(&one, &kit_config);
        kit_join(&one, 1, "g", "wanted", 10);
        kit_publish(&one, 1, 1, 1, "other", 2);
        fob_open_turn_t *turn = fob_core_open(one.core);
        fob_group_t *group = fob_groups_find(&one.core->groups, fob_slice_str("g"));
        assert_non_null(turn);
        assert_non_null(group);
        for (size_t i = 0; i < before; i++) {
            assert_true(fob_turn_reserve(turn, 1, 0, 0, 0));
            fob_turn_record(turn, fob_slice_str("any"), NULL, 0, 0);
        }
        assert_true(fob_runs_begin_ends(&first, one.core, group, 1));
        assert_true(fob_runs_begin_ends(&second, one.core, group, 1));
        cover(&first, 1);
        cover(&second, 2);
        assert_true(fob_runs_end(&first));
        assert_true(fob_runs_end(&second));
        assert_int_equal(turn->record_count, before + 2);
        kit_free(&one);
    }
}

FOB_MAIN(FOB_CASE(two_records_may_be_written_at_a_time),
         FOB_CASE_WITH(a_changed_record_is_damage_or_does_no_harm, setup, teardown),
         FOB_CASE_WITH(the_same_run_twice_is_damage, setup, teardown),
         FOB_CASE_WITH(what_does_not_fit_the_state_is_damage, setup, teardown))
