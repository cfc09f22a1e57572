/* core_books: what a journal says, read the plainest way: for each group and each event one place,
 * nothing joined, nothing skipped, nothing shared with the core but the layout of records.
 *
 * It checks that every record makes sense where it stands: an event ends where it was, a group that
 * refuses is not overfilled, an id is not stored twice. And its books must be those of the core. */
#ifndef FOB_TESTS_CORE_BOOKS_H
#define FOB_TESTS_CORE_BOOKS_H

#include "test_core_kit.h"

#define BOOKS_EVENTS 60000
#define BOOKS_GROUPS 64 /* ids ever given */

typedef enum {
    BOOKS_NOTHING, /* not the group's, or not found yet */
    BOOKS_FRESH,   /* accepted, and no record tells that it was out */
    BOOKS_BACK,
    BOOKS_DEAD,
    BOOKS_DONE,
    BOOKS_UNREAD, /* it could not be read, and is not counted under anything yet */
    BOOKS_PLACES
} books_place_t;

typedef struct {
    uint8_t place;
    bool out, acked;
    uint32_t attempts;
    uint64_t token;
    uint32_t size; /* as its death said; 0: it did not */
    int64_t due_ms;
    uint64_t paid; /* the commit that found it as one of those shed before; 0: none did */
} books_entry_t;

typedef struct {
    char topic[32];
    uint8_t priority;
    uint64_t id; /* 0: none */
    uint32_t size;
    int64_t time_ms;
    uint64_t data[2]; /* the first bytes of its data: who published it, as what */
} books_event_t;

typedef struct {
    bool there;
    char name[32], pattern[32];
    uint64_t start, accepted, acked, dead, shed, removed, debt, bytes;
    uint64_t shed_by[4], removed_by[8];
    uint64_t count[BOOKS_PLACES];
    uint64_t plain;              /* of BOOKS_FRESH: of priority 0 */
    const books_event_t *events; /* of the books */
    uint64_t unknown;            /* dead letters of unknown place */
    uint64_t census_at, census_to, generation;
    fob_policy_t policy;
    books_entry_t *entries; /* by offset */
    uint64_t grown, left,
        left_bytes;  /* in the newest commit: by redrives and the like; whatever went */
    uint64_t before; /* depth before it */
} books_group_t;

typedef struct {
    const kit_t *kit;
    unsigned lives; /* of the kit: after a crash all is read anew */
    size_t fed;     /* records of the log */
    uint64_t position, head;
    books_event_t *events; /* by offset */
    books_group_t groups[BOOKS_GROUPS];
    uint64_t seed;
    uint64_t unread;   /* runs that tell of what could not be read */
    char trouble[256]; /* what does not make sense; empty: all does */
} books_t;

void books_init(books_t *books, const kit_t *kit);
void books_free(books_t *books);
/* Reads what the log has more, or all of it after a crash. False: see `trouble`. */
bool books_feed(books_t *books);
/* Compares with what the core says. */
bool books_agree(books_t *books);
/* NULL: there is none of that name. */
books_group_t *books_find(books_t *books, const char *name);
/* An id as a number: all that tests give are short. */
uint64_t books_id(fob_slice_t id);
uint64_t books_depth(const books_group_t *group);
/* Whether the group gets events of that topic. */
bool books_match(const books_group_t *group, const char *topic);

#endif
