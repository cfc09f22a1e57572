/* Events with an id are stored once within a window, and the answer says of what they are the
 * duplicate. */
#include "test_core_admin.h"

#include "tests/support/case.h"

static kit_t kit;

static int setup(void **state) {
    (void)state;
    kit_init(&kit, &kit_config);
    kit.hash_turns = true;
    admin_add(&kit, "all", ">", FOB_POLICY_max_depth, 6);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    kit_books(&kit);
    kit_free(&kit);
    return 0;
}

/* The last receipt has exactly these rows; the sixth number: 0 no duplicate, 1 a duplicate, 3 one
 * whose data differed. */
static void receipt_is(const uint64_t (*rows)[6], size_t count) {
    const kit_effect_t *receipt = kit_last(&kit, FOB_EFF_RECEIPT);
    assert_non_null(receipt);
    assert_int_equal(receipt->row_count, count);
    for (size_t i = 0; i < count; i++) {
        const kit_detail_t *detail = &receipt->details[i];
        for (size_t k = 0; k < 5; k++)
            assert_int_equal(receipt->rows[i][k], rows[i][k]);
        assert_int_equal(detail->duplicate, rows[i][5] > 0);
        assert_int_equal(detail->differs, rows[i][5] == 3);
    }
}
#define RECEIPT(...)                                                                               \
    receipt_is((const uint64_t[][6]){__VA_ARGS__},                                                 \
               sizeof((const uint64_t[][6]){__VA_ARGS__}) / sizeof(uint64_t[6]))

static void put(fob_buf_t *body, const char *topic, const char *id, const char *data) {
    kit_event_with(body, topic, id, 0, data, strlen(data));
}

/* Ids of topic "a", one letter each; '-': none. Data is always the same. */
static void offer(uint8_t session, uint64_t first, uint64_t low, const char *ids) {
    fob_buf_t body = {0};
    for (; *ids; ids++) {
        char id[2] = {*ids == '-' ? 0 : *ids, 0};
        put(&body, "a", id, "data");
    }
    kit_publish_body(&kit, session, first, low, &body, FOB_OK);
}

static void the_same_id_is_stored_once_in_a_batch(void **state) {
    (void)state;
    offer(1, 1, 1, "xyxz");
    RECEIPT({FOB_OK, 1, 2, 1, 1, 0}, {FOB_OK, 3, 1, 1, 0, 1}, {FOB_OK, 4, 1, 3, 1, 0});
    assert_int_equal(fob_core_head(kit.core), 3);
    assert_int_equal(kit_stats(&kit, "all").accepted, 3);
    kit_crash(&kit, kit.position);
}

static void the_same_id_is_stored_once_across_batches_and_sessions(void **state) {
    (void)state;
    offer(1, 1, 1, "xyz");
    offer(2, 1, 1, "-yzx-");
    RECEIPT({FOB_OK, 1, 1, 4, 1, 0}, {FOB_OK, 2, 2, 2, 0, 1}, {FOB_OK, 4, 1, 1, 0, 1},
            {FOB_OK, 5, 1, 5, 1, 0});
    offer(1, 4, 4, "xyz");
    RECEIPT({FOB_OK, 4, 3, 1, 0, 1});
    offer(1, 7, 7, "-");
    RECEIPT({FOB_OK, 7, 1, 6, 1, 0});
    assert_int_equal(kit_stats(&kit, "all").accepted, 6);
}

static void the_same_id_in_another_topic_is_another_event(void **state) {
    (void)state;
    fob_buf_t body = {0};
    put(&body, "a", "x", "data");
    put(&body, "b", "x", "data");
    kit_publish_body(&kit, 1, 1, 1, &body, FOB_OK);
    RECEIPT({FOB_OK, 1, 2, 1, 1, 0});
}

static void events_without_an_id_are_never_duplicates(void **state) {
    (void)state;
    offer(1, 1, 1, "--");
    offer(2, 1, 1, "--");
    RECEIPT({FOB_OK, 1, 2, 3, 1, 0});
}

static void a_duplicate_with_other_data_is_told_so(void **state) {
    (void)state;
    fob_buf_t body = {0};
    put(&body, "a", "x", "one");
    put(&body, "a", "x", "two");
    put(&body, "a", "x", "one");
    kit_publish_body(&kit, 1, 1, 1, &body, FOB_OK);
    RECEIPT({FOB_OK, 1, 1, 1, 1, 0}, {FOB_OK, 2, 1, 1, 0, 3}, {FOB_OK, 3, 1, 1, 0, 1});
    kit_crash(&kit, kit.position);
    fob_envelope_t event = {.topic = fob_slice_str("a"),
                            .id = fob_slice_str("x"),
                            .datacontenttype = fob_slice_str("text/plain"),
                            .data = fob_slice_str("one")};
    assert_int_equal(fob_envelope_write(&body, 1000, &event), FOB_OK);
    kit_publish_body(&kit, 2, 1, 1, &body, FOB_OK);
    RECEIPT({FOB_OK, 1, 1, 1, 0, 3});
}

static void what_was_stored_before_a_crash_is_known_after_it(void **state) {
    (void)state;
    offer(1, 1, 1, "xyz");
    kit_crash(&kit, kit.position);
    offer(2, 1, 1, "zyx");
    RECEIPT({FOB_OK, 1, 1, 3, 0, 1}, {FOB_OK, 2, 1, 2, 0, 1}, {FOB_OK, 3, 1, 1, 0, 1});
    kit_checkpoint(&kit);
    kit_crash(&kit, kit.position);
    offer(3, 1, 1, "y");
    RECEIPT({FOB_OK, 1, 1, 2, 0, 1});
}

static void what_was_not_durable_before_a_crash_is_stored_again(void **state) {
    (void)state;
    offer(1, 1, 1, "x");
    uint64_t durable = kit.position;
    offer(1, 2, 2, "y");
    kit_crash(&kit, durable);
    offer(2, 1, 1, "yx");
    RECEIPT({FOB_OK, 1, 1, 2, 1, 0}, {FOB_OK, 2, 1, 1, 0, 1});
}

static void a_resend_in_a_session_is_no_duplicate(void **state) {
    (void)state;
    offer(1, 1, 1, "xy");
    offer(1, 1, 1, "xyz");
    RECEIPT({FOB_OK, 1, 3, 1, 1, 0});
    kit_crash(&kit, kit.position);
    offer(1, 1, 1, "xyz");
    RECEIPT({FOB_OK, 1, 3, 1, 1, 0});
}

/* What it was told first is what it is told again, for as long as it has no receipt. */
static void a_duplicate_stays_one_when_the_window_has_passed(void **state) {
    (void)state;
    offer(1, 1, 1, "x");
    offer(2, 1, 1, "-xx");
    RECEIPT({FOB_OK, 1, 1, 2, 1, 0}, {FOB_OK, 2, 1, 1, 0, 1}, {FOB_OK, 3, 1, 1, 0, 1});
    kit_pass(&kit, kit_config.dedup_window_ms + 1000);
    offer(2, 1, 1, "-xx");
    RECEIPT({FOB_OK, 1, 1, 2, 1, 0}, {FOB_OK, 2, 1, 1, 0, 1}, {FOB_OK, 3, 1, 1, 0, 1});
    kit_crash(&kit, kit.position);
    offer(2, 2, 2, "xx");
    RECEIPT({FOB_OK, 2, 1, 1, 0, 1}, {FOB_OK, 3, 1, 1, 0, 1});
    offer(1, 2, 2, "x"); /* but the id is free again */
    RECEIPT({FOB_OK, 2, 1, 3, 1, 0});
}

static void a_duplicate_waits_for_the_commit_that_says_so(void **state) {
    (void)state;
    offer(1, 1, 1, "x");
    kit.manual = true;
    kit_clear(&kit);
    offer(2, 1, 1, "x");
    assert_int_equal(kit_count(&kit, FOB_EFF_RECEIPT), 0);
    assert_true(kit.synced);
    kit_sync(&kit, kit.position);
    RECEIPT({FOB_OK, 1, 1, 1, 0, 1});
}

/* It is no load: so it is answered where nothing could be stored. */
static void a_duplicate_needs_no_room(void **state) {
    (void)state;
    offer(1, 1, 1, "xyzuvw");
    offer(1, 7, 7, "-x-y");
    RECEIPT({FOB_BUSY, 7, 1, 0, 0, 0}, {FOB_OK, 8, 1, 1, 0, 1}, {FOB_BUSY, 9, 1, 0, 0, 0},
            {FOB_OK, 10, 1, 2, 0, 1});
    kit_crash(&kit, kit.position);
    offer(1, 7, 7, "-x-y");
    RECEIPT({FOB_BUSY, 7, 1, 0, 0, 0}, {FOB_OK, 8, 1, 1, 0, 1}, {FOB_BUSY, 9, 1, 0, 0, 0},
            {FOB_OK, 10, 1, 2, 0, 1});
}

static void a_refused_event_is_not_taken_for_stored(void **state) {
    (void)state;
    offer(1, 1, 1, "-----xyy");
    RECEIPT({FOB_OK, 1, 6, 1, 1, 0}, {FOB_BUSY, 7, 2, 0, 0, 0});
    kit_join(&kit, 1, "all", ">", 10);
    kit_settle(&kit, 1, "all", 1, FOB_KIND_ACK, 1, 6, 1);
    offer(1, 7, 7, "yy");
    RECEIPT({FOB_OK, 7, 1, 7, 1, 0}, {FOB_OK, 8, 1, 7, 0, 1});
}

static void a_bad_event_between_changes_nothing_for_the_others(void **state) {
    (void)state;
    fob_buf_t body = {0};
    put(&body, "a", "x", "data");
    fob_pack_nil(&body);
    put(&body, "a", "x", "data");
    put(&body, "a", "y", "data");
    kit_publish_body(&kit, 1, 1, 1, &body, FOB_OK);
    RECEIPT({FOB_OK, 1, 1, 1, 1, 0}, {FOB_BAD_EVENT, 2, 1, 0, 0, 0}, {FOB_OK, 3, 1, 1, 0, 1},
            {FOB_OK, 4, 1, 2, 1, 0});
    offer(2, 1, 1, "xy");
    RECEIPT({FOB_OK, 1, 2, 1, 0, 1});
    kit_crash(&kit, kit.position);
}

static void a_window_of_no_ids_knows_none(void **state) {
    (void)state;
    kit_free(&kit);
    fob_core_config_t config = kit_config;
    config.dedup_max = 0;
    kit_init(&kit, &config);
    offer(1, 1, 1, "x");
    offer(1, 2, 2, "x");
    RECEIPT({FOB_OK, 2, 1, 2, 0, 0});
}

FOB_MAIN(FOB_CASE_WITH(the_same_id_is_stored_once_in_a_batch, setup, teardown),
         FOB_CASE_WITH(the_same_id_is_stored_once_across_batches_and_sessions, setup, teardown),
         FOB_CASE_WITH(the_same_id_in_another_topic_is_another_event, setup, teardown),
         FOB_CASE_WITH(events_without_an_id_are_never_duplicates, setup, teardown),
         FOB_CASE_WITH(a_duplicate_with_other_data_is_told_so, setup, teardown),
         FOB_CASE_WITH(what_was_stored_before_a_crash_is_known_after_it, setup, teardown),
         FOB_CASE_WITH(what_was_not_durable_before_a_crash_is_stored_again, setup, teardown),
         FOB_CASE_WITH(a_resend_in_a_session_is_no_duplicate, setup, teardown),
         FOB_CASE_WITH(a_duplicate_stays_one_when_the_window_has_passed, setup, teardown),
         FOB_CASE_WITH(a_duplicate_waits_for_the_commit_that_says_so, setup, teardown),
         FOB_CASE_WITH(a_duplicate_needs_no_room, setup, teardown),
         FOB_CASE_WITH(a_refused_event_is_not_taken_for_stored, setup, teardown),
         FOB_CASE_WITH(a_bad_event_between_changes_nothing_for_the_others, setup, teardown),
         FOB_CASE_WITH(a_window_of_no_ids_knows_none, setup, teardown))
