/* consumer: a program of a stranger's, on the installed package: a bus within, an event through it.
 */
#include <fob/fob_bus.h>
#include <fob/fob_publisher.h>
#include <fob/fob_worker.h>
#include <stdio.h>
#include <string.h>

static int check(const char *what, fob_status_t status) {
    if (status != FOB_OK)
        fprintf(stderr, "%s: %s (%s)\n", what, fob_status_text(status), fob_status_name(status));
    return status == FOB_OK;
}

static int round_trip(const char *endpoint) {
    fob_worker_options_t work = FOB_WORKER_OPTIONS;
    work.bus = endpoint;
    work.group = "billing";
    work.pattern = "order_placed";
    fob_worker_t *worker = fob_worker_new(&work);
    fob_publisher_options_t publish = FOB_PUBLISHER_OPTIONS;
    publish.bus = endpoint;
    fob_publisher_t *publisher = fob_publisher_new(&publish);

    fob_event_t *event = NULL;
    int good =
        worker && publisher && check("join", fob_worker_wait_ready(worker, 10000, NULL)) &&
        check("send", fob_publisher_send(publisher, "order_placed", "\x2a", 1, NULL, NULL)) &&
        check("flush", fob_publisher_flush(publisher, 10000)) &&
        check("next", fob_worker_next(worker, &event, 10000)) &&
        strcmp(fob_event_topic(event), "order_placed") == 0 &&
        check("settle", fob_worker_settle(worker, &event, FOB_ACK)) &&
        check("confirm", fob_worker_flush(worker, 10000));
    fob_publisher_destroy(&publisher);
    fob_worker_destroy(&worker, 1000);
    return good;
}

int main(void) {
    char text[256] = "";
    fob_status_t status;
    fob_bus_options_t options = FOB_BUS_OPTIONS;
    options.port = -1;
    fob_bus_t *bus = fob_bus_new(&options, &status, text, sizeof text);
    if (!bus) {
        fprintf(stderr, "no bus: %s %s\n", fob_status_text(status), text);
        return 1;
    }
    int good = round_trip(fob_bus_endpoint(bus));
    fob_bus_destroy(&bus);
    puts(good ? "one event went round" : "it did not go round");
    return good ? 0 : 1;
}
