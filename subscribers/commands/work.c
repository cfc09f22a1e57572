/* fob work: a worker of a group: events to standard output, or each to a command. */
#include "proto/cli/options.h"
#include "proto/cli/output.h"
#include "proto/cli/show.h"
#include "subscribers/commands/commands.h"
#include "subscribers/commands/work_run.h"
#include <fob/fob_worker.h>

#include <stdio.h>
#include <time.h>

static const char help[] =
    "usage: fob work GROUP PATTERN [OPTION]... [-- COMMAND [ARG]...]\n\n"
    "Takes a share of a group's events; the group is made if it is missing. Without a\n"
    "COMMAND each event is printed as one JSON object a line, then acked. With one it\n"
    "runs once an event, with the data on its standard input and FOB_TOPIC FOB_OFFSET\n"
    "FOB_ID FOB_KEY FOB_ATTEMPT FOB_GROUP FOB_TOKEN in its environment: exit 0 acks,\n"
    "65 rejects (a dead letter now), 75 releases (comes again, no attempt counted),\n"
    "anything else retries.\n\n"
    "      --jobs N            commands that run at once (default 1)\n"
    "      --prefetch N        events held at once (default 100; 2 x jobs with a\n"
    "                          COMMAND; 65536 at the most)\n"
    "      --lease D           a handler may take so long, then another worker gets\n"
    "                          the event (default: the group's, else no bound)\n"
    "      --timeout D         end COMMAND after this (TERM, KILL 5s later): retry\n"
    "      --from PLACE        where a group that this makes begins: latest (the\n"
    "                          default), earliest, an offset, a time, -10m (back\n"
    "                          from now)\n"
    "  -n, --count N           take N events, exit once all are settled\n"
    "      --once-store DIR    run COMMAND once a key; DIR remembers the keys\n"
    "      --temporary         a group that this makes goes with its last worker\n"
    "  -j, --json              the whole event as JSON (the default; with a COMMAND:\n"
    "                          on its standard input)\n"
    "      --raw               the data's bytes as they were published\n"
    "  -v, --verbose           say what becomes of each event\n"
    "  -q, --quiet             no news on standard error\n"
    "  -b, --bus ENDPOINT      the bus to talk to, else FOB_BUS, else\n"
    "                          tcp://127.0.0.1:7670\n"
    "      --connect-timeout D how long to try to reach the bus first (default 3s)\n\n"
    "SIGTERM and SIGINT: takes no more, finishes running commands, gives the rest\n"
    "back, exits 0; a second one: at once.\n";

static int take_options(fob_work_t *self, fob_args_t *args, const char **from, int argc,
                        char **argv) {
    const fob_option_t options[] = {
        FOB_OPTIONS_CLIENT(&self->cli),
        FOB_OPTION_JSON(&self->cli),
        {"jobs", 0, FOB_OPT_COUNT, &self->jobs, 1, 1024},
        {"prefetch", 0, FOB_OPT_COUNT, &self->prefetch, 1, FOB_PREFETCH_MAX},
        {"lease", 0, FOB_OPT_DURATION, &self->lease_ms, 0, 0},
        {"timeout", 0, FOB_OPT_DURATION, &self->timeout_ms, 0, 0},
        {"from", 0, FOB_OPT_TEXT, from, 0, 0},
        {"count", 'n', FOB_OPT_COUNT, &self->count, 1, 0},
        {"once-store", 0, FOB_OPT_TEXT, &self->once_store, 0, 0},
        {"temporary", 0, FOB_OPT_FLAG, &self->temporary, 0, 0},
        {"raw", 0, FOB_OPT_FLAG, &self->raw, 0, 0},
    };
    return fob_options(&self->cli, options, sizeof options / sizeof options[0], help, argc, argv,
                       args);
}

static int check_from(fob_work_t *self, const char *from) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (!from)
        return FOB_EXIT_OK;
    if (!fob_when_parse(from, (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000, &self->from))
        return fob_fail(&self->cli, FOB_EXIT_USAGE, "--from takes %s, not \"%.80s\"", FOB_WHEN_HINT,
                        from);
    if (self->from.kind != FOB_WHEN_LATEST && self->temporary)
        return fob_fail(&self->cli, FOB_EXIT_USAGE,
                        "--from and --temporary exclude each other: a group that begins in the "
                        "past is made to stay");
    return FOB_EXIT_OK;
}

static int check(fob_work_t *self, const fob_args_t *args) {
    int code =
        fob_args_check(&self->cli, args, 2, 2, "fob work GROUP PATTERN [-- COMMAND [ARG]...]");
    if (code != FOB_EXIT_OK)
        return code;
    self->group = args->args[0];
    self->pattern = args->args[1];
    self->command = args->rest;
    if (self->command && !self->command[0])
        return fob_fail(&self->cli, FOB_EXIT_USAGE, "there is no COMMAND behind --");
    if (self->timeout_ms && !self->command)
        return fob_fail(&self->cli, FOB_EXIT_USAGE,
                        "--timeout is for a COMMAND: there is none behind --");
    if (self->once_store && !self->command)
        return fob_fail(&self->cli, FOB_EXIT_USAGE,
                        "--once-store is for a COMMAND: there is none behind --");
    if (self->raw && self->cli.json)
        return fob_fail(&self->cli, FOB_EXIT_USAGE, "--json and --raw exclude each other");
    if (self->prefetch && self->prefetch < self->jobs)
        return fob_fail(&self->cli, FOB_EXIT_USAGE,
                        "--prefetch is less than --jobs: some jobs would never have work");
    code = fob_cli_check_group(&self->cli, self->group);
    if (code == FOB_EXIT_OK)
        code = fob_cli_check_pattern(&self->cli, self->pattern);
    return code == FOB_EXIT_OK ? fob_cli_check_bus(&self->cli) : code;
}

int fob_command_work(int argc, char **argv) {
    fob_work_t self = {.cli = {.command = "work"}, .jobs = 1};
    fob_args_t args = {.command = true};
    const char *from = NULL;
    int code = take_options(&self, &args, &from, argc, argv);
    if (code >= 0)
        return code;
    code = check(&self, &args);
    if (code == FOB_EXIT_OK)
        code = check_from(&self, from);
    return code == FOB_EXIT_OK ? fob_work_run(&self) : code;
}
