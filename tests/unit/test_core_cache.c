/* cache: the newest batches, and what was read back. */
#include "bus/core/events/cache.h"

#include "tests/support/case.h"

static fob_sheet_pool_t pool;
static fob_cache_t cache;

static int setup(void **state) {
    (void)state;
    pool = (fob_sheet_pool_t){0};
    fob_cache_init(&cache, &pool, 4000, 1000000);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    fob_cache_free(&cache);
    fob_sheet_pool_free(&pool);
    return 0;
}

/* `count` events from offset `first` on. */
static fob_sheet_t *sheet_of(uint64_t first, unsigned count) {
    fob_buf_t body = {0};
    for (unsigned i = 0; i < count; i++) {
        fob_envelope_t event = {.topic = fob_slice_str(i % 2 ? "b" : "a")};
        assert_int_equal(fob_envelope_write(&body, 10, &event), FOB_OK);
    }
    fob_blob_t *blob = fob_blob_copy(fob_buf_slice(&body));
    fob_sheet_t *sheet = fob_sheet_new(&pool);
    assert_int_equal(fob_sheet_index(sheet, blob, 0, fob_blob_slice(blob), true, 10, 0, NULL),
                     FOB_OK);
    assert_int_equal(sheet->count, count);
    sheet->first_offset = first;
    fob_blob_unref(&blob);
    fob_buf_free(&body);
    return sheet;
}

static void add(uint64_t first, unsigned count, bool pinned) {
    fob_sheet_t *sheet = sheet_of(first, count);
    sheet->pinned = pinned;
    assert_true(fob_cache_reserve(&cache, 1));
    fob_cache_add(&cache, sheet);
    fob_sheet_unref(&pool, sheet);
}

static fob_cache_answer_t find(uint64_t offset, uint64_t *end) {
    fob_sheet_t *sheet = NULL;
    fob_cache_answer_t answer = fob_cache_find(&cache, offset, &sheet, end);
    if (answer == FOB_CACHE_HIT)
        assert_true(offset >= sheet->first_offset && offset < sheet->first_offset + sheet->count);
    return answer;
}

static void the_newest_stay_and_the_oldest_give_way(void **state) {
    (void)state;
    uint64_t end;
    for (uint64_t i = 0; i < 100; i++)
        add(1 + i * 5, 5, false);
    assert_true(fob_cache_bytes(&cache) <= 4000);
    assert_int_equal(find(1, &end), FOB_CACHE_MISS);
    for (uint64_t offset = 490; offset <= 500; offset++)
        assert_int_equal(find(offset, &end), FOB_CACHE_HIT);
    assert_int_equal(find(501, &end), FOB_CACHE_MISS);
}

static void what_is_pinned_stays(void **state) {
    (void)state;
    uint64_t end;
    for (uint64_t i = 0; i < 100; i++)
        add(1 + i * 5, 5, true);
    for (uint64_t offset = 1; offset <= 500; offset++)
        assert_int_equal(find(offset, &end), FOB_CACHE_HIT);
}

static void an_answer_is_seen_when_it_is_whole(void **state) {
    (void)state;
    uint64_t end;
    assert_int_equal(fob_cache_ask(&cache, 12), FOB_ASK_NOW);
    assert_int_equal(fob_cache_ask(&cache, 14), FOB_ASK_WAITS);
    assert_true(fob_cache_page(&cache, 12, sheet_of(10, 5), 10, 5, false));
    assert_int_equal(find(12, &end), FOB_CACHE_MISS);
    assert_true(fob_cache_page(&cache, 12, sheet_of(15, 5), 15, 5, true));
    assert_int_equal(find(9, &end), FOB_CACHE_MISS);
    assert_int_equal(find(10, &end), FOB_CACHE_HIT);
    assert_int_equal(find(19, &end), FOB_CACHE_HIT);
    assert_int_equal(find(20, &end), FOB_CACHE_MISS);
    assert_false(fob_cache_page(&cache, 12, sheet_of(15, 5), 15, 5, true));
}

static void an_answer_with_a_hole_is_cut_there(void **state) {
    (void)state;
    uint64_t end;
    assert_int_equal(fob_cache_ask(&cache, 10), FOB_ASK_NOW);
    assert_true(fob_cache_page(&cache, 10, sheet_of(10, 5), 10, 5, false));
    fob_cache_page(&cache, 10, sheet_of(20, 5), 20, 5, false);
    fob_cache_page(&cache, 10, sheet_of(25, 5), 25, 5, true);
    assert_int_equal(find(14, &end), FOB_CACHE_HIT);
    assert_int_equal(find(15, &end), FOB_CACHE_MISS);
    assert_int_equal(find(20, &end), FOB_CACHE_MISS);
}

static void what_an_answer_lacks_at_its_beginning_is_a_hole(void **state) {
    (void)state;
    uint64_t end = 0;
    assert_int_equal(fob_cache_ask(&cache, 10), FOB_ASK_NOW);
    fob_cache_page(&cache, 10, sheet_of(13, 5), 13, 5, true);
    assert_int_equal(find(10, &end), FOB_CACHE_HOLE);
    assert_int_equal(end, 13);
    assert_int_equal(find(13, &end), FOB_CACHE_MISS);
    assert_int_equal(fob_cache_ask(&cache, 13), FOB_ASK_NOW);
    fob_cache_page(&cache, 13, NULL, 13, 2, true);
    assert_int_equal(find(13, &end), FOB_CACHE_HOLE);
    assert_int_equal(end, 15);
}

static void an_empty_answer_is_asked_for_again(void **state) {
    (void)state;
    uint64_t end;
    assert_int_equal(fob_cache_ask(&cache, 10), FOB_ASK_NOW);
    fob_cache_page(&cache, 10, sheet_of(1, 5), 1, 5, true); /* not what was asked for */
    assert_int_equal(find(10, &end), FOB_CACHE_MISS);
    assert_int_equal(fob_cache_ask(&cache, 10), FOB_ASK_NOW);
}

static void what_just_came_is_not_driven_out_before_it_was_used(void **state) {
    (void)state;
    uint64_t end;
    assert_int_equal(cache.stretch_count, 4);
    for (uint64_t round = 0; round < 2; round++) {
        for (uint64_t i = 0; i < 2; i++) {
            uint64_t offset = 1000 + (round * 2 + i) * 1000;
            assert_int_equal(fob_cache_ask(&cache, offset), FOB_ASK_NOW);
            if (i == 1)
                assert_int_equal(fob_cache_ask(&cache, 9000), FOB_ASK_WAITS); /* two at a time */
        }
        for (uint64_t i = 0; i < 2; i++) {
            uint64_t offset = 1000 + (round * 2 + i) * 1000;
            fob_cache_page(&cache, offset, sheet_of(offset, 5), offset, 5, true);
        }
    }
    assert_int_equal(fob_cache_ask(&cache, 9000), FOB_ASK_LATER);
    cache.takes++;
    assert_int_equal(find(1000, &end), FOB_CACHE_HIT); /* used: so another goes */
    assert_int_equal(fob_cache_ask(&cache, 9000), FOB_ASK_NOW);
    assert_int_equal(find(1000, &end), FOB_CACHE_HIT);
    assert_int_equal(find(2000, &end), FOB_CACHE_MISS);
}

FOB_MAIN(FOB_CASE_WITH(the_newest_stay_and_the_oldest_give_way, setup, teardown),
         FOB_CASE_WITH(what_is_pinned_stays, setup, teardown),
         FOB_CASE_WITH(an_answer_is_seen_when_it_is_whole, setup, teardown),
         FOB_CASE_WITH(an_answer_with_a_hole_is_cut_there, setup, teardown),
         FOB_CASE_WITH(what_an_answer_lacks_at_its_beginning_is_a_hole, setup, teardown),
         FOB_CASE_WITH(an_empty_answer_is_asked_for_again, setup, teardown),
         FOB_CASE_WITH(what_just_came_is_not_driven_out_before_it_was_used, setup, teardown))
