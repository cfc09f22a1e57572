#include "bus/salvage/transcript.h"

#include "bus/core/durable/record.h"
#include "bus/journal/begin.h"
#include "bus/journal/file.h"
#include "proto/buf.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#define COMMIT_BYTES ((size_t)256 * 1024)
#define LOOK_MS      10   /* how often room and durability are looked at */
#define LOOKS        1000 /* without room, until it is given up: segments are made in less */

typedef struct {
    uint64_t first_offset;
    uint32_t count;
    size_t at, size;
} row_t;

struct fob_transcript {
    fob_journal_t *journal;
    fob_buf_t bytes; /* of the commit being gathered */
    row_t *rows;
    size_t row_count, row_room;
    uint64_t position;
};

static const fob_journal_ops_t *ops(const fob_transcript_t *self) {
    return self->journal->ops;
}

static fob_journal_code_t fail(fob_journal_error_t *error, fob_journal_code_t code,
                               const char *text) {
    error->code = code;
    snprintf(error->text, sizeof error->text, "%s", text);
    return code;
}

static fob_journal_code_t no_memory(fob_journal_error_t *error) {
    return fail(error, FOB_JOURNAL_MEMORY, "There is no memory for it.");
}

fob_transcript_t *fob_transcript_new(const char *folder, uint64_t epoch,
                                     fob_journal_error_t *error) {
    if (fob_journal_begin(folder, epoch, 0, 0, 0, error) != FOB_JOURNAL_OK)
        return NULL;
    fob_transcript_t *self = calloc(1, sizeof *self);
    if (!self) {
        no_memory(error);
        return NULL;
    }
    const fob_file_options_t options = {.folder = folder};
    self->journal = fob_journal_file_open(&options, error);
    if (!self->journal)
        fob_transcript_destroy(&self);
    return self;
}

void fob_transcript_destroy(fob_transcript_t **self_p) {
    fob_transcript_t *self = *self_p;
    if (!self)
        return;
    if (self->journal)
        ops(self)->close(&self->journal);
    fob_buf_free(&self->bytes);
    free(self->rows);
    free(self);
    *self_p = NULL;
}

/* Until the journal has news, or a moment has passed. */
static fob_journal_code_t look(fob_transcript_t *self, fob_journal_error_t *error) {
    struct pollfd news = {.fd = ops(self)->fd(self->journal), .events = POLLIN};
    poll(&news, 1, LOOK_MS);
    ops(self)->clear(self->journal);
    return ops(self)->health(self->journal, error);
}

static fob_journal_code_t wait_room(fob_transcript_t *self, size_t bytes,
                                    fob_journal_error_t *error) {
    fob_journal_code_t code = FOB_JOURNAL_OK;
    for (unsigned i = 0; code == FOB_JOURNAL_OK && !ops(self)->reserve(self->journal, bytes); i++) {
        if (i == LOOKS)
            return fail(error, FOB_JOURNAL_FULL,
                        "There is no room for it: free some, or take another disk.");
        code = look(self, error);
    }
    return code;
}

static fob_journal_code_t wait_durable(fob_transcript_t *self, fob_journal_error_t *error) {
    fob_journal_code_t code = FOB_JOURNAL_OK;
    while (code == FOB_JOURNAL_OK && ops(self)->durable(self->journal) < self->position)
        code = look(self, error);
    return code;
}

static fob_journal_code_t append(fob_transcript_t *self, const fob_entry_t *entries, size_t count,
                                 size_t bytes, fob_journal_error_t *error) {
    fob_journal_code_t code = wait_room(self, bytes, error);
    if (code != FOB_JOURNAL_OK)
        return code;
    self->position = ops(self)->append(self->journal, entries, count, true);
    return wait_durable(self, error);
}

/* Writes what is gathered as one commit. */
static fob_journal_code_t flush(fob_transcript_t *self, fob_journal_error_t *error) {
    if (self->row_count == 0)
        return FOB_JOURNAL_OK;
    fob_entry_t *entries = calloc(self->row_count, sizeof *entries);
    if (!entries)
        return no_memory(error);
    for (size_t i = 0; i < self->row_count; i++)
        entries[i] = (fob_entry_t){self->rows[i].first_offset,
                                   self->rows[i].count,
                                   1,
                                   {{self->bytes.data + self->rows[i].at, self->rows[i].size}}};
    fob_journal_code_t code = append(self, entries, self->row_count, self->bytes.size, error);
    free(entries);
    fob_buf_clear(&self->bytes);
    self->row_count = 0;
    return code;
}

static bool row_room(fob_transcript_t *self) {
    if (self->row_count < self->row_room)
        return true;
    size_t room = self->row_room ? 2 * self->row_room : 64;
    row_t *rows = realloc(self->rows, room * sizeof *rows);
    if (!rows)
        return false;
    self->rows = rows;
    self->row_room = room;
    return true;
}

fob_journal_code_t fob_transcript_record(fob_transcript_t *self, const fob_stored_t *record,
                                         fob_journal_error_t *error) {
    if (!row_room(self))
        return no_memory(error);
    self->rows[self->row_count++] =
        (row_t){record->first_offset, record->count, self->bytes.size, record->size};
    fob_buf_put(&self->bytes, record->data, record->size);
    if (self->bytes.failed)
        return no_memory(error);
    return self->bytes.size >= COMMIT_BYTES ? flush(self, error) : FOB_JOURNAL_OK;
}

/* A record that changes nothing: the end of a session that there is not. A checkpoint needs a
 * commit to stand on. */
static fob_journal_code_t append_nothing(fob_transcript_t *self, fob_journal_error_t *error) {
    uint8_t bytes[FOB_RECORD_FORGET_SIZE + FOB_SESSION_SIZE];
    static const uint8_t nobody[FOB_SESSION_SIZE];
    const uint8_t *const sessions[] = {nobody};
    fob_record_write_forget(bytes, sessions, 1);
    return append(self, &(fob_entry_t){0, 0, 1, {{bytes, sizeof bytes}}}, 1, sizeof bytes, error);
}

static fob_journal_code_t checkpoint(fob_transcript_t *self, fob_core_t *core,
                                     fob_journal_error_t *error) {
    fob_buf_t slice = {0};
    fob_journal_stats_t stats = {0};
    fob_journal_code_t code = ops(self)->checkpoint_begin(self->journal, self->position);
    bool more = true;
    fob_core_checkpoint_begin(core);
    while (code == FOB_JOURNAL_OK && more) {
        more = fob_core_checkpoint_next(core, &slice);
        if (slice.failed)
            code = FOB_JOURNAL_MEMORY;
        else if (slice.size)
            code = ops(self)->checkpoint_slice(self->journal, slice.data, slice.size);
    }
    fob_buf_free(&slice);
    if (code == FOB_JOURNAL_OK)
        code = ops(self)->checkpoint_finish(self->journal);
    if (code == FOB_JOURNAL_MEMORY)
        return no_memory(error);
    while (code == FOB_JOURNAL_OK && stats.checkpoint_position != self->position) {
        if (ops(self)->checkpoint_due(self->journal)) /* it failed, and is due again */
            code = FOB_JOURNAL_FAILED;
        else
            code = look(self, error);
        ops(self)->stats(self->journal, &stats);
    }
    return code == FOB_JOURNAL_OK || error->text[0]
               ? code
               : fail(error, code, "The state of the groups could not be written.");
}

/* Two of them, as a folder has that was used for long: one may turn out bad. */
fob_journal_code_t fob_transcript_end(fob_transcript_t *self, fob_core_t *core, fob_now_t now,
                                      fob_journal_error_t *error) {
    fob_journal_code_t code = flush(self, error);
    if (code == FOB_JOURNAL_OK)
        code = append_nothing(self, error);
    fob_core_start(core, now, self->position);
    for (unsigned i = 0; i < 2 && code == FOB_JOURNAL_OK; i++) {
        code = i == 0 ? FOB_JOURNAL_OK : append_nothing(self, error);
        if (code == FOB_JOURNAL_OK)
            code = checkpoint(self, core, error);
    }
    return code;
}
