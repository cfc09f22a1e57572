/* board: what the processes of one `fob bench` share: the plan, how far they are, what each has
 * counted.
 *
 * The coordinator makes the board and forks a process for each client, before any of them uses the
 * library. Each client writes on its own slot only. All follow the phase, which the coordinator
 * sets. What a client counted is there also when it was killed. */
#ifndef FOB_BENCH_BOARD_H
#define FOB_BENCH_BOARD_H

#include "proto/cli/bench/histogram.h"
#include "proto/cli/bench/tally.h"
#include <fob/fob_status.h>

#define FOB_BENCH_CLIENTS 1024 /* processes at the most */

/* What is to be done. Set before the board is made, and never changed; its texts live as long. */
typedef struct {
    const char *bus;    /* as for a publisher */
    const char *prefix; /* of topics and groups: "bench.1f2e3d4c" */
    uint32_t run;       /* a random number, on each event */
    uint32_t publishers, subscribers;
    uint32_t groups, workers; /* workers of each group */
    uint32_t topics;          /* each publisher takes them in turn */
    uint32_t size;            /* bytes of data */
    uint32_t window;          /* of each publisher; 0: the library's default */
    uint32_t prefetch;        /* of each worker */
    uint64_t rate;            /* events/s of all publishers; 0: as fast as possible */
    uint64_t count;           /* events of all publishers; 0: until the time is up */
    int64_t duration_ms;      /* 0: until all are sent; one of the two is set */
    bool fire;                /* fire-and-forget */
    bool hold;                /* workers begin when everything is stored */
    int64_t connect_ms;       /* how long to try to reach the bus */
} fob_bench_plan_t;

typedef enum {
    FOB_BENCH_FORKED, /* nothing may be touched yet */
    FOB_BENCH_CONNECT,
    FOB_BENCH_RUN,   /* publish, receive; workers, unless they are held */
    FOB_BENCH_DRAIN, /* all is published: workers that were held begin */
    FOB_BENCH_END    /* say goodbye, and end */
} fob_bench_phase_t;

typedef enum {
    FOB_CLIENT_STARTING,
    FOB_CLIENT_READY, /* connected, subscribed, joined */
    FOB_CLIENT_DONE,  /* a publisher: all is sent, and answered */
    FOB_CLIENT_FAILED /* `status` and `text` say why */
} fob_client_state_t;

/* One client's. Who looks while it runs sees figures that are a moment old. */
typedef struct {
    _Alignas(64) _Atomic int state;
    _Atomic uint64_t sent;       /* a publisher's: handed to the library */
    _Atomic uint64_t settled;    /* of these: stored; with fire-and-forget: on their way */
    _Atomic uint64_t refused;    /* of these: not stored; `status` and `text` are the first's */
    _Atomic uint64_t received;   /* a subscriber's, a worker's: events that came, each once */
    _Atomic uint64_t again;      /* what came a further time */
    _Atomic uint64_t disordered; /* what came behind a later one of its publisher and topic */
    _Atomic uint64_t foreign;    /* what nobody of this run can have sent so */
    _Atomic uint64_t told;       /* a subscriber's: gaps and losses that it was told of */
    _Atomic int64_t last_ns;     /* when the last was settled, or received */
    _Atomic int64_t sent_ns;     /* a publisher's: when the last was sent */
    fob_histogram_t latency;     /* from when an event was due, to its receipt or its receiver */
    fob_histogram_t late; /* a publisher's, at a rate: from when it was due until it was sent */
    fob_status_t status;
    char text[400];
} fob_bench_slot_t;

typedef struct fob_board fob_board_t;

/* NULL: the system has no room for it; errno says why. */
fob_board_t *fob_board_new(const fob_bench_plan_t *plan);
/* Nulls; null-safe. A child need not. */
void fob_board_destroy(fob_board_t **self_p);

const fob_bench_plan_t *fob_board_plan(const fob_board_t *self);

/* The clients in their order: publishers, subscribers, the workers of the first group, ... */
uint32_t fob_board_clients(const fob_board_t *self);
fob_bench_slot_t *fob_board_slot(const fob_board_t *self, uint32_t client);

/* Numbers that a publisher may use, from 0: it ends there. */
uint64_t fob_board_capacity(const fob_board_t *self);
/* Who receives: the subscribers, then the groups. */
uint32_t fob_board_receivers(const fob_board_t *self);
/* What is known to be on its way, and what a receiver has had, of a publisher. */
fob_tally_t fob_board_sent(const fob_board_t *self, uint32_t source);
fob_tally_t fob_board_seen(const fob_board_t *self, uint32_t receiver, uint32_t source);

/* The coordinator's. RUN begins a little later, at fob_board_run_ns, for all publishers at once. */
void fob_board_set(fob_board_t *self, fob_bench_phase_t phase);
/* No more is sent: publishers wait for their receipts and are done. */
void fob_board_cut(fob_board_t *self);

fob_bench_phase_t fob_board_phase(const fob_board_t *self);
bool fob_board_is_cut(const fob_board_t *self);
int64_t fob_board_run_ns(const fob_board_t *self);   /* 0: not begun */
int64_t fob_board_drain_ns(const fob_board_t *self); /* 0: not begun */

/* Monotonic, in ns: the same clock in all processes of this machine. */
int64_t fob_board_clock(void);

#endif
