/* Messages that have no end, or are larger than any may be: on each of the three ports. */
#include "tests/support/case.h"

#include "tests/abuse/scene.h"
#include "tests/abuse/zmtp.h"

#include <signal.h>
#include <stdlib.h>

#define FRAME 65536

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
    assert_true(most - scene->rss_before < 512L * MIB);
    assert_true(ended > 0);
    const char *reason = strcmp(type, "SUB") == 0 ? "ended.storm" : "ended.endless";
    scene_await(scene, reason, (long long)ended);
    scene_log(scene, "a connection from 127.0.0.2:");
    scene_bears(scene, what, &(scene_bounds_t){.rss_mib = 384});
    scene_recovers(scene, 384, 4);
}

static void a_client_that_ends_no_message_is_hung_up_on(void **state) {
    (void)state;
    scene_t scene;
    scene_begin(&scene, NULL);
    end_no_message(&scene, scene.stand.port, "DEALER", "endless frames to ROUTER");
    scene_end(&scene);
}

static void a_publisher_that_ends_no_message_is_hung_up_on(void **state) {
    (void)state;
    scene_t scene;
    scene_begin(&scene, NULL);
    end_no_message(&scene, scene.stand.port + 1, "PUB", "endless frames to XSUB");
    scene_end(&scene);
}

static void a_subscriber_that_ends_no_message_is_hung_up_on(void **state) {
    (void)state;
    scene_t scene;
    scene_begin(&scene, NULL);
    end_no_message(&scene, scene.stand.port + 2, "SUB", "endless frames to XPUB");
    scene_end(&scene);
}

FOB_MAIN(FOB_CASE(a_client_that_ends_no_message_is_hung_up_on),
         FOB_CASE(a_publisher_that_ends_no_message_is_hung_up_on),
         FOB_CASE(a_subscriber_that_ends_no_message_is_hung_up_on))
