#include "proto/ring.h"

#include "tests/support/case.h"

#include <stdbool.h>

typedef struct {
    uint32_t *ring;
    size_t capacity, head, count;
} numbers_t;

static bool reserve(numbers_t *self, size_t more) {
    uint32_t *ring =
        fob_ring_reserve(self->ring, sizeof *ring, &self->capacity, &self->head, self->count, more);
    if (ring)
        self->ring = ring;
    return ring != NULL;
}

static uint32_t *at(const numbers_t *self, size_t index) {
    return &self->ring[(self->head + index) & (self->capacity - 1)];
}

static void items_keep_their_order_when_it_grows(void **state) {
    (void)state;
    for (size_t dropped = 0; dropped <= 3 * FOB_RING_FIRST / 2; dropped++) {
        numbers_t self = {0};
        uint32_t in = 0, out = 0;
        while (out < dropped) { /* the head is anywhere */
            assert_true(reserve(&self, 1));
            *at(&self, self.count++) = in++;
            assert_int_equal(*at(&self, 0), out++);
            self.head = (self.head + 1) & (self.capacity - 1);
            self.count--;
        }
        for (; self.count < 300; self.count++) {
            assert_true(reserve(&self, 1));
            *at(&self, self.count) = in++;
        }
        for (size_t i = 0; i < self.count; i++)
            assert_int_equal(*at(&self, i), out + i);
        assert_int_equal(self.capacity, 512);
        free(self.ring);
    }
}

static void it_grows_by_as_many_as_are_asked_for(void **state) {
    (void)state;
    numbers_t self = {0};
    assert_true(reserve(&self, 1000));
    assert_int_equal(self.capacity, 1024);
    uint32_t *before = self.ring;
    self.count = 24;
    assert_true(reserve(&self, 1000));
    assert_ptr_equal(self.ring, before);
    assert_true(reserve(&self, 1001));
    assert_int_equal(self.capacity, 2048);
    free(self.ring);
}

static void more_than_there_can_be_is_refused_and_changes_nothing(void **state) {
    (void)state;
    numbers_t self = {0};
    assert_true(reserve(&self, 1));
    *at(&self, self.count++) = 7;
    assert_false(reserve(&self, SIZE_MAX));
    assert_false(reserve(&self, SIZE_MAX / sizeof *self.ring));
    assert_int_equal(self.capacity, FOB_RING_FIRST);
    assert_int_equal(*at(&self, 0), 7);
    free(self.ring);
}

FOB_MAIN(FOB_CASE(items_keep_their_order_when_it_grows),
         FOB_CASE(it_grows_by_as_many_as_are_asked_for),
         FOB_CASE(more_than_there_can_be_is_refused_and_changes_nothing))
