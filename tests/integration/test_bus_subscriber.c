/* The library's subscriber and a bus in this process: what a program is told of what it lacks, also
 * one that was made before it could be told. */
#include "tests/integration/bus_up.h"
#include "tests/support/process.h"

#include <fob/fob_publisher.h>
#include <fob/fob_subscriber.h>
#include <poll.h>
#include <stdlib.h>

#define PATIENCE PACE_PATIENCE /* ms */

static void publish(fob_bus_t *bus, const char *topic, size_t count) {
    fob_publisher_options_t options = FOB_PUBLISHER_OPTIONS;
    options.bus = fob_bus_endpoint(bus);
    fob_publisher_t *publisher = fob_publisher_new(&options);
    assert_non_null(publisher);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(fob_publisher_send(publisher, topic, "d", 1, NULL, NULL), FOB_OK);
    assert_int_equal(fob_publisher_flush(publisher, PATIENCE), FOB_OK);
    fob_publisher_destroy(&publisher);
}

static fob_subscriber_t *subscribe(fob_subscriber_options_t options, fob_bus_t *bus) {
    fob_status_t status;
    options.version = options.version ? options.version : 2;
    options.bus = fob_bus_endpoint(bus);
    options.pattern = options.pattern ? options.pattern : "t.*";
    options.connect_timeout_ms = PATIENCE;
    fob_subscriber_t *self = fob_subscriber_new(&options, &status);
    assert_int_equal(status, FOB_OK);
    return self;
}

static void expect(fob_subscriber_t *self, uint64_t first, uint64_t last) {
    for (uint64_t offset = first; offset <= last; offset++) {
        fob_event_t *event;
        assert_int_equal(fob_subscriber_next(self, &event, PATIENCE), FOB_OK);
        assert_int_equal(fob_event_offset(event), offset);
        fob_event_destroy(&event);
    }
}

static void expect_nothing(fob_subscriber_t *self) {
    fob_event_t *event;
    assert_int_equal(fob_subscriber_next(self, &event, 0), FOB_AGAIN);
}

/* --- slow readers --- */

/* The heartbeat is far beyond what this takes: room that a reader makes is seen at once. */
static void a_full_queue_loses_nothing_and_is_filled_again_as_it_is_read(void **state) {
    (void)state;
    enum { EVENTS = 20000 };
    fob_bus_t *bus = bus_up();
    fob_subscriber_t *self = subscribe((fob_subscriber_options_t){.queue = 10}, bus);
    publish(bus, "t.a", EVENTS / 2);
    publish(bus, "t.b", EVENTS / 2);
    uint64_t position, head, pauses;
    assert_int_equal(fob_subscriber_behind(self, &position, &head), 1);
    assert_true(position < head && head <= EVENTS);
    expect(self, 1, EVENTS);
    expect_nothing(self);
    assert_int_equal(fob_subscriber_lost(self, &pauses), 0);
    assert_int_equal(pauses, 0);
    publish(bus, "t.a", 1);
    expect(self, EVENTS + 1, EVENTS + 1);
    assert_int_equal(fob_subscriber_behind(self, &position, &head), 0);
    assert_int_equal(head, EVENTS + 1);
    fob_subscriber_destroy(&self);
    fob_bus_destroy(&bus);
}

static void bytes_bound_the_queue_too_and_nothing_is_lost(void **state) {
    (void)state;
    fob_bus_t *bus = bus_up();
    fob_subscriber_t *self = subscribe((fob_subscriber_options_t){.queue_bytes = 1}, bus);
    publish(bus, "t.a", 3000);
    expect(self, 1, 3000);
    expect_nothing(self);
    assert_int_equal(fob_subscriber_lost(self, NULL), 0);
    fob_subscriber_destroy(&self);
    fob_bus_destroy(&bus);
}

static void history_of_any_size_comes_through_a_small_queue(void **state) {
    (void)state;
    fob_bus_t *bus = bus_up();
    publish(bus, "t.a", 5000);
    fob_subscriber_t *self =
        subscribe((fob_subscriber_options_t){.queue = 1, .from = FOB_FROM_EARLIEST}, bus);
    fob_subscriber_t *other = subscribe(
        (fob_subscriber_options_t){.queue = 7, .from = FOB_FROM_OFFSET, .from_value = 2500}, bus);
    expect(self, 1, 5000);
    expect(other, 2500, 5000);
    expect_nothing(self);
    expect_nothing(other);
    fob_subscriber_destroy(&self);
    fob_subscriber_destroy(&other);
    fob_bus_destroy(&bus);
}

/* Again no beat tells it what passed while it did not listen. */
static void one_that_was_far_behind_listens_again_when_it_is_there(void **state) {
    (void)state;
    enum { EVENTS = 60000 };
    fob_bus_t *bus = bus_up();
    dealer_t *dealer = dealer_new(fob_bus_endpoint(bus));
    dealer_greet(dealer, "admin", 0);
    fob_subscriber_t *self = subscribe((fob_subscriber_options_t){.queue = 10}, bus);
    publish(bus, "t.a", EVENTS);
    for (uint64_t at = 1; at <= EVENTS; at += EVENTS / 10) {
        publish(bus, "t.b", 1); /* also where it comes near */
        expect(self, at, at + EVENTS / 10 - 1);
    }
    expect(self, EVENTS + 1, EVENTS + 10);
    uint64_t next = EVENTS + 11, before, after;
    long long until = process_clock() + PATIENCE;
    do { /* soon five come by the broadcast alone */
        assert_true(process_clock() < until);
        before = dealer_figure(dealer, NULL, "fetched");
        publish(bus, "t.a", 5);
        expect(self, next, next + 4);
        after = dealer_figure(dealer, NULL, "fetched");
        next += 5;
    } while (after != before);
    dealer_destroy(&dealer);
    fob_subscriber_destroy(&self);
    fob_bus_destroy(&bus);
}

/* --- what is lacking --- */

/* A bus on a port that nobody takes while it is away; its journal is in memory. */
static fob_bus_t *bus_at(int port) {
    return bus_up_with((fob_bus_options_t){.port = port});
}

/* Ends it, and starts one that knows nothing. */
static void forget_all(fob_bus_t **bus_p, int port) {
    fob_bus_destroy(bus_p);
    *bus_p = bus_at(port);
}

static void a_bus_that_lost_what_it_had_is_told_as_a_gap(void **state) {
    (void)state;
    fob_gap_t gap;
    fob_event_t *event;
    int port = process_port();
    fob_bus_t *bus = bus_at(port);
    fob_subscriber_t *self = subscribe((fob_subscriber_options_t){.version = 2}, bus);
    struct pollfd fd = {.fd = fob_subscriber_fd(self), .events = POLLIN};
    publish(bus, "t.a", 3);
    expect(self, 1, 3);
    assert_int_equal(fob_subscriber_gap(self, &gap), 0);
    expect_nothing(self);
    forget_all(&bus, port);
    assert_int_equal(poll(&fd, 1, PATIENCE), 1); /* it wakes a loop that polls */
    assert_int_equal(fob_subscriber_next(self, &event, PATIENCE), FOB_GAP);
    assert_null(event);
    assert_int_equal(fob_subscriber_gap(self, &gap), 1);
    assert_int_equal(gap.reason, FOB_GAP_EPOCH);
    assert_int_equal(gap.first, 1);
    assert_int_equal(gap.last, 3);
    assert_true(gap.epoch > 0);
    assert_string_equal(gap.topic, "");
    publish(bus, "t.a", 2);
    expect(self, 1, 2);
    assert_int_equal(fob_subscriber_gap(self, &gap), 0);
    fob_subscriber_destroy(&self);
    fob_bus_destroy(&bus);
}

/* As version 1 laid it out. */
typedef struct {
    unsigned version;
    const char *bus, *pattern;
    int64_t connect_timeout_ms;
    uint32_t queue;
} first_options_t;

static void a_program_made_for_version_1_is_repaired_and_counts_gaps_as_pauses(void **state) {
    (void)state;
    int port = process_port();
    fob_bus_t *bus = bus_at(port);
    uint64_t pauses;
    /* On the heap: who reads beyond its end is caught by a sanitizer. */
    first_options_t *options = calloc(1, sizeof *options);
    assert_non_null(options);
    *options = (first_options_t){1, fob_bus_endpoint(bus), "t.*", PATIENCE, 10};
    fob_status_t status;
    fob_subscriber_t *self = fob_subscriber_new((const void *)options, &status);
    assert_int_equal(status, FOB_OK);
    free(options);
    publish(bus, "t.a", 1000); /* through a queue of ten */
    expect(self, 1, 1000);
    assert_int_equal(fob_subscriber_lost(self, &pauses), 0);
    assert_int_equal(pauses, 0);
    forget_all(&bus, port);
    publish(bus, "t.a", 2);
    expect(self, 1, 2);
    assert_int_equal(fob_subscriber_lost(self, &pauses), 0);
    assert_int_equal(pauses, 1);
    fob_subscriber_destroy(&self);
    fob_bus_destroy(&bus);
}

static void mode_live_loses_and_counts_what_its_queue_does_not_hold(void **state) {
    (void)state;
    fob_bus_t *bus = bus_up();
    fob_subscriber_t *self =
        subscribe((fob_subscriber_options_t){.queue = 10, .mode = FOB_SUBSCRIBER_LIVE}, bus);
    publish(bus, "t.a", 25);
    int64_t tries = PATIENCE;
    while (fob_subscriber_lost(self, NULL) < 15 && tries-- > 0)
        poll(NULL, 0, 1);
    assert_int_equal(fob_subscriber_lost(self, NULL), 15);
    expect(self, 1, 10);
    expect_nothing(self);
    fob_subscriber_destroy(&self);
    fob_bus_destroy(&bus);
}

/* Reads until `count` were handed out or told, each once. */
static void notify_tells_what_its_queue_does_not_hold(void **state) {
    (void)state;
    enum { EVENTS = 500 };
    bool had[EVENTS + 1] = {false};
    fob_bus_t *bus = bus_up_with((fob_bus_options_t){.heartbeat_ms = pace_ms(500)});
    fob_subscriber_t *self =
        subscribe((fob_subscriber_options_t){.queue = 10, .mode = FOB_SUBSCRIBER_NOTIFY}, bus);
    publish(bus, "t.a", EVENTS);
    for (uint64_t got = 0, told = 0; got + told < EVENTS;) {
        fob_event_t *event;
        fob_gap_t gap = {.reason = FOB_GAP_LOST};
        fob_status_t status = fob_subscriber_next(self, &event, PATIENCE);
        assert_true(status == FOB_OK || status == FOB_GAP);
        if (status == FOB_GAP)
            assert_int_equal(fob_subscriber_gap(self, &gap), 1);
        else
            gap.first = gap.last = fob_event_offset(event);
        assert_int_equal(gap.reason, FOB_GAP_LOST);
        assert_true(gap.first >= 1 && gap.first <= gap.last && gap.last <= EVENTS);
        for (uint64_t offset = gap.first; offset <= gap.last; offset++) {
            assert_false(had[offset]);
            had[offset] = true;
            *(status == FOB_OK ? &got : &told) += 1;
        }
        fob_event_destroy(&event);
    }
    fob_subscriber_destroy(&self);
    fob_bus_destroy(&bus);
}

/* --- many at once --- */

static void many_are_sent_and_read_at_once(void **state) {
    (void)state;
    enum { EVENTS = 20000, MANY = 300 };
    fob_bus_t *bus = bus_up();
    fob_subscriber_t *self = subscribe((fob_subscriber_options_t){0}, bus);
    fob_publisher_options_t options = FOB_PUBLISHER_OPTIONS;
    options.bus = fob_bus_endpoint(bus);
    fob_publisher_t *publisher = fob_publisher_new(&options);
    assert_non_null(publisher);
    fob_publish_t sent[MANY];
    for (size_t i = 0; i < MANY; i++)
        sent[i] = (fob_publish_t){.topic = i % 2 ? "t.a" : "t.b", .data = "d", .size = 1};
    for (size_t i = 0, count; i < EVENTS; i += count) {
        count = EVENTS - i < MANY ? EVENTS - i : MANY;
        assert_int_equal(fob_publisher_send_many(publisher, sent, count, NULL), FOB_OK);
    }
    assert_int_equal(fob_publisher_flush(publisher, PATIENCE), FOB_OK);
    fob_publisher_destroy(&publisher);
    fob_event_t *events[MANY];
    uint64_t last[2] = {0};
    size_t count, got = 0, most = 0;
    for (; got < EVENTS; got += count) {
        assert_int_equal(fob_subscriber_next_many(self, events, MANY, &count, PATIENCE), FOB_OK);
        assert_in_range(count, 1, MANY);
        most = count > most ? count : most;
        for (size_t i = 0; i < count; i++) {
            uint64_t *of_topic = &last[fob_event_topic(events[i])[2] == 'a'];
            assert_true(fob_event_offset(events[i]) > *of_topic);
            *of_topic = fob_event_offset(events[i]);
            fob_event_destroy(&events[i]);
        }
    }
    assert_int_equal(got, EVENTS);
    assert_true(most > 1);
    assert_int_equal(fob_subscriber_next_many(self, events, MANY, &count, 0), FOB_AGAIN);
    assert_int_equal(count, 0);
    fob_subscriber_close(self);
    assert_int_equal(fob_subscriber_next_many(self, events, MANY, &count, -1), FOB_CLOSED);
    fob_subscriber_destroy(&self);
    fob_bus_destroy(&bus);
}

/* What is missing comes by itself, between the events that it is missing between. */
static void among_many_a_gap_keeps_its_place(void **state) {
    (void)state;
    enum { EVENTS = 500, MANY = 64 };
    fob_bus_t *bus = bus_up_with((fob_bus_options_t){.heartbeat_ms = pace_ms(500)});
    fob_subscriber_t *self =
        subscribe((fob_subscriber_options_t){.queue = 10, .mode = FOB_SUBSCRIBER_NOTIFY}, bus);
    publish(bus, "t.a", EVENTS);
    for (uint64_t next = 1; next <= EVENTS;) {
        fob_event_t *events[MANY];
        fob_gap_t gap;
        size_t count;
        fob_status_t status = fob_subscriber_next_many(self, events, MANY, &count, PATIENCE);
        assert_true(status == FOB_OK || status == FOB_GAP);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(fob_event_offset(events[i]), next++);
            fob_event_destroy(&events[i]);
        }
        assert_int_equal(fob_subscriber_gap(self, &gap), status == FOB_GAP);
        if (status == FOB_OK)
            continue;
        assert_int_equal(count, 0);
        assert_int_equal(gap.first, next);
        next = gap.last + 1;
    }
    fob_subscriber_destroy(&self);
    fob_bus_destroy(&bus);
}

FOB_MAIN(FOB_CASE(many_are_sent_and_read_at_once), FOB_CASE(among_many_a_gap_keeps_its_place),
         FOB_CASE(a_full_queue_loses_nothing_and_is_filled_again_as_it_is_read),
         FOB_CASE(one_that_was_far_behind_listens_again_when_it_is_there),
         FOB_CASE(bytes_bound_the_queue_too_and_nothing_is_lost),
         FOB_CASE(history_of_any_size_comes_through_a_small_queue),
         FOB_CASE(a_bus_that_lost_what_it_had_is_told_as_a_gap),
         FOB_CASE(a_program_made_for_version_1_is_repaired_and_counts_gaps_as_pauses),
         FOB_CASE(mode_live_loses_and_counts_what_its_queue_does_not_hold),
         FOB_CASE(notify_tells_what_its_queue_does_not_hold))
