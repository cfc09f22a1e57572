/* history: how attempts ended, kept in chains; worker and text stand once. */
#include "bus/core/work/history.h"
#include "tests/support/case.h"

#include <stdlib.h>

static fob_history_t *history;

static int setup(void **state) {
    (void)state;
    history = fob_history_new();
    assert_non_null(history);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    fob_history_free(history);
    return 0;
}

static uint32_t add(uint32_t chain, int64_t time_ms, uint8_t reason, const char *worker,
                    const char *text) {
    fob_attempt_t attempt = {.time_ms = time_ms,
                             .reason = reason,
                             .counted = reason % 2,
                             .worker = fob_slice_str(worker),
                             .text = fob_slice_str(text)};
    assert_true(fob_history_reserve(history, 1, strlen(worker) + strlen(text)));
    return fob_history_add(history, chain, &attempt);
}

static void check(uint32_t chain, uint32_t index, int64_t time_ms, uint8_t reason,
                  const char *worker, const char *text) {
    fob_attempt_t attempt;
    fob_history_at(history, chain, index, &attempt);
    assert_int_equal(attempt.time_ms, time_ms);
    assert_int_equal(attempt.reason, reason);
    assert_int_equal(attempt.counted, reason % 2);
    assert_true(fob_slice_eq(attempt.worker, fob_slice_str(worker)));
    assert_true(fob_slice_eq(attempt.text, fob_slice_str(text)));
}

static void a_chain_keeps_what_was_told_the_oldest_first(void **state) {
    (void)state;
    assert_int_equal(fob_history_count(history, 0), 0);
    uint32_t one = add(0, 1700000000123, 2, "w1", "no route to host");
    uint32_t other = add(0, -5, 1, "", "");
    one = add(one, 1700000000456, 3, "w2", "");
    assert_int_equal(fob_history_count(history, one), 2);
    assert_int_equal(fob_history_count(history, other), 1);
    check(one, 0, 1700000000123, 2, "w1", "no route to host");
    check(one, 1, 1700000000456, 3, "w2", "");
    check(other, 0, -5, 1, "", "");
}

static void of_many_attempts_the_newest_stay(void **state) {
    (void)state;
    uint32_t chain = 0;
    char text[24];
    for (int i = 0; i < 3 * FOB_HISTORY_MAX; i++) {
        snprintf(text, sizeof text, "reason %d", i);
        chain = add(chain, i, 1, "w", text);
        uint64_t most = (uint64_t)FOB_HISTORY_MAX * (16 + 32);
        assert_true(fob_history_bytes(history) <= most);
    }
    assert_int_equal(fob_history_count(history, chain), FOB_HISTORY_MAX);
    check(chain, 0, 2 * FOB_HISTORY_MAX, 1, "w", "reason 32");
    check(chain, FOB_HISTORY_MAX - 1, 3 * FOB_HISTORY_MAX - 1, 1, "w", "reason 47");
}

static void the_same_note_stands_once_and_goes_with_its_last_attempt(void **state) {
    (void)state;
    uint32_t chains[1000];
    for (uint32_t i = 0; i < 1000; i++)
        chains[i] = add(0, i, 1, "worker-1", "the database is away");
    uint64_t bytes = fob_history_note_bytes(history);
    assert_true(bytes > 0 && bytes <= 64);
    uint32_t different = add(0, 0, 1, "worker-2", "the database is away");
    assert_true(fob_history_note_bytes(history) > bytes);
    /* One behind the other they are the same bytes, and yet not the same. */
    uint32_t shifted = add(0, 0, 1, "worker-", "1the database is away");
    check(shifted, 0, 0, 1, "worker-", "1the database is away");
    for (uint32_t i = 0; i < 1000; i++) {
        check(chains[i], 0, i, 1, "worker-1", "the database is away");
        fob_history_drop(history, chains[i]);
    }
    check(different, 0, 0, 1, "worker-2", "the database is away");
    fob_history_drop(history, different);
    fob_history_drop(history, shifted);
    assert_int_equal(fob_history_bytes(history), 0);
}

static void the_hash_tells_what_was_told_and_not_where_it_stands(void **state) {
    (void)state;
    uint32_t one = add(add(0, 1, 1, "a", "x"), 2, 1, "b", "y");
    uint32_t between = add(0, 9, 1, "c", "z");
    uint32_t same = add(add(0, 1, 1, "a", "x"), 2, 1, "b", "y");
    assert_true(fob_history_hash(history, one) == fob_history_hash(history, same));
    assert_true(fob_history_hash(history, one) != fob_history_hash(history, between));
    uint32_t turned = add(add(0, 2, 1, "b", "y"), 1, 1, "a", "x");
    assert_true(fob_history_hash(history, one) != fob_history_hash(history, turned));
    uint32_t worker = add(add(0, 1, 1, "a", "x"), 2, 1, "B", "y");
    assert_true(fob_history_hash(history, one) != fob_history_hash(history, worker));
}

static void a_long_text_is_cut_between_characters(void **state) {
    (void)state;
    char text[400];
    memset(text, 'x', sizeof text);
    assert_int_equal(fob_note_cut(fob_slice(text, 255)).size, 255);
    assert_int_equal(fob_note_cut(fob_slice(text, 400)).size, 255);
    memcpy(text + 253, "\xE2\x82\xAC", 3); /* a euro sign, of which two bytes would fit */
    assert_int_equal(fob_note_cut(fob_slice(text, 400)).size, 253);
    assert_int_equal(fob_note_cut(fob_slice(text, 256)).size, 253);
    memset(text, 0x80, sizeof text); /* no text at all */
    assert_int_equal(fob_note_cut(fob_slice(text, 400)).size, 255);
}

/* --- against a plain table, with everything that may happen --- */

#define CHAINS 60

typedef struct {
    uint32_t chain, count;
    int64_t times[FOB_HISTORY_MAX];
    unsigned workers[FOB_HISTORY_MAX], texts[FOB_HISTORY_MAX];
} plain_t;

static uint64_t chances;

static uint64_t chance(uint64_t below) {
    uint64_t x = chances += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (x ^ (x >> 31)) % below;
}

/* A text of its own length and letters. */
static const char *text_of(unsigned number, char *out) {
    size_t size = number * 7 % (FOB_NOTE_MAX + 1);
    for (size_t i = 0; i < size; i++)
        out[i] = (char)('a' + (number + i * 3) % 26);
    out[size] = 0;
    return out;
}

static void plain_add(plain_t *plain, int64_t time_ms) {
    char worker[FOB_NOTE_MAX + 1], text[FOB_NOTE_MAX + 1];
    unsigned who = (unsigned)chance(5), why = (unsigned)chance(200);
    plain->chain = add(plain->chain, time_ms, 1, text_of(who, worker), text_of(why, text));
    if (plain->count == FOB_HISTORY_MAX) {
        memmove(plain->times, plain->times + 1, sizeof plain->times - sizeof plain->times[0]);
        memmove(plain->workers, plain->workers + 1,
                sizeof plain->workers - sizeof plain->workers[0]);
        memmove(plain->texts, plain->texts + 1, sizeof plain->texts - sizeof plain->texts[0]);
        plain->count--;
    }
    plain->times[plain->count] = time_ms;
    plain->workers[plain->count] = who;
    plain->texts[plain->count++] = why;
}

static void plain_check(const plain_t *plain) {
    char worker[FOB_NOTE_MAX + 1], text[FOB_NOTE_MAX + 1];
    assert_int_equal(fob_history_count(history, plain->chain), plain->count);
    for (uint32_t i = 0; i < plain->count; i++)
        check(plain->chain, i, plain->times[i], 1, text_of(plain->workers[i], worker),
              text_of(plain->texts[i], text));
}

static void it_agrees_with_a_plain_table(void **state) {
    (void)state;
    static plain_t plains[CHAINS];
    memset(plains, 0, sizeof plains);
    chances = 7;
    for (int step = 0; step < 20000; step++) {
        plain_t *plain = &plains[chance(CHAINS)];
        if (chance(12) == 0) {
            fob_history_drop(history, plain->chain);
            *plain = (plain_t){0};
        } else {
            plain_add(plain, step);
        }
        plain_check(plain);
    }
    for (size_t i = 0; i < CHAINS; i++) {
        plain_check(&plains[i]);
        fob_history_drop(history, plains[i].chain);
    }
    assert_int_equal(fob_history_bytes(history), 0);
}

FOB_MAIN(FOB_CASE_WITH(a_chain_keeps_what_was_told_the_oldest_first, setup, teardown),
         FOB_CASE_WITH(of_many_attempts_the_newest_stay, setup, teardown),
         FOB_CASE_WITH(the_same_note_stands_once_and_goes_with_its_last_attempt, setup, teardown),
         FOB_CASE_WITH(the_hash_tells_what_was_told_and_not_where_it_stands, setup, teardown),
         FOB_CASE(a_long_text_is_cut_between_characters),
         FOB_CASE_WITH(it_agrees_with_a_plain_table, setup, teardown))
