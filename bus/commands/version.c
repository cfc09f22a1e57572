#include "bus/commands/commands.h"
#include "proto/cli/options.h"

#include <stdio.h>

static const char help[] =
    "usage: fob version\n\n"
    "Prints the version of this program. \"fob ping\" tells that of the bus.\n";

int fob_command_version(int argc, char **argv) {
    fob_cli_t cli = {.command = "version"};
    fob_args_t args = {0};
    int code = fob_options(&cli, NULL, 0, help, argc, argv, &args);
    if (code < 0)
        code = fob_args_check(&cli, &args, 0, 0, "fob version");
    if (code != FOB_EXIT_OK || argc > 1)
        return code;
    puts("fob " FOB_VERSION_STRING);
    return fob_print_end(&cli);
}
