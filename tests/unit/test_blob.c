/* blob: who frees, when, and how often. */
#include "proto/blob.h"
#include "tests/support/case.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

static void count_free(void *data, void *hint) {
    (void)data;
    atomic_fetch_add((atomic_int *)hint, 1);
}

static void a_copy_keeps_the_bytes_after_the_source_changed(void **state) {
    (void)state;
    char source[] = "order_placed";
    fob_blob_t *blob = fob_blob_copy(fob_slice_str(source));
    assert_non_null(blob);
    memset(source, 'x', sizeof source - 1);
    assert_true(fob_slice_eq(fob_blob_slice(blob), fob_slice_str("order_placed")));
    fob_blob_unref(&blob);
    assert_null(blob);
}

static void the_last_holder_frees_what_was_wrapped_once(void **state) {
    (void)state;
    atomic_int freed = 0;
    char data[4] = "abc";
    fob_blob_t *one = fob_blob_wrap(data, 3, count_free, &freed);
    fob_blob_t *two = fob_blob_ref(one);
    assert_ptr_equal(one, two);
    fob_blob_unref(&one);
    assert_int_equal(atomic_load(&freed), 0);
    assert_ptr_equal(fob_blob_slice(two).data, data);
    fob_blob_unref(&two);
    assert_int_equal(atomic_load(&freed), 1);
    fob_blob_unref(&two);
    fob_blob_unref(NULL);
    assert_int_equal(atomic_load(&freed), 1);
}

static void a_new_blob_is_written_and_shortened_by_its_one_holder(void **state) {
    (void)state;
    fob_blob_t *blob = fob_blob_new(10);
    memcpy(fob_blob_writable(blob), "0123456789", 10);
    fob_blob_trim(blob, 4);
    assert_true(fob_slice_eq(fob_blob_slice(blob), fob_slice_str("0123")));
    fob_blob_trim(blob, 0);
    assert_int_equal(fob_blob_slice(blob).size, 0);
    fob_blob_unref(&blob);
}

static void a_shortened_blob_is_as_long_again_when_it_is_used_once_more(void **state) {
    (void)state;
    fob_blob_t *blob = fob_blob_new(100);
    fob_blob_trim(blob, 10);
    fob_blob_renew(blob);
    assert_int_equal(fob_blob_slice(blob).size, 100);
    memset(fob_blob_writable(blob), 7, 100);
    fob_blob_unref(&blob);
}

static void an_empty_blob_is_a_blob(void **state) {
    (void)state;
    fob_blob_t *none = fob_blob_new(0);
    fob_blob_t *copy = fob_blob_copy((fob_slice_t){0});
    assert_non_null(none);
    assert_non_null(copy);
    assert_int_equal(fob_blob_slice(none).size + fob_blob_slice(copy).size, 0);
    fob_blob_unref(&none);
    fob_blob_unref(&copy);
}

static void a_size_that_memory_cannot_have_is_refused(void **state) {
    (void)state;
    assert_null(fob_blob_new(SIZE_MAX));
    assert_null(fob_blob_new(SIZE_MAX - 8));
}

static void *hold_and_drop(void *blob) {
    for (int i = 0; i < 20000; i++) {
        fob_blob_t *mine = fob_blob_ref(blob);
        fob_blob_unref(&mine);
    }
    fob_blob_t *given = blob;
    fob_blob_unref(&given);
    return NULL;
}

static void holders_on_many_threads_free_it_once(void **state) {
    (void)state;
    enum { THREADS = 4 };
    atomic_int freed = 0;
    char data[1] = {7};
    fob_blob_t *blob = fob_blob_wrap(data, 1, count_free, &freed);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hold_and_drop, fob_blob_ref(blob)), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&freed), 0);
    fob_blob_unref(&blob);
    assert_int_equal(atomic_load(&freed), 1);
}

FOB_MAIN(FOB_CASE(a_copy_keeps_the_bytes_after_the_source_changed),
         FOB_CASE(the_last_holder_frees_what_was_wrapped_once),
         FOB_CASE(a_new_blob_is_written_and_shortened_by_its_one_holder),
         FOB_CASE(a_shortened_blob_is_as_long_again_when_it_is_used_once_more),
         FOB_CASE(an_empty_blob_is_a_blob), FOB_CASE(a_size_that_memory_cannot_have_is_refused),
         FOB_CASE(holders_on_many_threads_free_it_once))
