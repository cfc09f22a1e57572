/* The conduit over real sockets on free ports. */
#include "support/case.h"

#include "conduit_until.h"
#include "fake_bus.h"
#include "proto/link/conduit.h"
#include "proto/link/request.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct {
    fob_conduit_t *conduit;
    unsigned ups, downs, closed, inputs, beats;
    fob_status_t why;
    char text[300];
    unsigned to_send; /* STATS with growing numbers */
    uint64_t next;    /* number to send */
    uint64_t expect;  /* number of the reply that must come next */
    bool in_order;
    fob_buf_t header;
    fob_blob_t *body; /* goes with every message, or NULL */
    uint8_t last[8];
} client_t;

static void on_up(void *arg, fob_now_t now, const fob_wire_t *welcome) {
    (void)now;
    client_t *self = arg;
    assert_int_equal(welcome->epoch, 7);
    self->ups++;
    fob_conduit_notify(self->conduit);
}

static void on_down(void *arg, fob_now_t now, fob_status_t why, const char *text) {
    (void)now;
    client_t *self = arg;
    if (why == FOB_CLOSED) {
        self->closed++;
        return;
    }
    self->downs++;
    self->why = why;
    snprintf(self->text, sizeof self->text, "%s", text);
    fob_conduit_notify(self->conduit);
}

static void on_beat(void *arg, fob_now_t now, const fob_wire_t *beat) {
    (void)now;
    client_t *self = arg;
    assert_int_equal(beat->verb, FOB_VERB_BEAT);
    self->beats++;
    fob_conduit_notify(self->conduit);
}

static void on_input(void *arg, fob_now_t now, const fob_wire_t *msg, fob_blob_t *body) {
    (void)now;
    client_t *self = arg;
    self->in_order &= msg->req == self->expect;
    self->expect = msg->req + 1;
    self->inputs++;
    if (body && fob_blob_slice(body).size >= sizeof self->last)
        memcpy(self->last, fob_blob_slice(body).data, sizeof self->last);
    fob_conduit_notify(self->conduit);
}

static bool on_output(void *arg, fob_now_t now, fob_slice_t *header, fob_blob_t **body) {
    (void)now;
    client_t *self = arg;
    if (!self->to_send)
        return false;
    self->to_send--;
    fob_wire_t msg = {.verb = FOB_VERB_STATS};
    FOB_SET(&msg, req, self->next++);
    fob_buf_clear(&self->header);
    assert_int_equal(fob_wire_write(&self->header, &msg), FOB_OK);
    *header = fob_buf_slice(&self->header);
    *body = self->body ? fob_blob_ref(self->body) : NULL;
    return true;
}

static const fob_client_ops_t ops = {
    .up = on_up, .down = on_down, .beat = on_beat, .input = on_input, .output = on_output};

static void client_start(client_t *self, const char *endpoint) {
    *self = (client_t){.next = 1, .expect = 1, .in_order = true};
    fob_link_options_t options = {
        .endpoints = fob_slice_str(endpoint), .role = "admin", .client = "test"};
    self->conduit = fob_conduit_new(&options, &ops, self);
    assert_non_null(self->conduit);
    assert_true(fob_conduit_start(self->conduit));
}

static void client_stop(client_t *self) {
    fob_conduit_destroy(&self->conduit, FOB_SEC);
    assert_int_equal(self->closed, 1);
    fob_buf_free(&self->header);
    fob_blob_unref(&self->body);
}

static void echo(void *arg, fake_bus_t *bus, fob_slice_t peer, const fob_wire_t *msg,
                 fob_slice_t body) {
    (void)arg;
    fob_wire_t reply = {.verb = FOB_VERB_REPLY};
    FOB_SET(&reply, req, msg->req);
    FOB_SET(&reply, code, FOB_OK);
    static const uint8_t nil[] = {0xc0};
    fake_bus_send(bus, peer, &reply, body.data ? body : fob_slice(nil, 1));
}

static void a_conduit_says_hello_and_carries_messages_both_ways(void **state) {
    (void)state;
    fake_bus_t *bus = fake_bus_new(&(fake_bus_options_t){.handle = echo});
    client_t client;
    client_start(&client, fake_bus_endpoint(bus));
    UNTIL(&client, client.ups >= 1);
    fob_conduit_lock(client.conduit);
    client.to_send = 10;
    fob_conduit_wake(client.conduit);
    fob_conduit_unlock(client.conduit);
    UNTIL(&client, client.inputs == 10);
    assert_true(client.in_order);
    client_stop(&client);
    WAIT_FOR(fake_bus_goodbyes(bus) == 1);
    fake_bus_destroy(&bus);
}

static void a_flood_of_large_bodies_arrives_whole_and_in_order(void **state) {
    (void)state;
    fake_bus_t *bus = fake_bus_new(&(fake_bus_options_t){.handle = echo});
    client_t client;
    client_start(&client, fake_bus_endpoint(bus));
    UNTIL(&client, client.ups >= 1);
    fob_conduit_lock(client.conduit);
    client.body = fob_blob_new(64 * 1024);
    memset(fob_blob_writable(client.body), 0x5a, 64 * 1024);
    client.to_send = 2000; /* far beyond the high-water mark */
    fob_conduit_wake(client.conduit);
    fob_conduit_unlock(client.conduit);
    UNTIL(&client, client.inputs == 2000);
    assert_true(client.in_order);
    assert_memory_equal(client.last, "ZZZZZZZZ", 8);
    client_stop(&client);
    fake_bus_destroy(&bus);
}

/* A port that was free a moment ago and that nobody listens on. */
static unsigned port_free(int *holder, bool listening) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    socklen_t size = sizeof address;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    if (listening)
        assert_int_equal(listen(fd, 16), 0);
    *holder = fd;
    return ntohs(address.sin_port);
}

static void a_connection_that_fails_is_named_and_tried_again(void **state) {
    (void)state;
    int holder;
    char endpoint[64], expected[160];
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%u", port_free(&holder, false));
    snprintf(expected, sizeof expected,
             "%s: no connection: nothing listens there, or it cannot be reached", endpoint);
    client_t client;
    client_start(&client, endpoint);
    UNTIL(&client, client.downs >= 3);
    fob_conduit_lock(client.conduit);
    assert_int_equal(client.why, FOB_UNREACHABLE);
    assert_string_equal(client.text, expected);
    fob_conduit_unlock(client.conduit);
    client_stop(&client);
    assert_int_equal(client.ups, 0);
    close(holder);
}

static void late_at(const char *endpoint, const char *expected) {
    client_t client;
    client_start(&client, endpoint);
    UNTIL(&client, client.downs >= 1);
    fob_conduit_lock(client.conduit);
    assert_int_equal(client.why, FOB_UNREACHABLE);
    assert_non_null(strstr(client.text, expected));
    fob_conduit_unlock(client.conduit);
    client_stop(&client);
}

static void what_a_try_waited_for_is_named(void **state) {
    (void)state;
    int mute;
    char endpoint[128];
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%u", port_free(&mute, true));
    late_at(endpoint, "connected, but no answer in time");
    close(mute);
    /* A label of 64 bytes is no name: no server is asked for it. */
    snprintf(endpoint, sizeof endpoint, "tcp://%064d.invalid:1", 0);
    late_at(endpoint, "is the name of the host known");
}

static void a_listener_that_is_no_bus_is_reported(void **state) {
    (void)state;
    int listener;
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%u", port_free(&listener, true));
    client_t client;
    client_start(&client, endpoint);
    int peer = accept(listener, NULL, NULL);
    static const char http[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    assert_int_equal(write(peer, http, sizeof http - 1), sizeof http - 1);
    UNTIL(&client, client.downs >= 1);
    fob_conduit_lock(client.conduit);
    assert_int_equal(client.why, FOB_UNREACHABLE);
    assert_non_null(strstr(client.text, endpoint));
    fob_conduit_unlock(client.conduit);
    client_stop(&client);
    close(peer);
    close(listener);
}

static void a_conduit_comes_back_after_a_restart_of_the_bus(void **state) {
    (void)state;
    fake_bus_t *bus = fake_bus_new(&(fake_bus_options_t){.handle = echo});
    client_t client;
    client_start(&client, fake_bus_endpoint(bus));
    for (unsigned round = 1; round <= 3; round++) {
        UNTIL(&client, client.ups >= round);
        fake_bus_stop(bus);
        UNTIL(&client, client.downs >= round);
        fake_bus_start(bus);
    }
    UNTIL(&client, client.ups >= 4);
    client_stop(&client);
    fake_bus_destroy(&bus);
}

static void beats_keep_an_idle_connection_up(void **state) {
    (void)state;
    fake_bus_t *bus = fake_bus_new(&(fake_bus_options_t){.heartbeat_ms = 60000, .handle = echo});
    fake_bus_t *quick =
        fake_bus_new(&(fake_bus_options_t){.heartbeat_ms = 20, .no_beats = true, .handle = echo});
    client_t client, other;
    client_start(&client, fake_bus_endpoint(bus));
    client_start(&other, fake_bus_endpoint(quick));
    WAIT_FOR(fake_bus_beats(quick) >= 2);
    /* The fake bus sends no beats: the client must notice that, and come back. */
    UNTIL(&other, other.downs >= 1);
    assert_non_null(strstr(other.text, "silent for three heartbeats"));
    UNTIL(&other, other.ups >= 2);
    UNTIL(&client, client.ups >= 1);
    assert_int_equal(client.downs, 0);
    client_stop(&other);
    client_stop(&client);
    fake_bus_destroy(&quick);
    fake_bus_destroy(&bus);
}

static void each_beat_of_the_bus_is_told_to_a_client_that_listens(void **state) {
    (void)state;
    fake_bus_t *bus = fake_bus_new(&(fake_bus_options_t){.heartbeat_ms = 20, .handle = echo});
    client_t client;
    client_start(&client, fake_bus_endpoint(bus));
    UNTIL(&client, client.beats >= 3);
    assert_int_equal(client.inputs, 0); /* and as nothing else */
    client_stop(&client);
    fake_bus_destroy(&bus);
}

static void the_public_descriptor_is_readable_until_it_is_quieted(void **state) {
    (void)state;
    fake_bus_t *bus = fake_bus_new(NULL);
    client_t client;
    client_start(&client, fake_bus_endpoint(bus));
    UNTIL(&client, client.ups >= 1);
    struct pollfd item = {.fd = fob_conduit_fd(client.conduit), .events = POLLIN};
    assert_int_equal(poll(&item, 1, 0), 1);
    assert_int_equal(poll(&item, 1, 0), 1); /* level-triggered */
    fob_conduit_lock(client.conduit);
    fob_conduit_quiet(client.conduit);
    assert_int_equal(poll(&item, 1, 0), 0);
    fob_conduit_notify(client.conduit);
    assert_int_equal(poll(&item, 1, 0), 1);
    fob_conduit_unlock(client.conduit);
    client_stop(&client);
    fake_bus_destroy(&bus);
}

static void bad_endpoints_are_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"",          "localhost",     "tcp://",    "tcp://:7670",
                                      "tcp://h:0", "tcp://h:65536", "udp://h:1", "tcp://h:1,",
                                      "tcp://h:1x"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        fob_link_options_t options = {.endpoints = fob_slice_str(bad[i]), .role = "admin"};
        errno = 0;
        assert_null(fob_conduit_new(&options, &ops, NULL));
        assert_int_equal(errno, EINVAL);
    }
}

static void a_request_gets_its_answer(void **state) {
    (void)state;
    fake_bus_t *bus = fake_bus_new(&(fake_bus_options_t){.handle = echo});
    fob_wire_t question = {.verb = FOB_VERB_STATS};
    fob_answer_t answer;
    assert_int_equal(fob_request(fake_bus_endpoint(bus), &question, 20 * FOB_SEC, &answer), FOB_OK);
    assert_non_null(answer.body);
    assert_int_equal(fob_blob_slice(answer.body).data[0], 0xc0);
    assert_string_equal(answer.bus, "fake/1");
    assert_string_equal(answer.level, "disk");
    assert_string_equal(answer.text, "");
    fob_answer_clear(&answer);
    assert_int_equal(fob_request(fake_bus_endpoint(bus), NULL, 20 * FOB_SEC, &answer), FOB_OK);
    assert_string_equal(answer.endpoint, fake_bus_endpoint(bus));
    fob_answer_clear(&answer);
    fake_bus_destroy(&bus);
}

static void a_request_to_nobody_is_unreachable_in_time(void **state) {
    (void)state;
    int holder;
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%u", port_free(&holder, false));
    fob_answer_t answer;
    assert_int_equal(fob_request(endpoint, NULL, 100 * FOB_MS, &answer), FOB_UNREACHABLE);
    assert_non_null(strstr(answer.text, endpoint));
    fob_answer_clear(&answer);
    static char name[FOB_WIRE_HEADER_MAX];
    fob_wire_t question = {.verb = FOB_VERB_GROUP_LIST};
    FOB_SET(&question, group, fob_slice(name, sizeof name));
    assert_int_equal(fob_request(endpoint, &question, FOB_SEC, &answer), FOB_TOO_LARGE);
    assert_non_null(strstr(answer.text, "too long"));
    assert_int_equal(fob_request("nonsense", NULL, FOB_SEC, &answer), FOB_INVALID);
    assert_non_null(strstr(answer.text, "nonsense"));
    close(holder);
}

static void a_request_to_another_version_names_both_ranges(void **state) {
    (void)state;
    fake_bus_t *bus = fake_bus_new(&(fake_bus_options_t){.version = true});
    fob_answer_t answer;
    assert_int_equal(fob_request(fake_bus_endpoint(bus), NULL, 20 * FOB_SEC, &answer), FOB_VERSION);
    assert_non_null(strstr(answer.text, "5 to 9"));
    assert_non_null(strstr(answer.text, "1 to 1"));
    fake_bus_destroy(&bus);
}

static void a_request_to_a_silent_bus_ends_in_time(void **state) {
    (void)state;
    fake_bus_t *bus = fake_bus_new(&(fake_bus_options_t){.handle = NULL});
    fob_wire_t question = {.verb = FOB_VERB_STATS};
    fob_answer_t answer;
    fob_status_t status = FOB_UNREACHABLE;
    /* A slow machine needs longer to reach it at all. */
    for (int64_t ms = 300; status == FOB_UNREACHABLE && ms < 20000; ms *= 2)
        status = fob_request(fake_bus_endpoint(bus), &question, ms * FOB_MS, &answer);
    assert_int_equal(status, FOB_AGAIN);
    assert_non_null(strstr(answer.text, "did not answer"));
    fake_bus_destroy(&bus);
}

/* --- due at once --- */

typedef struct {
    fob_conduit_t *conduit;
    unsigned ticks;
} hasty_t;

static void on_hasty_tick(void *arg, fob_now_t now) {
    hasty_t *self = arg;
    (void)now;
    self->ticks++;
    fob_conduit_notify(self->conduit);
}

/* As one that lacked memory for what it wants to say. */
static int64_t on_hasty_deadline(void *arg) {
    (void)arg;
    return INT64_MIN;
}

static void a_client_that_is_due_at_once_is_run_again_soon(void **state) {
    static const fob_client_ops_t hasty = {.tick = on_hasty_tick, .deadline = on_hasty_deadline};
    hasty_t self = {.ticks = 0};
    (void)state;
    fob_link_options_t options = {
        .endpoints = fob_slice_str("tcp://127.0.0.1:1"), .role = "worker", .client = "test/1"};
    self.conduit = fob_conduit_new(&options, &hasty, &self);
    assert_non_null(self.conduit);
    assert_true(fob_conduit_start(self.conduit));
    int64_t until = fob_conduit_now().mono_ns + 60 * FOB_SEC;
    fob_conduit_lock(self.conduit);
    while (self.ticks < 100 && fob_conduit_wait(self.conduit, until))
        ;
    assert_true(self.ticks >= 100);
    fob_conduit_unlock(self.conduit);
    fob_conduit_destroy(&self.conduit, 0);
}

FOB_MAIN(FOB_CASE(a_client_that_is_due_at_once_is_run_again_soon),
         FOB_CASE(a_conduit_says_hello_and_carries_messages_both_ways),
         FOB_CASE(a_flood_of_large_bodies_arrives_whole_and_in_order),
         FOB_CASE(a_connection_that_fails_is_named_and_tried_again),
         FOB_CASE(what_a_try_waited_for_is_named), FOB_CASE(a_listener_that_is_no_bus_is_reported),
         FOB_CASE(a_conduit_comes_back_after_a_restart_of_the_bus),
         FOB_CASE(beats_keep_an_idle_connection_up),
         FOB_CASE(each_beat_of_the_bus_is_told_to_a_client_that_listens),
         FOB_CASE(the_public_descriptor_is_readable_until_it_is_quieted),
         FOB_CASE(bad_endpoints_are_refused), FOB_CASE(a_request_gets_its_answer),
         FOB_CASE(a_request_to_nobody_is_unreachable_in_time),
         FOB_CASE(a_request_to_another_version_names_both_ranges),
         FOB_CASE(a_request_to_a_silent_bus_ends_in_time))
