/* The tables beside the sequencer: marks, recent messages, holes. */
#include "support/case.h"

#include "proto/envelope.h"
#include "subscribers/sequence/holes.h"
#include "subscribers/sequence/marks.h"
#include "subscribers/sequence/recent.h"

#include <stdlib.h>
#include <xxhash.h>

#define NAMES 500

static fob_slice_t name_of(unsigned number, char text[64]) {
    snprintf(text, 64, "topic.%u.%s", number, number % 7 ? "x" : "much.longer.than.that");
    return fob_slice_str(text);
}

static void a_mark_is_found_until_it_is_swept_away(void **state) {
    (void)state;
    fob_marks_t marks = {.max = NAMES};
    uint64_t upto[NAMES] = {0}, random = 88172645463325252u;
    char text[64];
    for (unsigned step = 0; step < 20000; step++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        unsigned n = (unsigned)(random % NAMES);
        fob_topic_mark_t *mark = fob_marks_find(&marks, name_of(n, text));
        assert_true(mark ? mark->upto == upto[n] : upto[n] == 0);
        if (!mark)
            mark = fob_marks_add(&marks, name_of(n, text), step + 1);
        fob_marks_raise(&marks, mark, step + 1);
        upto[n] = step + 1;
        if (step % 1000 != 999)
            continue;
        unsigned kept = (unsigned)(random >> 32) % NAMES;
        mark = fob_marks_find(&marks, name_of(kept, text));
        if (mark)
            mark->kept = true;
        fob_marks_sweep(&marks, step - 200);
        for (unsigned i = 0; i < NAMES; i++)
            if (upto[i] <= step - 200 && (i != kept || !mark))
                upto[i] = 0;
    }
    uint64_t lowest = UINT64_MAX, count = 0;
    for (unsigned i = 0; i < NAMES; i++) {
        count += upto[i] > 0;
        if (upto[i] && upto[i] < lowest)
            lowest = upto[i];
    }
    assert_int_equal(fob_marks_low(&marks), 0); /* the others are not had at all */
    fob_marks_rise(&marks, UINT64_MAX);
    assert_int_equal(fob_marks_low(&marks), lowest);
    assert_int_equal(marks.count, count);
    fob_marks_cap(&marks, lowest);
    assert_int_equal(marks.high, lowest);
    fob_marks_sweep(&marks, lowest);
    assert_int_equal(marks.count, 0);
    assert_null(fob_marks_find(&marks, name_of(1, text)));
    fob_marks_free(&marks);
}

static void a_full_table_takes_no_more_topics(void **state) {
    (void)state;
    fob_marks_t marks = {.max = 3};
    char text[64];
    for (unsigned i = 0; i < 3; i++)
        assert_non_null(fob_marks_add(&marks, name_of(i, text), i));
    assert_null(fob_marks_add(&marks, name_of(3, text), 3));
    fob_marks_sweep(&marks, 0);
    assert_non_null(fob_marks_add(&marks, name_of(3, text), 3));
    assert_null(fob_marks_find(&marks, name_of(0, text)));
    assert_int_equal(fob_marks_find(&marks, name_of(2, text))->upto, 2);
    fob_marks_free(&marks);
}

static void all_the_topics_it_is_made_for_fit(void **state) {
    (void)state;
    fob_marks_t marks = {0};
    char text[64];
    for (unsigned i = 0; i < FOB_MARKS_MAX; i++)
        assert_non_null(fob_marks_add(&marks, name_of(i, text), i + 1));
    assert_null(fob_marks_add(&marks, name_of(FOB_MARKS_MAX, text), 1));
    for (unsigned i = 0; i < FOB_MARKS_MAX; i += 97)
        assert_int_equal(fob_marks_find(&marks, name_of(i, text))->upto, i + 1);
    fob_marks_free(&marks);
}

static void long_names_fill_it_sooner(void **state) {
    (void)state;
    fob_marks_t marks = {0};
    char text[256];
    uint32_t count = 0;
    memset(text, 'x', sizeof text);
    for (bool more = true; more; count += more) {
        snprintf(text + 240, 16, "%015u", count);
        more = fob_marks_add(&marks, fob_slice_str(text), 1) != NULL;
    }
    assert_int_equal(count, FOB_MARKS_NAMES / 255);
    assert_int_equal(marks.names_size, count * 255);
    fob_marks_free(&marks);
}

/* What is said of a part of the topics says nothing of the others. */
static void each_part_has_a_base_of_its_own(void **state) {
    (void)state;
    for (uint64_t parts = 1; parts <= FOB_MARKS_PARTS; parts *= 4) {
        fob_marks_t marks = {0};
        fob_topic_mark_t *mark;
        char text[64];
        uint64_t inside = 0;
        fob_marks_begin(&marks, 10);
        for (unsigned i = 0; i < NAMES; i++)
            assert_non_null(fob_marks_add(&marks, name_of(i, text), 20 + i));
        fob_marks_find(&marks, name_of(0, text))->kept = true;
        fob_marks_settle(&marks, parts - 1, parts, 300);
        for (unsigned i = 0; i < 2 * NAMES; i++) {
            uint64_t had = fob_marks_had(&marks, name_of(i, text), &mark);
            bool asked = XXH3_64bits(text, strlen(text)) % parts == parts - 1;
            bool gone = i > NAMES - 1 || (asked && i > 0 && 20 + i <= 300);
            inside += asked;
            assert_true(gone == !mark);
            assert_int_equal(had, !gone ? 20 + i : asked ? 300 : 10);
        }
        assert_in_range(inside, 1, 2 * NAMES);
        assert_int_equal(marks.base_low, parts == 1 ? 300 : 10);
        assert_int_equal(marks.base_high, 300);
        assert_int_equal(fob_marks_base(&marks, parts - 1, parts), 300);
        assert_int_equal(fob_marks_base(&marks, 0, parts), parts == 1 ? 300 : 10);
        fob_marks_settle(&marks, parts - 1, parts, 200); /* it does not go back */
        assert_int_equal(fob_marks_base(&marks, parts - 1, parts), 300);
        fob_marks_free(&marks);
    }
}

static void hear(fob_recent_t *recent, uint64_t offset, size_t size) {
    static uint8_t data[FOB_RECENT_BYTES];
    char text[32] = "topic";
    fob_buf_t buf = {0};
    fob_envelope_t event = {.topic = fob_slice_str(text), .data = fob_slice(data, size)};
    assert_int_equal(fob_envelope_write(&buf, size, &event), FOB_OK);
    fob_blob_t *body = fob_blob_copy(fob_buf_slice(&buf));
    fob_heard_t heard = {.body = body, .topic = fob_slice_str(text), .offset = offset, .count = 1};
    fob_recent_put(recent, &heard);
    text[0] = '?'; /* what the head pointed at does not last */
    fob_blob_unref(&body);
    fob_buf_free(&buf);
}

static void the_newest_messages_are_kept(void **state) {
    (void)state;
    fob_recent_t recent = {0};
    for (uint64_t offset = 1; offset <= FOB_RECENT_MESSAGES; offset++)
        hear(&recent, offset, 1);
    assert_false(recent.holed);
    hear(&recent, FOB_RECENT_MESSAGES + 1, 1);
    assert_true(recent.holed);
    assert_int_equal(fob_recent_first(&recent)->offset, 2);
    assert_true(fob_slice_eq(fob_recent_first(&recent)->topic, fob_slice_str("topic")));
    hear(&recent, FOB_RECENT_MESSAGES + 2, FOB_RECENT_BYTES - 1000);
    assert_true(recent.bytes <= FOB_RECENT_BYTES);
    assert_true(fob_recent_first(&recent)->offset > FOB_RECENT_MESSAGES / 2);
    hear(&recent, FOB_RECENT_MESSAGES + 3, FOB_RECENT_BYTES); /* one alone may be larger */
    assert_int_equal(recent.count, 1);
    fob_recent_drop(&recent);
    assert_null(fob_recent_first(&recent));
    assert_int_equal(recent.bytes, 0);
    fob_recent_free(&recent);
}

static void holes_wait_in_their_order_and_are_bounded(void **state) {
    (void)state;
    fob_holes_t holes = {0};
    char text[64];
    for (unsigned i = 0; i < FOB_HOLES_MAX; i++) {
        assert_true(fob_holes_reserve(&holes));
        fob_holes_put(&holes, name_of(i, text), i, i + 10);
    }
    assert_false(fob_holes_reserve(&holes));
    fob_holes_drop(&holes);
    assert_int_equal(fob_holes_first(&holes)->after, 1);
    assert_true(fob_slice_eq(fob_hole_topic(fob_holes_first(&holes)), name_of(1, text)));
    fob_holes_cap(&holes, 5); /* four begin below, and are cut */
    assert_int_equal(holes.count, 4);
    for (unsigned i = 1; i < 5; i++) {
        assert_int_equal(fob_holes_first(&holes)->after, i);
        assert_int_equal(fob_holes_first(&holes)->upto, 5);
        fob_holes_drop(&holes);
    }
    assert_null(fob_holes_first(&holes));
    fob_holes_free(&holes);
}

FOB_MAIN(FOB_CASE(a_mark_is_found_until_it_is_swept_away),
         FOB_CASE(a_full_table_takes_no_more_topics), FOB_CASE(all_the_topics_it_is_made_for_fit),
         FOB_CASE(long_names_fill_it_sooner), FOB_CASE(each_part_has_a_base_of_its_own),
         FOB_CASE(the_newest_messages_are_kept),
         FOB_CASE(holes_wait_in_their_order_and_are_bounded))
