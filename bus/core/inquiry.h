/* inquiry: requests of an operator that need events which may have to be read back from the journal
 * first: dead letters looked at, redriven, purged; the offset of a time. They wait without holding
 * up anything else, bounded in number, and end with their connection. Volatile. */
#ifndef FOB_CORE_INQUIRY_H
#define FOB_CORE_INQUIRY_H

#include "bus/core/state.h"

#define FOB_INQUIRIES_MAX 64 /* at once; more are answered LIMIT */

/* A DEAD_... command. Statuses as of fob_core_step. */
fob_status_t fob_inquire(fob_core_t *self, const fob_command_t *command) FOB_MUST_USE;

#endif
