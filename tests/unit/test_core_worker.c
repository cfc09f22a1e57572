/* Workers of a group: they join, get events, settle, leave, and are lost. */
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

static const uint64_t *nth(size_t index) {
    return kit_nth(&kit, index);
}

static void a_published_event_reaches_a_worker_and_is_acked(void **state) {
    (void)state;
    kit_join(&kit, 1, "emails", "order.>", 10);
    assert_int_equal(kit_last(&kit, FOB_EFF_JOINED)->status, FOB_OK);
    assert_true(kit_last(&kit, FOB_EFF_JOINED)->created);
    kit_publish(&kit, 1, 1, 1, "order.placed", 1);
    kit_effect_t *delivery = kit_last(&kit, FOB_EFF_DELIVER);
    assert_int_equal(delivery->conn, 1);
    assert_string_equal(delivery->group, "emails");
    assert_int_equal(nth(0)[0], 1);
    assert_int_equal(nth(0)[2], 1);
    kit_settle(&kit, 1, "emails", 1, FOB_KIND_ACK, 1, 1, nth(0)[1]);
    assert_int_equal(kit_last(&kit, FOB_EFF_SETTLED)->seq, 1);
    assert_int_equal(kit_last(&kit, FOB_EFF_SETTLED)->row_count, 0);
    fob_group_stats_t stats = kit_stats(&kit, "emails");
    assert_int_equal(stats.acked, 1);
    assert_string_equal(stats.state, "idle");
    assert_string_equal(stats.why, "nothing to do: all 1 accepted events are settled");
    assert_int_equal(fob_core_floor(kit.core), 2);
}

static void every_group_gets_every_event_and_its_workers_share(void **state) {
    (void)state;
    kit_join(&kit, 1, "billing", ">", 100);
    kit_join(&kit, 2, "shipping", ">", 100);
    kit_join(&kit, 3, "shipping", ">", 100);
    kit_publish(&kit, 1, 1, 1, "order", 60);
    assert_int_equal(kit_delivered(&kit, 1), 60);
    assert_int_equal(kit_delivered(&kit, 2), 30);
    assert_int_equal(kit_delivered(&kit, 3), 30);
}

static void lone_events_go_round(void **state) {
    (void)state;
    for (uint64_t conn = 1; conn <= 3; conn++)
        kit_join(&kit, conn, "g", ">", 100);
    for (uint64_t n = 1; n <= 9; n++)
        kit_publish(&kit, 1, n, n, "a", 1);
    for (uint64_t conn = 1; conn <= 3; conn++)
        assert_int_equal(kit_delivered(&kit, conn), 3);
}

static void no_worker_gets_more_than_its_credit(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", ">", 5);
    kit_publish(&kit, 1, 1, 1, "a", 20);
    assert_int_equal(kit_delivered(&kit, 1), 5);
    assert_string_equal(kit_stats(&kit, "g").why,
                        "15 ready, the 1 worker holds as much as it asked for");
    kit_pass(&kit, 12000);
    assert_string_equal(kit_stats(&kit, "g").why,
                        "15 ready, the 1 worker holds as much as it asked for; a worker holds 5 "
                        "and has settled none for 12 s");
    kit_credit(&kit, 1, "g", 8);
    assert_int_equal(kit_delivered(&kit, 1), 8);
    kit_credit(&kit, 1, "g", 4); /* cumulative: it never shrinks */
    kit_settle(&kit, 1, "g", 1, FOB_KIND_ACK, 1, 8, nth(0)[1]);
    assert_int_equal(kit_delivered(&kit, 1), 8);
}

static void a_lost_worker_gives_back_what_it_held(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", ">", 4);
    kit_publish(&kit, 1, 1, 1, "a", 8);
    kit_join(&kit, 2, "g", ">", 2);
    kit_clear(&kit);
    kit_lost(&kit, 1);
    kit_credit(&kit, 2, "g", 100);
    /* What was lost goes first, lowest offset first; the one that ran counts an attempt. */
    static const uint64_t offsets[] = {1, 2, 3, 4, 7, 8};
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(nth(i)[0], offsets[i]);
        assert_int_equal(nth(i)[2], i == 0 ? 2 : 1);
    }
    assert_int_equal(kit_stats(&kit, "g").redelivered, 4);
}

static void a_worker_that_leaves_costs_no_attempt(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", ">", 4);
    kit_publish(&kit, 1, 1, 1, "a", 4);
    uint64_t token = nth(3)[1];
    kit_clear(&kit);
    kit_leave(&kit, 1, "g");
    kit_join(&kit, 2, "g", ">", 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(nth(i)[0], i + 1);
        assert_int_equal(nth(i)[2], 1);
        assert_true(nth(i)[1] > token);
    }
}

static void a_settle_is_refused_by_name(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", ">", 3);
    kit_publish(&kit, 1, 1, 1, "a", 3);
    uint64_t token = nth(0)[1];
    kit_settle(&kit, 1, "g", 1, FOB_KIND_ACK, 1, 1, token);
    kit_settle(&kit, 1, "g", 2, FOB_KIND_ACK, 1, 1, token); /* again */
    assert_int_equal(kit_last(&kit, FOB_EFF_SETTLED)->rows[0][0], FOB_GONE);
    kit_lost(&kit, 1);
    kit_join(&kit, 2, "g", ">", 1);
    kit_join(&kit, 3, "g", ">", 0);
    kit_settle(&kit, 3, "g", 3, FOB_KIND_ACK, 2, 2, token + 1);
    kit_effect_t *settled = kit_last(&kit, FOB_EFF_SETTLED);
    assert_int_equal(settled->row_count, 2);
    assert_int_equal(settled->rows[0][0], FOB_STALE);
    assert_int_equal(settled->rows[0][1], 2);
    assert_int_equal(settled->rows[1][0], FOB_NOT_HELD);
    assert_int_equal(settled->rows[1][1], 3);
    kit_settle(&kit, 9, "g", 4, FOB_KIND_ACK, 1, 3, token); /* a stranger */
    assert_int_equal(kit_last(&kit, FOB_EFF_SETTLED)->rows[0][0], FOB_NOT_HELD);
    assert_int_equal(kit_last(&kit, FOB_EFF_SETTLED)->rows[0][2], 3);
    assert_int_equal(kit_stats(&kit, "g").acked, 1);
}

static void a_retry_waits_longer_each_time_and_then_is_dead(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", ">", 100);
    kit_publish(&kit, 1, 1, 1, "a", 1);
    int64_t bound = 1000;
    kit_pass(&kit, 3000); /* the resume window is no deadline any more */
    for (uint64_t attempt = 1; attempt <= 5; attempt++, bound *= 2) {
        assert_int_equal(nth(0)[2], attempt);
        uint64_t token = nth(0)[1];
        kit_clear(&kit);
        kit_settle(&kit, 1, "g", attempt, FOB_KIND_RETRY, 1, 1, token);
        if (attempt == 5)
            break;
        assert_int_equal(kit_stats(&kit, "g").delayed, 1);
        assert_int_equal(kit_delivered(&kit, 1), 0);
        int64_t due = fob_core_deadline(kit.core);
        assert_true(due > kit.now.mono_ns && due <= kit.now.mono_ns + bound * FOB_MS);
        kit_pass(&kit, (due - kit.now.mono_ns) / FOB_MS - 1);
        assert_int_equal(kit_delivered(&kit, 1), 0);
        kit_pass(&kit, 1);
    }
    assert_int_equal(kit_stats(&kit, "g").dead, 1);
    assert_int_equal(kit_stats(&kit, "g").delayed, 0);
    assert_int_equal(fob_core_floor(kit.core), 1); /* a dead letter keeps its event */
}

static void a_release_costs_no_attempt_and_a_reject_is_final(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", ">", 100);
    kit_publish(&kit, 1, 1, 1, "a", 2);
    uint64_t token = nth(0)[1];
    kit_clear(&kit);
    kit_settle(&kit, 1, "g", 1, FOB_KIND_RELEASE, 1, 1, token);
    kit_settle(&kit, 1, "g", 2, FOB_KIND_REJECT, 2, 1, token + 1);
    assert_int_equal(kit_delivered(&kit, 1), 0);
    assert_int_equal(kit_stats(&kit, "g").dead, 1);
    kit_pass(&kit, 100);
    assert_int_equal(nth(0)[0], 1);
    assert_int_equal(nth(0)[2], 1);
    kit_settle(&kit, 1, "g", 3, FOB_KIND_RELEASE, 1, 1, nth(0)[1]);
    kit_clear(&kit);
    kit_pass(&kit, 199); /* the second pause is twice as long */
    assert_int_equal(kit_delivered(&kit, 1), 0);
    kit_pass(&kit, 1);
    assert_int_equal(kit_delivered(&kit, 1), 1);
}

static void after_a_hundred_releases_each_costs_an_attempt(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", ">", 1000);
    kit_publish(&kit, 1, 1, 1, "a", 1);
    for (uint64_t i = 1; i <= 101; i++) {
        uint64_t token = nth(0)[1];
        assert_int_equal(nth(0)[2], 1);
        kit_clear(&kit);
        kit_settle(&kit, 1, "g", i, FOB_KIND_RELEASE, 1, 1, token);
        kit_pass(&kit, 300000);
    }
    assert_int_equal(nth(0)[2], 2);
}

static void a_delivery_waits_for_its_event_and_its_mark(void **state) {
    (void)state;
    kit.manual = true;
    kit_join(&kit, 1, "g", ">", 100);
    assert_int_equal(kit_count(&kit, FOB_EFF_JOINED), 0);
    kit_publish(&kit, 1, 1, 1, "a", 1);
    kit_sync(&kit, 1);
    assert_int_equal(kit_count(&kit, FOB_EFF_JOINED), 1);
    assert_int_equal(kit_delivered(&kit, 1), 0);
    kit_sync(&kit, 2);
    assert_int_equal(kit_delivered(&kit, 1), 1);
    /* A settle rides on the next sync; a new event does not wait for it. */
    kit_settle(&kit, 1, "g", 1, FOB_KIND_ACK, 1, 1, nth(0)[1]);
    assert_false(kit.synced);
    assert_int_equal(kit_count(&kit, FOB_EFF_SETTLED), 0);
    kit_credit(&kit, 1, "g", 200);
    kit_sync(&kit, 3);
    assert_int_equal(kit_count(&kit, FOB_EFF_SETTLED), 1);
}

static void a_first_hand_out_waits_for_its_mark(void **state) {
    (void)state;
    kit_join(&kit, 9, "g", ">", 0);
    kit_publish(&kit, 1, 1, 1, "a", 1);
    kit.manual = true;
    kit_credit(&kit, 9, "g", 5); /* the event is durable since long: the mark is not */
    assert_true(kit.synced);
    assert_int_equal(kit_delivered(&kit, 9), 0);
    kit_sync(&kit, kit.position);
    assert_int_equal(kit_delivered(&kit, 9), 1);
    kit_credit(&kit, 9, "g", 6);
    kit_publish(&kit, 1, 2, 2, "a", 1);
    kit_sync(&kit, kit.position);
    assert_int_equal(kit_delivered(&kit, 9), 2);
}

static void a_right_token_in_the_wrong_hands_is_refused(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", ">", 1);
    kit_publish(&kit, 1, 1, 1, "a", 1);
    kit_join(&kit, 2, "g", ">", 1);
    kit_settle(&kit, 2, "g", 1, FOB_KIND_ACK, 1, 1, nth(0)[1]);
    assert_int_equal(kit_last(&kit, FOB_EFF_SETTLED)->rows[0][0], FOB_NOT_HELD);
    assert_int_equal(kit_stats(&kit, "g").leased, 1);
}

static void a_token_stays_with_its_event_when_several_come_back(void **state) {
    (void)state;
    kit_join(&kit, 2, "g", ">", 1);
    kit_publish(&kit, 1, 1, 1, "a", 1);
    kit_settle(&kit, 2, "g", 1, FOB_KIND_RETRY, 1, 1, nth(0)[1]);
    kit_rejoin(&kit, 1, 9, "g", 1, NULL, 0);
    kit_publish(&kit, 1, 2, 2, "a", 1); /* the second, to worker 1 */
    kit_credit(&kit, 2, "g", 2);
    kit_pass(&kit, 2000); /* the first once more, to worker 2 */
    kit_credit(&kit, 1, "g", 2);
    kit_publish(&kit, 1, 3, 3, "a", 1); /* the third, to worker 1 */
    assert_int_equal(nth(1)[0], 2);
    assert_int_equal(nth(2)[0], 1);
    assert_int_equal(nth(3)[0], 3);
    kit_leave(&kit, 1, "g");
    kit_rejoin(&kit, 3, 9, "g", 0, (const uint64_t[][3]){{2, 1, nth(1)[1]}, {3, 1, nth(3)[1]}}, 2);
    assert_int_equal(kit_last(&kit, FOB_EFF_JOINED)->row_count, 0);
}

static void events_retried_together_do_not_come_back_together(void **state) {
    (void)state;
    kit_pass(&kit, 3000);
    kit_join(&kit, 1, "g", ">", 100);
    kit_publish(&kit, 1, 1, 1, "a", 20);
    kit_settle(&kit, 1, "g", 1, FOB_KIND_RETRY, 1, 20, nth(0)[1]);
    kit_clear(&kit);
    unsigned times = 0;
    while (kit_stats(&kit, "g").delayed) {
        kit_pass(&kit, (fob_core_deadline(kit.core) - kit.now.mono_ns) / FOB_MS);
        times++;
    }
    assert_true(times > 10);
    assert_int_equal(kit_delivered(&kit, 1), 20);
}

static void a_group_gets_what_is_published_while_it_is_there(void **state) {
    (void)state;
    kit_publish(&kit, 1, 1, 1, "a", 2); /* the topic is known before the group is */
    kit_join(&kit, 1, "g", "a", 10);
    kit_publish(&kit, 1, 3, 3, "a", 2);
    assert_int_equal(kit_delivered(&kit, 1), 2);
    assert_int_equal(nth(0)[0], 3);
    kit_lost(&kit, 1);
    kit_do(&kit, &(fob_command_t){.kind = FOB_CMD_GROUP_REMOVE,
                                  .conn = 5,
                                  .admin = {1, fob_slice_str("g"), {0}}});
    kit_publish(&kit, 1, 5, 5, "a", 2);
    assert_int_equal(kit_last(&kit, FOB_EFF_RECEIPT)->rows[0][4], 0);
}

static void what_may_not_be_joined_is_said_in_words(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", "order.>", 1);
    kit_join(&kit, 2, "g", "order.*", 1);
    assert_int_equal(kit_last(&kit, FOB_EFF_JOINED)->status, FOB_PATTERN_DIFFERS);
    assert_string_equal(kit_last(&kit, FOB_EFF_JOINED)->text,
                        "group g exists with the pattern order.>, not order.*: join it with that, "
                        "or choose another name");
    kit_join(&kit, 2, "g.", "order.>", 1);
    assert_int_equal(kit_last(&kit, FOB_EFF_JOINED)->status, FOB_INVALID);
    kit_join(&kit, 2, "h", "order.>.x", 1);
    assert_int_equal(kit_last(&kit, FOB_EFF_JOINED)->status, FOB_BAD_PATTERN);
    kit_rejoin(&kit, 2, 9, "h", 1, NULL, 0);
    assert_int_equal(kit_last(&kit, FOB_EFF_JOINED)->status, FOB_NO_GROUP);
    kit_rejoin(&kit, 2, 9, "g", 1, NULL, 0); /* without a pattern: as it is */
    assert_int_equal(kit_last(&kit, FOB_EFF_JOINED)->status, FOB_OK);
    char name[8];
    for (unsigned i = 2; i <= 11; i++) {
        snprintf(name, sizeof name, "g%u", i);
        kit_join(&kit, 100 + i, name, ">", 1);
    }
    assert_int_equal(kit_last(&kit, FOB_EFF_JOINED)->status, FOB_LIMIT);
    assert_int_equal(fob_core_group_count(kit.core), 10);
}

static void a_temporary_group_goes_with_its_last_worker(void **state) {
    (void)state;
    uint8_t session[FOB_SESSION_SIZE] = {5};
    for (uint64_t conn = 1; conn <= 2; conn++, session[0]++)
        kit_do(&kit, &(fob_command_t){.kind = FOB_CMD_JOIN,
                                      .conn = conn,
                                      .join = {session, fob_slice_str("t"), fob_slice_str(">"),
                                               true, true, 10, 1}});
    kit_publish(&kit, 1, 1, 1, "a", 3);
    kit_leave(&kit, 1, "t");
    assert_int_equal(fob_core_group_count(kit.core), 1);
    kit_lost(&kit, 2);
    assert_int_equal(fob_core_group_count(kit.core), 0);
    assert_int_equal(fob_core_floor(kit.core), 4);
    assert_int_equal(fob_core_settle_reserve(kit.core), 0);
}

static void a_group_is_added_and_removed_by_request(void **state) {
    (void)state;
    fob_command_t admin = {.kind = FOB_CMD_GROUP_ADD,
                           .conn = 5,
                           .admin = {77, fob_slice_str("g"), fob_slice_str("a.*")}};
    kit_do(&kit, &admin);
    assert_int_equal(kit_last(&kit, FOB_EFF_REPLY)->status, FOB_OK);
    assert_int_equal(kit_last(&kit, FOB_EFF_REPLY)->req, 77);
    kit_do(&kit, &admin); /* it is there, and the same */
    assert_int_equal(kit_last(&kit, FOB_EFF_REPLY)->status, FOB_OK);
    admin.admin.pattern = fob_slice_str("b.*");
    kit_do(&kit, &admin);
    assert_int_equal(kit_last(&kit, FOB_EFF_REPLY)->status, FOB_PATTERN_DIFFERS);
    admin.kind = FOB_CMD_GROUP_REMOVE;
    kit_join(&kit, 1, "g", "a.*", 1);
    kit_do(&kit, &admin);
    assert_int_equal(kit_last(&kit, FOB_EFF_REPLY)->status, FOB_GROUP_IN_USE);
    assert_string_equal(kit_last(&kit, FOB_EFF_REPLY)->text,
                        "group g still has 1 worker: stop them first");
    kit_lost(&kit, 1);
    kit_do(&kit, &admin);
    assert_int_equal(kit_last(&kit, FOB_EFF_REPLY)->status, FOB_OK);
    kit_do(&kit, &admin);
    assert_int_equal(kit_last(&kit, FOB_EFF_REPLY)->status, FOB_NO_GROUP);
}

static void a_worker_that_comes_back_keeps_what_it_names(void **state) {
    (void)state;
    kit_join(&kit, 50, "g", ">", 0);
    kit_rejoin(&kit, 1, 9, "g", 4, NULL, 0);
    kit_publish(&kit, 1, 1, 1, "a", 4);
    uint64_t token = nth(0)[1];
    kit_clear(&kit);
    kit_rejoin(&kit, 2, 9, "g", 0, (const uint64_t[][3]){{2, 2, token + 1}, {9, 1, 99}}, 2);
    kit_effect_t *joined = kit_last(&kit, FOB_EFF_JOINED);
    assert_int_equal(joined->row_count, 1);
    assert_int_equal(joined->rows[0][0], FOB_NOT_HELD);
    assert_int_equal(joined->rows[0][1], 9);
    kit_effect_t *lost = kit_last(&kit, FOB_EFF_LOST);
    assert_int_equal(lost->conn, 1);
    assert_int_equal(lost->row_count, 2);
    assert_int_equal(kit_stats(&kit, "g").leased, 2);
    kit_settle(&kit, 1, "g", 1, FOB_KIND_ACK, 2, 1, token + 1); /* the old connection */
    assert_int_equal(kit_last(&kit, FOB_EFF_SETTLED)->rows[0][0], FOB_NOT_HELD);
    kit_settle(&kit, 2, "g", 1, FOB_KIND_ACK, 2, 2, token + 1);
    assert_int_equal(kit_last(&kit, FOB_EFF_SETTLED)->row_count, 0);
    kit_credit(&kit, 50, "g", 10);
    assert_int_equal(nth(0)[0], 1);
    assert_int_equal(nth(0)[2], 1);
    assert_int_equal(nth(1)[0], 4);
}

static void what_a_lost_worker_held_may_be_claimed_until_it_goes_out(void **state) {
    (void)state;
    kit_rejoin(&kit, 1, 9, "none", 4, NULL, 0);
    kit_join(&kit, 1, "g", ">", 4);
    kit_publish(&kit, 1, 1, 1, "a", 2);
    uint64_t token = nth(0)[1];
    kit_lost(&kit, 1);
    kit_join(&kit, 2, "g", ">", 1); /* takes the first */
    kit_rejoin(&kit, 3, 9, "g", 0, (const uint64_t[][3]){{1, 2, token}}, 1);
    kit_effect_t *joined = kit_last(&kit, FOB_EFF_JOINED);
    assert_int_equal(joined->row_count, 1);
    assert_int_equal(joined->rows[0][0], FOB_STALE);
    assert_int_equal(joined->rows[0][1], 1);
    kit_settle(&kit, 3, "g", 1, FOB_KIND_ACK, 2, 1, token + 1);
    assert_int_equal(kit_stats(&kit, "g").acked, 1);
}

static void malformed_runs_are_refused_whole(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", ">", 4);
    fob_buf_t runs = {0};
    fob_command_t settle = {.kind = FOB_CMD_SETTLE, .conn = 1, .settle = {fob_slice_str("g"), 1}};
    static const uint64_t bad[][4] = {{5, 1, 1, 1},
                                      {0, 1, 1, 1},
                                      {1, UINT64_MAX, 1, 1},
                                      {1, 1, UINT64_MAX, 1},
                                      {1, 1, 1, UINT64_MAX}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        fob_buf_clear(&runs);
        fob_pack_array(&runs, 1);
        fob_run_write(&runs, bad[i], 4);
        settle.settle.runs = fob_buf_slice(&runs);
        assert_int_equal(kit_step(&kit, &settle), FOB_PROTOCOL);
    }
    fob_buf_clear(&runs);
    fob_pack_nil(&runs);
    settle.settle.runs = fob_buf_slice(&runs);
    assert_int_equal(kit_step(&kit, &settle), FOB_PROTOCOL);
    fob_buf_free(&runs);
    assert_null(fob_core_take(kit.core, kit.now));
}

static void a_flood_goes_out_in_bounded_pieces(void **state) {
    (void)state;
    fob_core_config_t config = kit_config;
    config.max_event = 100000;
    kit_free(&kit);
    kit_init(&kit, &config);
    static const char data[50000] = {0};
    kit_join(&kit, 1, "g", ">", 100);
    fob_buf_t body = {0};
    for (int i = 0; i < 40; i++)
        kit_event(&body, "a", data, sizeof data);
    fob_blob_t *blob = fob_blob_copy(fob_buf_slice(&body));
    uint8_t session[FOB_SESSION_SIZE] = {1};
    fob_command_t publish = {
        .kind = FOB_CMD_PUBLISH, .conn = 9, .publish = {session, 1, 1, blob, FOB_OK}};
    assert_int_equal(kit_step(&kit, &publish), FOB_OK);
    kit_take(&kit);
    size_t first = kit_delivered(&kit, 1);
    assert_true(first >= 20 && first < 40);
    assert_true(fob_core_deadline(kit.core) <= kit.now.mono_ns);
    kit_settle_down(&kit);
    assert_int_equal(kit_delivered(&kit, 1), 40);
    for (size_t i = 0; i < kit.shown_count; i++)
        assert_true(kit.shown[i].kind != FOB_EFF_DELIVER || kit.shown[i].row_count <= 2);
    fob_blob_unref(&blob);
    fob_buf_free(&body);
}

static void nobody_works_is_said(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", "a", 4);
    assert_string_equal(kit_stats(&kit, "g").why, "nothing to do: no event has matched a yet");
    kit_lost(&kit, 1);
    kit_publish(&kit, 1, 1, 1, "a", 3);
    kit_pass(&kit, 42000);
    fob_group_stats_t stats = kit_stats(&kit, "g");
    assert_string_equal(stats.state, "no_worker");
    assert_string_equal(stats.why, "3 unsettled, no worker has joined for 42 s");
    assert_int_equal(stats.oldest_age_ms, 42000);
    assert_int_equal(stats.floor, 1);
}

static void dead_letters_are_bounded_and_say_what_they_keep(void **state) {
    (void)state;
    fob_core_config_t config = kit_config;
    config.policy.dead_max = 3;
    kit_free(&kit);
    kit_init(&kit, &config);
    kit.hash_turns = true;
    kit_join(&kit, 1, "g", "a", 100);
    kit_publish(&kit, 1, 1, 1, "a", 6);
    static const uint64_t order[] = {4, 2, 6, 1, 3, 5};
    static const char *const whys[] = {"1 dead letter keeps events from offset 4 on",
                                       "2 dead letters keep events from offset 2 on",
                                       "3 dead letters keep events from offset 2 on",
                                       "3 dead letters keep events from offset 1 on",
                                       "3 dead letters keep events from offset 1 on",
                                       "3 dead letters keep events from offset 1 on"};
    for (size_t i = 0; i < 6; i++) {
        kit_settle(&kit, 1, "g", i + 1, FOB_KIND_REJECT, order[i], 1, order[i]);
        fob_group_stats_t stats = kit_stats(&kit, "g");
        assert_int_equal(stats.dead, i < 3 ? i + 1 : 3);
        assert_int_equal(stats.removed, i < 3 ? 0 : i - 2);
        assert_int_equal(stats.floor, 1);
        assert_non_null(strstr(stats.why, whys[i]));
    }
    kit_publish(&kit, 1, 7, 7, "a", 1);
    kit_settle(&kit, 1, "g", 7, FOB_KIND_REJECT, 7, 1, 7);
    assert_int_equal(kit_stats(&kit, "g").floor, 3); /* 3, 5 and 7 are left */
    assert_string_equal(kit_stats(&kit, "g").why,
                        "nothing to do: all 7 accepted events are settled; "
                        "3 dead letters keep events from offset 3 on");
    kit_crash(&kit, kit.position);
    assert_int_equal(kit_stats(&kit, "g").removed, 4);
    assert_int_equal(fob_core_floor(kit.core), 3);
}

FOB_MAIN(FOB_CASE_WITH(dead_letters_are_bounded_and_say_what_they_keep, setup, teardown),
         FOB_CASE_WITH(a_published_event_reaches_a_worker_and_is_acked, setup, teardown),
         FOB_CASE_WITH(every_group_gets_every_event_and_its_workers_share, setup, teardown),
         FOB_CASE_WITH(lone_events_go_round, setup, teardown),
         FOB_CASE_WITH(no_worker_gets_more_than_its_credit, setup, teardown),
         FOB_CASE_WITH(a_lost_worker_gives_back_what_it_held, setup, teardown),
         FOB_CASE_WITH(a_worker_that_leaves_costs_no_attempt, setup, teardown),
         FOB_CASE_WITH(a_settle_is_refused_by_name, setup, teardown),
         FOB_CASE_WITH(a_retry_waits_longer_each_time_and_then_is_dead, setup, teardown),
         FOB_CASE_WITH(a_release_costs_no_attempt_and_a_reject_is_final, setup, teardown),
         FOB_CASE_WITH(after_a_hundred_releases_each_costs_an_attempt, setup, teardown),
         FOB_CASE_WITH(a_delivery_waits_for_its_event_and_its_mark, setup, teardown),
         FOB_CASE_WITH(a_first_hand_out_waits_for_its_mark, setup, teardown),
         FOB_CASE_WITH(a_right_token_in_the_wrong_hands_is_refused, setup, teardown),
         FOB_CASE_WITH(a_token_stays_with_its_event_when_several_come_back, setup, teardown),
         FOB_CASE_WITH(events_retried_together_do_not_come_back_together, setup, teardown),
         FOB_CASE_WITH(a_group_gets_what_is_published_while_it_is_there, setup, teardown),
         FOB_CASE_WITH(what_may_not_be_joined_is_said_in_words, setup, teardown),
         FOB_CASE_WITH(a_temporary_group_goes_with_its_last_worker, setup, teardown),
         FOB_CASE_WITH(a_group_is_added_and_removed_by_request, setup, teardown),
         FOB_CASE_WITH(a_worker_that_comes_back_keeps_what_it_names, setup, teardown),
         FOB_CASE_WITH(what_a_lost_worker_held_may_be_claimed_until_it_goes_out, setup, teardown),
         FOB_CASE_WITH(malformed_runs_are_refused_whole, setup, teardown),
         FOB_CASE_WITH(a_flood_goes_out_in_bounded_pieces, setup, teardown),
         FOB_CASE_WITH(nobody_works_is_said, setup, teardown))
