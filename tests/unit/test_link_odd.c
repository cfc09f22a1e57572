/* The link where words and times are odd. */
#include "link_bench.h"

/* Whether a link can be made for these endpoints. */
static bool makes(const char *endpoints) {
    fob_link_options_t options = {.endpoints = fob_slice_str(endpoints)};
    fob_link_t *link = fob_link_new(&options);
    bool made = link != NULL;
    fob_link_destroy(&link);
    return made;
}

static void what_is_no_endpoint_makes_no_link(void **state) {
    (void)state;
    static const char *const bad[] = {"tcp://",
                                      "tcp:/a:1",
                                      "udp://a:1",
                                      "tcp://a",
                                      "tcp://1",
                                      "tcp://:1",
                                      "tcp://a:",
                                      "tcp://a:0",
                                      "tcp://a:65536",
                                      "tcp://a:999999999999999999999",
                                      "a:1",
                                      "tcp://a:b",
                                      "tcp://a:1, ,tcp://b:2",
                                      "tcp://a:1,",
                                      ",tcp://a:1",
                                      " ",
                                      "tcp://a:+1",
                                      "tcp://a:1 2"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (makes(bad[i]))
            fail_msg("\"%s\" was taken", bad[i]);
    assert_true(makes("tcp://a:1"));
    assert_true(makes("tcp://a:65535"));
    assert_true(makes(" tcp://a:1 ,tcp://b:2  "));
}

static void a_host_and_a_list_may_be_so_long_and_no_longer(void **state) {
    (void)state;
    char list[17 * 11 + 1] = "", host[400];
    for (int i = 0; i < 16; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%stcp://a:%d", i ? "," : "",
                 10 + i);
    assert_true(makes(list));
    strcat(list, ",tcp://a:1");
    assert_false(makes(list));
    snprintf(host, sizeof host, "tcp://%0255d:65535", 0);
    assert_true(makes(host));
    snprintf(host, sizeof host, "tcp://%0290d:65535", 0);
    assert_false(makes(host));
}

static void nothing_is_destroyed_in_peace(void **state) {
    (void)state;
    fob_link_t *none = NULL;
    fob_link_destroy(&none);
    fob_link_destroy(NULL);
    assert_null(none);
}

static void times_that_were_asked_for_hold(void **state) {
    (void)state;
    bench_t b = {.now = {.mono_ns = FOB_SEC}};
    fob_link_options_t options = {.endpoints = fob_slice_str("tcp://a:1"),
                                  .role = "worker",
                                  .greet_ns = 300 * FOB_MS,
                                  .retry_first_ns = 2 * FOB_MS,
                                  .retry_max_ns = 3 * FOB_MS};
    b.link = fob_link_new(&options);
    tick(&b);
    assert_int_equal(step(&b), 300 * FOB_MS);
    for (int i = 0; i < 20; i++) {
        assert_true(step(&b) <= 3 * FOB_MS);
        fob_link_broken(b.link, b.now, "");
        drain(&b);
    }
    fob_link_destroy(&b.link);
}

static void the_beat_is_the_buss_within_reason(void **state) {
    (void)state;
    static const struct {
        uint64_t told, held;
    } table[] = {{0, 1000},        {1, 1},           {250, 250},
                 {600000, 600000}, {600001, 600000}, {UINT64_MAX, 600000}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        bench_t b;
        bench_start(&b, "tcp://a:1");
        tick(&b);
        fob_wire_t msg = {.verb = FOB_VERB_WELCOME};
        static const uint8_t none[] = {0x90};
        FOB_SET(&msg, version, 1);
        FOB_SET(&msg, heartbeat, table[i].told);
        FOB_SET(&msg, epoch, 77);
        FOB_SET(&msg, head, 1);
        FOB_SET(&msg, level, fob_slice_str("disk"));
        FOB_SET(&msg, shards, fob_slice(none, 1));
        FOB_SET(&msg, max_event, 1);
        FOB_SET(&msg, max_batch, 1);
        FOB_SET(&msg, window, 1);
        hear(&b, &msg);
        assert_int_equal(b.ups, 1);
        assert_int_equal(fob_link_deadline(b.link) - b.now.mono_ns,
                         (int64_t)table[i].held * FOB_MS);
        fob_link_destroy(&b.link);
    }
}

static void a_second_welcome_changes_nothing(void **state) {
    (void)state;
    bench_t b;
    bench_start(&b, "tcp://a:1");
    come_up(&b);
    welcome_version(&b, 2); /* not even of another version */
    assert_int_equal(b.ups, 1);
    assert_int_equal(b.downs, 0);
    assert_int_equal(fob_link_state(b.link), FOB_LINK_UP);
    fob_link_destroy(&b.link);
}

static void what_comes_from_a_connection_that_is_over_is_not_heard(void **state) {
    (void)state;
    bench_t b;
    bench_start(&b, "tcp://a:1");
    welcome_version(&b, 1); /* before the first try */
    come_up(&b);
    fob_link_broken(b.link, b.now, "cut");
    drain(&b);
    welcome_version(&b, 1);
    hear_error(&b, FOB_VERSION, "");
    assert_int_equal(b.ups, 1);
    assert_int_equal(b.downs, 1);
    assert_int_equal(fob_link_heard(b.link), INT64_MIN);
    fob_link_destroy(&b.link);
}

static void a_bus_that_refuses_a_hello_is_asked_again_slowly(void **state) {
    (void)state;
    bench_t b;
    bench_start(&b, "tcp://a:1");
    tick(&b);
    hear_error(&b, FOB_DENIED, "");
    assert_int_equal(b.status, FOB_DENIED);
    char expected[200];
    snprintf(expected, sizeof expected, "tcp://a:1: %s", fob_status_text(FOB_DENIED));
    assert_string_equal(b.text, expected); /* without words of its own it gets some */
    assert_true(step(&b) >= FOB_SEC);
    hear_error(&b, FOB_DENIED, "no more connections");
    assert_string_equal(b.text, "tcp://a:1: no more connections");
    fob_link_destroy(&b.link);
}

static void a_bus_that_is_stopping_is_left_at_once(void **state) {
    (void)state;
    bench_t b;
    bench_start(&b, "tcp://a:1");
    come_up(&b);
    hear_error(&b, FOB_STOPPING, "");
    assert_int_equal(b.status, FOB_STOPPING);
    assert_int_equal(b.closes, 1);
    assert_true(step(&b) >= FOB_SEC);
    fob_link_destroy(&b.link);
}

static void a_goodbye_keeps_a_client_away_for_a_minute_at_most(void **state) {
    (void)state;
    bench_t b;
    bench_start(&b, "tcp://a:1");
    come_up(&b);
    fob_wire_t msg = {.verb = FOB_VERB_GOODBYE};
    FOB_SET(&msg, retry_after, UINT64_MAX);
    hear(&b, &msg);
    assert_string_equal(b.text, "tcp://a:1: the bus said goodbye");
    assert_int_equal(step(&b), 60 * FOB_SEC);
    assert_int_equal(b.opens, 2);
    fob_link_destroy(&b.link);
}

static void a_try_in_a_process_that_stood_still_gets_its_time_again(void **state) {
    (void)state;
    bench_t b;
    bench_start(&b, "tcp://a:1");
    tick(&b);
    b.now.mono_ns += 60 * FOB_SEC; /* its WELCOME may lie unread */
    tick(&b);
    assert_int_equal(b.downs, 0);
    welcome_version(&b, 1);
    assert_int_equal(b.ups, 1);
    fob_link_destroy(&b.link);
}

static void another_secret_is_said_from_the_next_hello_on(void **state) {
    (void)state;
    bench_t b;
    bench_start(&b, "tcp://a:1");
    come_up(&b);
    static const uint8_t other[FOB_SESSION_SIZE + 1] = "edcba9876543210";
    fob_link_session(b.link, other);
    assert_memory_equal(b.session, "0123456789abcde", 16);
    fob_link_failed(b.link, b.now, FOB_FORGOTTEN, "the session is forgotten");
    drain(&b);
    assert_int_equal(b.status, FOB_FORGOTTEN);
    step(&b);
    assert_memory_equal(b.session, other, 16);
    fob_link_destroy(&b.link);
}

static void goodbye_is_not_said_to_a_bus_that_is_not_there(void **state) {
    (void)state;
    bench_t b;
    bench_start(&b, "tcp://a:1");
    tick(&b);
    fob_link_goodbye(b.link, b.now); /* before its WELCOME: the socket goes, without a word */
    drain(&b);
    assert_int_equal(b.goodbyes, 0);
    assert_int_equal(b.closes, 1);
    fob_link_destroy(&b.link);
    bench_start(&b, "tcp://a:1");
    fob_link_goodbye(b.link, b.now);
    drain(&b);
    assert_int_equal(b.closes, 0);
    fob_link_sent(b.link, b.now);
    assert_int_equal(fob_link_deadline(b.link), FOB_NEVER);
    fob_link_destroy(&b.link);
}

FOB_MAIN(FOB_CASE(what_is_no_endpoint_makes_no_link),
         FOB_CASE(a_host_and_a_list_may_be_so_long_and_no_longer),
         FOB_CASE(nothing_is_destroyed_in_peace), FOB_CASE(times_that_were_asked_for_hold),
         FOB_CASE(the_beat_is_the_buss_within_reason), FOB_CASE(a_second_welcome_changes_nothing),
         FOB_CASE(what_comes_from_a_connection_that_is_over_is_not_heard),
         FOB_CASE(a_bus_that_refuses_a_hello_is_asked_again_slowly),
         FOB_CASE(a_bus_that_is_stopping_is_left_at_once),
         FOB_CASE(a_goodbye_keeps_a_client_away_for_a_minute_at_most),
         FOB_CASE(a_try_in_a_process_that_stood_still_gets_its_time_again),
         FOB_CASE(another_secret_is_said_from_the_next_hello_on),
         FOB_CASE(goodbye_is_not_said_to_a_bus_that_is_not_there))
