/* What is known of the last events of topics is known again after a restart, from whatever
 * checkpoint there was, also from one of a version that had none of it. */
#include "test_core_kit.h"

#include "tests/support/case.h"

#include "bus/core/durable/checkpoint.h"
#include "bus/core/durable/record.h"
#include "bus/core/durable/salvage.h"

#include <stdlib.h>

#define TOPICS 300
#define STEPS  2000

static kit_t kit;
static uint64_t chances, number;
static uint64_t lasts[TOPICS]; /* as the journal has it */

static int setup(void **state) {
    (void)state;
    fob_core_config_t config = kit_config;
    config.slice_bytes = 200;
    kit_init(&kit, &config);
    number = 1;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    kit_free(&kit);
    return 0;
}

static uint64_t chance(uint64_t below) {
    uint64_t x = chances += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (x ^ (x >> 31)) % below;
}

static void publish(unsigned topic, unsigned count) {
    char name[16];
    snprintf(name, sizeof name, "t.%03u", topic);
    kit_publish(&kit, 1, number, number, name, count);
    number += count;
}

static unsigned number_of(fob_slice_t topic) {
    char digits[4] = "";
    assert_int_equal(topic.size, 5);
    memcpy(digits, topic.data + 2, 3);
    return (unsigned)atoi(digits);
}

/* What is in the log. */
static void read_log(void) {
    memset(lasts, 0, sizeof lasts);
    for (size_t i = 0; i < kit.log_count; i++) {
        fob_slice_t bytes = fob_slice(kit.log[i].bytes, kit.log[i].size), topic, event;
        fob_record_events_t events;
        if (!fob_record_read_events(bytes, &events))
            continue;
        fob_cursor_t cursor = fob_cursor(
            fob_slice(bytes.data + FOB_RECORD_EVENTS_SIZE, bytes.size - FOB_RECORD_EVENTS_SIZE));
        for (uint32_t k = 0; k < events.count; k++) {
            assert_true(fob_envelope_skim(&cursor, &topic, &event));
            lasts[number_of(topic)] = events.first_offset + k;
        }
    }
}

/* All topics whose last event lies above `floor` are told as they are, and no others. */
static void agrees(uint64_t floor) {
    fob_buf_t rows = {0};
    fob_lasts_t answer;
    uint32_t count, two, told = 0;
    fob_core_whole(kit.core, &(fob_lasts_of_t){fob_slice_str(">"), 0, 0, 1}, &rows, &answer);
    assert_int_equal(answer.floor, floor);
    fob_cursor_t cursor = fob_cursor(fob_buf_slice(&rows));
    assert_true(fob_cursor_array(&cursor, &count));
    for (uint32_t i = 0; i < count; i++) {
        fob_slice_t topic = {0};
        uint64_t last = 0;
        assert_true(fob_cursor_array(&cursor, &two) && fob_cursor_str(&cursor, &topic) &&
                    fob_cursor_uint(&cursor, &last));
        assert_int_equal(last, lasts[number_of(topic)]);
    }
    for (unsigned i = 0; i < TOPICS; i++)
        told += lasts[i] > floor;
    assert_int_equal(count, told);
    fob_buf_free(&rows);
}

static void whatever_is_published_while_a_checkpoint_is_taken(void **state) {
    (void)state;
    unsigned recovered = 0;
    for (chances = 1; chances < 4; chances++) {
        for (int step = 0; step < STEPS; step++) {
            if (chance(3))
                publish((unsigned)chance(chance(2) ? TOPICS : 10), 1 + (unsigned)chance(3));
            else
                kit_checkpoint_some(&kit);
            kit_clear(&kit);
            if (chance(100))
                continue;
            recovered += kit.slice_count > 0;
            kit_crash(&kit, kit.position);
            read_log();
            agrees(0);
        }
    }
    assert_true(recovered > 5);
}

static void a_numbering_begins_anew_with_each_start(void **state) {
    (void)state;
    publish(1, 3);
    kit_crash(&kit, kit.position);
    kit_clear(&kit);
    publish(1, 2);
    const kit_effect_t *cast = kit_last(&kit, FOB_EFF_STORED);
    assert_int_equal(cast->prev, 3);
    assert_int_equal(cast->nth, 1);
    assert_int_equal(cast->born, 4);
}

/* As version 4 wrote it. */
static void make_old(void) {
    size_t kept = 0;
    for (size_t i = 0; i < kit.slice_count; i++) {
        fob_buf_t *slice = &kit.slices[i];
        if (slice->data[8] == FOB_UNIT_TOPICS) {
            fob_buf_free(slice);
            continue;
        }
        fob_put32(slice->data + 4, 4);
        fob_put64(slice->data + 24, kept);
        if (slice->data[8] == FOB_UNIT_END)
            slice->data[8] = 5;
        kit.slices[kept++] = *slice;
    }
    kit.slice_count = kept;
}

static void behind_an_old_checkpoint_what_was_stored_since_is_known(void **state) {
    (void)state;
    for (unsigned i = 0; i < 20; i++)
        publish(i, 1);
    kit_checkpoint(&kit);
    make_old();
    publish(5, 2);
    publish(30, 1);
    kit_crash(&kit, kit.position);
    read_log();
    agrees(20);
}

/* Topics t.001 and t.002, with an event each. Their unit: floor, count, 8 + 1 + 5 bytes each. */
static void two_topics(void) {
    publish(1, 1);
    publish(2, 1);
    kit_checkpoint(&kit);
}

/* What a core says of this checkpoint where `forge` had each slice of this kind. */
static void forged(int line, uint8_t kind, void (*forge)(uint8_t *slice), fob_status_t want) {
    fob_core_t *core = fob_core_new(&kit_config);
    fob_status_t status = FOB_OK;
    for (size_t i = 0; i < kit.slice_count && status == FOB_OK; i++) {
        fob_slice_t slice = fob_buf_slice(&kit.slices[i]);
        uint8_t *bytes = malloc(slice.size);
        memcpy(bytes, slice.data, slice.size);
        if (bytes[8] == kind)
            forge(bytes);
        status = fob_core_load(core, fob_slice(bytes, slice.size));
        free(bytes);
    }
    if (status != want)
        fail_msg("line %d: %d", line, (int)status);
    fob_core_destroy(&core);
}
#define FORGED(kind, forge, want) forged(__LINE__, kind, forge, want)

/* Makes a function that does this to the topics. */
#define FORGE(name, what)                                                                          \
    static void name(uint8_t *slice) {                                                             \
        uint8_t *floor = slice + FOB_SLICE_HEAD, *first = floor + 16, *second = first + 14;        \
        (void)floor, (void)first, (void)second;                                                    \
        what;                                                                                      \
    }

FORGE(nothing, (void)0)
FORGE(at_no_offset, fob_put64(first, 0))
FORGE(twice_the_same, memcpy(second + 9, first + 9, 5))
FORGE(no_topic, first[9] = '.')
FORGE(above_the_head, fob_put64(second, 3))
FORGE(out_of_order, fob_put64(first, 2); fob_put64(second, 1))
FORGE(floor_at_the_head, fob_put64(floor, 2))
FORGE(floor_above_the_head, fob_put64(floor, 3))
static void of_a_later_record(uint8_t *slice) {
    fob_put32(slice + 12, fob_get32(slice + 12) + 1);
}
static void floor_above_the_head_later(uint8_t *slice) {
    of_a_later_record(slice);
    floor_above_the_head(slice);
}
static void floor_beyond_all(uint8_t *slice) {
    of_a_later_record(slice);
    fob_put64(slice + FOB_SLICE_HEAD, FOB_RECORD_NUMBER_MAX);
}

static void forged_topics_are_refused(void **state) {
    (void)state;
    two_topics();
    FORGED(FOB_UNIT_TOPICS, nothing, FOB_OK);
    FORGED(FOB_UNIT_TOPICS, at_no_offset, FOB_DAMAGED);
    FORGED(FOB_UNIT_TOPICS, twice_the_same, FOB_DAMAGED);
    FORGED(FOB_UNIT_TOPICS, no_topic, FOB_DAMAGED);
    FORGED(FOB_UNIT_TOPICS, above_the_head, FOB_DAMAGED);
    FORGED(FOB_UNIT_TOPICS, out_of_order, FOB_DAMAGED);
}

/* What was not known when the topics were written may lie above the head of the begin, but not
 * where both are of one moment. */
static void a_floor_of_topics_that_cannot_be_is_damage(void **state) {
    (void)state;
    two_topics();
    kit.slices[kit.slice_count - 1].data[12]++; /* the end, behind all of these */
    FORGED(FOB_UNIT_TOPICS, floor_at_the_head, FOB_OK);
    FORGED(FOB_UNIT_TOPICS, floor_above_the_head, FOB_DAMAGED);
    FORGED(FOB_UNIT_TOPICS, floor_above_the_head_later, FOB_OK);
    FORGED(FOB_UNIT_TOPICS, floor_beyond_all, FOB_DAMAGED);
}

static void a_floor_of_topics_never_goes_back(void **state) {
    (void)state;
    for (unsigned i = 0; i < 40; i++)
        publish(i, 1);
    kit_checkpoint(&kit);
    unsigned units = 0;
    for (uint64_t floor = 5; floor > 3; floor--) {
        fob_core_t *core = fob_core_new(&kit_config);
        fob_status_t status = FOB_OK;
        bool begins = true; /* a unit, with this slice */
        units = 0;
        for (size_t i = 0; i < kit.slice_count && status == FOB_OK; i++) {
            fob_buf_t *slice = &kit.slices[i];
            if (slice->data[8] == FOB_UNIT_TOPICS && begins)
                fob_put64(slice->data + FOB_SLICE_HEAD, units++ ? floor : 5);
            begins = !slice->data[9];
            status = fob_core_load(core, fob_buf_slice(slice));
        }
        assert_int_equal(status, floor == 5 ? FOB_OK : FOB_DAMAGED);
        fob_core_destroy(&core);
    }
    assert_int_equal(units, 2); /* and more, of those that are good */
}

/* Each checkpoint of this version says something of them. */
static void a_checkpoint_without_its_topics_is_damage(void **state) {
    (void)state;
    two_topics();
    make_old();
    FORGED(FOB_UNIT_HEAD, nothing, FOB_OK);
    for (size_t i = 0; i < kit.slice_count; i++) {
        fob_buf_t *slice = &kit.slices[i];
        fob_put32(slice->data + 4, FOB_SLICE_VERSION);
        if (i + 1 == kit.slice_count)
            slice->data[8] = FOB_UNIT_END;
    }
    FORGED(FOB_UNIT_HEAD, nothing, FOB_DAMAGED);
}

static void a_checkpoint_of_two_versions_is_damage(void **state) {
    (void)state;
    two_topics();
    make_old();
    fob_put32(kit.slices[0].data + 4, FOB_SLICE_VERSION);
    FORGED(FOB_UNIT_HEAD, nothing, FOB_DAMAGED);
}

/* Its last event may have been among what is lost. */
static void behind_a_salvage_nothing_is_known_of_topics(void **state) {
    (void)state;
    fob_core_t *core = fob_core_new(&kit_config);
    bool used;
    publish(1, 3);
    for (size_t i = 0; i < kit.log_count; i++)
        assert_int_equal(fob_core_salvage_record(core, kit.log[i].position,
                                                 fob_slice(kit.log[i].bytes, kit.log[i].size),
                                                 &used),
                         FOB_OK);
    fob_core_salvage_end(core);
    fob_core_destroy(&kit.core);
    kit.core = core;
    memset(lasts, 0, sizeof lasts);
    agrees(3);
}

FOB_MAIN(FOB_CASE_WITH(whatever_is_published_while_a_checkpoint_is_taken, setup, teardown),
         FOB_CASE_WITH(a_numbering_begins_anew_with_each_start, setup, teardown),
         FOB_CASE_WITH(behind_an_old_checkpoint_what_was_stored_since_is_known, setup, teardown),
         FOB_CASE_WITH(forged_topics_are_refused, setup, teardown),
         FOB_CASE_WITH(a_floor_of_topics_that_cannot_be_is_damage, setup, teardown),
         FOB_CASE_WITH(a_floor_of_topics_never_goes_back, setup, teardown),
         FOB_CASE_WITH(a_checkpoint_without_its_topics_is_damage, setup, teardown),
         FOB_CASE_WITH(a_checkpoint_of_two_versions_is_damage, setup, teardown),
         FOB_CASE_WITH(behind_a_salvage_nothing_is_known_of_topics, setup, teardown))
