/* The publisher's state machine against a model of the bus, with a clock of the test's own. */
#include "support/case.h"

#include "model_bus.h"
#include "publishers/session.h"

#include <stdlib.h>

#define MAX_EVENTS 100000
#define QUEUE      4096

typedef struct {
    fob_slice_t header, body; /* copies */
} message_t;

static uint64_t seed_now; /* of the seeded cases, for the failure's message */

/* The session, the model, and the wires between. */
typedef struct {
    fob_session_t *session;
    fob_receipts_t receipts;
    model_bus_t *bus;
    fob_now_t now;
    bool up;
    uint64_t window;
    message_t to_bus[QUEUE], to_client[QUEUE];
    unsigned bus_first, bus_end, client_first, client_end;
    uint64_t offered;
    uint8_t topics[MAX_EVENTS]; /* of each event, by number */
    uint8_t told[MAX_EVENTS];   /* how many receipts */
    fob_status_t outcome[MAX_EVENTS];
    uint64_t offset[MAX_EVENTS];
    char text[FOB_RECEIPT_MAX];
} bench_t;

static bench_t *bench_new(uint32_t window) {
    bench_t *b = calloc(1, sizeof *b);
    b->bus = malloc(sizeof *b->bus);
    model_bus_start(b->bus);
    b->receipts.wanted = true;
    b->now.mono_ns = 100 * FOB_SEC;
    b->window = FOB_WINDOW_MAX;
    fob_session_options_t options = {
        .window = window, .connect_at = b->now.mono_ns + 3 * FOB_SEC, .receipts = &b->receipts};
    b->session = fob_session_new(&options);
    assert_non_null(b->session);
    return b;
}

static fob_slice_t copied(fob_slice_t bytes) {
    uint8_t *copy = malloc(bytes.size + 1);
    if (bytes.size)
        memcpy(copy, bytes.data, bytes.size);
    return fob_slice(copy, bytes.size);
}

static void message_free(message_t *message) {
    free((void *)(uintptr_t)message->header.data);
    free((void *)(uintptr_t)message->body.data);
}

static void wires_cut(bench_t *b) {
    while (b->bus_first < b->bus_end)
        message_free(&b->to_bus[b->bus_first++ % QUEUE]);
    while (b->client_first < b->client_end)
        message_free(&b->to_client[b->client_first++ % QUEUE]);
}

static void bench_free(bench_t *b) {
    wires_cut(b);
    fob_session_destroy(&b->session);
    fob_receipts_free(&b->receipts);
    free(b->bus);
    free(b);
}

static void receipts_read(bench_t *b) {
    _Alignas(8) uint8_t bytes[8192];
    size_t count, size;
    while ((size = fob_receipts_take(&b->receipts, bytes, sizeof bytes, &count)) > 0) {
        size_t at = 0;
        fob_receipt_t receipt;
        while (fob_receipts_read(bytes, size, &at, &receipt)) {
            assert_true(receipt.number >= 1 && receipt.number <= b->offered);
            b->told[receipt.number]++;
            b->outcome[receipt.number] = receipt.status;
            b->offset[receipt.number] = receipt.offset;
            assert_int_equal(receipt.topic[1] - '0', b->topics[receipt.number]);
            assert_ptr_equal(receipt.tag, (void *)(uintptr_t)receipt.number);
            if (receipt.status != FOB_OK)
                snprintf(b->text, sizeof b->text, "%s", receipt.text);
            else
                assert_string_equal(receipt.level, "disk");
            count--;
        }
        assert_int_equal(count, 0);
    }
}

static fob_status_t offer(bench_t *b, unsigned topic, int64_t deadline, bool id) {
    char name[] = {'t', (char)('0' + topic), 0}, ident[32];
    uint64_t serial = b->offered + 1, number = 0;
    snprintf(ident, sizeof ident, "id-%u", (unsigned)serial);
    fob_envelope_t event = {.topic = fob_slice_str(name),
                            .id = fob_slice_str(id ? ident : NULL),
                            .data = fob_slice(&serial, sizeof serial)};
    fob_status_t status =
        fob_session_offer(b->session, &event, deadline, (void *)(uintptr_t)serial, &number);
    if (status != FOB_OK)
        return status;
    assert_int_equal(number, serial);
    b->offered = serial;
    b->topics[serial] = (uint8_t)topic;
    return FOB_OK;
}

static void offer_ok(bench_t *b, unsigned topic) {
    assert_int_equal(offer(b, topic, b->now.mono_ns + 30 * FOB_SEC, false), FOB_OK);
}

static void connect(bench_t *b) {
    fob_wire_t welcome;
    model_welcome(&welcome, model_bus_last(b->bus), b->window);
    b->up = true;
    fob_session_up(b->session, b->now, &welcome);
}

static void disconnect(bench_t *b) {
    wires_cut(b);
    b->up = false;
    fob_session_down(b->session, b->now, FOB_UNREACHABLE, "tcp://a:1: the connection was lost");
}

/* What the shell does when a new session is wanted. */
static void renew_if_wanted(bench_t *b) {
    if (!fob_session_renewal(b->session))
        return;
    disconnect(b);
    model_bus_forget(b->bus); /* a new secret: a session that the bus does not know */
}

/* One message from the session to the wire. */
static bool send_one(bench_t *b) {
    fob_slice_t header;
    fob_blob_t *body;
    if (!b->up || b->bus_end - b->bus_first == QUEUE ||
        !fob_session_output(b->session, b->now, &header, &body))
        return false;
    b->to_bus[b->bus_end++ % QUEUE] = (message_t){copied(header), copied(fob_blob_slice(body))};
    fob_blob_unref(&body);
    return true;
}

static bool bus_takes_one(bench_t *b) {
    if (b->bus_first == b->bus_end || b->client_end - b->client_first == QUEUE)
        return false;
    message_t *message = &b->to_bus[b->bus_first++ % QUEUE];
    fob_wire_t msg, receipt = {.verb = FOB_VERB_RECEIPT};
    fob_buf_t out = {0}, runs = {0};
    assert_int_equal(fob_wire_read(message->header, &msg), FOB_OK);
    model_bus_publish(b->bus, &msg, message->body, &runs);
    FOB_SET(&receipt, runs, fob_buf_slice(&runs));
    assert_int_equal(fob_wire_write(&out, &receipt), FOB_OK);
    b->to_client[b->client_end++ % QUEUE] =
        (message_t){copied(fob_buf_slice(&out)), copied((fob_slice_t){0})};
    fob_buf_free(&runs);
    fob_buf_free(&out);
    message_free(message);
    return true;
}

static bool client_takes_one(bench_t *b) {
    if (b->client_first == b->client_end)
        return false;
    message_t *message = &b->to_client[b->client_first++ % QUEUE];
    fob_wire_t msg;
    assert_int_equal(fob_wire_read(message->header, &msg), FOB_OK);
    fob_session_input(b->session, b->now, &msg);
    message_free(message);
    receipts_read(b);
    renew_if_wanted(b);
    return true;
}

/* Lets everything flow until nothing moves. */
static void flow(bench_t *b) {
    bool moved = true;
    while (moved) {
        moved = false;
        fob_session_tick(b->session, b->now);
        receipts_read(b);
        while (send_one(b))
            moved = true;
        while (bus_takes_one(b))
            moved = true;
        while (client_takes_one(b))
            moved = true;
    }
}

static void pass(bench_t *b, int64_t ns) {
    b->now.mono_ns += ns;
    flow(b);
}

static void check_stored_once_and_in_order(bench_t *b, bool once) {
    uint64_t last[MODEL_TOPICS] = {0};
    uint8_t *seen = calloc(b->offered + 1, 1);
    for (uint64_t i = 0; i < b->bus->head; i++) {
        const model_event_t *event = &b->bus->stored[i];
        assert_true(event->serial >= 1 && event->serial <= b->offered);
        assert_int_equal(event->topic, b->topics[event->serial]);
        if (once && (seen[event->serial] || event->serial <= last[event->topic]))
            fail_msg("seed %u: event %u of t%u is stored after %u", (unsigned)seed_now,
                     (unsigned)event->serial, event->topic, (unsigned)last[event->topic]);
        seen[event->serial]++;
        last[event->topic] = event->serial;
    }
    for (uint64_t n = 1; n <= b->offered; n++) {
        if (b->outcome[n] != FOB_OK || b->told[n] != 1)
            continue;
        assert_true(seen[n] >= 1);
        assert_true(b->offset[n] >= 1 && b->offset[n] <= b->bus->head);
        assert_int_equal(b->bus->stored[b->offset[n] - 1].serial, n);
    }
    free(seen);
}

static void check_each_has_one_receipt(bench_t *b) {
    for (uint64_t n = 1; n <= b->offered; n++)
        assert_int_equal(b->told[n], 1);
    assert_int_equal(b->receipts.owed, 0);
    assert_true(fob_session_done_below(b->session, b->offered + 1));
}

/* --- scripted --- */

static void an_event_is_sent_at_once_and_gets_its_receipt(void **state) {
    (void)state;
    bench_t *b = bench_new(1024);
    connect(b);
    offer_ok(b, 0);
    assert_false(fob_session_done_below(b->session, 2));
    flow(b);
    assert_int_equal(b->told[1], 1);
    assert_int_equal(b->outcome[1], FOB_OK);
    assert_int_equal(b->offset[1], 1);
    check_each_has_one_receipt(b);
    bench_free(b);
}

static void what_is_offered_meanwhile_goes_as_one_message(void **state) {
    (void)state;
    bench_t *b = bench_new(1024);
    for (int i = 0; i < 500; i++)
        offer_ok(b, (unsigned)i % 3);
    connect(b);
    flow(b);
    check_each_has_one_receipt(b);
    check_stored_once_and_in_order(b, true);
    assert_true(b->bus->publishes <= 8); /* the first batch is small, then they grow */
    bench_free(b);
}

static void the_window_bounds_what_has_no_receipt(void **state) {
    (void)state;
    bench_t *b = bench_new(100);
    connect(b);
    for (int i = 0; i < 100; i++)
        offer_ok(b, 0);
    assert_int_equal(offer(b, 0, FOB_NEVER, false), FOB_AGAIN);
    flow(b);
    offer_ok(b, 0);
    flow(b);
    check_each_has_one_receipt(b);
    bench_free(b);
}

static void the_windows_of_a_smaller_bus_is_kept_too(void **state) {
    (void)state;
    bench_t *b = bench_new(1000);
    b->window = 10;
    connect(b);
    for (int i = 0; i < 200; i++)
        offer_ok(b, 0);
    while (send_one(b))
        ;
    uint64_t sent = 0;
    for (unsigned i = b->bus_first; i < b->bus_end; i++) {
        fob_cursor_t cursor = fob_cursor(b->to_bus[i].body);
        fob_slice_t topic, bytes;
        while (!fob_cursor_end(&cursor) && fob_envelope_skim(&cursor, &topic, &bytes))
            sent++;
    }
    assert_int_equal(sent, 10);
    flow(b);
    check_each_has_one_receipt(b);
    bench_free(b);
}

static void a_flood_grows_its_batches_while_answers_are_awaited(void **state) {
    (void)state;
    bench_t *b = bench_new(1024);
    connect(b);
    unsigned messages = 0;
    for (int i = 0; i < 1024; i++) {
        offer_ok(b, 0);
        while (send_one(b))
            messages++;
    }
    assert_true(fob_session_deadline(b->session) > b->now.mono_ns);
    /* Half the window one by one, the other half in a few messages. */
    assert_in_range(messages, 500, 530);
    flow(b);
    check_each_has_one_receipt(b);
    bench_free(b);
}

static void what_has_no_receipt_is_sent_again_under_its_number(void **state) {
    (void)state;
    bench_t *b = bench_new(1024);
    connect(b);
    for (int i = 0; i < 10; i++) {
        offer_ok(b, 0);
        send_one(b);
    }
    for (int i = 0; i < 5; i++)
        bus_takes_one(b); /* stored, but the answers are lost */
    disconnect(b);
    for (int i = 0; i < 5; i++)
        offer_ok(b, 0);
    connect(b);
    flow(b);
    check_each_has_one_receipt(b);
    check_stored_once_and_in_order(b, true);
    assert_int_equal(b->bus->head, 15);
    bench_free(b);
}

static void a_busy_topic_waits_and_the_others_flow(void **state) {
    (void)state;
    bench_t *b = bench_new(1024);
    connect(b);
    b->bus->busy[0] = true;
    for (int i = 0; i < 30; i++)
        offer_ok(b, (unsigned)i % 3);
    flow(b);
    assert_int_equal(b->bus->head, 20);
    for (int i = 0; i < 30; i++)
        offer_ok(b, (unsigned)i % 3);
    unsigned publishes = b->bus->publishes;
    flow(b);
    assert_int_equal(b->bus->head, 40);
    assert_true(b->bus->publishes > publishes);
    b->bus->busy[0] = false;
    pass(b, 900 * FOB_MS); /* BUSY named no time: a second */
    assert_int_equal(b->bus->head, 40);
    pass(b, 200 * FOB_MS);
    assert_int_equal(b->bus->head, 60);
    check_each_has_one_receipt(b);
    check_stored_once_and_in_order(b, true);
    bench_free(b);
}

static void a_busy_event_past_its_deadline_says_busy_and_uses_up_its_number(void **state) {
    (void)state;
    bench_t *b = bench_new(1024);
    connect(b);
    b->bus->busy[1] = true;
    assert_int_equal(offer(b, 1, b->now.mono_ns + 500 * FOB_MS, false), FOB_OK);
    offer_ok(b, 0);
    flow(b);
    assert_int_equal(b->outcome[2], FOB_OK);
    pass(b, 600 * FOB_MS);
    assert_int_equal(b->told[1], 1);
    assert_int_equal(b->outcome[1], FOB_BUSY);
    b->bus->busy[1] = false;
    for (int i = 0; i < 10; i++)
        offer_ok(b, 1);
    for (int i = 0; i < 20; i++)
        pass(b, 500 * FOB_MS);
    check_each_has_one_receipt(b);
    assert_int_equal(b->bus->voids, 1);
    assert_int_equal(b->bus->head, 11); /* all but the one taken out */
    check_stored_once_and_in_order(b, true);
    bench_free(b);
}

static void a_full_disk_holds_everything_until_there_is_room(void **state) {
    (void)state;
    bench_t *b = bench_new(1024);
    connect(b);
    offer_ok(b, 0);
    flow(b);
    b->bus->full = true;
    for (int i = 0; i < 20; i++)
        offer_ok(b, (unsigned)i % 4);
    flow(b);
    for (int i = 0; i < 10; i++) {
        offer_ok(b, (unsigned)i % 4);
        pass(b, FOB_SEC);
    }
    assert_int_equal(b->bus->head, 1);
    b->bus->full = false;
    pass(b, 6 * FOB_SEC);
    check_each_has_one_receipt(b);
    check_stored_once_and_in_order(b, true);
    assert_int_equal(b->bus->head, 31);
    bench_free(b);
}

static void a_full_disk_is_named_when_the_deadline_passes(void **state) {
    (void)state;
    bench_t *b = bench_new(1024);
    connect(b);
    b->bus->full = true;
    offer_ok(b, 0);
    flow(b);
    pass(b, 31 * FOB_SEC);
    assert_int_equal(b->outcome[1], FOB_DISK_FULL);
    bench_free(b);
}

static void a_bus_that_is_never_reached_fails_events_after_the_connect_timeout(void **state) {
    (void)state;
    bench_t *b = bench_new(1024);
    offer_ok(b, 0);
    fob_session_down(b->session, b->now, FOB_UNREACHABLE, "tcp://a:1: connection refused");
    pass(b, 2 * FOB_SEC);
    assert_int_equal(b->told[1], 0);
    assert_int_equal(fob_session_deadline(b->session), b->now.mono_ns + FOB_SEC);
    pass(b, FOB_SEC);
    assert_int_equal(b->outcome[1], FOB_UNREACHABLE);
    assert_string_equal(b->text, "tcp://a:1: connection refused");
    offer_ok(b, 0); /* later ones fail as quickly, until the bus is there */
    pass(b, FOB_MS);
    assert_int_equal(b->outcome[2], FOB_UNREACHABLE);
    connect(b);
    offer_ok(b, 0);
    flow(b);
    assert_int_equal(b->outcome[3], FOB_OK);
    check_each_has_one_receipt(b);
    bench_free(b);
}

static void an_event_never_sent_leaves_no_trace_at_its_deadline(void **state) {
    (void)state;
    bench_t *b = bench_new(1024);
    connect(b);
    offer_ok(b, 0);
    flow(b);
    disconnect(b);
    for (int i = 0; i < 9; i++)
        assert_int_equal(offer(b, 0, b->now.mono_ns + (i % 3 == 1 ? 1 : 60) * FOB_SEC, false),
                         FOB_OK);
    pass(b, 2 * FOB_SEC);
    assert_int_equal(b->outcome[3], FOB_UNREACHABLE);
    connect(b);
    flow(b);
    check_each_has_one_receipt(b);
    check_stored_once_and_in_order(b, true);
    assert_int_equal(b->bus->head, 7);
    assert_int_equal(b->bus->voids, 0);
    bench_free(b);
}

static void an_event_sent_and_past_its_deadline_is_not_stored_later(void **state) {
    (void)state;
    bench_t *b = bench_new(1024);
    connect(b);
    for (int i = 0; i < 5; i++)
        assert_int_equal(offer(b, 0, b->now.mono_ns + (i == 2 ? 1 : 60) * FOB_SEC, false), FOB_OK);
    while (send_one(b))
        ;
    disconnect(b); /* all of it lost on the way */
    pass(b, 2 * FOB_SEC);
    assert_int_equal(b->outcome[3], FOB_UNREACHABLE);
    connect(b);
    flow(b);
    check_each_has_one_receipt(b);
    assert_int_equal(b->bus->head, 4);
    assert_int_equal(b->bus->voids, 1);
    check_stored_once_and_in_order(b, true);
    bench_free(b);
}

static void a_late_answer_after_the_deadline_gives_no_second_receipt(void **state) {
    (void)state;
    bench_t *b = bench_new(1024);
    connect(b);
    assert_int_equal(offer(b, 0, b->now.mono_ns + FOB_SEC, false), FOB_OK);
    while (send_one(b))
        ;
    b->now.mono_ns += 2 * FOB_SEC;
    fob_session_tick(b->session, b->now);
    receipts_read(b);
    assert_int_equal(b->outcome[1], FOB_DEADLINE);
    assert_non_null(strstr(b->text, "may or may not"));
    flow(b);
    check_each_has_one_receipt(b);
    bench_free(b);
}

static void a_lost_message_is_answered_with_gap_and_sent_again(void **state) {
    (void)state;
    bench_t *b = bench_new(1024);
    connect(b);
    offer_ok(b, 0);
    flow(b);
    for (int i = 0; i < 6; i++) {
        offer_ok(b, 0);
        send_one(b);
    }
    message_free(&b->to_bus[b->bus_first++ % QUEUE]);
    bus_takes_one(b);
    assert_int_equal(b->bus->gaps, 1);
    for (int i = 0; i < 5; i++)
        pass(b, 100 * FOB_MS);
    check_each_has_one_receipt(b);
    check_stored_once_and_in_order(b, true);
    assert_int_equal(b->bus->head, 7);
    bench_free(b);
}

static void a_forgotten_session_sends_again_what_has_an_id_and_reports_the_rest(void **state) {
    (void)state;
    bench_t *b = bench_new(1024);
    connect(b);
    offer_ok(b, 0);
    flow(b);
    for (int i = 0; i < 4; i++)
        assert_int_equal(offer(b, 0, FOB_NEVER, i % 2 == 0), FOB_OK);
    while (send_one(b))
        ;
    disconnect(b);
    offer_ok(b, 0); /* never sent: no doubt about it */
    model_bus_forget(b->bus);
    connect(b);
    renew_if_wanted(b);
    assert_false(b->up);
    connect(b);
    flow(b);
    check_each_has_one_receipt(b);
    assert_int_equal(b->outcome[2], FOB_OK);
    assert_int_equal(b->outcome[3], FOB_UNKNOWN_OUTCOME);
    assert_int_equal(b->outcome[4], FOB_OK);
    assert_int_equal(b->outcome[5], FOB_UNKNOWN_OUTCOME);
    assert_int_equal(b->outcome[6], FOB_OK);
    assert_int_equal(b->bus->head, 4);
    bench_free(b);
}

static void a_forgotten_answer_begins_a_new_session_too(void **state) {
    (void)state;
    bench_t *b = bench_new(1024);
    connect(b);
    for (int i = 0; i < 4; i++) {
        offer_ok(b, 0);
        send_one(b);
    }
    /* Nothing was ever confirmed, so WELCOME tells nothing; the second message of this connection
     * meets a bus that has lost all. */
    bus_takes_one(b);
    b->client_first = 0;
    client_takes_one(b);
    model_bus_forget(b->bus);
    fob_wire_t receipt = {.verb = FOB_VERB_RECEIPT};
    fob_buf_t runs = {0};
    const uint64_t at[] = {FOB_FORGOTTEN, 2, 3, 0, 0};
    fob_pack_array(&runs, 1);
    fob_run_write(&runs, at, 5);
    FOB_SET(&receipt, runs, fob_buf_slice(&runs));
    fob_session_input(b->session, b->now, &receipt);
    fob_buf_free(&runs);
    renew_if_wanted(b);
    assert_false(b->up);
    connect(b);
    flow(b);
    check_each_has_one_receipt(b); /* sent on this connection only: no doubt, all sent again */
    for (int n = 1; n <= 4; n++)
        assert_int_equal(b->outcome[n], FOB_OK);
    bench_free(b);
}

static void closing_gives_every_event_its_receipt(void **state) {
    (void)state;
    bench_t *b = bench_new(1024);
    connect(b);
    for (int i = 0; i < 50; i++)
        offer_ok(b, 0);
    send_one(b);
    fob_session_close(b->session);
    receipts_read(b);
    check_each_has_one_receipt(b);
    assert_int_equal(b->outcome[50], FOB_CLOSED);
    assert_int_equal(offer(b, 0, FOB_NEVER, false), FOB_CLOSED);
    bench_free(b);
}

static void an_event_for_which_the_bus_is_too_small_is_refused_when_that_is_known(void **state) {
    (void)state;
    bench_t *b = bench_new(16);
    uint8_t *large = calloc(1, 3000000);
    fob_envelope_t event = {.topic = fob_slice_str("t0"), .data = fob_slice(large, 3000000)};
    uint64_t number;
    assert_int_equal(fob_session_offer(b->session, &event, FOB_NEVER, (void *)1, &number), FOB_OK);
    b->offered = 1;
    connect(b);
    flow(b);
    assert_int_equal(b->outcome[1], FOB_TOO_LARGE);
    assert_int_equal(fob_session_offer(b->session, &event, FOB_NEVER, NULL, &number),
                     FOB_TOO_LARGE);
    event.data.size = 1000001;
    assert_int_equal(fob_session_offer(b->session, &event, FOB_NEVER, NULL, &number),
                     FOB_TOO_LARGE);
    event = (fob_envelope_t){.topic = fob_slice_str("no topic")};
    assert_int_equal(fob_session_offer(b->session, &event, FOB_NEVER, NULL, &number),
                     FOB_BAD_TOPIC);
    offer_ok(b, 1);
    flow(b);
    check_each_has_one_receipt(b);
    free(large);
    bench_free(b);
}

/* --- seeded --- */

static uint64_t rng_state;
static unsigned rnd(unsigned below) {
    rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(rng_state >> 33) % below;
}

typedef struct {
    bool busy, full, deadlines, forget;
} weather_t;

static void random_act(bench_t *b, const weather_t *weather) {
    switch (rnd(12)) {
    case 0:
    case 1:
    case 2:
        for (unsigned i = rnd(40); i > 0; i--) {
            int64_t life = weather->deadlines && rnd(10) == 0 ? rnd(3000) * FOB_MS : 600 * FOB_SEC;
            if (b->offered + 1 < MAX_EVENTS)
                (void)!offer(b, rnd(MODEL_TOPICS), b->now.mono_ns + life, rnd(2));
        }
        break;
    case 3:
    case 4:
        for (unsigned i = rnd(8); i > 0; i--)
            send_one(b);
        break;
    case 5:
    case 6:
        for (unsigned i = rnd(8); i > 0; i--)
            bus_takes_one(b);
        break;
    case 7:
    case 8:
        for (unsigned i = rnd(8); i > 0; i--)
            client_takes_one(b);
        break;
    case 9:
        b->now.mono_ns += (int64_t)rnd(400) * FOB_MS;
        fob_session_tick(b->session, b->now);
        receipts_read(b);
        break;
    case 10:
        if (weather->busy)
            b->bus->busy[rnd(MODEL_TOPICS)] = rnd(3) == 0;
        if (weather->full)
            b->bus->full = rnd(6) == 0;
        break;
    default:
        if (b->up && rnd(4) == 0)
            disconnect(b);
        else if (!b->up)
            connect(b);
        if (weather->forget && !b->up && rnd(3) == 0)
            model_bus_forget(b->bus);
        renew_if_wanted(b);
        break;
    }
}

static void run_seeded(uint64_t seed, const weather_t *weather) {
    seed_now = seed;
    rng_state = seed * 0x9e3779b97f4a7c15u + 1;
    bench_t *b = bench_new(1 + rnd(300));
    b->window = 1 + rnd(400);
    connect(b);
    for (int i = 0; i < 3000; i++)
        random_act(b, weather);
    memset(b->bus->busy, 0, sizeof b->bus->busy);
    b->bus->full = false;
    for (int i = 0; i < 400 && b->receipts.owed; i++) {
        if (!b->up)
            connect(b);
        renew_if_wanted(b);
        pass(b, 200 * FOB_MS);
    }
    if (b->receipts.owed)
        fail_msg("seed %u: %u events without receipt", (unsigned)seed, (unsigned)b->receipts.owed);
    check_each_has_one_receipt(b);
    check_stored_once_and_in_order(b, !weather->forget);
    for (uint64_t n = 1; n <= b->offered; n++)
        if (!weather->deadlines && !weather->forget)
            assert_int_equal(b->outcome[n], FOB_OK);
    bench_free(b);
}

static void run_seeds(const weather_t *weather) {
    for (uint64_t seed = 1; seed <= 150; seed++)
        run_seeded(seed, weather);
}

static void over_lost_connections_each_event_is_stored_once_and_in_order(void **state) {
    (void)state;
    run_seeds(&(weather_t){0});
}

static void over_refusals_each_event_is_stored_once_and_in_order(void **state) {
    (void)state;
    run_seeds(&(weather_t){.busy = true});
    run_seeds(&(weather_t){.full = true});
    run_seeds(&(weather_t){.busy = true, .full = true});
}

static void over_deadlines_nothing_is_stored_twice_or_out_of_order(void **state) {
    (void)state;
    run_seeds(&(weather_t){.busy = true, .full = true, .deadlines = true});
}

static void over_forgotten_sessions_every_event_has_one_receipt(void **state) {
    (void)state;
    run_seeds(&(weather_t){.busy = true, .full = true, .deadlines = true, .forget = true});
}

FOB_MAIN(FOB_CASE(an_event_is_sent_at_once_and_gets_its_receipt),
         FOB_CASE(what_is_offered_meanwhile_goes_as_one_message),
         FOB_CASE(the_window_bounds_what_has_no_receipt),
         FOB_CASE(the_windows_of_a_smaller_bus_is_kept_too),
         FOB_CASE(a_flood_grows_its_batches_while_answers_are_awaited),
         FOB_CASE(what_has_no_receipt_is_sent_again_under_its_number),
         FOB_CASE(a_busy_topic_waits_and_the_others_flow),
         FOB_CASE(a_busy_event_past_its_deadline_says_busy_and_uses_up_its_number),
         FOB_CASE(a_full_disk_holds_everything_until_there_is_room),
         FOB_CASE(a_full_disk_is_named_when_the_deadline_passes),
         FOB_CASE(a_bus_that_is_never_reached_fails_events_after_the_connect_timeout),
         FOB_CASE(an_event_never_sent_leaves_no_trace_at_its_deadline),
         FOB_CASE(an_event_sent_and_past_its_deadline_is_not_stored_later),
         FOB_CASE(a_late_answer_after_the_deadline_gives_no_second_receipt),
         FOB_CASE(a_lost_message_is_answered_with_gap_and_sent_again),
         FOB_CASE(a_forgotten_session_sends_again_what_has_an_id_and_reports_the_rest),
         FOB_CASE(a_forgotten_answer_begins_a_new_session_too),
         FOB_CASE(closing_gives_every_event_its_receipt),
         FOB_CASE(an_event_for_which_the_bus_is_too_small_is_refused_when_that_is_known),
         FOB_CASE(over_lost_connections_each_event_is_stored_once_and_in_order),
         FOB_CASE(over_refusals_each_event_is_stored_once_and_in_order),
         FOB_CASE(over_deadlines_nothing_is_stored_twice_or_out_of_order),
         FOB_CASE(over_forgotten_sessions_every_event_has_one_receipt))
