/* inquiry: requests of an operator that need events which may have to be read back from the journal
 * first: dead letters looked at, redriven, purged; the offset of a time. They wait without holding
 * up anything else, bounded in number and in work a turn, and end with their connection. Volatile.
 *
 * A request is taken by a step, and worked on by the takes: at once, where no page is lacking; else
 * it waits, and each page that comes lets it try again. One thread, as the core. */
#ifndef FOB_CORE_INQUIRY_H
#define FOB_CORE_INQUIRY_H

#include "bus/core/work/walk.h"

#define FOB_INQUIRIES_MAX     64   /* at once; more are answered LIMIT */
#define FOB_INQUIRY_LOOKS     2048 /* letters looked at in one take, but for one of each request */
#define FOB_INQUIRY_PAGE      ((size_t)256 << 10) /* bytes of one LIST, but for its first letter */
#define FOB_INQUIRY_LIMIT     100                 /* letters a request, where it says nothing */
#define FOB_INQUIRY_LIMIT_MAX 1000                /* ... and at the most */

/* --- for the core --- */

/* A DEAD_... command; or a GROUP_ADD or GROUP_RESET that gives a time and no offset: finds the
 * first offset stored at or after it and goes on by fob_group_begin_at. Statuses as of
 * fob_core_step. */
fob_status_t fob_inquire(fob_core_t *self, const fob_command_t *command) FOB_MUST_USE;

/* Works on what does not wait; called by each take. Sets core->again where there is more to do. */
void fob_inquiries_run(fob_core_t *self);
/* The answer to the NEED of `asked` is here, or cannot be had. */
void fob_inquiries_page(fob_core_t *self, uint64_t asked);
/* A connection is gone: so are its requests. */
void fob_inquiries_lost(fob_core_t *self, uint64_t conn);
void fob_inquiries_free(fob_core_t *self);
/* How many are under way. */
size_t fob_inquiries_count(const fob_core_t *self);

/* --- for the kinds of requests: dead_requests.c, seek.c --- */

typedef struct {
    fob_command_t command; /* its slices are in `bytes`; `from` and `upto` go on with the work */
    bool waits;            /* for a page */
    uint64_t asked;        /* offset of its own NEED that is under way; 0: none */
    uint64_t after;        /* position of what its answer rests on */
    uint32_t group;        /* id; 0: it is of none */

    /* dead letters */
    uint32_t taken;      /* letters that match, up to the limit */
    uint64_t count;      /* events of these */
    uint64_t looked;     /* letters tested */
    uint64_t unreadable; /* REDRIVE: events that match and cannot be read */
    fob_buf_t rows;      /* LIST: the letters; SHOW: the one */

    /* the offset of a time: it is in low..high - 1, or `best` */
    uint64_t low, high, best;
    uint64_t probe; /* looked at next, for the half above `middle`; 0: to be reckoned */
    uint64_t middle;

    uint8_t bytes[]; /* what the command's slices point to */
} fob_inquiry_t;

typedef enum {
    FOB_INQUIRY_DONE,  /* answered */
    FOB_INQUIRY_WAITS, /* for a page */
    FOB_INQUIRY_MORE   /* to be gone on with in the next take; also where memory lacked */
} fob_inquiry_state_t;

/* Takes such a command in, or answers it with a refusal. Statuses as of fob_core_step. */
fob_status_t fob_dead_request(fob_core_t *self, const fob_command_t *command) FOB_MUST_USE;
fob_status_t fob_seek(fob_core_t *self, const fob_command_t *command) FOB_MUST_USE;

/* Goes on with a request. At most `looks` letters or pages are looked at, and subtracted. */
fob_inquiry_state_t fob_dead_request_run(fob_core_t *self, fob_inquiry_t *inquiry, uint32_t *looks);
fob_inquiry_state_t fob_seek_run(fob_core_t *self, fob_inquiry_t *inquiry, uint32_t *looks);

/* Takes a request in: a copy of the command. FOB_OK; FOB_LIMIT; FOB_NO_MEMORY. */
fob_status_t fob_inquiry_add(fob_core_t *self, const fob_command_t *command,
                             fob_inquiry_t **out) FOB_MUST_USE;
/* Answers a request: `text` and `value` are copied. False: no memory, nothing was done. */
bool fob_inquiry_reply(fob_core_t *self, uint64_t conn, uint64_t req, fob_status_t status,
                       const char *text, fob_slice_t value, uint64_t after);

/* What the journal has at an offset, which is not the event of that offset where it was moved.
 * FOUND; END: it cannot be read, and so is all below *end; BLOCKED: a page must come first (the
 * request waits then); MEMORY: to be tried in the next take. */
fob_walk_t fob_inquiry_find(fob_core_t *self, fob_inquiry_t *inquiry, uint64_t offset,
                            fob_place_t *place, uint64_t *end);

#endif
