#include "bus/salvage/salvage.h"

#include "bus/core/durable/salvage.h"
#include "bus/host/clock.h"
#include "bus/journal/begin.h"
#include "bus/journal/rehearse.h"
#include "bus/salvage/transcript.h"
#include "bus/settings/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

/* Nothing may be dropped for a limit that the bus had set higher. */
#define IDS_MOST       UINT32_MAX
#define WINDOW_MOST_MS (INT64_C(10) * 366 * 24 * 3600 * 1000)
#define SESSIONS_MOST  UINT32_MAX
#define GROUPS_MOST    UINT32_MAX

typedef struct {
    uint64_t from, to;
} range_t;

typedef struct {
    fob_core_t *core;
    const char *to;
    const fob_salvage_news_t *news;
    fob_salvaged_t *out;
    fob_journal_error_t *error;
    fob_transcript_t *transcript;
    uint64_t epoch, checkpoint, position;
    range_t *ranges; /* of events that are lost */
    size_t range_count, range_room;
} salvage_t;

static bool fail(salvage_t *self, fob_journal_code_t code, const char *text) {
    self->error->code = code;
    snprintf(self->error->text, sizeof self->error->text, "%s", text);
    return false;
}

static const char no_memory_text[] = "There is no memory for it.";

static bool no_memory(salvage_t *self) {
    return fail(self, FOB_JOURNAL_MEMORY, no_memory_text);
}

/* What the core does not take. */
static bool refuse(salvage_t *self, fob_status_t status) {
    if (status == FOB_NO_MEMORY)
        return no_memory(self);
    return fail(self, status == FOB_FOLDER_NEWER ? FOB_JOURNAL_NEWER : FOB_JOURNAL_DAMAGED,
                fob_core_error(self->core));
}

static fob_core_t *new_core(void) {
    fob_settings_t settings;
    const fob_bus_options_t options = FOB_BUS_OPTIONS;
    char text[256];
    if (fob_settings_fill(&settings, &options, text, sizeof text) != FOB_OK)
        return NULL;
    fob_settings_disk(&settings, UINT64_MAX / 4);
    settings.core.dedup_max = IDS_MOST;
    settings.core.dedup_window_ms = WINDOW_MOST_MS;
    settings.core.max_sessions = SESSIONS_MOST;
    settings.core.max_groups = GROUPS_MOST;
    if (getrandom(&settings.core.seed, sizeof settings.core.seed, 0) !=
        (ssize_t)sizeof settings.core.seed)
        return NULL;
    return fob_core_new(&settings.core);
}

/* --- what is told of the old folder --- */

static bool on_begin(void *arg, uint64_t epoch, uint64_t checkpoint) {
    salvage_t *self = arg;
    self->epoch = epoch;
    self->checkpoint = checkpoint;
    self->transcript = fob_transcript_new(self->to, epoch, self->error);
    return self->transcript != NULL;
}

static bool on_slice(void *arg, const uint8_t *data, size_t size) {
    salvage_t *self = arg;
    fob_status_t status = fob_core_load(self->core, fob_slice(data, size));
    return status == FOB_OK || refuse(self, status);
}

/* As a start replays it, as long as nothing is missing. */
static fob_status_t replay(salvage_t *self, const fob_stored_t *record, bool *used) {
    fob_slice_t bytes = fob_slice(record->data, record->size);
    *used = true;
    if (!self->out->anew) {
        fob_status_t status = fob_core_replay(self->core, record->position, bytes);
        if (status != FOB_DAMAGED)
            return status;
        self->out->anew = true;
    }
    return fob_core_salvage_record(self->core, record->position, bytes, used);
}

static bool on_record(void *arg, const fob_stored_t *record) {
    salvage_t *self = arg;
    fob_salvaged_t *out = self->out;
    bool used;
    fob_status_t status = replay(self, record, &used);
    if (status != FOB_OK)
        return refuse(self, status);
    out->unused += !used;
    out->commits += record->position != self->position;
    self->position = record->position;
    if (record->count == 0)
        return true;
    out->events += record->count;
    if (out->first == 0)
        out->first = record->first_offset;
    out->last = record->first_offset + record->count - 1;
    return fob_transcript_record(self->transcript, record, self->error) == FOB_JOURNAL_OK;
}

static bool keep_range(salvage_t *self, uint64_t from, uint64_t to) {
    if (self->range_count == self->range_room) {
        size_t room = self->range_room ? 2 * self->range_room : 16;
        range_t *ranges = realloc(self->ranges, room * sizeof *ranges);
        if (!ranges)
            return no_memory(self);
        self->ranges = ranges;
        self->range_room = room;
    }
    self->ranges[self->range_count++] = (range_t){from, to};
    return true;
}

static bool on_lost(void *arg, const fob_loss_t *loss) {
    salvage_t *self = arg;
    self->out->losses++;
    if (self->news->lost)
        self->news->lost(self->news->arg, loss);
    if (loss->first != 0 && loss->last > self->checkpoint) {
        self->out->anew = true;
        fob_core_salvage_hole(self->core, loss->last_offset);
    }
    return loss->first_offset == 0 || keep_range(self, loss->first_offset, loss->last_offset);
}

/* --- the new one --- */

/* New books, where the old ones cannot be told any more. Without, the bus itself makes dead letters
 * of what it finds missing. */
static bool begin_anew(salvage_t *self) {
    for (size_t i = 0; i < self->range_count; i++)
        if (fob_core_salvage_lost(self->core, self->ranges[i].from, self->ranges[i].to) != FOB_OK)
            return no_memory(self);
    fob_core_salvage_end(self->core);
    return true;
}

static bool write_all(salvage_t *self, uint64_t *hash) {
    if (fob_core_replayed(self->core) != FOB_OK) /* as a start would */
        self->out->anew = true;
    if (self->out->anew && !begin_anew(self))
        return false;
    self->out->groups = fob_core_group_count(self->core);
    if (fob_transcript_end(self->transcript, self->core, fob_clock_now(), self->error) !=
        FOB_JOURNAL_OK)
        return false;
    *hash = fob_core_hash(self->core);
    return true;
}

/* Whether a start makes of the new folder what was written into it. */
static fob_journal_code_t check(const salvage_t *self, uint64_t hash) {
    uint64_t replayed = 0;
    fob_journal_code_t code = fob_salvage_try(self->to, &replayed, self->error);
    if (code != FOB_JOURNAL_OK || hash == replayed)
        return code;
    snprintf(self->error->text, sizeof self->error->text,
             "%s does not replay to what was written: this is a mistake in fob.", self->to);
    return self->error->code = FOB_JOURNAL_DAMAGED;
}

fob_journal_code_t fob_salvage(const char *folder, const char *to, const fob_salvage_news_t *news,
                               fob_salvaged_t *out, fob_journal_error_t *error) {
    fob_journal_error_t stopped = {0};
    salvage_t self = {.core = new_core(), .to = to, .news = news, .out = out, .error = &stopped};
    const fob_salvage_to_t receiver = {on_begin, on_slice, on_record, on_lost, &self};
    uint64_t hash = 0;
    *out = (fob_salvaged_t){0};
    *error = (fob_journal_error_t){0};
    if (!self.core) {
        fail(&self, FOB_JOURNAL_MEMORY, no_memory_text);
        *error = stopped;
        return FOB_JOURNAL_MEMORY;
    }
    fob_journal_code_t code = fob_journal_salvage(folder, &receiver, error);
    bool done = code == FOB_JOURNAL_OK && write_all(&self, &hash);
    fob_transcript_destroy(&self.transcript);
    if (done)
        fob_journal_descend(to, folder, self.epoch, out->last);
    if (done)
        code = check(&self, hash);
    else if (code == FOB_JOURNAL_OK || stopped.code != FOB_JOURNAL_OK)
        code = stopped.code;
    if (stopped.code != FOB_JOURNAL_OK)
        *error = stopped;
    fob_core_destroy(&self.core);
    free(self.ranges);
    return code;
}

/* --- a try --- */

typedef struct {
    fob_core_t *core;
    fob_status_t status;
} try_t;

static bool try_slice(void *arg, const uint8_t *data, size_t size) {
    try_t *self = arg;
    self->status = fob_core_load(self->core, fob_slice(data, size));
    return self->status == FOB_OK;
}

static bool try_record(void *arg, const fob_stored_t *record) {
    try_t *self = arg;
    self->status =
        fob_core_replay(self->core, record->position, fob_slice(record->data, record->size));
    return self->status == FOB_OK;
}

fob_journal_code_t fob_salvage_try(const char *folder, uint64_t *hash, fob_journal_error_t *error) {
    try_t self = {.core = new_core(), .status = FOB_NO_MEMORY};
    const fob_replay_t to = {try_slice, try_record, &self};
    fob_journal_code_t code = FOB_JOURNAL_MEMORY;
    if (self.core) {
        self.status = FOB_OK;
        code = fob_journal_rehearse(folder, &to, error);
    }
    if (code == FOB_JOURNAL_OK && (self.status = fob_core_replayed(self.core)) != FOB_OK)
        code = error->code = FOB_JOURNAL_DAMAGED;
    if (self.status == FOB_NO_MEMORY) {
        snprintf(error->text, sizeof error->text, "%s", no_memory_text);
        code = error->code = FOB_JOURNAL_MEMORY;
    } else if (self.status == FOB_FOLDER_NEWER) {
        code = error->code = FOB_JOURNAL_NEWER;
    }
    if (self.status != FOB_OK && self.status != FOB_NO_MEMORY && *fob_core_error(self.core)) {
        snprintf(error->text, sizeof error->text, "The journal cannot be replayed: %s.",
                 fob_core_error(self.core));
    }
    if (code == FOB_JOURNAL_OK && hash)
        *hash = fob_core_hash(self.core);
    fob_core_destroy(&self.core);
    return code;
}
