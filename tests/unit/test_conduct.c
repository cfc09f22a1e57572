#include "tests/support/case.h"

#include "bus/guard/conduct.h"
#include "proto/now.h"

#define BOUND 1000

typedef struct {
    fob_conduct_t conduct;
    fob_conduct_limits_t limits;
    fob_conduct_sample_t sample;
    fob_conduct_look_t look;
} bench_t;

static bench_t bench(void) {
    return (bench_t){.limits = {.message = BOUND},
                     .look = {.now_ns = FOB_SEC, .awake_ns = FOB_SEC, .sure = true}};
}

/* A look, a while later, by which so many bytes have come. */
static fob_ended_t look(bench_t *self, uint64_t received, int64_t later_ns) {
    self->look.now_ns += later_ns;
    self->look.awake_ns += later_ns;
    self->sample.received = received;
    return fob_conduct_judge(&self->conduct, &self->limits, &self->sample, &self->look);
}

static void a_message_without_an_end_is_seen_at_the_second_look(void **state) {
    (void)state;
    bench_t self = bench();
    assert_int_equal(look(&self, BOUND, FOB_MS), FOB_ENDED_NOT);
    assert_int_equal(look(&self, BOUND + 1, FOB_MS), FOB_ENDED_NOT);
    assert_int_equal(look(&self, BOUND + 1, FOB_MS), FOB_ENDED_ENDLESS);
}

static void the_largest_message_may_come_in_small_parts(void **state) {
    (void)state;
    bench_t self = bench();
    for (uint64_t part = 0; part <= BOUND; part++)
        assert_int_equal(look(&self, part, FOB_MS), FOB_ENDED_NOT);
    self.conduct.heard = true;
    for (uint64_t part = 0; part <= BOUND; part++)
        assert_int_equal(look(&self, BOUND + part, FOB_MS), FOB_ENDED_NOT);
    assert_int_equal(look(&self, 2 * BOUND + 1, FOB_MS), FOB_ENDED_NOT);
    assert_int_equal(look(&self, 2 * BOUND + 1, FOB_MS), FOB_ENDED_ENDLESS);
}

static void who_sends_much_and_ends_its_messages_may_send_on(void **state) {
    (void)state;
    bench_t self = bench();
    for (uint64_t i = 1; i < 100; i++) {
        self.conduct.heard = true;
        assert_int_equal(look(&self, i * 50 * BOUND, FOB_MS), FOB_ENDED_NOT);
    }
    for (int i = 0; i < 10; i++) /* and then nothing more */
        assert_int_equal(look(&self, 99 * 50 * BOUND, FOB_MS), FOB_ENDED_NOT);
}

static void a_bus_that_has_not_read_what_came_blames_nobody(void **state) {
    (void)state;
    bench_t self = bench();
    self.look.sure = false;
    for (uint64_t i = 1; i < 100; i++)
        assert_int_equal(look(&self, i * BOUND, FOB_MS), FOB_ENDED_NOT);
    self.look.sure = true;
    self.conduct.heard = true; /* now it has */
    assert_int_equal(look(&self, 100 * BOUND, FOB_MS), FOB_ENDED_NOT);
    assert_int_equal(look(&self, 100 * BOUND, FOB_MS), FOB_ENDED_NOT);
}

static void what_only_the_kernel_has_is_not_held(void **state) {
    (void)state;
    bench_t self = bench();
    self.sample.unread = 5 * BOUND;
    for (int i = 0; i < 10; i++)
        assert_int_equal(look(&self, 6 * BOUND, FOB_MS), FOB_ENDED_NOT);
    self.sample.unread = 5 * BOUND - 1;
    assert_int_equal(look(&self, 6 * BOUND + 1, FOB_MS), FOB_ENDED_NOT);
    assert_int_equal(look(&self, 6 * BOUND + 1, FOB_MS), FOB_ENDED_ENDLESS);
}

static void the_heartbeats_of_libzmq_are_no_endless_message(void **state) {
    (void)state;
    bench_t self = bench();
    uint64_t received = 0;
    self.limits.unfinished_ns = 30 * FOB_SEC;
    for (int tenth = 0; tenth < 1000000; tenth++) {
        self.sample.acked += 7;
        assert_int_equal(look(&self, received += 9, 100 * FOB_MS), FOB_ENDED_NOT);
    }
    self.sample.acked += 600 * 7; /* the bus stood still for a minute */
    assert_int_equal(look(&self, received += 600 * 9, 60 * FOB_SEC), FOB_ENDED_NOT);
    assert_int_equal(self.conduct.unfinished, 0);
}

static void what_nobody_answered_is_no_heartbeat(void **state) {
    (void)state;
    bench_t self = bench();
    uint64_t received = 0;
    self.limits = (fob_conduct_limits_t){.message = 1 << 20, .unfinished_ns = 30 * FOB_SEC};
    fob_ended_t ended = FOB_ENDED_NOT;
    for (int tenth = 0; tenth < 10000 && ended == FOB_ENDED_NOT; tenth++)
        ended = look(&self, received += 5, 100 * FOB_MS);
    assert_int_equal(ended, FOB_ENDED_UNFINISHED);
}

static void a_message_that_was_begun_has_to_end_in_time(void **state) {
    (void)state;
    bench_t self = bench();
    self.limits = (fob_conduct_limits_t){.message = 1 << 20, .unfinished_ns = 30 * FOB_SEC};
    for (int second = 0; second < 100; second++) /* it greeted, and has nothing to say */
        assert_int_equal(look(&self, 200, FOB_SEC), FOB_ENDED_NOT);
    for (int second = 0; second <= 30; second++) /* however it goes on */
        assert_int_equal(look(&self, 5000 + (uint64_t)second, FOB_SEC), FOB_ENDED_NOT);
    assert_int_equal(look(&self, 6000, FOB_SEC), FOB_ENDED_UNFINISHED);
}

static void who_ends_a_message_in_time_may_begin_another(void **state) {
    (void)state;
    bench_t self = bench();
    uint64_t received = 0;
    self.limits = (fob_conduct_limits_t){.message = 1 << 20, .unfinished_ns = 30 * FOB_SEC};
    for (int message = 0; message < 10; message++) {
        for (int second = 0; second < 30; second++)
            assert_int_equal(look(&self, received += 5000, FOB_SEC), FOB_ENDED_NOT);
        self.conduct.heard = true;
    }
    for (int second = 0; second < 1000; second++) /* and then nothing more */
        assert_int_equal(look(&self, received, FOB_SEC), FOB_ENDED_NOT);
}

static void a_bus_that_is_behind_or_stood_still_ends_no_unfinished_one(void **state) {
    (void)state;
    bench_t self = bench();
    self.limits = (fob_conduct_limits_t){.message = 1 << 20, .unfinished_ns = 30 * FOB_SEC};
    self.look.sure = false;
    for (int second = 0; second < 100; second++) {
        assert_int_equal(look(&self, 500000, FOB_SEC), FOB_ENDED_NOT);
        assert_int_equal(self.conduct.lasting, 0);
    }
    self.look.sure = true;
    self.conduct.heard = true; /* now it has read it */
    assert_int_equal(look(&self, 500000, FOB_SEC), FOB_ENDED_NOT);
    assert_int_equal(look(&self, 600000, FOB_SEC), FOB_ENDED_NOT);
    self.look.now_ns += 100 * FOB_SEC; /* it stood still */
    assert_int_equal(look(&self, 600000, FOB_SEC), FOB_ENDED_NOT);
}

/* The end came at the time: only who was late at the look before is ended. */
static void an_end_that_came_in_the_last_moment_counts(void **state) {
    (void)state;
    bench_t self = bench();
    self.limits = (fob_conduct_limits_t){.message = 1 << 20, .unfinished_ns = 30 * FOB_SEC};
    assert_int_equal(look(&self, 0, FOB_SEC), FOB_ENDED_NOT);
    assert_int_equal(look(&self, 5000, 30 * FOB_SEC), FOB_ENDED_NOT);
    assert_int_equal(look(&self, 9000, FOB_SEC), FOB_ENDED_NOT); /* whole, and not read yet */
    self.conduct.heard = true;
    assert_int_equal(look(&self, 9000, FOB_MS), FOB_ENDED_NOT);
    assert_int_equal(look(&self, 9000, 60 * FOB_SEC), FOB_ENDED_NOT);
}

static void what_is_unfinished_for_a_second_may_have_to_make_room(void **state) {
    (void)state;
    bench_t self = bench();
    self.limits.message = 1 << 20;
    look(&self, 0, FOB_SEC);
    look(&self, 50000, 100 * FOB_MS);
    look(&self, 90000, 901 * FOB_MS);
    assert_int_equal(self.conduct.unfinished, 90000);
    assert_int_equal(self.conduct.lasting, 0); /* since this look only */
    look(&self, 95000, FOB_MS);
    assert_int_equal(self.conduct.lasting, 95000);
    self.conduct.heard = true;
    look(&self, 99000, FOB_MS);
    assert_int_equal(self.conduct.unfinished, 0);
    assert_int_equal(self.conduct.lasting, 0);
}

static void what_the_kernel_had_as_a_message_ended_belongs_to_the_next(void **state) {
    (void)state;
    bench_t self = bench();
    self.limits.message = 1 << 20;
    self.conduct.heard = true;
    self.sample.unread = 40000;
    look(&self, 50000, FOB_MS);
    assert_int_equal(self.conduct.unfinished, 0);
    self.sample.unread = 0;
    look(&self, 50000, FOB_MS);
    assert_int_equal(self.conduct.unfinished, 40000);
}

static void who_has_to_speak_and_is_silent_is_ended(void **state) {
    (void)state;
    bench_t self = bench();
    self.limits.silent_ns = 10 * FOB_SEC;
    for (int second = 0; second <= 10; second++)
        assert_int_equal(look(&self, 0, FOB_SEC), FOB_ENDED_NOT);
    self.look.sure = false; /* it may have spoken, and we have not read it */
    assert_int_equal(look(&self, 0, FOB_SEC), FOB_ENDED_NOT);
    self.look.sure = true;
    assert_int_equal(look(&self, 0, FOB_SEC), FOB_ENDED_SILENT);
    self.conduct.heard = true;
    for (int second = 0; second <= 10; second++) /* bytes are no message */
        assert_int_equal(look(&self, (uint64_t)second, FOB_SEC), FOB_ENDED_NOT);
    assert_int_equal(look(&self, 11, FOB_SEC), FOB_ENDED_SILENT);
}

static void a_large_message_on_a_slow_line_is_not_silence(void **state) {
    (void)state;
    bench_t self = bench();
    uint64_t received = 0;
    self.limits = (fob_conduct_limits_t){
        .message = 1 << 20, .unfinished_ns = 30 * FOB_SEC, .silent_ns = 10 * FOB_SEC};
    for (int second = 0; second < 29; second++)
        assert_int_equal(look(&self, received += 5000, FOB_SEC), FOB_ENDED_NOT);
    self.conduct.heard = true; /* it has its end: the next one may be as slow */
    for (int second = 0; second < 30; second++)
        assert_int_equal(look(&self, received += 5000, FOB_SEC), FOB_ENDED_NOT);
    fob_ended_t ended = FOB_ENDED_NOT;
    for (int second = 0; second < 3 && ended == FOB_ENDED_NOT; second++)
        ended = look(&self, received += 5000, FOB_SEC);
    assert_int_equal(ended, FOB_ENDED_UNFINISHED);
}

static void who_falls_silent_within_a_message_is_ended(void **state) {
    (void)state;
    bench_t self = bench();
    uint64_t received = 0;
    self.limits = (fob_conduct_limits_t){
        .message = 1 << 20, .unfinished_ns = 30 * FOB_SEC, .silent_ns = 10 * FOB_SEC};
    for (int second = 0; second < 5; second++)
        assert_int_equal(look(&self, received += 5000, FOB_SEC), FOB_ENDED_NOT);
    for (int second = 0; second < 10; second++)
        assert_int_equal(look(&self, received, FOB_SEC), FOB_ENDED_NOT);
    assert_int_equal(look(&self, received, FOB_SEC), FOB_ENDED_SILENT);
}

static void who_takes_nothing_of_what_there_is_is_ended(void **state) {
    (void)state;
    bench_t self = bench();
    self.limits.unread_ns = 60 * FOB_SEC;
    for (int i = 0; i < 100; i++) /* nothing to take */
        assert_int_equal(look(&self, 0, FOB_SEC), FOB_ENDED_NOT);
    self.sample.unsent = true;
    for (int i = 0; i < 200; i++) { /* it takes a little now and then */
        self.sample.acked += i % 50 == 0;
        assert_int_equal(look(&self, 0, FOB_SEC), FOB_ENDED_NOT);
    }
    for (int i = 0; i < 11; i++)
        assert_int_equal(look(&self, 0, FOB_SEC), FOB_ENDED_NOT);
    assert_int_equal(look(&self, 0, FOB_SEC), FOB_ENDED_UNREAD);
}

static void a_storm_is_more_than_a_burst_and_what_a_second_allows(void **state) {
    (void)state;
    bench_t self = bench();
    self.limits = (fob_conduct_limits_t){.burst = 1000, .rate = 100};
    assert_int_equal(look(&self, 1000, FOB_MS), FOB_ENDED_NOT);
    assert_int_equal(look(&self, 1100, FOB_SEC), FOB_ENDED_NOT);
    assert_int_equal(look(&self, 2000, 9 * FOB_SEC), FOB_ENDED_NOT); /* a bus that stood still */
    assert_int_equal(look(&self, 2001, 0), FOB_ENDED_STORM);
}

static void every_reason_has_a_name_and_a_sentence(void **state) {
    (void)state;
    assert_string_equal(fob_ended_name(FOB_ENDED_NOT), "");
    for (int reason = FOB_ENDED_NOT + 1; reason < FOB_ENDED_COUNT; reason++) {
        assert_true(strlen(fob_ended_name((fob_ended_t)reason)) > 0);
        assert_true(strlen(fob_ended_sentence((fob_ended_t)reason)) > 10);
    }
}

FOB_MAIN(FOB_CASE(a_message_without_an_end_is_seen_at_the_second_look),
         FOB_CASE(the_largest_message_may_come_in_small_parts),
         FOB_CASE(who_sends_much_and_ends_its_messages_may_send_on),
         FOB_CASE(a_bus_that_has_not_read_what_came_blames_nobody),
         FOB_CASE(what_only_the_kernel_has_is_not_held),
         FOB_CASE(the_heartbeats_of_libzmq_are_no_endless_message),
         FOB_CASE(what_nobody_answered_is_no_heartbeat),
         FOB_CASE(a_message_that_was_begun_has_to_end_in_time),
         FOB_CASE(who_ends_a_message_in_time_may_begin_another),
         FOB_CASE(a_bus_that_is_behind_or_stood_still_ends_no_unfinished_one),
         FOB_CASE(an_end_that_came_in_the_last_moment_counts),
         FOB_CASE(what_is_unfinished_for_a_second_may_have_to_make_room),
         FOB_CASE(what_the_kernel_had_as_a_message_ended_belongs_to_the_next),
         FOB_CASE(who_has_to_speak_and_is_silent_is_ended),
         FOB_CASE(a_large_message_on_a_slow_line_is_not_silence),
         FOB_CASE(who_falls_silent_within_a_message_is_ended),
         FOB_CASE(who_takes_nothing_of_what_there_is_is_ended),
         FOB_CASE(a_storm_is_more_than_a_burst_and_what_a_second_allows),
         FOB_CASE(every_reason_has_a_name_and_a_sentence))
