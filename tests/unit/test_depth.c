#include "tests/support/case.h"

#include "bus/sockets/depth.h"

static void many_small_messages_may_wait_from_the_start_on(void **state) {
    (void)state;
    fob_depth_t depth = {0};
    for (int i = 0; i < 3 * FOB_DEPTH_MANY; i++) {
        assert_int_equal(fob_depth_most(&depth), FOB_DEPTH_MANY);
        assert_false(fob_depth_next(&depth, FOB_DEPTH_SMALL));
        fob_depth_came(&depth);
    }
}

static void of_large_ones_few_may_and_that_at_once(void **state) {
    (void)state;
    fob_depth_t depth = {0};
    assert_true(fob_depth_next(&depth, FOB_DEPTH_SMALL + 1));
    assert_int_equal(fob_depth_most(&depth), FOB_DEPTH_FEW);
    assert_false(fob_depth_next(&depth, FOB_DEPTH_SMALL + 1));
}

static void who_comes_then_is_told_with_the_next(void **state) {
    (void)state;
    fob_depth_t depth = {0};
    fob_depth_next(&depth, 65536);
    fob_depth_came(&depth);
    fob_depth_came(&depth);
    assert_true(fob_depth_next(&depth, 100));
    assert_int_equal(fob_depth_most(&depth), FOB_DEPTH_FEW);
    assert_false(fob_depth_next(&depth, 100));
}

static void among_large_ones_small_ones_change_nothing(void **state) {
    (void)state;
    fob_depth_t depth = {0};
    fob_depth_next(&depth, 65536);
    for (int round = 0; round < 3; round++) {
        for (int i = 1; i < FOB_DEPTH_MANY; i++)
            assert_false(fob_depth_next(&depth, 100));
        assert_false(fob_depth_next(&depth, 65536));
        assert_int_equal(fob_depth_most(&depth), FOB_DEPTH_FEW);
    }
    for (int i = 1; i < FOB_DEPTH_MANY; i++)
        assert_false(fob_depth_next(&depth, 100));
    assert_true(fob_depth_next(&depth, 100)); /* none was large for as long as many may wait */
    assert_int_equal(fob_depth_most(&depth), FOB_DEPTH_MANY);
}

/* What waits for one is bounded, whatever sizes come in whatever order. */
static void what_waits_is_bounded_in_bytes(void **state) {
    (void)state;
    fob_depth_t depth = {0};
    size_t bytes = 0, most = 0, random = 1;
    int waiting = 0;
    for (int i = 0; i < 200000; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        size_t size = (random >> 40) % (i / 20000 % 2 ? 65536 : FOB_DEPTH_SMALL) + 1;
        fob_depth_next(&depth, size);
        if (waiting < fob_depth_most(&depth)) { /* nobody takes anything */
            waiting++;
            bytes += size;
        }
        most = bytes > most ? bytes : most;
        if (i % 50000 == 49999)
            waiting = 0, bytes = 0;
    }
    assert_in_range(most, 1 << 20, 32 << 20);
}

FOB_MAIN(FOB_CASE(many_small_messages_may_wait_from_the_start_on),
         FOB_CASE(of_large_ones_few_may_and_that_at_once),
         FOB_CASE(who_comes_then_is_told_with_the_next),
         FOB_CASE(among_large_ones_small_ones_change_nothing),
         FOB_CASE(what_waits_is_bounded_in_bytes))
