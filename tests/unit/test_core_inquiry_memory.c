/* Requests that wait, where memory is refused: each is answered in the end, and nothing is done
 * twice. Also where a checkpoint is taken meanwhile. */
#include "core_scarce.h"
#include "test_core_kit.h"

#include "bus/core/durable/copy.h"
#include "bus/core/state.h"
#include "tests/support/case.h"

#include <stdlib.h>

#define LETTERS 40
#define ADMIN   77

static kit_t kit;

static void publish(const char *topic, uint64_t number, size_t size) {
    static const uint8_t data[1000];
    fob_buf_t body = {0};
    kit_event(&body, topic, data, size);
    kit_publish_body(&kit, 1, number, number, &body, FOB_OK);
}

/* Group g with LETTERS dead ones, none of which is in memory, and no worker. */
static void begin(void) {
    fob_core_config_t config = kit_config;
    config.cache_bytes = 20000;
    config.page_bytes = 2000;
    config.slice_bytes = 200;
    kit_init(&kit, &config);
    kit.hash_turns = true;
    kit_join(&kit, 1, "g", ">", LETTERS);
    for (uint64_t i = 1; i <= LETTERS; i++) {
        publish("old", i, 100);
        kit_settle(&kit, 1, "g", i, FOB_KIND_REJECT, i, 1, i);
        kit_pass(&kit, 1000);
    }
    kit_lost(&kit, 1);
    for (uint64_t i = 1; i <= 50; i++)
        publish("new", LETTERS + i, 900);
    kit_clear(&kit);
}

static fob_command_t dead(fob_command_kind_t kind) {
    return (fob_command_t){.kind = kind,
                           .conn = ADMIN,
                           .dead = {.req = 5,
                                    .group = fob_slice_str("g"),
                                    .filter = {.topic = fob_slice_str("old")},
                                    .limit = 1000}};
}

static uint64_t number(fob_slice_t map, const char *name) {
    fob_cursor_t cursor = fob_cursor(map);
    fob_slice_t key, value;
    uint64_t out = 0;
    uint32_t count;
    assert_true(fob_cursor_map(&cursor, &count));
    while (count-- > 0) {
        assert_true(fob_cursor_str(&cursor, &key) && fob_cursor_skip(&cursor, &value));
        fob_cursor_t at = fob_cursor(value);
        if (fob_slice_eq(key, fob_slice_str(name)))
            assert_true(fob_cursor_uint(&at, &out));
    }
    return out;
}

/* The one answer. */
static kit_effect_t *do_armed(const fob_command_t *command) {
    core_scarce = true;
    kit_do(&kit, command);
    kit_pages(&kit);
    core_scarce = false;
    for (int i = 0; i < 5; i++) { /* memory is back */
        kit_pass(&kit, 1000);
        kit_pages(&kit);
    }
    assert_int_equal(kit_count(&kit, FOB_EFF_REPLY), 1);
    kit_effect_t *effect = kit_last(&kit, FOB_EFF_REPLY);
    assert_int_equal(effect->status, FOB_OK);
    return effect;
}

static void check(const fob_command_t *command, const kit_effect_t *effect) {
    fob_slice_t value = fob_buf_slice(&effect->value);
    bool redrive = command->kind == FOB_CMD_DEAD_REDRIVE;
    bool moves = redrive || command->kind == FOB_CMD_DEAD_PURGE;
    if (moves)
        assert_int_equal(number(value, "count"), LETTERS);
    else if (command->kind == FOB_CMD_DEAD_LIST)
        assert_int_equal(number(value, "upto"), LETTERS);
    else if (command->kind == FOB_CMD_DEAD_SHOW)
        assert_int_equal(number(value, "offset"), 7);
    assert_int_equal(kit_stats(&kit, "g").dead, moves ? 0 : LETTERS);
    assert_int_equal(kit_stats(&kit, "g").ready, redrive ? LETTERS + 50 : 50);
    kit_books(&kit);
    kit_crash(&kit, kit.position);
}

static void one_request(void *arg) {
    const fob_command_t *command = arg;
    begin();
    check(command, do_armed(command));
    kit_free(&kit);
}

static void refuse_each(const char *name, fob_command_t *command) {
    scarce_each(name, 4, one_request, command);
}

static void a_list_is_answered_whichever_allocation_fails(void **state) {
    (void)state;
    fob_command_t command = dead(FOB_CMD_DEAD_LIST);
    refuse_each("core: list", &command);
}

static void a_letter_is_shown_whichever_allocation_fails(void **state) {
    (void)state;
    fob_command_t command = dead(FOB_CMD_DEAD_SHOW);
    command.dead.filter = (fob_dead_filter_t){.offset = 7};
    refuse_each("core: show", &command);
}

static void a_redrive_is_whole_whichever_allocation_fails(void **state) {
    (void)state;
    fob_command_t command = dead(FOB_CMD_DEAD_REDRIVE);
    refuse_each("core: redrive", &command);
}

static void a_purge_is_whole_whichever_allocation_fails(void **state) {
    (void)state;
    fob_command_t command = dead(FOB_CMD_DEAD_PURGE);
    refuse_each("core: purge", &command);
}

static void a_time_is_found_whichever_allocation_fails(void **state) {
    (void)state;
    fob_command_t command = {.kind = FOB_CMD_GROUP_ADD,
                             .conn = ADMIN,
                             .admin = {.req = 5,
                                       .group = fob_slice_str("past"),
                                       .pattern = fob_slice_str("none"),
                                       .time_ms = 1700000000000 + 20000,
                                       .lowest = 1}};
    refuse_each("core: time", &command);
}

/* --- old letters move to the head --- */

static void reclaim(unsigned rounds) {
    for (unsigned i = 0; i < rounds; i++) {
        kit_do(&kit,
               &(fob_command_t){.kind = FOB_CMD_RECLAIM, .reclaim = {LETTERS + 1, 1000000, 65536}});
        kit_pages(&kit);
    }
}

static void moving(void *arg) {
    (void)arg;
    begin();
    core_scarce = true;
    reclaim(10);
    core_scarce = false;
    reclaim(10); /* memory is back */
    assert_int_equal(fob_core_floor(kit.core), LETTERS + 1);
    assert_int_equal(kit_stats(&kit, "g").dead, LETTERS);
    kit_books(&kit);
    kit_crash(&kit, kit.position);
    assert_int_equal(fob_core_floor(kit.core), LETTERS + 1);
    kit_free(&kit);
}

static void what_is_old_is_moved_whichever_allocation_fails(void **state) {
    (void)state;
    scarce_each("core: reclaim", 5, moving, NULL);
}

/* --- letters go while a checkpoint copies them --- */

#define SLICES 1000

static fob_buf_t slices[SLICES];

static uint64_t hash_in(const fob_core_t *core) {
    return fob_group_hash(fob_groups_find(&core->groups, fob_slice_str("g")), core->history);
}

static bool next(size_t *count) {
    assert_true(*count < SLICES);
    scarce.watching = true;
    bool more = fob_core_checkpoint_next(kit.core, &slices[(*count)++]);
    scarce.watching = false;
    return more;
}

/* What was copied is the group as it was. */
static void check_copy(size_t count, uint64_t hash) {
    fob_core_t *core = fob_core_new(&kit.config);
    assert_non_null(core);
    for (size_t i = 0; i < count && slices[i].size; i++)
        assert_int_equal(fob_core_load(core, fob_buf_slice(&slices[i])), FOB_OK);
    assert_true(hash_in(core) == hash);
    fob_core_destroy(&core);
}

static void copying(void *arg) {
    const fob_command_t purge = dead(FOB_CMD_DEAD_PURGE);
    size_t count = 0;
    (void)arg;
    begin();
    uint64_t hash = hash_in(kit.core);
    scarce.watching = true;
    fob_core_checkpoint_begin(kit.core);
    scarce.watching = false;
    bool more = true;
    while (more && !fob_copy_runs(kit.core->copy))
        more = next(&count);
    do_armed(&purge);
    assert_int_equal(kit_stats(&kit, "g").dead, 0);
    while (more)
        more = next(&count);
    if (slices[count - 1].failed)
        assert_true(scarce.failed > 0);
    else
        check_copy(count, hash);
    for (size_t i = 0; i < count; i++)
        fob_buf_free(&slices[i]);
    kit_checkpoint(&kit); /* memory is back */
    kit_books(&kit);
    kit_crash(&kit, kit.position);
    kit_free(&kit);
}

static void a_checkpoint_has_the_letters_that_went_or_is_given_up(void **state) {
    (void)state;
    scarce_each("core: letters that go while they are copied", 20, copying, NULL);
}

FOB_MAIN(FOB_CASE(a_list_is_answered_whichever_allocation_fails),
         FOB_CASE(a_letter_is_shown_whichever_allocation_fails),
         FOB_CASE(a_redrive_is_whole_whichever_allocation_fails),
         FOB_CASE(a_purge_is_whole_whichever_allocation_fails),
         FOB_CASE(a_time_is_found_whichever_allocation_fails),
         FOB_CASE(what_is_old_is_moved_whichever_allocation_fails),
         FOB_CASE(a_checkpoint_has_the_letters_that_went_or_is_given_up))
