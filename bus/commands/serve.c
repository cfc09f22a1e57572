#include "bus/commands/commands.h"
#include "bus/commands/config.h"
#include "bus/commands/folder.h"
#include "bus/journal/folder.h"
#include "bus/settings/settings.h"
#include "proto/cli/options.h"

#include <errno.h>
#include <fcntl.h>
#include <fob/fob_bus.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define LEAVING_MS      1500 /* for a bus that was killed to be gone */
#define LEAVING_STEP_MS 20

static const char help[] =
    "usage: fob serve [--data DIR | --memory] [--port N] [--bind ADDR] [--sync MODE]\n"
    "                 [--config FILE] [--check] [--insecure]\n\n"
    "Runs the bus until SIGTERM or SIGINT. Says one line on standard output when it\n"
    "is ready, and news on standard error.\n\n"
    "  --data DIR       where events are kept: else FOB_DATA, else ~/.local/share/fob\n"
    "  --memory         keep nothing: all is gone when the bus ends\n"
    "  --port N         7670: clients; N+1 and N+2: broadcast\n"
    "  --bind ADDR      127.0.0.1; another than this machine's own needs --insecure\n"
    "  --sync MODE      always: a confirmed event is on disk; interval=D, os: it\n"
    "                   survives the program, not the machine\n"
    "  --config FILE    settings, KEY = VALUE a line; the command line goes first\n"
    "  --check          check the settings, and do not run\n"
    "  --insecure       anyone who reaches the ports may do anything\n";

typedef struct {
    fob_cli_t cli;
    fob_bus_options_t bus;
    fob_config_t *config;
    char folder[PATH_MAX];
    bool memory, insecure;
} serve_t;

/* --- settings --- */

static void on_log(void *arg, const char *line) {
    fob_note(arg, "%s", line);
}

static bool loopback(const char *address) {
    return !address || strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0 ||
           strcmp(address, "localhost") == 0;
}

static int check_bind(serve_t *self) {
    if (self->insecure || loopback(self->bus.bind))
        return FOB_EXIT_OK;
    return fob_fail(&self->cli, FOB_EXIT_USAGE,
                    "whoever reaches %s could read and write everything: say --insecure if that is "
                    "meant, or bind 127.0.0.1",
                    self->bus.bind);
}

/* --data, else the file's, else FOB_DATA, else the home's. */
static int choose_folder(serve_t *self) {
    if (self->memory) {
        self->bus.data = NULL;
        return FOB_EXIT_OK;
    }
    if (!fob_data_folder(self->bus.data, self->folder, sizeof self->folder))
        return fob_fail(
            &self->cli, FOB_EXIT_USAGE,
            "there is no home to keep data in, or its name is too long: say --data DIR, "
            "or --memory");
    self->bus.data = self->folder;
    return FOB_EXIT_OK;
}

static int make_folder(serve_t *self) {
    if (!self->bus.data || fob_folder_make(fob_disk_real(), self->folder) == 0)
        return FOB_EXIT_OK;
    return fob_fail(&self->cli, FOB_EXIT_FOLDER, "the folder %s cannot be made: %s", self->folder,
                    strerror(errno));
}

/* A share of the file system in bytes; 80% is what the bus takes by itself. */
static int settle_share(serve_t *self) {
    unsigned share = self->config ? fob_config_disk_share(self->config) : 0;
    if (share == 0 || !self->bus.data)
        return FOB_EXIT_OK;
    struct statvfs disk;
    if (statvfs(self->folder, &disk) != 0)
        return fob_fail(&self->cli, FOB_EXIT_FOLDER, "the size of the disk of %s is not known: %s",
                        self->folder, strerror(errno));
    self->bus.max_disk = (uint64_t)disk.f_blocks * disk.f_frsize / 100 * share;
    return FOB_EXIT_OK;
}

/* Takes the command line and the file it names. -1: go on; else the exit code. */
static int take_options(serve_t *self, int argc, char **argv, bool *check) {
    const char *path = NULL;
    fob_bus_options_t line = FOB_BUS_OPTIONS; /* what the command line says goes first */
    uint64_t port = 0;
    fob_args_t args = {0};
    const fob_option_t options[] = {{"config", 0, FOB_OPT_TEXT, &path, 0, 0},
                                    {"check", 0, FOB_OPT_FLAG, check, 0, 0},
                                    {"data", 0, FOB_OPT_TEXT, &line.data, 0, 0},
                                    {"memory", 0, FOB_OPT_FLAG, &self->memory, 0, 0},
                                    {"bind", 0, FOB_OPT_TEXT, &line.bind, 0, 0},
                                    {"port", 0, FOB_OPT_COUNT, &port, 1, 65533},
                                    {"sync", 0, FOB_OPT_TEXT, &line.sync, 0, 0},
                                    {"insecure", 0, FOB_OPT_FLAG, &self->insecure, 0, 0},
                                    {"quiet", 'q', FOB_OPT_FLAG, &self->cli.quiet, 0, 0}};
    int code = fob_options(&self->cli, options, sizeof options / sizeof options[0], help, argc,
                           argv, &args);
    if (code < 0)
        code = fob_args_check(&self->cli, &args, 0, 0, "fob serve [OPTION]...");
    else
        return code;
    if (code != FOB_EXIT_OK)
        return code;
    if (self->memory && line.data)
        return fob_fail(&self->cli, FOB_EXIT_USAGE, "--memory and --data exclude each other");
    if (self->memory && line.sync)
        return fob_fail(&self->cli, FOB_EXIT_USAGE,
                        "--memory and --sync exclude each other: in memory nothing is synced");
    if (line.data && !*line.data)
        return fob_fail(&self->cli, FOB_EXIT_USAGE, "--data is empty: say --data DIR, or --memory");
    char text[512];
    if (path && !(self->config = fob_config_load(path, &self->bus, text, sizeof text)))
        return fob_fail(&self->cli, FOB_EXIT_CONFIG, "%s", text);
    if (line.data)
        self->bus.data = line.data;
    if (line.bind)
        self->bus.bind = line.bind;
    if (line.sync)
        self->bus.sync = line.sync;
    if (port)
        self->bus.port = (int)port;
    return -1;
}

static int settle_options(serve_t *self) {
    int code = choose_folder(self);
    fob_settings_t settings;
    char text[256];
    if (code == FOB_EXIT_OK &&
        fob_settings_fill(&settings, &self->bus, text, sizeof text) != FOB_OK)
        code = fob_fail(&self->cli, self->config ? FOB_EXIT_CONFIG : FOB_EXIT_USAGE, "%s", text);
    return code == FOB_EXIT_OK ? check_bind(self) : code;
}

/* --- running --- */

/* Every connection is a descriptor, and at the limit accepting would spin: as many as we may have.
 */
static void raise_descriptors(serve_t *self) {
    struct rlimit limit;
    rlim_t wanted = (self->bus.max_connections ? self->bus.max_connections : 10000) + 100;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        fob_note(&self->cli, "how many files may be open is not known: %s", strerror(errno));
        return;
    }
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        fob_note(&self->cli, "the limit of open files cannot be raised: %s", strerror(errno));
        limit.rlim_cur = before;
    }
    if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < wanted)
        fob_note(&self->cli,
                 "%llu open files are allowed, max_connections may need %llu: raise ulimit -n, or "
                 "lower max_connections",
                 (unsigned long long)limit.rlim_cur, (unsigned long long)wanted);
}

/* Signals are read from a descriptor: blocked before any thread is made. -1: the system refused.
 * A hang-up that whoever started us chose to ignore (nohup) stays ignored: blocked it would be kept
 * and read all the same. */
static int open_signals(void) {
    sigset_t mask;
    struct sigaction hangup;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
        sigaddset(&mask, SIGHUP);
    signal(SIGPIPE, SIG_IGN);
    if (pthread_sigmask(SIG_BLOCK, &mask, NULL) != 0)
        return -1;
    return signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void say_ready(const serve_t *self, fob_bus_t *bus) {
    if (self->bus.data)
        printf("fob %s ready: %s, data %s, sync %s\n", FOB_VERSION_STRING, fob_bus_endpoint(bus),
               self->bus.data, self->bus.sync ? self->bus.sync : "always");
    else
        printf("fob %s ready: %s, in memory\n", FOB_VERSION_STRING, fob_bus_endpoint(bus));
    fflush(stdout);
}

/* Waits for a signal, or for the bus to stop by itself. */
static int wait_for_end(serve_t *self, fob_bus_t *bus, int signals) {
    struct pollfd fds[] = {{signals, POLLIN, 0}, {fob_bus_fd(bus), POLLIN, 0}};
    while (poll(fds, 2, -1) < 0 && errno == EINTR)
        ;
    char text[512];
    fob_status_t health = fob_bus_health(bus, text, sizeof text);
    if (health == FOB_OK)
        return FOB_EXIT_OK;
    return fob_fail(&self->cli, fob_exit_code(health), "the bus stopped: %s", text);
}

/* Starts the bus. One that was killed right before may still be on its way out, with the folder's
 * lock and the ports: they are waited for, a little while. A signal ends the wait. */
static fob_bus_t *start(serve_t *self, int signals, fob_status_t *status, char *text, size_t size) {
    struct pollfd ended = {.fd = signals, .events = POLLIN};
    fob_bus_t *bus = NULL;
    for (int tries = 0; tries < LEAVING_MS / LEAVING_STEP_MS; tries++) {
        bus = fob_bus_new(&self->bus, status, text, size);
        bool leaving = *status == FOB_FOLDER_IN_USE || *status == FOB_PORT_IN_USE;
        if (bus || !leaving || poll(&ended, 1, LEAVING_STEP_MS) > 0)
            break;
    }
    return bus;
}

static int run(serve_t *self) {
    int signals = open_signals();
    if (signals < 0)
        return fob_fail(&self->cli, FOB_EXIT_SYSTEM, "signals cannot be read: %s", strerror(errno));
    raise_descriptors(self);
    fob_status_t status;
    char text[512];
    fob_bus_t *bus = start(self, signals, &status, text, sizeof text);
    int code = FOB_EXIT_OK;
    if (bus) {
        say_ready(self, bus);
        code = wait_for_end(self, bus, signals);
        fob_bus_destroy(&bus);
    } else {
        code = fob_fail(&self->cli, fob_exit_code(status), "%s", text);
    }
    close(signals);
    return code;
}

int fob_command_serve(int argc, char **argv) {
    serve_t self = {.cli = {.command = "serve"}, .bus = FOB_BUS_OPTIONS};
    bool check = false;
    self.bus.log = on_log;
    self.bus.log_arg = &self.cli;
    int code = take_options(&self, argc, argv, &check);
    if (code < 0)
        code = settle_options(&self);
    else
        check = true; /* nothing to run */
    if (code == FOB_EXIT_OK && !check) {
        code = make_folder(&self);
        if (code == FOB_EXIT_OK)
            code = settle_share(&self);
        if (code == FOB_EXIT_OK)
            code = run(&self);
    }
    fob_config_destroy(&self.config);
    return code;
}
