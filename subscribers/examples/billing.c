/* billing: a member of the group `billing`: charges each order once.
 *
 *     billing LEDGER
 *
 * An order can come again: this process may die between charging and acking. So the handler is
 * idempotent: the ledger, an append-only file of order ids, says what was charged. The line in it
 * is the charge here, so that the two cannot come apart; keep yours in one transaction. */
#include <fob/fob_worker.h>
#include <msgpack.h>
#include <search.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static volatile sig_atomic_t stopping;

static void on_signal(int signal_number) {
    (void)signal_number;
    stopping = 1;
}

static int by_text(const void *a, const void *b) {
    return strcmp(a, b);
}

/* The ids that are in the ledger already, as a tree. */
static void *read_ledger(FILE *ledger) {
    void *charged = NULL;
    char id[256], cents[32];
    while (fscanf(ledger, "%31s %255[^\n]", cents, id) == 2)
        tsearch(strdup(id), &charged, by_text);
    return charged;
}

/* The number under `name` in an order's data; 0 where there is none. */
static uint64_t field(const fob_event_t *event, const char *name) {
    size_t size, at = 0;
    const char *data = fob_event_data(event, &size);
    uint64_t value = 0;
    msgpack_unpacked order = {0};
    if (msgpack_unpack_next(&order, data, size, &at) == MSGPACK_UNPACK_SUCCESS &&
        order.data.type == MSGPACK_OBJECT_MAP)
        for (uint32_t i = 0; i < order.data.via.map.size; i++) {
            msgpack_object_kv *pair = &order.data.via.map.ptr[i];
            if (pair->key.type == MSGPACK_OBJECT_STR && pair->key.via.str.size == strlen(name) &&
                memcmp(pair->key.via.str.ptr, name, strlen(name)) == 0 &&
                pair->val.type == MSGPACK_OBJECT_POSITIVE_INTEGER)
                value = pair->val.via.u64;
        }
    msgpack_unpacked_destroy(&order);
    return value;
}

/* RETRY where trying again may help. An order without a price never will: such a one is
 * for REJECT. */
static fob_settle_t charge(const fob_event_t *event, FILE *ledger, void **charged) {
    const char *id = fob_event_id(event);
    if (tfind(id, charged, by_text)) {
        printf("%s is charged already\n", id);
        return FOB_ACK;
    }
    unsigned long long cents = field(event, "cents");
    if (fprintf(ledger, "%llu %s\n", cents, id) < 0 || fflush(ledger) != 0 ||
        fdatasync(fileno(ledger)) != 0) {
        perror("cannot write the ledger");
        return FOB_RETRY;
    }
    tsearch(strdup(id), charged, by_text);
    printf("charged %s: %llu.%02llu\n", id, cents / 100, cents % 100);
    return FOB_ACK;
}

int main(int argc, char **argv) {
    FILE *ledger = argc == 2 ? fopen(argv[1], "a+") : NULL;
    if (!ledger)
        return fprintf(stderr, "usage: billing LEDGER (a file that can be written)\n"), 64;
    void *charged = read_ledger(ledger);
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_signal}, NULL);
    sigaction(SIGINT, &(struct sigaction){.sa_handler = on_signal}, NULL);
    setvbuf(stdout, NULL, _IOLBF, 0);

    fob_worker_options_t options = FOB_WORKER_OPTIONS;
    options.group = "billing";
    options.pattern = "order_placed";
    fob_worker_t *worker = fob_worker_new(&options);
    fob_status_t status = worker ? FOB_OK : FOB_INVALID;
    while (!stopping && (status == FOB_OK || status == FOB_AGAIN)) {
        fob_event_t *event;
        if ((status = fob_worker_next(worker, &event, 200)) == FOB_OK)
            fob_worker_settle(worker, &event, charge(event, ledger, &charged));
    }
    if (!stopping)
        fprintf(stderr, "billing: %s\n", fob_status_text(status));
    fob_worker_destroy(&worker, 5000);
    tdestroy(charged, free);
    fclose(ledger);
    return stopping ? 0 : 1;
}
