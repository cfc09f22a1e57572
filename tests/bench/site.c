/* site: folder, ports and processes of a peer. */
#include "tests/bench/site.h"

#include "tests/bench/rig.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES 8
#define PORTS     8
#define PATHS     "/usr/local/sbin:/usr/sbin:/sbin:/usr/lib/rabbitmq/bin"

struct site {
    char folder[256];
    pid_t process[PROCESSES]; /* leaders of their sessions; 0: none */
    int port[PORTS];
    char endpoint[PORTS][40];
};

/* --- signals --- */

static volatile sig_atomic_t stopping;

static void on_signal(int number) {
    (void)number;
    stopping = 1;
}

bool site_stopping(void) {
    return stopping;
}

void site_take_signals(void) {
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* --- folder and ports --- */

site_t *site_new(const char *peer) {
    site_t *self = calloc(1, sizeof *self);
    const char *where = getenv("FOB_BENCH_DIR"); /* on which disk */
    if (!self)
        rig_die("no memory");
    snprintf(self->folder, sizeof self->folder, "%s/fob-bench-%s.XXXXXX", where ? where : "/tmp",
             peer);
    if (!mkdtemp(self->folder))
        rig_die("no folder %s: %s", self->folder, strerror(errno));
    return self;
}

const char *site_folder(const site_t *self) {
    return self->folder;
}

/* Whether nobody has it. */
static bool is_free(int port) {
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    setsockopt(probe, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    bool good = bind(probe, (struct sockaddr *)&at, sizeof at) == 0;
    close(probe);
    return good;
}

/* Below those that the system gives to whoever connects, which may be taken in between; and with
 * the next one free too, as some servers take two. */
int site_port(site_t *self, unsigned n) {
    static unsigned next;
    if (n >= PORTS)
        rig_die("a site has %d ports", PORTS);
    if (!next)
        next = (unsigned)getpid() * 7919u;
    for (int tries = 0; !self->port[n] && tries < 5000; tries++) {
        int port = 12000 + (int)((next += 2) % 20000);
        if (is_free(port) && is_free(port + 1))
            self->port[n] = port;
    }
    if (!self->port[n])
        rig_die("no free port");
    snprintf(self->endpoint[n], sizeof self->endpoint[n], "tcp://127.0.0.1:%d", self->port[n]);
    return self->port[n];
}

const char *site_endpoint(site_t *self, unsigned n) {
    (void)site_port(self, n);
    return self->endpoint[n];
}

void site_write(site_t *self, const char *name, const char *format, ...) {
    char path[512];
    va_list arguments;
    snprintf(path, sizeof path, "%s/%s", self->folder, name);
    FILE *file = fopen(path, "w");
    if (!file)
        rig_die("cannot write %s: %s", path, strerror(errno));
    va_start(arguments, format);
    vfprintf(file, format, arguments);
    va_end(arguments);
    if (fclose(file) != 0)
        rig_die("cannot write %s: %s", path, strerror(errno));
}

/* --- processes --- */

static void in_child(const site_t *self, pid_t parent, bool lead) {
    char path[512];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    if (lead)
        setsid();
    snprintf(path, sizeof path, "%s/log", self->folder);
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600),
        nothing = open("/dev/null", O_RDONLY);
    if (log < 0 || nothing < 0 || chdir(self->folder) < 0)
        _exit(127);
    dup2(nothing, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    closefrom(3);
    setenv("HOME", self->folder, 1);
    signal(SIGINT, SIG_DFL), signal(SIGTERM, SIG_DFL), signal(SIGHUP, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
}

static pid_t begin(const site_t *self, bool lead) {
    fflush(NULL);
    pid_t parent = getpid(), child = fork();
    if (child < 0)
        rig_die("cannot fork: %s", strerror(errno));
    if (child == 0)
        in_child(self, parent, lead);
    return child;
}

static bool keep(site_t *self, pid_t process) {
    for (unsigned i = 0; i < PROCESSES; i++)
        if (!self->process[i]) {
            self->process[i] = process;
            return true;
        }
    rig_die("a site has %d processes", PROCESSES);
}

static void become(const char *const *arguments) {
    char path[512];
    if (site_has_program(arguments[0], path, sizeof path))
        execv(path, (char *const *)arguments);
    fprintf(stderr, "cannot run %s: %s\n", arguments[0], strerror(errno));
    _exit(127);
}

bool site_run(site_t *self, const char *const *arguments) {
    pid_t child = begin(self, true);
    if (child == 0)
        become(arguments);
    return keep(self, child);
}

bool site_do(site_t *self, const char *const *arguments) {
    pid_t child = begin(self, false);
    if (child == 0)
        become(arguments);
    return rig_join(child);
}

bool site_fork(site_t *self, void (*body)(void *arg), void *arg) {
    pid_t child = begin(self, true);
    if (child == 0) {
        body(arg);
        _exit(0);
    }
    return keep(self, child);
}

/* Whether all processes live; reaps what does not. */
static bool alive(site_t *self) {
    bool all = !stopping;
    for (unsigned i = 0; i < PROCESSES; i++)
        if (self->process[i] && waitpid(self->process[i], NULL, WNOHANG) == self->process[i]) {
            self->process[i] = 0;
            all = false;
        }
    return all;
}

static bool listens(int port) {
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool good = connect(probe, (struct sockaddr *)&at, sizeof at) == 0;
    close(probe);
    return good;
}

static void shortly(void) {
    usleep(2000);
}

bool site_await_port(site_t *self, unsigned n) {
    for (double from = rig_now(); rig_now() - from < 10; shortly()) {
        if (listens(site_port(self, n)))
            return alive(self);
        if (!alive(self))
            return false;
    }
    return false;
}

/* --- what it says --- */

static char *read_file(const char *path) {
    char *text = NULL;
    size_t size = 0;
    FILE *file = fopen(path, "r");
    if (file && getdelim(&text, &size, 0, file) < 0) {
        free(text);
        text = NULL;
    }
    if (file)
        fclose(file);
    return text;
}

bool site_await_line(site_t *self, const char *text, double seconds) {
    char path[512];
    snprintf(path, sizeof path, "%s/log", self->folder);
    for (double from = rig_now(); rig_now() - from < seconds && alive(self); shortly()) {
        char *log = read_file(path);
        bool there = log && strstr(log, text);
        free(log);
        if (there)
            return true;
    }
    return false;
}

bool site_has_program(const char *name, char *path, size_t size) {
    char paths[4096], *rest = paths, *folder, here[512];
    const char *known = getenv("PATH");
    if (strchr(name, '/')) {
        if (path)
            snprintf(path, size, "%s", name);
        return access(name, X_OK) == 0;
    }
    snprintf(paths, sizeof paths, "%s:%s", known ? known : "/usr/bin:/bin", PATHS);
    while ((folder = strsep(&rest, ":"))) {
        snprintf(here, sizeof here, "%s/%s", folder, name);
        if (access(here, X_OK) != 0)
            continue;
        if (path)
            snprintf(path, size, "%s", here);
        return true;
    }
    return false;
}

/* The first number with a dot in it. */
static bool find_version(const char *line, char *text, size_t size) {
    for (; *line; line++) {
        size_t length = strspn(line, "0123456789.");
        if (isdigit((unsigned char)*line) && memchr(line, '.', length)) {
            while (line[length - 1] == '.')
                length--;
            snprintf(text, size, "%.*s", (int)length, line);
            return true;
        }
        line += length ? length - 1 : 0;
    }
    return false;
}

bool site_version(const char *program, const char *argument, char *text, size_t size) {
    char path[512], line[1024] = "";
    int ends[2];
    if (!site_has_program(program, path, sizeof path) || pipe2(ends, O_CLOEXEC) < 0)
        return false;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        execl(path, program, argument, (char *)0);
        _exit(127);
    }
    close(ends[1]);
    FILE *from = fdopen(ends[0], "r");
    bool found = false;
    while (from && !found && fgets(line, sizeof line, from))
        found = find_version(line, text, size);
    while (from && fgets(line, sizeof line, from)) {
    }
    if (from)
        fclose(from);
    waitpid(child, NULL, 0);
    return found;
}

/* --- what it uses --- */

/* Of one process: its session, ticks, pages. False: it is gone; one that has exited, but for
 * threads that still wait for the disk, is not: it has its port and its files yet. */
static bool look(const char *pid, int *session, unsigned long *ticks, long *pages) {
    char path[64], *text, *at, state = 'Z';
    unsigned long user = 0, kernel = 0, child_user = 0, child_kernel = 0;
    int threads = 1;
    snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
    text = read_file(path);
    at = text ? strrchr(text, ')') : NULL;
    bool good = at && sscanf(at + 1,
                             " %c %*d %*d %d %*d %*d %*u %*u %*u %*u %*u %lu %lu %lu %lu %*d %*d "
                             "%d %*d %*u %*u %ld",
                             &state, session, &user, &kernel, &child_user, &child_kernel, &threads,
                             pages) == 8;
    *ticks = user + kernel + child_user + child_kernel;
    free(text);
    return good && (state != 'Z' || threads > 1);
}

static void sum_up(const site_t *self, unsigned long *ticks, long *pages) {
    struct dirent *entry;
    DIR *all = opendir("/proc");
    *ticks = 0, *pages = 0;
    while (all && (entry = readdir(all))) {
        int session;
        unsigned long its_ticks;
        long its_pages;
        if (!isdigit((unsigned char)entry->d_name[0]) ||
            !look(entry->d_name, &session, &its_ticks, &its_pages))
            continue;
        for (unsigned i = 0; i < PROCESSES; i++)
            if (self->process[i] && self->process[i] == session) {
                *ticks += its_ticks;
                *pages += its_pages;
            }
    }
    if (all)
        closedir(all);
}

double site_cpu(const site_t *self) {
    unsigned long ticks;
    long pages;
    sum_up(self, &ticks, &pages);
    return (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

uint64_t site_memory(const site_t *self) {
    unsigned long ticks;
    long pages;
    sum_up(self, &ticks, &pages);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t walked;

static int add_one(const char *path, const struct stat *info, int kind, struct FTW *walk) {
    (void)path, (void)walk;
    walked += kind == FTW_F ? (uint64_t)info->st_blocks * 512 : 0;
    return 0;
}

uint64_t site_disk(const site_t *self) {
    walked = 0;
    nftw(self->folder, add_one, 16, FTW_PHYS);
    return walked;
}

/* --- the end --- */

/* Kills what is left of a session: a server may have children of its own. False: nothing was. */
static bool kill_session(pid_t leader) {
    struct dirent *entry;
    DIR *all = opendir("/proc");
    bool lived = false;
    while (all && (entry = readdir(all))) {
        int session;
        unsigned long ticks;
        long pages;
        if (!isdigit((unsigned char)entry->d_name[0]) ||
            !look(entry->d_name, &session, &ticks, &pages) || session != leader)
            continue;
        kill((pid_t)strtol(entry->d_name, NULL, 10), SIGKILL);
        lived = true;
    }
    if (all)
        closedir(all);
    return lived;
}

void site_stop(site_t *self, double patience) {
    double from = rig_now();
    for (unsigned i = 0; i < PROCESSES; i++)
        if (self->process[i])
            kill(self->process[i], patience > 0 ? SIGTERM : SIGKILL);
    for (unsigned i = 0; i < PROCESSES; i++) {
        pid_t leader = self->process[i];
        if (!leader)
            continue;
        while (waitpid(leader, NULL, WNOHANG) == 0 && rig_now() - from < patience)
            shortly();
        while (kill_session(leader)) {
            waitpid(leader, NULL, WNOHANG);
            shortly();
        }
        waitpid(leader, NULL, WNOHANG);
        self->process[i] = 0;
    }
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk) {
    (void)info, (void)kind, (void)walk;
    return remove(path);
}

void site_destroy(site_t **self_p) {
    site_t *self = *self_p;
    if (!self)
        return;
    site_stop(self, 5);
    nftw(self->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(self);
    *self_p = NULL;
}
