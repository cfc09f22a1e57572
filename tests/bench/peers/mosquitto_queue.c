/* mosquitto_queue: mosquitto at QoS 1, a shared subscription for each group. Over libmosquitto. */
#include "tests/bench/peers/peer.h"

#include <mosquitto.h>
#include <stdio.h>
#include <stdlib.h>

#define WINDOW  1000 /* events without PUBACK */
#define PACKETS 100  /* handled in one turn of the client's loop */

typedef struct {
    role_t *role;
    struct mosquitto *client;
    uint64_t sent, stored;
    bool subscribed;
} side_t;

/* --- the server --- */

/* It syncs nothing before a PUBACK, and keeps nothing for a group that has not joined. */
static bool can(const work_t *work) {
    return work->kind == WORK_QUEUE && !work->sync;
}

static bool installed(char *text, size_t size) {
    return site_version("mosquitto", "-h", text, size);
}

static bool start(site_t *site, const work_t *work, bool again) {
    (void)work, (void)again;
    site_write(site, "mosquitto.conf",
               "listener %d 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\n"
               "persistence_location %s/\nautosave_interval 1800\nset_tcp_nodelay true\n"
               "max_inflight_messages 0\nmax_queued_messages 0\n",
               site_port(site, 0), site_folder(site));
    return site_run(site, (const char *[]){"mosquitto", "-c", "mosquitto.conf", NULL}) &&
           site_await_port(site, 0);
}

static bool dial(side_t *self, const char *name, bool clean) {
    mosquitto_lib_init();
    self->client = mosquitto_new(name, clean, self);
    return self->client && mosquitto_int_option(self->client, MOSQ_OPT_TCP_NODELAY, 1) == 0 &&
           mosquitto_max_inflight_messages_set(self->client, 0) == 0 &&
           mosquitto_connect(self->client, "127.0.0.1", site_port(self->role->site, 0), 600) == 0;
}

static bool turn(side_t *self, int wait_ms) {
    int result = mosquitto_loop(self->client, wait_ms, PACKETS);
    return result == MOSQ_ERR_SUCCESS || role_fails(self->role, "%s", mosquitto_strerror(result));
}

static void hang_up(side_t *self) {
    if (self->client) {
        mosquitto_disconnect(self->client);
        mosquitto_destroy(self->client);
    }
    mosquitto_lib_cleanup();
}

/* --- the publisher --- */

static void on_stored(struct mosquitto *client, void *arg, int number) {
    side_t *self = arg;
    (void)client, (void)number;
    self->stored++;
    role_confirmed(self->role, 1);
}

static bool publish_all(side_t *self, void *event) {
    uint64_t events = role_events(self->role);
    int size = (int)self->role->work->size;
    role_begin(self->role);
    while (self->sent < events) {
        while (!role_pace(self->role, self->sent, mosquitto_socket(self->client)))
            if (!turn(self, 0))
                return false;
        role_stamp(self->role, event, self->sent++);
        int result = mosquitto_publish(self->client, NULL, "bench", size, event, 1, false);
        if (result != MOSQ_ERR_SUCCESS)
            return role_fails(self->role, "%s", mosquitto_strerror(result));
        while (self->sent - self->stored >= WINDOW)
            if (!turn(self, 50))
                return false;
    }
    while (self->stored < events)
        if (!turn(self, 50))
            return false;
    return true;
}

static bool publish(role_t *role) {
    side_t self = {.role = role};
    void *event = calloc(1, role->work->size);
    bool good = event && dial(&self, "publisher", true);
    if (good)
        mosquitto_publish_callback_set(self.client, on_stored);
    good = good ? publish_all(&self, event) : role_fails(role, "no connection");
    hang_up(&self);
    free(event);
    return good;
}

/* --- a worker --- */

static void on_subscribed(struct mosquitto *client, void *arg, int number, int count,
                          const int *granted) {
    side_t *self = arg;
    (void)client, (void)number;
    self->subscribed = count == 1 && granted[0] == 1;
}

/* The library sends the PUBACK once this returns. */
static void on_event(struct mosquitto *client, void *arg, const struct mosquitto_message *event) {
    side_t *self = arg;
    (void)client;
    role_arrived(self->role, event->payload, (size_t)event->payloadlen);
}

static bool subscribe(side_t *self) {
    char name[32], topic[32];
    snprintf(name, sizeof name, "worker-%u", self->role->index);
    snprintf(topic, sizeof topic, "$share/g%u/bench", self->role->group);
    if (!dial(self, name, false))
        return false;
    mosquitto_subscribe_callback_set(self->client, on_subscribed);
    mosquitto_message_callback_set(self->client, on_event);
    if (mosquitto_subscribe(self->client, NULL, topic, 1) != MOSQ_ERR_SUCCESS)
        return false;
    for (int i = 0; i < 200 && !self->subscribed; i++)
        if (!turn(self, 50))
            return false;
    return self->subscribed;
}

static bool consume(role_t *role) {
    side_t self = {.role = role};
    bool good = subscribe(&self);
    if (!good)
        role_fails(role, "no subscription");
    role_ready(role);
    while (good && !role_over(role))
        good = turn(&self, 50);
    hang_up(&self);
    return good;
}

const peer_t peer_mosquitto_queue = {
    .name = "mosquitto-qos1",
    .title = "mosquitto QoS 1",
    .settings = "persistence at intervals, no bound on what is queued or under way; QoS 1 with up "
                "to 1,000 events without PUBACK, shared subscriptions",
    .flood = 300000,
    .can = can,
    .installed = installed,
    .start = start,
    .publish = publish,
    .consume = consume,
};
