/* The commands that receive. Each takes its own name as argv[0] and returns the exit code. */
#ifndef FOB_SUBSCRIBER_COMMANDS_H
#define FOB_SUBSCRIBER_COMMANDS_H

int fob_command_sub(int argc, char **argv);
int fob_command_tail(int argc, char **argv);
int fob_command_work(int argc, char **argv);

#endif
