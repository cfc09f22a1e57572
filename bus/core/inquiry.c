/* inquiry: questions whose answers need events that may have to be read back first. */
#include "bus/core/inquiry.h"

fob_status_t fob_inquire(fob_core_t *self, const fob_command_t *command) {
    (void)self;
    (void)command;
    return FOB_PROTOCOL;
}
