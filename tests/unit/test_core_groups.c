/* What an operator does to groups: durable, live, and told in words. */
#include "test_core_kit.h"

#include "bus/core/durable/record.h"
#include "tests/support/case.h"

static kit_t kit;

static int setup(void **state) {
    (void)state;
    kit_init(&kit, &kit_config);
    kit.hash_turns = true; /* a crash checks what it replays */
    return 0;
}

static int teardown(void **state) {
    (void)state;
    kit_books(&kit);
    kit_crash(&kit, kit.position);
    kit_books(&kit);
    if (kit.position)
        kit_checkpoint(&kit);
    kit_crash(&kit, kit.position);
    kit_books(&kit);
    kit_free(&kit);
    return 0;
}

static fob_command_t command(fob_command_kind_t kind, const char *group) {
    return (fob_command_t){
        .kind = kind, .conn = 5, .admin = {.req = 77, .group = fob_slice_str(group), .lowest = 1}};
}

/* Tells it and gives its answer. */
static const kit_effect_t *told(const fob_command_t *admin) {
    kit_clear(&kit);
    kit_do(&kit, admin);
    const kit_effect_t *reply = kit_last(&kit, FOB_EFF_REPLY);
    assert_non_null(reply);
    assert_int_equal(reply->req, 77);
    return reply;
}

static void assert_told(const fob_command_t *admin, fob_status_t status, const char *text) {
    const kit_effect_t *reply = told(admin);
    assert_string_equal(reply->text, text);
    assert_int_equal(reply->status, status);
}

static fob_command_t adding(const char *group, const char *pattern) {
    fob_command_t admin = command(FOB_CMD_GROUP_ADD, group);
    admin.admin.pattern = fob_slice_str(pattern);
    return admin;
}

static fob_command_t setting(const char *group, unsigned number, uint64_t value) {
    fob_command_t admin = command(FOB_CMD_GROUP_SET, group);
    admin.admin.patch.mask = 1u << number;
    if (!fob_policy_set(&admin.admin.patch.to, number, value) && number == FOB_POLICY_max_attempts)
        admin.admin.patch.to.max_attempts = value;
    return admin;
}

/* --- settings --- */

static void a_new_group_has_the_defaults_but_for_what_is_said(void **state) {
    (void)state;
    fob_command_t admin = adding("g", "a.>");
    admin.admin.patch = (fob_policy_patch_t){1u << FOB_POLICY_max_depth, {.max_depth = 100}};
    assert_told(&admin, FOB_OK, "");
    fob_policy_t policy = kit_stats(&kit, "g").policy;
    assert_int_equal(policy.max_depth, 100);
    assert_int_equal(policy.max_attempts, kit_config.policy.max_attempts);
    kit_join(&kit, 1, "h", ">", 1);
    assert_int_equal(kit_stats(&kit, "h").policy.max_depth, kit_config.policy.max_depth);
}

static void later_defaults_do_not_change_the_groups_there_are(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", ">", 1);
    kit.config.policy.max_attempts = 99;
    kit_crash(&kit, kit.position);
    assert_int_equal(kit_stats(&kit, "g").policy.max_attempts, 5);
    kit_join(&kit, 1, "h", ">", 1);
    assert_int_equal(kit_stats(&kit, "h").policy.max_attempts, 99);
}

static void a_setting_is_changed_live_and_for_good(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", ">", 10);
    fob_command_t set = setting("g", FOB_POLICY_max_attempts, 1);
    assert_told(&set, FOB_OK, "");
    kit_publish(&kit, 1, 1, 1, "a", 1);
    kit_settle(&kit, 1, "g", 1, FOB_KIND_RETRY, 1, 1, 1);
    assert_int_equal(kit_stats(&kit, "g").dead, 1);
    kit_crash(&kit, kit.position);
    assert_int_equal(kit_stats(&kit, "g").policy.max_attempts, 1);
    assert_int_equal(kit_stats(&kit, "g").policy.max_depth, kit_config.policy.max_depth);
}

static void a_setting_out_of_its_bounds_is_refused_by_name(void **state) {
    (void)state;
    fob_command_t set = setting("g", FOB_POLICY_max_attempts, 0);
    assert_told(&set, FOB_NO_GROUP, "there is no group g: make it first");
    fob_command_t add = adding("g", ">");
    add.admin.patch = set.admin.patch;
    assert_told(&add, FOB_INVALID, "max_attempts is 1 to 1000000, not 0");
    assert_int_equal(fob_core_group_count(kit.core), 0);
    kit_join(&kit, 1, "g", ">", 10);
    assert_told(&set, FOB_INVALID, "max_attempts is 1 to 1000000, not 0");
    assert_int_equal(kit_stats(&kit, "g").policy.max_attempts, 5);
    set.admin.patch.mask = 1u << FOB_POLICY_END;
    assert_told(&set, FOB_INVALID, "there is no such setting in this version");
}

static void a_change_is_answered_when_it_is_durable(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", ">", 10);
    kit.manual = true;
    kit_clear(&kit);
    fob_command_t set = setting("g", FOB_POLICY_max_depth, 9);
    kit_do(&kit, &set);
    assert_true(kit.synced);
    assert_null(kit_last(&kit, FOB_EFF_REPLY));
    set.admin.patch.mask = 0; /* nothing is asked for, but what holds is not durable yet */
    kit_do(&kit, &set);
    assert_null(kit_last(&kit, FOB_EFF_REPLY));
    kit_sync(&kit, kit.position);
    assert_int_equal(kit_count(&kit, FOB_EFF_REPLY), 2);
}

static void what_goes_on_goes_out_when_that_is_durable(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", ">", 10);
    kit_publish(&kit, 1, 1, 1, "a", 1); /* which makes a mark ahead of it */
    fob_command_t set = setting("g", FOB_POLICY_paused, 1);
    assert_told(&set, FOB_OK, "");
    kit_publish(&kit, 1, 2, 2, "a", 1);
    kit.manual = true;
    kit_clear(&kit);
    set = setting("g", FOB_POLICY_paused, 0);
    kit_do(&kit, &set);
    assert_int_equal(kit_stats(&kit, "g").leased, 2);
    assert_null(kit_last(&kit, FOB_EFF_DELIVER));
    kit_sync(&kit, kit.position);
    assert_int_equal(kit_count(&kit, FOB_EFF_DELIVER), 1);
}

static void adding_a_group_again_sets_what_is_said_and_moves_nothing(void **state) {
    (void)state;
    kit_publish(&kit, 1, 1, 1, "a", 3);
    fob_command_t add = adding("g", ">");
    assert_told(&add, FOB_OK, "");
    assert_told(&add, FOB_OK, "");
    add.admin.patch = (fob_policy_patch_t){1u << FOB_POLICY_max_depth, {.max_depth = 100}};
    assert_told(&add, FOB_OK, "");
    assert_int_equal(kit_stats(&kit, "g").policy.max_depth, 100);
    add.admin.offset = 1;
    assert_told(&add, FOB_OK,
                "group g was there already and goes on where it is: "
                "\"fob group reset g --to ...\" moves it");
    assert_int_equal(kit_stats(&kit, "g").accepted, 0);
    add.admin.pattern = fob_slice_str("b");
    assert_int_equal(told(&add)->status, FOB_PATTERN_DIFFERS);
}

static void an_offset_that_is_not_there_yet_is_refused(void **state) {
    (void)state;
    kit_publish(&kit, 1, 1, 1, "a", 3);
    fob_command_t add = adding("g", ">");
    add.admin.offset = 5;
    assert_told(&add, FOB_INVALID,
                "offset 5 is not there yet, the next will be 4: give one up to that, or latest");
    assert_int_equal(fob_core_group_count(kit.core), 0);
    add.admin.offset = 4;
    assert_told(&add, FOB_OK, "");
}

/* --- purge --- */

static const uint64_t *nth(size_t index) {
    return kit_nth(&kit, index);
}

/* Six events: 1 is acked, 2 waits for its retry, 3 is with a worker as attempt 2, 4 is with it for
 * the first time, 5 and 6 are ready. */
static void six_in_every_place(void) {
    kit_join(&kit, 1, "g", ">", 3);
    kit_publish(&kit, 1, 1, 1, "a", 6);
    kit_settle(&kit, 1, "g", 1, FOB_KIND_ACK, 1, 1, nth(0)[1]);
    kit_settle(&kit, 1, "g", 2, FOB_KIND_RETRY, 3, 1, nth(2)[1]);
    kit_pass(&kit, 2000);
    kit_credit(&kit, 1, "g", 4);
    assert_int_equal(nth(3)[0], 3);
    assert_int_equal(nth(3)[2], 2);
    kit_settle(&kit, 1, "g", 3, FOB_KIND_RETRY, 2, 1, nth(1)[1]);
    kit_credit(&kit, 1, "g", 5);
    assert_int_equal(nth(4)[0], 4);
    fob_group_stats_t stats = kit_stats(&kit, "g");
    assert_int_equal(stats.ready, 2);
    assert_int_equal(stats.leased, 2);
    assert_int_equal(stats.delayed, 1);
}

static void a_purge_removes_all_but_what_workers_hold(void **state) {
    (void)state;
    six_in_every_place();
    uint64_t again = nth(3)[1], first = nth(4)[1];
    fob_command_t purge = command(FOB_CMD_GROUP_PURGE, "g");
    assert_told(&purge, FOB_OK, "3 removed from group g, 2 stay with their workers");
    fob_group_stats_t stats = kit_stats(&kit, "g");
    assert_int_equal(stats.removed, 3);
    assert_int_equal(stats.removed_by[FOB_REMOVAL_PURGE], 3);
    assert_int_equal(stats.leased, 2);
    assert_int_equal(stats.ready + stats.delayed, 0);
    assert_int_equal(stats.generation, 1);
    assert_int_equal(fob_core_floor(kit.core), 3); /* what is out is still needed */
    kit_credit(&kit, 1, "g", 100);
    kit_pass(&kit, 400000);
    assert_int_equal(kit_delivered(&kit, 0), 0);
    kit_settle(&kit, 1, "g", 4, FOB_KIND_ACK, 3, 1, again);
    kit_settle(&kit, 1, "g", 5, FOB_KIND_ACK, 4, 1, first);
    assert_int_equal(kit_last(&kit, FOB_EFF_SETTLED)->row_count, 0);
    assert_int_equal(kit_stats(&kit, "g").acked, 3);
    assert_int_equal(fob_core_floor(kit.core), 7);
    kit_publish(&kit, 1, 7, 7, "a", 1);
    assert_int_equal(nth(0)[0], 7);
}

static void what_was_spared_by_a_purge_comes_back_as_it_was(void **state) {
    (void)state;
    six_in_every_place();
    uint64_t again = nth(3)[1], first = nth(4)[1];
    fob_command_t purge = command(FOB_CMD_GROUP_PURGE, "g");
    told(&purge);
    kit_crash(&kit, kit.position); /* its worker is still there, and claims one of two */
    kit_rejoin(&kit, 2, 1, "g", 0, (const uint64_t[][3]){{4, 1, first}}, 1);
    assert_int_equal(kit_last(&kit, FOB_EFF_JOINED)->row_count, 0);
    kit_pass(&kit, 3000);
    kit_clear(&kit);
    kit_credit(&kit, 2, "g", 5);
    kit_pages(&kit);
    assert_int_equal(kit_delivered(&kit, 0), 1);
    assert_int_equal(nth(0)[0], 3);
    assert_int_equal(nth(0)[2], 2);
    assert_true(nth(0)[1] > first && nth(0)[1] > again);
}

static void a_purge_in_the_resume_window_takes_what_nobody_claimed(void **state) {
    (void)state;
    six_in_every_place();
    uint64_t again = nth(3)[1], first = nth(4)[1];
    kit_crash(&kit, kit.position);
    fob_command_t purge = command(FOB_CMD_GROUP_PURGE, "g");
    assert_told(&purge, FOB_OK, "5 removed from group g, 0 stay with their workers");
    kit_rejoin(&kit, 2, 1, "g", 9, (const uint64_t[][3]){{3, 1, again}, {4, 1, first}}, 2);
    const kit_effect_t *joined = kit_last(&kit, FOB_EFF_JOINED);
    assert_int_equal(joined->row_count, 1);
    assert_int_equal(joined->rows[0][0], FOB_GONE);
    assert_int_equal(joined->rows[0][2], 2); /* both */
    kit_pass(&kit, 4000);
    assert_int_equal(kit_delivered(&kit, 0), 0);
    assert_int_equal(fob_core_floor(kit.core), 7);
    assert_int_equal(fob_core_settle_reserve(kit.core), 0);
}

static void dead_letters_outlive_a_purge(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", ">", 1);
    kit_publish(&kit, 1, 1, 1, "a", 4);
    kit_settle(&kit, 1, "g", 1, FOB_KIND_REJECT, 1, 1, nth(0)[1]);
    fob_command_t purge = command(FOB_CMD_GROUP_PURGE, "g");
    assert_told(&purge, FOB_OK, "3 removed from group g, 0 stay with their workers");
    assert_int_equal(kit_stats(&kit, "g").dead, 1);
    assert_int_equal(kit_stats(&kit, "g").floor, 1);
}

/* --- reset --- */

static void a_reset_to_latest_takes_everything_and_tells_the_worker(void **state) {
    (void)state;
    six_in_every_place();
    uint64_t again = nth(3)[1], first = nth(4)[1];
    fob_command_t reset = command(FOB_CMD_GROUP_RESET, "g");
    assert_told(&reset, FOB_OK, "group g goes on at offset 7; what it had below is removed");
    const kit_effect_t *lost = kit_last(&kit, FOB_EFF_LOST);
    assert_int_equal(lost->conn, 1);
    assert_string_equal(lost->group, "g");
    assert_string_equal(lost->text, "an operator reset the group to offset 7");
    assert_int_equal(lost->row_count, 1);
    assert_int_equal(lost->rows[0][0], 3);
    assert_int_equal(lost->rows[0][1], 2); /* and 4, under the next token */
    assert_int_equal(lost->rows[0][2], again);
    fob_group_stats_t stats = kit_stats(&kit, "g");
    assert_int_equal(stats.removed_by[FOB_REMOVAL_RESET], 5);
    assert_int_equal(stats.ready + stats.leased + stats.delayed, 0);
    assert_int_equal(stats.generation, 1);
    assert_int_equal(fob_core_floor(kit.core), 7);
    kit_settle(&kit, 1, "g", 4, FOB_KIND_ACK, 4, 1, first);
    assert_int_equal(kit_last(&kit, FOB_EFF_SETTLED)->rows[0][0], FOB_GONE);
    kit_credit(&kit, 1, "g", 6);
    kit_publish(&kit, 1, 7, 7, "a", 1);
    assert_int_equal(nth(0)[0], 7);
    assert_true(nth(0)[1] > first && nth(0)[1] > again);
}

static void what_a_reset_takes_is_lost_when_the_reset_is_durable(void **state) {
    (void)state;
    six_in_every_place();
    kit.manual = true;
    kit_clear(&kit);
    fob_command_t reset = command(FOB_CMD_GROUP_RESET, "g");
    kit_do(&kit, &reset);
    assert_int_equal(kit.shown_count, 0);
    kit_sync(&kit, kit.position);
    assert_int_equal(kit_count(&kit, FOB_EFF_LOST), 1);
    assert_int_equal(kit_count(&kit, FOB_EFF_REPLY), 1);
}

static void a_lease_from_before_a_reset_is_not_claimed_after_it(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", ">", 3);
    kit_publish(&kit, 1, 1, 1, "a", 3);
    uint64_t old = nth(2)[1];
    fob_command_t reset = command(FOB_CMD_GROUP_RESET, "g");
    told(&reset);
    kit_credit(&kit, 1, "g", 6);
    kit_publish(&kit, 1, 4, 4, "a", 3);
    kit_crash(&kit, kit.position);
    /* Of its tokens none that is old is good, whatever it names. */
    kit_rejoin(&kit, 2, 1, "g", 0, (const uint64_t[][3]){{3, 1, old}, {4, 1, old}}, 2);
    const kit_effect_t *joined = kit_last(&kit, FOB_EFF_JOINED);
    assert_int_equal(joined->row_count, 2);
    assert_int_equal(joined->rows[0][0], FOB_GONE);
    assert_int_equal(joined->rows[1][0], FOB_NOT_HELD);
}

static void a_reset_beyond_what_is_there_is_refused(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", ">", 3);
    fob_command_t reset = command(FOB_CMD_GROUP_RESET, "g");
    reset.admin.offset = 9;
    assert_told(&reset, FOB_INVALID,
                "offset 9 is not there yet, the next will be 1: give one up to that, or latest");
    reset.admin.group = fob_slice_str("h");
    assert_int_equal(told(&reset)->status, FOB_NO_GROUP);
}

static fob_command_t resetting(uint64_t offset) {
    fob_command_t admin = command(FOB_CMD_GROUP_RESET, "g");
    admin.admin.offset = offset;
    return admin;
}

/* The offsets delivered, in order, are these; 0 ends them. */
static void assert_delivered(const uint64_t *offsets) {
    size_t count = 0;
    for (; offsets[count]; count++)
        assert_int_equal(nth(count)[0], offsets[count]);
    assert_int_equal(kit_delivered(&kit, 0), count);
}

static void a_reset_backward_replays_what_was_settled_but_no_dead_letter(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", "a", 4);
    kit_publish_topics(&kit, 1, 1, 1, "a b a a a");
    kit_settle(&kit, 1, "g", 1, FOB_KIND_ACK, 1, 1, nth(0)[1]);
    kit_settle(&kit, 1, "g", 2, FOB_KIND_REJECT, 3, 1, nth(1)[1]);
    kit_settle(&kit, 1, "g", 3, FOB_KIND_ACK, 4, 1, nth(2)[1]);
    uint64_t highest = nth(3)[1];
    kit_pass(&kit, 5000);
    fob_command_t reset = resetting(1);
    assert_told(&reset, FOB_OK, "group g begins anew at offset 1, as generation 2");
    assert_int_equal(kit_last(&kit, FOB_EFF_LOST)->rows[0][0], 5);
    kit_credit(&kit, 1, "g", 100);
    kit_pages(&kit);
    assert_delivered((const uint64_t[]){1, 4, 5, 0});
    assert_true(nth(0)[1] > highest);
    assert_int_equal(nth(0)[2], 1); /* attempts begin anew */
    fob_group_stats_t stats = kit_stats(&kit, "g");
    assert_int_equal(stats.generation, 2);
    assert_int_equal(stats.since_ms, kit.now.wall_ms);
    assert_int_equal(stats.accepted, 4);
    assert_int_equal(stats.dead, 1);
    assert_int_equal(stats.acked, 0);
    kit_settle(&kit, 1, "g", 4, FOB_KIND_ACK, 1, 1, nth(0)[1]);
    assert_int_equal(kit_stats(&kit, "g").acked, 1);
}

static void a_reset_into_the_middle_begins_there(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", ">", 6);
    kit_publish(&kit, 1, 1, 1, "a", 6);
    kit_settle(&kit, 1, "g", 1, FOB_KIND_ACK, 1, 6, nth(0)[1]);
    fob_command_t reset = resetting(4);
    told(&reset);
    kit_credit(&kit, 1, "g", 100);
    kit_pages(&kit);
    assert_delivered((const uint64_t[]){4, 5, 6, 0});
    kit_settle(&kit, 1, "g", 2, FOB_KIND_ACK, 4, 3, nth(0)[1]);
    assert_int_equal(kit_stats(&kit, "g").acked, 3);
    assert_int_equal(fob_core_floor(kit.core), 7);
}

static void a_reset_forward_removes_what_lies_below(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", ">", 2);
    kit_publish(&kit, 1, 1, 1, "a", 10);
    kit_settle(&kit, 1, "g", 1, FOB_KIND_RETRY, 1, 1, nth(0)[1]);
    uint64_t second = nth(1)[1];
    fob_command_t reset = resetting(6);
    assert_told(&reset, FOB_OK, "group g goes on at offset 6; what it had below is removed");
    assert_int_equal(kit_last(&kit, FOB_EFF_LOST)->rows[0][0], 2);
    kit_credit(&kit, 1, "g", 100);
    kit_pages(&kit);
    assert_delivered((const uint64_t[]){6, 7, 8, 9, 10, 0});
    assert_true(nth(0)[1] > second);
    fob_group_stats_t stats = kit_stats(&kit, "g");
    assert_int_equal(stats.generation, 1);
    assert_int_equal(stats.removed_by[FOB_REMOVAL_RESET], 5);
    assert_int_equal(stats.leased, 5);
    assert_int_equal(stats.delayed, 0);
    assert_int_equal(fob_core_floor(kit.core), 6);
}

static void a_reset_forward_needs_no_worker(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", ">", 0);
    kit_publish(&kit, 1, 1, 1, "a", 10);
    kit_lost(&kit, 1);
    fob_command_t reset = resetting(6);
    told(&reset);
    kit_pages(&kit);
    assert_int_equal(fob_core_floor(kit.core), 6);
    assert_int_equal(kit_stats(&kit, "g").removed, 5);
    assert_int_equal(kit_stats(&kit, "g").ready, 5);
}

/* What lies below may end with other topics: its floor stays below them, and nothing is left out
 * any more. */
static void a_reset_forward_that_is_done_is_not_told_as_going_on(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", "a", 0);
    kit_publish_topics(&kit, 1, 1, 1, "a a b b b b");
    kit_lost(&kit, 1);
    fob_command_t reset = resetting(5);
    told(&reset);
    kit_pages(&kit);
    fob_group_stats_t stats = kit_stats(&kit, "g");
    assert_int_equal(stats.removed, 2);
    assert_true(fob_core_floor(kit.core) < 5);
    assert_null(strstr(stats.why, "leaving out"));
}

static void a_group_may_begin_in_the_past(void **state) {
    (void)state;
    kit_publish_topics(&kit, 1, 1, 1, "a b a b a");
    fob_command_t add = adding("g", "a");
    add.admin.offset = 2;
    assert_told(&add, FOB_OK, "");
    kit_pages(&kit);
    assert_int_equal(kit_stats(&kit, "g").accepted, 2);
    assert_int_equal(kit_stats(&kit, "g").ready, 2);
    kit_publish(&kit, 1, 6, 6, "a", 1);
    kit_clear(&kit);
    kit_join(&kit, 1, "g", "a", 100);
    kit_pages(&kit);
    assert_delivered((const uint64_t[]){3, 5, 6, 0});
}

static void what_the_journal_has_no_more_is_left_out_and_told(void **state) {
    (void)state;
    kit_publish(&kit, 1, 1, 1, "a", 5);
    fob_command_t add = adding("g", "a");
    add.admin.offset = 1;
    add.admin.lowest = 4;
    assert_told(&add, FOB_OK,
                "what lies below offset 4 is not kept any more: group g begins there");
    kit_pages(&kit);
    assert_int_equal(kit_stats(&kit, "g").accepted, 2);
}

static void a_reset_during_a_census_begins_it_anew(void **state) {
    (void)state;
    kit_publish(&kit, 1, 1, 1, "a", 20);
    kit_crash(&kit, kit.position); /* so that pages have to be read */
    fob_command_t add = adding("g", "a");
    add.admin.offset = 1;
    told(&add);
    fob_group_stats_t stats = kit_stats(&kit, "g");
    assert_string_equal(stats.state, "waiting");
    assert_string_equal(stats.why, "looking through the journal for its events: at offset 1 of 20");
    fob_command_t reset = resetting(11);
    told(&reset);
    assert_int_equal(kit_stats(&kit, "g").generation, 2);
    kit_crash(&kit, kit.position);
    kit_join(&kit, 1, "g", "a", 100);
    kit_pages(&kit);
    assert_int_equal(kit_stats(&kit, "g").accepted, 10);
    assert_int_equal(nth(0)[0], 11);
    assert_int_equal(kit_delivered(&kit, 0), 10);
}

static void a_purge_ends_a_census(void **state) {
    (void)state;
    kit_publish(&kit, 1, 1, 1, "a", 20);
    kit_crash(&kit, kit.position);
    fob_command_t add = adding("g", "a");
    add.admin.offset = 1;
    told(&add);
    fob_command_t purge = command(FOB_CMD_GROUP_PURGE, "g");
    told(&purge);
    kit_join(&kit, 1, "g", "a", 100);
    kit_pages(&kit);
    assert_int_equal(kit_stats(&kit, "g").ready, 0);
    assert_int_equal(kit_delivered(&kit, 0), 0);
    assert_int_equal(fob_core_floor(kit.core), 21);
}

static void a_reset_in_the_resume_window_gives_everything_again_at_once(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", ">", 3);
    kit_publish(&kit, 1, 1, 1, "a", 3);
    uint64_t old = nth(0)[1];
    kit_crash(&kit, kit.position);
    fob_command_t reset = resetting(1);
    told(&reset);
    kit_rejoin(&kit, 2, 1, "g", 9, (const uint64_t[][3]){{1, 3, old}}, 1);
    kit_pages(&kit);
    assert_int_equal(kit_last(&kit, FOB_EFF_JOINED)->rows[0][0], FOB_NOT_HELD);
    assert_delivered((const uint64_t[]){1, 2, 3, 0});
    assert_true(nth(0)[1] > old + 2);
}

static void a_paused_group_stays_paused_over_a_reset(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", ">", 9);
    kit_publish(&kit, 1, 1, 1, "a", 3);
    fob_command_t pause = setting("g", FOB_POLICY_paused, 1);
    told(&pause);
    fob_command_t reset = resetting(1);
    told(&reset);
    kit_credit(&kit, 1, "g", 100);
    kit_pages(&kit);
    assert_int_equal(kit_delivered(&kit, 0), 0);
    assert_int_equal(kit_stats(&kit, "g").ready, 3);
    assert_string_equal(kit_stats(&kit, "g").state, "paused");
    fob_command_t resume = setting("g", FOB_POLICY_paused, 0);
    kit_do(&kit, &resume);
    assert_delivered((const uint64_t[]){1, 2, 3, 0});
}

static void the_bytes_a_group_holds_leave_with_what_is_removed(void **state) {
    (void)state;
    six_in_every_place();
    uint64_t bytes = kit_stats(&kit, "g").bytes;
    assert_int_equal(bytes % 5, 0);
    assert_true(bytes > 0);
    fob_command_t purge = command(FOB_CMD_GROUP_PURGE, "g");
    told(&purge);
    assert_int_equal(kit_stats(&kit, "g").bytes, bytes / 5 * 2);
    fob_command_t reset = command(FOB_CMD_GROUP_RESET, "g");
    told(&reset);
    assert_int_equal(kit_stats(&kit, "g").bytes, 0);
}

FOB_MAIN(FOB_CASE_WITH(a_new_group_has_the_defaults_but_for_what_is_said, setup, teardown),
         FOB_CASE_WITH(later_defaults_do_not_change_the_groups_there_are, setup, teardown),
         FOB_CASE_WITH(a_setting_is_changed_live_and_for_good, setup, teardown),
         FOB_CASE_WITH(a_setting_out_of_its_bounds_is_refused_by_name, setup, teardown),
         FOB_CASE_WITH(a_change_is_answered_when_it_is_durable, setup, teardown),
         FOB_CASE_WITH(what_goes_on_goes_out_when_that_is_durable, setup, teardown),
         FOB_CASE_WITH(adding_a_group_again_sets_what_is_said_and_moves_nothing, setup, teardown),
         FOB_CASE_WITH(an_offset_that_is_not_there_yet_is_refused, setup, teardown),
         FOB_CASE_WITH(a_purge_removes_all_but_what_workers_hold, setup, teardown),
         FOB_CASE_WITH(what_was_spared_by_a_purge_comes_back_as_it_was, setup, teardown),
         FOB_CASE_WITH(a_purge_in_the_resume_window_takes_what_nobody_claimed, setup, teardown),
         FOB_CASE_WITH(dead_letters_outlive_a_purge, setup, teardown),
         FOB_CASE_WITH(a_reset_to_latest_takes_everything_and_tells_the_worker, setup, teardown),
         FOB_CASE_WITH(what_a_reset_takes_is_lost_when_the_reset_is_durable, setup, teardown),
         FOB_CASE_WITH(a_lease_from_before_a_reset_is_not_claimed_after_it, setup, teardown),
         FOB_CASE_WITH(a_reset_beyond_what_is_there_is_refused, setup, teardown),
         FOB_CASE_WITH(a_reset_backward_replays_what_was_settled_but_no_dead_letter, setup,
                       teardown),
         FOB_CASE_WITH(a_reset_into_the_middle_begins_there, setup, teardown),
         FOB_CASE_WITH(a_reset_forward_removes_what_lies_below, setup, teardown),
         FOB_CASE_WITH(a_reset_forward_needs_no_worker, setup, teardown),
         FOB_CASE_WITH(a_reset_forward_that_is_done_is_not_told_as_going_on, setup, teardown),
         FOB_CASE_WITH(a_group_may_begin_in_the_past, setup, teardown),
         FOB_CASE_WITH(what_the_journal_has_no_more_is_left_out_and_told, setup, teardown),
         FOB_CASE_WITH(a_reset_during_a_census_begins_it_anew, setup, teardown),
         FOB_CASE_WITH(a_purge_ends_a_census, setup, teardown),
         FOB_CASE_WITH(a_reset_in_the_resume_window_gives_everything_again_at_once, setup,
                       teardown),
         FOB_CASE_WITH(a_paused_group_stays_paused_over_a_reset, setup, teardown),
         FOB_CASE_WITH(the_bytes_a_group_holds_leave_with_what_is_removed, setup, teardown))
