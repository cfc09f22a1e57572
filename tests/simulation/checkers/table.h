/* What a checker keeps of each event of each group. */
#ifndef FOB_TESTS_SIMULATION_TABLE_H
#define FOB_TESTS_SIMULATION_TABLE_H

#include "checker.h"

typedef struct {
    void **rows; /* by index of group */
    size_t *rooms;
    size_t room, other_room;
} sim_table_t;

/* What is kept of that event: `size` bytes, zero at first. Good until the next call. */
void *sim_table_at(sim_table_t *self, const sim_checker_t *checker, const sim_group_t *group,
                   uint64_t offset, size_t size);
void sim_table_free(sim_table_t *self);

#endif
