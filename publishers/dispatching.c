/* dispatching: receipts out: on_receipt runs on a thread of the application's, on one at a time. */
#include "publishers/publisher_inside.h"

#define DISPATCHING_TAKE 8192 /* bytes of receipts read at once */

/* The publisher whose on_receipt runs on this thread. What is sent from there may go beyond the
 * backlog: a receipt was taken for it. */
static _Thread_local const fob_publisher_t *calling;

bool fob_publisher_pile(const fob_publisher_t *self) {
    return self->receipts.wanted && self->receipts.waiting >= self->backlog && calling != self;
}

bool fob_publisher_elsewhere(const fob_publisher_t *self) {
    return self->dispatching && calling != self;
}

static void callbacks_run(fob_publisher_t *self, const uint8_t *bytes, size_t size) {
    const fob_publisher_t *outer = calling;
    fob_receipt_t receipt;
    size_t at = 0;
    calling = self;
    while (fob_receipts_read(bytes, size, &at, &receipt))
        self->on_receipt(self->on_receipt_arg, &receipt);
    calling = outer;
}

/* Takes what waits now and runs the callbacks, giving up the lock for them. Returns how many. */
static size_t receipts_hand_out(fob_publisher_t *self) {
    _Alignas(8) uint8_t bytes[DISPATCHING_TAKE];
    size_t left = self->receipts.waiting, done = 0;
    while (left && self->receipts.waiting) {
        size_t count = self->receipts.waiting, size = 0;
        if (self->on_receipt)
            size = fob_receipts_take(&self->receipts, bytes, sizeof bytes, &count);
        else
            self->receipts.waiting = 0;
        if (!self->receipts.waiting)
            fob_conduit_quiet(self->conduit);
        done += count;
        left = count < left ? left - count : 0;
        if (!size)
            continue;
        fob_conduit_unlock(self->conduit);
        callbacks_run(self, bytes, size);
        fob_conduit_lock(self->conduit);
    }
    return done;
}

size_t fob_publisher_drain(fob_publisher_t *self) {
    if (fob_publisher_elsewhere(self))
        return 0;
    bool inside = self->dispatching; /* called from on_receipt */
    self->dispatching = true;
    size_t done = receipts_hand_out(self);
    self->dispatching = inside;
    if (done && !inside)
        fob_conduit_signal(self->conduit);
    return done;
}

size_t fob_publisher_dispatch(fob_publisher_t *self, int64_t timeout_ms) {
    int64_t until = fob_publisher_until(timeout_ms);
    fob_conduit_lock(self->conduit);
    while ((!self->receipts.waiting || fob_publisher_elsewhere(self)) && timeout_ms != 0 &&
           fob_conduit_wait(self->conduit, until))
        ;
    size_t done = fob_publisher_drain(self);
    fob_conduit_unlock(self->conduit);
    return done;
}

/* Whether every event sent before these marks has its receipt. */
static bool all_below(const fob_publisher_t *self, uint64_t number, uint64_t mark) {
    return fob_session_done_below(self->session, number) && fob_fire_done_below(self->fire, mark);
}

fob_status_t fob_publisher_flush(fob_publisher_t *self, int64_t timeout_ms) {
    int64_t until = fob_publisher_until(timeout_ms);
    fob_conduit_lock(self->conduit);
    uint64_t target = fob_session_next(self->session);
    uint64_t mark = fob_fire_mark(self->fire);
    bool done = false, in_time = true;
    fob_fire_hurry(self->fire);
    if (!fob_fire_empty(self->fire))
        fob_conduit_wake(self->conduit);
    for (;;) {
        done = all_below(self, target, mark);
        fob_publisher_drain(self);
        if ((done && !fob_publisher_elsewhere(self)) || !in_time)
            break;
        if (!all_below(self, target, mark) || fob_publisher_elsewhere(self))
            in_time = fob_conduit_wait(self->conduit, until);
    }
    fob_status_t status = done ? fob_receipts_verdict(&self->receipts) : FOB_AGAIN;
    fob_conduit_unlock(self->conduit);
    return status;
}
