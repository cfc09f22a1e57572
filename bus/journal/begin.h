/* begin: a folder whose journal begins where another's ends. One thread. */
#ifndef FOB_JOURNAL_BEGIN_H
#define FOB_JOURNAL_BEGIN_H

#include "bus/journal/journal.h"

/* Writes the epoch file of a folder that holds segments `lowest` to `highest` (0: none yet), all up
 * to `position` whole: offsets were given under `epoch` and may be given again, so a start takes a
 * new one. OK, SYSTEM, MEMORY with *error. */
fob_journal_code_t fob_journal_begin(const char *folder, uint64_t epoch, uint64_t position,
                                     uint64_t lowest, uint64_t highest, fob_journal_error_t *error);

/* Says in a folder that no bus has open that its offsets up to `upto` are as they were under
 * `epoch`, that of the folder `from`: a subscriber of that one then goes on behind them. Where this
 * is not sure, as what `from` tells of its epoch is lost, or cannot be written, nothing is said,
 * and subscribers get events again. */
void fob_journal_descend(const char *folder, const char *from, uint64_t epoch, uint64_t upto);

/* What the folder `from`, of that epoch, knows of the epochs before it is written into another that
 * goes on under the same one. Where it is not sure, or cannot be written, as above. */
void fob_journal_inherit(const char *folder, const char *from, uint64_t epoch);

#endif
