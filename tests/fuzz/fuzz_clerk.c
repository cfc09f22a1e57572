/* fuzz_clerk: any bytes as a client's message, up to the command that the core is told; and as the
 * maps of settings and filters by themselves. */
#include "bus/core/work/history.h"
#include "bus/service/clerk.h"
#include "bus/service/forms.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static bool within_bounds(const fob_policy_patch_t *patch) {
    for (unsigned number = 0; number < 32; number++) {
        uint64_t least, most, value = fob_policy_get(&patch->to, number);
        if (!(patch->mask >> number & 1))
            continue;
        fob_policy_bounds(number, &least, &most);
        if (!fob_policy_name(number) || value < least || value > most)
            return false;
    }
    return true;
}

static void maps(fob_slice_t bytes) {
    fob_policy_patch_t patch;
    fob_dead_filter_t filter;
    char text[512] = "";
    fob_status_t status = fob_form_settings(bytes, 1 << 20, &patch, text, sizeof text);
    FUZZ_RULE(status == FOB_OK || status == FOB_INVALID || status == FOB_PROTOCOL);
    FUZZ_RULE(within_bounds(&patch));
    FUZZ_RULE(status != FOB_INVALID || text[0]);
    text[0] = 0;
    status = fob_form_filter(bytes, &filter, text, sizeof text);
    FUZZ_RULE(status == FOB_OK || status == FOB_INVALID || status == FOB_PROTOCOL);
    FUZZ_RULE(status != FOB_INVALID || text[0]);
    FUZZ_RULE(filter.since >= 0 && filter.until >= 0);
}

static void message(fob_slice_t bytes) {
    static const uint8_t session[FOB_SESSION_SIZE] = {1};
    fob_clerk_t clerk = {1, session, 1 << 20};
    fob_command_t command;
    fob_wire_t msg;
    char text[512] = "";
    if (fob_wire_read(bytes, &msg) != FOB_OK)
        return;
    fob_status_t status = fob_clerk_command(&clerk, &msg, NULL, &command, text, sizeof text);
    FUZZ_RULE(status == FOB_OK || status == FOB_AGAIN || text[0]);
    FUZZ_RULE(strlen(text) < sizeof text);
    if (status != FOB_OK)
        return;
    if (command.kind == FOB_CMD_SETTLE)
        FUZZ_RULE(command.settle.text.size <= FOB_NOTE_MAX);
    if (command.kind == FOB_CMD_JOIN)
        FUZZ_RULE(command.join.worker.size <= FOB_NOTE_MAX && command.join.jobs > 0);
    if (command.kind == FOB_CMD_GROUP_ADD || command.kind == FOB_CMD_GROUP_SET)
        FUZZ_RULE(within_bounds(&command.admin.patch) && command.admin.time_ms >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fob_slice_t bytes = fob_slice(data, size);
    message(bytes);
    maps(bytes);
    return 0;
}
