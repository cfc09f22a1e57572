/* checker: one promise of the bus, watched from outside. It is told facts: what the application
 * did and was told, and what the journal made durable; it keeps its own account of them and shares
 * no code with what it checks but the readers of the formats. */
#ifndef FOB_TESTS_SIMULATION_CHECKER_H
#define FOB_TESTS_SIMULATION_CHECKER_H

#include "../sim_event.h"
#include "../sim_memory.h"
#include "bus/core/durable/record.h"
#include "proto/now.h"

#define SIM_SETTINGS 32

/* An event that is durable, by its offset. */
typedef struct {
    bool there;
    bool moved; /* this offset is the place of a copy, */
    bool hit;   /* its bytes on the disk were harmed: it may be lost, and must be called so */
    uint64_t moved_of; /* of the event there */
    uint32_t publisher;
    uint64_t serial, id_of;
    unsigned topic;
    uint8_t priority;
    size_t size;       /* of its encoding */
    int64_t time_ms;   /* when stored, by the journal */
    int64_t stored_ns; /* when it was durable */
    uint64_t position;
} sim_stored_t;

typedef struct {
    uint32_t id;
    bool gone;
    char name[32], pattern[32];
    uint64_t start;
    bool matches[SIM_TOPICS];
    uint64_t settings[SIM_SETTINGS]; /* by FOB_POLICY_..., as of the record that is read */
} sim_group_t;

/* What is durable, for all checkers. */
typedef struct {
    uint64_t seed;
    uint64_t dedup_max;      /* the bus remembers so many ids, */
    int64_t dedup_window_ms; /* for so long */
    sim_stored_t *events;    /* by offset */
    size_t head, room;
    uint64_t first; /* the lowest offset that the journal still has, when a page was sent last */
    sim_group_t *groups; /* in the order they were made */
    size_t group_count, group_room;
} sim_ground_t;

typedef enum {
    /* From the journal, when durable. */
    SIM_STORED,     /* offset */
    SIM_GROUP_MADE, /* group */
    SIM_GROUP_GONE, /* group */
    SIM_RUN,        /* group, run, time_ms: of the journal */
    SIM_RESET,      /* group, reset */
    SIM_SET,        /* group, setting, value */
    /* From the applications. */
    SIM_OFFERED, /* publisher, serial */
    SIM_RECEIPT, /* publisher, serial, status, offset, duplicate_of, groups */
    SIM_BEGUN,   /* worker, group, offset, token, attempt, bytes */
    SIM_ENDED,   /* worker, group, offset, token, settle, value: of a retry, ms to wait */
    SIM_DOWN,    /* worker: its connection is over, or it died */
    SIM_FROZE,   /* worker: it stood still */
    SIM_HEARD,   /* worker (a subscriber in mode LIVE), offset */
    SIM_MISSED,  /* worker (a subscriber), offset: value were lost before it, it is told of count */
    SIM_TOLD_LOST, /* group, offset, count, token: the bus told a worker so */
    SIM_BUSY,      /* worker (a connection), bytes: the group's name, group: NULL where it is not
                      durable yet, or gone, value: its depth, count: its limit; token: 0, or, where
                      these are bytes, 1. Of the ROW that was told last */
    SIM_DELIVERED, /* worker (a connection), group, offset, count, token, attempt: it is sent;
                      time_ms: by the bus's wall clock */
    SIM_SENT,      /* group, offset, bytes: an event of it */
    SIM_MOVED,     /* from the journal: offset is at the place `value` now */
    SIM_TRIMMED,   /* what lies below offset may go */
    SIM_READ,      /* worker (a connection): the bus reads what it sent */
    SIM_JOINING,   /* worker (a connection), group: value deliveries are allowed from here on;
                      bytes: its claims; position: what is decided before has no higher one; count:
                      the lease it wants, ms, or 0 */
    SIM_JOINED,    /* worker (a connection), group; bytes: the claims that are refused */
    SIM_CREDIT,    /* worker (a connection), group: value deliveries are allowed, in all */
    SIM_LEFT,      /* worker (a connection), group */
    SIM_ASKED,     /* worker (a connection), group, serial: a SETTLE; bytes: its rows */
    SIM_ANSWERED,  /* worker (a connection), group, serial: of the SETTLE; bytes: what is refused */
    SIM_PUBLISHED, /* worker (a connection): count events, from number serial on, are read of it;
                      bytes */
    SIM_ROW,       /* worker (a connection), status: the bus's answer to count of them, from
                      number serial on; duplicate_of: where they are duplicates */
    SIM_SUBSCRIBED, /* worker (a subscriber), status: its mode, count: from where, value; offset:
                       the bus's head then, token: its epoch; bytes: its pattern */
    SIM_HANDED,     /* worker (a subscriber, not LIVE), offset, time_ms, bytes */
    SIM_NOTICE,     /* worker (a subscriber), value: which kind, offset: the first, count: the last,
                       token: the epoch; bytes: a topic, or empty */
    SIM_POSITION,   /* worker (a subscriber, not LIVE): it says it has all up to offset */
    SIM_RESTS,      /* the same, at the end of the world */
    SIM_TROUBLE,    /* the bus cannot do its work well for count ns */
    /* Of the world. */
    SIM_BUS_UP,   /* it started; token: its epoch, value: what is the same as in the one before */
    SIM_BUS_DOWN, /* it fell */
    SIM_CALM,     /* no more faults from here on */
    SIM_BOOKS,    /* group, books: what the bus says of itself */
    SIM_END       /* all is quiet */
} sim_fact_kind_t;

typedef struct {
    uint64_t accepted, acked, dead, expired, shed, removed, ready, leased, delayed, bytes;
    uint64_t generation;
    bool at_rest; /* nothing is decided that is not durable */
} sim_books_t;

typedef struct {
    sim_fact_kind_t kind;
    int64_t now_ns;
    int64_t time_ms;
    const sim_group_t *group;
    uint32_t publisher, worker;
    uint64_t serial, offset, token, count;
    uint32_t attempt, groups;
    fob_status_t status;
    uint64_t duplicate_of;
    bool differs;
    fob_settle_kind_t settle;
    fob_slice_t bytes; /* the event as it was delivered */
    const fob_run_record_t *run;
    const fob_record_reset_t *reset;
    uint32_t setting;
    uint64_t value, position; /* RUN: of its commit */
    const sim_books_t *books;
    bool sure;  /* BEGUN: another worker handles the same event, and is sure of its lease; RUN, of
                   what comes back: a handler of it runs since long, and its worker is */
    bool taken; /* BEGUN: the bus took a lease of the event away a moment ago (it ran out, or an
                   operator reset its group), and the LOST is under way */
} sim_fact_t;

typedef struct sim_checker sim_checker_t;

typedef struct {
    const char *promise;
    size_t size; /* of its own memory, zeroed at the start */
    void (*fact)(sim_checker_t *self, const sim_fact_t *fact);
    void (*end)(sim_checker_t *self); /* frees; may be NULL */
} sim_checker_ops_t;

struct sim_checker {
    const sim_checker_ops_t *ops;
    const sim_ground_t *ground;
    void *own;
    uint64_t looked; /* how often something was held against the promise */
    void (*fail)(void *arg, const sim_checker_t *self, const char *text);
    void *arg;
};

/* Ends the run: the promise is broken. */
void sim_broken(const sim_checker_t *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Looks, and says so where it is not as promised. */
#define SIM_HOLD(self, condition, ...)                                                             \
    do {                                                                                           \
        (self)->looked++;                                                                          \
        if (!(condition))                                                                          \
            sim_broken(self, __VA_ARGS__);                                                         \
    } while (0)

extern const sim_checker_ops_t sim_check_confirmed, sim_check_places, sim_check_books,
    sim_check_holder, sim_check_order, sim_check_once, sim_check_depth, sim_check_cause,
    sim_check_bytes, sim_check_receipts, sim_check_drained, sim_check_heard, sim_check_attempts,
    sim_check_handout, sim_check_busy, sim_check_fate, sim_check_settled, sim_check_progress,
    sim_check_allowed, sim_check_isolated, sim_check_kept, sim_check_again, sim_check_shed_order,
    sim_check_lease, sim_check_age, sim_check_sequence;

#endif
