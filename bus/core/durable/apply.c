/* apply: records change the durable state, live and in replay, by the same code. */
#include "bus/core/durable/apply.h"
#include "bus/core/durable/seed.h"

#include <stdio.h>

fob_status_t fob_damaged(fob_core_t *self, uint64_t position, const char *what) {
    snprintf(self->error, sizeof self->error, "commit %llu: %s", (unsigned long long)position,
             what);
    return FOB_DAMAGED;
}

/* Checksums keep the bytes of a known kind from turning into another. */
static fob_status_t unknown(fob_core_t *self, uint64_t position, fob_slice_t record) {
    if (record.size == 0 || record.data[0] < FOB_RECORD_KINDS)
        return fob_damaged(self, position, "a record of no kind");
    fob_damaged(self, position,
                "a record of a kind that only a newer version of fob knows; use that one");
    return FOB_FOLDER_NEWER;
}

fob_status_t fob_apply(fob_core_t *self, uint64_t position, fob_slice_t record) {
    switch (record.size ? record.data[0] : 0) {
    case FOB_RECORD_EVENTS:
        return fob_apply_replay_events(self, position, record);
    case FOB_RECORD_GROUP_ADD:
        return fob_apply_group_add(self, position, record);
    case FOB_RECORD_GROUP_REMOVE:
        return fob_apply_group_remove(self, position, record);
    case FOB_RECORD_MARK:
        return fob_apply_mark(self, position, record);
    case FOB_RECORD_RESET:
        return fob_apply_reset(self, position, record);
    case FOB_RECORD_SET:
        return fob_apply_set(self, position, record);
    case FOB_RECORD_MOVED:
        return fob_apply_moved(self, position, record);
    case FOB_RECORD_RUNS:
    case FOB_RECORD_NOTED:
        return fob_apply_runs(self, position, record);
    case FOB_RECORD_ANSWERS:
        return fob_apply_answers(self, position, record);
    case FOB_RECORD_FORGET:
        return fob_apply_forget(self, position, record);
    case FOB_RECORD_SEED:
        return fob_apply_seed(self, position, record);
    default:
        return unknown(self, position, record);
    }
}
