/* salvage: gets back what is whole of a damaged folder, into a new one that a bus can serve; and
 * tries whether a folder can be served. For `fob journal`. One thread. */
#ifndef FOB_SALVAGE_H
#define FOB_SALVAGE_H

#include "bus/journal/salvage.h"

typedef struct {
    uint64_t events, commits; /* that were read */
    uint64_t first, last;     /* offsets of the events; 0: none */
    uint64_t losses;          /* that were told */
    uint64_t groups;
    uint64_t unused; /* records that say nothing without those that are lost */
    bool anew;       /* records of the groups' state are lost: their books begin anew */
} fob_salvaged_t;

typedef struct {
    void (*lost)(void *arg, const fob_loss_t *loss);
    void *arg;
} fob_salvage_news_t;

/* `to` is an empty folder. OK; IN_USE, NEWER, DAMAGED, SYSTEM, FULL, FAILED, MEMORY with *error:
 * then what is in `to` is good for nothing. */
fob_journal_code_t fob_salvage(const char *folder, const char *to, const fob_salvage_news_t *news,
                               fob_salvaged_t *out, fob_journal_error_t *error);

/* Replays a folder that is not in use, as a start would, and changes nothing. *hash (may be NULL):
 * of the state that a bus would have. OK, or what the start would say in *error. */
fob_journal_code_t fob_salvage_try(const char *folder, uint64_t *hash, fob_journal_error_t *error);

#endif
