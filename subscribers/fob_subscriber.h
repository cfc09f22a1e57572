/* fob_subscriber: a broadcast subscriber: every event of a pattern, from now on. In this version at
 * most once: what a slow subscriber or a broken connection loses is counted (fob_subscriber_lost).
 *
 * Every function may be called from any thread. */
#ifndef FOB_SUBSCRIBER_H
#define FOB_SUBSCRIBER_H

#include <fob/fob_event.h>
#include <fob/fob_status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fob_subscriber fob_subscriber_t;

typedef struct {
    unsigned version;           /* of this struct: 1 */
    const char *bus;            /* as for a publisher */
    const char *pattern;        /* required */
    int64_t connect_timeout_ms; /* for the subscription to be live; 0: 3 s; negative: without end */
    /* Events held for next at the most, then the newest are lost and counted; 0: 100000. */
    uint32_t queue;
} fob_subscriber_options_t;
#define FOB_SUBSCRIBER_OPTIONS                                                                     \
    { .version = 1 }

/* Returns once the subscription is live: an event published from now on arrives. NULL: *status (may
 * be NULL) says why: UNREACHABLE, BAD_PATTERN, INVALID, VERSION, DENIED, NO_MEMORY. */
FOB_EXPORT fob_subscriber_t *fob_subscriber_new(const fob_subscriber_options_t *options,
                                                fob_status_t *status);

/* The next event; the caller destroys it (fob_event_destroy). FOB_OK, AGAIN (none in time), CLOSED,
 * NO_MEMORY (nothing is lost, try again). A bus that is away is waited for. */
FOB_EXPORT fob_status_t fob_subscriber_next(fob_subscriber_t *self, fob_event_t **event,
                                            int64_t timeout_ms) FOB_MUST_USE;

/* Events known to have been lost so far; *pauses (may be NULL): how often the connection was away,
 * when an unknown number more may have passed. */
FOB_EXPORT uint64_t fob_subscriber_lost(fob_subscriber_t *self, uint64_t *pauses);

/* Messages so far that broke the protocol: dropped, where the events in them could not be told. A
 * fire-and-forget publisher that sends nonsense is the usual cause. */
FOB_EXPORT uint64_t fob_subscriber_malformed(fob_subscriber_t *self);

/* Readable (level-triggered) while next would not wait. */
FOB_EXPORT int fob_subscriber_fd(fob_subscriber_t *self);
FOB_EXPORT void fob_subscriber_trouble(fob_subscriber_t *self, char *text, size_t size);
/* Makes a waiting next return CLOSED. Safe from another thread. */
FOB_EXPORT void fob_subscriber_close(fob_subscriber_t *self);
FOB_EXPORT void fob_subscriber_destroy(fob_subscriber_t **self_p);

#ifdef __cplusplus
}
#endif
#endif
