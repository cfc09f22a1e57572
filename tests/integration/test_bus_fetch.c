/* What a subscriber missed is fetched over ROUTER, from the journal of a bus behind real sockets.
 */
#include "tests/integration/bus_up.h"

#include "bus/journal/backup.h"
#include "proto/envelope.h"
#include "tests/support/process.h"

#include <stdlib.h>

#define DATA 1000

static char *folder;

static int make_folder(void **state) {
    (void)state;
    folder = process_folder();
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    process_folder_remove(&folder);
    return 0;
}

static fob_bus_t *bus_here(void) {
    return bus_up_with((fob_bus_options_t){.data = folder, .segment_bytes = 1 << 24, .sync = "os"});
}

static dealer_t *client(fob_bus_t *bus, const char *role, uint8_t session) {
    dealer_t *dealer = dealer_new(fob_bus_endpoint(bus));
    dealer_greet(dealer, role, session);
    return dealer;
}

/* PUBLISH numbers first.. of `count` events with so much data. */
static void publish(dealer_t *publisher, uint64_t first, const char *topic, size_t count,
                    size_t size) {
    fob_wire_t msg = {.verb = FOB_VERB_PUBLISH};
    fob_buf_t body = {0};
    dealer_events(&body, topic, count, size);
    FOB_SET(&msg, first, first);
    FOB_SET(&msg, low, first);
    dealer_send(publisher, &msg, &body);
    fob_buf_free(&body);
    dealer_receipts(publisher, first, count, FOB_OK);
}

static void send_fetch(dealer_t *dealer, uint64_t req, const char *pattern, uint64_t from) {
    fob_wire_t msg = {.verb = FOB_VERB_FETCH};
    FOB_SET(&msg, req, req);
    FOB_SET(&msg, pattern, fob_slice_str(pattern));
    FOB_SET(&msg, from, from);
    dealer_send(dealer, &msg, NULL);
}

static const fob_wire_t *fetch(dealer_t *dealer, const char *pattern, uint64_t from) {
    send_fetch(dealer, from, pattern, from);
    const fob_wire_t *fetched = dealer_expect(dealer, FOB_VERB_FETCHED);
    assert_int_equal(fetched->req, from);
    assert_int_equal(fetched->code, FOB_OK);
    return fetched;
}

/* How many events the runs tell of; they follow on `*last`, with holes or without. */
static uint64_t events(const fob_wire_t *fetched, uint64_t *last, bool whole) {
    fob_runs_t runs;
    fob_run_t run;
    uint64_t count = 0;
    assert_true(fob_runs(fetched->runs, &runs));
    while (fob_runs_next(&runs, &run)) {
        assert_true(whole ? run.at[0] == *last + 1 : run.at[0] > *last);
        assert_true(run.at[2] > UINT64_C(1600000000000));
        *last = run.at[0] + run.at[1] - 1;
        count += run.at[1];
    }
    return count;
}

static uint64_t events_in(fob_slice_t body, const char *topic) {
    fob_cursor_t cursor = fob_cursor(body);
    uint64_t count = 0;
    while (!fob_cursor_end(&cursor)) {
        fob_envelope_t event;
        assert_int_equal(fob_envelope_read(&cursor, 1 << 20, &event), FOB_OK);
        if (topic)
            assert_true(fob_slice_eq(event.topic, fob_slice_str(topic)));
        count++;
    }
    return count;
}

/* Fetches all there is of a pattern, page after page. */
static uint64_t fetch_all(dealer_t *dealer, const char *pattern, const char *topic, bool whole) {
    uint64_t next = 1, last = 0, count = 0, head;
    do {
        const fob_wire_t *fetched = fetch(dealer, pattern, next);
        uint64_t here = events(fetched, &last, whole);
        assert_int_equal(events_in(dealer_body(dealer), topic), here);
        assert_true(fetched->next > last && fetched->next > next);
        assert_false(FOB_HAS(fetched, gone));
        next = fetched->next;
        head = fetched->head;
        count += here;
    } while (next <= head);
    return count;
}

static void the_bus_says_that_it_can(void **state) {
    (void)state;
    fob_bus_t *bus = bus_here();
    dealer_t *dealer = dealer_new(fob_bus_endpoint(bus));
    assert_true(fob_caps_have(dealer_greet(dealer, "subscriber", 0)->caps, FOB_CAP_FETCH));
    dealer_destroy(&dealer);
    fob_bus_destroy(&bus);
}

static void what_was_stored_is_fetched_again_also_after_a_restart(void **state) {
    (void)state;
    fob_bus_t *bus = bus_here();
    dealer_t *publisher = client(bus, "publisher", 1);
    for (uint64_t i = 0; i < 20; i++) {
        publish(publisher, i * 150 + 1, "shop.eu.placed", 100, DATA);
        publish(publisher, i * 150 + 101, "shop.us.paid", 50, DATA);
    }
    dealer_t *subscriber = client(bus, "subscriber", 0);
    assert_int_equal(fetch_all(subscriber, ">", NULL, true), 3000);
    assert_int_equal(fetch_all(subscriber, "shop.*.placed", "shop.eu.placed", false), 2000);
    dealer_destroy(&publisher);
    dealer_destroy(&subscriber);
    fob_bus_destroy(&bus);
    bus = bus_here();
    subscriber = client(bus, "subscriber", 0);
    assert_int_equal(fetch_all(subscriber, "shop.us.>", "shop.us.paid", false), 1000);
    assert_true(dealer_figure(subscriber, NULL, "fetched") >= 4);
    assert_true(dealer_figure(subscriber, NULL, "fetched_bytes") >= 1000 * DATA);
    assert_int_equal(dealer_figure(subscriber, NULL, "fetching"), 0);
    dealer_destroy(&subscriber);
    fob_bus_destroy(&bus);
}

static void a_bus_in_memory_serves_it_too(void **state) {
    (void)state;
    fob_bus_t *bus = bus_up();
    dealer_t *publisher = client(bus, "publisher", 1);
    for (uint64_t i = 0; i < 10; i++)
        publish(publisher, i * 100 + 1, "t", 100, DATA);
    assert_int_equal(fetch_all(publisher, "t", "t", true), 1000);
    dealer_destroy(&publisher);
    fob_bus_destroy(&bus);
}

static void what_cannot_be_asked_is_refused_with_a_sentence(void **state) {
    (void)state;
    fob_bus_t *bus = bus_here();
    dealer_t *dealer = client(bus, "subscriber", 0);
    send_fetch(dealer, 9, "a..b", 1);
    const fob_wire_t *fetched = dealer_expect(dealer, FOB_VERB_FETCHED);
    assert_int_equal(fetched->req, 9);
    assert_int_equal(fetched->code, FOB_BAD_PATTERN);
    assert_true(fetched->text.size > 0);
    dealer_destroy(&dealer);
    fob_bus_destroy(&bus);
}

/* The only event of a topic that a subscriber never heard of. */
static void whether_all_was_had_is_told_by_topic_also_after_a_restart(void **state) {
    (void)state;
    for (int life = 0; life < 2; life++) {
        fob_bus_t *bus = bus_here();
        dealer_t *dealer = client(bus, "publisher", 1);
        if (life == 0) {
            publish(dealer, 1, "shop.eu.paid", 10, DATA);
            publish(dealer, 11, "shop.us.paid", 1, DATA);
            publish(dealer, 12, "other", 1, DATA);
        }
        fob_wire_t msg = {.verb = FOB_VERB_WHOLE};
        FOB_SET(&msg, req, 77);
        FOB_SET(&msg, pattern, fob_slice_str("shop.*.paid"));
        FOB_SET(&msg, from, 10);
        FOB_SET(&msg, upto, 12);
        dealer_send(dealer, &msg, NULL);
        const fob_wire_t *whole = dealer_expect(dealer, FOB_VERB_WHOLENESS);
        assert_int_equal(whole->req, 77);
        assert_int_equal(whole->upto, 12);
        assert_int_equal(whole->floor, 0);
        fob_cursor_t cursor = fob_cursor(dealer_body(dealer));
        uint32_t rows, two;
        uint64_t last = 0;
        fob_slice_t topic = {0};
        assert_true(fob_cursor_array(&cursor, &rows) && rows == 1);
        assert_true(fob_cursor_array(&cursor, &two) && fob_cursor_str(&cursor, &topic) &&
                    fob_cursor_uint(&cursor, &last) && fob_cursor_end(&cursor));
        assert_true(fob_slice_eq(topic, fob_slice_str("shop.us.paid")));
        assert_int_equal(last, 11);
        dealer_destroy(&dealer);
        fob_bus_destroy(&bus);
    }
}

static void each_topics_last_value_is_had_at_once(void **state) {
    (void)state;
    fob_bus_t *bus = bus_here();
    dealer_t *dealer = client(bus, "publisher", 1);
    uint64_t last = 0;
    publish(dealer, 1, "shop.eu.paid", 100, DATA);
    publish(dealer, 101, "shop.us.paid", 100, DATA);
    publish(dealer, 201, "shop.eu.paid", 100, DATA);
    fob_wire_t msg = {.verb = FOB_VERB_FETCH};
    FOB_SET(&msg, req, 5);
    FOB_SET(&msg, pattern, fob_slice_str("shop.>"));
    FOB_SET(&msg, latest, true);
    dealer_send(dealer, &msg, NULL);
    const fob_wire_t *fetched = dealer_expect(dealer, FOB_VERB_FETCHED);
    assert_int_equal(events(fetched, &last, false), 2);
    assert_int_equal(last, 300);
    assert_int_equal(events_in(dealer_body(dealer), NULL), 2);
    assert_true(fetched->next > fetched->head);
    dealer_destroy(&dealer);
    fob_bus_destroy(&bus);
}

static void history_begins_with_a_time(void **state) {
    (void)state;
    fob_bus_t *bus = bus_here();
    dealer_t *dealer = client(bus, "publisher", 1);
    uint64_t last = 0, times[2] = {0};
    publish(dealer, 1, "t", 100, DATA);
    times[0] = dealer_run(fetch(dealer, ">", 1)->runs).at[2];
    for (uint64_t number = 101; times[1] <= times[0]; number++) { /* the clock's next ms */
        publish(dealer, number, "t", 1, DATA);
        times[1] = dealer_run(fetch(dealer, ">", number)->runs).at[2];
    }
    fob_wire_t msg = {.verb = FOB_VERB_FETCH};
    FOB_SET(&msg, req, 5);
    FOB_SET(&msg, pattern, fob_slice_str("t"));
    FOB_SET(&msg, time, times[1]);
    dealer_send(dealer, &msg, NULL);
    const fob_wire_t *fetched = dealer_expect(dealer, FOB_VERB_FETCHED);
    assert_int_equal(dealer_run(fetched->runs).at[0], fetched->head);
    assert_int_equal(events(fetched, &last, false), 1);
    dealer_destroy(&dealer);
    fob_bus_destroy(&bus);
}

/* HELLO of one whose offsets are of that epoch (0: it does not say), and how far they are good. */
static uint64_t began_for(fob_bus_t *bus, uint64_t epoch, uint64_t *now) {
    dealer_t *dealer = dealer_new(fob_bus_endpoint(bus));
    fob_wire_t msg = {.verb = FOB_VERB_HELLO};
    FOB_SET(&msg, version_min, 1);
    FOB_SET(&msg, version_max, 1);
    FOB_SET(&msg, role, fob_slice_str("subscriber"));
    if (epoch)
        FOB_SET(&msg, epoch, epoch);
    dealer_send(dealer, &msg, NULL);
    const fob_wire_t *welcome = dealer_expect(dealer, FOB_VERB_WELCOME);
    assert_true(FOB_HAS(welcome, began));
    uint64_t began = welcome->began;
    *now = welcome->epoch;
    fob_wire_t beat = {.verb = FOB_VERB_BEAT};
    FOB_SET(&beat, echo, 1);
    dealer_send(dealer, &beat, NULL);
    const fob_wire_t *answer = dealer_next(dealer, DEALER_PATIENCE);
    assert_true(answer && answer->verb == FOB_VERB_BEAT);
    assert_int_equal(answer->began, began);
    dealer_destroy(&dealer);
    return began;
}

static void after_a_new_epoch_each_is_told_how_far_its_offsets_are_good(void **state) {
    (void)state;
    char *copy = process_folder();
    fob_backup_t backup;
    fob_journal_error_t error;
    uint64_t first, second, none;
    fob_bus_t *bus = bus_here();
    dealer_t *dealer = client(bus, "publisher", 1);
    publish(dealer, 1, "t", 5, DATA);
    assert_int_equal(began_for(bus, 0, &first), 0);
    assert_int_equal(fob_journal_backup(folder, copy, &backup, &error), FOB_JOURNAL_OK);
    dealer_destroy(&dealer);
    fob_bus_destroy(&bus);
    bus = bus_up_with((fob_bus_options_t){.data = copy, .sync = "os"});
    assert_int_equal(began_for(bus, 0, &second), 5);
    assert_true(second != first);
    assert_int_equal(began_for(bus, first, &none), 5);
    assert_int_equal(began_for(bus, second, &none), 5);
    assert_int_equal(began_for(bus, 12345, &none), 0); /* nobody knows */
    fob_bus_destroy(&bus);
    process_folder_remove(&copy);
}

/* Both lie in the socket when the bus looks: the first is not answered before the second is read,
 * or it is, and the second is answered as any. */
static void two_at_once_are_each_answered_and_the_second_perhaps_refused(void **state) {
    (void)state;
    fob_bus_t *bus = bus_here();
    dealer_t *dealer = client(bus, "publisher", 1);
    publish(dealer, 1, "t", 100, DATA);
    send_fetch(dealer, 1, "t", 1);
    send_fetch(dealer, 2, "t", 1);
    bool answered[3] = {false};
    for (int i = 0; i < 2; i++) {
        const fob_wire_t *fetched = dealer_expect(dealer, FOB_VERB_FETCHED);
        assert_true(fetched->req == 1 || fetched->req == 2);
        assert_false(answered[fetched->req]);
        answered[fetched->req] = true;
        if (fetched->code != FOB_OK) {
            assert_int_equal(fetched->req, 2);
            assert_int_equal(fetched->code, FOB_LIMIT);
        }
    }
    dealer_destroy(&dealer);
    fob_bus_destroy(&bus);
}

FOB_MAIN(FOB_CASE_WITH(the_bus_says_that_it_can, make_folder, remove_folder),
         FOB_CASE_WITH(what_was_stored_is_fetched_again_also_after_a_restart, make_folder,
                       remove_folder),
         FOB_CASE(a_bus_in_memory_serves_it_too),
         FOB_CASE_WITH(what_cannot_be_asked_is_refused_with_a_sentence, make_folder, remove_folder),
         FOB_CASE_WITH(whether_all_was_had_is_told_by_topic_also_after_a_restart, make_folder,
                       remove_folder),
         FOB_CASE_WITH(each_topics_last_value_is_had_at_once, make_folder, remove_folder),
         FOB_CASE_WITH(after_a_new_epoch_each_is_told_how_far_its_offsets_are_good, make_folder,
                       remove_folder),
         FOB_CASE_WITH(history_begins_with_a_time, make_folder, remove_folder),
         FOB_CASE_WITH(two_at_once_are_each_answered_and_the_second_perhaps_refused, make_folder,
                       remove_folder))
