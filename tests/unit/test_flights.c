#include "tests/support/case.h"

#include "bus/ledger/flights.h"

static const uint8_t one[FOB_SESSION_SIZE] = "one", two[FOB_SESSION_SIZE] = "two";

static void only_what_is_durable_is_told(void **state) {
    (void)state;
    fob_flights_t flights = {0};
    assert_int_equal(fob_flights_last(&flights, one, 4, 9), 9); /* nothing under way */
    fob_flights_add(&flights, one, 5, 9);
    fob_flights_add(&flights, two, 5, 0);
    fob_flights_add(&flights, one, 6, 12);
    assert_int_equal(fob_flights_last(&flights, one, 4, 20), 9);
    assert_int_equal(fob_flights_last(&flights, two, 4, 3), 0);
    assert_int_equal(fob_flights_last(&flights, one, 5, 20), 12);
    assert_int_equal(fob_flights_last(&flights, two, 5, 3), 3);
    assert_int_equal(fob_flights_last(&flights, one, 6, 20), 20);
    fob_flights_free(&flights);
}

static void many_publishes_of_a_commit_are_one_flight(void **state) {
    (void)state;
    fob_flights_t flights = {0};
    for (uint64_t number = 0; number < 1000; number++)
        fob_flights_add(&flights, one, 7, number);
    assert_int_equal(flights.count, 1);
    assert_int_equal(fob_flights_last(&flights, one, 6, 1000), 0);
    assert_int_equal(fob_flights_last(&flights, one, 7, 1000), 1000);
    fob_flights_free(&flights);
}

static void any_number_of_commits_may_be_under_way(void **state) {
    (void)state;
    enum { COMMITS = 1000, BEHIND = 300 };
    fob_flights_t flights = {0};
    for (uint64_t position = 1; position <= COMMITS; position++) {
        fob_flights_add(&flights, one, position, 10 * position);
        if (position > BEHIND) {
            uint64_t durable = position - BEHIND;
            assert_int_equal(fob_flights_last(&flights, one, durable, 1), 10 * (durable + 1));
        }
    }
    assert_true(flights.room < 2 * BEHIND + 64);
    fob_flights_durable(&flights, COMMITS);
    assert_int_equal(flights.count, 0);
    fob_flights_free(&flights);
}

static void without_memory_nothing_is_told_rather_than_too_much(void **state) {
    (void)state;
    fob_flights_t flights = {.unsure = 8}; /* as if the flight at 8 could not be noted */
    assert_int_equal(fob_flights_last(&flights, one, 7, 20), 0);
    assert_int_equal(fob_flights_last(&flights, one, 8, 20), 20);
    fob_flights_free(&flights);
}

FOB_MAIN(FOB_CASE(only_what_is_durable_is_told),
         FOB_CASE(many_publishes_of_a_commit_are_one_flight),
         FOB_CASE(any_number_of_commits_may_be_under_way),
         FOB_CASE(without_memory_nothing_is_told_rather_than_too_much))
