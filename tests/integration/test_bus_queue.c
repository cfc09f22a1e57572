#include "tests/integration/bus_up.h"
#include "tests/support/process.h"

#include <zmq.h>

/* A publisher, two workers and an eye on the figures. */
typedef struct {
    fob_bus_t *bus;
    dealer_t *publisher, *one, *two, *admin;
} scene_t;

static scene_t open_scene(int64_t heartbeat_ms) {
    scene_t scene = {.bus = bus_up_with((fob_bus_options_t){.heartbeat_ms = heartbeat_ms})};
    dealer_t **all[] = {&scene.publisher, &scene.one, &scene.two, &scene.admin};
    const char *roles[] = {"publisher", "worker", "worker", "admin"};
    for (uint8_t i = 0; i < 4; i++) {
        *all[i] = dealer_new(fob_bus_endpoint(scene.bus));
        dealer_greet(*all[i], roles[i], i + 1);
    }
    return scene;
}

static void close_scene(scene_t *scene) {
    dealer_destroy(&scene->publisher);
    dealer_destroy(&scene->one);
    dealer_destroy(&scene->two);
    dealer_destroy(&scene->admin);
    fob_bus_destroy(&scene->bus);
}

static void publish(scene_t *scene, uint64_t first, size_t count) {
    dealer_publish(scene->publisher, first, "order_placed", count);
    dealer_receipts(scene->publisher, first, count, FOB_OK);
}

static void an_event_is_stored_delivered_and_settled(void **state) {
    (void)state;
    scene_t scene = open_scene(0);
    uint64_t offset, token;
    dealer_join(scene.one, "emails", "order_placed", 10);
    dealer_publish(scene.publisher, 1, "order_placed", 1);
    assert_int_equal(dealer_receipts(scene.publisher, 1, 1, FOB_OK), 1);
    dealer_deliveries(scene.one, 1, &offset, &token);
    assert_int_equal(offset, 1);
    assert_true(dealer_figure(scene.admin, "emails", "pinned_bytes") > 0);
    dealer_settle(scene.one, "emails", 1, FOB_KIND_ACK, offset, 1, token);
    const fob_wire_t *settled = dealer_expect(scene.one, FOB_VERB_SETTLED);
    assert_int_equal(settled->seq, 1);
    assert_int_equal(settled->refused.size, 0);
    assert_int_equal(dealer_figure(scene.admin, "emails", "accepted"), 1);
    assert_int_equal(dealer_figure(scene.admin, "emails", "acked"), 1);
    assert_int_equal(dealer_figure(scene.admin, "emails", "leased"), 0);
    assert_int_equal(dealer_figure(scene.admin, "emails", "pinned_bytes"), 0);
    assert_int_equal(dealer_figure(scene.admin, NULL, "events_in"), 1);
    assert_int_equal(dealer_figure(scene.admin, NULL, "publishers"), 1);
    assert_int_equal(dealer_figure(scene.admin, NULL, "workers"), 2);
    close_scene(&scene);
}

static void the_very_bytes_that_were_published_are_delivered(void **state) {
    (void)state;
    scene_t scene = open_scene(0);
    fob_buf_t sent = {0};
    dealer_events(&sent, "order_placed", 1, 5);
    dealer_events(&sent, "other", 1, 7);
    dealer_events(&sent, "order_placed", 2, 100000);
    dealer_join(scene.one, "emails", "order_placed", 10);
    dealer_join(scene.two, "all", ">", 10);
    fob_wire_t msg = {.verb = FOB_VERB_PUBLISH};
    FOB_SET(&msg, first, 1);
    dealer_send(scene.publisher, &msg, &sent);
    dealer_receipts(scene.publisher, 1, 4, FOB_OK);
    size_t at = 0;
    while (at < sent.size) { /* the whole batch, in order, in however many pieces */
        dealer_expect(scene.two, FOB_VERB_DELIVER);
        fob_slice_t body = dealer_body(scene.two);
        assert_true(at + body.size <= sent.size);
        assert_memory_equal(body.data, sent.data + at, body.size);
        at += body.size;
    }
    uint64_t offset, token;
    dealer_deliveries(scene.one, 3, &offset, &token);
    fob_buf_free(&sent);
    close_scene(&scene);
}

static void credit_is_never_exceeded(void **state) {
    (void)state;
    scene_t scene = open_scene(0);
    uint64_t offset, token;
    dealer_join(scene.one, "emails", "order_placed", 3);
    publish(&scene, 1, 10);
    dealer_deliveries(scene.one, 3, &offset, &token);
    assert_int_equal(dealer_figure(scene.admin, "emails", "ready"), 7);
    assert_int_equal(dealer_figure(scene.admin, "emails", "leased"), 3);
    assert_null(dealer_next(scene.one, 0));
    fob_wire_t credit = {.verb = FOB_VERB_CREDIT};
    FOB_SET(&credit, group, fob_slice_str("emails"));
    FOB_SET(&credit, credit, 5);
    dealer_send(scene.one, &credit, NULL);
    dealer_deliveries(scene.one, 2, &offset, &token);
    assert_int_equal(offset, 4);
    assert_int_equal(dealer_figure(scene.admin, "emails", "ready"), 5);
    close_scene(&scene);
}

static void goodbye_gives_back_at_once_and_uncounted(void **state) {
    (void)state;
    scene_t scene = open_scene(0);
    uint64_t offset, token;
    dealer_join(scene.one, "emails", "order_placed", 10);
    publish(&scene, 1, 5);
    dealer_deliveries(scene.one, 5, &offset, &token);
    dealer_join(scene.two, "emails", "order_placed", 10);
    int64_t start = dealer_clock();
    dealer_goodbye(scene.one);
    const fob_wire_t *deliver = dealer_expect(scene.two, FOB_VERB_DELIVER);
    assert_true(dealer_clock() - start < BUS_CALM);
    fob_run_t run = dealer_run(deliver->runs);
    assert_int_equal(run.at[0], 1);
    assert_int_equal(run.at[3], 1); /* attempt: nobody failed */
    assert_true(run.at[2] > token);
    close_scene(&scene);
}

/* Beats for `dealer` while waiting for a delivery to it. */
static void beat_until_delivered(dealer_t *dealer, dealer_t *also, int beat_ms, fob_run_t *run) {
    int64_t start = dealer_clock();
    for (;;) {
        assert_true(dealer_clock() - start < DEALER_PATIENCE);
        dealer_beat(dealer);
        dealer_beat(also);
        const fob_wire_t *msg = dealer_next(dealer, beat_ms);
        if (msg && msg->verb == FOB_VERB_DELIVER) {
            *run = dealer_run(msg->runs);
            return;
        }
        assert_true(!msg || msg->verb == FOB_VERB_BEAT);
    }
}

/* Gives how long it took until another had its event since it was heard last, in ms. */
static int64_t lose_a_worker(int64_t heartbeat_ms) {
    scene_t scene = open_scene(heartbeat_ms);
    uint64_t offset, token;
    fob_run_t run;
    int64_t start = dealer_clock();
    dealer_join(scene.one, "emails", "order_placed", 10);
    publish(&scene, 1, 5);
    dealer_deliveries(scene.one, 5, &offset, &token);
    dealer_join(scene.two, "emails", "order_placed", 10);
    beat_until_delivered(scene.two, scene.admin, (int)heartbeat_ms / 4, &run);
    int64_t took = dealer_clock() - start;
    assert_true(took >= 3 * heartbeat_ms);
    assert_int_equal(run.at[0], 1);
    assert_int_equal(run.at[3], 2); /* the first one it held counts an attempt */
    assert_true(run.at[2] > token);
    dealer_beat(scene.one); /* it comes back to life, and is a stranger */
    int64_t until = dealer_clock() + DEALER_PATIENCE;
    const fob_wire_t *msg = dealer_next(scene.one, DEALER_PATIENCE);
    while (msg && msg->verb != FOB_VERB_ERROR && dealer_clock() < until)
        msg = dealer_next(scene.one, DEALER_PATIENCE);
    assert_non_null(msg);
    assert_int_equal(msg->code, FOB_HELLO_FIRST);
    close_scene(&scene);
    return took;
}

/* Again where it took longer, as others run beside us: a bus that is late is so each time, also
 * where a program starts at once. */
static void a_worker_is_lost_within(int heartbeat_ms, int at_most) {
    bool late = true;
    for (int tries = 0; tries < 4 && late; tries++) {
        int64_t took = lose_a_worker(pace_ms(heartbeat_ms));
        late = process_late(took, at_most, process_lag());
    }
    assert_false(late);
}

static void a_silent_workers_events_are_with_another_after_three_beats(void **state) {
    (void)state;
    a_worker_is_lost_within(400, 3000);
}

static void with_the_default_heartbeat_that_takes_less_than_four_seconds(void **state) {
    (void)state;
    a_worker_is_lost_within(1000, 4000);
}

static void a_stale_settle_is_refused_by_name(void **state) {
    (void)state;
    scene_t scene = open_scene(0);
    uint64_t offset, token;
    dealer_join(scene.one, "emails", "order_placed", 10);
    publish(&scene, 1, 2);
    dealer_deliveries(scene.one, 2, &offset, &token);
    dealer_settle(scene.one, "emails", 1, FOB_KIND_ACK, offset, 1, token);
    assert_int_equal(dealer_expect(scene.one, FOB_VERB_SETTLED)->refused.size, 0);
    dealer_settle(scene.one, "emails", 2, FOB_KIND_ACK, offset, 1, token);
    const fob_wire_t *settled = dealer_expect(scene.one, FOB_VERB_SETTLED);
    assert_int_equal(dealer_run(settled->refused).at[0], FOB_GONE);
    dealer_settle(scene.two, "emails", 1, FOB_KIND_ACK, offset + 1, 1, token + 1);
    const fob_wire_t *msg = dealer_next(scene.two, DEALER_PATIENCE);
    assert_non_null(msg); /* not of that group: refused in one way or another */
    assert_true(msg->verb == FOB_VERB_ERROR || msg->refused.size > 0);
    assert_int_equal(dealer_figure(scene.admin, "emails", "acked"), 1);
    close_scene(&scene);
}

static void an_event_over_the_limit_is_refused_by_name(void **state) {
    (void)state;
    fob_bus_t *bus = bus_up_with((fob_bus_options_t){.max_event = 1000});
    dealer_t *dealer = dealer_new(fob_bus_endpoint(bus));
    assert_int_equal(dealer_greet(dealer, "publisher", 1)->max_event, 1000);
    fob_buf_t body = {0};
    dealer_events(&body, "order_placed", 1, 1001);
    fob_wire_t msg = {.verb = FOB_VERB_PUBLISH};
    FOB_SET(&msg, first, 1);
    dealer_send(dealer, &msg, &body);
    dealer_receipts(dealer, 1, 1, FOB_TOO_LARGE);
    dealer_publish(dealer, 2, "order_placed", 1);
    assert_int_equal(dealer_receipts(dealer, 2, 1, FOB_OK), 1);
    fob_buf_free(&body);
    dealer_destroy(&dealer);
    fob_bus_destroy(&bus);
}

static void a_client_that_does_not_read_harms_only_itself(void **state) {
    (void)state;
    enum { MANY = 3000 };
    scene_t scene = open_scene(0);
    uint64_t offset, token;
    fob_buf_t body = {0};
    dealer_join(scene.one, "emails", "order_placed", MANY); /* and never reads again */
    dealer_join(scene.two, "billing", "order_placed", MANY);
    dealer_events(&body, "order_placed", 1, 60000);
    for (uint64_t number = 1; number <= MANY; number++) { /* 180 MB: more than any queue */
        fob_wire_t msg = {.verb = FOB_VERB_PUBLISH};
        FOB_SET(&msg, first, number);
        FOB_SET(&msg, low, number);
        dealer_send(scene.publisher, &msg, &body);
        dealer_receipts(scene.publisher, number, 1, FOB_OK);
        dealer_deliveries(scene.two, 1, &offset, &token);
        assert_true(offset == number);
        if (number % 500 == 0) {
            dealer_settle(scene.two, "billing", number, FOB_KIND_ACK, number - 499, 500,
                          token - 499);
            assert_int_equal(dealer_expect(scene.two, FOB_VERB_SETTLED)->refused.size, 0);
            dealer_beat(scene.admin);
        }
    }
    assert_int_equal(dealer_figure(scene.admin, "billing", "acked"), MANY);
    assert_int_equal(dealer_figure(scene.admin, "emails", "acked"), 0);
    assert_int_equal(dealer_figure(scene.admin, "emails", "accepted"), MANY);
    fob_buf_free(&body);
    close_scene(&scene);
}

FOB_MAIN(FOB_CASE(an_event_is_stored_delivered_and_settled),
         FOB_CASE(the_very_bytes_that_were_published_are_delivered),
         FOB_CASE(credit_is_never_exceeded), FOB_CASE(goodbye_gives_back_at_once_and_uncounted),
         FOB_CASE(a_silent_workers_events_are_with_another_after_three_beats),
         FOB_CASE(with_the_default_heartbeat_that_takes_less_than_four_seconds),
         FOB_CASE(a_stale_settle_is_refused_by_name),
         FOB_CASE(an_event_over_the_limit_is_refused_by_name),
         FOB_CASE(a_client_that_does_not_read_harms_only_itself))
