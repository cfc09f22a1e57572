/* topics: which groups want a topic, whatever is forgotten meanwhile. */
#include "bus/core/events/topics.h"
#include "tests/support/case.h"

#include <stdio.h>

#define PLACES 64u
#define MANY   1000u

static fob_topics_t topics;
static fob_group_t left, right;
static fob_group_t *both[] = {&left, &right};
static const fob_groups_t groups = {.by_id = both, .count = 2};

static int begin(void **state) {
    (void)state;
    left.pattern = fob_slice_str("left.*");
    right.pattern = fob_slice_str("right.*");
    assert_true(fob_topics_init(&topics, PLACES));
    return 0;
}

static int end(void **state) {
    (void)state;
    fob_topics_free(&topics);
    return 0;
}

/* A third of the topics is of each group, a third of none. */
static void look(unsigned i) {
    static const char *const first[] = {"left", "right", "other"};
    char name[32];
    snprintf(name, sizeof name, "%s.%u", first[i % 3], i);
    const fob_known_topic_t *topic = fob_topics_route(&topics, &groups, fob_slice_str(name));
    assert_non_null(topic);
    assert_int_equal(topic->group_count, i % 3 < 2);
    if (i % 3 < 2)
        assert_ptr_equal(topic->groups[0], both[i % 3]);
    assert_true(topics.count <= PLACES);
}

/* (The place of one that was forgotten is another's then.) */
static void more_topics_than_there_are_places_go_to_their_groups_all_the_same(void **state) {
    (void)state;
    for (int turn = 0; turn < 3; turn++)
        for (unsigned i = 0; i < MANY; i++)
            look(i);
    for (unsigned i = MANY; i-- > 0;)
        look(i);
    assert_int_equal(topics.count, PLACES);
}

static void what_is_used_is_not_forgotten(void **state) {
    (void)state;
    const fob_known_topic_t *kept = fob_topics_route(&topics, &groups, fob_slice_str("left.kept"));
    for (unsigned i = 0; i < MANY; i++) {
        look(i);
        assert_ptr_equal(fob_topics_route(&topics, &groups, fob_slice_str("left.kept")), kept);
        assert_int_equal(kept->group_count, 1);
    }
}

static void one_place_is_the_newest_topics(void **state) {
    (void)state;
    fob_topics_free(&topics);
    assert_true(fob_topics_init(&topics, 1));
    for (unsigned i = 0; i < 10; i++) {
        const fob_known_topic_t *left_one, *right_one;
        left_one = fob_topics_route(&topics, &groups, fob_slice_str("left.x"));
        assert_ptr_equal(left_one->groups[0], &left);
        right_one = fob_topics_route(&topics, &groups, fob_slice_str("right.x"));
        assert_ptr_equal(right_one->groups[0], &right);
        assert_int_equal(topics.count, 1);
    }
}

FOB_MAIN(FOB_CASE_WITH(more_topics_than_there_are_places_go_to_their_groups_all_the_same, begin,
                       end),
         FOB_CASE_WITH(what_is_used_is_not_forgotten, begin, end),
         FOB_CASE_WITH(one_place_is_the_newest_topics, begin, end))
