/* record: what no bus wrote is not read. Each kind is written, and then spoilt in one place. */
#include "bus/core/durable/record.h"
#include "bus/core/table/little.h"
#include "tests/support/case.h"

#define SIZE_MAX_OF_ALL 256

/* Each writes a good record of its kind and gives its size. */
static size_t write_events(uint8_t *out) {
    fob_record_events_t record = {
        .count = 5, .time_ms = 1, .first_offset = 1, .first_number = 1, .low = 1, .next_number = 6};
    fob_record_write_events(out, &record);
    return FOB_RECORD_EVENTS_SIZE;
}

static size_t write_forget(uint8_t *out) {
    static const uint8_t session[FOB_SESSION_SIZE] = "0123456789abcde";
    const uint8_t *const sessions[] = {session, session};
    fob_record_write_forget(out, sessions, 2);
    return FOB_RECORD_FORGET_SIZE + 2 * FOB_SESSION_SIZE;
}

static size_t write_group_add(uint8_t *out) {
    fob_record_group_add_t record = {true, 1, 1, 1, fob_slice_str("mail"), fob_slice_str("a.>")};
    fob_record_write_group_add(out, &record);
    return FOB_RECORD_GROUP_ADD_SIZE + 7;
}

static size_t write_group_remove(uint8_t *out) {
    fob_record_write_group_remove(out, 1, 1);
    return FOB_RECORD_GROUP_REMOVE_SIZE;
}

static size_t write_mark(uint8_t *out) {
    fob_record_write_mark(out, &(fob_record_mark_t){1, 1, 1});
    return FOB_RECORD_MARK_SIZE;
}

static size_t add_run(uint8_t *out, size_t size) {
    fob_run_record_t run = {.verb = FOB_RUN_ACK, .count = 1, .from = 1, .to = 1};
    fob_record_write_run(out + size, &run);
    return size + FOB_RUN_SIZE;
}

static size_t write_runs(uint8_t *out) {
    fob_record_write_runs(out, 1, 1);
    return add_run(out, FOB_RECORD_RUNS_SIZE);
}

static size_t write_noted(uint8_t *out) {
    return add_run(
        out, fob_record_write_noted(out, 1, 1, fob_slice_str("worker"), fob_slice_str("why")));
}

static size_t write_set(uint8_t *out) {
    fob_record_write_set(out, 1, 1, 1);
    fob_record_write_set_item(out + FOB_RECORD_SET_SIZE, 1, 1);
    return FOB_RECORD_SET_SIZE + FOB_RECORD_SET_ITEM;
}

static size_t write_answers(uint8_t *out) {
    fob_record_write_answers(
        out, &(fob_record_answers_t){.rows = 1, .time_ms = 1, .low = 1, .next_number = 2});
    fob_record_write_answer(out + FOB_RECORD_ANSWERS_SIZE, &(fob_record_answer_t){1, 1, 1, 1, 1});
    return FOB_RECORD_ANSWERS_SIZE + FOB_RECORD_ANSWERS_ROW;
}

static size_t write_reset(uint8_t *out) {
    fob_record_write_reset(out, &(fob_record_reset_t){FOB_RESET_ANEW, 1, 1, 1, 1});
    return FOB_RECORD_RESET_SIZE;
}

static size_t write_seed(uint8_t *out) {
    fob_record_write_seed(out, 7);
    return FOB_RECORD_SEED_SIZE;
}

static size_t write_moved(uint8_t *out) {
    fob_record_write_moved(out, &(fob_record_moved_t){1, 3, 2, 1});
    return FOB_RECORD_MOVED_SIZE;
}

/* Whether the reader of its kind takes it. */
static bool reads(uint8_t kind, const uint8_t *bytes, size_t size) {
    fob_slice_t all = fob_slice(bytes, size);
    uint32_t number;
    int64_t time_ms;
    uint64_t seed;
    uint8_t count;
    switch (kind) {
    case FOB_RECORD_EVENTS:
        return fob_record_read_events(all, &(fob_record_events_t){0});
    case FOB_RECORD_FORGET:
        return fob_record_read_forget(all, &number);
    case FOB_RECORD_GROUP_ADD:
        return fob_record_read_group_add(all, &(fob_record_group_add_t){0});
    case FOB_RECORD_GROUP_REMOVE:
        return fob_record_read_group_remove(all, &number, &time_ms);
    case FOB_RECORD_MARK:
        return fob_record_read_mark(all, &(fob_record_mark_t){0});
    case FOB_RECORD_RUNS:
    case FOB_RECORD_NOTED:
        return fob_record_read_runs(all, &(fob_record_runs_t){0});
    case FOB_RECORD_SET:
        return fob_record_read_set(all, &number, &time_ms, &count);
    case FOB_RECORD_ANSWERS:
        return fob_record_read_answers(all, &(fob_record_answers_t){0});
    case FOB_RECORD_RESET:
        return fob_record_read_reset(all, &(fob_record_reset_t){0});
    case FOB_RECORD_SEED:
        return fob_record_read_seed(all, &seed);
    default:
        return fob_record_read_moved(all, &(fob_record_moved_t){0});
    }
}

typedef struct {
    uint8_t kind;
    size_t (*write)(uint8_t *out);
    uint8_t reserved[4]; /* bytes that are zero; 0 ends them */
    bool longer;         /* something of any length follows */
} kind_t;

static const kind_t kinds[] = {
    {FOB_RECORD_EVENTS, write_events, {2, 3}, true},
    {FOB_RECORD_FORGET, write_forget, {1, 2, 3}, false},
    {FOB_RECORD_GROUP_ADD, write_group_add, {0}, false},
    {FOB_RECORD_GROUP_REMOVE, write_group_remove, {1, 2, 3}, false},
    {FOB_RECORD_MARK, write_mark, {1, 2, 3}, false},
    {FOB_RECORD_RUNS, write_runs, {1, 2, 3}, false},
    {FOB_RECORD_NOTED, write_noted, {3}, false},
    {FOB_RECORD_SET, write_set, {2, 3}, false},
    {FOB_RECORD_ANSWERS, write_answers, {1, 2, 3}, false},
    {FOB_RECORD_RESET, write_reset, {2, 3}, false},
    {FOB_RECORD_SEED, write_seed, {1, 2, 3, 4}, false},
    {FOB_RECORD_MOVED, write_moved, {1, 2, 3}, true},
};
#define KINDS (sizeof kinds / sizeof kinds[0])

static void a_record_is_of_one_kind_and_what_it_reserves_is_zero(void **state) {
    (void)state;
    uint8_t bytes[SIZE_MAX_OF_ALL] = {0};
    for (size_t k = 0; k < KINDS; k++) {
        size_t size = kinds[k].write(bytes);
        assert_int_equal(bytes[0], kinds[k].kind);
        assert_true(reads(kinds[k].kind, bytes, size));
        bytes[0] = FOB_RECORD_MOVED + 1;
        assert_false(reads(kinds[k].kind, bytes, size));
        bytes[0] = kinds[k].kind;
        for (size_t i = 0; i < 4 && kinds[k].reserved[i]; i++) {
            bytes[kinds[k].reserved[i]] = 1;
            assert_false(reads(kinds[k].kind, bytes, size));
            bytes[kinds[k].reserved[i]] = 0;
        }
        assert_true(reads(kinds[k].kind, bytes, size));
    }
}

/* A record of runs may have any number of them. */
static void a_record_that_is_cut_or_too_long_is_not_read(void **state) {
    (void)state;
    uint8_t bytes[SIZE_MAX_OF_ALL] = {0};
    for (size_t k = 0; k < KINDS; k++) {
        size_t size = kinds[k].write(bytes), without_run = size - FOB_RUN_SIZE;
        bool runs = kinds[k].kind == FOB_RECORD_RUNS || kinds[k].kind == FOB_RECORD_NOTED;
        for (size_t cut = 0; cut < size; cut++)
            assert_int_equal(reads(kinds[k].kind, bytes, cut), runs && cut == without_run);
        assert_int_equal(reads(kinds[k].kind, bytes, size + 1), kinds[k].longer);
    }
}

/* --- one field out of its bounds --- */

typedef struct {
    size_t (*write)(uint8_t *out);
    uint8_t at, width;
    uint64_t good, bad;
} bound_t;

#define NUMBER     FOB_RECORD_NUMBER_MAX, FOB_RECORD_NUMBER_MAX + 1
#define TIME_LATE  (uint64_t) FOB_RECORD_TIME_MAX, (uint64_t)FOB_RECORD_TIME_MAX + 1
#define TIME_EARLY (uint64_t) - FOB_RECORD_TIME_MAX, (uint64_t)-FOB_RECORD_TIME_MAX - 1

static const bound_t bounds[] = {
    {write_events, 1, 1, FOB_EVENTS_PRIORITY | FOB_EVENTS_ID, 4},
    {write_events, 4, 4, 5, 6}, /* more events than numbers */
    {write_events, 8, 8, TIME_LATE},
    {write_events, 8, 8, TIME_EARLY},
    {write_events, 16, 8, 1, 0},
    {write_events, 16, 8, NUMBER},
    {write_events, 40, 8, 1, 0},
    {write_events, 40, 8, 1, 7}, /* behind the next */
    {write_events, 48, 8, 6, 7},
    {write_events, 56, 8, INT64_MAX, (uint64_t)INT64_MAX + 1},
    {write_forget, 4, 4, 2, 0},
    {write_forget, 4, 4, 2, 3},
    {write_group_add, 1, 1, 0, 2},
    {write_group_add, 8, 8, TIME_LATE},
    {write_group_add, 8, 8, TIME_EARLY},
    {write_group_add, 16, 8, 1, 0},
    {write_group_add, 16, 8, NUMBER},
    {write_group_remove, 8, 8, TIME_LATE},
    {write_group_remove, 8, 8, TIME_EARLY},
    {write_mark, 8, 8, NUMBER},
    {write_mark, 16, 8, NUMBER},
    {write_runs, 8, 8, TIME_LATE},
    {write_noted, 8, 8, TIME_EARLY},
    {write_noted, 1, 1, 6, 255}, /* beyond the end */
    {write_set, 1, 1, 1, 2},
    {write_set, 8, 8, TIME_LATE},
    {write_answers, 4, 4, 1, 2},
    {write_answers, 8, 8, TIME_LATE},
    {write_answers, 32, 8, 2, 3},
    {write_answers, 40, 8, INT64_MAX, (uint64_t)INT64_MAX + 1},
    {write_reset, 1, 1, FOB_RESETS - 1, FOB_RESETS},
    {write_reset, 8, 8, TIME_LATE},
    {write_reset, 16, 8, 1, 0},
    {write_reset, 16, 8, NUMBER},
    {write_reset, 24, 8, NUMBER},
    {write_moved, 4, 4, 1, 2},
    {write_moved, 8, 8, TIME_LATE},
    {write_moved, 16, 8, NUMBER},
    {write_moved, 24, 8, 2, 0},
    {write_moved, 24, 8, 2, 3}, /* not below its place */
    {write_moved, 32, 8, TIME_EARLY},
};

static void put(uint8_t *bytes, uint8_t width, uint64_t value) {
    if (width == 8)
        fob_put64(bytes, value);
    else if (width == 4)
        fob_put32(bytes, (uint32_t)value);
    else
        bytes[0] = (uint8_t)value;
}

static void a_field_beyond_its_bound_is_not_read(void **state) {
    (void)state;
    uint8_t bytes[SIZE_MAX_OF_ALL] = {0};
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        const bound_t *bound = &bounds[i];
        size_t size = bound->write(bytes);
        put(bytes + bound->at, bound->width, bound->good);
        if (!reads(bytes[0], bytes, size))
            fail_msg("kind %u, byte %u: the bound itself is refused", bytes[0], bound->at);
        put(bytes + bound->at, bound->width, bound->bad);
        if (reads(bytes[0], bytes, size))
            fail_msg("kind %u, byte %u: what is beyond the bound is read", bytes[0], bound->at);
    }
}

static void a_group_without_a_name_or_a_pattern_is_not_read(void **state) {
    (void)state;
    uint8_t bytes[SIZE_MAX_OF_ALL];
    size_t size = write_group_add(bytes);
    bytes[2] = 0, bytes[3] = 7;
    assert_false(reads(FOB_RECORD_GROUP_ADD, bytes, size));
    bytes[2] = 7, bytes[3] = 0;
    assert_false(reads(FOB_RECORD_GROUP_ADD, bytes, size));
    bytes[2] = 1, bytes[3] = 6;
    assert_true(reads(FOB_RECORD_GROUP_ADD, bytes, size));
}

/* --- what heads are followed by --- */

static bool answer_reads(fob_record_answer_t row, uint32_t reserved) {
    uint8_t bytes[FOB_RECORD_ANSWERS_ROW];
    fob_record_answer_t back;
    fob_record_write_answer(bytes, &row);
    fob_put32(bytes + 28, reserved);
    return fob_record_read_answer(bytes, &back);
}

static void an_answer_that_cannot_be_is_not_read(void **state) {
    (void)state;
    fob_record_answer_t good = {INT64_MAX, FOB_RECORD_NUMBER_MAX, 1, 0,
                                FOB_ANSWER_DUPLICATE | FOB_ANSWER_DIFFERS},
                        bad;
    assert_true(answer_reads(good, 0));
    assert_false(answer_reads(good, 1));
    bad = good, bad.number = 0;
    assert_false(answer_reads(bad, 0));
    bad = good, bad.number++;
    assert_false(answer_reads(bad, 0));
    bad = good, bad.offset = 0;
    assert_false(answer_reads(bad, 0));
    bad = good, bad.offset++;
    assert_false(answer_reads(bad, 0));
    bad = good, bad.count = 0;
    assert_false(answer_reads(bad, 0));
    bad = good, bad.flags = 4;
    assert_false(answer_reads(bad, 0));
}

static void a_setting_whose_reserved_bytes_are_used_is_not_read(void **state) {
    (void)state;
    uint8_t bytes[FOB_RECORD_SET_ITEM];
    uint32_t number;
    uint64_t value;
    fob_record_write_set_item(bytes, 3, 4);
    assert_true(fob_record_read_set_item(bytes, &number, &value));
    assert_true(number == 3 && value == 4);
    bytes[5] = 1;
    assert_false(fob_record_read_set_item(bytes, &number, &value));
}

static void an_unburied_letter_of_no_offset_has_a_count_and_no_end(void **state) {
    (void)state;
    uint8_t bytes[FOB_RUN_SIZE];
    fob_run_record_t run = {.verb = FOB_RUN_UNBURY, .count = 2}, back;
    fob_record_write_run(bytes, &run);
    assert_true(fob_record_read_run(bytes, &back));
    run.count = 0;
    fob_record_write_run(bytes, &run);
    assert_false(fob_record_read_run(bytes, &back));
    run.count = 2, run.to = 5;
    fob_record_write_run(bytes, &run);
    assert_false(fob_record_read_run(bytes, &back));
}

/* --- names --- */

static void every_reason_is_found_by_its_name_and_others_are_not(void **state) {
    (void)state;
    uint8_t found;
    for (unsigned reason = FOB_REASON_NONE + 1; reason < FOB_REASON_END; reason++) {
        assert_true(fob_reason_find(fob_slice_str(fob_reason_name(reason)), &found));
        assert_int_equal(found, reason);
    }
    assert_false(fob_reason_find(fob_slice_str(""), &found));
    assert_false(fob_reason_find(fob_slice_str("retired"), &found));
    assert_null(fob_reason_name(FOB_REASON_END));
    assert_string_equal(fob_removal_name(FOB_REMOVAL_DEAD_MAX_AGE), "dead_max_age");
    assert_null(fob_removal_name(FOB_REMOVALS));
}

FOB_MAIN(FOB_CASE(a_record_is_of_one_kind_and_what_it_reserves_is_zero),
         FOB_CASE(a_record_that_is_cut_or_too_long_is_not_read),
         FOB_CASE(a_field_beyond_its_bound_is_not_read),
         FOB_CASE(a_group_without_a_name_or_a_pattern_is_not_read),
         FOB_CASE(an_answer_that_cannot_be_is_not_read),
         FOB_CASE(a_setting_whose_reserved_bytes_are_used_is_not_read),
         FOB_CASE(an_unburied_letter_of_no_offset_has_a_count_and_no_end),
         FOB_CASE(every_reason_is_found_by_its_name_and_others_are_not))
