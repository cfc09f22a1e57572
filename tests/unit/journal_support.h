/* What the journal's tests share: folders of their own, appending, waiting for a condition, reading
 * pages. */
#ifndef FOB_TESTS_JOURNAL_SUPPORT_H
#define FOB_TESTS_JOURNAL_SUPPORT_H

#include "tests/support/case.h"

#include "bus/journal/disk.h"
#include "bus/journal/file.h"
#include "bus/journal/journal.h"

#define WAIT_MS 60000

/* A new folder under /tmp, gone with folder_remove. */
char *folder_new(void);
void folder_remove(char **folder_p);
/* FOLDER/name, freed by the caller. */
char *folder_file(const char *folder, const char *name);
/* The only file of `folder` with that suffix, or the index-th in order; NULL: none. Freed by the
 * caller. */
char *folder_nth(const char *folder, const char *suffix, size_t index);
/* A copy of a whole folder; freed by folder_remove. */
char *folder_copy(const char *folder);

void file_read_at(const char *path, uint64_t at, void *data, size_t size);
void file_write_at(const char *path, uint64_t at, const void *data, size_t size);
uint64_t file_size(const char *path);

/* Small segments, the journal's texts kept in `journal_log`. */
fob_file_options_t small_options(const char *folder);
/* What the journal logged since folder_new. */
extern char journal_log[8192];
const char *journal_log_now(void); /* a copy, while its threads may still log */

fob_journal_t *open_ok(const fob_file_options_t *options);
/* A record of `count` events and `size` bytes that can be told from every other: filled from its
 * offset. */
uint64_t put_events(fob_journal_t *journal, uint64_t offset, uint32_t count, size_t size,
                    bool sync);
/* Reserve until granted, then put_events. */
uint64_t put_reserved(fob_journal_t *journal, uint64_t offset, uint32_t count, size_t size);
/* Waits until `position` is durable; false: the journal failed or it took too long. */
bool wait_durable(fob_journal_t *journal, uint64_t position);
/* Waits for news: the descriptor, at most WAIT_MS. */
bool wait_news(fob_journal_t *journal);
/* Waits until there are so many segments: the journal makes some ahead, and no more then. */
void wait_segments(fob_journal_t *journal, uint64_t count);
/* Makes the epoch file say that the run was killed, and that nothing was durable before it. */
void epoch_forget(const char *folder);
/* One turn of a loop that waits for a condition which rings no bell. */
void wait_turn(void);
/* A whole checkpoint of one slice; waits until it counts. */
void take_checkpoint(fob_journal_t *journal, uint64_t position, const char *text);
/* Gives back every buffer that put_events made. */
void forget_events(void);

/* Asks and waits. */
fob_page_t read_page(fob_journal_t *journal, uint64_t offset, size_t max_bytes);
/* Whether the bytes are what put_events wrote for that offset. */
bool is_events(const fob_stored_t *stored, size_t size);

/* Replay that checks: positions without a gap, and what put_events wrote. */
typedef struct {
    uint64_t records, last_position, last_offset, slices;
    char slice_text[1024];
} seen_t;
fob_journal_code_t replay_into(fob_journal_t *journal, seen_t *seen, fob_journal_error_t *error);

#endif
