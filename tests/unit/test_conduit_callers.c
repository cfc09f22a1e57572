/* Callers that do what the conduit's thread would do: they watch while they wait, and send. */
#include "support/case.h"

#include "conduit_until.h"
#include "fake_bus.h"

#include <pthread.h>
#include <stdatomic.h>

#define WAITERS 4

typedef struct {
    fob_conduit_t *conduit;
    unsigned ups, downs, inputs, to_send, ticks;
    bool busy; /* notifies in each round */
    uint64_t next;
    pthread_t read_by, sent_by;
    fob_buf_t header;
} client_t;

static void on_up(void *arg, fob_now_t now, const fob_wire_t *welcome) {
    client_t *self = arg;
    (void)now, (void)welcome;
    self->ups++;
    fob_conduit_notify(self->conduit);
}

static void on_down(void *arg, fob_now_t now, fob_status_t why, const char *text) {
    client_t *self = arg;
    (void)now, (void)text;
    self->downs += why != FOB_CLOSED;
    fob_conduit_notify(self->conduit);
}

static void on_input(void *arg, fob_now_t now, const fob_wire_t *msg, fob_blob_t *body) {
    client_t *self = arg;
    (void)now, (void)msg, (void)body;
    self->inputs++;
    self->read_by = pthread_self();
    fob_conduit_notify(self->conduit);
}

static bool on_output(void *arg, fob_now_t now, fob_slice_t *header, fob_blob_t **body) {
    client_t *self = arg;
    (void)now;
    if (!self->to_send)
        return false;
    self->to_send--;
    self->sent_by = pthread_self();
    fob_wire_t msg = {.verb = FOB_VERB_STATS};
    FOB_SET(&msg, req, self->next++);
    fob_buf_clear(&self->header);
    assert_int_equal(fob_wire_write(&self->header, &msg), FOB_OK);
    *header = fob_buf_slice(&self->header);
    *body = NULL;
    return true;
}

static void on_tick(void *arg, fob_now_t now) {
    client_t *self = arg;
    (void)now;
    self->ticks++;
    if (self->busy)
        fob_conduit_notify(self->conduit);
}

static const fob_client_ops_t ops = {
    .up = on_up, .down = on_down, .input = on_input, .output = on_output, .tick = on_tick};

static void echo(void *arg, fake_bus_t *bus, fob_slice_t peer, const fob_wire_t *msg,
                 fob_slice_t body) {
    static const uint8_t nil[] = {0xc0};
    (void)arg, (void)body;
    fob_wire_t reply = {.verb = FOB_VERB_REPLY};
    FOB_SET(&reply, req, msg->req);
    FOB_SET(&reply, code, FOB_OK);
    fake_bus_send(bus, peer, &reply, fob_slice(nil, 1));
}

static fake_bus_t *start_with(client_t *self, const fake_bus_options_t *of_bus) {
    fake_bus_t *bus = fake_bus_new(of_bus);
    *self = (client_t){.next = 1};
    fob_link_options_t options = {
        .endpoints = fob_slice_str(fake_bus_endpoint(bus)), .role = "admin", .client = "test"};
    self->conduit = fob_conduit_new(&options, &ops, self);
    assert_non_null(self->conduit);
    assert_true(fob_conduit_start(self->conduit));
    UNTIL(self, self->ups >= 1);
    return bus;
}

static fake_bus_t *start(client_t *self, uint64_t heartbeat_ms) {
    return start_with(self, &(fake_bus_options_t){.heartbeat_ms = heartbeat_ms, .handle = echo});
}

static void stop(client_t *self, fake_bus_t *bus) {
    fob_conduit_destroy(&self->conduit, FOB_SEC);
    fob_buf_free(&self->header);
    fake_bus_destroy(&bus);
}

/* Sends one by a push, and waits for its answer. */
static void exchange(client_t *self) {
    fob_conduit_lock(self->conduit);
    unsigned before = self->inputs;
    self->to_send = 1;
    fob_conduit_push(self->conduit, true);
    fob_conduit_unlock(self->conduit);
    UNTIL(self, self->inputs > before);
}

static void who_waits_alone_reads_the_answer_and_sends_the_next_message_itself(void **state) {
    (void)state;
    client_t client;
    fake_bus_t *bus = start(&client, 60000);
    bool read = false, sent = false;
    int64_t until = fob_conduit_now().mono_ns + 60 * FOB_SEC;
    while (!(read && sent)) { /* the thread may be quicker now and then */
        exchange(&client);
        read = pthread_equal(client.read_by, pthread_self()) || read;
        sent = pthread_equal(client.sent_by, pthread_self()) || sent;
        assert_true(fob_conduit_now().mono_ns < until);
    }
    stop(&client, bus);
}

static void what_is_not_lone_is_the_threads_to_send(void **state) {
    (void)state;
    client_t client;
    fake_bus_t *bus = start(&client, 60000);
    for (int i = 0; i < 10; i++) {
        exchange(&client);
        fob_conduit_lock(client.conduit);
        unsigned before = client.inputs;
        client.sent_by = pthread_self();
        client.to_send = 1;
        fob_conduit_push(client.conduit, false);
        assert_int_equal(client.to_send, 1); /* not here and now */
        fob_conduit_unlock(client.conduit);
        UNTIL(&client, client.inputs > before);
    }
    stop(&client, bus);
}

static void beats_go_on_once_a_caller_has_left(void **state) {
    (void)state;
    client_t client;
    fake_bus_t *bus = start(&client, 20);
    exchange(&client);
    unsigned beats = fake_bus_beats(bus);
    WAIT_FOR(fake_bus_beats(bus) >= beats + 3);
    exchange(&client);
    stop(&client, bus);
}

static void *wait_for_an_answer(void *arg) {
    client_t *client = arg;
    UNTIL(client, client->inputs >= 1);
    return NULL;
}

static void beats_go_on_while_a_caller_watches(void **state) {
    (void)state;
    client_t client;
    pthread_t thread;
    fake_bus_t *bus = start(&client, 20);
    assert_int_equal(pthread_create(&thread, NULL, wait_for_an_answer, &client), 0);
    unsigned beats = fake_bus_beats(bus);
    WAIT_FOR(fake_bus_beats(bus) >= beats + 3);
    exchange(&client); /* beside it */
    pthread_join(thread, NULL);
    stop(&client, bus);
}

static void all_that_wait_are_told(void **state) {
    (void)state;
    client_t client;
    pthread_t threads[WAITERS];
    fake_bus_t *bus = start(&client, 60000);
    for (int i = 0; i < WAITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wait_for_an_answer, &client), 0);
    exchange(&client);
    for (int i = 0; i < WAITERS; i++)
        pthread_join(threads[i], NULL);
    stop(&client, bus);
}

typedef struct {
    fob_conduit_t *conduit;
    bool waits, told;
    atomic_bool ended;
} guest_t;

static void *wait_to_be_told(void *arg) {
    guest_t *guest = arg;
    fob_conduit_lock(guest->conduit);
    while (fob_conduit_wait(guest->conduit, fob_conduit_now().mono_ns + 20 * FOB_MS))
        ; /* what came before */
    guest->waits = true;
    while (!guest->told)
        (void)fob_conduit_wait(guest->conduit, FOB_NEVER);
    fob_conduit_unlock(guest->conduit);
    atomic_store(&guest->ended, true);
    return NULL;
}

/* Neither the bus nor a beat wakes it: whoever ends what it waits for does. */
static void a_caller_that_watches_is_told_by_a_signal_from_beside(void **state) {
    (void)state;
    client_t client;
    pthread_t thread;
    fake_bus_t *bus = start_with(
        &client, &(fake_bus_options_t){.heartbeat_ms = 60000, .no_beats = true, .handle = echo});
    exchange(&client);
    guest_t guest = {.conduit = client.conduit};
    assert_int_equal(pthread_create(&thread, NULL, wait_to_be_told, &guest), 0);
    for (bool waits = false; !waits;) { /* then it holds the lock no more, but where it sleeps */
        fob_conduit_lock(client.conduit);
        waits = guest.waits;
        fob_conduit_unlock(client.conduit);
    }
    fob_conduit_lock(client.conduit);
    guest.told = true;
    fob_conduit_signal(client.conduit);
    fob_conduit_unlock(client.conduit);
    WAIT_FOR(atomic_load(&guest.ended));
    pthread_join(thread, NULL);
    stop(&client, bus);
}

static void who_comes_when_its_time_is_up_is_not_told(void **state) {
    (void)state;
    client_t client;
    fake_bus_t *bus = start(&client, 60000);
    exchange(&client);
    fob_conduit_lock(client.conduit);
    client.busy = true;
    unsigned ticks = client.ticks;
    assert_false(fob_conduit_wait(client.conduit, fob_conduit_now().mono_ns - FOB_SEC));
    assert_true(client.ticks > ticks); /* but it had a look */
    fob_conduit_unlock(client.conduit);
    stop(&client, bus);
}

static void a_connection_that_breaks_while_a_caller_watches_comes_back(void **state) {
    (void)state;
    client_t client;
    fake_bus_t *bus = start(&client, 20);
    exchange(&client);
    fake_bus_stop(bus);
    UNTIL(&client, client.downs >= 1);
    fake_bus_start(bus);
    UNTIL(&client, client.ups >= 2);
    exchange(&client);
    stop(&client, bus);
}

FOB_MAIN(FOB_CASE(who_waits_alone_reads_the_answer_and_sends_the_next_message_itself),
         FOB_CASE(what_is_not_lone_is_the_threads_to_send),
         FOB_CASE(beats_go_on_once_a_caller_has_left), FOB_CASE(beats_go_on_while_a_caller_watches),
         FOB_CASE(all_that_wait_are_told),
         FOB_CASE(a_caller_that_watches_is_told_by_a_signal_from_beside),
         FOB_CASE(who_comes_when_its_time_is_up_is_not_told),
         FOB_CASE(a_connection_that_breaks_while_a_caller_watches_comes_back))
