/* spawn: starts a command as a process of ours. Main thread. */
#ifndef FOB_SPAWN_H
#define FOB_SPAWN_H

#include "proto/cli/cli.h"
#include <sys/types.h>

/* Whether the command can be found and run: FOB_EXIT_OK, or it was said why not. */
int fob_spawn_check(const fob_cli_t *cli, const char *program);

/* Starts it in a process group of its own, so that Ctrl-C on a terminal reaches us alone and
 * running handlers may finish; with these descriptors as its standard input and standard error, and
 * no other of ours but standard output. `tied`: it ends with us. 0, or an errno. */
int fob_spawn(pid_t *pid, int input, int errors, char **command, char **environment, bool tied);

#endif
