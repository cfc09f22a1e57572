/* beanstalkd: its text protocol over a socket, as it has no C client of its own. One queue, so one
 * group. */
#include "tests/bench/peers/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WINDOW 1024 /* events without answer */
#define PIPED  32   /* commands written at once, in a flood */
#define TAKEN  128  /* events asked for at once */

/* --- a connection: what goes out is gathered, what comes in is read by lines and bodies --- */

typedef struct {
    int fd;
    char *out, *in;
    size_t out_size, in_from, in_to, room;
} wire_t;

static bool wire_open(wire_t *self, int port, size_t room) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int yes = 1;
    *self = (wire_t){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
                     .out = malloc(room),
                     .in = malloc(room),
                     .room = room};
    return self->out && self->in && self->fd >= 0 &&
           setsockopt(self->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) == 0 &&
           connect(self->fd, (struct sockaddr *)&at, sizeof at) == 0;
}

static void wire_close(wire_t *self) {
    if (self->fd >= 0)
        close(self->fd);
    free(self->out);
    free(self->in);
}

static bool wire_flush(wire_t *self) {
    size_t done = 0;
    while (done < self->out_size) {
        ssize_t sent = send(self->fd, self->out + done, self->out_size - done, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR)
            return false;
        done += sent > 0 ? (size_t)sent : 0;
    }
    self->out_size = 0;
    return true;
}

/* Room for `size` more bytes to go out. */
static char *wire_room(wire_t *self, size_t size) {
    if (self->out_size + size > self->room && !wire_flush(self))
        return NULL;
    return size <= self->room ? self->out + self->out_size : NULL;
}

/* Reads what is there; where `wait`, waits for it. False: it is gone. */
static bool wire_read(wire_t *self, bool wait) {
    if (self->in_from > 0) {
        memmove(self->in, self->in + self->in_from, self->in_to - self->in_from);
        self->in_to -= self->in_from;
        self->in_from = 0;
    }
    if (self->in_to == self->room)
        return false;
    ssize_t size =
        recv(self->fd, self->in + self->in_to, self->room - self->in_to, wait ? 0 : MSG_DONTWAIT);
    if (size < 0)
        return errno == EAGAIN || errno == EINTR;
    self->in_to += (size_t)size;
    return size > 0;
}

/* The next line, which ends in CR LF, as a string; NULL: it has not come whole. */
static char *wire_line(wire_t *self) {
    char *from = self->in + self->in_from;
    char *end = memchr(from, '\n', self->in_to - self->in_from);
    if (!end || end == from)
        return NULL;
    self->in_from = (size_t)(end + 1 - self->in);
    end[-1] = 0;
    return from;
}

/* --- the server --- */

/* A million, each synced by itself, would take minutes. */
static bool can(const work_t *work) {
    return (work->kind == WORK_QUEUE || (work->kind == WORK_BACKLOG && !work->sync)) &&
           work->groups == 1;
}

static bool installed(char *text, size_t size) {
    return site_version("beanstalkd", "-v", text, size);
}

static bool start(site_t *site, const work_t *work, bool again) {
    (void)again;
    char port[16];
    snprintf(port, sizeof port, "%d", site_port(site, 0));
    const char *words[] = {"beanstalkd",
                           "-l",
                           "127.0.0.1",
                           "-p",
                           port,
                           "-b",
                           site_folder(site),
                           work->sync ? "-f" : "-F",
                           work->sync ? "0" : NULL,
                           NULL};
    return site_run(site, words) && site_await_port(site, 0);
}

/* --- the publisher --- */

typedef struct {
    role_t *role;
    wire_t wire;
    uint64_t sent, stored;
} publisher_t;

static bool take(publisher_t *self, bool wait) {
    uint64_t before = self->stored;
    do {
        const char *line;
        if (!wire_read(&self->wire, wait))
            return role_fails(self->role, "the connection is gone");
        while ((line = wire_line(&self->wire)) != NULL) {
            if (strncmp(line, "INSERTED ", 9) != 0)
                return role_fails(self->role, "put: %s", line);
            self->stored++;
        }
    } while (wait && self->stored == before);
    role_confirmed(self->role, self->stored - before);
    return true;
}

static bool put(publisher_t *self) {
    size_t size = self->role->work->size;
    char *to = wire_room(&self->wire, size + 64);
    if (!to)
        return false;
    int head = sprintf(to, "put 0 0 3600 %zu\r\n", size);
    memset(to + head, 0, size);
    role_stamp(self->role, to + head, self->sent++);
    memcpy(to + (size_t)head + size, "\r\n", 2);
    self->wire.out_size += (size_t)head + size + 2;
    return true;
}

static bool publish_all(publisher_t *self) {
    uint64_t events = role_events(self->role);
    bool flood = self->role->work->rate == 0;
    role_begin(self->role);
    while (self->sent < events) {
        while (!role_pace(self->role, self->sent, self->wire.fd))
            if (!take(self, false))
                return false;
        if (!put(self))
            return role_fails(self->role, "the connection is gone");
        if (flood && self->sent % PIPED != 0)
            continue;
        if (!wire_flush(&self->wire) || !take(self, false))
            return false;
        while (self->sent - self->stored >= WINDOW)
            if (!take(self, true))
                return false;
    }
    bool good = wire_flush(&self->wire);
    while (good && self->stored < events)
        good = take(self, true);
    return good;
}

static bool publish(role_t *role) {
    publisher_t self = {.role = role};
    bool good = wire_open(&self.wire, site_port(role->site, 0), PIPED * (role->work->size + 64));
    good = good ? publish_all(&self) : role_fails(role, "no connection");
    wire_close(&self.wire);
    return good;
}

/* --- a worker --- */

typedef struct {
    role_t *role;
    wire_t wire;
    uint64_t deleted; /* deletes without answer */
} worker_t;

/* Asks for many, of which only the first waits: what stands behind a reserve that waits is not
 * looked at, and with it the deletes of what was handled. */
static bool ask(worker_t *self, bool patient) {
    for (int i = 0; i < TAKEN; i++) {
        static const char at_once[] = "reserve-with-timeout 0\r\n";
        char *to = wire_room(&self->wire, sizeof at_once);
        if (!to)
            return false;
        memcpy(to, at_once, sizeof at_once - 1);
        if (i == 0 && patient)
            to[sizeof at_once - 4] = '1';
        self->wire.out_size += sizeof at_once - 1;
    }
    return wire_flush(&self->wire);
}

/* "RESERVED id bytes", and behind that line the event. */
static bool reserved(worker_t *self, const char *line) {
    unsigned long long id;
    size_t size;
    if (sscanf(line, "RESERVED %llu %zu", &id, &size) != 2 || size > self->wire.room / 2)
        return role_fails(self->role, "reserve: %s", line);
    while (self->wire.in_to - self->wire.in_from < size + 2)
        if (!wire_read(&self->wire, true))
            return role_fails(self->role, "the connection is gone");
    role_arrived(self->role, self->wire.in + self->wire.in_from, size);
    self->wire.in_from += size + 2;
    char *to = wire_room(&self->wire, 40);
    if (!to)
        return false;
    self->wire.out_size += (size_t)sprintf(to, "delete %llu\r\n", id);
    self->deleted++;
    return true;
}

/* The answers to one ask, and those to the deletes before it. *came: how many events. */
static bool answers(worker_t *self, unsigned *came) {
    uint64_t deletes = self->deleted;
    self->deleted = 0;
    *came = 0;
    for (uint64_t left = deletes + TAKEN; left > 0; left--) {
        const char *line;
        while ((line = wire_line(&self->wire)) == NULL)
            if (!wire_read(&self->wire, true))
                return role_fails(self->role, "the connection is gone");
        if (left > TAKEN) {
            if (strcmp(line, "DELETED") != 0)
                return role_fails(self->role, "delete: %s", line);
        } else if (strncmp(line, "RESERVED ", 9) == 0) {
            ++*came;
            if (!reserved(self, line))
                return false;
        } else if (strcmp(line, "TIMED_OUT") != 0 && strcmp(line, "DEADLINE_SOON") != 0) {
            return role_fails(self->role, "reserve: %s", line);
        }
    }
    return true;
}

static bool consume(role_t *role) {
    worker_t self = {.role = role};
    bool good = wire_open(&self.wire, site_port(role->site, 0), 2 * (role->work->size + 65536));
    if (!good)
        role_fails(role, "no connection");
    role_ready(role);
    unsigned came = 0;
    while (good && !role_over(role))
        good = ask(&self, came == 0) && answers(&self, &came);
    /* Its last deletes are answered behind one more ask. */
    good = good && ask(&self, false) && answers(&self, &came);
    wire_close(&self.wire);
    return good;
}

const peer_t peer_beanstalkd = {
    .name = "beanstalkd",
    .title = "beanstalkd",
    .settings = "binlog, -f 0 (a sync for each put) where the confirm waits for the disk, else -F; "
                "puts pipelined by 32 with up to 1,024 without answer, 128 reserves at once, the "
                "deletes of what came with the next",
    .flood = 40000,
    .can = can,
    .installed = installed,
    .start = start,
    .publish = publish,
    .consume = consume,
};
