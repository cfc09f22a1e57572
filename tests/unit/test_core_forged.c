/* Records that are whole and that no bus wrote: what the fuzzer found, by name, and what it may
 * find. What cannot be is damage, and what is taken can be worked with. */
#include "test_core_bare.h"

#include "bus/core/durable/checkpoint_fits.h"
#include "bus/core/durable/record.h"
#include "bus/core/work/prio.h"
#include "tests/support/case.h"

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

#define LAST_TIME (FOB_RECORD_TIME_MAX / 2)

static void a_mark_beyond_all_numbers_is_damage(void **state) {
    (void)state;
    assert_int_equal(add_group("g", "a.*", 1), FOB_OK);
    assert_int_equal(add_mark(FOB_RECORD_NUMBER_MAX + 1, 1), FOB_DAMAGED);
    assert_int_equal(add_mark(1, FOB_RECORD_NUMBER_MAX + 1), FOB_DAMAGED);
    assert_int_equal(add_mark(FOB_RECORD_NUMBER_MAX, 1), FOB_OK);
}

/* There is always a next one, and it is replayed. */
static void a_mark_that_leaps_is_damage(void **state) {
    (void)state;
    assert_int_equal(add_group("g", "a.*", 1), FOB_OK);
    assert_int_equal(add_mark(1, FOB_TOKENS_STEP + 1), FOB_DAMAGED);
    assert_int_equal(add_mark(1, FOB_TOKENS_STEP), FOB_OK);
    assert_int_equal(add_mark(1, FOB_TOKENS_STEP * 2 + 1), FOB_DAMAGED);
    assert_int_equal(add_mark(1, FOB_TOKENS_STEP * 2), FOB_OK);
}

/* Three quarters of what a record can say. */
static void marks_have_an_end(void **state) {
    (void)state;
    uint64_t end = FOB_RECORD_NUMBER_MAX / 4 * 3, token = 0;
    assert_int_equal(add_group("g", "a.*", 1), FOB_OK);
    while (token < end)
        assert_int_equal(add_mark(1, token += FOB_TOKENS_STEP), FOB_OK);
    assert_true(token == end);
    assert_int_equal(add_mark(1, end + 1), FOB_DAMAGED);
}

/* Tokens are not given twice. */
static void a_mark_below_the_one_before_is_damage(void **state) {
    (void)state;
    assert_int_equal(add_group("g", "a.*", 1), FOB_OK);
    assert_int_equal(add_mark(6, 100), FOB_OK);
    assert_int_equal(add_mark(6, 99), FOB_DAMAGED);
    assert_int_equal(add_mark(1, 100), FOB_OK); /* offsets begin anew where a group does */
}

static void a_token_that_was_not_given_does_not_come_back(void **state) {
    (void)state;
    fob_run_record_t run = {.verb = FOB_RUN_RETURN,
                            .flags = FOB_RUN_FRESH,
                            .count = 2,
                            .from = 1,
                            .to = 2,
                            .token = 100};
    assert_int_equal(add_group("g", "a.*", 1), FOB_OK);
    add_events();
    assert_int_equal(add_mark(6, 100), FOB_OK);
    assert_int_equal(add_run(run), FOB_DAMAGED); /* the second has 101 */
    run.token = 99;
    assert_int_equal(add_run(run), FOB_OK);
}

static void a_token_that_leaps_is_damage(void **state) {
    (void)state;
    fob_run_record_t run = {.verb = FOB_RUN_HANDOUT,
                            .flags = FOB_RUN_FRESH,
                            .count = 2,
                            .from = 1,
                            .to = 2,
                            .token = 100 + FOB_TOKENS_STEP};
    assert_int_equal(add_group("g", "a.*", 1), FOB_OK);
    add_events();
    assert_int_equal(add_mark(6, 100), FOB_OK);
    assert_int_equal(add_run(run), FOB_DAMAGED);
    run.token--;
    assert_int_equal(add_run(run), FOB_OK);
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
    assert_int_equal(add_run_at(LAST_TIME, run), FOB_OK);
    run.from = run.to = run.token = 2;
    assert_int_equal(add_run_at(LAST_TIME + 1, run), FOB_DAMAGED); /* no room for what is due */
    assert_non_null(strstr(fob_core_error(core), "a time that cannot be"));
}

static void what_is_due_in_an_age_is_waited_for(void **state) {
    (void)state;
    fob_group_stats_t stats;
    assert_int_equal(add_group("g", "a.*", 1), FOB_OK);
    add_events();
    assert_int_equal(add_mark(6, 1), FOB_OK);
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

/* --- records of what there is not --- */

static void says(const char *what) {
    if (!strstr(fob_core_error(core), what))
        fail_msg("\"%s\" does not say \"%s\"", fob_core_error(core), what);
}

static void what_is_said_of_a_group_that_there_is_not_is_damage(void **state) {
    (void)state;
    uint8_t bytes[FOB_RECORD_SET_SIZE + FOB_RECORD_SET_ITEM];
    add_events();
    fob_record_write_group_remove(bytes, 1, 1000);
    assert_int_equal(replay(bytes, FOB_RECORD_GROUP_REMOVE_SIZE), FOB_DAMAGED);
    says("a group ends that there is not");
    fob_record_write_reset(bytes, &(fob_record_reset_t){FOB_RESET_LATEST, 1, 1000, 7, 6});
    assert_int_equal(replay(bytes, FOB_RECORD_RESET_SIZE), FOB_DAMAGED);
    says("a reset of a group that there is not");
    assert_int_equal(add_mark(1, 1), FOB_DAMAGED);
    says("a mark of a group that there is not");
    fob_record_write_set(bytes, 1, 1000, 1);
    fob_record_write_set_item(bytes + FOB_RECORD_SET_SIZE, 1, 1);
    assert_int_equal(replay(bytes, sizeof bytes), FOB_DAMAGED);
    says("settings of a group that there is not");
    assert_int_equal(
        add_run((fob_run_record_t){
            .verb = FOB_RUN_ACK, .flags = FOB_RUN_FRESH, .count = 1, .from = 1, .to = 1}),
        FOB_DAMAGED);
    says("settles of a group that there is not");
}

static void a_group_that_begins_beyond_the_head_or_at_nothing_is_damage(void **state) {
    (void)state;
    add_events();
    assert_int_equal(add_group_as(1, "g", "a.*", 0), FOB_DAMAGED);
    assert_int_equal(add_group_as(1, "g", "a.*", 8), FOB_DAMAGED);
    assert_int_equal(add_group_as(1, "g", "a.*", 7), FOB_OK);
    assert_int_equal(add_group_as(2, "g", "a.*", 7), FOB_DAMAGED); /* it is there */
    assert_int_equal(add_group_as(1, "h", "a.*", 7), FOB_DAMAGED); /* numbers ascend */
    assert_int_equal(add_group_as(2, "h", "a.*", 7), FOB_OK);
}

static fob_status_t set(uint32_t number, uint64_t value) {
    uint8_t bytes[FOB_RECORD_SET_SIZE + FOB_RECORD_SET_ITEM];
    fob_record_write_set(bytes, 1, 1000, 1);
    fob_record_write_set_item(bytes + FOB_RECORD_SET_SIZE, number, value);
    return replay(bytes, sizeof bytes);
}

static void a_setting_that_there_is_not_or_beyond_its_bounds_is_damage(void **state) {
    (void)state;
    fob_group_stats_t stats;
    uint64_t least, most;
    assert_int_equal(add_group("g", "a.*", 1), FOB_OK);
    assert_int_equal(set(FOB_POLICY_END, 1), FOB_DAMAGED);
    for (unsigned number = 1; number < FOB_POLICY_END; number++) {
        fob_policy_bounds(number, &least, &most);
        assert_int_equal(set(number, most), FOB_OK);
        if (most < UINT64_MAX)
            assert_int_equal(set(number, most + 1), FOB_DAMAGED);
        if (least > 0)
            assert_int_equal(set(number, least - 1), FOB_DAMAGED);
    }
    fob_core_start(core, (fob_now_t){FOB_SEC, 2000}, position);
    assert_true(fob_core_group_stats(core, (fob_now_t){FOB_SEC, 2000}, 0, &stats));
    assert_int_equal(stats.policy.max_depth, INT64_MAX);
}

static fob_status_t reset(uint8_t mode, uint64_t offset, uint64_t head) {
    uint8_t bytes[FOB_RECORD_RESET_SIZE];
    fob_record_write_reset(bytes, &(fob_record_reset_t){mode, 1, 1000, offset, head});
    return replay(bytes, sizeof bytes);
}

static void a_reset_of_another_head_is_damage(void **state) {
    (void)state;
    add_events();
    assert_int_equal(add_group("g", "a.*", 1), FOB_OK);
    assert_int_equal(reset(FOB_RESET_ANEW, 1, 7), FOB_DAMAGED);
    assert_int_equal(reset(FOB_RESET_ANEW, 1, 5), FOB_DAMAGED);
    assert_int_equal(reset(FOB_RESET_ANEW, 8, 6), FOB_DAMAGED);
    says("a reset is not one that we wrote");
    assert_int_equal(reset(FOB_RESET_ANEW, 7, 6), FOB_OK);
}

static void a_moved_event_that_is_not_the_next_is_damage(void **state) {
    (void)state;
    fob_buf_t all = {0};
    uint8_t head[FOB_RECORD_MOVED_SIZE];
    add_events();
    static const uint64_t places[] = {6, 8, 7};
    for (size_t i = 0; i < 3; i++) {
        fob_record_write_moved(head, &(fob_record_moved_t){1000, places[i], 2, 1000});
        fob_buf_clear(&all);
        fob_buf_put(&all, head, sizeof head);
        kit_event(&all, "a.b", "x", 1);
        assert_int_equal(replay(all.data, all.size), i == 2 ? FOB_OK : FOB_DAMAGED);
    }
    fob_buf_free(&all);
}

/* --- sessions and ids --- */

static fob_status_t add_batch_of(const char *topic, fob_record_events_t record, const char *id,
                                 unsigned count) {
    fob_buf_t all = {0};
    uint8_t head[FOB_RECORD_EVENTS_SIZE];
    fob_record_write_events(head, &record);
    fob_buf_put(&all, head, sizeof head);
    for (unsigned i = 0; i < count; i++)
        kit_event_with(&all, "a.b", id, 0, "x", 1);
    if (topic) /* of the last event */
        memcpy(all.data + all.size - strlen("a.b") - 4, topic, strlen("a.b"));
    fob_status_t status = replay(all.data, all.size);
    fob_buf_free(&all);
    return status;
}

static fob_status_t add_batch(fob_record_events_t record, const char *id, unsigned count) {
    return add_batch_of(NULL, record, id, count);
}

static fob_status_t add_seed(uint64_t seed) {
    uint8_t bytes[FOB_RECORD_SEED_SIZE];
    fob_record_write_seed(bytes, seed);
    return replay(bytes, sizeof bytes);
}

static void ids_without_their_secret_are_damage_and_it_does_not_change(void **state) {
    (void)state;
    fob_record_events_t record = {.flags = FOB_EVENTS_ID,
                                  .count = 1,
                                  .time_ms = 1000,
                                  .first_offset = 1,
                                  .first_number = 1,
                                  .low = 1,
                                  .next_number = 2};
    assert_int_equal(add_batch(record, "i1", 1), FOB_DAMAGED);
    says("events with ids before their secret");
    assert_int_equal(add_seed(0), FOB_DAMAGED);
    assert_int_equal(add_seed(5), FOB_OK);
    assert_int_equal(add_seed(5), FOB_OK);
    assert_int_equal(add_seed(6), FOB_DAMAGED);
    assert_int_equal(add_batch(record, "i1", 1), FOB_OK);
}

static void a_batch_that_does_not_fit_its_head_or_its_place_is_damage(void **state) {
    (void)state;
    fob_record_events_t good = {.count = 2,
                                .time_ms = 1000,
                                .first_offset = 7,
                                .first_number = 7,
                                .low = 1,
                                .next_number = 9},
                        bad;
    add_events();
    assert_int_equal(add_batch(good, "", 1), FOB_DAMAGED);
    assert_int_equal(add_batch(good, "", 3), FOB_DAMAGED);
    assert_int_equal(add_batch(good, "", 0), FOB_DAMAGED);
    bad = good, bad.first_offset = 6;
    assert_int_equal(add_batch(bad, "", 2), FOB_DAMAGED);
    bad = good, bad.first_offset = 8;
    assert_int_equal(add_batch(bad, "", 2), FOB_DAMAGED);
    bad = good, bad.first_number = 6; /* it has its answer */
    assert_int_equal(add_batch(bad, "", 2), FOB_DAMAGED);
    says("does not fit its head, or its place");
    assert_int_equal(add_batch(good, "", 2), FOB_OK);
}

/* A checkpoint that told of it would be refused. */
static void an_event_of_a_topic_that_is_none_is_damage(void **state) {
    (void)state;
    const fob_record_events_t record = {.count = 2,
                                        .time_ms = 1000,
                                        .first_offset = 7,
                                        .first_number = 7,
                                        .low = 1,
                                        .next_number = 9};
    add_events();
    assert_int_equal(add_batch_of("\x9f.c", record, "", 2), FOB_DAMAGED);
    assert_int_equal(add_batch_of("a..", record, "", 2), FOB_DAMAGED);
    says("does not fit its head, or its place");
    assert_int_equal(add_batch_of("a.c", record, "", 2), FOB_OK);
}

/* Of two rows; the session that add_events stored 1 to 6 for has next number 7. */
static fob_status_t add_answers(fob_record_answer_t one, fob_record_answer_t two) {
    uint8_t bytes[FOB_RECORD_ANSWERS_SIZE + 2 * FOB_RECORD_ANSWERS_ROW];
    fob_record_write_answers(
        bytes, &(fob_record_answers_t){.rows = 2, .time_ms = 1000, .low = 1, .next_number = 20});
    fob_record_write_answer(bytes + FOB_RECORD_ANSWERS_SIZE, &one);
    fob_record_write_answer(bytes + FOB_RECORD_ANSWERS_SIZE + FOB_RECORD_ANSWERS_ROW, &two);
    return replay(bytes, sizeof bytes);
}

static void answers_of_numbers_or_offsets_that_cannot_be_are_damage(void **state) {
    (void)state;
    fob_record_answer_t one = {7, 5, 2, 0, FOB_ANSWER_DUPLICATE}, two = {9, 1, 1, 0, 1}, bad;
    add_events();
    bad = two, bad.number = 8; /* in the first row */
    assert_int_equal(add_answers(one, bad), FOB_DAMAGED);
    bad = two, bad.number = 20; /* not below the next */
    assert_int_equal(add_answers(one, bad), FOB_DAMAGED);
    bad = one, bad.offset = 6; /* its second above the head */
    assert_int_equal(add_answers(bad, two), FOB_DAMAGED);
    bad = one, bad.number = 6, bad.count = 1; /* it has its answer */
    assert_int_equal(add_answers(bad, two), FOB_DAMAGED);
    bad = two, bad.flags = 4;
    assert_int_equal(add_answers(one, bad), FOB_DAMAGED);
    says("answers to duplicates are not what we wrote");
    assert_int_equal(add_answers(one, two), FOB_OK);
}

/* --- runs that do not fit the state --- */

/* Group "g" of all six events: 1 came back, 2 and 3 are dead (serials 1 and 2), 4 to 6 never out.
 */
static void add_states(void) {
    fob_run_record_t back = {.verb = FOB_RUN_RETURN,
                             .flags = FOB_RUN_FRESH | FOB_RUN_COUNTED,
                             .reason = FOB_REASON_RETRY,
                             .count = 1,
                             .from = 1,
                             .to = 1,
                             .token = 1};
    fob_run_record_t dead = {.verb = FOB_RUN_DEAD,
                             .flags = FOB_RUN_FRESH,
                             .reason = FOB_REASON_REJECT,
                             .count = 2,
                             .from = 2,
                             .to = 3,
                             .token = 1};
    assert_int_equal(add_group("g", "a.*", 1), FOB_OK);
    add_events();
    assert_int_equal(add_mark(6, 10), FOB_OK);
    assert_int_equal(add_run(back), FOB_OK);
    assert_int_equal(add_run(dead), FOB_OK);
}

static void runs_of_events_that_are_not_where_they_say_are_damage(void **state) {
    (void)state;
    static const fob_run_record_t bad[] = {
        {FOB_RUN_ACK, 0, 0, 0, 1, 2, 2, .token = 0},                 /* dead, not back */
        {FOB_RUN_ACK, FOB_RUN_FRESH, 0, 0, 3, 4, 7, .token = 0},     /* above the head */
        {FOB_RUN_ACK, FOB_RUN_FRESH, 0, 0, 2, 3, 4, .token = 0},     /* only one is open */
        {FOB_RUN_ACK, FOB_RUN_COUNTED, 0, 0, 1, 1, 1, .token = 0},   /* not its flag */
        {FOB_RUN_HANDOUT, 0, 0, 0, 1, 1, 1, .token = 0},             /* no token */
        {FOB_RUN_HANDOUT, 0, 0, 0, 1, 2, 2, .token = 5},             /* dead, not back */
        {FOB_RUN_HANDOUT, FOB_RUN_FRESH, 0, 0, 1, 1, 1, .token = 5}, /* back, not fresh */
        {FOB_RUN_HANDOUT, FOB_RUN_COUNTED, 0, 0, 1, 1, 1, .token = 5},
        {FOB_RUN_RETURN, FOB_RUN_UNKNOWN, 0, 0, 1, 1, 1, .token = 5},
        {FOB_RUN_RETURN, FOB_RUN_FRESH, FOB_REASON_END, 0, 1, 4, 4, .token = 5},
        {FOB_RUN_DEAD, FOB_RUN_FRESH, FOB_REASON_REJECT, 0, 1, 2, 2, .token = 1}, /* it is */
        {FOB_RUN_DEAD, FOB_RUN_FRESH, FOB_REASON_REJECT, FOB_REASON_END, 1, 4, 4, .token = 1},
        {FOB_RUN_DEAD, FOB_RUN_FRESH | FOB_RUN_UNKNOWN, 0, 0, 1, 4, 4, .token = 1},
        {FOB_RUN_DEAD, FOB_RUN_UNKNOWN, 0, 0, 4, 1, 6, .token = 1}, /* three were never out */
        {FOB_RUN_DEAD, FOB_RUN_DEBT, 0, 0, 1, 1, 1, .token = 1},
        {FOB_RUN_COVER, FOB_RUN_FRESH, 0, 0, 0, 4, 4, .token = 0},
        {FOB_RUN_SHED, FOB_RUN_FRESH, FOB_OVERFLOW_DEAD_LETTER, 0, 1, 4, 4, .token = 0},
        {FOB_RUN_SHED, FOB_RUN_DEBT, 0, 0, 4, 1, 6, .token = 0}, /* three were never out */
        {FOB_RUN_SHED, FOB_RUN_DEBT | FOB_RUN_FRESH, 0, 0, 1, 1, 6, .token = 0},
        {FOB_RUN_SHED, FOB_RUN_FRESH | FOB_RUN_PAID, 0, 0, 1, 4, 4, .token = 0}, /* no debt */
        {FOB_RUN_REMOVE, FOB_RUN_FRESH, FOB_REMOVALS, 0, 1, 4, 4, .token = 0},
        {FOB_RUN_EXPIRE, 0, 0, 0, 1, 1, 1, .token = 0},  /* not written by anybody */
        {FOB_RUN_REDRIVE, 0, 0, 0, 2, 1, 3, .token = 0}, /* not dense */
        {FOB_RUN_REDRIVE, 0, 0, 0, 2, 3, 4, .token = 0}, /* 4 is not dead */
        {FOB_RUN_REDRIVE, 0, 0, 0, 3, 1, 3, .token = 0}, /* so many are not */
        {FOB_RUN_REDRIVE, FOB_RUN_FRESH, 0, 0, 1, 2, 2, .token = 0},
        {FOB_RUN_UNBURY, 0, 0, 0, 1, 4, 4, .token = 1},  /* not dead */
        {FOB_RUN_UNBURY, 0, 0, 0, 1, 2, 3, .token = 1},  /* one at a time */
        {FOB_RUN_UNBURY, 0, 0, 0, 1, 2, 2, .token = 2},  /* another's serial */
        {FOB_RUN_UNBURY, 0, 0, 0, 12, 0, 0, .token = 1}, /* a serial with an offset */
        {FOB_RUN_UNBURY, 0, FOB_REMOVALS, 0, 1, 2, 2, .token = 1},
        {FOB_RUN_ACCEPT, 0, 0, 0, 1, 4, 4, .token = 0}, /* no census */
    };
    uint64_t hash;
    add_states();
    hash = fob_core_hash(core);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (add_run(bad[i]) != FOB_DAMAGED)
            fail_msg("run %zu was taken", i);
        assert_int_equal(fob_core_hash(core), hash);
    }
    assert_int_equal(add_run((fob_run_record_t){FOB_RUN_UNBURY, 0, 0, 0, 1, 2, 2, .token = 1}),
                     FOB_OK);
    assert_int_equal(add_run((fob_run_record_t){FOB_RUN_REDRIVE, 0, 0, 0, 1, 3, 3, .token = 0}),
                     FOB_OK);
    assert_int_equal(add_run((fob_run_record_t){FOB_RUN_ACK, 0, 0, 0, 1, 1, 1, .token = 0}),
                     FOB_OK);
}

/* A group from offset 2 on, when there were six; three more came later. */
static void a_census_accepts_what_lies_in_it_and_once(void **state) {
    (void)state;
    add_events();
    assert_int_equal(add_group("g", "a.*", 2), FOB_OK);
    assert_int_equal(add_batch((fob_record_events_t){.count = 3,
                                                     .time_ms = 1000,
                                                     .first_offset = 7,
                                                     .first_number = 7,
                                                     .low = 7,
                                                     .next_number = 10},
                               "", 3),
                     FOB_OK);
    fob_run_record_t accept = {.verb = FOB_RUN_ACCEPT, .detail = 3, .count = 2, .from = 3, .to = 4};
    fob_run_record_t bad = accept;
    bad.from = 1, bad.to = 2;
    assert_int_equal(add_run(bad), FOB_DAMAGED);
    bad.from = 6, bad.to = 7;
    assert_int_equal(add_run(bad), FOB_DAMAGED);
    bad = accept, bad.from = 2; /* which two of three? */
    assert_int_equal(add_run(bad), FOB_DAMAGED);
    bad = accept, bad.detail = FOB_PRIORITIES;
    assert_int_equal(add_run(bad), FOB_DAMAGED);
    bad = accept, bad.detail = 0, bad.count = 2;
    assert_int_equal(add_run(accept), FOB_OK);
    assert_int_equal(add_run(accept), FOB_DAMAGED);
    bad = accept, bad.from = 4, bad.to = 5, bad.detail = 1; /* 4 has its priority */
    assert_int_equal(add_run(bad), FOB_DAMAGED);
    accept.from = 5, accept.to = 6;
    assert_int_equal(add_run(accept), FOB_OK);
}

FOB_MAIN(FOB_CASE_WITH(a_mark_beyond_all_numbers_is_damage, setup, teardown),
         FOB_CASE_WITH(a_mark_that_leaps_is_damage, setup, teardown),
         FOB_CASE_WITH(marks_have_an_end, setup, teardown),
         FOB_CASE_WITH(a_mark_below_the_one_before_is_damage, setup, teardown),
         FOB_CASE_WITH(a_token_that_was_not_given_does_not_come_back, setup, teardown),
         FOB_CASE_WITH(a_token_that_leaps_is_damage, setup, teardown),
         FOB_CASE_WITH(a_time_beyond_all_times_is_damage, setup, teardown),
         FOB_CASE_WITH(what_is_due_in_an_age_is_waited_for, setup, teardown),
         FOB_CASE_WITH(a_census_accepts_nothing_that_is_done, setup, teardown),
         FOB_CASE_WITH(a_group_without_a_name_or_a_pattern_is_damage, setup, teardown),
         FOB_CASE_WITH(an_event_of_more_bytes_than_one_can_have_is_damage, setup, teardown),
         FOB_CASE_WITH(the_last_number_of_groups_is_not_given, setup, teardown),
         FOB_CASE_WITH(a_session_that_is_ahead_of_itself_is_damage, setup, teardown),
         FOB_CASE_WITH(what_is_said_of_a_group_that_there_is_not_is_damage, setup, teardown),
         FOB_CASE_WITH(a_group_that_begins_beyond_the_head_or_at_nothing_is_damage, setup,
                       teardown),
         FOB_CASE_WITH(a_setting_that_there_is_not_or_beyond_its_bounds_is_damage, setup, teardown),
         FOB_CASE_WITH(a_reset_of_another_head_is_damage, setup, teardown),
         FOB_CASE_WITH(a_moved_event_that_is_not_the_next_is_damage, setup, teardown),
         FOB_CASE_WITH(ids_without_their_secret_are_damage_and_it_does_not_change, setup, teardown),
         FOB_CASE_WITH(a_batch_that_does_not_fit_its_head_or_its_place_is_damage, setup, teardown),
         FOB_CASE_WITH(an_event_of_a_topic_that_is_none_is_damage, setup, teardown),
         FOB_CASE_WITH(answers_of_numbers_or_offsets_that_cannot_be_are_damage, setup, teardown),
         FOB_CASE_WITH(runs_of_events_that_are_not_where_they_say_are_damage, setup, teardown),
         FOB_CASE_WITH(a_census_accepts_what_lies_in_it_and_once, setup, teardown))
