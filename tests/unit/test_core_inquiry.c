/* inquiry: what operators ask about dead letters, and how they wait for what is not in memory. */
#include "test_core_inquiry_kit.h"

/* --- lists --- */

static void a_letter_is_listed_with_what_is_known_of_its_event(void **state) {
    (void)state;
    join();
    publish("shop.order", "anna", 40);
    kit_pass(&kit, 5000);
    reject(1);
    kit_effect_t *effect = list((fob_dead_filter_t){0});
    assert_int_equal(rows_of(effect), 1);
    assert_int_equal(number(value_of(effect), "next"), 0);
    assert_int_equal(number(value_of(effect), "upto"), 1);
    fob_slice_t letter = row(effect, 0);
    assert_int_equal(number(letter, "offset"), 1);
    assert_int_equal(number(letter, "serial"), 1);
    assert_int_equal(number(letter, "count"), 1);
    assert_string_equal(text(letter, "topic"), "shop.order");
    assert_string_equal(text(letter, "key"), "anna");
    assert_true(nil(letter, "id"));
    assert_string_equal(text(letter, "reason"), "reject");
    assert_int_equal(number(letter, "time"), kit.now.wall_ms);
    assert_int_equal(number(letter, "stored"), kit.now.wall_ms - 5000);
    assert_in_range(number(letter, "size"), 40, 100);
}

static void no_letters_are_an_empty_list(void **state) {
    (void)state;
    join();
    kit_effect_t *effect = list((fob_dead_filter_t){0});
    assert_int_equal(rows_of(effect), 0);
    assert_int_equal(number(value_of(effect), "next"), 0);
    assert_int_equal(number(value_of(effect), "upto"), 0);
}

static void letters_are_listed_by_offset_however_they_died(void **state) {
    (void)state;
    join();
    for (int i = 0; i < 5; i++)
        publish("a", NULL, 4);
    uint64_t order[] = {4, 1, 5, 3, 2};
    for (int i = 0; i < 5; i++)
        reject(order[i]);
    assert_string_equal(offsets(list((fob_dead_filter_t){0})), "1 2 3 4 5");
}

static void each_filter_leaves_out_what_does_not_match(void **state) {
    (void)state;
    join();
    int64_t before = kit.now.wall_ms;
    die("shop.eu.order", "anna", 1); /* dies at before + 1 s, and so on */
    die("shop.us.order", "bert", 1);
    die("mail", NULL, 1);
    assert_string_equal(offsets(list((fob_dead_filter_t){.topic = fob_slice_str("shop.*.order")})),
                        "1 2");
    assert_string_equal(offsets(list((fob_dead_filter_t){.key = fob_slice_str("bert")})), "2");
    assert_string_equal(offsets(list((fob_dead_filter_t){.since = before + 2000})), "2 3");
    assert_string_equal(offsets(list((fob_dead_filter_t){.until = before + 2000})), "1");
    assert_string_equal(offsets(list((fob_dead_filter_t){.offset = 3})), "3");
    assert_string_equal(offsets(list((fob_dead_filter_t){.offset = 4})), "");
    assert_string_equal(offsets(list((fob_dead_filter_t){.reason = FOB_REASON_REJECT})), "1 2 3");
    assert_string_equal(offsets(list((fob_dead_filter_t){.reason = FOB_REASON_AGE})), "");
    assert_string_equal(offsets(list((fob_dead_filter_t){.topic = fob_slice_str("shop.>"),
                                                         .key = fob_slice_str("anna"),
                                                         .since = before,
                                                         .until = before + 1001})),
                        "1");
}

static void a_list_goes_on_where_the_last_one_ended(void **state) {
    (void)state;
    join();
    die("a", NULL, 7);
    fob_command_t command = asks(FOB_CMD_DEAD_LIST);
    command.dead.limit = 3;
    kit_effect_t *effect = ask(&command);
    assert_string_equal(offsets(effect), "1 2 3");
    assert_int_equal(number(value_of(effect), "upto"), 7);
    command.dead.from = number(value_of(effect), "next");
    command.dead.upto = 7;
    die("a", NULL, 1); /* too late for this walk */
    effect = ask(&command);
    assert_string_equal(offsets(effect), "4 5 6");
    command.dead.from = number(value_of(effect), "next");
    effect = ask(&command);
    assert_string_equal(offsets(effect), "7");
    assert_int_equal(number(value_of(effect), "next"), 0);
}

static void a_list_that_ends_at_its_limit_says_that_nothing_is_left(void **state) {
    (void)state;
    join();
    die("a", NULL, 3);
    fob_command_t command = asks(FOB_CMD_DEAD_LIST);
    command.dead.limit = 3;
    assert_int_equal(number(value_of(ask(&command)), "next"), 0);
}

static void a_list_is_bounded_in_bytes(void **state) {
    (void)state;
    char key[256];
    memset(key, 'k', 255);
    key[255] = 0;
    join();
    for (int i = 0; i < 1000; i++)
        publish("a", key, 4);
    for (uint64_t offset = 1; offset <= 1000; offset++)
        reject(offset);
    fob_command_t command = asks(FOB_CMD_DEAD_LIST);
    command.dead.limit = 1000;
    kit_effect_t *effect = ask(&command);
    assert_in_range(effect->value.size, FOB_INQUIRY_PAGE / 2, FOB_INQUIRY_PAGE * 2);
    assert_int_equal(number(value_of(effect), "next"), rows_of(effect));
}

/* --- one letter --- */

static void show_gives_the_event_as_it_was_published(void **state) {
    (void)state;
    join();
    die("a", NULL, 1);
    die("b", "anna", 1);
    fob_slice_t event;
    fob_command_t command = asks(FOB_CMD_DEAD_SHOW);
    command.dead.filter.offset = 2;
    kit_effect_t *effect = ask(&command);
    assert_int_equal(effect->status, FOB_OK);
    assert_string_equal(text(value_of(effect), "topic"), "b");
    fob_cursor_t cursor = fob_cursor(field(value_of(effect), "event"));
    assert_true(fob_cursor_bin(&cursor, &event));
    const kit_effect_t *stored = kit_last(&kit, FOB_EFF_STORED);
    assert_true(fob_slice_eq(event, fob_slice(stored->events[0], stored->sizes[0])));
}

static void show_of_what_is_no_letter_is_refused_by_name(void **state) {
    (void)state;
    join();
    publish("a", NULL, 4);
    fob_command_t command = asks(FOB_CMD_DEAD_SHOW);
    assert_int_equal(ask(&command)->status, FOB_INVALID);
    command.dead.filter.offset = 1;
    kit_effect_t *effect = ask(&command);
    assert_int_equal(effect->status, FOB_GONE);
    assert_string_equal(effect->text, "group billing has no dead letter 1");
}

/* A worker with a name, and a settle that says why. */
static void join_as(const char *name) {
    static const uint8_t session[FOB_SESSION_SIZE] = {1};
    kit_do(&kit, &(fob_command_t){.kind = FOB_CMD_JOIN,
                                  .conn = WORKER,
                                  .join = {.session = session,
                                           .group = fob_slice_str(GROUP),
                                           .pattern = fob_slice_str(">"),
                                           .create = true,
                                           .credit = 100,
                                           .jobs = 1,
                                           .worker = fob_slice_str(name)}});
}

static void settle_with(unsigned kind, uint64_t offset, const char *why) {
    fob_buf_t runs = {0};
    fob_pack_array(&runs, 1);
    fob_run_write(&runs, (uint64_t[]){kind, offset, 1, token_of(offset)}, 4);
    kit_do(&kit, &(fob_command_t){.kind = FOB_CMD_SETTLE,
                                  .conn = WORKER,
                                  .settle = {.group = fob_slice_str(GROUP),
                                             .seq = ++settled,
                                             .runs = fob_buf_slice(&runs),
                                             .text = fob_slice_str(why)}});
    fob_buf_free(&runs);
}

static fob_slice_t attempt(const kit_effect_t *effect, uint32_t index, uint32_t of) {
    uint32_t count;
    fob_slice_t out = {0};
    fob_cursor_t cursor = fob_cursor(field(value_of(effect), "history"));
    assert_true(fob_cursor_array(&cursor, &count));
    assert_int_equal(count, of);
    for (uint32_t i = 0; i <= index; i++)
        assert_true(fob_cursor_skip(&cursor, &out));
    return out;
}

static void show_tells_each_attempt_with_its_worker_and_reason(void **state) {
    (void)state;
    kit.hash_turns = true;
    join_as("w-1");
    publish("a", NULL, 4);
    int64_t begun = kit.now.wall_ms;
    settle_with(FOB_KIND_RETRY, 1, "no route");
    kit_pass(&kit, 5000);
    settle_with(FOB_KIND_REJECT, 1, "bad address");
    kit_crash(&kit, kit.position);
    fob_command_t command = asks(FOB_CMD_DEAD_SHOW);
    command.dead.filter.offset = 1;
    kit_effect_t *effect = ask(&command);
    assert_int_equal(number(value_of(effect), "attempts"), 2);
    assert_string_equal(text(value_of(effect), "text"), "bad address");
    assert_string_equal(text(value_of(effect), "worker"), "w-1");
    fob_slice_t first = attempt(effect, 0, 2), last = attempt(effect, 1, 2);
    assert_string_equal(text(first, "reason"), "retry");
    assert_string_equal(text(first, "text"), "no route");
    assert_string_equal(text(first, "worker"), "w-1");
    assert_int_equal(number(first, "time"), begun);
    assert_string_equal(text(last, "reason"), "reject");
    assert_int_equal(number(last, "time"), begun + 5000);
}

/* --- refusals --- */

static void a_group_that_there_is_not_is_named(void **state) {
    (void)state;
    fob_command_t command = asks(FOB_CMD_DEAD_LIST);
    kit_effect_t *effect = ask(&command);
    assert_int_equal(effect->status, FOB_NO_GROUP);
    assert_string_equal(effect->text, "there is no group billing");
}

static void a_filter_with_a_bad_pattern_is_refused(void **state) {
    (void)state;
    join();
    fob_command_t command = asks(FOB_CMD_DEAD_LIST);
    command.dead.filter.topic = fob_slice_str("a..b");
    assert_int_equal(ask(&command)->status, FOB_BAD_PATTERN);
}

/* --- events that are not in memory --- */

static void a_request_waits_for_its_page_and_holds_up_nothing(void **state) {
    (void)state;
    begin_far_back(3);
    fob_command_t command = asks(FOB_CMD_DEAD_LIST);
    kit_do(&kit, &command);
    assert_int_equal(kit_count(&kit, FOB_EFF_REPLY), 0);
    assert_int_equal(kit_count(&kit, FOB_EFF_NEED), 1);
    assert_int_equal(kit_last(&kit, FOB_EFF_NEED)->need_offset, 1);
    size_t delivered = kit_delivered(&kit, WORKER);
    publish("new", NULL, 4);
    assert_int_equal(kit_delivered(&kit, WORKER), delivered + 1);
    assert_true(fob_core_deadline(kit.core) > kit.now.mono_ns);
    kit_pages(&kit);
    assert_string_equal(offsets(reply()), "1 2 3");
    assert_string_equal(text(row(reply(), 2), "topic"), "old");
}

static void what_the_letters_tell_needs_no_page(void **state) {
    (void)state;
    begin_far_back(3);
    fob_command_t command = asks(FOB_CMD_DEAD_PURGE);
    command.dead.dry = true;
    kit_do(&kit, &command);
    assert_int_equal(kit_count(&kit, FOB_EFF_NEED), 0);
    assert_int_equal(number(value_of(reply()), "count"), 3);
    assert_int_equal(number(value_of(reply()), "looked"), 3);
    assert_int_equal(kit_stats(&kit, GROUP).dead, 3);
}

static void letters_on_many_pages_are_all_found(void **state) {
    (void)state;
    begin_far_back(200);
    fob_command_t command = asks(FOB_CMD_DEAD_REDRIVE);
    command.dead.dry = true;
    command.dead.limit = 1000;
    command.dead.filter.key = fob_slice_str("anna");
    assert_int_equal(number(value_of(ask(&command)), "count"), 200);
    assert_true(kit_count(&kit, FOB_EFF_NEED) > 2);
}

static void no_more_are_redriven_than_there_is_room_to_settle(void **state) {
    (void)state;
    begin_far_back(20);
    fob_command_t command = asks(FOB_CMD_DEAD_REDRIVE);
    fob_core_room(kit.core, 0);
    assert_int_equal(ask(&command)->status, FOB_DISK_FULL);
    assert_int_equal(kit_stats(&kit, GROUP).dead, 20);
    fob_core_room(kit.core, 12);
    const kit_effect_t *answer = ask(&command);
    assert_int_equal(number(value_of(answer), "count"), 12);
    assert_true(number(value_of(answer), "next") > 0);
    assert_int_equal(kit_stats(&kit, GROUP).dead, 8);
    command.dead.from = number(value_of(answer), "next");
    assert_int_equal(ask(&command)->status, FOB_DISK_FULL);
    fob_core_room(kit.core, UINT64_MAX);
    assert_int_equal(number(value_of(ask(&command)), "count"), 8);
}

static void requests_beyond_the_bound_are_refused(void **state) {
    (void)state;
    begin_far_back(1);
    fob_command_t command = asks(FOB_CMD_DEAD_LIST);
    for (int i = 0; i < FOB_INQUIRIES_MAX; i++)
        kit_do(&kit, &command);
    assert_int_equal(kit_count(&kit, FOB_EFF_REPLY), 0);
    assert_int_equal(kit_count(&kit, FOB_EFF_NEED), 1);
    kit_do(&kit, &command);
    assert_int_equal(reply()->status, FOB_LIMIT);
    kit_pages(&kit);
    assert_int_equal(kit_count(&kit, FOB_EFF_REPLY), FOB_INQUIRIES_MAX + 1);
    assert_int_equal(reply()->status, FOB_OK);
    assert_int_equal(fob_inquiries_count(kit.core), 0);
}

static void requests_leave_places_for_the_pages_of_groups(void **state) {
    (void)state;
    begin_far_back(200);
    fob_command_t command = asks(FOB_CMD_DEAD_LIST);
    for (uint64_t offset = 1; offset <= 181; offset += 20) {
        command.dead.filter.offset = offset;
        kit_do(&kit, &command);
    }
    assert_int_equal(kit_count(&kit, FOB_EFF_NEED), 1); /* four stretches: a quarter */
    kit_pages(&kit);
    assert_int_equal(kit_count(&kit, FOB_EFF_REPLY), 10);
}

static void requests_end_with_their_connection(void **state) {
    (void)state;
    begin_far_back(1);
    fob_command_t command = asks(FOB_CMD_DEAD_LIST);
    kit_do(&kit, &command);
    command.conn = 78;
    kit_do(&kit, &command);
    kit_lost(&kit, 78);
    assert_int_equal(fob_inquiries_count(kit.core), 1);
    kit_pages(&kit);
    assert_int_equal(kit_count(&kit, FOB_EFF_REPLY), 1);
    reply();
}

static void a_group_that_is_removed_ends_requests_about_it(void **state) {
    (void)state;
    begin_far_back(1);
    fob_command_t command = asks(FOB_CMD_DEAD_LIST);
    kit_do(&kit, &command);
    kit_lost(&kit, WORKER);
    kit_do(&kit, &(fob_command_t){.kind = FOB_CMD_GROUP_REMOVE,
                                  .conn = ADMIN,
                                  .admin = {.req = 5, .group = fob_slice_str(GROUP)}});
    assert_int_equal(kit_count(&kit, FOB_EFF_REPLY), 2);
    assert_int_equal(reply()->status, FOB_NO_GROUP);
    kit_pages(&kit);
    assert_int_equal(kit_count(&kit, FOB_EFF_REPLY), 2);
}

static void an_event_that_cannot_be_read_is_shown_as_damaged(void **state) {
    (void)state;
    begin_far_back(2);
    for (size_t i = 0; i < kit.log_count; i++)
        kit.log[i].unreadable = kit.log[i].first_offset == 2;
    kit_effect_t *effect = list((fob_dead_filter_t){0});
    assert_string_equal(offsets(effect), "1 2");
    assert_string_equal(text(row(effect, 0), "topic"), "old");
    assert_string_equal(text(row(effect, 1), "reason"), "damaged");
    assert_true(nil(row(effect, 1), "topic"));
    assert_true(nil(row(effect, 1), "stored"));
    assert_string_equal(offsets(list((fob_dead_filter_t){.topic = fob_slice_str("old")})), "1");
    fob_command_t command = asks(FOB_CMD_DEAD_SHOW);
    command.dead.filter.offset = 2;
    assert_true(nil(value_of(ask(&command)), "event"));
}

FOB_MAIN(FOB_CASE_WITH(a_letter_is_listed_with_what_is_known_of_its_event, setup, teardown),
         FOB_CASE_WITH(no_letters_are_an_empty_list, setup, teardown),
         FOB_CASE_WITH(letters_are_listed_by_offset_however_they_died, setup, teardown),
         FOB_CASE_WITH(each_filter_leaves_out_what_does_not_match, setup, teardown),
         FOB_CASE_WITH(a_list_goes_on_where_the_last_one_ended, setup, teardown),
         FOB_CASE_WITH(a_list_that_ends_at_its_limit_says_that_nothing_is_left, setup, teardown),
         FOB_CASE_WITH(a_list_is_bounded_in_bytes, setup, teardown),
         FOB_CASE_WITH(show_gives_the_event_as_it_was_published, setup, teardown),
         FOB_CASE_WITH(show_of_what_is_no_letter_is_refused_by_name, setup, teardown),
         FOB_CASE_WITH(a_group_that_there_is_not_is_named, setup, teardown),
         FOB_CASE_WITH(a_filter_with_a_bad_pattern_is_refused, setup, teardown),
         FOB_CASE_WITH(a_request_waits_for_its_page_and_holds_up_nothing, setup, teardown),
         FOB_CASE_WITH(what_the_letters_tell_needs_no_page, setup, teardown),
         FOB_CASE_WITH(letters_on_many_pages_are_all_found, setup, teardown),
         FOB_CASE_WITH(no_more_are_redriven_than_there_is_room_to_settle, setup, teardown),
         FOB_CASE_WITH(requests_beyond_the_bound_are_refused, setup, teardown),
         FOB_CASE_WITH(requests_leave_places_for_the_pages_of_groups, setup, teardown),
         FOB_CASE_WITH(requests_end_with_their_connection, setup, teardown),
         FOB_CASE_WITH(a_group_that_is_removed_ends_requests_about_it, setup, teardown),
         FOB_CASE_WITH(an_event_that_cannot_be_read_is_shown_as_damaged, setup, teardown),
         FOB_CASE_WITH(show_tells_each_attempt_with_its_worker_and_reason, setup, teardown))
