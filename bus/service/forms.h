/* forms: the maps in an operator's question: settings of a group, which dead letters. What is
 * wrong in them is said by name, and nothing is guessed: a name that is not known is refused, as
 * skipping it would set, or remove, something else than was meant. Pure. */
#ifndef FOB_SERVICE_FORMS_H
#define FOB_SERVICE_FORMS_H

#include "bus/core/core.h"

/* Reads `{name: value, ...}`: integers, durations in ms; a str for overflow; a bool or an integer
 * for paused; for max_bytes also a share of `max_disk` (bytes) as "50%". Empty: no settings.
 * FOB_OK; FOB_INVALID: `text` says which and why; FOB_PROTOCOL: it is no map. */
fob_status_t fob_form_settings(fob_slice_t raw, uint64_t max_disk, fob_policy_patch_t *out,
                               char *text, size_t size) FOB_MUST_USE;

/* Reads `{"reason", "topic", "key", "since", "until", "offset"}`; slices point into it. Statuses
 * as above. */
fob_status_t fob_form_filter(fob_slice_t raw, fob_dead_filter_t *out, char *text,
                             size_t size) FOB_MUST_USE;

#endif
