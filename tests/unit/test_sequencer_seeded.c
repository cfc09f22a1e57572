/* The sequencer against a model of the bus that drops, doubles, delays, trims, loses its tail and
 * its connections, and a reader that is slow, from a seed: what fails replays. FOB_SEED runs one
 * seed, FOB_SEEDS so many. */
#include "sequencer_world.h"

#include "tests/support/seeds.h"

#define STEPS 4000
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SEEDS 50
#else
#define SEEDS 250 /* a million steps */
#endif
#define N(value) ((unsigned long long)(value))

static void run(world_t *w) {
    assert_true(world_begin(w));
    for (unsigned i = 0; i < STEPS; i++)
        world_step(w);
    world_calm(w);
}

/* What the worlds of a run came to. */
typedef struct {
    uint64_t worlds, steps, events, notices, repairs, fetched, duplicates, told, epochs, deaf,
        resumed, parts;
} sums_t;

static void sum_up(const world_t *w, sums_t *sums) {
    fob_sequencer_figures_t figures;
    fob_sequencer_figures(w->sequencer, &figures);
    sums->worlds++;
    sums->steps += STEPS;
    sums->events += w->events_out;
    sums->notices += w->notices_out;
    sums->repairs += figures.repairs;
    sums->fetched += figures.fetched;
    sums->duplicates += figures.duplicates;
    sums->told += figures.told;
    sums->epochs += w->era;
    sums->deaf += w->deaf_steps;
    sums->resumed += w->resumed;
    sums->parts += w->parts_asked;
}

static void run_seed(unsigned seed, sums_t *sums) {
    world_t *w = world_new(seed);
    run(w);
    reader_rest(w);
    sum_up(w, sums);
    world_end(w);
}

static void each_event_comes_once_and_what_does_not_is_told(void **state) {
    (void)state;
    seeds_t seeds = seeds_given(1, SEEDS);
    sums_t sums = {0};
    for (uint64_t i = 0; i < seeds.count; i++)
        run_seed((unsigned)(seeds.first + i), &sums);
    printf("seeds from %llu: %llu worlds, %llu steps, %llu events handed out, %llu notices, "
           "%llu events told lost, %llu fetched, %llu duplicates, %llu repairs, %llu new epochs, "
           "deaf in %llu steps, %llu that went on for another, %llu parts asked "
           "about\n",
           N(seeds.first), N(sums.worlds), N(sums.steps), N(sums.events), N(sums.notices),
           N(sums.told), N(sums.fetched), N(sums.duplicates), N(sums.repairs), N(sums.epochs),
           N(sums.deaf), N(sums.resumed), N(sums.parts));
    /* A run that met none of it has shown nothing. */
    bool met = sums.told && sums.fetched && sums.duplicates && sums.repairs && sums.epochs &&
               sums.deaf && sums.resumed && sums.parts;
    assert_true(seeds.chosen || met);
}

/* Nothing is asked for; the broadcast keeps its order, and drops. */
static void in_live_all_is_handed_out_or_counted(void **state) {
    (void)state;
    seeds_t seeds = seeds_given(1, SEEDS);
    uint64_t lost = 0, events = 0;
    for (uint64_t i = 0; i < (seeds.count + 4) / 5; i++) {
        world_t *w = world_new((unsigned)(seeds.first + i));
        w->options.mode = FOB_SEQUENCER_LIVE;
        w->doubles = w->delays = 0;
        run(w);
        CHECK(w, w->events_out + w->fires_out + fob_sequencer_lost(w->sequencer) == w->expected);
        CHECK(w, w->notices_out == 0 && fob_sequencer_malformed(w->sequencer) == 0);
        lost += fob_sequencer_lost(w->sequencer);
        events += w->events_out;
        world_end(w);
    }
    printf("seeds from %llu: %llu events handed out, %llu lost\n", N(seeds.first), N(events),
           N(lost));
    assert_true(seeds.chosen || (lost && events));
}

FOB_MAIN(FOB_CASE(each_event_comes_once_and_what_does_not_is_told),
         FOB_CASE(in_live_all_is_handed_out_or_counted))
