/* news: what a command that listens tells on standard error, once each: what it lacks, that it
 * reads the journal and that it is live again, that the bus has gone. Main thread. */
#ifndef FOB_NEWS_H
#define FOB_NEWS_H

#include "proto/cli/watch.h"
#include <fob/fob_subscriber.h>

/* Zero it, then set the first part. */
typedef struct {
    const fob_cli_t *cli;
    bool live; /* mode live: losses are of stored events too */
    bool far;  /* say when it is far behind, also without --verbose */

    fob_subscriber_t *subscriber;
    bool history; /* it was asked for what was stored before */
    fob_watch_t watch;
    uint64_t lost, pauses, malformed;
    char degraded[300];
    long long behind_since; /* monotonic ms; 0: it is not behind */
    long long look_at;      /* not before */
    bool told_behind;
} fob_news_t;

/* It is subscribed. `history`: it begins with what was stored before. */
void fob_news_begin(fob_news_t *self, fob_subscriber_t *subscriber, bool history);
/* It begins with that offset: says so where the bus is far from there. */
void fob_news_place(const fob_news_t *self, uint64_t from);
/* Asks the subscriber what there is to tell. Often, and at least each FOB_WATCH_MS. */
void fob_news_look(fob_news_t *self);
/* The subscriber's next said GAP. */
void fob_news_gap(const fob_news_t *self);
/* The last of it, with --verbose: what was lost of which publisher. */
void fob_news_end(fob_news_t *self);

#endif
