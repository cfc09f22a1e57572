/* Leases with a bound: what is begun, when it is over, what the worker hears of it. */
#include "bus/core/state.h"
#include "test_core_worker_kit.h"

#include "tests/support/case.h"

static kit_t kit;

static int setup(void **state) {
    (void)state;
    kit_init(&kit, &kit_config);
    kit.hash_turns = true;
    kit_pass(&kit, 3000); /* the resume window is over */
    return 0;
}

static int teardown(void **state) {
    (void)state;
    kit_books(&kit);
    kit_crash(&kit, kit.position);
    kit_books(&kit);
    kit_free(&kit);
    return 0;
}

static fob_group_t *group(void) {
    fob_group_t *found = fob_groups_find(&kit.core->groups, fob_slice_str("g"));
    assert_non_null(found);
    return found;
}

/* The last delivery to a worker; its index-th event: offset, token, attempt. */
static const uint64_t *last_of(uint64_t conn, size_t index) {
    for (size_t i = kit.shown_count; i-- > 0;) {
        const kit_effect_t *effect = &kit.shown[i];
        if (effect->kind != FOB_EFF_DELIVER || effect->conn != conn)
            continue;
        assert_true(index < effect->row_count);
        return effect->rows[index];
    }
    fail_msg("nothing was delivered");
    return NULL;
}

typedef struct {
    uint64_t offset, token;
} held_t;

static held_t held_by(uint64_t conn, size_t index) {
    const uint64_t *row = last_of(conn, index);
    return (held_t){row[0], row[1]};
}

static void ack(uint64_t conn, held_t held) {
    const uint64_t row[] = {held.offset, held.token};
    kit_settle_why(&kit, conn, "g", FOB_KIND_ACK, row, 0, "");
}

static kit_effect_t *settled(void) {
    return kit_last(&kit, FOB_EFF_SETTLED);
}

/* How many leases all shown LOST to the worker name. */
static size_t lost_by(uint64_t conn) {
    size_t count = 0;
    for (size_t i = 0; i < kit.shown_count; i++) {
        const kit_effect_t *effect = &kit.shown[i];
        for (size_t k = 0;
             effect->kind == FOB_EFF_LOST && effect->conn == conn && k < effect->row_count; k++)
            count += effect->rows[k][1];
    }
    return count;
}

/* --- bounds --- */

static void the_shorter_bound_holds_and_is_told(void **state) {
    (void)state;
    kit_join_as(&kit, 1, "g", 1, 1, "w", 0);
    assert_int_equal(kit_last(&kit, FOB_EFF_JOINED)->lease_ms, 0);
    kit_join_as(&kit, 2, "g", 1, 1, "w", 20000);
    assert_int_equal(kit_last(&kit, FOB_EFF_JOINED)->lease_ms, 20000);
    admin_set(&kit, "g", FOB_POLICY_lease, 30000);
    kit_join_as(&kit, 3, "g", 1, 1, "w", 0);
    assert_int_equal(kit_last(&kit, FOB_EFF_JOINED)->lease_ms, 30000);
    kit_join_as(&kit, 4, "g", 1, 1, "w", 20000);
    assert_int_equal(kit_last(&kit, FOB_EFF_JOINED)->lease_ms, 20000);
    kit_join_as(&kit, 5, "g", 1, 1, "w", 40000);
    assert_int_equal(kit_last(&kit, FOB_EFF_JOINED)->lease_ms, 30000);
}

static void without_a_bound_an_event_stays_as_long_as_its_worker(void **state) {
    (void)state;
    kit_join_as(&kit, 1, "g", 10, 1, "w", 0);
    kit_publish(&kit, 1, 1, 1, "a", 1);
    kit_pass(&kit, INT64_C(365) * 24 * 3600 * 1000);
    assert_int_equal(lost_by(1), 0);
    ack(1, held_by(1, 0));
    assert_int_equal(settled()->row_count, 0);
}

/* --- the end of a lease --- */

static void a_lease_that_is_over_goes_to_another_and_the_worker_is_told(void **state) {
    (void)state;
    kit_join_as(&kit, 1, "g", 1, 1, "slow", 30000);
    kit_join_as(&kit, 2, "g", 0, 1, "quick", 0);
    kit_publish(&kit, 1, 1, 1, "a", 1);
    held_t old = held_by(1, 0);
    kit_pass(&kit, 29999);
    assert_int_equal(lost_by(1), 0);
    assert_true(fob_core_deadline(kit.core) == kit.now.mono_ns + FOB_MS);
    kit_credit(&kit, 2, "g", 1);
    kit_pass(&kit, 1);
    kit_effect_t *lost = kit_last(&kit, FOB_EFF_LOST);
    assert_int_equal(lost->conn, 1);
    assert_int_equal(lost->row_count, 1);
    assert_int_equal(lost->rows[0][0], old.offset);
    assert_int_equal(lost->rows[0][2], old.token);
    assert_string_equal(lost->text, "the lease of 30s ran out: the event goes to another");
    assert_int_equal(last_of(2, 0)[0], 1);
    assert_int_equal(last_of(2, 0)[2], 2); /* it was an attempt */
    assert_true(last_of(2, 0)[1] > old.token);
    ack(1, old); /* too late */
    assert_int_equal(settled()->rows[0][0], FOB_STALE);
    ack(2, held_by(2, 0));
    assert_int_equal(settled()->row_count, 0);
    ack(1, old);
    assert_int_equal(settled()->rows[0][0], FOB_GONE);
    assert_int_equal(kit_stats(&kit, "g").acked, 1);
}

static void the_history_says_whose_lease_ran_out(void **state) {
    (void)state;
    kit_join_as(&kit, 1, "g", 1, 1, "slow", 1500);
    kit_publish(&kit, 1, 1, 1, "a", 1);
    kit_pass(&kit, 1500);
    fob_back_entry_t *entry = fob_back_find(&group()->back, 1);
    assert_non_null(entry);
    fob_attempt_t attempt;
    fob_history_at(kit.core->history, entry->history, 0, &attempt);
    assert_int_equal(attempt.reason, FOB_REASON_LEASE);
    assert_true(attempt.counted);
    assert_true(fob_slice_eq(attempt.worker, fob_slice_str("slow")));
    assert_true(fob_slice_eq(attempt.text, fob_slice_str("the lease of 1500ms ran out")));
}

static void a_lost_lease_was_a_delivery(void **state) {
    (void)state;
    kit_join_as(&kit, 1, "g", 1, 1, "w", 1000);
    kit_publish(&kit, 1, 1, 1, "a", 1);
    kit_pass(&kit, 1000);
    assert_int_equal(lost_by(1), 1);
    ack(1, held_by(1, 0)); /* its handler has ended */
    assert_int_equal(kit_delivered(&kit, 1), 1);
    kit_credit(&kit, 1, "g", 2);
    assert_int_equal(last_of(1, 0)[2], 2);
}

static void only_the_first_of_several_jobs_that_is_over_is_lost(void **state) {
    (void)state;
    kit_join_as(&kit, 1, "g", 10, 3, "w", 10000);
    kit_publish(&kit, 1, 1, 1, "a", 1);
    held_t first = held_by(1, 0);
    kit_pass(&kit, 4000);
    kit_publish(&kit, 1, 2, 2, "a", 1);
    held_t second = held_by(1, 0);
    kit_pass(&kit, 6000);
    assert_int_equal(lost_by(1), 1);
    assert_int_equal(kit_last(&kit, FOB_EFF_LOST)->rows[0][0], first.offset);
    ack(1, second);
    assert_int_equal(settled()->row_count, 0);
}

static void prefetch_is_not_begun_and_begun_moves_on(void **state) {
    (void)state;
    kit_join_as(&kit, 1, "g", 4, 1, "w", 10000);
    kit_publish(&kit, 1, 1, 1, "a", 4);
    held_t held[4];
    for (size_t i = 0; i < 4; i++)
        held[i] = held_by(1, i);
    kit_pass(&kit, 9000);
    ack(1, held[0]); /* the second begins now */
    kit_pass(&kit, 9999);
    assert_int_equal(lost_by(1), 0);
    ack(1, held[2]); /* out of turn: the second goes on */
    kit_pass(&kit, 1);
    ack(1, held[1]); /* too late, but it has ended */
    assert_int_equal(settled()->rows[0][1], 2);
    kit_credit(&kit, 1, "g", 6);
    assert_int_equal(last_of(1, 0)[0], 2);
    assert_int_equal(last_of(1, 0)[2], 2);
    assert_int_equal(last_of(1, 1)[0], 4);
    assert_int_equal(last_of(1, 1)[2], 1); /* it had not begun */
}

static void what_is_behind_goes_on_where_another_job_is_free(void **state) {
    (void)state;
    kit_join_as(&kit, 1, "g", 3, 2, "w", 10000);
    kit_publish(&kit, 1, 1, 1, "a", 3);
    held_t held[3] = {held_by(1, 0), held_by(1, 1), held_by(1, 2)};
    kit_pass(&kit, 5000);
    ack(1, held[1]); /* the third begins */
    kit_pass(&kit, 5000);
    assert_int_equal(lost_by(1), 1);
    kit_pass(&kit, 4999);
    ack(1, held[2]);
    assert_int_equal(settled()->row_count, 0);
}

static void many_jobs_are_lost_at_once(void **state) {
    (void)state;
    kit_join_as(&kit, 1, "g", 5000, 2500, "w", 10000);
    kit_publish(&kit, 1, 1, 1, "a", 5000);
    assert_int_equal(kit_delivered(&kit, 1), 5000);
    kit_pass(&kit, 10000);
    assert_int_equal(lost_by(1), 5000); /* with what was behind them */
    assert_int_equal(kit_stats(&kit, "g").ready, 5000);
    kit_settle(&kit, 1, "g", 1, FOB_KIND_ACK, 1, 2500, 1); /* all have ended */
    kit_clear(&kit);
    kit_credit(&kit, 1, "g", 10000);
    assert_int_equal(kit_delivered(&kit, 1), 5000);
    for (uint64_t i = 0; i < kit.shown_count; i++) {
        const kit_effect_t *effect = &kit.shown[i];
        for (size_t k = 0; effect->kind == FOB_EFF_DELIVER && k < effect->row_count; k++)
            assert_int_equal(effect->rows[k][2], effect->rows[k][0] <= 2500 ? 2 : 1);
    }
}

static void at_the_last_attempt_it_is_a_dead_letter(void **state) {
    (void)state;
    kit_join_as(&kit, 1, "g", 100, 1, "w", 1000);
    admin_set(&kit, "g", FOB_POLICY_max_attempts, 2);
    kit_publish(&kit, 1, 1, 1, "a", 1);
    kit_pass(&kit, 1000);
    ack(1, held_by(1, 0));
    assert_int_equal(last_of(1, 0)[2], 2);
    kit_pass(&kit, 1000);
    assert_int_equal(lost_by(1), 2);
    assert_string_equal(kit_last(&kit, FOB_EFF_LOST)->text,
                        "the lease of 1s ran out at the last attempt: the event is a dead letter");
    const fob_dead_t *dead = fob_deads_find(&group()->deads, 1);
    assert_non_null(dead);
    assert_int_equal(dead->reason, FOB_REASON_ATTEMPTS);
    assert_int_equal(fob_history_count(kit.core->history, dead->history), 2);
    const uint64_t row[] = {1, last_of(1, 0)[1]};
    kit_settle_why(&kit, 1, "g", FOB_KIND_ACK, row, 0, "");
    assert_int_equal(settled()->rows[0][0], FOB_GONE);
}

/* --- what changes while it runs --- */

static void a_bound_that_is_set_counts_from_then_on(void **state) {
    (void)state;
    kit_join_as(&kit, 1, "g", 10, 2, "w", 0);
    kit_publish(&kit, 1, 1, 1, "a", 3);
    kit_pass(&kit, 100000);
    admin_set(&kit, "g", FOB_POLICY_lease, 5000);
    kit_pass(&kit, 4999);
    assert_int_equal(lost_by(1), 0);
    kit_pass(&kit, 1);
    assert_int_equal(lost_by(1), 3); /* with the one behind them */
    admin_set(&kit, "g", FOB_POLICY_lease, 0);
    ack(1, (held_t){1, 1});
    assert_int_equal(kit_stats(&kit, "g").leased, 3);
    kit_pass(&kit, 100000);
    assert_int_equal(lost_by(1), 3);
}

static void to_come_back_on_another_connection_is_no_new_time(void **state) {
    (void)state;
    kit_join_as(&kit, 1, "g", 10, 1, "w", 10000);
    kit_publish(&kit, 1, 1, 1, "a", 2);
    held_t held = held_by(1, 0);
    kit_pass(&kit, 6000);
    uint8_t session[FOB_SESSION_SIZE] = {1}; /* as kit_join_as gave connection 1 */
    fob_buf_t runs = {0};
    fob_pack_array(&runs, 1);
    fob_run_write(&runs, (uint64_t[]){held.offset, 2, held.token}, 3);
    kit_do(&kit, &(fob_command_t){.kind = FOB_CMD_JOIN,
                                  .conn = 7,
                                  .join = {.session = session,
                                           .group = fob_slice_str("g"),
                                           .jobs = 1,
                                           .claims = fob_buf_slice(&runs),
                                           .lease_ms = 10000}});
    fob_buf_free(&runs);
    assert_int_equal(kit_last(&kit, FOB_EFF_JOINED)->row_count, 0);
    kit_pass(&kit, 3999);
    assert_int_equal(lost_by(7), 0);
    kit_pass(&kit, 1);
    assert_int_equal(lost_by(7), 2); /* with the one behind it */
    assert_int_equal(kit_stats(&kit, "g").ready, 2);
    assert_int_equal(fob_back_find(&group()->back, 1)->attempts, 1);
    assert_int_equal(fob_back_find(&group()->back, 2)->attempts, 0);
}

static void after_a_restart_of_the_bus_the_time_runs_anew(void **state) {
    (void)state;
    kit_join_as(&kit, 1, "g", 10, 1, "w", 0);
    admin_set(&kit, "g", FOB_POLICY_lease, 10000);
    kit_publish(&kit, 1, 1, 1, "a", 1);
    held_t held = held_by(1, 0);
    kit_pass(&kit, 9000);
    kit_crash(&kit, kit.position);
    kit_clear(&kit);
    kit_rejoin(&kit, 1, 1, "g", 10, (const uint64_t[][3]){{held.offset, 1, held.token}}, 1);
    assert_int_equal(kit_last(&kit, FOB_EFF_JOINED)->row_count, 0);
    assert_int_equal(kit_last(&kit, FOB_EFF_JOINED)->lease_ms, 10000);
    kit_pass(&kit, 9999);
    assert_int_equal(lost_by(1), 0);
    kit_pass(&kit, 1);
    assert_int_equal(lost_by(1), 1);
}

static void what_was_redriven_cannot_be_claimed_before_it_goes_out(void **state) {
    (void)state;
    kit_join_as(&kit, 1, "g", 1, 1, "w", 0);
    kit_publish(&kit, 1, 1, 1, "a", 1);
    kit_settle_why(&kit, 1, "g", FOB_KIND_REJECT, last_of(1, 0), 0, "");
    kit_do(&kit, &(fob_command_t){.kind = FOB_CMD_DEAD_REDRIVE,
                                  .conn = 5,
                                  .dead = {.req = 1, .group = fob_slice_str("g")}});
    assert_int_equal(kit_stats(&kit, "g").ready, 1);
    kit_rejoin(&kit, 2, 9, "g", 0, (const uint64_t[][3]){{1, 1, 0}}, 1);
    assert_int_equal(kit_last(&kit, FOB_EFF_JOINED)->rows[0][0], FOB_NOT_HELD);
}

/* --- a bus that stood still, and what never reached a worker --- */

/* Asked when so much time has passed, `late_ms` after it wanted to be. */
static void stand_still(int64_t ms, int64_t late_ms) {
    kit.now.mono_ns += ms * FOB_MS;
    kit.now.wall_ms += ms;
    kit_do(&kit, &(fob_command_t){.kind = FOB_CMD_TICK, .tick = {late_ms * FOB_MS}});
}

static void a_bus_that_stood_still_hears_settles_before_it_takes_leases_away(void **state) {
    (void)state;
    kit_join_as(&kit, 1, "g", 10, 1, "w", 1000);
    kit_publish(&kit, 1, 1, 1, "a", 2);
    held_t first = held_by(1, 0);
    stand_still(6000, 5000);
    assert_int_equal(lost_by(1), 0);
    ack(1, first);
    assert_int_equal(settled()->row_count, 0);
    assert_int_equal(kit_stats(&kit, "g").acked, 1);
}

static void a_bus_that_is_always_late_takes_leases_away_all_the_same(void **state) {
    (void)state;
    kit_join_as(&kit, 1, "g", 10, 1, "w", 1000);
    kit_publish(&kit, 1, 1, 1, "a", 1);
    stand_still(1300, 300);
    stand_still(299, 299);
    assert_int_equal(lost_by(1), 0);
    stand_still(100, 100);
    assert_int_equal(lost_by(1), 1);
}

static void what_could_not_be_sent_to_a_lost_worker_has_no_attempt(void **state) {
    (void)state;
    kit_join_as(&kit, 1, "g", 10, 2, "w", 0);
    admin_set(&kit, "g", FOB_POLICY_max_attempts, 1);
    kit_publish(&kit, 1, 1, 1, "a", 2);
    fob_command_t unsent = {.kind = FOB_CMD_UNSENT, .conn = 1};
    unsent.unsent.group = fob_slice_str("g");
    unsent.unsent.after = held_by(1, 1).token - 1;
    fob_command_t unreachable = {.kind = FOB_CMD_UNREACHABLE, .conn = 1};
    unreachable.unreachable.until_ns = kit.now.mono_ns + FOB_SEC;
    kit_do(&kit, &unreachable);
    kit_do(&kit, &unsent);
    assert_int_equal(kit_stats(&kit, "g").ready, 1);
    assert_int_equal(kit_stats(&kit, "g").leased, 1);
    kit_lost(&kit, 1);
    assert_int_equal(kit_stats(&kit, "g").dead, 1); /* the one that it may have begun */
    assert_int_equal(kit_stats(&kit, "g").ready, 1);
    kit_join_as(&kit, 2, "g", 10, 1, "w", 0);
    assert_int_equal(last_of(2, 0)[0], 2);
    assert_int_equal(last_of(2, 0)[2], 1);
}

/* A group whose workers have no bound is not looked at. */
static void without_bounds_there_is_nothing_to_wait_for(void **state) {
    (void)state;
    kit_join_as(&kit, 1, "g", 10, 1, "w", 0);
    kit_publish(&kit, 1, 1, 1, "a", 3);
    assert_true(fob_core_deadline(kit.core) == FOB_NEVER);
    kit_join_as(&kit, 2, "g", 10, 1, "w", 1000);
    assert_true(fob_core_deadline(kit.core) == FOB_NEVER); /* it holds nothing */
    kit_leave(&kit, 1, "g");
    assert_true(fob_core_deadline(kit.core) == kit.now.mono_ns + 1000 * FOB_MS);
    kit_leave(&kit, 2, "g");
    kit_pass(&kit, 1000);
    assert_true(fob_core_deadline(kit.core) == FOB_NEVER);
}

FOB_MAIN(FOB_CASE_WITH(the_shorter_bound_holds_and_is_told, setup, teardown),
         FOB_CASE_WITH(without_a_bound_an_event_stays_as_long_as_its_worker, setup, teardown),
         FOB_CASE_WITH(a_lease_that_is_over_goes_to_another_and_the_worker_is_told, setup,
                       teardown),
         FOB_CASE_WITH(the_history_says_whose_lease_ran_out, setup, teardown),
         FOB_CASE_WITH(a_lost_lease_was_a_delivery, setup, teardown),
         FOB_CASE_WITH(only_the_first_of_several_jobs_that_is_over_is_lost, setup, teardown),
         FOB_CASE_WITH(prefetch_is_not_begun_and_begun_moves_on, setup, teardown),
         FOB_CASE_WITH(what_is_behind_goes_on_where_another_job_is_free, setup, teardown),
         FOB_CASE_WITH(many_jobs_are_lost_at_once, setup, teardown),
         FOB_CASE_WITH(at_the_last_attempt_it_is_a_dead_letter, setup, teardown),
         FOB_CASE_WITH(a_bound_that_is_set_counts_from_then_on, setup, teardown),
         FOB_CASE_WITH(to_come_back_on_another_connection_is_no_new_time, setup, teardown),
         FOB_CASE_WITH(after_a_restart_of_the_bus_the_time_runs_anew, setup, teardown),
         FOB_CASE_WITH(what_was_redriven_cannot_be_claimed_before_it_goes_out, setup, teardown),
         FOB_CASE_WITH(a_bus_that_stood_still_hears_settles_before_it_takes_leases_away, setup,
                       teardown),
         FOB_CASE_WITH(a_bus_that_is_always_late_takes_leases_away_all_the_same, setup, teardown),
         FOB_CASE_WITH(what_could_not_be_sent_to_a_lost_worker_has_no_attempt, setup, teardown),
         FOB_CASE_WITH(without_bounds_there_is_nothing_to_wait_for, setup, teardown))
