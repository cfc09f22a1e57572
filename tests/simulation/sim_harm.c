/* Bits that flip on the disk, under the journal's feet: which, and what may be said of it. */
#include "bus/journal/format.h"
#include "sim_folder_inside.h"

/* Commits that are proved durable by later ones: damage in the last ones may look like a tear. */
#define WELL_BELOW 300
#define TRIES      8

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), wanted = strlen(end);
    return length >= wanted && strcmp(text + length - wanted, end) == 0;
}

/* Where bytes lie in a file; -1: nowhere. */
static int64_t find_in(const sim_disk_t *disk, const char *path, const fob_stored_t *record) {
    int64_t size = sim_disk_size(disk, path), at = -1;
    uint8_t *bytes = size > 0 ? sim_alloc((size_t)size) : NULL;
    if (!bytes)
        return -1;
    sim_disk_peek(disk, path, 0, bytes, (size_t)size);
    const uint8_t *end = bytes + size - record->size;
    for (const uint8_t *p = bytes; at < 0 && p <= end; p++) {
        p = memchr(p, record->data[0], (size_t)(end - p) + 1);
        if (!p)
            break;
        if (memcmp(p, record->data, record->size) == 0)
            at = p - bytes;
    }
    free(bytes);
    return at;
}

static void flip(sim_folder_t *self, const char *path, uint64_t at, sim_commit_t *commit) {
    sim_flip_t *one = &self->flips[self->flip_count++];
    self->base.counts.flips++;
    *one = (sim_flip_t){
        .at = at, .bits = (uint8_t)(1u << sim_random_below(&self->random, 8)), .commit = commit};
    snprintf(one->path, sizeof one->path, "%s", path);
    sim_disk_flip(self->disk, path, at, one->bits);
    char text[160];
    snprintf(text, sizeof text, "byte %llu of %s is harmed (%s)", (unsigned long long)at, path,
             commit ? "a commit" : "a checkpoint");
    self->options.log(self->options.log_arg, text);
    if (!commit)
        return;
    commit->hit = true;
    self->base.history.hit(self->base.history.arg, commit);
}

/* A commit with events that is still on the disk: bytes of its first record, or of what stands
 * before that. */
static bool flip_commit(sim_folder_t *self) {
    sim_history_t *history = &self->base.history;
    sim_commit_t *commit =
        history->commits[sim_random_below(&self->random, history->count - WELL_BELOW)];
    const fob_stored_t *record = &commit->records[0];
    const uint64_t before = sizeof(fob_disk_commit_t) + sizeof(fob_disk_entry_t);
    const char *path;
    if (!record->count || commit->hit)
        return false;
    for (size_t i = 0; (path = sim_disk_path(self->disk, i)); i++) {
        int64_t at = ends_with(path, ".seg") ? find_in(self->disk, path, record) : -1;
        if (at < 0)
            continue;
        flip(self, path,
             (uint64_t)at - before + sim_random_below(&self->random, before + record->size),
             commit);
        return true;
    }
    return false;
}

/* One of them only: the other is there for it. */
static void flip_checkpoint(sim_folder_t *self) {
    const char *path, *found = NULL;
    for (size_t i = 0; i < self->flip_count; i++)
        if (!self->flips[i].commit)
            return;
    for (size_t i = 0, seen = 0; (path = sim_disk_path(self->disk, i)); i++)
        if (ends_with(path, ".ckp") && sim_random_once(&self->random, ++seen))
            found = path;
    if (found)
        flip(self, found,
             sim_random_below(&self->random, (uint64_t)sim_disk_size(self->disk, found)), NULL);
}

void sim_folder_flip(sim_folder_t *self) {
    if (self->cut || self->flip_count == MOST_FLIPS)
        return;
    if (sim_random_once(&self->random, 4)) {
        flip_checkpoint(self);
        return;
    }
    for (int i = 0; i < TRIES && self->base.history.count > WELL_BELOW; i++)
        if (flip_commit(self))
            return;
}

bool sim_folder_names_harm(const sim_folder_t *self, const char *text) {
    const char *byte = strstr(text, "byte ");
    uint64_t at = byte ? strtoull(byte + 5, NULL, 10) : UINT64_MAX;
    for (size_t i = 0; i < self->flip_count; i++) {
        const char *name = strrchr(self->flips[i].path, '/') + 1;
        if (strstr(text, name) && at <= self->flips[i].at)
            return true;
    }
    return false;
}

void sim_folder_heal(const sim_folder_t *self, sim_disk_t *disk) {
    for (size_t i = 0; i < self->flip_count; i++) {
        const sim_flip_t *one = &self->flips[i];
        if (sim_disk_size(disk, one->path) > (int64_t)one->at)
            sim_disk_flip(disk, one->path, one->at, one->bits);
    }
}

/* The operator has a copy. */
static void heal_all(sim_folder_t *self) {
    sim_folder_heal(self, self->disk);
    if (self->after)
        sim_folder_heal(self, self->after);
    for (size_t i = 0; i < self->flip_count; i++)
        if (self->flips[i].commit)
            self->flips[i].commit->hit = false;
    self->flip_count = 0;
}

bool sim_folder_refused(sim_folder_t *self, fob_journal_code_t code, const char *text) {
    sim_disk_tally_t tally = sim_disk_tally(self->disk);
    self->base.counts.refused += code != FOB_JOURNAL_OK;
    if (code == FOB_JOURNAL_SYSTEM)
        return tally.errors || tally.full;
    if (code != FOB_JOURNAL_DAMAGED || !sim_folder_names_harm(self, text))
        return false;
    heal_all(self);
    return true;
}

void sim_folder_damaged(const sim_folder_t *self, const fob_page_t *page, uint64_t offset) {
    const sim_history_t *history = &self->base.history;
    if (!sim_folder_names_harm(self, page->text))
        sim_history_wrong(history, "damage is told with its place, and only where it is",
                          "of offset %llu it says: %s", (unsigned long long)offset, page->text);
    for (size_t i = sim_history_find(history, offset);
         i < history->spot_count && history->spots[i].first_offset < page->resume; i++)
        if (!history->commits[history->spots[i].commit]->hit)
            sim_history_wrong(history, "damage is told with its place, and only where it is",
                              "offsets %llu to %llu are called damaged, and %llu is in a commit "
                              "that nothing harmed: %s",
                              (unsigned long long)offset, (unsigned long long)page->resume - 1,
                              (unsigned long long)history->spots[i].first_offset, page->text);
}
