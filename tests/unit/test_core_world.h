/* core_world: what the model of a small world around the core knows, shared by those who act in it
 * (publishers, workers, operators) and the one that watches what is decided and what is shown. */
#ifndef FOB_TESTS_CORE_WORLD_H
#define FOB_TESTS_CORE_WORLD_H

#include "test_core_books.h"
#include "test_core_model.h"
#include "tests/support/case.h"

#define GROUPS      4
#define TOPICS      5
#define WORKERS     6
#define PUBLISHERS  3
#define EVENTS_MAX  BOOKS_EVENTS
#define HELD_MAX    4096
#define PENDING_MAX 64
#define OPERATOR    999 /* connection */

extern const char *const group_names[GROUPS];
extern const char *const group_patterns[GROUPS];
extern const char *const topic_names[TOPICS];

typedef struct {
    uint64_t offset, token;
} hold_t;

/* A SETTLE without its answer. */
typedef struct {
    uint64_t seq;
    unsigned kind;
    hold_t *holds;
    size_t count;
} pending_t;

typedef struct {
    uint64_t conn;    /* 0: not there */
    uint64_t session; /* its secret: the first connection's number */
    unsigned group;
    uint64_t credit, got, seq;
    hold_t held[HELD_MAX];
    size_t held_count;
    pending_t pending[PENDING_MAX];
    size_t pending_count;
    uint64_t jobs;
    hold_t overdue[HELD_MAX]; /* leases that ran out, of whose end it has not told: as decided */
    size_t overdue_count;
    size_t known; /* the first so many of them it was told of */
} worker_t;

typedef struct {
    uint64_t token;  /* of the last hand-out that was shown */
    uint64_t holder; /* connection that has it, as far as the world knows */
    bool handed_out; /* ever */
    bool first_out;  /* decided: it is out, and no record says so */
    bool settled;    /* answered for good: ack, reject; where nothing begins anew */
} fate_t;

typedef enum { NO_RECEIPT, STORED, REFUSED, DUPLICATE, FOUND } receipt_t;

typedef struct {
    uint64_t conn;
    uint64_t next;     /* number to give the next new event */
    uint64_t low;      /* all below have receipts */
    uint8_t *receipts; /* by number: receipt_t */
    uint8_t *kinds;    /* by number: 0 good, 1 bad topic */
    uint8_t *topic, *id, *priority;
    uint64_t *offsets;
    uint64_t resend;  /* go back to this number before anything new; 0: no */
    bool begins;      /* on this connection: first all without a receipt, in order */
    bool refused;     /* something was, for a time, on this connection */
    bool holes;       /* or before, and may not be stored yet */
    uint64_t *turned; /* by number: the connection on which it was refused for a time */
} publisher_t;

typedef struct {
    kit_t kit;
    books_t books;
    model_plan_t plan;
    uint64_t state; /* of the random numbers */
    worker_t workers[WORKERS];
    publisher_t publishers[PUBLISHERS];
    fate_t *fates[GROUPS];
    hold_t fresh[GROUPS][10];        /* by priority: the highest first hand-out since the start */
    uint64_t last_fresh[GROUPS][10]; /* by priority: the turn of the last one */
    uint64_t *accepted;              /* by offset: the turn that stored it */
    uint64_t turn, watched;          /* of the core, counted; the kit's number of it */
    uint64_t next_conn;
    uint64_t needs[128];
    size_t need_count;
    uint64_t step;
    uint64_t trimmed;               /* no page has anything below */
    uint64_t floor, floor_position; /* what lay below was needed no more by that commit */
} world_t;

extern world_t *world;

#define check(condition, ...)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("seed %llu, step %llu: ", (unsigned long long)world->plan.seed,                 \
                   (unsigned long long)world->step);                                               \
            printf(__VA_ARGS__);                                                                   \
            printf("\n");                                                                          \
            fail();                                                                                \
        }                                                                                          \
    } while (0)

/* A random number below. */
uint64_t chance(uint64_t below);

/* --- publishers --- */
void publisher_act(void);
/* Goes back to the first number without a receipt. */
void publisher_go_back(void);
/* On another connection. */
void publisher_reconnect(publisher_t *publisher);
/* Offers what has no receipt, once. False: all have theirs. */
bool publishers_finish(void);
/* A receipt that was decided; one that arrived. */
void publisher_watch(const kit_effect_t *effect);
void publisher_see(const kit_effect_t *effect);

/* --- workers --- */
void worker_act(void);
void worker_lose(worker_t *worker);
/* Comes back on a new connection with all it may still hold. */
void worker_rejoin(worker_t *worker);
/* Forgets it: nobody comes back. */
void worker_vanish(worker_t *worker);
/* Settles `count` of what it holds, from `from` on. */
void worker_settle(worker_t *worker, size_t from, size_t count, unsigned kind);

/* Tells of the end of the handlers of what it knows to be lost. */
void worker_tell_ended(worker_t *worker);

/* --- operators --- */
void operator_act(void);
/* Nothing is paused or bounded any more. */
void operator_open_all(void);
/* A group with random settings. */
void operator_add(unsigned group);

/* Whether a row of the answer refuses the lease, and why. */
bool model_refused(const kit_effect_t *effect, const hold_t *hold, uint64_t *code);
/* Told of each effect when it is decided. */
void model_watch(const kit_effect_t *effect);
/* What a full group dropped in this turn is what was to go first. */
void model_watch_shed(void);
/* Looks at what was shown since the last time, and at the books. */
void model_look(void);

#endif
