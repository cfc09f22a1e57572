/* shipping: a member of the group `shipping`: prints one parcel label for each order.
 *
 *     shipping FOLDER
 *
 * Idempotent by nature: a parcel's label is a file named after the order, and is made only if it is
 * not there yet. So an order that comes twice (this process died before its ack arrived) makes no
 * second parcel. It waits in poll(), as a service with other descriptors to serve would. */
#include <errno.h>
#include <fcntl.h>
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

static fob_settle_t ship(const fob_event_t *event, int folder) {
    const char *id = fob_event_id(event);
    if (strchr(id, '/') || id[0] == '.') {
        fprintf(stderr, "%s is no name for a label\n", id);
        return FOB_REJECT; /* no later try will change that */
    }
    int label = openat(folder, id, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
    if (label < 0 && errno == EEXIST) {
        printf("%s has its label already\n", id);
        return FOB_ACK;
    }
    if (label < 0) {
        perror("cannot make a label");
        return FOB_RETRY;
    }
    dprintf(label, "parcel of %s, handed out as number %llu\n", id,
            (unsigned long long)fob_event_token(event));
    close(label);
    printf("label for %s\n", id);
    return FOB_ACK;
}

/* Handles what is there. FOB_AGAIN: nothing more now. */
static fob_status_t work(fob_worker_t *worker, int folder) {
    fob_event_t *event;
    fob_status_t status = FOB_AGAIN;
    while (!stopping && (status = fob_worker_next(worker, &event, 0)) == FOB_OK)
        fob_worker_settle(worker, &event, ship(event, folder));
    return stopping ? FOB_AGAIN : status;
}

int main(int argc, char **argv) {
    int folder = argc == 2 ? open(argv[1], O_DIRECTORY | O_RDONLY | O_CLOEXEC) : -1;
    if (folder < 0)
        return fprintf(stderr, "usage: shipping FOLDER (that is there)\n"), 64;
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
            status = work(worker, folder);
    }
    if (!stopping)
        fprintf(stderr, "shipping: %s\n", fob_status_text(status));
    fob_worker_destroy(&worker, 5000);
    return stopping ? 0 : 1;
}
