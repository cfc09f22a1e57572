/* Checkpoints that are whole and that no bus wrote. What cannot be is damage. */
#include "test_core_whole.h"

#include "bus/core/durable/checkpoint.h"
#include "bus/core/durable/record.h"
#include "bus/core/table/little.h"
#include "tests/support/case.h"

static fob_core_t *core;

static int setup(void **state) {
    (void)state;
    core = fob_core_new(&kit_config);
    return core ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    fob_core_destroy(&core);
    return 0;
}

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
 * came back, 49 is dead. */
static void an_event_at_two_places_of_a_checkpoint_is_damage(void **state) {
    (void)state;
    of_another_number(90, 299, FOB_OK);
    of_another_number(90, 300, FOB_DAMAGED);
    of_another_number(315, 311, FOB_OK);
    of_another_number(315, 310, FOB_DAMAGED);
    of_another_number(45, 46, FOB_OK);
    of_another_number(45, 61, FOB_DAMAGED);
    of_another_number(49, 42, FOB_OK);
    of_another_number(49, 45, FOB_DAMAGED); /* came back too */
    of_another_number(49, 61, FOB_DAMAGED); /* was never out */
}

static void a_group_above_the_head_of_its_checkpoint_is_damage(void **state) {
    (void)state;
    of_another_number(10000, 400, FOB_OK);
    of_another_number(10000, 314, FOB_DAMAGED);
    of_another_number(50, 10001, FOB_OK);
    of_another_number(50, 10002, FOB_DAMAGED);
}

/* The same of a core to which something was added. */
static void of_this(void (*add)(fob_core_t *whole), uint64_t old, uint64_t new, fob_status_t want) {
    fob_core_t *whole = whole_core(1 << 20);
    add(whole);
    fob_core_destroy(&core);
    assert_int_equal(setup(NULL), 0);
    fob_status_t status = load_changed(whole, old, new);
    if (status != want)
        fail_msg("%llu as %llu: %d", (unsigned long long)old, (unsigned long long)new, (int)status);
    fob_core_destroy(&whole);
}

/* Groups are counted from 1. */
static void a_group_without_a_number_is_damage(void **state) {
    (void)state;
    for (uint32_t next = 0; next < 2; next++) {
        fob_core_t *empty = fob_core_new(&kit_config);
        empty->position = 7;
        empty->next_group = next;
        fob_core_destroy(&core);
        assert_int_equal(setup(NULL), 0);
        assert_int_equal(load_changed(empty, 0, 0), next ? FOB_OK : FOB_DAMAGED);
        fob_core_destroy(&empty);
    }
}

static void add_moved(fob_core_t *whole) {
    assert_true(fob_moved_reserve(&whole->moved, 2));
    fob_moved_add(&whole->moved, 7001, 9001);
    fob_moved_add(&whole->moved, 7002, 9002);
}

static void a_moved_event_that_cannot_be_is_damage(void **state) {
    (void)state;
    of_this(add_moved, 7001, 7000, FOB_OK);
    of_this(add_moved, 7001, 0, FOB_DAMAGED);
    of_this(add_moved, 7001, 9001, FOB_DAMAGED); /* at its own place */
    of_this(add_moved, 7002, 7001, FOB_DAMAGED); /* at two */
    of_this(add_moved, 9001, 9002, FOB_DAMAGED); /* with another */
    of_this(add_moved, 9002, 10000, FOB_OK);
    of_this(add_moved, 9002, 10001, FOB_DAMAGED); /* above the head */
    of_this(add_moved, 2, 3, FOB_DAMAGED);
}

static void add_session(fob_core_t *whole) {
    static const uint8_t session[FOB_SESSION_SIZE] = "of this test";
    assert_true(fob_writers_reserve(&whole->writers, session, 2));
    fob_writer_t *writer = fob_writers_see(&whole->writers, session, 4501);
    writer->next = 80010;
    writer->low = 66001;
    fob_writer_answer(writer, (fob_answer_t){.number = 70001, .offset = 9501, .count = 5});
    fob_writer_answer(writer, (fob_answer_t){.number = 80001, .offset = 9801, .count = 9});
}

static void a_session_whose_answers_cannot_be_is_damage(void **state) {
    (void)state;
    of_this(add_session, 80010, 80011, FOB_OK);
    of_this(add_session, 80010, 80009, FOB_DAMAGED); /* the last was answered */
    of_this(add_session, 80010, 80000, FOB_DAMAGED);
    of_this(add_session, 80010, 0, FOB_DAMAGED);
    of_this(add_session, 80010, UINT64_MAX, FOB_DAMAGED);
    of_this(add_session, 66001, 80010, FOB_OK);
    of_this(add_session, 66001, 80011, FOB_DAMAGED); /* low above next */
    of_this(add_session, 66001, 80010 - FOB_WINDOW_MAX, FOB_OK);
    of_this(add_session, 66001, 80009 - FOB_WINDOW_MAX, FOB_DAMAGED); /* more than a window */
    of_this(add_session, 70001, 0, FOB_DAMAGED);
    of_this(add_session, 70001, UINT64_MAX - 2, FOB_DAMAGED);
    of_this(add_session, 80001, 70005, FOB_DAMAGED); /* answered twice */
    of_this(add_session, 80001, 70006, FOB_OK);
    of_this(add_session, 9501, 9996, FOB_OK);
    of_this(add_session, 9501, 9997, FOB_DAMAGED); /* the last of them above the head */
    of_this(add_session, 9501, 0, FOB_DAMAGED);
    of_this(add_session, 9501, UINT64_MAX, FOB_DAMAGED);
    of_this(add_session, 4501, (uint64_t)FOB_RECORD_TIME_MAX + 1, FOB_DAMAGED);
}

static void last_used(fob_core_t *whole) {
    static const uint8_t session[FOB_SESSION_SIZE] = "of this test";
    add_session(whole);
    whole->writers.uses = 8888;
    fob_writers_find(&whole->writers, session)->use = 7777;
}

/* A salvage left that so: the records that were lost had counted the uses. */
static void a_session_that_was_used_after_the_last_use_is_none(void **state) {
    (void)state;
    of_this(last_used, 7777, 8888, FOB_OK);
    of_this(last_used, 7777, 8889, FOB_OK);
    of_this(last_used, 7777, FOB_RECORD_NUMBER_MAX + 1, FOB_DAMAGED);
}

static void add_ids(fob_core_t *whole) {
    whole_ids(whole, 9701, 9701);
    whole_ids(whole, 9801, 9801);
}

static void ids_out_of_order_are_damage(void **state) {
    (void)state;
    of_this(add_ids, 9801, 9702, FOB_OK);
    of_this(add_ids, 9801, 9701, FOB_DAMAGED);
    of_this(add_ids, 9801, 10000, FOB_OK);
    of_this(add_ids, 9801, 10001, FOB_DAMAGED); /* above the head */
    of_this(add_ids, 9801, FOB_RECORD_NUMBER_MAX + 1, FOB_DAMAGED);
    of_this(add_ids, 9701, 40, FOB_DAMAGED); /* as the one before */
}

static void without_secret(fob_core_t *whole) {
    add_ids(whole);
    whole->seed = 0;
}

static void ids_without_their_secret_are_damage(void **state) {
    (void)state;
    of_this(without_secret, 9801, 9802, FOB_DAMAGED);
}

/* --- a group whose parts contradict each other --- */

/* The same of a core whose group "two" was changed. */
static void of_group(unsigned line, void (*change)(fob_group_t *group), fob_status_t want) {
    fob_core_t *whole = whole_core(1 << 20);
    fob_buf_t slice = {0};
    fob_status_t status = FOB_OK;
    change(fob_groups_find(&whole->groups, fob_slice_str("two")));
    fob_core_destroy(&core);
    assert_int_equal(setup(NULL), 0);
    fob_core_checkpoint_begin(whole);
    while (status == FOB_OK && fob_core_checkpoint_next(whole, &slice))
        status = fob_core_load(core, fob_buf_slice(&slice));
    fob_buf_free(&slice);
    if (status != want)
        fail_msg("line %u: %d", line, (int)status);
    if (want == FOB_DAMAGED)
        assert_string_equal(fob_core_error(core), "the checkpoint is not one that we wrote");
    fob_core_destroy(&whole);
}
#define OF_GROUP(change, want) of_group(__LINE__, change, want)

/* Makes a function that does this to a group. */
#define CHANGE(name, what)                                                                         \
    static void name(fob_group_t *group) {                                                         \
        what;                                                                                      \
    }

CHANGE(begin_at_its_floor, group->start = group->cover.floor)
CHANGE(begin_above_its_floor, group->start = group->cover.floor + 1)
CHANGE(begin_nowhere, group->start = 0)
CHANGE(begin_without_a_generation, group->generation = 0)

/* What lies below its floor a group never asks for, and nothing lies at 0: a floor there would be
 * looked at, and given up by a record that no replay takes. */
static void a_floor_below_the_start_is_damage(void **state) {
    (void)state;
    OF_GROUP(begin_at_its_floor, FOB_OK);
    OF_GROUP(begin_above_its_floor, FOB_DAMAGED);
    OF_GROUP(begin_nowhere, FOB_DAMAGED);
    OF_GROUP(begin_without_a_generation, FOB_DAMAGED);
}

/* whole_core: from 100 to 200, and the lowest with a priority is 300. */
CHANGE(census_done, group->census_at = 201)
CHANGE(census_at_nothing, group->census_at = 0)
CHANGE(census_before_a_priority, group->census_to = 299)
CHANGE(census_over_a_priority, group->census_to = 300)
CHANGE(census_done_over_priorities, group->census_to = 9000; group->census_at = 9001)

static void a_census_that_cannot_be_is_damage(void **state) {
    (void)state;
    OF_GROUP(census_done, FOB_OK);
    OF_GROUP(census_at_nothing, FOB_DAMAGED);
    OF_GROUP(census_before_a_priority, FOB_OK);
    OF_GROUP(census_over_a_priority, FOB_DAMAGED); /* it was not found yet */
    OF_GROUP(census_done_over_priorities, FOB_OK);
}

/* whole_core: 41 and 45 are out, with tokens 141 and 145; 44 waits; the mark is at token 400, and
 * those up to 30 are void. */
static fob_back_entry_t *waiting(fob_group_t *group) {
    return fob_back_find(&group->back, 44);
}
static fob_back_entry_t *out(fob_group_t *group) {
    return fob_back_find(&group->back, 45);
}
CHANGE(token_at_the_mark, waiting(group)->token = 400)
CHANGE(token_above_the_mark, waiting(group)->token = 401)
CHANGE(void_at_the_mark, group->void_token = 400)
CHANGE(void_above_the_mark, group->void_token = 401)
CHANGE(out_without_token, *out(group) = ((fob_back_entry_t){.offset = 45, .out = true}))
CHANGE(out_until_later, out(group)->due_ms = 6000)
CHANGE(tried_without_token, waiting(group)->token = 0)
CHANGE(attempts_at_most, waiting(group)->attempts = 999999)
CHANGE(attempts_without_end, waiting(group)->attempts = 1000000)
static void as_redriven(fob_group_t *group) {
    fob_back_entry_t *entry = waiting(group);
    entry->token = entry->attempts = entry->releases = entry->reason = 0;
    entry->due_ms = 0;
}
static void redriven_until_later(fob_group_t *group) {
    as_redriven(group);
    waiting(group)->due_ms = 6000;
}
static void redriven_and_released(fob_group_t *group) {
    as_redriven(group);
    waiting(group)->releases = 1;
}

static void what_came_back_as_it_cannot_is_damage(void **state) {
    (void)state;
    OF_GROUP(token_at_the_mark, FOB_OK);
    OF_GROUP(token_above_the_mark, FOB_DAMAGED); /* it would be given a second time */
    OF_GROUP(void_at_the_mark, FOB_OK);
    OF_GROUP(void_above_the_mark, FOB_DAMAGED);
    OF_GROUP(out_without_token, FOB_DAMAGED);
    OF_GROUP(out_until_later, FOB_DAMAGED);
    OF_GROUP(as_redriven, FOB_OK);
    OF_GROUP(tried_without_token, FOB_DAMAGED);
    OF_GROUP(redriven_until_later, FOB_DAMAGED);
    OF_GROUP(redriven_and_released, FOB_DAMAGED);
    OF_GROUP(attempts_at_most, FOB_OK);
    OF_GROUP(attempts_without_end, FOB_DAMAGED);
}

/* whole_core: 118 events were never out or are owed. */
CHANGE(as_many_as_fit, group->accepted += 10000 - 118)
CHANGE(one_too_many, group->accepted += 10000 - 118 + 1)
CHANGE(owed_beside_these, group->accepted += 10000 - 118; group->debt++)

static void more_events_than_there_is_room_for_are_damage(void **state) {
    (void)state;
    OF_GROUP(as_many_as_fit, FOB_OK);
    OF_GROUP(one_too_many, FOB_DAMAGED);
    OF_GROUP(owed_beside_these, FOB_DAMAGED);
}

#define MOST (FOB_RECORD_NUMBER_MAX / 2)
CHANGE(tokens_at_most, group->mark_token = MOST)
CHANGE(tokens_that_run_out, group->mark_token = MOST + 1)
CHANGE(mark_at_most, group->mark_offset = FOB_RECORD_NUMBER_MAX)
CHANGE(mark_beyond_all, group->mark_offset = FOB_RECORD_NUMBER_MAX + 1)
CHANGE(serials_at_most, group->deads.last_serial = MOST)
CHANGE(serials_that_run_out, group->deads.last_serial = MOST + 1)

static void numbers_that_leave_no_next_one_are_damage(void **state) {
    (void)state;
    OF_GROUP(tokens_at_most, FOB_OK);
    OF_GROUP(tokens_that_run_out, FOB_DAMAGED);
    OF_GROUP(mark_at_most, FOB_OK);
    OF_GROUP(mark_beyond_all, FOB_DAMAGED);
    OF_GROUP(serials_at_most, FOB_OK);
    OF_GROUP(serials_that_run_out, FOB_DAMAGED);
    of_another_number(10000, MOST, FOB_OK);
    of_another_number(10000, MOST + 1, FOB_DAMAGED);
    of_another_number(5000, FOB_RECORD_TIME_MAX / 2, FOB_OK);
    of_another_number(5000, FOB_RECORD_TIME_MAX / 2 + 1, FOB_DAMAGED);
}

/* whole_core: covered up to 29, 40 to 60, 80 to 90. */
static fob_interval_t *covered(fob_group_t *group) {
    return fob_intervals_first(&group->cover.above);
}
CHANGE(cover_near_another, covered(group)[1].from = 62)
CHANGE(cover_at_another, covered(group)[1].from = 61)
CHANGE(cover_in_another, covered(group)[1].from = 50)
CHANGE(cover_near_the_floor, covered(group)[0].from = 31)
CHANGE(cover_at_the_floor, covered(group)[0].from = 30)

static void covered_stretches_that_touch_are_damage(void **state) {
    (void)state;
    OF_GROUP(cover_near_another, FOB_OK);
    OF_GROUP(cover_at_another, FOB_DAMAGED);
    OF_GROUP(cover_in_another, FOB_DAMAGED);
    OF_GROUP(cover_near_the_floor, FOB_OK);
    OF_GROUP(cover_at_the_floor, FOB_DAMAGED);
}

/* --- slices of later moments than the head --- */

/* whole_core, all behind the first slice of a later moment, in slices up to `last`. */
static fob_status_t load_later(void (*change)(fob_core_t *whole), uint8_t last) {
    fob_core_t *whole = whole_core(1 << 20);
    fob_buf_t slice = {0};
    fob_status_t status = FOB_OK;
    change(whole);
    fob_core_destroy(&core);
    assert_int_equal(setup(NULL), 0);
    fob_core_checkpoint_begin(whole);
    while (status == FOB_OK && fob_core_checkpoint_next(whole, &slice)) {
        if (slice.data[8] != FOB_UNIT_HEAD)
            fob_put64(slice.data + 16, fob_get64(slice.data + 16) + 1000);
        if (slice.data[8] <= last)
            status = fob_core_load(core, fob_buf_slice(&slice));
    }
    fob_buf_free(&slice);
    fob_core_destroy(&whole);
    return status;
}

static void as_it_is(fob_core_t *whole) {
    (void)whole;
}
static void id_at_the_head(fob_core_t *whole) {
    whole_ids(whole, 10000, 10000);
}
static void id_above_the_head(fob_core_t *whole) {
    whole_ids(whole, 10001, 10001);
}
static void group_above_the_head(fob_core_t *whole) {
    fob_groups_find(&whole->groups, fob_slice_str("two"))->skip_to = 10002;
}
static void topics_at_the_head(fob_core_t *whole) {
    whole->chain.floor = 10000;
}
static void topics_above_the_head(fob_core_t *whole) {
    whole->chain.floor = 10001;
}
static void session_above_the_head(fob_core_t *whole) {
    add_session(whole);
    whole->head = 9808;
}

static void replayed_is(void (*change)(fob_core_t *), fob_status_t status) {
    assert_int_equal(load_later(change, FOB_UNIT_END), FOB_OK);
    assert_int_equal(fob_core_replayed(core), status);
}

/* The records between make it one state; here there are none. */
static void what_no_record_leads_to_is_damage_once_all_is_replayed(void **state) {
    (void)state;
    replayed_is(as_it_is, FOB_OK);
    replayed_is(id_at_the_head, FOB_OK);
    replayed_is(id_above_the_head, FOB_DAMAGED);
    replayed_is(without_secret, FOB_DAMAGED);
    replayed_is(group_above_the_head, FOB_DAMAGED);
    replayed_is(topics_at_the_head, FOB_OK);
    replayed_is(topics_above_the_head, FOB_DAMAGED);
    replayed_is(session_above_the_head, FOB_DAMAGED);
    assert_string_equal(fob_core_error(core),
                        "the checkpoint does not fit the commits that follow it");
}

static void a_checkpoint_without_its_end_is_damage_once_all_is_replayed(void **state) {
    (void)state;
    assert_int_equal(load_later(as_it_is, FOB_UNIT_END - 1), FOB_OK);
    assert_int_equal(fob_core_replayed(core), FOB_DAMAGED);
    assert_string_equal(fob_core_error(core), "the checkpoint has no end");
}

/* All of one moment: none can have ended before its turn. */
static void a_group_without_its_state_is_damage(void **state) {
    (void)state;
    fob_core_t *whole = whole_core(1);
    fob_buf_t slice = {0};
    uint64_t number = 0;
    fob_status_t status = FOB_OK;
    fob_core_checkpoint_begin(whole);
    while (status == FOB_OK && fob_core_checkpoint_next(whole, &slice)) {
        if (slice.data[8] == FOB_UNIT_GROUPS)
            continue;
        fob_put64(slice.data + 24, number++);
        status = fob_core_load(core, fob_buf_slice(&slice));
        assert_int_equal(status, slice.data[8] == FOB_UNIT_END ? FOB_DAMAGED : FOB_OK);
    }
    assert_int_equal(status, FOB_DAMAGED);
    fob_buf_free(&slice);
    fob_core_destroy(&whole);
}

FOB_MAIN(FOB_CASE_WITH(a_checkpoint_with_impossible_numbers_is_damage, setup, teardown),
         FOB_CASE_WITH(an_event_at_two_places_of_a_checkpoint_is_damage, setup, teardown),
         FOB_CASE_WITH(a_group_above_the_head_of_its_checkpoint_is_damage, setup, teardown),
         FOB_CASE_WITH(a_group_without_a_number_is_damage, setup, teardown),
         FOB_CASE_WITH(a_moved_event_that_cannot_be_is_damage, setup, teardown),
         FOB_CASE_WITH(a_session_whose_answers_cannot_be_is_damage, setup, teardown),
         FOB_CASE_WITH(a_session_that_was_used_after_the_last_use_is_none, setup, teardown),
         FOB_CASE_WITH(ids_out_of_order_are_damage, setup, teardown),
         FOB_CASE_WITH(ids_without_their_secret_are_damage, setup, teardown),
         FOB_CASE_WITH(a_floor_below_the_start_is_damage, setup, teardown),
         FOB_CASE_WITH(a_census_that_cannot_be_is_damage, setup, teardown),
         FOB_CASE_WITH(what_came_back_as_it_cannot_is_damage, setup, teardown),
         FOB_CASE_WITH(more_events_than_there_is_room_for_are_damage, setup, teardown),
         FOB_CASE_WITH(numbers_that_leave_no_next_one_are_damage, setup, teardown),
         FOB_CASE_WITH(covered_stretches_that_touch_are_damage, setup, teardown),
         FOB_CASE_WITH(what_no_record_leads_to_is_damage_once_all_is_replayed, setup, teardown),
         FOB_CASE_WITH(a_checkpoint_without_its_end_is_damage_once_all_is_replayed, setup,
                       teardown),
         FOB_CASE_WITH(a_group_without_its_state_is_damage, setup, teardown))
