#include "sim_history.h"

#include "sim_memory.h"

#include <stdarg.h>

void sim_history_free(sim_history_t *self) {
    for (size_t i = 0; i < self->count; i++)
        free(self->commits[i]);
    free(self->commits);
    free(self->spots);
}

void sim_history_wrong(const sim_history_t *self, const char *promise, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    self->wrong(self->arg, promise, text);
}

void sim_history_keep(sim_history_t *self, sim_commit_t *commit) {
    self->commits = sim_grow(self->commits, self->count, &self->room, sizeof *self->commits);
    for (uint32_t i = 0; i < commit->record_count; i++) {
        const fob_stored_t *record = &commit->records[i];
        if (!record->count)
            continue;
        self->spots =
            sim_grow(self->spots, self->spot_count, &self->spot_room, sizeof *self->spots);
        self->spots[self->spot_count++] = (sim_spot_t){
            record->first_offset, record->first_offset + record->count, self->count, i};
    }
    self->commits[self->count++] = commit;
    self->durable(self->arg, commit);
}

size_t sim_history_find(const sim_history_t *self, uint64_t offset) {
    size_t low = 0, high = self->spot_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (self->spots[middle].next_offset > offset)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

const fob_stored_t *sim_history_record(const sim_history_t *self, size_t spot) {
    return &self->commits[self->spots[spot].commit]->records[self->spots[spot].record];
}

bool sim_history_replay(const sim_history_t *self, size_t from, const fob_replay_t *to) {
    for (size_t i = from; i < self->count; i++)
        for (uint32_t r = 0; r < self->commits[i]->record_count; r++)
            if (!to->record(to->arg, &self->commits[i]->records[r]))
                return false;
    return true;
}

/* --- what is not durable yet --- */

static sim_commit_t *commit_of(uint64_t position, const fob_entry_t *entries, size_t count) {
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        for (uint32_t p = 0; p < entries[i].part_count; p++)
            bytes += entries[i].parts[p].iov_len;
    sim_commit_t *commit = sim_alloc(sizeof *commit + count * sizeof(fob_stored_t) + bytes);
    commit->records = (fob_stored_t *)(void *)(commit + 1);
    uint8_t *to = (uint8_t *)(commit->records + count);
    for (size_t i = 0; i < count; i++) {
        fob_stored_t *record = &commit->records[i];
        *record = (fob_stored_t){position, entries[i].first_offset, entries[i].count, to, 0};
        for (uint32_t p = 0; p < entries[i].part_count; p++) {
            if (entries[i].parts[p].iov_len)
                memcpy(to, entries[i].parts[p].iov_base, entries[i].parts[p].iov_len);
            to += entries[i].parts[p].iov_len;
        }
        record->size = (size_t)(to - record->data);
    }
    commit->position = position;
    commit->record_count = (uint32_t)count;
    commit->bytes = bytes + 48; /* what stands around it on a disk */
    return commit;
}

sim_pending_t sim_pending(uint64_t position, const fob_entry_t *entries, size_t count) {
    sim_pending_t self = {.commit = commit_of(position, entries, count)};
    self.parts = sim_alloc((2 * count + 1) * sizeof *self.parts);
    for (size_t i = 0; i < count; i++)
        for (uint32_t p = 0; p < entries[i].part_count; p++)
            if (entries[i].parts[p].iov_len)
                self.parts[self.part_count++] = entries[i].parts[p];
    return self;
}

/* The owner promised that the bytes stay as they are. */
static void look_at_bytes(const sim_pending_t *self, const sim_history_t *history) {
    const uint8_t *copy = self->commit->records[0].data;
    for (size_t i = 0; i < self->part_count; i++) {
        const struct iovec *part = &self->parts[i];
        if (memcmp(copy, part->iov_base, part->iov_len) != 0)
            sim_history_wrong(history, "what is given to the journal stays as it is",
                              "a record of position %llu changed before it was durable",
                              (unsigned long long)self->commit->position);
        copy += part->iov_len;
    }
}

void sim_pending_keep(sim_pending_t *self, sim_history_t *history, bool bytes_too) {
    if (bytes_too)
        look_at_bytes(self, history);
    free(self->parts);
    sim_history_keep(history, self->commit);
}

void sim_pending_drop(sim_pending_t *self) {
    free(self->parts);
    free(self->commit);
}
