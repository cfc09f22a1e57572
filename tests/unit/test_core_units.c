/* The units of a checkpoint: each part of the state, made by hand, comes back as it was; and bytes
 * that are not ours are never worse than refused. */
#include "test_core_kit.h"

#include "bus/core/checkpoint.h"
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

static uint32_t chain_of(fob_core_t *core, unsigned attempts, const char *worker,
                         const char *text) {
    uint32_t chain = 0;
    for (unsigned i = 0; i < attempts; i++) {
        char own[64];
        snprintf(own, sizeof own, "%s %u", text, i % 3);
        assert_true(fob_history_reserve(core->history, 1, strlen(worker) + strlen(own)));
        chain = fob_history_add(core->history, chain,
                                &(fob_attempt_t){.time_ms = 1000 + i,
                                                 .reason = FOB_REASON_RETRY,
                                                 .counted = i % 2,
                                                 .worker = fob_slice_str(worker),
                                                 .text = fob_slice_str(*text ? own : "")});
    }
    return chain;
}

static void put_back(fob_core_t *core, fob_group_t *group, uint64_t offset, uint32_t chain) {
    (void)core;
    assert_true(fob_back_reserve(&group->back, 1));
    fob_back_entry_t *entry = fob_back_add(&group->back, offset);
    entry->token = offset + 100;
    entry->due_ms = 1234567 + (int64_t)offset;
    entry->attempts = 3;
    entry->releases = 300;
    entry->history = chain;
    entry->reason = FOB_REASON_RELEASE;
    entry->priority = 7;
    entry->out = offset % 2;
}

static void put_dead(fob_group_t *group, uint64_t offset, uint32_t count, uint32_t chain) {
    assert_true(fob_deads_reserve(&group->deads, 1));
    fob_deads_add(&group->deads, &(fob_dead_t){.offset = offset,
                                               .time_ms = 77 + (int64_t)offset,
                                               .count = count,
                                               .attempts = 5,
                                               .history = chain,
                                               .size = 999,
                                               .reason = FOB_REASON_OVERFLOW,
                                               .priority = 2});
    group->dead += count;
}

static void fill_group(fob_core_t *core, fob_group_t *group) {
    group->generation = 3;
    group->since_ms = 12345;
    group->start = 17;
    group->damaged = true;
    group->acked = 40;
    group->expired = 2;
    for (unsigned i = 0; i < FOB_OVERFLOW_DEAD_LETTER; i++)
        group->shed += group->shed_by[i] = 10 + i;
    for (unsigned i = 0; i < FOB_REMOVALS; i++)
        group->removed += group->removed_by[i] = 20 + i;
    group->mark_offset = 5000;
    group->mark_token = 400;
    group->paused_ms = 99;
    group->bytes = 123456;
    group->debt = 4;
    group->census_at = 100;
    group->census_to = 200;
    group->skip_to = 50;
    group->void_token = 30;
    for (unsigned number = 1; number < FOB_POLICY_END; number++) {
        uint64_t least, most;
        fob_policy_bounds(number, &least, &most);
        assert_true(fob_policy_set(&group->policy, number, least + (most - least) / 3));
    }
    group->cover.floor = 30;
    assert_true(fob_cover_reserve(&group->cover, 2));
    fob_cover_add(&group->cover, 40, 60);
    fob_cover_add(&group->cover, 80, 90);
    assert_true(fob_prio_reserve(&group->prio, 3));
    fob_prio_add_run(&group->prio, 1, 300, 310);
    fob_prio_add_run(&group->prio, 1, 320, 321);
    fob_prio_add(&group->prio, 9, 315);
    put_back(core, group, 41, chain_of(core, 1, "w1", "one"));
    put_back(core, group, 44, 0);
    put_back(core, group, 45, chain_of(core, FOB_HISTORY_MAX + 5, "", ""));
    put_dead(group, 50, 1, chain_of(core, 5, "w1", "one"));
    put_dead(group, 49, 1, chain_of(core, 5, "w2", "many"));
    put_dead(group, 0, 12, 0);
    put_dead(group, 48, 1, 0);
    fob_deads_remove(&group->deads, fob_deads_find(&group->deads, 48)); /* the last serial's */
    group->dead--;
    group->accepted = group->acked + group->dead + group->expired + group->shed + group->removed +
                      group->back.count + group->prio.events + 1000;
}

static void put_group(fob_core_t *core, const char *name) {
    assert_true(fob_core_reserve_group(core));
    fob_group_t *group =
        fob_group_new(core->next_group++, fob_slice_str(name), fob_slice_str("a.*"), 1, 2);
    group->policy = core->config.policy;
    fob_groups_add(&core->groups, group);
}

static void put_session(fob_core_t *core, uint8_t number) {
    uint8_t session[FOB_SESSION_SIZE];
    memset(session, number, sizeof session);
    assert_true(fob_writers_reserve(&core->writers, session, 3));
    fob_writer_t *writer = fob_writers_see(&core->writers, session, 1000 + number);
    writer->next = 90;
    writer->low = 10;
    fob_writer_answer(writer, (fob_answer_t){.number = 10, .offset = 100, .count = 5, .groups = 2});
    fob_writer_answer(writer, (fob_answer_t){.number = 20, .offset = 7, .count = 1, .flags = 3});
}

static void put_ids(fob_core_t *core, uint64_t from, uint64_t to) {
    assert_true(fob_dedup_reserve(core->dedup, to - from + 1));
    for (uint64_t offset = from; offset <= to; offset++) {
        fob_known_t known = {.offset = offset, .time_ms = 1000};
        known.ident = fob_dedup_ident(core->dedup, fob_slice_str("a"), fob_slice(&offset, 8),
                                      (fob_slice_t){0}, (fob_slice_t){0});
        fob_dedup_add(core->dedup, &known);
    }
}

/* A core with something of everything. */
static fob_core_t *full_core(uint32_t slice_bytes) {
    fob_core_config_t config = kit_config;
    config.slice_bytes = slice_bytes;
    fob_core_t *core = fob_core_new(&config);
    core->position = 7;
    core->head = 10000;
    core->time_ms = 5000;
    core->seed = 1234;
    fob_dedup_seed(core->dedup, core->seed);
    put_group(core, "one");
    put_group(core, "two");
    put_group(core, "three");
    fill_group(core, fob_groups_find(&core->groups, fob_slice_str("two")));
    for (uint8_t i = 1; i < 20; i++)
        put_session(core, i);
    put_ids(core, 5, 40);
    return core;
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
        fob_core_t *core = full_core(bytes), *again = fob_core_new(&kit_config);
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
    put_ids(core, 1, 40);
    fob_core_checkpoint_begin(core);
    fob_buf_t slice = {0};
    for (uint64_t offset = 41; fob_core_checkpoint_next(core, &slice); offset++) {
        assert_int_equal(fob_core_load(again, fob_buf_slice(&slice)), FOB_OK);
        if (offset < 71)
            put_ids(core, offset, offset);
    }
    fob_dedup_seed(again->dedup, 1);
    put_ids(again, 41, 70);
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
    assert_true(status == FOB_OK || status == FOB_DAMAGED);
    assert_int_equal(status == FOB_DAMAGED, strlen(fob_core_error(core)) > 0);
    fob_core_hash(core);
    fob_core_floor(core);
    fob_core_destroy(&core);
    return status == FOB_DAMAGED;
}

static void a_byte_that_is_another_is_refused_or_is_another_state(void **state) {
    (void)state;
    size_t refused = 0, all = 0;
    fob_core_t *core = full_core(400);
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
        fob_core_t *core = full_core(0), *again = fob_core_new(&kit_config);
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
    fob_core_t *core = full_core(0);
    fob_group_t *group = fob_groups_find(&core->groups, fob_slice_str("one"));
    char text[200];
    memset(text, 't', sizeof text - 1);
    text[sizeof text - 1] = 0;
    for (uint64_t offset = 1000; offset < 2000; offset++)
        put_dead(group, offset, 1, chain_of(core, 5, "w", text));
    group->accepted = group->dead;
    fob_buf_t unit = {0};
    fob_unit_put_group(&unit, group, core->history);
    assert_true(unit.size < 1000 * (40 + 5 * 16) + 2000);
    fob_buf_free(&unit);
    fob_core_destroy(&core);
}

FOB_MAIN(FOB_CASE_WITH(every_part_of_the_state_comes_back_as_it_was, NULL, teardown),
         FOB_CASE_WITH(ids_that_come_meanwhile_are_known_once, NULL, teardown),
         FOB_CASE_WITH(a_byte_that_is_another_is_refused_or_is_another_state, NULL, teardown),
         FOB_CASE_WITH(books_that_do_not_add_up_are_refused, NULL, teardown),
         FOB_CASE_WITH(a_text_stands_once_in_a_unit, NULL, teardown))
