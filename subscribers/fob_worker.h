/* fob_worker: one member of a consumer group: takes events, settles each.
 *
 *     fob_worker_options_t options = FOB_WORKER_OPTIONS;
 *     options.group = "billing"; options.pattern = "order_placed";
 *     fob_worker_t *worker = fob_worker_new (&options);
 *     fob_event_t *event;
 *     while (fob_worker_next (worker, &event, -1) == FOB_OK)
 *         fob_worker_settle (worker, &event, handle (event) ? FOB_ACK : FOB_RETRY);
 *     fob_worker_destroy (&worker);
 *
 * Every function may be called from any thread, unless it says otherwise. Up to `jobs` events are
 * out with the application at once; the others wait in the prefetch. */
#ifndef FOB_WORKER_H
#define FOB_WORKER_H

#include <fob/fob_event.h>
#include <fob/fob_status.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fob_worker fob_worker_t;

#define FOB_PREFETCH_MAX 65536 /* events that a worker may hold at once */

typedef enum {
    FOB_ACK = 1,     /* done */
    FOB_RETRY = 2,   /* counts as an attempt; comes again after a back-off */
    FOB_RELEASE = 3, /* does not count; comes again after a short pause */
    FOB_REJECT = 4   /* a dead letter now */
} fob_settle_t;

typedef struct {
    unsigned version;    /* of this struct: 1 */
    const char *bus;     /* as for a publisher */
    const char *group;   /* required */
    const char *pattern; /* NULL: the group must exist */
    uint32_t jobs;     /* events handled at once; 0: 1; as prefetch FOB_PREFETCH_MAX at the most */
    uint32_t prefetch; /* events held at once; 0: 100; never less than jobs */
    uint64_t count;    /* take so many in all, then next returns CLOSED; 0: no end */
    int temporary;     /* a group that this makes goes with its last worker */
    /* Until the first contact: then next returns UNREACHABLE; 0: 3 s; negative: none. */
    int64_t connect_timeout_ms;
    const char *name; /* for people: in dead letters and lists; NULL: HOST-PID; up to 255 bytes */
    /* A handler may take so long, in ms, from when the event is among the first `jobs`; then the
     * bus gives it to another. 0: as the group says, else as long as the connection lives. */
    int64_t lease_ms;
    /* A group that this makes begins with this offset (1: with all that is kept), or with what was
     * stored at this time (Unix ms) or later; both 0: with what is stored from now on. Not with
     * `temporary`. */
    uint64_t from_offset;
    int64_t from_time_ms;
} fob_worker_options_t;
#define FOB_WORKER_OPTIONS                                                                         \
    { .version = 1 }

/* Starts connecting in the background. NULL: no memory, or options that are not valid (errno
 * EINVAL). */
FOB_EXPORT fob_worker_t *fob_worker_new(const fob_worker_options_t *options);

/* The next event to handle. timeout_ms: 0 does not wait, negative waits without end.
 * FOB_OK: *event is the caller's until settled. AGAIN: none yet (or `jobs` are out). CLOSED:
 * `count` is reached, or it is drained. Else the worker cannot go on: UNREACHABLE (first contact),
 * NO_GROUP, PATTERN_DIFFERS, BAD_PATTERN, VERSION, DENIED, LIMIT: see fob_worker_trouble.
 * NO_MEMORY: nothing is lost, try again. */
FOB_EXPORT fob_status_t fob_worker_next(fob_worker_t *self, fob_event_t **event,
                                        int64_t timeout_ms) FOB_MUST_USE;

/* The same for up to `most` (1 at least) events at once, which costs less: it waits for the first,
 * not for more, and gives no more than `jobs` less those that are out. FOB_OK: events[0 .. *count)
 * are the caller's, in the order that next would give them. Else *count is 0, and the status is as
 * next's. */
FOB_EXPORT fob_status_t fob_worker_next_many(fob_worker_t *self, fob_event_t **events, size_t most,
                                             size_t *count, int64_t timeout_ms) FOB_MUST_USE;

/* Settles an event that next gave; takes it and nulls it in every case. FOB_OK: on its way (the
 * bus's answer comes later); STALE: the lease was lost, it changes nothing (the bus hears that the
 * handler has ended: where a lease ran out, its job gets no event before that). */
FOB_EXPORT fob_status_t fob_worker_settle(fob_worker_t *self, fob_event_t **event,
                                          fob_settle_t how);

/* The same for many at once, which costs less: takes each and nulls it in every case; what is NULL
 * already is passed over. FOB_OK: all are on their way. Else the status of the first one that is
 * not; the others are settled nevertheless, and *settled (may be NULL) tells how many. */
FOB_EXPORT fob_status_t fob_worker_settle_many(fob_worker_t *self, fob_event_t **events,
                                               size_t count, fob_settle_t how, size_t *settled);

/* As settle with FOB_RETRY: it comes again after `after_ms` (0: after the group's back-off).
 * `reason` says why, in words that its dead letter keeps (NULL: none; up to 255 bytes are kept). */
FOB_EXPORT fob_status_t fob_worker_retry(fob_worker_t *self, fob_event_t **event, int64_t after_ms,
                                         const char *reason);
/* As settle with FOB_REJECT. */
FOB_EXPORT fob_status_t fob_worker_reject(fob_worker_t *self, fob_event_t **event,
                                          const char *reason);

/* Whether the lease of an event that is out still holds: 0 once it is lost, while there is no
 * connection, and while nothing that was sent within two heartbeats is known to have reached the
 * bus, which may be about to give the event to another: then a handler had better stop, or pause
 * until this is 1 again, as the bus has confirmed it. Cheap: a handler that runs long asks now and
 * then. */
FOB_EXPORT int fob_worker_holds(fob_worker_t *self, const fob_event_t *event);

/* Whether the lease of an event that is out is gone for good: the bus took it away (its time was
 * up, the group was reset), or gave the event to another while the connection was away. Then the
 * handler had better stop; settling it gives STALE. `why`, if not NULL, gets the bus's last words
 * on leases that it took away. A loop that polls is told: the descriptor is readable, until this or
 * holds or next is called, when an event that is out was lost. */
FOB_EXPORT int fob_worker_lost(fob_worker_t *self, const fob_event_t *event, char *why,
                               size_t size);

/* Waits until every settle was confirmed. FOB_OK; AGAIN: time is up. */
FOB_EXPORT fob_status_t fob_worker_flush(fob_worker_t *self, int64_t timeout_ms);

/* Takes no more: the prefetch is released, what is out may still be settled. next returns CLOSED
 * from now on. */
FOB_EXPORT void fob_worker_drain(fob_worker_t *self);

/* Readable (level-triggered) while next would not wait, and see fob_worker_lost. Owned by the
 * worker. */
FOB_EXPORT int fob_worker_fd(fob_worker_t *self);

/* Waits until the group was joined once. FOB_OK, or as next. *created (may be NULL): 1 if this made
 * the group. */
FOB_EXPORT fob_status_t fob_worker_wait_ready(fob_worker_t *self, int64_t timeout_ms, int *created);

/* How long a handler may take, in ms, as the bus said when the group was joined; 0: no bound. */
FOB_EXPORT int64_t fob_worker_lease_ms(fob_worker_t *self);

/* Settles that the bus refused (STALE, GONE, NOT_HELD), since the start. */
FOB_EXPORT uint64_t fob_worker_refused(fob_worker_t *self);
FOB_EXPORT void fob_worker_trouble(fob_worker_t *self, char *text, size_t size);

/* Drains, waits up to linger_ms for settles to be confirmed, says goodbye (what is unsettled goes
 * to others at once), frees. Events still out are freed too. Nulls; null-safe. */
FOB_EXPORT void fob_worker_destroy(fob_worker_t **self_p, int64_t linger_ms);

#ifdef __cplusplus
}
#endif
#endif
