/* publisher_bench: a publisher, a fake bus with the model behind it that can be stopped and
 * started, and what the receipts said. */
#ifndef FOB_TESTS_PUBLISHER_BENCH_H
#define FOB_TESTS_PUBLISHER_BENCH_H

#include "fake_bus.h"
#include "model_bus.h"
#include "proto/envelope.h"
#include <fob/fob_publisher.h>

typedef struct {
    fake_bus_t *bus;
    model_bus_t *model; /* of the bus's thread while it runs */
    fob_buf_t runs;
    bool silent; /* takes PUBLISH and answers nothing */
    fob_publisher_t *publisher;
    uint64_t receipts;
    uint64_t failures;
    uint64_t last_number;
    bool in_order;
    fob_receipt_t last; /* its pointers are dead */
    char text[300], topic[300], id[300], level[20];
} bench_t;

/* The bus (NULL: with the defaults); no publisher yet. */
bench_t *bench_new(const fake_bus_options_t *options);
/* Starts the publisher; the bench's own bus unless the options name one. */
fob_publisher_t *publisher_start(bench_t *b, fob_publisher_options_t options);
/* Closes the publisher too. */
void bench_free(bench_t *b);

/* Sends an event of topic "t0", "t1", ... that holds its serial. */
void send_serial(fob_publisher_t *publisher, unsigned topic, uint64_t serial);

#endif
