/* salvage: reads all that is whole of a folder, however damaged it is, and says what is not.
 *
 * What recovery refuses is passed over here: each commit carries its own checksum, so one that is
 * whole is what was written, whatever is wrong before and behind it. Nothing in the folder is
 * changed, not even its lock file. One thread. */
#ifndef FOB_JOURNAL_SALVAGE_H
#define FOB_JOURNAL_SALVAGE_H

#include "bus/journal/journal.h"

/* Something that is not there any more. Told before the records that follow it. */
typedef struct {
    const char *file;     /* its name in the folder; good during the call */
    uint64_t at, end;     /* the bytes of it that are damaged; both 0: all of it */
    uint64_t first, last; /* positions of the commits that are missing; first 0: none, or not known
                             here: they are told at the next place */
    uint64_t first_offset, last_offset; /* of their events; first_offset 0: none, or not known */
    bool proven; /* it is known that there was something; otherwise it may be a tail that was torn
                    before anybody was told of it */
    const char *text; /* what is wrong there */
} fob_loss_t;

typedef struct {
    /* First: the epoch of the folder's offsets, as far as it can be known; and the position of the
     * checkpoint that is used, 0: none. False stops it. */
    bool (*begin)(void *arg, uint64_t epoch, uint64_t checkpoint);
    bool (*slice)(void *arg, const uint8_t *data, size_t size); /* of that checkpoint, in order */
    bool (*record)(void *arg, const fob_stored_t *record); /* of every whole commit, in order */
    bool (*lost)(void *arg, const fob_loss_t *loss);
    void *arg;
} fob_salvage_to_t;

/* Takes a shared lock on the folder meanwhile. OK; IN_USE, NEWER, SYSTEM, MEMORY with *error;
 * DAMAGED without a text: stopped by one that returned false. */
fob_journal_code_t fob_journal_salvage(const char *folder, const fob_salvage_to_t *to,
                                       fob_journal_error_t *error);

#endif
