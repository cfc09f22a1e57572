/* How long a publisher waits after a refusal. */
#include "tests/support/case.h"

#include "publishers/hold.h"

static const fob_now_t start = {100 * FOB_SEC, 0};
static fob_holds_t holds;

static int prepare(void **state) {
    (void)state;
    holds = (fob_holds_t){.random = 42};
    return 0;
}

/* Refuses once and opens again; gives the pause. */
static int64_t refuse(fob_slice_t topic, int64_t retry_ns) {
    (void)fob_holds_close(&holds, start, &topic, FOB_BUSY, fob_slice_str("full"), retry_ns);
    int64_t pause = fob_holds_deadline(&holds) - start.mono_ns;
    fob_holds_open_all(&holds);
    return pause;
}

static void a_refused_topic_waits_and_no_other(void **state) {
    fob_slice_t topic = fob_slice_str("a");
    (void)state;
    (void)fob_holds_close(&holds, start, &topic, FOB_BUSY, fob_slice_str("full"), FOB_SEC);
    assert_non_null(fob_holds_find(&holds, topic));
    assert_null(fob_holds_find(&holds, fob_slice_str("b")));
    fob_holds_open_all(&holds);
    assert_null(fob_holds_find(&holds, topic));
    assert_int_equal(fob_holds_deadline(&holds), FOB_NEVER);
}

/* Full jitter: each pause is anywhere between what the bus asked for and a bound on top of it that
 * doubles, and as a mean in the middle. */
static void the_jitter_doubles_with_each_refusal_in_a_row_up_to_five_seconds(void **state) {
    int64_t sum[12] = {0}, least[12], most[12] = {0};
    fob_slice_t topic = fob_slice_str("a");
    (void)state;
    for (int round = 0; round < 2000; round++) {
        for (int i = 0; i < 12; i++) {
            int64_t extra = refuse(topic, 300 * FOB_MS) - 300 * FOB_MS;
            sum[i] += extra;
            least[i] = round == 0 || extra < least[i] ? extra : least[i];
            most[i] = extra > most[i] ? extra : most[i];
        }
        fob_holds_stored(&holds, topic);
        assert_int_equal(holds.count, 0);
    }
    for (int i = 0; i < 12; i++) {
        int64_t bound = i < 7 ? (50 * FOB_MS) << i : 5 * FOB_SEC;
        assert_true(least[i] >= 0 && least[i] < bound / 100);
        assert_true(most[i] < bound && most[i] > bound - bound / 100);
        assert_in_range(sum[i] / 2000, bound * 45 / 100, bound * 55 / 100);
    }
}

static void what_the_bus_asks_for_is_the_least(void **state) {
    (void)state;
    for (int i = 0; i < 100; i++)
        assert_true(refuse(fob_slice_str("a"), 5 * FOB_SEC) >= 5 * FOB_SEC);
}

static void two_publishers_do_not_come_back_together(void **state) {
    int64_t first[20];
    unsigned same = 0;
    (void)state;
    for (int i = 0; i < 20; i++)
        first[i] = refuse(fob_slice_str("a"), FOB_SEC);
    holds = (fob_holds_t){.random = 43};
    for (int i = 0; i < 20; i++)
        same += refuse(fob_slice_str("a"), FOB_SEC) == first[i];
    assert_int_equal(same, 0);
}

static void a_second_refusal_under_way_does_not_make_it_longer(void **state) {
    fob_slice_t topic = fob_slice_str("a");
    (void)state;
    fob_hold_t *hold = fob_holds_close(&holds, start, &topic, FOB_BUSY, (fob_slice_t){0}, FOB_SEC);
    int64_t at = hold->retry_at;
    assert_ptr_equal(
        fob_holds_close(&holds, start, &topic, FOB_BUSY, (fob_slice_t){0}, 9 * FOB_SEC), hold);
    assert_int_equal(hold->retry_at, at);
    assert_int_equal(hold->tries, 1);
}

static void more_busy_topics_than_can_be_told_apart_hold_all(void **state) {
    char name[16];
    (void)state;
    for (int i = 0; i <= FOB_HOLDS; i++) {
        snprintf(name, sizeof name, "t%d", i);
        fob_slice_t topic = fob_slice_str(name);
        assert_null(fob_holds_find(&holds, fob_slice_str("free")));
        (void)fob_holds_close(&holds, start, &topic, FOB_BUSY, (fob_slice_t){0}, FOB_SEC);
    }
    assert_non_null(fob_holds_find(&holds, fob_slice_str("free")));
    assert_int_equal(holds.closed, FOB_HOLDS + 1);
    fob_holds_open_all(&holds);
    assert_null(fob_holds_find(&holds, fob_slice_str("free")));
    assert_int_equal(holds.closed, 0);
}

static void a_place_that_events_wait_under_is_not_given_away(void **state) {
    char name[16];
    fob_slice_t first = fob_slice_str("t0");
    (void)state;
    fob_hold_t *hold = fob_holds_close(&holds, start, &first, FOB_BUSY, (fob_slice_t){0}, FOB_SEC);
    uint8_t mark = fob_holds_mark(&holds, hold);
    hold->parked = 1;
    fob_holds_open_all(&holds);
    fob_holds_stored(&holds, first); /* one was stored, and another waits */
    for (int i = 1; i < 3 * FOB_HOLDS; i++) {
        snprintf(name, sizeof name, "t%d", i);
        refuse(fob_slice_str(name), FOB_SEC);
    }
    assert_ptr_equal(fob_holds_of(&holds, first), hold);
    fob_holds_done(&holds, mark);
    assert_null(fob_holds_of(&holds, first));
}

FOB_MAIN(FOB_CASE_WITH(a_refused_topic_waits_and_no_other, prepare, NULL),
         FOB_CASE_WITH(the_jitter_doubles_with_each_refusal_in_a_row_up_to_five_seconds, prepare,
                       NULL),
         FOB_CASE_WITH(what_the_bus_asks_for_is_the_least, prepare, NULL),
         FOB_CASE_WITH(two_publishers_do_not_come_back_together, prepare, NULL),
         FOB_CASE_WITH(a_second_refusal_under_way_does_not_make_it_longer, prepare, NULL),
         FOB_CASE_WITH(more_busy_topics_than_can_be_told_apart_hold_all, prepare, NULL),
         FOB_CASE_WITH(a_place_that_events_wait_under_is_not_given_away, prepare, NULL))
