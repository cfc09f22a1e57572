#include "tests/integration/bus_up.h"

#include <stdlib.h>

static void hello_is_answered_by_a_welcome(void **state) {
    (void)state;
    fob_bus_t *bus = bus_up();
    dealer_t *dealer = dealer_new(fob_bus_endpoint(bus));
    const fob_wire_t *welcome = dealer_greet(dealer, "worker", 0);
    fob_shard_t shard;
    assert_int_equal(welcome->version, 1);
    assert_int_equal(welcome->heartbeat, BUS_CALM);
    assert_int_equal(welcome->max_event, 1000000);
    assert_true(welcome->max_batch > 1000000);
    assert_int_equal(welcome->window, FOB_WINDOW_MAX);
    assert_int_equal(welcome->head, 0);
    assert_true(fob_slice_eq(welcome->level, fob_slice_str("memory")));
    assert_true(fob_shards_find(welcome->shards, 0, &shard));
    assert_true(shard.router != 0 && shard.xsub != 0 && shard.xpub != 0);
    dealer_destroy(&dealer);
    fob_bus_destroy(&bus);
}

static void another_version_is_refused_naming_both(void **state) {
    (void)state;
    fob_bus_t *bus = bus_up();
    dealer_t *dealer = dealer_new(fob_bus_endpoint(bus));
    dealer_hello(dealer, 7, 9, "worker", 0);
    const fob_wire_t *error = dealer_expect(dealer, FOB_VERB_ERROR);
    assert_int_equal(error->code, FOB_VERSION);
    assert_int_equal(error->of, FOB_VERB_HELLO);
    assert_int_equal(error->version_min, 1);
    assert_int_equal(error->version_max, 1);
    char text[256];
    snprintf(text, sizeof text, "%.*s", (int)error->text.size, (const char *)error->text.data);
    assert_non_null(strstr(text, "7 to 9"));
    assert_non_null(strstr(text, "1 to 1"));
    dealer_greet(dealer, "worker", 0); /* the connection is as good as before */
    dealer_destroy(&dealer);
    fob_bus_destroy(&bus);
}

static void whoever_does_not_say_hello_is_told_to(void **state) {
    (void)state;
    fob_bus_t *bus = bus_up();
    dealer_t *dealer = dealer_new(fob_bus_endpoint(bus));
    dealer_beat(dealer);
    assert_int_equal(dealer_expect(dealer, FOB_VERB_ERROR)->code, FOB_HELLO_FIRST);
    dealer_publish(dealer, 1, "order_placed", 1);
    const fob_wire_t *error = dealer_expect(dealer, FOB_VERB_ERROR);
    assert_int_equal(error->code, FOB_HELLO_FIRST);
    assert_int_equal(error->of, FOB_VERB_PUBLISH);
    dealer_greet(dealer, "publisher", 1);
    assert_int_equal(dealer_figure(dealer, NULL, "events_in"), 0);
    dealer_destroy(&dealer);
    fob_bus_destroy(&bus);
}

static void another_shard_is_refused_by_name(void **state) {
    (void)state;
    fob_bus_t *bus = bus_up();
    dealer_t *dealer = dealer_new(fob_bus_endpoint(bus));
    dealer_greet(dealer, "admin", 0);
    fob_wire_t msg = {.verb = FOB_VERB_STATS, .shard = 5};
    FOB_SET(&msg, req, 1);
    dealer_send(dealer, &msg, NULL);
    assert_int_equal(dealer_expect(dealer, FOB_VERB_ERROR)->code, FOB_NOT_OWNER);
    dealer_destroy(&dealer);
    fob_bus_destroy(&bus);
}

static void one_connection_too_many_is_told_the_limit(void **state) {
    (void)state;
    fob_bus_t *bus = bus_up_with((fob_bus_options_t){.max_connections = 1});
    dealer_t *one = dealer_new(fob_bus_endpoint(bus));
    dealer_t *two = dealer_new(fob_bus_endpoint(bus));
    dealer_greet(one, "worker", 0);
    dealer_hello(two, 1, 1, "worker", 0);
    assert_int_equal(dealer_expect(two, FOB_VERB_ERROR)->code, FOB_LIMIT);
    dealer_goodbye(one);
    for (;;) { /* the other's GOODBYE may still be on its way */
        dealer_hello(two, 1, 1, "worker", 0);
        const fob_wire_t *msg = dealer_next(two, DEALER_PATIENCE);
        assert_non_null(msg);
        if (msg->verb == FOB_VERB_WELCOME)
            break;
        assert_int_equal(msg->code, FOB_LIMIT);
    }
    dealer_destroy(&one);
    dealer_destroy(&two);
    fob_bus_destroy(&bus);
}

static void a_publish_without_a_session_is_explained(void **state) {
    (void)state;
    fob_bus_t *bus = bus_up();
    dealer_t *dealer = dealer_new(fob_bus_endpoint(bus));
    dealer_greet(dealer, "publisher", 0);
    dealer_publish(dealer, 1, "order_placed", 1);
    const fob_wire_t *error = dealer_expect(dealer, FOB_VERB_ERROR);
    assert_int_equal(error->code, FOB_PROTOCOL);
    assert_int_equal(error->of, FOB_VERB_PUBLISH);
    dealer_destroy(&dealer);
    fob_bus_destroy(&bus);
}

static void malformed_frames_are_counted_and_answered(void **state) {
    (void)state;
    fob_bus_t *bus = bus_up();
    dealer_t *dealer = dealer_new(fob_bus_endpoint(bus));
    dealer_t *other = dealer_new(fob_bus_endpoint(bus));
    dealer_greet(dealer, "worker", 1);
    dealer_greet(other, "admin", 0);
    const void *frames[] = {"no msgpack", "and", "too", "many", "frames"};
    const size_t sizes[] = {10, 3, 3, 4, 6};
    dealer_send_raw(dealer, frames, sizes, 1);
    assert_int_equal(dealer_expect(dealer, FOB_VERB_ERROR)->code, FOB_PROTOCOL);
    dealer_send_raw(dealer, frames, sizes, 5);
    assert_int_equal(dealer_expect(dealer, FOB_VERB_ERROR)->code, FOB_PROTOCOL);
    const uint8_t beat_and_more[] = {0x93, FOB_VERB_BEAT, 0, 0x80};
    const void *two[] = {beat_and_more, "body"};
    const size_t two_sizes[] = {sizeof beat_and_more, 4};
    dealer_send_raw(dealer, two, two_sizes, 2);
    assert_int_equal(dealer_expect(dealer, FOB_VERB_ERROR)->code, FOB_PROTOCOL);
    assert_int_equal(dealer_figure(other, NULL, "malformed"), 3);
    assert_int_equal(dealer_figure(other, NULL, "connections"), 2);
    dealer_destroy(&dealer);
    dealer_destroy(&other);
    fob_bus_destroy(&bus);
}

static void ten_malformed_messages_end_a_connection(void **state) {
    (void)state;
    fob_bus_t *bus = bus_up();
    dealer_t *dealer = dealer_new(fob_bus_endpoint(bus));
    dealer_greet(dealer, "worker", 1);
    const void *frame = "\xc1";
    const size_t size = 1;
    for (int i = 0; i < 10; i++) {
        dealer_send_raw(dealer, &frame, &size, 1);
        assert_int_equal(dealer_expect(dealer, FOB_VERB_ERROR)->code, FOB_PROTOCOL);
    }
    dealer_beat(dealer);
    assert_int_equal(dealer_expect(dealer, FOB_VERB_ERROR)->code, FOB_HELLO_FIRST);
    dealer_greet(dealer, "worker", 1);
    assert_int_equal(dealer_figure(dealer, NULL, "malformed"), 10);
    dealer_destroy(&dealer);
    fob_bus_destroy(&bus);
}

static void a_quiet_client_gets_beats_with_the_head(void **state) {
    (void)state;
    fob_bus_t *bus = bus_up_with((fob_bus_options_t){.heartbeat_ms = pace_ms(700)});
    dealer_t *publisher = dealer_new(fob_bus_endpoint(bus));
    dealer_greet(publisher, "publisher", 1);
    dealer_publish(publisher, 1, "order_placed", 3);
    dealer_receipts(publisher, 1, 3, FOB_OK);
    uint64_t epoch = 0;
    for (int i = 0; i < 4; i++) {
        dealer_beat(publisher);
        const fob_wire_t *beat = dealer_expect(publisher, FOB_VERB_BEAT);
        assert_int_equal(beat->head, 3);
        assert_true(epoch == 0 || beat->epoch == epoch);
        epoch = beat->epoch;
    }
    dealer_destroy(&publisher);
    fob_bus_destroy(&bus);
}

static void a_bus_that_stops_says_goodbye(void **state) {
    (void)state;
    fob_bus_t *bus = bus_up();
    dealer_t *dealer = dealer_new(fob_bus_endpoint(bus));
    dealer_greet(dealer, "worker", 1);
    int64_t start = dealer_clock();
    fob_bus_destroy(&bus);
    assert_true(dealer_clock() - start < BUS_CALM);
    const fob_wire_t *goodbye = dealer_expect(dealer, FOB_VERB_GOODBYE);
    assert_true(goodbye->retry_after > 0);
    assert_true(goodbye->text.size > 0);
    dealer_destroy(&dealer);
}

static void a_port_in_use_is_named(void **state) {
    (void)state;
    fob_bus_t *bus = bus_up();
    const char *colon = strrchr(fob_bus_endpoint(bus), ':');
    fob_bus_options_t options = FOB_BUS_OPTIONS;
    options.port = (int)strtol(colon + 1, NULL, 10);
    char text[512];
    fob_status_t status;
    assert_null(fob_bus_new(&options, &status, text, sizeof text));
    assert_int_equal(status, FOB_PORT_IN_USE);
    assert_non_null(strstr(text, colon + 1));
    assert_null(fob_bus_new(&options, &status, NULL, 0));
    fob_bus_destroy(&bus);
    fob_bus_destroy(&bus);
}

static void groups_are_made_listed_and_removed(void **state) {
    (void)state;
    fob_bus_t *bus = bus_up();
    dealer_t *admin = dealer_new(fob_bus_endpoint(bus));
    dealer_greet(admin, "admin", 0);
    fob_wire_t add = {.verb = FOB_VERB_GROUP_ADD};
    FOB_SET(&add, req, 7);
    FOB_SET(&add, group, fob_slice_str("emails"));
    FOB_SET(&add, pattern, fob_slice_str("order_placed"));
    dealer_send(admin, &add, NULL);
    const fob_wire_t *reply = dealer_expect(admin, FOB_VERB_REPLY);
    assert_int_equal(reply->req, 7);
    assert_int_equal(reply->code, FOB_OK);
    assert_int_equal(dealer_figure(admin, "emails", "accepted"), 0);
    fob_wire_t list = {.verb = FOB_VERB_GROUP_LIST};
    FOB_SET(&list, req, 8);
    FOB_SET(&list, group, fob_slice_str("nobody"));
    dealer_send(admin, &list, NULL);
    assert_int_equal(dealer_expect(admin, FOB_VERB_REPLY)->code, FOB_NO_GROUP);
    fob_wire_t drop = {.verb = FOB_VERB_GROUP_REMOVE};
    FOB_SET(&drop, req, 9);
    FOB_SET(&drop, group, fob_slice_str("emails"));
    dealer_send(admin, &drop, NULL);
    assert_int_equal(dealer_expect(admin, FOB_VERB_REPLY)->code, FOB_OK);
    dealer_send(admin, &drop, NULL);
    assert_int_equal(dealer_expect(admin, FOB_VERB_REPLY)->code, FOB_NO_GROUP);
    dealer_destroy(&admin);
    fob_bus_destroy(&bus);
}

/* HELLO as a new session, and its first event; nothing is waited for. */
static void come_as(dealer_t *dealer, uint32_t session) {
    uint8_t secret[FOB_SESSION_SIZE] = {0};
    fob_wire_t hello = {.verb = FOB_VERB_HELLO};
    memcpy(secret, &session, sizeof session);
    FOB_SET(&hello, version_min, 1);
    FOB_SET(&hello, version_max, 1);
    FOB_SET(&hello, session, fob_slice(secret, sizeof secret));
    dealer_send(dealer, &hello, NULL);
    dealer_publish(dealer, 1, "order_placed", 1);
}

/* More than the bus keeps, in far less than the minute that it keeps one in doubt. */
static void a_client_with_ever_new_sessions_keeps_no_publisher_out(void **state) {
    (void)state;
    enum { SESSIONS = 10000 + 2 * 3 + 100 };
    enum { AHEAD = 20 }; /* two answers each: far below where it counts as one that does not read */
    fob_bus_t *bus = bus_up_with((fob_bus_options_t){.max_connections = 3});
    dealer_t *hostile = dealer_new(fob_bus_endpoint(bus));
    dealer_t *publisher = dealer_new(fob_bus_endpoint(bus));
    for (uint32_t sent = 0, welcomed = 0; welcomed < SESSIONS; welcomed++) {
        while (sent < SESSIONS && sent < welcomed + AHEAD)
            come_as(hostile, ++sent);
        const fob_wire_t *msg;
        do { /* a receipt comes where the session was not over before */
            msg = dealer_next(hostile, DEALER_PATIENCE);
            assert_non_null(msg);
        } while (msg->verb != FOB_VERB_WELCOME);
    }
    dealer_greet(publisher, "publisher", 255);
    dealer_publish(publisher, 1, "order_placed", 1);
    dealer_receipts(publisher, 1, 1, FOB_OK);
    assert_int_equal(dealer_figure(publisher, NULL, "events_in"), SESSIONS + 1);
    dealer_destroy(&hostile);
    dealer_destroy(&publisher);
    fob_bus_destroy(&bus);
}

FOB_MAIN(FOB_CASE(hello_is_answered_by_a_welcome), FOB_CASE(another_version_is_refused_naming_both),
         FOB_CASE(whoever_does_not_say_hello_is_told_to),
         FOB_CASE(another_shard_is_refused_by_name),
         FOB_CASE(one_connection_too_many_is_told_the_limit),
         FOB_CASE(a_publish_without_a_session_is_explained),
         FOB_CASE(malformed_frames_are_counted_and_answered),
         FOB_CASE(ten_malformed_messages_end_a_connection),
         FOB_CASE(a_quiet_client_gets_beats_with_the_head), FOB_CASE(a_bus_that_stops_says_goodbye),
         FOB_CASE(a_client_with_ever_new_sessions_keeps_no_publisher_out),
         FOB_CASE(a_port_in_use_is_named), FOB_CASE(groups_are_made_listed_and_removed))
