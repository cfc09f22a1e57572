/* The one read for those who are no group: those of groups go first, for a while. */
#include "bus/ledger/reading.h"

#include "tests/support/case.h"

#include <stdlib.h>

static uint64_t asked, tag; /* of the false journal */
static fob_journal_code_t code;
static fob_reading_t reading;

static fob_journal_code_t read_page(fob_journal_t *self, uint64_t offset, size_t max_bytes,
                                    uint64_t with) {
    (void)self, (void)max_bytes;
    if (code == FOB_JOURNAL_OK) {
        asked = offset;
        tag = with;
    }
    return code;
}

static fob_journal_t journal = {.ops = &(fob_journal_ops_t){.read = read_page}};

static int setup(void **state) {
    (void)state;
    asked = tag = 0;
    code = FOB_JOURNAL_OK;
    reading = (fob_reading_t){0};
    return 0;
}

static int teardown(void **state) {
    (void)state;
    fob_reading_free(&reading);
    return 0;
}

static bool ask(int64_t ms, bool groups) {
    fob_now_t now = {.mono_ns = ms * FOB_MS};
    return fob_reading_ask(&reading, &journal, now, groups, 7, 1000);
}

static void take(void) {
    fob_page_t page = {.tag = tag, .memory = malloc(1), .memory_size = 1};
    assert_non_null(page.memory);
    assert_true(fob_reading_owns(&page));
    fob_reading_take(&reading, &page);
}

static void one_is_under_way_until_its_page_is_taken(void **state) {
    (void)state;
    fob_page_t page;
    assert_true(ask(0, false));
    assert_int_equal(asked, 7);
    assert_false(fob_reading_owns(&(fob_page_t){.tag = 7})); /* a group's of the same offset */
    assert_false(ask(0, false));
    assert_false(fob_reading_page(&reading, &page));
    take();
    assert_false(ask(0, false));
    assert_true(fob_reading_page(&reading, &page));
    free(page.memory);
    assert_true(ask(0, false));
}

static void reads_of_groups_go_first_but_not_for_ever(void **state) {
    (void)state;
    fob_page_t page;
    assert_false(ask(0, true));
    assert_false(ask(19, true));
    assert_true(ask(20, true));
    take();
    assert_true(fob_reading_page(&reading, &page));
    free(page.memory);
    assert_false(ask(21, true)); /* and it waits anew */
    assert_true(ask(22, false));
}

static void a_moment_without_them_begins_the_waiting_anew(void **state) {
    (void)state;
    assert_false(ask(0, true));
    code = FOB_JOURNAL_AGAIN;
    assert_false(ask(10, false)); /* it might, but the journal has too many */
    code = FOB_JOURNAL_OK;
    assert_false(ask(25, true));
    assert_true(ask(45, true));
}

static void a_page_that_nobody_takes_is_freed(void **state) {
    (void)state;
    assert_true(ask(0, false));
    take();
}

FOB_MAIN(FOB_CASE_WITH(one_is_under_way_until_its_page_is_taken, setup, teardown),
         FOB_CASE_WITH(reads_of_groups_go_first_but_not_for_ever, setup, teardown),
         FOB_CASE_WITH(a_moment_without_them_begins_the_waiting_anew, setup, teardown),
         FOB_CASE_WITH(a_page_that_nobody_takes_is_freed, setup, teardown))
