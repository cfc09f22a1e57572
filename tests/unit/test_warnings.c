/* warnings: what is told before something is full. */
#include "bus/report/warnings.h"
#include "tests/support/case.h"

#include <string.h>

static fob_warnings_t warnings;
static char line[2048];

static fob_group_stats_t group_of(const char *name, uint64_t ready, uint64_t max_depth) {
    fob_group_stats_t group = {.group = fob_slice_str(name), .ready = ready};
    group.policy.max_depth = max_depth;
    group.policy.max_bytes = INT64_MAX;
    strcpy(group.why, "no worker has joined for 3 s");
    return group;
}

static bool tell(const fob_group_stats_t *group) {
    line[0] = 0;
    return fob_warnings_group(&warnings, group, line, sizeof line);
}

static bool tell_of(const char *name, uint64_t ready) {
    fob_group_stats_t group = group_of(name, ready, 100);
    return tell(&group);
}

static void check_says(const char *part) {
    if (!strstr(line, part))
        fail_msg("\"%s\" does not say \"%s\"", line, part);
}

static int free_all(void **state) {
    (void)state;
    fob_warnings_free(&warnings);
    return 0;
}

static void a_group_is_told_of_once_when_it_passes_eighty_percent(void **state) {
    (void)state;
    assert_false(tell_of("mailers", 79));
    assert_true(tell_of("mailers", 80));
    check_says("group mailers is 80% full (80 of 100 events, max_depth)");
    check_says("no worker has joined for 3 s");
    check_says("its publishers are answered BUSY");
    check_says("\"fob group show mailers\"");
    assert_false(tell_of("mailers", 100));
    assert_false(tell_of("mailers", 70));
    assert_false(tell_of("mailers", 85));
}

static void it_is_told_again_after_it_was_below_seventy(void **state) {
    (void)state;
    assert_true(tell_of("mailers", 90));
    assert_true(tell_of("mailers", 69));
    check_says("group mailers is below 70% again (69 of 100 events");
    assert_false(tell_of("mailers", 10));
    assert_true(tell_of("mailers", 80));
}

static void what_is_leased_or_delayed_counts_as_well(void **state) {
    (void)state;
    fob_group_stats_t group = group_of("g", 30, 100);
    group.leased = 30;
    group.delayed = 20;
    assert_true(tell(&group));
    check_says("80 of 100 events");
}

static void bytes_are_told_where_they_are_nearer_to_their_limit(void **state) {
    (void)state;
    fob_group_stats_t group = group_of("g", 10, 100);
    group.bytes = 900 << 10;
    group.policy.max_bytes = 1 << 20;
    assert_true(tell(&group));
    check_says("87% full (900.0 KiB of 1.0 MiB, max_bytes)");
}

static void what_becomes_of_events_is_said_by_the_policy(void **state) {
    (void)state;
    static const char *const words[] = {"answered BUSY", "oldest ready events are dropped",
                                        "lowest priority are dropped", "dead letters"};
    for (unsigned overflow = 0; overflow < 4; overflow++) {
        fob_group_stats_t group = group_of("g", 90, 100);
        group.policy.overflow = overflow;
        fob_warnings_free(&warnings);
        assert_true(tell(&group));
        check_says(words[overflow]);
    }
}

static void a_group_that_is_full_already_is_said_to_be(void **state) {
    (void)state;
    assert_true(tell_of("mailers", 100));
    check_says("group mailers is full (100 of 100 events, max_depth): no worker");
    assert_null(strstr(line, "once it is"));
}

static void what_the_sentence_of_a_full_group_says_is_not_said_twice(void **state) {
    (void)state;
    fob_group_stats_t group = group_of("mailers", 100, 100);
    group.state = "full";
    snprintf(group.why, sizeof group.why, "full: 100 of 100, publishers of mail get BUSY");
    assert_true(tell(&group));
    check_says("group mailers is full: 100 of 100, publishers of mail get BUSY: see ");
}

static void each_group_is_told_of_by_itself(void **state) {
    (void)state;
    static const char *const names[] = {"m", "a", "z", "mm", "b"};
    for (size_t i = 0; i < 5; i++)
        assert_true(tell_of(names[i], 90));
    for (size_t i = 0; i < 5; i++)
        assert_false(tell_of(names[i], 90));
    assert_true(tell_of("mm", 0));
    assert_false(tell_of("m", 90));
    assert_true(tell_of("mm", 90));
}

/* --- the disk --- */

static uint64_t pinned(const void *arg, uint64_t from) {
    (void)arg;
    return from == 17 ? 700 << 20 : 1;
}

static bool tell_disk(uint64_t percent_taken, const fob_group_stats_t *holder) {
    const uint64_t gib = 1 << 30;
    fob_room_t disk = {gib, gib / 100 * (100 - percent_taken), pinned, NULL};
    line[0] = 0;
    return fob_warnings_disk(&warnings, &disk, holder, line, sizeof line);
}

static void a_disk_that_fills_is_told_with_who_holds_how_much(void **state) {
    (void)state;
    fob_group_stats_t holder = group_of("mailers", 5, 100);
    holder.floor = 17;
    assert_false(tell_disk(79, &holder));
    assert_true(tell_disk(81, &holder));
    check_says("room for 194.6 MiB more, of 1.0 GiB");
    check_says("group mailers holds 700.0 MiB of it, from event 17 on");
    assert_false(tell_disk(99, &holder));
    assert_false(tell_disk(71, &holder));
    assert_true(tell_disk(60, &holder));
    check_says("there is room for 409.6 MiB in the journal again");
    assert_false(tell_disk(60, &holder));
    assert_true(tell_disk(90, NULL));
    check_says("no group needs what is stored");
}

static void a_file_system_with_more_room_than_we_may_have_is_not_full(void **state) {
    (void)state;
    fob_room_t disk = {1000, 5000, pinned, NULL};
    assert_false(fob_warnings_disk(&warnings, &disk, NULL, line, sizeof line));
}

/* --- the look --- */

static fob_core_t *core;
static int lines;

static void count_lines(void *arg, const char *text) {
    (void)arg;
    lines++;
    snprintf(line, sizeof line, "%s", text);
}

static fob_now_t at(int64_t seconds) {
    return (fob_now_t){.mono_ns = seconds * FOB_SEC, .wall_ms = 1700000000000 + seconds * 1000};
}

static void step(fob_now_t now, const fob_command_t *command) {
    assert_int_equal(fob_core_step(core, now, command), FOB_OK);
    fob_turn_t *turn = fob_core_take(core, now);
    if (turn)
        fob_core_release(core, &turn);
}

static void admin(fob_command_kind_t kind, const char *name, uint64_t max_depth) {
    fob_command_t command = {.kind = kind};
    command.admin.group = fob_slice_str(name);
    command.admin.pattern = fob_slice_str("t");
    command.admin.patch.mask = max_depth ? 1u << FOB_POLICY_max_depth : 0;
    command.admin.patch.to.max_depth = max_depth;
    step(at(1), &command);
}

static void publish_one(void) {
    static const uint8_t event[] = {0x93, 0xa1, 't', 0x80, 0xc4, 0};
    static const uint8_t session[FOB_SESSION_SIZE] = {9};
    fob_command_t command = {.kind = FOB_CMD_PUBLISH, .conn = 1};
    command.publish.session = session;
    command.publish.first = command.publish.low = 1;
    command.publish.body = fob_blob_copy(fob_slice(event, sizeof event));
    step(at(1), &command);
    fob_blob_unref(&command.publish.body);
}

static int make_core(void **state) {
    (void)state;
    const fob_core_config_t config = {.max_event = 1000,
                                      .max_groups = 100,
                                      .max_sessions = 10,
                                      .session_keep_ms = 60000,
                                      .resume_ms = 3000,
                                      .cache_bytes = 1 << 20,
                                      .page_bytes = 4096,
                                      .mark_block = 100,
                                      .policy = {.max_depth = 1000,
                                                 .max_bytes = INT64_MAX,
                                                 .max_attempts = 5,
                                                 .backoff_factor = 2,
                                                 .dead_max = 10,
                                                 .dead_max_age = 1000},
                                      .release_first_ms = 100};
    core = fob_core_new(&config);
    lines = 0;
    if (core)
        fob_core_start(core, at(1), 0);
    return core ? 0 : -1;
}

static int drop_core(void **state) {
    fob_core_destroy(&core);
    return free_all(state);
}

static void look(int64_t second) {
    fob_room_t disk = {1000, 1000, pinned, NULL};
    fob_warnings_look(&warnings, at(second), core, &disk, count_lines, NULL);
}

static void a_look_is_due_once_a_second(void **state) {
    (void)state;
    assert_true(fob_warnings_due(&warnings, at(5)));
    look(5);
    assert_false(fob_warnings_due(&warnings, at(5)));
    assert_true(fob_warnings_due(&warnings, at(6)));
}

static void many_groups_at_once_are_told_of_a_few_a_second(void **state) {
    (void)state;
    char name[16];
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "g%d", i);
        admin(FOB_CMD_GROUP_ADD, name, 1);
    }
    publish_one();
    look(5);
    assert_int_equal(lines, FOB_WARNINGS_LINES);
    look(6);
    look(7);
    look(8);
    assert_int_equal(lines, 20);
}

static void a_group_that_is_gone_is_forgotten(void **state) {
    (void)state;
    admin(FOB_CMD_GROUP_ADD, "g", 1);
    publish_one();
    look(5);
    assert_int_equal(lines, 1);
    assert_int_equal(warnings.count, 1);
    admin(FOB_CMD_GROUP_REMOVE, "g", 0);
    look(6);
    assert_int_equal(warnings.count, 0);
    assert_int_equal(lines, 1);
}

FOB_MAIN(FOB_CASE_WITH(a_group_is_told_of_once_when_it_passes_eighty_percent, NULL, free_all),
         FOB_CASE_WITH(it_is_told_again_after_it_was_below_seventy, NULL, free_all),
         FOB_CASE_WITH(what_is_leased_or_delayed_counts_as_well, NULL, free_all),
         FOB_CASE_WITH(bytes_are_told_where_they_are_nearer_to_their_limit, NULL, free_all),
         FOB_CASE_WITH(what_becomes_of_events_is_said_by_the_policy, NULL, free_all),
         FOB_CASE_WITH(a_group_that_is_full_already_is_said_to_be, NULL, free_all),
         FOB_CASE_WITH(what_the_sentence_of_a_full_group_says_is_not_said_twice, NULL, free_all),
         FOB_CASE_WITH(each_group_is_told_of_by_itself, NULL, free_all),
         FOB_CASE_WITH(a_disk_that_fills_is_told_with_who_holds_how_much, NULL, free_all),
         FOB_CASE_WITH(a_file_system_with_more_room_than_we_may_have_is_not_full, NULL, free_all),
         FOB_CASE_WITH(a_look_is_due_once_a_second, make_core, drop_core),
         FOB_CASE_WITH(many_groups_at_once_are_told_of_a_few_a_second, make_core, drop_core),
         FOB_CASE_WITH(a_group_that_is_gone_is_forgotten, make_core, drop_core))
