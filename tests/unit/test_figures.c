#include "tests/support/case.h"

#include "bus/report/figures.h"

#define MIB UINT64_C(1048576)

static const char *why(uint64_t bytes, uint64_t pinned) {
    static char text[1024];
    fob_group_stats_t group = {.bytes = bytes, .floor = 7, .why = "3 unsettled"};
    fob_figures_why(&group, pinned, text, sizeof text);
    return text;
}

static void little_that_keeps_much_of_the_journal_says_so(void **state) {
    (void)state;
    assert_string_equal(why(108, 56 * MIB),
                        "3 unsettled; because of it the journal keeps 56.0 MiB, from event 7 on");
    assert_non_null(strstr(why(2 * MIB - 1, 16 * MIB), "because of it the journal keeps 16.0 MiB"));
}

static void a_backlog_that_is_the_journal_is_no_news(void **state) {
    (void)state;
    assert_string_equal(why(2 * MIB, 16 * MIB), "3 unsettled");
    assert_string_equal(why(0, 16 * MIB - 1), "3 unsettled");
    assert_string_equal(why(0, 0), "3 unsettled");
}

/* The longest that the core says, and the largest numbers. */
static void the_longest_sentence_has_room(void **state) {
    (void)state;
    char text[sizeof((fob_group_stats_t *)0)->why + 128];
    fob_group_stats_t group = {.bytes = UINT64_C(1) << 59, .floor = INT64_MAX};
    memset(group.why, 'w', sizeof group.why - 1);
    fob_figures_why(&group, UINT64_MAX, text, sizeof text);
    assert_non_null(strstr(text, "EiB"));
    assert_true(strlen(text) < sizeof text - 1);
}

FOB_MAIN(FOB_CASE(little_that_keeps_much_of_the_journal_says_so),
         FOB_CASE(a_backlog_that_is_the_journal_is_no_news),
         FOB_CASE(the_longest_sentence_has_room))
