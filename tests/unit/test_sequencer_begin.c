/* Where a subscriber begins: what was gone before is not told, what is missed from then on is. */
#include "sequencer_kit.h"

static kit_t begins(fob_sequencer_from_t from, uint64_t value, uint64_t head) {
    kit_t kit = kit_new(
        (fob_sequencer_options_t){.pattern = fob_slice_str(">"), .from = from, .value = value});
    kit_up(&kit, head);
    return kit;
}

static void damage_at_the_very_beginning_is_told(void **state) {
    (void)state;
    kit_t kit = begins(FOB_SEQUENCER_EARLIEST, 0, 5);
    asks_for(&kit, 1, 0);
    fetched(&kit, 6, 5, "a@3", "1-2!");
    asks_nothing(&kit);
    is_told(&kit, FOB_NOTICE_DAMAGED, 1, 2, "");
    gets(&kit, "a", 3);
    gets_nothing(&kit);
    kit_end(&kit);
}

static void damage_behind_the_beginning_of_a_time_is_told(void **state) {
    (void)state;
    kit_t kit = begins(FOB_SEQUENCER_TIME, 7, 5);
    kit.fetch.req = 0;
    kit_round(&kit);
    assert_int_equal(kit.fetch.time, 7);
    fetched(&kit, 6, 5, "a@3 a@5", "1-1 2-2! 4-4!"); /* who knows when 2 was */
    asks_nothing(&kit);
    gets(&kit, "a", 3);
    is_told(&kit, FOB_NOTICE_DAMAGED, 4, 4, "");
    gets(&kit, "a", 5);
    gets_nothing(&kit);
    kit_end(&kit);
}

/* On an empty bus nothing is read at first. */
static void what_is_gone_of_a_bus_that_was_empty_is_told(void **state) {
    (void)state;
    static const fob_sequencer_from_t froms[] = {FOB_SEQUENCER_EARLIEST, FOB_SEQUENCER_LAST,
                                                 FOB_SEQUENCER_LATEST};
    for (size_t i = 0; i < sizeof froms / sizeof *froms; i++) {
        kit_t kit = begins(froms[i], 0, 0);
        if (froms[i] == FOB_SEQUENCER_EARLIEST)
            asks_for(&kit, 1, 0);
        comes(&kit, "a", 1, 1, 0);
        if (froms[i] == FOB_SEQUENCER_EARLIEST)
            fetched(&kit, 2, 1, "a@1", "");
        asks_nothing(&kit);
        gets(&kit, "a", 1);
        fob_sequencer_down(kit.s);
        kit_up(&kit, 9);
        asks_for(&kit, 2, 0);
        fetched(&kit, 10, 9, "a@9", "1-8"); /* as of the beginning of the journal */
        asks_nothing(&kit);
        is_told(&kit, FOB_NOTICE_RETENTION, 2, 8, "");
        gets(&kit, "a", 9);
        gets_nothing(&kit);
        kit_end(&kit);
    }
}

/* The first message joins the beginning before anything was asked. */
static void who_begins_with_the_first_message_is_told_what_is_gone_later(void **state) {
    (void)state;
    kit_t kit = kit_new((fob_sequencer_options_t){
        .pattern = fob_slice_str(">"), .from = FOB_SEQUENCER_EARLIEST, .queue = 100});
    kit_up(&kit, 0);
    comes(&kit, "a", 1, 1, 0);
    asks_nothing(&kit);
    gets(&kit, "a", 1);
    fob_sequencer_down(kit.s);
    kit_up(&kit, 9);
    asks_for(&kit, 2, 0);
    fetched(&kit, 10, 9, "a@9", "1-8");
    asks_nothing(&kit);
    is_told(&kit, FOB_NOTICE_RETENTION, 2, 8, "");
    gets(&kit, "a", 9);
    kit_end(&kit);
}

FOB_MAIN(FOB_CASE(damage_at_the_very_beginning_is_told),
         FOB_CASE(damage_behind_the_beginning_of_a_time_is_told),
         FOB_CASE(what_is_gone_of_a_bus_that_was_empty_is_told),
         FOB_CASE(who_begins_with_the_first_message_is_told_what_is_gone_later))
