/* The core in a world that goes wrong in every way it can, many times over. A failure names its
 * seed. */
#include "test_core_model.h"

#include "tests/support/case.h"

#include <stdlib.h>

/* FOB_SEED runs that one seed alone, FOB_SEEDS so many. */
static void run(model_plan_t plan, uint64_t first, uint64_t count) {
    const char *seed = getenv("FOB_SEED"), *seeds = getenv("FOB_SEEDS");
    if (seeds)
        count = strtoull(seeds, NULL, 10);
    if (seed) {
        first = strtoull(seed, NULL, 10);
        count = 1;
    }
    for (uint64_t i = 0; i < count; i++) {
        plan.seed = first + i;
        model_run(&plan);
    }
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

FOB_MAIN(FOB_CASE(nothing_is_lost_while_workers_come_and_go),
         FOB_CASE(nothing_is_lost_when_every_page_is_read_back),
         FOB_CASE(nothing_is_lost_over_crashes_that_lose_the_tail),
         FOB_CASE(nothing_is_lost_over_crashes_with_checkpoints_and_deep_backlogs),
         FOB_CASE(books_balance_when_records_cannot_be_read))
