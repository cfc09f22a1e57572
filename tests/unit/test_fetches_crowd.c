/* Many who fetch: how many wait costs nothing, each has its turn, and what they do not take is
 * bounded. */
#include "tests/support/case.h"

#include "fetch_kit.h"

#include "bus/core/events/listing.h"
#include "bus/fetch/treap.h"
#include "bus/fetch/unsent.h"
#include "tests/support/seeds.h"

#include <stdlib.h>

/* --- by number --- */

#define NODES 400

static void compare(const fob_treap_t *treap, const fob_node_t *nodes, const bool *in) {
    for (uint64_t key = 0; key <= 52; key++) {
        const fob_node_t *want = NULL;
        for (size_t i = 0; i < NODES; i++)
            if (in[i] && nodes[i].key >= key &&
                (!want || nodes[i].key < want->key ||
                 (nodes[i].key == want->key && nodes[i].turn < want->turn)))
                want = &nodes[i];
        assert_ptr_equal(fob_treap_from(treap, key), want);
    }
}

static void a_treap_finds_the_lowest_from_a_key_on_and_of_these_the_first(void **state) {
    (void)state;
    static fob_node_t nodes[NODES];
    bool in[NODES] = {false};
    fob_treap_t treap = NULL;
    srand(1);
    for (uint64_t step = 1; step <= 4000; step++) {
        size_t i = (size_t)rand() % NODES;
        if (in[i]) {
            fob_treap_remove(&treap, &nodes[i]);
        } else {
            nodes[i].key = (uint64_t)rand() % 50;
            nodes[i].turn = step;
            fob_treap_add(&treap, &nodes[i]);
        }
        in[i] = !in[i];
        if (step % 50 == 0)
            compare(&treap, nodes, in);
    }
}

/* How far a search goes down. */
static size_t depth(const fob_node_t *node) {
    size_t less = node ? depth(node->less) : 0, more = node ? depth(node->more) : 0;
    return node ? 1 + (less > more ? less : more) : 0;
}

static void a_treap_stays_flat_whoever_comes_in_which_order(void **state) {
    (void)state;
    const size_t many = 10000;
    for (int kind = 0; kind < 3; kind++) {
        fob_node_t *nodes = calloc(many, sizeof *nodes);
        fob_treap_t treap = NULL;
        assert_non_null(nodes);
        for (uint64_t i = 0; i < many; i++) {
            nodes[i].turn = i + 1;
            nodes[i].key = kind == 0 ? i : kind == 1 ? many - i : 7;
            fob_treap_add(&treap, &nodes[i]);
        }
        assert_true(depth(treap) < 64);
        free(nodes);
    }
}

/* --- turns --- */

#define CLIENTS 200
#define RECORDS 300

static const char *const shop[] = {"shop.eu.placed", "shop.us.placed", "shop.eu.paid", "other"};

static void fill(void) {
    for (size_t i = 0; i < RECORDS; i++)
        kit_events(shop, 4, 100, 500); /* 15 MiB, 60 pages */
}

typedef struct {
    uint64_t conn;  /* 0: it waits for nothing */
    uint64_t from;  /* asked for; */
    size_t answers; /* that all had when it asked */
} client_t;

static void ask_somewhere(client_t *client, size_t slot, uint64_t hello, uint64_t near) {
    bool latest = rand() % 20 == 0;
    client->conn = hello << 32 | (slot + 1);
    client->from = rand() % 2 ? near : 1 + (uint64_t)rand() % (RECORDS * 100 + 50);
    client->answers = kit.answer_count;
    kit_ask_for(&(fob_fetch_t){.conn = client->conn,
                               .pattern = fob_slice_str(rand() % 3 ? ">" : "shop.*.placed"),
                               .from = client->from,
                               .limit = (uint64_t)rand() % 20,
                               .latest = latest});
}

/* It got what lies at its place, and within so many answers to others. */
static void check(client_t *clients, const kit_answer_t *answer) {
    client_t *client = &clients[(uint32_t)answer->conn - 1];
    assert_true(client->conn == answer->conn);
    assert_true(answer->next >= client->from);
    assert_true(answer->count == 0 || answer->offsets[0] >= client->from);
    assert_true(kit.answer_count - client->answers <= 20 * CLIENTS);
    client->conn = 0;
}

/* How many were answered. */
static size_t live(uint64_t seed) {
    client_t clients[CLIENTS] = {{0}};
    size_t seen = 0;
    srand((unsigned)seed);
    kit_begin(NULL);
    fill();
    for (uint64_t step = 1; step <= 6000; step++) {
        size_t slot = (size_t)rand() % CLIENTS;
        if (!clients[slot].conn) {
            ask_somewhere(&clients[slot], slot, step, 1 + step % 30000);
        } else if (rand() % 10 == 0) {
            fob_fetches_forget(kit.fetches, clients[slot].conn);
            clients[slot].conn = 0;
        }
        kit.held = rand() % 4 == 0;
        kit_round(rand() % 3);
        for (; seen < kit.answer_count; seen++)
            check(clients, &kit.answers[seen]);
    }
    kit.held = false;
    fob_fetches_stats_t stats;
    for (fob_fetches_stats(kit.fetches, &stats); stats.waiting > 0;
         fob_fetches_stats(kit.fetches, &stats)) {
        kit_wait(kit.answer_count + 1);
        for (; seen < kit.answer_count; seen++)
            check(clients, &kit.answers[seen]);
    }
    for (size_t i = 0; i < CLIENTS; i++)
        assert_true(clients[i].conn == 0);
    kit_end(NULL);
    return seen;
}

static void whoever_comes_and_goes_each_is_answered_in_a_bounded_time(void **state) {
    (void)state;
    seeds_t seeds = seeds_given(1, 3);
    for (uint64_t i = 0; i < seeds.count; i++) {
        size_t seen = live(seeds.first + i);
        assert_true(seeds.chosen || seen > 1000);
    }
}

/* --- while the journal goes and breaks --- */

#define LISTENERS 6

typedef struct {
    uint64_t next, got, gone;
} listener_t;

/* All of next..answer->next - 1 came, in order, or is told to be gone; never both. */
static void cover(listener_t *listener, const kit_answer_t *answer) {
    size_t event = 0, row = 0;
    assert_true(answer->next > listener->next || listener->next > answer->head);
    while (row < answer->gone_count && answer->gone[row][1] < listener->next)
        row++;
    for (uint64_t offset = listener->next; offset < answer->next; offset++) {
        bool came = event < answer->count && answer->offsets[event] == offset;
        while (row < answer->gone_count && answer->gone[row][1] < offset)
            row++;
        bool gone = row < answer->gone_count && answer->gone[row][0] <= offset;
        assert_true(came != gone);
        event += came;
        listener->got += came;
        listener->gone += gone;
    }
    assert_int_equal(event, answer->count);
    listener->next = answer->next;
}

static void harm(uint64_t *trimmed) {
    uint64_t at = *trimmed + (uint64_t)rand() % (kit.head - *trimmed);
    if (rand() % 30 == 0 && *trimmed + 5000 < kit.head)
        kit_trim(*trimmed += (uint64_t)rand() % 1500);
    if (rand() % 20 == 0)
        kit_damage(at, at + (uint64_t)rand() % 300);
    if (rand() % 20 == 0)
        kit_spoil(at + 1);
    kit.held = rand() % 3 == 0; /* what was read before is told as it was */
    kit.fails = rand() % 20 == 0 ? FOB_JOURNAL_SYSTEM : FOB_JOURNAL_OK;
}

/* How many events were gone of all that were asked for. */
static uint64_t live_harmed(uint64_t seed) {
    listener_t listeners[LISTENERS] = {{0}};
    uint64_t trimmed = 0, gone = 0;
    srand((unsigned)seed);
    kit_begin(NULL);
    fill();
    for (uint64_t i = 0; i < LISTENERS; i++) {
        listeners[i].next = 1 + 3000 * i;
        kit_ask(1 + i, ">", listeners[i].next, 0);
    }
    for (size_t busy = LISTENERS, rounds = 0; busy > 0; rounds++) {
        assert_true(rounds < 100000);
        harm(&trimmed);
        kit_round(rand() % 4);
        for (size_t i = 0; i < kit.answer_count; i++) {
            const kit_answer_t *answer = &kit.answers[i];
            listener_t *listener = &listeners[answer->conn - 1];
            cover(listener, answer);
            if (answer->next <= answer->head)
                kit_ask(answer->conn, ">", answer->next, 0);
            else
                busy--;
        }
        kit_clear();
    }
    for (uint64_t i = 0; i < LISTENERS; i++) {
        assert_int_equal(listeners[i].got + listeners[i].gone, kit.head - 3000 * i);
        gone += listeners[i].gone;
    }
    kit_end(NULL);
    return gone;
}

static void while_segments_go_and_break_each_event_comes_or_is_told_to_be_gone(void **state) {
    (void)state;
    seeds_t seeds = seeds_given(1, 10);
    uint64_t gone = 0;
    for (uint64_t i = 0; i < seeds.count; i++)
        gone += live_harmed(seeds.first + i);
    assert_true(seeds.chosen || gone > 0);
}

/* --- what is not taken --- */

static void answers_are_counted_until_they_are_dropped_and_the_table_keeps_no_more(void **state) {
    (void)state;
    fob_unsent_t unsent = {0};
    fob_blob_t *kept[100] = {NULL};
    for (uint32_t route = 1; route <= 10000; route++) {
        size_t at = route % 100;
        if (kept[at])
            assert_true(fob_unsent_any(&unsent, route - 100));
        fob_blob_unref(&kept[at]);
        assert_false(fob_unsent_any(&unsent, route - 100));
        kept[at] = fob_unsent_wrap(&unsent, route, fob_slice_str("0123456789"));
        assert_non_null(kept[at]);
        assert_true(fob_unsent_any(&unsent, route));
        assert_int_equal(fob_unsent_bytes(&unsent), route < 100 ? 10 * route : 1000);
    }
    assert_true(unsent.room <= 1024);
    for (size_t i = 0; i < 50; i++)
        fob_blob_unref(&kept[i]);
    assert_int_equal(fob_unsent_bytes(&unsent), 500);
    fob_unsent_free(&unsent); /* what is left outlives it */
    for (size_t i = 50; i < 100; i++)
        fob_blob_unref(&kept[i]);
}

static uint64_t unsent_bytes(void) {
    fob_fetches_stats_t stats;
    fob_fetches_stats(kit.fetches, &stats);
    return stats.unsent;
}

static void keep(fob_blob_t **kept, size_t *count) {
    if (!kit.kept)
        return;
    kept[(*count)++] = kit.kept;
    kit.kept = NULL;
}

static void where_much_is_not_taken_answers_are_small_and_then_none_is_made(void **state) {
    (void)state;
    fob_blob_t *kept[600];
    size_t count = 0, large = 0, small = 0;
    uint64_t conn = 1;
    fill();
    uint64_t giant = kit_events(shop, 1, 1, 1 << 20); /* comes alone, however crowded it is */
    kit.keeps = true;
    while (unsent_bytes() < FOB_FETCH_HELD) {
        bool crowded = unsent_bytes() >= FOB_FETCH_CROWDED;
        assert_true(count < 599);
        kit_ask(conn++, ">", small < 20 ? 1 : giant, 0);
        const kit_answer_t *answer = kit_wait(1);
        assert_true(!crowded || answer->bytes <= FOB_FETCH_SMALL || answer->count == 1);
        large += !crowded;
        small += crowded;
        keep(kept, &count);
        kit_clear();
    }
    assert_in_range(large, 256, 300);
    kit_ask(conn, ">", 1, 0);
    assert_int_equal(kit_ask_whole(conn + 1), FOB_OK);
    for (int i = 0; i < 20; i++) {
        kit_round(5);
        assert_true(fob_fetches_deadline(kit.fetches) > FOB_SEC + kit.ms * FOB_MS); /* no spin */
    }
    assert_int_equal(kit.answer_count, 0);
    assert_int_equal(kit.wholes, 0);
    fob_blob_unref(&kept[--count]); /* one takes its own: it goes on */
    assert_true(kit_wait(1)->bytes <= FOB_FETCH_SMALL);
    assert_int_equal(kit.wholes, 1);
    while (count > 0)
        fob_blob_unref(&kept[--count]);
}

/* --- last events --- */

static void ask_latest(uint64_t conn, const char *pattern, uint64_t from) {
    kit_ask_for(&(fob_fetch_t){
        .conn = conn, .pattern = fob_slice_str(pattern), .from = from, .latest = true});
}

static void topic_of(char *name, size_t size, unsigned i) {
    snprintf(name, size, "t%u", i);
}

static void events_of(unsigned first, unsigned count) {
    char name[32];
    for (unsigned i = first; i < first + count; i++) {
        topic_of(name, sizeof name, i);
        kit_event(name);
    }
}

static void many_topics_are_looked_through_over_many_rounds(void **state) {
    (void)state;
    const unsigned many = 40000;
    kit_know(2 * many);
    events_of(1, many);
    kit_event("last");
    ask_latest(1, "last*", 1);
    fob_fetches_forget(kit.fetches, 1);
    ask_latest(1, "*.*", 1);
    for (size_t steps = 0, rounds = 0; kit.answer_count == 0; rounds++) {
        kit_round(1);
        assert_true(kit.steps - steps <= 2 && rounds < 100); /* 2 of 2,048 topics */
        steps = kit.steps;
    }
    assert_true(kit.steps >= many / FOB_LISTING_LOOKED);
    assert_int_equal(kit.answers[0].next, many + 2);
    assert_int_equal(kit.reads, 0);
}

/* While topics are looked through, some are published on: each comes with an event that it has, the
 * last of those up to the head that is told, or, above that head, later. */
static void what_is_published_while_topics_are_looked_through_is_left_to_later(void **state) {
    (void)state;
    const unsigned many = 10000;
    kit_know(many);
    events_of(1, many);
    ask_latest(1, "*", 1);
    kit_round(0);
    assert_int_equal(kit.answer_count, 0);
    events_of(many - 9, 10); /* those at the end of the list now have a later one */
    events_of(1, 10);        /* and those at its beginning */
    uint64_t next = 1, got = 0, last = 0;
    do {
        if (kit.answer_count > 0)
            ask_latest(1, "*", next);
        const kit_answer_t *answer = kit_wait(kit.answer_count + 1);
        assert_true(answer->count == 0 || answer->offsets[0] > last);
        last = answer->count ? answer->offsets[answer->count - 1] : last;
        got += answer->count;
        next = answer->next;
    } while (next <= kit.head);
    assert_in_range(got, many, many + 20); /* none is missing; a few were told with both */
    assert_int_equal(last, many + 20);
}

/* Page after page each goes on where the one before stopped, not at the oldest topic again. */
static void the_next_page_of_topics_begins_where_the_last_one_ended(void **state) {
    (void)state;
    const unsigned many = 20 * FOB_LATEST_LISTED;
    uint64_t next = 1;
    size_t pages = 0;
    kit_know(many);
    events_of(1, many);
    for (; next <= kit.head; pages++) {
        ask_latest(1, "*", next);
        next = kit_wait(pages + 1)->next;
    }
    assert_int_equal(pages, 20);
    assert_true(kit.steps <= 40); /* else it were about 110 */
}

static void scattered_last_events_are_read_one_by_one_and_close_ones_together(void **state) {
    (void)state;
    static const char *const bulk[] = {"bulk"};
    kit_know(1000);
    for (unsigned i = 0; i < 8; i++) {
        events_of(100 + 3 * i, 3);
        for (int r = 0; r < 20; r++)
            kit_events(bulk, 1, 100, 500); /* 1 MiB */
    }
    ask_latest(1, "*", 1);
    size_t small = 0;
    while (kit.answer_count == 0) {
        kit_round(1);
        small += kit.asked && kit.bytes < FOB_FETCH_PAGE / 4;
    }
    const kit_answer_t *answer = &kit.answers[0];
    assert_int_equal(answer->count, 8 * 3 + 1);
    assert_in_range(kit.reads, 8, 12);
    assert_in_range(small, kit.reads - 1, kit.reads);
    fob_fetches_stats_t stats;
    fob_fetches_stats(kit.fetches, &stats);
    assert_true(stats.read_bytes < 8 * FOB_FETCH_PAGE);
}

FOB_MAIN(FOB_CASE(a_treap_finds_the_lowest_from_a_key_on_and_of_these_the_first),
         FOB_CASE(a_treap_stays_flat_whoever_comes_in_which_order),
         FOB_CASE(whoever_comes_and_goes_each_is_answered_in_a_bounded_time),
         FOB_CASE(while_segments_go_and_break_each_event_comes_or_is_told_to_be_gone),
         FOB_CASE(answers_are_counted_until_they_are_dropped_and_the_table_keeps_no_more),
         FOB_CASE_WITH(where_much_is_not_taken_answers_are_small_and_then_none_is_made, kit_begin,
                       kit_end),
         FOB_CASE_WITH(many_topics_are_looked_through_over_many_rounds, kit_begin, kit_end),
         FOB_CASE_WITH(what_is_published_while_topics_are_looked_through_is_left_to_later,
                       kit_begin, kit_end),
         FOB_CASE_WITH(the_next_page_of_topics_begins_where_the_last_one_ended, kit_begin, kit_end),
         FOB_CASE_WITH(scattered_last_events_are_read_one_by_one_and_close_ones_together, kit_begin,
                       kit_end))
