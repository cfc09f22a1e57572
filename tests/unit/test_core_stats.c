/* The figures of a group, its state, and the sentence that says why it does not move. */
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

static void assert_why(const char *state, const char *why) {
    fob_group_stats_t stats = kit_stats(&kit, "g");
    assert_string_equal(stats.why, why);
    assert_string_equal(stats.state, state);
}

static void set(unsigned number, uint64_t value) {
    fob_command_t command = {
        .kind = FOB_CMD_GROUP_SET, .conn = 9, .admin = {.group = fob_slice_str("g")}};
    command.admin.patch.mask = 1u << number;
    assert_true(fob_policy_set(&command.admin.patch.to, number, value));
    kit_do(&kit, &command);
    assert_int_equal(kit_last(&kit, FOB_EFF_REPLY)->status, FOB_OK);
}

static void a_paused_group_says_who_lets_it_go(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", "a", 2);
    kit_publish(&kit, 1, 1, 1, "a", 12);
    set(FOB_POLICY_paused, 1);
    kit_pass(&kit, 12000);
    assert_why("paused", "paused by an operator for 12 s: 10 ready, 2 still with workers; "
                         "\"fob group resume g\" lets them go");
    set(FOB_POLICY_paused, 1); /* again: it is paused since the first time */
    assert_int_equal(kit.now.wall_ms - kit_stats(&kit, "g").paused_ms, 12000);
    kit_crash(&kit, kit.position);
    assert_int_equal(kit.now.wall_ms - kit_stats(&kit, "g").paused_ms, 12000);
    assert_string_equal(kit_stats(&kit, "g").state, "paused");
    set(FOB_POLICY_paused, 0);
    assert_int_equal(kit_stats(&kit, "g").paused_ms, 0);
    assert_string_equal(kit_stats(&kit, "g").state, "no_worker");
}

static void a_paused_group_without_events_is_paused_all_the_same(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", "a", 2);
    set(FOB_POLICY_paused, 1);
    assert_why("paused", "paused by an operator for 0 s: 0 ready; "
                         "\"fob group resume g\" lets them go");
}

/* What does not fit whole is left out, as half a sentence says nothing. */
static void a_sentence_of_the_longest_names_is_whole(void **state) {
    (void)state;
    char group[256], worker[256];
    memset(group, 'g', 255);
    memset(worker, 'w', 255);
    group[255] = worker[255] = 0;
    fob_group_stats_t stats;
    kit_do(&kit, &(fob_command_t){.kind = FOB_CMD_JOIN,
                                  .conn = 1,
                                  .join = {.group = fob_slice_str(group),
                                           .pattern = fob_slice_str("a"),
                                           .create = true,
                                           .credit = 5,
                                           .jobs = 1,
                                           .worker = fob_slice_str(worker)}});
    kit_publish(&kit, 1, 1, 1, "a", 9);
    fob_command_t pause = {
        .kind = FOB_CMD_GROUP_SET, .conn = 9, .admin = {.group = fob_slice_str(group)}};
    pause.admin.patch.mask = 1u << FOB_POLICY_paused;
    assert_true(fob_policy_set(&pause.admin.patch.to, FOB_POLICY_paused, 1));
    kit_do(&kit, &pause);
    fob_command_t unreachable = {.kind = FOB_CMD_UNREACHABLE, .conn = 1};
    unreachable.unreachable.until_ns = kit.now.mono_ns + FOB_SEC;
    kit_do(&kit, &unreachable);
    stats = kit_stats(&kit, group);
    size_t size = strlen(stats.why);
    assert_true(size < sizeof stats.why);
    assert_non_null(strstr(stats.why, "5 still with workers"));
    assert_string_equal(stats.why + size - strlen("gg\" lets them go"), "gg\" lets them go");
}

static void a_full_group_names_who_gets_busy_and_how_it_drains(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", "order_placed", 2);
    kit_publish(&kit, 1, 1, 1, "order_placed", 5);
    set(FOB_POLICY_max_depth, 5);
    assert_why("full", "full: 5 of 5, publishers of order_placed get BUSY; "
                       "nothing was settled for 10 s by its 1 worker");
    kit_lost(&kit, 1);
    kit_pass(&kit, 3000);
    assert_why("full", "full: 5 of 5, publishers of order_placed get BUSY; "
                       "no worker has joined for 3 s");
    set(FOB_POLICY_paused, 1);
    assert_why("paused", "full: 5 of 5, publishers of order_placed get BUSY; paused by an "
                         "operator: \"fob group resume g\" lets them go");
}

static void a_full_group_with_workers_tells_its_rate(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", "a", 4);
    kit_publish(&kit, 1, 1, 1, "a", 10);
    set(FOB_POLICY_max_depth, 6);
    kit_pass(&kit, 1000);
    kit_settle(&kit, 1, "g", 1, FOB_KIND_ACK, 1, 4, 1);
    kit_pass(&kit, 1000);
    assert_why("full", "full: 6 of 6, publishers of a get BUSY; 2.0 settled a second by 1 worker");
}

static void a_group_that_sheds_is_not_full_but_says_what_goes(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", "a", 4);
    kit_publish(&kit, 1, 1, 1, "a", 4);
    set(FOB_POLICY_max_depth, 4);
    set(FOB_POLICY_overflow, FOB_OVERFLOW_DROP_OLDEST);
    assert_why("flowing", "4 events with 1 of 1 workers; "
                          "full: the oldest ready event goes for each new one");
}

static void a_group_warns_from_four_fifths_on(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", "a", 4);
    kit_publish(&kit, 1, 1, 1, "a", 4);
    set(FOB_POLICY_max_depth, 5);
    assert_why("flowing", "4 events with 1 of 1 workers; 80% of max_depth=5");
    set(FOB_POLICY_max_depth, 6);
    assert_why("flowing", "4 events with 1 of 1 workers");
}

static void a_group_that_lacks_one_event_is_not_said_to_be_full(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", "a", 199);
    kit_publish(&kit, 1, 1, 1, "a", 199);
    set(FOB_POLICY_max_depth, 200);
    assert_why("flowing", "199 events with 1 of 1 workers; 99% of max_depth=200");
}

static void the_longest_names_do_not_cut_a_sentence(void **state) {
    (void)state;
    char name[256], pattern[256];
    memset(name, 'n', 255);
    memset(pattern, 'p', 255);
    name[255] = pattern[255] = 0;
    kit_join(&kit, 1, name, pattern, 0);
    fob_group_stats_t stats = kit_stats(&kit, name);
    assert_string_equal(stats.why + strlen(stats.why) - 5, "p yet");
    fob_command_t pause = {
        .kind = FOB_CMD_GROUP_SET,
        .admin = {.group = fob_slice_str(name), .patch = {1u << FOB_POLICY_paused, {.paused = 1}}}};
    kit_do(&kit, &pause);
    stats = kit_stats(&kit, name);
    assert_string_equal(stats.why + strlen(stats.why) - 15, "n\" lets them go");
}

static void the_window_of_ids_is_shown_as_it_is(void **state) {
    (void)state;
    fob_core_stats_t stats;
    fob_core_stats(kit.core, &stats);
    assert_int_equal(stats.ids, 0);
    assert_true(stats.dedup_span_ms < 0);
}

FOB_MAIN(FOB_CASE_WITH(a_paused_group_says_who_lets_it_go, setup, teardown),
         FOB_CASE_WITH(a_paused_group_without_events_is_paused_all_the_same, setup, teardown),
         FOB_CASE_WITH(a_sentence_of_the_longest_names_is_whole, setup, teardown),
         FOB_CASE_WITH(a_full_group_names_who_gets_busy_and_how_it_drains, setup, teardown),
         FOB_CASE_WITH(a_full_group_with_workers_tells_its_rate, setup, teardown),
         FOB_CASE_WITH(a_group_that_sheds_is_not_full_but_says_what_goes, setup, teardown),
         FOB_CASE_WITH(a_group_warns_from_four_fifths_on, setup, teardown),
         FOB_CASE_WITH(a_group_that_lacks_one_event_is_not_said_to_be_full, setup, teardown),
         FOB_CASE_WITH(the_longest_names_do_not_cut_a_sentence, setup, teardown),
         FOB_CASE_WITH(the_window_of_ids_is_shown_as_it_is, setup, teardown))
