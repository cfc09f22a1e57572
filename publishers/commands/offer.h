/* offer: what `fob pub` makes of a text: an event's data and attributes, by the options it was
 * given. Main thread. */
#ifndef FOB_OFFER_H
#define FOB_OFFER_H

#include "proto/buf.h"
#include "proto/cli/options.h"
#include <fob/fob_publisher.h>

#define FOB_OFFER_HEADERS 256

typedef struct {
    /* From the options. */
    const char *topic;
    bool text, raw, lines;
    const char *id, *id_from, *key, *key_from; /* NULL: not given */
    int64_t deadline_ms;                       /* 0: the library's default */
    uint64_t priority;                         /* 0-9 */
    bool fire;
    fob_list_t headers; /* K=V */
    /* Its own; from fob_offer_begin. */
    const char *header_items[FOB_OFFER_HEADERS + 1];
    const char *pairs[2 * FOB_OFFER_HEADERS + 1];
    fob_buf_t names; /* the headers' */
    fob_buf_t data, id_text, key_text;
} fob_offer_t;

/* What to send, good until the next fob_offer_make. */
typedef struct {
    fob_slice_t data;
    fob_publish_options_t options;
} fob_offered_t;

/* Checks the options and makes the headers ready. FOB_EXIT_OK, or it was said what is wrong. */
int fob_offer_begin(fob_offer_t *self, const fob_cli_t *cli);

/* Makes an event of a text. `strict`: what is not JSON is refused, instead of being a string
 * (--lines). FOB_OK; or the status, and `why` says it in words: FOB_BAD_EVENT, FOB_NO_MEMORY. */
fob_status_t fob_offer_make(fob_offer_t *self, fob_slice_t text, bool strict, fob_offered_t *out,
                            char *why, size_t why_size);

void fob_offer_end(fob_offer_t *self);

#endif
