/* tied: a child process that ends when we end, even by kill -9: for a command that may run only
 * once at a time, as an orphan would still be at it when another worker begins. Linux. */
#ifndef FOB_TIED_H
#define FOB_TIED_H

#include <sys/types.h>

/* Starts `command` (looked up in PATH, ended by NULL) in a process group of its own, with `input`
 * as standard input, `errors` as standard error, no signal blocked and SIGPIPE as usual. It is
 * killed when the thread that called this ends. 0 or an errno. What it starts itself is not tied.
 */
int fob_tied_spawn(pid_t *pid, int input, int errors, char **command, char **environment);

#endif
