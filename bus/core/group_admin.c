#include "bus/core/group_admin.h"

#include <assert.h>

uint64_t fob_group_place(const fob_core_t *self, const fob_command_t *command, uint64_t offset) {
    if (offset > self->head + 1)
        return 0;
    uint64_t lowest = command->admin.lowest <= self->head ? command->admin.lowest : self->head + 1;
    return offset < lowest ? lowest : offset;
}

fob_status_t fob_group_beyond(fob_core_t *self, uint64_t offset, fob_slice_t *text) {
    *text = fob_sentence(self,
                         "offset %llu is not there yet, the next will be %llu: give one up to "
                         "that, or latest",
                         (unsigned long long)offset, (unsigned long long)self->head + 1);
    return FOB_INVALID;
}

/* --- settings --- */

fob_status_t fob_group_judge(fob_core_t *self, const fob_policy_patch_t *patch, fob_slice_t *text) {
    unsigned wrong = fob_policy_wrong(patch);
    char reason[160];
    if (wrong == 0)
        return FOB_OK;
    fob_policy_explain(wrong, fob_policy_get(&patch->to, wrong), reason, sizeof reason);
    *text = fob_sentence(self, "%s", reason);
    return FOB_INVALID;
}

static uint8_t count_bits(uint32_t mask) {
    uint8_t count = 0;
    for (; mask; mask &= mask - 1)
        count++;
    return count;
}

fob_status_t fob_group_set(fob_core_t *self, fob_group_t *group, const fob_policy_patch_t *patch,
                           fob_slice_t *text) {
    fob_status_t status = fob_group_judge(self, patch, text);
    if (status != FOB_OK || patch->mask == 0)
        return status;
    fob_open_turn_t *turn = fob_core_open(self);
    uint8_t count = count_bits(patch->mask);
    size_t size = FOB_RECORD_SET_SIZE + (size_t)count * FOB_RECORD_SET_ITEM;
    uint8_t *bytes = turn && fob_turn_reserve(turn, 1, 0, 0, 0) ? fob_turn_bytes(turn, size) : NULL;
    if (!bytes)
        return FOB_NO_MEMORY;
    fob_record_write_set(bytes, group->id, fob_core_time(self), count);
    uint8_t *item = bytes + FOB_RECORD_SET_SIZE;
    for (unsigned i = 1; i < FOB_POLICY_END; i++) {
        if (!(patch->mask & (1u << i)))
            continue;
        fob_record_write_set_item(item, i, fob_policy_get(&patch->to, i));
        item += FOB_RECORD_SET_ITEM;
    }
    status = fob_core_record(self, bytes, size);
    assert(status == FOB_OK); /* it is there, and all is within its bounds */
    return status;
}
