/* topics: which groups want a topic, and the chain of its events. */
#include "bus/core/events/topics.h"
#include "tests/support/case.h"

#include <stdio.h>

#define MANY 4000u /* so many that some share a bucket */

static fob_topics_t topics;

static int teardown(void **state) {
    (void)state;
    fob_topics_free(&topics);
    return 0;
}

static fob_link_t link_of(unsigned number, uint64_t offset) {
    char name[16];
    snprintf(name, sizeof name, "t.%u", number);
    return fob_topics_link(&topics, fob_slice_str(name), offset, 1);
}

static void each_of_many_topics_has_a_chain_of_its_own(void **state) {
    (void)state;
    assert_true(fob_topics_init(&topics, MANY));
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(link_of(i, 1 + i).nth, 1);
    for (unsigned i = MANY; i-- > 0;) {
        fob_link_t link = link_of(i, 2 * MANY - i);
        assert_int_equal(link.prev, 1 + i);
        assert_int_equal(link.born, 1 + i);
        assert_int_equal(link.nth, 2);
    }
}

/* What fell out begins anew, behind the highest event of any topic that fell out. */
static void a_topic_that_fell_out_begins_anew_and_the_others_go_on(void **state) {
    (void)state;
    assert_true(fob_topics_init(&topics, MANY));
    for (unsigned i = 0; i < MANY; i++)
        link_of(i, 1 + i);
    for (unsigned i = 0; i < MANY / 2; i++)
        link_of(MANY + i, MANY + 1 + i);
    for (unsigned i = MANY - 1; i >= MANY / 2; i--) {
        fob_link_t link = link_of(i, 10 * MANY - i);
        assert_int_equal(link.prev, 1 + i);
        assert_int_equal(link.nth, 2);
    }
    fob_link_t link = link_of(0, 20 * MANY);
    assert_int_equal(link.nth, 1);
    assert_int_equal(link.born, 20 * MANY);
    assert_int_equal(link.prev, MANY + 1); /* the oldest fell out for it */
}

FOB_MAIN(FOB_CASE_WITH(each_of_many_topics_has_a_chain_of_its_own, NULL, teardown),
         FOB_CASE_WITH(a_topic_that_fell_out_begins_anew_and_the_others_go_on, NULL, teardown))
