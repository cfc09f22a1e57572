#include "bus/commands/ask.h"
#include "bus/commands/commands.h"
#include "proto/cli/options.h"

#include <stdio.h>
#include <time.h>

static const char help[] = "usage: fob ping [-b ENDPOINT] [--connect-timeout D] [-q]\n\n"
                           "Exits with 0 if the bus answers, with 69 if it does not (within "
                           "3 s, or D):\nfor health checks.\n\n"
                           "  -b, --bus ENDPOINT     the bus to talk to\n"
                           "  --connect-timeout D    how long to try: 250ms, 5s, 1m\n"
                           "  -q, --quiet            print nothing if it answers\n";

static double clock_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

int fob_command_ping(int argc, char **argv) {
    fob_cli_t cli = {.command = "ping"};
    fob_args_t args = {0};
    const fob_option_t options[] = {FOB_OPTIONS_CLIENT(&cli)};
    int code =
        fob_options(&cli, options, sizeof options / sizeof options[0], help, argc, argv, &args);
    if (code >= 0)
        return code;
    code = fob_args_check(&cli, &args, 0, 0, "fob ping");
    if (code != FOB_EXIT_OK)
        return code;
    fob_answer_t answer;
    double start = clock_ms();
    code = fob_ask(&cli, NULL, &answer);
    if (code == FOB_EXIT_OK && !cli.quiet) {
        printf("%s: %s, level %s, %.1f ms\n", answer.endpoint, answer.bus, answer.level,
               clock_ms() - start);
        code = fob_print_end(&cli);
    }
    fob_answer_clear(&answer);
    return code;
}
