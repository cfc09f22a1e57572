/* The sequencer against a model of the bus that drops, doubles, delays, trims, loses its tail and
 * its connections, and a reader that is slow, from a seed: what fails replays. FOB_SEED runs one
 * seed, FOB_SEEDS so many. */
#include "sequencer_world.h"

#define STEPS 4000
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SEEDS 50
#else
#define SEEDS 250 /* a million steps */
#endif
#define N(value) ((unsigned long long)(value))

/* --- the subscriber --- */

static void deliver(world_t *w, letter_t *letter) {
    fob_wire_t msg;
    if (letter->is_cast) {
        if (w->options.mode == FOB_SEQUENCER_LIVE)
            reader_expects(w, &letter->cast);
        fob_sequencer_take(w->sequencer, &letter->cast, letter->body, w->elsewhere);
        return;
    }
    assert_int_equal(fob_wire_read(fob_buf_slice(&letter->header), &msg), FOB_OK);
    if (letter->to_bus) {
        bus_request(w, &msg);
        return;
    }
    if (msg.verb == FOB_VERB_FETCHED)
        w->serving = false;
    fob_sequencer_input(w->sequencer, now_of(w), &msg, letter->body);
}

/* The message that is due first, taken out; NULL: none. */
static letter_t *due(world_t *w) {
    size_t best = w->letter_count;
    for (size_t i = 0; i < w->letter_count; i++) {
        const letter_t *letter = w->letters[i], *least = w->letters[best % LETTERS];
        if (letter->due_ms > w->now_ms)
            continue;
        if (best == w->letter_count || letter->due_ms < least->due_ms ||
            (letter->due_ms == least->due_ms && letter->order < least->order))
            best = i;
    }
    if (best == w->letter_count)
        return NULL;
    letter_t *letter = w->letters[best];
    w->letters[best] = w->letters[--w->letter_count];
    return letter;
}

static void ask(world_t *w) {
    fob_wire_t msg;
    fob_sequencer_round(w->sequencer, now_of(w), w->elsewhere);
    while (w->up && fob_sequencer_ask(w->sequencer, &msg)) {
        if (fault(w, 10)) {
            fob_sequencer_unsent(w->sequencer, now_of(w), &msg);
            continue;
        }
        letter_t *letter = bus_post(w, (int64_t)draw(w, 10));
        letter->to_bus = true;
        assert_int_equal(fob_wire_write(&letter->header, &msg), FOB_OK);
    }
}

static void step(world_t *w) {
    letter_t *letter;
    w->now_ms += (int64_t)draw(w, 20);
    w->steps++;
    bus_step(w);
    for (bool more = true; more;) {
        letter = due(w);
        more = letter != NULL;
        if (letter) {
            deliver(w, letter);
            bus_burn(letter);
        }
    }
    ask(w);
    reader_step(w);
}

/* --- the run --- */

static const char *const patterns[] = {">", "a.*", "*.0", "a.2", "g.*.x", "c"};

static void draw_world(world_t *w) {
    static const fob_sequencer_from_t froms[] = {FOB_SEQUENCER_LATEST, FOB_SEQUENCER_EARLIEST,
                                                 FOB_SEQUENCER_LAST, FOB_SEQUENCER_OFFSET,
                                                 FOB_SEQUENCER_TIME};
    w->options = (fob_sequencer_options_t){
        .pattern = fob_slice_str(patterns[draw(w, 6)]),
        .mode = chance(w, 60) ? FOB_SEQUENCER_RELIABLE : FOB_SEQUENCER_NOTIFY,
        .from = froms[draw(w, 5)],
        .queue = 1 + draw(w, chance(w, 50) ? 20 : 500),
        .bytes = chance(w, 30) ? 200 + draw(w, 2000) : 0,
        .topics = chance(w, 50) ? 1 + (uint32_t)draw(w, TOPICS) : 0,
        .recent = chance(w, 50) ? 1 + (uint32_t)draw(w, 20) : 0,
        .holes = chance(w, 50) ? 1 + (uint32_t)draw(w, 5) : 0};
    if (w->options.from == FOB_SEQUENCER_OFFSET)
        w->options.value = draw(w, 80);
    if (w->options.from == FOB_SEQUENCER_TIME)
        w->options.value = (uint64_t)w->now_ms + draw(w, 100);
    bool orderly = chance(w, 40);
    w->drops = (unsigned)draw(w, 100);
    w->doubles = orderly ? 0 : (unsigned)draw(w, 50);
    w->delays = orderly ? 0 : (unsigned)draw(w, 50);
    w->known_max = 2 + (unsigned)draw(w, TOPICS);
    w->pace = 2 + (unsigned)draw(w, 98);
}

static world_t *world_of(unsigned seed) {
    world_t *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->seed = seed;
    w->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    w->now_ms = 1000;
    draw_world(w);
    return w;
}

static void run(world_t *w) {
    bus_begin(w);
    w->sequencer = fob_sequencer_new(&w->options);
    assert_non_null(w->sequencer);
    for (unsigned i = 0; i < STEPS; i++)
        step(w);
    w->calm = true;
    for (unsigned i = 0; i < 200000 && !reader_rests(w); i++)
        step(w);
}

static void end(world_t *w) {
    while (w->letter_count)
        bus_burn(w->letters[--w->letter_count]);
    fob_batch_clear(&w->batch);
    fob_sequencer_destroy(&w->sequencer);
    free(w);
}

/* What the worlds of a run came to. */
typedef struct {
    uint64_t worlds, steps, events, notices, repairs, fetched, duplicates, told, epochs;
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
}

static void run_seed(unsigned seed, sums_t *sums) {
    world_t *w = world_of(seed);
    run(w);
    reader_rest(w);
    sum_up(w, sums);
    end(w);
}

static void seeds(unsigned *from, unsigned *to) {
    const char *one = getenv("FOB_SEED"), *many = getenv("FOB_SEEDS");
    *from = one ? (unsigned)atoi(one) : 1;
    *to = one ? *from : many ? (unsigned)atoi(many) : SEEDS;
}

static void each_event_comes_once_and_what_does_not_is_told(void **state) {
    (void)state;
    unsigned from, to;
    seeds(&from, &to);
    sums_t sums = {0};
    for (unsigned seed = from; seed <= to; seed++)
        run_seed(seed, &sums);
    printf("seeds %u to %u: %llu worlds, %llu steps, %llu events handed out, %llu notices, "
           "%llu events told lost, %llu fetched, %llu duplicates, %llu repairs, %llu new epochs\n",
           from, to, N(sums.worlds), N(sums.steps), N(sums.events), N(sums.notices), N(sums.told),
           N(sums.fetched), N(sums.duplicates), N(sums.repairs), N(sums.epochs));
    /* A run that met none of it has shown nothing. */
    bool met = sums.told && sums.fetched && sums.duplicates && sums.repairs && sums.epochs;
    assert_true(from == to || met);
}

/* Nothing is asked for; the broadcast keeps its order, and drops. */
static void in_live_all_is_handed_out_or_counted(void **state) {
    (void)state;
    unsigned from, to;
    seeds(&from, &to);
    uint64_t lost = 0, events = 0;
    for (unsigned seed = from; seed <= from + (to - from) / 5; seed++) {
        world_t *w = world_of(seed);
        w->options.mode = FOB_SEQUENCER_LIVE;
        w->doubles = w->delays = 0;
        run(w);
        CHECK(w, w->events_out + w->fires_out + fob_sequencer_lost(w->sequencer) == w->expected);
        CHECK(w, w->notices_out == 0 && fob_sequencer_malformed(w->sequencer) == 0);
        lost += fob_sequencer_lost(w->sequencer);
        events += w->events_out;
        end(w);
    }
    printf("seeds from %u: %llu events handed out, %llu lost\n", from, N(events), N(lost));
    assert_true(from == to || (lost && events));
}

FOB_MAIN(FOB_CASE(each_event_comes_once_and_what_does_not_is_told),
         FOB_CASE(in_live_all_is_handed_out_or_counted))
