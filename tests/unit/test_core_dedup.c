/* dedup: what was stored under an id; and the idents of a batch. */
#include "bus/core/publish/dedup.h"

#include "bus/core/events/sheet.h"
#include "tests/support/case.h"

#include <stdlib.h>

#define WINDOW 1000

static fob_dedup_t *table;

static int teardown(void **state) {
    (void)state;
    fob_dedup_free(table);
    table = NULL;
    return 0;
}

static fob_ident_t ident_of(const char *topic, const char *id, const char *data) {
    return fob_dedup_ident(table, fob_slice_str(topic), fob_slice_str(id), (fob_slice_t){0},
                           fob_slice_str(data));
}

static fob_ident_t numbered(uint64_t number) {
    char id[32];
    snprintf(id, sizeof id, "%llu", (unsigned long long)number);
    return ident_of("a", id, "");
}

static void add(fob_ident_t ident, uint64_t offset, int64_t time_ms) {
    assert_true(fob_dedup_reserve(table, 1));
    fob_dedup_add(table, &(fob_known_t){ident, offset, time_ms});
}

static uint64_t found(fob_ident_t ident, int64_t time_ms) {
    const fob_known_t *known = fob_dedup_find(table, ident, time_ms);
    return known ? known->offset : 0;
}

static bool same(fob_ident_t a, fob_ident_t b) {
    return a.high == b.high && a.low == b.low;
}

static void an_ident_is_of_topic_and_id_and_apart_from_them_of_the_data(void **state) {
    (void)state;
    table = fob_dedup_new(10, WINDOW);
    fob_dedup_seed(table, 42);
    fob_ident_t one = ident_of("a.b", "c", "data");
    assert_true(same(one, ident_of("a.b", "c", "other")));
    assert_true(one.data != ident_of("a.b", "c", "other").data);
    assert_true(one.data == ident_of("x", "y", "data").data);
    assert_false(same(one, ident_of("a", "c", "data")));
    assert_false(same(one, ident_of("a.b", "d", "data")));
    assert_false(same(ident_of("a", "bc", ""), ident_of("ab", "c", "")));
    fob_ident_t none = ident_of("a", "", "data");
    assert_true(none.high == 0 && none.low == 0);
}

static void no_content_type_means_msgpack(void **state) {
    (void)state;
    table = fob_dedup_new(10, WINDOW);
    fob_slice_t a = fob_slice_str("a"), data = fob_slice_str("data");
    uint64_t absent = fob_dedup_ident(table, a, a, (fob_slice_t){0}, data).data;
    assert_true(absent ==
                fob_dedup_ident(table, a, a, fob_slice_str("application/msgpack"), data).data);
    assert_true(absent != fob_dedup_ident(table, a, a, fob_slice_str("text/plain"), data).data);
    assert_true(absent != fob_dedup_ident(table, a, a, data, (fob_slice_t){0}).data);
}

/* Idents are on disk: another version must come to the same ones. */
static void the_idents_of_a_seed_never_change(void **state) {
    (void)state;
    table = fob_dedup_new(10, WINDOW);
    fob_dedup_seed(table, 7);
    fob_ident_t ident = ident_of("order.placed", "order-1", "{}");
    assert_true(ident.high == UINT64_C(0x0ced196b198d7478));
    assert_true(ident.low == UINT64_C(0xb10f8b3a0726c891));
    assert_true(ident.data == UINT64_C(0xffaded9d667a4a81));
    fob_dedup_seed(table, 8);
    assert_false(same(ident, ident_of("order.placed", "order-1", "{}")));
}

static void an_id_is_known_for_the_window_and_not_longer(void **state) {
    (void)state;
    table = fob_dedup_new(10, WINDOW);
    assert_int_equal(found(numbered(1), 0), 0);
    add(numbered(1), 5, 100);
    add(numbered(2), 6, 200);
    assert_int_equal(found(numbered(1), 100), 5);
    assert_int_equal(found(numbered(1), 99 + WINDOW), 5);
    assert_int_equal(found(numbered(1), 100 + WINDOW), 0);
    assert_int_equal(found(numbered(2), 100 + WINDOW), 6);
    assert_int_equal(fob_dedup_oldest_ms(table), 100);
    fob_dedup_expire(table, 100 + WINDOW);
    assert_int_equal(fob_dedup_count(table), 1);
    assert_int_equal(fob_dedup_oldest_ms(table), 200);
    fob_dedup_expire(table, 200 + WINDOW);
    assert_int_equal(fob_dedup_count(table), 0);
    assert_int_equal(fob_dedup_oldest_ms(table), 0);
}

static void the_oldest_goes_where_there_are_too_many(void **state) {
    (void)state;
    table = fob_dedup_new(3, WINDOW);
    for (uint64_t i = 1; i <= 5; i++)
        add(numbered(i), i * 10, 0);
    assert_int_equal(fob_dedup_count(table), 3);
    assert_int_equal(found(numbered(2), 0), 0);
    assert_int_equal(found(numbered(3), 0), 30);
    assert_int_equal(found(numbered(5), 0), 50);
}

static void a_table_of_none_remembers_nothing(void **state) {
    (void)state;
    table = fob_dedup_new(0, WINDOW);
    add(numbered(1), 1, 0);
    assert_int_equal(fob_dedup_count(table), 0);
    assert_int_equal(found(numbered(1), 0), 0);
    assert_null(fob_dedup_above(table, 0));
}

static void what_was_told_before_changes_nothing(void **state) {
    (void)state;
    table = fob_dedup_new(3, WINDOW);
    for (uint64_t i = 1; i <= 4; i++)
        add(numbered(i), i, 0);
    uint64_t hash = fob_dedup_hash(table);
    for (uint64_t i = 1; i <= 4; i++)
        add(numbered(i), i, 0); /* the first was dropped: it does not come back */
    assert_int_equal(fob_dedup_hash(table), hash);
    assert_int_equal(fob_dedup_count(table), 3);
}

/* As when a table that forgot it within what is now the window is replayed. */
static void the_same_id_stored_again_is_known_where_it_came_last(void **state) {
    (void)state;
    table = fob_dedup_new(3, WINDOW);
    add(numbered(1), 1, 0);
    add(numbered(2), 2, 0);
    add(numbered(1), 3, 0);
    assert_int_equal(found(numbered(1), 0), 3);
    assert_int_equal(fob_dedup_count(table), 2);
    assert_int_equal(fob_dedup_above(table, 0)->offset, 2);
    for (uint64_t i = 4; i < 200; i++)
        add(numbered(1), i, 0);
    assert_int_equal(found(numbered(1), 0), 199);
    assert_int_equal(fob_dedup_count(table), 2);
    add(numbered(3), 200, 0);
    add(numbered(4), 201, 0);
    assert_int_equal(found(numbered(2), 0), 0);
    assert_int_equal(fob_dedup_count(table), 3);
}

/* --- against a list --- */

#define STEPS 3000

static uint64_t chances;
static fob_known_t list[STEPS];
static size_t list_begin, list_end;

static uint64_t chance(uint64_t below) {
    uint64_t x = chances += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (x ^ (x >> 31)) % below;
}

static uint64_t in_list(fob_ident_t ident) {
    for (size_t i = list_begin; i < list_end; i++) {
        if (same(list[i].ident, ident))
            return list[i].offset;
    }
    return 0;
}

static void check_list(uint64_t ids, int64_t now) {
    assert_int_equal(fob_dedup_count(table), list_end - list_begin);
    for (uint64_t i = 0; i < ids; i++)
        assert_int_equal(found(numbered(i), now), in_list(numbered(i)));
    uint64_t offset = 0;
    for (size_t i = list_begin; i < list_end; i++) {
        const fob_known_t *known = fob_dedup_above(table, offset);
        assert_non_null(known);
        assert_int_equal(known->offset, list[i].offset);
        offset = known->offset;
    }
    assert_null(fob_dedup_above(table, offset));
}

static void run(uint64_t seed, uint32_t max, uint64_t ids) {
    int64_t now = 0;
    chances = seed;
    list_begin = list_end = 0;
    table = fob_dedup_new(max, WINDOW);
    fob_dedup_seed(table, seed);
    for (uint64_t offset = 1; offset < STEPS; offset++) {
        now += (int64_t)chance(chance(50) ? 10 : 2 * WINDOW);
        while (list_begin < list_end && list[list_begin].time_ms <= now - WINDOW)
            list_begin++;
        fob_ident_t ident = numbered(chance(ids));
        assert_int_equal(found(ident, now), in_list(ident));
        if (!in_list(ident)) {
            list[list_end++] = (fob_known_t){ident, offset, now};
            list_begin += list_end - list_begin > max;
            add(ident, offset, now);
        }
        fob_dedup_expire(table, now);
        if (chance(40) == 0)
            check_list(ids, now);
    }
    fob_dedup_free(table);
    table = NULL;
}

static void it_agrees_with_a_list(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++)
        run(seed, (uint32_t)(1 + seed * seed), 20 + 30 * seed);
}

/* --- batches --- */

static void put(fob_buf_t *body, const char *id, uint8_t priority) {
    fob_envelope_t event = {.topic = fob_slice_str("a"),
                            .id = fob_slice_str(id),
                            .priority = priority,
                            .source = fob_slice_str("test"),
                            .data = fob_slice_str("data")};
    assert_int_equal(fob_envelope_write(body, 100, &event), FOB_OK);
}

static void look_at(fob_sheet_pool_t *pool, fob_slice_t body, bool check, unsigned count,
                    unsigned with_priority, unsigned with_id) {
    fob_sheet_t *sheet = fob_sheet_new(pool);
    assert_int_equal(fob_sheet_index(sheet, NULL, 0, body, check, 100, 3, table), FOB_OK);
    assert_int_equal(sheet->count, count);
    assert_int_equal(sheet->flags, (with_priority < count ? FOB_SHEET_PRIORITIES : 0) |
                                       (with_id < count ? FOB_SHEET_IDS : 0));
    for (unsigned i = 0; i < count; i++) {
        if (sheet->flags & FOB_SHEET_PRIORITIES)
            assert_int_equal(sheet->priority[i], i == with_priority ? 7 : 0);
        if (sheet->flags & FOB_SHEET_IDS)
            assert_true(same(sheet->ident[i], ident_of("a", i == with_id ? "x" : "", "data")));
    }
    fob_sheet_forget_idents(sheet);
    fob_sheet_unref(pool, sheet);
}

/* Read whole or glanced at, whichever event of whatever number is the one that has something. */
static void a_batch_lists_priorities_and_idents_where_it_has_any(void **state) {
    (void)state;
    fob_sheet_pool_t pool = {0};
    table = fob_dedup_new(10, WINDOW);
    for (unsigned count = 1; count < 70; count = count * 2 + 1) {
        for (unsigned with = 0; with <= count * count; with += 1 + count / 5) {
            fob_buf_t body = {0};
            unsigned with_priority = with % (count + 1), with_id = with / (count + 1);
            for (unsigned i = 0; i < count; i++)
                put(&body, i == with_id ? "x" : "", i == with_priority ? 7 : 0);
            look_at(&pool, fob_buf_slice(&body), true, count, with_priority, with_id);
            look_at(&pool, fob_buf_slice(&body), false, count, with_priority, with_id);
            fob_buf_free(&body);
        }
    }
    fob_sheet_pool_free(&pool);
}

static void without_a_table_there_are_no_idents(void **state) {
    (void)state;
    fob_sheet_pool_t pool = {0};
    fob_buf_t body = {0};
    put(&body, "x", 3);
    fob_sheet_t *sheet = fob_sheet_new(&pool);
    assert_int_equal(fob_sheet_index(sheet, NULL, 0, fob_buf_slice(&body), true, 100, 0, NULL),
                     FOB_OK);
    assert_int_equal(sheet->flags, FOB_SHEET_PRIORITIES);
    fob_sheet_unref(&pool, sheet);
    fob_buf_free(&body);
    fob_sheet_pool_free(&pool);
}

FOB_MAIN(FOB_CASE_WITH(an_ident_is_of_topic_and_id_and_apart_from_them_of_the_data, NULL, teardown),
         FOB_CASE_WITH(no_content_type_means_msgpack, NULL, teardown),
         FOB_CASE_WITH(the_idents_of_a_seed_never_change, NULL, teardown),
         FOB_CASE_WITH(an_id_is_known_for_the_window_and_not_longer, NULL, teardown),
         FOB_CASE_WITH(the_oldest_goes_where_there_are_too_many, NULL, teardown),
         FOB_CASE_WITH(a_table_of_none_remembers_nothing, NULL, teardown),
         FOB_CASE_WITH(what_was_told_before_changes_nothing, NULL, teardown),
         FOB_CASE_WITH(the_same_id_stored_again_is_known_where_it_came_last, NULL, teardown),
         FOB_CASE_WITH(it_agrees_with_a_list, NULL, teardown),
         FOB_CASE_WITH(a_batch_lists_priorities_and_idents_where_it_has_any, NULL, teardown),
         FOB_CASE_WITH(without_a_table_there_are_no_idents, NULL, teardown))
