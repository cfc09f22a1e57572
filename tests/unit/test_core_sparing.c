/* What goes out while the journal has hardly any room left. */
#include "bus/core/state.h"
#include "test_core_worker_kit.h"

#include "tests/support/case.h"

static kit_t kit;

static int setup(void **state) {
    (void)state;
    kit_init(&kit, &kit_config);
    kit.hash_turns = true;
    kit_pass(&kit, 3000); /* the resume window is over */
    kit_join_as(&kit, 1, "g", 0, 1, "w", 0);
    admin_set(&kit, "g", FOB_POLICY_backoff_first, 0);
    admin_set(&kit, "g", FOB_POLICY_max_attempts, 1000000);
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

static uint64_t credit;

static void ask(uint64_t more) {
    credit += more;
    kit_credit(&kit, 1, "g", credit);
}

static void spare(bool sparing) {
    fob_core_spare(kit.core, sparing, 1 << 20);
    kit_settle_down(&kit);
}

/* Ends what was delivered since the last time in that way; as text: "1/1 2/1" offset and attempt.
 */
static const char *end_all(unsigned kind) {
    static char text[4000];
    uint64_t rows[200][2];
    size_t count = 0, at = 0;
    text[0] = 0;
    for (size_t i = 0; i < kit.shown_count; i++) {
        const kit_effect_t *effect = &kit.shown[i];
        for (size_t k = 0; effect->kind == FOB_EFF_DELIVER && k < effect->row_count; k++) {
            const uint64_t *row = effect->rows[k];
            at += (size_t)snprintf(text + at, sizeof text - at, "%s%u/%u", at ? " " : "",
                                   (unsigned)row[0], (unsigned)row[2]);
            assert_true(count < 200);
            memcpy(rows[count++], row, sizeof rows[0]);
        }
    }
    kit_clear(&kit);
    for (size_t i = 0; i < count && kind; i++)
        kit_settle_why(&kit, 1, "g", kind, rows[i], 0, "");
    return text;
}

/* So many events of which each failed once. */
static void all_failed(unsigned count) {
    credit = 0;
    kit_publish(&kit, 1, 1, 1, "a", count);
    ask(count);
    (void)end_all(FOB_KIND_RETRY);
    kit_clear(&kit);
    assert_int_equal(kit_stats(&kit, "g").ready, count);
}

static void what_came_back_goes_out_one_by_one(void **state) {
    (void)state;
    all_failed(5);
    spare(true);
    ask(100);
    assert_string_equal(end_all(0), "1/2");
    assert_non_null(strstr(kit_stats(&kit, "g").why,
                           "4 ready, of which 4 came back: these go out a few at a time"));
    assert_string_equal(kit_stats(&kit, "g").state, "waiting");
    kit_pass(&kit, 1000000);
    assert_string_equal(end_all(0), "");
}

static void one_that_comes_back_again_makes_the_others_wait_longer_each_time(void **state) {
    (void)state;
    all_failed(5);
    spare(true);
    ask(100);
    unsigned attempt = 2;
    for (int64_t pause = 1000; pause < 1000000; pause = 2 * pause) {
        char expected[20];
        snprintf(expected, sizeof expected, "1/%u", attempt++);
        assert_string_equal(end_all(FOB_KIND_RETRY), expected);
        kit_pass(&kit, (pause < 300000 ? pause : 300000) - 1);
        assert_int_equal(kit_count(&kit, FOB_EFF_DELIVER), 0);
        kit_pass(&kit, 1);
    }
}

static void each_ack_lets_one_more_out(void **state) {
    (void)state;
    all_failed(20);
    spare(true);
    ask(100);
    assert_string_equal(end_all(FOB_KIND_ACK), "1/2");
    assert_string_equal(end_all(FOB_KIND_ACK), "2/2 3/2");
    assert_string_equal(end_all(FOB_KIND_ACK), "4/2 5/2 6/2 7/2");
    assert_string_equal(end_all(FOB_KIND_RETRY), "8/2 9/2 10/2 11/2 12/2 13/2 14/2 15/2");
    assert_string_equal(end_all(0), "");
    kit_pass(&kit, 1000);
    assert_string_equal(end_all(FOB_KIND_ACK), "8/3");
    assert_string_equal(end_all(FOB_KIND_ACK), "9/3 10/3");
}

static void no_more_are_out_than_there_is_room_for(void **state) {
    (void)state;
    all_failed(20);
    fob_core_spare(kit.core, true, 12 * FOB_SETTLE_ROOM);
    kit_settle_down(&kit);
    ask(100);
    assert_string_equal(end_all(FOB_KIND_ACK), "1/2");
    assert_string_equal(end_all(FOB_KIND_ACK), "2/2 3/2");
    assert_string_equal(end_all(FOB_KIND_ACK), "4/2 5/2 6/2");
    assert_string_equal(end_all(0), "7/2 8/2 9/2");
}

static void without_any_room_one_goes_out_a_second(void **state) {
    (void)state;
    all_failed(20);
    fob_core_spare(kit.core, true, 0);
    kit_settle_down(&kit);
    ask(100);
    assert_string_equal(end_all(FOB_KIND_ACK), "1/2");
    kit_pass(&kit, 999);
    assert_string_equal(end_all(0), "");
    kit_pass(&kit, 1);
    assert_string_equal(end_all(FOB_KIND_ACK), "2/2");
    assert_string_equal(end_all(0), "");
}

static void what_was_never_out_goes_on(void **state) {
    (void)state;
    all_failed(3);
    spare(true);
    ask(100);
    assert_string_equal(end_all(FOB_KIND_RETRY), "1/2");
    kit_publish(&kit, 1, 4, 4, "a", 3);
    assert_string_equal(end_all(FOB_KIND_RETRY), "4/1 5/1 6/1");
    assert_string_equal(end_all(0), "");
}

/* The one that came back has the higher priority, and stands in nobody's way. */
static void what_waits_holds_up_no_lower_priority(void **state) {
    (void)state;
    fob_buf_t body = {0};
    credit = 0;
    kit_event_with(&body, "a", "", 9, "x", 1);
    kit_publish_body(&kit, 1, 1, 1, &body, FOB_OK);
    fob_buf_free(&body);
    ask(1);
    (void)end_all(FOB_KIND_RETRY);
    spare(true);
    ask(100);
    assert_string_equal(end_all(FOB_KIND_RETRY), "1/2");
    body = (fob_buf_t){0};
    kit_event_with(&body, "a", "", 5, "x", 1);
    kit_event_with(&body, "a", "", 0, "x", 1);
    kit_publish_body(&kit, 1, 2, 2, &body, FOB_OK);
    fob_buf_free(&body);
    assert_string_equal(end_all(FOB_KIND_ACK), "2/1 3/1");
    kit_pass(&kit, 1000);
    assert_string_equal(end_all(FOB_KIND_ACK), "1/3");
}

static void with_room_all_goes_out_at_once(void **state) {
    (void)state;
    all_failed(5);
    spare(true);
    ask(100);
    assert_string_equal(end_all(FOB_KIND_RETRY), "1/2");
    spare(false);
    assert_string_equal(end_all(0), "1/3 2/2 3/2 4/2 5/2");
}

static void after_a_restart_it_is_the_same(void **state) {
    (void)state;
    all_failed(5);
    kit_crash(&kit, kit.position);
    kit_clear(&kit);
    fob_core_spare(kit.core, true, 1 << 20);
    kit_join_as(&kit, 1, "g", 100, 1, "w", 0);
    kit_pass(&kit, 3000);
    kit_pages(&kit);
    assert_string_equal(end_all(FOB_KIND_ACK), "1/2");
    assert_string_equal(end_all(FOB_KIND_ACK), "2/2 3/2");
}

FOB_MAIN(FOB_CASE_WITH(what_came_back_goes_out_one_by_one, setup, teardown),
         FOB_CASE_WITH(one_that_comes_back_again_makes_the_others_wait_longer_each_time, setup,
                       teardown),
         FOB_CASE_WITH(each_ack_lets_one_more_out, setup, teardown),
         FOB_CASE_WITH(no_more_are_out_than_there_is_room_for, setup, teardown),
         FOB_CASE_WITH(without_any_room_one_goes_out_a_second, setup, teardown),
         FOB_CASE_WITH(what_was_never_out_goes_on, setup, teardown),
         FOB_CASE_WITH(what_waits_holds_up_no_lower_priority, setup, teardown),
         FOB_CASE_WITH(with_room_all_goes_out_at_once, setup, teardown),
         FOB_CASE_WITH(after_a_restart_it_is_the_same, setup, teardown))
