/* The commands of the bus itself. Each takes its own name as argv[0] and returns the exit code. */
#ifndef FOB_BUS_COMMANDS_H
#define FOB_BUS_COMMANDS_H

int fob_command_serve(int argc, char **argv);
int fob_command_group(int argc, char **argv);
int fob_command_dead(int argc, char **argv);
int fob_command_stats(int argc, char **argv);
int fob_command_ping(int argc, char **argv);
int fob_command_journal(int argc, char **argv);
int fob_command_version(int argc, char **argv);

#endif
