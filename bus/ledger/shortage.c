#include "bus/ledger/shortage.h"

#include <inttypes.h>
#include <stdio.h>

#define QUIET (10 * FOB_SEC)

static void begin(fob_core_t *core, fob_now_t now, char *line, size_t size) {
    static const char what[] = "no room in the journal (max_disk, or what the file system has "
                               "free): publishes are refused, work goes on";
    fob_group_stats_t group;
    if (!fob_core_holder(core, now, &group)) {
        snprintf(line, size,
                 "%s; no group needs what is stored: it goes as retain_bytes and retain say", what);
        return;
    }
    snprintf(line, size,
             "%s; group %.*s needs what is stored from event %" PRIu64 " on: %" PRIu64
             " ready, %" PRIu64 " leased, %" PRIu64 " delayed, %" PRIu64 " dead, %u workers",
             what, (int)group.group.size, (const char *)group.group.data, group.floor, group.ready,
             group.leased, group.delayed, group.dead, group.workers);
}

bool fob_shortage_tell(fob_shortage_t *self, fob_now_t now, bool refused, fob_core_t *core,
                       char *line, size_t size) {
    if (refused == self->short_of_room || now.mono_ns < self->quiet_ns)
        return false;
    self->short_of_room = refused;
    self->quiet_ns = now.mono_ns + QUIET;
    if (refused)
        begin(core, now, line, size);
    else
        snprintf(line, size, "there is room in the journal again: publishes are taken");
    return true;
}
