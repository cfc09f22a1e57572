/* census: a group that begins in the past finds its events. */
#include "test_core_queue_case.h"

#include "bus/core/work/census.h"
#include "tests/support/case.h"

#include <stdlib.h>

/* Asked for by their number: 1 is the first. */
static void begin_at(uint64_t offset) {
    queue_admin(&q, FOB_CMD_GROUP_ADD, "a", offset, 0, 0);
}

/* Answers one NEED that was shown and not answered yet; false: there is none. */
static bool one_page(void) {
    for (size_t i = 0; i < q.kit.shown_count; i++) {
        kit_effect_t *effect = &q.kit.shown[i];
        if (effect->kind != FOB_EFF_NEED || effect->seq)
            continue;
        effect->seq = 1;
        kit_page(&q.kit, effect->need_offset, q.kit.config.page_bytes);
        kit_books(&q.kit);
        return true;
    }
    return false;
}

static void a_group_that_begins_in_the_past_gets_what_was_stored(void **state) {
    (void)state;
    queue_say(&q, "a0 b0 a0");
    queue_say(&q, "b0 b0");
    queue_say(&q, "b0 a0 a0");
    begin_at(1);
    assert_int_equal(queue_stats(&q).accepted, 4);
    assert_false(fob_census_runs(group()));
    queue_say(&q, "a0");
    queue_join(&q, "a");
    assert_string_equal(queue_drain(&q, 100), "1 3 7 8 9");
    assert_int_equal(queue_stats(&q).floor, 10);
    assert_int_equal(queue_stats(&q).bytes, 0);
    queue_crash(&q);
    assert_int_equal(queue_stats(&q).accepted, 5);
}

static void a_group_may_begin_in_the_middle_of_a_batch(void **state) {
    (void)state;
    queue_say(&q, "a0 a0 a0 a5 a0");
    begin_at(3);
    assert_int_equal(queue_stats(&q).accepted, 3);
    queue_join(&q, "a");
    assert_string_equal(queue_drain(&q, 100), "4 3 5");
}

static void a_census_finds_priorities(void **state) {
    (void)state;
    queue_say(&q, "a0 a5 a5 b7 a5 a0 a9");
    queue_say(&q, "b0 a9 a0 b0");
    begin_at(1);
    assert_int_equal(queue_stats(&q).accepted, 8);
    queue_crash(&q);
    assert_int_equal(queue_stats(&q).accepted, 8);
    assert_string_equal(queue_drain(&q, 100), "7 9 2 3 5 1 6 10");
    assert_int_equal(queue_stats(&q).floor, 11);
}

static void what_it_counts_is_as_large_as_what_a_publish_counts(void **state) {
    (void)state;
    queue_join(&q, "a");
    queue_say(&q, "a0 b0 a5 a0 a2");
    uint64_t bytes = queue_stats(&q).bytes;
    assert_true(bytes > 0);
    queue_take(&q, 2);
    queue_ack(&q, 3);
    assert_true(queue_stats(&q).bytes < bytes);
    queue_admin(&q, FOB_CMD_GROUP_RESET, "", 1, 0, 0);
    assert_int_equal(queue_stats(&q).bytes, bytes);
    assert_int_equal(queue_stats(&q).generation, 2);
}

static void hand_outs_wait_for_the_census_and_no_longer(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++)
        queue_say(&q, "a0 b0 a5");
    for (int i = 0; i < 40; i++)
        queue_say(&q, "z0");
    queue_join(&q, "z");
    kit_leave(&q.kit, 1, "g");
    kit_do(&q.kit, &(fob_command_t){.kind = FOB_CMD_GROUP_REMOVE,
                                    .conn = 99,
                                    .admin = {.req = 1, .group = fob_slice_str("g")}});
    kit_clear(&q.kit);
    begin_at(1);
    queue_join(&q, "a");
    queue_say(&q, "a9 a5");
    assert_string_equal(queue_ask(&q, 3), ""); /* there may be another 9 before */
    assert_true(fob_census_runs(group()));
    assert_true(one_page());
    uint64_t at = group()->census_at;
    assert_in_range(at, 2, 59);
    queue_ask(&q, 0);
    assert_true(q.count > 0);
    for (size_t i = 0; i < q.count; i++)
        assert_true(q.got[i][0] < at);
    kit_pages(&q.kit);
    assert_false(fob_census_runs(group()));
    assert_int_equal(queue_stats(&q).accepted, 42);
    queue_ask(&q, 0);
    assert_string_equal(queue_take(&q, 1), "101");
    while (*queue_take(&q, 10)) {
    }
    assert_int_equal(q.count, 42);
}

static void publishing_goes_on_beside_it_and_a_crash_does_not_matter(void **state) {
    (void)state;
    for (unsigned cut = 0; cut < 25; cut++) {
        if (cut) {
            queue_free(&q);
            setup_small(NULL);
        }
        for (int i = 0; i < 12; i++)
            queue_say(&q, i % 2 ? "a0 b0 a5 a0" : "b3 a1 b0 a0");
        for (int i = 0; i < 20; i++)
            queue_say(&q, "z0");
        kit_clear(&q.kit);
        begin_at(1);
        unsigned own = 12 / 2 * 3 + 12 / 2 * 2;
        for (unsigned step = 0; step < 200 && fob_census_runs(group()); step++) {
            if (step % 3 == 0) {
                queue_say(&q, step % 2 ? "a0 b0" : "a4 a0");
                own += step % 2 ? 1 : 2;
            }
            if (step == cut) {
                queue_crash(&q);
                kit_do(&q.kit, &(fob_command_t){.kind = FOB_CMD_TICK});
            }
            if (step == cut + 4)
                kit_checkpoint(&q.kit);
            one_page();
        }
        assert_false(fob_census_runs(group()));
        assert_int_equal(queue_stats(&q).accepted, own);
        queue_crash(&q);
        queue_resume(&q);
        queue_drain(&q, 1000);
        assert_int_equal(q.count, own);
        assert_int_equal(queue_stats(&q).ready, 0);
        assert_int_equal(queue_stats(&q).bytes, 0);
    }
}

static void a_restart_in_the_middle_redelivers_only_what_may_be_out(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++)
        queue_say(&q, "a0 a0");
    for (int i = 0; i < 20; i++)
        queue_say(&q, "z0");
    kit_clear(&q.kit);
    begin_at(1);
    one_page();
    queue_join(&q, "a");
    assert_string_equal(queue_ask(&q, 2), "1 2");
    uint64_t at = group()->census_at;
    assert_in_range(at, 3, 39);
    queue_crash(&q);
    assert_int_equal(group()->census_at, at);
    assert_int_equal(group()->resume_to, at - 1);
    kit_do(&q.kit, &(fob_command_t){.kind = FOB_CMD_TICK});
    kit_pages(&q.kit);
    assert_false(fob_census_runs(group()));
    queue_resume(&q);
    queue_drain(&q, 100);
    assert_int_equal(q.count, 42);
    for (size_t i = 0; i < 40; i++)
        assert_int_equal(q.got[2 + i][0], i + 1);
}

static void a_long_past_is_looked_through_in_steps(void **state) {
    (void)state;
    q.kit.hash_turns = false;
    for (int i = 0; i < 20; i++)
        queue_many(&q, i % 2 ? "a" : "b", 0, 10000);
    assert_int_equal(kit_step(&q.kit, &(fob_command_t){.kind = FOB_CMD_GROUP_ADD,
                                                       .conn = 99,
                                                       .admin = {.req = 1,
                                                                 .group = fob_slice_str("g"),
                                                                 .pattern = fob_slice_str("a"),
                                                                 .offset = 1,
                                                                 .lowest = 1}}),
                     FOB_OK);
    unsigned turns = 0;
    for (bool runs = true; runs; turns++) {
        size_t records = q.kit.log_count;
        kit_take(&q.kit);
        kit_books(&q.kit);
        assert_in_range(q.kit.log_count - records, 1, 4);
        runs = fob_census_runs(group());
        assert_true(!runs || fob_core_deadline(q.kit.core) <= q.kit.now.mono_ns);
    }
    assert_in_range(turns, 8, 14);
    assert_int_equal(queue_stats(&q).accepted, 100000);
}

static void it_finds_no_more_than_there_is_room_to_settle(void **state) {
    (void)state;
    queue_say(&q, "a0 b0 a0 a5");
    queue_many(&q, "a", 0, 100);
    assert_false(fob_core_room(q.kit.core, 0));
    begin_at(1);
    assert_int_equal(queue_stats(&q).accepted, 0);
    assert_non_null(strstr(queue_stats(&q).why, "once there is room in the journal"));
    assert_true(fob_core_room(q.kit.core, 2));
    kit_settle_down(&q.kit);
    assert_int_equal(queue_stats(&q).accepted, 2);
    assert_true(fob_core_room(q.kit.core, 40));
    kit_settle_down(&q.kit);
    assert_int_equal(queue_stats(&q).accepted, 42);
    assert_true(fob_core_room(q.kit.core, UINT64_MAX));
    kit_settle_down(&q.kit);
    assert_int_equal(queue_stats(&q).accepted, 103);
    assert_false(fob_census_runs(group()));
    assert_false(fob_core_room(q.kit.core, 0));
    assert_false(fob_core_room(q.kit.core, 1));
    queue_join(&q, "a");
    assert_memory_equal(queue_drain(&q, 200), "4 1 3 5 6 ", 10);
}

static void what_cannot_be_read_is_stepped_over(void **state) {
    (void)state;
    for (int i = 0; i < 10; i++)
        queue_say(&q, "a0 a5");
    for (int i = 0; i < 20; i++)
        queue_say(&q, "z0");
    for (size_t i = 0; i < q.kit.log_count; i++) {
        kit_record_t *record = &q.kit.log[i];
        record->unreadable = record->first_offset == 5 || record->first_offset == 7;
    }
    kit_clear(&q.kit);
    begin_at(1);
    kit_pages(&q.kit);
    kit_books(&q.kit);
    assert_false(fob_census_runs(group()));
    assert_int_equal(queue_stats(&q).accepted, 16);
    /* Readable again: it stays as it was counted. */
    for (size_t i = 0; i < q.kit.log_count; i++)
        q.kit.log[i].unreadable = false;
    queue_join(&q, "a");
    queue_drain(&q, 100);
    assert_int_equal(q.count, 16);
    assert_int_equal(queue_stats(&q).ready, 0);
    assert_int_equal(queue_stats(&q).dead, 0);
    queue_crash(&q);
    queue_resume(&q);
    assert_string_equal(queue_drain(&q, 100), "");
}

static void what_becomes_unreadable_after_it_was_counted_is_dead(void **state) {
    (void)state;
    for (int i = 0; i < 10; i++)
        queue_say(&q, "a0 a5");
    for (int i = 0; i < 20; i++)
        queue_say(&q, "z0");
    kit_clear(&q.kit);
    begin_at(1);
    kit_pages(&q.kit);
    for (int i = 0; i < 20; i++)
        queue_say(&q, "z0");
    for (size_t i = 0; i < q.kit.log_count; i++) {
        kit_record_t *record = &q.kit.log[i];
        record->unreadable = record->first_offset == 5 || record->first_offset == 7;
    }
    queue_crash(&q); /* and nothing of it is in memory any more */
    queue_resume(&q);
    queue_drain(&q, 100);
    assert_int_equal(q.count, 16);
    assert_int_equal(queue_stats(&q).dead, 4);
    assert_int_equal(queue_stats(&q).ready, 0);
}

static void a_reset_backward_does_not_find_dead_letters_again(void **state) {
    (void)state;
    queue_join(&q, "a");
    queue_say(&q, "a0 a0 a5 b0 a0 a5 a0");
    queue_take(&q, 6);
    queue_settle(&q, FOB_KIND_REJECT, 2);
    queue_settle(&q, FOB_KIND_REJECT, 6);
    queue_ack(&q, 3);
    queue_ack(&q, 1);
    queue_admin(&q, FOB_CMD_GROUP_RESET, "", 1, 0, 0);
    assert_int_equal(queue_stats(&q).generation, 2);
    assert_int_equal(queue_stats(&q).dead, 2);
    assert_int_equal(queue_stats(&q).accepted, 6);
    assert_int_equal(queue_stats(&q).leased + queue_stats(&q).ready, 4);
    queue_crash(&q);
    queue_resume(&q);
    assert_string_equal(queue_drain(&q, 100), "3 1 5 7");
    assert_int_equal(queue_stats(&q).dead, 2);
    assert_int_equal(queue_stats(&q).ready, 0);
}

static void dead_letters_in_the_middle_of_a_batch_stay_dead(void **state) {
    (void)state;
    queue_join(&q, "a");
    queue_say(&q, "a0 a0 a0 b0 a0 a0 b0 b0 a0 a0");
    queue_take(&q, 7);
    queue_settle(&q, FOB_KIND_REJECT, 2);
    queue_settle(&q, FOB_KIND_REJECT, 5);
    queue_settle(&q, FOB_KIND_REJECT, 9);
    queue_admin(&q, FOB_CMD_GROUP_RESET, "", 1, 0, 0);
    queue_take(&q, 10);
    assert_int_equal(q.count, 7 + 4);
    assert_int_equal(q.got[7][0], 1);
    assert_int_equal(q.got[8][0], 3);
    assert_int_equal(q.got[9][0], 6);
    assert_int_equal(q.got[10][0], 10);
    assert_int_equal(queue_stats(&q).ready, 0);
}

static void a_paused_group_is_looked_through_too(void **state) {
    (void)state;
    queue_many(&q, "a", 0, 100);
    queue_admin(&q, FOB_CMD_GROUP_ADD, "a", 1, FOB_POLICY_paused, 1);
    assert_int_equal(queue_stats(&q).accepted, 100);
    queue_join(&q, "a");
    assert_string_equal(queue_take(&q, 5), "");
    queue_admin(&q, FOB_CMD_GROUP_SET, "", 0, FOB_POLICY_paused, 0);
    assert_string_equal(queue_take(&q, 0), "1 2 3 4 5");
}

static void a_group_that_goes_in_the_middle_leaves_nothing(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++)
        queue_say(&q, "a0 a5");
    for (int i = 0; i < 20; i++)
        queue_say(&q, "z0");
    kit_clear(&q.kit);
    begin_at(1);
    assert_true(group()->census_blocked);
    kit_do(&q.kit, &(fob_command_t){.kind = FOB_CMD_GROUP_REMOVE,
                                    .conn = 99,
                                    .admin = {.req = 1, .group = fob_slice_str("g")}});
    assert_null(group());
    kit_pages(&q.kit);
    begin_at(1);
    kit_pages(&q.kit);
    assert_int_equal(queue_stats(&q).accepted, 40);
}

FOB_MAIN(FOB_CASE_WITH(a_group_that_begins_in_the_past_gets_what_was_stored, setup, teardown),
         FOB_CASE_WITH(a_group_may_begin_in_the_middle_of_a_batch, setup, teardown),
         FOB_CASE_WITH(a_census_finds_priorities, setup, teardown),
         FOB_CASE_WITH(what_it_counts_is_as_large_as_what_a_publish_counts, setup, teardown),
         FOB_CASE_WITH(hand_outs_wait_for_the_census_and_no_longer, setup_small, teardown),
         FOB_CASE_WITH(publishing_goes_on_beside_it_and_a_crash_does_not_matter, setup_small,
                       teardown),
         FOB_CASE_WITH(a_restart_in_the_middle_redelivers_only_what_may_be_out, setup_small,
                       teardown),
         FOB_CASE_WITH(a_long_past_is_looked_through_in_steps, setup, teardown),
         FOB_CASE_WITH(it_finds_no_more_than_there_is_room_to_settle, setup, teardown),
         FOB_CASE_WITH(what_cannot_be_read_is_stepped_over, setup_small, teardown),
         FOB_CASE_WITH(what_becomes_unreadable_after_it_was_counted_is_dead, setup_small, teardown),
         FOB_CASE_WITH(a_reset_backward_does_not_find_dead_letters_again, setup, teardown),
         FOB_CASE_WITH(dead_letters_in_the_middle_of_a_batch_stay_dead, setup, teardown),
         FOB_CASE_WITH(a_paused_group_is_looked_through_too, setup, teardown),
         FOB_CASE_WITH(a_group_that_goes_in_the_middle_leaves_nothing, setup_small, teardown))
