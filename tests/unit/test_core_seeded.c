/* The core in a world that goes wrong in every way it can, many times over. A failure names its
 * seed. */
#include "test_core_model.h"

#include "tests/support/case.h"
#include "tests/support/seeds.h"

#if defined(__SANITIZE_THREAD__)
#define SHARE 2 /* each takes twenty times as long, and there is one thread */
#else
#define SHARE 1
#endif

static void run(model_plan_t plan, uint64_t first, uint64_t count) {
    if (!plan.limits) /* few seeds drop anything: all are needed */
        count = (count + SHARE - 1) / SHARE;
    seeds_t seeds = seeds_given(first, count);
    model_tally = (model_tally_t){0};
    for (uint64_t i = 0; i < seeds.count; i++) {
        plan.seed = seeds.first + i;
        model_run(&plan);
    }
    /* It was about something. */
    assert_true(seeds.chosen || !plan.limits || model_tally.busy);
    assert_true(seeds.chosen || !plan.limits || plan.crashes || plan.operators ||
                model_tally.drops);
    assert_true(seeds.chosen || !plan.ids || model_tally.duplicates);
    assert_true(seeds.chosen || !plan.leases || (model_tally.lost && model_tally.overdue));
    assert_true(seeds.chosen || !plan.operators || model_tally.operations);
    assert_true(seeds.chosen || !plan.crashes || model_tally.crashes);
    assert_true(seeds.chosen || !plan.reclaims || model_tally.moved);
}

static void nothing_is_lost_while_workers_come_and_go(void **state) {
    (void)state;
    run((model_plan_t){.steps = 3000}, 1000, 6);
}

static void nothing_is_lost_when_every_page_is_read_back(void **state) {
    (void)state;
    run((model_plan_t){.steps = 3000, .deep = true}, 2000, 6);
}

static void nothing_is_lost_over_crashes_that_lose_the_tail(void **state) {
    (void)state;
    run((model_plan_t){.steps = 3000, .crashes = true}, 3000, 6);
}

static void nothing_is_lost_over_crashes_with_checkpoints_and_deep_backlogs(void **state) {
    (void)state;
    run((model_plan_t){.steps = 3000, .crashes = true, .deep = true, .checkpoints = true}, 4000, 6);
}

static void books_balance_when_records_cannot_be_read(void **state) {
    (void)state;
    run((model_plan_t){.steps = 3000, .crashes = true, .deep = true, .damage = true}, 5000, 6);
}

static void what_is_published_twice_is_stored_once(void **state) {
    (void)state;
    run((model_plan_t){.steps = 3000, .ids = true}, 6000, 4);
    run((model_plan_t){.steps = 3000, .ids = true, .crashes = true, .checkpoints = true}, 6100, 6);
}

static void what_is_given_back_is_needed_by_nobody(void **state) {
    (void)state;
    run((model_plan_t){.steps = 3000, .reclaims = true}, 8500, 8);
    run((model_plan_t){.steps = 3000, .reclaims = true, .operators = true, .deep = true}, 8600, 8);
    run(
        (model_plan_t){
            .steps = 3000, .reclaims = true, .deep = true, .crashes = true, .checkpoints = true},
        8700, 8);
    run((model_plan_t){.steps = 3000,
                       .reclaims = true,
                       .deep = true,
                       .crashes = true,
                       .checkpoints = true,
                       .operators = true,
                       .priorities = true,
                       .leases = true},
        8800, 12);
}

static void the_highest_priority_goes_first(void **state) {
    (void)state;
    run((model_plan_t){.steps = 3000, .priorities = true}, 7000, 4);
    run((model_plan_t){.steps = 3000, .priorities = true, .deep = true}, 7100, 4);
    run(
        (model_plan_t){
            .steps = 3000, .priorities = true, .deep = true, .crashes = true, .checkpoints = true},
        7200, 4);
}

static void a_small_group_holds_what_it_may_and_no_more(void **state) {
    (void)state;
    run((model_plan_t){.steps = 3000, .limits = true}, 8000, 6);
    run((model_plan_t){.steps = 3000, .limits = true, .priorities = true, .leases = true}, 8200, 6);
    run((model_plan_t){.steps = 3000, .limits = true, .deep = true, .crashes = true}, 8100, 6);
}

static void a_lease_that_ends_is_somebody_elses(void **state) {
    (void)state;
    run((model_plan_t){.steps = 3000, .leases = true}, 9000, 6);
    run((model_plan_t){.steps = 3000, .leases = true, .crashes = true, .checkpoints = true}, 9100,
        6);
}

static void operators_do_as_they_like(void **state) {
    (void)state;
    run((model_plan_t){.steps = 3000, .operators = true}, 10000, 6);
    run((model_plan_t){.steps = 3000, .operators = true, .deep = true, .crashes = true}, 10100, 6);
}

static void all_of_it_at_once(void **state) {
    (void)state;
    model_plan_t plan = {.steps = 3000,
                         .limits = true,
                         .ids = true,
                         .priorities = true,
                         .leases = true,
                         .operators = true};
    run(plan, 11000, 6);
    plan.crashes = plan.checkpoints = true;
    run(plan, 11100, 6);
    plan.deep = true;
    run(plan, 11200, 6);
    plan.damage = true;
    run(plan, 11300, 6);
}

FOB_MAIN(FOB_CASE(what_is_given_back_is_needed_by_nobody),
         FOB_CASE(nothing_is_lost_while_workers_come_and_go),
         FOB_CASE(nothing_is_lost_when_every_page_is_read_back),
         FOB_CASE(nothing_is_lost_over_crashes_that_lose_the_tail),
         FOB_CASE(nothing_is_lost_over_crashes_with_checkpoints_and_deep_backlogs),
         FOB_CASE(books_balance_when_records_cannot_be_read),
         FOB_CASE(what_is_published_twice_is_stored_once),
         FOB_CASE(the_highest_priority_goes_first),
         FOB_CASE(a_small_group_holds_what_it_may_and_no_more),
         FOB_CASE(a_lease_that_ends_is_somebody_elses), FOB_CASE(operators_do_as_they_like),
         FOB_CASE(all_of_it_at_once))
