/* What meets what: settles of both kinds in one SETTLE. */
#include "test_core_queue.h"

#include "tests/support/case.h"

#include <stdlib.h>

static queue_t q;

static int setup(void **state) {
    (void)state;
    queue_init(&q, &kit_config);
    return 0;
}

/* What replay makes of it is the same, and balances too. */
static int teardown(void **state) {
    (void)state;
    kit_crash(&q.kit, q.kit.position);
    queue_free(&q);
    return 0;
}

/* --- settles --- */

/* Settles every fourth from 2 on as acks and every fourth from 4 on as retries, in one SETTLE. */
static void settle_scattered(unsigned count) {
    fob_buf_t runs = {0};
    fob_pack_array(&runs, count / 2);
    for (size_t i = 1; i < count; i += 2) {
        unsigned kind = i % 4 == 1 ? FOB_KIND_ACK : FOB_KIND_RETRY;
        fob_run_write(&runs, (uint64_t[]){kind, q.got[i][0], 1, q.got[i][1], 0}, 5);
    }
    kit_do(&q.kit,
           &(fob_command_t){
               .kind = FOB_CMD_SETTLE,
               .conn = 1,
               .settle = {.group = fob_slice_str("g"), .seq = 1, .runs = fob_buf_slice(&runs)}});
    fob_buf_free(&runs);
    kit_books(&q.kit);
}

static void settles_of(uint8_t priority, unsigned count) {
    setup(NULL);
    queue_admin(&q, FOB_CMD_GROUP_ADD, "a", 0, 0, 0);
    queue_many(&q, "a", priority, count);
    queue_join(&q, NULL);
    queue_take(&q, count);
    settle_scattered(count);
    assert_int_equal(queue_stats(&q).acked, count / 4);
    teardown(NULL);
}

static void one_settle_may_ack_and_retry_here_and_there(void **state) {
    (void)state;
    for (unsigned count = 4; count <= 256; count *= 2)
        settles_of(0, count);
}

static void one_settle_may_ack_and_retry_what_has_priorities(void **state) {
    (void)state;
    for (unsigned count = 4; count <= 256; count *= 2)
        settles_of(7, count);
}

FOB_MAIN(FOB_CASE(one_settle_may_ack_and_retry_here_and_there),
         FOB_CASE(one_settle_may_ack_and_retry_what_has_priorities))
