/* zproxy: czmq's own forwarder, an actor that a program of czmq would take first. */
#include "tests/bench/peers/zmq_clients.h"

#include <czmq.h>

typedef struct {
    site_t *site;
    const work_t *work;
} proxy_t;

static bool can(const work_t *work) {
    return work->kind == WORK_FIRE;
}

static bool installed(char *text, size_t size) {
    int major, minor, patch;
    zsys_version(&major, &minor, &patch);
    snprintf(text, size, "czmq %d.%d.%d", major, minor, patch);
    return true;
}

static void serve(void *arg) {
    proxy_t *proxy = arg;
    zsys_handler_set(NULL);
    zsys_set_sndhwm((size_t)zmq_clients_hwm(proxy->work));
    zsys_set_rcvhwm((size_t)zmq_clients_hwm(proxy->work));
    zactor_t *actor = zactor_new(zproxy, NULL);
    zstr_sendx(actor, "FRONTEND", "XSUB", site_endpoint(proxy->site, 0), NULL);
    zsock_wait(actor);
    zstr_sendx(actor, "BACKEND", "XPUB", site_endpoint(proxy->site, 1), NULL);
    zsock_wait(actor);
    for (;;)
        pause();
}

static bool start(site_t *site, const work_t *work, bool again) {
    proxy_t proxy = {site, work};
    (void)again, (void)site_port(site, 0), (void)site_port(site, 1);
    return site_fork(site, serve, &proxy) && site_await_port(site, 0) && site_await_port(site, 1);
}

const peer_t peer_zproxy = {
    .name = "zproxy",
    .title = "czmq zproxy",
    .settings = "The actor zproxy between XSUB and XPUB, with high-water marks of 64 MiB of "
                "messages (zsys_set_sndhwm); it drops what is beyond them. Clients as for libzmq.",
    .can = can,
    .installed = installed,
    .start = start,
    .publish = zmq_clients_publish,
    .consume = zmq_clients_consume,
};
