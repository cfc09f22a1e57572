#include "tests/support/case.h"

#include "bus/service/joins.h"

static uint64_t sent;

/* The first group of a connection, which is then left. */
static size_t take(fob_joins_t *joins, uint64_t conn, char *out) {
    size_t at = 0, size = fob_joins_next(joins, conn, &at, (uint8_t *)out, &sent);
    out[size] = 0;
    fob_joins_remove(joins, conn, fob_slice_str(out));
    return size;
}

static void every_group_joined_is_left_once(void **state) {
    (void)state;
    char name[256];
    fob_joins_t *joins = fob_joins_new();
    assert_int_equal(fob_joins_add(joins, 5, fob_slice_str("emails")), FOB_OK);
    assert_int_equal(fob_joins_add(joins, 5, fob_slice_str("billing")), FOB_OK);
    assert_int_equal(fob_joins_add(joins, 5, fob_slice_str("emails")), FOB_OK);
    assert_int_equal(fob_joins_add(joins, 6, fob_slice_str("other")), FOB_OK);
    assert_int_equal(take(joins, 5, name), 6);
    assert_string_equal(name, "emails");
    assert_int_equal(take(joins, 5, name), 7);
    assert_string_equal(name, "billing");
    assert_int_equal(take(joins, 5, name), 0);
    assert_int_equal(take(joins, 6, name), 5);
    fob_joins_destroy(&joins);
}

static void a_group_that_was_left_is_not_there(void **state) {
    (void)state;
    char name[256];
    fob_joins_t *joins = fob_joins_new();
    assert_int_equal(fob_joins_add(joins, 5, fob_slice_str("a")), FOB_OK);
    assert_int_equal(fob_joins_add(joins, 5, fob_slice_str("b")), FOB_OK);
    assert_int_equal(fob_joins_add(joins, 5, fob_slice_str("c")), FOB_OK);
    fob_joins_remove(joins, 5, fob_slice_str("b"));
    fob_joins_remove(joins, 5, fob_slice_str("never"));
    fob_joins_remove(joins, 99, fob_slice_str("a"));
    assert_int_equal(take(joins, 5, name), 1);
    assert_string_equal(name, "a");
    assert_int_equal(take(joins, 5, name), 1);
    assert_string_equal(name, "c");
    assert_int_equal(take(joins, 5, name), 0);
    fob_joins_destroy(&joins);
}

static void of_each_group_the_token_that_was_sent_last_is_known(void **state) {
    (void)state;
    char name[256];
    fob_joins_t *joins = fob_joins_new();
    assert_int_equal(fob_joins_add(joins, 5, fob_slice_str("a")), FOB_OK);
    assert_int_equal(fob_joins_add(joins, 5, fob_slice_str("bb")), FOB_OK);
    fob_joins_sent(joins, 5, fob_slice_str("bb"), 7);
    fob_joins_sent(joins, 5, fob_slice_str("bb"), UINT64_C(1) << 40);
    fob_joins_sent(joins, 5, fob_slice_str("never"), 9);
    fob_joins_sent(joins, 6, fob_slice_str("a"), 9);
    assert_int_equal(take(joins, 5, name), 1);
    assert_int_equal(sent, 0);
    assert_int_equal(take(joins, 5, name), 2);
    assert_true(sent == UINT64_C(1) << 40);
    assert_int_equal(fob_joins_add(joins, 5, fob_slice_str("a")), FOB_OK);
    fob_joins_forget(joins, 5);
    assert_int_equal(take(joins, 5, name), 0);
    fob_joins_destroy(&joins);
}

static void a_slot_taken_again_begins_empty(void **state) {
    (void)state;
    char name[256];
    fob_joins_t *joins = fob_joins_new();
    assert_int_equal(fob_joins_add(joins, 1ull << 32 | 5, fob_slice_str("a")), FOB_OK);
    assert_int_equal(take(joins, 2ull << 32 | 5, name), 0);
    assert_int_equal(fob_joins_add(joins, 2ull << 32 | 5, fob_slice_str("b")), FOB_OK);
    assert_int_equal(take(joins, 1ull << 32 | 5, name), 0);
    assert_int_equal(take(joins, 2ull << 32 | 5, name), 1);
    assert_string_equal(name, "b");
    fob_joins_destroy(&joins);
}

static void a_connection_joins_so_many_and_no_more(void **state) {
    (void)state;
    fob_joins_t *joins = fob_joins_new();
    char name[256];
    fob_status_t status = FOB_OK;
    int count = 0;
    for (; status == FOB_OK && count < 10000; count++) {
        snprintf(name, sizeof name, "%0*d", 200, count);
        status = fob_joins_add(joins, 1, fob_slice_str(name));
    }
    assert_in_range(count, 300, 400);
    assert_int_equal(status, FOB_LIMIT);
    assert_int_equal(fob_joins_add(joins, 1, fob_slice(NULL, 0)), FOB_INVALID);
    assert_int_equal(fob_joins_add(joins, 1, fob_slice(name, 256)), FOB_INVALID);
    assert_int_equal(fob_joins_add(joins, 2, fob_slice_str(name)), FOB_OK);
    fob_joins_destroy(&joins);
}

FOB_MAIN(FOB_CASE(every_group_joined_is_left_once), FOB_CASE(a_group_that_was_left_is_not_there),
         FOB_CASE(of_each_group_the_token_that_was_sent_last_is_known),
         FOB_CASE(a_slot_taken_again_begins_empty),
         FOB_CASE(a_connection_joins_so_many_and_no_more))
