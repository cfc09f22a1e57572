/* when: a place in the journal as the command line names it: --from, --since, --to, filters by
 * time. One thread. */
#ifndef FOB_CLI_WHEN_H
#define FOB_CLI_WHEN_H

#include <stdbool.h>
#include <stdint.h>

typedef enum {
    FOB_WHEN_LATEST,   /* what is stored from now on */
    FOB_WHEN_EARLIEST, /* all that is kept */
    FOB_WHEN_OFFSET,   /* that event and all after it */
    FOB_WHEN_TIME      /* what was stored then or later */
} fob_when_kind_t;

typedef struct {
    fob_when_kind_t kind;
    uint64_t offset; /* of an OFFSET: from 1 */
    uint64_t epoch;  /* of an OFFSET: that it is of; 0: not said */
    int64_t time_ms; /* of a TIME: Unix ms, 0 or later */
} fob_when_t;

/* Reads "latest", "earliest", an offset ("17", "0:17": shard 0 is the one there is), a time
 * (RFC 3339: 2026-11-20T06:28:44Z, 2026-11-20T07:28:44.5+01:00; the seconds may have a fraction, of
 * which ms are kept), or a span back from `now_wall_ms` ("-10m"). False: none of these, or before
 * 1970; *out is then as before. */
bool fob_when_parse(const char *text, int64_t now_wall_ms, fob_when_t *out);

/* The same for who can say of which epoch an offset is ("17@1795156124000", "0:17@1795156124000");
 * for the others an epoch is no place. */
bool fob_when_parse_place(const char *text, int64_t now_wall_ms, fob_when_t *out);

/* Only an RFC 3339 time or a span back, as above, in Unix ms. */
bool fob_when_time(const char *text, int64_t now_wall_ms, int64_t *time_ms);

/* What such a text looks like, for errors: "latest, earliest, an offset, a time such as ...". */
#define FOB_WHEN_HINT                                                                              \
    "latest, earliest, an offset, a time as 2026-11-20T06:28:44Z, or a span back as -10m"
/* The same of fob_when_parse_place. */
#define FOB_WHEN_HINT_PLACE                                                                        \
    "latest, earliest, an offset or OFFSET@EPOCH, a time as 2026-11-20T06:28:44Z, or a span back " \
    "as -10m"

#endif
