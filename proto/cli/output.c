#include "proto/cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

/* A handler can only reach what is global. */
static volatile sig_atomic_t stop_count;
static int stop_pipe[2] = {-1, -1};

static void note(int number) {
    int saved = errno;
    if (number != SIGCHLD)
        stop_count = stop_count + 1;
    ssize_t wrote = write(stop_pipe[1], "", 1); /* a full pipe is readable anyhow */
    (void)wrote;
    errno = saved;
}

static bool watch(int number) {
    struct sigaction action = {.sa_handler = note}, before;
    /* No SA_RESTART: a write that waits for its reader must end. */
    action.sa_flags = number == SIGCHLD ? SA_NOCLDSTOP | SA_RESTART : 0;
    sigemptyset(&action.sa_mask);
    if (sigaction(number, NULL, &before) != 0)
        return false;
    if (before.sa_handler == SIG_IGN && number == SIGHUP)
        return true; /* nohup */
    return sigaction(number, &action, NULL) == 0;
}

bool fob_stop_begin(bool children) {
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    if (stop_pipe[0] < 0 && pipe2(stop_pipe, O_CLOEXEC | O_NONBLOCK) != 0)
        return false;
    sigemptyset(&ignore.sa_mask);
    return sigaction(SIGPIPE, &ignore, NULL) == 0 && watch(SIGTERM) && watch(SIGINT) &&
           watch(SIGHUP) && (!children || watch(SIGCHLD));
}

int fob_stop_count(void) {
    return stop_count;
}

int fob_stop_fd(void) {
    return stop_pipe[0];
}

void fob_stop_clear(void) {
    char bytes[64];
    while (read(stop_pipe[0], bytes, sizeof bytes) > 0)
        ;
}

bool fob_stop_wait(int fd, short events, int timeout_ms) {
    struct pollfd both[2] = {{.fd = fd, .events = events}, {.fd = stop_pipe[0], .events = POLLIN}};
    return poll(both, 2, timeout_ms) > 0 && both[0].revents != 0;
}

/* A file takes all that it is given at once. A pipe that is ready takes PIPE_BUF bytes without
 * blocking. */
static size_t portion(size_t size) {
    struct stat info;
    static int regular = -1;
    if (regular < 0)
        regular = fstat(STDOUT_FILENO, &info) == 0 && S_ISREG(info.st_mode);
    return regular || size < PIPE_BUF ? size : PIPE_BUF;
}

fob_output_t fob_output(fob_slice_t bytes) {
    while (bytes.size > 0) {
        if (!fob_stop_wait(STDOUT_FILENO, POLLOUT, stop_count > 0 ? 0 : -1)) {
            if (stop_count > 0)
                return FOB_OUTPUT_STOPPED;
            fob_stop_clear();
            continue;
        }
        ssize_t wrote = write(STDOUT_FILENO, bytes.data, portion(bytes.size));
        if (wrote > 0) {
            bytes.data += wrote;
            bytes.size -= (size_t)wrote;
        } else if (wrote < 0 && errno == EPIPE)
            return FOB_OUTPUT_CLOSED;
        else if (wrote < 0 && errno != EINTR && errno != EAGAIN)
            return FOB_OUTPUT_FAILED;
    }
    return FOB_OUTPUT_OK;
}
