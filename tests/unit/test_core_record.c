/* record: the bytes in the journal stay what they are. */
#include "bus/core/durable/record.h"

#include "tests/support/case.h"

static void an_events_head_is_laid_out_as_written_down(void **state) {
    (void)state;
    fob_record_events_t record = {.count = 0x04030201,
                                  .time_ms = 0x1122334455667788,
                                  .first_offset = 0x0102030405060708,
                                  .session = "0123456789abcde",
                                  .first_number = 5,
                                  .low = 3,
                                  .next_number = 0x05030201};
    static const uint8_t want[] = {
        1,   0,   0,   0,   1,   2,   3,   4, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11,
        8,   7,   6,   5,   4,   3,   2,   1, '0',  '1',  '2',  '3',  '4',  '5',  '6',  '7',
        '8', '9', 'a', 'b', 'c', 'd', 'e', 0, 5,    0,    0,    0,    0,    0,    0,    0,
        3,   0,   0,   0,   0,   0,   0,   0, 1,    2,    3,    5,    0,    0,    0,    0};
    uint8_t bytes[FOB_RECORD_EVENTS_SIZE];
    fob_record_write_events(bytes, &record);
    assert_memory_equal(bytes, want, sizeof want);
    fob_record_events_t back;
    assert_true(fob_record_read_events(fob_slice(bytes, sizeof bytes), &back));
    memset(bytes, 0xff, sizeof bytes);
    fob_record_write_events(bytes, &back);
    assert_memory_equal(bytes, want, sizeof want);
}

static void a_run_is_laid_out_as_written_down(void **state) {
    (void)state;
    fob_run_record_t run = {.verb = FOB_RUN_RETURN,
                            .flags = FOB_RUN_FRESH | FOB_RUN_COUNTED,
                            .reason = FOB_REASON_LOST,
                            .count = 2,
                            .from = 7,
                            .to = 9,
                            .token = 11,
                            .due_ms = -2};
    static const uint8_t want[FOB_RUN_SIZE] = {
        2, 3, 1, 0, 2,  0, 0, 0, 7, 0, 0, 0, 0,    0,    0,    0,    9,    0,    0,    0,
        0, 0, 0, 0, 11, 0, 0, 0, 0, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    uint8_t bytes[FOB_RUN_SIZE];
    fob_run_record_t back;
    fob_record_write_run(bytes, &run);
    assert_memory_equal(bytes, want, sizeof want);
    assert_true(fob_record_read_run(bytes, &back));
    memset(bytes, 0xff, sizeof bytes);
    fob_record_write_run(bytes, &back);
    assert_memory_equal(bytes, want, sizeof want);
}

static bool run_reads(fob_run_record_t run) {
    uint8_t bytes[FOB_RUN_SIZE];
    fob_run_record_t back;
    fob_record_write_run(bytes, &run);
    return fob_record_read_run(bytes, &back);
}

static void a_run_that_cannot_be_is_not_read(void **state) {
    (void)state;
    fob_run_record_t good = {.verb = FOB_RUN_ACK, .count = 3, .from = 5, .to = 7}, bad;
    assert_true(run_reads(good));
    bad = good, bad.verb = 12;
    assert_false(run_reads(bad));
    bad = good, bad.verb = 0;
    assert_false(run_reads(bad));
    bad = good, bad.count = 4;
    assert_false(run_reads(bad));
    bad = good, bad.count = 0;
    assert_false(run_reads(bad));
    bad = good, bad.from = 0;
    assert_false(run_reads(bad));
    bad = good, bad.to = 4;
    assert_false(run_reads(bad));
    bad = good, bad.verb = FOB_RUN_COVER;
    assert_false(run_reads(bad));
}

static void groups_and_marks_come_back_as_they_were(void **state) {
    (void)state;
    uint8_t bytes[64];
    fob_record_group_add_t add = {true, 4, 1234, 99, fob_slice_str("mail"), fob_slice_str("a.>")},
                           got;
    fob_record_write_group_add(bytes, &add);
    size_t size = FOB_RECORD_GROUP_ADD_SIZE + 7;
    assert_true(fob_record_read_group_add(fob_slice(bytes, size), &got));
    assert_true(fob_slice_eq(got.name, add.name) && fob_slice_eq(got.pattern, add.pattern));
    assert_true(got.temporary && got.id == 4 && got.time_ms == 1234 && got.start == 99);
    for (size_t cut = 0; cut < size; cut++)
        assert_false(fob_record_read_group_add(fob_slice(bytes, cut), &got));
    fob_record_mark_t mark = {7, 1000, 2000}, mark_back;
    fob_record_write_mark(bytes, &mark);
    assert_true(fob_record_read_mark(fob_slice(bytes, FOB_RECORD_MARK_SIZE), &mark_back));
    assert_true(mark_back.group == 7 && mark_back.offset == 1000 && mark_back.token == 2000);
    bytes[2] = 1; /* reserved */
    assert_false(fob_record_read_mark(fob_slice(bytes, FOB_RECORD_MARK_SIZE), &mark_back));
    uint32_t id;
    int64_t time_ms;
    fob_record_write_group_remove(bytes, 9, 77);
    assert_true(fob_record_read_group_remove(fob_slice(bytes, 16), &id, &time_ms));
    assert_true(id == 9 && time_ms == 77);
    assert_false(fob_record_read_group_remove(fob_slice(bytes, 17), &id, &time_ms));
}

static void an_events_head_with_impossible_numbers_is_not_read(void **state) {
    (void)state;
    uint8_t bytes[FOB_RECORD_EVENTS_SIZE];
    fob_record_events_t record = {
        .count = 5, .first_offset = 1, .first_number = 1, .next_number = 6};
    fob_record_events_t back;
    fob_record_write_events(bytes, &record);
    assert_true(fob_record_read_events(fob_slice(bytes, sizeof bytes), &back));
    record.next_number = 5;
    fob_record_write_events(bytes, &record);
    assert_false(fob_record_read_events(fob_slice(bytes, sizeof bytes), &back));
    record.next_number = 6, record.first_number = 0;
    fob_record_write_events(bytes, &record);
    assert_false(fob_record_read_events(fob_slice(bytes, sizeof bytes), &back));
}

FOB_MAIN(FOB_CASE(an_events_head_is_laid_out_as_written_down),
         FOB_CASE(a_run_is_laid_out_as_written_down), FOB_CASE(a_run_that_cannot_be_is_not_read),
         FOB_CASE(groups_and_marks_come_back_as_they_were),
         FOB_CASE(an_events_head_with_impossible_numbers_is_not_read))
