#include "subscribers/commands/handlers.h"

#include "proto/duration.h"
#include "subscribers/commands/environment.h"
#include "subscribers/commands/spawn.h"
#include "subscribers/commands/tee.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define REASON_SIZE 256

/* Why we end a child. */
typedef enum { END_ITS_OWN, END_TIMEOUT, END_LOST } end_t;

typedef struct {
    pid_t pid; /* 0: a free slot */
    fob_event_t *event;
    int input; /* our end of its standard input; -1: closed */
    fob_tee_stream_t *errors;
    fob_buf_t data;
    size_t written;
    int64_t due; /* ms, monotonic: when its time is up; once ended by us: when to kill it;
                    INT64_MAX: never */
    end_t end;
    char said[FOB_TEE_LINE + 1]; /* its last line before we ended it: what a shell says of that is
                                    no reason */
} child_t;

struct fob_handlers {
    fob_handlers_options_t options;
    fob_environment_t environment;
    fob_tee_t *tee;
    int code; /* to end with */
    size_t running;
    child_t children[];
};

fob_handlers_t *fob_handlers_new(const fob_handlers_options_t *options) {
    fob_handlers_t *self = calloc(1, sizeof *self + options->jobs * sizeof self->children[0]);
    if (!self)
        return NULL;
    self->options = *options;
    if (!self->options.kill_ms)
        self->options.kill_ms = FOB_HANDLERS_KILL_MS;
    for (size_t i = 0; i < options->jobs; i++)
        self->children[i].input = -1;
    self->tee = fob_tee_new(options->jobs, STDERR_FILENO);
    if (!self->tee || !fob_environment_begin(&self->environment))
        fob_handlers_destroy(&self);
    return self;
}

int fob_handlers_check(const fob_cli_t *cli, const char *program) {
    return fob_spawn_check(cli, program);
}

int fob_handlers_code(const fob_handlers_t *self) {
    return self->code;
}

size_t fob_handlers_running(const fob_handlers_t *self) {
    return self->running;
}

static int64_t clock_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static child_t *free_slot(fob_handlers_t *self) {
    for (size_t i = 0; i < self->options.jobs; i++)
        if (self->children[i].pid == 0)
            return &self->children[i];
    return NULL;
}

/* --- feeding --- */

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

/* --- starting --- */

/* With the child's end of standard error: starts it, and keeps our end of its input. */
static int begin_with(fob_handlers_t *self, child_t *child, int errors) {
    const fob_firsts_t *firsts = self->options.firsts;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return errno;
    int error = fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0
                    ? fob_spawn(&child->pid, ends[0], errors, self->options.command,
                                self->environment.items, firsts && firsts->once)
                    : errno;
    close(ends[0]);
    if (error != 0) {
        close(ends[1]);
        child->pid = 0;
        return error;
    }
    child->input = ends[1];
    return 0;
}

static int begin(fob_handlers_t *self, child_t *child, const fob_event_t *event) {
    int errors;
    fob_buf_clear(&child->data);
    child->written = 0;
    self->options.show(&child->data, event);
    if (child->data.failed || !fob_environment_set(&self->environment, event, self->options.group))
        return ENOMEM;
    child->errors = fob_tee_open(self->tee, &errors);
    if (!child->errors)
        return errno;
    int error = begin_with(self, child, errors);
    close(errors);
    if (error != 0)
        (void)fob_tee_end(self->tee, child->errors);
    child->end = END_ITS_OWN;
    child->due = self->options.timeout_ms ? clock_ms() + self->options.timeout_ms : INT64_MAX;
    return error;
}

/* Whether it was settled without a run. */
static bool settled_by_firsts(fob_handlers_t *self, fob_event_t **event, int *code) {
    fob_settle_t how = (fob_settle_t)0;
    const fob_firsts_t *firsts = self->options.firsts;
    *code = firsts ? fob_firsts_begin(firsts, *event, &how) : FOB_EXIT_OK;
    if (how)
        fob_worker_settle(self->options.worker, event, how);
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
        if (self->options.firsts)
            (void)fob_firsts_end(self->options.firsts, *event, FOB_RELEASE);
        fob_worker_settle(self->options.worker, event, FOB_RELEASE);
        return fob_fail(self->options.cli, FOB_EXIT_SYSTEM, "cannot run %.200s: %s",
                        self->options.command[0], strerror(error));
    }
    child->event = *event;
    *event = NULL;
    self->running++;
    feed(child);
    return FOB_EXIT_OK;
}

/* --- waiting --- */

size_t fob_handlers_most(const fob_handlers_t *self) {
    return self->options.jobs + fob_tee_most(self->tee);
}

size_t fob_handlers_fds(const fob_handlers_t *self, struct pollfd *fds) {
    size_t count = 0;
    for (size_t i = 0; i < self->options.jobs; i++)
        if (self->children[i].input >= 0)
            fds[count++] = (struct pollfd){.fd = self->children[i].input, .events = POLLOUT};
    return count + fob_tee_fds(self->tee, fds + count);
}

int fob_handlers_pause(const fob_handlers_t *self) {
    int64_t first = INT64_MAX, now = clock_ms();
    for (size_t i = 0; i < self->options.jobs; i++)
        if (self->children[i].pid > 0 && self->children[i].due < first)
            first = self->children[i].due;
    if (first == INT64_MAX)
        return -1;
    return first <= now ? 0 : first - now < INT_MAX ? (int)(first - now) : INT_MAX;
}

/* --- ending --- */

static void terminate(const fob_handlers_t *self, child_t *child, end_t why, int64_t now) {
    if (child->end == END_ITS_OWN) {
        fob_slice_t line = fob_tee_line(self->tee, child->errors);
        snprintf(child->said, sizeof child->said, "%.*s", (int)line.size, (const char *)line.data);
        child->due = now + self->options.kill_ms;
        kill(-child->pid, SIGTERM);
    }
    child->end = why;
}

/* A lease that is lost is another's: the command must not go on. */
static void look_for_lease(const fob_handlers_t *self, child_t *child, int64_t now) {
    char why[REASON_SIZE];
    if (child->end == END_LOST ||
        !fob_worker_lost(self->options.worker, child->event, why, sizeof why))
        return;
    fob_note(self->options.cli, "%s, attempt %u: the lease is lost (%s): ending the command",
             fob_event_id(child->event), fob_event_attempt(child->event), why);
    terminate(self, child, END_LOST, now);
}

static void look_for_time(const fob_handlers_t *self, child_t *child, int64_t now) {
    char limit[32];
    if (now < child->due)
        return;
    if (child->end != END_ITS_OWN) {
        kill(-child->pid, SIGKILL);
        child->due = INT64_MAX;
        return;
    }
    fob_duration_text(self->options.timeout_ms, limit, sizeof limit);
    if (self->options.cli->verbose)
        fob_note(self->options.cli, "%s, attempt %u: not done after %s: ending the command",
                 fob_event_id(child->event), fob_event_attempt(child->event), limit);
    terminate(self, child, END_TIMEOUT, now);
}

static fob_settle_t verdict(const child_t *child, int status) {
    if (child->end != END_ITS_OWN || !WIFEXITED(status))
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

/* "exit 3: no such order", "signal 9 (Killed)", "timed out after 30s". */
static void reason_put(const fob_handlers_t *self, const child_t *child, int status,
                       fob_slice_t line, char *out, size_t size) {
    char limit[32];
    int at;
    if (child->end == END_TIMEOUT) {
        fob_duration_text(self->options.timeout_ms, limit, sizeof limit);
        at = snprintf(out, size, "timed out after %s", limit);
    } else if (WIFEXITED(status))
        at = snprintf(out, size, "exit %d", WEXITSTATUS(status));
    else
        at = snprintf(out, size, "signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    if (child->end != END_ITS_OWN)
        line = fob_slice_str(child->said);
    if (line.size)
        snprintf(out + at, size - (size_t)at, ": %.*s", (int)line.size, (const char *)line.data);
}

static fob_status_t settle_event(const fob_handlers_t *self, child_t *child, fob_settle_t how,
                                 const char *reason) {
    fob_worker_t *worker = self->options.worker;
    if (how == FOB_RETRY)
        return fob_worker_retry(worker, &child->event, 0, reason);
    if (how == FOB_REJECT)
        return fob_worker_reject(worker, &child->event, reason);
    return fob_worker_settle(worker, &child->event, how);
}

static void settle(fob_handlers_t *self, child_t *child, int status) {
    char id[300], reason[REASON_SIZE]; /* the event's, which is gone once it is settled */
    const fob_cli_t *cli = self->options.cli;
    fob_settle_t how = verdict(child, status);
    fob_slice_t line = fob_tee_end(self->tee, child->errors);
    reason_put(self, child, status, line, reason, sizeof reason);
    snprintf(id, sizeof id, "%s", fob_event_id(child->event));
    if (cli->verbose)
        fob_note(cli, "%s, attempt %u: %s", id, fob_event_attempt(child->event), reason);
    /* Done is what ran to its end, also where the store could not be told so: it is acked. */
    int code = self->options.firsts ? fob_firsts_end(self->options.firsts, child->event, how)
                                    : FOB_EXIT_OK;
    if (self->code == FOB_EXIT_OK)
        self->code = code;
    bool told = child->end == END_LOST;
    if (settle_event(self, child, how, reason) == FOB_STALE && !told)
        fob_note(cli, "%s: the lease was lost while it was handled: another worker gets it", id);
    close_input(child);
    child->pid = 0;
    self->running--;
}

/* What the command started and left behind is ended with it, where we end it: while it is a zombie
 * its number is nobody else's. */
static void reap(fob_handlers_t *self, child_t *child) {
    siginfo_t info = {.si_pid = 0};
    int status;
    if (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || !info.si_pid)
        return;
    if (child->end != END_ITS_OWN)
        kill(-child->pid, SIGKILL);
    if (waitpid(child->pid, &status, WNOHANG) == child->pid)
        settle(self, child, status);
}

void fob_handlers_move(fob_handlers_t *self) {
    int64_t now = clock_ms();
    fob_tee_move(self->tee);
    for (size_t i = 0; i < self->options.jobs; i++) {
        child_t *child = &self->children[i];
        feed(child);
        if (child->pid > 0)
            reap(self, child);
        if (child->pid > 0)
            look_for_lease(self, child, now);
        if (child->pid > 0)
            look_for_time(self, child, now);
    }
}

void fob_handlers_destroy(fob_handlers_t **self_p) {
    fob_handlers_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->options.jobs; i++) {
        child_t *child = &self->children[i];
        if (child->pid > 0)
            kill(-child->pid, SIGKILL);
        if (child->pid > 0)
            waitpid(child->pid, NULL, 0);
        close_input(child);
        fob_buf_free(&child->data);
    }
    fob_tee_destroy(&self->tee);
    fob_environment_end(&self->environment);
    free(self);
    *self_p = NULL;
}
