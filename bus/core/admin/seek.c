/* seek: the first offset that was stored at or after a time. Journal time never goes back, so it is
 * found by halving, a page a step. */
#include "bus/core/admin/inquiry.h"

fob_status_t fob_seek(fob_core_t *self, const fob_command_t *command) {
    fob_inquiry_t *inquiry;
    fob_status_t status = fob_inquiry_add(self, command, &inquiry);
    if (status == FOB_LIMIT)
        return fob_inquiry_reply(self, command->conn, command->admin.req, status,
                                 "the bus works on as many requests as it can: ask again",
                                 (fob_slice_t){0}, 0)
                   ? FOB_OK
                   : FOB_NO_MEMORY;
    if (status != FOB_OK)
        return status;
    inquiry->low = command->admin.lowest ? command->admin.lowest : 1;
    inquiry->high = inquiry->best = self->head + 1;
    return FOB_OK;
}

/* The upper half, from `middle` on, is known to hold nothing before `best`. */
static void go_below(fob_inquiry_t *inquiry) {
    inquiry->high = inquiry->middle;
    inquiry->probe = 0;
}

/* What is at the probe tells which half to go on with. */
static void narrow(fob_inquiry_t *inquiry, const fob_sheet_t *sheet) {
    if (sheet->time_ms >= inquiry->command.admin.time_ms) {
        inquiry->best = sheet->first_offset;
        if (inquiry->middle > sheet->first_offset)
            inquiry->middle = sheet->first_offset;
        go_below(inquiry);
        return;
    }
    inquiry->low = sheet->first_offset + sheet->count;
    inquiry->probe = 0;
}

/* The time of what cannot be read is not known: what lies behind it tells. */
static void step_over(fob_inquiry_t *inquiry, uint64_t end) {
    if (end < inquiry->high)
        inquiry->probe = end;
    else
        go_below(inquiry);
}

fob_inquiry_state_t fob_seek_run(fob_core_t *self, fob_inquiry_t *inquiry, uint32_t *looks) {
    for (; inquiry->low < inquiry->high; --*looks) {
        fob_place_t place;
        uint64_t end = 0;
        if (*looks == 0)
            return FOB_INQUIRY_MORE;
        if (inquiry->probe == 0)
            inquiry->probe = inquiry->middle = inquiry->low + (inquiry->high - inquiry->low) / 2;
        fob_walk_t walk = fob_inquiry_find(self, inquiry, inquiry->probe, &place, &end);
        if (walk == FOB_WALK_BLOCKED)
            return FOB_INQUIRY_WAITS;
        if (walk == FOB_WALK_MEMORY)
            return FOB_INQUIRY_MORE;
        if (walk == FOB_WALK_END)
            step_over(inquiry, end);
        else if (place.sheet->origin) /* its time is of another place */
            step_over(inquiry, place.sheet->first_offset + place.sheet->count);
        else
            narrow(inquiry, place.sheet);
    }
    fob_status_t status = fob_group_begin_at(self, &inquiry->command, inquiry->best);
    return status == FOB_NO_MEMORY ? FOB_INQUIRY_MORE : FOB_INQUIRY_DONE;
}
