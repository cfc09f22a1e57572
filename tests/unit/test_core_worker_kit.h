/* core_worker_kit: what tests of workers that fail need beside the kit. */
#ifndef FOB_TESTS_CORE_WORKER_KIT_H
#define FOB_TESTS_CORE_WORKER_KIT_H

#include "test_core_admin.h"

/* One event of a SETTLE, with how long it waits and why. */
void kit_settle_why(kit_t *kit, uint64_t conn, const char *group, unsigned kind,
                    const uint64_t *delivered, uint64_t after_ms, const char *text);
/* Joins as kit_join, with a name and a bound. */
void kit_join_as(kit_t *kit, uint64_t conn, const char *group, uint64_t credit, uint64_t jobs,
                 const char *worker, uint64_t lease_ms);

#endif
