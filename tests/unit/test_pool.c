/* The pool: places that are used again, given back from anywhere, also after the pool is gone. */
#include "proto/pool.h"
#include "tests/support/case.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MANY (FOB_POOL_PLACES + 8) /* more than a pool has */

static void *take(fob_pool_t *pool, size_t size) {
    void *bytes = fob_pool_take(pool, size);
    assert_non_null(bytes);
    memset(bytes, 0xa5, size); /* all of it is there */
    return bytes;
}

static void one_at_a_time_is_the_same_place_each_time(void **state) {
    (void)state;
    fob_pool_t pool = {0};
    void *first = take(&pool, FOB_POOL_BYTES);
    fob_pool_give(first);
    for (int i = 0; i < 100; i++) {
        void *bytes = take(&pool, 1);
        assert_ptr_equal(bytes, first);
        fob_pool_give(bytes);
    }
    fob_pool_empty(&pool);
}

static bool is_among(void *const *all, size_t count, const void *one) {
    size_t i = 0;
    while (i < count && all[i] != one)
        i++;
    return i < count;
}

static void what_was_given_back_is_used_again(void **state) {
    (void)state;
    enum { BATCH = 64 };
    fob_pool_t pool = {0};
    void *made[FOB_POOL_PLACES], *out[BATCH];
    size_t known = 0;
    for (int round = 0; round < 200; round++) {
        for (size_t i = 0; i < BATCH; i++) {
            out[i] = take(&pool, 100);
            assert_false(is_among(out, i, out[i]));
            if (is_among(made, known, out[i]))
                continue;
            assert_true(known < FOB_POOL_PLACES);
            made[known++] = out[i];
        }
        for (size_t i = 0; i < BATCH; i++)
            fob_pool_give(out[round % 2 ? i : BATCH - 1 - i]);
    }
    assert_true(known <= FOB_POOL_PLACES);
    fob_pool_empty(&pool);
}

static void beyond_its_places_and_bytes_there_is_more(void **state) {
    (void)state;
    fob_pool_t pool = {0};
    void *out[MANY];
    for (size_t i = 0; i < MANY; i++) {
        out[i] = take(&pool, 8);
        memcpy(out[i], &i, sizeof i);
    }
    void *large = take(&pool, FOB_POOL_BYTES + 1);
    for (size_t i = 0; i < MANY; i++) {
        assert_memory_equal(out[i], &i, sizeof i); /* each its own */
        fob_pool_give(out[i]);
    }
    fob_pool_give(large);
    fob_pool_empty(&pool);
}

static void what_is_out_outlives_the_pool(void **state) {
    (void)state;
    fob_pool_t *pool = calloc(1, sizeof *pool);
    assert_non_null(pool);
    uint8_t *early = take(pool, 16), *late = take(pool, 16);
    fob_pool_give(early);
    fob_pool_empty(pool);
    free(pool);
    assert_int_equal(late[15], 0xa5);
    fob_pool_give(late); /* a leak, or a place of no pool, is seen by the sanitizers */
}

static void without_a_pool_there_is_memory_too(void **state) {
    (void)state;
    fob_pool_give(take(NULL, 16));
    assert_null(fob_pool_take(NULL, SIZE_MAX));
}

/* One thread takes, another gives back. */
enum { HANDED = 20000, ROOM = 16 };
typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    void *queue[ROOM];
    size_t put, got;
} belt_t;

static void *give_back(void *arg) {
    belt_t *belt = arg;
    for (size_t i = 0; i < HANDED; i++) {
        pthread_mutex_lock(&belt->lock);
        while (belt->put == belt->got)
            pthread_cond_wait(&belt->changed, &belt->lock);
        void *bytes = belt->queue[belt->got++ % ROOM];
        pthread_cond_signal(&belt->changed);
        pthread_mutex_unlock(&belt->lock);
        size_t number;
        memcpy(&number, bytes, sizeof number);
        fob_pool_give(bytes);
        if (number != i)
            return belt;
    }
    return NULL;
}

static void another_thread_may_give_back(void **state) {
    (void)state;
    static belt_t belt = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    fob_pool_t pool = {0};
    pthread_t thread;
    void *wrong;
    assert_int_equal(pthread_create(&thread, NULL, give_back, &belt), 0);
    for (size_t i = 0; i < HANDED; i++) {
        void *bytes = take(&pool, sizeof i);
        memcpy(bytes, &i, sizeof i);
        pthread_mutex_lock(&belt.lock);
        while (belt.put - belt.got == ROOM)
            pthread_cond_wait(&belt.changed, &belt.lock);
        belt.queue[belt.put++ % ROOM] = bytes;
        pthread_cond_signal(&belt.changed);
        pthread_mutex_unlock(&belt.lock);
    }
    assert_int_equal(pthread_join(thread, &wrong), 0);
    assert_null(wrong);
    fob_pool_empty(&pool);
}

FOB_MAIN(FOB_CASE(one_at_a_time_is_the_same_place_each_time),
         FOB_CASE(what_was_given_back_is_used_again),
         FOB_CASE(beyond_its_places_and_bytes_there_is_more),
         FOB_CASE(what_is_out_outlives_the_pool), FOB_CASE(without_a_pool_there_is_memory_too),
         FOB_CASE(another_thread_may_give_back))
