/* works: what is asked of every peer alike. */
#ifndef FOB_BENCH_WORKS_H
#define FOB_BENCH_WORKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a work asks for. A peer looks at it to see whether it can do that at all. */
typedef enum {
    WORK_FIRE,   /* a broadcast, at most once, to each who listens */
    WORK_STORED, /* a broadcast of what is on disk, confirmed after the sync; nothing may be lost */
    WORK_QUEUE,  /* each group gets each event once, its workers share, every event is acked */
    WORK_BACKLOG, /* the same, but stored first with nobody there, then drained */
    WORK_ONE,     /* each publisher waits for the confirm of one before it sends the next */
    WORK_FLOOR,   /* what the machine does without any bus */
    WORK_CEILING  /* what bare loops of libzmq do in the shape of the bus */
} work_kind_t;

/* What is measured. What a round did not measure is NAN. */
typedef enum {
    FIGURE_RATE,        /* events/s, each at all groups, from the first send to the last arrival */
    FIGURE_CONFIRMED,   /* events/s, from the first send to the last confirm */
    FIGURE_DRAINED,     /* events/s, from the first arrival to the last, of a backlog */
    FIGURE_P50,         /* us, from send to arrival */
    FIGURE_P99,         /* us */
    FIGURE_MOST,        /* us, the longest */
    FIGURE_CONFIRM_P50, /* us, from send to confirm */
    FIGURE_CONFIRM_P99, /* us */
    FIGURE_MEMORY,      /* MiB, by which the broker grew with the backlog */
    FIGURE_IDLE,        /* MiB that it held before */
    FIGURE_DISK,        /* bytes of disk a byte of payload */
    FIGURE_RESTART,     /* ms, from the start of the broker to the first delivery */
    FIGURE_LOST,        /* events, over all groups */
    FIGURE_TWICE,       /* events */
    FIGURE_DISORDERED,  /* events */
    FIGURE_CPU_BROKER,  /* us an event, of the broker */
    FIGURE_CPU_CLIENTS, /* us an event, of publishers and consumers */
    FIGURES
} figure_t;

typedef struct {
    const char *name, *unit;
    bool more; /* is better */
} figure_name_t;
extern const figure_name_t figure_names[FIGURES];

typedef struct {
    const char *name;  /* "fire-128-1-4" */
    const char *title; /* one line for a table */
    work_kind_t kind;
    uint32_t size;     /* bytes of an event, at least 24 */
    uint64_t events;   /* in one round, over all publishers */
    uint32_t rate;     /* events a second of all publishers together; 0: as fast as can be */
    bool sync;         /* confirmed when it is synced to disk */
    bool restart;      /* BACKLOG: the broker is ended with it, and started again */
    bool killed;       /* restart: by SIGKILL, else by SIGTERM */
    uint64_t backlog;  /* QUEUE: events that all groups got, and manned ones have done, before;
                          in a smaller round fewer, as of its events */
    uint32_t unmanned; /* of the groups, the last, have no workers */
    uint32_t batch;    /* CEILING: events in a frame */
    uint32_t groups;   /* a subscriber is a group of one */
    uint32_t workers;  /* in each group */
    uint32_t publishers;
    figure_t shown[5]; /* what its table shows, the first is what peers are compared by */
    unsigned shows;
} work_t;

#define WORK_PUBLISHERS 256 /* at most */
#define WORK_CONSUMERS  64  /* at most, of all groups */

/* What has to be true of fob: its figure of `work` is at least (where less is better: at most)
 * `factor` times that of `against` (NULL: of the best of the others); without a factor it is at
 * least (at most) `limit`. */
typedef struct {
    const char *work;
    figure_t figure;
    const char *against;
    double factor, limit;
    const char *other_work; /* the other's figure is of this one; NULL: of the same work */
    const char *sentence;   /* what it is of the issue */
} target_t;
/* Works of one file, in the order in which they are done, and what has to be true of them. */
typedef struct {
    const work_t *works;
    size_t works_count;
    const target_t *targets;
    size_t targets_count;
} work_list_t;
extern const work_list_t works_cast, works_queue, works_latency, works_floor;

/* Of all lists: the n-th, from 0; NULL: there are no more. */
const work_t *works_at(size_t n);
const target_t *targets_at(size_t n);
/* By its name; NULL: there is none. */
const work_t *works_find(const char *name);

#endif
