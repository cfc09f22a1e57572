/* transcript: writes a journal anew from the records with events of an old one, and the state of a
 * core. What a replay of it begins with is a checkpoint, so no other record of the old one is
 * needed. One thread. */
#ifndef FOB_SALVAGE_TRANSCRIPT_H
#define FOB_SALVAGE_TRANSCRIPT_H

#include "bus/core/core.h"
#include "bus/journal/journal.h"

typedef struct fob_transcript fob_transcript_t;

/* Makes the folder's journal; its offsets will have another epoch than `epoch`. NULL: *error says
 * why. */
fob_transcript_t *fob_transcript_new(const char *folder, uint64_t epoch,
                                     fob_journal_error_t *error);

/* A record with events, at their own offsets, which only grow. Its bytes are copied. OK, FULL,
 * FAILED, MEMORY with *error. */
fob_journal_code_t fob_transcript_record(fob_transcript_t *self, const fob_stored_t *record,
                                         fob_journal_error_t *error);

/* The end: starts the core behind the last record (`now`), and writes its state. As above. */
fob_journal_code_t fob_transcript_end(fob_transcript_t *self, fob_core_t *core, fob_now_t now,
                                      fob_journal_error_t *error);

/* Closes it. Nulls; null-safe. */
void fob_transcript_destroy(fob_transcript_t **self_p);

#endif
