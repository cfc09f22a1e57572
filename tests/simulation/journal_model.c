#include "journal_model.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *got(void *memory) {
    if (memory == NULL)
        abort(); /* a test's model, not the journal */
    return memory;
}

void model_free(model_t *self) {
    free(self->commits);
    free(self->checkpoints);
    *self = (model_t){0};
}

void model_fail(model_t *self, const char *format, ...) {
    if (model_failed(self))
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(self->failure, sizeof self->failure, format, args);
    va_end(args);
}

/* --- commits --- */

static uint64_t bytes_seed(uint64_t stamp, unsigned entry) {
    return stamp * 8 + entry;
}

static bool same_bytes(uint64_t seed, const void *data, size_t size) {
    sim_random_t random = sim_random_new(seed);
    const uint8_t *at = data;
    while (size > 0) {
        uint8_t part[64];
        size_t step = size < sizeof part ? size : sizeof part;
        sim_random_fill(&random, part, step);
        if (memcmp(at, part, step) != 0)
            return false;
        at += step;
        size -= step;
    }
    return true;
}

uint64_t model_next_offset(const model_t *self) {
    return self->count == 0 ? 1 : self->commits[self->count - 1].next_offset;
}

static model_commit_t *new_commit(model_t *self) {
    if (self->count == self->capacity) {
        self->capacity = self->capacity == 0 ? 256 : self->capacity * 2;
        self->commits = got(realloc(self->commits, self->capacity * sizeof *self->commits));
    }
    uint64_t next = model_next_offset(self);
    model_commit_t *commit = &self->commits[self->count++];
    *commit = (model_commit_t){.stamp = ++self->stamps, .next_offset = next};
    return commit;
}

static void choose_entry(model_commit_t *commit, unsigned i, sim_random_t *random, size_t most,
                         bool even) {
    bool events = even || !sim_random_once(random, 4);
    uint64_t skipped = !even && sim_random_once(random, 16) ? sim_random_below(random, 5) : 0;
    uint32_t count = even ? 1 : (uint32_t)sim_random_between(random, 1, 20);
    commit->entries[i].count = events ? count : 0;
    commit->entries[i].first_offset = events ? commit->next_offset + skipped : 0;
    commit->entries[i].size =
        even ? most : (size_t)sim_random_below(random, most / commit->entry_count + 1);
    if (events)
        commit->next_offset = commit->entries[i].first_offset + count;
}

size_t model_append(model_t *self, sim_random_t *random, size_t most, bool even,
                    fob_entry_t *entries, void **memory) {
    model_commit_t *commit = new_commit(self);
    size_t total = 0, at = 0;
    commit->entry_count = even ? 1 : (unsigned)sim_random_between(random, 1, MODEL_ENTRIES);
    for (unsigned i = 0; i < commit->entry_count; i++) {
        choose_entry(commit, i, random, most, even);
        total += commit->entries[i].size;
    }
    uint8_t *bytes = *memory = got(malloc(total + 1));
    for (unsigned i = 0; i < commit->entry_count; i++) {
        size_t size = commit->entries[i].size, half = sim_random_below(random, size + 1);
        sim_random_t fill = sim_random_new(bytes_seed(commit->stamp, i));
        sim_random_fill(&fill, bytes + at, size);
        entries[i] = (fob_entry_t){.first_offset = commit->entries[i].first_offset,
                                   .count = commit->entries[i].count,
                                   .part_count = 2,
                                   .parts = {{bytes + at, half}, {bytes + at + half, size - half}}};
        at += size;
    }
    return commit->entry_count;
}

static bool check_entry(model_t *self, const fob_stored_t *stored, unsigned entry) {
    const model_commit_t *commit = &self->commits[stored->position - 1];
    if (stored->first_offset == commit->entries[entry].first_offset &&
        stored->count == commit->entries[entry].count &&
        stored->size == commit->entries[entry].size &&
        same_bytes(bytes_seed(commit->stamp, entry), stored->data, stored->size))
        return true;
    model_fail(self,
               "position %" PRIu64 ", entry %u is not what was appended: offset %" PRIu64
               ", %" PRIu32 " events, %zu bytes",
               stored->position, entry, stored->first_offset, stored->count, stored->size);
    return false;
}

/* --- checkpoints --- */

uint64_t model_checkpoint_begin(model_t *self, uint64_t position) {
    if (self->checkpoint_count == self->checkpoint_capacity) {
        self->checkpoint_capacity =
            self->checkpoint_capacity == 0 ? 16 : self->checkpoint_capacity * 2;
        self->checkpoints =
            got(realloc(self->checkpoints, self->checkpoint_capacity * sizeof *self->checkpoints));
    }
    self->checkpoints[self->checkpoint_count++] =
        (model_checkpoint_t){.position = position, .stamp = ++self->stamps};
    return self->stamps;
}

static size_t slice_size(uint64_t stamp, uint64_t index) {
    sim_random_t random = sim_random_new(stamp * 1000 + index);
    return 16 + (size_t)sim_random_skewed(&random, 12000);
}

/* Its stamp and index, then bytes that follow from them. */
void *model_slice(model_t *self, size_t *size) {
    model_checkpoint_t *checkpoint = &self->checkpoints[self->checkpoint_count - 1];
    uint64_t index = checkpoint->slices++;
    *size = slice_size(checkpoint->stamp, index);
    uint8_t *data = got(malloc(*size));
    sim_random_t random = sim_random_new(checkpoint->stamp + index);
    memcpy(data, &checkpoint->stamp, 8);
    memcpy(data + 8, &index, 8);
    sim_random_fill(&random, data + 16, *size - 16);
    return data;
}

static const model_checkpoint_t *find_checkpoint(const model_t *self, uint64_t stamp) {
    for (size_t i = 0; i < self->checkpoint_count; i++)
        if (self->checkpoints[i].stamp == stamp)
            return &self->checkpoints[i];
    return NULL;
}

/* --- replay --- */

static bool replay_slice(void *arg, const uint8_t *data, size_t size) {
    model_replay_t *self = arg;
    uint64_t stamp = 0, index = 0;
    if (size >= 16) {
        memcpy(&stamp, data, 8);
        memcpy(&index, data + 8, 8);
    }
    const model_checkpoint_t *checkpoint = find_checkpoint(self->model, stamp);
    if (checkpoint == NULL || index != self->slices || (index > 0 && stamp != self->stamp) ||
        size != slice_size(stamp, index) || !same_bytes(stamp + index, data + 16, size - 16)) {
        model_fail(self->model, "slice %" PRIu64 " is not what a checkpoint was given",
                   self->slices);
        return false;
    }
    self->stamp = stamp;
    self->position = checkpoint->position;
    self->slices++;
    return true;
}

/* The commit that is shown is complete, and the next one begins. */
static bool replay_next(model_replay_t *self, const fob_stored_t *record) {
    model_t *model = self->model;
    bool complete =
        self->entry == 0 || self->entry == model->commits[self->position - 1].entry_count;
    if (!complete || record->position != self->position + 1 || record->position > model->count) {
        model_fail(model, "position %" PRIu64 " is shown behind %" PRIu64 " of %" PRIu64,
                   record->position, self->position, model->count);
        return false;
    }
    self->position = record->position;
    self->entry = 0;
    return true;
}

static bool replay_record(void *arg, const fob_stored_t *record) {
    model_replay_t *self = arg;
    if ((record->position != self->position || self->entry == 0) && !replay_next(self, record))
        return false;
    if (self->entry >= self->model->commits[self->position - 1].entry_count) {
        model_fail(self->model, "position %" PRIu64 " has too many entries", self->position);
        return false;
    }
    return check_entry(self->model, record, self->entry++);
}

fob_replay_t model_replay_begin(model_replay_t *self, model_t *model) {
    *self = (model_replay_t){.model = model};
    return (fob_replay_t){.slice = replay_slice, .record = replay_record, .arg = self};
}

static void check_checkpoint(model_replay_t *self) {
    model_t *model = self->model;
    const model_checkpoint_t *shown = find_checkpoint(model, self->stamp);
    if (shown == NULL && model->checkpoint > 0)
        model_fail(model, "the checkpoint at %" PRIu64 " counted and is not shown",
                   model->checkpoint);
    else if (shown != NULL && (!shown->finished || shown->slices != self->slices))
        model_fail(model, "a checkpoint is shown with %" PRIu64 " of %" PRIu64 " slices%s",
                   self->slices, shown->slices, shown->finished ? "" : ", and was not finished");
    else if (shown != NULL && shown->position < model->checkpoint)
        model_fail(model, "the checkpoint at %" PRIu64 " is shown, and a later one counted",
                   shown->position);
}

void model_replay_end(model_replay_t *self, uint64_t last, uint64_t epoch) {
    model_t *model = self->model;
    check_checkpoint(self);
    bool complete =
        self->entry == 0 || self->entry == model->commits[self->position - 1].entry_count;
    if (!complete || self->position != last)
        model_fail(model, "the last position shown is %" PRIu64 ", and it should be %" PRIu64,
                   self->position, last);
    uint64_t least = model->shaken ? model->floor : model->told;
    if (last < least)
        model_fail(model, "positions up to %" PRIu64 " were durable, and %" PRIu64 " is the last",
                   least, last);
    if (last > model->count)
        model_fail(model, "the last position is %" PRIu64 ", and %" PRIu64 " were appended", last,
                   model->count);
    if (last < model->told && epoch == model->epoch)
        model_fail(model, "offsets may be given twice in epoch %" PRIu64, epoch);
    if (model_failed(model))
        return;
    model->count = model->floor = model->told = last;
    if (model->trimmed > model_next_offset(model))
        model->trimmed = model_next_offset(model);
    model->shaken = false;
    model->epoch = epoch;
}

/* --- reading --- */

void model_range(const model_t *self, uint64_t position, uint64_t *low, uint64_t *high) {
    const model_commit_t *commit = &self->commits[position - 1];
    *low = 0;
    *high = commit->next_offset;
    for (unsigned i = commit->entry_count; i > 0; i--)
        if (commit->entries[i - 1].count > 0)
            *low = commit->entries[i - 1].first_offset;
}

uint64_t model_find(const model_t *self, uint64_t offset) {
    uint64_t low = 0, high = self->count;
    while (low < high) {
        uint64_t mid = low + (high - low) / 2;
        if (self->commits[mid].next_offset <= offset)
            low = mid + 1;
        else
            high = mid;
    }
    return low < self->count ? low + 1 : 0;
}

bool model_holds(const model_t *self, uint64_t offset) {
    uint64_t position = model_find(self, offset);
    const model_commit_t *commit = position == 0 ? NULL : &self->commits[position - 1];
    for (unsigned i = 0; commit != NULL && i < commit->entry_count; i++)
        if (commit->entries[i].count > 0 && offset >= commit->entries[i].first_offset &&
            offset < commit->entries[i].first_offset + commit->entries[i].count)
            return true;
    return false;
}

/* The event records from `offset` on are walked beside the page's. */
void model_check_page(model_t *self, const fob_page_t *page, uint64_t offset, uint64_t durable) {
    uint64_t position = model_find(self, offset);
    unsigned entry = 0;
    for (size_t i = 0; i < page->entry_count && !model_failed(self); i++) {
        const fob_stored_t *stored = &page->entries[i];
        while (position != 0 && position <= self->count) {
            const model_commit_t *commit = &self->commits[position - 1];
            if (entry < commit->entry_count && commit->entries[entry].count > 0 &&
                commit->entries[entry].first_offset + commit->entries[entry].count > offset)
                break;
            if (++entry >= commit->entry_count) {
                position++;
                entry = 0;
            }
        }
        if (stored->position != position || position > durable) {
            model_fail(self,
                       "a page for %" PRIu64 " shows position %" PRIu64 ", not %" PRIu64
                       " (durable: %" PRIu64 ")",
                       offset, stored->position, position, durable);
            return;
        }
        check_entry(self, stored, entry++);
    }
    if (page->entry_count == 0)
        model_fail(self, "a page for %" PRIu64 " is empty", offset);
}
