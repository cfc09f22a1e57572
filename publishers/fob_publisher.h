/* fob_publisher: publishes events and gets a receipt for each.
 *
 *     fob_publisher_options_t options = FOB_PUBLISHER_OPTIONS;
 *     fob_publisher_t *publisher = fob_publisher_new (&options);
 *     fob_publisher_send (publisher, "order_placed", data, size, NULL);
 *     fob_publisher_flush (publisher, -1);
 *     fob_publisher_destroy (&publisher);
 *
 * Every function may be called from any thread, unless it says otherwise. Events of one topic enter
 * the journal in the order they were sent, also over reconnects and a restart of the bus. */
#ifndef FOB_PUBLISHER_H
#define FOB_PUBLISHER_H

#include <fob/fob_export.h>
#include <fob/fob_status.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fob_publisher fob_publisher_t;

/* What became of one event. Pointers are good during the callback only.
 *
 * OK: it is stored. UNKNOWN_OUTCOME: it may or may not have been stored: it was sent, and no answer
 * came before its deadline, before the publisher was closed, or before the bus forgot the session.
 * Send it again under the same id where storing it twice matters.
 * All else: it is not stored. Where its deadline passed before it was sent, or after the bus had
 * refused it for now: UNREACHABLE (no bus), VERSION, DENIED, BUSY, DISK_FULL, or DEADLINE (there
 * was no turn for it). Refused for good: BAD_TOPIC, BAD_EVENT, TOO_LARGE. CLOSED: never sent.
 * A number without a name: a later version's bus refused it for good, the text says so. */
typedef struct {
    fob_status_t status;
    const char *text; /* one sentence where status is not OK, else NULL */
    const char *topic;
    const char *id;    /* as sent, or NULL */
    const char *level; /* "memory" "os" "disk" "replicated"; "none" for fire-and-forget */
    uint64_t number;   /* as returned by send */
    uint32_t shard;
    uint64_t offset;       /* 0: not stored */
    uint64_t duplicate_of; /* 0, or the first offset of the same (topic, id) */
    uint32_t groups;       /* how many groups it entered */
    void *tag;             /* the event's own, from its options */
    int differs;           /* 1: a duplicate whose data or content type is not that of the first */
} fob_receipt_t;

typedef void(fob_receipt_fn)(void *arg, const fob_receipt_t *receipt);

typedef struct {
    unsigned version; /* of this struct: 1 */
    const char *bus;  /* endpoints, comma between; NULL: $FOB_BUS, else tcp://127.0.0.1:7670 */
    /* Events without receipt at the most; 0: 1024; up to 16384. Events of topics that the bus is
     * busy for count apart, in three windows of their own, so that they do not stop the others. */
    uint32_t window;
    int64_t deadline_ms;        /* per event, from send; 0: 30 s; negative: none */
    int64_t connect_timeout_ms; /* until the first contact: then waiting events fail UNREACHABLE; 0:
                                   3 s; negative: none */
    /* Runs inside fob_publisher_dispatch and fob_publisher_flush, and inside a fob_publisher_send
     * that finds four windows of receipts waiting: so these are bounded, and a program that only
     * sends and flushes is never stuck. On the caller's thread, and on one thread at a time, so
     * hold no lock over these calls that it takes. It may send. NULL: nobody asks. */
    fob_receipt_fn *on_receipt;
    void *on_receipt_arg;
    /* 1: after the first event that is not stored none after it is sent: those end with CLOSED,
     * those under way with UNKNOWN_OUTCOME, and no more are taken. Events are refused topic by
     * topic, so with one topic every event before the failed one is stored and none behind it (but
     * for one of UNKNOWN_OUTCOME, which may be). With several topics this holds within the failed
     * one's; of the others some that were sent later may be stored, and some that were sent earlier
     * may wait, and end as these do. */
    int stop_on_failure;
} fob_publisher_options_t;
#define FOB_PUBLISHER_OPTIONS                                                                      \
    { .version = 1 }

/* Attributes of one event; NULL and 0 mean absent. */
typedef struct {
    unsigned version; /* of this struct: 1 */
    const char *id, *key, *content_type, *source, *traceparent;
    const char *const *headers; /* name, value, name, value, NULL */
    int64_t deadline_ms;        /* 0: the publisher's */
    int fire;                   /* 1: fire-and-forget (no receipt from the bus, at most once) */
    void *tag;                  /* comes back in the receipt */
    int priority;               /* 0 to 9, strict: a group hands the highest out first */
} fob_publish_options_t;
#define FOB_PUBLISH_OPTIONS                                                                        \
    { .version = 1 }

/* Starts connecting in the background. Copies all it is given. NULL: no memory, or the endpoint is
 * not valid (errno is EINVAL then). Never blocks. */
FOB_EXPORT fob_publisher_t *fob_publisher_new(const fob_publisher_options_t *options);

/* Offers one event; the data is copied and opaque. `options` may be NULL. Where the window is full
 * it waits for room, until the event's deadline; it may run on_receipt. FOB_OK: taken; its receipt
 * will come. Anything else: not taken, no receipt: BAD_TOPIC, TOO_LARGE, INVALID (an attribute),
 * NO_MEMORY, CLOSED; BUSY, UNREACHABLE: no room came before the deadline. `number`, if not NULL,
 * gets the event's number in this session (0 for fire-and-forget). */
FOB_EXPORT fob_status_t fob_publisher_send(fob_publisher_t *self, const char *topic,
                                           const void *data, size_t size,
                                           const fob_publish_options_t *options,
                                           uint64_t *number) FOB_MUST_USE;

/* The same, never waiting and never running on_receipt: AGAIN where the window is full, or where
 * four windows of receipts wait for fob_publisher_dispatch (its descriptor is readable then). */
FOB_EXPORT fob_status_t fob_publisher_try_send(fob_publisher_t *self, const char *topic,
                                               const void *data, size_t size,
                                               const fob_publish_options_t *options,
                                               uint64_t *number) FOB_MUST_USE;

/* One of many events: the arguments of fob_publisher_send. (It stays as it is in later versions:
 * what is new goes into the options.) */
typedef struct {
    const char *topic;
    const void *data;
    size_t size;
    const fob_publish_options_t *options; /* NULL: none */
} fob_publish_t;

/* Offers `count` events, in this order, as so many calls of fob_publisher_send would (each is
 * copied, gets its own number and receipt, and its deadline counts from when its turn comes), and
 * costs less than these. FOB_OK: all are taken. Else the status of the first one that was not
 * taken, as fob_publisher_send says; the `*taken` events before it were, and none behind it.
 * `taken` may be NULL. Events that other threads send meanwhile may come between. */
FOB_EXPORT fob_status_t fob_publisher_send_many(fob_publisher_t *self, const fob_publish_t *events,
                                                size_t count, size_t *taken) FOB_MUST_USE;

/* The same, as so many calls of fob_publisher_try_send: never waiting and never running on_receipt.
 * AGAIN: there was room for `*taken` of them. */
FOB_EXPORT fob_status_t fob_publisher_try_send_many(fob_publisher_t *self,
                                                    const fob_publish_t *events, size_t count,
                                                    size_t *taken) FOB_MUST_USE;

/* Waits until every event sent so far has its receipt, running on_receipt for each that comes.
 * timeout_ms < 0: without end (deadlines still end every event). FOB_OK: all stored; AGAIN: time is
 * up; else the first failure's status. */
FOB_EXPORT fob_status_t fob_publisher_flush(fob_publisher_t *self, int64_t timeout_ms);

/* Runs on_receipt for the receipts that came; waits up to timeout_ms for one. Returns how many. */
FOB_EXPORT size_t fob_publisher_dispatch(fob_publisher_t *self, int64_t timeout_ms);

/* Readable (level-triggered) while receipts wait for dispatch. Owned by the publisher. */
FOB_EXPORT int fob_publisher_fd(fob_publisher_t *self);

/* Waits until the bus was reached once. FOB_OK; UNREACHABLE; VERSION; DENIED. */
FOB_EXPORT fob_status_t fob_publisher_wait_ready(fob_publisher_t *self, int64_t timeout_ms);

/* Bytes of data that one event may have, as the bus last said; 0: not reached yet. */
FOB_EXPORT uint64_t fob_publisher_max_event(fob_publisher_t *self);

/* The last trouble in words ("tcp://...: no connection: ..."), or "". Copied into `text`. */
FOB_EXPORT void fob_publisher_trouble(fob_publisher_t *self, char *text, size_t size);

/* Waits for what is unconfirmed (each until its deadline), then closes; events without receipt get
 * one: UNKNOWN_OUTCOME where they were sent, else CLOSED. Nulls; null-safe. Not from a callback. */
FOB_EXPORT void fob_publisher_destroy(fob_publisher_t **self_p);

#ifdef __cplusplus
}
#endif
#endif
