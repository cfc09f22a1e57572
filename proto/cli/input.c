#include "proto/cli/input.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define CHUNK ((size_t)65536)

fob_input_code_t fob_input_line(fob_input_t *self, fob_slice_t *line) {
    size_t left = self->size - self->start;
    const uint8_t *at = left > 0 ? self->data + self->start : NULL;
    const uint8_t *end =
        left > self->seen ? memchr(at + self->seen, '\n', left - self->seen) : NULL;
    size_t size = end ? (size_t)(end - at) : left;
    if (size > self->max) {
        self->number++;
        return FOB_INPUT_TOO_LONG;
    }
    self->seen = left;
    if (!end && !self->ended)
        return FOB_INPUT_MORE;
    if (!end && left == 0)
        return FOB_INPUT_END;
    self->number++;
    self->seen = 0;
    self->start += size + (end ? 1 : 0);
    *line = fob_slice(at, size);
    return FOB_INPUT_LINE;
}

/* Room for a chunk behind what is there, moving a line's beginning to the front first. */
static bool make_room(fob_input_t *self) {
    if (self->start > 0) {
        memmove(self->data, self->data + self->start, self->size - self->start);
        self->size -= self->start;
        self->start = 0;
    }
    if (self->capacity - self->size >= CHUNK)
        return true;
    size_t capacity = self->capacity ? self->capacity * 2 : 2 * CHUNK;
    uint8_t *data = realloc(self->data, capacity);
    if (!data) {
        errno = ENOMEM;
        return false;
    }
    self->data = data;
    self->capacity = capacity;
    return true;
}

fob_input_code_t fob_input_fill(fob_input_t *self) {
    if (self->ended)
        return FOB_INPUT_MORE;
    if (!make_room(self))
        return FOB_INPUT_FAILED;
    ssize_t got = read(self->fd, self->data + self->size, CHUNK);
    if (got < 0 && errno != EINTR && errno != EAGAIN)
        return FOB_INPUT_FAILED;
    if (got == 0)
        self->ended = true;
    if (got > 0)
        self->size += (size_t)got;
    return FOB_INPUT_MORE;
}

fob_input_code_t fob_input_all(fob_input_t *self, fob_slice_t *all) {
    while (!self->ended) {
        if (self->size > self->max)
            return FOB_INPUT_TOO_LONG;
        if (fob_input_fill(self) == FOB_INPUT_FAILED)
            return FOB_INPUT_FAILED;
    }
    *all = fob_slice(self->data, self->size);
    return FOB_INPUT_LINE;
}

void fob_input_free(fob_input_t *self) {
    free(self->data);
    *self = (fob_input_t){.fd = self->fd, .max = self->max};
}
