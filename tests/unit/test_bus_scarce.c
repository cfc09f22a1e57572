/* What the bus is made of, each by itself, where memory is refused: it says so, loses nothing that
 * it had, and goes on once there is memory again. */
#include "tests/support/case.h"

#include "bus/core/core.h"
#include "bus/ledger/outbox.h"
#include "bus/report/warnings.h"
#include "bus/service/joins.h"
#include "bus/service/service.h"
#include "bus/sockets/router.h"
#include "bus/sockets/traffic.h"
#include "core_policy.h"
#include "scarce.h"

#include <fob/fob_bus.h>
#include <stdlib.h>
#include <zmq.h>

/* What is tried once more with memory. */
static void once_more(void) {
    scarce.watching = false;
}

/* --- the outbox --- */

#define TURNS 200

typedef struct {
    fob_turn_t turn;
    fob_record_t record;
    fob_effect_t effects[2];
} made_t;

static made_t turns[TURNS + 1];

/* Turn n: a receipt and a delivery, each to a connection of its own. */
static fob_turn_t *turn_of(uint64_t n) {
    made_t *made = &turns[n];
    *made = (made_t){.record = {.first_offset = n, .count = 1}};
    made->effects[0] = (fob_effect_t){.kind = FOB_EFF_RECEIPT, .conn = n, .after = n, .seq = n};
    made->effects[1] = (fob_effect_t){.kind = FOB_EFF_DELIVER, .conn = 2 * n, .seq = n};
    made->turn = (fob_turn_t){.position = n,
                              .records = &made->record,
                              .record_count = 1,
                              .bytes = 10,
                              .effects = made->effects,
                              .effect_count = 2};
    return &made->turn;
}

static void outbox(void *arg) {
    uint64_t out = 0, back = 0;
    (void)arg;
    scarce.watching = true;
    fob_outbox_t *self = fob_outbox_new(0, 0);
    if (!self) {
        once_more();
        self = fob_outbox_new(0, 0);
    }
    for (uint64_t n = 1; n <= TURNS; n++) {
        bool put = fob_outbox_put(self, turn_of(n));
        if (!put) { /* the caller still owns it */
            assert_true(scarce.failed > 0);
            once_more();
            assert_true(fob_outbox_put(self, &turns[n].turn));
        }
        if (n % 100 == 0)
            fob_outbox_durable(self, n - 10);
    }
    scarce.watching = false;
    fob_outbox_durable(self, TURNS);
    while (fob_outbox_next(self))
        out++;
    while (fob_outbox_done(self))
        back++;
    assert_int_equal(out, 2 * TURNS);
    assert_int_equal(back, TURNS);
    assert_int_equal(fob_outbox_bytes(self), 0);
    fob_outbox_destroy(&self);
}

static void an_outbox_takes_a_turn_or_leaves_it(void **state) {
    (void)state;
    scarce_each("bus: outbox", 200, outbox, NULL);
}

/* --- the router --- */

#define BIG 100000

static void *context;
static uint64_t ended;

static void on_gone(void *arg, uint64_t conn) {
    (void)arg, (void)conn;
    ended++;
}

static void *open_socket(int type) {
    int few = 1, must = 1, none = 0;
    void *socket = zmq_socket(context, type);
    assert_non_null(socket);
    zmq_setsockopt(socket, ZMQ_SNDHWM, &few, sizeof few);
    zmq_setsockopt(socket, ZMQ_RCVHWM, &few, sizeof few);
    zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none);
    if (type == ZMQ_ROUTER)
        zmq_setsockopt(socket, ZMQ_ROUTER_MANDATORY, &must, sizeof must);
    return socket;
}

/* A large message comes in: its body is kept, or it is said that it could not be. */
static void receive(fob_router_t *router, void *client, uint8_t *route) {
    static uint8_t bytes[BIG];
    fob_mail_t mail;
    assert_int_equal(zmq_send(client, "hello", 5, ZMQ_SNDMORE), 5);
    assert_int_equal(zmq_send(client, bytes, BIG, 0), BIG);
    assert_true(fob_router_receive(router, &mail));
    assert_int_equal(mail.frames, 2);
    assert_int_equal(mail.failed, mail.body == NULL);
    assert_true(mail.body || scarce.failed > 0);
    memcpy(route, mail.route.data, FOB_ROUTE_SIZE);
    fob_blob_unref(&mail.body);
}

static void routed(void *arg) {
    uint8_t route[FOB_ROUTE_SIZE];
    uint64_t sent = 0, got = 0, last = 0, number;
    int events;
    size_t size = sizeof events;
    (void)arg;
    void *socket = open_socket(ZMQ_ROUTER), *client = open_socket(ZMQ_DEALER);
    static unsigned number_of;
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "inproc://scarce-%u", ++number_of);
    assert_int_equal(zmq_bind(socket, endpoint), 0);
    assert_int_equal(zmq_connect(client, endpoint), 0);
    scarce.watching = true;
    fob_router_t *router = fob_router_new(socket);
    if (!router) {
        once_more();
        router = fob_router_new(socket);
    }
    receive(router, client, route);
    for (uint64_t n = 1; n <= 20; n++) {
        fob_body_t body = {.blob = fob_blob_copy(fob_slice(&n, sizeof n)), .size = sizeof n};
        if (!body.blob)
            continue;
        fob_send_t how = fob_router_send(router, 200, fob_slice(route, sizeof route),
                                         fob_slice(&n, sizeof n), body);
        assert_true(how == FOB_SEND_DONE || (how == FOB_SEND_MEMORY && scarce.failed > 0));
        sent += how == FOB_SEND_DONE;
    }
    scarce.watching = false;
    ended = 0;
    for (int i = 0; i < 100; i++) {
        int more = zmq_recv(client, &number, sizeof number, ZMQ_DONTWAIT);
        zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size); /* it sees that there is room */
        fob_router_retry(router, on_gone, NULL);
        if (more < 0)
            continue;
        assert_true(number > last); /* in order, none twice */
        last = number;
        got++;
        assert_int_equal(zmq_recv(client, &number, sizeof number, 0), sizeof number);
    }
    assert_int_equal(got, sent);
    assert_int_equal(ended, 0);
    assert_false(fob_router_waits(router));
    fob_router_destroy(&router, 0);
    zmq_close(client);
}

static void a_router_keeps_what_waits_or_says_that_it_cannot(void **state) {
    (void)state;
    context = zmq_ctx_new();
    scarce_each("bus: router", 20, routed, NULL);
    zmq_ctx_term(context);
}

/* --- tables --- */

static fob_slice_t name_of(char *text, uint64_t n) {
    return fob_slice(text, (size_t)sprintf(text, "a-group-with-a-long-name-%u", (unsigned)n));
}

static void joins(void *arg) {
    char text[64];
    uint8_t name[255];
    (void)arg;
    scarce.watching = true;
    fob_joins_t *self = fob_joins_new();
    if (!self) {
        once_more();
        self = fob_joins_new();
    }
    for (uint64_t n = 0; n < 200; n++) {
        fob_status_t status = fob_joins_add(self, n % 2 ? 1 : 100, name_of(text, n));
        if (status == FOB_OK)
            continue;
        assert_int_equal(status, FOB_NO_MEMORY);
        assert_true(scarce.failed > 0);
        once_more(); /* with memory it can be joined */
        assert_int_equal(fob_joins_add(self, n % 2 ? 1 : 100, name_of(text, n)), FOB_OK);
    }
    scarce.watching = false;
    for (uint64_t conn = 1; conn <= 100; conn += 99) {
        size_t count = 0, at = 0;
        uint64_t sent;
        while (fob_joins_next(self, conn, &at, name, &sent))
            count++;
        assert_int_equal(count, 100);
    }
    fob_joins_destroy(&self);
}

static void who_joined_what_is_known_or_not_joined(void **state) {
    (void)state;
    scarce_each("bus: joins", 10, joins, NULL);
}

/* A line may come twice, none is left out. */
static void warnings(void *arg) {
    fob_warnings_t self = {.count = 0};
    char text[64], line[2048];
    (void)arg;
    scarce.watching = true;
    for (unsigned round = 0; round < 2; round++) {
        for (uint64_t n = 0; n < 40; n++) {
            fob_group_stats_t group = {.group = name_of(text, n), .ready = 90};
            group.policy.max_depth = 100;
            group.policy.max_bytes = INT64_MAX;
            bool said = fob_warnings_group(&self, &group, line, sizeof line);
            assert_true(said || round > 0);
            assert_true(!said || round == 0 || scarce.failed > 0);
        }
    }
    scarce.watching = false;
    fob_warnings_free(&self);
}

static void a_warning_may_come_twice_and_is_never_left_out(void **state) {
    (void)state;
    scarce_each("bus: warnings", 40, warnings, NULL);
}

static void traffic(void *arg) {
    fob_traffic_stats_t stats;
    char text[64];
    size_t held = 0;
    (void)arg;
    scarce.watching = true;
    fob_traffic_t *self = fob_traffic_new(NULL, NULL, "test");
    if (!self) {
        once_more();
        self = fob_traffic_new(NULL, NULL, "test");
    }
    for (uint32_t fd = 10; fd < 300; fd += 30) {
        fob_traffic_event(self, ZMQ_EVENT_ACCEPTED, fd);
        for (uint64_t n = 0; n < 20; n++) {
            fob_status_t status = fob_traffic_subscribe(self, (int)fd, name_of(text, n), 1);
            assert_true(status == FOB_OK || (status == FOB_NO_MEMORY && scarce.failed > 0));
            held += status == FOB_OK;
        }
        bool watching = scarce.watching;
        scarce.watching = false;
        assert_int_equal(fob_traffic_held(self, (int)fd), held);
        scarce.watching = watching;
        held = 0;
    }
    scarce.watching = false;
    fob_traffic_stats(self, &stats);
    assert_int_equal(stats.open, 10);
    assert_int_equal(stats.accepted, 10);
    fob_traffic_destroy(&self);
}

static void a_subscription_is_held_or_refused(void **state) {
    (void)state;
    scarce_each("bus: traffic, subscriptions", 20, traffic, NULL);
}

/* --- all of it --- */

static void on_log(void *arg, const char *line) {
    (void)arg, (void)line;
}

static const fob_core_config_t config = {.max_event = 1000,
                                         .max_groups = 10,
                                         .max_sessions = 10,
                                         .session_keep_ms = 3600000,
                                         .cache_bytes = 1000,
                                         .page_bytes = 500,
                                         .mark_block = 4,
                                         .policy = CORE_POLICY(10, 100),
                                         .dedup_max = 100,
                                         .dedup_window_ms = 3600000};

/* The ledger and the service around it. */
static void made(void *arg) {
    static const fob_service_ops_t doors = {.send = NULL};
    static const fob_house_t house = {.max_event = 1000};
    char text[512];
    fob_status_t status = FOB_OK;
    (void)arg;
    scarce.watching = true;
    fob_journal_t *journal = fob_journal_memory_new(1 << 20, 1 << 20, 1000);
    fob_ledger_t *ledger = journal ? fob_ledger_new(journal, &config, (fob_now_t){1, 1}, on_log,
                                                    NULL, &status, text, sizeof text)
                                   : NULL;
    if (journal && !ledger)
        assert_int_equal(status, FOB_NO_MEMORY);
    fob_service_t *service = ledger
                                 ? fob_service_new(&(fob_service_options_t){.ledger = ledger,
                                                                            .house = &house,
                                                                            .max_connections = 1000,
                                                                            .max_disk = 1 << 20,
                                                                            .ops = &doors})
                                 : NULL;
    scarce.watching = false;
    assert_true(service || scarce.failed > 0);
    fob_service_destroy(&service);
    fob_ledger_destroy(&ledger);
}

static void a_service_is_made_or_nothing_is_left(void **state) {
    (void)state;
    scarce_each("bus: ledger, service", 16, made, NULL);
}

/* More records in one turn than there is room for from the start: the journal has all of them, or
 * the ledger says that there is no memory, which ends the bus. */
#define RECORDS 600u

static fob_status_t ask_for_much(fob_ledger_t *ledger) {
    const fob_now_t now = {1, 1};
    char name[16];
    for (unsigned i = 0; i < RECORDS; i++) {
        snprintf(name, sizeof name, "g%u", i);
        const fob_command_t command = {
            .kind = FOB_CMD_GROUP_ADD,
            .conn = 1,
            .admin = {.group = fob_slice_str(name), .pattern = fob_slice_str("a")}};
        while (fob_ledger_step(ledger, now, &command) != FOB_OK)
            assert_true(scarce.failed > 0); /* told again: the one before may have been lost */
    }
    scarce.watching = true;
    fob_status_t status = fob_ledger_turn(ledger, now);
    scarce.watching = false;
    return status;
}

static void much(void *arg) {
    char text[512];
    fob_status_t status;
    fob_journal_stats_t stats;
    fob_core_config_t many = config;
    (void)arg;
    many.max_groups = RECORDS;
    fob_journal_t *journal = fob_journal_memory_new(1 << 24, 1 << 24, 1000);
    fob_ledger_t *ledger =
        fob_ledger_new(journal, &many, (fob_now_t){1, 1}, on_log, NULL, &status, text, sizeof text);
    assert_non_null(ledger);
    status = ask_for_much(ledger);
    journal->ops->stats(journal, &stats);
    if (status == FOB_OK) {
        assert_int_equal(stats.last_position, 1);
        assert_int_equal(fob_core_group_count(fob_ledger_core(ledger)), RECORDS);
        assert_int_equal(fob_ledger_news(ledger, (fob_now_t){1, 1}, text, sizeof text),
                         scarce.failed ? FOB_DISK_FAILED : FOB_OK);
    } else {
        assert_int_equal(status, FOB_NO_MEMORY);
        assert_true(scarce.failed > 0);
    }
    fob_ledger_destroy(&ledger);
}

static void a_turn_of_many_records_is_written_or_there_is_no_memory(void **state) {
    (void)state;
    scarce_each("bus: a turn of many records", 2, much, NULL);
}

static void bus(void *arg) {
    fob_bus_options_t options = FOB_BUS_OPTIONS;
    const fob_bus_group_t group = {.name = "emails", .pattern = "order.*"};
    char text[512] = "";
    fob_status_t status;
    (void)arg;
    options.port = -1;
    options.groups = &group;
    options.group_count = 1;
    scarce.watching = true;
    fob_bus_t *self = fob_bus_new(&options, &status, text, sizeof text);
    scarce.watching = false;
    if (!self) {
        assert_true(scarce.failed > 0);
        assert_int_equal(status, FOB_NO_MEMORY);
        assert_true(text[0] != 0);
    }
    fob_bus_destroy(&self);
}

static void a_bus_starts_or_says_why_not(void **state) {
    (void)state;
    scarce_each("bus: start", 20, bus, NULL);
}

FOB_MAIN(FOB_CASE(an_outbox_takes_a_turn_or_leaves_it),
         FOB_CASE(a_router_keeps_what_waits_or_says_that_it_cannot),
         FOB_CASE(who_joined_what_is_known_or_not_joined),
         FOB_CASE(a_warning_may_come_twice_and_is_never_left_out),
         FOB_CASE(a_subscription_is_held_or_refused),
         FOB_CASE(a_service_is_made_or_nothing_is_left),
         FOB_CASE(a_turn_of_many_records_is_written_or_there_is_no_memory),
         FOB_CASE(a_bus_starts_or_says_why_not))
