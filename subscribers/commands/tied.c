#include "subscribers/commands/tied.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the child, between fork and exec: only what is safe there. */
static int become(pid_t parent, int input, int errors, const char *program, char **command,
                  char **environment) {
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigset_t none;
    sigemptyset(&none);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        return errno;
    if (getppid() != parent) /* it ended before it was asked for */
        return ESRCH;
    if (setpgid(0, 0) != 0 || dup2(input, STDIN_FILENO) < 0 || dup2(errors, STDERR_FILENO) < 0 ||
        sigaction(SIGPIPE, &standard, NULL) != 0 || sigprocmask(SIG_SETMASK, &none, NULL) != 0)
        return errno;
    execve(program, command, environment);
    return errno;
}

/* The child's errno; 0 where it became the command, which closed its end. */
static int outcome(int fd) {
    int error = 0;
    ssize_t size;
    do
        size = read(fd, &error, sizeof error);
    while (size < 0 && errno == EINTR);
    return size == (ssize_t)sizeof error ? error : 0;
}

/* Where the command is, as posix_spawnp would find it; looked for before the fork, as what looks
 * may allocate. False: nowhere. */
static bool find(const char *program, char *out, size_t size) {
    const char *path = strchr(program, '/') ? "" : getenv("PATH");
    if (path && !*path)
        return snprintf(out, size, "%s", program) < (int)size;
    for (path = path ? path : "/bin:/usr/bin"; *path;) {
        size_t length = strcspn(path, ":");
        int used = snprintf(out, size, "%.*s%s%s", (int)length, path, length ? "/" : "", program);
        if (used > 0 && (size_t)used < size && access(out, X_OK) == 0)
            return true;
        path += length + (path[length] == ':');
    }
    return false;
}

int fob_tied_spawn(pid_t *pid, int input, int errors, char **command, char **environment) {
    pid_t parent = getpid();
    int ends[2];
    char program[PATH_MAX];
    if (!find(command[0], program, sizeof program))
        return ENOENT;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return errno;
    *pid = fork();
    if (*pid == 0) {
        int error = become(parent, input, errors, program, command, environment);
        (void)!write(ends[1], &error, sizeof error);
        _exit(127);
    }
    int error = *pid < 0 ? errno : 0;
    close(ends[1]);
    if (error == 0)
        error = outcome(ends[0]);
    close(ends[0]);
    if (error != 0 && *pid > 0)
        waitpid(*pid, NULL, 0);
    return error;
}
