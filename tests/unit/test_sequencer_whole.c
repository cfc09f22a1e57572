/* A subscriber's sequencer where very many topics live: what needs no question, and what is asked
 * in parts. */
#include "sequencer_kit.h"

#include <xxhash.h>

static unsigned part_of(const char *topic, unsigned parts) {
    return (unsigned)(XXH3_64bits(topic, strlen(topic)) % parts);
}

/* The nth topic "t.N" that is in a part. */
static const char *topic_in(char text[32], unsigned part, unsigned parts, unsigned nth) {
    for (unsigned i = 0;; i++) {
        snprintf(text, 32, "t.%u", i);
        if (part_of(text, parts) == part && nth-- == 0)
            return text;
    }
}

static void asks_about_part(kit_t *kit, uint64_t part, uint64_t parts, uint64_t from,
                            uint64_t upto) {
    asks_whether_whole(kit, from, upto);
    assert_int_equal(FOB_HAS(&kit->whole, parts), parts > 1);
    assert_int_equal(kit->whole.parts, parts > 1 ? parts : 0);
    assert_int_equal(kit->whole.part, part);
}

/* --- where each offset is of the pattern --- */

static void offsets_without_a_gap_need_no_question(void **state) {
    (void)state;
    kit_t kit = kit_new(
        (fob_sequencer_options_t){.pattern = fob_slice_str(">"), .queue = 100000, .topics = 4});
    uint64_t offset = 10;
    kit_up(&kit, offset);
    for (unsigned beat = 0; beat < 5; beat++) {
        for (unsigned i = 0; i < 2000; i++, offset++) {
            char topic[32];
            snprintf(topic, sizeof topic, "t.%u", i);
            comes(&kit, topic, offset + 1, 1, beat ? offset + 1 - 2000 : 0);
        }
        beats(&kit, offset);
        asks_nothing(&kit);
        assert_int_equal(figures_of(&kit).position, offset);
    }
    assert_int_equal(figures_of(&kit).marks, 0);
    assert_int_equal(figures_of(&kit).repairs, 0);
    assert_int_equal(fob_sequencer_queued(kit.s), 10000);
    kit_end(&kit);
}

static void after_a_repair_no_question_is_needed_either(void **state) {
    (void)state;
    kit_t kit = kit_reliable(">", 10);
    comes(&kit, "a", 11, 1, 0);
    comes(&kit, "b", 13, 1, 12);
    asks_for(&kit, 12, 12);
    fetched(&kit, 13, 13, "b@12", "");
    comes(&kit, "c", 14, 1, 0);
    beats(&kit, 14);
    asks_nothing(&kit);
    assert_int_equal(figures_of(&kit).position, 14);
    assert_int_equal(figures_of(&kit).repairs, 1);
    kit_end(&kit);
}

static void a_loss_at_the_end_is_asked_about_from_behind_the_last(void **state) {
    (void)state;
    kit_t kit = kit_reliable(">", 10);
    for (uint64_t offset = 11; offset <= 15; offset++)
        comes(&kit, "a", offset, 1, offset - 1);
    beats(&kit, 17);
    asks_whether_whole(&kit, 15, 17);
    told_whole(&kit, 0, false, "a@17 b@16");
    passes(&kit, 100);
    asks_for(&kit, 16, 0);
    fetched(&kit, 18, 17, "b@16 a@17", "");
    asks_nothing(&kit);
    assert_int_equal(figures_of(&kit).position, 17);
    kit_end(&kit);
}

static void in_notify_a_loss_that_was_told_is_no_gap_for_ever(void **state) {
    (void)state;
    kit_t kit = kit_new(
        (fob_sequencer_options_t){.pattern = fob_slice_str(">"), .mode = FOB_SEQUENCER_NOTIFY});
    kit_up(&kit, 10);
    comes(&kit, "a", 11, 1, 0);
    comes(&kit, "a", 13, 1, 12); /* 12 is lost */
    asks_for(&kit, 12, 12);
    fetched(&kit, 13, 13, "a@12", "");
    comes(&kit, "b", 14, 1, 0);
    beats(&kit, 14);
    asks_whether_whole(&kit, 11, 14);
    told_whole(&kit, 0, false, "b@14 a@13");
    asks_nothing(&kit);
    comes(&kit, "c", 15, 1, 0);
    beats(&kit, 15);
    asks_nothing(&kit);
    assert_int_equal(figures_of(&kit).position, 15);
    assert_int_equal(figures_of(&kit).marks, 0);
    kit_end(&kit);
}

/* A run of offsets proves nothing of what came before it. */
static void a_run_behind_a_gap_hides_no_loss(void **state) {
    (void)state;
    kit_t kit = kit_reliable(">", 10);
    for (uint64_t offset = 13; offset <= 15; offset++) /* 11 and 12 are lost, of another topic */
        comes(&kit, "a", offset, 1, offset == 13 ? 0 : offset - 1);
    beats(&kit, 15);
    asks_whether_whole(&kit, 10, 15);
    assert_int_equal(figures_of(&kit).position, 10);
    told_whole(&kit, 0, false, "a@15 b@12");
    passes(&kit, 100);
    asks_for(&kit, 11, 0);
    kit_end(&kit);
}

/* --- parts --- */

/* Up to 20, in four parts. */
static kit_t asked_in_parts(void) {
    kit_t kit = kit_reliable("t.*", 10);
    beats(&kit, 20);
    asks_about_part(&kit, 0, 1, 10, 20);
    told_parts(&kit, 20, true, 4, "");
    asks_about_part(&kit, 0, 4, 10, 20); /* at once */
    return kit;
}

static void more_topics_than_fit_are_asked_about_in_parts(void **state) {
    (void)state;
    kit_t kit = asked_in_parts();
    for (unsigned part = 0; part < 4; part++) {
        if (part)
            asks_about_part(&kit, part, 4, 10, 20);
        assert_int_equal(figures_of(&kit).position, 10);
        told_parts(&kit, 0, false, part == 2 ? 8 : 1, "");
    }
    asks_nothing(&kit);
    assert_int_equal(figures_of(&kit).position, 20);
    assert_int_equal(figures_of(&kit).state, FOB_SEQUENCER_CURRENT);
    assert_int_equal(figures_of(&kit).repairs, 0);
    beats(&kit, 30);
    for (unsigned part = 0; part < 8; part++) { /* the most that was advised */
        asks_about_part(&kit, part, 8, 20, 30);
        told_parts(&kit, 0, false, 1, "");
    }
    beats(&kit, 31);
    asks_about_part(&kit, 0, 1, 30, 31); /* and there is less again */
    kit_end(&kit);
}

static void what_a_part_lacks_is_read_from_the_journal(void **state) {
    (void)state;
    char text[32], rows[64];
    kit_t kit = asked_in_parts();
    told_parts(&kit, 0, false, 4, "");
    asks_about_part(&kit, 1, 4, 10, 20);
    snprintf(rows, sizeof rows, "%s@15", topic_in(text, 1, 4, 0));
    told_parts(&kit, 0, false, 4, rows);
    asks_nothing(&kit);
    passes(&kit, 100);
    asks_for(&kit, 11, 0);
    snprintf(rows, sizeof rows, "%s@15", text);
    fetched(&kit, 21, 20, rows, "");
    asks_nothing(&kit);
    gets(&kit, text, 15);
    gets_nothing(&kit);
    assert_int_equal(figures_of(&kit).position, 20);
    kit_end(&kit);
}

/* Of a part that was not asked about nothing is known but what came. */
static void a_part_vouches_for_no_other(void **state) {
    (void)state;
    char in[32], out[32];
    topic_in(in, 0, 4, 0);
    topic_in(out, 3, 4, 0);
    kit_t kit = asked_in_parts();
    told_parts(&kit, 0, false, 4, "");
    asks_about_part(&kit, 1, 4, 10, 20);
    comes(&kit, in, 21, 1, 19); /* 19 was none of it, or the bus had told */
    gets(&kit, in, 21);
    comes(&kit, out, 22, 1, 19);
    gets_nothing(&kit);
    asks_for(&kit, 11, 21);
    kit_end(&kit);
}

static void what_is_on_its_way_of_a_part_stays_exact(void **state) {
    (void)state;
    char text[32], rows[64];
    kit_t kit = asked_in_parts();
    snprintf(rows, sizeof rows, "%s@25", topic_in(text, 0, 4, 1));
    told_parts(&kit, 0, false, 4, rows);
    for (unsigned part = 1; part < 4; part++) {
        asks_about_part(&kit, part, 4, 10, 20);
        told_parts(&kit, 0, false, 4, "");
    }
    asks_nothing(&kit);
    assert_int_equal(figures_of(&kit).position, 10);
    assert_int_equal(figures_of(&kit).marks, 1);
    comes(&kit, text, 25, 1, 18);
    gets_nothing(&kit);
    asks_for(&kit, 11, 24);
    kit_end(&kit);
}

static void what_fits_in_no_part_is_read_from_the_journal(void **state) {
    (void)state;
    static const uint64_t advices[] = {0, 1, 4, 3, 128}; /* none that is of use */
    for (size_t i = 0; i < sizeof advices / sizeof *advices; i++) {
        kit_t kit = asked_in_parts();
        told_parts(&kit, 20, true, advices[i], "");
        asks_for(&kit, 11, 0);
        kit_end(&kit);
    }
}

static void what_is_asked_in_parts_ends_with_its_connection(void **state) {
    (void)state;
    kit_t kit = asked_in_parts();
    told_parts(&kit, 0, false, 4, "");
    fob_sequencer_down(kit.s);
    kit_up(&kit, 20);
    asks_for(&kit, 11, 0);
    fetched(&kit, 21, 20, "t.1@20", "");
    asks_nothing(&kit);
    assert_int_equal(figures_of(&kit).position, 20);
    beats(&kit, 21);
    asks_about_part(&kit, 0, 4, 20, 21);
    kit_end(&kit);
}

/* --- a bus that has no memory --- */

static void a_bus_without_memory_is_asked_again_a_beat_later(void **state) {
    (void)state;
    kit_t kit = kit_reliable("t.*", 10);
    beats(&kit, 12);
    asks_whether_whole(&kit, 10, 12);
    answered(&kit, FOB_VERB_WHOLENESS, FOB_NO_MEMORY);
    assert_true(strstr(fob_sequencer_trouble(kit.s), "memory") != NULL);
    asks_nothing(&kit);
    beats(&kit, 12);
    passes(&kit, 999);
    asks_nothing(&kit);
    assert_int_equal(fob_sequencer_deadline(kit.s), kit.now.mono_ns + FOB_MS);
    passes(&kit, 1);
    asks_whether_whole(&kit, 10, 12);
    told_whole(&kit, 0, false, "");
    assert_string_equal(fob_sequencer_trouble(kit.s), "");
    assert_int_equal(figures_of(&kit).position, 12);
    assert_int_equal(figures_of(&kit).repairs, 0);
    kit_end(&kit);
}

static void a_refused_part_is_asked_about_again(void **state) {
    (void)state;
    kit_t kit = asked_in_parts();
    told_parts(&kit, 0, false, 4, "");
    asks_about_part(&kit, 1, 4, 10, 20);
    answered(&kit, FOB_VERB_WHOLENESS, FOB_NO_MEMORY);
    asks_nothing(&kit);
    passes(&kit, 1000);
    asks_about_part(&kit, 1, 4, 10, 20);
    kit_end(&kit);
}

FOB_MAIN(FOB_CASE(offsets_without_a_gap_need_no_question),
         FOB_CASE(after_a_repair_no_question_is_needed_either),
         FOB_CASE(a_loss_at_the_end_is_asked_about_from_behind_the_last),
         FOB_CASE(in_notify_a_loss_that_was_told_is_no_gap_for_ever),
         FOB_CASE(a_run_behind_a_gap_hides_no_loss),
         FOB_CASE(more_topics_than_fit_are_asked_about_in_parts),
         FOB_CASE(what_a_part_lacks_is_read_from_the_journal),
         FOB_CASE(a_part_vouches_for_no_other), FOB_CASE(what_is_on_its_way_of_a_part_stays_exact),
         FOB_CASE(what_fits_in_no_part_is_read_from_the_journal),
         FOB_CASE(what_is_asked_in_parts_ends_with_its_connection),
         FOB_CASE(a_bus_without_memory_is_asked_again_a_beat_later),
         FOB_CASE(a_refused_part_is_asked_about_again))
