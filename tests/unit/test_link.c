/* The link: trying, coming up, beats, being lost. */
#include "link_bench.h"

static void the_first_try_is_made_at_once(void **state) {
    (void)state;
    bench_t b;
    bench_start(&b, "tcp://a:1");
    assert_true(fob_link_deadline(b.link) <= b.now.mono_ns);
    tick(&b);
    assert_int_equal(b.opens, 1);
    assert_int_equal(b.hellos, 1);
    assert_memory_equal(b.session, "0123456789abcde", 16);
    welcome_version(&b, 1);
    assert_int_equal(b.ups, 1);
    assert_int_equal(fob_link_state(b.link), FOB_LINK_UP);
    fob_link_destroy(&b.link);
    assert_null(b.link);
}

static void the_next_hello_names_the_epoch_that_is_known(void **state) {
    (void)state;
    bench_t b;
    bench_start(&b, "tcp://a:1");
    come_up(&b);
    assert_int_equal(b.epoch, 0);
    fob_link_epoch(b.link, 77);
    fob_link_broken(b.link, b.now, "lost");
    drain(&b);
    step(&b);
    assert_int_equal(b.hellos, 2);
    assert_int_equal(b.epoch, 77);
    fob_link_destroy(&b.link);
}

static void a_try_without_an_answer_ends_and_another_follows(void **state) {
    (void)state;
    bench_t b;
    bench_start(&b, "tcp://a:1");
    tick(&b);
    assert_int_equal(step(&b), FOB_SEC);
    assert_int_equal(b.downs, 1);
    assert_int_equal(b.status, FOB_UNREACHABLE);
    assert_string_equal(b.text, "tcp://a:1: no answer in time");
    assert_true(step(&b) <= 20 * FOB_MS);
    assert_int_equal(b.opens, 2);
    assert_int_equal(step(&b), 2 * FOB_SEC); /* a slow bus gets longer */
    fob_link_destroy(&b.link);
}

static void the_pause_between_tries_grows_to_a_second_with_jitter(void **state) {
    (void)state;
    bench_t b;
    bench_start(&b, "tcp://a:1");
    int64_t longest = 0, sum = 0, limit = 20 * FOB_MS;
    for (int i = 0; i < 200; i++) {
        step(&b);
        assert_int_equal(fob_link_state(b.link), FOB_LINK_GREETING);
        fob_link_broken(b.link, b.now, "nobody there");
        drain(&b);
        int64_t pause = fob_link_deadline(b.link) - b.now.mono_ns;
        assert_true(pause > 0 && pause <= limit);
        limit = limit * 2 < FOB_SEC ? limit * 2 : FOB_SEC;
        longest = pause > longest ? pause : longest;
        sum += pause;
    }
    assert_true(longest > 900 * FOB_MS); /* full jitter: from nearly nothing to nearly all */
    assert_true(sum / 200 > 350 * FOB_MS && sum / 200 < 650 * FOB_MS);
    assert_string_equal(b.text, "tcp://a:1: nobody there");
    fob_link_destroy(&b.link);
}

static void the_endpoints_are_tried_in_turn(void **state) {
    (void)state;
    static const char *const expected[] = {"tcp://a:1", "tcp://b:2", "tcp://[::1]:3"};
    bench_t b;
    bench_start(&b, "tcp://a:1, tcp://b:2,tcp://[::1]:3");
    for (int i = 0; i < 7; i++) {
        step(&b);
        assert_string_equal(b.endpoint, expected[i % 3]);
        fob_link_broken(b.link, b.now, "refused");
        drain(&b);
    }
    step(&b);
    assert_string_equal(b.endpoint, expected[1]);
    welcome_version(&b, 1);
    /* What was up is tried again first: most likely it restarts. */
    fob_link_broken(b.link, b.now, "lost");
    drain(&b);
    step(&b);
    assert_string_equal(b.endpoint, expected[1]);
    fob_link_destroy(&b.link);
}

static void a_beat_is_sent_when_nothing_else_was_for_one_heartbeat(void **state) {
    (void)state;
    bench_t b;
    bench_start(&b, "tcp://a:1");
    come_up(&b);
    int64_t up = b.now.mono_ns;
    b.now.mono_ns = up + HB - FOB_MS;
    tick(&b);
    assert_int_equal(b.beats, 0);
    fob_link_sent(b.link, b.now); /* something else went */
    b.now.mono_ns = up + HB + FOB_MS;
    tick(&b);
    assert_int_equal(b.beats, 0);
    b.now.mono_ns = up + 2 * HB - FOB_MS;
    tick(&b);
    assert_int_equal(b.beats, 1);
    fob_link_destroy(&b.link);
}

static void a_bus_that_misses_three_beats_is_lost(void **state) {
    (void)state;
    bench_t b;
    bench_start(&b, "tcp://a:1");
    come_up(&b);
    int64_t up = b.now.mono_ns;
    fob_wire_t beat = {.verb = FOB_VERB_BEAT};
    step(&b);
    hear(&b, &beat);
    int64_t heard = b.now.mono_ns;
    while (fob_link_state(b.link) == FOB_LINK_UP)
        step(&b);
    assert_int_equal(b.now.mono_ns - heard, 3 * HB);
    assert_true(b.now.mono_ns > up + 3 * HB);
    assert_int_equal(b.downs, 1);
    assert_non_null(strstr(b.text, "silent for three heartbeats"));
    fob_link_destroy(&b.link);
}

static void what_comes_of_a_large_message_is_a_sign_of_life(void **state) {
    (void)state;
    bench_t b;
    bench_start(&b, "tcp://a:1");
    come_up(&b);
    int64_t up = b.now.mono_ns;
    for (uint64_t bytes = 1000; b.now.mono_ns < up + 20 * HB; bytes += 50000) {
        step(&b);
        fob_link_received(b.link, b.now, bytes);
        assert_int_equal(fob_link_state(b.link), FOB_LINK_UP);
    }
    assert_int_equal(fob_link_heard(b.link), up); /* it had nothing of ours for that */
    int64_t last = b.now.mono_ns;
    while (fob_link_state(b.link) == FOB_LINK_UP)
        step(&b);
    assert_int_equal(b.now.mono_ns - last, 3 * HB); /* as three beats without more are silence */
    fob_link_destroy(&b.link);
}

/* Ticks each quarter of a beat, as so many bytes come in each; how long it is up, 100 beats at the
 * most. */
static int64_t up_while(bench_t *b, uint64_t more) {
    int64_t heard = b->now.mono_ns, passed = 0;
    for (uint64_t bytes = 0; passed < 100 * HB && fob_link_state(b->link) == FOB_LINK_UP;) {
        b->now.mono_ns += HB / 4;
        fob_link_received(b->link, b->now, bytes += more);
        tick(b);
        passed = b->now.mono_ns - heard;
    }
    return passed;
}

static void a_message_that_never_ends_is_no_sign_of_life(void **state) {
    (void)state;
    bench_t b;
    bench_start(&b, "tcp://a:1");
    come_up(&b);
    assert_int_equal(up_while(&b, 1), 30 * HB);
    assert_non_null(strstr(b.text, "silent for three heartbeats"));
    come_up(&b);
    assert_int_equal(up_while(&b, 0), 3 * HB);
    come_up(&b);
    assert_int_equal(up_while(&b, 8000), 30 * HB);
    come_up(&b);
    assert_int_equal(up_while(&b, 10000), 100 * HB); /* above a MiB in thirty */
    fob_link_destroy(&b.link);
}

/* The descriptor was closed, and another connection has its number, until that is told. */
static void what_another_connection_got_is_no_large_message(void **state) {
    (void)state;
    bench_t b;
    bench_start(&b, "tcp://a:1");
    come_up(&b);
    b.now.mono_ns += HB;
    fob_link_received(b.link, b.now, UINT64_C(1) << 40);
    assert_int_equal(up_while(&b, 1), 29 * HB);
    fob_link_destroy(&b.link);
}

static void what_comes_lengthens_no_hold(void **state) {
    (void)state;
    bench_t b;
    static const uint8_t echo[] = {0x91, 0xa4, 'e', 'c', 'h', 'o'};
    bench_begin(&b, "tcp://a:1", true);
    while (fob_link_state(b.link) != FOB_LINK_GREETING)
        step(&b);
    welcome_with(&b, 1, fob_slice(echo, sizeof echo));
    assert_true(fob_link_echoes(b.link));
    int64_t held = fob_link_heard(b.link);
    for (uint64_t bytes = 1000; bytes < 20000; bytes += 1000) {
        b.now.mono_ns += HB / 2;
        fob_link_received(b.link, b.now, bytes);
        tick(&b);
        assert_int_equal(fob_link_state(b.link), FOB_LINK_UP);
        assert_int_equal(fob_link_heard(b.link), held);
    }
    fob_link_destroy(&b.link);
}

static void a_link_that_stood_still_itself_reads_before_it_gives_up(void **state) {
    (void)state;
    bench_t b;
    bench_start(&b, "tcp://a:1");
    come_up(&b);
    b.now.mono_ns += 60 * FOB_SEC; /* stopped, and continued */
    tick(&b);
    assert_int_equal(fob_link_state(b.link), FOB_LINK_UP);
    fob_wire_t beat = {.verb = FOB_VERB_BEAT};
    hear(&b, &beat); /* it was there all the time */
    b.now.mono_ns += 2 * HB;
    tick(&b);
    assert_int_equal(b.downs, 0);
    /* But one that is really gone is lost one beat later. */
    b.now.mono_ns += 60 * FOB_SEC;
    tick(&b);
    assert_int_equal(b.downs, 0);
    assert_int_equal(step(&b), HB);
    assert_int_equal(b.downs, 1);
    fob_link_destroy(&b.link);
}

/* A bus that answers beats; the first one follows at once. */
static void come_up_echoing(bench_t *self) {
    bench_begin(self, "tcp://a:1", true);
    step(self);
    welcome_with(self, 1,
                 fob_slice("\x92\xa1x\xa4"
                           "echo",
                           8));
    assert_true(fob_link_echoes(self->link));
    tick(self);
    assert_int_equal(self->beats, 1);
    assert_true(self->echoes);
}

static void hear_echo(bench_t *self, uint64_t echo) {
    fob_wire_t beat = {.verb = FOB_VERB_BEAT};
    FOB_SET(&beat, echo, echo);
    hear(self, &beat);
}

static void a_bus_that_answers_beats_was_heard_when_the_beat_was_sent(void **state) {
    (void)state;
    bench_t b;
    come_up_echoing(&b);
    int64_t sent = b.now.mono_ns;
    b.now.mono_ns += 300 * FOB_MS;
    hear_echo(&b, b.echo);
    assert_int_equal(fob_link_heard(b.link), sent);
    step(&b); /* half a beat after the last, whatever else was sent */
    assert_int_equal(b.beats, 2);
    assert_int_equal(b.now.mono_ns, sent + HB / 2);
    fob_link_sent(b.link, b.now);
    step(&b);
    assert_int_equal(b.beats, 3);
    assert_int_equal(b.now.mono_ns, sent + HB);
    fob_link_destroy(&b.link);
}

/* The way from the bus to us is open, and ours to the bus is not. */
static void what_the_bus_says_by_itself_does_not_tell_that_it_hears_us(void **state) {
    (void)state;
    bench_t b;
    come_up_echoing(&b);
    int64_t heard = fob_link_heard(b.link);
    fob_wire_t beat = {.verb = FOB_VERB_BEAT}, deliver = {.verb = FOB_VERB_DELIVER};
    for (int i = 0; i < 10; i++) {
        b.now.mono_ns += HB / 2;
        tick(&b);
        hear(&b, &beat);
        hear(&b, &deliver);
    }
    assert_int_equal(fob_link_heard(b.link), heard);
    assert_int_equal(fob_link_state(b.link), FOB_LINK_UP); /* the bus is there all the same */
    fob_link_destroy(&b.link);
}

static void an_answer_that_was_not_asked_for_changes_nothing(void **state) {
    (void)state;
    bench_t b;
    come_up_echoing(&b);
    step(&b);
    hear_echo(&b, b.echo);
    int64_t heard = fob_link_heard(b.link);
    assert_int_equal(heard, b.now.mono_ns);
    b.now.mono_ns += 10 * FOB_MS;
    hear_echo(&b, 0); /* an older one */
    hear_echo(&b, b.echo + 1000);
    hear_echo(&b, UINT64_MAX);
    hear_echo(&b, INT64_MAX);
    assert_int_equal(fob_link_heard(b.link), heard);
    fob_link_destroy(&b.link);
}

static void a_bus_of_before_is_heard_by_whatever_it_says(void **state) {
    (void)state;
    bench_t b;
    bench_begin(&b, "tcp://a:1", true);
    come_up(&b);
    assert_false(fob_link_echoes(b.link));
    step(&b);
    assert_int_equal(b.beats, 1);
    assert_false(b.echoes);
    fob_wire_t beat = {.verb = FOB_VERB_BEAT};
    hear(&b, &beat);
    assert_int_equal(fob_link_heard(b.link), b.now.mono_ns);
    fob_link_destroy(&b.link);
}

static void another_version_is_told_with_both_ranges_and_tried_slowly(void **state) {
    (void)state;
    bench_t b;
    bench_start(&b, "tcp://a:1");
    for (int i = 0; i < 3; i++) {
        step(&b);
        hear_error(&b, FOB_VERSION, "no common version");
        assert_int_equal(b.status, FOB_VERSION);
        assert_non_null(strstr(b.text, "3 to 4"));
        assert_non_null(strstr(b.text, "1 to 1"));
        assert_true(fob_link_deadline(b.link) - b.now.mono_ns >= FOB_SEC);
    }
    step(&b);
    welcome_version(&b, 2); /* a bus that takes what it cannot have */
    assert_int_equal(b.downs, 4);
    assert_int_equal(b.status, FOB_VERSION);
    assert_int_equal(b.ups, 0);
    fob_link_destroy(&b.link);
}

static void hello_first_makes_a_new_connection(void **state) {
    (void)state;
    bench_t b;
    bench_start(&b, "tcp://a:1");
    come_up(&b);
    hear_error(&b, FOB_HELLO_FIRST, "who are you");
    assert_int_equal(b.downs, 1);
    assert_int_equal(b.closes, 1);
    assert_true(step(&b) <= 20 * FOB_MS);
    assert_int_equal(b.hellos, 2);
    fob_link_destroy(&b.link);
}

static void an_error_about_a_message_leaves_the_link_up(void **state) {
    (void)state;
    bench_t b;
    bench_start(&b, "tcp://a:1");
    come_up(&b);
    hear_error(&b, FOB_PROTOCOL, "that was malformed");
    assert_int_equal(fob_link_state(b.link), FOB_LINK_UP);
    assert_int_equal(b.downs, 0);
    fob_link_destroy(&b.link);
}

static void a_goodbye_from_the_bus_says_when_to_come_back(void **state) {
    (void)state;
    bench_t b;
    bench_start(&b, "tcp://a:1");
    come_up(&b);
    fob_wire_t msg = {.verb = FOB_VERB_GOODBYE};
    FOB_SET(&msg, text, fob_slice_str("stopping for an upgrade"));
    FOB_SET(&msg, retry_after, 700);
    hear(&b, &msg);
    assert_int_equal(b.status, FOB_STOPPING);
    assert_string_equal(b.text, "tcp://a:1: stopping for an upgrade");
    assert_true(step(&b) >= 700 * FOB_MS);
    assert_int_equal(b.hellos, 2);
    fob_link_destroy(&b.link);
}

static void goodbye_is_said_once_and_the_link_stays_closed(void **state) {
    (void)state;
    bench_t b;
    bench_start(&b, "tcp://a:1");
    come_up(&b);
    fob_link_goodbye(b.link, b.now);
    drain(&b);
    assert_int_equal(b.goodbyes, 1);
    assert_int_equal(b.closes, 1);
    assert_int_equal(fob_link_deadline(b.link), FOB_NEVER);
    fob_link_broken(b.link, b.now, "late news");
    tick(&b);
    assert_int_equal(b.downs, 0);
    assert_int_equal(b.opens, 1);
    fob_link_destroy(&b.link);
}

static void a_connection_that_ends_at_once_again_and_again_is_tried_ever_slower(void **state) {
    (void)state;
    bench_t b;
    bench_start(&b, "tcp://a:1");
    for (int i = 0; i < 30; i++) {
        come_up(&b);
        hear_error(&b, FOB_HELLO_FIRST, "");
    }
    int64_t begun = b.now.mono_ns;
    for (int i = 0; i < 20; i++) {
        come_up(&b);
        hear_error(&b, FOB_HELLO_FIRST, "");
    }
    assert_true(b.now.mono_ns - begun > 5 * FOB_SEC);
    fob_link_destroy(&b.link);
}

FOB_MAIN(FOB_CASE(the_first_try_is_made_at_once),
         FOB_CASE(the_next_hello_names_the_epoch_that_is_known),
         FOB_CASE(a_try_without_an_answer_ends_and_another_follows),
         FOB_CASE(the_pause_between_tries_grows_to_a_second_with_jitter),
         FOB_CASE(the_endpoints_are_tried_in_turn),
         FOB_CASE(a_beat_is_sent_when_nothing_else_was_for_one_heartbeat),
         FOB_CASE(a_bus_that_misses_three_beats_is_lost),
         FOB_CASE(what_comes_of_a_large_message_is_a_sign_of_life),
         FOB_CASE(a_message_that_never_ends_is_no_sign_of_life),
         FOB_CASE(what_another_connection_got_is_no_large_message),
         FOB_CASE(what_comes_lengthens_no_hold),
         FOB_CASE(a_link_that_stood_still_itself_reads_before_it_gives_up),
         FOB_CASE(a_bus_that_answers_beats_was_heard_when_the_beat_was_sent),
         FOB_CASE(what_the_bus_says_by_itself_does_not_tell_that_it_hears_us),
         FOB_CASE(an_answer_that_was_not_asked_for_changes_nothing),
         FOB_CASE(a_bus_of_before_is_heard_by_whatever_it_says),
         FOB_CASE(another_version_is_told_with_both_ranges_and_tried_slowly),
         FOB_CASE(hello_first_makes_a_new_connection),
         FOB_CASE(an_error_about_a_message_leaves_the_link_up),
         FOB_CASE(a_goodbye_from_the_bus_says_when_to_come_back),
         FOB_CASE(goodbye_is_said_once_and_the_link_stays_closed),
         FOB_CASE(a_connection_that_ends_at_once_again_and_again_is_tried_ever_slower))
