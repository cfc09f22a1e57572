#include "subscribers/commands/handlers.h"

#include "subscribers/commands/environment.h"
#include "subscribers/commands/tied.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct {
    pid_t pid; /* 0: a free slot */
    fob_event_t *event;
    int input; /* our end of its standard input; -1: closed */
    fob_buf_t data;
    size_t written;
} child_t;

struct fob_handlers {
    const fob_cli_t *cli;
    fob_worker_t *worker;
    const char *group;
    char **command;
    fob_handlers_show_fn *show;
    fob_environment_t environment;
    const fob_firsts_t *firsts; /* NULL: every event runs */
    int code;                   /* to end with */
    size_t jobs, running;
    child_t children[];
};

fob_handlers_t *fob_handlers_new(const fob_cli_t *cli, fob_worker_t *worker, const char *group,
                                 char **command, size_t jobs, fob_handlers_show_fn *show) {
    fob_handlers_t *self = calloc(1, sizeof *self + jobs * sizeof self->children[0]);
    if (!self)
        return NULL;
    *self = (fob_handlers_t){cli, worker, group, command, show, .jobs = jobs};
    for (size_t i = 0; i < jobs; i++)
        self->children[i].input = -1;
    if (!fob_environment_begin(&self->environment)) {
        free(self);
        return NULL;
    }
    return self;
}

static bool runs_in(const char *folder, size_t size, const char *program) {
    char path[4096];
    int length = snprintf(path, sizeof path, "%.*s/%s", (int)size, folder, program);
    return length > 0 && (size_t)length < sizeof path && access(path, X_OK) == 0;
}

int fob_handlers_check(const fob_cli_t *cli, const char *program) {
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

void fob_handlers_firsts(fob_handlers_t *self, const fob_firsts_t *firsts) {
    self->firsts = firsts;
}

int fob_handlers_code(const fob_handlers_t *self) {
    return self->code;
}

size_t fob_handlers_running(const fob_handlers_t *self) {
    return self->running;
}

static child_t *free_slot(fob_handlers_t *self) {
    for (size_t i = 0; i < self->jobs; i++)
        if (self->children[i].pid == 0)
            return &self->children[i];
    return NULL;
}

/* A group of its own, so that Ctrl-C on a terminal reaches us alone and running handlers may
 * finish. */
static int spawn(fob_handlers_t *self, pid_t *pid, int input) {
    if (self->firsts && self->firsts->once)
        return fob_tied_spawn(pid, input, self->command, self->environment.items);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, standard;
    sigemptyset(&none);
    sigemptyset(&standard);
    sigaddset(&standard, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &standard);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                              POSIX_SPAWN_SETPGROUP);
    int error = posix_spawnp(pid, self->command[0], &actions, &attributes, self->command,
                             self->environment.items);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

static void close_input(child_t *child) {
    if (child->input >= 0)
        close(child->input);
    child->input = -1;
}

/* Writes until the child has all of it, or its pipe is full. A child that closed its input does not
 * want more. */
static void feed(child_t *child) {
    while (child->input >= 0 && child->written < child->data.size) {
        ssize_t wrote = write(child->input, child->data.data + child->written,
                              child->data.size - child->written);
        if (wrote > 0)
            child->written += (size_t)wrote;
        else if (wrote < 0 && errno == EAGAIN)
            return;
        else if (wrote < 0 && errno != EINTR)
            break;
    }
    close_input(child);
}

static int begin(fob_handlers_t *self, child_t *child, const fob_event_t *event) {
    int ends[2];
    fob_buf_clear(&child->data);
    child->written = 0;
    self->show(&child->data, event);
    if (child->data.failed || !fob_environment_set(&self->environment, event, self->group))
        return ENOMEM;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return errno;
    int error =
        fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0 ? spawn(self, &child->pid, ends[0]) : errno;
    close(ends[0]);
    if (error != 0) {
        close(ends[1]);
        child->pid = 0;
        return error;
    }
    child->input = ends[1];
    return 0;
}

/* Whether it was settled without a run. */
static bool settled_by_firsts(fob_handlers_t *self, fob_event_t **event, int *code) {
    fob_settle_t how = (fob_settle_t)0;
    *code = self->firsts ? fob_firsts_begin(self->firsts, *event, &how) : FOB_EXIT_OK;
    if (how)
        fob_worker_settle(self->worker, event, how);
    return how != 0;
}

int fob_handlers_start(fob_handlers_t *self, fob_event_t **event) {
    child_t *child = free_slot(self);
    int code;
    assert(child);
    if (settled_by_firsts(self, event, &code))
        return code;
    int error = begin(self, child, *event);
    if (error != 0) {
        if (self->firsts)
            (void)fob_firsts_end(self->firsts, *event, FOB_RELEASE);
        fob_worker_settle(self->worker, event, FOB_RELEASE);
        return fob_fail(self->cli, FOB_EXIT_SYSTEM, "cannot run %.200s: %s", self->command[0],
                        strerror(error));
    }
    child->event = *event;
    *event = NULL;
    self->running++;
    feed(child);
    return FOB_EXIT_OK;
}

size_t fob_handlers_fds(const fob_handlers_t *self, struct pollfd *fds) {
    size_t count = 0;
    for (size_t i = 0; i < self->jobs; i++)
        if (self->children[i].input >= 0)
            fds[count++] = (struct pollfd){.fd = self->children[i].input, .events = POLLOUT};
    return count;
}

void fob_handlers_feed(fob_handlers_t *self) {
    for (size_t i = 0; i < self->jobs; i++)
        feed(&self->children[i]);
}

static fob_settle_t verdict(int status) {
    if (!WIFEXITED(status))
        return FOB_RETRY;
    switch (WEXITSTATUS(status)) {
    case 0:
        return FOB_ACK;
    case FOB_EXIT_DATA:
        return FOB_REJECT;
    case FOB_EXIT_BUSY:
        return FOB_RELEASE;
    default:
        return FOB_RETRY;
    }
}

static void tell(const fob_handlers_t *self, const child_t *child, int status) {
    if (!self->cli->verbose)
        return;
    if (WIFEXITED(status))
        fob_note(self->cli, "%s, attempt %u: exit %d", fob_event_id(child->event),
                 fob_event_attempt(child->event), WEXITSTATUS(status));
    else
        fob_note(self->cli, "%s, attempt %u: signal %d", fob_event_id(child->event),
                 fob_event_attempt(child->event), WTERMSIG(status));
}

static void settle(fob_handlers_t *self, child_t *child, int status) {
    char id[300]; /* the event's, which is gone once it is settled */
    fob_settle_t how = verdict(status);
    tell(self, child, status);
    /* Done is what ran to its end, also where the store could not be told so: it is acked. */
    int code = self->firsts ? fob_firsts_end(self->firsts, child->event, how) : FOB_EXIT_OK;
    if (self->code == FOB_EXIT_OK)
        self->code = code;
    snprintf(id, sizeof id, "%s", fob_event_id(child->event));
    if (fob_worker_settle(self->worker, &child->event, how) == FOB_STALE)
        fob_note(self->cli, "%s: the lease was lost while it was handled: another worker gets it",
                 id);
    close_input(child);
    child->pid = 0;
    self->running--;
}

void fob_handlers_reap(fob_handlers_t *self) {
    for (size_t i = 0; i < self->jobs; i++) {
        child_t *child = &self->children[i];
        int status;
        if (child->pid > 0 && waitpid(child->pid, &status, WNOHANG) == child->pid)
            settle(self, child, status);
    }
}

void fob_handlers_destroy(fob_handlers_t **self_p) {
    fob_handlers_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->jobs; i++) {
        child_t *child = &self->children[i];
        if (child->pid > 0)
            kill(-child->pid, SIGKILL);
        if (child->pid > 0)
            waitpid(child->pid, NULL, 0);
        close_input(child);
        fob_buf_free(&child->data);
    }
    fob_environment_end(&self->environment);
    free(self);
    *self_p = NULL;
}
