/* A group is copied into a checkpoint a slice at a time, and changes meanwhile: what is copied is
 * what it was when its turn came. A failure names its seed. */
#include "test_core_admin.h"

#include "bus/core/state.h"
#include "tests/support/case.h"

#include <stdlib.h>

#define EVENTS 300u
#define SLICE  200u /* bytes */
#define ENTRY  (40u + 16u * (16u + 16u))

static kit_t kit;
static uint64_t chances, seq, number;
static uint64_t tokens[100 * EVENTS]; /* by offset: of the lease that the worker has; 0: none */

static uint64_t chance(uint64_t below) {
    uint64_t x = chances += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (x ^ (x >> 31)) % below;
}

/* Keeps what was delivered in mind. */
static void look(void) {
    for (size_t i = 0; i < kit.shown_count; i++) {
        const kit_effect_t *effect = &kit.shown[i];
        for (size_t k = 0; effect->kind == FOB_EFF_DELIVER && k < effect->row_count; k++)
            tokens[effect->rows[k][0]] = effect->rows[k][1];
    }
    kit_clear(&kit);
}

static void settle(uint64_t offset, unsigned kind) {
    if (!tokens[offset])
        return;
    kit_settle(&kit, 1, "g", ++seq, kind, offset, 1, tokens[offset]);
    tokens[offset] = 0;
    look();
}

static void publish(unsigned count) {
    kit_publish(&kit, 1, number, number, "a", count);
    number += count;
    look();
}

static void of_the_dead(fob_command_kind_t kind, uint64_t offset, uint32_t limit) {
    fob_command_t command = {.kind = kind, .conn = 9};
    command.dead.group = fob_slice_str("g");
    command.dead.filter.offset = offset;
    command.dead.limit = limit;
    kit_do(&kit, &command);
    look();
}

static void act(void) {
    uint64_t offset = 1 + chance(number - 1);
    switch (chance(8)) {
    case 0:
        publish(1 + (unsigned)chance(3));
        break;
    case 1:
    case 2:
        settle(offset, FOB_KIND_ACK + (unsigned)chance(4));
        break;
    case 3:
        kit_pass(&kit, 500);
        look();
        break;
    case 4:
        of_the_dead(FOB_CMD_DEAD_PURGE, offset, 1);
        break;
    case 5:
        of_the_dead(FOB_CMD_DEAD_REDRIVE, offset, 1);
        break;
    case 6:
        of_the_dead(chance(2) ? FOB_CMD_DEAD_PURGE : FOB_CMD_DEAD_REDRIVE, 0, 3);
        break;
    default:
        settle(offset, FOB_KIND_RETRY);
    }
}

/* Some lie dead, some wait, some are out again, some are new. */
static void begin(uint64_t seed) {
    fob_core_config_t config = kit_config;
    config.slice_bytes = SLICE;
    chances = seed;
    seq = 0;
    number = 1;
    memset(tokens, 0, sizeof tokens);
    kit_init(&kit, &config);
    admin_add(&kit, "g", "a", FOB_POLICY_max_attempts, 4);
    kit_join(&kit, 1, "g", "a", 100 * EVENTS);
    publish(EVENTS);
    for (unsigned i = 0; i < 2000; i++)
        act();
    publish(EVENTS);
    for (uint64_t offset = number - EVENTS; offset < number; offset += 3)
        settle(offset, offset % 2 ? FOB_KIND_REJECT : FOB_KIND_RETRY);
}

static fob_group_t *group_of(const fob_core_t *core) {
    return fob_groups_find(&core->groups, fob_slice_str("g"));
}

typedef struct {
    fob_buf_t slices[4096];
    size_t count;
} slices_t;

static bool next(slices_t *self) {
    assert_true(self->count < 4096);
    return fob_core_checkpoint_next(kit.core, &self->slices[self->count++]);
}

static uint8_t kind_of_last(const slices_t *self) {
    return self->slices[self->count - 1].data[8];
}

/* The hash of the group in a core that has these slices only. */
static uint64_t loaded(slices_t *self) {
    fob_core_t *core = fob_core_new(&kit.config);
    assert_non_null(core);
    for (size_t i = 0; i < self->count && self->slices[i].size; i++)
        assert_int_equal(fob_core_load(core, fob_buf_slice(&self->slices[i])), FOB_OK);
    fob_group_t *group = group_of(core);
    assert_non_null(group);
    uint64_t hash = fob_group_hash(group, core->history);
    fob_core_destroy(&core);
    return hash;
}

static void slices_free(slices_t *self) {
    for (size_t i = 0; i < self->count; i++)
        fob_buf_free(&self->slices[i]);
    free(self);
}

static void what_is_copied_is_the_group_of_one_moment_whatever_happens_meanwhile(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        begin(seed);
        slices_t *slices = calloc(1, sizeof *slices);
        assert_non_null(slices);
        uint64_t before = fob_group_hash(group_of(kit.core), kit.core->history);
        fob_core_checkpoint_begin(kit.core);
        while (next(slices))
            if (kind_of_last(slices) == 2) /* groups */
                for (unsigned i = 0; i < 3; i++)
                    act();
        assert_true(slices->count > 30);
        assert_true(fob_group_hash(group_of(kit.core), kit.core->history) != before);
        assert_true(loaded(slices) == before);
        kit_books(&kit);
        slices_free(slices);
        kit_free(&kit);
    }
}

static void a_group_is_never_copied_as_a_whole(void **state) {
    (void)state;
    begin(77);
    slices_t *slices = calloc(1, sizeof *slices);
    assert_non_null(slices);
    /* The first part has its settings and what it covers, then come events and letters. */
    size_t first = 1000 + 16 * group_of(kit.core)->cover.above.count, most = first + ENTRY;
    assert_true(kit_stats(&kit, "g").dead > 20);
    assert_true(group_of(kit.core)->back.count > 20);
    fob_core_checkpoint_begin(kit.core);
    while (next(slices)) {
        if (kind_of_last(slices) != 2)
            continue;
        assert_true(kit.core->snapshot.unit.size < most);
        most = kit.core->snapshot.unit.size < SLICE + ENTRY ? SLICE + ENTRY : first + ENTRY;
    }
    slices_free(slices);
    kit_free(&kit);
}

static void a_group_that_ends_while_it_is_copied_is_copied_to_its_end(void **state) {
    (void)state;
    begin(78);
    slices_t *slices = calloc(1, sizeof *slices);
    assert_non_null(slices);
    uint64_t before = fob_group_hash(group_of(kit.core), kit.core->history);
    fob_core_checkpoint_begin(kit.core);
    while (next(slices) && kind_of_last(slices) != 2)
        ;
    kit_lost(&kit, 1);
    fob_command_t remove = {.kind = FOB_CMD_GROUP_REMOVE, .conn = 9};
    remove.admin.group = fob_slice_str("g");
    kit_do(&kit, &remove);
    assert_null(group_of(kit.core));
    while (next(slices))
        ;
    /* The worker that was lost came before the end, and is not in the copy. */
    assert_true(loaded(slices) == before);
    slices_free(slices);
    kit_free(&kit);
}

static void a_checkpoint_that_is_given_up_leaves_the_group_to_the_next(void **state) {
    (void)state;
    begin(79);
    slices_t *slices = calloc(1, sizeof *slices);
    assert_non_null(slices);
    fob_core_checkpoint_begin(kit.core);
    while (next(slices) && kind_of_last(slices) != 2)
        act();
    for (unsigned i = 0; i < 100; i++)
        act();
    slices_free(slices);
    slices = calloc(1, sizeof *slices);
    assert_non_null(slices);
    uint64_t before = fob_group_hash(group_of(kit.core), kit.core->history);
    fob_core_checkpoint_begin(kit.core);
    while (next(slices))
        if (kind_of_last(slices) == 2)
            act();
    assert_true(loaded(slices) == before);
    slices_free(slices);
    kit_free(&kit);
}

FOB_MAIN(FOB_CASE(what_is_copied_is_the_group_of_one_moment_whatever_happens_meanwhile),
         FOB_CASE(a_group_is_never_copied_as_a_whole),
         FOB_CASE(a_group_that_ends_while_it_is_copied_is_copied_to_its_end),
         FOB_CASE(a_checkpoint_that_is_given_up_leaves_the_group_to_the_next))
