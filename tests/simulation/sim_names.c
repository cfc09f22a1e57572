#include "sim_names.h"

#include <stdlib.h>
#include <string.h>

static void *got(void *memory) {
    if (memory == NULL)
        abort(); /* a test's disk, not the journal */
    return memory;
}

static char *copied(const char *path) {
    return path == NULL ? NULL : got(strdup(path));
}

/* --- a map --- */

/* Where it is, or would be. */
static size_t place(const sim_map_t *self, const char *path, bool *found) {
    size_t low = 0, high = self->count;
    *found = false;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(self->all[mid].path, path);
        if (order == 0) {
            *found = true;
            return mid;
        }
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static void map_clear(sim_map_t *self, const char *path) {
    bool found;
    size_t at = place(self, path, &found);
    if (!found)
        return;
    free(self->all[at].path);
    sim_file_release(self->all[at].file);
    memmove(&self->all[at], &self->all[at + 1], (--self->count - at) * sizeof *self->all);
}

static void map_set(sim_map_t *self, const char *path, sim_file_t *file) {
    bool found;
    size_t at = place(self, path, &found);
    sim_file_hold(file);
    if (found) {
        sim_file_release(self->all[at].file);
        self->all[at].file = file;
        return;
    }
    if (self->count == self->capacity) {
        self->capacity = self->capacity == 0 ? 32 : self->capacity * 2;
        self->all = got(realloc(self->all, self->capacity * sizeof *self->all));
    }
    memmove(&self->all[at + 1], &self->all[at], (self->count++ - at) * sizeof *self->all);
    self->all[at] = (sim_name_t){copied(path), file};
}

static void map_apply(sim_map_t *self, const sim_change_t *change) {
    if (change->gone != NULL)
        map_clear(self, change->gone);
    if (change->set != NULL)
        map_set(self, change->set, change->file);
}

static void map_free(sim_map_t *self) {
    for (size_t i = 0; i < self->count; i++) {
        free(self->all[i].path);
        sim_file_release(self->all[i].file);
    }
    free(self->all);
    *self = (sim_map_t){0};
}

/* --- names --- */

static void change_free(sim_change_t *self) {
    free(self->gone);
    free(self->set);
    if (self->file != NULL)
        sim_file_release(self->file);
}

void sim_names_free(sim_names_t *self) {
    map_free(&self->now);
    map_free(&self->durable);
    for (size_t i = 0; i < self->count; i++)
        change_free(&self->changes[i]);
    free(self->changes);
    *self = (sim_names_t){0};
}

sim_file_t *sim_names_find(const sim_names_t *self, const char *path) {
    bool found;
    size_t at = place(&self->now, path, &found);
    return found ? self->now.all[at].file : NULL;
}

void sim_names_change(sim_names_t *self, const char *gone, const char *set, sim_file_t *file) {
    sim_file_t *old = gone != NULL ? sim_names_find(self, gone) : NULL;
    sim_file_t *over = set != NULL ? sim_names_find(self, set) : NULL;
    if (file != NULL) {
        file->links++;
        sim_file_hold(file); /* the change's own */
    }
    if (old != NULL)
        old->links--;
    if (over != NULL)
        over->links--;
    if (self->count == self->capacity) {
        self->capacity = self->capacity == 0 ? 16 : self->capacity * 2;
        self->changes = got(realloc(self->changes, self->capacity * sizeof *self->changes));
    }
    sim_change_t *change = &self->changes[self->count++];
    *change = (sim_change_t){copied(gone), copied(set), file};
    map_apply(&self->now, change);
}

bool sim_names_within(const char *folder, const char *path, const char **name) {
    size_t length = strlen(folder);
    *name = path + 1;
    if (length == 0) /* what is above "/" */
        return path[1] == '\0';
    if (length == 1) /* "/" */
        length = 0;
    if (strncmp(folder, path, length) != 0 || path[length] != '/' || path[length + 1] == '\0')
        return false;
    *name = path + length + 1;
    return strchr(*name, '/') == NULL;
}

void sim_names_sync(sim_names_t *self, const char *folder) {
    size_t kept = 0;
    const char *name;
    for (size_t i = 0; i < self->count; i++) {
        sim_change_t *change = &self->changes[i];
        if (sim_names_within(folder, change->set != NULL ? change->set : change->gone, &name)) {
            map_apply(&self->durable, change);
            change_free(change);
        } else {
            self->changes[kept++] = *change;
        }
    }
    self->count = kept;
}

/* Those below a folder that is not there are not there either. */
static bool reachable(const sim_map_t *self, const char *path) {
    char parent[512];
    const char *slash = strrchr(path, '/');
    if (path[1] == '\0')
        return true;
    size_t length = slash == path ? 1 : (size_t)(slash - path);
    memcpy(parent, path, length);
    parent[length] = '\0';
    bool found;
    place(self, parent, &found);
    return found && reachable(self, parent);
}

/* Some of the changes, in their order: none, all, a first part, or each by itself. */
static void keep_some(const sim_names_t *self, sim_random_t *random, sim_map_t *out) {
    uint64_t mood = sim_random_below(random, 4);
    size_t first = sim_random_below(random, self->count + 1);
    for (size_t i = 0; i < self->count; i++) {
        bool kept =
            mood == 0 || (mood == 1 && i < first) || (mood == 2 && sim_random_once(random, 2));
        if (kept)
            map_apply(out, &self->changes[i]);
    }
}

/* Each file is copied once, whatever it is called. */
typedef struct {
    const sim_file_t **from;
    sim_file_t **to;
    size_t count;
    sim_random_t *random;
    sim_file_t *(*copy)(const sim_file_t *file, sim_random_t *random);
} copies_t;

static sim_file_t *copy_of(copies_t *self, const sim_file_t *file) {
    for (size_t i = 0; i < self->count; i++)
        if (self->from[i] == file)
            return self->to[i];
    self->from[self->count] = file;
    self->to[self->count] = self->copy(file, self->random);
    return self->to[self->count++];
}

static void copy_map(copies_t *self, const sim_map_t *from, sim_map_t *to) {
    for (size_t i = 0; i < from->count; i++)
        if (reachable(from, from->all[i].path))
            map_set(to, from->all[i].path, copy_of(self, from->all[i].file));
}

static void copy_changes(copies_t *self, const sim_names_t *from, sim_names_t *to) {
    to->count = to->capacity = from->count;
    to->changes = got(calloc(from->count + 1, sizeof *to->changes));
    for (size_t i = 0; i < from->count; i++) {
        const sim_change_t *change = &from->changes[i];
        sim_file_t *file = change->file == NULL ? NULL : copy_of(self, change->file);
        if (file != NULL)
            sim_file_hold(file);
        to->changes[i] = (sim_change_t){copied(change->gone), copied(change->set), file};
    }
}

void sim_names_after(const sim_names_t *self, bool power_lost, sim_random_t *random,
                     sim_file_t *(*copy)(const sim_file_t *file, sim_random_t *random),
                     sim_names_t *out) {
    size_t most = self->now.count + self->durable.count + self->count + 1;
    copies_t copies = {.from = got(calloc(most, sizeof *copies.from)),
                       .to = got(calloc(most, sizeof *copies.to)),
                       .random = random,
                       .copy = copy};
    *out = (sim_names_t){0};
    if (power_lost) {
        sim_map_t left = {0};
        for (size_t i = 0; i < self->durable.count; i++)
            map_set(&left, self->durable.all[i].path, self->durable.all[i].file);
        keep_some(self, random, &left);
        copy_map(&copies, &left, &out->now);
        copy_map(&copies, &left, &out->durable);
        map_free(&left);
    } else {
        /* What was not synced is still the system's to write. */
        copy_map(&copies, &self->now, &out->now);
        copy_map(&copies, &self->durable, &out->durable);
        copy_changes(&copies, self, out);
    }
    for (size_t i = 0; i < out->now.count; i++)
        out->now.all[i].file->links++;
    for (size_t i = 0; i < copies.count; i++)
        sim_file_release(copies.to[i]);
    free(copies.from);
    free(copies.to);
}
