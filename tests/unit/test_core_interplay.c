/* What meets what: settles of both kinds in one SETTLE, limits after a restart, losses of several
 * groups by one publish. */
#include "test_core_queue_case.h"

#include "bus/core/state.h"
#include "test_core_admin.h"
#include "tests/support/case.h"

#include <stdlib.h>

/* What replay makes of it is the same, and balances too. */
static int teardown_replayed(void **state) {
    kit_crash(&q.kit, q.kit.position);
    return teardown(state);
}

/* --- settles --- */

/* Settles every fourth from 2 on as acks and every fourth from 4 on as retries, in one SETTLE. */
static void settle_scattered(unsigned count) {
    fob_buf_t runs = {0};
    fob_pack_array(&runs, count / 2);
    for (size_t i = 1; i < count; i += 2) {
        unsigned kind = i % 4 == 1 ? FOB_KIND_ACK : FOB_KIND_RETRY;
        fob_run_write(&runs, (uint64_t[]){kind, q.got[i][0], 1, q.got[i][1], 0}, 5);
    }
    kit_do(&q.kit,
           &(fob_command_t){
               .kind = FOB_CMD_SETTLE,
               .conn = 1,
               .settle = {.group = fob_slice_str("g"), .seq = 1, .runs = fob_buf_slice(&runs)}});
    fob_buf_free(&runs);
    kit_books(&q.kit);
}

static void settles_of(uint8_t priority, unsigned count) {
    setup(NULL);
    queue_admin(&q, FOB_CMD_GROUP_ADD, "a", 0, 0, 0);
    queue_many(&q, "a", priority, count);
    queue_join(&q, NULL);
    queue_take(&q, count);
    settle_scattered(count);
    assert_int_equal(queue_stats(&q).acked, count / 4);
    teardown_replayed(NULL);
}

static void one_settle_may_ack_and_retry_here_and_there(void **state) {
    (void)state;
    for (unsigned count = 4; count <= 256; count *= 2)
        settles_of(0, count);
}

static void one_settle_may_ack_and_retry_what_has_priorities(void **state) {
    (void)state;
    for (unsigned count = 4; count <= 256; count *= 2)
        settles_of(7, count);
}

/* --- limits --- */

static void two_groups_lose(unsigned count) {
    setup(NULL);
    queue_admin(&q, FOB_CMD_GROUP_ADD, "a", 0, FOB_POLICY_overflow, FOB_OVERFLOW_DROP_OLDEST);
    admin_add(&q.kit, "h", "a", FOB_POLICY_overflow, FOB_OVERFLOW_DROP_OLDEST);
    char words[2000 * 6 + 1] = "";
    for (unsigned i = 0; i < count; i++)
        memcpy(words + i * 6, "a5 b0 ", 7);
    words[count * 6 - 1] = 0;
    queue_say(&q, words);
    admin_set(&q.kit, "g", FOB_POLICY_max_depth, 1);
    admin_set(&q.kit, "h", FOB_POLICY_max_depth, 1);
    queue_say(&q, "a0");
    assert_int_equal(queue_stats(&q).shed, count);
    assert_int_equal(kit_stats(&q.kit, "h").shed, count);
    teardown_replayed(NULL);
}

static void two_groups_lose_much_by_one_publish(void **state) {
    (void)state;
    for (unsigned count = 1; count < 2000; count += 61) /* about a record more for each */
        two_groups_lose(count);
}

/* What was out before the start, and was not claimed. */
static void restart_with(const char *words, uint64_t overflow, uint64_t depth) {
    queue_admin(&q, FOB_CMD_GROUP_ADD, "a", 0, FOB_POLICY_overflow, overflow);
    admin_set(&q.kit, "g", FOB_POLICY_max_depth, depth);
    queue_join(&q, NULL);
    queue_say(&q, "a0");
    queue_drain(&q, 1); /* so there is a mark, well ahead */
    queue_say(&q, words);
    queue_crash(&q);
    queue_resume(&q);
}

static void after_a_restart_the_lowest_priority_still_goes(void **state) {
    (void)state;
    restart_with("a1 a5 a5", FOB_OVERFLOW_DROP_LOWEST, 3);
    queue_say(&q, "a7");
    assert_int_equal(queue_stats(&q).shed, 1);
    assert_string_equal(queue_drain(&q, 10), "5 3 4");
}

static void after_a_restart_the_oldest_still_goes(void **state) {
    (void)state;
    restart_with("a5 a5 a5", FOB_OVERFLOW_DROP_OLDEST, 3);
    queue_say(&q, "a0");
    assert_int_equal(queue_stats(&q).shed, 1);
    assert_string_equal(queue_drain(&q, 10), "3 4 5");
}

static void after_a_restart_the_oldest_goes_whatever_its_priority(void **state) {
    (void)state;
    restart_with("a0 a0 a5", FOB_OVERFLOW_DROP_OLDEST, 3);
    queue_say(&q, "a0 a0");
    assert_int_equal(queue_stats(&q).shed, 2);
    assert_string_equal(queue_drain(&q, 10), "4 5 6");
}

/* --- a census --- */

/* The commit in which a census accepted an event. */
static uint64_t accepted_at(uint64_t offset) {
    for (size_t i = 0; i < q.kit.log_count; i++) {
        const kit_record_t *record = &q.kit.log[i];
        fob_record_runs_t runs;
        fob_run_record_t run;
        if (!fob_record_read_runs(fob_slice(record->bytes, record->size), &runs))
            continue;
        for (size_t k = 0; k < runs.count; k++) {
            assert_true(fob_record_read_run(runs.runs + k * FOB_RUN_SIZE, &run));
            if (run.verb == FOB_RUN_ACCEPT && run.from <= offset && run.to >= offset)
                return record->position;
        }
    }
    return 0;
}

/* Or a crash would leave the group without what its worker has. */
static void what_a_census_found_goes_out_when_that_is_durable(void **state) {
    (void)state;
    unsigned rows = 0;
    for (int i = 0; i < 40; i++)
        queue_say(&q, "a0 a3");
    queue_admin(&q, FOB_CMD_GROUP_ADD, "a", 1, 0, 0);
    queue_join(&q, NULL);
    q.kit.manual = true;
    kit_credit(&q.kit, 1, "g", 1000);
    for (int i = 0; i < 100 && queue_stats(&q).leased < 80; i++)
        kit_pages(&q.kit);
    kit_sync(&q.kit, q.kit.position);
    for (size_t i = 0; i < q.kit.shown_count; i++) {
        const kit_effect_t *effect = &q.kit.shown[i];
        for (size_t k = 0; effect->kind == FOB_EFF_DELIVER && k < effect->row_count; k++, rows++)
            assert_in_range(effect->after, accepted_at(effect->rows[k][0]), q.kit.position);
    }
    assert_int_equal(rows, 80);
    q.kit.manual = false;
}

/* --- claims --- */

/* Nobody knows at once whose an event is that lies on the disk. */
static void a_worker_that_claims_what_is_not_the_groups_does_not_harm_the_books(void **state) {
    (void)state;
    queue_admin(&q, FOB_CMD_GROUP_ADD, "a", 0, 0, 0);
    queue_say(&q, "a0 b0 b0 a0 a0");
    queue_join(&q, NULL);
    queue_take(&q, 1);
    kit_crash(&q.kit, q.kit.position);
    kit_clear(&q.kit);
    kit_rejoin(&q.kit, 1, 1, "g", 0, (const uint64_t[][3]){{1, 3, 1}}, 1);
    kit_settle(&q.kit, 1, "g", 1, FOB_KIND_ACK, 1, 3, 1);
    kit_books(&q.kit);
    queue_resume(&q);
    queue_join(&q, NULL);
    assert_string_equal(queue_drain(&q, 10), "4 5");
    assert_int_equal(queue_stats(&q).ready + queue_stats(&q).leased, 0);
    queue_say(&q, "a0");
    assert_string_equal(queue_drain(&q, 10), "6");
    kit_crash(&q.kit, q.kit.position);
}

FOB_MAIN(FOB_CASE(one_settle_may_ack_and_retry_here_and_there),
         FOB_CASE(one_settle_may_ack_and_retry_what_has_priorities),
         FOB_CASE(two_groups_lose_much_by_one_publish),
         FOB_CASE_WITH(after_a_restart_the_lowest_priority_still_goes, setup, teardown_replayed),
         FOB_CASE_WITH(after_a_restart_the_oldest_still_goes, setup, teardown_replayed),
         FOB_CASE_WITH(after_a_restart_the_oldest_goes_whatever_its_priority, setup,
                       teardown_replayed),
         FOB_CASE_WITH(a_worker_that_claims_what_is_not_the_groups_does_not_harm_the_books, setup,
                       teardown_replayed),
         FOB_CASE_WITH(what_a_census_found_goes_out_when_that_is_durable, setup_small,
                       teardown_replayed))
