#include "tests/support/case.h"

#include "proto/cli/bench/client.h"
#include "proto/now.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static fob_bench_plan_t plan_of(uint64_t count, uint64_t rate, int64_t duration_ms) {
    return (fob_bench_plan_t){.prefix = "bench.test",
                              .publishers = 2,
                              .subscribers = 3,
                              .groups = 2,
                              .workers = 2,
                              .topics = 1,
                              .size = 32,
                              .count = count,
                              .rate = rate,
                              .duration_ms = duration_ms,
                              .connect_ms = 1000};
}

static uint64_t capacity(uint64_t count, uint64_t rate, int64_t duration_ms) {
    fob_bench_plan_t plan = plan_of(count, rate, duration_ms);
    fob_board_t *board = fob_board_new(&plan);
    assert_non_null(board);
    uint64_t capacity = fob_board_capacity(board);
    fob_board_destroy(&board);
    assert_null(board);
    fob_board_destroy(&board);
    return capacity;
}

static void there_is_room_to_count_all_that_can_be_sent(void **state) {
    (void)state;
    assert_int_equal(capacity(1001, 0, 0), 501);
    assert_int_equal(capacity(1001, 0, 10000), 501);
    assert_true(capacity(0, 1000, 10000) >= 5000);
    assert_true(capacity(0, 1000, 10000) < 10000);
    assert_true(capacity(1000000000, 1000, 10000) < 10000);
    assert_true(capacity(0, 0, 1000) >= 10000000);
    assert_true(capacity(0, 0, INT64_C(86400000)) >= UINT64_C(1000000000));
}

static void each_publisher_has_a_set_of_its_own_for_each_receiver(void **state) {
    fob_bench_plan_t plan = plan_of(128, 0, 0);
    fob_board_t *board = fob_board_new(&plan);
    (void)state;
    assert_non_null(board);
    assert_int_equal(fob_board_clients(board), 9);
    assert_int_equal(fob_board_receivers(board), 5);
    for (uint32_t source = 0; source < 2; source++) {
        fob_tally_t sent = fob_board_sent(board, source);
        assert_true(fob_tally_mark(&sent, 63));
        for (uint32_t receiver = 0; receiver < 5; receiver++) {
            fob_tally_t seen = fob_board_seen(board, receiver, source);
            assert_int_equal(fob_tally_missing(&sent, &seen, 64), 1);
            assert_true(fob_tally_mark(&seen, 63));
            assert_int_equal(fob_tally_missing(&sent, &seen, 64), 0);
        }
    }
    fob_board_destroy(&board);
}

/* What a client of another process tells. */
static void a_child_follows_the_phase_and_its_figures_stay(void **state) {
    fob_bench_plan_t plan = plan_of(128, 0, 0);
    fob_board_t *board = fob_board_new(&plan);
    fob_bench_slot_t *slot = fob_board_slot(board, 3);
    int status = -1;
    (void)state;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        fob_client_t client = {.board = board, .plan = &plan, .slot = slot};
        bool good = fob_client_await(&client, FOB_BENCH_CONNECT);
        fob_client_ready(&client);
        good = good && fob_client_await(&client, FOB_BENCH_RUN) && !fob_board_is_cut(board);
        fob_client_count(&slot->received, 5);
        fob_client_count(&slot->received, 2);
        fob_client_done(&client);
        _exit(good && !fob_client_await(&client, FOB_BENCH_END) ? 0 : 1);
    }
    fob_board_set(board, FOB_BENCH_CONNECT);
    while (atomic_load(&slot->state) != FOB_CLIENT_READY)
        assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
    assert_int_equal(fob_board_run_ns(board), 0);
    fob_board_set(board, FOB_BENCH_RUN);
    assert_true(fob_board_run_ns(board) > 0);
    while (atomic_load(&slot->state) != FOB_CLIENT_DONE)
        assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
    fob_board_cut(board);
    assert_true(fob_board_is_cut(board));
    assert_int_equal(fob_board_drain_ns(board), 0);
    fob_board_set(board, FOB_BENCH_DRAIN);
    assert_true(fob_board_drain_ns(board) >= fob_board_run_ns(board) - 20 * FOB_MS);
    fob_board_set(board, FOB_BENCH_END);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(atomic_load(&slot->received), 7);
    fob_board_destroy(&board);
}

static void the_first_failure_stays(void **state) {
    fob_bench_plan_t plan = plan_of(128, 0, 0);
    fob_board_t *board = fob_board_new(&plan);
    fob_client_t client = {.board = board, .plan = &plan, .slot = fob_board_slot(board, 0)};
    (void)state;
    assert_false(fob_client_failed(&client));
    fob_client_fail(&client, FOB_DENIED, "no");
    fob_client_fail(&client, FOB_NO_MEMORY, NULL);
    fob_client_done(&client);
    assert_true(fob_client_failed(&client));
    assert_int_equal(client.slot->status, FOB_DENIED);
    assert_string_equal(client.slot->text, "no");
    fob_board_destroy(&board);
}

static void a_client_whose_run_ended_waits_for_nothing(void **state) {
    fob_bench_plan_t plan = plan_of(128, 0, 0);
    fob_board_t *board = fob_board_new(&plan);
    fob_client_t client = {.board = board, .plan = &plan, .slot = fob_board_slot(board, 0)};
    (void)state;
    assert_int_equal(atomic_load(&client.slot->state), FOB_CLIENT_STARTING);
    fob_board_set(board, FOB_BENCH_RUN);
    assert_true(fob_client_await(&client, FOB_BENCH_CONNECT));
    assert_true(fob_client_await(&client, FOB_BENCH_RUN));
    fob_client_ready(&client);
    assert_int_equal(atomic_load(&client.slot->state), FOB_CLIENT_READY);
    fob_board_set(board, FOB_BENCH_END);
    assert_false(fob_client_await(&client, FOB_BENCH_DRAIN));
    fob_client_done(&client);
    assert_int_equal(atomic_load(&client.slot->state), FOB_CLIENT_DONE);
    assert_false(fob_client_failed(&client));
    fob_board_destroy(&board);
}

static void a_bus_that_stays_away_ends_a_client_and_one_that_comes_back_does_not(void **state) {
    fob_bench_plan_t plan = plan_of(128, 0, 0);
    fob_board_t *board = fob_board_new(&plan);
    fob_client_t client = {.board = board, .plan = &plan, .slot = fob_board_slot(board, 0)};
    (void)state;
    assert_true(fob_client_looks(&client, FOB_SEC));
    assert_false(fob_client_looks(&client, FOB_SEC + FOB_MS));
    assert_true(fob_client_lives(&client, FOB_SEC, "gone"));
    assert_true(fob_client_lives(&client, FOB_SEC + 999 * FOB_MS, "gone"));
    assert_true(fob_client_lives(&client, FOB_SEC + 1000 * FOB_MS, ""));
    assert_true(fob_client_lives(&client, 3 * FOB_SEC, "gone"));
    assert_false(fob_client_failed(&client));
    assert_false(fob_client_lives(&client, 4 * FOB_SEC, "gone"));
    assert_int_equal(client.slot->status, FOB_UNREACHABLE);
    assert_string_equal(client.slot->text, "gone");
    fob_board_destroy(&board);
}

FOB_MAIN(FOB_CASE(there_is_room_to_count_all_that_can_be_sent),
         FOB_CASE(each_publisher_has_a_set_of_its_own_for_each_receiver),
         FOB_CASE(a_child_follows_the_phase_and_its_figures_stay),
         FOB_CASE(the_first_failure_stays), FOB_CASE(a_client_whose_run_ended_waits_for_nothing),
         FOB_CASE(a_bus_that_stays_away_ends_a_client_and_one_that_comes_back_does_not))
