/* news: what a command that listens tells on standard error, once each: what it lacks, that it
 * reads the journal and that it is live again, that the bus has gone. With --quiet it tells what is
 * lost, or may be, and nothing else. Main thread. */
#ifndef FOB_NEWS_H
#define FOB_NEWS_H

#include "proto/cli/watch.h"
#include <fob/fob_subscriber.h>

/* Zero it, then set the first part. */
typedef struct {
    const fob_cli_t *cli;
    fob_subscriber_mode_t mode;
    bool far; /* say when it is far behind, also without --verbose */

    fob_subscriber_t *subscriber;
    fob_watch_t watch;
    uint64_t lost, pauses, malformed;
    char degraded[300];
    bool blocked;   /* the broadcast is kept away */
    fob_gap_t held; /* not told yet, as the next may go on where it ends; reason 0: none */
    long long held_at, due_at; /* monotonic ms: held since; to be told */
    long long behind_since;    /* monotonic ms; 0: it is not behind */
    long long look_at;         /* not before */
    bool told_behind;
    bool caught_up; /* it was live: what was stored before it began is shown */
} fob_news_t;

/* It is subscribed. `history`: it begins with what was stored before. */
void fob_news_begin(fob_news_t *self, fob_subscriber_t *subscriber, bool history);
/* It begins with that offset: says so where the bus is far from there. */
void fob_news_place(const fob_news_t *self, uint64_t from);
/* Asks the subscriber what there is to tell. Often, and at least each fob_news_wait ms. */
void fob_news_look(fob_news_t *self);
int fob_news_wait(const fob_news_t *self);
/* The subscriber's next said GAP. Where gaps lie one behind the other, as pages of the journal do,
 * they are told as one, within a second. */
void fob_news_gap(fob_news_t *self);
/* Events that came behind that are about to be written. */
void fob_news_events(fob_news_t *self);
/* The last of it, with --verbose: what was lost of which publisher. */
void fob_news_end(fob_news_t *self);

#endif
