/* core_admin: groups with settings, for tests with the core's kit. */
#ifndef FOB_TESTS_CORE_ADMIN_H
#define FOB_TESTS_CORE_ADMIN_H

#include "test_core_kit.h"

#include "tests/support/case.h"

static inline void administer(kit_t *kit, fob_command_t *command, unsigned setting,
                              uint64_t value) {
    if (setting) {
        command->admin.patch.mask = 1u << setting;
        assert_true(fob_policy_set(&command->admin.patch.to, setting, value));
    }
    kit_do(kit, command);
    assert_int_equal(kit_last(kit, FOB_EFF_REPLY)->status, FOB_OK);
}

/* A group, with one setting by its number in policy.h; 0: none. */
static inline void admin_add(kit_t *kit, const char *group, const char *pattern, unsigned setting,
                             uint64_t value) {
    fob_command_t command = {
        .kind = FOB_CMD_GROUP_ADD,
        .conn = 900,
        .admin = {.group = fob_slice_str(group), .pattern = fob_slice_str(pattern)}};
    administer(kit, &command, setting, value);
}

static inline void admin_set(kit_t *kit, const char *group, unsigned setting, uint64_t value) {
    fob_command_t command = {
        .kind = FOB_CMD_GROUP_SET, .conn = 900, .admin = {.group = fob_slice_str(group)}};
    administer(kit, &command, setting, value);
}

#endif
