#include "tests/integration/bus_up.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Connects to a port and says something that is no ZMTP; waits until the bus hangs up. */
static void talk_nonsense(uint16_t port, const void *data, size_t size) {
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
        more = recv(fd, said, sizeof said, 0) > 0;
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
    const uint16_t ports[] = {shard.router, shard.xsub, shard.xpub};
    for (int i = 0; i < 3; i++) {
        noise[0] = 0x7f;
        talk_nonsense(ports[i], noise, sizeof noise);
        talk_nonsense(ports[i], "GET / HTTP/1.0\r\n\r\n", 18);
        noise[0] = 0xff; /* the beginning of a greeting, and no more of one */
        talk_nonsense(ports[i], noise, 64);
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

/* --- ten thousand connects, as bytes: a DEALER each would be a context and two threads each --- */

typedef struct {
    int fd;
    size_t have;
    uint8_t said[4096];
} caller_t;

static void put_frame(fob_buf_t *out, uint8_t flags, const void *bytes, size_t size) {
    uint8_t head[2] = {flags, (uint8_t)size};
    assert_true(size < 256);
    fob_buf_put(out, head, sizeof head);
    fob_buf_put(out, bytes, size);
}

static void put_message(fob_buf_t *out, const fob_wire_t *msg) {
    fob_buf_t header = {0};
    assert_int_equal(fob_wire_write(&header, msg), FOB_OK);
    put_frame(out, 0, header.data, header.size);
    fob_buf_free(&header);
}

/* What a DEALER says first. libzmq takes no message before it has answered. */
static void first_words(fob_buf_t *out) {
    static const uint8_t ready[] = "\5READY\13Socket-Type\0\0\0\6DEALER\10Identity\0\0\0\0";
    uint8_t greeting[64] = {0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 0, 'N', 'U', 'L', 'L'};
    fob_buf_put(out, greeting, sizeof greeting);
    put_frame(out, 4, ready, sizeof ready - 1);
}

static void hello_and_goodbye(fob_buf_t *out) {
    fob_wire_t hello = {.verb = FOB_VERB_HELLO};
    FOB_SET(&hello, version_min, 1);
    FOB_SET(&hello, version_max, 1);
    FOB_SET(&hello, role, fob_slice_str("publisher"));
    FOB_SET(&hello, client, fob_slice_str("test"));
    put_message(out, &hello);
    put_message(out, &(fob_wire_t){.verb = FOB_VERB_GOODBYE});
}

/* From another address than the tests' own, and reusable: ten thousand closed connections keep
 * their ports for a minute, and would keep other tests from listening there. */
static void dial(caller_t *self, uint16_t port, const fob_buf_t *words) {
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int yes = 1;
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    self->have = 0;
    self->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(self->fd >= 0);
    assert_int_equal(setsockopt(self->fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes), 0);
    assert_int_equal(setsockopt(self->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes),
                     0);
    assert_int_equal(bind(self->fd, (struct sockaddr *)&from, sizeof from), 0);
    assert_int_equal(connect(self->fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(send(self->fd, words->data, words->size, MSG_NOSIGNAL), words->size);
}

/* Waits until something came from byte `from` on. */
static void wait_for_more(caller_t *self, size_t from) {
    struct pollfd item = {self->fd, POLLIN, 0};
    while (self->have <= from) {
        assert_int_equal(poll(&item, 1, DEALER_PATIENCE), 1);
        ssize_t got = recv(self->fd, self->said + self->have, sizeof self->said - self->have, 0);
        assert_true(got > 0);
        self->have += (size_t)got;
    }
}

/* Waits for READY, greets, waits for WELCOME, hangs up. */
static void talk_and_hang_up(caller_t *self, const fob_buf_t *words) {
    wait_for_more(self, 64 + 1);
    size_t ready = 64 + 2 + (size_t)self->said[65];
    wait_for_more(self, ready - 1);
    assert_int_equal(send(self->fd, words->data, words->size, MSG_NOSIGNAL), words->size);
    wait_for_more(self, ready);
    close(self->fd);
    self->fd = -1;
}

static int open_descriptors(void) {
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static void ten_thousand_connects_in_turn_leave_nothing_behind(void **state) {
    (void)state;
    enum { MANY = 10000 / PACE_BUILD, AT_ONCE = 32 };
    static caller_t callers[AT_ONCE];
    fob_buf_t words = {0}, talk = {0};
    fob_shard_t shard;
    fob_bus_t *bus = bus_up();
    dealer_t *admin = dealer_new(fob_bus_endpoint(bus));
    const fob_wire_t *welcome = dealer_greet(admin, "admin", 0);
    assert_true(fob_shards_find(welcome->shards, 0, &shard));
    first_words(&words);
    hello_and_goodbye(&talk);
    int before = open_descriptors();
    for (int i = 0; i < MANY + AT_ONCE; i++) {
        caller_t *caller = &callers[i % AT_ONCE];
        if (i >= AT_ONCE)
            talk_and_hang_up(caller, &talk);
        if (i < MANY)
            dial(caller, shard.router, &words);
        if (i % 100 == 0)
            dealer_beat(admin);
    }
    dealer_figure_becomes(admin, NULL, "connections", 1);
    for (int64_t until = dealer_clock() + DEALER_PATIENCE; open_descriptors() > before;)
        assert_true(dealer_clock() < until);
    assert_int_equal(open_descriptors(), before);
    assert_int_equal(dealer_figure(admin, NULL, "malformed"), 0);
    dealer_t *publisher = dealer_new(fob_bus_endpoint(bus));
    dealer_greet(publisher, "publisher", 1);
    dealer_publish(publisher, 1, "order_placed", 1);
    dealer_receipts(publisher, 1, 1, FOB_OK);
    dealer_destroy(&publisher);
    dealer_destroy(&admin);
    fob_bus_destroy(&bus);
    fob_buf_free(&words);
    fob_buf_free(&talk);
}

FOB_MAIN(FOB_CASE(random_bytes_on_every_port_are_counted_and_nobody_notices),
         FOB_CASE(ten_thousand_connects_in_turn_leave_nothing_behind))
