/* The commands that publish. Each takes its own name as argv[0] and returns the exit code. */
#ifndef FOB_PUBLISHER_COMMANDS_H
#define FOB_PUBLISHER_COMMANDS_H

int fob_command_pub(int argc, char **argv);

#endif
