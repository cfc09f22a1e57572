/* The harness of the comparisons, with peers that lie: it counts what they lose, double and swap,
 * and says who failed. */
#include "tests/bench/rig.h"
#include "tests/bench/round.h"
#include "tests/bench/table_inside.h"
#include "tests/bench/tally.h"
#include "tests/support/case.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool anything(const work_t *work) {
    (void)work;
    return true;
}

static bool always(char *text, size_t size) {
    snprintf(text, size, "1");
    return true;
}

static bool start_nothing(site_t *site, const work_t *work, bool again) {
    (void)site, (void)work, (void)again;
    return true;
}

static bool stamp_all(role_t *role) {
    uint8_t body[64];
    role_begin(role);
    for (uint64_t i = 0; i < role_events(role); i++)
        role_stamp(role, body, i);
    return true;
}

/* What comes, as a peer would bring it. */
static void bring(role_t *role, uint64_t number) {
    uint8_t body[64] = {0};
    tally_body_t head = {number, role_clock(), 0, TALLY_MARK};
    memcpy(body, &head, sizeof head);
    role_arrived(role, body, sizeof body);
}

static bool lose_double_and_swap(role_t *role) {
    role_ready(role);
    for (uint64_t i = 0; i < role->work->events; i++) {
        uint64_t number = i == 20 ? 21 : i == 21 ? 20 : i;
        if (i != 5)
            bring(role, number);
        if (i == 7)
            bring(role, number);
    }
    while (!role_over(role))
        usleep(1000);
    return true;
}

static const work_t work = {.name = "work",
                            .title = "a work",
                            .kind = WORK_FIRE,
                            .size = 64,
                            .events = 100,
                            .groups = 1,
                            .workers = 1,
                            .publishers = 1};

static void what_is_lost_doubled_and_swapped_is_counted(void **state) {
    (void)state;
    const peer_t liar = {.name = "liar",
                         .can = anything,
                         .installed = always,
                         .start = start_nothing,
                         .publish = stamp_all,
                         .consume = lose_double_and_swap};
    round_result_t result;
    round_run(&liar, &work, 100, &result);
    assert_string_equal(result.why, "");
    assert_true(result.good);
    assert_int_equal(result.figures[FIGURE_LOST], 1);
    assert_int_equal(result.figures[FIGURE_TWICE], 1);
    assert_int_equal(result.figures[FIGURE_DISORDERED], 1);
}

static unsigned starts, starts_again;

static bool count_starts(site_t *site, const work_t *what, bool again) {
    (void)site, (void)what;
    starts++;
    starts_again += again;
    return true;
}

/* All but one: the backlog is what its publishers sent before. */
static bool bring_what_was_kept(role_t *role) {
    role_ready(role);
    for (uint64_t i = 0; i < role->work->events; i++)
        if (i != 9)
            bring(role, i);
    while (!role_over(role))
        usleep(1000);
    return true;
}

static const peer_t keeper = {.name = "keeper",
                              .can = anything,
                              .installed = always,
                              .start = count_starts,
                              .publish = stamp_all,
                              .consume = bring_what_was_kept};

static void a_backlog_is_drained_after_a_restart_and_what_it_lacks_is_lost(void **state) {
    (void)state;
    work_t backlog = work;
    backlog.kind = WORK_BACKLOG;
    backlog.restart = true;
    round_result_t result;
    starts = starts_again = 0;
    round_run(&keeper, &backlog, 100, &result);
    assert_string_equal(result.why, "");
    assert_true(result.good);
    assert_int_equal(starts, 2);
    assert_int_equal(starts_again, 1);
    assert_true(result.figures[FIGURE_RESTART] > 0);
    assert_true(isnan(result.figures[FIGURE_RATE])); /* there was a pause */
    assert_int_equal(result.figures[FIGURE_LOST], 1);
}

static void a_group_without_workers_is_not_waited_for(void **state) {
    (void)state;
    work_t beside = work;
    beside.kind = WORK_QUEUE;
    beside.groups = 2;
    beside.unmanned = 1;
    beside.backlog = 50;
    round_result_t result;
    starts = 0;
    round_run(&keeper, &beside, 100, &result);
    assert_true(result.good);
    assert_int_equal(starts, 1); /* for the backlog and what is measured beside it */
    assert_int_equal(result.figures[FIGURE_LOST], 1);
}

static bool bring_a_stranger(role_t *role) {
    role_ready(role);
    bring(role, 1000);
    for (uint64_t i = 0; i < role->work->events; i++)
        bring(role, i);
    while (!role_over(role))
        usleep(1000);
    return true;
}

static void what_nobody_sent_spoils_the_round(void **state) {
    (void)state;
    const peer_t liar = {.name = "liar",
                         .can = anything,
                         .installed = always,
                         .start = start_nothing,
                         .publish = stamp_all,
                         .consume = bring_a_stranger};
    round_result_t result;
    round_run(&liar, &work, 100, &result);
    assert_false(result.good);
    assert_non_null(strstr(result.why, "nobody sent"));
}

static bool die(role_t *role) {
    role_begin(role);
    kill(getpid(), SIGKILL);
    return true;
}

static void a_publisher_that_dies_fails_the_round(void **state) {
    (void)state;
    const peer_t mortal = {.name = "mortal",
                           .can = anything,
                           .installed = always,
                           .start = start_nothing,
                           .publish = die,
                           .consume = lose_double_and_swap};
    round_result_t result;
    round_run(&mortal, &work, 100, &result);
    assert_false(result.good);
    assert_non_null(strstr(result.why, "publisher failed"));
}

static void sleep_long(void *arg) {
    (void)arg;
    for (;;)
        pause();
}

/* Each asks for nothing but to be ended. */
static void a_site_ends_its_processes_and_leaves_no_folder(void **state) {
    (void)state;
    char folder[256];
    site_t *site = site_new("test");
    snprintf(folder, sizeof folder, "%s", site_folder(site));
    assert_true(site_fork(site, sleep_long, NULL));
    assert_true(site_run(site, (const char *[]){"sh", "-c", "sleep 1000 & sleep 1000", NULL}));
    site_write(site, "settings", "%d\n", site_port(site, 0));
    /* They are of the site's once they have begun. */
    double from = rig_now();
    while (site_memory(site) == 0 && rig_now() - from < 20)
        usleep(1000);
    assert_true(site_memory(site) > 0);
    site_destroy(&site);
    assert_null(site);
    assert_int_equal(access(folder, F_OK), -1);
}

/* --- the table --- */

static void fill(cell_t *cell, const peer_t *peer, const double *values, unsigned count) {
    *cell = (cell_t){.peer = peer, .work = works_find("fire-1024-1-4"), .rounds = count};
    for (unsigned i = 0; i < count; i++) {
        cell->results[i].good = true;
        for (unsigned f = 0; f < FIGURES; f++)
            cell->results[i].figures[f] = NAN;
        cell->results[i].figures[FIGURE_RATE] = values[i];
    }
}

static void a_target_is_held_against_the_median_of_the_best(void **state) {
    (void)state;
    static cell_t cells[3];
    const peer_t fob = {.name = "fob"}, slow = {.name = "slow"}, fast = {.name = "fast"};
    const peer_t *all[] = {&fob, &slow, &fast};
    const work_t *its[] = {works_find("fire-1024-1-4")};
    table_t table = {
        .works_count = 1, .peers_count = 3, .works = its, .peers = all, .cells = cells};
    const target_t *target;
    verdict_t verdict = {0};
    fill(&cells[0], &fob, (double[]){100, 150, 9000}, 3);
    fill(&cells[1], &slow, (double[]){10, 20, 30}, 3);
    fill(&cells[2], &fast, (double[]){1, 100, 101}, 3);
    for (size_t i = 0; (target = targets_at(i)) && strcmp(target->work, "fire-1024-1-4") != 0;)
        i++;
    assert_non_null(target);
    table_judge(&table, target, &verdict);
    assert_true(verdict.known && verdict.reached);
    assert_string_equal(verdict.than, "fast");
    assert_true(verdict.has == 150 && verdict.due == 150);
    cells[2].results[1].figures[FIGURE_RATE] = 100.5;
    table_judge(&table, target, &verdict);
    assert_true(verdict.known && !verdict.reached);
}

FOB_MAIN(FOB_CASE(what_is_lost_doubled_and_swapped_is_counted),
         FOB_CASE(a_backlog_is_drained_after_a_restart_and_what_it_lacks_is_lost),
         FOB_CASE(a_group_without_workers_is_not_waited_for),
         FOB_CASE(what_nobody_sent_spoils_the_round),
         FOB_CASE(a_publisher_that_dies_fails_the_round),
         FOB_CASE(a_site_ends_its_processes_and_leaves_no_folder),
         FOB_CASE(a_target_is_held_against_the_median_of_the_best))
