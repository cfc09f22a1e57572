#include "subscribers/commands/tee.h"

#include "proto/cli/utf8.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#define ROUNDS 512 /* of reading one stream at once: its writer may be faster than we are */

struct fob_tee_stream {
    int fd;            /* our end, which does not block; -1: at its end */
    bool taken;        /* a command has it, or what it left behind */
    bool late;         /* its command has ended */
    size_t at, size;   /* of `held`: read, and not written yet */
    size_t line, last; /* bytes of the line that is being written, of the last whole one */
    char line_text[FOB_TEE_LINE], last_text[FOB_TEE_LINE];
    char held[PIPE_BUF]; /* a pipe that is ready takes so much without blocking */
};

struct fob_tee {
    int out;
    size_t count;
    char told[FOB_TEE_LINE];
    fob_tee_stream_t streams[];
};

fob_tee_t *fob_tee_new(size_t commands, int out) {
    size_t count = commands + FOB_TEE_LATE;
    fob_tee_t *self = calloc(1, sizeof *self + count * sizeof self->streams[0]);
    if (!self)
        return NULL;
    self->out = out;
    self->count = count;
    for (size_t i = 0; i < count; i++)
        self->streams[i].fd = -1;
    return self;
}

static void stream_close(fob_tee_stream_t *stream) {
    if (stream->fd >= 0)
        close(stream->fd);
    stream->fd = -1;
    stream->taken &= !stream->late;
}

void fob_tee_destroy(fob_tee_t **self_p) {
    fob_tee_t *self = *self_p;
    for (size_t i = 0; self && i < self->count; i++)
        stream_close(&self->streams[i]);
    free(self);
    *self_p = NULL;
}

/* A free one; else one that only leftovers of a command that ended hold open. */
static fob_tee_stream_t *stream_free(fob_tee_t *self) {
    fob_tee_stream_t *found = NULL;
    for (size_t i = 0; i < self->count; i++) {
        if (!self->streams[i].taken)
            return &self->streams[i];
        if (self->streams[i].late)
            found = &self->streams[i];
    }
    assert(found); /* at most `commands` run */
    stream_close(found);
    return found;
}

fob_tee_stream_t *fob_tee_open(fob_tee_t *self, int *end) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return NULL;
    if (fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0) {
        close(ends[0]);
        close(ends[1]);
        return NULL;
    }
    fob_tee_stream_t *stream = stream_free(self);
    stream->fd = ends[0];
    stream->taken = true;
    stream->late = false;
    stream->at = stream->size = stream->line = stream->last = 0;
    *end = ends[1];
    return stream;
}

size_t fob_tee_most(const fob_tee_t *self) {
    return self->count + 1;
}

size_t fob_tee_fds(const fob_tee_t *self, struct pollfd *fds) {
    size_t count = 0;
    bool full = false;
    for (size_t i = 0; i < self->count; i++) {
        const fob_tee_stream_t *stream = &self->streams[i];
        if (stream->fd < 0)
            continue;
        if (stream->size)
            full = true;
        else
            fds[count++] = (struct pollfd){.fd = stream->fd, .events = POLLIN};
    }
    if (full)
        fds[count++] = (struct pollfd){.fd = self->out, .events = POLLOUT};
    return count;
}

/* Notes the bytes for the last line. What is beyond FOB_TEE_LINE of a line is dropped. */
static void lines_note(fob_tee_stream_t *stream, const char *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        bool blank = byte <= ' ' || byte == 0x7f;
        if (byte == '\n' && stream->line) {
            memcpy(stream->last_text, stream->line_text, stream->line);
            stream->last = stream->line;
        }
        if (byte == '\n')
            stream->line = 0;
        else if (stream->line < FOB_TEE_LINE && (!blank || stream->line))
            stream->line_text[stream->line++] = (char)(blank ? ' ' : byte);
    }
}

/* Writes what is held, where that does not block. False: something is left. */
static bool held_write(const fob_tee_t *self, fob_tee_stream_t *stream) {
    while (stream->size) {
        struct pollfd ready = {.fd = self->out, .events = POLLOUT};
        if (poll(&ready, 1, 0) <= 0)
            return false;
        ssize_t wrote = write(self->out, stream->held + stream->at, stream->size);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0 && errno == EAGAIN)
            return false;
        if (wrote < 0)
            wrote = (ssize_t)stream->size; /* nobody reads it: as if it were written */
        stream->at += (size_t)wrote;
        stream->size -= (size_t)wrote;
    }
    stream->at = 0;
    return true;
}

/* Reads one portion. False: there is nothing now, or never again. */
static bool portion_read(fob_tee_stream_t *stream) {
    ssize_t size;
    do
        size = read(stream->fd, stream->held, sizeof stream->held);
    while (size < 0 && errno == EINTR);
    if (size < 0 && errno == EAGAIN)
        return false;
    if (size <= 0) {
        stream_close(stream);
        return false;
    }
    stream->size = (size_t)size;
    lines_note(stream, stream->held, stream->size);
    return true;
}

static void stream_move(const fob_tee_t *self, fob_tee_stream_t *stream) {
    for (unsigned round = 0; round < ROUNDS && stream->fd >= 0; round++)
        if (!held_write(self, stream) || !portion_read(stream))
            return;
}

void fob_tee_move(fob_tee_t *self) {
    for (size_t i = 0; i < self->count; i++)
        if (self->streams[i].fd >= 0)
            stream_move(self, &self->streams[i]);
}

/* Cuts what the limit may have left of a character; what is no UTF-8 becomes question marks. */
static size_t make_valid(char *text, size_t size) {
    for (size_t cut = 0; cut < 4 && cut <= size; cut++)
        if (fob_utf8_valid(fob_slice(text, size - cut)))
            return size - cut;
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] >= 0x80)
            text[i] = '?';
    return size;
}

fob_slice_t fob_tee_line(fob_tee_t *self, fob_tee_stream_t *stream) {
    stream_move(self, stream);
    const char *text = stream->line ? stream->line_text : stream->last_text;
    size_t size = stream->line ? stream->line : stream->last;
    while (size && text[size - 1] == ' ')
        size--;
    memcpy(self->told, text, size);
    return fob_slice(self->told, make_valid(self->told, size));
}

fob_slice_t fob_tee_end(fob_tee_t *self, fob_tee_stream_t *stream) {
    fob_slice_t line = fob_tee_line(self, stream);
    stream->late = true;
    stream->taken = stream->fd >= 0;
    return line;
}
