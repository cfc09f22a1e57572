#include "bus/commands/bench.h"
#include "bus/commands/figure.h"
#include "proto/now.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define EVERY_NS (250 * FOB_MS)
#define LINE     200 /* longer than it ever is */

void fob_bench_progress_begin(fob_bench_progress_t *self, const fob_bench_t *bench,
                              const fob_board_t *board) {
    *self = (fob_bench_progress_t){.board = board};
    self->shown = !bench->cli.quiet && isatty(STDERR_FILENO);
    self->last_ns = fob_board_clock();
}

/* Of what is sent or of the time, whichever is nearer to its end; of what was held, once that is
 * handed out. */
static unsigned percent(const fob_board_t *board, const uint64_t now[4]) {
    const fob_bench_plan_t *plan = fob_board_plan(board);
    int64_t ms = (fob_board_clock() - fob_board_run_ns(board)) / FOB_MS;
    uint64_t done = plan->count ? now[0] * 100 / plan->count : 0;
    if (fob_board_drain_ns(board))
        done = now[1] ? now[3] * 100 / (now[1] * plan->groups) : 0;
    else if (plan->duration_ms && ms > 0 && (uint64_t)(ms * 100 / plan->duration_ms) > done)
        done = (uint64_t)(ms * 100 / plan->duration_ms);
    return done < 100 ? (unsigned)done : 100;
}

/* The columns of the line: a longer one would run over, and stay. */
static int columns(void) {
    struct winsize size = {0};
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 2)
        return LINE;
    return size.ws_col - 1;
}

static void show(fob_bench_progress_t *self, const uint64_t now[4], int64_t span_ns) {
    static const char *const names[] = {"published", "confirmed", "delivered", "handled"};
    const fob_bench_plan_t *plan = fob_board_plan(self->board);
    const bool shown[] = {true, !plan->fire, plan->subscribers > 0, plan->groups > 0};
    char line[LINE + 1], text[32];
    int size = snprintf(line, sizeof line, "%3u%%", percent(self->board, now));
    for (unsigned i = 0; i < 4; i++) {
        if (!shown[i])
            continue;
        fob_figure_short((now[i] - self->before[i]) * 1000 / (uint64_t)(span_ns / FOB_MS), text,
                         sizeof text);
        size += snprintf(line + size, sizeof line - (size_t)size, "  %s %s", names[i], text);
        self->before[i] = now[i];
    }
    snprintf(line + size, sizeof line - (size_t)size, " events/s");
    fprintf(stderr, "\r%.*s\033[K", columns(), line);
    fflush(stderr);
    self->on_screen = true;
}

void fob_bench_progress_show(fob_bench_progress_t *self) {
    const fob_bench_plan_t *plan = fob_board_plan(self->board);
    int64_t clock = fob_board_clock();
    if (!self->shown || clock - self->last_ns < EVERY_NS)
        return;
    fob_bench_sum_t sums[3];
    sums[0] = fob_bench_sum(self->board, 0, plan->publishers);
    sums[1] = fob_bench_sum(self->board, plan->publishers, plan->subscribers);
    sums[2] = fob_bench_sum(self->board, plan->publishers + plan->subscribers,
                            plan->groups * plan->workers);
    const uint64_t now[4] = {sums[0].sent, sums[0].settled, sums[1].received, sums[2].received};
    show(self, now, clock - self->last_ns);
    self->last_ns = clock;
}

void fob_bench_progress_end(fob_bench_progress_t *self) {
    if (self->on_screen)
        fputs("\r\033[K", stderr);
    fflush(stderr);
    self->on_screen = false;
}
