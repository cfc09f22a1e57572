#include "tests/integration/bus_up.h"

#include "proto/topic.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <zmq.h>

/* A bus with a publisher, and a context for SUB and PUB sockets. */
typedef struct {
    fob_bus_t *bus;
    dealer_t *publisher;
    void *zmq;
    fob_shard_t ports;
    uint64_t epoch;
} scene_t;

static scene_t open_scene(void) {
    scene_t scene = {.bus = bus_up(), .zmq = zmq_ctx_new()};
    scene.publisher = dealer_new(fob_bus_endpoint(scene.bus));
    const fob_wire_t *welcome = dealer_greet(scene.publisher, "publisher", 1);
    assert_true(fob_shards_find(welcome->shards, 0, &scene.ports));
    scene.epoch = welcome->epoch;
    return scene;
}

static void close_scene(scene_t *scene) {
    dealer_destroy(&scene->publisher);
    zmq_ctx_term(scene->zmq);
    fob_bus_destroy(&scene->bus);
}

static void *open_socket(scene_t *scene, int type, uint16_t port, int hwm) {
    int none = 0;
    char endpoint[64];
    void *socket = zmq_socket(scene->zmq, type);
    assert_non_null(socket);
    zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none);
    zmq_setsockopt(socket, ZMQ_RCVHWM, &hwm, sizeof hwm);
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%u", port);
    assert_int_equal(zmq_connect(socket, endpoint), 0);
    return socket;
}

/* One message of at most two frames. False: none came in time. */
static bool receive(void *socket, zmq_msg_t frames[2], int timeout_ms) {
    zmq_pollitem_t item = {socket, 0, ZMQ_POLLIN, 0};
    if (zmq_poll(&item, 1, timeout_ms) <= 0)
        return false;
    for (int i = 0; i < 2; i++) {
        zmq_msg_close(&frames[i]);
        zmq_msg_init(&frames[i]);
    }
    assert_true(zmq_msg_recv(&frames[0], socket, 0) >= 0);
    if (zmq_msg_more(&frames[0])) {
        assert_true(zmq_msg_recv(&frames[1], socket, 0) >= 0);
        assert_false(zmq_msg_more(&frames[1]));
    }
    return true;
}

static fob_cast_t next_cast(void *socket, zmq_msg_t frames[2]) {
    fob_cast_t cast;
    if (!receive(socket, frames, DEALER_PATIENCE))
        fail_msg("nothing was broadcast");
    assert_int_equal(
        fob_cast_read(fob_slice(zmq_msg_data(&frames[0]), zmq_msg_size(&frames[0])), &cast),
        FOB_OK);
    return cast;
}

/* A subscriber whose subscription is live. */
static void *subscribe(scene_t *scene, const char *pattern, int hwm, zmq_msg_t frames[2]) {
    static const char probe[] = "$sys.probe.0123abcd";
    uint8_t prefix[FOB_TOPIC_MAX + 1];
    void *socket = open_socket(scene, ZMQ_SUB, scene->ports.xpub, hwm);
    size_t size = fob_pattern_prefix(fob_slice_str(pattern), prefix);
    assert_int_equal(zmq_setsockopt(socket, ZMQ_SUBSCRIBE, prefix, size), 0);
    assert_int_equal(zmq_setsockopt(socket, ZMQ_SUBSCRIBE, probe, sizeof probe), 0);
    fob_cast_t cast = next_cast(socket, frames);
    assert_int_equal(cast.kind, FOB_CAST_PROBE);
    assert_int_equal(zmq_msg_size(&frames[1]), 0);
    assert_int_equal(zmq_setsockopt(socket, ZMQ_UNSUBSCRIBE, probe, sizeof probe), 0);
    return socket;
}

static void publish(scene_t *scene, uint64_t first, const char *topic, size_t count) {
    dealer_publish(scene->publisher, first, topic, count);
    dealer_receipts(scene->publisher, first, count, FOB_OK);
}

static void stored_events_go_to_live_subscribers(void **state) {
    (void)state;
    scene_t scene = open_scene();
    zmq_msg_t frames[2];
    zmq_msg_init(&frames[0]);
    zmq_msg_init(&frames[1]);
    void *sub = subscribe(&scene, "order_placed", 1000, frames);
    fob_buf_t sent = {0};
    dealer_events(&sent, "order_placed", 3, 16);
    publish(&scene, 1, "other", 1);
    publish(&scene, 2, "order_placed", 3);
    fob_cast_t cast = next_cast(sub, frames);
    assert_int_equal(cast.kind, FOB_CAST_STORED);
    assert_true(fob_slice_eq(cast.topic, fob_slice_str("order_placed")));
    assert_true(cast.epoch == scene.epoch);
    assert_int_equal(cast.offset, 2);
    assert_int_equal(cast.count, 3);
    assert_true(cast.prev < 2);
    assert_int_equal(cast.seq, 1);
    assert_int_equal(zmq_msg_size(&frames[1]), sent.size);
    assert_memory_equal(zmq_msg_data(&frames[1]), sent.data, sent.size);
    uint64_t source = cast.source;
    publish(&scene, 5, "order_placed", 1);
    cast = next_cast(sub, frames);
    assert_int_equal(cast.offset, 5);
    assert_int_equal(cast.prev, 4);
    assert_int_equal(cast.seq, 4);
    assert_true(cast.source == source);
    fob_buf_free(&sent);
    zmq_msg_close(&frames[0]);
    zmq_msg_close(&frames[1]);
    zmq_close(sub);
    close_scene(&scene);
}

/* While nobody is there the bus spares itself the broadcast; whoever is told that it is live hears
 * all from then on, however shortly after the last one went, and sees how many it lacks. */
static void who_comes_after_all_had_gone_hears_what_is_stored_from_then_on(void **state) {
    (void)state;
    scene_t scene = open_scene();
    zmq_msg_t frames[2];
    zmq_msg_init(&frames[0]);
    zmq_msg_init(&frames[1]);
    uint64_t stored = 0;
    for (int i = 0; i < 20; i++) {
        void *sub = subscribe(&scene, "order_placed", 1000, frames);
        publish(&scene, ++stored, "order_placed", 1);
        fob_cast_t cast = next_cast(sub, frames);
        if (cast.offset == stored - 1) /* it was confirmed, and still on its way to XPUB */
            cast = next_cast(sub, frames);
        assert_int_equal(cast.offset, stored);
        assert_int_equal(cast.seq, stored);
        assert_int_equal(cast.prev, stored - 1);
        zmq_close(sub);
        publish(&scene, ++stored, "order_placed", 1); /* which nobody hears */
    }
    zmq_msg_close(&frames[0]);
    zmq_msg_close(&frames[1]);
    close_scene(&scene);
}

/* Fires one message; `kind` is for forgeries. */
static void fire(void *pub, uint32_t kind, const char *topic, uint64_t seq, size_t size) {
    fob_buf_t header = {0}, body = {0};
    fob_cast_t cast = {
        .topic = fob_slice_str(topic), .kind = kind, .count = 1, .source = 77, .seq = seq};
    assert_int_equal(fob_cast_write(&header, &cast), FOB_OK);
    bool valid = fob_topic_valid(fob_slice_str(topic));
    dealer_events(&body, valid ? topic : "fired", 1, size);
    assert_true(zmq_send(pub, header.data, header.size, ZMQ_SNDMORE) >= 0);
    assert_true(zmq_send(pub, body.data, body.size, 0) >= 0);
    fob_buf_free(&header);
    fob_buf_free(&body);
}

/* An XPUB that fires, after the bus's subscription arrived. */
static void *open_gun(scene_t *scene) {
    void *pub = open_socket(scene, ZMQ_XPUB, scene->ports.xsub, 1000);
    zmq_pollitem_t item = {pub, 0, ZMQ_POLLIN, 0};
    assert_true(zmq_poll(&item, 1, DEALER_PATIENCE) == 1);
    uint8_t subscription[8];
    assert_int_equal(zmq_recv(pub, subscription, sizeof subscription, 0), 1);
    return pub;
}

static void fired_events_pass_to_live_subscribers(void **state) {
    (void)state;
    scene_t scene = open_scene();
    zmq_msg_t frames[2];
    zmq_msg_init(&frames[0]);
    zmq_msg_init(&frames[1]);
    void *sub = subscribe(&scene, "fired.>", 1000, frames);
    void *pub = open_gun(&scene);
    for (uint64_t seq = 1; seq <= 100; seq++)
        fire(pub, FOB_CAST_FIRE, "fired.here", seq, 100);
    for (uint64_t seq = 1; seq <= 100; seq++) {
        fob_cast_t cast = next_cast(sub, frames);
        assert_int_equal(cast.kind, FOB_CAST_FIRE);
        assert_true(cast.seq == seq);
        assert_int_equal(cast.source, 77);
    }
    zmq_msg_close(&frames[0]);
    zmq_msg_close(&frames[1]);
    zmq_close(sub);
    zmq_close(pub);
    close_scene(&scene);
}

/* Their pipes end at both ends, while messages go into them. */
static void subscribers_come_and_go_while_messages_of_each_size_go_out(void **state) {
    (void)state;
    enum { ROUNDS = 400, AT_ONCE = 4 };
    scene_t scene = open_scene();
    zmq_msg_t frames[2];
    zmq_msg_init(&frames[0]);
    zmq_msg_init(&frames[1]);
    void *stays = subscribe(&scene, ">", 10 * ROUNDS, frames), *go[AT_ONCE] = {NULL};
    void *pub = open_gun(&scene);
    for (uint64_t i = 1; i <= ROUNDS; i++) {
        void **one = &go[i % AT_ONCE];
        if (*one)
            zmq_close(*one);
        *one = open_socket(&scene, ZMQ_SUB, scene.ports.xpub, 10);
        assert_int_equal(zmq_setsockopt(*one, ZMQ_SUBSCRIBE, "fired", 5), 0);
        fire(pub, FOB_CAST_FIRE, "fired.here", 2 * i - 1, 10);
        fire(pub, FOB_CAST_FIRE, "fired.here", 2 * i, 10000);
        assert_int_equal(next_cast(stays, frames).seq, 2 * i - 1);
        assert_int_equal(next_cast(stays, frames).seq, 2 * i);
    }
    for (size_t i = 0; i < AT_ONCE; i++)
        zmq_close(go[i]);
    zmq_msg_close(&frames[0]);
    zmq_msg_close(&frames[1]);
    zmq_close(stays);
    zmq_close(pub);
    close_scene(&scene);
}

static void forged_and_broken_fire_is_counted_and_goes_nowhere(void **state) {
    (void)state;
    scene_t scene = open_scene();
    zmq_msg_t frames[2];
    zmq_msg_init(&frames[0]);
    zmq_msg_init(&frames[1]);
    void *sub = subscribe(&scene, ">", 1000, frames);
    void *pub = open_gun(&scene);
    fire(pub, FOB_CAST_STORED, "fired.here", 1, 100);
    fire(pub, FOB_CAST_FIRE, "not a topic", 1, 100);
    fire(pub, FOB_CAST_FIRE, "fired.here", 1, 5000000);
    assert_int_equal(zmq_send(pub, "lone frame", 10, 0), 10);
    for (int i = 0; i < 4; i++)
        assert_int_equal(zmq_send(pub, "frames", 6, i < 3 ? ZMQ_SNDMORE : 0), 6);
    fire(pub, FOB_CAST_FIRE, "fired.here", 9, 100);
    fob_cast_t cast = next_cast(sub, frames);
    assert_int_equal(cast.seq, 9);
    dealer_figure_becomes(scene.publisher, NULL, "malformed", 4);
    zmq_msg_close(&frames[0]);
    zmq_msg_close(&frames[1]);
    zmq_close(sub);
    zmq_close(pub);
    close_scene(&scene);
}

static void a_senseless_subscription_is_refused_and_counted(void **state) {
    (void)state;
    scene_t scene = open_scene();
    void *sub = open_socket(&scene, ZMQ_SUB, scene.ports.xpub, 1000);
    assert_int_equal(zmq_setsockopt(sub, ZMQ_SUBSCRIBE, "no topic", 8), 0);
    assert_int_equal(zmq_setsockopt(sub, ZMQ_SUBSCRIBE, "..", 2), 0);
    dealer_figure_becomes(scene.publisher, NULL, "malformed", 2);
    zmq_close(sub);
    close_scene(&scene);
}

static void a_connection_with_too_many_subscriptions_is_ended(void **state) {
    (void)state;
    enum { MANY = 1024 };
    scene_t scene = open_scene();
    zmq_msg_t frames[2];
    zmq_msg_init(&frames[0]);
    zmq_msg_init(&frames[1]);
    int never = -1, wait = DEALER_PATIENCE, none = 0;
    char prefix[32], endpoint[64];
    uint8_t event[6];
    void *greedy = zmq_socket(scene.zmq, ZMQ_SUB), *monitor = zmq_socket(scene.zmq, ZMQ_PAIR);
    zmq_setsockopt(greedy, ZMQ_LINGER, &none, sizeof none);
    zmq_setsockopt(greedy, ZMQ_RECONNECT_IVL, &never, sizeof never);
    zmq_setsockopt(greedy, ZMQ_SNDHWM, &none, sizeof none);
    zmq_setsockopt(monitor, ZMQ_RCVTIMEO, &wait, sizeof wait);
    assert_int_equal(zmq_socket_monitor(greedy, "inproc://greedy", ZMQ_EVENT_DISCONNECTED), 0);
    assert_int_equal(zmq_connect(monitor, "inproc://greedy"), 0);
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%u", scene.ports.xpub);
    assert_int_equal(zmq_connect(greedy, endpoint), 0);
    for (int i = 0; i < 3 * MANY; i++) { /* what is given back does not count */
        int size = snprintf(prefix, sizeof prefix, "topic-%d", i);
        assert_int_equal(zmq_setsockopt(greedy, ZMQ_SUBSCRIBE, prefix, (size_t)size), 0);
        if (i < 2 * MANY)
            assert_int_equal(zmq_setsockopt(greedy, ZMQ_UNSUBSCRIBE, prefix, (size_t)size), 0);
    }
    static const char probe[] = "$sys.probe.0123abcd";
    dealer_figure(scene.publisher, NULL, "malformed");
    assert_int_equal(zmq_setsockopt(greedy, ZMQ_UNSUBSCRIBE, prefix, strlen(prefix)), 0);
    assert_int_equal(zmq_setsockopt(greedy, ZMQ_SUBSCRIBE, probe, sizeof probe), 0);
    assert_int_equal(next_cast(greedy, frames).kind, FOB_CAST_PROBE); /* all of them are live */
    assert_int_equal(dealer_figure(scene.publisher, NULL, "malformed"), 0);
    assert_int_equal(zmq_setsockopt(greedy, ZMQ_SUBSCRIBE, "more", 4), 0);
    assert_int_equal(zmq_recv(monitor, event, sizeof event, 0), sizeof event); /* DISCONNECTED */
    dealer_figure_becomes(scene.publisher, NULL, "malformed", 1);
    void *sub = subscribe(&scene, "order_placed", 1000, frames); /* nobody else noticed */
    publish(&scene, 1, "order_placed", 1);
    assert_int_equal(next_cast(sub, frames).offset, 1);
    zmq_msg_close(&frames[0]);
    zmq_msg_close(&frames[1]);
    zmq_socket_monitor(greedy, NULL, 0);
    zmq_close(monitor);
    zmq_close(greedy);
    zmq_close(sub);
    close_scene(&scene);
}

/* --- a subscriber made of bytes: libzmq's would not give back what it does not hold --- */

static void put_frame(fob_buf_t *out, uint8_t flags, const void *bytes, size_t size) {
    uint8_t head[2] = {flags, (uint8_t)size};
    assert_true(size < 256);
    fob_buf_put(out, head, sizeof head);
    fob_buf_put(out, bytes, size);
}

static void put_first_words(fob_buf_t *out) {
    static const uint8_t ready[] = "\5READY\13Socket-Type\0\0\0\3SUB";
    uint8_t greeting[64] = {0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 0, 'N', 'U', 'L', 'L'};
    fob_buf_put(out, greeting, sizeof greeting);
    put_frame(out, 4, ready, sizeof ready - 1);
}

/* Subscribes to `many` topics of that form, and after each gives back `other` (NULL: that one). */
static void put_subscriptions(fob_buf_t *out, const char *form, int many, const char *other) {
    for (int i = 0; i < many; i++) {
        char text[64];
        size_t size = (size_t)snprintf(text, sizeof text, "\1%s-%d", form, i) + 1;
        put_frame(out, 0, text, size);
        if (other)
            size = (size_t)snprintf(text, sizeof text, "\1%s", other);
        text[0] = 0;
        put_frame(out, 0, text, size);
    }
}

static int dial_xpub(scene_t *scene) {
    struct timeval patience = {.tv_sec = DEALER_PATIENCE / 1000};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(scene->ports.xpub)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

/* Until the bus hung up: then it takes no more. */
static void say(int fd, const fob_buf_t *words) {
    for (size_t at = 0; at < words->size;) {
        ssize_t n = send(fd, words->data + at, words->size - at, MSG_NOSIGNAL);
        if (n < 0)
            break;
        at += (size_t)n;
    }
}

/* libzmq takes no message before it has answered. */
static void greet_xpub(int fd) {
    fob_buf_t words = {0};
    uint8_t said[256];
    size_t have = 0;
    put_first_words(&words);
    say(fd, &words);
    while (have < 4 || memcmp(said + have - 4, "XPUB", 4) != 0) {
        ssize_t n = recv(fd, said + have, sizeof said - have, 0);
        assert_true(n > 0);
        have += (size_t)n;
    }
    fob_buf_free(&words);
}

/* Says it to XPUB until the bus hangs up: libzmq may tell of a connection's beginning after its
 * first words, and the count begins when it is told. False: it did not in time. */
static bool hung_up_on(scene_t *scene, const fob_buf_t *words) {
    int64_t until = dealer_clock() + DEALER_PATIENCE;
    int fd = dial_xpub(scene);
    bool ended = false;
    greet_xpub(fd);
    while (!ended && dealer_clock() < until) {
        char said[256];
        struct pollfd item = {fd, POLLIN, 0};
        say(fd, words);
        while (!ended && poll(&item, 1, 1000) > 0) {
            ssize_t n = recv(fd, said, sizeof said, 0);
            ended = n == 0 || (n < 0 && (errno == ECONNRESET || errno == EPIPE));
        }
    }
    close(fd);
    return ended;
}

/* Twice the bound, and more. */
#define TOO_MANY 2100

static void giving_back_what_is_not_held_makes_no_room(void **state) {
    (void)state;
    scene_t scene = open_scene();
    fob_buf_t words = {0};
    put_subscriptions(&words, "topic", TOO_MANY, "zz");
    assert_true(hung_up_on(&scene, &words));
    dealer_figure_reaches(scene.publisher, NULL, "malformed", 1);
    fob_buf_free(&words);
    close_scene(&scene);
}

static void a_connection_that_only_asks_for_what_is_refused_is_ended(void **state) {
    (void)state;
    scene_t scene = open_scene();
    fob_buf_t words = {0};
    put_subscriptions(&words, "no topic", TOO_MANY, NULL);
    assert_true(hung_up_on(&scene, &words));
    dealer_figure_reaches(scene.publisher, NULL, "malformed", 1025);
    fob_buf_free(&words);
    close_scene(&scene);
}

static void a_slow_subscriber_loses_and_blocks_nobody(void **state) {
    (void)state;
    enum { MANY = 2000, SIZE = 60000 };
    scene_t scene = open_scene();
    zmq_msg_t frames[2];
    zmq_msg_init(&frames[0]);
    zmq_msg_init(&frames[1]);
    void *slow = subscribe(&scene, "order_placed", 1, frames); /* and does not read for long */
    void *quick = subscribe(&scene, "order_placed", 0, frames);
    fob_buf_t body = {0};
    dealer_events(&body, "order_placed", 1, SIZE);
    for (uint64_t number = 1; number <= MANY; number++) { /* 120 MB */
        fob_wire_t msg = {.verb = FOB_VERB_PUBLISH};
        FOB_SET(&msg, first, number);
        FOB_SET(&msg, low, number);
        dealer_send(scene.publisher, &msg, &body);
        dealer_receipts(scene.publisher, number, 1, FOB_OK);
        fob_cast_t cast = next_cast(quick, frames);
        assert_true(cast.offset == number);
    }
    uint64_t seen = 0, last = 0;
    while (receive(slow, frames, 300)) {
        fob_cast_t cast;
        fob_slice_t header = fob_slice(zmq_msg_data(&frames[0]), zmq_msg_size(&frames[0]));
        assert_int_equal(fob_cast_read(header, &cast), FOB_OK);
        assert_true(cast.offset > last);
        last = cast.offset;
        seen++;
    }
    assert_in_range(seen, 1, MANY - 1);
    fob_buf_free(&body);
    zmq_msg_close(&frames[0]);
    zmq_msg_close(&frames[1]);
    zmq_close(slow);
    zmq_close(quick);
    close_scene(&scene);
}

FOB_MAIN(FOB_CASE(stored_events_go_to_live_subscribers),
         FOB_CASE(who_comes_after_all_had_gone_hears_what_is_stored_from_then_on),
         FOB_CASE(subscribers_come_and_go_while_messages_of_each_size_go_out),
         FOB_CASE(fired_events_pass_to_live_subscribers),
         FOB_CASE(forged_and_broken_fire_is_counted_and_goes_nowhere),
         FOB_CASE(a_senseless_subscription_is_refused_and_counted),
         FOB_CASE(a_connection_with_too_many_subscriptions_is_ended),
         FOB_CASE(giving_back_what_is_not_held_makes_no_room),
         FOB_CASE(a_connection_that_only_asks_for_what_is_refused_is_ended),
         FOB_CASE(a_slow_subscriber_loses_and_blocks_nobody))
