/* Whether a body is a batch of one topic: the fast way says what the slow one says. */
#include "tests/support/case.h"

#include "proto/envelope.h"
#include "proto/uniform.h"

#include <stdlib.h>

#define ANY UINT64_MAX

static void event_put(fob_buf_t *body, const char *topic, size_t data, const char *id) {
    static uint8_t bytes[70000];
    fob_envelope_t event = {
        .topic = fob_slice_str(topic), .id = fob_slice_str(id), .data = fob_slice(bytes, data)};
    assert_int_equal(fob_envelope_write(body, sizeof bytes, &event), FOB_OK);
}

static void a_batch_of_one_topic_is_one(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 255, 256, 65535, 65536, 70000, 3};
    fob_buf_t body = {0};
    for (size_t i = 0; i < 32; i++)
        event_put(&body, "shop.eu", sizes[i % 8], i % 5 == 4 ? "an-id" : NULL);
    fob_slice_t topic = fob_slice_str("shop.eu");
    assert_int_equal(fob_uniform(fob_buf_slice(&body), topic, 32, ANY), FOB_OK);
    assert_int_equal(fob_uniform(fob_buf_slice(&body), topic, 31, ANY), FOB_BAD_EVENT);
    assert_int_equal(fob_uniform(fob_buf_slice(&body), topic, 33, ANY), FOB_BAD_EVENT);
    assert_int_equal(fob_uniform(fob_buf_slice(&body), fob_slice_str("shop.us"), 32, ANY),
                     FOB_BAD_EVENT);
    assert_int_equal(fob_uniform((fob_slice_t){0}, topic, 0, ANY), FOB_OK);
    assert_int_equal(fob_uniform((fob_slice_t){0}, topic, 1, ANY), FOB_BAD_EVENT);
    fob_buf_free(&body);
}

static void an_event_of_another_topic_is_found_wherever_it_is(void **state) {
    (void)state;
    for (size_t odd = 0; odd < 9; odd++) {
        fob_buf_t body = {0};
        for (size_t i = 0; i < 9; i++)
            event_put(&body, i == odd ? "shop.eV" : "shop.eu", 20, NULL);
        assert_int_equal(fob_uniform(fob_buf_slice(&body), fob_slice_str("shop.eu"), 9, ANY),
                         FOB_BAD_EVENT);
        fob_buf_free(&body);
    }
}

static void one_that_is_too_large_is_found_wherever_it_is(void **state) {
    (void)state;
    for (size_t large = 0; large < 9; large++) {
        fob_buf_t body = {0};
        for (size_t i = 0; i < 9; i++)
            event_put(&body, "t", i == large ? 101 : 100, NULL);
        fob_slice_t bytes = fob_buf_slice(&body);
        assert_int_equal(fob_uniform(bytes, fob_slice_str("t"), 9, 107), FOB_OK);
        assert_int_equal(fob_uniform(bytes, fob_slice_str("t"), 9, 106), FOB_TOO_LARGE);
        fob_buf_free(&body);
    }
}

/* One by one, and of each its topic. */
static bool slowly(fob_slice_t body, fob_slice_t topic, uint64_t count) {
    fob_cursor_t cursor = fob_cursor(body);
    fob_slice_t name, event;
    for (uint64_t i = 0; i < count; i++)
        if (!fob_envelope_skim(&cursor, &name, &event) || !fob_slice_eq(name, topic))
            return false;
    return fob_cursor_end(&cursor);
}

static void whatever_is_broken_or_cut_the_fast_way_agrees_with_the_slow_one(void **state) {
    (void)state;
    unsigned good = 0, bad = 0;
    srand(20261121);
    for (unsigned round = 0; round < 20000; round++) {
        fob_buf_t body = {0};
        uint64_t count = 1 + (uint64_t)rand() % 6;
        for (uint64_t i = 0; i < count; i++)
            event_put(&body, "ab", (size_t)rand() % 8 ? (size_t)rand() % 12 : 300,
                      rand() % 4 ? NULL : "i");
        uint8_t *bytes = malloc(body.size); /* exactly: a sanitizer sees what reads beyond */
        memcpy(bytes, body.data, body.size);
        size_t size = body.size - (round % 3 == 1 ? (size_t)rand() % body.size : 0);
        bytes = realloc(bytes, size);
        if (round % 3 == 2)
            bytes[(size_t)rand() % size] = (uint8_t)rand();
        bool is = slowly(fob_slice(bytes, size), fob_slice_str("ab"), count);
        fob_status_t said = fob_uniform(fob_slice(bytes, size), fob_slice_str("ab"), count, ANY);
        assert_int_equal(said, is ? FOB_OK : FOB_BAD_EVENT);
        good += is;
        bad += !is;
        free(bytes);
        fob_buf_free(&body);
    }
    assert_true(good > 5000 && bad > 5000); /* it was about something */
}

FOB_MAIN(FOB_CASE(a_batch_of_one_topic_is_one),
         FOB_CASE(an_event_of_another_topic_is_found_wherever_it_is),
         FOB_CASE(one_that_is_too_large_is_found_wherever_it_is),
         FOB_CASE(whatever_is_broken_or_cut_the_fast_way_agrees_with_the_slow_one))
