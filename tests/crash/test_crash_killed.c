/* kill -9 of the bus at random moments under load: what was confirmed, as the publishers' own files
 * say, is there after the restart, with the bytes that were sent; every group gets all of it; the
 * folder is whole. FOB_SEED repeats the moments (not the machine's), FOB_ROUNDS says how many. */
#include "crash_kit.h"
#include "tests/support/stand.h"

#include <signal.h>
#include <stdlib.h>

#define PUBLISHERS 2
#define WORKERS    3
#define PATIENCE   30000

/* Small segments, and events that go as soon as they may, so that a kill meets segments and
 * checkpoints being made, and old ones given back. */
#define CONFIG "max_disk = 48MiB\nmax_event = 16KiB\nretain = 1s\nretain_bytes = 1MiB\n"

typedef struct {
    stand_t stand;
    uint64_t random;
    process_t *pubs[PUBLISHERS], *workers[WORKERS];
    char *receipts[PUBLISHERS], *handled[WORKERS];
    size_t sent[PUBLISHERS];
} storm_t;

static uint64_t draw(storm_t *self, uint64_t below) {
    self->random ^= self->random << 13;
    self->random ^= self->random >> 7;
    self->random ^= self->random << 17;
    return self->random % below;
}

static char *numbered(const storm_t *self, const char *name, unsigned number) {
    char text[32];
    snprintf(text, sizeof text, "%s%u", name, number);
    return stand_path(&self->stand, text);
}

static void begin(storm_t *self) {
    static const char *const words[WORKERS] = {"work billing 'order.*' --json",
                                               "work billing 'order.*' --json",
                                               "work audit '>' --json --prefetch 1000"};
    static const char *const topics[PUBLISHERS] = {
        "pub order.new --lines --json --deadline 5m",
        "pub order.id --lines --json --deadline 5m --id-from /n"};
    *self = (storm_t){.random = crash_seed(20261120) * UINT64_C(0x9E3779B97F4A7C15) + 1};
    stand_start_with(&self->stand, CONFIG, NULL);
    for (unsigned i = 0; i < WORKERS; i++) {
        self->handled[i] = numbered(self, "handled", i);
        self->workers[i] = stand_fob_to(self->handled[i], words[i]);
    }
    stand_await_workers(&self->stand, WORKERS);
    for (unsigned i = 0; i < PUBLISHERS; i++) {
        self->receipts[i] = numbered(self, "receipts", i);
        self->pubs[i] = stand_fob_to(self->receipts[i], topics[i]);
    }
}

static void end(storm_t *self) {
    for (unsigned i = 0; i < PUBLISHERS; i++) {
        process_destroy(&self->pubs[i]);
        free(self->receipts[i]);
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        process_destroy(&self->workers[i]);
        free(self->handled[i]);
    }
    stand_end(&self->stand);
}

static void send_some(storm_t *self) {
    static const char pad[] =
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    char line[256];
    for (unsigned i = 0; i < PUBLISHERS; i++) {
        for (uint64_t n = draw(self, 60); n > 0; n--) {
            snprintf(line, sizeof line, "{\"n\":%zu,\"p\":\"%.*s\"}\n", self->sent[i],
                     (int)draw(self, sizeof pad), pad);
            assert_true(process_puts(self->pubs[i], line));
            self->sent[i]++;
        }
    }
}

/* Load until a random moment, and kill -9 then; sometimes once more while it recovers. */
static void round_of(storm_t *self) {
    long long until = process_clock() + 20 + (long long)draw(self, 400);
    while (process_clock() < until)
        send_some(self);
    if (draw(self, 4) == 0) {
        process_signal(self->stand.bus, SIGKILL);
        process_wait(self->stand.bus, PATIENCE);
        char port[16];
        snprintf(port, sizeof port, "%d", self->stand.port);
        process_t *second = process_fob("serve", "--data", self->stand.data, "--port", port,
                                        "--config", self->stand.config, NULL);
        stand_pace(process_clock() + (long long)draw(self, 60));
        process_destroy(&second); /* kill -9 */
    }
    stand_kill_bus(&self->stand);
}

/* The number in a line behind a name; -1: there is none. */
static long long after(const char *line, const char *name) {
    const char *at = strstr(line, name);
    return at ? atoll(at + strlen(name)) : -1;
}

/* The offsets that were confirmed to a publisher, each line's in turn: they only grow, as its lines
 * were sent in order, and none is told twice. */
static size_t read_receipts(const char *path, unsigned char *confirmed, size_t room,
                            size_t *duplicates) {
    char *text = stand_read(path);
    size_t lines = 0;
    long long last = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), lines++) {
        long long offset = after(line, "\"offset\":");
        if (!strchr(line, '}'))
            break; /* being written */
        if (offset <= last || (size_t)offset >= room)
            fail_msg("line %zu of %s: %s", lines, path, line);
        confirmed[offset]++;
        *duplicates += strstr(line, "\"duplicate\":false") == NULL;
        last = offset;
    }
    free(text);
    return lines;
}

/* What of the offsets a group's workers were given. */
static void read_handled(const char *path, unsigned char *handled, size_t room) {
    char *text = stand_read(path);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        long long offset = after(line, "\"offset\":");
        assert_in_range(offset, 1, room - 1);
        handled[offset] = 1;
    }
    free(text);
}

static void check(storm_t *self) {
    size_t room = 2 * (self->sent[0] + self->sent[1]) + 100000, duplicates = 0, both = 0;
    unsigned char *confirmed = calloc(room, 1), *billing = calloc(room, 1),
                  *audit = calloc(room, 1);
    for (unsigned i = 0; i < PUBLISHERS; i++)
        assert_int_equal(read_receipts(self->receipts[i], confirmed, room, &duplicates),
                         self->sent[i]);
    read_handled(self->handled[0], billing, room);
    read_handled(self->handled[1], billing, room);
    read_handled(self->handled[2], audit, room);
    for (size_t offset = 1; offset < room; offset++) {
        both += confirmed[offset] > 1;
        if (confirmed[offset] && (!billing[offset] || !audit[offset]))
            fail_msg("event %zu was confirmed, and not handed out: billing %d, audit %d", offset,
                     billing[offset], audit[offset]);
        if ((billing[offset] || audit[offset]) && !confirmed[offset])
            fail_msg("event %zu was handed out, and nobody published it", offset);
    }
    assert_int_equal(both, 0);
    assert_int_equal(duplicates, 0); /* each line has another id, and a resend is no duplicate */
    free(confirmed);
    free(billing);
    free(audit);
}

static void what_was_confirmed_outlives_kill_9_at_any_moment(void **state) {
    (void)state;
    storm_t storm;
    unsigned rounds = crash_rounds(8);
    begin(&storm);
    for (unsigned i = 0; i < rounds; i++) {
        round_of(&storm);
        if (i % 10 == 9)
            stand_await_settled(&storm.stand);
    }
    for (unsigned i = 0; i < PUBLISHERS; i++) {
        process_close_input(storm.pubs[i]);
        assert_int_equal(process_wait(storm.pubs[i], 2 * PATIENCE), 0);
    }
    stand_await_settled(&storm.stand);
    for (unsigned i = 0; i < WORKERS; i++) {
        process_signal(storm.workers[i], SIGTERM);
        assert_int_equal(process_wait(storm.workers[i], PATIENCE), 0);
    }
    check(&storm);
    printf("%u kills, %zu events confirmed, each handed out to both groups\n", rounds,
           storm.sent[0] + storm.sent[1]);
    process_signal(storm.stand.bus, SIGKILL);
    process_wait(storm.stand.bus, PATIENCE);
    char *err = NULL;
    if (process_run_fob(NULL, NULL, &err, "journal", "verify", storm.stand.data, NULL) != 0)
        fail_msg("%s", err);
    free(err);
    stand_kill_bus(&storm.stand);
    end(&storm);
}

FOB_MAIN(FOB_CASE(what_was_confirmed_outlives_kill_9_at_any_moment))
