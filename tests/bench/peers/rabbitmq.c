/* rabbitmq: RabbitMQ's queues, quorum and classic, on a node of our own: its folders, its port
 * mapper, its cookie are the site's. Over librabbitmq. */
#include "tests/bench/peers/peer.h"

#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#define WINDOW   4096 /* events without confirm */
#define LOOK     32   /* events between two looks for confirms, in a flood */
#define PREFETCH 1000
#define CHANNEL  1
/* Not the one in sbin, which becomes another user. */
#define SERVER "/usr/lib/rabbitmq/bin/rabbitmq-server"

/* Ports of the site: the node's, its port mapper's, and the one between nodes. */
enum { PORT_AMQP, PORT_MAPPER, PORT_NODES };

typedef enum { QUORUM, CLASSIC } kind_t;

static const char *const kind_names[] = {"quorum", "classic"};

/* --- connections --- */

static bool went_well(amqp_connection_state_t link) {
    return amqp_get_rpc_reply(link).reply_type == AMQP_RESPONSE_NORMAL;
}

static void hang_up(amqp_connection_state_t link) {
    amqp_connection_close(link, AMQP_REPLY_SUCCESS);
    amqp_destroy_connection(link);
}

static amqp_connection_state_t dial(site_t *site) {
    amqp_connection_state_t link = amqp_new_connection();
    amqp_socket_t *socket = link ? amqp_tcp_socket_new(link) : NULL;
    if (socket && amqp_socket_open(socket, "127.0.0.1", site_port(site, PORT_AMQP)) == 0 &&
        amqp_login(link, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest").reply_type ==
            AMQP_RESPONSE_NORMAL) {
        amqp_channel_open(link, CHANNEL);
        if (went_well(link))
            return link;
    }
    if (link)
        amqp_destroy_connection(link);
    return NULL;
}

static struct timeval ms(int count) {
    return (struct timeval){0, count * 1000};
}

/* --- the server --- */

/* What each queue does without a sync: a quorum queue has no such thing. */
static bool can_quorum(const work_t *work) {
    return (work->kind == WORK_QUEUE || work->kind == WORK_BACKLOG) && work->sync;
}

static bool can_classic(const work_t *work) {
    return work->kind == WORK_QUEUE || (work->kind == WORK_BACKLOG && work->sync);
}

/* As a program that starts nothing: rabbitmqctl takes a second to say its version. */
static bool installed(char *text, size_t size) {
    glob_t found = {0};
    bool good = site_has_program("epmd", NULL, 0) && site_has_program(SERVER, NULL, 0) &&
                glob("/usr/lib/rabbitmq/lib/rabbitmq_server-*", 0, NULL, &found) == 0;
    if (good)
        snprintf(text, size, "%s", strrchr(found.gl_pathv[0], '-') + 1);
    globfree(&found);
    return good;
}

static bool run_node(site_t *site) {
    const char *folder = site_folder(site);
    char text[11][320];
    snprintf(text[0], sizeof text[0], "RABBITMQ_MNESIA_BASE=%s/db", folder);
    snprintf(text[1], sizeof text[1], "RABBITMQ_LOG_BASE=%s/logs", folder);
    snprintf(text[2], sizeof text[2], "RABBITMQ_CONFIG_FILE=%s/rabbitmq.conf", folder);
    snprintf(text[3], sizeof text[3], "RABBITMQ_ENABLED_PLUGINS_FILE=%s/plugins", folder);
    snprintf(text[4], sizeof text[4], "RABBITMQ_CONF_ENV_FILE=%s/environment", folder);
    snprintf(text[5], sizeof text[5], "RABBITMQ_PID_FILE=%s/pid", folder);
    snprintf(text[6], sizeof text[6], "RABBITMQ_NODENAME=bench%d@localhost",
             site_port(site, PORT_AMQP));
    snprintf(text[7], sizeof text[7], "RABBITMQ_DIST_PORT=%d", site_port(site, PORT_NODES));
    snprintf(text[8], sizeof text[8], "ERL_EPMD_PORT=%d", site_port(site, PORT_MAPPER));
    snprintf(text[9], sizeof text[9], "ERL_EPMD_ADDRESS=127.0.0.1");
    /* It would start a mapper that outlives it. */
    snprintf(text[10], sizeof text[10], "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-start_epmd false");
    const char *words[] = {"env",   text[0], text[1], text[2], text[3],  text[4], text[5],
                           text[6], text[7], text[8], text[9], text[10], SERVER,  NULL};
    return site_run(site, words);
}

static bool run_mapper(site_t *site) {
    char port[16];
    snprintf(port, sizeof port, "%d", site_port(site, PORT_MAPPER));
    return site_run(site, (const char *[]){"epmd", "-address", "127.0.0.1", "-port", port, NULL}) &&
           site_await_port(site, PORT_MAPPER);
}

/* One queue for each group, all of them bound to one exchange. */
static bool make_queues(site_t *site, const work_t *work, kind_t kind) {
    amqp_connection_state_t link = dial(site);
    if (!link)
        return false;
    amqp_table_entry_t entry = {.key = amqp_cstring_bytes("x-queue-type"),
                                .value = {.kind = AMQP_FIELD_KIND_UTF8}};
    entry.value.value.bytes = amqp_cstring_bytes(kind_names[kind]);
    amqp_table_t arguments = {1, &entry};
    amqp_bytes_t exchange = amqp_cstring_bytes("bench");
    amqp_exchange_declare(link, CHANNEL, exchange, amqp_cstring_bytes("fanout"), 0, 1, 0, 0,
                          amqp_empty_table);
    bool good = went_well(link);
    for (unsigned i = 0; good && i < work->groups; i++) {
        char name[16];
        snprintf(name, sizeof name, "g%u", i);
        amqp_bytes_t queue = amqp_cstring_bytes(name);
        amqp_queue_declare(link, CHANNEL, queue, 0, 1, 0, 0, arguments);
        good = went_well(link);
        amqp_queue_bind(link, CHANNEL, queue, exchange, amqp_empty_bytes, amqp_empty_table);
        good = good && went_well(link);
    }
    hang_up(link);
    return good;
}

/* It takes 4 to 12 s, more with a backlog, and listens before it answers. */
static bool await_node(site_t *site) {
    bool there = false;
    for (int i = 0; i < 18 && !there; i++)
        there = site_await_port(site, PORT_AMQP);
    for (int i = 0; there && i < 6000; i++) {
        amqp_connection_state_t link = dial(site);
        if (link) {
            hang_up(link);
            return true;
        }
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
    return false;
}

static bool start(site_t *site, const work_t *work, bool again, kind_t kind) {
    site_write(site, "rabbitmq.conf",
               "listeners.tcp.default = 127.0.0.1:%d\nvm_memory_high_watermark.relative = 0.8\n"
               "disk_free_limit.absolute = 50MB\ndistribution.listener.interface = 127.0.0.1\n",
               site_port(site, PORT_AMQP));
    site_write(site, "plugins", "[].\n");
    site_write(site, "environment", "\n");
    if (!run_mapper(site) || !run_node(site))
        return false;
    return await_node(site) && (again || make_queues(site, work, kind));
}

/* The node before its mapper: it starts another one where that is gone. */
static void stop(site_t *site) {
    char path[512];
    int node = 0;
    snprintf(path, sizeof path, "%s/pid", site_folder(site));
    FILE *file = fopen(path, "r");
    if (file && fscanf(file, "%d", &node) != 1)
        node = 0;
    if (file)
        fclose(file);
    if (node > 1)
        kill(node, SIGTERM);
    for (int i = 0; node > 1 && i < 6000 && kill(node, 0) == 0; i++)
        nanosleep(&(struct timespec){0, 10000000}, NULL);
}

static bool start_quorum(site_t *site, const work_t *work, bool again) {
    return start(site, work, again, QUORUM);
}

static bool start_classic(site_t *site, const work_t *work, bool again) {
    return start(site, work, again, CLASSIC);
}

/* --- the publisher --- */

typedef struct {
    role_t *role;
    amqp_connection_state_t link;
    amqp_bytes_t event;
    amqp_basic_properties_t properties;
    uint64_t sent, stored; /* all below `stored` are confirmed */
    bool early[WINDOW];    /* confirmed before one below it: by number % WINDOW */
} publisher_t;

/* Confirms come for one, or for all up to it, and not always in their order. */
static void confirmed(publisher_t *self, uint64_t tag, bool multiple) {
    uint64_t before = self->stored;
    if (multiple)
        for (uint64_t i = self->stored; i < tag; i++)
            self->early[i % WINDOW] = true;
    else if (tag > self->stored)
        self->early[(tag - 1) % WINDOW] = true;
    while (self->stored < self->sent && self->early[self->stored % WINDOW])
        self->early[self->stored++ % WINDOW] = false;
    role_confirmed(self->role, self->stored - before);
}

/* Takes what came, waiting so long for the first. */
static bool take(publisher_t *self, int wait_ms) {
    for (;; wait_ms = 0) {
        amqp_frame_t frame;
        struct timeval wait = ms(wait_ms);
        int result = amqp_simple_wait_frame_noblock(self->link, &frame, &wait);
        if (result == AMQP_STATUS_TIMEOUT)
            break;
        if (result != AMQP_STATUS_OK)
            return role_fails(self->role, "%s", amqp_error_string2(result));
        if (frame.frame_type != AMQP_FRAME_METHOD ||
            frame.payload.method.id != AMQP_BASIC_ACK_METHOD)
            return role_fails(self->role, "no confirm, but frame %d", frame.frame_type);
        const amqp_basic_ack_t *ack = frame.payload.method.decoded;
        confirmed(self, ack->delivery_tag, ack->multiple);
    }
    amqp_maybe_release_buffers(self->link);
    return true;
}

static bool publish_all(publisher_t *self) {
    uint64_t events = role_events(self->role);
    bool paced = self->role->work->rate != 0;
    int descriptor = amqp_get_sockfd(self->link);
    role_begin(self->role);
    while (self->sent < events) {
        while (!role_pace(self->role, self->sent, descriptor))
            if (!take(self, 0))
                return false;
        role_stamp(self->role, self->event.bytes, self->sent++);
        int result = amqp_basic_publish(self->link, CHANNEL, amqp_cstring_bytes("bench"),
                                        amqp_empty_bytes, 0, 0, &self->properties, self->event);
        if (result != AMQP_STATUS_OK)
            return role_fails(self->role, "%s", amqp_error_string2(result));
        if (!paced && self->sent % LOOK == 0 && !take(self, 0))
            return false;
        while (self->sent - self->stored >= WINDOW)
            if (!take(self, 50))
                return false;
    }
    while (self->stored < events)
        if (!take(self, 50))
            return false;
    return true;
}

static bool publish(role_t *role) {
    publisher_t *self = calloc(1, sizeof *self);
    void *event = calloc(1, role->work->size);
    if (!self || !event || !(self->link = dial(role->site)))
        return role_fails(role, "no connection");
    self->role = role;
    self->event = (amqp_bytes_t){role->work->size, event};
    self->properties._flags = AMQP_BASIC_DELIVERY_MODE_FLAG;
    self->properties.delivery_mode =
        role->work->sync ? AMQP_DELIVERY_PERSISTENT : AMQP_DELIVERY_NONPERSISTENT;
    amqp_confirm_select(self->link, CHANNEL);
    bool good = went_well(self->link) && publish_all(self);
    hang_up(self->link);
    free(event);
    free(self);
    return good;
}

/* --- a worker --- */

typedef struct {
    role_t *role;
    amqp_connection_state_t link;
    uint64_t last, acked; /* deliveries: come, acked */
} worker_t;

static bool ack(worker_t *self) {
    if (self->last == self->acked)
        return true;
    int result = amqp_basic_ack(self->link, CHANNEL, self->last, 1);
    self->acked = self->last;
    return result == AMQP_STATUS_OK || role_fails(self->role, "%s", amqp_error_string2(result));
}

/* The next delivery within 50 ms. Acks once nothing is left of what was read at once, or half of
 * what may be out is. */
static bool turn(worker_t *self) {
    amqp_envelope_t envelope;
    if ((!amqp_frames_enqueued(self->link) && !amqp_data_in_buffer(self->link)) ||
        self->last - self->acked >= PREFETCH / 2)
        if (!ack(self))
            return false;
    struct timeval wait = ms(50);
    amqp_maybe_release_buffers(self->link);
    amqp_rpc_reply_t reply = amqp_consume_message(self->link, &envelope, &wait, 0);
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION &&
        reply.library_error == AMQP_STATUS_TIMEOUT)
        return true;
    if (reply.reply_type != AMQP_RESPONSE_NORMAL)
        return role_fails(self->role, "no delivery: %s", amqp_error_string2(reply.library_error));
    self->last = envelope.delivery_tag;
    role_arrived(self->role, envelope.message.body.bytes, envelope.message.body.len);
    amqp_destroy_envelope(&envelope);
    return true;
}

static bool consume(role_t *role) {
    worker_t self = {.role = role, .link = dial(role->site)};
    if (!self.link)
        return role_fails(role, "no connection");
    char name[16];
    snprintf(name, sizeof name, "g%u", role->group);
    amqp_basic_qos(self.link, CHANNEL, 0, PREFETCH, 0);
    bool good = went_well(self.link);
    amqp_basic_consume(self.link, CHANNEL, amqp_cstring_bytes(name), amqp_empty_bytes, 0, 0, 0,
                       amqp_empty_table);
    good = good && went_well(self.link);
    role_ready(role);
    while (good && !role_over(role))
        good = turn(&self);
    good = good && ack(&self);
    /* Acks have no answer; the close of the channel has one, and comes behind them. */
    if (good)
        amqp_channel_close(self.link, CHANNEL, AMQP_REPLY_SUCCESS);
    hang_up(self.link);
    return good;
}

#define USE                                                                                        \
    "a node of its own; publisher confirms with up to 4,096 events without one, prefetch 1,000, "  \
    "acks of all that was read at once (multiple)"

const peer_t peer_rabbitmq_quorum = {
    .name = "rabbitmq-quorum",
    .title = "RabbitMQ quorum",
    .settings = "durable quorum queues, persistent messages, " USE,
    .flood = 200000,
    .can = can_quorum,
    .installed = installed,
    .start = start_quorum,
    .publish = publish,
    .consume = consume,
    .stop = stop,
};

const peer_t peer_rabbitmq_classic = {
    .name = "rabbitmq-classic",
    .title = "RabbitMQ classic",
    .settings = "durable classic queues, persistent messages where the confirm waits for the disk, "
                "else transient ones, " USE,
    .flood = 200000,
    .can = can_classic,
    .installed = installed,
    .start = start_classic,
    .publish = publish,
    .consume = consume,
    .stop = stop,
};
