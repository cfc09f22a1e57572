/* chain: of each topic its last event; what the table does not know is said by its floor. */
#include "bus/core/events/lasts.h"
#include "bus/core/events/listing.h"
#include "proto/cursor.h"
#include "tests/support/case.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#define MANY 4000u

static fob_chain_t chain;
static fob_buf_t rows;
static fob_lasts_t lasts;

static int teardown(void **state) {
    (void)state;
    fob_chain_free(&chain);
    fob_buf_free(&rows);
    return 0;
}

static fob_linked_t link_name(const char *name, uint64_t offset) {
    return fob_chain_link(&chain, fob_slice_str(name), offset, 1);
}

static fob_linked_t link_of(unsigned number, uint64_t offset) {
    char name[32];
    snprintf(name, sizeof name, "t.%u.x", number);
    return link_name(name, offset);
}

/* --- the chain --- */

static void each_of_many_topics_has_a_chain_of_its_own(void **state) {
    (void)state;
    assert_true(fob_chain_init(&chain, MANY, SIZE_MAX));
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(link_of(i, 1 + i).nth, 1);
    for (unsigned i = MANY; i-- > 0;) {
        fob_linked_t link = link_of(i, 2 * MANY - i);
        assert_int_equal(link.prev, 1 + i);
        assert_int_equal(link.born, 1 + i);
        assert_int_equal(link.nth, 2);
    }
    assert_int_equal(chain.floor, 0);
}

/* What fell out begins anew, behind the highest event of any topic that fell out. */
static void a_topic_that_fell_out_begins_anew_and_the_others_go_on(void **state) {
    (void)state;
    assert_true(fob_chain_init(&chain, MANY, SIZE_MAX));
    for (unsigned i = 0; i < MANY; i++)
        link_of(i, 1 + i);
    for (unsigned i = 0; i < MANY / 2; i++)
        link_of(MANY + i, MANY + 1 + i);
    for (unsigned i = MANY - 1; i >= MANY / 2; i--) {
        fob_linked_t link = link_of(i, 10 * MANY - i);
        assert_int_equal(link.prev, 1 + i);
        assert_int_equal(link.nth, 2);
    }
    fob_linked_t link = link_of(0, 20 * MANY);
    assert_int_equal(link.nth, 1);
    assert_int_equal(link.born, 20 * MANY);
    assert_int_equal(link.prev, MANY + 1); /* the oldest fell out for it */
    assert_int_equal(chain.floor, MANY + 1);
}

static void a_hundred_thousand_topics_take_a_bounded_memory(void **state) {
    (void)state;
    struct mallinfo2 before = mallinfo2();
    assert_true(fob_chain_init(&chain, FOB_CHAIN_TOPICS, FOB_CHAIN_BYTES));
    for (unsigned i = 0; i < 100000; i++) {
        char name[64];
        snprintf(name, sizeof name, "shop.country-%u.order.placed", i);
        link_name(name, 1 + i);
    }
    assert_int_equal(chain.count, 100000);
    assert_int_equal(chain.floor, 0);
    struct mallinfo2 after = mallinfo2();
    size_t used = after.uordblks + after.hblkhd - before.uordblks - before.hblkhd;
    print_message("100,000 topics: %zu bytes, %zu for each\n", used, used / 100000);
    /* A sanitizer's allocator tells nothing. */
    assert_true(used <= 16u << 20);
}

static void names_of_full_length_take_no_more_than_their_share(void **state) {
    (void)state;
    char name[256];
    assert_true(fob_chain_init(&chain, FOB_CHAIN_TOPICS, FOB_CHAIN_BYTES));
    memset(name, 'x', 255);
    name[255] = 0;
    for (unsigned i = 0; i < FOB_CHAIN_TOPICS; i++) {
        snprintf(name, 9, "%08u", i);
        name[8] = '.';
        link_name(name, 1 + i);
    }
    assert_true(chain.bytes <= FOB_CHAIN_BYTES);
    assert_in_range(chain.count, 50000, 60000);
    assert_int_equal(chain.floor, FOB_CHAIN_TOPICS - chain.count);
}

static void a_walk_goes_on_whatever_is_linked_meanwhile(void **state) {
    (void)state;
    uint64_t last = 0, head = 100, offset = 100;
    unsigned seen = 0;
    assert_true(fob_chain_init(&chain, 100, SIZE_MAX));
    for (unsigned i = 0; i < 100; i++)
        link_of(i, 1 + i);
    fob_chain_walk(&chain);
    for (const fob_tail_t *tail; (tail = fob_chain_next(&chain)) && tail->last <= head;) {
        assert_true(tail->last > last);
        last = tail->last;
        if (++seen % 10 == 0) {
            link_of((unsigned)last, ++offset);       /* the one that is next */
            link_of(100 + (unsigned)last, ++offset); /* the oldest falls out */
        }
    }
    assert_int_equal(seen, 91);
    assert_int_equal(last, 100);
}

/* --- wholeness --- */

/* Asks about a part, and reads the rows: adds up their offsets; gives how many. */
static size_t ask_part(const char *pattern, uint64_t from, uint32_t part, uint32_t parts,
                       uint64_t *sum) {
    const fob_lasts_of_t of = {fob_slice_str(pattern), from, part, parts};
    fob_buf_clear(&rows);
    fob_lasts_write(&chain, &of, FOB_LASTS_LOOKED, &rows, &lasts);
    assert_false(rows.failed);
    fob_cursor_t cursor = fob_cursor(fob_buf_slice(&rows));
    uint32_t count, two;
    uint64_t last;
    fob_slice_t topic;
    assert_true(fob_cursor_array(&cursor, &count));
    for (uint32_t i = 0; i < count; i++) {
        assert_true(fob_cursor_array(&cursor, &two) && two == 2);
        assert_true(fob_cursor_str(&cursor, &topic) && fob_cursor_uint(&cursor, &last));
        assert_true(last > from && (lasts.more || last > lasts.floor));
        assert_int_equal(XXH3_64bits(topic.data, topic.size) % parts, part);
        *sum += last;
    }
    assert_true(fob_cursor_end(&cursor));
    return count;
}

static size_t ask(const char *pattern, uint64_t from, uint64_t *sum) {
    *sum = 0;
    return ask_part(pattern, from, 0, 1, sum);
}

static void the_last_event_of_each_topic_that_matches_is_told(void **state) {
    (void)state;
    uint64_t sum;
    assert_true(fob_chain_init(&chain, 100, SIZE_MAX));
    link_name("a.eu.x", 1);
    link_name("a.us.x", 2);
    link_name("a.us.y", 3);
    link_name("a.eu.x", 9);
    assert_int_equal(ask(">", 0, &sum), 3);
    assert_int_equal(sum, 9 + 3 + 2);
    assert_int_equal(ask("a.*.x", 0, &sum), 2);
    assert_int_equal(sum, 9 + 2);
    assert_int_equal(ask("a.*.x", 2, &sum), 1);
    assert_int_equal(ask("a.*.x", 9, &sum), 0);
    assert_int_equal(ask("a.us.y", 2, &sum), 1);
    assert_int_equal(ask("a.us.y", 3, &sum), 0);
    assert_int_equal(lasts.floor, 0);
    assert_false(lasts.more);
}

static void what_fell_out_is_below_the_floor(void **state) {
    (void)state;
    uint64_t sum;
    assert_true(fob_chain_init(&chain, 3, SIZE_MAX));
    for (unsigned i = 1; i <= 5; i++)
        link_of(i, i);
    assert_int_equal(ask(">", 0, &sum), 3);
    assert_int_equal(lasts.floor, 2);
    assert_int_equal(ask("t.1.x", 0, &sum), 0); /* it may have had one */
    assert_int_equal(lasts.floor, 2);
    assert_int_equal(ask("t.3.x", 0, &sum), 1); /* all is known of it */
    assert_int_equal(lasts.floor, 0);
}

static void more_topics_than_fit_raise_the_floor(void **state) {
    (void)state;
    uint64_t sum;
    assert_true(fob_chain_init(&chain, FOB_CHAIN_TOPICS, FOB_CHAIN_BYTES));
    for (unsigned i = 1; i <= 100000; i++)
        link_of(i, i);
    size_t told = ask(">", 0, &sum);
    assert_true(lasts.more && rows.size <= FOB_LASTS_BYTES + 5);
    assert_in_range(told, 8000, FOB_LASTS_LOOKED);
    assert_int_equal(lasts.floor, 100000);
    assert_int_equal(lasts.parts, FOB_CHAIN_PARTS); /* so it had better be asked */
    assert_int_equal(ask("nothing.*", 0, &sum), 0); /* and a look at all takes too long */
    assert_true(lasts.more);
    assert_int_equal(lasts.looked, FOB_LASTS_LOOKED);
    assert_int_equal(lasts.floor, 100000);
    assert_int_equal(ask(">", 99000, &sum), 1000);
    assert_false(lasts.more);
    assert_int_equal(lasts.parts, 1);
}

/* A question about a part looks at nothing else, and has an answer where one about all has none. */
static void all_topics_are_told_in_parts(void **state) {
    (void)state;
    const char *const patterns[] = {">", "*.*.x", "t.7777.*"};
    const size_t matching[] = {FOB_CHAIN_TOPICS, FOB_CHAIN_TOPICS, 1};
    assert_true(fob_chain_init(&chain, FOB_CHAIN_TOPICS, FOB_CHAIN_BYTES));
    for (unsigned i = 1; i <= FOB_CHAIN_TOPICS; i++)
        link_of(i, i);
    for (int p = 0; p < 3; p++) {
        uint64_t sum = 0;
        size_t told = 0, looked = 0;
        for (uint32_t part = 0; part < FOB_CHAIN_PARTS; part++) {
            told += ask_part(patterns[p], 0, part, FOB_CHAIN_PARTS, &sum);
            assert_false(lasts.more);
            assert_in_range(lasts.looked, 1, FOB_LASTS_LOOKED / 2);
            assert_in_range(lasts.parts, 16, FOB_CHAIN_PARTS); /* it goes on like this */
            looked += lasts.looked;
        }
        assert_int_equal(told, matching[p]);
        assert_int_equal(looked, FOB_CHAIN_TOPICS);
        if (p < 2)
            assert_int_equal(sum, (uint64_t)FOB_CHAIN_TOPICS * (FOB_CHAIN_TOPICS + 1) / 2);
    }
}

static void one_topic_is_told_in_its_part_only(void **state) {
    (void)state;
    uint64_t sum = 0;
    size_t told = 0;
    assert_true(fob_chain_init(&chain, 100, SIZE_MAX));
    link_of(5, 11);
    for (uint32_t part = 0; part < 16; part++)
        told += ask_part("t.5.x", 0, part, 16, &sum);
    assert_int_equal(told, 1);
    assert_int_equal(sum, 11);
}

static size_t list(const char *pattern, uint64_t from, uint64_t head, uint64_t *offsets) {
    fob_listing_t listing;
    size_t count = 0;
    fob_listing_begin(&listing, &chain, from, head);
    while (!fob_listing_step(&listing, &chain, fob_slice_str(pattern), offsets, 3, &count))
        assert_int_equal(listing.looked, FOB_LISTING_LOOKED);
    return count;
}

static void offsets_alone_come_lowest_first(void **state) {
    (void)state;
    uint64_t offsets[3];
    assert_true(fob_chain_init(&chain, 100, SIZE_MAX));
    for (unsigned i = 1; i <= 10; i++)
        link_of(i, i);
    link_of(5, 11);
    assert_int_equal(list("t.>", 4, 11, offsets), 3);
    assert_int_equal(offsets[0], 4);
    assert_int_equal(offsets[1], 6);
    assert_int_equal(offsets[2], 7);
    assert_int_equal(list("t.>", 1, 11, offsets), 3); /* from the beginning again */
    assert_int_equal(offsets[0], 1);
    assert_int_equal(list("t.>", 9, 10, offsets), 2); /* the eleventh came later */
    assert_int_equal(list("t.5.x", 4, 11, offsets), 1);
    assert_int_equal(offsets[0], 11);
    assert_int_equal(list("t.5.x", 12, 12, offsets), 0);
    assert_int_equal(list("t.5.x", 1, 10, offsets), 0);
    assert_int_equal(list("u.*", 1, 11, offsets), 0);
}

/* Below the floor there may be others, but of a topic that is known nothing else is wanted. */
static void of_one_known_topic_no_floor_is_told(void **state) {
    (void)state;
    fob_listing_t listing;
    uint64_t offset;
    size_t count = 0;
    assert_true(fob_chain_init(&chain, 2, SIZE_MAX));
    for (unsigned i = 1; i <= 5; i++)
        link_of(i, i);
    fob_listing_begin(&listing, &chain, 1, 5);
    assert_true(fob_listing_step(&listing, &chain, fob_slice_str("t.5.x"), &offset, 1, &count));
    assert_int_equal(count, 1);
    assert_int_equal(listing.floor, 0);
    assert_true(fob_listing_step(&listing, &chain, fob_slice_str("t.1.x"), &offset, 1, &count));
    assert_int_equal(count, 1);
    assert_int_equal(listing.floor, 3);
}

static void topics_that_come_and_go_while_they_are_listed_disturb_nothing(void **state) {
    (void)state;
    static uint64_t offsets[3 * FOB_LISTING_LOOKED];
    const unsigned many = 2 * FOB_LISTING_LOOKED;
    fob_listing_t listing;
    size_t count = 0;
    assert_true(fob_chain_init(&chain, many, SIZE_MAX));
    for (unsigned i = 1; i <= many; i++)
        link_of(i, i);
    fob_listing_begin(&listing, &chain, 1, many);
    assert_false(fob_listing_step(&listing, &chain, fob_slice_str("t.>"), offsets, many, &count));
    assert_int_equal(count, FOB_LISTING_LOOKED);
    link_of(FOB_LISTING_LOOKED + 1, many + 1); /* the very one that would be looked at next */
    link_of(many + 1, many + 2);               /* and the oldest falls out */
    assert_true(fob_listing_step(&listing, &chain, fob_slice_str("t.>"), offsets, many, &count));
    assert_int_equal(count, many - 1);
    assert_int_equal(offsets[FOB_LISTING_LOOKED], FOB_LISTING_LOOKED + 2);
    assert_int_equal(offsets[count - 1], many);
    assert_int_equal(listing.floor, 1);
}

FOB_MAIN(FOB_CASE_WITH(each_of_many_topics_has_a_chain_of_its_own, NULL, teardown),
         FOB_CASE_WITH(a_topic_that_fell_out_begins_anew_and_the_others_go_on, NULL, teardown),
         FOB_CASE_WITH(a_hundred_thousand_topics_take_a_bounded_memory, NULL, teardown),
         FOB_CASE_WITH(names_of_full_length_take_no_more_than_their_share, NULL, teardown),
         FOB_CASE_WITH(a_walk_goes_on_whatever_is_linked_meanwhile, NULL, teardown),
         FOB_CASE_WITH(the_last_event_of_each_topic_that_matches_is_told, NULL, teardown),
         FOB_CASE_WITH(what_fell_out_is_below_the_floor, NULL, teardown),
         FOB_CASE_WITH(more_topics_than_fit_raise_the_floor, NULL, teardown),
         FOB_CASE_WITH(all_topics_are_told_in_parts, NULL, teardown),
         FOB_CASE_WITH(one_topic_is_told_in_its_part_only, NULL, teardown),
         FOB_CASE_WITH(offsets_alone_come_lowest_first, NULL, teardown),
         FOB_CASE_WITH(of_one_known_topic_no_floor_is_told, NULL, teardown),
         FOB_CASE_WITH(topics_that_come_and_go_while_they_are_listed_disturb_nothing, NULL,
                       teardown))
