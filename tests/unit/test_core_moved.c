/* Old events that are still needed are copied to the head, so that they do not keep all that lies
 * behind them. */
#include "bus/core/admin/moved.h"
#include "bus/core/durable/record.h"
#include "test_core_kit.h"
#include "tests/support/case.h"

static kit_t kit;

static int setup(void **state) {
    (void)state;
    kit_init(&kit, &kit_config);
    kit.hash_turns = true;
    kit_pass(&kit, 4000); /* the resume window is over */
    return 0;
}

static int teardown(void **state) {
    (void)state;
    kit_books(&kit);
    kit_crash(&kit, kit.position);
    if (kit.position)
        kit_checkpoint(&kit);
    kit_crash(&kit, kit.position);
    kit_books(&kit);
    kit_free(&kit);
    return 0;
}

/* --- the table --- */

static bool odd(const void *arg, uint64_t origin) {
    (void)arg;
    return origin % 2;
}

static void the_table_knows_the_newest_place_and_drops_what_nobody_needs(void **state) {
    (void)state;
    fob_moved_t moved = {0};
    uint64_t origin;
    for (uint64_t i = 1; i <= 1000; i++) {
        assert_true(fob_moved_reserve(&moved, 1));
        fob_moved_add(&moved, i, 2000 + i);
    }
    assert_int_equal(fob_moved_place(&moved, 7), 2007);
    assert_int_equal(fob_moved_place(&moved, 1001), 1001);
    assert_true(fob_moved_reserve(&moved, 1));
    fob_moved_add(&moved, 1, 4000);
    assert_int_equal(fob_moved_lowest(&moved, odd, NULL, &origin), 2003);
    assert_int_equal(origin, 3);
    assert_false(fob_moved_has(&moved, 2)); /* on the way to 3 */
    assert_true(fob_moved_has(&moved, 4));
    assert_int_equal(fob_moved_place(&moved, 1), 4000);
    size_t at = 0, count = 0;
    for (const fob_moved_item_t *item, *last = NULL; (item = fob_moved_next(&moved, &at)) != NULL;
         last = item, count++)
        assert_true(!last || last->place < item->place);
    assert_int_equal(count, 999);
    fob_moved_free(&moved);
}

/* --- the core --- */

/* Room is wanted below the head: pages are read as they are asked for, until nothing happens. */
static void reclaim(uint64_t below, uint64_t bytes) {
    uint64_t floor = 0;
    while (floor != fob_core_floor(kit.core)) {
        floor = fob_core_floor(kit.core);
        for (int i = 0; i < 2; i++) {
            kit_do(&kit,
                   &(fob_command_t){.kind = FOB_CMD_RECLAIM, .reclaim = {below, bytes, 65536}});
            kit_pages(&kit);
        }
    }
}

static const uint64_t *nth(size_t index) {
    return kit_nth(&kit, index);
}

/* Ten events of different data; `kind` is how the first is settled, the others are acked. */
static void ten(unsigned kind) {
    fob_buf_t body = {0};
    for (char i = 0; i < 10; i++)
        kit_event(&body, "a", &(char){(char)('A' + i)}, 1);
    kit_join(&kit, 1, "g", "a", 10);
    kit_publish_body(&kit, 1, 1, 1, &body, FOB_OK);
    uint64_t token = nth(0)[1];
    kit_settle(&kit, 1, "g", 1, FOB_KIND_ACK, 2, 9, token + 1);
    if (kind)
        kit_settle(&kit, 1, "g", 2, kind, 1, 1, token);
}

static void redrive(void) {
    fob_command_t command = {
        .kind = FOB_CMD_DEAD_REDRIVE, .conn = 9, .dead = {.group = fob_slice_str("g")}};
    kit_do(&kit, &command);
    kit_pages(&kit);
    assert_int_equal(kit_last(&kit, FOB_EFF_REPLY)->status, FOB_OK);
}

/* The last delivery is the first event, as it was published. */
static void assert_first_event(int64_t stored_ms) {
    const kit_effect_t *delivery = kit_last(&kit, FOB_EFF_DELIVER);
    assert_non_null(delivery);
    assert_int_equal(delivery->row_count, 1);
    assert_int_equal(delivery->rows[0][0], 1);
    assert_int_equal(delivery->rows[0][4], stored_ms);
    assert_int_equal(delivery->events[0][delivery->sizes[0] - 1], 'A');
}

static void a_dead_letter_goes_to_the_head_and_keeps_its_offset(void **state) {
    (void)state;
    int64_t stored = kit.now.wall_ms;
    ten(FOB_KIND_REJECT);
    assert_int_equal(fob_core_floor(kit.core), 1);
    kit_pass(&kit, 60000);
    reclaim(11, 1000000);
    assert_int_equal(fob_core_head(kit.core), 11);
    assert_int_equal(fob_core_floor(kit.core), 11);
    kit_crash(&kit, kit.position);
    kit_pass(&kit, 4000);
    kit_join(&kit, 2, "g", "a", 10);
    redrive();
    assert_first_event(stored);
    kit_settle(&kit, 2, "g", 1, FOB_KIND_ACK, 1, 1, nth(kit_delivered(&kit, 0) - 1)[1]);
    assert_int_equal(kit_stats(&kit, "g").acked, 10);
    assert_int_equal(fob_core_floor(kit.core), 12); /* nobody needs it at its new place */
}

/* Whether its copy is still known must not depend on when the floor was asked for. */
static void what_a_reset_wants_again_is_read_from_its_own_place(void **state) {
    (void)state;
    ten(FOB_KIND_REJECT);
    reclaim(11, 1000000);
    fob_command_t purge = {
        .kind = FOB_CMD_DEAD_PURGE, .conn = 9, .dead = {.group = fob_slice_str("g")}};
    kit_do(&kit, &purge);
    assert_int_equal(kit_stats(&kit, "g").dead, 0);
    assert_int_equal(fob_core_floor(kit.core), 11); /* live the copy is forgotten by this */
    fob_command_t reset = {.kind = FOB_CMD_GROUP_RESET,
                           .conn = 9,
                           .admin = {.group = fob_slice_str("g"), .offset = 1, .lowest = 1}};
    kit_do(&kit, &reset);
    kit_clear(&kit);
    kit_credit(&kit, 1, "g", 20);
    kit_pages(&kit);
    kit_settle(&kit, 1, "g", 2, FOB_KIND_RETRY, 1, 1, nth(0)[1]);
    uint64_t hash = fob_core_hash(kit.core);
    kit_crash(&kit, kit.position);
    assert_int_equal(fob_core_hash(kit.core), hash);
}

/* The same where the group that wants it again has not had it yet. */
static void what_another_group_has_yet_to_hand_out_is_known_as_moved_all_the_same(void **state) {
    (void)state;
    ten(FOB_KIND_REJECT);
    reclaim(11, 1000000);
    fob_command_t add = {
        .kind = FOB_CMD_GROUP_ADD,
        .admin = {.group = fob_slice_str("h"), .pattern = fob_slice_str("a"), .offset = 1}};
    kit_do(&kit, &add);
    kit_pages(&kit);
    fob_command_t purge = {
        .kind = FOB_CMD_DEAD_PURGE, .conn = 9, .dead = {.group = fob_slice_str("g")}};
    kit_do(&kit, &purge);
    assert_int_equal(fob_core_floor(kit.core),
                     1); /* live a copy nobody needs is forgotten by this */
    kit_clear(&kit);
    kit_join(&kit, 2, "h", "a", 1);
    kit_pages(&kit);
    kit_settle(&kit, 2, "h", 1, FOB_KIND_RETRY, 1, 1, nth(0)[1]);
    uint64_t hash = fob_core_hash(kit.core);
    kit_crash(&kit, kit.position);
    assert_int_equal(fob_core_hash(kit.core), hash);
}

static void what_came_back_is_moved_and_goes_out_again(void **state) {
    (void)state;
    int64_t stored = kit.now.wall_ms;
    ten(FOB_KIND_RETRY);
    reclaim(11, 1000000);
    assert_int_equal(fob_core_floor(kit.core), 11);
    kit_clear(&kit);
    kit_credit(&kit, 1, "g", 11);
    kit_pass(&kit, 2000);
    assert_first_event(stored);
    assert_int_equal(nth(0)[2], 2);
    kit_settle(&kit, 1, "g", 3, FOB_KIND_REJECT, 1, 1, nth(0)[1]);
    assert_int_equal(kit_stats(&kit, "g").dead, 1);
    assert_int_equal(fob_core_floor(kit.core), 11); /* as a dead letter it lies there too */
}

static void what_is_out_for_the_first_time_is_moved_too(void **state) {
    (void)state;
    ten(0);
    uint64_t token = nth(0)[1];
    assert_int_equal(kit_stats(&kit, "g").leased, 1);
    assert_int_equal(fob_core_floor(kit.core), 1);
    reclaim(11, 1000000);
    assert_int_equal(fob_core_floor(kit.core), 11);
    assert_int_equal(kit_stats(&kit, "g").leased, 1);
    kit_crash(&kit, kit.position);
    kit_rejoin(&kit, 2, 1, "g", 0, (const uint64_t[][3]){{1, 1, token}}, 1);
    assert_int_equal(kit_last(&kit, FOB_EFF_JOINED)->row_count, 0);
    kit_settle(&kit, 2, "g", 1, FOB_KIND_ACK, 1, 1, token);
    assert_int_equal(kit_last(&kit, FOB_EFF_SETTLED)->row_count, 0);
    assert_int_equal(kit_stats(&kit, "g").acked, 10);
}

/* Its own place may have been given back since. */
static void what_was_out_and_moved_goes_out_again_from_its_new_place(void **state) {
    (void)state;
    int64_t stored = kit.now.wall_ms;
    ten(0);
    reclaim(11, 1000000);
    kit_crash(&kit, kit.position);
    for (size_t i = 0; i < kit.log_count; i++)
        kit.log[i].unreadable = kit.log[i].first_offset == 1;
    kit_clear(&kit);
    kit_join(&kit, 2, "g", "a", 10);
    kit_pass(&kit, 4000);
    kit_pages(&kit);
    assert_first_event(stored);
    assert_int_equal(kit_stats(&kit, "g").dead, 0);
}

static void what_was_moved_is_moved_again(void **state) {
    (void)state;
    int64_t stored = kit.now.wall_ms;
    ten(FOB_KIND_REJECT);
    reclaim(11, 1000000);
    kit_publish(&kit, 1, 11, 11, "b", 5);
    reclaim(17, 1000000);
    assert_int_equal(fob_core_floor(kit.core), 17);
    kit_crash(&kit, kit.position);
    kit_pass(&kit, 4000);
    kit_join(&kit, 2, "g", "a", 10);
    redrive();
    assert_first_event(stored);
}

static void ready_events_keep_their_place(void **state) {
    (void)state;
    ten(FOB_KIND_REJECT);
    kit_join(&kit, 3, "h", "b", 0);
    kit_publish(&kit, 1, 11, 11, "b", 5);
    uint64_t head = fob_core_head(kit.core);
    reclaim(16, 1000000);
    assert_int_equal(fob_core_head(kit.core), head);
    assert_int_equal(fob_core_floor(kit.core), 1);
}

static void tell_part(uint64_t below) {
    kit_do(&kit, &(fob_command_t){.kind = FOB_CMD_RECLAIM, .reclaim = {below, 1000000, 0}});
}

static void assert_holder(const char *name) {
    fob_group_stats_t group;
    assert_true(fob_core_holder(kit.core, kit.now, &group));
    assert_true(fob_slice_eq(group.group, fob_slice_str(name)));
}

/* A dead letter below it would be moved, if it were not for that. */
static void what_waits_in_the_oldest_part_is_what_holds_the_journal(void **state) {
    (void)state;
    ten(FOB_KIND_REJECT);
    kit_join(&kit, 3, "h", "b", 0);
    kit_publish(&kit, 1, 11, 11, "b", 5);
    uint64_t head = fob_core_head(kit.core);
    assert_holder("g"); /* how far the oldest part goes is not known yet */
    tell_part(11);
    assert_holder("g");
    tell_part(16);
    assert_holder("h");
    assert_int_equal(fob_core_head(kit.core), head); /* there was no room to move anything */
    kit_clear(&kit);
    kit_credit(&kit, 3, "h", 5);
    kit_settle(&kit, 3, "h", 1, FOB_KIND_ACK, 11, 5, nth(0)[1]);
    assert_holder("g");
    reclaim(16, 1000000);
    assert_int_equal(fob_core_floor(kit.core), 16);
}

/* What it left out ended with events of others, and nobody has taken anything since. */
static void a_reset_forward_that_is_done_holds_the_journal_no_more(void **state) {
    (void)state;
    ten(FOB_KIND_REJECT);
    kit_join(&kit, 3, "h", "b", 0);
    kit_publish_topics(&kit, 1, 11, 11, "b b c c c c");
    fob_command_t reset = {.kind = FOB_CMD_GROUP_RESET,
                           .admin = {.group = fob_slice_str("h"), .offset = 15, .lowest = 1}};
    kit_do(&kit, &reset);
    kit_pages(&kit);
    assert_int_equal(kit_stats(&kit, "h").removed, 2);
    reclaim(17, 1000000);
    assert_true(fob_core_floor(kit.core) >= 17);
    kit_publish_topics(&kit, 1, 17, 17, "c b");
    kit_credit(&kit, 3, "h", 1);
    kit_pages(&kit);
    assert_int_equal(kit_last(&kit, FOB_EFF_DELIVER)->rows[0][0], fob_core_head(kit.core));
}

/* Where it is not done yet, what is to be left out is not forgotten: it is told as removed. */
static void a_reset_forward_that_goes_on_is_waited_for(void **state) {
    (void)state;
    ten(FOB_KIND_REJECT);
    kit_join(&kit, 3, "h", "b", 0);
    kit_publish_topics(&kit, 1, 11, 11, "c b b c c c");
    kit_crash(&kit, kit.position); /* nothing is in memory */
    kit_pass(&kit, 4000);
    kit_join(&kit, 2, "g", "a", 10);
    kit_pages(&kit);
    fob_command_t reset = {.kind = FOB_CMD_GROUP_RESET,
                           .admin = {.group = fob_slice_str("h"), .offset = 15, .lowest = 1}};
    kit_do(&kit, &reset);
    tell_part(17);
    kit_do(&kit, &(fob_command_t){.kind = FOB_CMD_RECLAIM, .reclaim = {17, 1000000, 65536}});
    kit_pages(&kit);
    assert_int_equal(kit_stats(&kit, "h").removed, 2);
    reclaim(17, 1000000);
    assert_true(fob_core_floor(kit.core) >= 17);
}

static void a_part_that_is_mostly_needed_stays_as_it_is(void **state) {
    (void)state;
    ten(FOB_KIND_REJECT);
    reclaim(11, 8); /* the letter is more than half of so few bytes */
    assert_int_equal(fob_core_head(kit.core), 10);
    assert_int_equal(fob_core_floor(kit.core), 1);
}

static void nothing_is_moved_before_the_resume_window_is_over(void **state) {
    (void)state;
    ten(FOB_KIND_REJECT);
    kit_crash(&kit, kit.position);
    reclaim(11, 1000000);
    assert_int_equal(fob_core_floor(kit.core), 1);
    kit_pass(&kit, 4000);
    reclaim(11, 1000000);
    assert_int_equal(fob_core_floor(kit.core), 11);
}

static void a_copy_is_no_event_of_its_own(void **state) {
    (void)state;
    ten(FOB_KIND_REJECT);
    reclaim(11, 1000000);
    kit_publish(&kit, 1, 11, 11, "a", 1); /* at 12 */
    kit_crash(&kit, kit.position);
    kit_pass(&kit, 4000);
    fob_command_t add = {
        .kind = FOB_CMD_GROUP_ADD,
        .admin = {.group = fob_slice_str("h"), .pattern = fob_slice_str("a"), .offset = 1}};
    kit_do(&kit, &add);
    kit_pages(&kit);
    assert_int_equal(kit_stats(&kit, "h").accepted, 11);
    kit_join(&kit, 2, "g", "a", 10);
    kit_pages(&kit);
    assert_int_equal(kit_last(&kit, FOB_EFF_DELIVER)->rows[0][0], 12);
    assert_int_equal(kit_stats(&kit, "g").accepted, 11);
}

static void what_cannot_be_read_is_not_moved(void **state) {
    (void)state;
    ten(FOB_KIND_REJECT);
    kit_crash(&kit, kit.position);
    kit_pass(&kit, 4000);
    for (size_t i = 0; i < kit.log_count; i++)
        kit.log[i].unreadable = kit.log[i].first_offset == 1;
    reclaim(11, 1000000);
    assert_int_equal(fob_core_head(kit.core), 10);
    assert_int_equal(fob_core_floor(kit.core), 1);
    assert_int_equal(kit_stats(&kit, "g").dead, 1);
}

/* A copy is as old as its event, but lies among newer ones: it tells nothing about its place. */
static void a_time_is_found_among_copies_of_older_events(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", "a", 20);
    kit_publish(&kit, 1, 1, 1, "a", 20);
    kit_settle(&kit, 1, "g", 1, FOB_KIND_REJECT, 1, 20, nth(0)[1]);
    kit_pass(&kit, 60000);
    int64_t later = kit.now.wall_ms;
    kit_publish(&kit, 1, 21, 21, "b", 2);
    reclaim(23, 1000000); /* 23 to 42 are copies of 1 to 20 */
    assert_int_equal(fob_core_head(kit.core), 42);
    kit_pass(&kit, 60000);
    kit_publish(&kit, 1, 23, 23, "b", 2);
    kit_do(&kit, &(fob_command_t){.kind = FOB_CMD_GROUP_ADD,
                                  .admin = {.group = fob_slice_str("h"),
                                            .pattern = fob_slice_str("b"),
                                            .time_ms = later,
                                            .lowest = 1}});
    kit_pages(&kit);
    assert_int_equal(kit_stats(&kit, "h").accepted, 4);
    kit_do(&kit, &(fob_command_t){.kind = FOB_CMD_GROUP_ADD,
                                  .admin = {.group = fob_slice_str("i"),
                                            .pattern = fob_slice_str("b"),
                                            .time_ms = later + 1,
                                            .lowest = 1}});
    kit_pages(&kit);
    assert_int_equal(kit_stats(&kit, "i").accepted, 2);
}

static void the_room_of_a_turn_is_not_exceeded(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", "a", 10);
    kit_publish(&kit, 1, 1, 1, "a", 10);
    kit_settle(&kit, 1, "g", 1, FOB_KIND_REJECT, 1, 10, nth(0)[1]);
    kit_do(&kit, &(fob_command_t){.kind = FOB_CMD_RECLAIM, .reclaim = {11, 1000000, 200}});
    uint64_t head = fob_core_head(kit.core);
    assert_in_range(head, 11, 14);
    kit_do(&kit, &(fob_command_t){.kind = FOB_CMD_RECLAIM, .reclaim = {11, 1000000, 200}});
    assert_true(fob_core_head(kit.core) > head);
    reclaim(11, 1000000);
    assert_int_equal(fob_core_floor(kit.core), 11);
    assert_int_equal(fob_core_head(kit.core), 20);
}

FOB_MAIN(FOB_CASE_WITH(what_cannot_be_read_is_not_moved, setup, teardown),
         FOB_CASE_WITH(a_time_is_found_among_copies_of_older_events, setup, teardown),
         FOB_CASE_WITH(the_table_knows_the_newest_place_and_drops_what_nobody_needs, setup,
                       teardown),
         FOB_CASE_WITH(a_dead_letter_goes_to_the_head_and_keeps_its_offset, setup, teardown),
         FOB_CASE_WITH(what_a_reset_wants_again_is_read_from_its_own_place, setup, teardown),
         FOB_CASE_WITH(what_another_group_has_yet_to_hand_out_is_known_as_moved_all_the_same, setup,
                       teardown),
         FOB_CASE_WITH(what_came_back_is_moved_and_goes_out_again, setup, teardown),
         FOB_CASE_WITH(what_is_out_for_the_first_time_is_moved_too, setup, teardown),
         FOB_CASE_WITH(what_was_out_and_moved_goes_out_again_from_its_new_place, setup, teardown),
         FOB_CASE_WITH(what_was_moved_is_moved_again, setup, teardown),
         FOB_CASE_WITH(ready_events_keep_their_place, setup, teardown),
         FOB_CASE_WITH(what_waits_in_the_oldest_part_is_what_holds_the_journal, setup, teardown),
         FOB_CASE_WITH(a_reset_forward_that_is_done_holds_the_journal_no_more, setup, teardown),
         FOB_CASE_WITH(a_reset_forward_that_goes_on_is_waited_for, setup, teardown),
         FOB_CASE_WITH(a_part_that_is_mostly_needed_stays_as_it_is, setup, teardown),
         FOB_CASE_WITH(nothing_is_moved_before_the_resume_window_is_over, setup, teardown),
         FOB_CASE_WITH(a_copy_is_no_event_of_its_own, setup, teardown),
         FOB_CASE_WITH(the_room_of_a_turn_is_not_exceeded, setup, teardown))
