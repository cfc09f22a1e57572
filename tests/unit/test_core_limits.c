/* Limits of groups, and what a full one does with what is one too many: the books balance, every
 * loss is counted under its reason, and replay comes to the same. */
#include "test_core_admin.h"

#include "tests/support/case.h"

#include <stdlib.h>

static kit_t kit;
static uint64_t number; /* of the next event published */

static int setup(void **state) {
    (void)state;
    kit_init(&kit, &kit_config);
    kit.hash_turns = true;
    number = 1;
    return 0;
}

/* What replay makes of it is the same, and balances too. */
static int teardown(void **state) {
    (void)state;
    kit_books(&kit);
    kit_crash(&kit, kit.position);
    kit_books(&kit);
    kit_free(&kit);
    return 0;
}

static void group(uint64_t overflow, uint64_t depth) {
    admin_add(&kit, "g", "a", FOB_POLICY_overflow, overflow);
    admin_set(&kit, "g", FOB_POLICY_max_depth, depth);
}

static void publish(unsigned count) {
    kit_publish(&kit, 1, number, number, "a", count);
    number += count;
}

/* One batch of events of topic "a" with these priorities. */
static void publish_priorities(const char *digits) {
    fob_buf_t body = {0};
    uint64_t first = number;
    for (; *digits; digits++, number++)
        kit_event_with(&body, "a", "", (uint8_t)(*digits - '0'), "data", 4);
    kit_publish_body(&kit, 1, first, first, &body, FOB_OK);
}

static fob_group_stats_t stats(void) {
    return kit_stats(&kit, "g");
}

/* A worker with room for all gets exactly these, in this order. */
static void delivers(const uint64_t *offsets, size_t count) {
    kit_clear(&kit);
    kit_join(&kit, 77, "g", "a", 1000);
    kit_pages(&kit);
    size_t seen = 0;
    for (size_t i = 0; i < kit.shown_count; i++) {
        for (size_t k = 0; kit.shown[i].kind == FOB_EFF_DELIVER && k < kit.shown[i].row_count;
             k++) {
            assert_true(seen < count);
            assert_int_equal(kit.shown[i].rows[k][0], offsets[seen]);
            seen++;
        }
    }
    assert_int_equal(seen, count);
    assert_int_equal(stats().leased, count);
    assert_int_equal(stats().ready, 0);
}
#define DELIVERS(...)                                                                              \
    delivers((const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / 8)

/* --- bytes --- */

static void bytes_are_a_limit_too(void **state) {
    (void)state;
    fob_buf_t body = {0};
    kit_event(&body, "a", "data", 4);
    uint64_t size = body.size;
    fob_buf_free(&body);
    admin_add(&kit, "g", "a", FOB_POLICY_max_bytes, size * 3 + 1);
    publish(5);
    assert_int_equal(stats().accepted, 3);
    assert_int_equal(stats().bytes, size * 3);
    const kit_effect_t *receipt = kit_last(&kit, FOB_EFF_RECEIPT);
    assert_int_equal(receipt->rows[1][0], FOB_BUSY);
    assert_int_equal(receipt->details[1].depth, size * 3);
    assert_int_equal(receipt->details[1].limit, size * 3 + 1);
    assert_non_null(strstr(receipt->details[1].text, " bytes), no worker"));
    kit_join(&kit, 1, "g", "a", 10);
    kit_settle(&kit, 1, "g", 1, FOB_KIND_ACK, 1, 2, 1);
    assert_int_equal(stats().bytes, size);
    kit_publish(&kit, 1, 4, 4, "a", 2);
    assert_int_equal(stats().bytes, size * 3);
}

static void an_event_larger_than_the_limit_goes_into_an_empty_group(void **state) {
    (void)state;
    char data[500] = {0};
    fob_buf_t body = {0};
    admin_add(&kit, "g", "a", FOB_POLICY_max_bytes, 100);
    kit_event(&body, "a", data, sizeof data);
    kit_event(&body, "a", data, 1);
    kit_publish_body(&kit, 1, 1, 1, &body, FOB_OK);
    assert_int_equal(stats().ready, 1);
    assert_int_equal(kit_last(&kit, FOB_EFF_RECEIPT)->rows[1][0], FOB_BUSY);
}

/* --- drop-oldest --- */

static void the_oldest_that_are_ready_make_room(void **state) {
    (void)state;
    group(FOB_OVERFLOW_DROP_OLDEST, 4);
    publish(3);
    publish(4);
    const kit_effect_t *receipt = kit_last(&kit, FOB_EFF_RECEIPT);
    assert_int_equal(receipt->row_count, 1);
    assert_int_equal(receipt->rows[0][0], FOB_OK);
    assert_int_equal(receipt->rows[0][2], 4);
    assert_int_equal(stats().accepted, 7);
    assert_int_equal(stats().shed, 3);
    assert_int_equal(stats().shed_by[FOB_OVERFLOW_DROP_OLDEST], 3);
    assert_int_equal(stats().ready, 4);
    DELIVERS(4, 5, 6, 7);
}

static void what_is_with_workers_is_not_dropped(void **state) {
    (void)state;
    group(FOB_OVERFLOW_DROP_OLDEST, 4);
    kit_join(&kit, 1, "g", "a", 3);
    publish(4);
    assert_int_equal(stats().leased, 3);
    publish(2);
    assert_int_equal(stats().shed, 2);
    assert_int_equal(stats().leased, 3);
    assert_int_equal(stats().ready, 1);
    kit_settle(&kit, 1, "g", 1, FOB_KIND_ACK, 1, 3, 1);
    assert_int_equal(stats().acked, 3);
    DELIVERS(6);
}

static void where_none_is_ready_the_new_one_goes(void **state) {
    (void)state;
    group(FOB_OVERFLOW_DROP_OLDEST, 3);
    kit_join(&kit, 1, "g", "a", 3);
    publish(3);
    publish(2);
    assert_int_equal(stats().shed, 2);
    assert_int_equal(stats().leased, 3);
    assert_int_equal(stats().ready, 0);
    kit_credit(&kit, 1, "g", 10);
    assert_int_equal(stats().leased, 3);
    kit_settle(&kit, 1, "g", 1, FOB_KIND_ACK, 1, 3, 1);
    publish(1);
    assert_int_equal(stats().leased, 1);
}

static void what_came_back_is_older_and_goes_first(void **state) {
    (void)state;
    group(FOB_OVERFLOW_DROP_OLDEST, 4);
    kit_join(&kit, 1, "g", "a", 2);
    publish(4);
    kit_lost(&kit, 1); /* 1 and 2 are ready again */
    assert_int_equal(stats().ready, 4);
    publish(3);
    assert_int_equal(stats().shed, 3);
    assert_int_equal(stats().ready, 4);
    DELIVERS(4, 5, 6, 7);
}

static void what_waits_for_its_time_is_not_dropped(void **state) {
    (void)state;
    group(FOB_OVERFLOW_DROP_OLDEST, 2);
    kit_join(&kit, 1, "g", "a", 1);
    publish(2);
    kit_settle(&kit, 1, "g", 1, FOB_KIND_RETRY, 1, 1, 1);
    assert_int_equal(stats().delayed, 1);
    publish(2);
    assert_int_equal(stats().delayed, 1);
    assert_int_equal(stats().ready, 1);
    assert_int_equal(stats().shed, 2);
    DELIVERS(4);
}

static void priorities_do_not_save_the_oldest(void **state) {
    (void)state;
    group(FOB_OVERFLOW_DROP_OLDEST, 3);
    publish_priorities("905");
    publish_priorities("01");
    assert_int_equal(stats().shed, 2);
    DELIVERS(3, 5, 4);
}

static void the_oldest_go_first_also_where_all_of_them_have_a_priority(void **state) {
    (void)state;
    group(FOB_OVERFLOW_DROP_OLDEST, 4);
    publish_priorities("9999");
    publish_priorities("0000"); /* 1 to 4 go, though nobody has looked where 5 to 8 lie */
    assert_int_equal(stats().shed, 4);
    delivers((uint64_t[]){5, 6, 7, 8}, 4);
}

static void bytes_make_as_many_go_as_it_takes(void **state) {
    (void)state;
    char data[300] = {0};
    fob_buf_t body = {0};
    kit_event(&body, "a", "data", 4);
    uint64_t size = body.size;
    fob_buf_free(&body);
    admin_add(&kit, "g", "a", FOB_POLICY_overflow, FOB_OVERFLOW_DROP_OLDEST);
    admin_set(&kit, "g", FOB_POLICY_max_bytes, size * 20 + 300);
    publish(40);
    assert_true(stats().bytes <= size * 20 + 300);
    assert_true(stats().ready >= 20);
    kit_event(&body, "a", data, sizeof data);
    kit_publish_body(&kit, 1, number, number, &body, FOB_OK);
    assert_true(stats().bytes <= size * 20 + 300);
    assert_true(stats().ready > 0);
    assert_int_equal(stats().accepted, 41);
}

static void a_limit_that_is_lowered_is_kept_from_the_next_event_on(void **state) {
    (void)state;
    admin_add(&kit, "g", "a", FOB_POLICY_overflow, FOB_OVERFLOW_DROP_OLDEST);
    publish(1000);
    admin_set(&kit, "g", FOB_POLICY_max_depth, 2);
    assert_int_equal(stats().ready, 1000);
    publish(1);
    assert_int_equal(stats().ready, 2);
    assert_int_equal(stats().shed, 999);
    DELIVERS(1000, 1001);
}

/* --- drop-lowest-priority --- */

static void the_lowest_priority_makes_room(void **state) {
    (void)state;
    group(FOB_OVERFLOW_DROP_LOWEST, 4);
    publish_priorities("0590");
    publish_priorities("55");
    assert_int_equal(stats().shed, 2);
    assert_int_equal(stats().shed_by[FOB_OVERFLOW_DROP_LOWEST], 2);
    publish_priorities("1");
    assert_int_equal(stats().shed, 3);
    publish_priorities("6");
    assert_int_equal(stats().shed, 4); /* of priority 5 the oldest */
    DELIVERS(3, 8, 5, 6);
}

static void a_new_event_of_the_lowest_priority_goes_itself(void **state) {
    (void)state;
    group(FOB_OVERFLOW_DROP_LOWEST, 2);
    publish_priorities("55");
    publish_priorities("03");
    assert_int_equal(stats().shed, 2);
    DELIVERS(1, 2);
}

static void what_came_back_goes_by_its_priority_too(void **state) {
    (void)state;
    group(FOB_OVERFLOW_DROP_LOWEST, 5);
    publish_priorities("73051");
    kit_join(&kit, 1, "g", "a", 5);
    assert_int_equal(stats().leased, 5);
    kit_lost(&kit, 1); /* all are ready again */
    publish_priorities("4");
    publish_priorities("99");
    assert_int_equal(stats().shed, 3); /* 0, 1, 3 */
    DELIVERS(7, 8, 1, 4, 6);
}

static void what_came_back_is_dropped_in_order_of_age_whatever_its_priority(void **state) {
    (void)state;
    group(FOB_OVERFLOW_DROP_OLDEST, 5);
    publish_priorities("73051");
    kit_join(&kit, 1, "g", "a", 5);
    kit_lost(&kit, 1);
    publish_priorities("499");
    assert_int_equal(stats().shed, 3); /* 7, 3, 0 */
    DELIVERS(7, 8, 4, 6, 5);
}

/* --- dead-letter --- */

static void what_is_too_much_dies_at_once(void **state) {
    (void)state;
    group(FOB_OVERFLOW_DEAD_LETTER, 3);
    publish(5);
    assert_int_equal(stats().ready, 3);
    assert_int_equal(stats().dead, 2);
    assert_int_equal(stats().shed, 0);
    publish_priorities("90");
    assert_int_equal(stats().dead, 4);
    DELIVERS(1, 2, 3);
    kit_settle(&kit, 77, "g", 1, FOB_KIND_ACK, 1, 3, 1);
    publish(1);
    assert_int_equal(stats().leased, 1);
    assert_int_equal(stats().dead, 4);
}

/* --- restarts --- */

/* Nobody knows yet what is with a worker: so it is the new ones that go. */
static void in_the_resume_window_the_new_ones_go(void **state) {
    (void)state;
    group(FOB_OVERFLOW_DROP_OLDEST, 4);
    kit_join(&kit, 1, "g", "a", 2);
    publish(4);
    kit_crash(&kit, kit.position);
    publish(3);
    assert_int_equal(stats().shed, 3);
    assert_int_equal(stats().accepted, 7);
    kit_pass(&kit, 3001);
    publish(1);
    assert_int_equal(stats().shed, 4);
    kit_clear(&kit);
    kit_join(&kit, 2, "g", "a", 100);
    kit_pages(&kit);
    assert_int_equal(kit_delivered(&kit, 2), 4);
    assert_int_equal(stats().leased, 4);
}

static void what_was_shed_before_a_restart_does_not_come_after_it(void **state) {
    (void)state;
    group(FOB_OVERFLOW_DROP_LOWEST, 3);
    publish_priorities("0102030");
    publish_priorities("00");
    assert_int_equal(stats().shed, 6);
    kit_checkpoint(&kit);
    kit_crash(&kit, kit.position);
    kit_pass(&kit, 3001);
    assert_int_equal(stats().ready, 3);
    DELIVERS(6, 4, 2);
}

/* --- several groups --- */

static void each_group_keeps_its_own_limits(void **state) {
    (void)state;
    group(FOB_OVERFLOW_DROP_OLDEST, 2);
    admin_add(&kit, "all", ">", 0, 0);
    admin_add(&kit, "two", "*", FOB_POLICY_overflow, FOB_OVERFLOW_DEAD_LETTER);
    admin_set(&kit, "two", FOB_POLICY_max_depth, 3);
    kit_publish_topics(&kit, 1, 1, 1, "a b a b a b a");
    assert_int_equal(kit_stats(&kit, "all").ready, 7);
    assert_int_equal(stats().accepted, 4);
    assert_int_equal(stats().shed, 2);
    assert_int_equal(kit_stats(&kit, "two").ready, 3);
    assert_int_equal(kit_stats(&kit, "two").dead, 4);
    assert_int_equal(kit_count(&kit, FOB_EFF_STORED), 7);
    DELIVERS(5, 7);
}

static void what_one_group_refuses_costs_no_other_an_event(void **state) {
    (void)state;
    group(FOB_OVERFLOW_DROP_OLDEST, 2);
    admin_add(&kit, "strict", "a", FOB_POLICY_max_depth, 3);
    publish(6);
    assert_int_equal(kit_last(&kit, FOB_EFF_RECEIPT)->rows[0][2], 3);
    assert_int_equal(kit_stats(&kit, "strict").ready, 3);
    assert_int_equal(stats().accepted, 3);
    assert_int_equal(stats().shed, 1);
    publish(6);
    assert_int_equal(stats().accepted, 3);
    assert_int_equal(stats().shed, 1);
}

FOB_MAIN(FOB_CASE_WITH(bytes_are_a_limit_too, setup, teardown),
         FOB_CASE_WITH(an_event_larger_than_the_limit_goes_into_an_empty_group, setup, teardown),
         FOB_CASE_WITH(the_oldest_that_are_ready_make_room, setup, teardown),
         FOB_CASE_WITH(what_is_with_workers_is_not_dropped, setup, teardown),
         FOB_CASE_WITH(where_none_is_ready_the_new_one_goes, setup, teardown),
         FOB_CASE_WITH(what_came_back_is_older_and_goes_first, setup, teardown),
         FOB_CASE_WITH(what_waits_for_its_time_is_not_dropped, setup, teardown),
         FOB_CASE_WITH(priorities_do_not_save_the_oldest, setup, teardown),
         FOB_CASE_WITH(the_oldest_go_first_also_where_all_of_them_have_a_priority, setup, teardown),
         FOB_CASE_WITH(bytes_make_as_many_go_as_it_takes, setup, teardown),
         FOB_CASE_WITH(a_limit_that_is_lowered_is_kept_from_the_next_event_on, setup, teardown),
         FOB_CASE_WITH(the_lowest_priority_makes_room, setup, teardown),
         FOB_CASE_WITH(a_new_event_of_the_lowest_priority_goes_itself, setup, teardown),
         FOB_CASE_WITH(what_came_back_goes_by_its_priority_too, setup, teardown),
         FOB_CASE_WITH(what_came_back_is_dropped_in_order_of_age_whatever_its_priority, setup,
                       teardown),
         FOB_CASE_WITH(what_is_too_much_dies_at_once, setup, teardown),
         FOB_CASE_WITH(in_the_resume_window_the_new_ones_go, setup, teardown),
         FOB_CASE_WITH(what_was_shed_before_a_restart_does_not_come_after_it, setup, teardown),
         FOB_CASE_WITH(each_group_keeps_its_own_limits, setup, teardown),
         FOB_CASE_WITH(what_one_group_refuses_costs_no_other_an_event, setup, teardown))
