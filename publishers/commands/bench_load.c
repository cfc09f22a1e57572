#include "publishers/commands/bench_load.h"

#include "proto/cli/bench/stamp.h"
#include "proto/now.h"

#include <fob/fob_publisher.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#define BURST      64          /* events sent at once, between two looks at the clock */
#define BURST_SIZE (256 << 10) /* bytes of their data, unless one is larger */
#define TOPIC_SIZE 64          /* bytes of a topic's name */
#define WINDOW     1024        /* the library's default */
#define STALE      16          /* receipts of one dispatch that share a look at the clock */
#define PAUSE_MS   10          /* how soon it is seen that nothing more shall be sent */
#define GRACE_MS   1000        /* behind the end of the schedule, for what was due before it */
#define GOODBYE_MS 2000        /* for the last receipts, where the run has ended without them */

typedef struct {
    fob_client_t *client;
    const fob_bench_plan_t *plan;
    fob_bench_slot_t *slot;
    fob_publisher_t *publisher;
    fob_tally_t stored;
    char *topics;  /* TOPIC_SIZE bytes each */
    uint8_t *data; /* of `burst` events, one behind the other */
    uint32_t burst;
    int64_t *due; /* of each event without receipt, by its number & mask */
    uint64_t mask, window;
    uint64_t next, end; /* its own numbers */
    int64_t begin_ns, end_ns;
    int64_t now_ns;  /* as the receipts see it */
    unsigned shared; /* how many more may; 0: it is looked up */
} load_t;

/* A flood's receipts come many at once: a look at the clock for each would cost more than it tells.
 */
static int64_t receipt_clock(load_t *self) {
    if (self->shared == 0) {
        self->now_ns = fob_board_clock();
        self->shared = STALE;
    }
    self->shared--;
    return self->now_ns;
}

static void on_receipt(void *arg, const fob_receipt_t *receipt) {
    load_t *self = arg;
    uint64_t number = (uint64_t)(uintptr_t)receipt->tag;
    int64_t now = receipt_clock(self);
    if (receipt->status == FOB_OK) {
        fob_histogram_add(&self->slot->latency, now - self->due[number & self->mask]);
        fob_tally_mark(&self->stored, number);
        fob_client_count(&self->slot->settled, 1);
        atomic_store_explicit(&self->slot->last_ns, now, memory_order_relaxed);
        return;
    }
    if (atomic_load(&self->slot->refused) == 0 && !fob_client_failed(self->client)) {
        self->slot->status = receipt->status;
        snprintf(self->slot->text, sizeof self->slot->text, "%s", receipt->text);
    }
    fob_client_count(&self->slot->refused, 1);
}

/* --- the beginning --- */

/* How many of the events are this publisher's: they are dealt out one after the other. */
static uint64_t share_of(const load_t *self) {
    const fob_bench_plan_t *plan = self->plan;
    uint64_t most = fob_board_capacity(self->client->board);
    if (!plan->count)
        return most;
    uint64_t share = plan->count / plan->publishers +
                     (self->client->index < plan->count % plan->publishers ? 1 : 0);
    return share < most ? share : most;
}

static bool make_room(load_t *self) {
    const fob_bench_plan_t *plan = self->plan;
    uint64_t room = 1;
    self->window = plan->window ? plan->window : WINDOW;
    while (room < self->window)
        room *= 2;
    self->mask = room - 1;
    self->burst = plan->size < BURST_SIZE / BURST ? BURST : BURST_SIZE / plan->size;
    self->burst = self->burst ? self->burst : 1;
    self->due = calloc(room, sizeof *self->due);
    self->data = malloc((size_t)self->burst * plan->size);
    self->topics = malloc((size_t)plan->topics * TOPIC_SIZE);
    if (!self->due || !self->data || !self->topics)
        return false;
    for (uint32_t i = 0; i < self->burst; i++)
        fob_stamp_begin(self->data + (size_t)i * plan->size, plan->size);
    for (uint32_t i = 0; i < plan->topics; i++)
        snprintf(self->topics + (size_t)i * TOPIC_SIZE, TOPIC_SIZE, "%s.%u", plan->prefix, i);
    return true;
}

static fob_status_t connect(load_t *self) {
    fob_publisher_options_t options = FOB_PUBLISHER_OPTIONS;
    options.bus = self->plan->bus;
    options.window = self->plan->window;
    options.connect_timeout_ms = self->plan->connect_ms;
    options.on_receipt = on_receipt;
    options.on_receipt_arg = self;
    if (!make_room(self))
        return FOB_NO_MEMORY;
    self->publisher = fob_publisher_new(&options);
    if (!self->publisher)
        return FOB_NO_MEMORY;
    fob_status_t status = fob_publisher_wait_ready(self->publisher, self->plan->connect_ms);
    uint64_t most = fob_publisher_max_event(self->publisher);
    return status == FOB_OK && most && most < self->plan->size ? FOB_TOO_LARGE : status;
}

static void fail(load_t *self, fob_status_t status) {
    char trouble[300] = "";
    if (self->publisher && status != FOB_TOO_LARGE)
        fob_publisher_trouble(self->publisher, trouble, sizeof trouble);
    fob_client_fail(self->client, status, trouble);
}

/* --- the flood --- */

/* When an event is due: the publishers of a rate take turns. */
static int64_t due_at(const load_t *self, uint64_t number) {
    uint64_t turn = number * self->plan->publishers + self->client->index, rate = self->plan->rate;
    return self->begin_ns +
           (int64_t)(turn / rate * FOB_SEC + turn % rate * (uint64_t)FOB_SEC / rate);
}

/* What is sent at once. */
typedef struct {
    fob_publish_t events[BURST];
    fob_publish_options_t options[BURST];
    uint32_t count;
} burst_t;

static void add(const load_t *self, burst_t *burst, uint64_t number, int64_t due_ns) {
    uint32_t at = burst->count++;
    uint8_t *data = self->data + (size_t)at * self->plan->size;
    const fob_stamp_t stamp = {self->plan->run, self->client->index, number, due_ns};
    fob_stamp_put(data, &stamp);
    self->due[number & self->mask] = due_ns;
    burst->options[at] = (fob_publish_options_t)FOB_PUBLISH_OPTIONS;
    burst->options[at].fire = self->plan->fire;
    burst->options[at].tag = (void *)(uintptr_t)number;
    burst->events[at] =
        (fob_publish_t){.topic = self->topics + (size_t)(number % self->plan->topics) * TOPIC_SIZE,
                        .data = data,
                        .size = self->plan->size,
                        .options = &burst->options[at]};
}

/* False: not all were taken: there is no room now, or this client has failed. */
static bool send_all(load_t *self, const burst_t *burst, int64_t now_ns) {
    size_t taken = 0;
    if (burst->count == 0)
        return true;
    fob_status_t status =
        fob_publisher_try_send_many(self->publisher, burst->events, burst->count, &taken);
    if (status != FOB_OK && status != FOB_AGAIN)
        fail(self, status);
    for (size_t i = 0; i < taken && self->plan->rate; i++)
        fob_histogram_add(&self->slot->late, now_ns - due_at(self, self->next + i));
    self->next += taken;
    fob_client_count(&self->slot->sent, taken);
    if (taken > 0)
        atomic_store_explicit(&self->slot->sent_ns, now_ns, memory_order_relaxed);
    return status == FOB_OK;
}

static uint64_t unanswered(const load_t *self) {
    return self->next - atomic_load(&self->slot->settled) - atomic_load(&self->slot->refused);
}

/* Runs on_receipt for what came. */
static void dispatch(load_t *self, int timeout_ms) {
    self->shared = 0;
    fob_publisher_dispatch(self->publisher, timeout_ms);
}

/* Whether the time is up. At a rate that counts by the schedule, and what could not be sent on time
 * is sent later; but a bus that cannot keep up does not make the run longer. */
static bool is_over(const load_t *self, int64_t now_ns) {
    if (!self->end_ns)
        return false;
    if (!self->plan->rate)
        return now_ns >= self->end_ns;
    return due_at(self, self->next) >= self->end_ns || now_ns >= self->end_ns + GRACE_MS * FOB_MS;
}

/* Whether anything is left to be sent. */
static bool goes_on(const load_t *self, int64_t now_ns) {
    const fob_board_t *board = self->client->board;
    return self->next < self->end && !is_over(self, now_ns) && !fob_board_is_cut(board) &&
           fob_board_phase(board) != FOB_BENCH_END && !fob_client_failed(self->client);
}

/* Sends what is due, as much as has room in the window, a burst at the most. True: there was room
 * for all of it. */
static bool send_due(load_t *self, int64_t now_ns) {
    uint64_t open = unanswered(self), room = open < self->window ? self->window - open : 0;
    uint64_t left = self->end - self->next, most = left < self->burst ? left : self->burst;
    bool full = false;
    burst_t burst;
    burst.count = 0;
    for (uint64_t i = 0; i < most && !full; i++) {
        int64_t due_ns = self->plan->rate ? due_at(self, self->next + i) : now_ns;
        if (due_ns > now_ns || (self->end_ns && due_ns >= self->end_ns))
            break;
        full = i == room;
        if (!full)
            add(self, &burst, self->next + i, due_ns);
    }
    return send_all(self, &burst, now_ns) && !full;
}

/* Until the next event is due, or a receipt has come. */
static void await_due(load_t *self) {
    int64_t left = due_at(self, self->next) - fob_board_clock(), most = PAUSE_MS * FOB_MS;
    if (left <= 0)
        return;
    left = left < most ? left : most;
    struct pollfd fd = {.fd = fob_publisher_fd(self->publisher), .events = POLLIN};
    const struct timespec pause = {.tv_nsec = left};
    ppoll(&fd, 1, &pause, NULL);
}

static bool alive(load_t *self, int64_t now_ns) {
    char trouble[300];
    if (!fob_client_looks(self->client, now_ns))
        return true;
    fob_publisher_trouble(self->publisher, trouble, sizeof trouble);
    return fob_client_lives(self->client, now_ns, trouble);
}

static void publish(load_t *self) {
    int64_t now = fob_board_clock();
    for (; goes_on(self, now) && alive(self, now); now = fob_board_clock()) {
        bool room = send_due(self, now);
        if (room && self->plan->rate)
            await_due(self);
        dispatch(self, room ? 0 : PAUSE_MS);
    }
}

/* True: every event has its receipt. */
static bool settle(load_t *self) {
    int64_t now = fob_board_clock(), until = 0;
    while (unanswered(self) > 0 && alive(self, now)) {
        if (fob_board_phase(self->client->board) == FOB_BENCH_END && !until)
            until = now + GOODBYE_MS * FOB_MS;
        if (until && now > until)
            return false;
        dispatch(self, PAUSE_MS);
        now = fob_board_clock();
    }
    return unanswered(self) == 0;
}

static void run(load_t *self) {
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL); /* to be up when an event is due */
    self->begin_ns = fob_board_run_ns(self->client->board);
    if (self->plan->duration_ms)
        self->end_ns = self->begin_ns + self->plan->duration_ms * FOB_MS;
    const int64_t wait_ns = self->begin_ns - fob_board_clock();
    if (wait_ns > 0)
        poll(NULL, 0, (int)(wait_ns / FOB_MS));
    publish(self);
    /* What has no answer is not waited for a second time. */
    if (settle(self))
        fob_publisher_destroy(&self->publisher);
    fob_client_done(self->client);
}

void fob_bench_load(fob_client_t *client) {
    load_t self = {.client = client, .plan = client->plan, .slot = client->slot};
    self.stored = fob_board_sent(client->board, client->index);
    self.end = share_of(&self);
    fob_status_t status = connect(&self);
    if (status != FOB_OK) {
        fail(&self, status);
    } else {
        fob_client_ready(client);
        if (fob_client_await(client, FOB_BENCH_RUN))
            run(&self);
        else
            fob_publisher_destroy(&self.publisher);
    }
    free(self.topics);
    free(self.data);
    free(self.due);
}
