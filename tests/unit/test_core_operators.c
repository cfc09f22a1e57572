/* The operators of the model: they set, pause, empty and reset groups, and see to dead letters. */
#include "test_core_world.h"

#include "bus/core/durable/record.h"

static fob_command_t command(fob_command_kind_t kind, unsigned group) {
    return (fob_command_t){
        .kind = kind,
        .conn = OPERATOR,
        .admin = {.req = 1, .group = fob_slice_str(group_names[group]), .lowest = world->trimmed}};
}

static void put(fob_policy_patch_t *patch, unsigned number, uint64_t value) {
    check(fob_policy_set(&patch->to, number, value), "setting %u cannot be %llu", number,
          (unsigned long long)value);
    patch->mask |= 1u << number;
}

static void put_limits(fob_policy_patch_t *patch) {
    put(patch, FOB_POLICY_max_depth, 1 + chance(chance(2) ? 40 : 300));
    put(patch, FOB_POLICY_overflow, chance(2) ? FOB_OVERFLOW_REJECT : chance(4));
    put(patch, FOB_POLICY_max_bytes, chance(4) ? 1000000 : 500 + chance(3000));
}

static void put_ends(fob_policy_patch_t *patch) {
    put(patch, FOB_POLICY_max_attempts, 1 + chance(5));
    put(patch, FOB_POLICY_dead_max, 1 + chance(chance(2) ? 5 : 50));
    put(patch, FOB_POLICY_backoff_first, chance(2000));
    put(patch, FOB_POLICY_max_age, chance(4) ? 0 : 1000 + chance(100000));
    put(patch, FOB_POLICY_dead_max_age, chance(4) ? 86400000 : 1000 + chance(100000));
}

void operator_add(unsigned group) {
    fob_command_t add = command(FOB_CMD_GROUP_ADD, group);
    add.admin.pattern = fob_slice_str(group_patterns[group]);
    if (world->plan.limits)
        put_limits(&add.admin.patch);
    if (world->plan.leases && chance(2))
        put(&add.admin.patch, FOB_POLICY_lease, 100 + chance(3000));
    kit_do(&world->kit, &add);
}

static void set_some(unsigned group) {
    fob_command_t set = command(FOB_CMD_GROUP_SET, group);
    uint64_t what = chance(4);
    if (what == 0 && world->plan.limits)
        put_limits(&set.admin.patch);
    else if (what == 1 && world->plan.leases)
        put(&set.admin.patch, FOB_POLICY_lease, chance(2) ? 0 : 50 + chance(3000));
    else if (what == 2)
        put_ends(&set.admin.patch);
    else
        put(&set.admin.patch, FOB_POLICY_paused, chance(3) == 0);
    kit_do(&world->kit, &set);
}

static void reset(unsigned group) {
    fob_command_t reset = command(FOB_CMD_GROUP_RESET, group);
    if (chance(4)) {
        uint64_t head = fob_core_head(world->kit.core), back = chance(chance(2) ? 50 : 1000);
        reset.admin.offset = back < head ? head - back + 1 : 1;
    }
    kit_do(&world->kit, &reset);
}

static void see_to_letters(unsigned group) {
    fob_command_t dead = {.kind = chance(3) ? FOB_CMD_DEAD_REDRIVE : FOB_CMD_DEAD_PURGE,
                          .conn = OPERATOR,
                          .dead = {.req = 2,
                                   .group = fob_slice_str(group_names[group]),
                                   .limit = (uint32_t)(1 + chance(20)),
                                   .dry = chance(4) == 0}};
    if (chance(2))
        dead.dead.filter.reason = (uint8_t)chance(FOB_REASON_OVERFLOW + 1);
    if (chance(3) == 0)
        dead.dead.filter.topic = fob_slice_str("*.x");
    kit_do(&world->kit, &dead);
}

void operator_act(void) {
    unsigned group = (unsigned)chance(GROUPS);
    uint64_t what = chance(20);
    model_tally.operations++;
    fob_command_t purge = command(FOB_CMD_GROUP_PURGE, group);
    if (what < 9)
        set_some(group);
    else if (what < 11)
        reset(group);
    else if (what < 12)
        kit_do(&world->kit, &purge);
    else
        see_to_letters(group);
}

void operator_open_all(void) {
    for (unsigned i = 0; i < GROUPS; i++) {
        fob_command_t set = command(FOB_CMD_GROUP_SET, i);
        put(&set.admin.patch, FOB_POLICY_max_depth, 1000000);
        put(&set.admin.patch, FOB_POLICY_max_bytes, INT64_MAX);
        put(&set.admin.patch, FOB_POLICY_lease, 0);
        put(&set.admin.patch, FOB_POLICY_paused, 0);
        kit_do(&world->kit, &set);
    }
}
