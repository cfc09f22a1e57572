#include "tests/support/case.h"

#include "bus/guard/subscriptions.h"

#include <stdio.h>

#define SEED 4711

static fob_status_t add(fob_subscriptions_t *self, int number) {
    char text[32];
    size_t size = (size_t)snprintf(text, sizeof text, "topic-%d", number);
    return fob_subscriptions_add(self, fob_slice(text, size + 1), SEED);
}

static void take_back(fob_subscriptions_t *self, int number) {
    char text[32];
    size_t size = (size_t)snprintf(text, sizeof text, "topic-%d", number);
    fob_subscriptions_remove(self, fob_slice(text, size + 1), SEED);
}

static fob_subscriptions_t filled(void) {
    fob_subscriptions_t self = {0};
    for (int i = 0; i < FOB_SUBSCRIPTIONS_MAX; i++)
        assert_int_equal(add(&self, i), FOB_OK);
    return self;
}

static void one_more_than_the_bound_is_too_many(void **state) {
    (void)state;
    fob_subscriptions_t self = filled();
    assert_int_equal(add(&self, -1), FOB_TOO_LARGE);
    assert_int_equal(self.count, FOB_SUBSCRIPTIONS_MAX);
    take_back(&self, 500);
    assert_int_equal(add(&self, -1), FOB_OK);
    assert_int_equal(add(&self, 500), FOB_TOO_LARGE);
    fob_subscriptions_clear(&self);
}

static void what_was_never_held_gives_nothing_back(void **state) {
    (void)state;
    fob_subscriptions_t self = {0};
    int held = 0;
    while (held < 60000 && add(&self, held) == FOB_OK) {
        held++;
        fob_subscriptions_remove(&self, fob_slice_str("zz"), SEED);
    }
    assert_int_equal(held, FOB_SUBSCRIPTIONS_MAX);
    fob_subscriptions_clear(&self);
    fob_subscriptions_remove(&self, fob_slice_str("zz"), SEED);
    assert_int_equal(self.count, 0);
}

static void the_same_twice_counts_once_and_ends_at_once(void **state) {
    (void)state;
    fob_subscriptions_t self = filled();
    for (int i = 0; i < FOB_SUBSCRIPTIONS_MAX; i++)
        assert_int_equal(add(&self, i), FOB_OK); /* also when it is full */
    assert_int_equal(self.count, FOB_SUBSCRIPTIONS_MAX);
    take_back(&self, 7);
    take_back(&self, 7);
    assert_int_equal(self.count, FOB_SUBSCRIPTIONS_MAX - 1);
    fob_subscriptions_clear(&self);
}

static void everything_is_a_prefix_like_others(void **state) {
    (void)state;
    fob_subscriptions_t self = {0};
    assert_int_equal(fob_subscriptions_add(&self, fob_slice("", 0), SEED), FOB_OK);
    assert_int_equal(fob_subscriptions_add(&self, fob_slice("", 1), SEED), FOB_OK);
    assert_int_equal(self.count, 2);
    fob_subscriptions_remove(&self, fob_slice("", 0), SEED);
    assert_int_equal(self.count, 1);
    fob_subscriptions_clear(&self);
}

static void the_last_one_gives_the_memory_back(void **state) {
    (void)state;
    fob_subscriptions_t self = {0};
    assert_null(self.hashes);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++)
            assert_int_equal(add(&self, i), FOB_OK);
        for (int i = 0; i < 100; i++) {
            assert_non_null(self.hashes);
            take_back(&self, (i * 37) % 100); /* in another order */
        }
        assert_int_equal(self.count, 0);
        assert_null(self.hashes);
    }
}

static void refused_ones_count_and_are_never_given_back(void **state) {
    (void)state;
    fob_subscriptions_t self = {0};
    for (int i = 0; i < FOB_SUBSCRIPTIONS_MAX - 1; i++)
        assert_int_equal(fob_subscriptions_refuse(&self), FOB_OK);
    assert_int_equal(add(&self, 1), FOB_OK);
    assert_int_equal(add(&self, 2), FOB_TOO_LARGE);
    assert_int_equal(fob_subscriptions_refuse(&self), FOB_TOO_LARGE);
    take_back(&self, 1);
    assert_int_equal(fob_subscriptions_refuse(&self), FOB_OK);
    assert_int_equal(fob_subscriptions_refuse(&self), FOB_TOO_LARGE);
    fob_subscriptions_clear(&self);
    assert_int_equal(fob_subscriptions_refuse(&self), FOB_OK);
}

FOB_MAIN(FOB_CASE(one_more_than_the_bound_is_too_many),
         FOB_CASE(what_was_never_held_gives_nothing_back),
         FOB_CASE(the_same_twice_counts_once_and_ends_at_once),
         FOB_CASE(everything_is_a_prefix_like_others), FOB_CASE(the_last_one_gives_the_memory_back),
         FOB_CASE(refused_ones_count_and_are_never_given_back))
