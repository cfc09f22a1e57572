/* offer: one PUBLISH on its way, shared by the files that judge, store and answer it. */
#ifndef FOB_CORE_OFFER_H
#define FOB_CORE_OFFER_H

#include "bus/core/publish/limits.h"

enum {
    FOB_BUSY_BEHIND = 1,  /* refused as an earlier number was: there may be room again */
    FOB_BUSY_SESSIONS = 2 /* the session is new, and there is no room for one */
};

typedef enum {
    FOB_FATE_STORE,
    FOB_FATE_KNOWN,     /* it has its answer */
    FOB_FATE_DUPLICATE, /* of the event at `offset` */
    FOB_FATE_REFUSE     /* `status`; BUSY: by `group` */
} fob_fate_t;

/* One number of it. */
struct fob_item {
    uint32_t at, size;   /* its bytes in the body */
    uint32_t event;      /* index in the sheet, where it is good */
    fob_status_t status; /* FOB_OK: good */
    uint8_t fate;        /* fob_fate_t */
    uint8_t flags;       /* FOB_ANSWER_... of a duplicate; FOB_BUSY_... of a refusal */
    uint64_t offset;
    fob_group_t *group; /* NULL: none in particular */
};

typedef struct {
    fob_core_t *core;
    uint64_t conn;
    const uint8_t *session;
    uint64_t first, low;
    uint32_t count;
    fob_blob_t *body;
    fob_item_t *items;          /* NULL: every event is to be stored */
    fob_sheet_t *sheet;         /* of the good events, routed; NULL: none is good */
    fob_refusal_t *refusal;     /* the draft; NULL: there is nothing to change */
    const fob_writer_t *writer; /* until something is stored; NULL: the session is not known */
    uint64_t next;              /* of the session; 0: it is not known */
    uint64_t end;               /* its next number afterwards */
    uint32_t stored, duplicates, busy;
    bool crowded;        /* the session is new, and there is no room for one */
    fob_group_t *holder; /* where nothing may be stored: who holds the journal; NULL: nobody */
} fob_offer_t;

/* --- judge.c --- */

/* Finds the fate of each item. `status`: not FOB_OK where nothing may be stored. False: no memory.
 */
bool fob_offer_judge(fob_offer_t *self, fob_status_t status);
/* Whether none of the sheet's events is a duplicate; false also where memory lacks. */
bool fob_offer_new(fob_offer_t *self);

/* --- store.c --- */

/* Stores what is to be stored, and remembers what was refused. `effects` of the open turn are
 * reserved already, and stay so. FOB_OK; FOB_NO_MEMORY: nothing changed. */
fob_status_t fob_offer_store(fob_offer_t *self, size_t effects) FOB_MUST_USE;

/* --- receipt.c --- */

/* The rows of the answer, being written. */
typedef struct {
    fob_core_t *core;
    uint64_t conn, after;
    uint8_t *area;
    uint32_t rows, effects_left; /* of what is not sent yet; of those reserved */
    uint64_t row[5];             /* the last, not encoded yet; row[2] (count) 0: none */
    uint32_t flags;
    fob_group_t *group;
} fob_receipt_t;

#define FOB_RECEIPT_ROW 72 /* bytes of a row, but for the details of a refusal, at most */

/* Bytes of the details that tell of the group, at most. */
size_t fob_receipt_details(const fob_group_t *group);
/* Bytes of those that tell that there is no room for a session, at most. */
#define FOB_RECEIPT_CROWDED 320
/* How many effects so many rows of so many bytes may take. */
size_t fob_receipt_effects(size_t rows, size_t bytes);
/* Room for them, in the open turn; false: no memory. */
bool fob_receipt_reserve(fob_receipt_t *self, fob_core_t *core, uint64_t conn, size_t rows,
                         size_t bytes);
void fob_receipt_add(fob_receipt_t *self, fob_status_t status, const fob_answer_t *answer,
                     fob_group_t *group);
/* Adds what the session remembers of the numbers: it has an answer to each of them. */
void fob_receipt_known(fob_receipt_t *self, const uint8_t *session, uint64_t number,
                       uint64_t count);
void fob_receipt_end(fob_receipt_t *self);

#endif
