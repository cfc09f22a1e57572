/* leases_world: what the seeded model of the lease table knows, shared by the bus of that world and
 * the rest of it. */
#ifndef FOB_TESTS_LEASES_WORLD_H
#define FOB_TESTS_LEASES_WORLD_H

#include "subscribers/lease/leases.h"
#include "support/case.h"

#include <stdlib.h>

#define EVENTS   3000
#define LETTERS  4096
#define TOKENS   (EVENTS * 32)
#define BEAT_MS  1000
#define LOST_MS  (3 * BEAT_MS)
#define WORKER   1 /* the one under test */
#define OTHER    2
#define PREFETCH 20
#define JOBS     3

typedef enum { READY, LEASED, SETTLED } place_t;

typedef struct {
    place_t place;
    int holder;
    uint64_t token;
} slot_t;

/* One message under way. */
typedef struct {
    fob_buf_t header;
    fob_blob_t *body;
    bool beat;
} letter_t;

typedef struct {
    letter_t letters[LETTERS];
    size_t first, end;
} mail_t;

typedef struct {
    unsigned seed;
    uint64_t random;
    int64_t now_ms;
    fob_leases_t *leases;
    bool calm;      /* no more faults */
    uint64_t limit; /* count of the worker; 0: none */
    uint64_t begun_all;
    bool drained;

    /* The bus. */
    slot_t slots[EVENTS + 1];
    uint64_t token, allowed, delivered, ready;
    bool knows, joined;
    int64_t heard_ms, beat_ms;
    uint64_t seq;
    bool overdue[TOKENS]; /* leases that ran out, whose handlers are not known to have ended */
    unsigned occupied;    /* how many these are */
    bool applied[TOKENS]; /* settles of the worker that took effect, by token */
    bool taken[TOKENS];   /* leases of the worker that were given away */
    bool ordered[TOKENS]; /* of these: with LOST, which may cross a hand-out */
    bool early[TOKENS];   /* or as the connection went, sooner than a bus may */
    bool first_hello;     /* HELLO_FIRST is under way */
    int64_t frozen_ms;    /* until then the network carries nothing */

    /* The connection and the client's side of it. */
    bool up;
    mail_t to_bus, to_worker;
    int64_t sent_ms;
    int64_t heard_mono;

    /* The application. */
    fob_event_t *out[JOBS];
    bool begun[TOKENS];            /* by token */
    bool settled[TOKENS];          /* settles that were accepted from it */
    fob_settle_how_t said[TOKENS]; /* and what they said */
} world_t;

#include "world_draw.h"

/* --- mail --- */

static inline letter_t *post(world_t *w, mail_t *mail) {
    CHECK(w, mail->end - mail->first < LETTERS);
    return &mail->letters[mail->end++ % LETTERS];
}

static inline letter_t *collect(mail_t *mail) {
    return mail->first == mail->end ? NULL : &mail->letters[mail->first++ % LETTERS];
}

static inline void burn(letter_t *letter) {
    fob_buf_free(&letter->header);
    fob_blob_unref(&letter->body);
    letter->beat = false;
}

static inline void burn_all(mail_t *mail) {
    letter_t *letter;
    while ((letter = collect(mail)))
        burn(letter);
}

static inline void say(world_t *w, const fob_wire_t *msg, fob_blob_t *body) {
    letter_t *letter = post(w, &w->to_worker);
    assert_int_equal(fob_wire_write(&letter->header, msg), FOB_OK);
    letter->body = body;
}

static inline fob_wire_t wire(fob_verb_t verb) {
    fob_wire_t msg = {.verb = verb};
    FOB_SET(&msg, group, fob_slice_str("g"));
    return msg;
}

/* --- the bus of this world --- */

/* What the bus does in one step. */
void bus_step(world_t *w);
/* The worker's leases go back, or to another, who may settle them; `early`: sooner than a bus may.
 */
void give_away(world_t *w, bool early);
/* The others finish what they hold. */
void others_settle(world_t *w);

#endif
