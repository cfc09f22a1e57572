/* round: makes a site, has the peer serve there, runs publishers and consumers, and counts. */
#include "tests/bench/round.h"

#include "tests/bench/rig.h"
#include "tests/bench/round_inside.h"

#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#define READY_SECONDS 30 /* for all to connect */
#define QUIET_SECONDS 2  /* all was sent and nothing came for so long: it will not come */
#define STUCK_SECONDS 30 /* nothing is sent, confirmed or arrives: it has failed */
#define END_SECONDS   20 /* for all to end once it is over */

/* One round, as the harness sees it. */
typedef struct {
    const peer_t *peer;
    work_t work; /* with the events of this round */
    site_t *site;
    round_t *round;
    pid_t child[WORK_CONSUMERS + WORK_PUBLISHERS]; /* consumers, then publishers; 0: reaped */
    unsigned children, publishing;                 /* publishing: publishers that have not ended */
    double cpu;                                    /* of the children that have ended */
    round_result_t *result;
} run_t;

static bool fails(run_t *self, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool fails(run_t *self, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    if (!self->result->why[0])
        vsnprintf(self->result->why, sizeof self->result->why, format, arguments);
    va_end(arguments);
    return false;
}

static void pause_ms(long ms) {
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* --- processes --- */

typedef struct {
    run_t *run;
    bool consumes;
    unsigned index;
} part_t;

static bool play(void *arg) {
    part_t *part = arg;
    run_t *run = part->run;
    role_t role = {.work = &run->work,
                   .site = run->site,
                   .index = part->index,
                   .group = part->consumes ? part->index / run->work.workers : 0,
                   .round = run->round};
    signal(SIGINT, SIG_DFL), signal(SIGTERM, SIG_DFL), signal(SIGPIPE, SIG_IGN);
    /* Who waits until an event is due waits no longer. */
    prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    return part->consumes ? run->peer->consume(&role) : run->peer->publish(&role);
}

static void add_child(run_t *self, bool consumes, unsigned index) {
    part_t part = {self, consumes, index};
    self->child[consumes ? index : self->round->consumers + index] = rig_child(play, &part);
}

/* Takes note of children that ended. False: one of them has failed. */
static bool look_after(run_t *self) {
    for (unsigned i = 0; i < self->children; i++) {
        struct rusage used;
        int status;
        if (!self->child[i] || wait4(self->child[i], &status, WNOHANG, &used) != self->child[i])
            continue;
        self->child[i] = 0;
        self->cpu += (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                     (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
        self->publishing -= i >= self->round->consumers;
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            return fails(self, "a %s failed",
                         i < self->round->consumers ? "consumer" : "publisher");
    }
    return !site_stopping() || fails(self, "stopped");
}

static bool await_ready(run_t *self, unsigned count) {
    for (double from = rig_now(); atomic_load(&self->round->ready) < count; pause_ms(1)) {
        if (!look_after(self))
            return false;
        if (rig_now() - from > READY_SECONDS)
            return fails(self, "not ready after %d s", READY_SECONDS);
    }
    return true;
}

static void kill_children(run_t *self) {
    for (unsigned i = 0; i < self->children; i++)
        if (self->child[i]) {
            kill(self->child[i], SIGKILL);
            waitpid(self->child[i], NULL, 0);
            self->child[i] = 0;
        }
}

/* --- what has come --- */

static unsigned tallies_of(const run_t *self, unsigned group, const tally_t **tallies) {
    for (unsigned i = 0; i < self->work.workers; i++)
        tallies[i] = round_tally(self->round, group * self->work.workers + i);
    return self->work.workers;
}

static uint64_t group_distinct(const run_t *self, unsigned group) {
    const tally_t *tallies[WORK_CONSUMERS];
    unsigned count = tallies_of(self, group, tallies);
    return tally_together(tallies, count, self->work.events);
}

/* Groups that have workers in this round. */
static unsigned manned(const run_t *self) {
    return self->work.groups - self->work.unmanned;
}

static bool all_arrived(const run_t *self) {
    for (unsigned group = 0; group < manned(self); group++) {
        const tally_t *tallies[WORK_CONSUMERS];
        uint64_t sum = 0;
        for (unsigned i = tallies_of(self, group, tallies); i-- > 0;)
            sum += tallies[i]->distinct;
        /* Two workers may have had the same. */
        if (sum < self->work.events || group_distinct(self, group) < self->work.events)
            return false;
    }
    return true;
}

/* Grows while anything moves. */
static uint64_t progress(const run_t *self) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < self->work.publishers; i++)
        sum += self->round->senders[i].sent + self->round->senders[i].confirmed;
    for (unsigned i = 0; i < self->round->consumers; i++)
        sum += round_tally(self->round, i)->arrived;
    return sum;
}

/* Until the publishers have ended and, where `arrive`, all has arrived. */
static bool await_all(run_t *self, bool arrive) {
    uint64_t before = UINT64_MAX;
    for (double moved = rig_now(); self->publishing > 0 || (arrive && !all_arrived(self));
         pause_ms(2)) {
        uint64_t now = progress(self);
        if (!look_after(self))
            return false;
        if (now != before)
            before = now, moved = rig_now();
        if (self->publishing == 0 && rig_now() - moved > QUIET_SECONDS)
            return true;
        if (rig_now() - moved > STUCK_SECONDS)
            return fails(self, "nothing moved for %d s", STUCK_SECONDS);
    }
    return true;
}

static bool await_end(run_t *self) {
    atomic_store(&self->round->over, true);
    for (double from = rig_now();; pause_ms(1)) {
        bool living = false;
        if (!look_after(self))
            return false;
        for (unsigned i = 0; i < self->children; i++)
            living = living || self->child[i];
        if (!living)
            return true;
        if (rig_now() - from > END_SECONDS)
            return fails(self, "consumers do not end");
    }
}

/* --- figures --- */

static void figures_of_senders(run_t *self, uint64_t *first) {
    fob_histogram_t *delay = calloc(1, sizeof *delay);
    double *figures = self->result->figures;
    uint64_t last = 0, confirmed = 0;
    if (!delay)
        rig_die("no memory");
    *first = UINT64_MAX;
    for (unsigned i = 0; i < self->work.publishers; i++) {
        const round_sender_t *sender = &self->round->senders[i];
        *first = sender->first < *first ? sender->first : *first;
        last = sender->last_confirmed > last ? sender->last_confirmed : last;
        confirmed += sender->confirmed;
        fob_histogram_join(delay, &sender->delay);
    }
    if (confirmed) {
        figures[FIGURE_CONFIRMED] = (double)confirmed / ((double)(last - *first) / 1e9);
        figures[FIGURE_CONFIRM_P50] = (double)fob_histogram_at(delay, 0.5) / 1e3;
        figures[FIGURE_CONFIRM_P99] = (double)fob_histogram_at(delay, 0.99) / 1e3;
    }
    free(delay);
}

static void figures_of_consumers(run_t *self, uint64_t first) {
    fob_histogram_t *delay = calloc(1, sizeof *delay);
    double *figures = self->result->figures;
    uint64_t last = 0, distinct = 0, twice = 0, disordered = 0, arrived_first = UINT64_MAX;
    if (!delay)
        rig_die("no memory");
    for (unsigned group = 0; group < manned(self); group++)
        distinct += group_distinct(self, group);
    for (unsigned i = 0; i < self->round->consumers; i++) {
        const tally_t *tally = round_tally(self->round, i);
        uint64_t end = tally->last;
        /* That one learnt late that it was over is no time of the work's. */
        if (self->work.kind == WORK_FIRE || self->work.kind == WORK_STORED)
            end = tally->last;
        last = end > last ? end : last;
        arrived_first = tally->first && tally->first < arrived_first ? tally->first : arrived_first;
        twice += tally->arrived;
        disordered += tally->disordered;
        if (tally->strange)
            fails(self, "%llu that nobody sent", (unsigned long long)tally->strange);
        fob_histogram_join(delay, &tally->delay);
    }
    figures[FIGURE_LOST] = (double)(self->work.events * manned(self) - distinct);
    figures[FIGURE_TWICE] = (double)(twice - distinct);
    figures[FIGURE_DISORDERED] = (double)disordered;
    if (last > first && distinct) {
        double each = (double)distinct / manned(self);
        figures[FIGURE_RATE] = each / ((double)(last - first) / 1e9);
        figures[FIGURE_DRAINED] = each / ((double)(last - arrived_first + 1) / 1e9);
        figures[FIGURE_P50] = (double)fob_histogram_at(delay, 0.5) / 1e3;
        figures[FIGURE_P99] = (double)fob_histogram_at(delay, 0.99) / 1e3;
        figures[FIGURE_MOST] = (double)fob_histogram_at(delay, 1) / 1e3;
    }
    free(delay);
}

/* --- a flow --- */

static void map_round(run_t *self) {
    const work_t *work = &self->work;
    unsigned consumers = manned(self) * work->workers;
    size_t tally = tally_size(work->events), senders = work->publishers * sizeof(round_sender_t);
    size_t mapped = sizeof(round_t) + 64 + senders + 64 + consumers * tally;
    uint8_t *memory = rig_shared(mapped);
    self->round = (round_t *)(void *)memory;
    self->round->peer = self->peer;
    self->round->consumers = consumers;
    self->children = consumers + work->publishers;
    self->round->each = work->events / work->publishers;
    self->round->mapped = mapped;
    self->round->tally_size = tally;
    self->round->senders = (void *)(memory + (sizeof(round_t) + 63) / 64 * 64);
    self->round->tallies = (uint8_t *)self->round->senders + (senders + 63) / 64 * 64;
}

static bool start(run_t *self) {
    return self->peer->start(self->site, &self->work, false) ||
           fails(self, "its server does not start");
}

static bool add_consumers(run_t *self) {
    unsigned ready = atomic_load(&self->round->ready);
    for (unsigned i = 0; i < self->round->consumers; i++)
        add_child(self, true, i);
    return await_ready(self, ready + self->round->consumers);
}

static bool add_publishers(run_t *self) {
    unsigned ready = atomic_load(&self->round->ready);
    self->publishing = self->work.publishers;
    for (unsigned i = 0; i < self->work.publishers; i++)
        add_child(self, false, i);
    return await_ready(self, ready + self->work.publishers);
}

static void begin(run_t *self) {
    atomic_store(&self->round->start, role_clock());
    atomic_store(&self->round->began, true);
}

/* All at once: publishers send, consumers take. */
static bool flow(run_t *self) {
    double cpu;
    uint64_t first;
    if (!add_consumers(self) || !add_publishers(self))
        return false;
    cpu = site_cpu(self->site);
    begin(self);
    bool good = await_all(self, true);
    cpu = site_cpu(self->site) - cpu;
    good = good && await_end(self);
    if (!good)
        return false;
    figures_of_senders(self, &first);
    if (self->work.groups)
        figures_of_consumers(self, first);
    self->result->figures[FIGURE_CPU_BROKER] = cpu * 1e6 / (double)self->work.events;
    self->result->figures[FIGURE_CPU_CLIENTS] = self->cpu * 1e6 / (double)self->work.events;
    return !self->result->why[0];
}

/* The same for others' backlog: what groups without workers get to keep before it begins. */
static bool preload(run_t *self) {
    round_result_t result = {.good = false};
    run_t before = {.peer = self->peer, .work = self->work, .site = self->site, .result = &result};
    before.work.events = (self->work.backlog / self->work.publishers + 1) * self->work.publishers;
    before.work.rate = 0;
    map_round(&before);
    bool good = flow(&before);
    kill_children(&before);
    munmap(before.round, before.round->mapped);
    return good || fails(self, "the backlog: %s", result.why);
}

/* --- a backlog: stored first, then drained --- */

/* How long its start takes, from `from` on. */
static bool restart(run_t *self, uint64_t *from) {
    if (!self->work.killed && self->peer->stop)
        self->peer->stop(self->site);
    site_stop(self->site, self->work.killed ? 0 : 60);
    *from = role_clock();
    return self->peer->start(self->site, &self->work, true) ||
           fails(self, "its server does not start again");
}

static void figure_of_restart(run_t *self, uint64_t from) {
    uint64_t first = UINT64_MAX;
    for (unsigned i = 0; i < self->round->consumers; i++) {
        const tally_t *tally = round_tally(self->round, i);
        first = tally->first && tally->first < first ? tally->first : first;
    }
    if (first != UINT64_MAX)
        self->result->figures[FIGURE_RESTART] = (double)(first - from) / 1e6;
}

static bool backlog(run_t *self) {
    double *figures = self->result->figures, bytes = (double)self->work.events * self->work.size;
    uint64_t first, from = 0, idle = site_memory(self->site);
    if (!add_publishers(self))
        return false;
    begin(self);
    if (!await_all(self, false))
        return false;
    figures_of_senders(self, &first);
    figures[FIGURE_IDLE] = (double)idle / 1048576;
    figures[FIGURE_MEMORY] = ((double)site_memory(self->site) - (double)idle) / 1048576;
    figures[FIGURE_DISK] = (double)site_disk(self->site) / bytes;
    if ((self->work.restart && !restart(self, &from)) || !add_consumers(self) ||
        !await_all(self, true) || !await_end(self))
        return false;
    figures_of_consumers(self, first);
    figures[FIGURE_RATE] = NAN; /* there was a pause */
    figures[FIGURE_P50] = figures[FIGURE_P99] = figures[FIGURE_MOST] = NAN;
    if (self->work.restart)
        figure_of_restart(self, from);
    return !self->result->why[0];
}

/* --- the round --- */

static bool run(run_t *self) {
    if (self->work.kind == WORK_FLOOR)
        return self->peer->measure(self->site, &self->work, self->result->figures) ||
               fails(self, "it could not be measured");
    if (!start(self) || (self->work.backlog && !preload(self)))
        return false;
    return self->work.kind == WORK_BACKLOG ? backlog(self) : flow(self);
}

void round_run(const peer_t *peer, const work_t *work, uint64_t events, round_result_t *result) {
    run_t self = {.peer = peer, .work = *work, .result = result};
    memset(result, 0, sizeof *result);
    for (unsigned i = 0; i < FIGURES; i++)
        result->figures[i] = NAN;
    self.work.events = events / work->publishers * work->publishers;
    if (self.work.events == 0)
        self.work.events = work->publishers;
    self.work.backlog =
        (uint64_t)((double)work->backlog * (double)self.work.events / (double)work->events);
    self.site = site_new(peer->name);
    map_round(&self);
    result->good = run(&self);
    kill_children(&self);
    if (peer->stop)
        peer->stop(self.site);
    site_destroy(&self.site);
    munmap(self.round, self.round->mapped);
}
