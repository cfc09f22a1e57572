/* session_bench: a publisher's session, a model of the bus, and the wires between, in a time of the
 * test's own. */
#ifndef FOB_SESSION_BENCH_H
#define FOB_SESSION_BENCH_H

#include "model_bus.h"
#include "publishers/session.h"

#define MAX_EVENTS 30000
#define QUEUE      4096

extern uint64_t bench_seed; /* of a seeded case, for the failure's message */

typedef struct {
    fob_slice_t header, body; /* copies */
} message_t;

typedef struct {
    fob_session_t *session;
    fob_receipts_t receipts;
    model_bus_t *bus;
    fob_now_t now;
    bool up;
    uint64_t window;
    message_t to_bus[QUEUE], to_client[QUEUE];
    unsigned bus_first, bus_end, client_first, client_end;
    uint64_t offered;
    uint8_t topics[MAX_EVENTS]; /* of each event, by number */
    uint8_t told[MAX_EVENTS];   /* how many receipts */
    fob_status_t outcome[MAX_EVENTS];
    uint64_t offset[MAX_EVENTS];
    uint64_t duplicate_of[MAX_EVENTS];
    bool differs[MAX_EVENTS];
    bool has_id[MAX_EVENTS];
    char text[FOB_RECEIPT_MAX];
} bench_t;

/* Not connected; events wait 3 s for the first contact. The time is the test's own. */
bench_t *bench_new(uint32_t window);
void bench_free(bench_t *b);
void bench_message_free(message_t *message);
/* What is under way is lost. */
void bench_wires_cut(bench_t *b);
/* Notes what became of each event, and checks what its receipt says. */
void bench_receipts_read(bench_t *b);
/* An event of topic t0, t1, ...; its data is its number. */
fob_status_t bench_offer(bench_t *b, unsigned topic, int64_t deadline, bool id);
fob_status_t bench_offer_as(bench_t *b, unsigned topic, int64_t deadline, const char *id);
void bench_offer_ok(bench_t *b, unsigned topic);
void bench_connect(bench_t *b);
void bench_disconnect(bench_t *b);
/* What the shell does when a new session is wanted. */
void bench_renew_if_wanted(bench_t *b);
/* One message from the session to the wire, from the wire to the bus, from the bus to the session.
 */
bool bench_send_one(bench_t *b);
bool bench_bus_takes_one(bench_t *b);
bool bench_client_takes_one(bench_t *b);
/* Lets everything flow until nothing moves. */
void bench_flow(bench_t *b);
/* Time passes, then everything flows. */
void bench_pass(bench_t *b, int64_t ns);
/* Fails unless every confirmed event is stored where its receipt says, and each with an id once at
 * the most; `once`: all once at the most, and those of a topic in the order offered. */
void bench_check_stored(bench_t *b, bool once);
/* Fails unless each event has exactly one receipt. */
void bench_check_receipts(bench_t *b);

#endif
