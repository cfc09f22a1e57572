#include "bus/commands/bench.h"
#include "proto/cli/output.h"
#include "proto/now.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_MS    20   /* between two looks at the board */
#define QUIET_MS   5000 /* so long nothing came: what is missing is not going to come */
#define FIRE_MS    1000 /* the same of fire-and-forget events, which come at once or never */
#define PARTING_MS 2000 /* the same after a signal */
#define GOODBYE_MS 6000 /* for the clients to end by themselves */

typedef struct {
    fob_bench_t *bench;
    const fob_bench_plan_t *plan;
    fob_board_t *board;
    uint32_t clients;
    pid_t pids[FOB_BENCH_CLIENTS]; /* 0: it has ended */
    fob_bench_progress_t progress;
    bool cut;   /* a signal came */
    bool broke; /* a client cannot go on */
} run_t;

/* --- the processes --- */

/* A terminal's ^C reaches all: the clients leave it to the coordinator, and never outlive it. */
static void live(const run_t *self, const fob_bench_parts_t *parts, uint32_t index, pid_t parent) {
    const fob_bench_plan_t *plan = self->plan;
    fob_client_t client = {.board = self->board, .plan = plan, .index = index};
    fob_client_fn *part = parts->load;
    client.slot = fob_board_slot(self->board, index);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        return;
    if (index >= plan->publishers + plan->subscribers)
        part = parts->take, client.index -= plan->publishers + plan->subscribers;
    else if (index >= plan->publishers)
        part = parts->gauge, client.index -= plan->publishers;
    if (fob_client_await(&client, FOB_BENCH_CONNECT))
        part(&client);
}

static int fork_all(run_t *self, const fob_bench_parts_t *parts) {
    pid_t parent = getpid();
    fflush(NULL);
    for (uint32_t i = 0; i < self->clients; i++) {
        pid_t pid = fork();
        if (pid < 0)
            return fob_fail(&self->bench->cli, FOB_EXIT_SYSTEM,
                            "cannot start %u processes, one a client: %s", self->clients,
                            strerror(errno));
        if (pid == 0) {
            live(self, parts, i, parent);
            _exit(0); /* what was inherited is the coordinator's to write and to close */
        }
        self->pids[i] = pid;
    }
    return FOB_EXIT_OK;
}

static int state_of(const run_t *self, uint32_t client) {
    return atomic_load(&fob_board_slot(self->board, client)->state);
}

/* Says of a client that ended without a word, killed by somebody say, that it did. */
static void note_end(run_t *self, uint32_t client, int status) {
    fob_bench_slot_t *slot = fob_board_slot(self->board, client);
    bool crashed = WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL;
    self->pids[client] = 0;
    if (!crashed && (fob_board_phase(self->board) == FOB_BENCH_END ||
                     atomic_load(&slot->state) >= FOB_CLIENT_DONE))
        return;
    slot->status = crashed ? FOB_INTERNAL : FOB_NO_MEMORY;
    if (crashed)
        snprintf(slot->text, sizeof slot->text, "a client's process was ended by signal %d",
                 WTERMSIG(status));
    else
        snprintf(slot->text, sizeof slot->text,
                 "a client's process was killed: by hand, or as memory is short");
    atomic_store(&slot->state, FOB_CLIENT_FAILED);
}

static bool reap(run_t *self, int flags) {
    bool all = true;
    for (uint32_t i = 0; i < self->clients; i++) {
        int status;
        if (self->pids[i] && waitpid(self->pids[i], &status, flags) == self->pids[i])
            note_end(self, i, status);
        all = all && !self->pids[i];
    }
    return all;
}

static void end_all(run_t *self) {
    int64_t until = fob_board_clock() + GOODBYE_MS * FOB_MS;
    fob_board_set(self->board, FOB_BENCH_END);
    while (!reap(self, WNOHANG) && fob_board_clock() < until && fob_stop_count() < 3) {
        fob_stop_wait(-1, 0, TICK_MS);
        fob_stop_clear();
    }
    for (uint32_t i = 0; i < self->clients; i++)
        if (self->pids[i])
            kill(self->pids[i], SIGKILL);
    reap(self, 0);
}

/* --- the phases --- */

/* A moment passes. False: it goes on no more: a client failed, or a second signal came. */
static bool tick(run_t *self) {
    fob_stop_wait(-1, 0, TICK_MS);
    fob_stop_clear();
    reap(self, WNOHANG);
    for (uint32_t i = 0; i < self->clients && !self->broke; i++)
        self->broke = state_of(self, i) == FOB_CLIENT_FAILED;
    if (fob_stop_count() > 0 && !self->cut) {
        self->cut = true;
        fob_board_cut(self->board);
    }
    if (fob_board_run_ns(self->board))
        fob_bench_progress_show(&self->progress);
    return !self->broke && fob_stop_count() < 2;
}

static bool all_are(const run_t *self, uint32_t count, int state) {
    for (uint32_t i = 0; i < count; i++)
        if (state_of(self, i) != state)
            return false;
    return true;
}

/* Whether each receiver has had as many as are on their way; *received is how many in all. */
static bool all_arrived(const run_t *self, uint64_t *received) {
    const fob_bench_plan_t *plan = self->plan;
    uint32_t groups = plan->publishers + plan->subscribers;
    uint64_t sent = fob_bench_sum(self->board, 0, plan->publishers).settled;
    bool all = true;
    *received = 0;
    for (uint32_t i = 0; i < fob_board_receivers(self->board); i++) {
        bool single = i < plan->subscribers;
        uint32_t first =
            single ? plan->publishers + i : groups + (i - plan->subscribers) * plan->workers;
        uint64_t had = fob_bench_sum(self->board, first, single ? 1 : plan->workers).received;
        *received += had;
        all = all && had >= sent;
    }
    return all;
}

/* Waits for what is on its way. */
static bool await_arrivals(run_t *self) {
    uint64_t before = 0, received;
    int64_t since = fob_board_clock(), last = since;
    while (!all_arrived(self, &received)) {
        int64_t now = fob_board_clock();
        if (received != before)
            before = received, last = now;
        if (now - last > (self->plan->fire ? FIRE_MS : QUIET_MS) * FOB_MS ||
            (self->cut && now - since > PARTING_MS * FOB_MS))
            return true;
        if (!self->cut)
            since = now;
        if (!tick(self))
            return false;
    }
    return true;
}

static bool run_phases(run_t *self) {
    while (!all_are(self, self->plan->publishers, FOB_CLIENT_DONE))
        if (!tick(self))
            return false;
    if (self->plan->hold && self->cut)
        return true; /* nobody has begun */
    if (self->plan->hold)
        fob_board_set(self->board, FOB_BENCH_DRAIN);
    return await_arrivals(self);
}

/* Until all are connected. */
static bool connect_all(run_t *self) {
    fob_board_set(self->board, FOB_BENCH_CONNECT);
    while (!all_are(self, self->clients, FOB_CLIENT_READY))
        if (!tick(self) || self->cut)
            return false;
    return true;
}

/* --- the whole --- */

/* Why it did not begin. */
static int never(const run_t *self) {
    int code = fob_bench_failure(self->bench, self->board);
    if (code == FOB_EXIT_OK)
        fob_warn(&self->bench->cli, "interrupted before it began");
    return code;
}

static int run(run_t *self, fob_bench_end_t *end) {
    int code = fob_bench_ask(self->bench);
    if (code != FOB_EXIT_OK)
        return code;
    if (!fob_stop_begin(true))
        return fob_fail(&self->bench->cli, FOB_EXIT_SYSTEM, "cannot take signals: %s",
                        strerror(errno));
    if (!connect_all(self))
        return never(self);
    fob_board_set(self->board, FOB_BENCH_RUN);
    fob_bench_progress_begin(&self->progress, self->bench, self->board);
    bool good = run_phases(self);
    fob_bench_progress_end(&self->progress);
    *end = self->broke          ? FOB_BENCH_FAILED
           : !good || self->cut ? FOB_BENCH_INTERRUPTED
                                : FOB_BENCH_COMPLETE;
    return FOB_EXIT_OK;
}

int fob_bench_run(fob_bench_t *bench, const fob_bench_parts_t *parts, fob_board_t **board,
                  fob_bench_end_t *end) {
    run_t self = {.bench = bench, .plan = &bench->plan};
    *end = FOB_BENCH_NEVER;
    *board = self.board = fob_board_new(&bench->plan);
    if (!self.board)
        return fob_fail(&bench->cli, FOB_EXIT_SYSTEM, "no room to count so many events: %s",
                        strerror(errno));
    self.clients = fob_board_clients(self.board);
    int code = fork_all(&self, parts);
    if (code == FOB_EXIT_OK)
        code = run(&self, end);
    end_all(&self);
    return code;
}
