/* dead: the table of a group's letters. */
#include "bus/core/group/dead.h"

#include "tests/support/case.h"

#include <stdlib.h>

#define PLACES 300

static uint64_t dice;

static uint64_t roll(uint64_t sides) {
    dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (dice >> 33) % sides;
}

/* The same, plainly: by place the serial, 0: none. Letters of unknown place stand by serial. */
typedef struct {
    uint64_t serials[PLACES + 1];
    uint64_t unknown[10000];
    size_t unknown_count;
    uint64_t last;
} plain_t;

static fob_deads_t deads;
static plain_t plain;

static int setup(void **state) {
    (void)state;
    deads = (fob_deads_t){0};
    memset(&plain, 0, sizeof plain);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    fob_deads_free(&deads);
    return 0;
}

static void add(uint64_t offset) {
    assert_true(fob_deads_reserve(&deads, 1));
    fob_deads_add(&deads, &(fob_dead_t){.offset = offset, .count = 1});
    plain.last++;
    if (offset)
        plain.serials[offset] = plain.last;
    else
        plain.unknown[plain.unknown_count++] = plain.last;
}

static void drop(uint64_t offset) {
    const fob_dead_t *dead = fob_deads_find(&deads, offset);
    assert_non_null(dead);
    fob_deads_remove(&deads, dead);
    plain.serials[offset] = 0;
}

static void drop_unknown(size_t index) {
    const fob_dead_t *dead = fob_deads_unknown(&deads, plain.unknown[index]);
    assert_non_null(dead);
    assert_int_equal(dead->offset, 0);
    assert_int_equal(dead->serial, plain.unknown[index]);
    fob_deads_remove(&deads, dead);
    assert_null(fob_deads_unknown(&deads, plain.unknown[index]));
    plain.unknown_count--;
    memmove(plain.unknown + index, plain.unknown + index + 1,
            (plain.unknown_count - index) * sizeof plain.unknown[0]);
}

/* All letters, from place to place. */
static void check(void) {
    uint64_t place = 0;
    uint32_t count = 0;
    for (uint64_t offset = 1; offset <= PLACES; offset++) {
        if (!plain.serials[offset])
            continue;
        const fob_dead_t *dead = fob_deads_step(&deads, place);
        assert_non_null(dead);
        assert_int_equal(dead->offset, offset);
        assert_int_equal(dead->serial, plain.serials[offset]);
        assert_ptr_equal(dead, fob_deads_above(&deads, place));
        place = fob_dead_place(dead);
        count++;
    }
    assert_null(fob_deads_above(&deads, place));
    for (size_t i = 0; i < plain.unknown_count; i++) {
        const fob_dead_t *dead = fob_deads_step(&deads, place);
        assert_non_null(dead);
        assert_int_equal(dead->offset, 0);
        assert_int_equal(dead->serial, plain.unknown[i]);
        place = fob_dead_place(dead);
        count++;
    }
    assert_null(fob_deads_step(&deads, place));
    assert_int_equal(deads.count, count);
    assert_int_equal(deads.last_serial, plain.last);
}

static void letters_are_stepped_through_by_place_whatever_came_and_went(void **state) {
    for (uint64_t seed = 1; seed <= 200; seed++) {
        dice = seed;
        uint64_t often = 1 + roll(30); /* checks, so adds between two sorts */
        for (int i = 0; i < 600; i++) {
            uint64_t offset = roll(seed % 3 ? PLACES + 1 : 20);
            if (offset == 0 && plain.unknown_count && roll(3))
                drop_unknown(roll(plain.unknown_count));
            else if (offset && plain.serials[offset])
                drop(offset);
            else
                add(offset);
            if (roll(often) == 0)
                check();
        }
        check();
        teardown(state);
        setup(state);
    }
}

static void an_offset_that_dies_again_and_again_takes_no_more_room(void **state) {
    (void)state;
    add(7);
    add(9);
    for (int i = 0; i < 10000; i++) {
        drop(7);
        add(7);
        assert_int_equal(fob_deads_step(&deads, 0)->offset, 7);
        assert_int_equal(fob_deads_step(&deads, 7)->offset, 9);
    }
    assert_true(deads.sorted_capacity <= 64);
    assert_true(deads.capacity <= 64);
}

static void what_dies_again_and_again_unseen_takes_no_more_room(void **state) {
    (void)state;
    for (uint64_t offset = 1; offset <= 20; offset++)
        add(offset);
    for (unsigned i = 0; i < 10000; i++) {
        drop(1 + i % 20);
        add(1 + i % 20);
    }
    check();
    assert_true(deads.capacity <= 64 && deads.order_capacity <= 64);
    assert_true(deads.sorted_capacity <= 128 && deads.lows.capacity <= 128);
}

FOB_MAIN(FOB_CASE_WITH(letters_are_stepped_through_by_place_whatever_came_and_went, setup,
                       teardown),
         FOB_CASE_WITH(an_offset_that_dies_again_and_again_takes_no_more_room, setup, teardown),
         FOB_CASE_WITH(what_dies_again_and_again_unseen_takes_no_more_room, setup, teardown))
