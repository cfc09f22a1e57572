/* Answers fit into a header, however scattered what they tell of. */
#include "bus/core/work/refused.h"
#include "test_core_kit.h"

#include "tests/support/case.h"

#include <stdlib.h>

#define EVENTS 10000

static kit_t kit;

/* Every other event is the group's, and with the first worker. */
static int setup(void **state) {
    (void)state;
    fob_buf_t body = {0};
    kit_init(&kit, &kit_config);
    kit_join(&kit, 1, "g", "a", EVENTS);
    for (unsigned i = 0; i < EVENTS; i++)
        kit_event(&body, i % 2 ? "b" : "a", "", 0);
    kit_publish_body(&kit, 1, 1, 1, &body, FOB_OK);
    assert_int_equal(kit_delivered(&kit, 1), EVENTS / 2);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    kit_books(&kit);
    kit_free(&kit);
    return 0;
}

static uint64_t told(const kit_effect_t *effect, unsigned width_at) {
    uint64_t sum = 0;
    for (size_t i = 0; i < effect->row_count; i++)
        sum += effect->rows[i][width_at];
    return sum;
}

static void all_that_is_lost_is_told_in_several_messages(void **state) {
    (void)state;
    uint64_t one = 1;
    uint8_t session[FOB_SESSION_SIZE] = {0};
    memcpy(session, &one, sizeof one);
    kit_do(&kit, &(fob_command_t){.kind = FOB_CMD_JOIN,
                                  .conn = 2,
                                  .join = {.session = session, .group = fob_slice_str("g")}});
    assert_int_equal(kit_count(&kit, FOB_EFF_LOST), 4);
    uint64_t sum = 0;
    for (size_t i = 0; i < kit.shown_count; i++) {
        if (kit.shown[i].kind != FOB_EFF_LOST)
            continue;
        assert_true(kit.shown[i].row_count <= 1500);
        assert_int_equal(kit.shown[i].conn, 1);
        sum += told(&kit.shown[i], 1);
    }
    assert_int_equal(sum, EVENTS / 2);
}

static void neighbours_that_are_lost_are_one_row(void **state) {
    (void)state;
    kit_join(&kit, 5, "h", "c", 100);
    kit_publish(&kit, 2, 1, 1, "c", 50);
    uint64_t five = 5;
    uint8_t session[FOB_SESSION_SIZE] = {0};
    memcpy(session, &five, sizeof five);
    kit_do(&kit, &(fob_command_t){.kind = FOB_CMD_JOIN,
                                  .conn = 6,
                                  .join = {.session = session, .group = fob_slice_str("h")}});
    assert_int_equal(kit_last(&kit, FOB_EFF_LOST)->row_count, 1);
    assert_int_equal(told(kit_last(&kit, FOB_EFF_LOST), 1), 50);
}

/* Tokens of the group's events ascend by one, offsets by two: no claim of a run is right for long.
 * In group "all" each event has its own, and every other one is settled. */
static uint64_t every_other_settled(void) {
    kit_join(&kit, 7, "all", ">", EVENTS);
    fob_buf_t body = {0};
    for (unsigned i = 0; i < EVENTS; i++)
        kit_event(&body, "z", "", 0);
    kit_clear(&kit);
    kit_publish_body(&kit, 3, 1, 1, &body, FOB_OK);
    assert_int_equal(kit_delivered(&kit, 7), EVENTS);
    for (uint64_t i = 0; i < EVENTS; i += 2)
        kit_settle(&kit, 7, "all", i + 1, FOB_KIND_ACK, EVENTS + 1 + i, 1, 1 + i);
    kit_clear(&kit);
    return EVENTS + 1;
}

static void a_claim_with_too_many_holes_is_refused_from_there_on(void **state) {
    (void)state;
    uint64_t first = every_other_settled();
    kit_crash(&kit, kit.position);
    kit_rejoin(&kit, 8, 9, "all", 0, (const uint64_t[][3]){{first, EVENTS, 1}, {5, 1, 99999999}},
               2);
    const kit_effect_t *joined = kit_last(&kit, FOB_EFF_JOINED);
    assert_int_equal(joined->status, FOB_OK);
    assert_true(joined->row_count > 2000 && joined->row_count <= FOB_RUNS_MAX);
    assert_int_equal(joined->rows[0][0], FOB_GONE);
    /* Whatever is not refused is held. */
    assert_int_equal(told(joined, 2) + kit_stats(&kit, "all").leased, EVENTS + 1);
    assert_true(kit_stats(&kit, "all").leased > 2000);
    const uint64_t *rest = joined->rows[joined->row_count - 2];
    assert_int_equal(rest[0], FOB_NOT_HELD);
    assert_int_equal(rest[1] + rest[2], first + EVENTS);
}

static void a_settle_that_no_answer_could_tell_of_is_malformed(void **state) {
    (void)state;
    uint64_t first = every_other_settled();
    fob_buf_t runs = {0};
    fob_pack_array(&runs, 1);
    fob_run_write(&runs, (uint64_t[]){FOB_KIND_ACK, first, EVENTS, 1}, 4);
    fob_command_t settle = {.kind = FOB_CMD_SETTLE,
                            .conn = 7,
                            .settle = {fob_slice_str("all"), 1, 0, fob_buf_slice(&runs)}};
    assert_int_equal(kit_step(&kit, &settle), FOB_PROTOCOL);
    assert_int_equal(kit_stats(&kit, "all").leased, EVENTS / 2);
    fob_buf_free(&runs);
    /* A smaller one is answered. */
    kit_settle(&kit, 7, "all", 9, FOB_KIND_ACK, first, 4000, 1);
    assert_int_equal(kit_last(&kit, FOB_EFF_SETTLED)->row_count, 2000);
    assert_int_equal(kit_stats(&kit, "all").leased, EVENTS / 2 - 2000);
}

static void a_join_with_more_rows_than_can_be_answered_is_malformed(void **state) {
    (void)state;
    fob_buf_t runs = {0};
    fob_pack_array(&runs, 2401);
    for (uint64_t i = 0; i < 2401; i++)
        fob_run_write(&runs, (uint64_t[]){1 + i, 1, 1}, 3);
    fob_command_t join = {.kind = FOB_CMD_JOIN,
                          .conn = 9,
                          .join = {.group = fob_slice_str("g"), .claims = fob_buf_slice(&runs)}};
    assert_int_equal(kit_step(&kit, &join), FOB_PROTOCOL);
    fob_buf_free(&runs);
}

static void a_claim_beyond_all_numbers_is_malformed(void **state) {
    (void)state;
    static const uint64_t claims[][3] = {
        {(uint64_t)INT64_MAX + 1, 1, 1}, {1, 1, (uint64_t)INT64_MAX + 1}, {1, UINT64_MAX, 1}};
    for (size_t i = 0; i < 3; i++) {
        fob_buf_t runs = {0};
        fob_pack_array(&runs, 1);
        fob_run_write(&runs, claims[i], 3);
        fob_command_t join = {
            .kind = FOB_CMD_JOIN,
            .conn = 9,
            .join = {.group = fob_slice_str("g"), .claims = fob_buf_slice(&runs)}};
        assert_int_equal(kit_step(&kit, &join), FOB_PROTOCOL);
        fob_buf_free(&runs);
    }
    assert_int_equal(kit_stats(&kit, "g").workers, 1);
}

/* A worker may settle nothing, only to say how much more it takes. */
static void a_settle_of_nothing_is_answered_and_its_credit_counts(void **state) {
    (void)state;
    kit_join(&kit, 5, "h", "c", 1);
    kit_publish(&kit, 2, 1, 1, "c", 4);
    assert_int_equal(kit_delivered(&kit, 5), 1);
    kit_clear(&kit);
    kit_do(&kit, &(fob_command_t){.kind = FOB_CMD_SETTLE,
                                  .conn = 5,
                                  .settle = {fob_slice_str("h"), 7, 3, {0}, {0}}});
    const kit_effect_t *settled = kit_last(&kit, FOB_EFF_SETTLED);
    assert_non_null(settled);
    assert_int_equal(settled->seq, 7);
    assert_int_equal(settled->row_count, 0);
    assert_int_equal(kit_delivered(&kit, 5), 2);
}

FOB_MAIN(FOB_CASE_WITH(all_that_is_lost_is_told_in_several_messages, setup, teardown),
         FOB_CASE_WITH(neighbours_that_are_lost_are_one_row, setup, teardown),
         FOB_CASE_WITH(a_claim_with_too_many_holes_is_refused_from_there_on, setup, teardown),
         FOB_CASE_WITH(a_settle_that_no_answer_could_tell_of_is_malformed, setup, teardown),
         FOB_CASE_WITH(a_join_with_more_rows_than_can_be_answered_is_malformed, setup, teardown),
         FOB_CASE_WITH(a_claim_beyond_all_numbers_is_malformed, setup, teardown),
         FOB_CASE_WITH(a_settle_of_nothing_is_answered_and_its_credit_counts, setup, teardown))
