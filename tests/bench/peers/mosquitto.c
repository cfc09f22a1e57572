/* mosquitto: a broadcast at QoS 0. Over libmosquitto. */
#include "tests/bench/peers/peer.h"

#include <mosquitto.h>
#include <stdio.h>
#include <stdlib.h>

#define TOPIC "bench/cast"
#define TURN  100 /* messages between two looks at the connection */

typedef struct {
    role_t *role;
    struct mosquitto *client;
    bool subscribed;
} side_t;

static bool can(const work_t *work) {
    return work->kind == WORK_FIRE;
}

static bool installed(char *text, size_t size) {
    char version[32];
    int major, minor, patch;
    if (!site_version("mosquitto", "-h", version, sizeof version))
        return false;
    mosquitto_lib_version(&major, &minor, &patch);
    snprintf(text, size, "mosquitto %s, libmosquitto %d.%d.%d", version, major, minor, patch);
    return true;
}

static bool start(site_t *site, const work_t *work, bool again) {
    (void)work, (void)again;
    site_write(site, "mosquitto.conf",
               "listener %d 127.0.0.1\nallow_anonymous true\npersistence false\n"
               "set_tcp_nodelay true\nmax_queued_messages 0\n",
               site_port(site, 0));
    return site_run(site, (const char *[]){"mosquitto", "-c", "mosquitto.conf", NULL}) &&
           site_await_port(site, 0);
}

static bool dial(side_t *self) {
    mosquitto_lib_init();
    self->client = mosquitto_new(NULL, true, self);
    return self->client && mosquitto_int_option(self->client, MOSQ_OPT_TCP_NODELAY, 1) == 0 &&
           mosquitto_connect(self->client, "127.0.0.1", site_port(self->role->site, 0), 600) == 0;
}

static void hang_up(side_t *self) {
    if (self->client) {
        mosquitto_disconnect(self->client);
        mosquitto_destroy(self->client);
    }
    mosquitto_lib_cleanup();
}

static bool turn(side_t *self, int wait_ms) {
    return mosquitto_loop(self->client, wait_ms, TURN) == MOSQ_ERR_SUCCESS;
}

static bool send_one(side_t *self, const void *body) {
    return mosquitto_publish(self->client, NULL, TOPIC, (int)self->role->work->size, body, 0,
                             false) == MOSQ_ERR_SUCCESS;
}

/* Until all is in the socket. */
static bool write_out(side_t *self) {
    bool good = turn(self, 0);
    while (good && mosquitto_want_write(self->client))
        good = turn(self, 10);
    return good;
}

static bool send_all(side_t *self, void *body) {
    bool good = true;
    while (good && !role_heard(self->role)) {
        role_probe(self->role, body);
        good = send_one(self, body) && turn(self, 0);
    }
    role_begin(self->role);
    for (uint64_t i = 0; good && i < role_events(self->role); i++) {
        role_pace(self->role, i, -1);
        role_stamp(self->role, body, i);
        good = send_one(self, body) && (i % TURN != TURN - 1 || write_out(self));
    }
    return good && write_out(self);
}

static bool publish(role_t *role) {
    side_t self = {.role = role};
    void *body = calloc(1, role->work->size);
    bool good = body && dial(&self) && turn(&self, 100) && send_all(&self, body);
    hang_up(&self);
    free(body);
    return good || role_fails(role, "the publisher lost its connection");
}

static void on_message(struct mosquitto *client, void *arg,
                       const struct mosquitto_message *message) {
    (void)client;
    side_t *self = arg;
    role_arrived(self->role, message->payload, (size_t)message->payloadlen);
}

static void on_subscribed(struct mosquitto *client, void *arg, int number, int count,
                          const int *granted) {
    (void)client, (void)number, (void)count, (void)granted;
    side_t *self = arg;
    self->subscribed = true;
}

static bool consume(role_t *role) {
    side_t self = {.role = role};
    bool good = dial(&self);
    if (good) {
        mosquitto_message_callback_set(self.client, on_message);
        mosquitto_subscribe_callback_set(self.client, on_subscribed);
        good = mosquitto_subscribe(self.client, NULL, TOPIC, 0) == MOSQ_ERR_SUCCESS;
    }
    while (good && !self.subscribed)
        good = turn(&self, 50);
    role_ready(role);
    while (good && !role_over(role))
        good = turn(&self, 50);
    hang_up(&self);
    return good || role_fails(role, "the consumer lost its connection");
}

const peer_t peer_mosquitto = {
    .name = "mosquitto",
    .title = "mosquitto, QoS 0",
    .settings = "No persistence, no limit of what waits, TCP_NODELAY; libmosquitto's own loop on "
                "the caller's thread, up to 100 messages between two looks at the connection.",
    .can = can,
    .installed = installed,
    .start = start,
    .publish = publish,
    .consume = consume,
};
