/* debt: what was shed by number, and what lies below a reset, is walked over and never goes out. */
#include "test_core_queue_case.h"

#include "bus/core/work/debt.h"
#include "tests/support/case.h"

#include <stdlib.h>

/* The `count` lowest of priority 0 that were never out are shed, as a full group does. */
static void shed(uint32_t count) {
    fob_runs_writer_t runs;
    assert_true(fob_runs_begin(&runs, q.kit.core, group(), 1, 0));
    fob_run_record_t run = {.verb = FOB_RUN_SHED,
                            .flags = FOB_RUN_DEBT,
                            .reason = FOB_OVERFLOW_DROP_OLDEST,
                            .count = count,
                            .from = 1,
                            .to = q.kit.core->head};
    fob_runs_put(&runs, &run);
    assert_true(fob_runs_end(&runs));
    fob_core_wake(q.kit.core, group());
    kit_take(&q.kit);
    kit_books(&q.kit);
}

static void push_out(void) {
    for (int i = 0; i < 40; i++)
        queue_say(&q, "z0");
    kit_clear(&q.kit);
}

/* --- by number --- */

static void a_debt_is_paid_without_workers_and_the_floor_moves(void **state) {
    (void)state;
    queue_admin(&q, FOB_CMD_GROUP_ADD, "a", 0, 0, 0);
    for (int i = 0; i < 10; i++)
        queue_say(&q, "b0 a0 a0 b0");
    shed(15);
    kit_settle_down(&q.kit);
    assert_int_equal(queue_stats(&q).shed, 15);
    assert_int_equal(queue_stats(&q).ready, 5);
    assert_int_equal(group()->debt, 0);
    assert_int_equal(queue_stats(&q).floor, 7 * 4 + 3);
    queue_join(&q, "a");
    assert_string_equal(queue_drain(&q, 100), "31 34 35 38 39");
    assert_int_equal(fob_core_floor(q.kit.core), 40);
}

static void a_small_debt_is_paid_before_the_next_goes_out(void **state) {
    (void)state;
    queue_admin(&q, FOB_CMD_GROUP_ADD, "a", 0, 0, 0);
    queue_many(&q, "a", 0, 100);
    shed(3);
    kit_settle_down(&q.kit);
    assert_int_equal(group()->debt, 3); /* it does not matter yet */
    queue_join(&q, "a");
    queue_say(&q, "a5");
    assert_string_equal(queue_take(&q, 1), "101");
    assert_string_equal(queue_take(&q, 1), "4");
    assert_int_equal(group()->debt, 0);
}

static void a_debt_passes_over_what_has_a_priority(void **state) {
    (void)state;
    queue_admin(&q, FOB_CMD_GROUP_ADD, "a", 0, 0, 0);
    queue_say(&q, "a0 a5 b0 a0 a7 a0 a0");
    shed(3);
    kit_settle_down(&q.kit);
    assert_int_equal(group()->debt, 0);
    assert_int_equal(queue_stats(&q).floor, 2);
    queue_join(&q, "a");
    assert_string_equal(queue_drain(&q, 100), "5 2 7");
    assert_int_equal(queue_stats(&q).floor, 8);
}

static void a_debt_on_disk_is_read_for(void **state) {
    (void)state;
    queue_admin(&q, FOB_CMD_GROUP_ADD, "a", 0, 0, 0);
    for (int i = 0; i < 30; i++)
        queue_say(&q, "a0 b0");
    push_out();
    shed(20);
    assert_int_equal(group()->debt, 20);
    assert_int_equal(kit_count(&q.kit, FOB_EFF_NEED), 1);
    kit_pages(&q.kit);
    kit_books(&q.kit);
    assert_in_range(group()->debt, 0, 2); /* so little does not matter */
    assert_in_range(queue_stats(&q).floor, 36, 40);
    queue_join(&q, "a");
    assert_string_equal(queue_take(&q, 1), "41");
}

static void a_million_shed_events_do_not_stall_a_turn(void **state) {
    (void)state;
    queue_admin(&q, FOB_CMD_GROUP_ADD, "a", 0, 0, 0);
    q.kit.hash_turns = false;
    for (int i = 0; i < 100; i++)
        queue_many(&q, "a", 0, 10000);
    shed(999990);
    unsigned turns = 1;
    for (; group()->debt; turns++) {
        uint64_t debt = group()->debt, position = q.kit.position;
        assert_true(fob_core_deadline(q.kit.core) <= q.kit.now.mono_ns); /* at once, and ... */
        kit_take(&q.kit);
        assert_in_range(debt - group()->debt, 1, 65536); /* ... not all */
        assert_int_equal(q.kit.position, position + 1);
    }
    assert_in_range(turns, 1000000 / 65536, 1000000 / 65536 + 2);
    assert_int_equal(queue_stats(&q).ready, 10);
    assert_int_equal(queue_stats(&q).floor, 999991);
    queue_join(&q, "a");
    assert_string_equal(queue_take(&q, 2), "999991 999992");
}

static void a_debt_is_paid_after_a_restart(void **state) {
    (void)state;
    queue_join(&q, "a");
    queue_many(&q, "a", 0, 4000);
    assert_string_equal(queue_take(&q, 2), "1 2");
    shed(100); /* 3 to 102 */
    assert_int_equal(group()->debt, 100);
    uint64_t token = q.got[0][1];
    kit_crash(&q.kit, q.kit.position);
    kit_clear(&q.kit);
    kit_rejoin(&q.kit, 1, 1, "g", 1, (const uint64_t[][3]){{1, 1, token}}, 1);
    queue_many(&q, "a", 0, 2000); /* beyond the mark */
    kit_credit(&q.kit, 1, "g", 10);
    assert_int_equal(kit_delivered(&q.kit, 1), 0); /* which are shed is not known yet */
    queue_say(&q, "a3");
    assert_int_equal(kit_delivered(&q.kit, 1), 1);
    kit_clear(&q.kit);
    q.asked = 3;
    queue_resume(&q);
    kit_pages(&q.kit);
    assert_int_equal(group()->debt, 0);
    kit_credit(&q.kit, 1, "g", 12);
    kit_books(&q.kit);
    /* 2 was out and not claimed: it is the oldest that is ready, and went first: 2 to 101. */
    assert_int_equal(queue_stats(&q).shed, 100);
    assert_int_equal(queue_stats(&q).ready + queue_stats(&q).leased, 6001 - 100);
    assert_int_equal(queue_stats(&q).floor, 1);
    kit_settle(&q.kit, 1, "g", 1, FOB_KIND_ACK, 1, 1, token);
    assert_int_equal(queue_stats(&q).floor, 102);
}

static void what_is_shed_before_it_is_claimed_cannot_be_claimed(void **state) {
    (void)state;
    queue_join(&q, "a");
    queue_many(&q, "a", 0, 4);
    assert_string_equal(queue_take(&q, 4), "1 2 3 4");
    uint64_t token = q.got[0][1];
    kit_crash(&q.kit, q.kit.position);
    kit_clear(&q.kit);
    shed(3);
    kit_rejoin(&q.kit, 1, 1, "g", 0, (const uint64_t[][3]){{2, 2, token + 1}}, 1);
    assert_int_equal(kit_last(&q.kit, FOB_EFF_JOINED)->row_count, 1);
    assert_int_equal(queue_stats(&q).leased, 1);
    assert_int_equal(queue_stats(&q).accepted, 4);
    kit_settle(&q.kit, 1, "g", 1, FOB_KIND_ACK, 2, 1, token + 1);
    queue_resume(&q);
    kit_credit(&q.kit, 1, "g", 10);
    kit_pages(&q.kit);
    kit_books(&q.kit);
    assert_int_equal(group()->debt, 0);
    assert_int_equal(queue_stats(&q).accepted, 4);
    assert_int_equal(queue_stats(&q).acked, 1);
}

static void a_debt_survives_a_crash_before_it_is_paid(void **state) {
    (void)state;
    queue_admin(&q, FOB_CMD_GROUP_ADD, "a", 0, 0, 0);
    queue_many(&q, "a", 0, 1000);
    shed(100);
    assert_int_equal(group()->debt, 100);
    queue_crash(&q);
    assert_int_equal(group()->debt, 100);
    assert_string_equal(queue_take(&q, 2), "101 102");
    assert_int_equal(group()->debt, 0);
    queue_crash(&q);
    assert_int_equal(queue_stats(&q).shed, 100);
    queue_resume(&q);
    assert_string_equal(queue_take(&q, 2), "101 102");
}

static void a_debt_in_damage_ends_with_it(void **state) {
    (void)state;
    queue_admin(&q, FOB_CMD_GROUP_ADD, "a", 0, 0, 0);
    for (int i = 0; i < 10; i++)
        queue_say(&q, "a0");
    push_out();
    for (size_t i = 0; i < q.kit.log_count; i++)
        q.kit.log[i].unreadable = q.kit.log[i].count && q.kit.log[i].first_offset <= 8;
    shed(9);
    kit_pages(&q.kit);
    kit_settle_down(&q.kit);
    kit_books(&q.kit);
    queue_join(&q, "a");
    queue_drain(&q, 100);
    assert_int_equal(group()->debt, 0);
    assert_int_equal(queue_stats(&q).ready, 0);
    assert_int_equal(queue_stats(&q).shed, 9);
    queue_crash(&q);
    assert_int_equal(queue_stats(&q).ready, 0);
}

static void a_paused_group_pays_its_debt(void **state) {
    (void)state;
    queue_join(&q, "a");
    queue_admin(&q, FOB_CMD_GROUP_SET, "", 0, FOB_POLICY_paused, 1);
    queue_many(&q, "a", 0, 100);
    queue_take(&q, 1);
    shed(60);
    kit_settle_down(&q.kit);
    assert_int_equal(group()->debt, 0);
    assert_int_equal(queue_stats(&q).floor, 61);
}

/* --- as a full group makes them --- */

static void limit(const char *pattern, uint64_t depth, fob_overflow_t overflow) {
    queue_admin(&q, FOB_CMD_GROUP_ADD, pattern, 0, FOB_POLICY_max_depth, depth);
    queue_admin(&q, FOB_CMD_GROUP_SET, "", 0, FOB_POLICY_overflow, overflow);
    kit_clear(&q.kit);
}

static void a_full_group_without_workers_moves_its_floor(void **state) {
    (void)state;
    limit("a", 10, FOB_OVERFLOW_DROP_OLDEST);
    for (int i = 0; i < 500; i++)
        queue_say(&q, "b0 a0 a0 b0 a0");
    assert_int_equal(queue_stats(&q).ready, 10);
    assert_int_equal(queue_stats(&q).shed, 1490);
    assert_in_range(queue_stats(&q).floor, 2450, 2500);
    queue_join(&q, "a");
    queue_drain(&q, 100);
    assert_int_equal(q.count, 10);
    assert_int_equal(q.got[0][0], 2485);
    assert_int_equal(group()->debt, 0);
}

static void what_a_full_group_buries_is_not_handed_out(void **state) {
    (void)state;
    limit("a", 3, FOB_OVERFLOW_DEAD_LETTER);
    queue_say(&q, "a0 b0 a0 a0 a0 a0 b0 a5");
    queue_join(&q, "a");
    assert_string_equal(queue_take(&q, 1), "1");
    queue_ack(&q, 1);
    queue_say(&q, "a0 a0");
    assert_string_equal(queue_drain(&q, 10), "3 4 9");
    assert_int_equal(queue_stats(&q).dead, 4);
    queue_crash(&q);
    queue_resume(&q);
    assert_string_equal(queue_drain(&q, 10), "");
}

static uint64_t seed;

static uint64_t chance(uint64_t below) {
    uint64_t x = seed += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (x ^ (x >> 31)) % below;
}

static void publish_some(void) {
    char words[64];
    unsigned n = 1 + (unsigned)chance(8);
    for (unsigned i = 0; i < n; i++) {
        words[i * 3] = chance(4) ? 'a' : 'b';
        words[i * 3 + 1] = (char)('0' + (chance(2) ? 0 : chance(10)));
        words[i * 3 + 2] = i + 1 < n ? ' ' : 0;
    }
    queue_say(&q, words);
}

/* Those that are out and not settled. */
typedef struct {
    size_t seen, held;
    uint64_t offsets[4000];
} hands_t;

static void settle_some(hands_t *hands) {
    for (; hands->seen < q.count; hands->seen++)
        hands->offsets[hands->held++] = q.got[hands->seen][0];
    if (hands->held == 0)
        return;
    size_t at = (size_t)chance(hands->held);
    queue_settle(&q, chance(4) ? FOB_KIND_ACK : FOB_KIND_RELEASE, hands->offsets[at]);
    hands->offsets[at] = hands->offsets[--hands->held];
}

static void live_on(hands_t *hands) {
    uint64_t what = chance(100);
    if (what < 50)
        publish_some();
    else if (what < 70)
        queue_take(&q, 1 + chance(3));
    else if (what < 95)
        settle_some(hands);
    else if (what < 98)
        kit_pass(&q.kit, 1000);
    else {
        queue_crash(&q);
        hands->held = 0;
        hands->seen = q.count;
        if (chance(2))
            queue_resume(&q);
    }
    kit_pages(&q.kit);
    kit_books(&q.kit);
}

/* Whatever is shed, by whatever policy: in the end everything is somewhere, and nothing is left. */
static void full_groups_come_to_an_end(void **state) {
    (void)state;
    for (uint64_t s = 1; s <= 30; s++) {
        hands_t hands = {0};
        if (s > 1) {
            queue_free(&q);
            setup_small(NULL);
        }
        q.size = s % 2 ? 4 : 300;
        seed = s;
        limit("a", 1 + chance(25), (fob_overflow_t)(1 + s % 3));
        queue_join(&q, "a");
        for (unsigned step = 0; step < 300; step++)
            live_on(&hands);
        queue_crash(&q);
        queue_resume(&q);
        kit_pass(&q.kit, 400000);
        queue_say(&q, "a0");
        queue_drain(&q, 1000);
        fob_group_stats_t stats = queue_stats(&q);
        assert_int_equal(stats.accepted, stats.acked + stats.dead + stats.shed);
        assert_true(stats.shed + stats.dead > 0);
        assert_int_equal(group()->debt, 0);
        assert_int_equal(group()->prio.events, 0);
        assert_int_equal(stats.bytes, 0);
        assert_int_equal(group()->cover.floor, fob_core_head(q.kit.core) + 1);
    }
}

/* --- below a reset forward --- */

static void a_reset_forward_removes_what_lies_below(void **state) {
    (void)state;
    queue_admin(&q, FOB_CMD_GROUP_ADD, "a", 0, 0, 0);
    for (int i = 0; i < 10; i++)
        queue_say(&q, "a0 b0 a5 a0");
    queue_admin(&q, FOB_CMD_GROUP_RESET, "", 23, 0, 0);
    assert_int_equal(queue_stats(&q).removed, 5 * 3 + 1);
    assert_int_equal(queue_stats(&q).removed_by[FOB_REMOVAL_RESET], 5 * 3 + 1);
    assert_int_equal(queue_stats(&q).ready, 5 * 3 - 1);
    assert_int_equal(queue_stats(&q).floor, 23);
    queue_join(&q, "a");
    assert_string_equal(queue_drain(&q, 100), "23 27 31 35 39 24 25 28 29 32 33 36 37 40");
    queue_crash(&q);
    queue_resume(&q);
    assert_string_equal(queue_drain(&q, 100), "");
}

static void a_reset_forward_over_a_backlog_on_disk_goes_on_after_a_crash(void **state) {
    (void)state;
    queue_join(&q, "a");
    for (int i = 0; i < 30; i++)
        queue_say(&q, "a0 b0 a5");
    push_out();
    assert_string_equal(queue_take(&q, 2), "3 6");
    queue_admin(&q, FOB_CMD_GROUP_RESET, "", 61, 0, 0);
    assert_int_equal(queue_stats(&q).leased, 0);
    assert_in_range(queue_stats(&q).removed, 20, 25); /* those of the lists, and in memory */
    kit_page(&q.kit, kit_last(&q.kit, FOB_EFF_NEED)->need_offset, 1024);
    assert_in_range(queue_stats(&q).removed, 21, 39);
    queue_crash(&q);
    kit_do(&q.kit, &(fob_command_t){.kind = FOB_CMD_TICK});
    queue_resume(&q);
    queue_take(&q, 0);
    kit_pages(&q.kit);
    assert_string_equal(queue_drain(&q, 2), "63 66");
    assert_int_equal(queue_stats(&q).removed, 40);
    queue_drain(&q, 100);
    assert_int_equal(queue_stats(&q).acked, 20);
    assert_int_equal(queue_stats(&q).ready, 0);
}

FOB_MAIN(FOB_CASE_WITH(a_debt_is_paid_without_workers_and_the_floor_moves, setup, teardown),
         FOB_CASE_WITH(a_small_debt_is_paid_before_the_next_goes_out, setup, teardown),
         FOB_CASE_WITH(a_debt_passes_over_what_has_a_priority, setup, teardown),
         FOB_CASE_WITH(a_debt_on_disk_is_read_for, setup_small, teardown),
         FOB_CASE_WITH(a_million_shed_events_do_not_stall_a_turn, setup, teardown),
         FOB_CASE_WITH(a_debt_is_paid_after_a_restart, setup, teardown),
         FOB_CASE_WITH(what_is_shed_before_it_is_claimed_cannot_be_claimed, setup, teardown),
         FOB_CASE_WITH(a_debt_survives_a_crash_before_it_is_paid, setup, teardown),
         FOB_CASE_WITH(a_debt_in_damage_ends_with_it, setup_small, teardown),
         FOB_CASE_WITH(a_paused_group_pays_its_debt, setup, teardown),
         FOB_CASE_WITH(a_full_group_without_workers_moves_its_floor, setup, teardown),
         FOB_CASE_WITH(what_a_full_group_buries_is_not_handed_out, setup, teardown),
         FOB_CASE_WITH(full_groups_come_to_an_end, setup_small, teardown),
         FOB_CASE_WITH(a_reset_forward_removes_what_lies_below, setup, teardown),
         FOB_CASE_WITH(a_reset_forward_over_a_backlog_on_disk_goes_on_after_a_crash, setup_small,
                       teardown))
