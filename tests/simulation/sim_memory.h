/* Memory for the simulator's own things: zeroed, and never refused. */
#ifndef FOB_TESTS_SIMULATION_MEMORY_H
#define FOB_TESTS_SIMULATION_MEMORY_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void *sim_alloc(size_t size) {
    void *memory = calloc(1, size ? size : 1);
    if (!memory) {
        fprintf(stderr, "simulate: out of memory\n");
        exit(2);
    }
    return memory;
}

static inline void *sim_copy(const void *data, size_t size) {
    void *memory = sim_alloc(size);
    if (size)
        memcpy(memory, data, size);
    return memory;
}

/* Room for one more behind `count`, zeroed. */
static inline void *sim_grow(void *memory, size_t count, size_t *room, size_t size) {
    if (count < *room)
        return memory;
    size_t wanted = *room ? 2 * *room : 16;
    void *grown = sim_alloc(wanted * size);
    if (memory)
        memcpy(grown, memory, count * size);
    free(memory);
    *room = wanted;
    return grown;
}

#endif
