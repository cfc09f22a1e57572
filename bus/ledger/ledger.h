/* ledger: the core, its journal and the outbox between them: what is decided, made durable and then
 * let out.
 *
 * The shell around the core that knows no socket: it reserves room before the core is told of a
 * publish, appends each turn as one commit, answers the core's needs by pages, takes checkpoints in
 * slices and trims. One thread at a time. */
#ifndef FOB_LEDGER_H
#define FOB_LEDGER_H

#include "bus/core/core.h"
#include "bus/journal/journal.h"

typedef struct fob_ledger fob_ledger_t;

/* One line of news for the operator. */
typedef void(fob_log_fn)(void *arg, const char *line);

/* What a journal's code is called outside. */
fob_status_t fob_ledger_status(fob_journal_code_t code);

/* Replays the journal into a new core and starts it. Takes the journal: on failure it is closed.
 * NULL: `status` (DAMAGED, DISK_FAILED, NO_MEMORY) and `text` say why. */
fob_ledger_t *fob_ledger_new(fob_journal_t *journal, const fob_core_config_t *config, fob_now_t now,
                             fob_log_fn *log, void *log_arg, fob_status_t *status, char *text,
                             size_t size);
/* Closes the journal (which makes everything durable), frees. Nulls; null-safe. */
void fob_ledger_destroy(fob_ledger_t **self_p);

/* Tells the core one command; a publish for which no room can be had is told with its refusal.
 * Statuses as of fob_core_step. */
fob_status_t fob_ledger_step(fob_ledger_t *self, fob_now_t now,
                             const fob_command_t *command) FOB_MUST_USE;

/* Ends the turn: appends its records. FOB_OK, FOB_NO_MEMORY (the ledger must be given up: what it
 * decided cannot be held). */
fob_status_t fob_ledger_turn(fob_ledger_t *self, fob_now_t now) FOB_MUST_USE;

/* Readable when the journal has news; then call fob_ledger_news: FOB_OK; FOB_DISK_FAILED for good,
 * with the reason in `text`; FOB_NO_MEMORY. */
int fob_ledger_fd(const fob_ledger_t *self);
fob_status_t fob_ledger_news(fob_ledger_t *self, fob_now_t now, char *text,
                             size_t size) FOB_MUST_USE;

/* The next effect to perform (never a NEED: those are its own); NULL: none now. Good until the next
 * call. */
const fob_effect_t *fob_ledger_next(fob_ledger_t *self, fob_now_t now);

/* What is done between turns, right after fob_ledger_turn: a slice of a checkpoint, trimming, needs
 * asked again, and last TICK when it is due (which begins the next turn: see the deadline). */
fob_status_t fob_ledger_tidy(fob_ledger_t *self, fob_now_t now) FOB_MUST_USE;
/* When tidy is wanted (mono_ns). */
int64_t fob_ledger_deadline(const fob_ledger_t *self);

/* Asks the journal for a page of about so many bytes from an offset on, which is at most the
 * highest durable one, for somebody who is no group. One at a time. False: not now, as groups wait
 * for theirs, or the system refused. */
bool fob_ledger_read(fob_ledger_t *self, fob_now_t now, uint64_t offset, uint32_t bytes);
/* What came of it, with its memory, whatever its code. False: nothing yet. */
bool fob_ledger_past(fob_ledger_t *self, fob_page_t *out);

/* Everything decided is durable, and nothing was decided since the last turn. */
bool fob_ledger_at_rest(const fob_ledger_t *self);
/* A whole checkpoint, at the end. False: it could not be had, as where it is not at rest (the next
 * start replays more). */
bool fob_ledger_checkpoint(fob_ledger_t *self);

fob_core_t *fob_ledger_core(fob_ledger_t *self);
/* The highest durable offset; the last number durably stored for a session (FOB_SESSION_SIZE bytes;
 * NULL: 0). */
uint64_t fob_ledger_head(const fob_ledger_t *self);
uint64_t fob_ledger_last(fob_ledger_t *self, const uint8_t *session);
uint64_t fob_ledger_epoch(const fob_ledger_t *self);
/* The highest offset that is as it was under that epoch; 0: under the one before. */
uint64_t fob_ledger_began(const fob_ledger_t *self, uint64_t epoch);
const char *fob_ledger_level(const fob_ledger_t *self);
/* Bytes of journal that a group pins which needs all from that offset on. */
uint64_t fob_ledger_pinned(const fob_ledger_t *self, uint64_t floor);
void fob_ledger_journal(const fob_ledger_t *self, fob_journal_stats_t *out);

#endif
