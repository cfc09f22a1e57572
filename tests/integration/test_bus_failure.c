#include "tests/integration/bus_up.h"

#include "bus/broker.h"
#include "bus/host/clock.h"
#include "bus/sockets/ports.h"
#include "proto/handover.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <zmq.h>

/* A broker by itself, over a journal whose second append is its last: it fails as a disk would. */
typedef struct {
    fob_journal_t base;
    fob_journal_t *inner;
    int appends;
} failing_t;

static failing_t journal;
static fob_journal_ops_t failing_ops;

static uint64_t failing_append(fob_journal_t *self, const fob_entry_t *entries, size_t count,
                               bool sync) {
    (void)self;
    journal.appends++;
    return journal.inner->ops->append(journal.inner, entries, count, sync);
}
static uint64_t failing_durable(fob_journal_t *self) {
    (void)self;
    return journal.appends > 1 ? 1 : journal.inner->ops->durable(journal.inner);
}
static fob_journal_code_t failing_health(fob_journal_t *self, fob_journal_error_t *error) {
    (void)self;
    snprintf(error->text, sizeof error->text, "segment 1: write failed");
    return journal.appends > 1 ? FOB_JOURNAL_FAILED : FOB_JOURNAL_OK;
}
static fob_journal_code_t failing_replay(fob_journal_t *self, const fob_replay_t *to,
                                         fob_journal_error_t *error) {
    (void)self;
    return journal.inner->ops->replay(journal.inner, to, error);
}
static bool failing_reserve(fob_journal_t *self, size_t bytes) {
    (void)self;
    return journal.inner->ops->reserve(journal.inner, bytes);
}
static int failing_fd(fob_journal_t *self) {
    (void)self;
    return journal.inner->ops->fd(journal.inner);
}
static void failing_clear(fob_journal_t *self) {
    (void)self;
    journal.inner->ops->clear(journal.inner);
}
static fob_journal_code_t failing_page(fob_journal_t *self, fob_page_t *out) {
    (void)self;
    return journal.inner->ops->page(journal.inner, out);
}
static void failing_trim(fob_journal_t *self, uint64_t offset, int64_t now_ms) {
    (void)self, (void)offset, (void)now_ms;
}
static bool failing_due(fob_journal_t *self) {
    (void)self;
    return false;
}
static uint64_t failing_epoch(fob_journal_t *self) {
    (void)self;
    return 1;
}
static uint64_t failing_began(fob_journal_t *self, uint64_t epoch) {
    (void)self, (void)epoch;
    return 0;
}
static const char *failing_level(fob_journal_t *self) {
    (void)self;
    return "disk";
}
static void failing_stats(fob_journal_t *self, fob_journal_stats_t *out) {
    (void)self;
    journal.inner->ops->stats(journal.inner, out);
}
static void failing_close(fob_journal_t **self_p) {
    journal.inner->ops->close(&journal.inner);
    *self_p = NULL;
}

static void make_journal(void) {
    failing_ops = (fob_journal_ops_t){.append = failing_append,
                                      .durable = failing_durable,
                                      .health = failing_health,
                                      .replay = failing_replay,
                                      .reserve = failing_reserve,
                                      .fd = failing_fd,
                                      .clear = failing_clear,
                                      .page = failing_page,
                                      .trim = failing_trim,
                                      .checkpoint_due = failing_due,
                                      .epoch = failing_epoch,
                                      .began = failing_began,
                                      .level = failing_level,
                                      .stats = failing_stats,
                                      .close = failing_close};
    journal = (failing_t){.base = {&failing_ops},
                          .inner = fob_journal_memory_new(1 << 24, 1 << 20, 1000)};
    assert_non_null(journal.inner);
}

static atomic_int failures;
static char reason[256];

static void on_failed(void *arg, fob_status_t status, const char *text) {
    (void)arg;
    snprintf(reason, sizeof reason, "%s: %s", fob_status_name(status), text);
    failures++;
}

static fob_ledger_t *make_ledger(void) {
    fob_core_config_t config = {
        .max_event = 1000,
        .max_groups = 10,
        .max_sessions = 10,
        .session_keep_ms = 3600000,
        .resume_ms = 100,
        .cache_bytes = 1 << 20,
        .page_bytes = 4096,
        .mark_block = 100,
        .policy = {.max_depth = 1000000, .max_bytes = INT64_MAX, .max_attempts = 5}};
    char text[256];
    fob_status_t status;
    make_journal();
    fob_ledger_t *ledger = fob_ledger_new(&journal.base, &config, fob_clock_now(), NULL, NULL,
                                          &status, text, sizeof text);
    assert_non_null(ledger);
    return ledger;
}

static void a_failed_disk_stops_the_bus_and_no_receipt_lies(void **state) {
    (void)state;
    char text[256];
    fob_ports_t ports;
    fob_broadcast_t broadcast = {0};
    zsys_handler_set(NULL);
    failures = 0;
    void *zmq = zmq_ctx_new();
    assert_int_equal(fob_ports_open(&ports, zmq, "127.0.0.1", -1, 1 << 20, text, sizeof text),
                     FOB_OK);
    void *casts = zmq_socket(zmq, ZMQ_PAIR);
    broadcast.xsub_traffic = ports.xsub_traffic;
    broadcast.xpub_traffic = ports.xpub_traffic;
    fob_broker_options_t options = {.router = ports.router,
                                    .casts = casts,
                                    .traffic = ports.router_traffic,
                                    .broadcast = &broadcast,
                                    .ledger = make_ledger(),
                                    .max_connections = 10,
                                    .failed = on_failed,
                                    .house = {.level = "disk",
                                              .advertise = "",
                                              .heartbeat_ms = BUS_CALM,
                                              .max_batch = 1 << 19,
                                              .window = 100}};
    fob_broker_t *broker = fob_broker_new(&options);
    assert_non_null(broker);
    ports.router = NULL;
    ports.router_traffic = NULL;
    zactor_t *actor = zactor_new(fob_broker_actor, broker);
    assert_non_null(actor);

    dealer_t *dealer = dealer_new(ports.endpoint);
    dealer_greet(dealer, "publisher", 1);
    dealer_publish(dealer, 1, "order_placed", 1);
    dealer_receipts(dealer, 1, 1, FOB_OK);
    dealer_publish(dealer, 2, "order_placed", 1);
    const fob_wire_t *goodbye = dealer_expect(dealer, FOB_VERB_GOODBYE); /* and no receipt before */
    assert_true(goodbye->text.size > 0);
    assert_int_equal(failures, 1);
    dealer_publish(dealer, 2, "order_placed", 1);
    assert_null(dealer_next(dealer, 50)); /* nothing is served any more */

    zactor_destroy(&actor);
    assert_string_equal(reason, "DISK_FAILED: segment 1: write failed");
    dealer_destroy(&dealer);
    fob_broker_destroy(&broker);
    fob_ports_close(&ports);
    zmq_ctx_term(zmq);
}

/* A socket that is none: as polling never fails otherwise. */
static void a_broadcast_that_cannot_poll_says_so(void **state) {
    (void)state;
    static _Alignas(16) char no_socket[8192];
    char text[256];
    fob_ports_t ports;
    zsys_handler_set(NULL);
    void *zmq = zmq_ctx_new();
    assert_int_equal(fob_ports_open(&ports, zmq, "127.0.0.1", -1, 1 << 20, text, sizeof text),
                     FOB_OK);
    fob_broadcast_t broadcast = {.xsub = ports.xsub,
                                 .xpub = ports.xpub,
                                 .stored = no_socket,
                                 .xsub_traffic = ports.xsub_traffic,
                                 .xpub_traffic = ports.xpub_traffic,
                                 .failed = on_failed};
    ports.xsub = ports.xpub = NULL;
    ports.xsub_traffic = ports.xpub_traffic = NULL;
    failures = 0;
    zactor_t *actor = zactor_new(fob_broadcast_actor, &broadcast);
    assert_non_null(actor);
    zactor_destroy(&actor);
    fob_take_over(&broadcast.token);
    assert_int_equal(failures, 1);
    assert_non_null(strstr(reason, "INTERNAL: the broadcast cannot poll"));
    fob_ports_close(&ports);
    zmq_ctx_term(zmq);
}

FOB_MAIN(FOB_CASE(a_broadcast_that_cannot_poll_says_so),
         FOB_CASE(a_failed_disk_stops_the_bus_and_no_receipt_lies))
