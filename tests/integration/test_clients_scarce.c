/* The clients as an application has them, with their sockets and threads, against a bus in a
 * process of its own, where the N-th allocation in this process fails: each call gives success or a
 * status that its header names, and once there is memory again all that was taken is done. */
#include "tests/support/case.h"
#include "tests/support/process.h"

#include "proto/link/request.h"
#include "proto/now.h"
#include "scarce.h"

#include <errno.h>
#include <fob/fob_publisher.h>
#include <fob/fob_subscriber.h>
#include <fob/fob_worker.h>
#include <stdlib.h>

#define EVENTS 6
#define LONG   PACE_PATIENCE /* ms */

static char *folder;
static process_t *bus, *orders, *songs; /* these publish a line each */
static char endpoint[64];

/* How long to wait while memory lacks: what fails from then on does not come. */
static int64_t patience(void) {
    return scarce.lasting ? 50 : LONG;
}

static process_t *teller(const char *topic) {
    return process_fob("pub", topic, "--lines", "--quiet", "--bus", endpoint, NULL);
}

/* A client that lacked memory goes on with its next beat at the latest: beats are quick here. */
static const char *beats(void) {
    static char path[300];
    folder = process_folder();
    snprintf(path, sizeof path, "%s/config", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("heartbeat = 100ms\n", file);
    assert_int_equal(fclose(file), 0);
    return path;
}

static int set_up(void **state) {
    int port = process_port();
    char *out;
    (void)state;
    snprintf(endpoint, sizeof endpoint, "%s", process_bus(port));
    bus = process_serve(port, "--memory", "--config", beats(), NULL);
    assert_int_equal(process_run_fob(NULL, &out, NULL, "group", "add", "work", "orders", "--bus",
                                     endpoint, NULL),
                     0);
    free(out);
    orders = teller("orders");
    songs = teller("songs");
    return 0;
}

static void tell(process_t *to, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        assert_true(process_puts(to, "{\"n\":1}\n"));
}

/* Events that were stored before. */
static int set_up_with_history(void **state) {
    if (set_up(state) != 0)
        return -1;
    process_t *archive = teller("archive");
    tell(archive, EVENTS);
    process_close_input(archive);
    assert_int_equal(process_wait(archive, LONG), 0);
    process_destroy(&archive);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    process_destroy(&orders);
    process_destroy(&songs);
    process_destroy(&bus);
    process_folder_remove(&folder);
    return 0;
}

/* --- a question --- */

static void question(void *arg) {
    fob_answer_t answer;
    const fob_wire_t what = {.verb = FOB_VERB_STATS};
    (void)arg;
    scarce.watching = true;
    fob_status_t status = fob_request(endpoint, &what, patience() * FOB_MS, &answer);
    scarce.watching = false;
    if (status != FOB_OK) { /* with little patience, on a slow machine, time is up first */
        assert_true(scarce.failed > 0 || scarce.lasting);
        assert_true(status == FOB_NO_MEMORY ||
                    (scarce.lasting && (status == FOB_UNREACHABLE || status == FOB_AGAIN)));
        assert_true(answer.text[0] != 0);
    } else {
        assert_non_null(answer.body);
    }
    fob_answer_clear(&answer);
}

static void a_question_is_answered_or_it_is_said_why_not(void **state) {
    (void)state;
    scarce_each("link: request", 7, question, NULL);
}

/* --- a publisher --- */

static unsigned stored, told;

static void on_receipt(void *arg, const fob_receipt_t *receipt) {
    (void)arg;
    told++;
    stored += receipt->status == FOB_OK;
}

static unsigned send_some(fob_publisher_t *publisher) {
    static const uint8_t data[3000];
    unsigned taken = 0;
    for (int i = 0; i < 40; i++) {
        fob_publish_options_t options = FOB_PUBLISH_OPTIONS;
        options.fire = i % 8 == 7;
        options.content_type = "application/json";
        options.headers = (const char *const[]){"a", "b", NULL};
        fob_status_t status =
            fob_publisher_send(publisher, "letters", data, sizeof data, &options, NULL);
        assert_true(status == FOB_OK || (status == FOB_NO_MEMORY && scarce.failed > 0));
        taken += status == FOB_OK;
    }
    return taken;
}

static void publishing(void *arg) {
    fob_publisher_options_t options = FOB_PUBLISHER_OPTIONS;
    (void)arg;
    stored = told = 0;
    options.bus = endpoint;
    options.on_receipt = on_receipt;
    options.connect_timeout_ms = -1;
    scarce.watching = true;
    fob_publisher_t *publisher = fob_publisher_new(&options);
    unsigned taken = publisher ? send_some(publisher) : 0;
    if (publisher)
        fob_publisher_flush(publisher, patience());
    scarce.watching = false;
    assert_true(publisher || (scarce.failed > 0 && errno == ENOMEM));
    if (publisher)
        assert_int_equal(fob_publisher_flush(publisher, LONG), FOB_OK);
    fob_publisher_destroy(&publisher);
    assert_int_equal(told, taken);
    assert_int_equal(stored, taken);
}

static void each_event_that_was_taken_is_stored(void **state) {
    (void)state;
    scarce_each("publishers: all of it", 12, publishing, NULL);
}

/* --- a worker --- */

/* Handles events until so many are acked, or one does not come in time. */
static unsigned handle(fob_worker_t *worker, unsigned most, uint64_t *last, int64_t ms) {
    unsigned acked = 0;
    fob_event_t *event;
    while (acked < most) {
        fob_status_t status = fob_worker_next(worker, &event, ms);
        if (status == FOB_AGAIN && (scarce.lasting || !scarce.watching))
            break;
        assert_true(status == FOB_OK || (status == FOB_NO_MEMORY && scarce.failed > 0));
        if (status == FOB_NO_MEMORY && scarce.lasting)
            break;
        if (status != FOB_OK)
            continue;
        uint64_t offset = fob_event_offset(event);
        status = fob_worker_settle(worker, &event, FOB_ACK);
        assert_true(status == FOB_OK || (status == FOB_NO_MEMORY && scarce.failed > 0));
        if (status != FOB_OK)
            continue;
        assert_true(offset > *last || scarce.failed > 0);
        *last = offset > *last ? offset : *last;
        acked++;
    }
    return acked;
}

static void working(void *arg) {
    static uint64_t last;
    fob_worker_options_t options = FOB_WORKER_OPTIONS;
    (void)arg;
    options.bus = endpoint;
    options.group = "work";
    options.connect_timeout_ms = -1;
    tell(orders, EVENTS);
    scarce.watching = true;
    fob_worker_t *worker = fob_worker_new(&options);
    unsigned acked = worker ? handle(worker, EVENTS, &last, patience()) : 0;
    if (worker)
        fob_worker_flush(worker, patience());
    scarce.watching = false;
    assert_true(worker || (scarce.failed > 0 && errno == ENOMEM));
    if (!worker)
        worker = fob_worker_new(&options);
    acked += handle(worker, EVENTS - acked, &last, LONG);
    assert_int_equal(acked, EVENTS);
    assert_int_equal(fob_worker_flush(worker, LONG), FOB_OK);
    fob_worker_destroy(&worker, LONG);
}

static void each_event_is_handled(void **state) {
    (void)state;
    scarce_each("subscribers: worker", 12, working, NULL);
}

/* --- a subscriber --- */

/* Until each event is here: what memory could not be had for is in the journal. */
static void hear(fob_subscriber_t *subscriber) {
    long long start = process_clock();
    uint64_t got = 0;
    while (got < EVENTS) {
        fob_event_t *event;
        fob_status_t status = fob_subscriber_next(subscriber, &event, 10);
        if (status == FOB_OK)
            fob_event_destroy(&event);
        else
            assert_true(status == FOB_AGAIN || (status == FOB_NO_MEMORY && scarce.failed > 0));
        got += status == FOB_OK;
        if (scarce.lasting && scarce.failed > 0 && process_clock() > start + 100)
            return; /* it cannot ask */
        if (process_clock() > start + LONG)
            fail_msg("an event does not come");
    }
    assert_int_equal(fob_subscriber_lost(subscriber, NULL), 0);
    assert_int_equal(fob_subscriber_malformed(subscriber), 0);
}

static void listening(void *arg) {
    fob_subscriber_options_t options = FOB_SUBSCRIBER_OPTIONS;
    fob_status_t status = FOB_OK;
    options.from = *(const fob_from_t *)arg;
    options.bus = endpoint;
    options.pattern = options.from == FOB_FROM_LATEST ? "songs" : "archive";
    options.connect_timeout_ms = scarce.lasting ? 300 : LONG;
    scarce.watching = true;
    fob_subscriber_t *subscriber = fob_subscriber_new(&options, &status);
    if (!subscriber) {
        scarce.watching = false;
        assert_true(scarce.failed > 0 || scarce.lasting);
        assert_true(status == FOB_NO_MEMORY || (scarce.lasting && status == FOB_UNREACHABLE));
        return;
    }
    if (options.from == FOB_FROM_LATEST)
        tell(songs, EVENTS);
    hear(subscriber);
    scarce.watching = false;
    fob_subscriber_destroy(&subscriber);
}

static void each_event_is_heard(void **state) {
    (void)state;
    fob_from_t from = FOB_FROM_LATEST;
    scarce_each("subscribers: subscriber", 9, listening, &from);
}

static void each_event_of_the_past_is_heard(void **state) {
    (void)state;
    fob_from_t from = FOB_FROM_EARLIEST;
    scarce_each("subscribers: subscriber, history", 9, listening, &from);
}

FOB_MAIN(FOB_CASE_WITH(a_question_is_answered_or_it_is_said_why_not, set_up, tear_down),
         FOB_CASE_WITH(each_event_that_was_taken_is_stored, set_up, tear_down),
         FOB_CASE_WITH(each_event_is_handled, set_up, tear_down),
         FOB_CASE_WITH(each_event_is_heard, set_up, tear_down),
         FOB_CASE_WITH(each_event_of_the_past_is_heard, set_up_with_history, tear_down))
