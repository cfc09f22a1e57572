/* What an operator does to groups: durable, live, and told in words. */
#include "test_core_kit.h"

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

FOB_MAIN(FOB_CASE_WITH(a_new_group_has_the_defaults_but_for_what_is_said, setup, teardown),
         FOB_CASE_WITH(later_defaults_do_not_change_the_groups_there_are, setup, teardown),
         FOB_CASE_WITH(a_setting_is_changed_live_and_for_good, setup, teardown),
         FOB_CASE_WITH(a_setting_out_of_its_bounds_is_refused_by_name, setup, teardown),
         FOB_CASE_WITH(a_change_is_answered_when_it_is_durable, setup, teardown),
         FOB_CASE_WITH(adding_a_group_again_sets_what_is_said_and_moves_nothing, setup, teardown),
         FOB_CASE_WITH(an_offset_that_is_not_there_yet_is_refused, setup, teardown))
