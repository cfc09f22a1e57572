/* The conduit and a request where the bus sends what it should not. */
#include "support/case.h"

#include "conduit_until.h"
#include "fake_bus.h"
#include "proto/link/conduit.h"
#include "proto/link/request.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>

typedef struct {
    fob_conduit_t *conduit;
    unsigned ups, downs, closed, inputs, endless;
    fob_status_t why;
    char text[300];
    char shard[64]; /* the first shard's endpoint, as WELCOME told of it */
    bool ask;
    fob_buf_t header;
} client_t;

static void on_up(void *arg, fob_now_t now, const fob_wire_t *welcome) {
    (void)now;
    (void)welcome;
    client_t *self = arg;
    self->ups++;
    fob_conduit_notify(self->conduit);
}

static void on_down(void *arg, fob_now_t now, fob_status_t why, const char *text) {
    (void)now;
    client_t *self = arg;
    self->closed += why == FOB_CLOSED;
    if (why == FOB_CLOSED)
        return;
    self->downs++;
    self->why = why;
    snprintf(self->text, sizeof self->text, "%s", text);
    fob_conduit_notify(self->conduit);
}

static void on_input(void *arg, fob_now_t now, const fob_wire_t *msg, fob_blob_t *body) {
    (void)now;
    (void)msg;
    (void)body;
    client_t *self = arg;
    self->inputs++;
    fob_conduit_notify(self->conduit);
}

/* Asks once; or again and again. */
static bool on_output(void *arg, fob_now_t now, fob_slice_t *header, fob_blob_t **body) {
    (void)now;
    client_t *self = arg;
    if (!self->ask && !self->endless)
        return false;
    self->ask = false;
    self->endless += self->endless > 0;
    *header = fob_buf_slice(&self->header);
    *body = NULL;
    fob_conduit_signal(self->conduit);
    return true;
}

static const fob_client_ops_t ops = {
    .up = on_up, .down = on_down, .input = on_input, .output = on_output};

static void client_start_with(client_t *self, const char *endpoint, const fob_client_ops_t *does) {
    *self = (client_t){0};
    fob_wire_t msg = {.verb = FOB_VERB_STATS};
    FOB_SET(&msg, req, 1);
    assert_int_equal(fob_wire_write(&self->header, &msg), FOB_OK);
    fob_link_options_t options = {
        .endpoints = fob_slice_str(endpoint), .role = "admin", .client = "test"};
    self->conduit = fob_conduit_new(&options, does, self);
    assert_non_null(self->conduit);
    assert_true(fob_conduit_start(self->conduit));
}

static void client_start(client_t *self, const char *endpoint) {
    client_start_with(self, endpoint, &ops);
}

static void client_stop(client_t *self, int64_t linger_ns) {
    fob_conduit_destroy(&self->conduit, linger_ns);
    assert_null(self->conduit);
    assert_int_equal(self->closed, 1);
    fob_buf_free(&self->header);
}

/* What the bus answers a question with, before the good answer if it is to give one. */
typedef struct {
    const char *frames[3];
    size_t sizes[3];
    size_t count;
    bool reply;
} odd_t;

static void answer(void *arg, fake_bus_t *bus, fob_slice_t peer, const fob_wire_t *msg,
                   fob_slice_t body) {
    (void)body;
    const odd_t *odd = arg;
    fob_slice_t frames[3];
    for (size_t i = 0; i < odd->count; i++)
        frames[i] = fob_slice(odd->frames[i], odd->sizes[i]);
    if (odd->count)
        fake_bus_send_raw(bus, peer, frames, odd->count);
    fob_wire_t reply = {.verb = FOB_VERB_REPLY};
    FOB_SET(&reply, req, msg->req);
    FOB_SET(&reply, code, FOB_OK);
    if (odd->reply)
        fake_bus_send(bus, peer, &reply, (fob_slice_t){0});
}

static void ask(client_t *client) {
    fob_conduit_lock(client->conduit);
    client->ask = true;
    fob_conduit_wake(client->conduit);
    fob_conduit_unlock(client->conduit);
}

/* The bus answers with `odd`: the connection ends for the reason that is told, and comes back. */
static void ends_it(odd_t odd, const char *text) {
    fake_bus_t *bus = fake_bus_new(&(fake_bus_options_t){.handle = answer, .arg = &odd});
    client_t client;
    client_start(&client, fake_bus_endpoint(bus));
    UNTIL(&client, client.ups >= 1);
    ask(&client);
    UNTIL(&client, client.downs >= 1);
    fob_conduit_lock(client.conduit);
    assert_int_equal(client.why, FOB_PROTOCOL);
    assert_non_null(strstr(client.text, text));
    fob_conduit_unlock(client.conduit);
    UNTIL(&client, client.ups >= 2);
    assert_int_equal(client.inputs, 0);
    client_stop(&client, FOB_SEC);
    fake_bus_destroy(&bus);
}

static void bytes_that_are_no_header_end_the_connection(void **state) {
    (void)state;
    ends_it((odd_t){.frames = {"HTTP/1.1 200 OK"}, .sizes = {15}, .count = 1},
            "not the fob protocol");
    ends_it((odd_t){.frames = {""}, .sizes = {0}, .count = 1}, "not the fob protocol");
    /* A REPLY that lacks what it must have. */
    ends_it((odd_t){.frames = {"\x93\x2c\x00\x80"}, .sizes = {4}, .count = 1},
            "not the fob protocol");
}

static void a_message_of_three_frames_ends_the_connection(void **state) {
    (void)state;
    odd_t odd = {.frames = {"\x93\x03\x00\x80", "a", "b"}, .sizes = {4, 1, 1}, .count = 3};
    ends_it(odd, "what it sent cannot be read");
}

static void a_verb_of_a_later_version_is_passed_over(void **state) {
    (void)state;
    odd_t odd = {.frames = {"\x93\x7f\x00\x80"}, .sizes = {4}, .count = 1, .reply = true};
    fake_bus_t *bus = fake_bus_new(&(fake_bus_options_t){.handle = answer, .arg = &odd});
    client_t client;
    client_start(&client, fake_bus_endpoint(bus));
    UNTIL(&client, client.ups >= 1);
    ask(&client);
    UNTIL(&client, client.inputs == 1); /* the good answer behind it */
    assert_int_equal(client.downs, 0);
    client_stop(&client, FOB_SEC);
    fake_bus_destroy(&bus);
}

static void a_client_that_listens_to_nothing_still_comes_and_goes(void **state) {
    (void)state;
    odd_t odd = {.count = 0};
    fake_bus_t *bus = fake_bus_new(&(fake_bus_options_t){.handle = answer, .arg = &odd});
    static const fob_client_ops_t none;
    fob_link_options_t options = {.endpoints = fob_slice_str(fake_bus_endpoint(bus)),
                                  .role = "admin"};
    fob_conduit_t *conduit = fob_conduit_new(&options, &none, NULL);
    assert_non_null(conduit);
    assert_true(fob_conduit_start(conduit));
    WAIT_FOR(fake_bus_hellos(bus) == 1);
    fake_bus_stop(bus); /* down, and up again */
    fake_bus_start(bus);
    WAIT_FOR(fake_bus_hellos(bus) >= 2);
    fob_conduit_destroy(&conduit, FOB_SEC);
    fob_conduit_destroy(&conduit, FOB_SEC);
    fob_conduit_destroy(NULL, 0);
    fake_bus_destroy(&bus);
}

static void a_conduit_that_was_never_started_is_freed(void **state) {
    (void)state;
    fob_link_options_t options = {.endpoints = fob_slice_str("tcp://127.0.0.1:1"), .role = "admin"};
    client_t client = {0};
    fob_conduit_t *conduit = fob_conduit_new(&options, &ops, &client);
    assert_non_null(conduit);
    assert_int_equal(fob_conduit_heard(conduit), INT64_MIN);
    fob_conduit_destroy(&conduit, FOB_SEC);
    assert_null(conduit);
    assert_int_equal(client.closed, 0); /* its functions run on the thread, and there was none */
}

static void a_time_that_has_passed_is_not_waited_for(void **state) {
    (void)state;
    fob_link_options_t options = {.endpoints = fob_slice_str("tcp://127.0.0.1:1"), .role = "admin"};
    fob_conduit_t *conduit = fob_conduit_new(&options, &ops, NULL);
    assert_non_null(conduit);
    fob_conduit_lock(conduit);
    assert_false(fob_conduit_wait(conduit, -1));
    assert_false(fob_conduit_wait(conduit, INT64_MIN));
    assert_false(fob_conduit_wait(conduit, fob_conduit_now().mono_ns));
    fob_conduit_unlock(conduit);
    fob_conduit_destroy(&conduit, 0);
}

static void a_client_that_never_has_said_all_leaves_when_its_time_is_up(void **state) {
    (void)state;
    odd_t odd = {.count = 0};
    fake_bus_t *bus = fake_bus_new(&(fake_bus_options_t){.handle = answer, .arg = &odd});
    client_t client;
    client_start(&client, fake_bus_endpoint(bus));
    UNTIL(&client, client.ups >= 1);
    fob_conduit_lock(client.conduit);
    client.endless = 1;
    fob_conduit_wake(client.conduit);
    fob_conduit_unlock(client.conduit);
    UNTIL(&client, client.endless > 1000);
    int64_t begun = fob_conduit_now().mono_ns;
    client_stop(&client, 50 * FOB_MS);
    assert_true(fob_conduit_now().mono_ns - begun >= 50 * FOB_MS);
    fake_bus_destroy(&bus);
}

static void a_shard_elsewhere_is_dialled_by_its_own_name(void **state) {
    (void)state;
    fob_link_options_t options = {.endpoints = fob_slice_str("tcp://bus.example:7670"),
                                  .role = "admin"};
    fob_conduit_t *conduit = fob_conduit_new(&options, &ops, NULL);
    assert_non_null(conduit);
    char out[300];
    fob_conduit_endpoint(conduit, NULL, 7671, out, sizeof out);
    assert_string_equal(out, "tcp://bus.example:7671");
    fob_shard_t shard = {.host = fob_slice_str("other.example")};
    fob_conduit_endpoint(conduit, &shard, 7672, out, sizeof out);
    assert_string_equal(out, "tcp://other.example:7672");
    shard.host.size = 0; /* the host that was dialled */
    fob_conduit_endpoint(conduit, &shard, 7672, out, sizeof out);
    assert_string_equal(out, "tcp://bus.example:7672");
    assert_string_equal(fob_conduit_dialled(conduit), "tcp://bus.example:7670");
    fob_conduit_destroy(&conduit, 0);
}

static void the_bus_is_what_was_said_then_what_the_environment_says(void **state) {
    (void)state;
    setenv("FOB_BUS", "tcp://h:1", 1);
    assert_string_equal(fob_conduit_bus("tcp://a:2"), "tcp://a:2");
    assert_string_equal(fob_conduit_bus(""), "tcp://h:1");
    assert_string_equal(fob_conduit_bus(NULL), "tcp://h:1");
    setenv("FOB_BUS", "", 1);
    assert_string_equal(fob_conduit_bus(NULL), "tcp://127.0.0.1:7670");
    unsetenv("FOB_BUS");
    assert_string_equal(fob_conduit_bus(NULL), "tcp://127.0.0.1:7670");
}

/* As a publisher whose session was forgotten does: on its thread, told of it by a message. */
static void on_input_restart(void *arg, fob_now_t now, const fob_wire_t *msg, fob_blob_t *body) {
    static const uint8_t other[FOB_SESSION_SIZE] = {0x5a, 1};
    client_t *self = arg;
    fob_conduit_session(self->conduit, other);
    fob_conduit_restart(self->conduit, now, FOB_FORGOTTEN, "the session is forgotten");
    on_input(arg, now, msg, body);
}

static void a_client_may_end_its_connection_and_come_back_with_another_secret(void **state) {
    (void)state;
    static const fob_client_ops_t restarting = {
        .up = on_up, .down = on_down, .input = on_input_restart, .output = on_output};
    odd_t odd = {.count = 0, .reply = true};
    fake_bus_t *bus = fake_bus_new(&(fake_bus_options_t){.handle = answer, .arg = &odd});
    client_t client;
    client_start_with(&client, fake_bus_endpoint(bus), &restarting);
    UNTIL(&client, client.ups >= 1);
    assert_int_equal(fake_bus_session(bus), 0);
    ask(&client);
    UNTIL(&client, client.ups >= 2);
    assert_int_equal(client.downs, 1);
    assert_int_equal(client.why, FOB_FORGOTTEN);
    assert_non_null(strstr(client.text, "the session is forgotten"));
    assert_int_equal(fake_bus_session(bus), 0x5a);
    client_stop(&client, FOB_SEC);
    fake_bus_destroy(&bus);
}

static void a_client_without_descriptors_says_so_and_comes_up_once_there_are_some(void **state) {
    (void)state;
    odd_t odd = {.frames = {"?"}, .sizes = {1}, .count = 1};
    fake_bus_t *bus = fake_bus_new(&(fake_bus_options_t){.handle = answer, .arg = &odd});
    client_t client;
    client_start(&client, fake_bus_endpoint(bus));
    UNTIL(&client, client.ups >= 1);
    struct rlimit before, none = {.rlim_cur = 6}; /* all of these are taken */
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    fob_link_options_t options = {.endpoints = fob_slice_str("tcp://127.0.0.1:1"), .role = "admin"};
    errno = 0;
    assert_null(fob_conduit_new(&options, &ops, NULL));
    assert_int_equal(errno, ENOMEM);
    ask(&client); /* what is answered ends the connection */
    UNTIL(&client, strstr(client.text, "too many descriptors are open") != NULL);
    assert_int_equal(client.why, FOB_UNREACHABLE);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    UNTIL(&client, client.ups >= 2);
    client_stop(&client, FOB_SEC);
    fake_bus_destroy(&bus);
}

/* --- requests --- */

static void a_request_passes_over_what_is_no_answer_to_it(void **state) {
    (void)state;
    /* REPLY of another number, and a DELIVER-like stranger, before the good one. */
    odd_t odd = {.frames = {"\x93\x2c\x00\x82\xa3req\x07\xa4"
                            "code\x08"},
                 .sizes = {15},
                 .count = 1,
                 .reply = true};
    fake_bus_t *bus = fake_bus_new(&(fake_bus_options_t){.handle = answer, .arg = &odd});
    fob_wire_t question = {.verb = FOB_VERB_STATS};
    fob_answer_t got;
    assert_int_equal(fob_request(fake_bus_endpoint(bus), &question, 20 * FOB_SEC, &got), FOB_OK);
    assert_string_equal(got.text, "");
    assert_null(got.body);
    assert_int_equal(got.asked, 1);
    fob_answer_clear(&got);
    fake_bus_destroy(&bus);
}

static void refuse(void *arg, fake_bus_t *bus, fob_slice_t peer, const fob_wire_t *msg,
                   fob_slice_t body) {
    (void)body;
    const char *text = arg;
    fob_wire_t error = {.verb = FOB_VERB_ERROR};
    FOB_SET(&error, of, msg->verb);
    FOB_SET(&error, code, FOB_PROTOCOL);
    FOB_SET(&error, text, fob_slice_str(text));
    fake_bus_send(bus, peer, &error, (fob_slice_t){0});
}

static void a_request_that_the_bus_does_not_know_ends_with_what_it_says(void **state) {
    (void)state;
    static char words[] = "STATS is not known here", none[] = "";
    const char *expected[] = {words, fob_status_text(FOB_PROTOCOL)};
    char *const said[] = {words, none};
    for (int i = 0; i < 2; i++) {
        fake_bus_t *bus = fake_bus_new(&(fake_bus_options_t){.handle = refuse, .arg = said[i]});
        fob_wire_t question = {.verb = FOB_VERB_STATS};
        fob_answer_t got;
        assert_int_equal(fob_request(fake_bus_endpoint(bus), &question, 20 * FOB_SEC, &got),
                         FOB_PROTOCOL);
        assert_string_equal(got.text, expected[i]);
        fob_answer_clear(&got);
        fake_bus_destroy(&bus);
    }
}

/* Answers the first question with nonsense, the second after a beat. */
typedef struct {
    atomic_uint asked;
} forgetful_t;

static void once_lost(void *arg, fake_bus_t *bus, fob_slice_t peer, const fob_wire_t *msg,
                      fob_slice_t body) {
    forgetful_t *self = arg;
    static odd_t bad = {.frames = {"?"}, .sizes = {1}, .count = 1};
    static odd_t good = {.frames = {"\x93\x03\x00\x80"}, .sizes = {4}, .count = 1, .reply = true};
    answer(atomic_fetch_add(&self->asked, 1) == 0 ? &bad : &good, bus, peer, msg, body);
}

static void a_request_whose_connection_goes_is_asked_again_and_says_so(void **state) {
    (void)state;
    forgetful_t forgetful = {0};
    fake_bus_t *bus = fake_bus_new(&(fake_bus_options_t){.handle = once_lost, .arg = &forgetful});
    fob_wire_t question = {.verb = FOB_VERB_STATS};
    fob_answer_t got;
    assert_int_equal(fob_request(fake_bus_endpoint(bus), &question, 20 * FOB_SEC, &got), FOB_OK);
    assert_int_equal(got.asked, 2);
    assert_string_equal(got.text, ""); /* nothing of the first try is left */
    fob_answer_clear(&got);
    fake_bus_destroy(&bus);
}

FOB_MAIN(FOB_CASE(bytes_that_are_no_header_end_the_connection),
         FOB_CASE(a_message_of_three_frames_ends_the_connection),
         FOB_CASE(a_verb_of_a_later_version_is_passed_over),
         FOB_CASE(a_client_that_listens_to_nothing_still_comes_and_goes),
         FOB_CASE(a_conduit_that_was_never_started_is_freed),
         FOB_CASE(a_time_that_has_passed_is_not_waited_for),
         FOB_CASE(a_client_that_never_has_said_all_leaves_when_its_time_is_up),
         FOB_CASE(a_shard_elsewhere_is_dialled_by_its_own_name),
         FOB_CASE(the_bus_is_what_was_said_then_what_the_environment_says),
         FOB_CASE(a_client_may_end_its_connection_and_come_back_with_another_secret),
         FOB_CASE(a_client_without_descriptors_says_so_and_comes_up_once_there_are_some),
         FOB_CASE(a_request_passes_over_what_is_no_answer_to_it),
         FOB_CASE(a_request_that_the_bus_does_not_know_ends_with_what_it_says),
         FOB_CASE(a_request_whose_connection_goes_is_asked_again_and_says_so))
