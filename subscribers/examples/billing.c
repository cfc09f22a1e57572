/* billing: a member of the group `billing`: charges each order once.
 *
 *     billing LEDGER ONCE
 *
 * An order can come again: this process may die before its ack arrives. So the folder ONCE
 * remembers which orders were charged, and the line in LEDGER is the charge here. Between the two
 * lies a gap that no folder can close: who dies there charges again. Hand the key on to those who
 * take the money, as theirs; or keep charge and mark in one transaction. */
#include <fob/fob_once.h>
#include <fob/fob_worker.h>
#include <msgpack.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static volatile sig_atomic_t stopping;

static void on_signal(int signal_number) {
    (void)signal_number;
    stopping = 1;
}

/* The price in an order's data; 0 where there is none. */
static unsigned long long cents_of(const fob_event_t *event) {
    size_t size, at = 0;
    const char *data = fob_event_data(event, &size);
    unsigned long long cents = 0;
    msgpack_unpacked order = {0};
    int good = msgpack_unpack_next(&order, data, size, &at) == MSGPACK_UNPACK_SUCCESS;
    int map = good && order.data.type == MSGPACK_OBJECT_MAP;
    for (uint32_t i = 0; map && i < order.data.via.map.size; i++) {
        msgpack_object_kv *pair = &order.data.via.map.ptr[i];
        if (pair->key.type == MSGPACK_OBJECT_STR && pair->key.via.str.size == 5 &&
            memcmp(pair->key.via.str.ptr, "cents", 5) == 0 &&
            pair->val.type == MSGPACK_OBJECT_POSITIVE_INTEGER)
            cents = pair->val.via.u64;
    }
    msgpack_unpacked_destroy(&order);
    return cents;
}

/* One line, on the disk. 0: it could not be written. */
static int charge(FILE *ledger, const char *id, unsigned long long cents) {
    return fprintf(ledger, "%llu %s\n", cents, id) > 0 && fflush(ledger) == 0 &&
           fdatasync(fileno(ledger)) == 0;
}

/* RETRY is for what may go better next time, and *why is kept with the event if it never does; an
 * order without a price would be for REJECT. */
static fob_settle_t handle(const fob_event_t *event, FILE *ledger, fob_once_t *once,
                           const char **why) {
    char key[FOB_ONCE_KEY_MAX], sum[32];
    void *before;
    fob_once_state_t state;
    const char *id = fob_event_id(event);
    unsigned long long cents = cents_of(event);
    size_t size = fob_once_key_of(event, "billing", key);
    *why = "cannot look up what is charged";
    if (fob_once_begin(once, key, size, &state, &before, NULL) != FOB_OK)
        return FOB_RETRY;
    if (state == FOB_ONCE_DONE)
        printf("%s is charged already: %s\n", id, (char *)before);
    free(before);
    if (state != FOB_ONCE_NEW) /* or another billing is at it */
        return state == FOB_ONCE_DONE ? FOB_ACK : FOB_RELEASE;
    snprintf(sum, sizeof sum, "%llu.%02llu", cents / 100, cents % 100);
    if (!charge(ledger, id, cents)) {
        fob_once_abort(once, key, size);
        *why = "cannot write the ledger";
        return perror(*why), FOB_RETRY;
    }
    if (fob_once_commit(once, key, size, sum, strlen(sum)) != FOB_OK)
        fprintf(stderr, "%s is charged, but that cannot be remembered\n", id);
    printf("charged %s: %s\n", id, sum);
    return FOB_ACK;
}

int main(int argc, char **argv) {
    char text[500];
    fob_once_options_t memory = {.version = 1, .folder = argc == 3 ? argv[2] : NULL};
    FILE *ledger = argc == 3 ? fopen(argv[1], "a") : NULL;
    fob_once_t *once = ledger ? fob_once_new(&memory, NULL, text, sizeof text) : NULL;
    if (!once)
        return fprintf(stderr, "%s\n", ledger ? text : "usage: billing LEDGER ONCE"), 64;
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_signal}, NULL);
    sigaction(SIGINT, &(struct sigaction){.sa_handler = on_signal}, NULL);
    setvbuf(stdout, NULL, _IOLBF, 0);
    fob_worker_options_t options = {.version = 1, .group = "billing", .pattern = "order_placed"};
    fob_worker_t *worker = fob_worker_new(&options);
    fob_status_t status = worker ? FOB_OK : FOB_INVALID;
    while (!stopping && (status == FOB_OK || status == FOB_AGAIN)) {
        fob_event_t *event;
        const char *why;
        if ((status = fob_worker_next(worker, &event, 200)) != FOB_OK)
            continue;
        fob_settle_t how = handle(event, ledger, once, &why);
        if (how == FOB_RETRY)
            fob_worker_retry(worker, &event, 0, why); /* after the group's back-off */
        else
            fob_worker_settle(worker, &event, how);
    }
    if (!stopping)
        fprintf(stderr, "billing: %s\n", fob_status_text(status));
    fob_worker_destroy(&worker, 5000);
    fob_once_destroy(&once);
    return fclose(ledger) == 0 && stopping ? 0 : 1;
}
