/* core_scarce: memory is scarce while the core works, and only then: the linker leads the kit's
 * fob_core_step and fob_core_take here. A command that is refused for memory is told again: by then
 * there is some. What fails from the n-th call on does so a hundred times, as a test that waits for
 * something to happen would wait for ever. */
#ifndef FOB_TESTS_CORE_SCARCE_H
#define FOB_TESTS_CORE_SCARCE_H

#include "scarce.h"

extern bool core_scarce;             /* from now on */
extern uint64_t core_scarce_refused; /* commands */

#endif
