/* fob bench: what a bus does on this machine: events a second, how long they take, what is lost. */
#include "bus/commands/bench.h"

#include "bus/commands/commands.h"
#include "proto/cli/bench/stamp.h"
#include "proto/cli/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static const char help[] =
    "usage: fob bench WORK [OPTION]...\n\n"
    "Measures a running bus: publishes numbered events under topics of its own, takes\n"
    "them again, and tells how many a second, how long each took, and whether one was\n"
    "lost, came twice or out of order. Each client is a process. Nothing is left but\n"
    "what was stored, which the bus keeps as its retain says.\n\n"
    "  fanout     every event to each of 4 subscribers\n"
    "  queue      every event to a group of 2 workers that ack it\n"
    "  latency    5000 events/s to a subscriber and to a worker: how long they take\n"
    "  backlog    events are stored with nobody there, then handled by 2 workers\n\n"
    "      --publishers N      processes that publish (default 1)\n"
    "      --subscribers N     that subscribe\n"
    "      --groups N          groups, each of which gets every event\n"
    "      --workers N         workers of each group\n"
    "      --topics N          topics, in turn (default 1)\n"
    "      --size N            bytes of data, from 32 (default 256, fanout: 128)\n"
    "      --rate N            events/s of all publishers; 0: as fast as possible\n"
    "      --duration D        publish so long (default 10s, latency: 8s)\n"
    "  -n, --count N           or so many events (default 1000000, backlog: 500000;\n"
    "                          latency, and --confirm none: no end)\n"
    "      --confirm WHEN      stored (the default), or none: fire-and-forget, which\n"
    "                          reaches subscribers only\n"
    "      --window N          events of a publisher without receipt (default 1024)\n"
    "      --prefetch N        events that a worker holds (default 1000)\n"
    "      --anyway            also where groups of others would get the events\n"
    "  -j, --json              one object on one line\n"
    "  -q, --quiet             no progress and no news on standard error\n"
    "  -b, --bus ENDPOINT      the bus to talk to, else FOB_BUS, else\n"
    "                          tcp://127.0.0.1:7670\n"
    "      --connect-timeout D how long to try to reach the bus, and to wait for one\n"
    "                          that goes away (default 3s)\n\n"
    "With --duration or --count only that one ends it. At a rate, times count from\n"
    "when an event was due, not from when it could be sent. SIGINT and SIGTERM end it\n"
    "early, with the figures so far.\n";

#define UNSAID     UINT64_MAX
#define CONNECT_MS 3000

typedef struct {
    uint64_t publishers, subscribers, groups, workers, topics, size, rate, window, prefetch, count;
    int64_t duration_ms; /* 0: not said */
    const char *confirm;
} asked_t;

typedef struct {
    const char *name;
    uint32_t subscribers, groups, workers, size;
    uint64_t rate, count;
    int64_t duration_ms;
    bool hold;
} work_t;

static const work_t works[] = {
    {"fanout", 4, 0, 1, 128, 0, 1000000, 10000, false},
    {"queue", 0, 1, 2, 256, 0, 1000000, 10000, false},
    {"latency", 1, 1, 1, 256, 5000, 0, 8000, false},
    {"backlog", 0, 1, 2, 256, 0, 500000, 10000, true},
};

static const work_t *find(const char *name) {
    for (size_t i = 0; i < sizeof works / sizeof works[0]; i++)
        if (strcmp(works[i].name, name) == 0)
            return &works[i];
    return NULL;
}

static uint64_t or_else(uint64_t said, uint64_t otherwise) {
    return said == UNSAID ? otherwise : said;
}

/* Who says when it ends means that, and no default beside it. */
static void fill_end(fob_bench_plan_t *plan, const asked_t *asked, const work_t *work) {
    bool said = asked->count != UNSAID || asked->duration_ms != 0;
    plan->count = or_else(asked->count, said || plan->fire ? 0 : work->count);
    plan->duration_ms = asked->duration_ms || said ? asked->duration_ms : work->duration_ms;
}

static void fill(fob_bench_t *self, const asked_t *asked, const work_t *work) {
    fob_bench_plan_t *plan = &self->plan;
    self->work = work->name;
    plan->fire = asked->confirm && strcmp(asked->confirm, "none") == 0;
    plan->publishers = (uint32_t)or_else(asked->publishers, 1);
    plan->subscribers = (uint32_t)or_else(asked->subscribers, work->subscribers);
    /* Beside subscribers a group is left out that would get nothing. */
    plan->groups =
        (uint32_t)or_else(asked->groups, plan->fire && work->subscribers > 0 ? 0 : work->groups);
    plan->workers = (uint32_t)or_else(asked->workers, work->workers);
    plan->topics = (uint32_t)or_else(asked->topics, 1);
    plan->size = (uint32_t)or_else(asked->size, work->size);
    plan->rate = or_else(asked->rate, work->rate);
    plan->window = (uint32_t)or_else(asked->window, 1024);
    plan->prefetch = (uint32_t)or_else(asked->prefetch, 1000);
    plan->hold = work->hold;
    plan->connect_ms = self->cli.connect_timeout_ms ? self->cli.connect_timeout_ms : CONNECT_MS;
    plan->bus = fob_cli_bus(&self->cli);
    plan->prefix = self->prefix;
    fill_end(plan, asked, work);
}

static int check_plan(const fob_bench_t *self) {
    const fob_bench_plan_t *plan = &self->plan;
    uint64_t clients =
        plan->publishers + plan->subscribers + (uint64_t)plan->groups * plan->workers;
    if (plan->fire && plan->groups > 0)
        return fob_fail(&self->cli, FOB_EXIT_USAGE,
                        "--confirm none is for subscribers: what is not stored reaches no group");
    if (plan->hold && plan->groups == 0)
        return fob_fail(&self->cli, FOB_EXIT_USAGE,
                        "backlog needs a group for which the events are kept");
    if (clients > FOB_BENCH_CLIENTS)
        return fob_fail(&self->cli, FOB_EXIT_USAGE,
                        "these are %llu clients, a process each; %d at the most",
                        (unsigned long long)clients, FOB_BENCH_CLIENTS);
    return FOB_EXIT_OK;
}

static int check(fob_bench_t *self, const asked_t *asked, const fob_args_t *args) {
    static const char usage[] = "fob bench fanout | queue | latency | backlog [OPTION]...";
    int code = fob_args_check(&self->cli, args, 1, 1, usage);
    if (code != FOB_EXIT_OK)
        return code;
    const work_t *work = find(args->args[0]);
    if (!work)
        return fob_fail(&self->cli, FOB_EXIT_USAGE, "\"%.80s\" is none of the works: %s",
                        args->args[0], usage);
    if (asked->confirm && strcmp(asked->confirm, "stored") != 0 &&
        strcmp(asked->confirm, "none") != 0)
        return fob_fail(&self->cli, FOB_EXIT_USAGE, "--confirm takes stored or none, not \"%.80s\"",
                        asked->confirm);
    fill(self, asked, work);
    code = check_plan(self);
    return code == FOB_EXIT_OK ? fob_cli_check_bus(&self->cli) : code;
}

/* A name that no other run has. */
static int give_name(fob_bench_t *self) {
    if (getrandom(&self->plan.run, sizeof self->plan.run, 0) != sizeof self->plan.run)
        return fob_fail(&self->cli, FOB_EXIT_SYSTEM, "no random number: %s", strerror(errno));
    snprintf(self->prefix, sizeof self->prefix, "bench.%08x", self->plan.run);
    return FOB_EXIT_OK;
}

static int print(const fob_bench_t *self, const fob_board_t *board, fob_bench_end_t end) {
    json_t *figures = fob_bench_figures(self, board, end);
    char *line = self->cli.json ? json_dumps(figures, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    if (!figures || (self->cli.json && !line))
        return fob_fail_status(&self->cli, FOB_NO_MEMORY, NULL);
    if (line)
        puts(line);
    else
        fob_bench_show(figures);
    free(line);
    int code = fob_print_end(&self->cli);
    int verdict = fob_bench_verdict(self, board, figures);
    json_decref(figures);
    return verdict != FOB_EXIT_OK ? verdict : code;
}

static int measure(fob_bench_t *self, const fob_bench_parts_t *parts) {
    fob_board_t *board = NULL;
    fob_bench_end_t end;
    int code = fob_bench_run(self, parts, &board, &end);
    if (code == FOB_EXIT_OK && end != FOB_BENCH_NEVER)
        code = print(self, board, end);
    fob_board_destroy(&board);
    return code;
}

int fob_command_bench(int argc, char **argv, const fob_bench_parts_t *parts) {
    fob_bench_t self = {.cli = {.command = "bench"}};
    fob_args_t args = {0};
    asked_t asked = {UNSAID, UNSAID, UNSAID, UNSAID, UNSAID, UNSAID,
                     UNSAID, UNSAID, UNSAID, UNSAID, 0,      NULL};
    const fob_option_t options[] = {
        FOB_OPTIONS_CLIENT(&self.cli),
        FOB_OPTION_JSON(&self.cli),
        {"publishers", 0, FOB_OPT_COUNT, &asked.publishers, 1, FOB_BENCH_CLIENTS},
        {"subscribers", 0, FOB_OPT_COUNT, &asked.subscribers, 0, FOB_BENCH_CLIENTS},
        {"groups", 0, FOB_OPT_COUNT, &asked.groups, 0, FOB_BENCH_CLIENTS},
        {"workers", 0, FOB_OPT_COUNT, &asked.workers, 1, FOB_BENCH_CLIENTS},
        {"topics", 0, FOB_OPT_COUNT, &asked.topics, 1, 100000},
        {"size", 0, FOB_OPT_COUNT, &asked.size, FOB_STAMP_LEAST, 1 << 30},
        {"rate", 0, FOB_OPT_COUNT, &asked.rate, 0, 100000000},
        {"window", 0, FOB_OPT_COUNT, &asked.window, 1, 16384},
        {"prefetch", 0, FOB_OPT_COUNT, &asked.prefetch, 1, 65536},
        {"duration", 0, FOB_OPT_DURATION, &asked.duration_ms, 0, 0},
        {"count", 'n', FOB_OPT_COUNT, &asked.count, 1, 0},
        {"confirm", 0, FOB_OPT_TEXT, &asked.confirm, 0, 0},
        {"anyway", 0, FOB_OPT_FLAG, &self.anyway, 0, 0},
    };
    int code = fob_options(&self.cli, options, sizeof options / sizeof options[0], help, argc, argv,
                           &args);
    if (code >= 0)
        return code;
    code = check(&self, &asked, &args);
    if (code == FOB_EXIT_OK)
        code = give_name(&self);
    return code == FOB_EXIT_OK ? measure(&self, parts) : code;
}
