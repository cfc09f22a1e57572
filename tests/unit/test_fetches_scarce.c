/* Those who fetch, where memory is refused, once or from then on: nobody misses an event for it,
 * and nobody waits for ever. */
#include "tests/support/case.h"

#include "fetch_kit.h"
#include "watched.h"

bool watched;

WATCHED(fob_status_t, fob_fetches_add, (fob_fetches_t * self, const fob_fetch_t *fetch),
        (self, fetch))
WATCHED(fob_status_t, fob_fetches_add_whole, (fob_fetches_t * self, const fob_whole_t *whole),
        (self, whole))
WATCHED(bool, fob_fetches_next, (fob_fetches_t * self, fob_fetched_t *out), (self, out))
WATCHED_VOID(fob_fetches_page, (fob_fetches_t * self, const fob_page_t *page), (self, page))

static const char *const topics[] = {"a", "b", "c"};

static void fill(void) {
    kit_begin(NULL);
    for (int i = 0; i < 12; i++)
        kit_events(topics, 3, 120, 400);
    kit_trim(121);
}

/* Asks until it is taken. */
static void ask(uint64_t conn, uint64_t from) {
    fob_fetch_t fetch = {.conn = conn, .pattern = fob_slice_str("*"), .from = from};
    fob_status_t status = fob_fetches_add(kit.fetches, &fetch);
    if (status == FOB_OK)
        return;
    assert_int_equal(status, FOB_NO_MEMORY);
    watched = scarce.failed < 3;
    ask(conn, from);
}

/* Some seconds, and then there is memory again: a time is looked for in many rounds. */
static const kit_answer_t *wait(size_t answers) {
    for (int i = 0; i < 40 && kit.answer_count < answers; i++)
        kit_round(100);
    watched = watched && kit.answer_count >= answers;
    return kit_wait(answers);
}

static void story(void *arg) {
    uint64_t next = 1, got = 0, rounds = 0;
    (void)arg;
    fill();
    watched = true;
    while (next <= kit.head) {
        ask(1 + 70 * (rounds % 2), next);
        const kit_answer_t *answer = wait(++rounds);
        assert_int_equal(answer->gone_count, next == 1);
        for (size_t i = 0; i < answer->count; i++)
            assert_int_equal(answer->offsets[i], 121 + got++);
        next = answer->next;
    }
    watched = false;
    assert_int_equal(got, 11 * 120);
    kit_end(NULL);
}

/* Of each topic the last event, and whether all is there. */
static void other_story(void *arg) {
    fob_fetch_t fetch = {.conn = 1, .pattern = fob_slice_str(">"), .time_ms = 1, .latest = true};
    fob_whole_t whole = {.conn = 200, .pattern = fob_slice_str(">"), .from = 1};
    fob_status_t status;
    (void)arg;
    fill();
    watched = true;
    while ((status = fob_fetches_add(kit.fetches, &fetch)) != FOB_OK) {
        assert_int_equal(status, FOB_NO_MEMORY);
        watched = scarce.failed < 3;
    }
    const kit_answer_t *answer = wait(1);
    watched = scarce.failed < 3;
    while ((status = fob_fetches_add_whole(kit.fetches, &whole)) != FOB_OK) {
        assert_int_equal(status, FOB_NO_MEMORY);
        watched = scarce.failed < 3;
    }
    watched = false;
    assert_int_equal(answer->count, 3);
    assert_int_equal(answer->offsets[0], 12 * 120 - 2);
    kit_round(1000);
    assert_int_equal(kit.wholes, 1);
    kit_end(NULL);
}

static void each_allocation_may_fail_and_nothing_is_missed(void **state) {
    (void)state;
    scarce_each("fetches", 12, story, NULL);
}

static void each_topics_last_event_comes_and_each_question_is_answered(void **state) {
    (void)state;
    scarce_each("fetches: lasts", 20, other_story, NULL);
}

FOB_MAIN(FOB_CASE(each_allocation_may_fail_and_nothing_is_missed),
         FOB_CASE(each_topics_last_event_comes_and_each_question_is_answered))
