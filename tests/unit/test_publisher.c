/* The publisher's shell over real sockets: a fake bus with the model behind it, which restarts. */
#include "support/case.h"

#include "publisher_bench.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

static void an_event_is_published_and_its_receipt_says_where_it_is(void **state) {
    (void)state;
    bench_t *b = bench_new(NULL);
    publisher_start(b, (fob_publisher_options_t){0});
    int mark = 0;
    fob_publish_options_t options = {.version = 1, .id = "order-1", .tag = &mark};
    uint64_t serial = 1, number = 0;
    assert_int_equal(
        fob_publisher_send(b->publisher, "t1", &serial, sizeof serial, &options, &number), FOB_OK);
    assert_int_equal(number, 1);
    assert_int_equal(fob_publisher_flush(b->publisher, -1), FOB_OK);
    assert_int_equal(b->receipts, 1);
    assert_int_equal(b->last.offset, 1);
    assert_int_equal(b->last.groups, 2);
    assert_ptr_equal(b->last.tag, &mark);
    assert_string_equal(b->topic, "t1");
    assert_string_equal(b->id, "order-1");
    assert_string_equal(b->level, "disk");
    bench_free(b);
}

static void check_stored_in_order(const bench_t *b, uint64_t count) {
    assert_int_equal(b->model->head, count);
    for (uint64_t i = 0; i < count; i++)
        assert_int_equal(b->model->stored[i].serial, i + 1);
}

static void a_flood_is_stored_once_and_in_order(void **state) {
    (void)state;
    bench_t *b = bench_new(NULL);
    publisher_start(b, (fob_publisher_options_t){0});
    for (uint64_t n = 1; n <= 50000; n++)
        send_serial(b->publisher, 0, n);
    assert_int_equal(fob_publisher_flush(b->publisher, -1), FOB_OK);
    assert_int_equal(b->receipts, 50000);
    assert_true(b->in_order);
    fake_bus_stop(b->bus);
    check_stored_in_order(b, 50000);
    assert_true(b->model->publishes < 25000); /* they rode in batches */
    bench_free(b);
}

#define RESTARTS 3 /* of the bus, at least, while events are under way */

typedef struct {
    fake_bus_t *bus;
    atomic_bool stop;
    atomic_uint restarts;
} restarter_t;

static void *restart(void *arg) {
    restarter_t *self = arg;
    while (!atomic_load(&self->stop)) {
        fake_bus_stop(self->bus);
        fake_bus_start(self->bus);
        atomic_fetch_add(&self->restarts, 1);
        for (int i = 0; i < 20 && !atomic_load(&self->stop); i++)
            fake_bus_pause();
    }
    return NULL;
}

static void over_restarts_of_the_bus_each_event_is_stored_once_and_in_order(void **state) {
    (void)state;
    bench_t *b = bench_new(NULL);
    publisher_start(b, (fob_publisher_options_t){.deadline_ms = -1, .connect_timeout_ms = -1});
    restarter_t restarter = {.bus = b->bus};
    pthread_t thread;
    pthread_create(&thread, NULL, restart, &restarter);
    uint64_t sent = 0;
    int64_t until = fake_bus_clock() + 1500;
    for (unsigned restarts = 0; restarts < RESTARTS || fake_bus_clock() < until;) {
        restarts = atomic_load(&restarter.restarts);
        if (sent < 100000 && sent < 25000 * ((uint64_t)restarts + 1)) /* some for each restart */
            send_serial(b->publisher, 0, ++sent);
        else
            fake_bus_pause();
    }
    atomic_store(&restarter.stop, true);
    pthread_join(thread, NULL);
    assert_int_equal(fob_publisher_flush(b->publisher, -1), FOB_OK);
    assert_int_equal(b->receipts, sent);
    assert_int_equal(b->failures, 0);
    fake_bus_stop(b->bus);
    check_stored_in_order(b, sent);
    bench_free(b);
}

static void a_bus_that_is_not_there_is_reported_in_words(void **state) {
    (void)state;
    bench_t *b = bench_new(NULL);
    fake_bus_stop(b->bus);
    publisher_start(b, (fob_publisher_options_t){.connect_timeout_ms = 200});
    char trouble[512];
    WAIT_FOR((fob_publisher_trouble(b->publisher, trouble, sizeof trouble), *trouble));
    send_serial(b->publisher, 0, 1);
    assert_int_equal(fob_publisher_flush(b->publisher, 60000), FOB_UNREACHABLE);
    assert_int_equal(b->receipts, 1);
    assert_int_equal(b->last.status, FOB_UNREACHABLE);
    assert_non_null(strstr(b->text, "no connection"));
    assert_non_null(strstr(trouble, fake_bus_endpoint(b->bus)));
    assert_int_equal(fob_publisher_wait_ready(b->publisher, 10), FOB_UNREACHABLE);
    fake_bus_start(b->bus);
    assert_int_equal(fob_publisher_wait_ready(b->publisher, 60000), FOB_OK);
    send_serial(b->publisher, 0, 2);
    assert_int_equal(fob_publisher_flush(b->publisher, 60000), FOB_OK);
    bench_free(b);
}

static void a_bus_of_another_version_is_told_at_once(void **state) {
    (void)state;
    bench_t *b = bench_new(&(fake_bus_options_t){.version = true});
    publisher_start(b, (fob_publisher_options_t){.connect_timeout_ms = 500});
    assert_int_equal(fob_publisher_wait_ready(b->publisher, 60000), FOB_VERSION);
    send_serial(b->publisher, 0, 1);
    assert_int_equal(fob_publisher_flush(b->publisher, 60000), FOB_VERSION);
    assert_non_null(strstr(b->text, "5 to 9"));
    bench_free(b);
}

static void the_descriptor_is_readable_while_receipts_wait(void **state) {
    (void)state;
    bench_t *b = bench_new(NULL);
    publisher_start(b, (fob_publisher_options_t){0});
    assert_int_equal(fob_publisher_wait_ready(b->publisher, 60000), FOB_OK);
    struct pollfd item = {.fd = fob_publisher_fd(b->publisher), .events = POLLIN};
    assert_int_equal(poll(&item, 1, 0), 0);
    assert_int_equal(fob_publisher_dispatch(b->publisher, 0), 0);
    send_serial(b->publisher, 0, 1);
    assert_int_equal(poll(&item, 1, 20000), 1);
    assert_int_equal(b->receipts, 0);
    assert_int_equal(fob_publisher_dispatch(b->publisher, 0), 1);
    assert_int_equal(b->receipts, 1);
    assert_int_equal(poll(&item, 1, 0), 0);
    bench_free(b);
}

static void receipts_that_nobody_dispatches_are_bounded(void **state) {
    (void)state;
    bench_t *b = bench_new(NULL);
    publisher_start(b, (fob_publisher_options_t){.window = 4, .deadline_ms = 20000});
    uint64_t taken = 0, serial = 0;
    struct pollfd news = {.fd = fob_publisher_fd(b->publisher), .events = POLLIN};
    /* A full window has room again at once, as the bus answers: this stays full. */
    for (int full = 0; (full < 50 || taken < 16) && taken <= 100; full++) {
        bool ok = fob_publisher_try_send(b->publisher, "t0", &serial, sizeof serial, NULL, NULL) ==
                  FOB_OK;
        taken += ok;
        full = ok ? 0 : full;
        fake_bus_pause();
    }
    assert_in_range(taken, 16, 20);
    assert_int_equal(poll(&news, 1, 0), 1);
    assert_int_equal(b->receipts, 0); /* try_send never runs it */
    WAIT_FOR((fob_publisher_dispatch(b->publisher, 10), b->receipts >= taken));
    assert_int_equal(fob_publisher_try_send(b->publisher, "t0", &serial, sizeof serial, NULL, NULL),
                     FOB_OK);
    bench_free(b);
}

static void a_program_that_only_sends_and_flushes_gets_every_receipt(void **state) {
    (void)state;
    bench_t *b = bench_new(NULL);
    publisher_start(b, (fob_publisher_options_t){.window = 4, .deadline_ms = 20000});
    for (uint64_t n = 1; n <= 500; n++)
        send_serial(b->publisher, 0, n);
    assert_true(b->receipts >= 500 - 5 * 4);
    assert_int_equal(fob_publisher_flush(b->publisher, 60000), FOB_OK);
    assert_int_equal(b->receipts, 500);
    assert_true(b->in_order);
    bench_free(b);
}

static uint64_t chained; /* events sent from on_receipt */

static void send_from_receipt(void *arg, const fob_receipt_t *receipt) {
    bench_t *b = arg;
    b->receipts += receipt->status == FOB_OK;
    if (chained < 300)
        send_serial(b->publisher, 1, ++chained);
}

static void a_callback_may_send_while_receipts_pile_up(void **state) {
    (void)state;
    bench_t *b = bench_new(NULL);
    fob_publisher_options_t options = {.version = 1,
                                       .bus = fake_bus_endpoint(b->bus),
                                       .window = 4,
                                       .deadline_ms = 20000,
                                       .on_receipt = send_from_receipt,
                                       .on_receipt_arg = b};
    chained = 0;
    b->publisher = fob_publisher_new(&options);
    assert_non_null(b->publisher);
    for (uint64_t n = 1; n <= 100; n++)
        send_serial(b->publisher, 0, n);
    WAIT_FOR((fob_publisher_flush(b->publisher, 60000), b->receipts >= 400));
    assert_int_equal(b->receipts, 400);
    bench_free(b);
}

static void a_full_window_makes_send_wait_and_try_send_say_again(void **state) {
    (void)state;
    bench_t *b = bench_new(NULL);
    b->silent = true;
    publisher_start(b, (fob_publisher_options_t){.window = 4, .deadline_ms = 20000});
    assert_int_equal(fob_publisher_wait_ready(b->publisher, 60000), FOB_OK);
    fob_publish_options_t brief = {.version = 1, .deadline_ms = 1000}; /* time to be sent */
    uint64_t serial = 0;
    for (int i = 0; i < 4; i++)
        assert_int_equal(fob_publisher_try_send(b->publisher, "t0", &serial, sizeof serial,
                                                i ? NULL : &brief, NULL),
                         FOB_OK);
    assert_int_equal(fob_publisher_try_send(b->publisher, "t0", &serial, sizeof serial, NULL, NULL),
                     FOB_AGAIN);
    int64_t begun = fake_bus_clock();
    /* The first has its receipt after a second, but its number is not answered: no room. */
    assert_int_equal(fob_publisher_send(b->publisher, "t0", &serial, sizeof serial, &brief, NULL),
                     FOB_BUSY);
    assert_true(fake_bus_clock() - begun >= 1000);
    assert_int_equal(fob_publisher_dispatch(b->publisher, 20000), 1);
    assert_int_equal(b->last.status, FOB_UNKNOWN_OUTCOME);
    assert_int_equal(fob_publisher_flush(b->publisher, 10), FOB_AGAIN);
    fake_bus_stop(b->bus);
    b->silent = false;
    fake_bus_start(b->bus);
    assert_int_equal(fob_publisher_flush(b->publisher, 60000), FOB_UNKNOWN_OUTCOME);
    assert_int_equal(b->receipts, 4);
    bench_free(b);
}

typedef struct {
    fob_publisher_t *publisher;
    unsigned topic;
} sender_t;

static void many_are_taken_in_order_up_to_the_first_that_is_not(void **state) {
    (void)state;
    enum { MANY = 500 };
    bench_t *b = bench_new(NULL);
    publisher_start(b, (fob_publisher_options_t){.window = 64});
    uint64_t serials[MANY];
    fob_publish_t events[MANY];
    for (uint64_t i = 0; i < MANY; i++) {
        serials[i] = i + 1;
        events[i] = (fob_publish_t){.topic = "t0", .data = &serials[i], .size = sizeof serials[i]};
    }
    size_t taken = MANY + 1;
    assert_int_equal(fob_publisher_send_many(b->publisher, events, MANY, &taken), FOB_OK);
    assert_int_equal(taken, MANY); /* more than a window: it waited for room */
    events[100].topic = "not a topic";
    assert_int_equal(fob_publisher_send_many(b->publisher, events, MANY, &taken), FOB_BAD_TOPIC);
    assert_int_equal(taken, 100);
    assert_int_equal(fob_publisher_send_many(b->publisher, NULL, 0, &taken), FOB_OK);
    assert_int_equal(taken, 0);
    assert_int_equal(fob_publisher_flush(b->publisher, 60000), FOB_OK);
    assert_int_equal(b->receipts, MANY + 100);
    assert_int_equal(b->failures, 0);
    assert_true(b->in_order);
    fake_bus_stop(b->bus);
    assert_int_equal(b->model->head, MANY + 100);
    for (uint64_t i = 0; i < MANY + 100; i++)
        assert_int_equal(b->model->stored[i].serial, i % MANY + 1);
    bench_free(b);
}

static void where_the_window_is_full_some_of_many_are_taken(void **state) {
    (void)state;
    enum { WINDOW = 100 };
    bench_t *b = bench_new(NULL);
    b->silent = true;
    publisher_start(b, (fob_publisher_options_t){.window = WINDOW, .deadline_ms = -1});
    uint64_t serial = 1;
    const fob_publish_options_t brief = {.version = 1, .deadline_ms = 1};
    fob_publish_t events[WINDOW + 10];
    for (size_t i = 0; i < WINDOW + 10; i++)
        events[i] = (fob_publish_t){.topic = "t0", .data = &serial, .size = sizeof serial};
    size_t taken = 0;
    assert_int_equal(fob_publisher_try_send_many(b->publisher, events, WINDOW + 10, &taken),
                     FOB_AGAIN);
    assert_int_equal(taken, WINDOW);
    assert_int_equal(fob_publisher_try_send_many(b->publisher, events, 1, &taken), FOB_AGAIN);
    assert_int_equal(taken, 0);
    assert_int_equal(fob_publisher_wait_ready(b->publisher, 60000), FOB_OK);
    events[0].options = &brief; /* which waits in vain, but not for long */
    assert_int_equal(fob_publisher_send_many(b->publisher, events, 2, NULL), FOB_BUSY);
    fake_bus_stop(b->bus); /* so that closing does not wait for what has no deadline */
    bench_free(b);
}

static void *send_many(void *arg) {
    sender_t *self = arg;
    for (uint64_t n = 1; n <= 5000; n++)
        send_serial(self->publisher, self->topic, n);
    return NULL;
}

static void several_threads_send_each_in_its_own_order(void **state) {
    (void)state;
    bench_t *b = bench_new(NULL);
    publisher_start(b, (fob_publisher_options_t){0});
    sender_t senders[MODEL_TOPICS];
    pthread_t threads[MODEL_TOPICS];
    for (unsigned i = 0; i < MODEL_TOPICS; i++) {
        senders[i] = (sender_t){b->publisher, i};
        pthread_create(&threads[i], NULL, send_many, &senders[i]);
    }
    for (unsigned i = 0; i < MODEL_TOPICS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(fob_publisher_flush(b->publisher, -1), FOB_OK);
    fake_bus_stop(b->bus);
    uint64_t last[MODEL_TOPICS] = {0};
    assert_int_equal(b->receipts, MODEL_TOPICS * 5000); /* never on two threads at once */
    assert_int_equal(b->model->head, MODEL_TOPICS * 5000);
    for (uint64_t i = 0; i < b->model->head; i++)
        assert_int_equal(b->model->stored[i].serial, ++last[b->model->stored[i].topic]);
    bench_free(b);
}

static void again_from_receipt(void *arg, const fob_receipt_t *receipt) {
    bench_t *b = arg;
    b->receipts++;
    assert_int_equal(receipt->status, FOB_OK);
    if (b->receipts < 10)
        send_serial(b->publisher, 0, b->receipts + 1);
}

static void a_receipt_may_send_the_next_event(void **state) {
    (void)state;
    bench_t *b = bench_new(NULL);
    fob_publisher_options_t options = {.version = 1,
                                       .bus = fake_bus_endpoint(b->bus),
                                       .on_receipt = again_from_receipt,
                                       .on_receipt_arg = b};
    b->publisher = fob_publisher_new(&options);
    send_serial(b->publisher, 0, 1);
    while (b->receipts < 10)
        assert_true(fob_publisher_dispatch(b->publisher, 20000) > 0);
    bench_free(b);
}

static void without_a_callback_flush_still_tells_the_first_failure(void **state) {
    (void)state;
    bench_t *b = bench_new(NULL);
    fob_publisher_options_t options = {
        .version = 1, .bus = fake_bus_endpoint(b->bus), .deadline_ms = 20000};
    b->publisher = fob_publisher_new(&options);
    for (uint64_t n = 1; n <= 3000; n++)
        send_serial(b->publisher, 0, n);
    assert_int_equal(fob_publisher_flush(b->publisher, -1), FOB_OK);
    fake_bus_stop(b->bus);
    char trouble[64] = ""; /* until it knows: else the event may still be sent */
    WAIT_FOR((fob_publisher_trouble(b->publisher, trouble, sizeof trouble), trouble[0] != 0));
    fob_publish_options_t brief = {.version = 1, .deadline_ms = 50};
    uint64_t serial = 3001;
    assert_int_equal(fob_publisher_send(b->publisher, "t0", &serial, sizeof serial, &brief, NULL),
                     FOB_OK);
    assert_int_equal(fob_publisher_flush(b->publisher, 60000), FOB_UNREACHABLE);
    assert_int_equal(fob_publisher_flush(b->publisher, 60000), FOB_OK);
    bench_free(b);
}

static void closing_without_a_bus_ends_what_has_no_deadline(void **state) {
    (void)state;
    bench_t *b = bench_new(NULL);
    publisher_start(b, (fob_publisher_options_t){.deadline_ms = -1});
    assert_int_equal(fob_publisher_wait_ready(b->publisher, 60000), FOB_OK);
    fake_bus_stop(b->bus);
    char trouble[64] = "";
    WAIT_FOR((fob_publisher_trouble(b->publisher, trouble, sizeof trouble), trouble[0] != 0));
    send_serial(b->publisher, 0, 1);
    fob_publisher_destroy(&b->publisher);
    assert_null(b->publisher);
    assert_int_equal(b->receipts, 1);
    assert_int_equal(b->last.status, FOB_CLOSED);
    bench_free(b);
}

static void closing_waits_for_what_is_under_way(void **state) {
    (void)state;
    bench_t *b = bench_new(NULL);
    publisher_start(b, (fob_publisher_options_t){0});
    for (uint64_t n = 1; n <= 2000; n++)
        send_serial(b->publisher, 0, n);
    fob_publisher_destroy(&b->publisher);
    assert_int_equal(b->receipts, 2000);
    assert_int_equal(b->failures, 0);
    bench_free(b);
}

static void bad_arguments_are_refused_without_a_receipt(void **state) {
    (void)state;
    bench_t *b = bench_new(NULL);
    fob_publisher_options_t bad = {.version = 1, .bus = "nonsense"};
    errno = 0;
    assert_null(fob_publisher_new(&bad));
    assert_int_equal(errno, EINVAL);
    bad = (fob_publisher_options_t){.version = 2};
    assert_null(fob_publisher_new(&bad));
    bad = (fob_publisher_options_t){.version = 1, .window = 20000};
    assert_null(fob_publisher_new(&bad));
    publisher_start(b, (fob_publisher_options_t){0});
    char long_id[400];
    memset(long_id, 'x', sizeof long_id);
    long_id[399] = 0;
    const char *odd[] = {"name", NULL};
    fob_publish_options_t options[] = {
        {.version = 1, .id = long_id}, {.version = 1, .headers = odd}, {.version = 7}};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(fob_publisher_send(b->publisher, "t0", "x", 1, &options[i], NULL),
                         FOB_INVALID);
    assert_int_equal(fob_publisher_send(b->publisher, "", "x", 1, NULL, NULL), FOB_BAD_TOPIC);
    assert_int_equal(fob_publisher_send(b->publisher, "a..b", "x", 1, NULL, NULL), FOB_BAD_TOPIC);
    assert_int_equal(fob_publisher_send(b->publisher, "$sys.x", "x", 1, NULL, NULL), FOB_BAD_TOPIC);
    assert_int_equal(fob_publisher_send(b->publisher, long_id, "x", 1, NULL, NULL), FOB_BAD_TOPIC);
    assert_int_equal(fob_publisher_send(b->publisher, NULL, "x", 1, NULL, NULL), FOB_INVALID);
    assert_int_equal(fob_publisher_flush(b->publisher, -1), FOB_OK);
    assert_int_equal(b->receipts, 0);
    bench_free(b);
}

FOB_MAIN(FOB_CASE(an_event_is_published_and_its_receipt_says_where_it_is),
         FOB_CASE(a_flood_is_stored_once_and_in_order),
         FOB_CASE(over_restarts_of_the_bus_each_event_is_stored_once_and_in_order),
         FOB_CASE(a_bus_that_is_not_there_is_reported_in_words),
         FOB_CASE(a_bus_of_another_version_is_told_at_once),
         FOB_CASE(the_descriptor_is_readable_while_receipts_wait),
         FOB_CASE(receipts_that_nobody_dispatches_are_bounded),
         FOB_CASE(a_program_that_only_sends_and_flushes_gets_every_receipt),
         FOB_CASE(a_callback_may_send_while_receipts_pile_up),
         FOB_CASE(a_full_window_makes_send_wait_and_try_send_say_again),
         FOB_CASE(many_are_taken_in_order_up_to_the_first_that_is_not),
         FOB_CASE(where_the_window_is_full_some_of_many_are_taken),
         FOB_CASE(several_threads_send_each_in_its_own_order),
         FOB_CASE(a_receipt_may_send_the_next_event),
         FOB_CASE(without_a_callback_flush_still_tells_the_first_failure),
         FOB_CASE(closing_without_a_bus_ends_what_has_no_deadline),
         FOB_CASE(closing_waits_for_what_is_under_way),
         FOB_CASE(bad_arguments_are_refused_without_a_receipt))
