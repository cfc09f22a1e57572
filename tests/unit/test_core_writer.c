/* writer: what a publisher's session was answered, as rows of numbers. */
#include "bus/core/publish/writer.h"
#include "tests/support/case.h"

static const uint8_t session[FOB_SESSION_SIZE] = "0123456789abcde";
static fob_writers_t writers;
static fob_writer_t *writer;

static int setup(void **state) {
    (void)state;
    if (!fob_writers_init(&writers, 10, 1000, 0) || !fob_writers_reserve(&writers, session, 20))
        return -1;
    writer = fob_writers_see(&writers, session, 1);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    fob_writers_free(&writers);
    return 0;
}

static void answer(uint64_t number, uint64_t offset, uint32_t count, uint32_t flags) {
    fob_writer_answer(writer, (fob_answer_t){number, offset, count, 2, flags});
}

static void row_is(uint32_t index, uint64_t number, uint64_t offset, uint32_t count) {
    const fob_answer_t *row = fob_writer_at(writer, index);
    assert_int_equal(row->number, number);
    assert_int_equal(row->offset, offset);
    assert_int_equal(row->count, count);
}

static void what_goes_on_in_numbers_and_offsets_is_one_row(void **state) {
    (void)state;
    answer(1, 101, 3, 0);
    answer(4, 104, 2, 0);
    assert_int_equal(writer->count, 1);
    row_is(0, 1, 101, 5);
    answer(6, 107, 1, 0); /* another's event lies between */
    answer(8, 109, 1, 0);
    assert_int_equal(writer->count, 3);
}

static void what_differs_in_more_than_its_place_is_a_row_of_its_own(void **state) {
    (void)state;
    answer(1, 101, 3, 0);
    answer(4, 104, 2, 1);
    answer(6, 106, 1, 1);
    fob_writer_answer(writer, (fob_answer_t){7, 107, 1, 3, 1});
    assert_int_equal(writer->count, 3);
    row_is(1, 4, 104, 3);
    row_is(2, 7, 107, 1);
}

/* Duplicates of neighbours, of which the first was refused for a time. */
static void what_comes_into_a_hole_joins_the_row_behind_it(void **state) {
    (void)state;
    answer(1, 50, 1, 0);
    answer(5, 105, 2, 1);
    answer(3, 103, 2, 1);
    assert_int_equal(writer->count, 2);
    row_is(0, 1, 50, 1);
    row_is(1, 3, 103, 4);
}

static void what_fills_a_hole_makes_one_row_of_both_sides(void **state) {
    (void)state;
    for (uint64_t n = 0; n < 3; n++)
        answer(100 + 2 * n, 500, 1, 0);
    answer(10, 210, 2, 1);
    answer(15, 215, 1, 1);
    answer(12, 212, 3, 1);
    assert_int_equal(writer->count, 4);
    row_is(0, 10, 210, 6);
    for (uint32_t n = 0; n < 3; n++)
        row_is(1 + n, 100 + 2 * n, 500, 1);
}

/* Whichever side is the shorter is moved. */
static void rows_stay_in_order_wherever_one_comes_between(void **state) {
    (void)state;
    static const uint64_t numbers[] = {50, 10, 30, 90, 70, 20, 80, 60, 40};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        answer(numbers[i], 1000 - numbers[i], 1, 0);
    assert_int_equal(writer->count, 9);
    for (uint32_t i = 0; i < 9; i++)
        row_is(i, 10 * (i + 1), 1000 - 10 * (i + 1), 1);
    assert_true(fob_writer_free_of(writer, 31, 9));
    assert_false(fob_writer_free_of(writer, 31, 10));
    assert_false(fob_writer_free_of(writer, 30, 1));
}

static void what_has_its_receipt_is_forgotten(void **state) {
    (void)state;
    answer(1, 101, 4, 0);
    answer(10, 200, 2, 0);
    fob_writer_move(writer, 12, 4);
    assert_int_equal(writer->count, 2); /* 4 is in it */
    fob_writer_move(writer, 12, 5);
    assert_int_equal(writer->count, 1);
    row_is(0, 10, 200, 2);
    fob_writer_move(writer, 11, 3); /* neither goes back */
    assert_int_equal(writer->next, 12);
    assert_int_equal(writer->low, 5);
}

/* Sessions 1 to 9 are seen, at 11 to 19; `gone`: and leave, at 1 to 9. */
static void nine_more(bool gone) {
    for (uint8_t i = 1; i < 10; i++) {
        const uint8_t other[FOB_SESSION_SIZE] = {i};
        assert_true(fob_writers_reserve(&writers, other, 1));
        fob_writer_t *seen = fob_writers_see(&writers, other, 10 + i);
        if (gone)
            fob_writers_leave(&writers, seen, i, false);
    }
}

/* A session that was not seen for longest goes first, and takes no more than must go. */
static void who_was_not_seen_for_longest_is_due_first(void **state) {
    (void)state;
    const uint8_t *due[8];
    const uint8_t other[FOB_SESSION_SIZE] = {99};
    nine_more(true);
    assert_int_equal(fob_writers_due(&writers, session, 9, 20, due, 8), 0); /* known: no new one */
    assert_int_equal(fob_writers_due(&writers, other, 9, 20, due, 8), 1);
    assert_int_equal(due[0][0], 1);
    assert_int_equal(fob_writers_due(&writers, other, 9, 1015, due, 8), 4); /* seen at 11..14 */
    assert_int_equal(fob_writers_due(&writers, other, 9, 9999, due, 8), 8);
}

static void who_is_there_is_not_forgotten_and_leaves_no_room_for_more(void **state) {
    (void)state;
    const uint8_t *due[8];
    const uint8_t other[FOB_SESSION_SIZE] = {99};
    nine_more(false);
    assert_int_equal(fob_writers_due(&writers, other, 9, 9999, due, 8), 0);
    assert_true(fob_writers_full(&writers, 9));
    fob_writers_leave(&writers, writer, 5, false);
    assert_false(fob_writers_full(&writers, 9));
    assert_int_equal(fob_writers_due(&writers, other, 9, 20, due, 8), 1);
    assert_memory_equal(due[0], session, FOB_SESSION_SIZE);
    fob_writers_return(&writers, writer);
    assert_true(fob_writers_full(&writers, 9));
}

/* Its client may have its first events in doubt, and nothing else would tell that it was known. */
static void who_left_with_nothing_answered_stays_for_the_grace_unless_it_was_done(void **state) {
    (void)state;
    const uint8_t *due[8];
    const uint8_t other[FOB_SESSION_SIZE] = {9};
    writers.max = 1;
    writers.grace_ns = 100;
    fob_writer_move(writer, 5, 1);
    fob_writers_leave(&writers, writer, 1000, false);
    assert_true(fob_writers_full(&writers, 1099));
    assert_int_equal(fob_writers_due(&writers, other, 1099, 99999, due, 8), 0);
    assert_false(fob_writers_full(&writers, 1100));
    assert_int_equal(fob_writers_due(&writers, other, 1100, 2, due, 8), 1);
    fob_writers_leave(&writers, writer, 1000, true);
    assert_false(fob_writers_full(&writers, 1001));
    fob_writer_move(writer, 5, 2); /* the first has its answer: it would be missed */
    fob_writers_leave(&writers, writer, 1000, false);
    assert_false(fob_writers_full(&writers, 1001));
    fob_writer_move(writer, 5, 2);
    fob_writers_start(&writers, 1000);
    assert_false(fob_writers_full(&writers, 1000));
}

/* So that those who come and go in good order, however many, take the place of nobody. */
static void who_is_done_goes_at_once_and_before_all_others(void **state) {
    (void)state;
    const uint8_t *due[8];
    uint8_t other[FOB_SESSION_SIZE] = {0};
    writers.grace_ns = 100;
    fob_writer_move(writer, 5, 2);
    fob_writers_leave(&writers, writer, 1, false); /* away for longest */
    for (uint8_t i = 1; i < 4; i++) {
        other[0] = i;
        assert_true(fob_writers_reserve(&writers, other, 1));
        fob_writers_leave(&writers, fob_writers_see(&writers, other, 10), 10, i != 2);
    }
    other[0] = 99;
    assert_int_equal(fob_writers_due(&writers, other, 20, 20, due, 8),
                     2); /* though there is room */
    assert_int_equal(due[0][0], 1);
    assert_int_equal(due[1][0], 3);
    writers.max = 3;
    assert_int_equal(fob_writers_due(&writers, other, 20, 20, due, 8), 2);
    writers.max = 2;
    assert_int_equal(fob_writers_due(&writers, other, 20, 20, due, 8), 3);
    assert_memory_equal(due[2], session, FOB_SESSION_SIZE);
    other[0] = 1;
    fob_writers_return(&writers, fob_writers_find(&writers, other)); /* it is there all the same */
    assert_int_equal(fob_writers_due(&writers, other, 20, 20, due, 1), 1);
    assert_int_equal(due[0][0], 3);
}

static void of_two_that_left_who_left_first_goes_first(void **state) {
    (void)state;
    const uint8_t *due[8];
    const uint8_t second[FOB_SESSION_SIZE] = {2}, other[FOB_SESSION_SIZE] = {9};
    writers.max = 1;
    writers.grace_ns = 100;
    assert_true(fob_writers_reserve(&writers, second, 1));
    fob_writer_move(fob_writers_see(&writers, second, 3), 9, 8);
    fob_writers_leave(&writers, fob_writers_find(&writers, second), 500, false);
    fob_writers_leave(&writers, writer, 450, false);
    assert_int_equal(fob_writers_due(&writers, other, 520, 4, due, 8), 1); /* one has its grace */
    assert_memory_equal(due[0], second, FOB_SESSION_SIZE);
    assert_int_equal(fob_writers_due(&writers, other, 600, 4, due, 8), 2);
    assert_memory_equal(due[0], session, FOB_SESSION_SIZE);
    assert_memory_equal(due[1], second, FOB_SESSION_SIZE);
}

FOB_MAIN(FOB_CASE_WITH(what_goes_on_in_numbers_and_offsets_is_one_row, setup, teardown),
         FOB_CASE_WITH(what_differs_in_more_than_its_place_is_a_row_of_its_own, setup, teardown),
         FOB_CASE_WITH(what_comes_into_a_hole_joins_the_row_behind_it, setup, teardown),
         FOB_CASE_WITH(what_fills_a_hole_makes_one_row_of_both_sides, setup, teardown),
         FOB_CASE_WITH(rows_stay_in_order_wherever_one_comes_between, setup, teardown),
         FOB_CASE_WITH(what_has_its_receipt_is_forgotten, setup, teardown),
         FOB_CASE_WITH(who_is_there_is_not_forgotten_and_leaves_no_room_for_more, setup, teardown),
         FOB_CASE_WITH(who_left_with_nothing_answered_stays_for_the_grace_unless_it_was_done, setup,
                       teardown),
         FOB_CASE_WITH(who_is_done_goes_at_once_and_before_all_others, setup, teardown),
         FOB_CASE_WITH(of_two_that_left_who_left_first_goes_first, setup, teardown),
         FOB_CASE_WITH(who_was_not_seen_for_longest_is_due_first, setup, teardown))
