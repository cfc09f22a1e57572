/* A subscriber and the journal: where it begins, what it is told that cannot be had, connections,
 * answers that are none; and mode NOTIFY. */
#include "sequencer_kit.h"

static kit_t begins(fob_sequencer_from_t from, uint64_t value, uint64_t head) {
    kit_t kit = kit_new(
        (fob_sequencer_options_t){.pattern = fob_slice_str(">"), .from = from, .value = value});
    kit_up(&kit, head);
    return kit;
}

/* --- where it begins --- */

static void history_comes_first_then_live_without_a_seam(void **state) {
    (void)state;
    kit_t kit = begins(FOB_SEQUENCER_EARLIEST, 0, 5);
    asks_for(&kit, 1, 0);
    comes(&kit, "a", 6, 1, 4);
    fetched(&kit, 4, 6, "a@3", "1-2"); /* what was before the earliest is not told */
    asks_for(&kit, 4, 5);
    comes(&kit, "b", 7, 1, 0);
    fetched(&kit, 6, 7, "a@4", "5-5");
    asks_nothing(&kit);
    gets(&kit, "a", 3);
    gets(&kit, "a", 4);
    is_told(&kit, FOB_NOTICE_RETENTION, 5, 5, "");
    gets(&kit, "a", 6);
    gets(&kit, "b", 7);
    gets_nothing(&kit);
    kit_end(&kit);
}

static void an_offset_that_is_not_kept_is_told_with_its_exact_range(void **state) {
    (void)state;
    kit_t kit = begins(FOB_SEQUENCER_OFFSET, 3, 9);
    asks_for(&kit, 3, 0);
    fetched(&kit, 6, 9, "", "1-5");
    asks_for(&kit, 6, 0);
    fetched(&kit, 10, 9, "a@9", "6-7 8-8!"); /* it goes on, and then there is damage */
    asks_nothing(&kit);
    is_told(&kit, FOB_NOTICE_RETENTION, 3, 7, "");
    is_told(&kit, FOB_NOTICE_DAMAGED, 8, 8, "");
    gets(&kit, "a", 9);
    gets_nothing(&kit);
    assert_int_equal(figures_of(&kit).notices, 2);
    kit_end(&kit);
}

static void what_is_left_of_a_page_does_not_keep_all_of_it(void **state) {
    (void)state;
    kit_t kit = kit_reliable(">", 10);
    comes(&kit, "a", 12, 1, 0);
    comes(&kit, "a", 14, 1, 13);
    gets(&kit, "a", 12);
    asks_for(&kit, 11, 13);
    fetched(&kit, 14, 14, "a@12 a@13", "");
    kit.elsewhere += fob_sequencer_move(kit.s, &kit.batch);
    fob_queued_t *rest = &kit.batch.messages[0];
    assert_int_equal(rest->offset, 13);
    assert_int_equal(fob_blob_slice(rest->blob).size, rest->bytes.size);
    gets(&kit, "a", 13);
    kit_end(&kit);
}

static void what_retention_took_from_under_a_slow_reader_is_told(void **state) {
    (void)state;
    kit_t kit = kit_reliable("a", 10);
    comes(&kit, "a", 20, 1, 19);
    asks_for(&kit, 11, 19);
    fetched(&kit, 20, 20, "a@17 a@19", "11-15");
    asks_nothing(&kit);
    is_told(&kit, FOB_NOTICE_RETENTION, 11, 15, "");
    gets(&kit, "a", 17);
    gets(&kit, "a", 19);
    gets(&kit, "a", 20);
    kit_end(&kit);
}

static void what_was_handed_out_is_not_told_to_be_gone(void **state) {
    (void)state;
    kit_t kit = kit_reliable("*", 10);
    comes(&kit, "a", 11, 2, 0);
    comes(&kit, "b", 13, 1, 0); /* no offset is missing so far */
    comes(&kit, "a", 20, 1, 18);
    asks_for(&kit, 14, 19);
    fetched(&kit, 20, 20, "a@18", "11-17");
    asks_nothing(&kit);
    for (uint64_t offset = 11; offset <= 13; offset++)
        gets(&kit, offset < 13 ? "a" : "b", offset);
    is_told(&kit, FOB_NOTICE_RETENTION, 14, 17, "");
    gets(&kit, "a", 18);
    gets(&kit, "a", 20);
    gets_nothing(&kit);
    kit_end(&kit);
    kit = kit_reliable("a", 10);
    comes(&kit, "a", 15, 1, 4); /* what lies between is of other topics */
    comes(&kit, "a", 20, 1, 18);
    asks_for(&kit, 11, 19);
    fetched(&kit, 20, 20, "a@18", "11-17");
    asks_nothing(&kit);
    gets(&kit, "a", 15);
    is_told(&kit, FOB_NOTICE_RETENTION, 16, 17, "");
    gets(&kit, "a", 18);
    gets(&kit, "a", 20);
    kit_end(&kit);
}

static void a_time_is_asked_for_until_it_is_answered(void **state) {
    (void)state;
    kit_t kit = begins(FOB_SEQUENCER_TIME, 777, 9);
    asks_for(&kit, 0, 0);
    assert_false(FOB_HAS(&kit.fetch, from));
    assert_int_equal(kit.fetch.time, 777);
    comes(&kit, "a", 10, 1, 8);
    answered(&kit, FOB_VERB_FETCHED, FOB_LIMIT);
    passes(&kit, 200);
    asks_for(&kit, 0, 0);
    assert_true(FOB_HAS(&kit.fetch, time));
    fetched(&kit, 9, 10, "a@8", "1-4");
    asks_for(&kit, 9, 9);
    assert_false(FOB_HAS(&kit.fetch, time));
    fetched(&kit, 10, 10, "", "");
    asks_nothing(&kit);
    gets(&kit, "a", 8);
    gets(&kit, "a", 10);
    gets_nothing(&kit);
    kit_end(&kit);
}

static void each_topics_last_event_comes_first(void **state) {
    (void)state;
    kit_t kit = begins(FOB_SEQUENCER_LAST, 0, 9);
    asks_for(&kit, 1, 9);
    assert_true(kit.fetch.latest);
    comes(&kit, "a", 10, 1, 9);
    fetched(&kit, 8, 10, "b@3 c@7", "1-2");
    asks_for(&kit, 8, 9);
    assert_true(kit.fetch.latest);
    fetched(&kit, 10, 10, "a@9", "");
    asks_nothing(&kit);
    gets(&kit, "b", 3);
    gets(&kit, "c", 7);
    gets(&kit, "a", 9);
    gets(&kit, "a", 10);
    gets_nothing(&kit);
    kit_end(&kit);
}

static void of_an_empty_bus_the_last_are_none(void **state) {
    (void)state;
    kit_t kit = begins(FOB_SEQUENCER_LAST, 0, 0);
    asks_nothing(&kit);
    comes(&kit, "a", 1, 1, 0);
    gets(&kit, "a", 1);
    kit_end(&kit);
}

/* --- connections, refusals --- */

static void after_a_reconnect_it_is_asked_anew(void **state) {
    (void)state;
    kit_t kit = begins(FOB_SEQUENCER_EARLIEST, 0, 5);
    asks_for(&kit, 1, 0);
    passes(&kit, 60000);
    asks_nothing(&kit); /* it is under way */
    kit.fetch.req = 1;
    fob_sequencer_down(kit.s);
    asks_nothing(&kit);
    kit_up(&kit, 5);
    asks_for(&kit, 1, 0);
    fetched(&kit, 6, 5, "a@5", "");
    asks_nothing(&kit);
    fob_sequencer_down(kit.s);
    kit_up(&kit, 5); /* nothing passed meanwhile */
    asks_nothing(&kit);
    fob_sequencer_down(kit.s);
    kit_up(&kit, 6);
    asks_for(&kit, 6, 0);
    kit_end(&kit);
}

static void a_refusal_is_followed_by_a_pause(void **state) {
    (void)state;
    kit_t kit = begins(FOB_SEQUENCER_EARLIEST, 0, 5);
    asks_for(&kit, 1, 0);
    answered(&kit, FOB_VERB_FETCHED, FOB_LIMIT);
    assert_string_equal(fob_sequencer_trouble(kit.s), "");
    asks_nothing(&kit);
    assert_int_equal(fob_sequencer_deadline(kit.s), kit.now.mono_ns + FOB_SEQUENCER_PAUSE);
    passes(&kit, 200);
    asks_for(&kit, 1, 0);
    answered(&kit, FOB_VERB_FETCHED, FOB_DISK_FAILED);
    assert_string_equal(fob_sequencer_trouble(kit.s),
                        "the bus does not tell what is missing: the disk failed");
    passes(&kit, 200);
    asks_for(&kit, 1, 0);
    fob_sequencer_unsent(kit.s, kit.now, &kit.fetch);
    asks_nothing(&kit);
    passes(&kit, 200);
    asks_for(&kit, 1, 0);
    fetched(&kit, 6, 5, "", "");
    assert_string_equal(fob_sequencer_trouble(kit.s), "");
    asks_nothing(&kit);
    assert_int_equal(figures_of(&kit).state, FOB_SEQUENCER_CURRENT);
    kit_end(&kit);
}

/* What the bus answers is named; it is nobody else's fault. */
static void is_doubted(const kit_t *kit, const char *how) {
    if (!strstr(fob_sequencer_trouble(kit->s), how))
        fail_msg("said: \"%s\"", fob_sequencer_trouble(kit->s));
    assert_int_equal(fob_sequencer_malformed(kit->s), 0);
}

static void answers_that_do_not_go_on_are_named_and_asked_for_at_a_pace(void **state) {
    (void)state;
    kit_t kit = begins(FOB_SEQUENCER_OFFSET, 2, 5);
    for (unsigned i = 0; i < 3; i++) {
        asks_for(&kit, 2, 0);
        fetched(&kit, 2, 5, "", "");
        is_doubted(&kit, "does not go on");
        asks_nothing(&kit);
        assert_int_equal(fob_sequencer_deadline(kit.s), kit.now.mono_ns + FOB_SEQUENCER_PAUSE);
        passes(&kit, 200);
    }
    asks_for(&kit, 2, 0);
    fetched(&kit, 3, 5, "", "");
    assert_string_equal(fob_sequencer_trouble(kit.s), "");
    asks_for(&kit, 3, 0);
    fetched(&kit, 6, 5, "", "");
    asks_nothing(&kit);
    kit_end(&kit);
}

static void an_answer_that_is_none_changes_nothing(void **state) {
    (void)state;
    static const struct {
        uint64_t next;
        const char *events, *gone;
    } wrong[] = {
        {0, "", ""},           /* told nothing of */
        {6, "a@6", ""},        /* beyond what is told */
        {6, "a@5 a@4", ""},    /* not in order */
        {6, "a@4 a@4", ""},    /* twice */
        {6, "b@4", ""},        /* of another topic */
        {6, "a@4", "3-2"},     /* ends before it begins */
        {6, "a@4", "2-3 3-3"}, /* told twice */
        {6, "a@4", "0-3"},     /* no offset */
    };
    kit_t kit = kit_new((fob_sequencer_options_t){
        .pattern = fob_slice_str("a"), .from = FOB_SEQUENCER_OFFSET, .value = 2});
    kit_up(&kit, 5);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        passes(&kit, 200);
        asks_for(&kit, 2, 0);
        fetched(&kit, wrong[i].next, 5, wrong[i].events, wrong[i].gone);
        gets_nothing(&kit);
        is_doubted(&kit, "breaks the protocol");
        asks_nothing(&kit);
    }
    passes(&kit, 200);
    asks_for(&kit, 2, 0);
    fetched(&kit, 6, 5, "a@4", "");
    gets(&kit, "a", 4);
    assert_string_equal(fob_sequencer_trouble(kit.s), "");
    kit_end(&kit);
}

static void rows_that_are_none_prove_nothing(void **state) {
    (void)state;
    kit_t kit = kit_reliable("a.*", 10);
    static const char *const wrong[] = {"b@12", "a..x@12", "a.x@18446744073709551615"};
    for (size_t i = 0; i < 3; i++) {
        beats(&kit, 12);
        asks_whether_whole(&kit, 10, 12);
        told_whole(&kit, 0, false, wrong[i]);
        is_doubted(&kit, "breaks the protocol");
    }
    beats(&kit, 12);
    asks_whether_whole(&kit, 10, 12);
    answered(&kit, FOB_VERB_WHOLENESS, FOB_OK); /* without a body */
    is_doubted(&kit, "breaks the protocol");
    assert_int_equal(figures_of(&kit).position, 10);
    kit_end(&kit);
}

static void a_bus_that_cannot_be_asked_has_all_in_mode_live(void **state) {
    (void)state;
    kit_t kit = kit_new((fob_sequencer_options_t){.pattern = fob_slice_str(">")});
    fob_wire_t welcome = {.verb = FOB_VERB_WELCOME};
    FOB_SET(&welcome, epoch, EPOCH);
    FOB_SET(&welcome, head, 10);
    fob_sequencer_up(kit.s, kit.now, &welcome);
    assert_non_null(strstr(fob_sequencer_trouble(kit.s), "cannot be asked"));
    comes(&kit, "a", 11, 1, 10);
    comes(&kit, "a", 14, 1, 13);
    beats(&kit, 20);
    asks_nothing(&kit);
    gets(&kit, "a", 11);
    gets(&kit, "a", 14);
    assert_int_equal(fob_sequencer_lost(kit.s), 2); /* by the numbers of its source */
    fob_sequencer_pause(kit.s);
    assert_int_equal(fob_sequencer_pauses(kit.s), 1);
    fob_sequencer_down(kit.s);
    kit_up(&kit, 20); /* a newer one */
    assert_string_equal(fob_sequencer_trouble(kit.s), "");
    asks_nothing(&kit);
    comes(&kit, "a", 23, 1, 21);
    asks_for(&kit, 21, 22);
    fob_sequencer_pause(kit.s); /* what passes meanwhile is found out */
    assert_int_equal(fob_sequencer_pauses(kit.s), 2);
    kit_end(&kit);
}

static void in_live_nothing_is_asked_for(void **state) {
    (void)state;
    kit_t kit = kit_new(
        (fob_sequencer_options_t){.pattern = fob_slice_str(">"), .mode = FOB_SEQUENCER_LIVE});
    assert_int_equal(figures_of(&kit).state, FOB_SEQUENCER_AWAY);
    kit_up(&kit, 10);
    assert_int_equal(figures_of(&kit).state, FOB_SEQUENCER_CURRENT);
    comes(&kit, "a", 12, 1, 11);
    beats(&kit, 20);
    asks_nothing(&kit);
    gets(&kit, "a", 12);
    assert_int_equal(fob_sequencer_epoch(kit.s), 0);
    kit_end(&kit);
}

/* --- mode NOTIFY --- */

static kit_t notified(const char *pattern, uint64_t queue, uint32_t holes) {
    kit_t kit = kit_new((fob_sequencer_options_t){.pattern = fob_slice_str(pattern),
                                                  .mode = FOB_SEQUENCER_NOTIFY,
                                                  .queue = queue,
                                                  .holes = holes});
    kit_up(&kit, 9);
    comes(&kit, "a", 10, 1, 0); /* joins: nothing lies between */
    gets(&kit, "a", 10);
    return kit;
}

static void in_notify_what_passed_before_the_first_message_is_handed_out(void **state) {
    (void)state;
    kit_t kit = kit_new(
        (fob_sequencer_options_t){.pattern = fob_slice_str(">"), .mode = FOB_SEQUENCER_NOTIFY});
    kit_up(&kit, 9);
    comes(&kit, "a", 12, 1, 0); /* the subscription came to life a little later */
    comes(&kit, "b", 13, 1, 11);
    gets(&kit, "a", 12);
    gets_nothing(&kit);
    asks_for(&kit, 10, 12);
    assert_false(kit.fetch.dry);
    fetched(&kit, 13, 13, "b@11 a@12", "");
    asks_nothing(&kit);
    gets(&kit, "b", 11);
    gets(&kit, "b", 13);
    comes(&kit, "b", 15, 1, 14); /* from now on holes are told */
    gets(&kit, "b", 15);
    asks_for(&kit, 14, 14);
    assert_true(kit.fetch.dry);
    kit_end(&kit);
}

static void in_notify_a_hole_delays_nothing_and_is_told_exactly(void **state) {
    (void)state;
    kit_t kit = notified(">", 0, 0);
    comes(&kit, "a", 15, 1, 13);
    gets(&kit, "a", 15);
    asks_for(&kit, 11, 13);
    assert_true(kit.fetch.dry);
    assert_true(fob_slice_eq(kit.fetch.pattern, fob_slice_str("a")));
    comes(&kit, "b", 16, 1, 12);
    fetched(&kit, 14, 16, "a@11 a@12", "13-13");
    asks_for(&kit, 11, 12); /* the next hole */
    gets(&kit, "b", 16);
    is_told(&kit, FOB_NOTICE_LOST, 11, 12, "a"); /* neighbours are one notice */
    is_told(&kit, FOB_NOTICE_RETENTION, 13, 13, "a");
    fetched(&kit, 13, 16, "", ""); /* there was nothing in it */
    gets_nothing(&kit);
    asks_nothing(&kit);
    assert_int_equal(figures_of(&kit).told, 2);
    kit_end(&kit);
}

static void in_notify_what_comes_late_was_told_already(void **state) {
    (void)state;
    kit_t kit = notified("a", 0, 0);
    comes(&kit, "a", 12, 1, 11);
    comes(&kit, "a", 11, 1, 0);
    gets(&kit, "a", 12);
    gets_nothing(&kit);
    asks_for(&kit, 11, 11);
    fetched(&kit, 12, 12, "a@11", "");
    is_told(&kit, FOB_NOTICE_LOST, 11, 11, "a");
    kit_end(&kit);
}

static void in_notify_a_lost_last_event_is_told_within_a_beat(void **state) {
    (void)state;
    kit_t kit = notified(">", 0, 0);
    beats(&kit, 12);
    asks_whether_whole(&kit, 10, 12);
    told_whole(&kit, 0, false, "a@12");
    passes(&kit, 100);
    asks_for(&kit, 11, 12);
    assert_true(kit.fetch.dry);
    assert_int_equal(figures_of(&kit).position, 10); /* not told yet */
    fetched(&kit, 13, 12, "a@12", "");
    is_told(&kit, FOB_NOTICE_LOST, 12, 12, "a");
    gets_nothing(&kit);
    assert_int_equal(figures_of(&kit).position, 12);
    kit_end(&kit);
}

static void in_notify_too_many_holes_are_asked_about_as_one(void **state) {
    (void)state;
    kit_t kit = notified(">", 0, 1);
    comes(&kit, "a", 12, 1, 11);
    comes(&kit, "b", 14, 1, 13);
    comes(&kit, "c", 15, 1, 0);
    gets(&kit, "a", 12);
    asks_for(&kit, 11, 11); /* that of a */
    fetched(&kit, 12, 15, "a@11", "");
    asks_for(&kit, 11, 12); /* what was handed out is told apart by its topic */
    assert_false(kit.fetch.dry);
    fetched(&kit, 13, 15, "a@11 a@12", "");
    asks_for(&kit, 13, 13);
    assert_true(kit.fetch.dry); /* nothing was handed out beyond */
    fetched(&kit, 14, 15, "b@13", "");
    asks_nothing(&kit);
    is_told(&kit, FOB_NOTICE_LOST, 11, 11, "a");
    is_told(&kit, FOB_NOTICE_LOST, 13, 13, "");
    gets(&kit, "b", 14);
    gets(&kit, "c", 15);
    gets_nothing(&kit);
    kit_end(&kit);
}

static void in_notify_what_passed_over_a_reconnect_is_told(void **state) {
    (void)state;
    kit_t kit = notified("a", 0, 0);
    comes(&kit, "a", 12, 1, 0);
    fob_sequencer_down(kit.s);
    kit_up(&kit, 15);
    asks_for(&kit, 11, 0);
    assert_true(kit.fetch.dry); /* one topic: its mark tells what is had */
    fetched(&kit, 16, 15, "a@12 a@13 a@14", "");
    asks_nothing(&kit);
    gets(&kit, "a", 12);
    is_told(&kit, FOB_NOTICE_LOST, 13, 14, "");
    gets_nothing(&kit);
    kit_end(&kit);
}

static void in_notify_history_is_handed_out_all_the_same(void **state) {
    (void)state;
    kit_t kit = kit_new((fob_sequencer_options_t){.pattern = fob_slice_str(">"),
                                                  .mode = FOB_SEQUENCER_NOTIFY,
                                                  .from = FOB_SEQUENCER_EARLIEST});
    kit_up(&kit, 2);
    asks_for(&kit, 1, 0);
    fetched(&kit, 3, 2, "a@1 a@2", "");
    asks_nothing(&kit);
    comes(&kit, "a", 4, 1, 3); /* the seam */
    asks_for(&kit, 3, 3);
    fetched(&kit, 4, 4, "a@3", "");
    asks_nothing(&kit);
    for (uint64_t offset = 1; offset <= 4; offset++)
        gets(&kit, "a", offset);
    kit_end(&kit);
}

FOB_MAIN(FOB_CASE(history_comes_first_then_live_without_a_seam),
         FOB_CASE(an_offset_that_is_not_kept_is_told_with_its_exact_range),
         FOB_CASE(what_is_left_of_a_page_does_not_keep_all_of_it),
         FOB_CASE(what_retention_took_from_under_a_slow_reader_is_told),
         FOB_CASE(what_was_handed_out_is_not_told_to_be_gone),
         FOB_CASE(a_time_is_asked_for_until_it_is_answered),
         FOB_CASE(each_topics_last_event_comes_first), FOB_CASE(of_an_empty_bus_the_last_are_none),
         FOB_CASE(answers_that_do_not_go_on_are_named_and_asked_for_at_a_pace),
         FOB_CASE(after_a_reconnect_it_is_asked_anew), FOB_CASE(a_refusal_is_followed_by_a_pause),
         FOB_CASE(an_answer_that_is_none_changes_nothing),
         FOB_CASE(rows_that_are_none_prove_nothing),
         FOB_CASE(a_bus_that_cannot_be_asked_has_all_in_mode_live),
         FOB_CASE(in_live_nothing_is_asked_for),
         FOB_CASE(in_notify_what_passed_before_the_first_message_is_handed_out),
         FOB_CASE(in_notify_a_hole_delays_nothing_and_is_told_exactly),
         FOB_CASE(in_notify_what_comes_late_was_told_already),
         FOB_CASE(in_notify_a_lost_last_event_is_told_within_a_beat),
         FOB_CASE(in_notify_too_many_holes_are_asked_about_as_one),
         FOB_CASE(in_notify_what_passed_over_a_reconnect_is_told),
         FOB_CASE(in_notify_history_is_handed_out_all_the_same))
