/* numbers: the running number of each topic's fire-and-forget events, for one source. Bounded:
 * where too many topics are in use it begins anew under another source, which subscribers take for
 * another publisher. Pure. */
#ifndef FOB_NUMBERS_H
#define FOB_NUMBERS_H

#include "proto/topic.h"

#define FOB_NUMBERS 512 /* places; three quarters are used at the most */

typedef struct {
    uint64_t next;
    uint8_t size; /* 0: free */
    uint8_t topic[FOB_TOPIC_MAX];
} fob_number_t;

typedef struct {
    uint64_t source;
    unsigned used;
    fob_number_t places[FOB_NUMBERS];
} fob_numbers_t;

void fob_numbers_init(fob_numbers_t *self, uint64_t source);

/* The place of a topic, where `next` is the number to use; good until the next call. May change
 * `source`. */
fob_number_t *fob_numbers_of(fob_numbers_t *self, fob_slice_t topic);

#endif
