#include "tests/integration/bus_up.h"

#include "tests/support/process.h"

#include <stdlib.h>
#include <unistd.h>

static char *folder;

static int make_folder(void **state) {
    (void)state;
    folder = process_folder();
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    process_folder_remove(&folder);
    return 0;
}

/* The resume window after a start is three of its beats, and so long does a silent client live. */
static fob_bus_t *bus_that_beats(int ms) {
    return bus_up_with((fob_bus_options_t){
        .data = folder, .heartbeat_ms = ms, .segment_bytes = 1 << 20, .sync = "os"});
}

static fob_bus_t *bus_here(void) {
    return bus_that_beats(BUS_CALM);
}

static dealer_t *client(fob_bus_t *bus, const char *role, uint8_t session) {
    dealer_t *dealer = dealer_new(fob_bus_endpoint(bus));
    dealer_greet(dealer, role, session);
    dealer_answer_beats(dealer); /* the resume window is as long as a silent client lives */
    return dealer;
}

static void a_restart_keeps_events_groups_and_books(void **state) {
    (void)state;
    uint64_t offset, token;
    fob_bus_t *bus = bus_here();
    dealer_t *publisher = client(bus, "publisher", 1);
    dealer_t *worker = client(bus, "worker", 2);
    dealer_join(worker, "emails", "order_placed", 4);
    dealer_publish(publisher, 1, "order_placed", 10);
    dealer_receipts(publisher, 1, 10, FOB_OK);
    dealer_deliveries(worker, 4, &offset, &token);
    dealer_settle(worker, "emails", 1, FOB_KIND_ACK, offset, 4, token);
    assert_int_equal(dealer_expect(worker, FOB_VERB_SETTLED)->refused.size, 0);
    dealer_destroy(&publisher);
    dealer_destroy(&worker);
    fob_bus_destroy(&bus);

    bus = bus_that_beats(pace_ms(1000)); /* what is not claimed is waited for */
    publisher = client(bus, "publisher", 1);
    assert_int_equal(dealer_figure(publisher, "emails", "accepted"), 10);
    assert_int_equal(dealer_figure(publisher, "emails", "acked"), 4);
    assert_int_equal(dealer_figure(publisher, "emails", "ready"), 6);
    worker = client(bus, "worker", 3);
    dealer_join(worker, "emails", "order_placed", 100);
    dealer_deliveries(worker, 6, &offset, &token);
    assert_int_equal(offset, 5);
    dealer_destroy(&publisher);
    dealer_destroy(&worker);
    fob_bus_destroy(&bus);
}

static void a_resend_after_a_restart_gets_the_first_receipt(void **state) {
    (void)state;
    fob_bus_t *bus = bus_here();
    dealer_t *publisher = client(bus, "publisher", 1);
    dealer_publish(publisher, 1, "order_placed", 5);
    assert_int_equal(dealer_receipts(publisher, 1, 5, FOB_OK), 1);
    dealer_destroy(&publisher);
    fob_bus_destroy(&bus);

    bus = bus_here();
    publisher = dealer_new(fob_bus_endpoint(bus));
    assert_int_equal(dealer_greet(publisher, "publisher", 1)->last, 5);
    dealer_publish(publisher, 1, "order_placed", 5);
    assert_int_equal(dealer_receipts(publisher, 1, 5, FOB_OK), 1);
    dealer_publish(publisher, 6, "order_placed", 1);
    assert_int_equal(dealer_receipts(publisher, 6, 1, FOB_OK), 6);
    assert_int_equal(dealer_figure(publisher, NULL, "events_in"), 1);
    dealer_destroy(&publisher);
    fob_bus_destroy(&bus);
}

static void the_epoch_holds_over_a_clean_restart(void **state) {
    (void)state;
    fob_bus_t *bus = bus_here();
    dealer_t *dealer = dealer_new(fob_bus_endpoint(bus));
    uint64_t epoch = dealer_greet(dealer, "admin", 0)->epoch;
    dealer_destroy(&dealer);
    fob_bus_destroy(&bus);
    bus = bus_here();
    dealer = dealer_new(fob_bus_endpoint(bus));
    assert_true(dealer_greet(dealer, "admin", 0)->epoch == epoch);
    dealer_destroy(&dealer);
    fob_bus_destroy(&bus);
}

static void a_lease_is_claimed_again_after_a_restart(void **state) {
    (void)state;
    uint64_t offset, token;
    fob_bus_t *bus = bus_here();
    dealer_t *publisher = client(bus, "publisher", 1);
    dealer_t *worker = client(bus, "worker", 2);
    dealer_join(worker, "emails", "order_placed", 10);
    dealer_publish(publisher, 1, "order_placed", 3);
    dealer_receipts(publisher, 1, 3, FOB_OK);
    dealer_deliveries(worker, 3, &offset, &token);
    dealer_destroy(&publisher);
    dealer_destroy(&worker);
    fob_bus_destroy(&bus);

    bus = bus_here();
    worker = client(bus, "worker", 2);
    fob_buf_t claims = {0};
    uint64_t row[] = {offset, 3, token};
    fob_pack_array(&claims, 1);
    fob_run_write(&claims, row, 3);
    fob_wire_t join = {.verb = FOB_VERB_JOIN};
    FOB_SET(&join, group, fob_slice_str("emails"));
    FOB_SET(&join, credit, 10);
    FOB_SET(&join, runs, fob_buf_slice(&claims));
    dealer_send(worker, &join, NULL);
    const fob_wire_t *joined = dealer_expect(worker, FOB_VERB_JOINED);
    assert_int_equal(joined->code, FOB_OK);
    assert_true(joined->refused.size <= 1); /* an empty array, or nothing */
    dealer_settle(worker, "emails", 1, FOB_KIND_ACK, offset, 3, token);
    assert_int_equal(dealer_expect(worker, FOB_VERB_SETTLED)->refused.size, 0);
    assert_int_equal(dealer_figure(worker, "emails", "acked"), 3);
    fob_buf_free(&claims);
    dealer_destroy(&worker);
    fob_bus_destroy(&bus);
}

static void a_folder_in_use_is_refused_by_name(void **state) {
    (void)state;
    fob_bus_t *bus = bus_here();
    char text[512];
    fob_status_t status;
    fob_bus_options_t options = FOB_BUS_OPTIONS;
    options.port = -1;
    options.data = folder;
    assert_null(fob_bus_new(&options, &status, text, sizeof text));
    assert_int_equal(status, FOB_FOLDER_IN_USE);
    assert_non_null(strstr(text, folder));
    fob_bus_destroy(&bus);
}

/* Publishes until the bus says that the disk is full; returns the number refused. */
static uint64_t fill(dealer_t *publisher, const fob_buf_t *body) {
    for (uint64_t number = 1; number < 10000; number++) {
        fob_wire_t msg = {.verb = FOB_VERB_PUBLISH};
        FOB_SET(&msg, first, number);
        FOB_SET(&msg, low, number);
        dealer_send(publisher, &msg, body);
        fob_run_t run = dealer_run(dealer_expect(publisher, FOB_VERB_RECEIPT)->runs);
        assert_true(run.at[1] == number);
        if (run.at[0] == FOB_DISK_FULL)
            return number;
        assert_int_equal(run.at[0], FOB_OK);
    }
    fail_msg("the disk never got full");
    return 0;
}

static void a_full_disk_refuses_and_recovers_when_it_is_drained(void **state) {
    (void)state;
    uint64_t offset, token;
    static const char *const all[] = {"max_bytes=100%", NULL}; /* the disk is to be full first */
    fob_bus_t *bus = bus_up_with((fob_bus_options_t){.data = folder,
                                                     .segment_bytes = 1 << 20,
                                                     .max_disk = 12 << 20,
                                                     .group_defaults = all,
                                                     .retain_ms = 1,
                                                     .retain_bytes = 1,
                                                     .sync = "os"});
    dealer_t *publisher = client(bus, "publisher", 1);
    dealer_t *worker = client(bus, "worker", 2);
    fob_wire_t add = {.verb = FOB_VERB_GROUP_ADD};
    FOB_SET(&add, req, 1);
    FOB_SET(&add, group, fob_slice_str("emails"));
    FOB_SET(&add, pattern, fob_slice_str("order_placed"));
    dealer_send(publisher, &add, NULL);
    assert_int_equal(dealer_expect(publisher, FOB_VERB_REPLY)->code, FOB_OK);
    fob_buf_t body = {0};
    dealer_events(&body, "order_placed", 1, 50000);
    uint64_t refused = fill(publisher, &body);
    assert_in_range(refused, 10, 300);
    assert_true(dealer_figure(publisher, NULL, "busy") >= 1);
    assert_int_equal(dealer_figure(publisher, "emails", "accepted"), refused - 1);

    dealer_join(worker, "emails", "order_placed", refused - 1); /* deliveries and settles go on */
    dealer_deliveries(worker, refused - 1, &offset, &token);
    dealer_settle(worker, "emails", 1, FOB_KIND_ACK, offset, refused - 1, token);
    assert_int_equal(dealer_expect(worker, FOB_VERB_SETTLED)->refused.size, 0);

    int64_t until = dealer_clock() + DEALER_PATIENCE;
    for (;;) { /* offered again under its old number, it is taken at last */
        fob_wire_t msg = {.verb = FOB_VERB_PUBLISH};
        FOB_SET(&msg, first, refused);
        FOB_SET(&msg, low, refused);
        dealer_send(publisher, &msg, &body);
        fob_run_t run = dealer_run(dealer_expect(publisher, FOB_VERB_RECEIPT)->runs);
        if (run.at[0] == FOB_OK)
            break;
        assert_int_equal(run.at[0], FOB_DISK_FULL);
        assert_true(dealer_clock() < until);
        dealer_next(worker, 20);
    }
    fob_buf_free(&body);
    dealer_destroy(&publisher);
    dealer_destroy(&worker);
    fob_bus_destroy(&bus);
}

FOB_MAIN(FOB_CASE_WITH(a_restart_keeps_events_groups_and_books, make_folder, remove_folder),
         FOB_CASE_WITH(a_resend_after_a_restart_gets_the_first_receipt, make_folder, remove_folder),
         FOB_CASE_WITH(the_epoch_holds_over_a_clean_restart, make_folder, remove_folder),
         FOB_CASE_WITH(a_lease_is_claimed_again_after_a_restart, make_folder, remove_folder),
         FOB_CASE_WITH(a_folder_in_use_is_refused_by_name, make_folder, remove_folder),
         FOB_CASE_WITH(a_full_disk_refuses_and_recovers_when_it_is_drained, make_folder,
                       remove_folder))
