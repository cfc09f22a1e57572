/* core_world: what the model of a small world around the core knows, shared by its two halves: the
 * one that acts and the one that watches what is shown. */
#ifndef FOB_TESTS_CORE_WORLD_H
#define FOB_TESTS_CORE_WORLD_H

#include "test_core_books.h"
#include "test_core_model.h"
#include "tests/support/case.h"

#define GROUPS      4
#define WORKERS     6
#define PUBLISHERS  3
#define EVENTS_MAX  60000
#define HELD_MAX    4096
#define PENDING_MAX 64

extern const char *const group_names[GROUPS];
extern const char *const group_patterns[GROUPS];

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
} worker_t;

typedef struct {
    uint64_t token;  /* of the last hand-out that was shown */
    uint64_t holder; /* connection that has it, as far as the world knows */
    bool handed_out; /* ever */
    bool settled;    /* answered for good: ack, reject */
} fate_t;

typedef struct {
    uint64_t next;     /* number to give the next new event */
    uint64_t low;      /* all below have receipts */
    uint8_t *receipts; /* by number: 0 none, 1 stored, 2 refused for good */
    uint8_t *kinds;    /* by number: 0 good, 1 bad topic */
    uint8_t *topic;
    uint64_t *offsets;
    uint64_t resend; /* go back to this number; 0: no */
} publisher_t;

typedef struct {
    kit_t kit;
    books_t books;
    model_plan_t plan;
    uint64_t state; /* of the random numbers */
    worker_t workers[WORKERS];
    publisher_t publishers[PUBLISHERS];
    fate_t *fates[GROUPS];
    hold_t fresh[GROUPS]; /* the highest first hand-out since the last start */
    uint64_t next_conn;
    uint64_t needs[64];
    size_t need_count;
    uint64_t step;
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

/* Whether a row of the answer refuses the lease, and why. */
bool model_refused(const kit_effect_t *effect, const hold_t *hold, uint64_t *code);
/* Looks at what was shown since the last time, and at the books. */
void model_look(void);

#endif
