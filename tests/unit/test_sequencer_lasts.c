/* A sequencer that begins with each topic's last event, on a bus that does not know where all of
 * these lie. */
#include "sequencer_kit.h"

static kit_t begins(const char *pattern, fob_sequencer_options_t options) {
    options.pattern = fob_slice_str(pattern);
    options.from = FOB_SEQUENCER_LAST;
    kit_t kit = kit_new(options);
    kit.floor = 9;
    kit_up(&kit, 12);
    return kit;
}

/* All is told, and nothing is behind it. */
static void is_live_from(kit_t *kit, uint64_t offset) {
    asks_for(kit, offset, 0);
    fetched(kit, offset, offset - 1, "", "");
    asks_nothing(kit);
    assert_int_equal(figures_of(kit).state, FOB_SEQUENCER_CURRENT);
}

static void each_topics_last_event_comes_alone_whatever_the_bus_tells(void **state) {
    (void)state;
    kit_t kit = begins(">", (fob_sequencer_options_t){0});
    asks_for(&kit, 1, 12);
    comes(&kit, "a", 13, 1, 8);
    fetched(&kit, 6, 13, "a@2 b@3 a@4 a@5", "");
    gets_nothing(&kit);
    asks_for(&kit, 6, 12);
    fetched(&kit, 14, 13, "c@7 a@8 d@9", "");
    asks_nothing(&kit);
    gets(&kit, "b", 3);
    gets(&kit, "c", 7);
    gets(&kit, "a", 8);
    gets(&kit, "d", 9);
    gets(&kit, "a", 13);
    gets_nothing(&kit);
    assert_int_equal(figures_of(&kit).fetched, 4);
    kit_end(&kit);
}

static void what_lies_above_the_floor_comes_at_once(void **state) {
    (void)state;
    kit_t kit = begins(">", (fob_sequencer_options_t){0});
    asks_for(&kit, 1, 12);
    fetched(&kit, 12, 12, "a@4 a@9 b@10 c@11", "");
    gets(&kit, "b", 10);
    gets(&kit, "c", 11);
    gets_nothing(&kit);
    asks_for(&kit, 12, 12);
    fetched(&kit, 13, 12, "d@12", "");
    is_live_from(&kit, 13);
    gets(&kit, "d", 12);
    gets(&kit, "a", 9);
    gets_nothing(&kit);
    kit_end(&kit);
}

/* It was published between two answers. */
static void one_that_is_known_meanwhile_takes_the_place_of_an_older_one(void **state) {
    (void)state;
    kit_t kit = begins(">", (fob_sequencer_options_t){0});
    asks_for(&kit, 1, 12);
    fetched(&kit, 6, 12, "a@4", "");
    asks_for(&kit, 6, 12);
    fetched(&kit, 13, 12, "b@9 a@12", "");
    gets(&kit, "b", 9);
    gets(&kit, "a", 12);
    gets_nothing(&kit);
    kit_end(&kit);
}

static void they_are_handed_out_as_there_is_room(void **state) {
    (void)state;
    kit_t kit = begins(">", (fob_sequencer_options_t){.queue = 2});
    asks_for(&kit, 1, 12);
    fetched(&kit, 13, 12, "a@2 b@3 c@4 d@5 e@6 a@7", "");
    static const char *const topics[] = {"b", "c", "d", "e", "a"};
    for (size_t i = 0; i < 5; i++) {
        kit_round(&kit);
        assert_true(fob_sequencer_queued(kit.s) + kit.elsewhere <= 2);
        gets(&kit, topics[i], i + 3);
    }
    assert_int_equal(kit.fetch.from, 13); /* asked meanwhile */
    fetched(&kit, 13, 12, "", "");
    asks_nothing(&kit);
    kit_end(&kit);
}

/* Then older ones come before. */
static void of_more_topics_than_can_be_held_the_last_comes_last(void **state) {
    (void)state;
    kit_t kit = begins(">", (fob_sequencer_options_t){.topics = 1});
    asks_for(&kit, 1, 12);
    fetched(&kit, 13, 12, "a@2 b@3 a@4 b@5", "");
    is_live_from(&kit, 13);
    gets(&kit, "b", 3);
    gets(&kit, "b", 5);
    gets(&kit, "a", 4);
    gets_nothing(&kit);
    kit_end(&kit);
}

static void nor_are_more_bytes_held_than_the_queue_may_have(void **state) {
    (void)state;
    kit_t kit = begins(">", (fob_sequencer_options_t){.bytes = 1});
    asks_for(&kit, 1, 12);
    fetched(&kit, 13, 12, "a@2 b@3 a@4", "");
    gets(&kit, "b", 3);
    kit_round(&kit);
    gets(&kit, "a", 4);
    gets_nothing(&kit);
    kit_end(&kit);
}

static void an_epoch_that_loses_what_is_held_has_all_looked_for_anew(void **state) {
    (void)state;
    kit_t kit = begins("a", (fob_sequencer_options_t){0});
    asks_for(&kit, 1, 12);
    fetched(&kit, 7, 12, "a@2 a@6", "");
    fob_sequencer_down(kit.s);
    kit_up_as(&kit, EPOCH + 1, 4, 5); /* 6 was none of its own, 2 was dropped for it */
    is_told(&kit, FOB_NOTICE_EPOCH, 5, 4, "");
    asks_for(&kit, 1, 4);
    fetched(&kit, 5, 5, "a@2 a@3", "");
    asks_for(&kit, 5, 0);
    fetched(&kit, 6, 5, "a@5", "");
    asks_nothing(&kit);
    gets(&kit, "a", 3);
    gets(&kit, "a", 5);
    gets_nothing(&kit);
    kit_end(&kit);
}

static void an_epoch_that_keeps_what_is_held_goes_on(void **state) {
    (void)state;
    kit_t kit = begins("a", (fob_sequencer_options_t){0});
    asks_for(&kit, 1, 12);
    fetched(&kit, 7, 12, "a@2 a@4", "");
    fob_sequencer_down(kit.s);
    kit_up_as(&kit, EPOCH + 1, 4, 5);
    is_told(&kit, FOB_NOTICE_EPOCH, 5, 4, "");
    asks_for(&kit, 5, 0);
    gets(&kit, "a", 4);
    fetched(&kit, 6, 5, "a@5", "");
    asks_nothing(&kit);
    gets(&kit, "a", 5);
    gets_nothing(&kit);
    kit_end(&kit);
}

static void a_bus_that_cannot_be_asked_any_more_has_it_forget_them(void **state) {
    (void)state;
    kit_t kit = begins("a", (fob_sequencer_options_t){0});
    fob_wire_t older = {.verb = FOB_VERB_WELCOME};
    asks_for(&kit, 1, 12);
    fetched(&kit, 7, 12, "a@2 a@4", "");
    fob_sequencer_up(kit.s, kit.now, &older);
    asks_nothing(&kit);
    gets_nothing(&kit);
    kit_up(&kit, 20);
    asks_nothing(&kit);
    comes(&kit, "a", 21, 1, 4);
    gets(&kit, "a", 21);
    kit_end(&kit);
}

FOB_MAIN(FOB_CASE(each_topics_last_event_comes_alone_whatever_the_bus_tells),
         FOB_CASE(what_lies_above_the_floor_comes_at_once),
         FOB_CASE(one_that_is_known_meanwhile_takes_the_place_of_an_older_one),
         FOB_CASE(they_are_handed_out_as_there_is_room),
         FOB_CASE(of_more_topics_than_can_be_held_the_last_comes_last),
         FOB_CASE(nor_are_more_bytes_held_than_the_queue_may_have),
         FOB_CASE(an_epoch_that_loses_what_is_held_has_all_looked_for_anew),
         FOB_CASE(an_epoch_that_keeps_what_is_held_goes_on),
         FOB_CASE(a_bus_that_cannot_be_asked_any_more_has_it_forget_them))
