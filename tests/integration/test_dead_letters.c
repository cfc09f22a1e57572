/* Dead letters: how they come about, what is kept of them, and the way back. */
#include "tests/support/case.h"
#include "tests/support/stand.h"

#include <signal.h>
#include <stdlib.h>

#ifndef DEAD_EVENTS
#define DEAD_EVENTS 10000
#endif

static void
five_failures_are_a_dead_letter_with_five_reasons_and_redrive_brings_it_back_once(void **state) {
    (void)state;
    stand_t stand;
    stand_start(&stand);
    free(stand_do("group", "add", "billing", "order_placed", "backoff_first=10ms", NULL));
    free(stand_do("group", "add", "shipping", "order_placed", NULL));
    process_t *worker = process_fob("work", "billing", "order_placed", "--", "sh", "-c",
                                    "echo no card on attempt $FOB_ATTEMPT >&2; exit 3", NULL);
    free(stand_do("pub", "order_placed", "{\"n\":1}", "--key", "customer-7", NULL));
    stand_await(&stand, "billing", "dead", 1);
    process_signal(worker, SIGTERM);
    assert_int_equal(process_wait(worker, PACE_PATIENCE), 0);

    char *shown = stand_do("dead", "show", "billing", "1", "--json", NULL);
    json_t *letter = json_loads(shown, 0, NULL);
    free(shown);
    assert_non_null(letter);
    json_t *history = json_object_get(letter, "history"), *attempt;
    assert_int_equal(json_array_size(history), 5);
    size_t i;
    json_array_foreach(history, i, attempt) {
        const char *text = json_string_value(json_object_get(attempt, "text"));
        char want[32];
        snprintf(want, sizeof want, "attempt %zu", i + 1);
        if (!text || !strstr(text, want) || !strstr(text, "3"))
            fail_msg("attempt %zu: %s", i + 1, text ? text : "(no text)");
        assert_non_null(json_string_value(json_object_get(attempt, "worker")));
        printf("attempt %zu at %s: %s\n", i + 1,
               json_string_value(json_object_get(attempt, "worker")), text);
    }
    json_decref(letter);

    free(stand_do("dead", "redrive", "billing", NULL));
    assert_int_equal(stand_figure(&stand, "billing", "dead"), 0);
    assert_int_equal(stand_figure(&stand, "billing", "ready"), 1);
    assert_int_equal(stand_figure(&stand, "shipping", "accepted"), 1); /* to that group only */
    char *out = stand_do("work", "billing", "order_placed", "--json", "-n", "1", NULL);
    assert_non_null(strstr(out, "\"attempt\":1"));
    free(out);
    free(stand_do("dead", "redrive", "billing", NULL)); /* there is nothing any more */
    assert_int_equal(stand_figure(&stand, "billing", "acked"), 1);
    assert_int_equal(stand_figure(&stand, "billing", "ready"), 0);
    process_destroy(&worker);
    stand_end(&stand);
}

/* So many dead letters: a group of depth 1 that makes what is too much a dead letter. */
static void make_dead(const stand_t *stand, size_t count) {
    free(stand_do("group", "add", "billing", "order_placed", "max_depth=1", "overflow=dead-letter",
                  NULL));
    stand_publish("order_placed", count + 1);
    assert_int_equal(stand_figure(stand, "billing", "dead"), count);
}

static void a_bus_killed_during_a_redrive_brings_each_back_once(void **state) {
    (void)state;
    stand_t stand;
    stand_start(&stand);
    make_dead(&stand, DEAD_EVENTS);
    char rate[32];
    snprintf(rate, sizeof rate, "%d", DEAD_EVENTS / 10);
    process_t *redrive = process_fob("dead", "redrive", "billing", "--rate", rate, NULL);
    stand_await_least(&stand, "billing", "ready", 2); /* one was not dead */
    long long before = stand_figure(&stand, "billing", "dead");
    stand_kill_bus(&stand);
    if (process_wait(redrive, PACE_PATIENCE) != 0)
        fail_msg("%s", process_line(redrive, PROCESS_ERR, 1000));
    assert_int_equal(stand_figure(&stand, "billing", "dead"), 0);
    char *file = stand_path(&stand, "handled");
    process_t *worker = stand_fob_to(file, "work billing order_placed --json");
    stand_await(&stand, "billing", "acked", DEAD_EVENTS + 1);
    process_signal(worker, SIGTERM);
    assert_int_equal(process_wait(worker, PACE_PATIENCE), 0);
    unsigned char *seen = calloc(DEAD_EVENTS + 2, 1);
    char *text = stand_read(file);
    size_t lines = 0;
    for (char *rest = text, *line; (line = stand_line(&rest)) != NULL; lines++) {
        size_t offset = strtoul(strstr(line, "\"offset\":") + 9, NULL, 10);
        assert_in_range(offset, 1, DEAD_EVENTS + 1);
        assert_int_equal(seen[offset]++, 0);
    }
    printf("killed with %lld letters left: %zu of %d handled, none twice\n", before, lines,
           DEAD_EVENTS + 1);
    assert_int_equal(lines, DEAD_EVENTS + 1);
    assert_true(before > 0);
    free(seen);
    free(text);
    free(file);
    process_destroy(&worker);
    process_destroy(&redrive);
    stand_end(&stand);
}

FOB_MAIN(
    FOB_CASE(five_failures_are_a_dead_letter_with_five_reasons_and_redrive_brings_it_back_once),
    FOB_CASE(a_bus_killed_during_a_redrive_brings_each_back_once))
