/* What is slow is not silent, and no stranger: a large message on a slow line takes longer than a
 * client may be silent; clients give up while the bus stands still. */
#include "tests/support/case.h"

#include "tests/abuse/flood.h"
#include "tests/abuse/scene.h"
#include "tests/abuse/zmtp.h"
#include "tests/support/proxy.h"

#include <fob/fob_publisher.h>
#include <fob/fob_worker.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define BEAT   pace_ms(400)
#define PARTS  (14 * BEAT) /* one a ms: above three beats, and above ten */
#define EVENTS 840
#define CONFIG pace_beat(400, NULL)

/* The bytes of a PUBLISH of one large batch. */
static void put_large(fob_buf_t *out) {
    fob_wire_t msg = {.verb = FOB_VERB_PUBLISH};
    fob_buf_t header = {0}, body = {0};
    FOB_SET(&msg, first, 1);
    FOB_SET(&msg, low, 1);
    assert_int_equal(fob_wire_write(&header, &msg), FOB_OK);
    flood_body(&body, "slow", EVENTS, 1000);
    zmtp_put_frame(out, ZMTP_MORE, header.data, header.size);
    zmtp_put_frame(out, ZMTP_LAST, body.data, body.size);
    fob_buf_free(&header);
    fob_buf_free(&body);
}

/* Sends all but the last of it, evenly; nothing that the bus says is read. */
static size_t send_slowly(zmtp_t *peer, const fob_buf_t *words) {
    long long from = process_clock();
    size_t sent = 0;
    for (long long ms = 0; ms < PARTS; ms = process_clock() - from) {
        size_t due = (words->size - 1) * (size_t)ms / PARTS;
        assert_true(zmtp_write(peer, words->data + sent, due - sent));
        sent = due;
        stand_pace(process_clock() + 10);
    }
    return sent;
}

static void a_large_batch_on_a_slow_line_is_stored(void **state) {
    (void)state;
    scene_t scene;
    fob_buf_t words = {0};
    fob_wire_t answer = {.verb = FOB_VERB_BEAT};
    fob_slice_t frame;
    scene_begin(&scene, CONFIG);
    zmtp_t *peer = zmtp_new(scene.stand.port, "DEALER");
    assert_int_equal(zmtp_hello(peer, "publisher", 1), FOB_VERB_WELCOME);
    put_large(&words);
    size_t sent = send_slowly(peer, &words);
    assert_true(zmtp_write(peer, words.data + sent, words.size - sent));
    while (answer.verb == FOB_VERB_BEAT) { /* it was known all the time */
        assert_true(zmtp_next(peer, &frame, ZMTP_PATIENCE));
        assert_int_equal(fob_wire_read(frame, &answer), FOB_OK);
    }
    assert_int_equal(answer.verb, FOB_VERB_RECEIPT);
    scene_bears(&scene, "a slow line", &(scene_bounds_t){.files = 4});
    zmtp_destroy(&peer);
    fob_buf_free(&words);
    scene_end(&scene);
}

static void a_line_that_dies_within_a_message_is_ended_as_silent(void **state) {
    (void)state;
    scene_t scene;
    fob_buf_t words = {0};
    scene_begin(&scene, CONFIG);
    zmtp_t *peer = zmtp_new(scene.stand.port, "DEALER");
    assert_int_equal(zmtp_hello(peer, "publisher", 1), FOB_VERB_WELCOME);
    put_large(&words);
    assert_true(zmtp_write(peer, words.data, words.size / 2));
    assert_true(zmtp_hung_up(peer, ZMTP_PATIENCE));
    scene_await(&scene, "ended.silent", 1);
    assert_int_equal(scene_figure(&scene, "ended.unfinished"), 0);
    zmtp_destroy(&peer);
    fob_buf_free(&words);
    scene_end(&scene);
}

static fob_worker_t *work_over(const proxy_t *line) {
    char bus[64];
    snprintf(bus, sizeof bus, "tcp://127.0.0.1:%d", proxy_port(line));
    fob_worker_options_t options = FOB_WORKER_OPTIONS;
    options.bus = bus;
    options.group = "slow";
    options.pattern = "slow.event";
    options.connect_timeout_ms = PACE_PATIENCE;
    fob_worker_t *worker = fob_worker_new(&options);
    assert_non_null(worker);
    assert_int_equal(fob_worker_wait_ready(worker, PACE_PATIENCE, NULL), FOB_OK);
    return worker;
}

static void publish_large(size_t size) {
    fob_publisher_options_t options = FOB_PUBLISHER_OPTIONS;
    options.connect_timeout_ms = options.deadline_ms = PACE_PATIENCE;
    fob_publisher_t *publisher = fob_publisher_new(&options);
    char *data = calloc(1, size);
    assert_true(publisher && data);
    assert_int_equal(fob_publisher_send(publisher, "slow.event", data, size, NULL, NULL), FOB_OK);
    assert_int_equal(fob_publisher_flush(publisher, PACE_PATIENCE), FOB_OK);
    fob_publisher_destroy(&publisher);
    free(data);
}

/* It would begin anew for ever if it took the bus for lost within the event. */
static void a_large_event_comes_over_a_slow_line_at_the_first_attempt(void **state) {
    (void)state;
    scene_t scene;
    fob_event_t *event = NULL;
    scene_begin(&scene, CONFIG);
    proxy_t *line = proxy_new(scene.stand.port);
    fob_worker_t *worker = work_over(line);
    proxy_slow(line, PROXY_FROM_BUS, 1000ULL * EVENTS * 1000 / PARTS);
    publish_large(1000 * EVENTS);
    assert_int_equal(fob_worker_next(worker, &event, PACE_PATIENCE), FOB_OK);
    assert_int_equal(fob_event_attempt(event), 1);
    assert_int_equal(fob_worker_settle(worker, &event, FOB_ACK), FOB_OK);
    stand_await(&scene.stand, "slow", "acked", 1);
    fob_worker_destroy(&worker, 0);
    proxy_destroy(&line);
    scene_end(&scene);
}

#define IMPATIENT 60

/* As the kernel takes connections for it: they greet, wait, and have gone when it goes on. */
static void who_gives_up_while_the_bus_stands_still_is_not_malformed(void **state) {
    (void)state;
    scene_t scene;
    int dialled[IMPATIENT];
    scene_begin(&scene, NULL);
    process_signal(scene.stand.bus, SIGSTOP);
    for (int i = 0; i < IMPATIENT; i++) {
        size_t said = i % 4 == 0 ? 0 : i % 4 == 1 ? 10 : sizeof zmtp_greeting;
        dialled[i] = zmtp_dial(scene.stand.port + i % 3);
        assert_true(dialled[i] >= 0);
        assert_int_equal(send(dialled[i], zmtp_greeting, said, MSG_NOSIGNAL), said);
    }
    for (int i = 0; i < IMPATIENT; i++) {
        struct linger reset = {.l_onoff = i & 1, .l_linger = 0};
        setsockopt(dialled[i], SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(dialled[i]);
    }
    process_signal(scene.stand.bus, SIGCONT);
    scene_recovers(&scene, 64, 4);
    assert_int_equal(scene_figure(&scene, "malformed"), 0);
    scene_end(&scene);
}

FOB_MAIN(FOB_CASE(a_large_batch_on_a_slow_line_is_stored),
         FOB_CASE(a_large_event_comes_over_a_slow_line_at_the_first_attempt),
         FOB_CASE(who_gives_up_while_the_bus_stands_still_is_not_malformed),
         FOB_CASE(a_line_that_dies_within_a_message_is_ended_as_silent))
