/* BUSY: what is refused for a time leaves holes, closes its topic and nothing else, and is taken in
 * order when it comes again. */
#include "test_core_admin.h"

#include "bus/core/publish/refusal.h"
#include "tests/support/case.h"

#include <stdlib.h>

static kit_t kit;

/* Group "full" wants topic "a", and takes four events. */
static int setup(void **state) {
    (void)state;
    kit_init(&kit, &kit_config);
    kit.hash_turns = true;
    admin_add(&kit, "full", "a", FOB_POLICY_max_depth, 4);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    kit_books(&kit);
    kit_free(&kit);
    return 0;
}

static const kit_effect_t *receipt(void) {
    const kit_effect_t *last = kit_last(&kit, FOB_EFF_RECEIPT);
    assert_non_null(last);
    return last;
}

/* The last receipt has exactly these rows. */
#define RECEIPT(...) KIT_RECEIPT(&kit, __VA_ARGS__)

/* A worker takes all that there is, and acks it. */
static void drain(void) {
    static uint64_t conn = 5000;
    kit_clear(&kit);
    kit_join(&kit, ++conn, "full", "a", 100);
    size_t shown = kit.shown_count;
    uint64_t seq = 0;
    for (size_t i = 0; i < shown; i++) {
        if (kit.shown[i].kind != FOB_EFF_DELIVER)
            continue;
        for (size_t k = 0; k < kit.shown[i].row_count; k++) {
            const uint64_t *row = kit.shown[i].rows[k];
            kit_settle(&kit, conn, "full", ++seq, FOB_KIND_ACK, row[0], 1, row[1]);
        }
    }
    kit_leave(&kit, conn, "full");
    assert_int_equal(kit_stats(&kit, "full").ready, 0);
}

static void limits_count_event_by_event_also_inside_a_batch(void **state) {
    (void)state;
    kit_publish(&kit, 1, 1, 1, "a", 10);
    RECEIPT({FOB_OK, 1, 4, 1, 1}, {FOB_BUSY, 5, 6, 0, 0});
    assert_int_equal(kit_stats(&kit, "full").ready, 4);
    fob_core_stats_t stats;
    fob_core_stats(kit.core, &stats);
    assert_int_equal(stats.busy, 6);
    assert_int_equal(stats.events_in, 4);
}

static void a_refusal_names_the_group_and_how_it_drains(void **state) {
    (void)state;
    kit_pass(&kit, 3000);
    kit_publish(&kit, 1, 1, 1, "a", 5);
    const kit_detail_t *detail = &receipt()->details[1];
    assert_string_equal(receipt()->details[0].group, "");
    assert_string_equal(detail->group, "full");
    assert_string_equal(detail->text, "group full is full (4 of 4), no worker for 3 s");
    assert_int_equal(detail->retry_after, 1000);
    assert_int_equal(detail->depth, 4);
    assert_int_equal(detail->limit, 4);
}

static void a_publisher_is_told_to_wait_as_long_as_it_takes_to_drain(void **state) {
    (void)state;
    for (unsigned i = 0; i < 10; i++) { /* four a second are settled */
        kit_publish(&kit, 1, 1 + i * 4, 1 + i * 4, "a", 4);
        drain();
        kit_pass(&kit, 1000);
    }
    kit_join(&kit, 77, "full", "a", 0);
    kit_publish(&kit, 1, 41, 41, "a", 12);
    const kit_detail_t *detail = &receipt()->details[1];
    assert_string_equal(detail->text, "group full is full (4 of 4), 1 worker, 4 settled a second");
    /* Not as long as for 8, since it has no room for so many: half of what it has. */
    assert_true(detail->retry_after >= 450 && detail->retry_after <= 575);
    kit_publish(&kit, 2, 1, 1, "a", 1);
    assert_true(receipt()->details[0].retry_after < 300);
    admin_set(&kit, "full", FOB_POLICY_paused, 1);
    kit_publish(&kit, 3, 1, 1, "a", 1);
    assert_string_equal(receipt()->details[0].text, "group full is full (4 of 4), it is paused");
}

static void other_topics_and_other_publishers_flow_past_a_closed_topic(void **state) {
    (void)state;
    kit_publish_topics(&kit, 1, 1, 1, "a a b a a a b a b b");
    RECEIPT({FOB_OK, 1, 2, 1, 1}, {FOB_OK, 3, 1, 3, 0}, {FOB_OK, 4, 2, 4, 1},
            {FOB_BUSY, 6, 1, 0, 0}, {FOB_OK, 7, 1, 6, 0}, {FOB_BUSY, 8, 1, 0, 0},
            {FOB_OK, 9, 2, 7, 0});
    kit_publish(&kit, 1, 11, 1, "b", 3);
    RECEIPT({FOB_OK, 11, 3, 9, 0});
    kit_publish(&kit, 2, 1, 1, "b", 3);
    RECEIPT({FOB_OK, 1, 3, 12, 0});
    bool known;
    uint8_t session[FOB_SESSION_SIZE];
    memset(session, 1, sizeof session);
    assert_int_equal(fob_core_session_last(kit.core, session, &known), 13);
}

static void a_closed_topic_opens_when_its_refused_numbers_come_again(void **state) {
    (void)state;
    kit_publish(&kit, 1, 1, 1, "a", 6);
    drain();
    kit_publish(&kit, 1, 7, 1, "a", 2); /* was under way */
    RECEIPT({FOB_BUSY, 7, 2, 0, 0});
    assert_string_equal(receipt()->details[0].text,
                        "group full was full (now 0 of 4), no worker for 0 s");
    kit_publish(&kit, 1, 6, 1, "a", 1); /* 5 comes first */
    RECEIPT({FOB_BUSY, 6, 1, 0, 0});
    kit_publish(&kit, 1, 5, 5, "a", 2);
    RECEIPT({FOB_OK, 5, 2, 5, 1});
    kit_publish(&kit, 1, 9, 7, "a", 1); /* 7 and 8 come first */
    RECEIPT({FOB_BUSY, 9, 1, 0, 0});
    kit_publish(&kit, 1, 7, 7, "a", 3);
    RECEIPT({FOB_OK, 7, 2, 7, 1}, {FOB_BUSY, 9, 1, 0, 0});
    drain();
    kit_publish(&kit, 1, 9, 9, "a", 2);
    RECEIPT({FOB_OK, 9, 2, 9, 1});
}

static void holes_are_filled_in_order_behind_what_was_stored_meanwhile(void **state) {
    (void)state;
    kit_publish_topics(&kit, 1, 1, 1, "a a a a a b a b");
    RECEIPT({FOB_OK, 1, 4, 1, 1}, {FOB_BUSY, 5, 1, 0, 0}, {FOB_OK, 6, 1, 5, 0},
            {FOB_BUSY, 7, 1, 0, 0}, {FOB_OK, 8, 1, 6, 0});
    drain();
    kit_publish_topics(&kit, 1, 5, 5, "a b a b a");
    RECEIPT({FOB_OK, 5, 1, 7, 1}, {FOB_OK, 6, 1, 5, 0}, {FOB_OK, 7, 1, 8, 1}, {FOB_OK, 8, 1, 6, 0},
            {FOB_OK, 9, 1, 9, 1});
    kit_publish_topics(&kit, 1, 5, 5, "a b a b a");
    RECEIPT({FOB_OK, 5, 1, 7, 1}, {FOB_OK, 6, 1, 5, 0}, {FOB_OK, 7, 1, 8, 1}, {FOB_OK, 8, 1, 6, 0},
            {FOB_OK, 9, 1, 9, 1});
    assert_int_equal(fob_core_head(kit.core), 9);
}

static void holes_outlive_a_restart(void **state) {
    (void)state;
    kit_publish_topics(&kit, 1, 1, 1, "a a a a b a b a");
    uint64_t torn = kit.position;
    kit_publish_topics(&kit, 1, 9, 1, "b");
    drain();
    kit_publish_topics(&kit, 1, 6, 1, "a");
    RECEIPT({FOB_OK, 6, 1, 8, 1});
    kit_crash(&kit, kit.position);
    kit_publish_topics(&kit, 1, 1, 1, "a a a a b a b a b a");
    RECEIPT({FOB_OK, 1, 4, 1, 1}, {FOB_OK, 5, 1, 5, 0}, {FOB_OK, 6, 1, 8, 1}, {FOB_OK, 7, 1, 6, 0},
            {FOB_OK, 8, 1, 9, 1}, {FOB_OK, 9, 1, 7, 0}, {FOB_OK, 10, 1, 10, 1});
    kit_crash(&kit, torn);
    kit_publish_topics(&kit, 1, 1, 1, "a a a a b a b a b");
    RECEIPT({FOB_OK, 1, 4, 1, 1}, {FOB_OK, 5, 1, 5, 0}, {FOB_BUSY, 6, 1, 0, 0},
            {FOB_OK, 7, 1, 6, 0}, {FOB_BUSY, 8, 1, 0, 0}, {FOB_OK, 9, 1, 7, 0});
    kit_checkpoint(&kit);
    kit_crash(&kit, kit.position);
    assert_int_equal(fob_core_head(kit.core), 7);
}

static void a_number_that_was_never_offered_is_a_gap(void **state) {
    (void)state;
    kit_publish_topics(&kit, 1, 1, 1, "a a a a a b");
    kit_publish(&kit, 1, 8, 1, "b", 2);
    RECEIPT({FOB_GAP, 8, 2, 0, 0});
    kit_publish(&kit, 1, 7, 1, "a", 2);
    RECEIPT({FOB_BUSY, 7, 2, 0, 0});
    kit_publish(&kit, 1, 10, 1, "b", 1);
    RECEIPT({FOB_GAP, 10, 1, 0, 0});
    kit_publish(&kit, 1, 9, 1, "b", 1); /* 7 and 8 were answered, though not taken */
    RECEIPT({FOB_OK, 9, 1, 6, 0});
    kit_lost(&kit, 1001);
    kit_publish(&kit, 1, 11, 1, "b", 1);
    RECEIPT({FOB_GAP, 11, 1, 0, 0});
    kit_publish(&kit, 1, 10, 1, "b", 1);
    RECEIPT({FOB_OK, 10, 1, 7, 0});
}

static void a_session_may_begin_with_a_refusal(void **state) {
    (void)state;
    kit_publish(&kit, 1, 1, 1, "a", 4);
    kit_publish(&kit, 2, 5, 5, "a", 2);
    RECEIPT({FOB_BUSY, 5, 2, 0, 0});
    kit_publish(&kit, 2, 8, 5, "b", 1);
    RECEIPT({FOB_GAP, 8, 1, 0, 0});
    kit_publish(&kit, 2, 7, 5, "b", 2);
    RECEIPT({FOB_OK, 7, 2, 5, 0});
    drain();
    kit_publish(&kit, 2, 5, 5, "a", 2);
    RECEIPT({FOB_OK, 5, 2, 7, 1});
    kit_publish(&kit, 3, 5, 4, "b", 1); /* what became of 4? */
    RECEIPT({FOB_FORGOTTEN, 5, 1, 0, 0});
    kit_crash(&kit, kit.position);
}

/* Its hole comes again; what lies above has receipts, of a connection before. */
static void a_session_that_waits_is_not_forgotten_however_many_come(void **state) {
    (void)state;
    kit_publish_topics(&kit, 1, 1, 1, "a a a a a b b b");
    kit_lost(&kit, 1001);
    kit_publish(&kit, 1, 5, 5, "a", 1);
    RECEIPT({FOB_BUSY, 5, 1, 0, 0});
    for (unsigned s = 10; s < 109; s++) /* as many as are remembered */
        kit_publish(&kit, (uint8_t)s, 1, 1, "b", 1);
    RECEIPT({FOB_OK, 1, 1, 106, 0});
    kit_publish(&kit, 200, 1, 1, "b", 2);
    RECEIPT({FOB_BUSY, 1, 2, 0, 0});
    assert_string_equal(receipt()->details[0].text,
                        "the bus keeps 100 publisher sessions at the most, and cannot forget one "
                        "now: use fewer publishers, and each for longer");
    assert_int_equal(receipt()->details[0].retry_after, 1000);
    assert_int_equal(receipt()->details[0].limit, 100);
    kit_publish(&kit, 200, 3, 1, "c", 1); /* its other topics as well */
    RECEIPT({FOB_BUSY, 3, 1, 0, 0});
    kit_publish(&kit, 1, 9, 5, "b", 1);
    RECEIPT({FOB_OK, 9, 1, 107, 0});
    kit_lost(&kit, 1010); /* one leaves, and there is room */
    kit_publish(&kit, 200, 1, 1, "b", 2);
    RECEIPT({FOB_OK, 1, 2, 108, 0});
    kit_publish(&kit, 10, 2, 1, "b", 1);
    RECEIPT({FOB_FORGOTTEN, 2, 1, 0, 0});
    kit_crash(&kit, kit.position);
}

static void a_full_disk_names_the_group_that_holds_the_journal(void **state) {
    (void)state;
    fob_buf_t body = {0};
    admin_add(&kit, "other", "b", FOB_POLICY_max_depth, 100);
    kit_publish_topics(&kit, 1, 1, 1, "b a a b");
    drain();                            /* "full" has settled its own */
    kit_join(&kit, 9, "other", "b", 1); /* it has its first event, but did not settle it */
    kit_event(&body, "c", "", 0);
    kit_publish_body(&kit, 2, 1, 1, &body, FOB_DISK_FULL);
    RECEIPT({FOB_DISK_FULL, 1, 1, 0, 0});
    assert_string_equal(receipt()->details[0].group, "other");
    assert_string_equal(receipt()->details[0].text,
                        "no room on the disk: group other needs what is stored from offset 1 on (2 "
                        "unsettled, 0 dead letters), 1 worker, 0 settled a second");
    kit_lost(&kit, 1002);
    kit_lost(&kit, 9);
    fob_command_t remove = {.kind = FOB_CMD_GROUP_REMOVE, .conn = 8};
    remove.admin.group = fob_slice_str("other");
    kit_do(&kit, &remove);
    kit_event(&body, "c", "", 0);
    kit_publish_body(&kit, 2, 1, 1, &body, FOB_DISK_FULL);
    RECEIPT({FOB_DISK_FULL, 1, 1, 0, 0}); /* nobody needs what came first */
    assert_string_not_equal(receipt()->details[0].group, "other");
}

static void what_lies_below_low_is_not_known_any_more(void **state) {
    (void)state;
    kit_publish_topics(&kit, 1, 1, 1, "a a a a a b");
    kit_publish_topics(&kit, 1, 7, 7, "b");
    kit_publish_topics(&kit, 1, 4, 4, "a a b b b");
    RECEIPT({FOB_UNKNOWN_OUTCOME, 4, 3, 0, 0}, {FOB_OK, 7, 2, 6, 0});
}

/* The numbers that a session may leave open are bounded, whatever its publisher says. */
static void a_hole_that_the_window_has_left_behind_is_not_known_any_more(void **state) {
    (void)state;
    kit_publish_topics(&kit, 1, 1, 1, "a a a a a b");
    for (uint64_t first = 7; first < 7 + FOB_WINDOW_MAX; first += 2048)
        kit_publish(&kit, 1, first, 0, "b", 2048);
    drain();
    kit_publish(&kit, 1, 5, 0, "a", 1);
    RECEIPT({FOB_UNKNOWN_OUTCOME, 5, 1, 0, 0});
}

static void what_was_refused_for_good_is_refused_again(void **state) {
    (void)state;
    for (int again = 0; again < 2; again++) {
        fob_buf_t body = {0};
        for (int i = 0; i < 5; i++)
            kit_event(&body, "a", "", 0);
        fob_pack_nil(&body);
        kit_event(&body, "b", "", 0);
        kit_publish_body(&kit, 1, 1, 1, &body, FOB_OK);
        RECEIPT({FOB_OK, 1, 4, 1, 1}, {FOB_BUSY, 5, 1, 0, 0}, {FOB_BAD_EVENT, 6, 1, 0, 0},
                {FOB_OK, 7, 1, 5, 0});
    }
    kit_crash(&kit, kit.position);
}

/* An event that was given up comes as something else under its number: that opens its topic too. */
static void a_void_event_opens_the_topic_that_waited_for_its_number(void **state) {
    (void)state;
    kit_publish(&kit, 1, 1, 1, "a", 6);
    drain();
    for (uint64_t number = 5; number <= 6; number++) {
        fob_buf_t body = {0};
        static const uint8_t nothing[] = {0x93, 0xa0, 0x80, 0xc4, 0x00};
        fob_buf_put(&body, nothing, sizeof nothing);
        kit_publish_body(&kit, 1, number, 5, &body, FOB_OK);
        RECEIPT({FOB_BAD_TOPIC, number, 1, 0, 0});
    }
    kit_publish(&kit, 1, 7, 7, "a", 1);
    RECEIPT({FOB_OK, 7, 1, 5, 1});
}

static void more_closed_topics_than_are_told_apart_close_all(void **state) {
    (void)state;
    fob_buf_t body = {0};
    admin_add(&kit, "many", "m.*", FOB_POLICY_max_depth, 1);
    kit_publish(&kit, 1, 1, 1, "m.0", 1);
    for (int i = 0; i <= FOB_CLOSED_MAX; i++) {
        char topic[16];
        snprintf(topic, sizeof topic, "m.%d", i);
        kit_event(&body, topic, "", 0);
        if (i + 1 == FOB_CLOSED_MAX)
            kit_event(&body, "b", "", 0);
    }
    kit_event(&body, "b", "", 0);
    kit_publish_body(&kit, 1, 2, 2, &body, FOB_OK);
    uint64_t last = 2 + FOB_CLOSED_MAX;
    RECEIPT({FOB_BUSY, 2, FOB_CLOSED_MAX, 0, 0}, {FOB_OK, last, 1, 2, 0},
            {FOB_BUSY, last + 1, 2, 0, 0});
    kit_publish(&kit, 1, last + 3, 2, "b", 1);
    RECEIPT({FOB_BUSY, last + 3, 1, 0, 0});
    kit_publish(&kit, 1, last + 1, 2, "b", 4); /* they all came again */
    RECEIPT({FOB_OK, last + 1, 4, 3, 0});
    kit_publish(&kit, 2, 1, 1, "b", 1);
    RECEIPT({FOB_OK, 1, 1, 7, 0});
}

static void a_topic_whose_group_is_gone_is_still_taken_in_order(void **state) {
    (void)state;
    kit_publish(&kit, 1, 1, 1, "a", 5);
    kit_do(&kit, &(fob_command_t){.kind = FOB_CMD_GROUP_REMOVE,
                                  .conn = 900,
                                  .admin = {.group = fob_slice_str("full")}});
    kit_publish(&kit, 1, 6, 1, "a", 1);
    RECEIPT({FOB_BUSY, 6, 1, 0, 0});
    assert_string_equal(receipt()->details[0].group, "");
    kit_publish(&kit, 1, 5, 1, "a", 3);
    RECEIPT({FOB_OK, 5, 3, 5, 0});
}

/* Every row has its details, and the names are as long as they may be. */
static void answers_fit_into_headers_whatever_they_tell(void **state) {
    (void)state;
    char group[FOB_NAME_MAX + 1] = {0};
    fob_buf_t body = {0};
    memset(group, 'g', FOB_NAME_MAX);
    admin_add(&kit, group, "c", FOB_POLICY_max_depth, 1);
    kit_publish(&kit, 1, 1, 1, "c", 1);
    kit_clear(&kit);
    for (int i = 0; i < 2000; i++)
        kit_event(&body, i % 2 ? "c" : "b", "", 0);
    kit_publish_body(&kit, 1, 2, 2, &body, FOB_OK);
    uint64_t next = 2;
    for (size_t i = 0; i < kit.shown_count; i++) {
        const kit_effect_t *effect = &kit.shown[i];
        if (effect->kind != FOB_EFF_RECEIPT)
            continue;
        assert_true(effect->runs_size < 65000);
        for (size_t k = 0; k < effect->row_count; k++) {
            assert_int_equal(effect->rows[k][0], next % 2 ? FOB_BUSY : FOB_OK);
            assert_int_equal(effect->rows[k][1], next++);
            if (effect->rows[k][0] == FOB_BUSY)
                assert_memory_equal(effect->details[k].group, group, 63); /* as the kit keeps it */
        }
    }
    assert_int_equal(next, 2002);
}

static void a_full_disk_leaves_holes_too(void **state) {
    (void)state;
    fob_buf_t body = {0};
    kit_publish_topics(&kit, 1, 1, 1, "a a a a a b");
    drain();
    for (int i = 0; i < 4; i++)
        kit_event(&body, i < 1 || i > 1 ? "a" : "b", "", 0);
    kit_publish_body(&kit, 1, 5, 5, &body, FOB_DISK_FULL);
    RECEIPT({FOB_DISK_FULL, 5, 1, 0, 0}, {FOB_OK, 6, 1, 5, 0}, {FOB_DISK_FULL, 7, 2, 0, 0});
    kit_publish_topics(&kit, 1, 9, 5, "b");
    RECEIPT({FOB_DISK_FULL, 9, 1, 0, 0});
    kit_publish_topics(&kit, 1, 5, 5, "a b a a b");
    RECEIPT({FOB_OK, 5, 1, 6, 1}, {FOB_OK, 6, 1, 5, 0}, {FOB_OK, 7, 2, 7, 1}, {FOB_OK, 9, 1, 9, 0});
}

FOB_MAIN(FOB_CASE_WITH(limits_count_event_by_event_also_inside_a_batch, setup, teardown),
         FOB_CASE_WITH(a_refusal_names_the_group_and_how_it_drains, setup, teardown),
         FOB_CASE_WITH(a_publisher_is_told_to_wait_as_long_as_it_takes_to_drain, setup, teardown),
         FOB_CASE_WITH(other_topics_and_other_publishers_flow_past_a_closed_topic, setup, teardown),
         FOB_CASE_WITH(a_closed_topic_opens_when_its_refused_numbers_come_again, setup, teardown),
         FOB_CASE_WITH(holes_are_filled_in_order_behind_what_was_stored_meanwhile, setup, teardown),
         FOB_CASE_WITH(holes_outlive_a_restart, setup, teardown),
         FOB_CASE_WITH(a_number_that_was_never_offered_is_a_gap, setup, teardown),
         FOB_CASE_WITH(a_session_may_begin_with_a_refusal, setup, teardown),
         FOB_CASE_WITH(a_session_that_waits_is_not_forgotten_however_many_come, setup, teardown),
         FOB_CASE_WITH(a_full_disk_names_the_group_that_holds_the_journal, setup, teardown),
         FOB_CASE_WITH(what_lies_below_low_is_not_known_any_more, setup, teardown),
         FOB_CASE_WITH(a_hole_that_the_window_has_left_behind_is_not_known_any_more, setup,
                       teardown),
         FOB_CASE_WITH(what_was_refused_for_good_is_refused_again, setup, teardown),
         FOB_CASE_WITH(a_void_event_opens_the_topic_that_waited_for_its_number, setup, teardown),
         FOB_CASE_WITH(more_closed_topics_than_are_told_apart_close_all, setup, teardown),
         FOB_CASE_WITH(a_topic_whose_group_is_gone_is_still_taken_in_order, setup, teardown),
         FOB_CASE_WITH(answers_fit_into_headers_whatever_they_tell, setup, teardown),
         FOB_CASE_WITH(a_full_disk_leaves_holes_too, setup, teardown))
