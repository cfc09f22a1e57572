/* fob: the one program. A table of commands; the only file that may include from everywhere. */
#include "bus/commands/commands.h"
#include "proto/cli/cli.h"
#include "publishers/commands/bench_load.h"
#include "publishers/commands/commands.h"
#include "subscribers/commands/bench_gauge.h"
#include "subscribers/commands/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *arguments, *line;
} command_t;

static int bench(int argc, char **argv) {
    static const fob_bench_parts_t parts = {fob_bench_load, fob_bench_gauge, fob_bench_take};
    return fob_command_bench(argc, argv, &parts);
}

static const command_t commands[] = {
    {"serve", fob_command_serve, "[--data DIR | --memory]...", "run the bus"},
    {"pub", fob_command_pub, "TOPIC [DATA | -]", "publish an event, or a line each"},
    {"sub", fob_command_sub, "PATTERN", "print events as they come, as JSON"},
    {"tail", fob_command_tail, "[PATTERN]", "the same, for eyes"},
    {"work", fob_command_work, "GROUP PATTERN [-- COMMAND]", "take a share of a group's events"},
    {"group", fob_command_group, "add | ls | show | rm", "consumer groups"},
    {"dead", fob_command_dead, "ls | show | redrive | purge", "events that a group gave up"},
    {"stats", fob_command_stats, "[--json]", "the bus's figures, once"},
    {"ping", fob_command_ping, "", "whether the bus answers: 0, or 69"},
    {"journal", fob_command_journal, "verify | ls | salvage...", "look into a folder, copy it"},
    {"bench", bench, "fanout | queue | latency...", "what a running bus does, measured"},
    {"version", fob_command_version, "", "the version of this program"},
};

static void print_help(FILE *to) {
    fputs("fob, the fan-out bus: services publish events, every group gets each of them.\n\n"
          "usage: fob COMMAND [ARGUMENT]...\n\n",
          to);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        fprintf(to, "  %-8s %-26s %s\n", commands[i].name, commands[i].arguments, commands[i].line);
    fputs("\n\"fob COMMAND -h\" tells more. The bus to talk to: -b ENDPOINT, else FOB_BUS,\n"
          "else tcp://127.0.0.1:7670.\n",
          to);
}

static bool is(const char *word, const char *shorter, const char *longer) {
    return strcmp(word, shorter) == 0 || strcmp(word, longer) == 0;
}

/* A standard descriptor that we were started without would become a socket's or a file's, and what
 * is meant for people would be written there. The input is opened for writing and the output for
 * reading, so that using them fails aloud: events are not acked for having gone nowhere. */
static bool fill_descriptors(void) {
    static const int modes[] = {O_WRONLY, O_RDONLY, O_WRONLY};
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && (errno != EBADF || open("/dev/null", modes[fd]) != fd))
            return false;
    return true;
}

int main(int argc, char **argv) {
    fob_cli_t cli = {0};
    if (!fill_descriptors())
        return FOB_EXIT_SYSTEM; /* there may be nowhere to say so */
    if (argc < 2) {
        print_help(stderr);
        return FOB_EXIT_USAGE;
    }
    if (is(argv[1], "-h", "--help")) {
        print_help(stdout);
        return FOB_EXIT_OK;
    }
    if (is(argv[1], "-V", "--version"))
        return fob_command_version(1, argv + 1);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    return fob_fail(&cli, FOB_EXIT_USAGE, "unknown %s \"%.80s\": \"fob -h\" lists the commands",
                    argv[1][0] == '-' ? "option" : "command", argv[1]);
}
