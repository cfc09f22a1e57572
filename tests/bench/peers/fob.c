/* fob: the bus, as `fob serve` starts it, and libfob. */
#include "tests/bench/peers/peer.h"

#include <fob/fob_publisher.h>
#include <fob/fob_subscriber.h>
#include <fob/fob_worker.h>
#include <stdio.h>
#include <stdlib.h>

#define WINDOW 16384 /* events without receipt */
#define TURN   512   /* sends between two looks at the receipts */
#define MANY   64    /* events of a flood in one call */
#define TOPIC  "bench.events"

/* --- the server --- */

static const char *program(void) {
    const char *path = getenv("FOB_BINARY");
    return path ? path : "fob";
}

static bool installed(char *text, size_t size) {
    char version[64];
    if (!site_version(program(), "--version", version, sizeof version))
        return false;
    snprintf(text, size, "fob %s", version);
    return true;
}

static bool can(const work_t *work) {
    return work->kind == WORK_FIRE || work->kind == WORK_STORED || work->kind == WORK_QUEUE ||
           work->kind == WORK_BACKLOG || work->kind == WORK_ONE;
}

static bool add_groups(site_t *site, const work_t *work) {
    bool good = true;
    for (uint32_t i = 0; good && i < work->groups; i++) {
        char group[32];
        snprintf(group, sizeof group, "group-%u", i);
        good = site_do(site, (const char *[]){program(), "group", "add", group, TOPIC, "--bus",
                                              site_endpoint(site, 0), NULL});
    }
    return good;
}

static bool start(site_t *site, const work_t *work, bool again) {
    char port[16];
    snprintf(port, sizeof port, "%d", site_port(site, 0));
    bool queue = work->kind == WORK_QUEUE || work->kind == WORK_BACKLOG;
    bool sync = work->sync || !queue;
    site_run(site, (const char *[]){program(), "serve", "--data", "data", "--port", port, "--sync",
                                    sync ? "always" : "os", NULL});
    /* A second start writes behind what the first said, so it is asked by its port. */
    bool ready = again ? site_await_port(site, 0) : site_await_line(site, " ready: ", 10);
    return ready && (again || !queue || add_groups(site, work));
}

/* --- publishers --- */

typedef struct {
    role_t *role;
    fob_publisher_t *publisher;
    fob_publish_options_t options;
    uint64_t receipts, failed;
    uint8_t *body; /* MANY of them */
} sender_t;

static void on_receipt(void *arg, const fob_receipt_t *receipt) {
    sender_t *self = arg;
    self->receipts++;
    if (receipt->status != FOB_OK && self->failed++ == 0)
        role_fails(self->role, "not stored: %s", receipt->text);
}

/* Tells of the receipts that came. */
static void look(sender_t *self, int64_t timeout_ms) {
    fob_publisher_dispatch(self->publisher, timeout_ms);
    if (self->receipts && !self->options.fire)
        role_confirmed(self->role, self->receipts);
    self->receipts = 0;
}

static bool send_one(sender_t *self) {
    return fob_publisher_send(self->publisher, TOPIC, self->body, self->role->work->size,
                              &self->options, NULL) == FOB_OK;
}

/* Each in its time. */
static bool send_in_time(sender_t *self) {
    int fd = self->options.fire ? -1 : fob_publisher_fd(self->publisher);
    for (uint64_t i = 0; i < role_events(self->role); i++) {
        while (!role_pace(self->role, i, fd))
            look(self, 0);
        role_stamp(self->role, self->body, i);
        if (!send_one(self))
            return role_fails(self->role, "event %llu is not taken", (unsigned long long)i);
    }
    return true;
}

/* As fast as can be. */
static bool send_flood(sender_t *self) {
    fob_publish_t events[MANY];
    uint32_t size = self->role->work->size;
    for (size_t i = 0; i < MANY; i++)
        events[i] = (fob_publish_t){TOPIC, self->body + i * size, size, &self->options};
    for (uint64_t i = 0, all = role_events(self->role); i < all; i += MANY) {
        size_t count = all - i < MANY ? (size_t)(all - i) : MANY;
        for (size_t n = 0; n < count; n++)
            role_stamp(self->role, self->body + n * size, i + n);
        if (fob_publisher_send_many(self->publisher, events, count, NULL) != FOB_OK)
            return role_fails(self->role, "events from %llu on are not taken",
                              (unsigned long long)i);
        if (i % TURN == 0)
            look(self, 0);
    }
    return true;
}

static bool send_one_at_a_time(sender_t *self) {
    for (uint64_t i = 0; i < role_events(self->role); i++) {
        role_stamp(self->role, self->body, i);
        if (!send_one(self))
            return false;
        while (!self->receipts)
            fob_publisher_dispatch(self->publisher, -1);
        look(self, 0);
    }
    return true;
}

static bool all_confirmed(sender_t *self) {
    uint64_t failed = self->failed;
    if (self->options.fire)
        return fob_publisher_flush(self->publisher, -1) == FOB_OK;
    fob_status_t status = fob_publisher_flush(self->publisher, -1);
    look(self, 0);
    return status == FOB_OK && failed == 0;
}

static bool publish(role_t *role) {
    sender_t self = {.role = role, .options = FOB_PUBLISH_OPTIONS};
    fob_publisher_options_t options = FOB_PUBLISHER_OPTIONS;
    options.bus = site_endpoint(role->site, 0);
    options.window = WINDOW;
    options.on_receipt = on_receipt;
    options.on_receipt_arg = &self;
    options.connect_timeout_ms = 20000;
    self.body = calloc(MANY, role->work->size);
    self.options.fire = role->work->kind == WORK_FIRE;
    self.publisher = fob_publisher_new(&options);
    if (!self.body || !self.publisher || fob_publisher_wait_ready(self.publisher, 20000) != FOB_OK)
        return role_fails(role, "the publisher cannot reach the bus");
    bool good = true;
    while (self.options.fire && good && !role_heard(role)) {
        role_probe(role, self.body);
        good = send_one(&self);
        look(&self, 0);
    }
    role_begin(role);
    good = good && (role->work->kind == WORK_ONE ? send_one_at_a_time(&self)
                    : role->work->rate           ? send_in_time(&self)
                                                 : send_flood(&self));
    good = all_confirmed(&self) && good;
    fob_publisher_destroy(&self.publisher);
    free(self.body);
    return good && self.failed == 0;
}

/* --- consumers --- */

static void take(role_t *role, const fob_event_t *event) {
    size_t size;
    const void *data = fob_event_data(event, &size);
    role_arrived(role, data, size);
}

static bool listen(role_t *role) {
    fob_subscriber_options_t options = FOB_SUBSCRIBER_OPTIONS;
    options.bus = site_endpoint(role->site, 0);
    options.pattern = TOPIC;
    options.queue = 1000000;
    options.connect_timeout_ms = 20000;
    options.mode = role->work->kind == WORK_FIRE ? FOB_SUBSCRIBER_LIVE : FOB_SUBSCRIBER_RELIABLE;
    fob_status_t status;
    fob_subscriber_t *subscriber = fob_subscriber_new(&options, &status);
    if (!subscriber)
        return role_fails(role, "the subscriber cannot reach the bus: status %d", status);
    role_ready(role);
    while (!role_over(role)) {
        fob_event_t *events[TURN];
        size_t count;
        status = fob_subscriber_next_many(subscriber, events, TURN, &count, 50);
        if (status == FOB_OK) {
            for (size_t i = 0; i < count; i++) {
                take(role, events[i]);
                fob_event_destroy(&events[i]);
            }
        } else if (status != FOB_AGAIN && status != FOB_GAP) {
            return role_fails(role, "the subscriber ended: status %d", status);
        }
    }
    fob_subscriber_destroy(&subscriber);
    return true;
}

static bool work(role_t *role) {
    char group[32];
    snprintf(group, sizeof group, "group-%u", role->group);
    fob_worker_options_t options = FOB_WORKER_OPTIONS;
    options.bus = site_endpoint(role->site, 0);
    options.group = group;
    options.pattern = TOPIC;
    options.prefetch = 4096;
    options.jobs = TURN;
    fob_worker_t *worker = fob_worker_new(&options);
    if (!worker || fob_worker_wait_ready(worker, 20000, NULL) != FOB_OK)
        return role_fails(role, "the worker cannot reach the bus");
    role_ready(role);
    while (!role_over(role)) {
        fob_event_t *events[TURN];
        size_t count;
        fob_status_t status = fob_worker_next_many(worker, events, TURN, &count, 50);
        if (status == FOB_OK) {
            for (size_t i = 0; i < count; i++)
                take(role, events[i]);
            status = fob_worker_settle_many(worker, events, count, FOB_ACK, NULL);
        }
        if (status != FOB_OK && status != FOB_AGAIN)
            return role_fails(role, "the worker ended: status %d", status);
    }
    bool good = fob_worker_flush(worker, 10000) == FOB_OK && fob_worker_refused(worker) == 0;
    fob_worker_destroy(&worker, 1000);
    return good || role_fails(role, "acks were refused");
}

static bool consume(role_t *role) {
    bool cast = role->work->kind == WORK_FIRE || role->work->kind == WORK_STORED;
    return cast ? listen(role) : work(role);
}

const peer_t peer_fob = {
    .name = "fob",
    .title = "fob",
    .settings = "`fob serve` as it is without any setting but the port and, where the work is "
                "without fsync, `--sync os`; libfob: publishers with a window of 16,384, in a "
                "flood 64 events in a call; workers with a prefetch of 4,096, up to 512 events in "
                "a call, acked together; fire-and-forget is heard in mode live, stored events in "
                "mode reliable.",
    .can = can,
    .installed = installed,
    .start = start,
    .publish = publish,
    .consume = consume,
};
