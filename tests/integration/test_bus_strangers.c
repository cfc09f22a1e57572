#include "tests/integration/bus_up.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Connects to a port and says something that is no ZMTP; waits until the bus hangs up, or hangs up
 * itself. */
static void talk_nonsense(uint16_t port, const void *data, size_t size, bool wait) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    if (size)
        assert_true(send(fd, data, size, MSG_NOSIGNAL) > 0);
    struct pollfd item = {fd, POLLIN, 0};
    char said[256];
    bool more = true;
    while (more && poll(&item, 1, DEALER_PATIENCE) == 1)
        more = recv(fd, said, sizeof said, 0) > 0 && wait;
    close(fd);
}

static void random_bytes_on_every_port_are_counted_and_nobody_notices(void **state) {
    (void)state;
    fob_bus_t *bus = bus_up();
    dealer_t *dealer = dealer_new(fob_bus_endpoint(bus));
    dealer_t *worker = dealer_new(fob_bus_endpoint(bus));
    fob_shard_t shard;
    const fob_wire_t *welcome = dealer_greet(dealer, "publisher", 1);
    assert_true(fob_shards_find(welcome->shards, 0, &shard));
    dealer_greet(worker, "worker", 2);
    dealer_join(worker, "emails", "order_placed", 100);
    uint8_t noise[600];
    uint32_t seed = 4711;
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)((seed = seed * 1664525u + 1013904223u) >> 24);
    noise[0] &= 0x7f; /* not the beginning of a greeting */
    const uint16_t ports[] = {shard.router, shard.xsub, shard.xpub};
    for (int i = 0; i < 3; i++) {
        talk_nonsense(ports[i], noise, sizeof noise, true);
        talk_nonsense(ports[i], "GET / HTTP/1.0\r\n\r\n", 18, true);
        talk_nonsense(ports[i], "\xff\xff\xff\xff", 4, false);
    }
    dealer_figure_becomes(dealer, NULL, "malformed", 9);
    assert_int_equal(dealer_figure(dealer, NULL, "connections"), 2);
    uint64_t offset, token;
    dealer_publish(dealer, 1, "order_placed", 2);
    dealer_receipts(dealer, 1, 2, FOB_OK);
    dealer_deliveries(worker, 2, &offset, &token);
    dealer_destroy(&dealer);
    dealer_destroy(&worker);
    fob_bus_destroy(&bus);
}

static void hundreds_of_connects_in_turn_leave_nothing_behind(void **state) {
    (void)state;
    fob_bus_t *bus = bus_up();
    dealer_t *admin = dealer_new(fob_bus_endpoint(bus));
    dealer_greet(admin, "admin", 0);
    for (int i = 0; i < 300; i++) {
        dealer_t *dealer = dealer_new(fob_bus_endpoint(bus));
        dealer_greet(dealer, "publisher", 1);
        dealer_goodbye(dealer);
        dealer_figure_becomes(admin, NULL, "connections", 1);
        dealer_destroy(&dealer);
    }
    assert_int_equal(dealer_figure(admin, NULL, "malformed"), 0);
    dealer_destroy(&admin);
    fob_bus_destroy(&bus);
}

FOB_MAIN(FOB_CASE(random_bytes_on_every_port_are_counted_and_nobody_notices),
         FOB_CASE(hundreds_of_connects_in_turn_leave_nothing_behind))
