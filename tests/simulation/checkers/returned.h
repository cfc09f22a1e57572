/* The events of each group that came back and wait to go out again, by what is on record. */
#ifndef FOB_TESTS_SIMULATION_RETURNED_H
#define FOB_TESTS_SIMULATION_RETURNED_H

#include "table.h"

typedef struct {
    uint64_t offset;
    int64_t ready_ns; /* ready for sure since then; 0: as soon as that was on record */
} sim_returned_one_t;

typedef struct {
    sim_returned_one_t *all; /* in any order */
    size_t count, room;
} sim_returned_group_t;

typedef struct {
    sim_table_t groups, places; /* size_t: one more than its place in `all`; 0: it is not there */
    int64_t quiet_ns;           /* when the bus could do its work again */
} sim_returned_t;

/* Keeps the account. Told of a HANDOUT or another end only after it was looked at. */
void sim_returned_fact(sim_returned_t *self, const sim_checker_t *checker, const sim_fact_t *fact);
/* The group's; good until the next fact. */
const sim_returned_group_t *sim_returned_of(sim_returned_t *self, const sim_checker_t *checker,
                                            const sim_group_t *group);
bool sim_returned_has(sim_returned_t *self, const sim_checker_t *checker, const sim_group_t *group,
                      uint64_t offset);
/* Whether it could go out when that became durable which does so now. */
bool sim_returned_ready(const sim_returned_t *self, const sim_returned_one_t *one, int64_t now_ns);
void sim_returned_free(sim_returned_t *self, const sim_checker_t *checker);

#endif
