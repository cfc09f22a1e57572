/* sequencer, the inside: shared by sequencer.c (its life, what the bus says of itself),
 * sequencer_heard.c (the broadcast), sequencer_fetch.c (the journal) and sequencer_whole.c (whether
 * all is there). */
#ifndef FOB_SEQUENCER_INSIDE_H
#define FOB_SEQUENCER_INSIDE_H

#include "subscribers/sequence/holes.h"
#include "subscribers/sequence/marks.h"
#include "subscribers/sequence/newest.h"
#include "subscribers/sequence/recent.h"
#include "subscribers/sequence/sequencer.h"

/* What the journal is read for first. */
typedef enum {
    STORY_NONE,
    STORY_HISTORY, /* what lies before the live stream: handed out in mode NOTIFY too */
    STORY_LAST,    /* each topic's last event up to last_upto */
    STORY_TIME     /* where a time begins: nothing is known before the first answer */
} fob_story_t;

/* A request under way. */
typedef struct {
    bool under_way;
    bool vain; /* its answer means nothing any more */
    uint64_t req, from, upto;
} fob_request_t;

/* What is to be done about one message of the broadcast. */
typedef enum {
    FOB_HEARD_TAKEN,
    FOB_HEARD_OLD,   /* had already */
    FOB_HEARD_HOLE,  /* something is missing before it */
    FOB_HEARD_FULL,  /* (the rest of) it has no room */
    FOB_HEARD_UNKEPT /* it cannot be remembered that it was taken: nothing was done */
} fob_heard_fate_t;

struct fob_sequencer {
    uint8_t name[FOB_TOPIC_MAX];
    fob_slice_t pattern; /* points to the name */
    bool literal;
    fob_sequencer_mode_t mode;
    bool blind; /* the bus cannot be asked: all is as in mode LIVE */
    fob_sequencer_from_t start;
    uint64_t start_value;
    uint64_t queue, bytes; /* at the most */
    int64_t now;           /* of the last round or input, mono_ns */
    uint64_t elsewhere;    /* as of the last round */
    const char *trouble;
    char said[256]; /* a trouble in the bus's words */

    /* Of the bus. */
    bool connected, ever_up;
    uint32_t shard;
    uint64_t epoch, head;

    /* What is had: each event of a topic up to its mark, or up to its part's base; and in
     * any case up to `done`. */
    uint64_t done;
    /* Nor is an offset missing among these, as they came one behind the other. Where `done` comes
     * up to them (each offset is of the pattern, as with `>`), nothing needs to be asked or marked.
     */
    uint64_t dense_first, dense_last;
    fob_marks_t marks;
    uint64_t seen; /* none above it was handed out, or is asked about */
    fob_sequencer_state_t state;
    fob_inbox_t inbox;
    fob_gaps_t *gaps;
    fob_recent_t recent;
    fob_notice_t untold; /* of a new epoch, while there is no memory for it; kind NONE: none */

    /* The journal. */
    fob_story_t story;
    uint64_t first_heard; /* where the live stream began; 0: nothing came yet */
    uint64_t last_upto;   /* STORY_LAST */
    uint64_t floor;       /* STORY_LAST: up to it the bus does not know which is a topic's last; */
    fob_newest_t newest;  /* held until all is told */
    bool quiet;           /* what is gone at the beginning is not told */
    bool caught;          /* it was read as far as is needed: `recent` is next */
    bool stalled;         /* until readers have made room */
    bool deaf;            /* the broadcast is of no use; */
    uint64_t far;         /* from so many offsets behind the head on */
    fob_holes_t holes;    /* NOTIFY */
    fob_request_t fetch;
    bool fetch_dry, fetch_hole; /* only runs; of the first hole */
    int64_t fetch_at;           /* not before */
    unsigned strange;           /* answers of another epoch, since the last of ours */
    uint64_t req;               /* the last one given to a request */

    /* Whether all is there. */
    fob_request_t whole;
    bool whole_due;
    int64_t whole_at; /* not before */
    /* Asked in parts, one after the other, all up to the same offset; parts 0: no round of it. */
    uint64_t part, parts, parts_upto;
    uint64_t parts_next; /* in so many next time, as the bus advises; 0: as 1 */
    fob_blob_t *rows;    /* an answer that is looked at again at rows_at; NULL: none */
    int64_t rows_at;     /* mono_ns */
    uint64_t rows_upto, rows_heard;
    unsigned rows_looks;
    uint64_t arrived, heard; /* highest offset that the broadcast brought; messages */
    uint32_t marks_after;    /* so many were left by the last sweep */

    uint64_t lost, pauses, malformed, doubted, notices, told, duplicates, fetched, repairs;
};

/* --- sequencer.c --- */

static inline bool fob_sequencer_chained(const fob_sequencer_t *self) {
    return self->mode != FOB_SEQUENCER_LIVE && !self->blind;
}
/* How many events the queue has room for. */
uint64_t fob_sequencer_room(const fob_sequencer_t *self, uint64_t elsewhere);
/* Each topic is had up to here. */
uint64_t fob_sequencer_low(const fob_sequencer_t *self);
/* Half of the queue is free. */
bool fob_sequencer_half_free(const fob_sequencer_t *self, uint64_t elsewhere);
/* The bus answers what cannot be: says so, `how`, and asks again after a pause. */
void fob_sequencer_doubt(fob_sequencer_t *self, const char *how);
/* Queues a notice about [first, last], of one topic or (empty) none. False: no memory. */
bool fob_sequencer_tell(fob_sequencer_t *self, fob_notice_kind_t kind, uint64_t first,
                        uint64_t last, fob_slice_t topic);

/* --- sequencer_heard.c --- */

/* Up to where the topic is had; *mark gets its mark, NULL: none. */
uint64_t fob_sequencer_had(fob_sequencer_t *self, fob_slice_t topic, fob_topic_mark_t **mark);
/* Takes a message if its turn has come. */
fob_heard_fate_t fob_sequencer_offer(fob_sequencer_t *self, const fob_heard_t *heard,
                                     uint64_t elsewhere);
/* From now on the journal is read. `caught`: what is in `recent` may do. */
void fob_sequencer_fall_behind(fob_sequencer_t *self, bool caught);
/* The live stream is joined once all before its first message is had. */
void fob_sequencer_join(fob_sequencer_t *self);
/* Each topic is had up to `done`; what is known beyond it stays. */
void fob_sequencer_settle_done(fob_sequencer_t *self);
/* Where each topic is had up to the run of offsets that came last, `done` moves to its end. Looks
 * at each mark. */
void fob_sequencer_settle_dense(fob_sequencer_t *self);

/* --- sequencer_fetch.c --- */

/* BEHIND, and there is room: takes up the live stream, or sees that a FETCH is needed. */
void fob_sequencer_go_on(fob_sequencer_t *self);
bool fob_sequencer_wants_fetch(const fob_sequencer_t *self);
void fob_sequencer_write_fetch(fob_sequencer_t *self, fob_wire_t *out);
void fob_sequencer_fetched(fob_sequencer_t *self, const fob_wire_t *msg, fob_blob_t *body);

/* --- sequencer_whole.c --- */

bool fob_sequencer_wants_whole(const fob_sequencer_t *self);
void fob_sequencer_write_whole(fob_sequencer_t *self, fob_wire_t *out);
void fob_sequencer_wholeness(fob_sequencer_t *self, const fob_wire_t *msg, fob_blob_t *body);
/* Looks at the rows again, when it is time, and goes on to the next part. */
void fob_sequencer_reckon(fob_sequencer_t *self);
/* In how many parts is asked, now or next. */
static inline uint64_t fob_sequencer_parts(const fob_sequencer_t *self) {
    uint64_t most = self->parts > self->parts_next ? self->parts : self->parts_next;
    return most ? most : 1;
}
/* Ends what is asked about wholeness; the next beat asks anew. */
void fob_sequencer_end_whole(fob_sequencer_t *self);

#endif
