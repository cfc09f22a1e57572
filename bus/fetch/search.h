/* search: where in the journal a time lies, found by halves over small reads. Times ascend with
 * offsets. Pure. */
#ifndef FOB_FETCH_SEARCH_H
#define FOB_FETCH_SEARCH_H

#include "bus/fetch/past.h"

/* Begins as zeros. */
typedef struct {
    uint64_t low, high; /* the first event of that time or later lies in low..high */
    uint64_t middle;    /* it is to be known whether it lies at or below, */
    uint64_t at;        /* by what can be read from here on; 0: it is found, at `low` */
} fob_search_t;

/* Looks in 1..head; found at head + 1: there is none yet. */
void fob_search_begin(fob_search_t *self, uint64_t head);
/* The past holds `at`. */
void fob_search_look(fob_search_t *self, const fob_past_t *past, int64_t time_ms);

#endif
