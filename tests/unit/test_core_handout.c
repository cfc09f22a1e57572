/* handout: which event goes out next, and which does not. */
#include "test_core_queue_case.h"

#include "tests/support/case.h"

#include <stdlib.h>

/* Newer batches of a topic that is not the group's take the memory. */
static void push_out(void) {
    for (int i = 0; i < 40; i++)
        queue_say(&q, "z0");
    kit_clear(&q.kit);
}

/* --- order --- */

static void the_highest_priority_goes_first(void **state) {
    (void)state;
    queue_join(&q, "a");
    queue_say(&q, "a0 a3 a9 a3 a0 a1");
    assert_string_equal(queue_take(&q, 6), "3 2 4 6 1 5");
}

static void a_new_event_of_high_priority_goes_before_the_backlog(void **state) {
    (void)state;
    queue_join(&q, "a");
    queue_many(&q, "a", 0, 10);
    assert_string_equal(queue_take(&q, 2), "1 2");
    queue_say(&q, "a0 a9 a0");
    assert_string_equal(queue_take(&q, 3), "12 3 4");
}

static void what_came_back_goes_first_within_its_priority(void **state) {
    (void)state;
    queue_join(&q, "a");
    queue_say(&q, "a0 a0 a5 a5");
    assert_string_equal(queue_take(&q, 3), "3 4 1");
    queue_settle(&q, FOB_KIND_RELEASE, 1);
    queue_settle(&q, FOB_KIND_RELEASE, 4);
    kit_pass(&q.kit, 1000);
    queue_say(&q, "a5 a9");
    assert_string_equal(queue_take(&q, 5), "6 4 5 1 2");
}

static void first_hand_outs_of_any_priority_make_no_record_each(void **state) {
    (void)state;
    queue_join(&q, "a");
    queue_say(&q, "a0 a3 a9 a3 a0 a1 a0 a9");
    queue_take(&q, 1); /* which makes a mark */
    size_t records = q.kit.log_count;
    queue_take(&q, 7);
    assert_int_equal(q.kit.log_count, records);
}

static void what_is_not_the_groups_is_covered_between_priorities(void **state) {
    (void)state;
    queue_join(&q, "a");
    queue_say(&q, "b0 b5 a5 b0 a0 b9 a9 b0 b0 a0 a5 b0 a5 a0");
    queue_say(&q, "b0 b0");
    queue_say(&q, "b0 a3 a0");
    assert_string_equal(queue_drain(&q, 100), "7 3 11 13 18 5 10 14 19");
    assert_int_equal(queue_stats(&q).floor, fob_core_head(q.kit.core) + 1);
    queue_crash(&q);
    assert_int_equal(queue_stats(&q).floor, fob_core_head(q.kit.core) + 1);
}

static void a_group_of_priorities_only_moves_its_floor(void **state) {
    (void)state;
    queue_join(&q, "a");
    for (int i = 0; i < 5; i++)
        queue_say(&q, "b0 a7 b0 a2 a2");
    queue_say(&q, "a1");
    queue_drain(&q, 100);
    assert_int_equal(queue_stats(&q).acked, 16);
    assert_int_equal(queue_stats(&q).floor, fob_core_head(q.kit.core) + 1);
}

static void several_workers_share_what_has_a_priority(void **state) {
    (void)state;
    queue_join(&q, "a");
    kit_join(&q.kit, 2, "g", "a", 0);
    queue_many(&q, "a", 0, 10);
    queue_many(&q, "a", 4, 10);
    kit_step(&q.kit, &(fob_command_t){
                         .kind = FOB_CMD_CREDIT, .conn = 1, .credit = {fob_slice_str("g"), 5}});
    kit_credit(&q.kit, 2, "g", 5);
    assert_int_equal(kit_delivered(&q.kit, 1), 5);
    assert_int_equal(kit_delivered(&q.kit, 2), 5);
    for (size_t i = 0; i < q.kit.shown_count; i++) {
        for (size_t k = 0; q.kit.shown[i].kind == FOB_EFF_DELIVER && k < q.kit.shown[i].row_count;
             k++)
            assert_in_range(q.kit.shown[i].rows[k][0], 11, 20);
    }
}

/* --- a backlog on disk --- */

static void a_walk_that_waits_for_a_page_does_not_hold_up_a_high_priority(void **state) {
    (void)state;
    queue_join(&q, "a");
    for (int i = 0; i < 5; i++)
        queue_say(&q, "a0");
    push_out();
    assert_string_equal(queue_ask(&q, 3), "");
    assert_true(queue_stats(&q).ready == 5);
    queue_say(&q, "a9");
    assert_string_equal(queue_ask(&q, 0), "46");
    kit_pages(&q.kit);
    assert_string_equal(queue_ask(&q, 0), "1 2");
}

static void a_high_priority_on_disk_is_waited_for(void **state) {
    (void)state;
    queue_join(&q, "a");
    queue_say(&q, "a5");
    push_out();
    queue_say(&q, "a0 a5");
    assert_string_equal(queue_ask(&q, 2), "");
    assert_int_equal(kit_last(&q.kit, FOB_EFF_NEED)->need_offset, 1);
    queue_say(&q, "a5 a4");
    assert_string_equal(queue_ask(&q, 0), ""); /* in the order of offsets within a priority */
    queue_say(&q, "a6");
    assert_string_equal(queue_ask(&q, 0), "46");
    kit_pages(&q.kit);
    assert_string_equal(queue_ask(&q, 0), "1");
    assert_string_equal(queue_drain(&q, 10), "43 44 45 42");
}

static void a_deep_backlog_of_priorities_comes_in_order(void **state) {
    (void)state;
    queue_join(&q, "a");
    for (int i = 0; i < 30; i++)
        queue_say(&q, i % 3 == 0 ? "a2 b0 a0" : i % 3 == 1 ? "a0 a1" : "b5 a0 a2 a0");
    push_out();
    uint64_t last = 0;
    unsigned priority = 9;
    queue_drain(&q, 1000);
    assert_int_equal(q.count, 10 * 2 + 10 * 2 + 10 * 3);
    for (size_t i = 0; i < q.count; i++) {
        uint64_t offset = q.got[i][0], at = (offset - 1) % 9;
        unsigned own = at == 0 || at == 7 ? 2 : at == 4 ? 1 : 0;
        assert_true(own < priority || (own == priority && offset > last));
        last = offset;
        priority = own;
    }
    assert_true(queue_stats(&q).floor > 90);
}

/* --- restarts --- */

static void after_a_restart_the_highest_priority_is_redelivered_first(void **state) {
    (void)state;
    queue_join(&q, "a");
    queue_say(&q, "a0 a3 a9 b0 a3 a0 a1");
    assert_string_equal(queue_take(&q, 4), "3 2 5 7");
    queue_crash(&q);
    assert_string_equal(queue_take(&q, 1), ""); /* any of them may be out */
    queue_resume(&q);
    assert_string_equal(queue_take(&q, 9), "3 2 5 7 1 6");
    assert_int_equal(queue_stats(&q).leased, 6);
    for (uint64_t i = 1; i <= 7; i++) {
        if (i != 4)
            queue_ack(&q, i);
    }
    assert_int_equal(queue_stats(&q).floor, 8);
    queue_crash(&q);
    queue_resume(&q);
    assert_string_equal(queue_take(&q, 9), "");
}

static void a_claim_keeps_a_priority_event_from_others(void **state) {
    (void)state;
    queue_join(&q, "a");
    queue_say(&q, "a0 a3 a9 a3");
    assert_string_equal(queue_take(&q, 2), "3 2");
    uint64_t token = q.got[0][1];
    kit_crash(&q.kit, q.kit.position);
    kit_clear(&q.kit);
    kit_rejoin(&q.kit, 1, 1, "g", 1, (const uint64_t[][3]){{3, 1, token}}, 1);
    assert_int_equal(kit_last(&q.kit, FOB_EFF_JOINED)->row_count, 0);
    q.asked = 0;
    queue_resume(&q);
    assert_string_equal(queue_take(&q, 4), "2 4 1");
    kit_lost(&q.kit, 1);
    queue_join(&q, NULL);
    assert_string_equal(queue_take(&q, 4), "3 2 4 1");
}

static void what_came_during_the_window_goes_at_once(void **state) {
    (void)state;
    q.kit.config.mark_block = 1;
    queue_join(&q, "a");
    queue_say(&q, "a0 a5");
    queue_take(&q, 1);
    queue_crash(&q);
    queue_many(&q, "b", 0, 5000); /* beyond the mark */
    queue_say(&q, "a0 a5");
    assert_string_equal(queue_take(&q, 5), "5004 5003");
    queue_resume(&q);
    assert_string_equal(queue_take(&q, 5), "2 1");
}

static void a_mark_that_follows_a_high_priority_does_not_go_back(void **state) {
    (void)state;
    queue_join(&q, "a");
    queue_many(&q, "a", 0, 9000);
    queue_say(&q, "a9");
    assert_string_equal(queue_take(&q, 1), "9001");
    queue_take(&q, 3000); /* many tokens, so there is another mark */
    queue_crash(&q);
    assert_string_equal(queue_take(&q, 1), ""); /* it may be out */
    queue_resume(&q);
    assert_string_equal(queue_take(&q, 1), "9001 1");
}

/* --- pause --- */

static void a_paused_group_hands_out_nothing_and_settles(void **state) {
    (void)state;
    queue_join(&q, "a");
    queue_say(&q, "a0 a5 a0");
    assert_string_equal(queue_take(&q, 1), "2");
    queue_admin(&q, FOB_CMD_GROUP_SET, "", 0, FOB_POLICY_paused, 1);
    assert_string_equal(queue_take(&q, 5), "");
    queue_say(&q, "a9");
    queue_ack(&q, 2);
    assert_string_equal(queue_take(&q, 0), "");
    assert_int_equal(queue_stats(&q).acked, 1);
    assert_string_equal(queue_stats(&q).state, "paused");
    queue_admin(&q, FOB_CMD_GROUP_SET, "", 0, FOB_POLICY_paused, 0);
    assert_string_equal(queue_take(&q, 0), "4 1 3");
}

static void a_pause_lasts_over_a_restart(void **state) {
    (void)state;
    queue_join(&q, "a");
    queue_admin(&q, FOB_CMD_GROUP_SET, "", 0, FOB_POLICY_paused, 1);
    queue_say(&q, "a0 a5");
    queue_crash(&q);
    queue_resume(&q);
    assert_string_equal(queue_take(&q, 5), "");
    queue_admin(&q, FOB_CMD_GROUP_SET, "", 0, FOB_POLICY_paused, 0);
    assert_string_equal(queue_take(&q, 0), "2 1");
}

/* --- age --- */

static void what_is_too_old_dies_when_its_turn_comes(void **state) {
    (void)state;
    queue_join(&q, "a");
    queue_admin(&q, FOB_CMD_GROUP_SET, "", 0, FOB_POLICY_max_age, 60000);
    queue_say(&q, "b0 a0 a0 b0 a0 a5 a5");
    kit_pass(&q.kit, 40000);
    queue_say(&q, "a5 a0");
    kit_pass(&q.kit, 30000);
    assert_int_equal(queue_stats(&q).dead, 0); /* nobody asked */
    assert_string_equal(queue_take(&q, 9), "8 9");
    assert_int_equal(queue_stats(&q).dead, 5);
    queue_ack(&q, 8);
    queue_ack(&q, 9);
    assert_int_equal(queue_stats(&q).ready, 0);
    queue_crash(&q);
    queue_resume(&q);
    assert_string_equal(queue_take(&q, 9), "");
    assert_int_equal(queue_stats(&q).dead, 5);
}

static void what_comes_back_too_old_dies(void **state) {
    (void)state;
    queue_join(&q, "a");
    queue_admin(&q, FOB_CMD_GROUP_SET, "", 0, FOB_POLICY_max_age, 60000);
    queue_say(&q, "a0 a5 a0");
    assert_string_equal(queue_take(&q, 2), "2 1");
    kit_pass(&q.kit, 70000);
    assert_int_equal(queue_stats(&q).leased, 2); /* what is out may be done */
    queue_settle(&q, FOB_KIND_RELEASE, 1);
    queue_settle(&q, FOB_KIND_RELEASE, 2);
    kit_pass(&q.kit, 1000);
    assert_string_equal(queue_take(&q, 9), "");
    assert_int_equal(queue_stats(&q).dead, 3);
}

static void an_age_after_a_restart_counts_what_may_be_out(void **state) {
    (void)state;
    queue_join(&q, "a");
    queue_admin(&q, FOB_CMD_GROUP_SET, "", 0, FOB_POLICY_max_age, 60000);
    queue_say(&q, "b0 a0 a5 b0 a0");
    queue_take(&q, 1);
    queue_crash(&q);
    kit_pass(&q.kit, 70000);
    assert_string_equal(queue_take(&q, 9), "");
    assert_int_equal(queue_stats(&q).dead, 3);
    assert_int_equal(queue_stats(&q).ready, 0);
}

/* --- damage --- */

static void make_unreadable(uint64_t offset) {
    for (size_t i = 0; i < q.kit.log_count; i++) {
        kit_record_t *record = &q.kit.log[i];
        if (record->count && offset >= record->first_offset &&
            offset < record->first_offset + record->count)
            record->unreadable = true;
    }
}

static void an_unreadable_event_of_a_known_priority_is_one_dead_letter(void **state) {
    (void)state;
    queue_join(&q, "a");
    queue_say(&q, "a0 b0");
    queue_say(&q, "a5 a0 b0 a0 a3");
    queue_say(&q, "a0 a5");
    push_out();
    make_unreadable(3);
    assert_string_equal(queue_drain(&q, 20), "9 1 8");
    assert_int_equal(queue_stats(&q).dead, 4);
    assert_int_equal(queue_stats(&q).ready, 0);
    queue_crash(&q);
    queue_resume(&q);
    assert_string_equal(queue_drain(&q, 20), "");
    assert_int_equal(queue_stats(&q).dead, 4);
}

/* --- against a plain model --- */

typedef struct {
    unsigned priority;
    enum { NEVER_OUT, OUT, BACK, DONE } state;
} plain_t;

static uint64_t seed;

static uint64_t chance(uint64_t below) {
    uint64_t x = seed += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (x ^ (x >> 31)) % below;
}

static unsigned publish_some(plain_t *events, unsigned count) {
    char words[64];
    unsigned n = 1 + (unsigned)chance(6);
    for (unsigned i = 0; i < n; i++) {
        bool own = chance(4) > 0;
        unsigned priority = chance(2) ? 0 : (unsigned)chance(10);
        events[++count] = (plain_t){priority, own ? NEVER_OUT : DONE};
        words[i * 3] = own ? 'a' : 'b';
        words[i * 3 + 1] = (char)('0' + priority);
        words[i * 3 + 2] = i + 1 < n ? ' ' : 0;
    }
    queue_say(&q, words);
    return count;
}

/* The one that must be next; 0: none. */
static unsigned best(const plain_t *events, unsigned count) {
    unsigned best = 0;
    for (unsigned i = 1; i <= count; i++) {
        if (events[i].state != NEVER_OUT && events[i].state != BACK)
            continue;
        if (!best || events[i].priority > events[best].priority ||
            (events[i].priority == events[best].priority && events[i].state > events[best].state))
            best = i;
    }
    return best;
}

static unsigned any_out(const plain_t *events, unsigned count) {
    unsigned start = 1 + (unsigned)chance(count ? count : 1);
    for (unsigned i = 0; i < count; i++) {
        unsigned at = 1 + (start + i) % count;
        if (events[at].state == OUT)
            return at;
    }
    return 0;
}

static void settle_some(plain_t *events, unsigned count) {
    unsigned at = count ? any_out(events, count) : 0;
    if (!at)
        return;
    bool back = chance(4) == 0;
    queue_settle(&q, back ? FOB_KIND_RELEASE : FOB_KIND_ACK, at);
    if (back)
        kit_pass(&q.kit, 400000);
    events[at].state = back ? BACK : DONE;
}

static void take_some(plain_t *events, unsigned count) {
    unsigned want = best(events, count);
    if (!want)
        return;
    size_t before = q.count;
    queue_take(&q, 1);
    assert_int_equal(q.count, before + 1);
    assert_int_equal(q.got[before][0], want);
    events[want].state = OUT;
}

static void restart(plain_t *events, unsigned count) {
    queue_crash(&q);
    queue_resume(&q);
    /* What was or may have been out is like what came back: all that there was may have been. */
    for (unsigned i = 1; i <= count; i++)
        events[i].state = events[i].state == DONE ? DONE : BACK;
}

static void the_order_is_that_of_a_plain_model(void **state) {
    (void)state;
    for (uint64_t s = 1; s <= 12; s++) {
        static plain_t events[4000];
        unsigned count = 0;
        if (s > 1) {
            queue_free(&q);
            setup_small(NULL);
        }
        if (s % 2)
            q.size = 4;
        seed = s;
        queue_join(&q, "a");
        for (unsigned step = 0; step < 400; step++) {
            uint64_t what = chance(100);
            if (what < 35)
                count = publish_some(events, count);
            else if (what < 70)
                take_some(events, count);
            else if (what < 98)
                settle_some(events, count);
            else
                restart(events, count);
        }
        while (best(events, count))
            take_some(events, count);
    }
}

FOB_MAIN(FOB_CASE_WITH(the_highest_priority_goes_first, setup, teardown),
         FOB_CASE_WITH(a_new_event_of_high_priority_goes_before_the_backlog, setup, teardown),
         FOB_CASE_WITH(what_came_back_goes_first_within_its_priority, setup, teardown),
         FOB_CASE_WITH(first_hand_outs_of_any_priority_make_no_record_each, setup, teardown),
         FOB_CASE_WITH(what_is_not_the_groups_is_covered_between_priorities, setup, teardown),
         FOB_CASE_WITH(a_group_of_priorities_only_moves_its_floor, setup, teardown),
         FOB_CASE_WITH(several_workers_share_what_has_a_priority, setup, teardown),
         FOB_CASE_WITH(a_walk_that_waits_for_a_page_does_not_hold_up_a_high_priority, setup_small,
                       teardown),
         FOB_CASE_WITH(a_high_priority_on_disk_is_waited_for, setup_small, teardown),
         FOB_CASE_WITH(a_deep_backlog_of_priorities_comes_in_order, setup_small, teardown),
         FOB_CASE_WITH(after_a_restart_the_highest_priority_is_redelivered_first, setup, teardown),
         FOB_CASE_WITH(a_claim_keeps_a_priority_event_from_others, setup, teardown),
         FOB_CASE_WITH(what_came_during_the_window_goes_at_once, setup, teardown),
         FOB_CASE_WITH(a_mark_that_follows_a_high_priority_does_not_go_back, setup, teardown),
         FOB_CASE_WITH(a_paused_group_hands_out_nothing_and_settles, setup, teardown),
         FOB_CASE_WITH(a_pause_lasts_over_a_restart, setup, teardown),
         FOB_CASE_WITH(what_is_too_old_dies_when_its_turn_comes, setup, teardown),
         FOB_CASE_WITH(what_comes_back_too_old_dies, setup, teardown),
         FOB_CASE_WITH(an_age_after_a_restart_counts_what_may_be_out, setup, teardown),
         FOB_CASE_WITH(an_unreadable_event_of_a_known_priority_is_one_dead_letter, setup_small,
                       teardown),
         FOB_CASE_WITH(the_order_is_that_of_a_plain_model, setup, teardown))
