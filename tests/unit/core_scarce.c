#include "core_scarce.h"

#include "bus/core/core.h"

bool core_scarce;
uint64_t core_scarce_refused;

#define A_WHILE 100

fob_status_t __real_fob_core_step(fob_core_t *self, fob_now_t now, const fob_command_t *command);
fob_status_t __wrap_fob_core_step(fob_core_t *self, fob_now_t now, const fob_command_t *command);
fob_turn_t *__real_fob_core_take(fob_core_t *self, fob_now_t now);
fob_turn_t *__wrap_fob_core_take(fob_core_t *self, fob_now_t now);

static bool is_scarce(void) {
    return core_scarce && scarce.failed < A_WHILE;
}

fob_status_t __wrap_fob_core_step(fob_core_t *self, fob_now_t now, const fob_command_t *command) {
    scarce.watching = is_scarce();
    fob_status_t status = __real_fob_core_step(self, now, command);
    scarce.watching = false;
    if (status != FOB_NO_MEMORY)
        return status;
    core_scarce_refused++;
    return __real_fob_core_step(self, now, command);
}

fob_turn_t *__wrap_fob_core_take(fob_core_t *self, fob_now_t now) {
    scarce.watching = is_scarce();
    fob_turn_t *turn = __real_fob_core_take(self, now);
    scarce.watching = false;
    return turn;
}
