#include "publisher_bench.h"

#include "support/case.h"

#include <stdlib.h>

static void handle(void *arg, fake_bus_t *bus, fob_slice_t peer, const fob_wire_t *msg,
                   fob_slice_t body) {
    bench_t *b = arg;
    if (msg->verb != FOB_VERB_PUBLISH || b->silent)
        return;
    model_bus_publish(b->model, msg, body, &b->runs);
    fob_wire_t receipt = {.verb = FOB_VERB_RECEIPT};
    FOB_SET(&receipt, runs, fob_buf_slice(&b->runs));
    fake_bus_send(bus, peer, &receipt, (fob_slice_t){0});
}

static uint64_t last_stored(void *arg) {
    model_bus_connect(((bench_t *)arg)->model);
    return model_bus_last(((bench_t *)arg)->model);
}

static void on_receipt(void *arg, const fob_receipt_t *receipt) {
    bench_t *b = arg;
    b->receipts++;
    b->failures += receipt->status != FOB_OK;
    b->in_order &= receipt->number > b->last_number || !receipt->number;
    b->last_number = receipt->number;
    b->last = *receipt;
    snprintf(b->text, sizeof b->text, "%s", receipt->text ? receipt->text : "");
    snprintf(b->topic, sizeof b->topic, "%s", receipt->topic);
    snprintf(b->id, sizeof b->id, "%s", receipt->id ? receipt->id : "(none)");
    snprintf(b->level, sizeof b->level, "%s", receipt->level ? receipt->level : "(none)");
}

bench_t *bench_new(const fake_bus_options_t *options) {
    bench_t *b = calloc(1, sizeof *b);
    b->in_order = true;
    b->model = malloc(sizeof *b->model);
    model_bus_start(b->model);
    fake_bus_options_t with = options ? *options : (fake_bus_options_t){0};
    with.handle = handle;
    with.last = last_stored;
    with.arg = b;
    b->bus = fake_bus_new(&with);
    return b;
}

fob_publisher_t *publisher_start(bench_t *b, fob_publisher_options_t options) {
    options.version = 1;
    options.bus = options.bus ? options.bus : fake_bus_endpoint(b->bus);
    options.on_receipt = on_receipt;
    options.on_receipt_arg = b;
    b->publisher = fob_publisher_new(&options);
    assert_non_null(b->publisher);
    return b->publisher;
}

void bench_free(bench_t *b) {
    fob_publisher_destroy(&b->publisher);
    fake_bus_destroy(&b->bus);
    fob_buf_free(&b->runs);
    free(b->model);
    free(b);
}

void send_serial(fob_publisher_t *publisher, unsigned topic, uint64_t serial) {
    char name[] = {'t', (char)('0' + topic), 0};
    assert_int_equal(fob_publisher_send(publisher, name, &serial, sizeof serial, NULL, NULL),
                     FOB_OK);
}
