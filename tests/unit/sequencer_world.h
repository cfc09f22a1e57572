/* sequencer_world: a model of the bus that a subscriber listens to, shared by the bus of that world
 * (test_sequencer_bus.c), its reader (test_sequencer_reader.c), its life (test_sequencer_world.c)
 * and the runs. */
#ifndef FOB_TESTS_SEQUENCER_WORLD_H
#define FOB_TESTS_SEQUENCER_WORLD_H

#include "subscribers/sequence/sequencer.h"
#include "support/case.h"

#include <stdlib.h>

#define EVENTS  40000 /* offsets a world may use, over all its epochs */
#define ERAS    64
#define LETTERS 4096
#define TOPICS  14
#define BEAT_MS 1000

/* An event that was stored; unique. */
typedef struct {
    uint64_t id;
    int64_t time_ms;
    uint8_t topic;
    bool damaged;
} entry_t;

/* What one epoch wrote: offsets began + 1 .. head, as entries first .. . */
typedef struct {
    uint64_t epoch, began, head;
    size_t first;
} era_t;

/* A message under way. */
typedef struct {
    int64_t due_ms;
    uint64_t order;
    bool to_bus, is_cast;
    fob_buf_t header;
    fob_cast_t cast; /* its topic is a literal of the test */
    fob_blob_t *body;
} letter_t;

typedef struct {
    unsigned seed;
    uint64_t random, steps;
    int64_t now_ms;
    bool calm; /* no more faults, and nothing is published */
    bool poor; /* memory is refused at times */

    /* What this world is like, drawn from the seed. */
    fob_sequencer_options_t options;
    unsigned drops, doubles, delays; /* permille of frames */
    unsigned known_max;              /* topics that the bus remembers */
    unsigned rows_max;               /* of them in one answer */
    bool parted;                     /* it answers in parts */
    unsigned pace;                   /* percent of steps in which the reader reads */

    /* The journal. */
    entry_t entries[EVENTS];
    size_t entry_count;
    era_t eras[ERAS];
    size_t era; /* the present one */
    uint64_t oldest;
    /* The bus. */
    uint64_t last[TOPICS], used[TOPICS], prev_floor; /* used 0: not known */
    uint64_t seq[TOPICS], fire_seq;
    bool serving; /* a FETCH is under way */
    int64_t beat_ms;

    /* The ways. */
    bool up, listening;
    bool rests, resting; /* the shell heeds that it is deaf; and it is */
    uint64_t forgotten;  /* up to it the bus does not know topics' last events */
    int64_t listen_ms;
    letter_t *letters[LETTERS];
    size_t letter_count;
    uint64_t order;
    int64_t last_due_ms;

    /* The subscriber. */
    fob_sequencer_t *sequencer;
    fob_batch_t batch;
    uint64_t elsewhere;

    /* What it was handed. */
    size_t reader_era, start_era;
    uint64_t last_out[TOPICS];
    uint8_t fate[EVENTS];          /* of an offset in the reader's epoch: bits below */
    uint64_t first_up_head, start; /* events above it are due */
    bool renumbered;               /* while each topic's last was read */
    uint64_t events_out, notices_out, fires_out, deaf_steps, parts_asked, resumed;
    /* LIVE: by source (of stored events the present one, of the others) and topic. */
    uint64_t heard_of[2][TOPICS], heard_next[2][TOPICS], expected;
} world_t;

enum { HANDED = 1, LOST = 2, GONE = 4 };

extern const char *const world_topics[TOPICS];

#include "world_draw.h"

/* The head of an epoch, now or at its end. */
static inline uint64_t head_of(const world_t *w) {
    return w->eras[w->era].head;
}
/* The event at an offset, as that epoch has it; NULL: it has none there. */
const entry_t *world_entry(const world_t *w, size_t era, uint64_t offset);
bool world_wants(const world_t *w, unsigned topic);
/* It cannot be had from the bus any more. */
bool world_gone(const world_t *w, uint64_t offset);
/* The highest offset that is the same in that epoch as in the present one. */
uint64_t world_common(const world_t *w, uint64_t epoch);

/* test_sequencer_world.c */
world_t *world_new(unsigned seed);
bool world_begin(world_t *w); /* makes the sequencer; false: no memory */
void world_step(world_t *w);
void world_calm(world_t *w); /* until all is at rest, or long enough */
void world_end(world_t *w);

/* test_sequencer_bus.c */
void bus_begin(world_t *w);
void bus_step(world_t *w);
void bus_hang_up(world_t *w);
void bus_request(world_t *w, const fob_wire_t *msg);
/* Sends a message on its way. */
letter_t *bus_post(world_t *w, int64_t delay_ms);
void bus_burn(letter_t *letter);

/* test_sequencer_reader.c */
void reader_step(world_t *w);
/* LIVE: a frame comes: it and what is missing before it is handed out, or counted. */
void reader_expects(world_t *w, const fob_cast_t *cast);
bool reader_rests(world_t *w);
/* From now on it is one that goes on behind `position`. False: there is nothing to go on from. */
bool reader_resumes(world_t *w, uint64_t position);
void reader_rest(world_t *w); /* what has to be true when all is at rest */

#endif
