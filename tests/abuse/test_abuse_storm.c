/* Subscribers that do nothing but subscribe, that ask for what is refused, and that talk. */
#include "tests/support/case.h"

#include "tests/abuse/flood.h"
#include "tests/abuse/scene.h"
#include "tests/abuse/zmtp.h"

#include <fob/fob_subscriber.h>
#include <stdlib.h>

#define PEERS 4
#define BURST 2000

/* Subscriptions to so many topics, each given back at once; or to what is no topic. */
static void put_burst(fob_buf_t *out, bool sense, int from) {
    for (int i = 0; i < BURST; i++) {
        char text[64];
        int size = snprintf(text, sizeof text, sense ? "%cstorm.%d" : "%cno topic %d", 1, from + i);
        zmtp_put_frame(out, ZMTP_LAST, text, (size_t)size);
        text[0] = 0;
        if (sense)
            zmtp_put_frame(out, ZMTP_LAST, text, (size_t)size);
    }
}

/* A subscriber that behaves, beside those that do not. */
static fob_subscriber_t *listen_beside(void) {
    fob_subscriber_options_t options = FOB_SUBSCRIBER_OPTIONS;
    options.pattern = "beside";
    options.connect_timeout_ms = ZMTP_PATIENCE;
    fob_subscriber_t *subscriber = fob_subscriber_new(&options, NULL);
    assert_non_null(subscriber);
    return subscriber;
}

/* How many ms it takes from a publisher that connects to what the subscriber gets. One who was away
 * meanwhile, as on a slow machine it may be, hears the next. */
static long long hear_beside(fob_subscriber_t *subscriber) {
    fob_event_t *event = NULL;
    long long from = process_clock();
    do {
        assert_true(process_clock() < from + ZMTP_PATIENCE);
        flood("beside", 1, 16);
    } while (fob_subscriber_next(subscriber, &event, 5000) != FOB_OK);
    fob_event_destroy(&event);
    return process_clock() - from;
}

/* As much as the bus takes, from several; whoever is hung up on comes again: how often. */
static int storm(scene_t *scene, bool sense, const char *what) {
    zmtp_t *peers[PEERS] = {0};
    fob_buf_t words = {0};
    unsigned long long changes = 0;
    int again = 0, heard = 0;
    long long worst = 0, due = 0;
    fob_subscriber_t *beside = listen_beside();
    put_burst(&words, sense, 0);
    long long from = process_clock(), until = from + 1000LL * scene_seconds(3);
    /* Where so little is read of each that nobody has had too much yet, it goes on. */
    while (process_clock() < until ||
           (!sense && again == 0 && process_clock() < until + ZMTP_PATIENCE)) {
        if (process_clock() >= due) {
            long long took = hear_beside(beside);
            worst = took > worst ? took : worst;
            heard++;
            due = process_clock() + 200;
        }
        for (int i = 0; i < PEERS; i++) {
            if (!peers[i])
                peers[i] = zmtp_try(scene->stand.port + 2, "SUB");
            if (!peers[i] || zmtp_write(peers[i], words.data, words.size)) {
                changes += peers[i] ? (sense ? 2 : 1) * BURST : 0;
                continue;
            }
            zmtp_destroy(&peers[i]);
            again++;
        }
    }
    printf(
        "%s: %llu changes in %lld ms, hung up on %d times; beside them %d events were heard, each "
        "within %lld ms\n",
        what, changes, process_clock() - from, again, heard, worst);
    assert_int_equal(fob_subscriber_lost(beside, NULL), 0);
    fob_subscriber_destroy(&beside);
    for (int i = 0; i < PEERS; i++)
        zmtp_destroy(&peers[i]);
    fob_buf_free(&words);
    scene_bears(scene, what, &(scene_bounds_t){.rss_mib = 96});
    scene_recovers(scene, 96, 4);
    return again;
}

static void a_storm_of_subscriptions_is_cut_short(void **state) {
    (void)state;
    scene_t scene;
    scene_begin(&scene, pace_beat(3000, NULL));
    /* On a slow machine so little is read of each that it is no storm. */
    if (storm(&scene, true, "a storm of subscriptions") > 0) {
        scene_await_ended(&scene, 1, "storm subscriptions");
        if (scene_figure(&scene, "ended.storm") > 0)
            scene_log(&scene, "it changed its subscriptions without a pause");
    }
    scene_end(&scene);
}

static void who_asks_for_what_is_refused_is_ended_after_a_thousand(void **state) {
    (void)state;
    scene_t scene;
    scene_begin(&scene, pace_beat(3000, NULL));
    assert_true(storm(&scene, false, "subscriptions that are refused") > 0);
    scene_await_ended(&scene, 1, "subscriptions storm");
    scene_end(&scene);
}

/* Connects and subscribes to its topic, and to nothing else. */
static zmtp_t *listener(const scene_t *scene, const char *topic) {
    zmtp_t *peer = zmtp_new(scene->stand.port + 2, "SUB");
    assert_true(zmtp_subscribe(peer, true, topic, strlen(topic) + 1));
    return peer;
}

/* Reads until a frame of this topic comes; one of another topic fails. The second frame of a
 * message begins with the events' own bytes, never with a letter. False: the bus hung up, as it
 * could not tell whose the subscription was. */
static bool hears(zmtp_t *peer, const char *topic, const char *other, int timeout_ms) {
    fob_slice_t frame;
    while (zmtp_next(peer, &frame, timeout_ms)) {
        if (frame.size > strlen(other) && memcmp(frame.data, other, strlen(other)) == 0)
            fail_msg("who subscribed to %s got %s", topic, other);
        if (frame.size > strlen(topic) && memcmp(frame.data, topic, strlen(topic)) == 0)
            return true;
    }
    return false;
}

static void who_talks_takes_nobodys_subscription(void **state) {
    (void)state;
    scene_t scene;
    int rounds = scene_many(30, 300), again = 0;
    scene_begin(&scene, pace_beat(3000, NULL));
    for (int round = 0; round < rounds; round++) {
        zmtp_t *talker = zmtp_new(scene.stand.port + 2, "SUB");
        zmtp_t *one = zmtp_new(scene.stand.port + 2, "SUB");
        zmtp_t *two = zmtp_new(scene.stand.port + 2, "SUB");
        for (int i = 0; i < 50; i++)
            zmtp_frame(talker, ZMTP_LAST, "talk", 4);
        assert_true(zmtp_subscribe(one, true, "one", 4));
        assert_true(zmtp_subscribe(two, true, "two", 4));
        assert_true(zmtp_hung_up(talker, ZMTP_PATIENCE));
        flood("one", 1, 16);
        flood("two", 1, 16);
        /* A subscription that was read before the talk is as good as ever. */
        for (int tries = 0; tries < 100 && !hears(one, "one", "two", 100); tries++, again++) {
            zmtp_destroy(&one);
            one = listener(&scene, "one");
            flood("one", 1, 16);
        }
        for (int tries = 0; tries < 100 && !hears(two, "two", "one", 100); tries++, again++) {
            zmtp_destroy(&two);
            two = listener(&scene, "two");
            flood("two", 1, 16);
        }
        zmtp_destroy(&talker);
        zmtp_destroy(&one);
        zmtp_destroy(&two);
    }
    printf("%d talkers; subscribers beside them connected again %d times\n", rounds, again);
    scene_await_ended(&scene, rounds, "talk");
    scene_log(&scene, "it sent messages where only subscriptions are taken");
    scene_bears(&scene, "talking subscribers", &(scene_bounds_t){0});
    scene_end(&scene);
}

FOB_MAIN(FOB_CASE(a_storm_of_subscriptions_is_cut_short),
         FOB_CASE(who_asks_for_what_is_refused_is_ended_after_a_thousand),
         FOB_CASE(who_talks_takes_nobodys_subscription))
