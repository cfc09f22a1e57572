/* rehearse: what a start on a folder would do, without doing it: all that it would check is
 * checked, and what it would replay is shown. One thread. */
#ifndef FOB_JOURNAL_REHEARSE_H
#define FOB_JOURNAL_REHEARSE_H

#include "bus/journal/journal.h"

/* Of a folder that is not in use. OK; or what the start would say, in *error. */
fob_journal_code_t fob_journal_rehearse(const char *folder, const fob_replay_t *to,
                                        fob_journal_error_t *error);

#endif
