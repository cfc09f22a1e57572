/* What a group does by itself where memory lacks: priorities, a beginning in the past, debts, ages.
 * Every allocation of the core fails once, one after the other; it is only later for it. And what
 * is kept of attempts that failed. */
#include "core_scarce.h"
#include "test_core_queue_case.h"

#include "bus/core/durable/runs.h"
#include "tests/support/case.h"

#include <stdlib.h>

static void begin(void) {
    queue_init_small(&q);
    q.size = 4;
    core_scarce = true;
}

static void with_a_queue(void *arg) {
    void (*const *story)(void) = arg;
    begin();
    (*story)();
    queue_free(&q);
}

/* Runs a story with every allocation failing in turn. */
static void tell(const char *name, void (*story)(void)) {
    core_scarce_refused = 0;
    scarce_each(name, 50, with_a_queue, &story);
    assert_true(core_scarce_refused > 0);
}

/* Each step may have to be made once more: pages come again, turns are taken again. */
static void go_on(void) {
    for (int i = 0; i < 3; i++) {
        kit_pages(&q.kit);
        kit_do(&q.kit, &(fob_command_t){.kind = FOB_CMD_TICK});
    }
    kit_books(&q.kit);
}

static void shed(uint32_t count) {
    fob_runs_writer_t runs;
    assert_true(fob_runs_begin(&runs, q.kit.core, group(), 1, 0));
    fob_runs_put(&runs, &(fob_run_record_t){.verb = FOB_RUN_SHED,
                                            .flags = FOB_RUN_DEBT,
                                            .reason = FOB_OVERFLOW_DROP_OLDEST,
                                            .count = count,
                                            .from = 1,
                                            .to = q.kit.core->head});
    fob_runs_end(&runs);
    fob_core_wake(q.kit.core, group());
    kit_settle_down(&q.kit);
}

static void take_all(uint64_t count) {
    size_t before = q.count;
    queue_take(&q, 1000);
    for (int i = 0; i < 5 && q.count - before < count; i++) {
        go_on();
        queue_take(&q, 0);
    }
    assert_int_equal(q.count - before, count);
}

static void a_past_is_found(void) {
    for (int i = 0; i < 6; i++)
        queue_say(&q, i % 2 ? "a0 b0 a5 a0" : "b3 a1 b0 a0");
    q.size = 900;
    for (int i = 0; i < 5; i++)
        queue_say(&q, "z0");
    queue_admin(&q, FOB_CMD_GROUP_ADD, "a", 1, 0, 0);
    go_on();
    queue_join(&q, "a");
    queue_say(&q, "a7");
    take_all(16);
    assert_int_equal(queue_stats(&q).accepted, 16);
    queue_crash(&q);
    assert_int_equal(queue_stats(&q).accepted, 16);
}

static void a_debt_is_paid(void) {
    queue_admin(&q, FOB_CMD_GROUP_ADD, "a", 0, 0, 0);
    for (int i = 0; i < 8; i++)
        queue_say(&q, "a0 b0 a5 a0");
    shed(10);
    go_on();
    queue_join(&q, "a");
    take_all(14);
    queue_crash(&q);
    assert_int_equal(queue_stats(&q).shed, 10);
    queue_resume(&q);
    take_all(14);
    assert_int_equal(queue_stats(&q).ready, 0);
}

static void what_lies_below_is_removed(void) {
    queue_admin(&q, FOB_CMD_GROUP_ADD, "a", 0, 0, 0);
    for (int i = 0; i < 8; i++)
        queue_say(&q, "a0 b0 a5 a0");
    queue_admin(&q, FOB_CMD_GROUP_RESET, "", 17, 0, 0);
    go_on();
    queue_join(&q, "a");
    take_all(12);
    assert_int_equal(queue_stats(&q).removed, 12);
}

static void what_is_old_dies(void) {
    queue_join(&q, "a");
    queue_admin(&q, FOB_CMD_GROUP_SET, "", 0, FOB_POLICY_max_age, 60000);
    queue_say(&q, "a0 b0 a5 a0 a3");
    take_all(4);
    queue_settle(&q, FOB_KIND_RELEASE, 3);
    queue_settle(&q, FOB_KIND_RELEASE, 4);
    queue_say(&q, "a0 a5 b0 a5");
    take_all(3);
    kit_lost(&q.kit, 1);
    kit_pass(&q.kit, 70000);
    queue_say(&q, "a5 a0");
    queue_join(&q, NULL);
    take_all(2);
    assert_int_equal(queue_stats(&q).dead, 7);
}

/* The table of reasons grows twice. */
#define REASONS 150u

static const char *reason_of(uint64_t offset) {
    static char text[32];
    snprintf(text, sizeof text, "no line for number %u", (unsigned)offset);
    return text;
}

static void try_again(uint64_t offset, uint64_t token) {
    fob_buf_t runs = {0};
    fob_pack_array(&runs, 1);
    fob_run_write(&runs, (uint64_t[]){FOB_KIND_RETRY, offset, 1, token}, 4);
    kit_do(&q.kit, &(fob_command_t){.kind = FOB_CMD_SETTLE,
                                    .conn = 1,
                                    .settle = {.group = fob_slice_str("g"),
                                               .seq = ++q.seq,
                                               .text = fob_slice_str(reason_of(offset)),
                                               .runs = fob_buf_slice(&runs)}});
    fob_buf_free(&runs);
}

/* Each has its own, however slowly it is found. */
static void look_at_reasons(void) {
    for (uint64_t offset = 1; offset <= REASONS; offset++) {
        const fob_back_entry_t *back = fob_back_find(&group()->back, offset);
        fob_attempt_t attempt;
        assert_non_null(back);
        assert_int_equal(fob_history_count(q.kit.core->history, back->history), 1);
        fob_history_at(q.kit.core->history, back->history, 0, &attempt);
        assert_true(fob_slice_eq(attempt.text, fob_slice_str(reason_of(offset))));
    }
}

static void each_fails_for_a_reason_of_its_own(void) {
    queue_join(&q, "a");
    queue_many(&q, "a", 0, REASONS);
    take_all(REASONS);
    for (size_t i = 0; i < REASONS; i++)
        try_again(q.got[i][0], q.got[i][1]);
    look_at_reasons();
    queue_crash(&q);
    look_at_reasons();
}

static void memory_that_lacks_only_delays_a_census(void **state) {
    (void)state;
    tell("core: census", a_past_is_found);
}
static void memory_that_lacks_only_delays_a_debt(void **state) {
    (void)state;
    tell("core: debt", a_debt_is_paid);
}
static void memory_that_lacks_only_delays_a_reset(void **state) {
    (void)state;
    tell("core: reset", what_lies_below_is_removed);
}
static void memory_that_lacks_only_delays_a_death_of_age(void **state) {
    (void)state;
    tell("core: ages", what_is_old_dies);
}

static void memory_that_lacks_confuses_no_reasons(void **state) {
    (void)state;
    tell("core: reasons", each_fails_for_a_reason_of_its_own);
}

/* --- warm --- */

static void priorities_allocate_nothing_once_warm(void **state) {
    (void)state;
    begin();
    queue_join(&q, "a");
    for (unsigned round = 0; round < 600; round++) {
        if (round == 500)
            scarce.calls = 0;
        queue_say(&q, "a0 a5 b0 a5 a9 a0 a2 a5");
        kit_credit(&q.kit, 1, "g", q.asked += 7);
        for (size_t i = q.kit.shown_count; i-- > 0;) {
            const kit_effect_t effect = q.kit.shown[i];
            for (size_t k = 0; effect.kind == FOB_EFF_DELIVER && k < effect.row_count; k++)
                kit_settle(&q.kit, 1, "g", ++q.seq, FOB_KIND_ACK, effect.rows[k][0], 1,
                           effect.rows[k][1]);
        }
        kit_clear(&q.kit);
    }
    assert_int_equal(queue_stats(&q).acked, 600 * 7);
    assert_int_equal(scarce.calls, 0);
    queue_free(&q);
}

FOB_MAIN(FOB_CASE(memory_that_lacks_only_delays_a_census),
         FOB_CASE(memory_that_lacks_only_delays_a_debt),
         FOB_CASE(memory_that_lacks_only_delays_a_reset),
         FOB_CASE(memory_that_lacks_only_delays_a_death_of_age),
         FOB_CASE(memory_that_lacks_confuses_no_reasons),
         FOB_CASE(priorities_allocate_nothing_once_warm))
