/* How many dead letters a group keeps, and how long; how they come back. */
#include "bus/core/state.h"
#include "test_core_worker_kit.h"

#include "tests/support/case.h"

static kit_t kit;

static void begin(uint64_t dead_max, uint64_t dead_max_age) {
    fob_core_config_t config = kit_config;
    config.policy.dead_max = dead_max;
    config.policy.dead_max_age = dead_max_age;
    kit_init(&kit, &config);
    kit.hash_turns = true;
    kit_pass(&kit, 3000);
    kit_join_as(&kit, 1, "g", 1000000, 1, "w", 0);
}

static int teardown(void **state) {
    (void)state;
    kit_books(&kit);
    kit_crash(&kit, kit.position); /* compares the hashes */
    kit_books(&kit);
    kit_free(&kit);
    return 0;
}

static fob_group_t *group(void) {
    return fob_groups_find(&kit.core->groups, fob_slice_str("g"));
}

/* Publishes `count`, which are rejected. */
static void bury_some(unsigned count) {
    static uint64_t number;
    if (kit.core->head == 0)
        number = 0;
    kit_clear(&kit);
    kit_publish(&kit, 1, number + 1, number + 1, "a", count);
    number += count;
    kit_effect_t *delivery = kit_last(&kit, FOB_EFF_DELIVER);
    assert_int_equal(delivery->row_count, count);
    kit_settle(&kit, 1, "g", number, FOB_KIND_REJECT, delivery->rows[0][0], count,
               delivery->rows[0][1]);
    kit_clear(&kit);
}

static uint64_t removed(fob_removal_t removal) {
    return kit_stats(&kit, "g").removed_by[removal];
}

static void too_many_are_too_many_at_once_and_the_oldest_go(void **state) {
    (void)state;
    begin(3, INT64_C(2592000000));
    bury_some(5);
    assert_int_equal(kit_stats(&kit, "g").dead, 3);
    assert_int_equal(removed(FOB_REMOVAL_DEAD_MAX), 2);
    assert_int_equal(fob_core_floor(kit.core), 3);
    admin_set(&kit, "g", FOB_POLICY_dead_max, 1);
    assert_int_equal(kit_stats(&kit, "g").dead, 1);
    assert_non_null(fob_deads_find(&group()->deads, 5));
    assert_int_equal(removed(FOB_REMOVAL_DEAD_MAX), 4);
}

static void a_lower_bound_takes_a_turn_after_the_other(void **state) {
    (void)state;
    begin(1000000, INT64_C(2592000000));
    for (unsigned i = 0; i < 10; i++)
        bury_some(1000);
    size_t records = kit.log_count;
    admin_set(&kit, "g", FOB_POLICY_dead_max, 1);
    while (kit_stats(&kit, "g").dead > 1) {
        kit_pass(&kit, 1);
        assert_true(kit.log_count < records + 10);
    }
    for (size_t i = records; i < kit.log_count; i++)
        assert_true(kit.log[i].size <= 4096 * FOB_RUN_SIZE + FOB_RECORD_RUNS_SIZE);
    assert_int_equal(removed(FOB_REMOVAL_DEAD_MAX), 9999);
}

static void they_go_when_they_are_too_old_also_with_nobody_there(void **state) {
    (void)state;
    begin(1000, 60000);
    bury_some(2);
    kit_pass(&kit, 30000);
    bury_some(1);
    kit_leave(&kit, 1, "g");
    kit_pass(&kit, 29999);
    assert_int_equal(kit_stats(&kit, "g").dead, 3);
    assert_int_equal(fob_core_deadline(kit.core), kit.now.mono_ns + FOB_MS);
    kit_pass(&kit, 1);
    assert_int_equal(kit_stats(&kit, "g").dead, 1);
    assert_int_equal(removed(FOB_REMOVAL_DEAD_MAX_AGE), 2);
    kit_crash(&kit, kit.position);
    kit_pass(&kit, 29999);
    assert_int_equal(kit_stats(&kit, "g").dead, 1);
    kit_pass(&kit, 1);
    assert_int_equal(kit_stats(&kit, "g").dead, 0);
    assert_int_equal(fob_core_floor(kit.core), kit.core->head + 1);
}

static void a_crash_before_the_record_leaves_it_to_the_next_start(void **state) {
    (void)state;
    begin(1000, 60000);
    bury_some(3);
    kit.manual = true;
    uint64_t durable = kit.position;
    kit_pass(&kit, 60000);
    assert_int_equal(kit_stats(&kit, "g").dead, 0);
    kit_crash(&kit, durable);
    assert_int_equal(kit_stats(&kit, "g").dead, 3);
    kit_pass(&kit, 0);
    assert_int_equal(kit_stats(&kit, "g").dead, 0);
    kit.manual = false;
}

static void letters_that_stay_cost_no_look_before_their_time(void **state) {
    (void)state;
    begin(1000000, INT64_C(2592000000));
    bury_some(100);
    int64_t hour = INT64_C(3600) * 1000 * FOB_MS;
    assert_true(fob_core_deadline(kit.core) >= kit.now.mono_ns + hour - 10 * FOB_MS);
}

/* --- redriven --- */

static void redrive(void) {
    kit_do(&kit,
           &(fob_command_t){.kind = FOB_CMD_DEAD_REDRIVE,
                            .conn = 5,
                            .dead = {.req = 1, .group = fob_slice_str("g"), .limit = 100000}});
    assert_int_equal(kit_last(&kit, FOB_EFF_REPLY)->status, FOB_OK);
}

static void what_is_redriven_begins_anew_and_remembers(void **state) {
    (void)state;
    begin(1000, INT64_C(2592000000));
    bury_some(3);
    uint64_t bytes = kit_stats(&kit, "g").bytes;
    assert_int_equal(bytes, 0);
    uint64_t hash =
        fob_history_hash(kit.core->history, fob_deads_find(&group()->deads, 2)->history);
    redrive();
    assert_int_equal(kit_stats(&kit, "g").dead, 0);
    assert_int_equal(kit_delivered(&kit, 1), 3);
    kit_effect_t *delivery = kit_last(&kit, FOB_EFF_DELIVER);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(delivery->rows[i][0], i + 1);
        assert_int_equal(delivery->rows[i][2], 1); /* the first of five again */
    }
    fob_back_entry_t *entry = fob_back_find(&group()->back, 2);
    assert_int_equal(entry->attempts, 0);
    assert_true(fob_history_hash(kit.core->history, entry->history) == hash);
    kit_settle_why(&kit, 1, "g", FOB_KIND_REJECT, delivery->rows[1], 0, "still no");
    const fob_dead_t *dead = fob_deads_find(&group()->deads, 2);
    assert_int_equal(fob_history_count(kit.core->history, dead->history), 2);
    assert_int_equal(dead->serial, 4); /* a new letter */
    assert_true(kit_stats(&kit, "g").bytes > 0);
    kit_crash(&kit, kit.position);
    assert_int_equal(kit_stats(&kit, "g").dead, 1);
    kit_pass(&kit, 3000);
}

static void neighbours_are_redriven_by_one_run(void **state) {
    (void)state;
    begin(1000, INT64_C(2592000000));
    bury_some(500);
    kit_leave(&kit, 1, "g");
    size_t records = kit.log_count, bytes = 0;
    redrive();
    for (size_t i = records; i < kit.log_count; i++)
        bytes += kit.log[i].size;
    assert_int_equal(bytes, FOB_RECORD_RUNS_SIZE + FOB_RUN_SIZE);
    assert_int_equal(kit_stats(&kit, "g").ready, 500);
}

FOB_MAIN(FOB_CASE_WITH(too_many_are_too_many_at_once_and_the_oldest_go, NULL, teardown),
         FOB_CASE_WITH(a_lower_bound_takes_a_turn_after_the_other, NULL, teardown),
         FOB_CASE_WITH(they_go_when_they_are_too_old_also_with_nobody_there, NULL, teardown),
         FOB_CASE_WITH(a_crash_before_the_record_leaves_it_to_the_next_start, NULL, teardown),
         FOB_CASE_WITH(letters_that_stay_cost_no_look_before_their_time, NULL, teardown),
         FOB_CASE_WITH(what_is_redriven_begins_anew_and_remembers, NULL, teardown),
         FOB_CASE_WITH(neighbours_are_redriven_by_one_run, NULL, teardown))
