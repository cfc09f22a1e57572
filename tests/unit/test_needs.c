/* Pages that the journal cannot be asked for yet are asked for later, and none is lost. */
#include "bus/ledger/needs.h"

#include "tests/support/case.h"

#define FULL 4 /* pages that the false journal takes */

/* A journal that only reads, and as long as its code is OK no more than it has room for. */
static struct {
    fob_journal_code_t code;
    uint64_t offsets[64];
    size_t count, room;
} fake;

static fob_journal_code_t read_page(fob_journal_t *self, uint64_t offset, size_t max_bytes,
                                    uint64_t tag) {
    (void)self;
    assert_int_equal(tag, offset);
    assert_int_equal(max_bytes, 100);
    if (fake.code != FOB_JOURNAL_OK)
        return fake.code;
    if (fake.count == fake.room)
        return FOB_JOURNAL_AGAIN;
    fake.offsets[fake.count++] = offset;
    return FOB_JOURNAL_OK;
}

static fob_journal_t journal = {.ops = &(fob_journal_ops_t){.read = read_page}};

static fob_now_t at(int64_t ms) {
    return (fob_now_t){ms * FOB_MS, 0};
}

static void begin(fob_journal_code_t code, size_t room) {
    fake.code = code;
    fake.count = 0;
    fake.room = room;
}

static void a_page_is_asked_for_at_once_where_that_can_be(void **state) {
    (void)state;
    fob_needs_t needs = {0};
    begin(FOB_JOURNAL_OK, FULL);
    assert_true(fob_needs_ask(&needs, &journal, at(0), 7, 100));
    assert_int_equal(fake.count, 1);
    assert_int_equal(fake.offsets[0], 7);
    assert_true(fob_needs_deadline(&needs) == INT64_MAX);
    fob_needs_free(&needs);
}

static void what_a_busy_journal_does_not_take_is_asked_for_soon_in_its_order(void **state) {
    (void)state;
    fob_needs_t needs = {0};
    begin(FOB_JOURNAL_OK, FULL);
    for (uint64_t offset = 1; offset <= 40; offset++)
        assert_true(fob_needs_ask(&needs, &journal, at(0), offset, 100));
    assert_int_equal(fake.count, FULL);
    assert_int_equal(fob_needs_deadline(&needs), FOB_MS);
    fob_needs_again(&needs, &journal, at(0)); /* not due */
    assert_int_equal(fake.count, FULL);
    for (int64_t ms = 1; fob_needs_deadline(&needs) != INT64_MAX; ms += 5) {
        assert_true(ms < 100);
        fake.room += FULL;
        fob_needs_again(&needs, &journal, at(ms));
    }
    assert_int_equal(fake.count, 40);
    for (uint64_t i = 0; i < 40; i++)
        assert_int_equal(fake.offsets[i], i + 1);
    fob_needs_free(&needs);
}

static void what_the_system_refuses_is_not_asked_for_all_the_time(void **state) {
    (void)state;
    fob_needs_t needs = {0};
    begin(FOB_JOURNAL_SYSTEM, FULL);
    assert_true(fob_needs_ask(&needs, &journal, at(50), 7, 100));
    assert_int_equal(fob_needs_deadline(&needs), 50 * FOB_MS + FOB_NEEDS_AFTER);
    begin(FOB_JOURNAL_OK, FULL);
    fob_needs_again(&needs, &journal, at(149));
    assert_int_equal(fake.count, 0);
    fob_needs_again(&needs, &journal, at(150));
    assert_int_equal(fake.count, 1);
    assert_true(fob_needs_deadline(&needs) == INT64_MAX);
    fob_needs_free(&needs);
}

static void the_earliest_one_says_when(void **state) {
    (void)state;
    fob_needs_t needs = {0};
    begin(FOB_JOURNAL_OK, FULL);
    assert_true(fob_needs_later(&needs, 1, 100, 30));
    assert_true(fob_needs_later(&needs, 2, 100, 10));
    assert_true(fob_needs_later(&needs, 3, 100, 20));
    assert_int_equal(fob_needs_deadline(&needs), 10);
    fob_needs_free(&needs);
    assert_true(fob_needs_deadline(&needs) == INT64_MAX);
}

FOB_MAIN(FOB_CASE(a_page_is_asked_for_at_once_where_that_can_be),
         FOB_CASE(what_a_busy_journal_does_not_take_is_asked_for_soon_in_its_order),
         FOB_CASE(what_the_system_refuses_is_not_asked_for_all_the_time),
         FOB_CASE(the_earliest_one_says_when))
