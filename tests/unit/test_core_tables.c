/* cover, map64, back, grant, meter: the small tables of the core. */
#include "bus/core/events/waits.h"
#include "bus/core/group/back.h"
#include "bus/core/group/cover.h"
#include "bus/core/group/meter.h"
#include "bus/core/publish/refusal.h"
#include "bus/core/work/grant.h"
#include "proto/now.h"
#include "tests/support/case.h"

#include <stdlib.h>

static uint64_t state;

static uint64_t chance(uint64_t below) {
    uint64_t x = state += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (x ^ (x >> 31)) % below;
}

/* --- cover --- */

#define OFFSETS 600

static void check_cover(const fob_cover_t *cover, const bool *covered) {
    uint64_t next = OFFSETS;
    for (uint64_t offset = OFFSETS; offset-- > 0;) {
        next = covered[offset] ? next : offset;
        assert_int_equal(fob_cover_has(cover, offset), covered[offset]);
        assert_int_equal(fob_cover_next_open(cover, offset), next);
    }
    assert_int_equal(cover->floor, next);
    uint64_t last = cover->floor - 1;
    for (size_t i = 0; i < cover->above.count; i++) {
        const fob_interval_t *item = &fob_intervals_first(&cover->above)[i];
        assert_true(item->from > last + 1 && item->from <= item->to);
        last = item->to;
    }
}

static void cover_agrees_with_a_table_of_bits(void **unused) {
    (void)unused;
    for (uint64_t seed = 1; seed < 200; seed++) {
        state = seed;
        fob_cover_t cover = {.floor = 3};
        bool covered[OFFSETS + 1] = {true, true, true};
        for (unsigned step = 0; step < 120; step++) {
            uint64_t from = chance(OFFSETS - 1), to = from + chance(chance(3) ? 4 : 60);
            to = to >= OFFSETS - 1 ? OFFSETS - 2 : to;
            from = from > to ? to : from;
            assert_true(fob_cover_reserve(&cover, 1));
            fob_cover_add(&cover, from, to);
            memset(covered + from, true, to - from + 1);
            if (step % 10 == 0)
                check_cover(&cover, covered);
        }
        check_cover(&cover, covered);
        fob_cover_free(&cover);
    }
}

static void cover_in_order_only_moves_the_floor(void **unused) {
    (void)unused;
    fob_cover_t cover = {.floor = 1};
    for (uint64_t offset = 1; offset < 1000; offset++) {
        assert_true(fob_cover_reserve(&cover, 1));
        fob_cover_add(&cover, offset, offset);
        assert_int_equal(cover.above.count, 0);
    }
    assert_int_equal(cover.floor, 1000);
    assert_true(cover.above.capacity <= 16);
    fob_cover_free(&cover);
}

/* --- map64 --- */

static void map_finds_what_was_put_and_not_removed(void **unused) {
    (void)unused;
    enum { KEYS = 500 };
    uint32_t values[KEYS];
    fob_map64_t map = {0};
    memset(values, 0xff, sizeof values);
    state = 7;
    for (unsigned step = 0; step < 20000; step++) {
        uint32_t key = (uint32_t)chance(KEYS);
        uint64_t wide = ((uint64_t)key + 1) << (key % 40);
        if (chance(2)) {
            assert_true(fob_map64_reserve(&map, 1));
            values[key] = step;
            fob_map64_put(&map, wide + key, step);
        } else {
            values[key] = FOB_MAP64_NONE;
            fob_map64_remove(&map, wide + key);
        }
        uint32_t probe = (uint32_t)chance(KEYS);
        assert_int_equal(fob_map64_get(&map, (((uint64_t)probe + 1) << (probe % 40)) + probe),
                         values[probe]);
    }
    fob_map64_free(&map);
}

/* --- back --- */

static void what_came_back_is_ordered_by_offset_and_by_time(void **unused) {
    (void)unused;
    fob_back_t back = {0};
    static const uint64_t offsets[] = {50, 10, 40, 20, 30};
    assert_true(fob_back_reserve(&back, 5));
    for (size_t i = 0; i < 5; i++)
        fob_back_set(&back, fob_back_add(&back, offsets[i]), FOB_BACK_READY, 0);
    assert_int_equal(fob_back_ready(&back)->offset, 10);
    fob_back_set(&back, fob_back_find(&back, 10), FOB_BACK_DELAYED, 500);
    fob_back_set(&back, fob_back_find(&back, 40), FOB_BACK_DELAYED, 100);
    fob_back_set(&back, fob_back_find(&back, 30), FOB_BACK_DELAYED, 100);
    assert_int_equal(fob_back_ready(&back)->offset, 20);
    assert_int_equal(fob_back_delayed(&back)->offset, 30);
    assert_int_equal(fob_back_lowest(&back), 10);
    fob_back_remove(&back, fob_back_find(&back, 10));
    assert_int_equal(fob_back_lowest(&back), 20);
    assert_int_equal(back.in_state[FOB_BACK_DELAYED], 2);
    assert_null(fob_back_find(&back, 10));
    for (size_t i = 0; i < 5; i++) {
        fob_back_entry_t *entry = fob_back_find(&back, offsets[i]);
        if (entry)
            fob_back_remove(&back, entry);
    }
    assert_null(fob_back_ready(&back));
    assert_null(fob_back_delayed(&back));
    assert_int_equal(fob_back_lowest(&back), UINT64_MAX);
    fob_back_free(&back);
}

static void heaps_give_the_lowest_whatever_goes_in_and_out(void **unused) {
    (void)unused;
    enum { OFFS = 200 };
    int64_t due[OFFS + 1] = {0}; /* 0 absent, -1 ready, else delayed until then */
    fob_back_t back = {0};
    state = 99;
    for (unsigned step = 0; step < 20000; step++) {
        uint64_t offset = 1 + chance(OFFS);
        fob_back_entry_t *entry = fob_back_find(&back, offset);
        assert_int_equal(entry != NULL, due[offset] != 0);
        if (!entry) {
            assert_true(fob_back_reserve(&back, 1));
            entry = fob_back_add(&back, offset);
        }
        if (chance(3) == 0) {
            fob_back_remove(&back, entry);
            due[offset] = 0;
        } else {
            due[offset] = chance(2) ? -1 : 1 + (int64_t)chance(1000);
            fob_back_set(&back, entry, due[offset] < 0 ? FOB_BACK_READY : FOB_BACK_DELAYED,
                         due[offset]);
        }
        uint64_t ready = 0;
        int64_t first = INT64_MAX;
        for (uint64_t o = OFFS; o > 0; o--) {
            ready = due[o] == -1 ? o : ready;
            first = due[o] > 0 && due[o] < first ? due[o] : first;
        }
        assert_int_equal(fob_back_ready(&back) ? fob_back_ready(&back)->offset : 0, ready);
        assert_int_equal(fob_back_delayed(&back) ? fob_back_delayed(&back)->due_ns : INT64_MAX,
                         first);
    }
    fob_back_free(&back);
}

/* --- grant --- */

static void grants_are_listed_in_the_order_of_hand_out(void **unused) {
    (void)unused;
    fob_grants_t grants = {0};
    fob_grant_list_t one = FOB_GRANT_LIST, two = FOB_GRANT_LIST;
    assert_true(fob_grants_reserve(&grants, 4));
    for (uint64_t token = 1; token <= 4; token++)
        fob_grants_add(&grants, &one, &(fob_grant_t){.token = token, .back = token == 2});
    assert_int_equal(grants.back, 1);
    fob_grants_remove(&grants, &one, fob_grants_find(&grants, 2));
    fob_grants_move(&grants, &one, &two, fob_grants_find(&grants, 1), 7);
    assert_null(fob_grants_find(&grants, 2));
    assert_int_equal(grants.slab[one.first].token, 3);
    assert_int_equal(grants.slab[one.last].token, 4);
    assert_int_equal(grants.slab[two.first].member, 7);
    assert_int_equal(grants.back, 0);
    assert_int_equal(grants.count, 3);
    fob_grants_add(&grants, &two, &(fob_grant_t){.token = 9});
    assert_int_equal(grants.slab[two.last].token, 9);
    assert_int_equal(two.count, 2);
    fob_grants_free(&grants);
}

static void check_list(const fob_grants_t *grants, const fob_grant_list_t *list,
                       const uint64_t *tokens, uint32_t count) {
    uint32_t before = FOB_GRANT_NONE, at = list->first;
    assert_int_equal(list->count, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(grants->slab[at].token, tokens[i]);
        assert_int_equal(grants->slab[at].prev, before);
        before = at;
        at = grants->slab[at].next;
    }
    assert_int_equal(at, FOB_GRANT_NONE);
    assert_int_equal(list->last, before);
}

static void a_run_of_grants_is_added_and_removed_as_one_by_one(void **unused) {
    (void)unused;
    const uint32_t begin[] = {100, 110, 130, 130 + FOB_GRANT_SIZE + 1, UINT32_MAX};
    fob_grants_t grants = {0};
    fob_grant_list_t list = FOB_GRANT_LIST;
    assert_true(fob_grants_reserve(&grants, 6));
    fob_grants_add(&grants, &list, &(fob_grant_t){.token = 1, .offset = 5});
    fob_grants_add_run(&grants, &list,
                       &(fob_grant_t){.token = 2, .offset = 9, .gap_from = 6, .prio = true}, begin,
                       3);
    fob_grants_add(&grants, &list, &(fob_grant_t){.token = 5, .offset = 12, .back = true});
    check_list(&grants, &list, (uint64_t[]){1, 2, 3, 4, 5}, 5);
    assert_int_equal(fob_grants_find(&grants, 2)->gap_from, 6);
    assert_int_equal(fob_grants_find(&grants, 3)->gap_from, 10);
    assert_int_equal(fob_grants_find(&grants, 4)->offset, 11);
    assert_int_equal(fob_grants_find(&grants, 3)->size, 20);
    assert_int_equal(fob_grants_find(&grants, 4)->size, 0); /* larger than can be said */
    assert_int_equal(grants.prio, 3);
    for (uint64_t token = 1; token <= 3; token++)
        fob_grants_find(&grants, token)->begun = true;
    list.begun = 3;
    list.begun_last = (uint32_t)(fob_grants_find(&grants, 3) - grants.slab);
    fob_grants_remove_run(&grants, &list, fob_grants_find(&grants, 2), 3);
    check_list(&grants, &list, (uint64_t[]){1, 5}, 2);
    assert_int_equal(list.begun, 1);
    assert_int_equal(grants.slab[list.begun_last].token, 1);
    assert_null(fob_grants_find(&grants, 3));
    assert_true(grants.count == 2 && grants.prio == 0 && grants.back == 1);
    /* Their places are used again, and no other. */
    fob_grants_add_run(&grants, &list, &(fob_grant_t){.token = 6, .offset = 20}, begin, 3);
    check_list(&grants, &list, (uint64_t[]){1, 5, 6, 7, 8}, 5);
    assert_int_equal(grants.used, 5);
    fob_grants_remove_run(&grants, &list, fob_grants_find(&grants, 1), 5);
    check_list(&grants, &list, NULL, 0);
    assert_true(list.begun == 0 && list.begun_last == FOB_GRANT_NONE && grants.count == 0);
    fob_grants_free(&grants);
}

/* A first hand-out that is told by a record is none any more, whatever its priority. */
static void a_grant_of_what_came_back_is_no_first_one(void **unused) {
    (void)unused;
    fob_grants_t grants = {0};
    fob_grant_list_t list = FOB_GRANT_LIST;
    assert_true(fob_grants_reserve(&grants, 2));
    fob_grants_add(&grants, &list, &(fob_grant_t){.token = 1, .prio = true});
    fob_grants_add(&grants, &list, &(fob_grant_t){.token = 2});
    fob_grants_set_back(&grants, fob_grants_find(&grants, 1));
    fob_grants_set_back(&grants, fob_grants_find(&grants, 1));
    assert_int_equal(grants.back, 1);
    assert_int_equal(grants.prio, 0);
    fob_grants_remove(&grants, &list, fob_grants_find(&grants, 1));
    assert_int_equal(grants.back, 0);
    assert_int_equal(grants.prio, 0);
    fob_grants_free(&grants);
}

/* --- meter --- */

static void a_rate_is_of_the_last_ten_seconds(void **unused) {
    (void)unused;
    fob_meter_t meter = {0};
    assert_true(fob_meter_rate(&meter, 0) < 0);
    fob_meter_begin(&meter, 0);
    assert_true(fob_meter_rate(&meter, FOB_SEC / 2) < 0);
    for (int64_t s = 0; s < 30; s++)
        fob_meter_add(&meter, s * FOB_SEC, s < 20 ? 100 : 10);
    assert_true(fob_meter_rate(&meter, 30 * FOB_SEC - 1) < 10.1);
    assert_true(fob_meter_rate(&meter, 30 * FOB_SEC - 1) > 9.9);
    assert_true(fob_meter_rate(&meter, 100 * FOB_SEC) == 0);
    fob_meter_add(&meter, 100 * FOB_SEC, 50);
    assert_true(fob_meter_rate(&meter, 101 * FOB_SEC) > 5);
}

/* --- the lowest --- */

static bool is_there(const void *owner, const fob_low_t *low) {
    const bool *there = owner;
    return there[low->offset];
}

static void the_lowest_is_of_what_is_there(void **unused) {
    (void)unused;
    bool there[OFFSETS] = {false};
    fob_lows_t lows = {0};
    state = 7;
    for (unsigned step = 0; step < 50000; step++) {
        uint64_t offset = chance(OFFSETS), lowest = 0, live = 0;
        for (unsigned i = 0; i < OFFSETS; i++)
            live += there[i];
        if (!there[offset] && (step / 5000) % 2 == 0) {
            assert_true(fob_lows_reserve(&lows, 1, live, is_there, there));
            fob_lows_push(&lows, (fob_low_t){.offset = offset});
            there[offset] = true;
        } else if ((step / 5000) % 2) {
            there[offset] = false;
        }
        if (chance(3))
            continue;
        while (lowest < OFFSETS && !there[lowest])
            lowest++;
        assert_int_equal(fob_lows_first(&lows, is_there, there),
                         lowest == OFFSETS ? UINT64_MAX : lowest);
    }
    assert_true(lows.capacity <= 4096);
    fob_lows_free(&lows);
}

/* --- what waits --- */

static void the_group_that_is_due_first_is_first(void **unused) {
    (void)unused;
    enum { MANY = 50 };
    fob_group_t *groups[MANY];
    int64_t due[MANY];
    fob_waits_t waits = {0};
    state = 9;
    assert_true(fob_waits_reserve(&waits, MANY));
    for (uint32_t i = 0; i < MANY; i++) {
        groups[i] = fob_group_new(i + 1, fob_slice_str("g"), fob_slice_str(">"), 1, 0);
        due[i] = FOB_NEVER;
    }
    for (unsigned step = 0; step < 20000; step++) {
        uint64_t at = chance(MANY), what = chance(4);
        int64_t when = (int64_t)chance(1000), first = FOB_NEVER;
        if (what < 2) {
            fob_waits_due(&waits, groups[at], when);
            due[at] = when < due[at] ? when : due[at];
        } else if (what == 2) {
            fob_waits_next(&waits, groups[at], due[at] = chance(3) ? when : FOB_NEVER);
        } else {
            fob_waits_forget(&waits, groups[at]);
            due[at] = FOB_NEVER;
        }
        for (unsigned i = 0; i < MANY; i++)
            first = due[i] < first ? due[i] : first;
        fob_group_t *group = fob_waits_first(&waits);
        assert_int_equal(group ? group->due_ns : FOB_NEVER, first);
    }
    fob_waits_block(&waits, groups[3], 7, 0);
    fob_waits_block(&waits, groups[4], 8, 0);
    fob_waits_block(&waits, groups[4], 9, 0);
    fob_waits_forget(&waits, groups[3]);
    assert_ptr_equal(fob_waits_unblock(&waits), groups[4]);
    assert_null(fob_waits_unblock(&waits));
    for (unsigned i = 0; i < MANY; i++)
        fob_group_free(groups[i]);
    fob_waits_free(&waits);
}

/* --- refusals --- */

static void refuse(fob_refusals_t *refusals, uint64_t conn, const uint8_t *session, uint64_t from) {
    fob_refusal_t *draft = fob_refusals_draft(refusals, conn, session);
    assert_non_null(draft);
    fob_refusal_close(draft, 17, from, 1);
    draft->answered = from;
    assert_true(fob_refusals_reserve(refusals, conn));
    fob_refusals_keep(refusals, conn, from);
}

static void a_refusal_is_gone_with_its_connection(void **unused) {
    (void)unused;
    fob_refusals_t refusals = {0};
    uint8_t session[FOB_SESSION_SIZE] = {1}, other[FOB_SESSION_SIZE] = {2};
    for (uint64_t conn = 1; conn <= 20000; conn++) {
        refuse(&refusals, conn, session, conn);
        refuse(&refusals, conn + 1, session, conn + 1);
        const fob_refusal_t *refusal = fob_refusals_find(&refusals, conn, session);
        assert_null(fob_refusal_closed(refusal, 17, conn));
        assert_int_equal(fob_refusal_closed(refusal, 17, conn + 1)->from, conn);
        assert_null(fob_refusal_closed(refusal, 18, conn + 1));
        assert_null(fob_refusals_find(&refusals, conn, other));
        fob_refusals_forget(&refusals, conn);
        assert_null(fob_refusals_find(&refusals, conn, session));
    }
    assert_int_equal(refusals.used, 2);
    assert_int_equal(refusals.by_conn.count, 1);
    fob_refusals_free(&refusals);
}

static void a_closed_topic_opens_with_its_first_refused_number(void **unused) {
    (void)unused;
    fob_refusals_t refusals = {0};
    uint8_t session[FOB_SESSION_SIZE] = {1};
    fob_refusal_t *draft = fob_refusals_draft(&refusals, 1, session);
    for (uint64_t topic = 1; topic <= FOB_CLOSED_MAX; topic++)
        fob_refusal_close(draft, topic, 100 + topic, 1);
    assert_null(fob_refusal_shut(draft, 1000));
    fob_refusal_close(draft, 7000, 500, 2); /* one more than are told apart */
    assert_null(fob_refusal_shut(draft, 500));
    fob_closed_refuse(fob_refusal_shut(draft, 501), 501);
    fob_refusal_offer(draft, 500, 1);
    assert_null(fob_refusal_shut(draft, 501));
    assert_non_null(fob_refusal_shut(draft, 502)); /* 501 comes first */
    fob_refusal_offer(draft, 501, 1);
    assert_null(fob_refusal_shut(draft, 502));
    fob_refusal_offer(draft, 102, 1);
    assert_null(fob_refusal_closed(draft, 2, 200));
    assert_non_null(fob_refusal_closed(draft, 1, 200));
    fob_refusal_offer(draft, 900, 102); /* 101 has its receipt: nothing waits for it */
    assert_null(fob_refusal_closed(draft, 1, 200));
    assert_int_equal(draft->count, FOB_CLOSED_MAX - 2);
    fob_refusals_free(&refusals);
}

FOB_MAIN(FOB_CASE(cover_agrees_with_a_table_of_bits), FOB_CASE(cover_in_order_only_moves_the_floor),
         FOB_CASE(map_finds_what_was_put_and_not_removed),
         FOB_CASE(what_came_back_is_ordered_by_offset_and_by_time),
         FOB_CASE(heaps_give_the_lowest_whatever_goes_in_and_out),
         FOB_CASE(grants_are_listed_in_the_order_of_hand_out),
         FOB_CASE(a_run_of_grants_is_added_and_removed_as_one_by_one),
         FOB_CASE(a_grant_of_what_came_back_is_no_first_one),
         FOB_CASE(the_lowest_is_of_what_is_there), FOB_CASE(the_group_that_is_due_first_is_first),
         FOB_CASE(a_refusal_is_gone_with_its_connection),
         FOB_CASE(a_closed_topic_opens_with_its_first_refused_number),
         FOB_CASE(a_rate_is_of_the_last_ten_seconds))
