/* rig: a bus in a process of its own, and what the benches share. */
#include "tests/bench/rig.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct rig {
    pid_t pid;
    char folder[64];
    char endpoint[64];
    const char *program;
    int port;
    double started; /* when its process began */
};

void rig_die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s: ", program_invocation_short_name);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

void bench_row(const char *name, double value, const char *unit) {
    printf("  %-28s %14.*f %s\n", name, value < 100 ? 2 : 0, value, unit);
    fflush(stdout);
}

double rig_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void *rig_shared(size_t size) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        rig_die("no memory: %s", strerror(errno));
    return memory;
}

/* --- children --- */

static pid_t start(void) {
    fflush(NULL);
    pid_t parent = getpid(), child = fork();
    if (child < 0)
        rig_die("cannot fork: %s", strerror(errno));
    if (child == 0) {
        /* No child outlives the bench, however that ends. */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
    }
    return child;
}

pid_t rig_child(bool (*body)(void *arg), void *arg) {
    pid_t child = start();
    if (child == 0)
        exit(body(arg) ? 0 : 1);
    return child;
}

bool rig_join(pid_t child) {
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void rig_await(sem_t *what) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    while (sem_timedwait(what, &until) < 0)
        if (errno != EINTR)
            rig_die("a child did not get ready within 20 s");
}

/* --- the bus --- */

/* Reads the bus's lines until the one that says it is ready. False: it ended before. */
static bool await_ready(int from) {
    FILE *lines = fdopen(from, "r");
    char line[1024];
    bool ready = false;
    while (lines && !ready && fgets(line, sizeof line, lines))
        ready = strstr(line, " ready: ") != NULL;
    /* Kept open: the bus may say more. */
    return ready;
}

static bool serve(rig_t *self, const bench_options_t *options, int port) {
    int lines[2];
    char number[16];
    snprintf(number, sizeof number, "%d", port);
    snprintf(self->endpoint, sizeof self->endpoint, "tcp://127.0.0.1:%d", port);
    self->port = port;
    self->started = rig_now();
    if (pipe(lines) < 0)
        rig_die("no pipe: %s", strerror(errno));
    self->pid = start();
    if (self->pid == 0) {
        dup2(lines[1], STDOUT_FILENO);
        if (strcmp(options->sync, "memory") == 0)
            execl(self->program, self->program, "serve", "--memory", "--port", number, (char *)0);
        else
            execl(self->program, self->program, "serve", "--data", self->folder, "--port", number,
                  "--sync", options->sync, (char *)0);
        fprintf(stderr, "fob_bench: cannot run %s: %s\n", self->program, strerror(errno));
        _exit(127);
    }
    close(lines[1]);
    return await_ready(lines[0]);
}

rig_t *rig_new(const bench_options_t *options) {
    rig_t *self = calloc(1, sizeof *self);
    if (!self)
        rig_die("no memory");
    self->program = getenv("FOB_BINARY");
    if (!self->program)
        rig_die("FOB_BINARY names the program to measure");
    strcpy(self->folder, "/tmp/fob-bench.XXXXXX");
    const char *where = getenv("FOB_BENCH_DIR"); /* on which disk */
    if (where)
        snprintf(self->folder, sizeof self->folder, "%s/fob-bench.XXXXXX", where);
    if (!mkdtemp(self->folder))
        rig_die("no folder %s: %s", self->folder, strerror(errno));
    for (int i = 0; i < 20; i++) {
        int status, port = 20000 + (getpid() * 31 + i * 97) % 10000;
        if (serve(self, options, port))
            return self;
        waitpid(self->pid, &status, 0);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 71) /* not: port in use */
            break;
    }
    rig_die("the bus did not start");
}

void rig_stop(rig_t *self, int signal) {
    kill(self->pid, signal);
    if (!rig_join(self->pid) && signal != SIGKILL)
        rig_die("the bus did not end well");
}

void rig_start(rig_t *self, const bench_options_t *options) {
    if (!serve(self, options, self->port))
        rig_die("the bus did not start again");
}

double rig_started(const rig_t *self) {
    return self->started;
}

const char *rig_endpoint(const rig_t *self) {
    return self->endpoint;
}

static FILE *process_file(pid_t pid, const char *name) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    FILE *file = fopen(path, "r");
    if (!file)
        rig_die("process %d is gone", (int)pid);
    return file;
}

uint64_t rig_rss(const rig_t *self) {
    unsigned long total, resident = 0;
    FILE *file = process_file(self->pid, "statm");
    if (fscanf(file, "%lu %lu", &total, &resident) != 2)
        resident = 0;
    fclose(file);
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t rig_peak(const rig_t *self) {
    unsigned long long kib = 0;
    char line[128];
    FILE *file = process_file(self->pid, "status");
    while (!kib && fgets(line, sizeof line, file))
        if (sscanf(line, "VmHWM: %llu kB", &kib) != 1)
            kib = 0;
    fclose(file);
    return kib * 1024;
}

double rig_child_cpu(pid_t child) {
    unsigned long user = 0, kernel = 0;
    FILE *file = process_file(child, "stat");
    if (fscanf(file, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
               &kernel) != 2)
        user = kernel = 0;
    fclose(file);
    return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

double rig_cpu(const rig_t *self) {
    return rig_child_cpu(self->pid);
}

/* In the child. */
static void become_fob(const rig_t *self, const char *const *arguments) {
    const char *words[16] = {self->program};
    for (size_t i = 0; arguments[i] && i < 14; i++)
        words[i + 1] = arguments[i];
    setenv("FOB_BUS", self->endpoint, 1);
    execv(self->program, (char *const *)words);
    _exit(127);
}

bool rig_fob(const rig_t *self, const char *const *arguments) {
    pid_t child = start();
    if (child == 0)
        become_fob(self, arguments);
    return rig_join(child);
}

char *rig_fob_says(const rig_t *self, const char *const *arguments) {
    int ends[2];
    char *text = NULL;
    size_t size = 0;
    if (pipe2(ends, O_CLOEXEC) < 0)
        rig_die("no pipe: %s", strerror(errno));
    pid_t child = start();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        become_fob(self, arguments);
    }
    close(ends[1]);
    FILE *from = fdopen(ends[0], "r");
    if (!from || getdelim(&text, &size, 0, from) < 0)
        rig_die("fob %s says nothing", arguments[0]);
    fclose(from);
    rig_join(child);
    return text;
}

pid_t rig_fob_beside(const rig_t *self, const char *const *arguments, FILE **lines) {
    int ends[2] = {-1, -1};
    if (lines && pipe2(ends, O_CLOEXEC) < 0)
        rig_die("no pipe: %s", strerror(errno));
    pid_t child = start();
    if (child == 0) {
        int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
        dup2(nowhere, STDOUT_FILENO);
        dup2(lines ? ends[1] : nowhere, STDERR_FILENO);
        become_fob(self, arguments);
    }
    if (lines) {
        close(ends[1]);
        *lines = fdopen(ends[0], "r");
    }
    return child;
}

/* --- its folder --- */

static uint64_t blocks; /* what the walk adds up */

static int add_one(const char *path, const struct stat *info, int kind, struct FTW *walk) {
    (void)path, (void)walk;
    if (kind == FTW_F)
        blocks += (uint64_t)info->st_blocks * 512;
    return 0;
}

uint64_t rig_disk(const rig_t *self) {
    blocks = 0;
    nftw(self->folder, add_one, 16, FTW_PHYS);
    return blocks;
}

static int forget_one(const char *path, const struct stat *info, int kind, struct FTW *walk) {
    (void)info, (void)walk;
    int fd = kind == FTW_F ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return 0;
    fdatasync(fd); /* what is not written yet cannot be forgotten */
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    return close(fd);
}

void rig_forget_cached(const rig_t *self) {
    nftw(self->folder, forget_one, 16, FTW_PHYS);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk) {
    (void)info, (void)kind, (void)walk;
    return remove(path);
}

void rig_destroy(rig_t **self_p) {
    rig_t *self = *self_p;
    if (!self)
        return;
    kill(self->pid, SIGTERM);
    bool good = rig_join(self->pid);
    nftw(self->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(self);
    *self_p = NULL;
    if (!good)
        rig_die("the bus did not end well");
}
