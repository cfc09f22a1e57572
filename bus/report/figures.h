/* figures: what `fob stats` shows, as msgpack maps with the names of its JSON. */
#ifndef FOB_REPORT_FIGURES_H
#define FOB_REPORT_FIGURES_H

#include "bus/guard/conduct.h"
#include "bus/ledger/ledger.h"

/* The bus's own; what is unknown is negative. */
typedef struct {
    const char *level;
    uint64_t epoch, shards, uptime_ms, journal_bytes;
    int64_t rss_bytes;
    uint64_t connections, publishers, subscribers, workers;
    uint64_t events_in, busy, malformed;
    uint64_t ids;                    /* remembered */
    int64_t dedup_span_ms;           /* how far back they reach */
    uint64_t dropped_broadcast;      /* events that the broadcast did not get, as it was behind */
    uint64_t ended[FOB_ENDED_COUNT]; /* connections, by why the bus ended them */
    uint64_t fetching, fetched, fetched_bytes; /* FETCHes that wait; answered; bytes of events */
    uint64_t dropped_unread; /* messages to clients that did not read, and were given up for it */
} fob_figures_t;

/* Appends the map {"bus": ..., "groups": [...]} that answers STATS. Check out->failed. */
void fob_figures_stats(fob_buf_t *out, const fob_figures_t *bus, fob_ledger_t *ledger,
                       fob_now_t now);

/* Appends the array of groups that answers GROUP_LIST; with a name only that group. Returns how
 * many. */
size_t fob_figures_groups(fob_buf_t *out, fob_ledger_t *ledger, fob_now_t now, fob_slice_t only);

/* Why a group does not move, or what it does; and how much of the journal is kept because of it,
 * where that is out of proportion to what it has. */
void fob_figures_why(const fob_group_stats_t *group, uint64_t pinned, char *out, size_t size);

#endif
