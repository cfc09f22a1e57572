#include "publishers/commands/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define EVERY_MS 250

static int64_t clock_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void fob_progress_begin(fob_progress_t *self, const fob_cli_t *cli) {
    *self = (fob_progress_t){.shown = !cli->quiet && !cli->verbose && isatty(STDERR_FILENO)};
    self->start = self->last = clock_ms();
}

static void show(fob_progress_t *self, uint64_t stored, int64_t now) {
    int64_t ms = now > self->start ? now - self->start : 1;
    fprintf(stderr, "\r%" PRIu64 " lines stored, %.0f/s\033[K", stored,
            (double)stored * 1000 / (double)ms);
    fflush(stderr);
    self->on_screen = true;
}

void fob_progress_show(fob_progress_t *self, uint64_t stored) {
    if (!self->shown)
        return;
    int64_t now = clock_ms();
    if (now - self->last < EVERY_MS)
        return;
    self->last = now;
    show(self, stored, now);
}

int fob_progress_pause(const fob_progress_t *self) {
    return self->shown ? EVERY_MS : -1;
}

void fob_progress_end(fob_progress_t *self, uint64_t stored) {
    if (!self->on_screen)
        return;
    show(self, stored, clock_ms());
    fputc('\n', stderr);
}
