/* jetstream: JetStream's file streams on one server of NATS; a durable pull consumer for each
 * group. Over libnats, whose threads do not outlive a fork: so also what is made before a round is
 * made in a process of its own. */
#include "tests/bench/peers/peer.h"
#include "tests/bench/rig.h"

#include <nats/nats.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW  4096 /* events without answer */
#define BATCH   500  /* events of one pull */
#define PENDING 20000

/* --- connections --- */

typedef struct {
    natsConnection *link;
    jsCtx *stream;
} client_t;

static bool dial(client_t *self, site_t *site, jsOptions *options) {
    char url[64];
    snprintf(url, sizeof url, "nats://127.0.0.1:%d", site_port(site, 0));
    *self = (client_t){NULL, NULL};
    return natsConnection_ConnectTo(&self->link, url) == NATS_OK &&
           natsConnection_JetStream(&self->stream, self->link, options) == NATS_OK;
}

static void hang_up(client_t *self) {
    jsCtx_Destroy(self->stream);
    natsConnection_Destroy(self->link);
}

/* --- the server --- */

/* It answers before any sync, and syncs every two minutes. */
static bool can(const work_t *work) {
    return (work->kind == WORK_QUEUE || work->kind == WORK_BACKLOG) && !work->sync;
}

static bool installed(char *text, size_t size) {
    return site_version("nats-server", "--version", text, size);
}

typedef struct {
    site_t *site;
    const work_t *work;
} making_t;

static bool make(void *arg) {
    making_t *what = arg;
    client_t client;
    jsStreamConfig stream;
    const char *subjects[] = {"bench"};
    bool good = dial(&client, what->site, NULL);
    jsStreamConfig_Init(&stream);
    stream.Name = "BENCH";
    stream.Subjects = subjects;
    stream.SubjectsLen = 1;
    stream.Storage = js_FileStorage;
    good = good && js_AddStream(NULL, client.stream, &stream, NULL, NULL) == NATS_OK;
    for (unsigned i = 0; good && i < what->work->groups; i++) {
        char name[16];
        jsConsumerConfig consumer;
        snprintf(name, sizeof name, "g%u", i);
        jsConsumerConfig_Init(&consumer);
        consumer.Durable = name;
        consumer.AckPolicy = js_AckExplicit;
        consumer.MaxAckPending = PENDING;
        good = js_AddConsumer(NULL, client.stream, "BENCH", &consumer, NULL, NULL) == NATS_OK;
    }
    hang_up(&client);
    return good;
}

static bool start(site_t *site, const work_t *work, bool again) {
    making_t what = {site, work};
    site_write(site, "nats.conf",
               "host: 127.0.0.1\nport: %d\njetstream {\n store_dir: \"%s\"\n"
               " max_memory_store: 4G\n max_file_store: 64G\n}\n",
               site_port(site, 0), site_folder(site));
    return site_run(site, (const char *[]){"nats-server", "-c", "nats.conf", NULL}) &&
           site_await_port(site, 0) && (again || rig_join(rig_child(make, &what)));
}

/* --- the publisher --- */

typedef struct {
    role_t *role;
    atomic_bool failed;
} publisher_t;

/* On the library's thread, one answer after the other. */
static void on_answer(jsCtx *stream, natsMsg *message, jsPubAck *good, jsPubAckErr *bad,
                      void *arg) {
    publisher_t *self = arg;
    (void)stream;
    if (good)
        role_confirmed(self->role, 1);
    else if (!atomic_exchange(&self->failed, true))
        role_fails(self->role, "not stored: %s", bad && bad->ErrText ? bad->ErrText : "no answer");
    natsMsg_Destroy(message);
}

static bool publish_all(publisher_t *self, client_t *client, void *event) {
    uint64_t events = role_events(self->role);
    int size = (int)self->role->work->size;
    jsPubOptions patience;
    jsPubOptions_Init(&patience);
    patience.MaxWait = 60000;
    role_begin(self->role);
    for (uint64_t i = 0; i < events && !atomic_load(&self->failed); i++) {
        role_pace(self->role, i, -1);
        role_stamp(self->role, event, i);
        natsStatus status = js_PublishAsync(client->stream, "bench", event, size, NULL);
        if (status != NATS_OK)
            return role_fails(self->role, "%s", natsStatus_GetText(status));
    }
    return js_PublishAsyncComplete(client->stream, &patience) == NATS_OK &&
           !atomic_load(&self->failed);
}

static bool publish(role_t *role) {
    publisher_t self = {.role = role};
    client_t client;
    jsOptions options;
    jsOptions_Init(&options);
    options.PublishAsync.MaxPending = WINDOW;
    options.PublishAsync.StallWait = 60000;
    options.PublishAsync.AckHandler = on_answer;
    options.PublishAsync.AckHandlerClosure = &self;
    void *event = calloc(1, role->work->size);
    bool good = event && dial(&client, role->site, &options);
    good = good ? publish_all(&self, &client, event) : role_fails(role, "no connection");
    hang_up(&client);
    free(event);
    return good;
}

/* --- a worker: it pulls by hand, as natsSubscription_Fetch of 3.4 writes beyond its list where
 * messages of an older request come late --- */

typedef struct {
    role_t *role;
    natsConnection *link;
    natsSubscription *from;
    char *inbox, pull[64]; /* the subject to ask at */
    unsigned due;          /* events that were asked for and did not come yet */
} worker_t;

/* So that there are always some on their way. */
static bool ask(worker_t *self) {
    if (self->due > BATCH)
        return true;
    self->due += BATCH;
    char request[32];
    snprintf(request, sizeof request, "{\"batch\":%d}", BATCH);
    return natsConnection_PublishRequestString(self->link, self->pull, self->inbox, request) ==
           NATS_OK;
}

static bool turn(worker_t *self) {
    natsMsg *event = NULL;
    natsStatus status = natsSubscription_NextMsg(&event, self->from, 50);
    if (status == NATS_TIMEOUT)
        return true;
    if (status != NATS_OK)
        return role_fails(self->role, "%s", natsStatus_GetText(status));
    bool good = natsMsg_GetReply(event) != NULL;
    if (good) {
        self->due--;
        role_arrived(self->role, natsMsg_GetData(event), (size_t)natsMsg_GetDataLength(event));
        good = natsConnection_PublishString(self->link, natsMsg_GetReply(event), "+ACK") == NATS_OK;
    }
    natsMsg_Destroy(event);
    return (good && ask(self)) || role_fails(self->role, "no event, or no ack could be sent");
}

static bool consume(role_t *role) {
    client_t client;
    worker_t self = {.role = role};
    bool good = dial(&client, role->site, NULL) && natsInbox_Create(&self.inbox) == NATS_OK &&
                natsConnection_SubscribeSync(&self.from, client.link, self.inbox) == NATS_OK &&
                natsSubscription_SetPendingLimits(self.from, -1, -1) == NATS_OK;
    self.link = client.link;
    snprintf(self.pull, sizeof self.pull, "$JS.API.CONSUMER.MSG.NEXT.BENCH.g%u", role->group);
    good = (good && ask(&self)) || role_fails(role, "no connection");
    role_ready(role);
    while (good && !role_over(role))
        good = turn(&self);
    natsConnection_Flush(client.link);
    natsSubscription_Destroy(self.from);
    natsInbox_Destroy(self.inbox);
    hang_up(&client);
    return good;
}

const peer_t peer_jetstream = {
    .name = "jetstream",
    .title = "NATS JetStream",
    .settings =
        "a file stream, not synced before the answer; asynchronous publishes with up to "
        "4,096 without answer, a durable pull consumer for each group, pulls of 500, one ahead, "
        "explicit acks",
    .flood = 600000,
    .can = can,
    .installed = installed,
    .start = start,
    .publish = publish,
    .consume = consume,
};
