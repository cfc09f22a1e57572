/* The real journal of files, on fibers and a simulated disk: many short lives that end in every
 * way. A failure names its seed; FOB_SEED runs that one alone, FOB_SEEDS so many. */
#include "tests/support/case.h"
#include "tests/support/seeds.h"

#include "journal_life.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#define LIVES 5 /* of one folder */

typedef struct {
    bool crashes, kills, faults, full, levels, clocks, flips;
    size_t
        even; /* all commits are of one size: what is left of an old tail is where a new one is */
} world_t;

typedef struct {
    uint64_t lives, turns, appended, pages, checkpoints, trims, failed, refused, torn, ends[3];
    uint64_t flips, told; /* flips that were told of */
    int64_t us;
} tally_t;

static tally_t tally;

static sim_faults_t choose_faults(sim_random_t *random, bool faults) {
    sim_faults_t out = {.fast_us = 100};
    out.no_fallocate = sim_random_once(random, 8);
    if (sim_random_once(random, 2)) {
        out.slow = sim_random_between(random, 5, 100);
        out.slow_us = (int64_t)sim_random_skewed(random, 2000000);
    }
    if (sim_random_once(random, 2))
        out.short_write = out.short_read = sim_random_between(random, 2, 20);
    if (!faults)
        return out;
    uint64_t in = sim_random_skewed(random, 500) + 5;
    switch (sim_random_below(random, 7)) {
    case 0:
        out.write_error = in;
        break;
    case 1:
        out.read_error = in;
        break;
    case 2:
        out.sync_error = in;
        break;
    case 3:
        out.name_error = in;
        break;
    case 4:
        out.full = in;
        break;
    default:
        break;
    }
    return out;
}

static life_plan_t choose_plan(sim_random_t *random, const world_t *world) {
    life_plan_t plan = {.seed = sim_random_next(random)};
    uint64_t end = sim_random_below(random, 4);
    plan.end = end >= 2 && world->crashes ? LIFE_LOSES_POWER
               : end == 1 && world->kills ? LIFE_IS_KILLED
                                          : LIFE_CLOSES;
    plan.faults = choose_faults(random, world->faults);
    plan.sync = world->levels ? (fob_sync_t)sim_random_below(random, 3) : FOB_SYNC_ALWAYS;
    plan.max_bytes = (world->full ? 8 : 32) * UINT64_C(65536);
    plan.steps = (unsigned)sim_random_between(random, 5, 300);
    plan.most = (size_t)sim_random_between(random, 100, 40000);
    plan.even = world->even;
    plan.careful = sim_random_once(random, 3);
    plan.clocks = world->clocks;
    return plan;
}

static void count(const life_plan_t *plan, const life_t *life) {
    tally.lives++;
    tally.turns += life->turns;
    tally.appended += life->appended;
    tally.pages += life->pages;
    tally.checkpoints += life->checkpoints;
    tally.trims += life->trims;
    tally.us += life->us;
    tally.failed += life->failed;
    tally.refused += life->refused;
    tally.torn += strstr(life->log, "torn tail") != NULL;
    tally.ends[life->cut ? plan->end : LIFE_CLOSES]++;
}

/* With FOB_SEED: each life in a line. */
static void tell(const life_plan_t *plan, const model_t *model, const life_t *life,
                 unsigned index) {
    static const char *const ends[] = {"closes", "killed", "power lost"};
    static const char *const levels[] = {"always", "interval", "os"};
    const sim_faults_t *f = &plan->faults;
    print_message("life %u: sync %s, %s, %s%s; %" PRIu64 " appended, %" PRIu64 " turns, %" PRIi64
                  " us, then position %" PRIu64 ", told %" PRIu64 ", floor %" PRIu64
                  "; once in: write %" PRIu64 ", read %" PRIu64 ", sync %" PRIu64 ", name %" PRIu64
                  ", full %" PRIu64 ", short %" PRIu64 "; %s\n%s",
                  index, levels[plan->sync], ends[plan->end],
                  life->opened ? "opened" : "did not open", life->failed ? ", failed" : "",
                  life->appended, life->turns, life->us, model->count, model->told, model->floor,
                  f->write_error, f->read_error, f->sync_error, f->name_error, f->full,
                  f->short_write, life->open.text, life->log);
}

/* One life; what was found wrong is told with all that repeats it. */
static void live(const life_plan_t *plan, sim_disk_t **disk, model_t *model, life_t *life,
                 uint64_t seed, unsigned index) {
    journal_life(plan, disk, model, life);
    count(plan, life);
    if (getenv("FOB_SEED") != NULL)
        tell(plan, model, life, index);
    if (model_failed(model))
        fail_msg("FOB_SEED=%" PRIu64 ", life %u: %s\nIt logged: %s", seed, index, model->failure,
                 life->log);
}

/* --- a flipped bit --- */

static const char *choose_file(const sim_disk_t *disk, sim_random_t *random) {
    const char *found = NULL, *path;
    for (size_t i = 0, seen = 0; (path = sim_disk_path(disk, i)) != NULL; i++)
        if (sim_disk_size(disk, path) > 0 && sim_random_once(random, ++seen))
            found = path;
    return found;
}

/* Whether a text names the segment, and a byte at or before the one that was harmed. */
static bool names(const char *text, const char *path, uint64_t at) {
    const char *name = strrchr(path, '/') + 1, *byte = strstr(text, "byte ");
    return strstr(text, name) != NULL && byte != NULL && strtoull(byte + 5, NULL, 10) <= at;
}

static void check_flip(const life_t *life, const model_t *model, const char *path, uint64_t at,
                       uint64_t seed) {
    bool segment = strstr(path, ".seg") != NULL;
    const char *text = life->opened ? life->damage : life->open.text;
    tally.flips++;
    if (life->opened && life->damaged == 0)
        return; /* where nothing is, or the other of two was used */
    tally.told++;
    if (!segment || !names(text, path, at))
        fail_msg("FOB_SEED=%" PRIu64 ": %s was harmed at byte %" PRIu64 ", and it says: %s", seed,
                 path, at, text);
    if (life->damaged == 0)
        return;
    /* No more than one commit is lost by it. */
    uint64_t low, high, position = model_find(model, life->damaged_low);
    model_range(model, position, &low, &high);
    if (life->damaged_high > high && model_find(model, life->damaged_high - 1) > position + 1)
        fail_msg("FOB_SEED=%" PRIu64 ": one bit of %s (byte %" PRIu64 ") took offsets %" PRIu64
                 " to %" PRIu64 ": %s",
                 seed, path, at, life->damaged_low, life->damaged_high - 1, life->damage);
}

/* After a clean end all is proved durable: a flipped bit is told with its place, or it does not
 * matter, and what is shown is right. */
static void flip(sim_disk_t **disk, model_t *model, sim_random_t *random, uint64_t seed) {
    life_plan_t plan = choose_plan(random, &(world_t){0});
    life_t life;
    plan.steps = 0;
    live(&plan, disk, model, &life, seed, LIVES);
    const char *path = choose_file(*disk, random);
    char name[256];
    snprintf(name, sizeof name, "%s", path);
    /* Mostly where something is. */
    uint8_t byte = 0;
    uint64_t at = 0;
    for (unsigned i = 0; i < 50 && byte == 0; i++) {
        at = sim_random_below(random, (uint64_t)sim_disk_size(*disk, path));
        sim_disk_peek(*disk, path, at, &byte, 1);
    }
    sim_disk_flip(*disk, path, at, (uint8_t)(1u << sim_random_below(random, 8)));
    model->checkpoint = 0; /* the one before it will do */
    plan = choose_plan(random, &(world_t){0});
    plan.flipped = plan.careful = true;
    plan.steps = 0;
    live(&plan, disk, model, &life, seed, LIVES + 1);
    check_flip(&life, model, name, at, seed);
}

/* --- worlds --- */

static void run_world(const world_t *world, uint64_t seed) {
    sim_random_t random = sim_random_new(seed);
    uint64_t bytes = (world->full ? 10 : 40) * UINT64_C(65536);
    sim_disk_t *disk = sim_disk_new(sim_random_next(&random), bytes);
    model_t model = {0};
    life_t life;
    for (unsigned i = 0; i < LIVES; i++) {
        life_plan_t plan = choose_plan(&random, world);
        live(&plan, &disk, &model, &life, seed, i);
        if (life.opened || plan.end != LIFE_CLOSES)
            continue;
        /* It did not start, for a fault: without one it does. */
        plan.faults = (sim_faults_t){0};
        live(&plan, &disk, &model, &life, seed, i);
    }
    if (world->flips)
        flip(&disk, &model, &random, seed);
    model_free(&model);
    sim_disk_destroy(&disk);
}

/* All that a few lives leave behind, in a number. */
static uint64_t trace(uint64_t seed) {
    sim_random_t random = sim_random_new(seed);
    sim_disk_t *disk = sim_disk_new(sim_random_next(&random), UINT64_C(10) * 65536);
    world_t world = {.crashes = true, .kills = true, .faults = true, .full = true, .levels = true};
    model_t model = {0};
    uint64_t sum = 0;
    life_t life;
    for (unsigned i = 0; i < LIVES; i++) {
        life_plan_t plan = choose_plan(&random, &world);
        live(&plan, &disk, &model, &life, seed, i);
        sum = sum * 31 + life.turns;
        sum = sum * 31 + (uint64_t)life.us;
        sum = sum * 31 + sim_disk_hash(disk);
    }
    model_free(&model);
    sim_disk_destroy(&disk);
    return sum;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* The sanitizer for threads slows this down most, and has the least to find: a third of what it
 * lives of others. */
static uint64_t fewer(uint64_t count_of_seeds) {
#if defined(__SANITIZE_THREAD__)
    return count_of_seeds / 3 + 1;
#else
    return count_of_seeds;
#endif
}

static void run(world_t world, uint64_t first, uint64_t count_of_seeds) {
    seeds_t seeds = seeds_given(first, fewer(count_of_seeds));
    tally = (tally_t){0};
    double start = now();
    for (uint64_t i = 0; i < seeds.count; i++) {
        uint64_t seed = seeds.first + i;
        world.even = seed % 3 == 0 ? (size_t)seed % 7 * 500 + 40 : 0;
        run_world(&world, seed);
    }
    double took = now() - start;
    print_message("%" PRIu64 " lives (%" PRIu64 " closed, %" PRIu64 " killed, %" PRIu64
                  " without power), %.0f a second: %" PRIu64 " commits, %" PRIu64 " pages, %" PRIu64
                  " checkpoints, %" PRIu64 " trims, %" PRIu64 " torn tails, %" PRIu64
                  " failed, %" PRIu64 " full, %" PRIu64 " of %" PRIu64
                  " flips told, %.0f virtual seconds, %.1f M turns a second\n",
                  tally.lives, tally.ends[0], tally.ends[1], tally.ends[2],
                  (double)tally.lives / took, tally.appended, tally.pages, tally.checkpoints,
                  tally.trims, tally.torn, tally.failed, tally.refused, tally.told, tally.flips,
                  (double)tally.us / 1e6, (double)tally.turns / took / 1e6);
    if (seeds.chosen || fewer(100) != 100)
        return;
    /* It was about something. */
    assert_true(tally.appended > 1000 && tally.pages > 100 && tally.checkpoints > 20);
    assert_true(!world.crashes || world.full || tally.torn > 0);
    assert_true(!world.faults || tally.failed > 0);
    assert_true(!world.full || tally.refused > 0);
    assert_true(!world.flips || tally.told > 0);
}

static void all_is_there_after_a_close(void **state) {
    (void)state;
    run((world_t){0}, 1000, 20);
}

static void what_was_durable_is_there_after_power_is_lost(void **state) {
    (void)state;
    run((world_t){.crashes = true, .kills = true}, 2000, 100);
}

static void what_was_durable_is_there_whatever_the_level_promises(void **state) {
    (void)state;
    run((world_t){.crashes = true, .kills = true, .levels = true}, 3000, 50);
}

static void a_disk_that_fails_stops_it_and_loses_nothing(void **state) {
    (void)state;
    run((world_t){.crashes = true, .kills = true, .faults = true}, 4000, 100);
}

static void a_full_disk_refuses_and_loses_nothing(void **state) {
    (void)state;
    run((world_t){.crashes = true, .kills = true, .full = true}, 5000, 50);
}

static void clocks_that_jump_do_not_matter(void **state) {
    (void)state;
    run((world_t){.crashes = true, .kills = true, .clocks = true, .levels = true}, 6000, 30);
}

static void a_flipped_bit_is_told_with_its_place(void **state) {
    (void)state;
    run((world_t){.crashes = true, .flips = true}, 7000, 100);
}

static void all_of_it_at_once(void **state) {
    (void)state;
    run((world_t){.crashes = true,
                  .kills = true,
                  .faults = true,
                  .full = true,
                  .levels = true,
                  .clocks = true},
        8000, 100);
}

static void a_seed_repeats_lives_to_the_byte_and_the_microsecond(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++)
        assert_true(trace(seed) == trace(seed));
    assert_true(trace(1) != trace(2));
}

FOB_MAIN(FOB_CASE(all_is_there_after_a_close),
         FOB_CASE(what_was_durable_is_there_after_power_is_lost),
         FOB_CASE(what_was_durable_is_there_whatever_the_level_promises),
         FOB_CASE(a_disk_that_fails_stops_it_and_loses_nothing),
         FOB_CASE(a_full_disk_refuses_and_loses_nothing), FOB_CASE(clocks_that_jump_do_not_matter),
         FOB_CASE(a_flipped_bit_is_told_with_its_place), FOB_CASE(all_of_it_at_once),
         FOB_CASE(a_seed_repeats_lives_to_the_byte_and_the_microsecond))
