/* The clients of `fob bench`, where memory is refused before they have begun. */
#include "tests/support/case.h"

#include "publishers/commands/bench_load.h"
#include "scarce.h"
#include "subscribers/commands/bench_gauge.h"

#include <fob/fob_publisher.h>
#include <fob/fob_subscriber.h>

static bool asked; /* the library for its part */

fob_publisher_t *__wrap_fob_publisher_new(const fob_publisher_options_t *options);
fob_subscriber_t *__wrap_fob_subscriber_new(const fob_subscriber_options_t *options,
                                            fob_status_t *status);

fob_publisher_t *__wrap_fob_publisher_new(const fob_publisher_options_t *options) {
    assert_int_equal(options->window, 64);
    asked = true;
    return NULL;
}

fob_subscriber_t *__wrap_fob_subscriber_new(const fob_subscriber_options_t *options,
                                            fob_status_t *status) {
    assert_string_equal(options->pattern, "bench.test.>");
    asked = true;
    *status = FOB_DENIED;
    return NULL;
}

/* A client that has failed, and by whom. */
static void begin(fob_client_fn *part, fob_status_t otherwise) {
    const fob_bench_plan_t plan = {.prefix = "bench.test",
                                   .publishers = 1,
                                   .subscribers = 1,
                                   .topics = 3,
                                   .size = 32,
                                   .window = 64,
                                   .count = 10,
                                   .connect_ms = 1000};
    fob_board_t *board = fob_board_new(&plan);
    assert_non_null(board);
    fob_client_t client = {.board = board, .plan = &plan, .slot = fob_board_slot(board, 0)};
    asked = false;
    scarce.watching = true;
    part(&client);
    scarce.watching = false;
    assert_true(fob_client_failed(&client));
    assert_int_equal(client.slot->status, scarce.failed ? FOB_NO_MEMORY : otherwise);
    assert_int_equal(asked, scarce.failed == 0);
    fob_board_destroy(&board);
}

static void loading(void *arg) {
    (void)arg;
    begin(fob_bench_load, FOB_NO_MEMORY);
}

static void gauging(void *arg) {
    (void)arg;
    begin(fob_bench_gauge, FOB_DENIED);
}

static void a_client_begins_or_says_that_there_is_no_memory(void **state) {
    (void)state;
    scarce_each("bench: a publisher", 3, loading, NULL);
    scarce_each("bench: a subscriber", 1, gauging, NULL);
}

FOB_MAIN(FOB_CASE(a_client_begins_or_says_that_there_is_no_memory))
