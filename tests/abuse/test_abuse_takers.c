/* Workers that take what they can get, beat, and settle nothing. */
#include "tests/support/case.h"

#include "tests/abuse/flood.h"
#include "tests/abuse/scene.h"
#include "tests/abuse/zmtp.h"

#include <stdlib.h>
#include <sys/socket.h>

#define TAKERS 4
#define EVENTS 2000
#define BEATS  pace_beat(2000, NULL) /* they make events between two of their own */

static zmtp_t *taker(const scene_t *scene, int number) {
    zmtp_t *peer = zmtp_new(scene->stand.port, "DEALER");
    fob_wire_t join = {.verb = FOB_VERB_JOIN};
    char name[32];
    snprintf(name, sizeof name, "taker-%d", number);
    assert_int_equal(zmtp_hello(peer, "worker", (uint8_t)(1 + number)), FOB_VERB_WELCOME);
    FOB_SET(&join, group, fob_slice_str("taken"));
    FOB_SET(&join, jobs, 1);
    FOB_SET(&join, credit, EVENTS);
    FOB_SET(&join, worker, fob_slice_str(name));
    assert_true(zmtp_send(peer, &join, NULL));
    return peer;
}

/* They read, and say nothing but that they are alive, until it is time. */
static void beat_until(zmtp_t **peers, int count, long long until) {
    static uint8_t said[65536];
    while (process_clock() < until) {
        for (int i = 0; i < count; i++) {
            zmtp_send(peers[i], &(fob_wire_t){.verb = FOB_VERB_BEAT}, NULL);
            while (recv(zmtp_fd(peers[i]), said, sizeof said, MSG_DONTWAIT) > 0)
                ;
        }
        stand_pace(process_clock() + 100);
    }
}

/* Until a figure of their group is at least that. */
static void await_beating(const scene_t *scene, zmtp_t **peers, const char *name, long long least) {
    for (long long end = process_clock() + PACE_PATIENCE; process_clock() < end;) {
        if (stand_figure(&scene->stand, "taken", name) >= least)
            return;
        beat_until(peers, TAKERS, process_clock() + 100);
    }
    fail_msg("%s is not %lld", name, least);
}

/* Makes events a part at a time, as who does not beat for three seconds has lost all it took. */
static void flood_taken(zmtp_t **peers) {
    for (int done = 0; done < EVENTS; done += EVENTS / 10) {
        flood("taken", EVENTS / 10, 1000);
        beat_until(peers, TAKERS, process_clock() + 1);
    }
}

static void who_takes_and_never_settles_is_named_and_holds_up_no_other_group(void **state) {
    (void)state;
    scene_t scene;
    zmtp_t *peers[TAKERS];
    scene_begin(&scene, BEATS);
    free(stand_do("group", "add", "taken", "taken", NULL));
    for (int i = 0; i < TAKERS; i++)
        peers[i] = taker(&scene, i);
    await_beating(&scene, peers, "workers", TAKERS);
    flood_taken(peers);
    await_beating(&scene, peers, "leased", EVENTS);
    beat_until(peers, TAKERS, process_clock() + 1000LL * scene_seconds(11));
    json_t *group = stand_group(&scene.stand, "taken");
    const char *why = json_string_value(json_object_get(group, "why"));
    printf("%s\n", why);
    assert_non_null(strstr(why, "taker-"));
    assert_non_null(strstr(why, "and has settled none for "));
    json_decref(group);
    scene_bears(&scene, "workers that never settle", &(scene_bounds_t){0});
    for (int i = 0; i < TAKERS; i++)
        zmtp_destroy(&peers[i]);
    stand_await(&scene.stand, "taken", "leased", 0);
    scene_end(&scene);
}

static void with_a_bound_others_get_what_is_never_settled(void **state) {
    (void)state;
    scene_t scene;
    zmtp_t *peers[TAKERS];
    char lease[32];
    snprintf(lease, sizeof lease, "lease=%s", pace_option(2000)); /* for a `true`, too */
    scene_begin(&scene, BEATS);
    free(stand_do("group", "add", "taken", "taken", lease, "backoff_first=1ms", NULL));
    for (int i = 0; i < TAKERS; i++)
        peers[i] = taker(&scene, i);
    await_beating(&scene, peers, "workers", TAKERS);
    flood_taken(peers);
    process_t *honest = process_fob("work", "taken", "taken", "--", "true", NULL);
    long long end = process_clock() + PACE_PATIENCE, from = process_clock();
    while (stand_figure(&scene.stand, "taken", "acked") < EVENTS / 100) {
        assert_true(process_clock() < end);
        beat_until(peers, TAKERS, process_clock() + 200);
    }
    printf("the first %d were acked by another %lld ms later\n", EVENTS / 100,
           process_clock() - from);
    assert_true(stand_figure(&scene.stand, "taken", "redelivered") > 0); /* they had it before */
    scene_bears(&scene, "workers that never settle, bounded", &(scene_bounds_t){0});
    process_destroy(&honest);
    for (int i = 0; i < TAKERS; i++)
        zmtp_destroy(&peers[i]);
    scene_end(&scene);
}

FOB_MAIN(FOB_CASE(who_takes_and_never_settles_is_named_and_holds_up_no_other_group),
         FOB_CASE(with_a_bound_others_get_what_is_never_settled))
