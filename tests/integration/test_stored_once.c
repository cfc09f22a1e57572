/* Stored once: the same id twice, and a publisher whose connection is cut again and again. */
#include "tests/support/case.h"
#include "tests/support/proxy.h"
#include "tests/support/stand.h"

#include <signal.h>
#include <stdlib.h>

#ifndef CUT_EVENTS
#define CUT_EVENTS 100000
#endif
#define CUTS 50

static json_t *receipt_of(char *line) {
    json_t *receipt = json_loads(line, 0, NULL);
    assert_non_null(receipt);
    free(line);
    return receipt;
}

static long long number(const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    assert_true(json_is_integer(value));
    return (long long)json_integer_value(value);
}

static void the_same_id_twice_with_a_kill_between_is_stored_once(void **state) {
    (void)state;
    stand_t stand;
    stand_start(&stand);
    free(stand_do("group", "add", "billing", "order_placed", NULL));
    json_t *first =
        receipt_of(stand_do("pub", "order_placed", "{\"n\":1}", "--id", "order-1", "--json", NULL));
    assert_true(json_is_false(json_object_get(first, "duplicate")));
    stand_kill_bus(&stand);
    json_t *second =
        receipt_of(stand_do("pub", "order_placed", "{\"n\":1}", "--id", "order-1", "--json", NULL));
    assert_int_equal(number(second, "duplicate"), number(first, "offset"));
    assert_null(json_object_get(second, "differs"));
    json_t *third =
        receipt_of(stand_do("pub", "order_placed", "{\"n\":2}", "--id", "order-1", "--json", NULL));
    assert_int_equal(number(third, "duplicate"), number(first, "offset"));
    assert_true(json_is_true(json_object_get(third, "differs")));
    assert_int_equal(stand_figure(&stand, "billing", "accepted"), 1);
    json_decref(first);
    json_decref(second);
    json_decref(third);
    stand_end(&stand);
}

static void the_same_id_under_another_topic_is_another_event(void **state) {
    (void)state;
    stand_t stand;
    stand_start(&stand);
    free(stand_do("group", "add", "all", ">", NULL));
    free(stand_do("pub", "order_placed", "1", "--id", "order-1", NULL));
    json_t *other =
        receipt_of(stand_do("pub", "order_paid", "1", "--id", "order-1", "--json", NULL));
    assert_true(json_is_false(json_object_get(other, "duplicate")));
    json_decref(other);
    assert_int_equal(stand_figure(&stand, "all", "accepted"), 2);
    stand_end(&stand);
}

/* Feeds all lines at a pace that spreads the cuts, each after its share of them. */
static size_t feed_and_cut(process_t *pub, proxy_t *proxy) {
    size_t cut = 0, share = CUT_EVENTS / (CUTS + 1);
    long long began = process_clock();
    for (size_t n = 0; n < CUT_EVENTS; n++) {
        char line[48];
        snprintf(line, sizeof line, "{\"n\":%zu}\n", n);
        assert_true(process_puts(pub, line));
        if ((n + 1) % share != 0 || cut >= CUTS)
            continue;
        stand_pace(began + (long long)(cut + 1) * 100);
        /* In mid-stream: something is to be cut. */
        long long until = process_clock() + PACE_PATIENCE;
        while (proxy_cut(proxy) == 0) {
            assert_true(process_clock() < until);
            stand_pace(process_clock() + 1);
        }
        cut++;
    }
    return cut;
}

static void in_order(const char *path, const char *what, long long first, long long count) {
    char *text = stand_read(path);
    long long next = first;
    for (char *rest = text, *line; (line = stand_line(&rest)) != NULL;) {
        const char *at = strstr(line, what);
        assert_non_null(at);
        assert_int_equal(atoll(at + strlen(what)), next++);
    }
    assert_int_equal(next - first, count);
    free(text);
}

static void over_a_connection_cut_fifty_times_each_is_stored_once_in_order(void **state) {
    (void)state;
    stand_t stand;
    stand_start_with(&stand, pace_beat(1000, NULL), NULL);
    proxy_t *proxy = proxy_new(stand.port);
    char *receipts = stand_path(&stand, "receipts"), *handled = stand_path(&stand, "handled");
    char words[128];
    process_t *worker = stand_fob_to(handled, "work billing order_placed --json");
    stand_await_workers(&stand, 1);
    snprintf(words, sizeof words,
             "pub order_placed --lines --json --deadline 4m -b tcp://127.0.0.1:%d",
             proxy_port(proxy));
    process_t *pub = stand_fob_to(receipts, words);
    size_t cut = feed_and_cut(pub, proxy);
    process_close_input(pub);
    if (process_wait(pub, PACE_PATIENCE) != 0)
        fail_msg("%s", process_line(pub, PROCESS_ERR, 1000));
    stand_await(&stand, "billing", "acked", CUT_EVENTS);
    assert_int_equal(stand_figure(&stand, "billing", "accepted"), CUT_EVENTS);
    process_signal(worker, SIGTERM);
    assert_int_equal(process_wait(worker, PACE_PATIENCE), 0);
    in_order(receipts, "\"offset\":", 1, CUT_EVENTS);
    in_order(handled, "\"n\":", 0, CUT_EVENTS);
    printf("%zu cuts, %d events, each stored once, in order\n", cut, CUT_EVENTS);
    assert_int_equal(cut, CUTS);
    process_destroy(&pub);
    process_destroy(&worker);
    proxy_destroy(&proxy);
    free(receipts);
    free(handled);
    stand_end(&stand);
}

FOB_MAIN(FOB_CASE(the_same_id_twice_with_a_kill_between_is_stored_once),
         FOB_CASE(the_same_id_under_another_topic_is_another_event),
         FOB_CASE(over_a_connection_cut_fifty_times_each_is_stored_once_in_order))
