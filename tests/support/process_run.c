/* The parts of process.h that stand upon the others: whole runs, ports, folders. */
#include "tests/support/process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_ARGS   64
#define RUN_MS     (4 * PACE_PATIENCE) /* a whole program: less than a test may take */
#define FIRST_PORT 10000
#define LAST_PORT  30000 /* below what the kernel gives to outgoing connections */
#define PORT_STEP  20

static int left(long long until) {
    long long ms = until - process_clock();
    return ms > 0 ? (int)ms : 0;
}

static int finish(process_t *self, const char *input, char **out, char **err) {
    if (input)
        process_puts(self, input);
    process_close_input(self);
    /* Little is written to the second stream, so reading them one after the other does
     * not block. */
    long long until = process_clock() + RUN_MS;
    char *said = process_rest(self, PROCESS_OUT, NULL, left(until));
    char *complained = process_rest(self, PROCESS_ERR, NULL, left(until));
    int code = process_wait(self, left(until));
    if (out)
        *out = said;
    else
        free(said);
    if (err)
        *err = complained;
    else
        free(complained);
    process_destroy(&self);
    return code;
}

int process_run(const char *const argv[], const char *input, char **out, char **err) {
    return finish(process_spawn(argv), input, out, err);
}

int process_run_fob(const char *input, char **out, char **err, const char *first, ...) {
    const char *argv[MAX_ARGS] = {getenv("FOB_BINARY")};
    size_t at = 1;
    va_list more;
    if (!argv[0]) {
        fputs("process: FOB_BINARY is not set: run this through ctest\n", stderr);
        abort();
    }
    va_start(more, first);
    for (const char *arg = first; arg && at + 1 < MAX_ARGS; arg = va_arg(more, const char *))
        argv[at++] = arg;
    va_end(more);
    argv[at] = NULL;
    return process_run(argv, input, out, err);
}

long long process_lag(void) {
    long long from = process_clock();
    process_run_fob(NULL, NULL, NULL, "version", NULL);
    return process_clock() - from;
}

bool process_late(long long took, long long most, long long lag) {
    return took > pace_ms((int)most) + 10 * lag;
}

static bool port_free(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    bool ok = bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return ok;
}

/* The lock file stays open, and locked, until this process ends. It is never removed: another may
 * be about to lock it. */
static bool port_claim(int port) {
    char name[64];
    snprintf(name, sizeof name, "/tmp/fob-test-port-%d.lock", port);
    int fd = open(name, O_CREAT | O_RDWR | O_CLOEXEC, 0666);
    if (fd < 0)
        return false;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && port_free(port) && port_free(port + 1) &&
        port_free(port + 2) && port_free(port + 10))
        return true;
    close(fd);
    return false;
}

int process_port(void) {
    const int steps = (LAST_PORT - FIRST_PORT) / PORT_STEP;
    for (int i = 0; i < steps; i++) {
        int port = FIRST_PORT + ((int)getpid() + i) % steps * PORT_STEP;
        if (port_claim(port))
            return port;
    }
    fputs("process: no free ports\n", stderr);
    abort();
}

const char *process_bus(int port) {
    static char names[4][32];
    static unsigned next;
    char *name = names[next++ % 4];
    snprintf(name, sizeof names[0], "tcp://127.0.0.1:%d", port);
    return name;
}

char *process_folder(void) {
    const char *base = getenv("TMPDIR");
    char name[4096];
    snprintf(name, sizeof name, "%s/fob-test-XXXXXX", base && *base ? base : "/tmp");
    char *folder = mkdtemp(name) ? strdup(name) : NULL;
    if (!folder) {
        perror("process: mkdtemp");
        abort();
    }
    return folder;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where) {
    (void)info;
    (void)kind;
    (void)where;
    return remove(path);
}

void process_folder_remove(char **folder_p) {
    if (!*folder_p)
        return;
    nftw(*folder_p, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(*folder_p);
    *folder_p = NULL;
}
