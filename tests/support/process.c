#include "tests/support/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_ARGS 64

typedef struct {
    int fd; /* -1: closed, or at its end */
    char *data;
    size_t size, capacity;
    size_t taken; /* bytes that the last line gave away */
} stream_t;

struct process {
    pid_t pid;
    int pidfd;
    int input;
    bool ended;
    int code;
    stream_t streams[2];
    bool reported; /* a bug, on its second stream: told as ours */
    process_t *next;
};

static process_t *living; /* those that nobody destroyed yet */

static void give_up(const char *what) {
    fprintf(stderr, "process: %s: %s\n", what, strerror(errno));
    abort();
}

long long process_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int time_left(long long until) {
    long long left = until - process_clock();
    return left > 0 ? (int)left : 0;
}

/* Our ends close on exec, so that a child does not hold its sibling's pipe open. */
static void make_pipe(int ends[2]) {
    if (pipe2(ends, O_CLOEXEC) != 0)
        give_up("pipe");
}

static void start(process_t *self, const char *const argv[], int input, int out, int err) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, standard;
    sigemptyset(&none);
    sigemptyset(&standard);
    sigaddset(&standard, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, 0);
    posix_spawn_file_actions_adddup2(&actions, out, 1);
    posix_spawn_file_actions_adddup2(&actions, err, 2);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &standard);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int error =
        posix_spawnp(&self->pid, argv[0], &actions, &attributes, (char *const *)argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
        errno = error;
        give_up(argv[0]);
    }
}

static bool is_one_of(const char *word, const char *const *words) {
    while (*words && strcmp(*words, word) != 0)
        words++;
    return *words != NULL;
}

/* A client of ours gives up a bus that it does not reach within 3 s: on a slow machine that is too
 * soon, so it is told to have patience where the test says nothing. False: it is left as it is. */
static bool with_patience(const char *const argv[], const char **out) {
    static const char *const clients[] = {"pub",  "sub",   "tail", "work", "group",
                                          "dead", "stats", "ping", NULL};
    static const char *const verbs[] = {"group", "dead", NULL};
    const char *fob = getenv("FOB_BINARY");
    size_t count = 0, at;
    if (!fob || strcmp(argv[0], fob) != 0 || !argv[1] || !is_one_of(argv[1], clients) ||
        is_one_of("--connect-timeout", argv))
        return false;
    if (!argv[2] && is_one_of(argv[1], verbs)) /* a mistake that is to be told */
        return false;
    while (argv[count])
        count++;
    for (at = 0; at < count && strcmp(argv[at], "--") != 0; at++)
        out[at] = argv[at];
    if (count + 3 > MAX_ARGS)
        return false;
    out[at] = "--connect-timeout";
    out[at + 1] = PROCESS_CONNECT;
    memcpy(out + at + 2, argv + at, (count - at + 1) * sizeof *out);
    return true;
}

/* A test that fails leaves its programs behind. */
static void end_living(void) {
    while (living) {
        process_t *self = living;
        process_destroy(&self);
    }
}

process_t *process_spawn(const char *const argv[]) {
    const char *patient[MAX_ARGS];
    if (with_patience(argv, patient))
        argv = patient;
    signal(SIGPIPE, SIG_IGN);
    process_t *self = calloc(1, sizeof *self);
    int in[2], out[2], err[2];
    if (!self)
        give_up("calloc");
    make_pipe(in);
    make_pipe(out);
    make_pipe(err);
    start(self, argv, in[0], out[1], err[1]);
    close(in[0]);
    close(out[1]);
    close(err[1]);
    fcntl(in[1], F_SETFL, O_NONBLOCK);
    self->input = in[1];
    self->streams[PROCESS_OUT].fd = out[0];
    self->streams[PROCESS_ERR].fd = err[0];
    self->pidfd = (int)syscall(SYS_pidfd_open, self->pid, 0);
    if (self->pidfd < 0)
        give_up("pidfd_open");
    static bool watched;
    if (!watched)
        watched = atexit(end_living) == 0;
    self->next = living;
    living = self;
    return self;
}

static const char *binary(void) {
    const char *path = getenv("FOB_BINARY");
    if (!path) {
        fputs("process: FOB_BINARY is not set: run this through ctest\n", stderr);
        abort();
    }
    return path;
}

/* argv from `at` on is filled with first and the list's strings. */
static void gather(const char **argv, size_t at, const char *first, va_list more) {
    for (const char *arg = first; arg; arg = va_arg(more, const char *)) {
        if (at + 1 >= MAX_ARGS) {
            errno = E2BIG;
            give_up("arguments");
        }
        argv[at++] = arg;
    }
    argv[at] = NULL;
}

process_t *process_fob(const char *first, ...) {
    const char *argv[MAX_ARGS] = {binary()};
    va_list more;
    va_start(more, first);
    gather(argv, 1, first, more);
    va_end(more);
    return process_spawn(argv);
}

process_t *process_serve(int port, const char *first, ...) {
    char number[16];
    snprintf(number, sizeof number, "%d", port);
    const char *argv[MAX_ARGS] = {binary(), "serve", "--port", number};
    va_list more;
    va_start(more, first);
    gather(argv, 4, first, more);
    va_end(more);
    process_t *self = process_spawn(argv);
    const char *line = process_line_with(self, PROCESS_OUT, " ready: ", PACE_PATIENCE);
    if (!line) {
        const char *why = process_line(self, PROCESS_ERR, 0);
        fprintf(stderr, "process: the bus did not get ready: %s\n",
                why ? why : "(it says nothing)");
        abort();
    }
    return self;
}

pid_t process_pid(const process_t *self) {
    return self->pid;
}

bool process_write(process_t *self, const void *data, size_t size) {
    long long until = process_clock() + PACE_PATIENCE;
    const char *at = data;
    while (size > 0) {
        struct pollfd room = {.fd = self->input, .events = POLLOUT};
        if (poll(&room, 1, time_left(until)) <= 0)
            return false;
        ssize_t wrote = write(self->input, at, size);
        if (wrote < 0 && errno != EAGAIN && errno != EINTR)
            return false;
        if (wrote > 0) {
            at += wrote;
            size -= (size_t)wrote;
        }
    }
    return true;
}

bool process_puts(process_t *self, const char *text) {
    return process_write(self, text, strlen(text));
}

void process_close_input(process_t *self) {
    if (self->input >= 0)
        close(self->input);
    self->input = -1;
}

static void stream_close(stream_t *self) {
    if (self->fd >= 0)
        close(self->fd);
    self->fd = -1;
}

void process_close_output(process_t *self, process_stream_t stream) {
    stream_close(&self->streams[stream]);
}

/* What a sanitizer or an assertion says of a program under test is told by the test, which may fail
 * for something that only follows from it. */
static void tell_report(process_t *self, size_t from) {
    static const char *const words[] = {"Sanitizer", "runtime error:", "Assertion `"};
    const stream_t *stream = &self->streams[PROCESS_ERR];
    for (size_t i = 0; i < sizeof words / sizeof words[0] && !self->reported; i++)
        if (memmem(stream->data, stream->size, words[i], strlen(words[i]))) {
            self->reported = true;
            from = 0;
        }
    if (self->reported)
        fwrite(stream->data + from, 1, stream->size - from, stderr);
}

/* Reads once, without waiting longer than `until`. False: the stream ended or time is up. */
static bool stream_fill(process_t *process, process_stream_t which, long long until) {
    stream_t *self = &process->streams[which];
    struct pollfd ready = {.fd = self->fd, .events = POLLIN};
    if (self->fd < 0 || poll(&ready, 1, time_left(until)) <= 0)
        return false;
    if (self->size + 65536 + 1 > self->capacity) {
        self->capacity = (self->size + 65536 + 1) * 2;
        self->data = realloc(self->data, self->capacity);
        if (!self->data)
            give_up("realloc");
    }
    ssize_t got = read(self->fd, self->data + self->size, 65536);
    if (got <= 0) {
        stream_close(self);
        return false;
    }
    self->size += (size_t)got;
    if (which == PROCESS_ERR)
        tell_report(process, self->size - (size_t)got);
    return true;
}

static void stream_drop_all(stream_t *self) {
    self->size = self->taken = 0;
}

static void stream_drop_taken(stream_t *self) {
    if (self->taken > 0)
        memmove(self->data, self->data + self->taken, self->size - self->taken);
    self->size -= self->taken;
    self->taken = 0;
}

const char *process_line(process_t *self, process_stream_t which, int timeout_ms) {
    stream_t *stream = &self->streams[which];
    long long until = process_clock() + timeout_ms;
    stream_drop_taken(stream);
    size_t seen = 0;
    for (;;) {
        char *end =
            stream->size > seen ? memchr(stream->data + seen, '\n', stream->size - seen) : NULL;
        if (end) {
            *end = '\0';
            stream->taken = (size_t)(end - stream->data) + 1;
            return stream->data;
        }
        seen = stream->size;
        if (!stream_fill(self, which, until))
            break;
    }
    if (stream->fd >= 0 || stream->size == 0)
        return NULL; /* time is up, or the end */
    stream->data[stream->size] = '\0';
    stream->taken = stream->size;
    return stream->data;
}

const char *process_line_with(process_t *self, process_stream_t stream, const char *text,
                              int timeout_ms) {
    long long until = process_clock() + timeout_ms;
    const char *line;
    while ((line = process_line(self, stream, time_left(until))))
        if (strstr(line, text))
            return line;
    return NULL;
}

char *process_rest(process_t *self, process_stream_t which, size_t *size, int timeout_ms) {
    stream_t *stream = &self->streams[which];
    long long until = process_clock() + timeout_ms;
    stream_drop_taken(stream);
    while (stream_fill(self, which, until))
        ;
    if (stream->fd >= 0)
        return NULL;
    char *rest = malloc(stream->size + 1);
    if (!rest)
        give_up("malloc");
    if (stream->size > 0)
        memcpy(rest, stream->data, stream->size);
    rest[stream->size] = '\0';
    if (size)
        *size = stream->size;
    stream->size = 0;
    return rest;
}

void process_signal(process_t *self, int signal_number) {
    if (!self->ended)
        kill(self->pid, signal_number);
}

int process_wait(process_t *self, int timeout_ms) {
    long long until = process_clock() + timeout_ms;
    struct pollfd gone = {.fd = self->pidfd, .events = POLLIN};
    if (self->ended)
        return self->code;
    while (poll(&gone, 1, time_left(until)) <= 0)
        if (time_left(until) == 0)
            return -1;
    int status;
    if (waitpid(self->pid, &status, 0) != self->pid)
        give_up("waitpid");
    self->ended = true;
    self->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return self->code;
}

/* It has ended: what it may have left to tell. A child of its own may hold the stream open. */
static void read_last(process_t *self) {
    while (stream_fill(self, PROCESS_ERR, 0))
        stream_drop_all(&self->streams[PROCESS_ERR]);
}

void process_destroy(process_t **self_p) {
    process_t *self = *self_p, **at = &living;
    if (!self)
        return;
    while (*at != self)
        at = &(*at)->next;
    *at = self->next;
    process_signal(self, SIGKILL);
    process_wait(self, PACE_PATIENCE);
    read_last(self);
    process_close_input(self);
    for (int i = 0; i < 2; i++) {
        stream_close(&self->streams[i]);
        free(self->streams[i].data);
    }
    close(self->pidfd);
    free(self);
    *self_p = NULL;
}
