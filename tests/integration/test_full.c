/* A full group: its topic's publishers are pushed back, everything else flows, and it recovers. The
 * real program and the library, real sockets, a real folder. */
#include "tests/support/case.h"
#include "tests/support/stand.h"

#include <fob/fob_publisher.h>
#include <signal.h>
#include <stdlib.h>

#ifndef FULL_DEPTH
#define FULL_DEPTH 10000
#endif

/* So many numbered lines; the caller's to free. */
static char *lines(size_t count) {
    char *text = malloc(count * 24 + 1), *at = text;
    assert_non_null(text);
    *at = 0;
    for (size_t n = 0; n < count; n++)
        at += sprintf(at, "{\"n\":%zu}\n", n);
    return text;
}

/* `fob pub mail --lines` of so many lines from a file: it reads as far as it may. */
static process_t *publish_from_file(const stand_t *stand, size_t count, const char *more,
                                    const char *receipts) {
    char *path = stand_path(stand, "lines"), *input = lines(count), *words = NULL;
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(input, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_true(asprintf(&words, "pub mail --lines %s < '%s'", more, path) > 0);
    process_t *pub = stand_fob_to(receipts, words);
    free(words);
    free(input);
    free(path);
    return pub;
}

static void make_group(const char *group, const char *pattern, size_t depth) {
    char setting[48];
    snprintf(setting, sizeof setting, "max_depth=%zu", depth);
    free(stand_do("group", "add", group, pattern, setting, NULL));
}

/* How long it took, in ms. */
static long long publish(const char *topic, size_t count) {
    long long began = process_clock();
    stand_publish(topic, count);
    return process_clock() - began;
}

static void a_full_group_is_named_and_exactly_its_depth_is_stored(void **state) {
    (void)state;
    stand_t stand;
    stand_start(&stand);
    make_group("mailers", "mail", FULL_DEPTH);
    free(stand_do("group", "add", "billing", "order_placed", NULL));
    long long alone = publish("order_placed", FULL_DEPTH);

    char deadline[40];
    snprintf(deadline, sizeof deadline, "--deadline %s", pace_option(8000));
    process_t *pub = publish_from_file(&stand, (size_t)FULL_DEPTH * 3, deadline, "/dev/null");
    stand_await(&stand, "mailers", "ready", FULL_DEPTH);
    long long beside = publish("order_placed", FULL_DEPTH);
    assert_int_equal(process_wait(pub, 0), -1); /* it still waits, and held up nobody */

    char want[96];
    const char *said = process_line(pub, PROCESS_ERR, PACE_PATIENCE);
    snprintf(want, sizeof want, "line %d: BUSY: group mailers is full (%d of %d)", FULL_DEPTH + 1,
             FULL_DEPTH, FULL_DEPTH);
    if (!said || !strstr(said, want))
        fail_msg("it says: %s", said ? said : "(nothing)");
    printf("%s\nanother publisher, another topic: %lld ms beside it, %lld ms alone\n", said, beside,
           alone);
    assert_int_equal(process_wait(pub, PACE_PATIENCE), 75);
    json_t *group = stand_group(&stand, "mailers");
    assert_int_equal(json_integer_value(json_object_get(group, "accepted")), FULL_DEPTH);
    assert_string_equal(json_string_value(json_object_get(group, "state")), "full");
    json_decref(group);

    char *file = stand_path(&stand, "worker");
    process_t *worker = stand_fob_to(file, "work mailers mail --json");
    stand_await(&stand, "mailers", "acked", FULL_DEPTH);
    assert_int_equal(stand_figure(&stand, "mailers", "ready"), 0);
    free(file);
    process_destroy(&worker);
    process_destroy(&pub);
    stand_end(&stand);
}

static void what_was_refused_is_taken_in_order_once_workers_drain_the_group(void **state) {
    (void)state;
    stand_t stand;
    stand_start(&stand);
    make_group("mailers", "mail", FULL_DEPTH);
    char *receipts = stand_path(&stand, "receipts"), *file = stand_path(&stand, "worker");
    process_t *pub =
        publish_from_file(&stand, (size_t)FULL_DEPTH * 3, "--json --deadline 4m", receipts);
    stand_await(&stand, "mailers", "ready", FULL_DEPTH);
    process_t *worker = stand_fob_to(file, "work mailers mail --json");
    if (process_wait(pub, PACE_PATIENCE) != 0)
        fail_msg("%s", process_line(pub, PROCESS_ERR, 1000));
    stand_await(&stand, "mailers", "acked", FULL_DEPTH * 3);
    process_signal(worker, SIGTERM);
    assert_int_equal(process_wait(worker, PACE_PATIENCE), 0);
    char *text = stand_read(file);
    long long next = 0;
    for (char *rest = text, *line; (line = stand_line(&rest)) != NULL;)
        assert_int_equal(atoll(strstr(line, "\"n\":") + 4), next++);
    assert_int_equal(next, FULL_DEPTH * 3);
    free(text);
    free(file);
    free(receipts);
    process_destroy(&worker);
    process_destroy(&pub);
    stand_end(&stand);
}

/* --- one publisher with two topics --- */

typedef struct {
    size_t stored[2], failed[2];
    char text[300];
} tally_t;

static void on_receipt(void *arg, const fob_receipt_t *receipt) {
    tally_t *tally = arg;
    int topic = strcmp(receipt->topic, "mail") != 0;
    if (receipt->status == FOB_OK) {
        tally->stored[topic]++;
        return;
    }
    tally->failed[topic]++;
    snprintf(tally->text, sizeof tally->text, "%s", receipt->text);
}

static void the_same_publishers_other_topics_go_on_at_full_speed(void **state) {
    (void)state;
    stand_t stand;
    stand_start(&stand);
    make_group("mailers", "mail", 100);
    free(stand_do("group", "add", "billing", "order_placed", NULL));
    tally_t tally = {0};
    fob_publisher_options_t options = FOB_PUBLISHER_OPTIONS;
    options.on_receipt = on_receipt;
    options.on_receipt_arg = &tally;
    options.deadline_ms = pace_ms(8000);
    options.connect_timeout_ms = PACE_PATIENCE;
    fob_publisher_t *publisher = fob_publisher_new(&options);
    assert_non_null(publisher);
    fob_status_t status = FOB_OK;
    for (int n = 0; n < 300 && status == FOB_OK; n++)
        status = fob_publisher_send(publisher, "mail", "m", 1, NULL, NULL);
    assert_int_equal(status, FOB_OK);
    long long began = process_clock();
    for (int n = 0; n < FULL_DEPTH && status == FOB_OK; n++)
        status = fob_publisher_send(publisher, "order_placed", "o", 1, NULL, NULL);
    assert_int_equal(status, FOB_OK);
    while (tally.stored[1] < FULL_DEPTH && process_clock() - began < pace_ms(7000))
        fob_publisher_dispatch(publisher, 100);
    long long took = process_clock() - began;
    printf("%zu of order_placed stored in %lld ms while mail was full\n", tally.stored[1], took);
    assert_int_equal(tally.stored[1], FULL_DEPTH);
    assert_int_equal(tally.failed[0], 0); /* they wait for their deadline */
    assert_int_equal(fob_publisher_flush(publisher, -1), FOB_BUSY);
    assert_int_equal(tally.stored[0], 100);
    assert_int_equal(tally.failed[0], 200);
    assert_non_null(strstr(tally.text, "group mailers is full (100 of 100)"));
    fob_publisher_destroy(&publisher);
    assert_int_equal(stand_figure(&stand, "mailers", "accepted"), 100);
    stand_end(&stand);
}

static void each_overflow_policy_keeps_the_depth_and_counts_what_it_drops(void **state) {
    (void)state;
    stand_t stand;
    stand_start(&stand);
    free(stand_do("group", "add", "latest", "m.*", "max_depth=100", "overflow=drop-oldest", NULL));
    free(stand_do("group", "add", "kept", "m.*", "max_depth=100", "overflow=dead-letter", NULL));
    free(stand_do("group", "add", "vital", "m.*", "max_depth=100", "overflow=drop-lowest-priority",
                  NULL));
    char *input = lines(150), *err = NULL;
    const char *low[] = {getenv("FOB_BINARY"), "pub", "m.low", "--lines", NULL};
    const char *high[] = {getenv("FOB_BINARY"), "pub", "m.high", "--lines",
                          "--priority",         "9",   NULL};
    const char *const *both[] = {high, low};
    for (size_t i = 0; i < 2; i++) {
        if (process_run(both[i], input, NULL, &err) != 0)
            fail_msg("%s", err);
        free(err);
    }
    assert_int_equal(stand_figure(&stand, "latest", "ready"), 100);
    assert_int_equal(stand_figure(&stand, "latest", "shed"), 200);
    assert_int_equal(stand_figure(&stand, "kept", "ready"), 100);
    assert_int_equal(stand_figure(&stand, "kept", "dead"), 200);
    assert_int_equal(stand_figure(&stand, "vital", "ready"), 100);
    assert_int_equal(stand_figure(&stand, "vital", "shed"), 200);
    stand_kill_bus(&stand);
    char *out = stand_do("work", "latest", "m.*", "--json", "-n", "100", NULL);
    assert_null(strstr(out, "m.high")); /* the last 100 published were low */
    free(out);
    out = stand_do("work", "vital", "m.*", "--json", "-n", "100", NULL);
    assert_null(strstr(out, "m.low"));
    free(out);
    out = stand_do("work", "kept", "m.*", "--json", "-n", "100", NULL);
    assert_non_null(strstr(out, "\"n\":0}")); /* the first 100 */
    assert_null(strstr(out, "m.low"));
    free(out);
    stand_await_settled(&stand);
    free(input);
    stand_end(&stand);
}

FOB_MAIN(FOB_CASE(a_full_group_is_named_and_exactly_its_depth_is_stored),
         FOB_CASE(what_was_refused_is_taken_in_order_once_workers_drain_the_group),
         FOB_CASE(the_same_publishers_other_topics_go_on_at_full_speed),
         FOB_CASE(each_overflow_policy_keeps_the_depth_and_counts_what_it_drops))
