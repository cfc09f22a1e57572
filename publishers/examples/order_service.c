/* order_service: takes orders and publishes each as `order_placed`.
 *
 *     order_service [SECONDS [ORDERS_A_SECOND]]
 *
 * It counts an order as placed only when the bus confirmed that it is stored: that is what a
 * receipt is. */
#include <fob/fob_publisher.h>
#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char *const customers[] = {"ada", "grace", "edsger", "barbara", "dennis", "radia"};

typedef struct {
    unsigned long placed, failed;
} books_t;

/* Runs inside flush and dispatch, once for each event that was sent. */
static void on_receipt(void *arg, const fob_receipt_t *receipt) {
    books_t *books = arg;
    if (receipt->status == FOB_OK) {
        books->placed++;
        printf("placed %s: event %llu, %s, %u groups\n", receipt->id,
               (unsigned long long)receipt->offset, receipt->level, receipt->groups);
    } else {
        books->failed++;
        fprintf(stderr, "%s was not stored: %s\n", receipt->id, receipt->text);
    }
}

static void pack_text(msgpack_packer *to, const char *text) {
    msgpack_pack_str_with_body(to, text, strlen(text));
}

/* Data is one msgpack value unless its content type says otherwise, so every tool can show it as
 * JSON. */
static fob_status_t place_order(fob_publisher_t *publisher, unsigned long number) {
    char id[32];
    snprintf(id, sizeof id, "order-%lu", number);

    msgpack_sbuffer data;
    msgpack_packer to;
    msgpack_sbuffer_init(&data);
    msgpack_packer_init(&to, &data, msgpack_sbuffer_write);
    msgpack_pack_map(&to, 3);
    pack_text(&to, "order");
    msgpack_pack_unsigned_long(&to, number);
    pack_text(&to, "customer");
    pack_text(&to, customers[number % (sizeof customers / sizeof customers[0])]);
    pack_text(&to, "cents");
    msgpack_pack_unsigned_long(&to, 990 + number * 7919 % 20000);

    /* The id says which order this is, however often it is sent. */
    fob_publish_options_t options = FOB_PUBLISH_OPTIONS;
    options.id = id;
    fob_status_t status =
        fob_publisher_send(publisher, "order_placed", data.data, data.size, &options, NULL);
    msgpack_sbuffer_destroy(&data);
    return status;
}

static long long now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

int main(int argc, char **argv) {
    double seconds = argc > 1 ? atof(argv[1]) : 20, rate = argc > 2 ? atof(argv[2]) : 3;
    books_t books = {0};
    setvbuf(stdout, NULL, _IOLBF, 0);

    fob_publisher_options_t options = FOB_PUBLISHER_OPTIONS;
    options.on_receipt = on_receipt;
    options.on_receipt_arg = &books;
    fob_publisher_t *publisher = fob_publisher_new(&options);
    if (!publisher || rate <= 0)
        return fprintf(stderr, "usage: order_service [SECONDS [ORDERS_A_SECOND]]\n"), 64;

    long long start = now_ms(), due = start;
    for (unsigned long number = 1; due < start + seconds * 1000; number++) {
        fob_status_t status = place_order(publisher, number);
        if (status != FOB_OK)
            fprintf(stderr, "order %lu was not taken: %s\n", number, fob_status_text(status));
        due = start + (long long)((double)number * 1000 / rate);
        for (long long now = now_ms(); now < due; now = now_ms())
            fob_publisher_dispatch(publisher, due - now); /* receipts come meanwhile */
    }
    fob_publisher_flush(publisher, -1);
    fob_publisher_destroy(&publisher);
    printf("%lu orders placed, %lu failed\n", books.placed, books.failed);
    return books.failed ? 1 : 0;
}
