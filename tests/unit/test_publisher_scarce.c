/* A publisher's session where memory is refused, once or for a while: each event that was taken
 * gets one receipt, and what is confirmed is stored, once and in order. */
#include "support/case.h"

#include "session_bench.h"
#include "watched.h"

#define EVENTS 40

bool watched;

WATCHED(fob_status_t, fob_session_offer,
        (fob_session_t * self, const fob_envelope_t *event, int64_t deadline, void *tag,
         uint64_t *number),
        (self, event, deadline, tag, number))
WATCHED_VOID(fob_session_up, (fob_session_t * self, fob_now_t now, const fob_wire_t *welcome),
             (self, now, welcome))
WATCHED_VOID(fob_session_down,
             (fob_session_t * self, fob_now_t now, fob_status_t why, const char *text),
             (self, now, why, text))
WATCHED_VOID(fob_session_input, (fob_session_t * self, fob_now_t now, const fob_wire_t *msg),
             (self, now, msg))
WATCHED(bool, fob_session_output,
        (fob_session_t * self, fob_now_t now, fob_slice_t *header, fob_blob_t **body),
        (self, now, header, body))
WATCHED_VOID(fob_session_tick, (fob_session_t * self, fob_now_t now), (self, now))
WATCHED_VOID(fob_session_close, (fob_session_t * self), (self))

/* Until it is taken: where memory lacks for ever it comes back after a while. */
static void offer(bench_t *b, unsigned topic, bool id) {
    fob_status_t status = bench_offer(b, topic, b->now.mono_ns + 300 * FOB_SEC, id);
    if (status == FOB_OK)
        return;
    assert_int_equal(status, FOB_NO_MEMORY);
    assert_true(scarce.failed > 0);
    watched = !scarce.lasting;
    assert_int_equal(bench_offer(b, topic, b->now.mono_ns + 300 * FOB_SEC, id), FOB_OK);
    watched = true;
}

static void pass(bench_t *b, int64_t ms) {
    bench_pass(b, ms * FOB_MS);
}

static void story(void *arg) {
    (void)arg;
    bench_t *b = bench_new(1024);
    watched = true;
    for (unsigned i = 0; i < EVENTS / 4; i++)
        offer(b, i % 3, i % 2);
    bench_connect(b);
    pass(b, 10);
    b->bus->busy[1] = true;
    for (unsigned i = 0; i < EVENTS / 4; i++)
        offer(b, i % 3, i % 5 == 0);
    pass(b, 10);
    bench_disconnect(b);
    for (unsigned i = 0; i < EVENTS / 4; i++)
        offer(b, i % 3, true);
    bench_connect(b);
    b->bus->busy[1] = false;
    pass(b, 1000);
    for (unsigned i = 0; i < EVENTS / 4; i++)
        offer(b, i % 3, false);
    pass(b, 1000);
    watched = false; /* there is memory again */
    for (unsigned i = 0; i < 60 && b->receipts.owed; i++)
        pass(b, 1000);
    bench_check_receipts(b);
    bench_check_stored(b, true);
    for (uint64_t n = 1; n <= b->offered; n++)
        assert_int_equal(b->outcome[n], FOB_OK);
    bench_free(b);
}

static void each_allocation_may_fail_and_each_event_is_stored_once(void **state) {
    (void)state;
    scarce_each("publishers: session", 9, story, NULL);
}

/* Closed while there is none: nobody waits for a receipt. */
static void closing(void *arg) {
    (void)arg;
    bench_t *b = bench_new(1024);
    for (unsigned i = 0; i < EVENTS; i++)
        bench_offer_ok(b, i % 3);
    bench_connect(b);
    for (unsigned i = 0; i < 3; i++)
        bench_send_one(b);
    watched = true;
    fob_session_close(b->session);
    watched = false;
    bench_receipts_read(b);
    for (uint64_t n = 1; n <= b->offered; n++)
        assert_int_equal(b->told[n], 1);
    bench_free(b);
}

static void a_close_without_memory_tells_every_receipt(void **state) {
    (void)state;
    scarce_each("publishers: close", 1, closing, NULL);
}

FOB_MAIN(FOB_CASE(each_allocation_may_fail_and_each_event_is_stored_once),
         FOB_CASE(a_close_without_memory_tells_every_receipt))
