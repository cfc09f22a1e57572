/* planted_race: makes the two actors of a bus that was built with FOB_PLANTED_RACE work side by
 * side. The report of ThreadSanitizer is what the test looks for. */
#include "tests/integration/bus_up.h"

#include <zmq.h>

/* Somebody has to listen, else nothing is broadcast. Returns once the subscription holds. */
static void *listener_new(void *zmq, const fob_wire_t *welcome) {
    static const char probe[] = "$sys.probe.0123abcd";
    char endpoint[64];
    uint8_t answer[256];
    fob_shard_t ports;
    int none = 0, patience = DEALER_PATIENCE;
    void *sub = zmq_socket(zmq, ZMQ_SUB);
    assert_true(fob_shards_find(welcome->shards, 0, &ports));
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%u", ports.xpub);
    zmq_setsockopt(sub, ZMQ_LINGER, &none, sizeof none);
    zmq_setsockopt(sub, ZMQ_RCVTIMEO, &patience, sizeof patience);
    zmq_setsockopt(sub, ZMQ_SUBSCRIBE, probe, sizeof probe);
    assert_int_equal(zmq_connect(sub, endpoint), 0);
    assert_true(zmq_recv(sub, answer, sizeof answer, 0) > 0);
    return sub;
}

int main(void) {
    fob_bus_t *bus = bus_up();
    void *zmq = zmq_ctx_new();
    dealer_t *dealer = dealer_new(fob_bus_endpoint(bus));
    void *sub = listener_new(zmq, dealer_greet(dealer, "publisher", 1));
    for (uint64_t number = 1; number <= 500; number++) {
        dealer_publish(dealer, number, "order_placed", 1);
        dealer_receipts(dealer, number, 1, FOB_OK);
    }
    zmq_close(sub);
    zmq_ctx_term(zmq);
    dealer_destroy(&dealer);
    fob_bus_destroy(&bus);
    puts("no race was seen");
    return 0;
}
