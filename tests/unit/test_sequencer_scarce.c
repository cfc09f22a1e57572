/* The sequencer in its world (sequencer_world.h) where memory is refused, once or for a while: what
 * could not be kept is fetched or told later, and nothing comes twice. */
#include "sequencer_kit.h"
#include "sequencer_world.h"
#include "watched.h"

bool watched;

WATCHED(fob_sequencer_t *, fob_sequencer_new, (const fob_sequencer_options_t *options), (options))
WATCHED_VOID(fob_sequencer_up, (fob_sequencer_t * self, fob_now_t now, const fob_wire_t *welcome),
             (self, now, welcome))
WATCHED_VOID(fob_sequencer_beat, (fob_sequencer_t * self, fob_now_t now, const fob_wire_t *beat),
             (self, now, beat))
WATCHED_VOID(fob_sequencer_input,
             (fob_sequencer_t * self, fob_now_t now, const fob_wire_t *msg, fob_blob_t *body),
             (self, now, msg, body))
WATCHED_VOID(fob_sequencer_take,
             (fob_sequencer_t * self, const fob_cast_t *cast, fob_blob_t *body, uint64_t elsewhere),
             (self, cast, body, elsewhere))
WATCHED_VOID(fob_sequencer_round, (fob_sequencer_t * self, fob_now_t now, uint64_t elsewhere),
             (self, now, elsewhere))
WATCHED(uint64_t, fob_sequencer_move, (fob_sequencer_t * self, fob_batch_t *batch), (self, batch))

/* Events that are decoded are not among what is watched: each is an allocation, and the same. */
static void story(void *arg) {
    world_t *w = world_new(*(const unsigned *)arg);
    w->poor = true;
    watched = true;
    bool begun = world_begin(w);
    for (unsigned i = 0; begun && i < 150; i++)
        world_step(w);
    watched = false; /* there is memory again */
    if (begun) {
        world_calm(w);
        reader_rest(w);
    } else {
        assert_true(scarce.failed > 0);
    }
    world_end(w);
}

/* The bus numbers anew, and once more, while the notice of it finds no place in a full queue: in
 * the end all is told that is not what it was. */
static void epochs_story(void *arg) {
    (void)arg;
    kit_t kit = kit_reliable("a", 0);
    uint64_t told = 64;
    for (uint64_t offset = 1; offset <= 64; offset++) /* as many as it has places at first */
        comes(&kit, "a", offset, 1, offset - 1);
    watched = true;
    kit_up_as(&kit, EPOCH + 1, 9, 9);
    kit_up_as(&kit, EPOCH + 2, 3, 3);
    watched = false;        /* there is memory again */
    if (scarce.failed >= 2) /* neither is told yet */
        assert_int_equal(fob_sequencer_deadline(kit.s), kit.now.mono_ns + FOB_SEQUENCER_PAUSE);
    passes(&kit, 1000);
    kit_round(&kit);
    for (uint64_t offset = 1; offset <= 64; offset++)
        gets_of(&kit, EPOCH, "a", offset);
    for (fob_event_t *event; kit_next(&kit, &event) == FOB_GAP;) {
        assert_int_equal(kit.batch.notice.kind, FOB_NOTICE_EPOCH);
        assert_in_range(kit.batch.notice.last, told, 64);
        told = kit.batch.notice.first - 1;
    }
    assert_int_equal(told, 3);
    kit_end(&kit);
}

/* Each topic's last event, of a bus that tells of all. */
static void lasts_story(void *arg) {
    (void)arg;
    kit_t kit = kit_new(
        (fob_sequencer_options_t){.pattern = fob_slice_str(">"), .from = FOB_SEQUENCER_LAST});
    kit.floor = 9;
    kit_up(&kit, 9);
    watched = true;
    for (unsigned i = 0; i < 4; i++) {
        kit_round(&kit);
        uint64_t from = kit.fetch.from;
        fetched(&kit, 10, 9,
                from < 3    ? "a@2 b@3 a@4"
                : from == 3 ? "b@3 a@4"
                : from == 4 ? "a@4"
                            : "",
                "");
        if (i > 0)
            watched = false; /* there is memory again */
        passes(&kit, 1000);
    }
    kit_round(&kit);
    gets(&kit, "b", 3);
    gets(&kit, "a", 4);
    gets_nothing(&kit);
    kit_end(&kit);
}

static void the_last_events_come_when_there_is_memory(void **state) {
    (void)state;
    scarce_each("subscribers: sequencer's last events", 4, lasts_story, NULL);
}

/* What is known of a hole finds no place in a full queue: it is asked for again. */
static void hole_story(void *arg) {
    (void)arg;
    kit_t kit = kit_new((fob_sequencer_options_t){
        .pattern = fob_slice_str(">"), .mode = FOB_SEQUENCER_NOTIFY, .queue = 1000});
    kit_up(&kit, 0);
    for (uint64_t offset = 1; offset <= 63; offset++)
        comes(&kit, "a", offset, 1, offset - 1);
    comes(&kit, "a", 66, 1, 65); /* as many messages as it has places at first */
    asks_for(&kit, 64, 65);
    watched = true;
    fetched(&kit, 66, 66, "", "64-65");
    watched = false; /* there is memory again */
    if (scarce.failed > 0) {
        asks_nothing(&kit);
        passes(&kit, FOB_SEQUENCER_PAUSE / FOB_MS);
        asks_for(&kit, 64, 65);
        fetched(&kit, 66, 66, "", "64-65");
    }
    for (uint64_t offset = 1; offset <= 63; offset++)
        gets(&kit, "a", offset);
    gets(&kit, "a", 66);
    is_told(&kit, FOB_NOTICE_RETENTION, 64, 65, "a");
    gets_nothing(&kit);
    kit_end(&kit);
}

static void each_allocation_may_fail_and_nothing_is_lost(void **state) {
    (void)state;
    static const unsigned seeds[] = {1, 2, 3, 4, 7, 8, 12, 32};
    for (size_t i = 0; i < sizeof seeds / sizeof seeds[0]; i++)
        scarce_each("subscribers: sequencer's world", 5, story, (void *)&seeds[i]);
}

static void numbers_that_are_not_what_they_were_are_told_when_there_is_memory(void **state) {
    (void)state;
    scarce_each("subscribers: sequencer's epochs", 1, epochs_story, NULL);
}

static void what_is_lacking_is_told_when_there_is_memory(void **state) {
    (void)state;
    scarce_each("subscribers: sequencer's holes", 2, hole_story, NULL);
}

FOB_MAIN(FOB_CASE(each_allocation_may_fail_and_nothing_is_lost),
         FOB_CASE(what_is_lacking_is_told_when_there_is_memory),
         FOB_CASE(the_last_events_come_when_there_is_memory),
         FOB_CASE(numbers_that_are_not_what_they_were_are_told_when_there_is_memory))
