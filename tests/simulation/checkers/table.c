#include "table.h"

void *sim_table_at(sim_table_t *self, const sim_checker_t *checker, const sim_group_t *group,
                   uint64_t offset, size_t size) {
    size_t index = (size_t)(group - checker->ground->groups);
    while (index >= self->room) {
        self->rooms =
            sim_grow(self->rooms, self->other_room, &self->other_room, sizeof *self->rooms);
        self->rows = sim_grow(self->rows, self->room, &self->room, sizeof *self->rows);
    }
    while (offset >= self->rooms[index])
        self->rows[index] =
            sim_grow(self->rows[index], self->rooms[index], &self->rooms[index], size);
    return (uint8_t *)self->rows[index] + offset * size;
}

void sim_table_free(sim_table_t *self) {
    for (size_t i = 0; i < self->room; i++)
        free(self->rows[i]);
    free(self->rows);
    free(self->rooms);
    *self = (sim_table_t){0};
}
