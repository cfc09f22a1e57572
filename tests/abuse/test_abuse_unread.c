/* Clients that never read: publishers their receipts, workers what they have credit for,
 * subscribers what they subscribed to or fetch. Each is bounded, then given up, counted, and ended.
 */
#include "tests/support/case.h"

#include "tests/abuse/flood.h"
#include "tests/abuse/scene.h"
#include "tests/abuse/zmtp.h"

#include <stdlib.h>

#define PEERS       4
#define EVENT_BYTES 8192
#define ROUNDS      50              /* between two looks at the figures */
#define ASKED       200             /* times: 50 MiB of answers to each */
#define ENDS        "unread silent" /* who has nothing more to say may count as silent first */

static zmtp_t *greeted(const scene_t *scene, const char *role, int session) {
    zmtp_t *peer = zmtp_narrow(scene->stand.port, "DEALER");
    assert_int_equal(zmtp_hello(peer, role, (uint8_t)session), FOB_VERB_WELCOME);
    return peer;
}

/* The same event under the same number, again and again, each of which is answered. */
static void put_publish(fob_buf_t *out) {
    fob_wire_t msg = {.verb = FOB_VERB_PUBLISH};
    fob_buf_t header = {0}, body = {0};
    FOB_SET(&msg, first, 1);
    FOB_SET(&msg, low, 1);
    assert_int_equal(fob_wire_write(&header, &msg), FOB_OK);
    flood_body(&body, "unread", 1, 1);
    zmtp_put_frame(out, ZMTP_MORE, header.data, header.size);
    zmtp_put_frame(out, ZMTP_LAST, body.data, body.size);
    fob_buf_free(&header);
    fob_buf_free(&body);
}

/* Says it to all, again and again, for so long, and until so many were given up as they did not
 * read. Who is hung up on, as on a slow machine it may count as silent first, comes again. How many
 * bytes. */
static unsigned long long say_until_given_up(const scene_t *scene, zmtp_t **peers,
                                             const fob_buf_t *words) {
    unsigned long long sent = 0;
    long long until = process_clock() + 1000LL * scene_seconds(2), end = until + ZMTP_PATIENCE;
    while (process_clock() < until || scene_figure(scene, "dropped.unread") < PEERS) {
        assert_true(process_clock() < end);
        for (int i = 0; i < ROUNDS * PEERS; i++) {
            zmtp_t **peer = &peers[i % PEERS];
            if (zmtp_write(*peer, words->data, words->size)) {
                sent += words->size;
                continue;
            }
            zmtp_destroy(peer);
            *peer = greeted(scene, "publisher", 1 + i % PEERS);
        }
    }
    return sent;
}

static void publishers_that_never_read_receipts_are_given_up(void **state) {
    (void)state;
    scene_t scene;
    zmtp_t *peers[PEERS];
    fob_buf_t words = {0};
    scene_begin(&scene, pace_beat(250, NULL)); /* so that ends are seen in seconds */
    for (int i = 0; i < 100; i++)
        put_publish(&words);
    for (int i = 0; i < PEERS; i++)
        peers[i] = greeted(&scene, "publisher", 1 + i);
    unsigned long long sent = say_until_given_up(&scene, peers, &words);
    printf("%llu publishes without a look at a receipt\n", sent / (words.size / 100));
    scene_log(&scene, "a client did not read what it asked for");
    scene_bears(&scene, "publishers that never read receipts", &(scene_bounds_t){.rss_mib = 128});
    scene_await_ended(&scene, PEERS, ENDS);
    scene_recovers(&scene, 128, 4);
    for (int i = 0; i < PEERS; i++)
        zmtp_destroy(&peers[i]);
    fob_buf_free(&words);
    scene_end(&scene);
}

static void workers_that_never_read_are_given_up_and_lose_no_event(void **state) {
    (void)state;
    scene_t scene;
    zmtp_t *peers[PEERS];
    size_t count = (size_t)scene_many(20000, 100000);
    scene_begin(&scene, pace_beat(1000, NULL)); /* they beat while their events are made */
    for (int i = 0; i < PEERS; i++) {
        fob_wire_t join = {.verb = FOB_VERB_JOIN};
        peers[i] = greeted(&scene, "worker", 1 + i);
        FOB_SET(&join, group, fob_slice_str("unread"));
        FOB_SET(&join, pattern, fob_slice_str("unread"));
        FOB_SET(&join, create, true);
        FOB_SET(&join, credit, 1000000);
        assert_true(zmtp_send(peers[i], &join, NULL));
    }
    for (long long end = process_clock() + ZMTP_PATIENCE;
         stand_figure(&scene.stand, "unread", "workers") < PEERS;) {
        assert_true(process_clock() < end);
        for (int i = 0; i < PEERS; i++)
            zmtp_send(peers[i], &(fob_wire_t){.verb = FOB_VERB_BEAT}, NULL);
        stand_pace(process_clock() + 20);
    }
    long long beaten = process_clock();
    for (size_t done = 0; done < count; done += 1000) {
        flood("unread", 1000, EVENT_BYTES);
        for (int i = 0; i < PEERS && process_clock() - beaten > 100; i++)
            zmtp_send(peers[i], &(fob_wire_t){.verb = FOB_VERB_BEAT}, NULL);
        beaten = process_clock();
    }
    json_t *group = stand_group(&scene.stand, "unread");
    assert_int_equal(json_integer_value(json_object_get(group, "accepted")), count);
    printf("%s\n", json_string_value(json_object_get(group, "why")));
    json_decref(group);
    scene_bears(&scene, "workers that never read", &(scene_bounds_t){.rss_mib = 320});
    /* They beat no more: what they had goes back, and what they kept of the bus ends with them. */
    stand_await(&scene.stand, "unread", "workers", 0);
    stand_await(&scene.stand, "unread", "ready", (long long)count);
    scene_recovers(&scene, 320, 4);
    scene_await_ended(&scene, PEERS, ENDS);
    for (int i = 0; i < PEERS; i++)
        zmtp_destroy(&peers[i]);
    scene_end(&scene);
}

static void subscribers_that_never_read_are_given_up(void **state) {
    (void)state;
    scene_t scene;
    zmtp_t *peers[PEERS];
    scene_begin(&scene, pace_beat(100, NULL)); /* they are given sixty to take something */
    for (int i = 0; i < PEERS; i++) {
        peers[i] = zmtp_narrow(scene.stand.port + 2, "SUB");
        assert_true(zmtp_subscribe(peers[i], true, "", 0));
    }
    flood("unread", (size_t)scene_many(10000, 100000), EVENT_BYTES);
    scene_bears(&scene, "subscribers that never read", &(scene_bounds_t){.rss_mib = 320});
    scene_await_ended(&scene, PEERS, "unread");
    scene_log(&scene, "it did not read what was sent to it");
    scene_recovers(&scene, 320, 4);
    for (int i = 0; i < PEERS; i++)
        zmtp_destroy(&peers[i]);
    scene_end(&scene);
}

static fob_wire_t fetch(void) {
    fob_wire_t msg = {.verb = FOB_VERB_FETCH};
    FOB_SET(&msg, req, 1);
    FOB_SET(&msg, pattern, fob_slice_str("unread"));
    FOB_SET(&msg, from, 1);
    return msg;
}

static fob_wire_t hello(void) {
    fob_wire_t msg = {.verb = FOB_VERB_HELLO};
    FOB_SET(&msg, version_min, FOB_WIRE_VERSION);
    FOB_SET(&msg, version_max, FOB_WIRE_VERSION);
    return msg;
}

/* An answer is 256 KiB, and asked for in 30 bytes; not so fast that it would be refused as the
 * second at once. */
static void fetch_and_never_read(const char *what, bool anew) {
    scene_t scene;
    zmtp_t *peers[PEERS];
    fob_wire_t ask = fetch(), greet = hello();
    scene_begin(&scene, pace_beat(250, NULL));
    flood("unread", 100, EVENT_BYTES);
    for (int i = 0; i < PEERS; i++)
        peers[i] = greeted(&scene, "subscriber", 1 + i);
    for (int round = 0; round < ASKED; round++) {
        for (int i = 0; i < PEERS; i++) {
            if (anew)
                zmtp_send(peers[i], &greet, NULL);
            zmtp_send(peers[i], &ask, NULL);
        }
        stand_pace(process_clock() + 10);
    }
    scene_bears(&scene, what, &(scene_bounds_t){.rss_mib = 32});
    scene_await_ended(&scene, PEERS, ENDS);
    scene_recovers(&scene, 32, 4);
    for (int i = 0; i < PEERS; i++)
        zmtp_destroy(&peers[i]);
    scene_end(&scene);
}

static void who_fetches_and_never_reads_is_kept_one_answer(void **state) {
    (void)state;
    fetch_and_never_read("who fetches and never reads", false);
}

static void who_says_hello_before_each_fetch_is_kept_one_answer(void **state) {
    (void)state;
    fetch_and_never_read("who says HELLO before each FETCH", true);
}

static void who_fetches_and_goes_at_once_leaves_nothing(void **state) {
    (void)state;
    scene_t scene;
    fob_wire_t ask = fetch(), greet = hello();
    int many = scene_many(1000, 10000);
    scene_begin(&scene, pace_beat(250, NULL));
    flood("unread", 100, EVENT_BYTES);
    for (int i = 0; i < many; i++) {
        zmtp_t *peer = zmtp_narrow(scene.stand.port, "DEALER");
        zmtp_send(peer, &greet, NULL);
        zmtp_send(peer, &ask, NULL);
        zmtp_destroy(&peer);
    }
    for (long long end = process_clock() + ZMTP_PATIENCE; scene_figure(&scene, "fetching") > 0;) {
        assert_true(process_clock() < end);
        stand_pace(process_clock() + 20);
    }
    printf("%lld of %d were answered all the same\n", scene_figure(&scene, "fetched"), many);
    scene_bears(&scene, "who fetches and goes at once", &(scene_bounds_t){.rss_mib = 64});
    scene_recovers(&scene, 64, 4);
    scene_end(&scene);
}

FOB_MAIN(FOB_CASE(publishers_that_never_read_receipts_are_given_up),
         FOB_CASE(workers_that_never_read_are_given_up_and_lose_no_event),
         FOB_CASE(subscribers_that_never_read_are_given_up),
         FOB_CASE(who_fetches_and_never_reads_is_kept_one_answer),
         FOB_CASE(who_says_hello_before_each_fetch_is_kept_one_answer),
         FOB_CASE(who_fetches_and_goes_at_once_leaves_nothing))
