/* Publishing: receipts, resends, refusals, numbers, the broadcast's chain. */
#include "bus/core/events/topics.h"
#include "bus/core/publish/writer.h"
#include "test_core_kit.h"

#include "tests/support/case.h"

static kit_t kit;

static int setup(void **state) {
    (void)state;
    kit_init(&kit, &kit_config);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    kit_books(&kit);
    kit_free(&kit);
    return 0;
}

/* The last receipt has exactly these rows. */
#define RECEIPT(...) KIT_RECEIPT(&kit, __VA_ARGS__)

static void a_receipt_waits_for_its_commit(void **state) {
    (void)state;
    kit.manual = true;
    kit_publish(&kit, 1, 1, 1, "a", 3);
    assert_int_equal(kit_count(&kit, FOB_EFF_RECEIPT), 0);
    assert_int_equal(kit_count(&kit, FOB_EFF_STORED), 0);
    assert_true(kit.synced);
    kit_sync(&kit, 1);
    RECEIPT({FOB_OK, 1, 3, 1, 0});
}

static void a_receipt_counts_the_groups_each_event_entered(void **state) {
    (void)state;
    kit_join(&kit, 1, "all", ">", 0);
    kit_join(&kit, 2, "bees", "b", 0);
    kit_publish_topics(&kit, 1, 1, 1, "a a b b a");
    RECEIPT({FOB_OK, 1, 2, 1, 1}, {FOB_OK, 3, 2, 3, 2}, {FOB_OK, 5, 1, 5, 1});
}

static void a_resend_gets_its_first_receipt_again(void **state) {
    (void)state;
    kit_publish(&kit, 1, 1, 1, "a", 4);
    kit_publish(&kit, 2, 1, 1, "a", 2);
    kit_publish(&kit, 1, 5, 1, "a", 2);
    kit_publish(&kit, 1, 2, 1, "a", 5);
    RECEIPT({FOB_OK, 2, 3, 2, 0}, {FOB_OK, 5, 2, 7, 0});
    assert_int_equal(fob_core_head(kit.core), 8);
    kit_publish(&kit, 1, 6, 1, "a", 3);
    RECEIPT({FOB_OK, 6, 3, 8, 0});
    assert_int_equal(fob_core_head(kit.core), 10);
}

static void a_resend_over_a_crash_is_stored_once(void **state) {
    (void)state;
    kit_publish(&kit, 1, 1, 1, "a", 4);
    kit_crash(&kit, kit.position);
    bool known;
    uint8_t session[FOB_SESSION_SIZE];
    memset(session, 1, sizeof session);
    assert_int_equal(fob_core_session_last(kit.core, session, &known), 4);
    kit_publish(&kit, 1, 1, 1, "a", 6);
    RECEIPT({FOB_OK, 1, 6, 1, 0});
    assert_int_equal(fob_core_head(kit.core), 6);
}

static void a_missing_number_is_a_gap(void **state) {
    (void)state;
    kit_publish(&kit, 1, 1, 1, "a", 2);
    kit_publish(&kit, 1, 5, 1, "a", 2);
    RECEIPT({FOB_GAP, 5, 2, 0, 0});
    kit_publish(&kit, 1, 3, 1, "a", 4);
    RECEIPT({FOB_OK, 3, 4, 3, 0});
}

static void a_forgotten_session_is_told_so(void **state) {
    (void)state;
    kit_publish(&kit, 1, 5, 3, "a", 2);
    RECEIPT({FOB_FORGOTTEN, 5, 2, 0, 0});
    kit_publish(&kit, 1, 5, 5, "a", 2); /* nothing is in doubt */
    RECEIPT({FOB_OK, 5, 2, 1, 0});
}

static void a_bad_event_uses_up_its_number_and_harms_no_other(void **state) {
    (void)state;
    fob_buf_t body = {0};
    char data[1001] = {0};
    kit_event(&body, "a", "1", 1);
    kit_event(&body, "a", data, sizeof data); /* too large */
    kit_event(&body, "a", "3", 1);
    size_t at = body.size;
    kit_event(&body, "b", "4", 1);
    body.data[at + 2] = '.';
    fob_pack_nil(&body); /* not an event */
    kit_publish_body(&kit, 1, 1, 1, &body, FOB_OK);
    RECEIPT({FOB_OK, 1, 1, 1, 0}, {FOB_TOO_LARGE, 2, 1, 0, 0}, {FOB_OK, 3, 1, 2, 0},
            {FOB_BAD_TOPIC, 4, 1, 0, 0}, {FOB_BAD_EVENT, 5, 1, 0, 0});
    kit_publish(&kit, 1, 6, 6, "a", 1);
    RECEIPT({FOB_OK, 6, 1, 3, 0});
    kit_crash(&kit, kit.position);
    kit_publish(&kit, 1, 7, 7, "a", 1);
    RECEIPT({FOB_OK, 7, 1, 4, 0});
}

static void only_bad_events_still_use_up_their_numbers(void **state) {
    (void)state;
    for (int again = 0; again < 2; again++) {
        fob_buf_t body = {0};
        fob_pack_nil(&body);
        fob_pack_nil(&body);
        kit_publish_body(&kit, 1, 1, 1, &body, FOB_OK);
        RECEIPT({FOB_BAD_EVENT, 1, 2, 0, 0});
    }
    kit_publish(&kit, 1, 3, 3, "a", 1);
    RECEIPT({FOB_OK, 3, 1, 1, 0});
}

/* The operator lowered `max_event` meanwhile. */
static void what_was_stored_is_not_refused_for_its_size_after_a_restart(void **state) {
    (void)state;
    char data[500] = {0};
    for (int again = 0; again < 2; again++) {
        fob_buf_t body = {0};
        kit_event(&body, "a", "1", 1);
        kit_event(&body, "a", data, sizeof data);
        kit_event(&body, "a", "3", 1);
        if (again)
            kit_event(&body, "a", data, sizeof data);
        kit_publish_body(&kit, 1, 1, 1, &body, FOB_OK);
        if (again)
            RECEIPT({FOB_OK, 1, 3, 1, 0}, {FOB_TOO_LARGE, 4, 1, 0, 0});
        else
            RECEIPT({FOB_OK, 1, 3, 1, 0});
        kit.config.max_event = 100;
        kit_crash(&kit, kit.position);
    }
    kit_publish(&kit, 1, 5, 5, "a", 1);
    RECEIPT({FOB_OK, 5, 1, 4, 0});
}

/* Nor is it said of one whose answer was dropped that it was not stored. */
static void of_a_number_that_was_confirmed_nothing_is_known_whatever_comes_with_it(void **state) {
    (void)state;
    char data[1001] = {0};
    fob_buf_t body = {0};
    kit_publish(&kit, 1, 1, 1, "a", 2);
    kit_publish(&kit, 1, 3, 3, "a", 1); /* the first two were confirmed */
    kit_event(&body, "a", data, sizeof data);
    kit_publish_body(&kit, 1, 1, 1, &body, FOB_OK);
    RECEIPT({FOB_UNKNOWN_OUTCOME, 1, 1, 0, 0});
}

static void numbers_that_could_not_be_counted_on_are_refused(void **state) {
    (void)state;
    static const uint8_t event[] = {0x93, 0xa1, 'a', 0x80, 0xc4, 0x00};
    fob_blob_t *blob = fob_blob_copy(fob_slice(event, sizeof event));
    uint8_t session[FOB_SESSION_SIZE] = {1};
    uint64_t last = INT64_MAX - FOB_WINDOW_MAX;
    fob_command_t publish = {
        .kind = FOB_CMD_PUBLISH, .conn = 1, .publish = {session, last + 1, last + 1, blob, FOB_OK}};
    assert_int_equal(kit_step(&kit, &publish), FOB_PROTOCOL);
    publish.publish.first = publish.publish.low = last;
    assert_int_equal(kit_step(&kit, &publish), FOB_OK);
    fob_blob_unref(&blob);
    kit_settle_down(&kit);
    RECEIPT({FOB_OK, last, 1, 1, 0});
}

static void bytes_that_are_no_events_are_refused_whole(void **state) {
    (void)state;
    static const uint8_t bytes[] = {0xc1, 0x93};
    fob_blob_t *blob = fob_blob_copy(fob_slice(bytes, sizeof bytes));
    uint8_t session[FOB_SESSION_SIZE] = {1};
    fob_command_t publish = {
        .kind = FOB_CMD_PUBLISH, .conn = 1, .publish = {session, 1, 1, blob, FOB_OK}};
    assert_int_equal(kit_step(&kit, &publish), FOB_PROTOCOL);
    publish.publish.first = 0;
    assert_int_equal(kit_step(&kit, &publish), FOB_PROTOCOL);
    fob_blob_unref(&blob);
    blob = fob_blob_new(0);
    publish.publish.first = 1;
    publish.publish.body = blob;
    assert_int_equal(kit_step(&kit, &publish), FOB_PROTOCOL);
    fob_blob_unref(&blob);
    assert_null(fob_core_take(kit.core, kit.now));
}

static void a_full_disk_refuses_until_the_first_refused_comes_again(void **state) {
    (void)state;
    fob_buf_t body = {0};
    kit_publish(&kit, 1, 1, 1, "a", 2);
    for (int i = 0; i < 3; i++)
        kit_event(&body, "a", "x", 1);
    kit_publish_body(&kit, 1, 2, 1, &body, FOB_DISK_FULL);
    RECEIPT({FOB_OK, 2, 1, 2, 0}, {FOB_DISK_FULL, 3, 2, 0, 0});
    kit_publish(&kit, 1, 5, 1, "a", 2); /* was under way */
    RECEIPT({FOB_DISK_FULL, 5, 2, 0, 0});
    kit_publish(&kit, 1, 3, 3, "a", 2);
    RECEIPT({FOB_OK, 3, 2, 3, 0});
    kit_publish(&kit, 1, 7, 3, "a", 2);
    RECEIPT({FOB_DISK_FULL, 7, 2, 0, 0}); /* 5 and 6 come first */
    kit_publish(&kit, 1, 5, 3, "a", 4);
    RECEIPT({FOB_OK, 5, 4, 5, 0});
    kit_publish(&kit, 1, 10, 9, "a", 1);
    RECEIPT({FOB_GAP, 10, 1, 0, 0});
    fob_core_stats_t stats;
    fob_core_stats(kit.core, &stats);
    assert_int_equal(stats.busy, 6);
    assert_int_equal(stats.events_in, 8);
}

static void a_new_session_may_be_refused_first(void **state) {
    (void)state;
    fob_buf_t body = {0};
    kit_event(&body, "a", "x", 1);
    kit_publish_body(&kit, 1, 1, 1, &body, FOB_DISK_FULL);
    RECEIPT({FOB_DISK_FULL, 1, 1, 0, 0});
    kit_publish(&kit, 1, 2, 1, "a", 2);
    RECEIPT({FOB_DISK_FULL, 2, 2, 0, 0});
    kit_publish(&kit, 1, 1, 1, "a", 3);
    RECEIPT({FOB_OK, 1, 3, 1, 0});
}

static void the_broadcast_gets_runs_of_one_topic_in_a_chain(void **state) {
    (void)state;
    static const struct {
        const char *topic;
        uint64_t offset, count, prev, nth;
    } want[] = {{"a", 1, 2, 0, 1}, {"b", 3, 1, 0, 1}, {"a", 4, 1, 2, 3}, {"b", 5, 2, 3, 2}};
    kit_publish_topics(&kit, 1, 1, 1, "a a b a");
    kit_publish_topics(&kit, 1, 5, 5, "b b");
    size_t seen = 0;
    for (size_t i = 0; i < kit.shown_count; i++) {
        const kit_effect_t *effect = &kit.shown[i];
        if (effect->kind != FOB_EFF_STORED)
            continue;
        assert_string_equal(effect->topic, want[seen].topic);
        assert_int_equal(effect->offset, want[seen].offset);
        assert_int_equal(effect->count, want[seen].count);
        assert_int_equal(effect->prev, want[seen].prev);
        assert_int_equal(effect->nth, want[seen].nth);
        assert_int_equal(effect->born, want[seen].topic[0] == 'a' ? 1 : 3);
        seen++;
    }
    assert_int_equal(seen, 4);
}

static void a_topic_that_fell_out_begins_anew_above_the_floor(void **state) {
    (void)state;
    fob_chain_t topics;
    assert_true(fob_chain_init(&topics, 2, SIZE_MAX));
    fob_chain_begin(&topics, 100);
    assert_int_equal(fob_chain_link(&topics, fob_slice_str("a"), 101, 1).prev, 100);
    assert_int_equal(fob_chain_link(&topics, fob_slice_str("b"), 102, 3).nth, 1);
    assert_int_equal(fob_chain_link(&topics, fob_slice_str("a"), 105, 1).prev, 101);
    assert_int_equal(fob_chain_link(&topics, fob_slice_str("c"), 106, 1).prev, 104);
    fob_linked_t again = fob_chain_link(&topics, fob_slice_str("b"), 107, 1);
    assert_int_equal(again.prev, 105); /* a fell out last, and it is the highest that did */
    assert_int_equal(again.nth, 1);
    assert_int_equal(again.born, 107);
    fob_chain_free(&topics);
}

static void sessions_are_forgotten_by_number_and_by_age(void **state) {
    (void)state;
    fob_writers_t writers;
    uint8_t session[4][FOB_SESSION_SIZE] = {{1}, {2}, {3}, {4}};
    const uint8_t *due[4];
    assert_true(fob_writers_init(&writers, 2, 1000, 0));
    for (int i = 0; i < 2; i++) {
        assert_true(fob_writers_reserve(&writers, session[i], 1));
        fob_writers_leave(&writers, fob_writers_see(&writers, session[i], i), i, false);
    }
    assert_int_equal(fob_writers_due(&writers, session[0], 2, 2, due, 4), 0);
    assert_int_equal(fob_writers_due(&writers, session[2], 2, 2, due, 4), 1);
    assert_memory_equal(due[0], session[0], FOB_SESSION_SIZE);
    fob_writers_forget(&writers, fob_writers_find(&writers, session[0]));
    assert_null(fob_writers_find(&writers, session[0]));
    assert_int_equal(fob_writers_due(&writers, session[1], 9, 1500, due, 4), 0); /* it is the one */
    assert_int_equal(fob_writers_due(&writers, session[2], 9, 1001, due, 4), 0);
    assert_int_equal(fob_writers_due(&writers, session[2], 9, 1002, due, 4), 1); /* too old */
    fob_writers_free(&writers);
}

static void sessions_are_put_in_the_order_of_use(void **state) {
    (void)state;
    fob_writers_t writers;
    assert_true(fob_writers_init(&writers, 100, 1000, 0));
    for (uint8_t i = 0; i < 77; i++) {
        uint8_t session[FOB_SESSION_SIZE] = {i};
        assert_true(fob_writers_reserve(&writers, session, 1));
        fob_writers_see(&writers, session, i)->use = (i * 31u) % 77;
    }
    fob_writers_start(&writers, 1);
    const fob_writer_list_t *away = &writers.lists[FOB_WRITERS_AWAY];
    uint64_t use = 0;
    for (const fob_writer_t *w = away->oldest; w; w = w->newer) {
        assert_int_equal(w->use, use++);
        assert_ptr_equal(w->newer ? w->newer->older : away->newest, w);
    }
    assert_int_equal(use, 77);
    assert_null(away->oldest->older);
    fob_writers_free(&writers);
}

static void a_forgotten_session_makes_room_by_a_record(void **state) {
    (void)state;
    fob_core_stats_t stats;
    kit.hash_turns = true;
    for (unsigned s = 1; s <= 120; s++) {
        kit_publish(&kit, (uint8_t)s, 1, 1, "a", 1);
        kit_lost(&kit, 1000 + s);
    }
    fob_core_stats(kit.core, &stats);
    assert_int_equal(stats.sessions, 100);
    kit_publish(&kit, 1, 2, 1, "a", 1);
    RECEIPT({FOB_FORGOTTEN, 2, 1, 0, 0});
    kit_crash(&kit, kit.position);
    fob_core_stats(kit.core, &stats);
    assert_int_equal(stats.sessions, 100);
}

static void confirmed_answers_are_dropped(void **state) {
    (void)state;
    fob_writers_t writers;
    uint8_t session[FOB_SESSION_SIZE] = {1};
    assert_true(fob_writers_init(&writers, 2, 1000, 0));
    assert_true(fob_writers_reserve(&writers, session, 20));
    fob_writer_t *writer = fob_writers_see(&writers, session, 1);
    for (uint64_t n = 1; n <= 20; n++)
        fob_writer_answer(writer, (fob_answer_t){n, n * 2, 1, 0});
    fob_writer_move(writer, 21, 11);
    assert_int_equal(writer->count, 10);
    assert_int_equal(fob_writer_at(writer, fob_writer_search(writer, 15))->number, 15);
    assert_int_equal(fob_writer_search(writer, 21), 10);
    fob_writers_free(&writers);
}

static void a_batch_of_more_than_the_window_is_refused(void **state) {
    (void)state;
    fob_buf_t body = {0};
    for (int i = 0; i < FOB_WINDOW_MAX + 1; i++)
        kit_event(&body, "a", "", 0);
    fob_blob_t *blob = fob_blob_copy(fob_buf_slice(&body));
    uint8_t session[FOB_SESSION_SIZE] = {1};
    fob_command_t publish = {
        .kind = FOB_CMD_PUBLISH, .conn = 1, .publish = {session, 1, 1, blob, FOB_OK}};
    assert_int_equal(kit_step(&kit, &publish), FOB_PROTOCOL);
    fob_blob_unref(&blob);
    fob_buf_free(&body);
}

static void a_refusal_goes_with_the_connection_that_met_it(void **state) {
    (void)state;
    fob_buf_t body = {0};
    kit_publish(&kit, 1, 1, 1, "a", 1);
    kit_event(&body, "a", "", 0);
    kit_publish_body(&kit, 1, 2, 2, &body, FOB_DISK_FULL);
    kit_publish(&kit, 1, 3, 2, "a", 1);
    RECEIPT({FOB_DISK_FULL, 3, 1, 0, 0});
    kit_lost(&kit, 1001);
    kit_publish(&kit, 1, 3, 2, "a", 1);
    RECEIPT({FOB_GAP, 3, 1, 0, 0});
}

static void publish_on(uint64_t conn, uint64_t first, const char *topics) {
    static const uint8_t session[FOB_SESSION_SIZE] = "one of its own..";
    fob_buf_t body = {0};
    for (; *topics; topics++) {
        size_t at = body.size;
        kit_event(&body, "a", "data", 4);
        body.data[at + 2] = (uint8_t)*topics;
    }
    fob_blob_t *blob = fob_blob_copy(fob_buf_slice(&body));
    kit_do(&kit, &(fob_command_t){.kind = FOB_CMD_PUBLISH,
                                  .conn = conn,
                                  .publish = {session, first, 1, blob, FOB_OK}});
    fob_blob_unref(&blob);
    fob_buf_free(&body);
}

/* The publisher gave number 2 up and went on; the event itself is still under way on the old one.
 */
static void what_an_older_connection_still_had_under_way_is_ignored(void **state) {
    (void)state;
    publish_on(7, 1, "a");
    publish_on(8, 1, "a.a"); /* a topic that is none: it is used up */
    RECEIPT({FOB_OK, 1, 1, 1, 0}, {FOB_BAD_TOPIC, 2, 1, 0, 0}, {FOB_OK, 3, 1, 2, 0});
    kit_clear(&kit);
    publish_on(7, 1, "aaa");
    assert_int_equal(kit_count(&kit, FOB_EFF_RECEIPT), 0);
    assert_int_equal(fob_core_head(kit.core), 2);
    publish_on(8, 4, "a");
    RECEIPT({FOB_OK, 4, 1, 3, 0});
}

FOB_MAIN(FOB_CASE_WITH(a_refusal_goes_with_the_connection_that_met_it, setup, teardown),
         FOB_CASE_WITH(what_an_older_connection_still_had_under_way_is_ignored, setup, teardown),
         FOB_CASE_WITH(a_receipt_waits_for_its_commit, setup, teardown),
         FOB_CASE_WITH(a_receipt_counts_the_groups_each_event_entered, setup, teardown),
         FOB_CASE_WITH(a_resend_gets_its_first_receipt_again, setup, teardown),
         FOB_CASE_WITH(a_resend_over_a_crash_is_stored_once, setup, teardown),
         FOB_CASE_WITH(a_missing_number_is_a_gap, setup, teardown),
         FOB_CASE_WITH(a_forgotten_session_is_told_so, setup, teardown),
         FOB_CASE_WITH(a_bad_event_uses_up_its_number_and_harms_no_other, setup, teardown),
         FOB_CASE_WITH(only_bad_events_still_use_up_their_numbers, setup, teardown),
         FOB_CASE_WITH(what_was_stored_is_not_refused_for_its_size_after_a_restart, setup,
                       teardown),
         FOB_CASE_WITH(of_a_number_that_was_confirmed_nothing_is_known_whatever_comes_with_it,
                       setup, teardown),
         FOB_CASE_WITH(numbers_that_could_not_be_counted_on_are_refused, setup, teardown),
         FOB_CASE_WITH(bytes_that_are_no_events_are_refused_whole, setup, teardown),
         FOB_CASE_WITH(a_full_disk_refuses_until_the_first_refused_comes_again, setup, teardown),
         FOB_CASE_WITH(a_new_session_may_be_refused_first, setup, teardown),
         FOB_CASE_WITH(the_broadcast_gets_runs_of_one_topic_in_a_chain, setup, teardown),
         FOB_CASE_WITH(a_batch_of_more_than_the_window_is_refused, setup, teardown),
         FOB_CASE(a_topic_that_fell_out_begins_anew_above_the_floor),
         FOB_CASE(sessions_are_forgotten_by_number_and_by_age),
         FOB_CASE(sessions_are_put_in_the_order_of_use),
         FOB_CASE_WITH(a_forgotten_session_makes_room_by_a_record, setup, teardown),
         FOB_CASE(confirmed_answers_are_dropped))
