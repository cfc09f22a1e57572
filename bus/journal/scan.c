#include "bus/journal/scan.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW (1u << 20)

void fob_scan_begin(fob_scan_t *self, const fob_disk_t *disk, int fd, uint64_t sequence,
                    uint64_t seed, uint64_t at, uint64_t limit) {
    *self = (fob_scan_t){.disk = disk,
                         .fd = fd,
                         .sequence = sequence,
                         .seed = seed,
                         .at = at,
                         .limit = limit,
                         .from = at};
}

void fob_scan_end(fob_scan_t *self) {
    free(self->buffer);
    self->buffer = NULL;
}

static bool unread(fob_scan_t *self, int error) {
    self->error = error;
    return false;
}

/* Has at least `want` bytes from self->at in the buffer, or all up to the limit. */
static bool fill(fob_scan_t *self, size_t want) {
    size_t have =
        self->from + self->size > self->at ? (size_t)(self->from + self->size - self->at) : 0;
    if (have >= want)
        return true;
    size_t room = want > WINDOW ? want : WINDOW;
    if (room > self->capacity) {
        uint8_t *buffer = realloc(self->buffer, room);
        if (buffer == NULL)
            return unread(self, ENOMEM);
        self->buffer = buffer;
        self->capacity = room;
    }
    if (have > 0)
        memmove(self->buffer, self->buffer + (self->at - self->from), have);
    self->from = self->at;
    self->size = have;
    uint64_t left = self->limit - self->at - have;
    size_t ask = self->capacity - have, got;
    if (ask > left)
        ask = (size_t)left;
    if (fob_disk_read(self->disk, self->fd, self->buffer + have, ask, self->at + have, &got) != 0)
        return unread(self, errno);
    self->size += got;
    return true;
}

fob_found_t fob_scan_next(fob_scan_t *self, fob_commit_t *out, uint64_t *at) {
    size_t want = sizeof(fob_disk_commit_t);
    if (self->at + want > self->limit)
        return FOB_FOUND_NOTHING;
    for (;;) {
        if (!fill(self, want))
            return FOB_FOUND_UNREAD;
        size_t skip = (size_t)(self->at - self->from);
        size_t size = self->size - skip;
        if (size < want)
            return FOB_FOUND_BAD; /* the file is shorter than it was made */
        fob_found_t found =
            fob_format_commit_check(self->buffer + skip, size, self->sequence, self->seed, out);
        if (found == FOB_FOUND_PART) {
            if (out->total > self->limit - self->at)
                return FOB_FOUND_BAD;
            want = out->total;
            continue;
        }
        if (found == FOB_FOUND_WHOLE) {
            *at = self->at;
            self->at += out->total;
        }
        return found;
    }
}

fob_found_t fob_scan_skip(fob_scan_t *self, fob_commit_t *out) {
    const size_t head = sizeof(fob_disk_commit_t);
    for (self->at += 8; self->at + head <= self->limit; self->at += 8) {
        if (!fill(self, head))
            return FOB_FOUND_UNREAD;
        size_t skip = (size_t)(self->at - self->from);
        uint32_t magic;
        uint64_t at;
        if (self->size - skip < head)
            return FOB_FOUND_NOTHING;
        memcpy(&magic, self->buffer + skip + offsetof(fob_disk_commit_t, magic), sizeof magic);
        if (le32toh(magic) != FOB_COMMIT_MAGIC)
            continue;
        fob_found_t found = fob_scan_next(self, out, &at);
        if (found == FOB_FOUND_WHOLE)
            self->at = at;
        if (found == FOB_FOUND_WHOLE || found == FOB_FOUND_UNREAD)
            return found;
    }
    return FOB_FOUND_NOTHING;
}

/* A commit at `at`, read by itself. */
static fob_found_t try_at(fob_scan_t *self, uint64_t at, fob_rest_t *out) {
    fob_scan_t probe;
    fob_scan_begin(&probe, self->disk, self->fd, self->sequence, self->seed, at, self->limit);
    fob_commit_t commit;
    fob_found_t found = fob_scan_next(&probe, &commit, &at);
    if (found == FOB_FOUND_WHOLE) {
        out->commits++;
        if (commit.durable > out->durable)
            out->durable = commit.durable;
    }
    self->error = probe.error;
    fob_scan_end(&probe);
    return found;
}

/* Mostly there is nothing: zeros are passed over by so many words at a time. */
#define STRIDE 64

static bool all_zero(const uint8_t *data) {
    uint64_t words[STRIDE / 8], any = 0;
    memcpy(words, data, sizeof words);
    for (size_t i = 0; i < STRIDE / 8; i++)
        any |= words[i];
    return any == 0;
}

/* Looks through one window of words. */
static fob_found_t rest_of(fob_scan_t *self, const uint8_t *data, size_t size, uint64_t at,
                           uint64_t lowest, fob_rest_t *out) {
    for (size_t i = 0; i + 8 <= size; i += 8) {
        while (i + STRIDE + 8 <= size && all_zero(data + i))
            i += STRIDE;
        uint64_t word;
        memcpy(&word, data + i, sizeof word);
        if (word == 0)
            continue;
        out->dirty_end = at + i + 8;
        /* The magic is the second word of a commit. */
        if ((uint32_t)le64toh(word) != FOB_COMMIT_MAGIC || at + i < lowest + 8)
            continue;
        if (try_at(self, at + i - 8, out) == FOB_FOUND_UNREAD)
            return FOB_FOUND_UNREAD;
    }
    return FOB_FOUND_WHOLE;
}

fob_found_t fob_scan_rest(fob_scan_t *self, fob_rest_t *out) {
    *out = (fob_rest_t){.dirty_end = self->at};
    uint8_t *window = malloc(WINDOW);
    if (window == NULL) {
        self->error = ENOMEM;
        return FOB_FOUND_UNREAD;
    }
    fob_found_t found = FOB_FOUND_WHOLE;
    uint64_t at = self->at;
    while (at < self->limit && found == FOB_FOUND_WHOLE) {
        size_t ask = self->limit - at < WINDOW ? (size_t)(self->limit - at) : WINDOW, got;
        if (fob_disk_read(self->disk, self->fd, window, ask, at, &got) != 0) {
            self->error = errno;
            found = FOB_FOUND_UNREAD;
        } else if (got > 0) {
            found = rest_of(self, window, got, at, self->at, out);
            at += got;
        }
        if (got == 0)
            break;
    }
    free(window);
    return found;
}
