/* The units of a checkpoint: each part of the state, made by hand, comes back as it was; and bytes
 * that are not ours are never worse than refused. */
#include "test_core_whole.h"

#include "bus/core/durable/checkpoint.h"
#include "bus/core/durable/copy.h"
#include "tests/support/case.h"

#include <stdlib.h>

#define SLICES_MAX 4000

static fob_buf_t slices[SLICES_MAX];
static size_t slice_count;

static void take_all(fob_core_t *core) {
    fob_buf_t slice = {0};
    fob_core_checkpoint_begin(core);
    while (fob_core_checkpoint_next(core, &slice)) {
        assert_true(slice_count < SLICES_MAX);
        slices[slice_count++] = slice;
        slice = (fob_buf_t){0};
    }
    assert_false(slice.failed);
    fob_buf_free(&slice);
}

static int teardown(void **state) {
    (void)state;
    while (slice_count)
        fob_buf_free(&slices[--slice_count]);
    return 0;
}

static void check_group(fob_core_t *core) {
    const fob_group_t *group = fob_groups_find(&core->groups, fob_slice_str("two"));
    fob_attempt_t attempt;
    assert_int_equal(group->policy.backoff_factor, 334);
    assert_int_equal(group->paused_ms, 99);
    assert_int_equal(group->removed_by[FOB_REMOVAL_DEAD_MAX_AGE], 24);
    assert_int_equal(group->deads.last_serial, 4);
    const fob_dead_t *dead = fob_deads_find(&group->deads, 49);
    assert_int_equal(dead->serial, 2);
    assert_int_equal(fob_history_count(core->history, dead->history), 5);
    fob_history_at(core->history, dead->history, 4, &attempt);
    assert_true(fob_slice_eq(attempt.worker, fob_slice_str("w2")));
    assert_true(fob_slice_eq(attempt.text, fob_slice_str("many 1")));
    assert_int_equal(attempt.time_ms, 1004);
    assert_false(attempt.counted);
    const fob_back_entry_t *back = fob_back_find(&group->back, 45);
    assert_int_equal(fob_history_count(core->history, back->history), FOB_HISTORY_MAX);
    assert_int_equal(back->priority, 7);
}

static void every_part_of_the_state_comes_back_as_it_was(void **state) {
    (void)state;
    for (uint32_t bytes = 8; bytes < 5000; bytes = bytes * 7 + 1) {
        fob_core_t *core = whole_core(bytes), *again = fob_core_new(&kit_config);
        uint64_t hash = fob_core_hash(core);
        take_all(core);
        for (size_t i = 0; i < slice_count; i++)
            assert_int_equal(fob_core_load(again, fob_buf_slice(&slices[i])), FOB_OK);
        assert_int_equal(fob_core_hash(again), hash);
        check_group(again);
        fob_core_destroy(&core);
        fob_core_destroy(&again);
        teardown(NULL);
    }
}

/* Ids come and go while a checkpoint is taken; the records since are told again. */
static void ids_that_come_meanwhile_are_known_once(void **state) {
    (void)state;
    fob_core_config_t config = kit_config;
    config.dedup_max = 50;
    config.slice_bytes = 1;
    fob_core_t *core = fob_core_new(&config), *again = fob_core_new(&config);
    core->position = 7;
    core->head = 70;
    core->seed = 1;
    fob_dedup_seed(core->dedup, core->seed);
    whole_ids(core, 1, 40);
    fob_core_checkpoint_begin(core);
    fob_buf_t slice = {0};
    for (uint64_t offset = 41; fob_core_checkpoint_next(core, &slice); offset++) {
        assert_int_equal(fob_core_load(again, fob_buf_slice(&slice)), FOB_OK);
        if (offset < 71)
            whole_ids(core, offset, offset);
    }
    whole_ids(again, 41, 70);
    assert_int_equal(fob_dedup_count(core->dedup), 50);
    assert_int_equal(fob_dedup_hash(again->dedup), fob_dedup_hash(core->dedup));
    fob_buf_free(&slice);
    fob_core_destroy(&core);
    fob_core_destroy(&again);
}

/* Loads the slices, of which one has another byte. What is read all the same is a core that can be
 * asked. */
static bool load_with(size_t changed, size_t at, uint8_t byte) {
    fob_core_t *core = fob_core_new(&kit_config);
    fob_status_t status = FOB_OK;
    for (size_t i = 0; i < slice_count && status == FOB_OK; i++) {
        fob_slice_t slice = fob_buf_slice(&slices[i]);
        uint8_t *bytes = malloc(slice.size);
        memcpy(bytes, slice.data, slice.size);
        if (i == changed)
            bytes[at] = byte;
        status = fob_core_load(core, fob_slice(bytes, slice.size));
        free(bytes);
    }
    assert_true(status == FOB_OK || status == FOB_DAMAGED || status == FOB_FOLDER_NEWER);
    assert_int_equal(status != FOB_OK, strlen(fob_core_error(core)) > 0);
    fob_core_hash(core);
    fob_core_floor(core);
    fob_core_destroy(&core);
    return status != FOB_OK;
}

static void a_byte_that_is_another_is_refused_or_is_another_state(void **state) {
    (void)state;
    size_t refused = 0, all = 0;
    fob_core_t *core = whole_core(400);
    take_all(core);
    fob_core_destroy(&core);
    for (size_t i = 0; i < slice_count; i++) {
        for (size_t at = 0; at < slices[i].size; at++) {
            static const uint8_t flips[] = {0x01, 0x80, 0xff, 0x40};
            uint8_t byte = slices[i].data[at];
            refused +=
                load_with(i, at, byte ^ flips[at % 4]) + load_with(i, at, (uint8_t)(byte + 1));
            all += 2;
        }
    }
    assert_true(refused > all / 3 && refused < all);
}

/* The counts of a group are those of its parts. */
static void books_that_do_not_add_up_are_refused(void **state) {
    (void)state;
    for (unsigned what = 0; what < 7; what++) {
        fob_core_t *core = whole_core(0), *again = fob_core_new(&kit_config);
        fob_group_t *group = fob_groups_find(&core->groups, fob_slice_str("two"));
        uint64_t *const fields[] = {
            &group->dead,     &group->shed, &group->removed_by[2],    &group->shed_by[1],
            &group->accepted, &group->debt, &group->deads.last_serial};
        *fields[what] = what < 4 ? *fields[what] + 1 : what == 5 ? 1000 : 3;
        if (what == 6)
            group->deads.last_serial = 2; /* below a letter's */
        take_all(core);
        fob_status_t status = FOB_OK;
        for (size_t i = 0; i < slice_count && status == FOB_OK; i++)
            status = fob_core_load(again, fob_buf_slice(&slices[i]));
        assert_int_equal(status, FOB_DAMAGED);
        fob_core_destroy(&core);
        fob_core_destroy(&again);
        teardown(NULL);
    }
}

/* What a failing group says is said once, however many events it fails. */
static void a_text_stands_once_in_a_unit(void **state) {
    (void)state;
    fob_core_t *core = whole_core(0);
    fob_group_t *group = fob_groups_find(&core->groups, fob_slice_str("one"));
    char text[200];
    memset(text, 't', sizeof text - 1);
    text[sizeof text - 1] = 0;
    for (uint64_t offset = 1000; offset < 2000; offset++)
        whole_dead(group, offset, 1, whole_chain(core, 5, "w", text));
    group->accepted = group->dead;
    fob_buf_t unit = {0};
    fob_copy_t *copy = fob_copy_new();
    assert_non_null(copy);
    fob_copy_begin(copy, &unit, group, core->history);
    assert_false(fob_copy_some(copy, SIZE_MAX));
    fob_copy_free(&copy);
    assert_true(unit.size < 1000 * (40 + 5 * 16) + 2000);
    fob_buf_free(&unit);
    fob_core_destroy(&core);
}

FOB_MAIN(FOB_CASE_WITH(every_part_of_the_state_comes_back_as_it_was, NULL, teardown),
         FOB_CASE_WITH(ids_that_come_meanwhile_are_known_once, NULL, teardown),
         FOB_CASE_WITH(a_byte_that_is_another_is_refused_or_is_another_state, NULL, teardown),
         FOB_CASE_WITH(books_that_do_not_add_up_are_refused, NULL, teardown),
         FOB_CASE_WITH(a_text_stands_once_in_a_unit, NULL, teardown))
