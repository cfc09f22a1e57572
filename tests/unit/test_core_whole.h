/* core_whole: a core with something of everything that is durable, made by hand. */
#ifndef FOB_TESTS_CORE_WHOLE_H
#define FOB_TESTS_CORE_WHOLE_H

#include "test_core_kit.h"

#include "bus/core/state.h"

/* Groups "one", "two" and "three", of which "two" has all that a group can have; sessions; ids. */
fob_core_t *whole_core(uint32_t slice_bytes);
/* A history of so many attempts. */
uint32_t whole_chain(fob_core_t *core, unsigned attempts, const char *worker, const char *text);
void whole_dead(fob_group_t *group, uint64_t offset, uint32_t count, uint32_t chain);
/* An id for each offset. */
void whole_ids(fob_core_t *core, uint64_t from, uint64_t to);

#endif
