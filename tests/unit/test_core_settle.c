/* What becomes of events whose handlers fail: back-off, attempts, dead letters, and what is kept of
 * how it came about. */
#include "bus/core/state.h"
#include "bus/core/work/fate.h"
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
    kit_crash(&kit, kit.position); /* the same from the journal: compares the hashes */
    kit_books(&kit);
    kit_free(&kit);
    return 0;
}

static fob_group_t *group(void) {
    fob_group_t *found = fob_groups_find(&kit.core->groups, fob_slice_str("g"));
    assert_non_null(found);
    return found;
}

/* The last delivery's index-th event: offset, token, attempt. */
static const uint64_t *last(size_t index) {
    kit_effect_t *delivery = kit_last(&kit, FOB_EFF_DELIVER);
    assert_non_null(delivery);
    assert_true(index < delivery->row_count);
    return delivery->rows[index];
}

static kit_effect_t *settled(void) {
    return kit_last(&kit, FOB_EFF_SETTLED);
}

/* The index-th attempt of a chain. */
static void attempt_is(uint32_t chain, uint32_t index, uint8_t reason, bool counted,
                       const char *worker, const char *text) {
    fob_attempt_t attempt;
    assert_true(index < fob_history_count(kit.core->history, chain));
    fob_history_at(kit.core->history, chain, index, &attempt);
    assert_int_equal(attempt.reason, reason);
    assert_int_equal(attempt.counted, counted);
    assert_true(fob_slice_eq(attempt.worker, fob_slice_str(worker)));
    assert_true(fob_slice_eq(attempt.text, fob_slice_str(text)));
}

static uint32_t history_of(uint64_t offset) {
    const fob_back_entry_t *entry = fob_back_find(&group()->back, offset);
    const fob_dead_t *dead = fob_deads_find(&group()->deads, offset);
    assert_true(entry || dead);
    return entry ? entry->history : dead->history;
}

/* --- back-off --- */

static void the_back_off_is_full_jitter_below_a_bound_that_grows(void **state) {
    (void)state;
    fob_policy_t policy = {.backoff_first = 1000, .backoff_factor = 2, .backoff_max = 300000};
    int64_t bound = 1000;
    for (uint32_t attempts = 1; attempts <= 40; attempts++) {
        int64_t least = INT64_MAX, most = 0;
        for (uint64_t offset = 1; offset <= 2000; offset++) {
            int64_t pause = fob_fate_backoff(&policy, offset, attempts);
            assert_int_equal(pause, fob_fate_backoff(&policy, offset, attempts));
            least = pause < least ? pause : least;
            most = pause > most ? pause : most;
        }
        assert_true(least >= 1 && least <= bound / 50 && most <= bound && most > bound * 9 / 10);
        bound = bound * 2 < 300000 ? bound * 2 : 300000;
    }
}

static void a_back_off_may_be_none_or_stay_the_same(void **state) {
    (void)state;
    fob_policy_t policy = {.backoff_first = 0, .backoff_factor = 2, .backoff_max = 300000};
    assert_int_equal(fob_fate_backoff(&policy, 7, 1), 0);
    assert_int_equal(fob_fate_backoff(&policy, 7, 1000000), 0);
    policy = (fob_policy_t){.backoff_first = 500, .backoff_factor = 1, .backoff_max = 300000};
    assert_true(fob_fate_backoff(&policy, 7, 1000000) <= 500);
    policy = (fob_policy_t){.backoff_first = 9000, .backoff_factor = 2, .backoff_max = 10};
    assert_true(fob_fate_backoff(&policy, 7, 1) <= 10);
}

/* Retries what was delivered last, and lets its pause pass. */
static void fails(const char *text) {
    kit_settle_why(&kit, 1, "g", FOB_KIND_RETRY, last(0), 0, text);
    kit_clear(&kit);
    kit_pass(&kit, 300001);
}

static void a_worker_says_itself_how_long_an_event_waits(void **state) {
    (void)state;
    kit_join_as(&kit, 1, "g", 100, 1, "w1", 0);
    kit_publish(&kit, 1, 1, 1, "a", 1);
    kit_settle_why(&kit, 1, "g", FOB_KIND_RETRY, last(0), 3600000, "not yet");
    kit_clear(&kit);
    kit_pass(&kit, 3599999);
    assert_int_equal(kit_delivered(&kit, 1), 0);
    kit_pass(&kit, 1);
    assert_int_equal(last(0)[2], 2); /* it was an attempt all the same */
    kit_settle_why(&kit, 1, "g", FOB_KIND_RETRY, last(0), UINT64_MAX, "never");
    kit_clear(&kit);
    kit_pass(&kit, FOB_RETRY_AFTER_MAX - 1); /* a year is the most */
    assert_int_equal(kit_delivered(&kit, 1), 0);
    kit_pass(&kit, 1);
    assert_int_equal(last(0)[2], 3);
}

/* --- dead letters --- */

static void five_failures_make_a_dead_letter_that_knows_all_five_reasons(void **state) {
    (void)state;
    static const char *const whys[] = {"no route", "timeout", "", "500", "gave up"};
    kit_join_as(&kit, 1, "g", 100, 1, "worker-1", 0);
    kit_publish(&kit, 1, 1, 1, "a", 1);
    for (uint64_t i = 0; i < 5; i++) {
        assert_int_equal(last(0)[2], i + 1);
        fails(whys[i]);
    }
    const fob_dead_t *dead = fob_deads_find(&group()->deads, 1);
    assert_non_null(dead);
    assert_int_equal(dead->reason, FOB_REASON_ATTEMPTS);
    assert_int_equal(dead->attempts, 5);
    assert_int_equal(fob_history_count(kit.core->history, dead->history), 5);
    for (uint32_t i = 0; i < 5; i++)
        attempt_is(dead->history, i, FOB_REASON_RETRY, true, "worker-1", whys[i]);
    assert_int_equal(kit_stats(&kit, "g").dead, 1);
    assert_int_equal(kit_delivered(&kit, 1), 0);
    uint64_t hash = fob_history_hash(kit.core->history, dead->history);
    kit_crash(&kit, kit.position);
    assert_true(fob_history_hash(kit.core->history, history_of(1)) == hash);
}

static void a_rejected_event_is_dead_at_once_and_says_so(void **state) {
    (void)state;
    kit_join_as(&kit, 1, "g", 100, 1, "w", 0);
    kit_publish(&kit, 1, 1, 1, "a", 1);
    fails("first a failure");
    kit_settle_why(&kit, 1, "g", FOB_KIND_REJECT, last(0), 0, "no such customer");
    const fob_dead_t *dead = fob_deads_find(&group()->deads, 1);
    assert_int_equal(dead->reason, FOB_REASON_REJECT);
    assert_int_equal(dead->attempts, 2);
    attempt_is(dead->history, 0, FOB_REASON_RETRY, true, "w", "first a failure");
    attempt_is(dead->history, 1, FOB_REASON_REJECT, true, "w", "no such customer");
}

static void a_group_says_after_how_many_attempts_an_event_is_dead(void **state) {
    (void)state;
    kit_join_as(&kit, 1, "g", 100, 1, "w", 0);
    admin_set(&kit, "g", FOB_POLICY_max_attempts, 2);
    kit_publish(&kit, 1, 1, 1, "a", 1);
    fails("one");
    fails("two");
    assert_int_equal(fob_deads_find(&group()->deads, 1)->attempts, 2);
}

static void what_fails_when_it_is_too_old_is_dead(void **state) {
    (void)state;
    kit_join_as(&kit, 1, "g", 100, 1, "w", 0);
    admin_set(&kit, "g", FOB_POLICY_max_age, 60000);
    kit_publish(&kit, 1, 1, 1, "a", 2);
    const uint64_t first[] = {last(0)[0], last(0)[1]}, second[] = {last(1)[0], last(1)[1]};
    kit_pass(&kit, 60000);
    kit_settle_why(&kit, 1, "g", FOB_KIND_RETRY, first, 1, "in time");
    assert_int_equal(kit_stats(&kit, "g").dead, 0);
    kit_pass(&kit, 1);
    kit_settle_why(&kit, 1, "g", FOB_KIND_RETRY, second, 1, "late");
    const fob_dead_t *dead = fob_deads_find(&group()->deads, 2);
    assert_non_null(dead);
    assert_int_equal(dead->reason, FOB_REASON_AGE);
    attempt_is(dead->history, 0, FOB_REASON_RETRY, true, "w", "late");
}

/* --- notes --- */

static void one_settle_makes_two_records_however_many_fail(void **state) {
    (void)state;
    kit_join_as(&kit, 1, "g", 1000, 100, "w", 0);
    kit_publish(&kit, 1, 1, 1, "a", 300);
    size_t records = kit.log_count;
    fob_buf_t runs = {0};
    fob_pack_array(&runs, 3);
    fob_run_write(&runs, (uint64_t[]){FOB_KIND_ACK, 1, 100, last(0)[1]}, 4);
    fob_run_write(&runs, (uint64_t[]){FOB_KIND_RETRY, 101, 100, last(0)[1] + 100, 5000}, 5);
    fob_run_write(&runs, (uint64_t[]){FOB_KIND_REJECT, 201, 100, last(0)[1] + 200}, 4);
    kit_do(&kit, &(fob_command_t){.kind = FOB_CMD_SETTLE,
                                  .conn = 1,
                                  .settle = {.group = fob_slice_str("g"),
                                             .seq = 1,
                                             .runs = fob_buf_slice(&runs),
                                             .text = fob_slice_str("a power cut")}});
    fob_buf_free(&runs);
    assert_int_equal(settled()->row_count, 0);
    assert_int_equal(kit.log_count, records + 2);
    assert_int_equal(kit_stats(&kit, "g").acked, 100);
    assert_int_equal(kit_stats(&kit, "g").delayed, 100);
    assert_int_equal(kit_stats(&kit, "g").dead, 100);
    attempt_is(history_of(150), 0, FOB_REASON_RETRY, true, "w", "a power cut");
    attempt_is(history_of(250), 0, FOB_REASON_REJECT, true, "w", "a power cut");
    assert_true(fob_history_note_bytes(kit.core->history) <= 64); /* it stands once */
}

static void names_and_texts_are_bounded(void **state) {
    (void)state;
    char name[600], text[600];
    memset(name, 'n', sizeof name);
    memset(text, 't', sizeof text);
    name[sizeof name - 1] = text[sizeof text - 1] = 0;
    kit_join_as(&kit, 1, "g", 10, 1, name, 0);
    kit_publish(&kit, 1, 1, 1, "a", 1);
    kit_settle_why(&kit, 1, "g", FOB_KIND_REJECT, last(0), 0, text);
    name[FOB_NOTE_MAX] = text[FOB_NOTE_MAX] = 0;
    attempt_is(history_of(1), 0, FOB_REASON_REJECT, true, name, text);
}

static void an_ack_forgets_what_was_tried(void **state) {
    (void)state;
    kit_join_as(&kit, 1, "g", 100, 1, "w", 0);
    kit_publish(&kit, 1, 1, 1, "a", 1);
    fails("once");
    assert_true(fob_history_bytes(kit.core->history) > 0);
    kit_settle_why(&kit, 1, "g", FOB_KIND_ACK, last(0), 0, "");
    assert_int_equal(fob_history_bytes(kit.core->history), 0);
    assert_int_equal(kit_stats(&kit, "g").acked, 1);
}

static void a_group_takes_its_histories_with_it(void **state) {
    (void)state;
    kit_join_as(&kit, 1, "g", 100, 1, "w", 0);
    kit_publish(&kit, 1, 1, 1, "a", 2);
    const uint64_t second[] = {last(1)[0], last(1)[1]};
    kit_settle_why(&kit, 1, "g", FOB_KIND_RETRY, last(0), 0, "one");
    kit_settle_why(&kit, 1, "g", FOB_KIND_REJECT, second, 0, "two");
    kit_leave(&kit, 1, "g");
    kit_do(&kit, &(fob_command_t){.kind = FOB_CMD_GROUP_REMOVE,
                                  .conn = 5,
                                  .admin = {.req = 1, .group = fob_slice_str("g")}});
    assert_int_equal(fob_core_group_count(kit.core), 0);
    assert_int_equal(fob_history_bytes(kit.core->history), 0);
}

static void releases_are_remembered_and_cost_nothing(void **state) {
    (void)state;
    kit_join_as(&kit, 1, "g", 1000, 1, "w", 0);
    kit_publish(&kit, 1, 1, 1, "a", 1);
    for (unsigned i = 0; i < FOB_RELEASES_FREE; i++) {
        assert_int_equal(last(0)[2], 1);
        kit_settle_why(&kit, 1, "g", FOB_KIND_RELEASE, last(0), 0, "going home");
        kit_clear(&kit);
        kit_pass(&kit, 300000);
    }
    attempt_is(history_of(1), 0, FOB_REASON_RELEASE, false, "w", "going home");
    for (unsigned i = 0; i < 5; i++) { /* from now on each counts */
        assert_int_equal(last(0)[2], i + 1);
        kit_settle_why(&kit, 1, "g", FOB_KIND_RELEASE, last(0), 0, "again");
        kit_clear(&kit);
        kit_pass(&kit, 300000);
    }
    const fob_dead_t *dead = fob_deads_find(&group()->deads, 1);
    assert_int_equal(dead->reason, FOB_REASON_ATTEMPTS);
    attempt_is(dead->history, FOB_HISTORY_MAX - 1, FOB_REASON_RELEASE, true, "w", "again");
}

/* --- lost workers --- */

static void a_lost_worker_costs_its_begun_events_an_attempt_and_the_rest_nothing(void **state) {
    (void)state;
    kit_join_as(&kit, 1, "g", 100, 1, "w1", 0);
    kit_publish(&kit, 1, 1, 1, "a", 100);
    assert_int_equal(kit_delivered(&kit, 1), 100);
    kit_clear(&kit);
    kit_lost(&kit, 1);
    attempt_is(history_of(1), 0, FOB_REASON_LOST, true, "w1", "");
    for (uint64_t offset = 2; offset <= 100; offset++)
        assert_int_equal(history_of(offset), 0);
    kit_join_as(&kit, 2, "g", 100, 1, "w2", 0);
    assert_int_equal(kit_delivered(&kit, 2), 100);
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(last(i)[0], i + 1);
        assert_int_equal(last(i)[2], i == 0 ? 2 : 1);
    }
}

static void what_kills_its_workers_is_dead_in_the_end(void **state) {
    (void)state;
    kit_join(&kit, 9, "g", ">", 0);
    kit_publish(&kit, 1, 1, 1, "a", 1);
    for (uint64_t conn = 1; conn <= 5; conn++) {
        char name[8];
        snprintf(name, sizeof name, "w%llu", (unsigned long long)conn);
        kit_join_as(&kit, conn, "g", 1, 1, name, 0);
        assert_int_equal(last(0)[2], conn);
        kit_lost(&kit, conn);
    }
    const fob_dead_t *dead = fob_deads_find(&group()->deads, 1);
    assert_non_null(dead);
    assert_int_equal(dead->reason, FOB_REASON_ATTEMPTS);
    attempt_is(dead->history, 0, FOB_REASON_LOST, true, "w1", "");
    attempt_is(dead->history, 4, FOB_REASON_LOST, true, "w5", "");
}

/* --- what is not the worker's any more --- */

static void a_settle_of_what_is_gone_meanwhile_is_refused_by_name(void **state) {
    (void)state;
    kit_join_as(&kit, 1, "g", 2, 1, "w1", 0);
    kit_publish(&kit, 1, 1, 1, "a", 2);
    const uint64_t one[] = {last(0)[0], last(0)[1]}, two[] = {last(1)[0], last(1)[1]};
    kit_settle_why(&kit, 1, "g", FOB_KIND_REJECT, one, 0, "no");
    kit_settle_why(&kit, 1, "g", FOB_KIND_ACK, one, 0, ""); /* dead */
    assert_int_equal(settled()->rows[0][0], FOB_GONE);
    kit_settle_why(&kit, 1, "g", FOB_KIND_RETRY, two, 60000, "later");
    kit_settle_why(&kit, 1, "g", FOB_KIND_ACK, two, 0, ""); /* it waits, for anybody */
    assert_int_equal(settled()->rows[0][0], FOB_NOT_HELD);
    kit_join_as(&kit, 2, "g", 1, 1, "w2", 0);
    kit_pass(&kit, 60000);
    kit_settle_why(&kit, 1, "g", FOB_KIND_ACK, two, 0, ""); /* another has it */
    assert_int_equal(settled()->rows[0][0], FOB_STALE);
    kit_leave(&kit, 2, "g");
    kit_settle_why(&kit, 1, "g", FOB_KIND_ACK, two, 0, ""); /* another had it */
    assert_int_equal(settled()->rows[0][0], FOB_STALE);
    kit_do(&kit, &(fob_command_t){.kind = FOB_CMD_GROUP_PURGE,
                                  .conn = 5,
                                  .admin = {.req = 1, .group = fob_slice_str("g")}});
    kit_settle_why(&kit, 1, "g", FOB_KIND_ACK, two, 0, ""); /* removed */
    assert_int_equal(settled()->rows[0][0], FOB_GONE);
    assert_int_equal(kit_stats(&kit, "g").acked, 0);
}

FOB_MAIN(FOB_CASE(the_back_off_is_full_jitter_below_a_bound_that_grows),
         FOB_CASE(a_back_off_may_be_none_or_stay_the_same),
         FOB_CASE_WITH(a_worker_says_itself_how_long_an_event_waits, setup, teardown),
         FOB_CASE_WITH(five_failures_make_a_dead_letter_that_knows_all_five_reasons, setup,
                       teardown),
         FOB_CASE_WITH(a_rejected_event_is_dead_at_once_and_says_so, setup, teardown),
         FOB_CASE_WITH(a_group_says_after_how_many_attempts_an_event_is_dead, setup, teardown),
         FOB_CASE_WITH(what_fails_when_it_is_too_old_is_dead, setup, teardown),
         FOB_CASE_WITH(one_settle_makes_two_records_however_many_fail, setup, teardown),
         FOB_CASE_WITH(names_and_texts_are_bounded, setup, teardown),
         FOB_CASE_WITH(an_ack_forgets_what_was_tried, setup, teardown),
         FOB_CASE_WITH(a_group_takes_its_histories_with_it, setup, teardown),
         FOB_CASE_WITH(releases_are_remembered_and_cost_nothing, setup, teardown),
         FOB_CASE_WITH(a_lost_worker_costs_its_begun_events_an_attempt_and_the_rest_nothing, setup,
                       teardown),
         FOB_CASE_WITH(what_kills_its_workers_is_dead_in_the_end, setup, teardown),
         FOB_CASE_WITH(a_settle_of_what_is_gone_meanwhile_is_refused_by_name, setup, teardown))
