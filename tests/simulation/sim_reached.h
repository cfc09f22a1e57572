/* What befell the buses of a run: so that anyone sees what its worlds reach, and what they never
 * do. */
#ifndef FOB_TESTS_SIMULATION_REACHED_H
#define FOB_TESTS_SIMULATION_REACHED_H

#include "checkers/checker.h"

#define SIM_REACHED_WIDTH 64

typedef enum {
    SIM_REACHED_RECORD,     /* became durable; by FOB_RECORD_... */
    SIM_REACHED_RUN,        /* by verb and reason: see sim_reached_run */
    SIM_REACHED_RESET,      /* by FOB_RESET_... */
    SIM_REACHED_ANSWER,     /* the bus's to a publisher, rows by fob_status_t */
    SIM_REACHED_RECEIPT,    /* the application's, by fob_status_t */
    SIM_REACHED_BUSY,       /* by sim_busy_kind_t */
    SIM_REACHED_SUBSCRIBER, /* by sim_reached_subscriber_t */
    SIM_REACHED_MODE,       /* of a subscriber, */
    SIM_REACHED_FROM,       /* and where it begins */
    SIM_REACHED_NOTICE,     /* by fob_notice_kind_t */
    SIM_REACHED_CLASSES
} sim_reached_class_t;

typedef enum { SIM_BUSY_DEPTH, SIM_BUSY_BYTES, SIM_BUSY_BEHIND, SIM_BUSY_SESSIONS } sim_busy_kind_t;

typedef enum {
    SIM_SUBSCRIBER_CUT,     /* the subscription alone breaks */
    SIM_SUBSCRIBER_BEHIND,  /* it reads the journal again */
    SIM_SUBSCRIBER_DEAF,    /* and does not listen meanwhile */
    SIM_SUBSCRIBER_FETCHED, /* a page, */
    SIM_SUBSCRIBER_GONE,    /* and one with offsets that are gone */
    SIM_SUBSCRIBER_WHOLE,   /* the bus vouches for all, */
    SIM_SUBSCRIBER_FLOOR,   /* or not */
    SIM_SUBSCRIBER_PART     /* it is asked about a part of the topics */
} sim_reached_subscriber_t;

typedef struct {
    uint64_t of[SIM_REACHED_CLASSES][SIM_REACHED_WIDTH];
    uint64_t runs[16][16]; /* by verb and reason */
} sim_reached_t;

/* Counts what this fact tells. */
void sim_reached_fact(sim_reached_t *self, const sim_fact_t *fact);
static inline void sim_reached_note(sim_reached_t *self, sim_reached_class_t class, uint64_t what) {
    self->of[class][what % SIM_REACHED_WIDTH]++;
}
void sim_reached_add(sim_reached_t *self, const sim_reached_t *other);
/* Prints all that is counted by a name. */
void sim_reached_tell(const sim_reached_t *self);
/* Whether all was reached that so many worlds reach; what was not is said. */
bool sim_reached_enough(const sim_reached_t *self, uint64_t worlds);

#endif
