/* Peers that vanish, hang up in the middle of a word, talk nonsense, or come and go by the
 * thousand; and a bus that stood still, which blames nobody. */
#include "tests/support/case.h"

#include "tests/abuse/flood.h"
#include "tests/abuse/scene.h"
#include "tests/abuse/zmtp.h"
#include "tests/support/proxy.h"

#include <fob/fob_publisher.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define HALF_OPEN 20

static void half_open_connections_are_noticed_and_leave_nothing_behind(void **state) {
    (void)state;
    scene_t scene;
    zmtp_t *peers[HALF_OPEN];
    scene_begin(&scene, pace_beat(250, NULL));
    free(stand_do("group", "add", "gone", "gone", NULL));
    proxy_t *proxy = proxy_new(scene.stand.port);
    for (int i = 0; i < HALF_OPEN; i++) {
        fob_wire_t join = {.verb = FOB_VERB_JOIN};
        peers[i] = zmtp_new(proxy_port(proxy), "DEALER");
        assert_int_equal(zmtp_hello(peers[i], "worker", (uint8_t)(1 + i)), FOB_VERB_WELCOME);
        FOB_SET(&join, group, fob_slice_str("gone"));
        FOB_SET(&join, credit, 100);
        assert_true(zmtp_send(peers[i], &join, NULL));
    }
    flood("gone", 100, 1000);
    proxy_hold(proxy, PROXY_TO_BUS, true); /* from now on nothing comes, and nobody says so */
    proxy_hold(proxy, PROXY_FROM_BUS, true);
    stand_await(&scene.stand, "gone", "workers", 0);
    stand_await(&scene.stand, "gone", "leased", 0);
    scene_await_ended(&scene, HALF_OPEN, "silent");
    scene_bears(&scene, "20 half-open connections", &(scene_bounds_t){.files = 4});
    scene_recovers(&scene, 64, 4);
    proxy_destroy(&proxy);
    for (int i = 0; i < HALF_OPEN; i++)
        zmtp_destroy(&peers[i]);
    scene_end(&scene);
}

/* --- unfinished and meaningless words --- */

/* What a peer says first: its greeting, READY, HELLO, an event. */
static void put_first_words(fob_buf_t *out) {
    fob_wire_t hello = {.verb = FOB_VERB_HELLO};
    fob_buf_t header = {0};
    FOB_SET(&hello, version_min, 1);
    FOB_SET(&hello, version_max, 1);
    assert_int_equal(fob_wire_write(&header, &hello), FOB_OK);
    fob_buf_put(out, zmtp_greeting, sizeof zmtp_greeting);
    zmtp_put_ready(out, "DEALER");
    zmtp_put_frame(out, ZMTP_LAST, header.data, header.size);
    fob_buf_free(&header);
}

static void connections_cut_anywhere_in_their_first_words_leave_nothing(void **state) {
    (void)state;
    scene_t scene;
    fob_buf_t words = {0};
    put_first_words(&words);
    scene_begin(&scene, NULL);
    int rounds = scene_many(2, 20), count = 0;
    for (int round = 0; round < rounds; round++) {
        for (size_t cut = 0; cut <= words.size; cut++, count++) {
            int fd = zmtp_dial(scene.stand.port + (int)(cut % 3));
            assert_true(fd >= 0);
            struct linger reset = {.l_onoff = (int)(cut & 1), .l_linger = 0};
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
            if (cut > 0 && send(fd, words.data, cut, MSG_NOSIGNAL) < 0)
                assert_true(cut > sizeof zmtp_greeting); /* a port that wants no DEALER */
            close(fd);
        }
    }
    char what[64];
    snprintf(what, sizeof what, "%d connections cut in their first words", count);
    scene_bears(&scene, what, &(scene_bounds_t){.files = 1000});
    scene_recovers(&scene, 64, 4);
    fob_buf_free(&words);
    scene_end(&scene);
}

/* Reads until the bus hangs up. */
static void await_end(int fd) {
    static uint8_t said[256];
    long long end = process_clock() + ZMTP_PATIENCE;
    struct pollfd item = {fd, POLLIN, 0};
    for (ssize_t got = 1; got > 0;) {
        assert_true(poll(&item, 1, (int)(end - process_clock())) == 1);
        got = recv(fd, said, sizeof said, 0);
    }
}

static void random_bytes_and_oversized_frames_are_hung_up_on(void **state) {
    (void)state;
    static uint8_t noise[65536];
    static const uint8_t huge[9] = {2, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    static const uint8_t large[9] = {2, 0, 0, 0, 0, 0x40, 0, 0, 0};
    scene_t scene;
    uint32_t seed = 4711;
    int rounds = scene_many(30, 1000);
    scene_begin(&scene, pace_beat(500, NULL));
    for (int round = 0; round < rounds; round++) {
        int port = scene.stand.port + round % 3;
        const char *type = round % 3 == 0 ? "DEALER" : round % 3 == 1 ? "PUB" : "SUB";
        for (size_t i = 0; i < sizeof noise; i++)
            noise[i] = (uint8_t)((seed = seed * 1664525u + 1013904223u) >> 24);
        int fd = zmtp_dial(port); /* no greeting */
        noise[0] &= 0x7f;
        assert_true(send(fd, noise, sizeof noise, MSG_NOSIGNAL) > 0);
        zmtp_t *wild = zmtp_new(port, type); /* a greeting, and then noise */
        zmtp_write(wild, noise, sizeof noise);
        zmtp_t *greedy = zmtp_new(port, type);
        zmtp_write(greedy, round & 1 ? huge : large, sizeof huge);
        zmtp_write(greedy, noise, sizeof noise);
        assert_true(zmtp_hung_up(greedy, ZMTP_PATIENCE));
        await_end(fd); /* what is reset before it is read is not counted */
        close(fd);
        zmtp_destroy(&wild);
        zmtp_destroy(&greedy);
    }
    scene_await(&scene, "malformed", rounds);
    scene_bears(&scene, "random bytes and oversized frames", &(scene_bounds_t){.files = 64});
    scene_recovers(&scene, 64, 4);
    scene_end(&scene);
}

static void ten_thousand_connects_in_turn_are_not_felt(void **state) {
    (void)state;
    scene_t scene;
    int count = scene_many(3000, 10000);
    scene_begin(&scene, NULL);
    for (int i = 0; i < count; i++) {
        zmtp_t *peer = zmtp_new(scene.stand.port, "DEALER");
        assert_int_equal(zmtp_hello(peer, "admin", 0), FOB_VERB_WELCOME);
        assert_true(zmtp_send(peer, &(fob_wire_t){.verb = FOB_VERB_GOODBYE}, NULL));
        zmtp_destroy(&peer);
    }
    char what[64];
    snprintf(what, sizeof what, "%d connects in turn", count);
    scene_bears(&scene, what, &(scene_bounds_t){0});
    scene_recovers(&scene, 64, 4);
    scene_end(&scene);
}

/* --- the innocent --- */

static void a_bus_that_stood_still_under_a_flood_blames_nobody(void **state) {
    (void)state;
    static uint8_t data[65536];
    scene_t scene;
    scene_begin(&scene, pace_beat(2000, NULL));
    fob_publisher_options_t options = FOB_PUBLISHER_OPTIONS;
    options.deadline_ms = 2 * PACE_PATIENCE;
    options.connect_timeout_ms = PACE_PATIENCE;
    options.window = 4096;
    fob_publisher_t *publisher = fob_publisher_new(&options);
    assert_non_null(publisher);
    int rounds = scene_many(4, 20);
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < 1000; i++) {
            if (i == 300)
                process_signal(scene.stand.bus, SIGSTOP);
            fob_status_t sent =
                fob_publisher_try_send(publisher, "much", data, sizeof data, NULL, NULL);
            if (sent == FOB_AGAIN)
                break;
            assert_int_equal(sent, FOB_OK);
        }
        stand_pace(process_clock() + 700); /* it fills all that there is between them */
        process_signal(scene.stand.bus, SIGCONT);
        assert_int_equal(fob_publisher_flush(publisher, -1), FOB_OK);
    }
    fob_publisher_destroy(&publisher);
    scene_bears(&scene, "a bus that stood still under a flood", &(scene_bounds_t){.rss_mib = 512});
    assert_int_equal(scene_figure(&scene, "ended.endless"), 0);
    assert_int_equal(scene_figure(&scene, "ended.silent"), 0);
    assert_int_equal(scene_figure(&scene, "malformed"), 0);
    scene_end(&scene);
}

FOB_MAIN(FOB_CASE(half_open_connections_are_noticed_and_leave_nothing_behind),
         FOB_CASE(connections_cut_anywhere_in_their_first_words_leave_nothing),
         FOB_CASE(random_bytes_and_oversized_frames_are_hung_up_on),
         FOB_CASE(ten_thousand_connects_in_turn_are_not_felt),
         FOB_CASE(a_bus_that_stood_still_under_a_flood_blames_nobody))
