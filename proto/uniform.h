/* uniform: is this a batch of one topic? Asked of each message of the broadcast, by the bus and by
 * each subscriber, so what is usual is fast: events that begin like the first and have no
 * attributes are told by comparing bytes. Pure. */
#ifndef FOB_UNIFORM_H
#define FOB_UNIFORM_H

#include "proto/slice.h"

#include <fob/fob_status.h>

/* Whether the body is `count` events of the topic and nothing else, each of `most` bytes at the
 * most, encoded. FOB_OK; BAD_EVENT: it is not; TOO_LARGE: one of them is. Attributes are left to
 * those who read them. */
fob_status_t fob_uniform(fob_slice_t body, fob_slice_t topic, uint64_t count,
                         uint64_t most) FOB_MUST_USE;

#endif
