/* Records and checkpoints that are whole and that no bus wrote: what the fuzzer found, by name.
 * What cannot be is damage, and what is taken can be worked with. */
#include "test_core_whole.h"

#include "bus/core/durable/record.h"
#include "bus/core/table/little.h"
#include "tests/support/case.h"

static fob_core_t *core;
static uint64_t position;

static int setup(void **state) {
    (void)state;
    core = fob_core_new(&kit_config);
    position = 0;
    return core ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    fob_core_destroy(&core);
    return 0;
}

static fob_status_t replay(const void *bytes, size_t size) {
    return fob_core_replay(core, ++position, fob_slice(bytes, size));
}

/* Six events of one topic. */
static void add_events(void) {
    fob_buf_t body = {0};
    uint8_t head[FOB_RECORD_EVENTS_SIZE];
    for (unsigned i = 0; i < 6; i++)
        kit_event(&body, "a.b", "x", 1);
    fob_record_write_events(head, &(fob_record_events_t){.count = 6,
                                                         .time_ms = 1000,
                                                         .first_offset = 1,
                                                         .first_number = 1,
                                                         .low = 1,
                                                         .next_number = 7});
    fob_buf_t all = {0};
    fob_buf_put(&all, head, sizeof head);
    fob_buf_put(&all, body.data, body.size);
    assert_int_equal(replay(all.data, all.size), FOB_OK);
    fob_buf_free(&all);
    fob_buf_free(&body);
}

static fob_status_t add_group_as(uint32_t id, const char *name, const char *pattern,
                                 uint64_t start) {
    uint8_t bytes[FOB_RECORD_GROUP_ADD_SIZE + 510];
    fob_record_write_group_add(bytes, &(fob_record_group_add_t){.id = id,
                                                                .time_ms = 1000,
                                                                .start = start,
                                                                .name = fob_slice_str(name),
                                                                .pattern = fob_slice_str(pattern)});
    return replay(bytes, FOB_RECORD_GROUP_ADD_SIZE + strlen(name) + strlen(pattern));
}

static fob_status_t add_group(const char *name, const char *pattern, uint64_t start) {
    return add_group_as(1, name, pattern, start);
}

static fob_status_t add_run_at(int64_t time_ms, fob_run_record_t run) {
    uint8_t bytes[FOB_RECORD_RUNS_SIZE + FOB_RUN_SIZE];
    fob_record_write_runs(bytes, 1, time_ms);
    fob_record_write_run(bytes + FOB_RECORD_RUNS_SIZE, &run);
    return replay(bytes, sizeof bytes);
}

static fob_status_t add_run(fob_run_record_t run) {
    return add_run_at(1000, run);
}

static fob_status_t add_mark(uint64_t offset, uint64_t token) {
    uint8_t bytes[FOB_RECORD_MARK_SIZE];
    fob_record_write_mark(bytes, &(fob_record_mark_t){1, offset, token});
    return replay(bytes, sizeof bytes);
}

static void a_mark_beyond_all_numbers_is_damage(void **state) {
    (void)state;
    assert_int_equal(add_group("g", "a.*", 1), FOB_OK);
    assert_int_equal(add_mark(FOB_RECORD_NUMBER_MAX, FOB_RECORD_NUMBER_MAX), FOB_OK);
    assert_int_equal(add_mark(1, FOB_RECORD_NUMBER_MAX + 1), FOB_DAMAGED);
    assert_int_equal(add_mark(FOB_RECORD_NUMBER_MAX + 1, 1), FOB_DAMAGED);
}

static void a_time_beyond_all_times_is_damage(void **state) {
    (void)state;
    add_events();
    assert_int_equal(add_group("g", "a.*", 1), FOB_OK);
    fob_run_record_t run = {.verb = FOB_RUN_HANDOUT,
                            .flags = FOB_RUN_FRESH,
                            .count = 1,
                            .from = 1,
                            .to = 1,
                            .token = 1};
    assert_int_equal(add_run_at(FOB_RECORD_TIME_MAX + 1, run), FOB_DAMAGED);
    assert_int_equal(add_run_at(-FOB_RECORD_TIME_MAX - 1, run), FOB_DAMAGED);
    assert_int_equal(add_run_at(FOB_RECORD_TIME_MAX, run), FOB_OK);
}

static void what_is_due_in_an_age_is_waited_for(void **state) {
    (void)state;
    fob_group_stats_t stats;
    assert_int_equal(add_group("g", "a.*", 1), FOB_OK);
    add_events();
    assert_int_equal(add_run((fob_run_record_t){.verb = FOB_RUN_RETURN,
                                                .flags = FOB_RUN_FRESH,
                                                .count = 1,
                                                .from = 6,
                                                .to = 6,
                                                .token = 1,
                                                .due_ms = FOB_RECORD_TIME_MAX}),
                     FOB_OK);
    fob_core_start(core, (fob_now_t){FOB_SEC, 2000}, position);
    assert_true(fob_core_group_stats(core, (fob_now_t){FOB_SEC, 2000}, 0, &stats));
    assert_int_equal(stats.delayed, 1);
    assert_true(fob_core_deadline(core) > 0);
}

static void a_census_accepts_nothing_that_is_done(void **state) {
    (void)state;
    add_events();
    assert_int_equal(add_group("g", "a.*", 2), FOB_OK);
    assert_int_equal(add_run((fob_run_record_t){.verb = FOB_RUN_DEAD,
                                                .flags = FOB_RUN_FRESH,
                                                .reason = FOB_REASON_REJECT,
                                                .count = 1,
                                                .from = 2,
                                                .to = 2,
                                                .token = 1}),
                     FOB_OK);
    for (uint8_t priority = 0; priority < 2; priority++)
        assert_int_equal(
            add_run((fob_run_record_t){
                .verb = FOB_RUN_ACCEPT, .detail = priority, .count = 1, .from = 2, .to = 2}),
            FOB_DAMAGED);
    assert_int_equal(add_run((fob_run_record_t){
                         .verb = FOB_RUN_ACCEPT, .detail = 1, .count = 1, .from = 3, .to = 3}),
                     FOB_OK);
}

static void a_group_without_a_name_or_a_pattern_is_damage(void **state) {
    (void)state;
    assert_int_equal(add_group("a b", "a.*", 1), FOB_DAMAGED);
    assert_int_equal(add_group("g", "a.", 1), FOB_DAMAGED);
    assert_int_equal(add_group("g", "a.*", 1), FOB_OK);
}

static void an_event_of_more_bytes_than_one_can_have_is_damage(void **state) {
    (void)state;
    fob_run_record_t run = {
        .verb = FOB_RUN_ACCEPT, .count = 2, .from = 2, .to = 3, .bytes = UINT64_C(2) << 32};
    add_events();
    assert_int_equal(add_group("g", "a.*", 2), FOB_OK);
    assert_int_equal(add_run(run), FOB_DAMAGED);
    run.bytes = UINT64_C(2) * UINT32_MAX;
    assert_int_equal(add_run(run), FOB_OK);
}

/* The next one would begin at 0 again. */
static void the_last_number_of_groups_is_not_given(void **state) {
    (void)state;
    assert_int_equal(add_group_as(UINT32_MAX, "g", "a.*", 1), FOB_DAMAGED);
    assert_int_equal(add_group_as(UINT32_MAX - 1, "g", "a.*", 1), FOB_OK);
}

static void a_session_that_is_ahead_of_itself_is_damage(void **state) {
    (void)state;
    uint8_t bytes[FOB_RECORD_EVENTS_SIZE];
    fob_record_events_t record = {.time_ms = 1, .first_number = 5, .low = 5, .next_number = 5};
    fob_record_write_events(bytes, &record);
    assert_int_equal(replay(bytes, sizeof bytes), FOB_OK);
    record.low = 6;
    fob_record_write_events(bytes, &record);
    assert_int_equal(replay(bytes, sizeof bytes), FOB_DAMAGED);
    record.next_number = record.low = UINT64_MAX;
    fob_record_write_events(bytes, &record);
    assert_int_equal(replay(bytes, sizeof bytes), FOB_DAMAGED);
}

/* --- checkpoints --- */

/* A checkpoint of `from` in which the number `old` is `new` where it stands first. */
static fob_status_t load_changed(fob_core_t *from, uint64_t old, uint64_t new) {
    fob_status_t status = FOB_OK;
    bool changed = false;
    fob_core_checkpoint_begin(from);
    for (bool more = true; more;) {
        fob_buf_t slice = {0};
        more = fob_core_checkpoint_next(from, &slice);
        for (size_t at = FOB_RECORD_MARK_SIZE + 8; !changed && at + 8 <= slice.size; at++) {
            changed = fob_get64(slice.data + at) == old;
            if (changed)
                fob_put64(slice.data + at, new);
        }
        if (more && status == FOB_OK)
            status = fob_core_load(core, fob_buf_slice(&slice));
        fob_buf_free(&slice);
    }
    assert_true(changed);
    return status;
}

static void of_another_number(uint64_t old, uint64_t new, fob_status_t want) {
    fob_core_t *whole = whole_core(1 << 20);
    fob_core_destroy(&core);
    assert_int_equal(setup(NULL), 0);
    assert_int_equal(load_changed(whole, old, new), want);
    fob_core_destroy(&whole);
}

/* whole_core: head 10000, mark token 400, skip_to 50, time 5000; 315: of an event with a priority.
 */
static void a_checkpoint_with_impossible_numbers_is_damage(void **state) {
    (void)state;
    of_another_number(400, 401, FOB_OK);
    of_another_number(400, UINT64_MAX, FOB_DAMAGED);
    of_another_number(10000, UINT64_MAX, FOB_DAMAGED);
    of_another_number(5000, INT64_MAX, FOB_DAMAGED);
}

/* whole_core: covered up to 29, 40 to 60, 80 to 90; priorities at 300 to 310, 315, 320, 321; 45
 * came back. */
static void an_event_at_two_places_of_a_checkpoint_is_damage(void **state) {
    (void)state;
    of_another_number(90, 299, FOB_OK);
    of_another_number(90, 300, FOB_DAMAGED);
    of_another_number(315, 311, FOB_OK);
    of_another_number(315, 310, FOB_DAMAGED);
    of_another_number(45, 46, FOB_OK);
    of_another_number(45, 61, FOB_DAMAGED);
}

static void a_group_above_the_head_of_its_checkpoint_is_damage(void **state) {
    (void)state;
    of_another_number(10000, 400, FOB_OK);
    of_another_number(10000, 314, FOB_DAMAGED);
    of_another_number(50, 10001, FOB_OK);
    of_another_number(50, 10002, FOB_DAMAGED);
}

FOB_MAIN(FOB_CASE_WITH(a_mark_beyond_all_numbers_is_damage, setup, teardown),
         FOB_CASE_WITH(a_time_beyond_all_times_is_damage, setup, teardown),
         FOB_CASE_WITH(what_is_due_in_an_age_is_waited_for, setup, teardown),
         FOB_CASE_WITH(a_census_accepts_nothing_that_is_done, setup, teardown),
         FOB_CASE_WITH(a_group_without_a_name_or_a_pattern_is_damage, setup, teardown),
         FOB_CASE_WITH(an_event_of_more_bytes_than_one_can_have_is_damage, setup, teardown),
         FOB_CASE_WITH(the_last_number_of_groups_is_not_given, setup, teardown),
         FOB_CASE_WITH(a_session_that_is_ahead_of_itself_is_damage, setup, teardown),
         FOB_CASE_WITH(a_checkpoint_with_impossible_numbers_is_damage, setup, teardown),
         FOB_CASE_WITH(an_event_at_two_places_of_a_checkpoint_is_damage, setup, teardown),
         FOB_CASE_WITH(a_group_above_the_head_of_its_checkpoint_is_damage, setup, teardown))
