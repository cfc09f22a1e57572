/* A publisher that stops at the first failure: `fob pub --lines` promises that no later line is
 * stored. */
#include "tests/support/case.h"

#include "model_bus.h"
#include "publishers/session.h"

#include <stdlib.h>

typedef struct {
    fob_session_t *session;
    fob_receipts_t receipts;
    fob_now_t now;
    fob_status_t outcome[8]; /* by number; AGAIN: no receipt yet */
} rig_t;

static void rig_start(rig_t *rig) {
    *rig = (rig_t){.receipts.wanted = true, .now.mono_ns = 100 * FOB_SEC};
    fob_session_options_t options = {
        .window = 8, .connect_at = FOB_NEVER, .receipts = &rig->receipts, .stop_on_failure = true};
    rig->session = fob_session_new(&options);
    assert_non_null(rig->session);
    for (int i = 0; i < 8; i++)
        rig->outcome[i] = FOB_AGAIN;
}

static void rig_stop(rig_t *rig) {
    fob_session_destroy(&rig->session);
    fob_receipts_free(&rig->receipts);
}

static void up(rig_t *rig) {
    fob_wire_t welcome;
    model_welcome(&welcome, 0, FOB_WINDOW_MAX);
    fob_session_up(rig->session, rig->now, &welcome);
}

static fob_status_t offer(rig_t *rig, int64_t life) {
    fob_envelope_t event = {.topic = fob_slice_str("t"), .data = fob_slice("\x01", 1)};
    uint64_t number;
    return fob_session_offer(rig->session, &event, rig->now.mono_ns + life, NULL, &number);
}

/* How many messages the session wants to send. */
static int sends(rig_t *rig) {
    fob_slice_t header;
    fob_blob_t *body;
    int count = 0;
    while (fob_session_output(rig->session, rig->now, &header, &body)) {
        fob_blob_unref(&body);
        count++;
    }
    return count;
}

/* The first is stored, the two after it are refused for now. */
static void answer_one_stored_two_busy(rig_t *rig) {
    fob_buf_t runs = {0};
    fob_wire_t msg = {.verb = FOB_VERB_RECEIPT};
    fob_pack_array(&runs, 2);
    fob_run_write(&runs, (uint64_t[]){FOB_OK, 1, 1, 10, 1}, 5);
    fob_run_write(&runs, (uint64_t[]){FOB_BUSY, 2, 2, 0, 0}, 5);
    FOB_SET(&msg, runs, fob_buf_slice(&runs));
    fob_session_input(rig->session, rig->now, &msg);
    fob_buf_free(&runs);
}

static void read_receipts(rig_t *rig) {
    _Alignas(8) uint8_t bytes[8192];
    size_t count, at = 0, size = fob_receipts_take(&rig->receipts, bytes, sizeof bytes, &count);
    fob_receipt_t receipt;
    while (fob_receipts_read(bytes, size, &at, &receipt))
        rig->outcome[receipt.number] = receipt.status;
}

static void after_the_first_failure_nothing_is_sent(void **state) {
    rig_t rig;
    (void)state;
    rig_start(&rig);
    up(&rig);
    for (int i = 1; i <= 3; i++)
        assert_int_equal(offer(&rig, i * FOB_SEC), FOB_OK);
    assert_int_equal(sends(&rig), 1);
    answer_one_stored_two_busy(&rig);
    rig.now.mono_ns += 2 * FOB_SEC; /* the second's deadline, not the third's */
    fob_session_tick(rig.session, rig.now);
    read_receipts(&rig);
    assert_int_equal(rig.outcome[1], FOB_OK);
    assert_int_equal(rig.outcome[2], FOB_BUSY);
    assert_int_equal(rig.outcome[3], FOB_CLOSED);
    assert_int_equal(offer(&rig, FOB_SEC), FOB_CLOSED);
    assert_int_equal(sends(&rig), 0);
    fob_session_down(rig.session, rig.now, FOB_UNREACHABLE, "gone");
    up(&rig);
    assert_int_equal(sends(&rig), 0);
    rig_stop(&rig);
}

static void without_a_failure_it_goes_on(void **state) {
    rig_t rig;
    (void)state;
    rig_start(&rig);
    up(&rig);
    for (int i = 1; i <= 3; i++)
        assert_int_equal(offer(&rig, 60 * FOB_SEC), FOB_OK);
    assert_int_equal(sends(&rig), 1);
    answer_one_stored_two_busy(&rig);
    rig.now.mono_ns += 10 * FOB_SEC;
    fob_session_tick(rig.session, rig.now);
    assert_true(sends(&rig) > 0); /* the refused ones, again */
    read_receipts(&rig);
    assert_int_equal(rig.outcome[1], FOB_OK);
    assert_int_equal(rig.outcome[2], FOB_AGAIN);
    rig_stop(&rig);
}

FOB_MAIN(FOB_CASE(after_the_first_failure_nothing_is_sent), FOB_CASE(without_a_failure_it_goes_on))
