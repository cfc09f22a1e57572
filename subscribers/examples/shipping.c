/* shipping: a member of the group `shipping`: prints one parcel label for each order.
 *
 *     shipping FOLDER ONCE
 *
 * The folder ONCE remembers which orders were shipped, also by another shipping. The label itself,
 * a file named after the order, is idempotent by nature: whoever dies between the label and its
 * mark in ONCE finds it there the next time. So each order gets one parcel, whoever dies when. It
 * waits in poll(), as a service with other descriptors to serve would. */
#include <fcntl.h>
#include <fob/fob_once.h>
#include <fob/fob_worker.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t stopping;

static void on_signal(int signal_number) {
    (void)signal_number;
    stopping = 1;
}

/* The label's file. ACK: it is there, on the disk. */
static fob_settle_t label(const fob_event_t *event, int folder) {
    const char *id = fob_event_id(event);
    if (strchr(id, '/') || id[0] == '.') {
        fprintf(stderr, "%s is no name for a label\n", id);
        return FOB_REJECT; /* no later try will change that */
    }
    int file = openat(folder, id, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
    int good = file >= 0 && dprintf(file, "parcel of %s\n", id) > 0 && fsync(file) == 0;
    if (!good)
        perror("cannot make a label");
    if (file >= 0)
        close(file);
    return good ? FOB_ACK : FOB_RETRY;
}

static fob_settle_t ship(const fob_event_t *event, int folder, fob_once_t *once) {
    char key[FOB_ONCE_KEY_MAX];
    fob_once_state_t state;
    size_t size = fob_once_key_of(event, "shipping", key);
    if (fob_once_begin(once, key, size, &state, NULL, NULL) != FOB_OK)
        return FOB_RETRY;
    if (state == FOB_ONCE_IN_PROGRESS)
        return FOB_RELEASE; /* another shipping is at it */
    if (state == FOB_ONCE_DONE)
        return printf("%s has its label already\n", fob_event_id(event)), FOB_ACK;
    fob_settle_t how = label(event, folder);
    if (how != FOB_ACK || fob_once_commit(once, key, size, NULL, 0) != FOB_OK) {
        fob_once_abort(once, key, size);
        return how == FOB_ACK ? FOB_RETRY : how; /* the label is made again, over itself */
    }
    printf("label for %s\n", fob_event_id(event));
    return FOB_ACK;
}

/* Handles what is there. FOB_AGAIN: nothing more now. */
static fob_status_t work(fob_worker_t *worker, int folder, fob_once_t *once) {
    fob_event_t *event;
    fob_status_t status = FOB_AGAIN;
    while (!stopping && (status = fob_worker_next(worker, &event, 0)) == FOB_OK)
        fob_worker_settle(worker, &event, ship(event, folder, once));
    return stopping ? FOB_AGAIN : status;
}

int main(int argc, char **argv) {
    fob_once_options_t memory = {.version = 1, .folder = argc == 3 ? argv[2] : NULL};
    char text[500];
    int folder = argc == 3 ? open(argv[1], O_DIRECTORY | O_RDONLY | O_CLOEXEC) : -1;
    fob_once_t *once = folder >= 0 ? fob_once_new(&memory, NULL, text, sizeof text) : NULL;
    if (!once)
        return fprintf(stderr, "%s\n", folder >= 0 ? text : "usage: shipping FOLDER ONCE"), 64;
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_signal}, NULL);
    sigaction(SIGINT, &(struct sigaction){.sa_handler = on_signal}, NULL);
    setvbuf(stdout, NULL, _IOLBF, 0);

    fob_worker_options_t options = FOB_WORKER_OPTIONS;
    options.group = "shipping";
    options.pattern = "order_placed";
    fob_worker_t *worker = fob_worker_new(&options);
    fob_status_t status = worker ? FOB_AGAIN : FOB_INVALID;
    while (!stopping && status == FOB_AGAIN) {
        struct pollfd wait = {.fd = fob_worker_fd(worker), .events = POLLIN};
        if (poll(&wait, 1, 200) >= 0)
            status = work(worker, folder, once);
    }
    if (!stopping)
        fprintf(stderr, "shipping: %s\n", fob_status_text(status));
    fob_worker_destroy(&worker, 5000);
    fob_once_destroy(&once);
    return stopping ? 0 : 1;
}
