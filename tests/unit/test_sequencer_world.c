/* A world of the sequencer as a seed makes it, and a step in it. */
#include "sequencer_world.h"

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
    w->deaf_steps += fob_sequencer_deaf(w->sequencer);
    bool rested = w->resting;
    w->resting = w->rests && fob_sequencer_deaf(w->sequencer);
    if (rested && !w->resting)
        fob_sequencer_listens(w->sequencer);
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

/* It ends, and another goes on where it was, with all that it saved: an offset and its epoch. */
static void start_anew(world_t *w) {
    fob_sequencer_figures_t figures;
    fob_sequencer_figures(w->sequencer, &figures);
    if (w->options.mode == FOB_SEQUENCER_LIVE || figures.state != FOB_SEQUENCER_CURRENT ||
        fob_sequencer_queued(w->sequencer) || w->elsewhere || !reader_resumes(w, figures.position))
        return;
    w->options.from = FOB_SEQUENCER_OFFSET;
    w->options.value = figures.position + 1;
    w->options.epoch = fob_sequencer_epoch(w->sequencer);
    w->resumed++;
    w->resting = false;
    bus_hang_up(w);
    fob_batch_clear(&w->batch);
    fob_sequencer_destroy(&w->sequencer);
    CHECK(w, world_begin(w));
}

void world_step(world_t *w) {
    letter_t *letter;
    w->now_ms += (int64_t)draw(w, 20);
    w->steps++;
    if (!w->poor && fault(w, 3))
        start_anew(w);
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

/* --- its life --- */

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
    w->parted = chance(w, 70);
    w->rows_max = 1 + (unsigned)draw(w, w->parted ? 4 : 8);
    w->pace = 2 + (unsigned)draw(w, 98);
    w->options.far = w->seed % 2 ? 1 + w->seed % 60 : 0;
    w->rests = w->seed % 3 != 0;
    w->forgotten = w->seed % 5 < 2 ? w->seed % 97 : 0;
}

world_t *world_new(unsigned seed) {
    world_t *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->seed = seed;
    w->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    w->now_ms = 1000;
    draw_world(w);
    bus_begin(w);
    return w;
}

bool world_begin(world_t *w) {
    w->sequencer = fob_sequencer_new(&w->options);
    return w->sequencer != NULL;
}

void world_calm(world_t *w) {
    w->calm = true;
    for (unsigned i = 0; i < 200000 && !reader_rests(w); i++)
        world_step(w);
}

void world_end(world_t *w) {
    while (w->letter_count)
        bus_burn(w->letters[--w->letter_count]);
    fob_batch_clear(&w->batch);
    fob_sequencer_destroy(&w->sequencer);
    free(w);
}
