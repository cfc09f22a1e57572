/* fob_subscriber: a broadcast subscriber: every event of a pattern, beginning where it is told to.
 *
 *     fob_subscriber_options_t options = FOB_SUBSCRIBER_OPTIONS;
 *     options.pattern = "order.>"; options.from = FOB_FROM_EARLIEST;
 *     fob_subscriber_t *subscriber = fob_subscriber_new (&options, NULL);
 *     fob_event_t *event;
 *     fob_gap_t gap;
 *     fob_status_t status;
 *     while ((status = fob_subscriber_next (subscriber, &event, -1)) != FOB_CLOSED)
 *         if (status == FOB_OK)
 *             handle (event), fob_event_destroy (&event);
 *         else if (status == FOB_GAP && fob_subscriber_gap (subscriber, &gap))
 *             say (gap.first, gap.last);
 *     fob_subscriber_destroy (&subscriber);
 *
 * What a slow reader or a broken connection did not get is read again from the bus's journal. What
 * cannot be had any more is told (FOB_GAP). Fire-and-forget events are in no journal: those that
 * are lost are counted (fob_subscriber_lost). While it is far behind and reads the journal it may
 * not listen at all, so that it costs the bus little: it gets none of these then.
 *
 * Every function may be called from any thread. */
#ifndef FOB_SUBSCRIBER_H
#define FOB_SUBSCRIBER_H

#include <fob/fob_event.h>
#include <fob/fob_status.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fob_subscriber fob_subscriber_t;

typedef enum {
    /* Each event once, those of a topic in order. (Of several topics one that was missed on the way
     * may come behind newer events of others.) A reader that is slow falls behind, loses nothing
     * and catches up: then it is read from the journal. */
    FOB_SUBSCRIBER_RELIABLE = 0,
    /* What comes over the broadcast at once; what does not is told, with exact offsets. */
    FOB_SUBSCRIBER_NOTIFY = 1,
    /* What comes over the broadcast; what does not is counted. Only with FOB_FROM_LATEST. */
    FOB_SUBSCRIBER_LIVE = 2
} fob_subscriber_mode_t;

typedef enum {
    FOB_FROM_LATEST = 0,   /* what is stored from now on */
    FOB_FROM_EARLIEST = 1, /* all that is kept */
    /* Each topic's last event, then what is stored from now on. (Where the bus numbers anew while
     * these are read, which a GAP tells, some may come again.) */
    FOB_FROM_LAST = 2,
    /* The event at offset `from_value`, at least 1, and all after it. Offsets are of an epoch, so
     * who goes on where he ended gives both back: one more than the last event's offset, and
     * `from_epoch`, its fob_event_epoch. Where the bus numbers anew since, he is told by a GAP
     * (FOB_GAP_EPOCH) and reads on from where the two histories part, or, where the bus cannot say
     * where, from the oldest that it has. Without the epoch nobody can tell: what is at that offset
     * now is handed out, or waited for (fob_subscriber_behind tells the head). */
    FOB_FROM_OFFSET = 3,
    /* What was stored at `from_value`, Unix ms, or later; a time that is still to come is now. */
    FOB_FROM_TIME = 4
} fob_from_t;

typedef struct {
    unsigned version;           /* of this struct: 3; a program made for 1 is never told FOB_GAP */
    const char *bus;            /* as for a publisher */
    const char *pattern;        /* required */
    int64_t connect_timeout_ms; /* for the subscription to be live; 0: 3 s; negative: without end */
    /* Events held for next at the most; 0: 100000. When it is full, RELIABLE falls behind; the
     * others lose the newest, which NOTIFY tells and LIVE counts. */
    uint32_t queue;
    /* Since version 2. */
    fob_subscriber_mode_t mode;
    fob_from_t from;
    uint64_t from_value;
    uint64_t queue_bytes; /* of these events at the most, one may be over it; 0: 256 MiB */
    /* Since version 3. */
    uint64_t from_epoch; /* OFFSET: the epoch that it is of; 0: not known */
    /* NULL, or where new writes what fob_subscriber_trouble and fob_subscriber_blocked would say,
     * of `text_size` bytes each, where it gives up; else "". */
    char *trouble, *blocked;
    size_t text_size;
} fob_subscriber_options_t;
#define FOB_SUBSCRIBER_OPTIONS                                                                     \
    { .version = 3 }

typedef enum {
    FOB_GAP_RETENTION = 1, /* no longer kept */
    FOB_GAP_EPOCH = 2,     /* the bus has lost what it had stored there, and numbers anew */
    FOB_GAP_LOST = 3,      /* NOTIFY: they were not handed out, and are not going to be */
    FOB_GAP_DAMAGED = 4    /* the journal cannot be read there */
} fob_gap_reason_t;

/* What the subscriber lacks.
 * RETENTION, DAMAGED: nothing at the offsets `first` to `last` can be had that was not handed out
 * before; which of them were of the pattern is not known any more.
 * LOST: exactly the events `first` to `last`, each of them of the pattern.
 * EPOCH: `epoch` is the new one. What is stored in it begins at `first`; what was handed out before
 * at `first` to `last` (none where last < first) is not known to the bus any more. (With
 * `from_epoch`: handed out to whoever had it before.) */
typedef struct {
    fob_gap_reason_t reason;
    uint32_t shard;
    uint64_t epoch, first, last;
    char topic[256]; /* "": not of one topic */
} fob_gap_t;

/* Returns once the subscription is live: an event published from now on arrives. NULL: *status (may
 * be NULL) says why: UNREACHABLE (the bus, or only its broadcast: then options->blocked says so),
 * BAD_PATTERN, INVALID (options that are not valid), VERSION, DENIED, NO_MEMORY. */
FOB_EXPORT fob_subscriber_t *fob_subscriber_new(const fob_subscriber_options_t *options,
                                                fob_status_t *status);

/* The next event; the caller destroys it (fob_event_destroy). FOB_OK; GAP: here something is
 * missing, ask fob_subscriber_gap, then go on; AGAIN (none in time), CLOSED, NO_MEMORY (nothing is
 * lost, try again). A bus that is away is waited for. */
FOB_EXPORT fob_status_t fob_subscriber_next(fob_subscriber_t *self, fob_event_t **event,
                                            int64_t timeout_ms) FOB_MUST_USE;

/* The same for up to `most` (1 at least) events at once, which costs less: it waits for the first,
 * not for more. FOB_OK: events[0 .. *count) are the caller's, in order, with nothing missing
 * between them: a GAP comes by itself, from the next call. Else *count is 0. */
FOB_EXPORT fob_status_t fob_subscriber_next_many(fob_subscriber_t *self, fob_event_t **events,
                                                 size_t most, size_t *count,
                                                 int64_t timeout_ms) FOB_MUST_USE;

/* What the last GAP of next told of, before next is called again (by any thread). Returns 0 where
 * there was none. */
FOB_EXPORT int fob_subscriber_gap(fob_subscriber_t *self, fob_gap_t *out);

/* Events known to have been lost so far without a GAP: fire-and-forget ones, and in mode LIVE all;
 * *pauses (may be NULL): how often an unknown number more may have passed: in mode LIVE whenever
 * the connection was away; for a program of version 1 each GAP. */
FOB_EXPORT uint64_t fob_subscriber_lost(fob_subscriber_t *self, uint64_t *pauses);

/* Fire-and-forget events that were lost, in mode LIVE stored ones too, by publisher and topic. */
typedef struct {
    uint64_t source; /* a number of the publisher's own; of stored events the bus's */
    uint64_t lost;
    char topic[256];
} fob_subscriber_loss_t;
/* Steps through those that are remembered, the recent ones of some thousands: *at starts at 0.
 * Returns 0 at the end. */
FOB_EXPORT int fob_subscriber_loss(fob_subscriber_t *self, size_t *at, fob_subscriber_loss_t *out);

/* Whether it reads the journal, as it does not have all that is stored: 1 until it takes from the
 * broadcast again. *position (may be NULL): every event up to this offset was handed to next's
 * queue or told, or, while LAST looks for each topic's last event, looked at; *head (may be NULL):
 * the highest that the bus is known to have. Both are 0 in mode LIVE. */
FOB_EXPORT int fob_subscriber_behind(fob_subscriber_t *self, uint64_t *position, uint64_t *head);

/* Why it cannot do what its mode promises, in one sentence: the bus is of an older version, say;
 * "": it can. */
FOB_EXPORT void fob_subscriber_degraded(fob_subscriber_t *self, char *text, size_t size);

/* Messages so far that broke the protocol: dropped, where the events in them could not be told. A
 * fire-and-forget publisher that sends nonsense is the usual cause. */
FOB_EXPORT uint64_t fob_subscriber_malformed(fob_subscriber_t *self);

/* Readable (level-triggered) while next would not wait. */
FOB_EXPORT int fob_subscriber_fd(fob_subscriber_t *self);
/* Why the bus is away, in words; "": it is there. */
FOB_EXPORT void fob_subscriber_trouble(fob_subscriber_t *self, char *text, size_t size);
/* What keeps the broadcast away though the bus is there, in one sentence: its port is blocked, say;
 * "": nothing does. Stored events are read from the journal meanwhile, a beat later, in mode NOTIFY
 * they are told; fire-and-forget ones, and in mode LIVE all, are lost. */
FOB_EXPORT void fob_subscriber_blocked(fob_subscriber_t *self, char *text, size_t size);
/* Makes a waiting next return CLOSED. Safe from another thread. */
FOB_EXPORT void fob_subscriber_close(fob_subscriber_t *self);
FOB_EXPORT void fob_subscriber_destroy(fob_subscriber_t **self_p);

#ifdef __cplusplus
}
#endif
#endif
