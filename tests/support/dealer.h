/* dealer: a raw client of the bus for tests: one DEALER, the wire codec, and nothing that would
 * smooth things over.
 *
 *     dealer_t *dealer = dealer_new (fob_bus_endpoint (bus));
 *     dealer_greet (dealer, "publisher", 1);
 *     dealer_publish (dealer, 1, "order_placed", 3);
 *     const fob_wire_t *receipt = dealer_expect (dealer, FOB_VERB_RECEIPT);
 *
 * Every wait has a deadline and ends the test with a message. Nothing beats by itself: dealer_beat
 * does, or dealer_answer_beats. One thread. */
#ifndef FOB_TESTS_DEALER_H
#define FOB_TESTS_DEALER_H

#include "proto/wire.h"
#include "tests/support/pace.h"

typedef struct dealer dealer_t;

#define DEALER_PATIENCE PACE_PATIENCE /* ms that a wait takes at the most */

dealer_t *dealer_new(const char *endpoint);
/* Closes without a GOODBYE. Nulls; null-safe. */
void dealer_destroy(dealer_t **self_p);

/* Sends one message; without a body where `body` is NULL. */
void dealer_send(dealer_t *self, const fob_wire_t *msg, const fob_buf_t *body);
/* Sends these frames as they are. */
void dealer_send_raw(dealer_t *self, const void *const *frames, const size_t *sizes, size_t count);

/* The next message within `timeout_ms`; NULL: none came. Good until the next call. */
const fob_wire_t *dealer_next(dealer_t *self, int timeout_ms);
/* Its body; empty: it had none. */
fob_slice_t dealer_body(const dealer_t *self);
/* Waits for a message of that verb; beats are passed over, any other ends the test. */
const fob_wire_t *dealer_expect(dealer_t *self, fob_verb_t verb);

/* HELLO and WELCOME. `session` fills the 16 bytes; 0: none is given. */
const fob_wire_t *dealer_greet(dealer_t *self, const char *role, uint8_t session);
void dealer_hello(dealer_t *self, uint64_t min, uint64_t max, const char *role, uint8_t session);
void dealer_beat(dealer_t *self);
/* From now on it stays alive while it waits: each beat of the bus is answered with one. */
void dealer_answer_beats(dealer_t *self);
void dealer_goodbye(dealer_t *self);

/* Events as a body: `count` of the topic, each with data of `size` bytes. */
void dealer_events(fob_buf_t *out, const char *topic, size_t count, size_t size);

/* PUBLISH numbers first.. of `count` small events. */
void dealer_publish(dealer_t *self, uint64_t first, const char *topic, size_t count);
/* Waits for receipts of numbers first.. first+count-1, all of that code; returns the first one's
 * offset. */
uint64_t dealer_receipts(dealer_t *self, uint64_t first, uint64_t count, fob_status_t code);

/* JOIN (creating the group) and JOINED, which must be OK. */
void dealer_join(dealer_t *self, const char *group, const char *pattern, uint64_t credit);
/* Waits until `count` events of that group were delivered, in all; fills token and offset of the
 * first. */
void dealer_deliveries(dealer_t *self, uint64_t count, uint64_t *offset, uint64_t *token);
/* SETTLE one run. */
void dealer_settle(dealer_t *self, const char *group, uint64_t seq, fob_settle_kind_t kind,
                   uint64_t offset, uint64_t count, uint64_t token);

/* The first row of encoded runs; ends the test where there is none. */
fob_run_t dealer_run(fob_slice_t raw);

/* STATS: the value of a figure of the bus, of a group (`group` not NULL). Ends the test where it is
 * not a number. */
uint64_t dealer_figure(dealer_t *self, const char *group, const char *name);
/* Asks again and again until the figure is `value`; ends the test after the patience. */
void dealer_figure_becomes(dealer_t *self, const char *group, const char *name, uint64_t value);
/* The same, until it is `least` or more. */
void dealer_figure_reaches(dealer_t *self, const char *group, const char *name, uint64_t least);

/* ms of a clock that does not go back. */
int64_t dealer_clock(void);

#endif
