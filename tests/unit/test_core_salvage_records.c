/* What a record says by itself, behind a hole in which those that it rests on are lost. */
#include "bus/core/durable/record.h"
#include "bus/core/durable/salvage.h"
#include "bus/core/state.h"
#include "test_core_bare.h"
#include "tests/support/case.h"

/* --- records --- */

/* Whether something of it was used. */
static bool take(const void *bytes, size_t size) {
    bool used = true;
    assert_int_equal(fob_core_salvage_record(core, ++position, fob_slice(bytes, size), &used),
                     FOB_OK);
    return used;
}

static bool take_group(uint32_t id, const char *name, uint64_t start) {
    uint8_t bytes[FOB_RECORD_GROUP_ADD_SIZE + 64];
    fob_record_write_group_add(bytes, &(fob_record_group_add_t){.id = id,
                                                                .time_ms = 1000,
                                                                .start = start,
                                                                .name = fob_slice_str(name),
                                                                .pattern = fob_slice_str(">")});
    return take(bytes, FOB_RECORD_GROUP_ADD_SIZE + strlen(name) + 1);
}

/* Of session 0. */
static bool take_events(uint64_t first_offset, uint64_t first_number, unsigned count,
                        const char *id) {
    fob_buf_t all = {0};
    uint8_t head[FOB_RECORD_EVENTS_SIZE];
    fob_record_write_events(head, &(fob_record_events_t){.flags = *id ? FOB_EVENTS_ID : 0,
                                                         .count = count,
                                                         .time_ms = 1000,
                                                         .first_offset = first_offset,
                                                         .first_number = first_number,
                                                         .low = 1,
                                                         .next_number = first_number + count});
    fob_buf_put(&all, head, sizeof head);
    for (unsigned i = 0; i < count; i++)
        kit_event_with(&all, "a.b", id, 0, "x", 1);
    bool used = take(all.data, all.size);
    fob_buf_free(&all);
    return used;
}

static bool take_run(fob_run_record_t run) {
    uint8_t bytes[FOB_RECORD_RUNS_SIZE + FOB_RUN_SIZE];
    fob_record_write_runs(bytes, 1, 2000);
    fob_record_write_run(bytes + FOB_RECORD_RUNS_SIZE, &run);
    return take(bytes, sizeof bytes);
}

/* Group "g" with number 1, and six events. */
static fob_group_t *group_of_six(void) {
    assert_true(take_group(1, "g", 1));
    assert_true(take_events(1, 1, 6, ""));
    return fob_groups_find(&core->groups, fob_slice_str("g"));
}

static fob_run_record_t run_of(fob_run_verb_t verb, unsigned flags, uint64_t from, uint64_t to) {
    return (fob_run_record_t){.verb = (uint8_t)verb,
                              .flags = (uint8_t)flags,
                              .count = (uint32_t)(to - from) + 1,
                              .from = from,
                              .to = to,
                              .token = 1};
}

static bool covered(const fob_group_t *group, uint64_t offset) {
    return fob_cover_has(&group->cover, offset);
}

/* --- runs --- */

static void a_letter_that_was_taken_out_is_one_no_more(void **state) {
    (void)state;
    fob_group_t *group = group_of_six();
    fob_run_record_t dead = run_of(FOB_RUN_DEAD, FOB_RUN_FRESH, 2, 4);
    dead.reason = dead.detail = FOB_REASON_REJECT;
    take_run(dead);
    assert_int_equal(group->deads.count, 3);
    take_run(run_of(FOB_RUN_UNBURY, 0, 3, 3));
    assert_null(fob_deads_find(&group->deads, 3));
    take_run(run_of(FOB_RUN_UNBURY, 0, 6, 6)); /* its death is lost */
    take_run(run_of(FOB_RUN_REDRIVE, 0, 4, 4));
    assert_null(fob_deads_find(&group->deads, 4));
    assert_non_null(fob_back_find(&group->back, 4));
    fob_core_salvage_end(core);
    assert_int_equal(group->dead, 1);
    assert_int_equal(group->accepted, 2);
}

/* As nobody knows which ones they are; those whose events are lost are told by the salvage. */
static void letters_without_an_offset_are_given_up(void **state) {
    (void)state;
    fob_group_t *group = group_of_six();
    take_run(run_of(FOB_RUN_DEAD, FOB_RUN_UNKNOWN, 2, 4));
    take_run((fob_run_record_t){.verb = FOB_RUN_UNBURY, .count = 3, .token = 1});
    assert_int_equal(group->deads.count, 0);
    assert_false(covered(group, 3));
}

static void what_was_dropped_somewhere_is_looked_for_again(void **state) {
    (void)state;
    fob_group_t *group = group_of_six();
    fob_run_record_t somewhere = run_of(FOB_RUN_SHED, FOB_RUN_FRESH, 1, 6);
    somewhere.count = 2;
    take_run(somewhere);
    take_run(run_of(FOB_RUN_SHED, FOB_RUN_DEBT, 1, 6));
    take_run(run_of(FOB_RUN_REMOVE, FOB_RUN_UNKNOWN | FOB_RUN_PAID, 1, 6));
    for (uint64_t offset = 1; offset <= 6; offset++)
        assert_false(covered(group, offset));
    take_run(run_of(FOB_RUN_SHED, FOB_RUN_FRESH, 1, 2));
    assert_true(covered(group, 1) && covered(group, 2) && !covered(group, 3));
}

/* Of an ack with gaps the last event is known. */
static void of_an_ack_with_gaps_the_last_event_is_done(void **state) {
    (void)state;
    fob_group_t *group = group_of_six();
    fob_run_record_t ack = run_of(FOB_RUN_ACK, FOB_RUN_FRESH, 2, 5);
    ack.count = 3;
    take_run(ack);
    assert_true(covered(group, 5));
    assert_false(covered(group, 2) || covered(group, 4));
}

/* Who it was, and whether it counted, is kept. */
static void what_came_back_keeps_how_its_attempts_ended(void **state) {
    (void)state;
    fob_group_t *group = group_of_six();
    fob_run_record_t back = run_of(FOB_RUN_RETURN, FOB_RUN_FRESH | FOB_RUN_COUNTED, 2, 3);
    back.reason = FOB_REASON_RETRY;
    back.due_ms = 9000;
    take_run(back);
    back = run_of(FOB_RUN_RETURN, FOB_RUN_RELEASED, 3, 3);
    back.reason = FOB_REASON_RELEASE;
    take_run(back);
    const fob_back_entry_t *entry = fob_back_find(&group->back, 3);
    assert_int_equal(entry->attempts, 1);
    assert_int_equal(entry->releases, 1);
    assert_int_equal(entry->reason, FOB_REASON_RELEASE);
    assert_int_equal(fob_history_count(core->history, entry->history), 2);
    assert_int_equal(fob_back_find(&group->back, 2)->due_ms, 9000);
    take_run(run_of(FOB_RUN_DEAD, 0, 3, 3));
    assert_null(fob_back_find(&group->back, 3));
    assert_int_equal(fob_history_count(core->history, fob_deads_find(&group->deads, 3)->history),
                     2);
}

static void runs_that_cannot_be_read_are_passed_over(void **state) {
    (void)state;
    fob_group_t *group = group_of_six();
    uint8_t bytes[FOB_RECORD_RUNS_SIZE + 2 * FOB_RUN_SIZE];
    fob_run_record_t none = run_of(FOB_RUN_ACK, FOB_RUN_FRESH, 1, 1);
    fob_run_record_t ack = run_of(FOB_RUN_ACK, FOB_RUN_FRESH, 3, 3);
    none.verb = 99;
    fob_record_write_runs(bytes, 1, 2000);
    fob_record_write_run(bytes + FOB_RECORD_RUNS_SIZE, &none);
    fob_record_write_run(bytes + FOB_RECORD_RUNS_SIZE + FOB_RUN_SIZE, &ack);
    assert_true(take(bytes, sizeof bytes));
    assert_true(covered(group, 3));
    assert_false(take(bytes, sizeof bytes - 1));
}

static void what_is_said_of_a_lost_group_is_told(void **state) {
    (void)state;
    assert_false(take_run(run_of(FOB_RUN_ACK, FOB_RUN_FRESH, 9, 9)));
    assert_int_equal(fob_core_head(core), 0);
}

/* --- the others --- */

/* A session that was forgotten in the hole began anew with its first number. */
static void a_session_that_began_anew_in_the_hole_goes_on(void **state) {
    (void)state;
    static const uint8_t session[FOB_SESSION_SIZE] = {0};
    assert_true(take_events(1, 1, 6, ""));
    assert_true(take_events(20, 1, 2, ""));
    assert_int_equal(fob_core_head(core), 21);
    const fob_writer_t *writer = fob_writers_find(&core->writers, session);
    assert_int_equal(writer->next, 3);
    assert_int_equal(writer->count, 1);
    assert_int_equal(fob_writer_at(writer, 0)->offset, 20);
}

static void a_group_of_the_same_name_takes_the_place_of_one_whose_end_is_lost(void **state) {
    (void)state;
    group_of_six();
    take_run(run_of(FOB_RUN_RETURN, FOB_RUN_FRESH | FOB_RUN_COUNTED, 2, 2));
    assert_true(take_group(4, "g", 7));
    assert_int_equal(core->groups.count, 1);
    const fob_group_t *group = fob_groups_find(&core->groups, fob_slice_str("g"));
    assert_int_equal(group->id, 4);
    assert_int_equal(group->back.count, 0);
    assert_false(take_group(4, "g", 7)); /* not a second time */
    assert_int_equal(fob_groups_find(&core->groups, fob_slice_str("g"))->id, 4);
}

/* What was remembered under the old one is lost with it. */
static void where_the_secret_of_ids_is_lost_there_is_a_new_one(void **state) {
    (void)state;
    assert_true(take_events(1, 1, 1, "i1"));
    assert_int_equal(fob_dedup_count(core->dedup), 1);
    assert_true(core->seed != 0);
}

static void records_of_a_later_place_bring_the_head_there(void **state) {
    (void)state;
    uint8_t bytes[FOB_RECORD_RESET_SIZE];
    fob_buf_t moved = {0};
    uint8_t head[FOB_RECORD_MOVED_SIZE];
    group_of_six();
    fob_record_write_moved(head, &(fob_record_moved_t){1000, 31, 3, 2000});
    fob_buf_put(&moved, head, sizeof head);
    kit_event(&moved, "a.b", "x", 1);
    assert_true(take(moved.data, moved.size));
    assert_int_equal(fob_core_head(core), 31);
    assert_int_equal(fob_moved_place(&core->moved, 3), 31);
    fob_buf_free(&moved);
    fob_record_write_reset(bytes, &(fob_record_reset_t){FOB_RESET_LATEST, 1, 2000, 41, 40});
    assert_true(take(bytes, sizeof bytes));
    assert_int_equal(fob_core_head(core), 40);
    assert_true(take_group(2, "h", 51));
    assert_int_equal(fob_core_head(core), 50);
}

/* Whatever their bytes are, they ruin nothing. */
static void records_that_are_not_ours_change_nothing(void **state) {
    (void)state;
    uint8_t bytes[FOB_RECORD_EVENTS_SIZE + FOB_RECORD_GROUP_ADD_SIZE] = {0};
    group_of_six();
    uint64_t hash = fob_core_hash(core);
    for (unsigned kind = 0; kind <= FOB_RECORD_MOVED; kind++) {
        bytes[0] = (uint8_t)kind;
        assert_false(take(bytes, kind == 0 ? 0 : 1));
        assert_int_equal(fob_core_hash(core), hash);
    }
    assert_false(take_events(0, 7, 1, "")); /* no event is at 0 */
    assert_false(take_group(9, "h", 0));
    assert_int_equal(fob_core_head(core), 6);
    assert_int_equal(fob_core_hash(core), hash);
}

/* --- with a checkpoint --- */

static void what_the_checkpoint_holds_is_not_taken_twice(void **state) {
    (void)state;
    fob_buf_t slice = {0};
    uint8_t mark[FOB_RECORD_MARK_SIZE];
    group_of_six();
    fob_record_write_mark(mark, &(fob_record_mark_t){1, 6, 100});
    assert_true(take(mark, sizeof mark));
    take_run(run_of(FOB_RUN_RETURN, FOB_RUN_FRESH | FOB_RUN_COUNTED, 2, 2));
    fob_core_t *again = fob_core_new(&kit_config);
    fob_core_checkpoint_begin(core);
    while (fob_core_checkpoint_next(core, &slice))
        assert_int_equal(fob_core_load(again, fob_buf_slice(&slice)), FOB_OK);
    fob_buf_free(&slice);
    uint64_t hash = fob_core_hash(core);
    fob_core_destroy(&core);
    core = again;
    assert_int_equal(fob_core_hash(core), hash);
    position--; /* that record once more, and another one of its commit */
    take_run(run_of(FOB_RUN_RETURN, FOB_RUN_COUNTED, 2, 2));
    assert_int_equal(fob_core_hash(core), hash);
    assert_true(take_run(run_of(FOB_RUN_ACK, 0, 2, 2)));
    assert_int_equal(core->groups.by_id[0]->back.count, 0);
}

/* The checkpoint of an earlier salvage is lost, which had let the tokens leap. */
static void a_mark_far_above_the_last_one_is_where_tokens_go_on(void **state) {
    (void)state;
    fob_group_t *group = group_of_six();
    uint64_t far = (UINT64_C(1) << 40) + 5000;
    uint8_t bytes[FOB_RECORD_MARK_SIZE];
    fob_record_write_mark(bytes, &(fob_record_mark_t){1, 100, far});
    assert_true(take(bytes, sizeof bytes));
    assert_int_equal(group->mark_token, far);
    assert_true(take_run((fob_run_record_t){.verb = FOB_RUN_HANDOUT,
                                            .flags = FOB_RUN_FRESH,
                                            .count = 1,
                                            .from = 2,
                                            .to = 2,
                                            .token = 2 * far}));
    fob_core_salvage_end(core);
    assert_true(group->mark_token > 2 * far);
}

/* They may be of a later moment than its head, and the records in between be lost. */
static void what_the_parts_of_a_checkpoint_know_was_given_and_used(void **state) {
    (void)state;
    static const uint8_t session[FOB_SESSION_SIZE];
    fob_group_t *group = group_of_six();
    fob_writer_t *writer = fob_writers_find(&core->writers, session);
    writer->use = 99;
    group->skip_to = 8;
    fob_core_salvage_end(core);
    assert_int_equal(core->writers.uses, 99);
    assert_int_equal(core->head, 7);
    fob_cover_add(&group->cover, 1, 20);
    fob_core_salvage_end(core);
    assert_int_equal(core->head, 20);
    fob_writer_at(writer, writer->count - 1)->offset = 30; /* for six numbers */
    fob_core_salvage_end(core);
    assert_int_equal(core->head, 35);
    assert_true(fob_dedup_reserve(core->dedup, 1));
    fob_dedup_add(core->dedup, &(fob_known_t){.ident = {1, 2, 3}, .offset = 40, .time_ms = 1000});
    fob_core_salvage_end(core);
    assert_int_equal(core->head, 40);
}

FOB_MAIN(FOB_CASE_WITH(a_letter_that_was_taken_out_is_one_no_more, setup, teardown),
         FOB_CASE_WITH(letters_without_an_offset_are_given_up, setup, teardown),
         FOB_CASE_WITH(what_was_dropped_somewhere_is_looked_for_again, setup, teardown),
         FOB_CASE_WITH(of_an_ack_with_gaps_the_last_event_is_done, setup, teardown),
         FOB_CASE_WITH(what_came_back_keeps_how_its_attempts_ended, setup, teardown),
         FOB_CASE_WITH(runs_that_cannot_be_read_are_passed_over, setup, teardown),
         FOB_CASE_WITH(what_is_said_of_a_lost_group_is_told, setup, teardown),
         FOB_CASE_WITH(a_session_that_began_anew_in_the_hole_goes_on, setup, teardown),
         FOB_CASE_WITH(a_group_of_the_same_name_takes_the_place_of_one_whose_end_is_lost, setup,
                       teardown),
         FOB_CASE_WITH(where_the_secret_of_ids_is_lost_there_is_a_new_one, setup, teardown),
         FOB_CASE_WITH(records_of_a_later_place_bring_the_head_there, setup, teardown),
         FOB_CASE_WITH(a_mark_far_above_the_last_one_is_where_tokens_go_on, setup, teardown),
         FOB_CASE_WITH(what_the_parts_of_a_checkpoint_know_was_given_and_used, setup, teardown),
         FOB_CASE_WITH(records_that_are_not_ours_change_nothing, setup, teardown),
         FOB_CASE_WITH(what_the_checkpoint_holds_is_not_taken_twice, setup, teardown))
