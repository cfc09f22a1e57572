/* The last numbers that a checkpoint may hold: a core goes on from them as from any others, and
 * what it then writes is replayed. No bus comes so far; a forged checkpoint does. */
#include "test_core_queue_case.h"

#include "bus/core/durable/record.h"
#include "bus/core/state.h"
#include "tests/support/case.h"

#define MOST (FOB_RECORD_NUMBER_MAX / 2)

static int setup_begun(void **state) {
    setup(state);
    queue_join(&q, "a");
    queue_say(&q, "a0 a5");
    queue_drain(&q, 2);
    return 0;
}

/* Starts from a checkpoint of the state as the test has made it. */
static void start_from_this(void) {
    q.kit.hashes[q.kit.position] = fob_core_hash(q.kit.core);
    kit_checkpoint(&q.kit);
    queue_crash(&q);
    queue_resume(&q);
}

/* First hand-outs with priorities and without, returns, a dead letter that is redriven, a reset:
 * then all of it again from the records. */
static void go_on(void) {
    uint64_t last = q.kit.core->head;
    queue_say(&q, "a0 a5 a9 a0");
    queue_take(&q, 10);
    assert_true(q.got[q.count - 1][1] > q.got[0][1]);
    queue_settle(&q, FOB_KIND_RETRY, last + 1);
    queue_settle(&q, FOB_KIND_RELEASE, last + 2);
    queue_settle(&q, FOB_KIND_REJECT, last + 3);
    kit_do(&q.kit, &(fob_command_t){.kind = FOB_CMD_DEAD_REDRIVE,
                                    .conn = 5,
                                    .dead = {.req = 1, .group = fob_slice_str("g"), .limit = 10}});
    queue_take(&q, 10);
    queue_ack(&q, last + 3);
    queue_many(&q, "a", 0, 20);
    queue_take(&q, 10);
    queue_crash(&q); /* compares the hashes */
    queue_resume(&q);
    queue_take(&q, 10);
    queue_admin(&q, FOB_CMD_GROUP_RESET, "", last + 1, 0, 0);
    queue_drain(&q, 30);
    queue_crash(&q);
}

static void tokens_go_on_after_the_last_of_a_checkpoint(void **state) {
    (void)state;
    group()->mark_token = group()->void_token = MOST;
    start_from_this();
    size_t before = q.count;
    go_on();
    assert_true(q.count > before);
    assert_true(q.got[before][1] > MOST);
    assert_true(group()->mark_token > MOST);
}

static void offsets_go_on_after_the_last_of_a_checkpoint(void **state) {
    (void)state;
    q.kit.core->head = MOST - 1;
    group()->cover.floor = MOST;
    group()->mark_offset = MOST;
    start_from_this();
    go_on();
    assert_true(group()->mark_offset > MOST);
}

static void an_offset_is_below_the_last_mark_there_can_be(void **state) {
    (void)state;
    group()->mark_offset = FOB_RECORD_NUMBER_MAX;
    group()->mark_token = MOST;
    start_from_this();
    go_on();
}

static void counts_go_on_after_the_last_of_a_checkpoint(void **state) {
    (void)state;
    uint64_t more = MOST - group()->accepted;
    group()->accepted += more;
    group()->acked += more;
    group()->generation = group()->deads.last_serial = q.kit.core->writers.uses = MOST;
    q.kit.core->time_ms = FOB_RECORD_TIME_MAX / 2;
    start_from_this();
    go_on();
    assert_true(group()->deads.last_serial > MOST);
    assert_true(group()->generation > MOST);
}

static fob_status_t add_group(const char *name) {
    kit_do(&q.kit,
           &(fob_command_t){
               .kind = FOB_CMD_GROUP_ADD,
               .conn = 5,
               .admin = {.req = 1, .group = fob_slice_str(name), .pattern = fob_slice_str("a")}});
    return kit_last(&q.kit, FOB_EFF_REPLY)->status;
}

static void groups_end_with_the_last_number_there_is(void **state) {
    (void)state;
    q.kit.core->next_group = UINT32_MAX - 1;
    start_from_this();
    assert_int_equal(add_group("the.last"), FOB_OK);
    assert_int_equal(add_group("one.more"), FOB_LIMIT);
    assert_int_equal(add_group("the.last"), FOB_OK); /* it is there */
    queue_crash(&q);
    assert_int_equal(add_group("one.more"), FOB_LIMIT);
    start_from_this();
    go_on();
}

FOB_MAIN(FOB_CASE_WITH(tokens_go_on_after_the_last_of_a_checkpoint, setup_begun, teardown),
         FOB_CASE_WITH(offsets_go_on_after_the_last_of_a_checkpoint, setup_begun, teardown),
         FOB_CASE_WITH(an_offset_is_below_the_last_mark_there_can_be, setup_begun, teardown),
         FOB_CASE_WITH(groups_end_with_the_last_number_there_is, setup_begun, teardown),
         FOB_CASE_WITH(counts_go_on_after_the_last_of_a_checkpoint, setup_begun, teardown))
