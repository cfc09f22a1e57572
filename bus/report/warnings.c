#include "bus/report/warnings.h"

#include "proto/amount.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HIGH   80 /* percent: told above */
#define LOW    70 /* and told again after it was below */
#define EVERY  FOB_SEC
#define AMOUNT 32 /* bytes of text */

void fob_warnings_free(fob_warnings_t *self) {
    for (size_t i = 0; i < self->count; i++)
        free((void *)(uintptr_t)self->groups[i].name.data);
    free(self->groups);
    *self = (fob_warnings_t){0};
}

/* --- which groups were told of --- */

static int order(fob_slice_t a, fob_slice_t b) {
    int first = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);
    return first ? first : (a.size > b.size) - (a.size < b.size);
}

/* The place of a name, or where it would be. */
static size_t place(const fob_warnings_t *self, fob_slice_t name) {
    size_t low = 0, high = self->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (order(self->groups[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const fob_warnings_t *self, size_t at, fob_slice_t name) {
    return at < self->count && fob_slice_eq(self->groups[at].name, name);
}

static void note(fob_warnings_t *self, size_t at, fob_slice_t name) {
    if (self->count == self->capacity) {
        size_t room = self->capacity ? 2 * self->capacity : 16;
        fob_warned_t *groups = realloc(self->groups, room * sizeof *groups);
        if (!groups)
            return;
        self->groups = groups;
        self->capacity = room;
    }
    uint8_t *copy = malloc(name.size ? name.size : 1);
    if (!copy)
        return;
    memcpy(copy, name.data, name.size);
    memmove(self->groups + at + 1, self->groups + at, (self->count - at) * sizeof *self->groups);
    self->groups[at] = (fob_warned_t){fob_slice(copy, name.size), true};
    self->count++;
}

static void drop(fob_warnings_t *self, size_t at) {
    free((void *)(uintptr_t)self->groups[at].name.data);
    self->count--;
    memmove(self->groups + at, self->groups + at + 1, (self->count - at) * sizeof *self->groups);
}

/* Forgets groups that are no more. */
static void sweep(fob_warnings_t *self) {
    for (size_t at = self->count; at-- > 0;) {
        if (!self->groups[at].seen)
            drop(self, at);
        else
            self->groups[at].seen = false;
    }
}

/* --- groups --- */

static unsigned percent(uint64_t part, uint64_t whole) {
    if (whole == 0 || part >= whole)
        return 100;
    return (unsigned)((double)part * 100 / (double)whole);
}

typedef struct {
    unsigned percent;
    char of[96]; /* "8000 of 10000 events" */
} fill_t;

/* How full a group is, by the limit that is nearer. */
static fill_t fill_of(const fob_group_stats_t *group) {
    fill_t out;
    uint64_t depth = group->ready + group->leased + group->delayed;
    unsigned by_bytes = percent(group->bytes, group->policy.max_bytes);
    out.percent = percent(depth, group->policy.max_depth);
    if (depth > 0 && by_bytes > out.percent) {
        char has[AMOUNT], may[AMOUNT];
        out.percent = by_bytes;
        fob_amount_about(group->bytes, has, sizeof has);
        fob_amount_about(group->policy.max_bytes, may, sizeof may);
        snprintf(out.of, sizeof out.of, "%s of %s, max_bytes", has, may);
    } else {
        snprintf(out.of, sizeof out.of, "%" PRIu64 " of %" PRIu64 " events, max_depth", depth,
                 group->policy.max_depth);
    }
    return out;
}

static const char *consequence(uint64_t overflow) {
    switch (overflow) {
    case FOB_OVERFLOW_DROP_OLDEST:
        return "its oldest ready events are dropped";
    case FOB_OVERFLOW_DROP_LOWEST:
        return "its events of the lowest priority are dropped";
    case FOB_OVERFLOW_DEAD_LETTER:
        return "new events become its dead letters";
    default:
        return "its publishers are answered BUSY";
    }
}

bool fob_warnings_group(fob_warnings_t *self, const fob_group_stats_t *group, char *line,
                        size_t size) {
    fill_t fill = fill_of(group);
    size_t at = place(self, group->group);
    bool known = is_at(self, at, group->group);
    int length = (int)group->group.size;
    const char *name = (const char *)group->group.data;
    if (known)
        self->groups[at].seen = true;
    if (known ? fill.percent >= LOW : fill.percent < HIGH)
        return false;
    if (known) {
        drop(self, at);
        snprintf(line, size, "group %.*s is below %d%% again (%s)", length, name, LOW, fill.of);
        return true;
    }
    note(self, at, group->group);
    if (group->state && strcmp(group->state, "full") == 0)
        snprintf(line, size, "group %.*s is %s: see \"fob group show %.*s\"", length, name,
                 group->why, length, name);
    else if (fill.percent >= 100)
        snprintf(line, size, "group %.*s is full (%s): %s: see \"fob group show %.*s\"", length,
                 name, fill.of, group->why, length, name);
    else
        snprintf(line, size,
                 "group %.*s is %u%% full (%s): %s; once it is full, %s: see \"fob group show "
                 "%.*s\"",
                 length, name, fill.percent, fill.of, group->why,
                 consequence(group->policy.overflow), length, name);
    return true;
}

/* --- the disk --- */

static void say_holder(const fob_room_t *disk, const fob_group_stats_t *holder, char *out,
                       size_t size) {
    char bytes[AMOUNT];
    if (!holder) {
        snprintf(out, size,
                 "no group needs what is stored: it goes as retain_bytes and retain say");
        return;
    }
    fob_amount_about(disk->pinned(disk->arg, holder->floor), bytes, sizeof bytes);
    snprintf(out, size,
             "group %.*s holds %s of it, from event %" PRIu64 " on (%s): see \"fob group show "
             "%.*s\"",
             (int)holder->group.size, (const char *)holder->group.data, bytes, holder->floor,
             holder->why, (int)holder->group.size, (const char *)holder->group.data);
}

bool fob_warnings_disk(fob_warnings_t *self, const fob_room_t *disk,
                       const fob_group_stats_t *holder, char *line, size_t size) {
    uint64_t left = disk->free < disk->most ? disk->free : disk->most;
    unsigned taken = percent(disk->most - left, disk->most);
    char room[AMOUNT], most[AMOUNT], who[1024];
    if (self->disk ? taken >= LOW : taken < HIGH)
        return false;
    self->disk = !self->disk;
    fob_amount_about(left, room, sizeof room);
    fob_amount_about(disk->most, most, sizeof most);
    if (!self->disk) {
        snprintf(line, size, "there is room for %s in the journal again, of %s", room, most);
        return true;
    }
    say_holder(disk, holder, who, sizeof who);
    snprintf(line, size,
             "the journal has room for %s more, of %s (max_disk, or what the file system has); "
             "once there is none, publishes are refused: %s",
             room, most, who);
    return true;
}

/* --- both --- */

bool fob_warnings_due(const fob_warnings_t *self, fob_now_t now) {
    return now.mono_ns >= self->next_ns;
}

void fob_warnings_look(fob_warnings_t *self, fob_now_t now, fob_core_t *core,
                       const fob_room_t *disk, void (*say)(void *arg, const char *line),
                       void *arg) {
    char line[2048];
    fob_group_stats_t group;
    size_t lines = 0;
    self->next_ns = now.mono_ns + EVERY;
    for (size_t i = 0; fob_core_group_stats(core, now, i, &group); i++) {
        if (lines < FOB_WARNINGS_LINES && fob_warnings_group(self, &group, line, sizeof line)) {
            say(arg, line);
            lines++;
        }
    }
    if (lines < FOB_WARNINGS_LINES)
        sweep(self);
    bool held = fob_core_holder(core, now, &group);
    if (fob_warnings_disk(self, disk, held ? &group : NULL, line, sizeof line))
        say(arg, line);
}
