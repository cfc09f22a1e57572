/* A subscriber and epochs: a bus that numbers anew while it listens, and one that has done so since
 * it listened last. */
#include "sequencer_kit.h"

/* --- while it listens --- */

static void a_new_epoch_is_told_and_read_from_where_it_began(void **state) {
    (void)state;
    kit_t kit = kit_reliable(">", 10);
    comes(&kit, "a", 11, 3, 0);
    for (uint64_t offset = 11; offset <= 13; offset++)
        gets(&kit, "a", offset);
    fob_sequencer_down(kit.s);
    kit_up_as(&kit, EPOCH + 3, 12, 14);
    asks_for(&kit, 13, 0);
    is_told(&kit, FOB_NOTICE_EPOCH, 13, 13, "");
    fetched(&kit, 15, 14, "b@13 a@14", "");
    asks_nothing(&kit);
    gets(&kit, "b", 13);
    gets(&kit, "a", 14);
    gets_nothing(&kit);
    assert_int_equal(fob_sequencer_epoch(kit.s), EPOCH + 3);
    kit_end(&kit);
}

static void what_is_of_an_epoch_that_is_not_known_yet_is_fetched_later(void **state) {
    (void)state;
    kit_t kit = kit_reliable(">", 10);
    comes_of(&kit, EPOCH + 1, "a", 11, 1, 0);
    gets_nothing(&kit);
    kit.epoch = EPOCH + 1;
    beats(&kit, 11); /* began 0: all is numbered anew */
    asks_for(&kit, 1, 0);
    is_told(&kit, FOB_NOTICE_EPOCH, 1, 0, "");
    fetched(&kit, 12, 11, "b@4 a@11", "");
    gets(&kit, "b", 4);
    gets(&kit, "a", 11);
    kit_end(&kit);
}

static void a_bus_that_went_back_within_its_epoch_numbers_anew(void **state) {
    (void)state;
    kit_t kit = kit_reliable(">", 10);
    comes(&kit, "a", 11, 3, 0);
    for (uint64_t offset = 11; offset <= 13; offset++)
        gets(&kit, "a", offset);
    fob_sequencer_down(kit.s);
    kit_up(&kit, 11); /* an old copy of its folder was put back */
    comes(&kit, "a", 12, 1, 11);
    is_told(&kit, FOB_NOTICE_EPOCH, 12, 13, "");
    asks_nothing(&kit);
    gets(&kit, "a", 12);
    gets_nothing(&kit);
    kit_end(&kit);
}

static void it_is_noticed_also_by_one_that_nothing_came_to(void **state) {
    (void)state;
    kit_t kit = kit_reliable("a", 10);
    beats(&kit, 20);
    asks_whether_whole(&kit, 10, 20);
    told_whole(&kit, 0, false, "");
    fob_sequencer_down(kit.s);
    kit_up(&kit, 15);
    is_told(&kit, FOB_NOTICE_EPOCH, 16, 15, "");
    asks_for(&kit, 16, 0);
    fetched(&kit, 16, 15, "", "");
    asks_nothing(&kit);
    comes(&kit, "a", 16, 1, 0);
    gets(&kit, "a", 16);
    kit_end(&kit);
}

static void an_answer_of_another_epoch_is_not_believed(void **state) {
    (void)state;
    kit_t kit = kit_new(
        (fob_sequencer_options_t){.pattern = fob_slice_str(">"), .from = FOB_SEQUENCER_EARLIEST});
    kit_up(&kit, 5);
    asks_for(&kit, 1, 0);
    kit.epoch = EPOCH + 1;
    fetched(&kit, 6, 5, "a@5", "");
    gets_nothing(&kit);
    kit.epoch = EPOCH;
    asks_nothing(&kit);
    passes(&kit, 200);
    asks_for(&kit, 1, 0);
    kit_end(&kit);
}

static void a_bus_whose_answers_are_of_another_epoch_for_good_is_named(void **state) {
    (void)state;
    kit_t kit = kit_new(
        (fob_sequencer_options_t){.pattern = fob_slice_str(">"), .from = FOB_SEQUENCER_EARLIEST});
    kit_up(&kit, 5);
    for (unsigned i = 0; i < 25; i++) {
        assert_string_equal(fob_sequencer_trouble(kit.s), "");
        asks_for(&kit, 1, 0);
        kit.epoch = EPOCH + 1;
        fetched(&kit, 6, 5, "a@5", "");
        kit.epoch = EPOCH;
        asks_nothing(&kit);
        passes(&kit, 200);
    }
    assert_non_null(strstr(fob_sequencer_trouble(kit.s), "is of another epoch than its beats"));
    asks_for(&kit, 1, 0);
    fetched(&kit, 6, 5, "a@5", "");
    assert_string_equal(fob_sequencer_trouble(kit.s), "");
    gets(&kit, "a", 5);
    kit_end(&kit);
}

/* --- since it listened last --- */

/* One that begins anew behind offset 12, which it had in EPOCH. */
static kit_t resumes(uint64_t epoch, uint64_t began, uint64_t head) {
    kit_t kit = kit_new((fob_sequencer_options_t){
        .pattern = fob_slice_str(">"), .from = FOB_SEQUENCER_OFFSET, .value = 13, .epoch = EPOCH});
    assert_int_equal(fob_sequencer_epoch(kit.s), EPOCH); /* for the first HELLO */
    kit_up_as(&kit, epoch, began, head);
    assert_int_equal(fob_sequencer_epoch(kit.s), epoch);
    return kit;
}

static void an_offset_of_the_present_epoch_is_where_it_begins(void **state) {
    (void)state;
    kit_t kit = resumes(EPOCH, 7, 14);
    asks_for(&kit, 13, 0);
    fetched(&kit, 15, 14, "a@13 a@14", "");
    gets(&kit, "a", 13);
    gets(&kit, "a", 14);
    gets_nothing(&kit);
    fob_sequencer_down(kit.s); /* and from then on it is as any other */
    kit_up_as(&kit, EPOCH + 1, 10, 11);
    is_told(&kit, FOB_NOTICE_EPOCH, 11, 14, "");
    asks_for(&kit, 11, 0);
    kit_end(&kit);
}

static void an_offset_of_an_epoch_that_lost_its_end_goes_on_where_they_agree(void **state) {
    (void)state;
    kit_t kit = resumes(EPOCH + 3, 10, 20);
    is_told(&kit, FOB_NOTICE_EPOCH, 11, 12, "");
    asks_for(&kit, 11, 0);
    comes(&kit, "a", 21, 1, 20);
    fetched(&kit, 21, 20, "a@11 b@20", "");
    asks_nothing(&kit);
    gets(&kit, "a", 11);
    gets(&kit, "b", 20);
    kit_end(&kit);
}

static void an_offset_below_where_they_part_is_good_and_the_epoch_is_told(void **state) {
    (void)state;
    kit_t kit = resumes(EPOCH + 3, 15, 20);
    is_told(&kit, FOB_NOTICE_EPOCH, 16, 15, "");
    asks_for(&kit, 13, 0);
    kit_end(&kit);
}

static void of_an_epoch_that_the_bus_does_not_know_all_is_read_again(void **state) {
    (void)state;
    kit_t kit = resumes(EPOCH + 3, 0, 20);
    is_told(&kit, FOB_NOTICE_EPOCH, 1, 12, "");
    asks_for(&kit, 1, 0);
    fetched(&kit, 21, 20, "a@20", "1-4");
    is_told(&kit, FOB_NOTICE_RETENTION, 1, 4, "");
    gets(&kit, "a", 20);
    kit_end(&kit);
}

static void a_bus_that_is_not_there_yet_in_that_epoch_went_back(void **state) {
    (void)state;
    kit_t kit = resumes(EPOCH, 0, 9);
    is_told(&kit, FOB_NOTICE_EPOCH, 10, 12, "");
    asks_for(&kit, 10, 0);
    kit_end(&kit);
}

static void in_notify_an_offset_of_another_epoch_is_told_and_read_as_well(void **state) {
    (void)state;
    kit_t kit = kit_new((fob_sequencer_options_t){.pattern = fob_slice_str("a"),
                                                  .mode = FOB_SEQUENCER_NOTIFY,
                                                  .from = FOB_SEQUENCER_OFFSET,
                                                  .value = 13,
                                                  .epoch = EPOCH});
    kit_up_as(&kit, EPOCH + 1, 10, 11);
    is_told(&kit, FOB_NOTICE_EPOCH, 11, 12, "");
    asks_for(&kit, 11, 0);
    fetched(&kit, 12, 11, "a@11", "");
    gets(&kit, "a", 11);
    asks_nothing(&kit);
    kit_end(&kit);
}

static void an_event_says_of_which_epoch_it_is(void **state) {
    (void)state;
    kit_t kit = resumes(EPOCH, 0, 13);
    fob_event_t *event;
    asks_for(&kit, 13, 0);
    fetched(&kit, 14, 13, "a@13", "");
    comes(&kit, "a", 14, 1, 13);
    asks_nothing(&kit);
    fires(&kit, "a", 1, 1);
    static const uint64_t epochs[] = {EPOCH, EPOCH, 0};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(kit_next(&kit, &event), FOB_OK);
        assert_int_equal(fob_event_epoch(event), epochs[i]);
        fob_event_destroy(&event);
    }
    kit_end(&kit);
}

FOB_MAIN(FOB_CASE(a_new_epoch_is_told_and_read_from_where_it_began),
         FOB_CASE(what_is_of_an_epoch_that_is_not_known_yet_is_fetched_later),
         FOB_CASE(a_bus_that_went_back_within_its_epoch_numbers_anew),
         FOB_CASE(it_is_noticed_also_by_one_that_nothing_came_to),
         FOB_CASE(an_answer_of_another_epoch_is_not_believed),
         FOB_CASE(a_bus_whose_answers_are_of_another_epoch_for_good_is_named),
         FOB_CASE(an_offset_of_the_present_epoch_is_where_it_begins),
         FOB_CASE(an_offset_of_an_epoch_that_lost_its_end_goes_on_where_they_agree),
         FOB_CASE(an_offset_below_where_they_part_is_good_and_the_epoch_is_told),
         FOB_CASE(of_an_epoch_that_the_bus_does_not_know_all_is_read_again),
         FOB_CASE(a_bus_that_is_not_there_yet_in_that_epoch_went_back),
         FOB_CASE(in_notify_an_offset_of_another_epoch_is_told_and_read_as_well),
         FOB_CASE(an_event_says_of_which_epoch_it_is))
