/* Messages that have no end, or are larger than any may be: on each of the three ports. */
#include "tests/support/case.h"

#include "tests/abuse/scene.h"
#include "tests/abuse/zmtp.h"

#include <signal.h>
#include <stdlib.h>

#define FRAME 65536
#define CALM  "heartbeat = 10s\n" /* nobody counts as silent, or too slow, before what is sought */

/* Sends frames of one message, each with another to come, until the bus hangs up. How many bytes.
 */
static unsigned long long send_without_end(zmtp_t *peer, long long until) {
    static uint8_t frame[FRAME];
    unsigned long long sent = 0;
    while (process_clock() < until && zmtp_frame(peer, ZMTP_MORE, frame, sizeof frame))
        sent += sizeof frame;
    return sent;
}

/* One after the other, as often as there is time. */
static void end_no_message(scene_t *scene, int port, const char *type, const char *what) {
    long long until = process_clock() + 1000LL * scene_seconds(2);
    unsigned long long sent = 0, ended = 0;
    long most = 0;
    while (process_clock() < until) {
        zmtp_t *peer = zmtp_new(port, type);
        if (strcmp(type, "DEALER") == 0)
            assert_int_equal(zmtp_hello(peer, "publisher", 1), FOB_VERB_WELCOME);
        sent += send_without_end(peer, process_clock() + ZMTP_PATIENCE);
        assert_true(zmtp_hung_up(peer, ZMTP_PATIENCE));
        long rss = scene_rss(scene);
        most = rss > most ? rss : most;
        ended++;
        zmtp_destroy(&peer);
    }
    printf("%s: %llu MiB in %llu messages without end, memory %.1f MiB at the most\n", what,
           sent / MIB, ended, (double)most / MIB);
    assert_true(most - scene->rss_before < 512L * MIB * pace());
    assert_true(ended > 0);
    /* A subscriber may also have sent too much at once: whichever is seen first. */
    scene_await_ended(scene, (long long)ended, "endless storm");
    scene_log(scene, "a connection from 127.0.0.2:");
    scene_bears(scene, what, &(scene_bounds_t){.rss_mib = 384});
    scene_recovers(scene, 384, 4);
}

static void a_client_that_ends_no_message_is_hung_up_on(void **state) {
    (void)state;
    scene_t scene;
    scene_begin(&scene, CALM);
    end_no_message(&scene, scene.stand.port, "DEALER", "endless frames to ROUTER");
    scene_end(&scene);
}

static void a_publisher_that_ends_no_message_is_hung_up_on(void **state) {
    (void)state;
    scene_t scene;
    scene_begin(&scene, CALM);
    end_no_message(&scene, scene.stand.port + 1, "PUB", "endless frames to XSUB");
    scene_end(&scene);
}

static void a_subscriber_that_ends_no_message_is_hung_up_on(void **state) {
    (void)state;
    scene_t scene;
    scene_begin(&scene, CALM);
    end_no_message(&scene, scene.stand.port + 2, "SUB", "endless frames to XPUB");
    scene_end(&scene);
}

/* Below the size of any message; but each frame of two bytes costs libzmq thirty times as much. */
static void begin_a_message(zmtp_t *peer, size_t bytes) {
    static uint8_t frames[4096];
    for (size_t i = 0; i < sizeof frames; i += 2)
        frames[i] = ZMTP_MORE;
    for (; bytes > sizeof frames; bytes -= sizeof frames)
        if (!zmtp_write(peer, frames, sizeof frames))
            return; /* others came first: it had to make room */
}

/* From several at once, who stay, and would for ever: all have to be ended. */
static void begin_and_stay(scene_t *scene, int port, const char *type, size_t bytes) {
    zmtp_t *peers[12];
    int count = sizeof peers / sizeof peers[0];
    for (int i = 0; i < count; i++)
        peers[i] = zmtp_new(port, type);
    for (int i = 0; i < count; i++)
        begin_a_message(peers[i], bytes);
    long most = scene_rss(scene);
    for (int i = 0; i < count; i++) {
        assert_true(zmtp_hung_up(peers[i], ZMTP_PATIENCE));
        zmtp_destroy(&peers[i]);
    }
    scene_await_ended(scene, count, "unfinished");
    scene_log(scene, "it began a message, and did not end it in time");
    printf(
        "%d unfinished messages of %zu KiB in frames of two bytes, from %s: %.1f MiB of memory\n",
        count, bytes >> 10, type, (double)most / MIB);
    scene_bears(scene, "unfinished messages", &(scene_bounds_t){.rss_mib = 512});
    scene_recovers(scene, 512, 4); /* the allocator keeps it, for the next */
}

static void unfinished_messages_of_tiny_frames_are_not_kept(void **state) {
    (void)state;
    scene_t scene;
    scene_begin(&scene, pace_beat(200, NULL));
    begin_and_stay(&scene, scene.stand.port + 1, "PUB", 1000 << 10);
    scene_end(&scene);
}

static void subscribers_that_begin_a_message_are_hung_up_on(void **state) {
    (void)state;
    scene_t scene;
    scene_begin(&scene, pace_beat(200, NULL));
    begin_and_stay(&scene, scene.stand.port + 2, "SUB", 60 << 10);
    scene_end(&scene);
}

/* Nothing else moves the thread that reads what subscribers say. */
static void a_lone_subscriber_that_ends_no_message_is_hung_up_on(void **state) {
    (void)state;
    scene_t scene;
    scene_begin(&scene, CALM);
    pair_destroy(&scene.pair);
    zmtp_t *peer = zmtp_new(scene.stand.port + 2, "SUB");
    begin_a_message(peer, 300 << 10);
    assert_true(zmtp_hung_up(peer, ZMTP_PATIENCE));
    zmtp_destroy(&peer);
    scene_await(&scene, "ended.endless", 1);
    scene_end(&scene);
}

FOB_MAIN(FOB_CASE(a_lone_subscriber_that_ends_no_message_is_hung_up_on),
         FOB_CASE(unfinished_messages_of_tiny_frames_are_not_kept),
         FOB_CASE(subscribers_that_begin_a_message_are_hung_up_on),
         FOB_CASE(a_client_that_ends_no_message_is_hung_up_on),
         FOB_CASE(a_publisher_that_ends_no_message_is_hung_up_on),
         FOB_CASE(a_subscriber_that_ends_no_message_is_hung_up_on))
