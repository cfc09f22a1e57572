/* Checkpoints that are whole and that no bus wrote. What cannot be is damage. */
#include "test_core_whole.h"

#include "bus/core/durable/record.h"
#include "bus/core/table/little.h"
#include "tests/support/case.h"

static fob_core_t *core;

static int setup(void **state) {
    (void)state;
    core = fob_core_new(&kit_config);
    return core ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    fob_core_destroy(&core);
    return 0;
}

/* A checkpoint of `from` in which the number `old` is `new` where it stands first. */
static fob_status_t load_changed(fob_core_t *from, uint64_t old, uint64_t new) {
    fob_status_t status = FOB_OK;
    bool changed = false;
    fob_core_checkpoint_begin(from);
    for (bool more = true; more;) {
        fob_buf_t slice = {0};
        more = fob_core_checkpoint_next(from, &slice);
        for (size_t at = FOB_RECORD_MARK_SIZE + 8; !changed && at + 8 <= slice.size; at++) {
            changed = fob_get64(slice.data + at) == old;
            if (changed)
                fob_put64(slice.data + at, new);
        }
        if (more && status == FOB_OK)
            status = fob_core_load(core, fob_buf_slice(&slice));
        fob_buf_free(&slice);
    }
    assert_true(changed);
    return status;
}

static void of_another_number(uint64_t old, uint64_t new, fob_status_t want) {
    fob_core_t *whole = whole_core(1 << 20);
    fob_core_destroy(&core);
    assert_int_equal(setup(NULL), 0);
    assert_int_equal(load_changed(whole, old, new), want);
    fob_core_destroy(&whole);
}

/* whole_core: head 10000, mark token 400, skip_to 50, time 5000; 315: of an event with a priority.
 */
static void a_checkpoint_with_impossible_numbers_is_damage(void **state) {
    (void)state;
    of_another_number(400, 401, FOB_OK);
    of_another_number(400, UINT64_MAX, FOB_DAMAGED);
    of_another_number(10000, UINT64_MAX, FOB_DAMAGED);
    of_another_number(5000, INT64_MAX, FOB_DAMAGED);
}

/* whole_core: covered up to 29, 40 to 60, 80 to 90; priorities at 300 to 310, 315, 320, 321; 45
 * came back, 49 is dead. */
static void an_event_at_two_places_of_a_checkpoint_is_damage(void **state) {
    (void)state;
    of_another_number(90, 299, FOB_OK);
    of_another_number(90, 300, FOB_DAMAGED);
    of_another_number(315, 311, FOB_OK);
    of_another_number(315, 310, FOB_DAMAGED);
    of_another_number(45, 46, FOB_OK);
    of_another_number(45, 61, FOB_DAMAGED);
    of_another_number(49, 42, FOB_OK);
    of_another_number(49, 45, FOB_DAMAGED); /* came back too */
    of_another_number(49, 61, FOB_DAMAGED); /* was never out */
}

static void a_group_above_the_head_of_its_checkpoint_is_damage(void **state) {
    (void)state;
    of_another_number(10000, 400, FOB_OK);
    of_another_number(10000, 314, FOB_DAMAGED);
    of_another_number(50, 10001, FOB_OK);
    of_another_number(50, 10002, FOB_DAMAGED);
}

/* The same of a core to which something was added. */
static void of_this(void (*add)(fob_core_t *whole), uint64_t old, uint64_t new, fob_status_t want) {
    fob_core_t *whole = whole_core(1 << 20);
    add(whole);
    fob_core_destroy(&core);
    assert_int_equal(setup(NULL), 0);
    fob_status_t status = load_changed(whole, old, new);
    if (status != want)
        fail_msg("%llu as %llu: %d", (unsigned long long)old, (unsigned long long)new, (int)status);
    fob_core_destroy(&whole);
}

static void add_moved(fob_core_t *whole) {
    assert_true(fob_moved_reserve(&whole->moved, 2));
    fob_moved_add(&whole->moved, 7001, 9001);
    fob_moved_add(&whole->moved, 7002, 9002);
}

static void a_moved_event_that_cannot_be_is_damage(void **state) {
    (void)state;
    of_this(add_moved, 7001, 7000, FOB_OK);
    of_this(add_moved, 7001, 0, FOB_DAMAGED);
    of_this(add_moved, 7001, 9001, FOB_DAMAGED); /* at its own place */
    of_this(add_moved, 7002, 7001, FOB_DAMAGED); /* at two */
    of_this(add_moved, 9001, 9002, FOB_DAMAGED); /* with another */
    of_this(add_moved, 9002, 10000, FOB_OK);
    of_this(add_moved, 9002, 10001, FOB_DAMAGED); /* above the head */
    of_this(add_moved, 2, 3, FOB_DAMAGED);
}

static void add_session(fob_core_t *whole) {
    static const uint8_t session[FOB_SESSION_SIZE] = "of this test";
    assert_true(fob_writers_reserve(&whole->writers, session, 2));
    fob_writer_t *writer = fob_writers_see(&whole->writers, session, 50001);
    writer->next = 80010;
    writer->low = 60001;
    fob_writer_answer(writer, (fob_answer_t){.number = 70001, .offset = 9501, .count = 5});
    fob_writer_answer(writer, (fob_answer_t){.number = 80001, .offset = 9801, .count = 9});
}

static void a_session_whose_answers_cannot_be_is_damage(void **state) {
    (void)state;
    of_this(add_session, 80010, 80011, FOB_OK);
    of_this(add_session, 80010, 80009, FOB_DAMAGED); /* the last was answered */
    of_this(add_session, 80010, 80000, FOB_DAMAGED);
    of_this(add_session, 80010, 0, FOB_DAMAGED);
    of_this(add_session, 80010, UINT64_MAX, FOB_DAMAGED);
    of_this(add_session, 60001, 80010, FOB_OK);
    of_this(add_session, 60001, 80011, FOB_DAMAGED); /* low above next */
    of_this(add_session, 70001, 0, FOB_DAMAGED);
    of_this(add_session, 70001, UINT64_MAX - 2, FOB_DAMAGED);
    of_this(add_session, 80001, 70005, FOB_DAMAGED); /* answered twice */
    of_this(add_session, 80001, 70006, FOB_OK);
    of_this(add_session, 9501, FOB_RECORD_NUMBER_MAX, FOB_OK);
    of_this(add_session, 9501, FOB_RECORD_NUMBER_MAX + 1, FOB_DAMAGED);
    of_this(add_session, 50001, (uint64_t)FOB_RECORD_TIME_MAX + 1, FOB_DAMAGED);
}

static void add_ids(fob_core_t *whole) {
    whole_ids(whole, 9701, 9701);
    whole_ids(whole, 9801, 9801);
}

static void ids_out_of_order_are_damage(void **state) {
    (void)state;
    of_this(add_ids, 9801, 9702, FOB_OK);
    of_this(add_ids, 9801, 9701, FOB_DAMAGED);
    of_this(add_ids, 9801, FOB_RECORD_NUMBER_MAX + 1, FOB_DAMAGED);
    of_this(add_ids, 9701, 40, FOB_DAMAGED); /* as the one before */
}

FOB_MAIN(FOB_CASE_WITH(a_checkpoint_with_impossible_numbers_is_damage, setup, teardown),
         FOB_CASE_WITH(an_event_at_two_places_of_a_checkpoint_is_damage, setup, teardown),
         FOB_CASE_WITH(a_group_above_the_head_of_its_checkpoint_is_damage, setup, teardown),
         FOB_CASE_WITH(a_moved_event_that_cannot_be_is_damage, setup, teardown),
         FOB_CASE_WITH(a_session_whose_answers_cannot_be_is_damage, setup, teardown),
         FOB_CASE_WITH(ids_out_of_order_are_damage, setup, teardown))
