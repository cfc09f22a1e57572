/* Workers of a group: they join, get events, settle, leave, and are lost. */
#include "test_core_kit.h"

#include "tests/support/case.h"

static kit_t kit;

static int setup(void **state) {
    (void)state;
    kit_init(&kit, &kit_config);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    kit_books(&kit);
    kit_free(&kit);
    return 0;
}

static void a_published_event_reaches_a_worker_and_is_acked(void **state) {
    (void)state;
    kit_join(&kit, 1, "emails", "order.>", 10);
    assert_int_equal(kit_last(&kit, FOB_EFF_JOINED)->status, FOB_OK);
    assert_true(kit_last(&kit, FOB_EFF_JOINED)->created);
    kit_publish(&kit, 1, 1, 1, "order.placed", 1);
    kit_effect_t *receipt = kit_last(&kit, FOB_EFF_RECEIPT);
    assert_int_equal(receipt->row_count, 1);
    uint64_t want[5] = {FOB_OK, 1, 1, 1, 1};
    assert_memory_equal(receipt->rows[0], want, sizeof want);
    kit_effect_t *delivery = kit_last(&kit, FOB_EFF_DELIVER);
    assert_int_equal(delivery->conn, 1);
    assert_string_equal(delivery->group, "emails");
    assert_int_equal(delivery->rows[0][0], 1);
    assert_int_equal(delivery->rows[0][2], 1);
    kit_settle(&kit, 1, "emails", 1, FOB_KIND_ACK, 1, 1, delivery->rows[0][1]);
    assert_int_equal(kit_last(&kit, FOB_EFF_SETTLED)->seq, 1);
    assert_int_equal(kit_last(&kit, FOB_EFF_SETTLED)->row_count, 0);
    fob_group_stats_t stats = kit_stats(&kit, "emails");
    assert_int_equal(stats.acked, 1);
    assert_string_equal(stats.state, "idle");
    assert_int_equal(fob_core_floor(kit.core), 2);
}

FOB_MAIN(FOB_CASE_WITH(a_published_event_reaches_a_worker_and_is_acked, setup, teardown))
