#include "proto/cli/bench/client.h"

#include "proto/now.h"

#include <stdio.h>
#include <time.h>

#define LOOK_NS  (250 * FOB_MS)
#define PAUSE_NS (2 * FOB_MS) /* between two looks at the phase */

bool fob_client_await(const fob_client_t *self, fob_bench_phase_t phase) {
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    while (fob_board_phase(self->board) < phase)
        nanosleep(&pause, NULL);
    return fob_board_phase(self->board) != FOB_BENCH_END;
}

void fob_client_ready(fob_client_t *self) {
    atomic_store(&self->slot->state, FOB_CLIENT_READY);
}

void fob_client_done(fob_client_t *self) {
    if (!fob_client_failed(self))
        atomic_store(&self->slot->state, FOB_CLIENT_DONE);
}

void fob_client_fail(fob_client_t *self, fob_status_t status, const char *trouble) {
    if (fob_client_failed(self))
        return;
    self->slot->status = status;
    snprintf(self->slot->text, sizeof self->slot->text, "%s", trouble ? trouble : "");
    atomic_store(&self->slot->state, FOB_CLIENT_FAILED);
}

bool fob_client_failed(const fob_client_t *self) {
    return atomic_load(&self->slot->state) == FOB_CLIENT_FAILED;
}

bool fob_client_looks(fob_client_t *self, int64_t now_ns) {
    if (now_ns - self->looked_ns < LOOK_NS)
        return false;
    self->looked_ns = now_ns;
    return true;
}

bool fob_client_lives(fob_client_t *self, int64_t now_ns, const char *trouble) {
    if (!*trouble) {
        self->away_ns = 0;
        return true;
    }
    if (self->away_ns == 0)
        self->away_ns = now_ns;
    if (now_ns - self->away_ns < self->plan->connect_ms * FOB_MS)
        return true;
    fob_client_fail(self, FOB_UNREACHABLE, trouble);
    return false;
}
