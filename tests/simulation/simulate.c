/* simulate [--seed N] [--steps N] [--seeds N] [--watch OFFSET] [--verbose]: runs worlds, tells what
 * was looked at. As simulate_planted it has [--plant NAME], a bug to be found, and [--plants],
 * which there are.
 */
#include "sim_planted.h"
#include "sim_world.h"

#include <time.h>

#define STEPS        100000
#define ENOUGH_SEEDS 20
#define MANY_SEEDS   50 /* of LONG worlds: they reach all that worlds are to reach */
#define LONG         10000

typedef struct {
    uint64_t looked[SIM_CHECKERS];
    uint64_t steps, events, falls, stops, deaths, commands, verified;
    double seconds;
    sim_counts_t store;
    sim_reached_t reached;
} sum_t;

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint64_t run_one(const sim_options_t *options, sum_t *sum) {
    sim_world_t *world = sim_alloc(sizeof *world);
    double began = seconds();
    sim_world_run(world, options);
    double took = seconds() - began;
    printf("seed %llu: %s, %llu steps, %.0f s of its time, %.2f s (%.0f steps/s), %llu events, "
           "%llu letters, %llu falls and %llu stops of the bus, %llu deaths, %llu cuts, "
           "%llu replays held, trace %016llx\n",
           (unsigned long long)options->seed,
           world->journal == SIM_JOURNAL_FILE ? "file" : "memory", (unsigned long long)world->step,
           (double)world->now_ns / 1e9, took, (double)world->step / took,
           (unsigned long long)world->witness.events, (unsigned long long)world->network.letters,
           (unsigned long long)world->falls, (unsigned long long)world->stops,
           (unsigned long long)world->deaths, (unsigned long long)world->network.cuts,
           (unsigned long long)world->verified, (unsigned long long)world->witness.trace.sum);
    for (size_t i = 0; i < world->witness.checker_count; i++)
        sum->looked[i] += world->witness.checkers[i].looked;
    const sim_counts_t *counts = &world->bus.store->counts;
    sum->store.pages += counts->pages;
    sum->store.absent += counts->absent;
    sum->store.damaged += counts->damaged;
    sum->store.flips += counts->flips;
    sum->store.cuts += counts->cuts;
    sum->store.refused += counts->refused;
    sum->store.kept += counts->kept;
    sum->store.lost += counts->lost;
    sim_reached_add(&sum->reached, &world->witness.reached);
    sum->steps += world->step;
    sum->events += world->witness.events;
    sum->falls += world->falls;
    sum->seconds += took;
    if (world->witness.checker_count)
        for (size_t i = 0; options->verbose && i < world->witness.checker_count; i++)
            printf("  %s\n", world->witness.checkers[i].ops->promise);
    uint64_t trace = world->witness.trace.sum;
    sim_world_free(world);
    free(world);
    return trace;
}

/* Twice: a seed must repeat itself. */
static void run(const sim_options_t *options, sum_t *sum, bool twice) {
    uint64_t trace = run_one(options, sum);
    if (!twice || run_one(options, sum) == trace)
        return;
    fprintf(stderr, "\nBROKEN: a seed repeats itself\n  seed %llu gave two different runs\n",
            (unsigned long long)options->seed);
    exit(1);
}

static void tell(const sum_t *sum) {
    sim_witness_t names = {0};
    sim_witness_init(&names, 0);
    printf("\n%llu steps, %.0f steps/s, %llu events, %llu falls of the bus\n",
           (unsigned long long)sum->steps, (double)sum->steps / sum->seconds,
           (unsigned long long)sum->events, (unsigned long long)sum->falls);
    const sim_counts_t *store = &sum->store;
    printf(
        "file journals: %llu pages, %llu not there, %llu harmed; %llu flipped bits, %llu falls "
        "within a call, %llu starts refused; of what was not durable yet %llu commits were found, "
        "%llu not\n",
        (unsigned long long)store->pages, (unsigned long long)store->absent,
        (unsigned long long)store->damaged, (unsigned long long)store->flips,
        (unsigned long long)store->cuts, (unsigned long long)store->refused,
        (unsigned long long)store->kept, (unsigned long long)store->lost);
    for (size_t i = 0; i < names.checker_count; i++)
        printf("%12llu looks  %s\n", (unsigned long long)sum->looked[i],
               names.checkers[i].ops->promise);
    sim_reached_tell(&sum->reached);
    sim_witness_free(&names);
}

/* A checker that never looked has shown nothing, and in so many worlds that is no chance. */
static bool all_looked(const sum_t *sum, uint64_t seeds) {
    sim_witness_t names = {0};
    bool all = true;
    sim_witness_init(&names, 0);
    for (size_t i = 0; i < names.checker_count && seeds >= ENOUGH_SEEDS; i++)
        if (!sum->looked[i]) {
            fprintf(stderr, "\nBROKEN: every checker looks\n  in %llu worlds none did for: %s\n",
                    (unsigned long long)seeds, names.checkers[i].ops->promise);
            all = false;
        }
    sim_witness_free(&names);
    return all;
}

static bool number(const char *text, uint64_t *out) {
    char *end;
    *out = strtoull(text, &end, 10);
    return *text && !*end;
}

static bool journal(const char *text, sim_journal_kind_t *out) {
    static const char *const names[] = {"any", "memory", "file"};
    for (int i = SIM_JOURNAL_ANY; i <= SIM_JOURNAL_FILE; i++)
        if (strcmp(text, names[i]) == 0) {
            *out = (sim_journal_kind_t)i;
            return true;
        }
    return false;
}

int main(int argc, char **argv) {
    sim_options_t options = {.seed = 0, .steps = STEPS};
    uint64_t seeds = 0;
    bool good = true, twice = false;
    sum_t sum = {0};
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < argc && good; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--seed") == 0)
            good = number(value, &options.seed), i++;
        else if (strcmp(argv[i], "--steps") == 0)
            good = number(value, &options.steps), i++;
        else if (strcmp(argv[i], "--watch") == 0)
            good = number(value, &options.watch), i++;
        else if (strcmp(argv[i], "--seeds") == 0)
            good = number(value, &seeds), i++;
        else if (strcmp(argv[i], "--plant") == 0)
            good = sim_planted_set(value), i++;
        else if (strcmp(argv[i], "--plants") == 0) {
            sim_planted_list();
            return 0;
        } else if (strcmp(argv[i], "--journal") == 0)
            good = journal(value, &options.journal), i++;
        else if (strcmp(argv[i], "--twice") == 0)
            twice = true;
        else if (strcmp(argv[i], "--verbose") == 0)
            options.verbose = true;
        else
            good = false;
    }
    if (!good) {
        fprintf(stderr,
                "usage: simulate [--seed N] [--steps N] [--seeds N] [--journal any|memory|file] "
                "[--twice] [--watch OFFSET] [--verbose]\n");
        return 64;
    }
    if (!options.seed) /* another one each time; it is told */
        options.seed = (uint64_t)time(NULL);
    for (uint64_t i = 0; i < (seeds ? seeds : 1); i++, options.seed++)
        run(&options, &sum, twice);
    tell(&sum);
    bool whole = all_looked(&sum, seeds);
    bool any = options.journal == SIM_JOURNAL_ANY; /* epochs end in worlds of memory only */
    if (any && seeds >= MANY_SEEDS && options.steps >= LONG)
        whole = sim_reached_enough(&sum.reached, seeds) && whole;
    return whole ? 0 : 1;
}
