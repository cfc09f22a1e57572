/* What a thread is told of sockets and descriptors that it waits for. */
#include "bus/host/clock.h"
#include "bus/sockets/ears.h"
#include "tests/support/case.h"

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

typedef struct {
    void *context, *mine, *other;
    fob_ear_t ears[2];
    int fd;
} scene_t;

static int64_t now(void) {
    return fob_clock_now().mono_ns;
}

static int64_t soon(void) {
    return now() + 5 * FOB_MS;
}

static int64_t late(void) {
    return now() + 20 * FOB_SEC;
}

/* Reads all; returns how many. */
static unsigned read_all(scene_t *scene) {
    char byte;
    unsigned count = 0;
    while (zmq_recv(scene->mine, &byte, 1, ZMQ_DONTWAIT) >= 0)
        count++;
    scene->ears[0].news = false;
    return count;
}

/* A pair with nothing on it, and a descriptor. */
static void open_scene(scene_t *scene) {
    scene->context = zmq_ctx_new();
    scene->mine = zmq_socket(scene->context, ZMQ_PAIR);
    scene->other = zmq_socket(scene->context, ZMQ_PAIR);
    assert_int_equal(zmq_bind(scene->mine, "inproc://ears"), 0);
    assert_int_equal(zmq_connect(scene->other, "inproc://ears"), 0);
    scene->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    scene->ears[0] = fob_ear_of(scene->mine);
    scene->ears[1] = fob_ear_fd(scene->fd);
    assert_int_equal(read_all(scene), 0);
}

static void close_scene(scene_t *scene) {
    int none = 0;
    zmq_setsockopt(scene->mine, ZMQ_LINGER, &none, sizeof none);
    zmq_setsockopt(scene->other, ZMQ_LINGER, &none, sizeof none);
    zmq_close(scene->mine);
    zmq_close(scene->other);
    zmq_ctx_term(scene->context);
    close(scene->fd);
}

static void say(void *socket) {
    assert_int_equal(zmq_send(socket, "x", 1, 0), 1);
}

static void a_socket_begins_with_news(void **state) {
    (void)state;
    scene_t scene;
    open_scene(&scene);
    assert_true(fob_ear_of(scene.mine).news);
    close_scene(&scene);
}

static void nothing_is_told_where_nothing_came(void **state) {
    (void)state;
    scene_t scene;
    open_scene(&scene);
    int64_t until = soon();
    while (now() < until) {
        assert_true(fob_ears_wait(scene.ears, 2, until));
        assert_false(scene.ears[1].news);
        read_all(&scene); /* a signal of no message is allowed */
    }
    close_scene(&scene);
}

static void a_message_is_news_until_its_owner_says_that_all_was_read(void **state) {
    (void)state;
    scene_t scene;
    open_scene(&scene);
    say(scene.other);
    assert_true(fob_ears_wait(scene.ears, 2, late()));
    assert_true(scene.ears[0].news);
    int64_t until = late();
    assert_true(fob_ears_wait(scene.ears, 2, until)); /* it does not sleep on what is there */
    assert_true(scene.ears[0].news);
    assert_true(now() < until);
    assert_int_equal(read_all(&scene), 1);
    close_scene(&scene);
}

static void a_descriptor_is_news_as_long_as_it_is_readable(void **state) {
    (void)state;
    scene_t scene;
    uint64_t count = 1;
    open_scene(&scene);
    assert_int_equal(write(scene.fd, &count, sizeof count), sizeof count);
    for (int i = 0; i < 2; i++) {
        assert_true(fob_ears_wait(scene.ears, 2, late()));
        assert_true(scene.ears[1].news);
    }
    assert_int_equal(read(scene.fd, &count, sizeof count), sizeof count);
    assert_true(fob_ears_wait(scene.ears, 2, soon()));
    assert_false(scene.ears[1].news);
    close_scene(&scene);
}

/* What a send does too, now and then: it takes notice of what came, and the descriptor falls. */
static void what_the_owners_own_use_of_a_socket_swallowed_is_told(void **state) {
    (void)state;
    scene_t scene;
    int events;
    size_t size = sizeof events;
    open_scene(&scene);
    say(scene.other);
    assert_int_equal(zmq_getsockopt(scene.mine, ZMQ_EVENTS, &events, &size), 0);
    scene.ears[0].used = true;
    int64_t until = late();
    assert_true(fob_ears_wait(scene.ears, 2, until));
    assert_true(scene.ears[0].news);
    assert_true(now() < until);
    assert_int_equal(read_all(&scene), 1);
    close_scene(&scene);
}

static void a_time_that_has_passed_is_not_waited_for(void **state) {
    (void)state;
    scene_t scene;
    open_scene(&scene);
    assert_true(fob_ears_wait(scene.ears, 2, now() - FOB_SEC));
    close_scene(&scene);
}

static void what_is_no_socket_cannot_be_waited_for(void **state) {
    (void)state;
    static _Alignas(16) char no_socket[8192];
    scene_t scene;
    open_scene(&scene);
    scene.ears[0] = fob_ear_of(no_socket);
    assert_false(fob_ears_wait(scene.ears, 2, late()));
    close_scene(&scene);
}

FOB_MAIN(FOB_CASE(what_is_no_socket_cannot_be_waited_for), FOB_CASE(a_socket_begins_with_news),
         FOB_CASE(nothing_is_told_where_nothing_came),
         FOB_CASE(a_message_is_news_until_its_owner_says_that_all_was_read),
         FOB_CASE(a_descriptor_is_news_as_long_as_it_is_readable),
         FOB_CASE(what_the_owners_own_use_of_a_socket_swallowed_is_told),
         FOB_CASE(a_time_that_has_passed_is_not_waited_for))
