/* Connections that do little or nothing: many that are idle, some that never speak, more than are
 * allowed, more than there are descriptors for. */
#include "tests/support/case.h"

#include "tests/abuse/scene.h"
#include "tests/abuse/zmtp.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define MANY 2000

static void raise_files(void) {
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* --- idle --- */

/* Each says that it is there; what the bus said is thrown away. */
static void beat_all(zmtp_t **peers, int count) {
    static uint8_t said[4096];
    for (int i = 0; i < count; i++) {
        assert_true(zmtp_send(peers[i], &(fob_wire_t){.verb = FOB_VERB_BEAT}, NULL));
        while (recv(zmtp_fd(peers[i]), said, sizeof said, MSG_DONTWAIT) > 0)
            ;
    }
}

static void two_thousand_idle_connections_are_not_felt(void **state) {
    (void)state;
    static zmtp_t *peers[MANY];
    scene_t scene;
    raise_files();
    int count = scene_many(MANY, MANY);
    scene_begin(&scene, pace_beat(5000, NULL));
    long long beaten = process_clock();
    for (int i = 0; i < count; i++) {
        peers[i] = zmtp_new(scene.stand.port, "DEALER");
        assert_int_equal(zmtp_hello(peers[i], "admin", 0), FOB_VERB_WELCOME);
        if (process_clock() - beaten > 1000) {
            beat_all(peers, i + 1);
            beaten = process_clock();
        }
    }
    pair_figures(scene.pair); /* only what it is like while they are there */
    long long until = process_clock() + 1000LL * scene_seconds(3);
    for (; process_clock() < until; stand_pace(process_clock() + 500))
        beat_all(peers, count);
    assert_true(scene_figure(&scene, "connections") >= count);
    char what[64];
    snprintf(what, sizeof what, "%d idle connections", count);
    scene_bears(&scene, what, &(scene_bounds_t){.rss_mib = 128, .files = count + 32});
    for (int i = 0; i < count; i++)
        zmtp_destroy(&peers[i]);
    scene_recovers(&scene, 128, 8);
    scene_await(&scene, "connections", 1);
    scene_end(&scene);
}

/* --- silent --- */

#define EACH 20 /* of four kinds */

/* Those who have not finished their greeting in ten seconds libzmq itself disconnects, and nothing
 * counts them: on a slow machine that may come first. */
#define BY_LIBZMQ 9000

/* Says so much of a greeting to all, a byte after the other, until the bus has hung up on them. How
 * many of these it has to have counted. */
static int await_hung_up(int *dialled, int count, bool speak, long long from) {
    long long end = process_clock() + ZMTP_PATIENCE;
    int left = count, counted = 0;
    for (int at = 0; left > 0; at++, stand_pace(process_clock() + 100)) {
        assert_true(process_clock() < end);
        for (int i = 0; i < count; i++) {
            char said[256];
            if (dialled[i] < 0)
                continue;
            if (speak && at < 30)
                send(dialled[i], zmtp_greeting + at, 1, MSG_NOSIGNAL);
            ssize_t got = recv(dialled[i], said, sizeof said, MSG_DONTWAIT);
            if (got > 0 || (got < 0 && errno == EAGAIN))
                continue;
            close(dialled[i]);
            dialled[i] = -1;
            left--;
            counted += process_clock() < from + BY_LIBZMQ;
        }
    }
    return counted;
}

/* One that connects and says nothing; that says a byte of its greeting now and then; that greets
 * and says no HELLO; that says HELLO and nothing more. */
static void connections_that_never_speak_are_ended_and_counted(void **state) {
    (void)state;
    scene_t scene;
    int dialled[EACH], slow[EACH];
    zmtp_t *greeted[EACH], *welcomed[EACH];
    scene_begin(&scene, pace_beat(200, NULL));
    long long from = process_clock();
    for (int i = 0; i < EACH; i++) {
        dialled[i] = zmtp_dial(scene.stand.port);
        slow[i] = zmtp_dial(scene.stand.port);
        greeted[i] = zmtp_new(scene.stand.port, "DEALER");
        welcomed[i] = zmtp_new(scene.stand.port, "DEALER");
        assert_int_equal(zmtp_hello(welcomed[i], "worker", (uint8_t)(1 + i)), FOB_VERB_WELCOME);
    }
    int counted = await_hung_up(slow, EACH, true, from);
    counted += await_hung_up(dialled, EACH, false, from);
    for (int i = 0; i < EACH; i++) {
        assert_true(zmtp_hung_up(greeted[i], ZMTP_PATIENCE));
        assert_true(zmtp_hung_up(welcomed[i], ZMTP_PATIENCE));
        zmtp_destroy(&greeted[i]);
        zmtp_destroy(&welcomed[i]);
    }
    printf("%d of %d who had not greeted were ended by the bus itself\n", counted, 2 * EACH);
    scene_await(&scene, "ended.silent", 2 * EACH + counted);
    scene_log(&scene, "it was open, and said nothing");
    scene_bears(&scene, "80 connections that never speak", &(scene_bounds_t){.files = 4});
    scene_end(&scene);
}

/* --- too many --- */

/* The text of the ERROR that answers a HELLO. */
static void expect_told_of_the_limit(zmtp_t *peer) {
    fob_wire_t hello = {.verb = FOB_VERB_HELLO}, answer = {0};
    fob_slice_t frame;
    FOB_SET(&hello, version_min, 1);
    FOB_SET(&hello, version_max, 1);
    assert_true(zmtp_send(peer, &hello, NULL));
    assert_true(zmtp_next(peer, &frame, ZMTP_PATIENCE));
    assert_int_equal(fob_wire_read(frame, &answer), FOB_OK);
    assert_int_equal(answer.verb, FOB_VERB_ERROR);
    assert_int_equal(answer.code, FOB_LIMIT);
    assert_non_null(memmem(answer.text.data, answer.text.size, "raise max_connections", 21));
}

static void beyond_max_connections_one_is_told_by_name_and_a_crowd_is_turned_away(void **state) {
    (void)state;
    enum { MOST = 40, STRANGERS = 64, PAIR = 2 };
    static zmtp_t *peers[MOST + STRANGERS + 1];
    scene_t scene;
    int count = 0;
    scene_begin(&scene, "max_connections = 40\nheartbeat = 20s\n");
    while (count < MOST - PAIR) {
        peers[count] = zmtp_new(scene.stand.port, "DEALER");
        assert_int_equal(zmtp_hello(peers[count++], "worker", 1), FOB_VERB_WELCOME);
    }
    while (count < MOST - PAIR + 10) {
        peers[count] = zmtp_new(scene.stand.port, "DEALER");
        expect_told_of_the_limit(peers[count++]);
    }
    int turned_away = 0;
    for (int tries = 0; tries < 200; tries++) {
        zmtp_t *peer = zmtp_try(scene.stand.port, "DEALER");
        if (peer && count < MOST - PAIR + STRANGERS) {
            peers[count++] = peer;
            continue;
        }
        turned_away += !peer || zmtp_hung_up(peer, ZMTP_PATIENCE);
        zmtp_destroy(&peer);
    }
    assert_true(turned_away > 100);
    for (int i = 0; i < 8; i++) /* room for whoever asks for the figures */
        zmtp_destroy(&peers[--count]);
    assert_true(zmtp_send(peers[0], &(fob_wire_t){.verb = FOB_VERB_GOODBYE}, NULL));
    scene_await_ended(&scene, turned_away, "crowd");
    scene_bears(&scene, "a crowd", &(scene_bounds_t){.files = MOST + STRANGERS});
    scene_end(&scene);
    while (count > 0)
        zmtp_destroy(&peers[--count]);
}

/* Waits until the bus has hung up on so many of these. */
static void await_turned_away(const int *dialled, int count, int least) {
    long long end = process_clock() + ZMTP_PATIENCE;
    for (int away = 0; away < least; stand_pace(process_clock() + 50)) {
        assert_true(process_clock() < end);
        away = 0;
        for (int i = 0; i < count; i++) {
            struct pollfd item = {dialled[i], POLLRDHUP, 0};
            away += dialled[i] < 0 || poll(&item, 1, 0) > 0;
        }
    }
}

/* A program that runs the real one with few descriptors. */
static char *with_few_files(const char *folder, int files) {
    char *path = NULL;
    assert_true(asprintf(&path, "%s/few", folder) > 0);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "#!/bin/sh\nulimit -n %d\nexec '%s' \"$@\"\n", files, getenv("FOB_BINARY"));
    fclose(file);
    assert_int_equal(chmod(path, 0700), 0);
    return path;
}

/* Processor time of the bus, in ms. */
static long busy_ms(const scene_t *scene) {
    char path[64];
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", process_pid(scene->stand.bus));
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file,
                            "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                            &user, &system),
                     2);
    fclose(file);
    return (long)((user + system) * 1000 / (unsigned long)sysconf(_SC_CLK_TCK));
}

static void more_connections_than_descriptors_are_turned_away(void **state) {
    (void)state;
    enum { FILES = 400, DIALS = 1000 };
    static int dialled[DIALS];
    scene_t scene;
    char *folder = process_folder(), *few = with_few_files(folder, FILES);
    char *real = strdup(getenv("FOB_BINARY"));
    setenv("FOB_BINARY", few, 1);
    scene_begin(&scene, "heartbeat = 20s\n");
    setenv("FOB_BINARY", real, 1);
    for (int i = 0; i < DIALS; i++)
        dialled[i] = zmtp_dial(scene.stand.port + i % 3);
    long long from = process_clock();
    long busy = busy_ms(&scene);
    await_turned_away(dialled, DIALS, DIALS - FILES);
    scene_bears(&scene, "1000 connections, 400 descriptors", &(scene_bounds_t){.files = FILES});
    while (process_clock() < from + 1000)
        stand_pace(process_clock() + 50);
    busy = busy_ms(&scene) - busy;
    printf("busy for %ld ms of %lld\n", busy, process_clock() - from);
    for (int i = 0; i < DIALS; i++)
        if (dialled[i] >= 0)
            close(dialled[i]);
    scene_recovers(&scene, 64, 8);
    scene_await_ended(&scene, 100, "crowd");
    scene_log(&scene, "there are more connections than max_connections, or open files, allow");
    scene_end(&scene);
    free(real);
    free(few);
    process_folder_remove(&folder);
}

FOB_MAIN(FOB_CASE(two_thousand_idle_connections_are_not_felt),
         FOB_CASE(connections_that_never_speak_are_ended_and_counted),
         FOB_CASE(beyond_max_connections_one_is_told_by_name_and_a_crowd_is_turned_away),
         FOB_CASE(more_connections_than_descriptors_are_turned_away))
