/* prio: which events that were never out have a priority. */
#include "bus/core/work/prio.h"
#include "tests/support/case.h"

#include <stdlib.h>
#include <string.h>

static uint64_t state;

static uint64_t chance(uint64_t below) {
    uint64_t x = state += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (x ^ (x >> 31)) % below;
}

#define OFFSETS 300

/* The priority of each offset, one by one. */
typedef struct {
    uint8_t of[OFFSETS + 2];
} table_t;

static void check_list(const fob_prio_t *prio, const table_t *table, unsigned priority) {
    const fob_prio_list_t *list = &prio->lists[priority];
    uint64_t next = 0, events = 0, last = 0, stretch = 0;
    for (uint64_t offset = OFFSETS; offset > 0; offset--) {
        bool here = table->of[offset] == priority;
        stretch = !here ? 0 : stretch ? stretch : offset;
        next = here ? offset : next;
        events += here;
        assert_int_equal(fob_prio_next(prio, priority, offset), next);
        assert_int_equal(fob_prio_stretch(prio, priority, offset), stretch);
    }
    assert_int_equal(list->events, events);
    for (size_t i = 0; i < list->stretches.count; i++) {
        const fob_interval_t *item = &fob_intervals_first(&list->stretches)[i];
        assert_true((i == 0 || item->from > last + 1) && item->from <= item->to);
        last = item->to;
    }
}

static void check(const fob_prio_t *prio, const table_t *table) {
    uint64_t first = 0, events = 0;
    for (unsigned i = 1; i < FOB_PRIORITIES; i++)
        check_list(prio, table, i);
    for (uint64_t offset = OFFSETS; offset > 0; offset--) {
        first = table->of[offset] ? offset : first;
        events += table->of[offset] ? 1 : 0;
        assert_int_equal(fob_prio_of(prio, offset), table->of[offset]);
        assert_int_equal(fob_prio_first(prio, offset), first);
    }
    assert_int_equal(prio->events, events);
}

/* The same content, entered in order. */
static uint64_t fresh_hash(const table_t *table) {
    fob_prio_t prio = {0};
    for (uint64_t offset = 1; offset <= OFFSETS; offset++) {
        if (!table->of[offset])
            continue;
        assert_true(fob_prio_reserve_adds(&prio, table->of[offset], 1));
        fob_prio_add(&prio, table->of[offset], offset);
    }
    uint64_t hash = fob_prio_hash(&prio);
    fob_prio_free(&prio);
    return hash;
}

static void add_some(fob_prio_t *prio, table_t *table) {
    uint64_t from = 1 + chance(OFFSETS), to = from;
    unsigned priority = 1 + (unsigned)chance(9);
    if (table->of[from])
        return;
    while (to < OFFSETS && !table->of[to + 1] && chance(3))
        to++;
    assert_true(fob_prio_reserve_adds(prio, priority, 1));
    if (from == to)
        fob_prio_add(prio, priority, from);
    else
        fob_prio_add_run(prio, priority, from, to);
    memset(table->of + from, (int)priority, to - from + 1);
}

static void remove_some(fob_prio_t *prio, table_t *table) {
    uint64_t from = 1 + chance(OFFSETS), to = from + chance(chance(3) ? 3 : 40);
    to = to > OFFSETS ? OFFSETS : to;
    assert_true(fob_prio_reserve_removes(prio, 1));
    fob_prio_remove(prio, from, to);
    memset(table->of + from, 0, to - from + 1);
}

static void lists_agree_with_a_table_of_priorities(void **unused) {
    (void)unused;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        state = seed;
        fob_prio_t prio = {0};
        table_t table = {{0}};
        for (unsigned step = 0; step < 300; step++) {
            if (chance(10) < 6)
                add_some(&prio, &table);
            else
                remove_some(&prio, &table);
            if (step % 15 == 0)
                check(&prio, &table);
        }
        check(&prio, &table);
        assert_int_equal(fob_prio_hash(&prio), fresh_hash(&table));
        fob_prio_remove(&prio, 1, OFFSETS);
        assert_int_equal(prio.events, 0);
        assert_int_equal(fob_prio_hash(&prio), 0);
        fob_prio_free(&prio);
    }
}

static void hashes_differ_by_offset_and_by_priority(void **unused) {
    (void)unused;
    uint64_t hashes[4];
    const uint64_t what[4][2] = {{1, 10}, {2, 10}, {1, 11}, {9, 10}};
    for (unsigned i = 0; i < 4; i++) {
        fob_prio_t prio = {0};
        assert_true(fob_prio_reserve_adds(&prio, (unsigned)what[i][0], 1));
        fob_prio_add(&prio, (unsigned)what[i][0], what[i][1]);
        hashes[i] = fob_prio_hash(&prio);
        for (unsigned j = 0; j < i; j++)
            assert_int_not_equal(hashes[i], hashes[j]);
        fob_prio_free(&prio);
    }
}

/* What comes and goes in order takes a bounded room, and moves it seldom. */
static void a_queue_in_order_does_not_grow(void **unused) {
    (void)unused;
    fob_prio_t prio = {0};
    for (uint64_t offset = 2; offset <= 200000; offset += 2) {
        assert_true(fob_prio_reserve_adds(&prio, 5, 1) && fob_prio_reserve_removes(&prio, 1));
        fob_prio_add(&prio, 5, offset);
        if (offset > 20)
            fob_prio_remove(&prio, offset - 20, offset - 20);
    }
    assert_int_equal(prio.lists[5].stretches.count, 10);
    assert_in_range(prio.lists[5].stretches.capacity, 10, 128);
    fob_prio_free(&prio);
}

static void the_memory_of_a_long_backlog_is_given_back(void **unused) {
    (void)unused;
    fob_prio_t prio = {0};
    assert_true(fob_prio_reserve_adds(&prio, 9, 100000));
    for (uint64_t offset = 2; offset <= 200000; offset += 2)
        fob_prio_add(&prio, 9, offset);
    fob_prio_remove(&prio, 1, 200000);
    assert_true(fob_prio_reserve_adds(&prio, 9, 3));
    assert_in_range(prio.lists[9].stretches.capacity, 3, 4096);
    fob_prio_free(&prio);
}

static void without_events_removes_need_no_room(void **unused) {
    (void)unused;
    fob_prio_t prio = {0};
    assert_true(fob_prio_reserve_removes(&prio, SIZE_MAX / 64));
    fob_prio_remove(&prio, 1, 100);
    assert_int_equal(fob_prio_of(&prio, 7), 0);
    assert_int_equal(fob_prio_first(&prio, 1), 0);
    for (unsigned i = 0; i < FOB_PRIORITIES; i++)
        assert_null(prio.lists[i].stretches.items);
}

FOB_MAIN(FOB_CASE(lists_agree_with_a_table_of_priorities),
         FOB_CASE(hashes_differ_by_offset_and_by_priority),
         FOB_CASE(a_queue_in_order_does_not_grow),
         FOB_CASE(the_memory_of_a_long_backlog_is_given_back),
         FOB_CASE(without_events_removes_need_no_room))
