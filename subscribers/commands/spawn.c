#include "subscribers/commands/spawn.h"

#include "subscribers/commands/tied.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool runs_in(const char *folder, size_t size, const char *program) {
    char path[4096];
    int length = snprintf(path, sizeof path, "%.*s/%s", (int)size, folder, program);
    return length > 0 && (size_t)length < sizeof path && access(path, X_OK) == 0;
}

int fob_spawn_check(const fob_cli_t *cli, const char *program) {
    const char *path = getenv("PATH");
    if (strchr(program, '/')) {
        if (access(program, X_OK) == 0)
            return FOB_EXIT_OK;
        return fob_fail(cli, FOB_EXIT_USAGE, "cannot run %.200s: %s", program, strerror(errno));
    }
    for (path = path ? path : "/bin:/usr/bin"; *path;) {
        size_t size = strcspn(path, ":");
        if (size == 0 ? access(program, X_OK) == 0 : runs_in(path, size, program))
            return FOB_EXIT_OK;
        path += size + (path[size] == ':');
    }
    return fob_fail(cli, FOB_EXIT_USAGE, "cannot run %.200s: there is no such command in PATH",
                    program);
}

int fob_spawn(pid_t *pid, int input, int errors, char **command, char **environment, bool tied) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, standard;
    if (tied)
        return fob_tied_spawn(pid, input, errors, command, environment);
    sigemptyset(&none);
    sigemptyset(&standard);
    sigaddset(&standard, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &standard);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                              POSIX_SPAWN_SETPGROUP);
    int error = posix_spawnp(pid, command[0], &actions, &attributes, command, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}
