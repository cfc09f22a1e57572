/* nats: NATS core over libnats, as `nats bench pub` and `sub` use it. */
#include "tests/bench/peers/peer.h"

#include <nats/nats.h>
#include <stdio.h>
#include <stdlib.h>

#define SUBJECT "bench.cast"

static bool can(const work_t *work) {
    return work->kind == WORK_FIRE;
}

static bool installed(char *text, size_t size) {
    char version[32];
    if (!site_version("nats-server", "--version", version, sizeof version))
        return false;
    snprintf(text, size, "nats-server %s, libnats %s", version, nats_GetVersion());
    return true;
}

static bool start(site_t *site, const work_t *work, bool again) {
    (void)work, (void)again;
    site_write(site, "nats.conf", "listen: 127.0.0.1:%d\nmax_pending: 512MB\n", site_port(site, 0));
    return site_run(site, (const char *[]){"nats-server", "-c", "nats.conf", NULL}) &&
           site_await_port(site, 0);
}

static natsStatus dial(role_t *role, natsConnection **connection) {
    char url[64];
    natsOptions *options = NULL;
    snprintf(url, sizeof url, "nats://127.0.0.1:%d", site_port(role->site, 0));
    natsStatus status = natsOptions_Create(&options);
    if (status == NATS_OK)
        status = natsOptions_SetURL(options, url);
    /* One that has time is sent at once, not by the thread that flushes. */
    if (status == NATS_OK && role->work->rate)
        status = natsOptions_SetSendAsap(options, true);
    if (status == NATS_OK)
        status = natsConnection_Connect(connection, options);
    natsOptions_Destroy(options);
    return status;
}

static natsStatus send_all(role_t *role, natsConnection *connection, void *body) {
    natsStatus status = NATS_OK;
    int size = (int)role->work->size;
    while (status == NATS_OK && !role_heard(role)) {
        role_probe(role, body);
        status = natsConnection_Publish(connection, SUBJECT, body, size);
    }
    role_begin(role);
    for (uint64_t i = 0; status == NATS_OK && i < role_events(role); i++) {
        role_pace(role, i, -1);
        role_stamp(role, body, i);
        status = natsConnection_Publish(connection, SUBJECT, body, size);
    }
    return status == NATS_OK ? natsConnection_FlushTimeout(connection, 60000) : status;
}

static bool publish(role_t *role) {
    natsConnection *connection = NULL;
    void *body = calloc(1, role->work->size);
    natsStatus status = body ? dial(role, &connection) : NATS_NO_MEMORY;
    if (status == NATS_OK)
        status = send_all(role, connection, body);
    natsConnection_Destroy(connection);
    free(body);
    return status == NATS_OK || role_fails(role, "%s", natsStatus_GetText(status));
}

/* On the library's thread, the only one that says what arrived. */
static void on_message(natsConnection *connection, natsSubscription *subscription, natsMsg *message,
                       void *arg) {
    (void)connection, (void)subscription;
    role_arrived(arg, natsMsg_GetData(message), (size_t)natsMsg_GetDataLength(message));
    natsMsg_Destroy(message);
}

static bool consume(role_t *role) {
    natsConnection *connection = NULL;
    natsSubscription *subscription = NULL;
    natsStatus status = dial(role, &connection);
    if (status == NATS_OK)
        status = natsConnection_Subscribe(&subscription, connection, SUBJECT, on_message, role);
    if (status == NATS_OK)
        status = natsSubscription_SetPendingLimits(subscription, -1, -1);
    if (status == NATS_OK)
        status = natsConnection_Flush(connection);
    if (status != NATS_OK)
        return role_fails(role, "%s", natsStatus_GetText(status));
    role_ready(role);
    while (!role_over(role))
        nats_Sleep(10);
    natsSubscription_Destroy(subscription);
    natsConnection_Destroy(connection);
    return true;
}

const peer_t peer_nats = {
    .name = "nats",
    .title = "NATS core",
    .settings =
        "nats-server as it is but for max_pending 512 MB, so that it ends no slow subscriber; "
        "natsConnection_Publish buffers in a flood and sends at once (SendAsap) at 5,000/s; "
        "subscribers take messages in the library's callback, without a limit of pending ones.",
    .can = can,
    .installed = installed,
    .start = start,
    .publish = publish,
    .consume = consume,
};
