/* fetch_kit: a journal of made-up records, and the line of those who fetch from it, driven round by
 * round in virtual time. Each event's data begins with its offset, so that an answer proves itself.
 */
#ifndef FOB_TESTS_FETCH_KIT_H
#define FOB_TESTS_FETCH_KIT_H

#include "bus/fetch/fetches.h"

/* One answer, read as a client would. */
typedef struct {
    uint64_t conn, req, next, head, floor;
    uint64_t *offsets;
    char (*topics)[32]; /* not of a dry one */
    size_t count;
    size_t runs, bytes;
    uint64_t gone[FOB_GATHER_GONE][3]; /* the third: by damage */
    size_t gone_count;
} kit_answer_t;

typedef struct {
    fob_fetches_t *fetches;
    int64_t ms;
    uint64_t head;            /* durable */
    uint64_t given;           /* the core's, if it is higher; else 0 */
    size_t reads;             /* asked for */
    uint64_t asked;           /* offset of the one under way; 0: none */
    uint32_t bytes;           /* of it */
    size_t steps;             /* of lists of topics */
    bool held;                /* it does not come */
    fob_journal_code_t fails; /* how reads come back; OK: as they should */
    bool busy;                /* the journal is asked for nothing more */
    bool keeps;               /* what is sent stays unsent: */
    fob_blob_t *kept;         /* the body of the last answer */
    size_t looks;             /* topics that are looked at for a WHOLE */
    size_t wholes;            /* that were answered */
    kit_answer_t *answers;
    size_t answer_count;
} kit_t;

extern kit_t kit;

/* An empty journal; `rate` as of fob_fetches_new. Setup and teardown of a case. */
int kit_begin(void **state);
int kit_end(void **state);
void kit_rate(int64_t rate);          /* begins the line anew */
void kit_know(uint32_t topics_known); /* the table of topics has so many places, and is empty */

/* A record of events of these topics, in turn, with so much data each; its first offset. */
uint64_t kit_events(const char *const *topics, size_t topic_count, uint32_t count, size_t data);
uint64_t kit_event(const char *topic);
/* A copy of an old event; one whose bytes are none. */
uint64_t kit_moved(void);
void kit_spoil(uint64_t offset);
/* A record without events; the bytes of the one that holds an offset, to be changed. */
void kit_other(void);
fob_buf_t *kit_bytes(uint64_t offset);
/* No record below that offset is there any more; those in a range cannot be read. */
void kit_trim(uint64_t offset);
void kit_damage(uint64_t first, uint64_t last);
void kit_stamp(int64_t ms); /* of what comes next */

/* Asks; `from` and `upto` as on the wire. */
void kit_ask(uint64_t conn, const char *pattern, uint64_t from, uint64_t upto);
void kit_ask_for(const fob_fetch_t *fetch);
fob_status_t kit_ask_whole(uint64_t conn);
/* One round, `ms` later; the journal answers in the next. */
void kit_round(int64_t ms);
/* Rounds, each when it is wanted, until so many answers have come; the last of them. */
const kit_answer_t *kit_wait(size_t answers);
/* Forgets the answers. */
void kit_clear(void);

#endif
