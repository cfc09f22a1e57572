/* sequencer: a broadcast subscriber's state machine: what comes over the broadcast is checked
 * against the pattern and the chain of its topic, what is missing is fetched from the journal, and
 * what the application is to be told waits in a bounded queue. Pure: the simulator runs this very
 * one.
 *
 * Its shell tells it what comes (up, beat, take, input, down), runs a round after each lot and at
 * the deadline, and sends what it asks for:
 *
 *     fob_sequencer_round (s, now, elsewhere);
 *     while (up && fob_sequencer_ask (s, &msg))
 *         if (!send (&msg))
 *             fob_sequencer_unsent (s, now, &msg);
 *
 * Modes. RELIABLE: each event of the pattern once, those of a topic in order; what cannot be had
 * any more is told by a notice. NOTIFY: what the broadcast brings is handed out at once; what it
 * does not bring is told by notices with exact offsets. LIVE: what the broadcast brings, nothing is
 * asked for; losses are counted. A bus that cannot be asked (it lacks the capability "fetch") has
 * them all in mode LIVE; fob_sequencer_trouble says so.
 *
 * `elsewhere`: events and notices that readers took over (fob_sequencer_move) and did not hand out
 * yet: they count as held. All of it on one thread, or under the shell's lock; the batch is its
 * reader's. */
#ifndef FOB_SEQUENCER_H
#define FOB_SEQUENCER_H

#include "proto/now.h"
#include "subscribers/sequence/gaps.h"
#include "subscribers/sequence/inbox.h"

/* Bytes of messages held by default. */
#define FOB_SEQUENCER_BYTES ((uint64_t)256 << 20)
/* How long what the bus has and we have not may still be on its way. */
#define FOB_SEQUENCER_GRACE (100 * FOB_MS)
/* Offsets behind the head from which on the broadcast is of no use. */
#define FOB_SEQUENCER_FAR 32768
/* After a refusal, before asking again. */
#define FOB_SEQUENCER_PAUSE (200 * FOB_MS)
/* The same, of a question whether all is there: a beat, as that is how often it is asked. */
#define FOB_SEQUENCER_WHOLE_PAUSE FOB_SEC

typedef enum {
    FOB_SEQUENCER_RELIABLE,
    FOB_SEQUENCER_NOTIFY,
    FOB_SEQUENCER_LIVE
} fob_sequencer_mode_t;

/* Where to begin. Not for LIVE. */
typedef enum {
    FOB_SEQUENCER_LATEST,   /* with what is stored from the first `up` on */
    FOB_SEQUENCER_EARLIEST, /* with the oldest that is kept; what is not is not told */
    FOB_SEQUENCER_LAST,     /* each topic's last event, then as LATEST */
    FOB_SEQUENCER_OFFSET,   /* with offset `value`; what is not kept from there on is told, and what
                               is not what it was in `epoch` */
    FOB_SEQUENCER_TIME      /* with the first event stored at `value` (Unix ms) or later */
} fob_sequencer_from_t;

typedef struct {
    fob_slice_t pattern; /* a valid one; copied */
    fob_sequencer_mode_t mode;
    fob_sequencer_from_t from;
    uint64_t value;
    /* OFFSET: the epoch that it is of, and all before it was had in; 0: not known. (The first HELLO
     * has to name it: see fob_sequencer_epoch.) */
    uint64_t epoch;
    uint64_t queue; /* events held at the most, at least 1 */
    uint64_t bytes; /* of these at the most; 0: FOB_SEQUENCER_BYTES. One message may be over it. */
    /* Tighter bounds than the usual ones; 0: FOB_MARKS_MAX topics remembered, FOB_RECENT_MESSAGES
     * kept while the journal is read, FOB_HOLES_MAX waiting to be asked about, FOB_SEQUENCER_FAR.
     */
    uint32_t topics, recent, holes, far;
} fob_sequencer_options_t;

typedef struct fob_sequencer fob_sequencer_t;

fob_sequencer_t *fob_sequencer_new(const fob_sequencer_options_t *options); /* NULL: no memory */
void fob_sequencer_destroy(fob_sequencer_t **self_p);

/* --- inputs --- */

/* The bus welcomed us: its epoch, head, `began` and capabilities count. */
void fob_sequencer_up(fob_sequencer_t *self, fob_now_t now, const fob_wire_t *welcome);
/* A BEAT of the bus: its epoch, head and `began`. */
void fob_sequencer_beat(fob_sequencer_t *self, fob_now_t now, const fob_wire_t *beat);
/* FETCHED or WHOLENESS (or ERROR that is about FETCH or WHOLE); any other is ignored. `body` is
 * borrowed, NULL: none. */
void fob_sequencer_input(fob_sequencer_t *self, fob_now_t now, const fob_wire_t *msg,
                         fob_blob_t *body);
/* The connection on which was asked is gone: no answer will come. */
void fob_sequencer_down(fob_sequencer_t *self);
/* The subscription was away: what passed meanwhile did not come. In LIVE an unknown number is lost,
 * which is counted; otherwise it is found out. */
void fob_sequencer_pause(fob_sequencer_t *self);

/* A broadcast message came. Takes its own hold on the body. One whose body is not what its head
 * says is malformed: dropped whole. So is the head of a fire-and-forget one whose number cannot be,
 * but its events are good. */
void fob_sequencer_take(fob_sequencer_t *self, const fob_cast_t *cast, fob_blob_t *body,
                        uint64_t elsewhere);
/* One came whose body could not be kept, as there is no memory. */
void fob_sequencer_miss(fob_sequencer_t *self, const fob_cast_t *cast);
/* A message came that no head could be read of. */
void fob_sequencer_spoilt(fob_sequencer_t *self);
/* An event that was handed over turned out to be damaged. */
void fob_sequencer_lose(fob_sequencer_t *self, uint64_t count);

/* --- what it wants --- */

/* Time passed, inputs came, or readers made room: after each lot of these, before `ask`. */
void fob_sequencer_round(fob_sequencer_t *self, fob_now_t now, uint64_t elsewhere);
/* When to run a round at the latest (mono_ns); FOB_NEVER. */
int64_t fob_sequencer_deadline(const fob_sequencer_t *self);
/* A FETCH or WHOLE to be sent now, while the connection is up: it counts as sent. Slices in *out
 * are good until the next call of any function. At most one of each is under way. */
bool fob_sequencer_ask(fob_sequencer_t *self, fob_wire_t *out);
/* What `ask` gave last could not be sent: asked again after a pause. */
void fob_sequencer_unsent(fob_sequencer_t *self, fob_now_t now, const fob_wire_t *msg);
/* It stands still until readers have made room, and they have: run a round now. */
bool fob_sequencer_has_room(const fob_sequencer_t *self, uint64_t elsewhere);
/* It is far behind, and more comes over the broadcast than it can keep until it is there: what
 * comes is going to be read from the journal, so until it has come near the subscription had better
 * rest, as everything that is sent to it costs the bus as if it were of use. Known after each
 * round. A hint: nothing is lost either way, but fire-and-forget events, which are for those who
 * listen. RELIABLE only. */
bool fob_sequencer_deaf(const fob_sequencer_t *self);
/* The subscription, which rested or was lost, is live again: what was stored before and did not
 * come over it is read from the journal at once (else it is missed only when something shows that
 * it is lacking).
 */
void fob_sequencer_listens(fob_sequencer_t *self);

/* --- what it gives --- */

/* Moves the oldest messages to an empty batch. Returns how many events and notices these are; 0:
 * none there. */
uint64_t fob_sequencer_move(fob_sequencer_t *self, fob_batch_t *batch);
uint64_t fob_sequencer_queued(const fob_sequencer_t *self); /* events and notices */

typedef enum {
    FOB_SEQUENCER_AWAY,    /* never up yet */
    FOB_SEQUENCER_CURRENT, /* takes from the broadcast */
    FOB_SEQUENCER_BEHIND   /* reads the journal, or waits for room to do so */
} fob_sequencer_state_t;

/* Since it was made. */
typedef struct {
    fob_sequencer_state_t state;
    uint64_t lost;       /* fire-and-forget; in LIVE stored ones too; damaged ones */
    uint64_t pauses;     /* LIVE: how often an unknown number may have been lost */
    uint64_t malformed;  /* messages of the broadcast */
    uint64_t doubted;    /* answers of the bus that cannot be */
    uint64_t notices;    /* told, but those of the epoch */
    uint64_t told;       /* events that LOST notices told */
    uint64_t duplicates; /* events that came again and were dropped */
    uint64_t fetched;    /* events that came from the journal and not from the broadcast */
    uint64_t repairs;    /* how often it fell behind */
    uint64_t position;   /* each event of the pattern up to this offset is handed out or told */
    uint64_t head;       /* highest offset that the bus is known to have */
    uint64_t marks;      /* topics remembered */
    uint64_t holes;      /* NOTIFY: to be asked about */
} fob_sequencer_figures_t;
void fob_sequencer_figures(const fob_sequencer_t *self, fob_sequencer_figures_t *out);

/* Steps through what was lost by source and topic: *at starts at 0; false at the end. As many as
 * are remembered (FOB_GAPS_SETS * FOB_GAPS_WAYS); `lost` of the figures has all. The topic is good
 * until the next message comes. */
bool fob_sequencer_losses(const fob_sequencer_t *self, size_t *at, fob_gap_loss_t *out);

/* The epoch that its offsets are of; 0: none yet. The next HELLO, the first one too, names it, so
 * that `began` in WELCOME is the highest offset that is the same as in this one, however many
 * epochs lie between.
 */
uint64_t fob_sequencer_epoch(const fob_sequencer_t *self);
uint64_t fob_sequencer_lost(const fob_sequencer_t *self);
uint64_t fob_sequencer_pauses(const fob_sequencer_t *self);
uint64_t fob_sequencer_malformed(const fob_sequencer_t *self);
/* What keeps it from doing what its mode promises, in one sentence; "": nothing. */
const char *fob_sequencer_trouble(const fob_sequencer_t *self);

#endif
