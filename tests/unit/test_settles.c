/* Settles as ranges, with what the handlers said. */
#include "support/case.h"

#include "subscribers/lease/settles.h"

static void add(fob_settles_t *settles, fob_settle_kind_t kind, uint64_t offset, uint64_t after,
                const char *reason) {
    const fob_settle_how_t how = {kind, after, fob_slice_str(reason)};
    assert_true(fob_settles_add(settles, &how, offset, offset + 100, 1));
}

/* The next SETTLE, as "reason: kind offset count after|...". */
static void next_is(fob_settles_t *settles, const char *expected) {
    char text[500];
    fob_buf_t packed = {0};
    fob_slice_t reason;
    fob_runs_t runs;
    fob_run_t run;
    assert_true(fob_settles_send(settles, &packed, &reason) > 0);
    int at = snprintf(text, sizeof text, "%.*s:", (int)reason.size,
                      reason.size ? (const char *)reason.data : "");
    assert_true(fob_runs(fob_buf_slice(&packed), &runs));
    while (fob_runs_next(&runs, &run)) {
        assert_int_equal(run.at[3], run.at[1] + 100);
        at += snprintf(text + at, sizeof text - (size_t)at, "%s%u %u %u %u",
                       text[at - 1] == ':' ? " " : "|", (unsigned)run.at[0], (unsigned)run.at[1],
                       (unsigned)run.at[2], (unsigned)run.at[4]);
    }
    assert_string_equal(text, expected);
    fob_buf_free(&packed);
}

static void one_settle_says_one_reason_and_acks_go_with_any(void **state) {
    fob_settles_t settles = {0};
    (void)state;
    add(&settles, FOB_KIND_ACK, 1, 0, NULL);
    add(&settles, FOB_KIND_RETRY, 3, 0, "exit 3");
    add(&settles, FOB_KIND_ACK, 5, 0, NULL);
    add(&settles, FOB_KIND_REJECT, 7, 0, "exit 3");
    add(&settles, FOB_KIND_RETRY, 9, 0, "exit 4");
    add(&settles, FOB_KIND_RETRY, 11, 0, NULL);
    add(&settles, FOB_KIND_ACK, 13, 0, NULL);
    add(&settles, FOB_KIND_RELEASE, 15, 0, NULL);
    next_is(&settles, "exit 3: 1 1 1 0|2 3 1 0|1 5 1 0|4 7 1 0");
    next_is(&settles, "exit 4: 2 9 1 0");
    next_is(&settles, ": 2 11 1 0|1 13 1 0|3 15 1 0");
    assert_int_equal(fob_settles_unsent(&settles), 0);
    for (uint64_t seq = 1; seq <= 3; seq++)
        assert_int_equal(fob_settles_answer(&settles, seq, (fob_slice_t){0}), 0);
    assert_true(fob_settles_idle(&settles));
    fob_settles_free(&settles);
}

static void neighbours_are_one_row_only_where_all_is_alike(void **state) {
    fob_settles_t settles = {0};
    (void)state;
    add(&settles, FOB_KIND_RETRY, 1, 0, "exit 3");
    add(&settles, FOB_KIND_RETRY, 2, 0, "exit 3");
    add(&settles, FOB_KIND_RETRY, 3, 250, "exit 3");
    add(&settles, FOB_KIND_RETRY, 4, 250, "exit 3");
    add(&settles, FOB_KIND_RETRY, 5, 0, "exit 30");
    next_is(&settles, "exit 3: 2 1 2 0|2 3 2 250");
    next_is(&settles, "exit 30: 2 5 1 0");
    fob_settles_free(&settles);
}

static void what_was_said_is_said_again_on_a_new_connection(void **state) {
    fob_settles_t settles = {0};
    (void)state;
    add(&settles, FOB_KIND_RETRY, 1, 0, "exit 1");
    add(&settles, FOB_KIND_RETRY, 2, 70, "exit 2");
    add(&settles, FOB_KIND_RETRY, 3, 70, "exit 2");
    add(&settles, FOB_KIND_RETRY, 4, 70, "exit 2");
    next_is(&settles, "exit 1: 2 1 1 0");
    next_is(&settles, "exit 2: 2 2 3 70");
    assert_int_equal(fob_settles_answer(&settles, 1, (fob_slice_t){0}), 0);
    fob_settles_requeue(&settles);
    /* The one in the middle is not ours any more; the row is cut in two. */
    assert_int_equal(fob_settles_drop(&settles, FOB_STALE, 3, 1, 103), 0);
    next_is(&settles, "exit 2: 2 2 1 70|2 4 1 70");
    assert_int_equal(fob_settles_clear(&settles), 2);
    fob_settles_free(&settles);
}

static void a_long_reason_is_cut_and_still_joins(void **state) {
    char text[400];
    fob_settles_t settles = {0};
    fob_buf_t packed = {0};
    fob_slice_t reason;
    (void)state;
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = 0;
    add(&settles, FOB_KIND_RETRY, 1, 0, text);
    add(&settles, FOB_KIND_RETRY, 2, 0, text);
    assert_int_equal(settles.rows, 1);
    assert_true(fob_settles_send(&settles, &packed, &reason) > 0);
    assert_int_equal(reason.size, FOB_REASON_MAX);
    fob_buf_free(&packed);
    fob_settles_free(&settles);
}

FOB_MAIN(FOB_CASE(one_settle_says_one_reason_and_acks_go_with_any),
         FOB_CASE(neighbours_are_one_row_only_where_all_is_alike),
         FOB_CASE(what_was_said_is_said_again_on_a_new_connection),
         FOB_CASE(a_long_reason_is_cut_and_still_joins))
