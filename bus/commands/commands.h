/* The commands of the bus itself. Each takes its own name as argv[0] and returns the exit code. */
#ifndef FOB_BUS_COMMANDS_H
#define FOB_BUS_COMMANDS_H

#include "proto/cli/bench/client.h"

int fob_command_serve(int argc, char **argv);
int fob_command_group(int argc, char **argv);
int fob_command_dead(int argc, char **argv);
int fob_command_stats(int argc, char **argv);
int fob_command_ping(int argc, char **argv);
int fob_command_journal(int argc, char **argv);
/* The clients that it measures with belong to the other parts. */
int fob_command_bench(int argc, char **argv, const fob_bench_parts_t *parts);
int fob_command_version(int argc, char **argv);

#endif
