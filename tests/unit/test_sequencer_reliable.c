/* A reliable subscriber: each rule by which it finds out what it lacks, and gets it. */
#include "sequencer_kit.h"

/* --- the chain --- */

static void what_joins_the_chain_is_handed_out_at_once(void **state) {
    (void)state;
    kit_t kit = kit_reliable("a.*", 10);
    comes(&kit, "a.x", 11, 2, 10); /* `prev` may be any offset up to which there is none */
    comes(&kit, "a.y", 13, 1, 3);
    comes(&kit, "b", 14, 1, 0);
    comes(&kit, "a.x", 15, 1, 12);
    gets(&kit, "a.x", 11);
    gets(&kit, "a.x", 12);
    gets(&kit, "a.y", 13);
    gets(&kit, "a.x", 15);
    gets_nothing(&kit);
    asks_nothing(&kit);
    assert_int_equal(fob_sequencer_deadline(kit.s), FOB_NEVER);
    kit_end(&kit);
}

static void what_comes_twice_is_handed_out_once(void **state) {
    (void)state;
    kit_t kit = kit_reliable("a", 10);
    comes(&kit, "a", 11, 2, 0);
    comes(&kit, "a", 11, 2, 0);
    comes(&kit, "a", 12, 1, 11);
    comes(&kit, "a", 9, 2, 0);  /* before the beginning */
    comes(&kit, "a", 10, 5, 0); /* joined by the bus: half of it is new */
    for (uint64_t offset = 11; offset <= 14; offset++)
        gets(&kit, "a", offset);
    gets_nothing(&kit);
    assert_int_equal(figures_of(&kit).duplicates, 2 + 1 + 2 + 3);
    kit_end(&kit);
}

static void a_hole_is_read_from_the_journal_before_what_lies_behind(void **state) {
    (void)state;
    kit_t kit = kit_reliable(">", 10);
    comes(&kit, "a", 11, 1, 4);
    comes(&kit, "a", 14, 1, 12); /* 12 did not come, and who knows what else */
    comes(&kit, "b", 15, 1, 13);
    gets(&kit, "a", 11);
    gets_nothing(&kit);
    asks_for(&kit, 12, 13); /* from what is whole, up to what waits */
    comes(&kit, "a", 16, 1, 14);
    fetched(&kit, 14, 16, "a@12 b@13", "");
    asks_nothing(&kit);
    gets(&kit, "a", 12);
    gets(&kit, "b", 13);
    gets(&kit, "a", 14);
    gets(&kit, "b", 15);
    gets(&kit, "a", 16);
    gets_nothing(&kit);
    fob_sequencer_figures_t figures = figures_of(&kit);
    assert_int_equal(figures.state, FOB_SEQUENCER_CURRENT);
    assert_int_equal(figures.repairs, 1);
    assert_int_equal(figures.fetched, 2);
    assert_int_equal(figures.duplicates, 0);
    kit_end(&kit);
}

static void a_new_topic_whose_first_event_is_lost_is_a_hole(void **state) {
    (void)state;
    kit_t kit = kit_reliable(">", 10);
    comes(&kit, "new", 12, 1, 11);
    gets_nothing(&kit);
    asks_for(&kit, 11, 11);
    kit_end(&kit);
}

static void a_body_that_is_not_what_it_says_is_malformed_and_fetched(void **state) {
    (void)state;
    kit_t kit = kit_reliable(">", 10);
    fob_buf_t buf = {0};
    kit_event(&buf, "a");
    fob_cast_t cast = {.topic = fob_slice_str("a"),
                       .kind = FOB_CAST_STORED,
                       .epoch = EPOCH,
                       .offset = 11,
                       .count = 2};
    fob_blob_t *body = kit_blob(&buf);
    fob_sequencer_take(kit.s, &cast, body, 0);
    cast = (fob_cast_t){.topic = fob_slice_str("a"), .kind = FOB_CAST_STORED, .epoch = EPOCH};
    cast.offset = UINT64_MAX;
    cast.count = 1;
    fob_sequencer_take(kit.s, &cast, body, 0);
    fob_blob_unref(&body);
    assert_int_equal(fob_sequencer_malformed(kit.s), 2);
    comes(&kit, "a", 13, 1, 12);
    asks_for(&kit, 11, 12);
    kit_end(&kit);
}

/* --- whether all is there --- */

static void a_lost_last_event_is_noticed_at_the_next_beat(void **state) {
    (void)state;
    kit_t kit = kit_reliable("a", 10);
    comes(&kit, "a", 11, 1, 0); /* 12 is lost, and nothing comes behind it */
    beats(&kit, 12);
    asks_whether_whole(&kit, 11, 12);
    told_whole(&kit, 0, false, "a@12");
    asks_nothing(&kit); /* it may be on its way */
    assert_int_equal(fob_sequencer_deadline(kit.s), kit.now.mono_ns + FOB_SEQUENCER_GRACE);
    passes(&kit, 100);
    asks_for(&kit, 12, 0);
    fetched(&kit, 13, 12, "a@12", "");
    asks_nothing(&kit);
    gets(&kit, "a", 11);
    gets(&kit, "a", 12);
    gets_nothing(&kit);
    assert_int_equal(figures_of(&kit).position, 12);
    kit_end(&kit);
}

static void the_only_event_of_a_new_topic_is_noticed_too(void **state) {
    (void)state;
    kit_t kit = kit_reliable("shop.>", 10);
    beats(&kit, 12);
    asks_whether_whole(&kit, 10, 12);
    told_whole(&kit, 0, false, "shop.eu@11");
    passes(&kit, 100);
    asks_for(&kit, 11, 0);
    fetched(&kit, 13, 12, "shop.eu@11", "");
    gets(&kit, "shop.eu", 11);
    kit_end(&kit);
}

static void what_is_still_on_its_way_is_not_fetched(void **state) {
    (void)state;
    kit_t kit = kit_reliable(">", 10);
    beats(&kit, 12);
    asks_whether_whole(&kit, 10, 12);
    told_whole(&kit, 0, false, "a@12 b@11");
    comes(&kit, "b", 11, 1, 0);
    passes(&kit, 100);
    asks_nothing(&kit); /* the broadcast brings what is older: there may be more in it */
    comes(&kit, "a", 12, 1, 0);
    passes(&kit, 100);
    asks_nothing(&kit);
    assert_int_equal(figures_of(&kit).position, 12);
    assert_int_equal(figures_of(&kit).marks, 0); /* and no topic is remembered for nothing */
    comes(&kit, "a", 13, 1, 12);
    gets(&kit, "b", 11);
    gets(&kit, "a", 12);
    gets(&kit, "a", 13);
    kit_end(&kit);
}

static void where_later_events_are_on_their_way_the_mark_stays_exact(void **state) {
    (void)state;
    kit_t kit = kit_reliable(">", 10);
    beats(&kit, 12);
    asks_whether_whole(&kit, 10, 12);
    told_whole(&kit, 0, false, "a@14 b@13"); /* that says nothing of what is below */
    asks_nothing(&kit);
    assert_int_equal(figures_of(&kit).marks, 2);
    assert_int_equal(figures_of(&kit).position, 10);
    comes(&kit, "b", 13, 1, 9);
    comes(&kit, "a", 14, 1, 12); /* 12 was below what was asked about */
    gets(&kit, "b", 13);
    gets_nothing(&kit);
    asks_for(&kit, 11, 13);
    fetched(&kit, 14, 14, "a@12 b@13", "");
    asks_nothing(&kit);
    gets(&kit, "a", 12);
    gets(&kit, "a", 14);
    gets_nothing(&kit);
    kit_end(&kit);
}

/* It was not durable, and was lost with the bus; nor is another message of that topic to come. */
static void what_was_on_its_way_and_never_comes_hides_nothing(void **state) {
    (void)state;
    kit_t kit = kit_reliable(">", 10);
    beats(&kit, 12);
    asks_whether_whole(&kit, 10, 12);
    told_whole(&kit, 0, false, "a@13");
    fob_sequencer_down(kit.s);
    kit_up(&kit, 12); /* killed, and there again: 13 is to be given anew */
    asks_for(&kit, 11, 0);
    fetched(&kit, 13, 12, "a@11", "");
    asks_nothing(&kit);
    gets(&kit, "a", 11);
    kit_end(&kit);
}

static void what_the_bus_cannot_vouch_for_is_fetched(void **state) {
    (void)state;
    for (int more = 0; more < 2; more++) {
        kit_t kit = kit_reliable(">", 10);
        beats(&kit, 12);
        asks_whether_whole(&kit, 10, 12);
        told_whole(&kit, more ? 10 : 11, more, "");
        asks_for(&kit, 11, 0);
        kit_end(&kit);
    }
}

static void nothing_is_asked_while_there_is_nothing_new(void **state) {
    (void)state;
    kit_t kit = kit_reliable(">", 10);
    beats(&kit, 10);
    asks_nothing(&kit);
    comes(&kit, "a", 12, 1, 0);
    asks_nothing(&kit); /* only a beat asks */
    beats(&kit, 12);
    asks_whether_whole(&kit, 10, 12);
    beats(&kit, 13); /* one at a time */
    asks_nothing(&kit);
    kit_end(&kit);
}

static void when_many_topics_are_remembered_it_is_asked_sooner(void **state) {
    (void)state;
    kit_t kit = kit_new((fob_sequencer_options_t){.pattern = fob_slice_str(">"), .topics = 8});
    kit_up(&kit, 10);
    static const char *const topics[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i"};
    for (uint64_t i = 0; i < 6; i++)
        comes(&kit, topics[i], 12 + 2 * i, 1, 0);
    asks_nothing(&kit);
    comes(&kit, topics[6], 24, 1, 0);
    asks_whether_whole(&kit, 10, 24);
    told_whole(&kit, 0, false, "a@12 b@14 c@16 d@18 e@20 f@22 g@24");
    asks_nothing(&kit);
    assert_int_equal(figures_of(&kit).marks, 0);
    assert_int_equal(figures_of(&kit).position, 24);
    kit_end(&kit);
}

static void when_their_names_fill_an_answer_it_is_asked_sooner(void **state) {
    (void)state;
    kit_t kit = kit_new((fob_sequencer_options_t){.pattern = fob_slice_str(">"), .queue = 5000});
    char topic[256];
    uint64_t offset = 10;
    kit_up(&kit, 10);
    memset(topic, 'x', 200);
    kit.whole.req = 0;
    for (; !kit.whole.req; offset += 2) {
        assert_in_range(offset, 10, 10 + 2000); /* 256 KiB of rows have place for 1200 of them */
        snprintf(topic + 200, 40, ".%llu", (unsigned long long)offset + 2);
        comes(&kit, topic, offset + 2, 1, 0);
        kit_round(&kit);
    }
    assert_true(offset > 1000);
    assert_int_equal(kit.whole.upto, offset);
    told_whole(&kit, 0, false, "");
    asks_nothing(&kit);
    assert_int_equal(figures_of(&kit).marks, 0);
    assert_int_equal(figures_of(&kit).position, offset);
    comes(&kit, topic, offset + 2, 1, offset);
    asks_nothing(&kit); /* not again for each */
    kit_end(&kit);
}

static void a_topic_that_cannot_be_remembered_is_read_from_the_journal(void **state) {
    (void)state;
    kit_t kit = kit_new((fob_sequencer_options_t){.pattern = fob_slice_str(">"), .topics = 1});
    kit_up(&kit, 10);
    comes(&kit, "a", 12, 1, 0);
    comes(&kit, "b", 14, 1, 0);
    comes(&kit, "c", 16, 1, 0);
    asks_for(&kit, 11, 13);
    fetched(&kit, 14, 16, "a@12", "");
    passes(&kit, 200);
    kit_round(&kit); /* b joins what is whole, c is remembered */
    asks_nothing(&kit);
    comes(&kit, "d", 18, 1, 0); /* and d has no place */
    asks_for(&kit, 15, 17);
    fetched(&kit, 18, 18, "c@16", "");
    asks_nothing(&kit);
    gets(&kit, "a", 12);
    gets(&kit, "b", 14);
    gets(&kit, "c", 16);
    gets(&kit, "d", 18);
    gets_nothing(&kit);
    kit_end(&kit);
}

/* --- a slow reader --- */

static void with_a_full_queue_nothing_is_lost(void **state) {
    (void)state;
    kit_t kit = kit_new((fob_sequencer_options_t){.pattern = fob_slice_str("a"), .queue = 4});
    kit_up(&kit, 0);
    for (uint64_t offset = 1; offset <= 9; offset += 3)
        comes(&kit, "a", offset, 3, offset - 1);
    asks_nothing(&kit);
    assert_int_equal(fob_sequencer_queued(kit.s), 4);
    assert_int_equal(figures_of(&kit).state, FOB_SEQUENCER_BEHIND);
    gets(&kit, "a", 1);
    assert_false(fob_sequencer_has_room(kit.s, kit.elsewhere));
    gets(&kit, "a", 2);
    assert_true(fob_sequencer_has_room(kit.s, kit.elsewhere)); /* half is free */
    asks_nothing(&kit);                                        /* what waits beside does */
    for (uint64_t offset = 3; offset <= 9; offset++) {
        gets(&kit, "a", offset);
        asks_nothing(&kit);
    }
    gets_nothing(&kit);
    assert_int_equal(figures_of(&kit).state, FOB_SEQUENCER_CURRENT);
    assert_int_equal(fob_sequencer_lost(kit.s), 0);
    kit_end(&kit);
}

static void what_no_longer_waits_beside_is_fetched(void **state) {
    (void)state;
    kit_t kit =
        kit_new((fob_sequencer_options_t){.pattern = fob_slice_str("a"), .queue = 2, .recent = 2});
    kit_up(&kit, 0);
    for (uint64_t offset = 1; offset <= 7; offset++)
        comes(&kit, "a", offset, 1, offset - 1);
    asks_nothing(&kit);
    gets(&kit, "a", 1);
    gets(&kit, "a", 2);
    asks_for(&kit, 3, 5); /* 6 and 7 are here */
    assert_int_equal(kit.fetch.limit, 2);
    fetched(&kit, 5, 7, "a@3 a@4", "");
    asks_nothing(&kit); /* no room */
    gets(&kit, "a", 3);
    gets(&kit, "a", 4);
    asks_for(&kit, 5, 5);
    fetched(&kit, 6, 7, "a@5", "");
    for (uint64_t offset = 5; offset <= 7; offset++) {
        asks_nothing(&kit);
        gets(&kit, "a", offset);
    }
    asks_nothing(&kit);
    assert_int_equal(figures_of(&kit).state, FOB_SEQUENCER_CURRENT);
    kit_end(&kit);
}

static void bytes_bound_the_queue_too(void **state) {
    (void)state;
    kit_t kit = kit_new((fob_sequencer_options_t){.pattern = fob_slice_str("a"), .bytes = 10});
    kit_up(&kit, 0);
    comes(&kit, "a", 1, 1, 0);
    comes(&kit, "a", 2, 1, 1);
    assert_int_equal(fob_sequencer_queued(kit.s), 1);
    asks_nothing(&kit);
    gets(&kit, "a", 1);
    asks_nothing(&kit);
    gets(&kit, "a", 2);
    kit_end(&kit);
}

static void fire_and_forget_leaves_half_of_the_queue_to_what_is_behind(void **state) {
    (void)state;
    kit_t kit = kit_new((fob_sequencer_options_t){.pattern = fob_slice_str(">"), .queue = 10});
    kit_up(&kit, 10);
    fires(&kit, "f", 1, 1);
    gets(&kit, "f", 0);
    comes(&kit, "a", 12, 1, 11);
    fires(&kit, "f", 2, 8);
    assert_int_equal(fob_sequencer_queued(kit.s), 5);
    assert_int_equal(fob_sequencer_lost(kit.s), 3);
    asks_for(&kit, 11, 11);
    kit_end(&kit);
}

static void losses_are_counted_by_source_and_topic(void **state) {
    (void)state;
    kit_t kit = kit_reliable(">", 10);
    fob_gap_loss_t loss;
    size_t at = 0;
    fires(&kit, "f.a", 1, 1);
    fires(&kit, "f.b", 1, 1);
    assert_false(fob_sequencer_losses(kit.s, &at, &loss));
    fires(&kit, "f.b", 5, 1);
    fires(&kit, "f.b", 7, 1);
    at = 0;
    assert_true(fob_sequencer_losses(kit.s, &at, &loss));
    assert_true(fob_slice_eq(loss.topic, fob_slice_str("f.b")));
    assert_int_equal(loss.source, 77);
    assert_int_equal(loss.lost, 4);
    assert_false(fob_sequencer_losses(kit.s, &at, &loss));
    assert_int_equal(fob_sequencer_lost(kit.s), 4);
    kit_end(&kit);
}

/* --- far behind --- */

static kit_t far_behind(fob_sequencer_from_t from, uint64_t queue, uint64_t head) {
    kit_t kit = kit_new((fob_sequencer_options_t){
        .pattern = fob_slice_str(">"), .from = from, .queue = queue, .recent = 32, .far = 8});
    kit_up(&kit, head);
    return kit;
}

static void who_is_far_behind_stops_listening_where_much_comes(void **state) {
    (void)state;
    kit_t kit = far_behind(FOB_SEQUENCER_EARLIEST, 100, 9);
    asks_for(&kit, 1, 0);
    comes(&kit, "a", 10, 1, 9);
    comes(&kit, "a", 11, 1, 10);
    kit_round(&kit);
    assert_false(fob_sequencer_deaf(kit.s));
    comes(&kit, "a", 12, 1, 11); /* there is place for 32, but it fills */
    kit_round(&kit);
    assert_true(fob_sequencer_deaf(kit.s));
    comes(&kit, "a", 13, 1, 12);
    fetched(&kit, 11, 13, "a@1 a@2 a@3 a@4 a@5 a@6 a@7 a@8 a@9 a@10", "");
    asks_for(&kit, 11, 0); /* what had come may be anywhere, and is not waited for */
    assert_true(fob_sequencer_deaf(kit.s));
    fetched(&kit, 12, 13, "a@11", "");
    asks_for(&kit, 12, 0);
    assert_false(fob_sequencer_deaf(kit.s)); /* near enough to join */
    comes(&kit, "a", 15, 1, 14);
    fetched(&kit, 14, 14, "a@12 a@13", "");
    asks_for(&kit, 14, 14);
    fetched(&kit, 15, 15, "a@14", "");
    asks_nothing(&kit);
    for (uint64_t offset = 1; offset <= 15; offset++)
        gets(&kit, "a", offset);
    gets_nothing(&kit);
    kit_end(&kit);
}

static void what_passed_before_it_listened_again_is_asked_for_at_once(void **state) {
    (void)state;
    kit_t kit = far_behind(FOB_SEQUENCER_EARLIEST, 100, 10);
    for (uint64_t offset = 11; offset <= 13; offset++)
        comes(&kit, "a", offset, 1, offset - 1);
    asks_for(&kit, 1, 0);
    assert_true(fob_sequencer_deaf(kit.s));
    fetched(&kit, 14, 13, "a@13", "");
    asks_nothing(&kit); /* all there was */
    assert_false(fob_sequencer_deaf(kit.s));
    assert_int_equal(figures_of(&kit).state, FOB_SEQUENCER_CURRENT);
    fob_sequencer_listens(kit.s);
    asks_for(&kit, 14, 0); /* 14 was stored in between */
    fetched(&kit, 15, 14, "a@14", "");
    asks_nothing(&kit);
    gets(&kit, "a", 13);
    gets(&kit, "a", 14);
    kit_end(&kit);
    kit = far_behind(FOB_SEQUENCER_EARLIEST, 100, 1);
    asks_for(&kit, 1, 0);
    fob_sequencer_listens(kit.s);
    fetched(&kit, 2, 1, "a@1", ""); /* perhaps of before */
    asks_for(&kit, 1, 0);
    kit_end(&kit);
}

static void a_reader_that_stands_still_stops_listening(void **state) {
    (void)state;
    kit_t kit = far_behind(FOB_SEQUENCER_LATEST, 2, 0);
    for (uint64_t offset = 1; offset <= 4; offset++) /* two are queued, two kept */
        comes(&kit, "a", offset, 1, offset - 1);
    beats(&kit, 10);
    comes(&kit, "a", 5, 1, 4);
    asks_nothing(&kit);
    assert_false(fob_sequencer_deaf(kit.s)); /* much comes, but it is not far */
    beats(&kit, 11);
    asks_nothing(&kit);
    assert_true(fob_sequencer_deaf(kit.s));
    gets(&kit, "a", 1);
    gets(&kit, "a", 2);
    asks_for(&kit, 3, 0); /* the journal has what was kept, too */
    fetched(&kit, 5, 11, "a@3 a@4", "");
    gets(&kit, "a", 3);
    gets(&kit, "a", 4);
    kit_end(&kit);
}

static void who_is_far_behind_goes_on_listening_where_little_comes(void **state) {
    (void)state;
    kit_t kit = far_behind(FOB_SEQUENCER_LATEST, 100, 1);
    comes(&kit, "a", 30, 1, 29);
    asks_for(&kit, 2, 29);
    assert_false(fob_sequencer_deaf(kit.s));
    kit_end(&kit);
}

FOB_MAIN(FOB_CASE(who_is_far_behind_stops_listening_where_much_comes),
         FOB_CASE(what_passed_before_it_listened_again_is_asked_for_at_once),
         FOB_CASE(a_reader_that_stands_still_stops_listening),
         FOB_CASE(who_is_far_behind_goes_on_listening_where_little_comes),
         FOB_CASE(what_joins_the_chain_is_handed_out_at_once),
         FOB_CASE(what_comes_twice_is_handed_out_once),
         FOB_CASE(a_hole_is_read_from_the_journal_before_what_lies_behind),
         FOB_CASE(a_new_topic_whose_first_event_is_lost_is_a_hole),
         FOB_CASE(a_body_that_is_not_what_it_says_is_malformed_and_fetched),
         FOB_CASE(a_lost_last_event_is_noticed_at_the_next_beat),
         FOB_CASE(the_only_event_of_a_new_topic_is_noticed_too),
         FOB_CASE(what_is_still_on_its_way_is_not_fetched),
         FOB_CASE(where_later_events_are_on_their_way_the_mark_stays_exact),
         FOB_CASE(what_was_on_its_way_and_never_comes_hides_nothing),
         FOB_CASE(what_the_bus_cannot_vouch_for_is_fetched),
         FOB_CASE(nothing_is_asked_while_there_is_nothing_new),
         FOB_CASE(when_many_topics_are_remembered_it_is_asked_sooner),
         FOB_CASE(when_their_names_fill_an_answer_it_is_asked_sooner),
         FOB_CASE(a_topic_that_cannot_be_remembered_is_read_from_the_journal),
         FOB_CASE(with_a_full_queue_nothing_is_lost),
         FOB_CASE(what_no_longer_waits_beside_is_fetched), FOB_CASE(bytes_bound_the_queue_too),
         FOB_CASE(fire_and_forget_leaves_half_of_the_queue_to_what_is_behind),
         FOB_CASE(losses_are_counted_by_source_and_topic))
