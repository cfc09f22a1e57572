#include "storm.h"

#include "tests/support/case.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#define PATIENCE PACE_PATIENCE

/* Small segments, and events that go as soon as they may, so that a kill meets segments and
 * checkpoints being made, and old ones given back. */
#define CONFIG "max_disk = 192MiB\nmax_event = 16KiB\nretain = 1s\nretain_bytes = 1MiB\n"

/* A third of the letters is rejected until the file `mend` is there, a third fails once. */
#define HANDLER                                                                                    \
    "#!/bin/sh\n"                                                                                  \
    "echo \"$FOB_OFFSET\" >>\"${0%/*}/letters\"\n"                                                 \
    "[ ! -e \"${0%/*}/mend\" ] || exit 0\n"                                                        \
    "case $((FOB_OFFSET % 3)) in\n"                                                                \
    "0) exit 65 ;;\n"                                                                              \
    "1) [ \"$FOB_ATTEMPT\" -gt 1 ] || exit 1 ;;\n"                                                 \
    "esac\n"

enum { PUB_NEW, PUB_ID, PUB_LETTER, PUB_STEADY };
#define STEADY_COUNT 40

uint64_t storm_draw(storm_t *self, uint64_t below) {
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

static void write_file(const storm_t *self, const char *name, const char *text) {
    char *path = stand_path(&self->stand, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0700), 0);
    free(path);
}

/* `fob words` with its output in a file, and what it complains of in the common one. */
static process_t *fob_to(const storm_t *self, const char *file, const char *words) {
    char *text = NULL;
    assert_true(asprintf(&text, "%s 2>>'%s/complaints'", words, self->stand.folder) > 0);
    process_t *process = stand_fob_to(file, text);
    free(text);
    return process;
}

/* --- begin --- */

static void begin_groups(storm_t *self) {
    char *handler = NULL, *out = stand_path(&self->stand, "letters-out");
    free(stand_do("group", "add", "letters", "letter", "max_attempts=50", "backoff_first=10ms",
                  "backoff_max=40ms", NULL));
    free(stand_do("group", "add", "steady", "steady", NULL));
    free(stand_do("group", "add", "idle", "letter", "max_attempts=3", NULL));
    self->is.max_attempts = 3;
    write_file(self, "handler", HANDLER);
    assert_true(
        asprintf(&handler, "work letters letter --jobs 2 -- '%s/handler'", self->stand.folder) > 0);
    self->letters = fob_to(self, out, handler);
    free(handler);
    free(out);
}

void storm_begin(storm_t *self, uint64_t seed) {
    static const char *const words[STORM_WORKERS] = {"work billing 'order.*' --json",
                                                     "work billing 'order.*' --json",
                                                     "work audit '>' --json --prefetch 1000"};
    static const char *const topics[TRUTH_PUBLISHERS] = {"order.new", "order.id", "letter",
                                                         "steady"};
    *self = (storm_t){.random = seed * UINT64_C(0x9E3779B97F4A7C15) + 1};
    stand_start_with(&self->stand, CONFIG, NULL);
    for (unsigned i = 0; i < STORM_WORKERS; i++) {
        self->handled[i] = numbered(self, "handled", i);
        self->workers[i] = fob_to(self, self->handled[i], words[i]);
    }
    begin_groups(self);
    stand_await_workers(&self->stand, STORM_WORKERS + 1);
    for (unsigned i = 0; i < TRUTH_PUBLISHERS; i++) {
        char pub[96];
        snprintf(pub, sizeof pub, "pub %s --lines --json --deadline 5m%s", topics[i],
                 i == PUB_ID ? " --id-from /n" : "");
        self->truth.topics[i] = topics[i];
        self->receipts[i] = numbered(self, "receipts", i);
        self->pubs[i] = fob_to(self, self->receipts[i], pub);
    }
}

/* --- load --- */

static void send(storm_t *self, unsigned publisher, uint64_t count) {
    for (; count > 0; count--)
        assert_true(
            process_puts(self->pubs[publisher],
                         truth_line(&self->truth, publisher, (unsigned)storm_draw(self, 80))));
}

/* Reads what a worker of `steady` was given, all of whose acks were confirmed: none of it was given
 * to one before, as that one's acks were too. */
static void read_steady(storm_t *self) {
    char *path = numbered(self, "steady", self->steady_count - 1), *text = stand_read(path),
         *rest = text;
    uint64_t offsets[2 * STEADY_COUNT] = {0};
    size_t count = 0;
    for (char *line; (line = stand_line(&rest)) != NULL;) {
        const char *at = strstr(line, "\"offset\":");
        assert_non_null(at);
        uint64_t offset = strtoull(at + 9, NULL, 10);
        if (truth_times(&self->steady_done, offset))
            fail_msg("event %llu was acked, that was confirmed, and it came again: %s",
                     (unsigned long long)offset, line);
        if (count < 2 * STEADY_COUNT)
            offsets[count] = offset;
        count++;
    }
    /* One that lost its lease was not acked, and nothing tells which. */
    for (size_t i = 0; count == STEADY_COUNT && i < count; i++)
        truth_saw(&self->steady_done, offsets[i]);
    free(text);
    free(path);
}

static void steady_next(storm_t *self) {
    if (self->steady) {
        int code = process_wait(self->steady, 0);
        if (code == -1)
            return;
        assert_int_equal(code, 0);
        process_destroy(&self->steady);
        read_steady(self);
    }
    char *path = numbered(self, "steady", self->steady_count++), words[96];
    snprintf(words, sizeof words, "work steady steady --json --connect-timeout 2m --count %d",
             STEADY_COUNT);
    self->steady = fob_to(self, path, words);
    free(path);
}

static void load(storm_t *self, long long until) {
    uint64_t letters = 20, steady = 100;
    while (process_clock() < until) {
        send(self, PUB_NEW, storm_draw(self, 60));
        send(self, PUB_ID, storm_draw(self, 60));
        uint64_t some = storm_draw(self, 4);
        if (some < letters) {
            send(self, PUB_LETTER, some);
            letters -= some;
        }
        some = storm_draw(self, 12);
        if (some < steady) {
            send(self, PUB_STEADY, some);
            steady -= some;
        }
        steady_next(self);
    }
}

/* --- kills --- */

static void kill_bus(storm_t *self) {
    process_signal(self->stand.bus, SIGKILL);
    assert_true(process_wait(self->stand.bus, PATIENCE) != -1);
    process_destroy(&self->stand.bus);
    self->kills++;
}

/* A start that is killed: while it waits, recovers, begins to serve. */
static void kill_start(storm_t *self) {
    char port[16];
    snprintf(port, sizeof port, "%d", self->stand.port);
    process_t *second = process_fob("serve", "--data", self->stand.data, "--port", port, "--config",
                                    self->stand.config, NULL);
    stand_pace(process_clock() + (long long)storm_draw(self, 90));
    process_destroy(&second); /* kill -9 */
    self->starts_killed++;
}

static void end_bus(storm_t *self) {
    uint64_t how = storm_draw(self, 8);
    if (how >= 6) { /* in the middle of an orderly end, or after it */
        process_signal(self->stand.bus, SIGTERM);
        if (how == 7)
            assert_int_equal(process_wait(self->stand.bus, PATIENCE), 0);
        else
            stand_pace(process_clock() + (long long)storm_draw(self, 40));
        self->stops++;
    }
    kill_bus(self);
    for (uint64_t starts = how >= 3 ? 0 : how + 1; starts > 0; starts--)
        kill_start(self);
}

void storm_round(storm_t *self) {
    long long until = process_clock() + 20 + (long long)storm_draw(self, 400);
    bool backup = storm_draw(self, 4) == 0;
    load(self, process_clock() + (long long)storm_draw(self, 200));
    storm_act_begin(self);
    if (backup)
        storm_backup_begin(self);
    load(self, until);
    end_bus(self);
    stand_serve(&self->stand);
    if (backup)
        storm_backup_end(self);
    storm_act_end(self);
    json_decref(stand_group(&self->stand, "billing")); /* and the books of all */
}

/* --- looks --- */

static void await_settled(const storm_t *self, const char *group) {
    static const char *const places[] = {"ready", "leased", "delayed"};
    for (bool settled = false; !settled;) {
        settled = true;
        for (size_t i = 0; i < 3; i++)
            if (stand_figure(&self->stand, group, places[i]) != 0) {
                settled = false;
                stand_await(&self->stand, group, places[i], 0);
            }
    }
}

static void read_receipts(storm_t *self, unsigned publisher) {
    long long until = process_clock() + PATIENCE;
    while (truth_receipts(&self->truth, publisher, self->receipts[publisher]) <
           self->truth.sent[publisher]) {
        if (process_clock() > until)
            fail_msg("lines to %s are without an answer", self->truth.topics[publisher]);
        stand_pace(process_clock() + 20);
    }
}

/* The letters that are to lie there do, each once, and no others. */
static void check_dead(const storm_t *self, uint64_t divisor) {
    char *out = stand_do("dead", "ls", "letters", "--json", NULL);
    json_t *all = json_loads(out, 0, NULL), *each;
    truth_seen_t dead = {0};
    size_t i;
    json_array_foreach(all, i, each)
        truth_saw(&dead, (uint64_t)json_integer_value(json_object_get(each, "offset")));
    for (uint64_t offset = 1; offset <= self->truth.last || offset < dead.room; offset++) {
        const truth_event_t *event = truth_of(&self->truth, offset);
        bool wanted =
            divisor && event && event->publisher == PUB_LETTER + 1 && offset % divisor == 0;
        if (truth_times(&dead, offset) != wanted)
            fail_msg("letter %llu %s", (unsigned long long)offset,
                     wanted ? "is no dead letter" : "is a dead letter, or one twice");
    }
    truth_seen_free(&dead);
    json_decref(all);
    free(out);
}

/* What nobody works for keeps the journal from its first event on: not so long that the disk is
 * full. */
static void empty_idle(const storm_t *self) {
    free(stand_do("group", "purge", "idle", NULL));
    for (unsigned i = 0; i < STORM_TEMPS; i++) {
        char name[16];
        snprintf(name, sizeof name, "temp%u", i);
        if (self->is.temps[i])
            free(stand_do("group", "purge", name, NULL));
    }
}

void storm_calm(storm_t *self) {
    empty_idle(self);
    read_receipts(self, PUB_LETTER);
    await_settled(self, "letters");
    check_dead(self, 3);
    await_settled(self, "billing");
    await_settled(self, "audit");
}

/* --- end --- */

static void end_publishers(storm_t *self) {
    for (unsigned i = 0; i < TRUTH_PUBLISHERS; i++) {
        process_close_input(self->pubs[i]);
        assert_int_equal(process_wait(self->pubs[i], 2 * PATIENCE), 0);
        process_destroy(&self->pubs[i]);
        assert_int_equal(truth_receipts(&self->truth, i, self->receipts[i]), self->truth.sent[i]);
    }
}

static void end_worker(process_t **worker) {
    process_signal(*worker, SIGTERM);
    assert_int_equal(process_wait(*worker, PATIENCE), 0);
    process_destroy(worker);
}

/* What is left of `steady`: all of it was handled, nothing again whose ack was confirmed. */
static void end_steady(storm_t *self) {
    truth_seen_t seen = {0};
    process_signal(self->steady, SIGTERM);
    assert_int_equal(process_wait(self->steady, PATIENCE), 0);
    process_destroy(&self->steady);
    char *last = numbered(self, "steady", self->steady_count++);
    process_t *worker = fob_to(self, last, "work steady steady --json --connect-timeout 2m");
    await_settled(self, "steady");
    end_worker(&worker);
    free(last);
    read_steady(self);
    for (unsigned i = 0; i < self->steady_count; i++) {
        char *path = numbered(self, "steady", i);
        truth_handled(&self->truth, path, &seen);
        free(path);
    }
    truth_complete(&self->truth, &seen, 1u << PUB_STEADY, "steady");
    truth_seen_free(&seen);
}

static void end_letters(storm_t *self) {
    write_file(self, "mend", "");
    free(stand_do("dead", "redrive", "letters", NULL));
    stand_await(&self->stand, "letters", "dead", 0);
    await_settled(self, "letters");
    check_dead(self, 0);
    end_worker(&self->letters);
    char *path = stand_path(&self->stand, "letters"), *text = stand_read(path), *rest = text;
    truth_seen_t seen = {0};
    for (char *line; (line = stand_line(&rest)) != NULL;)
        truth_saw(&seen, strtoull(line, NULL, 10));
    truth_complete(&self->truth, &seen, 1u << PUB_LETTER, "letters");
    truth_seen_free(&seen);
    free(text);
    free(path);
}

/* Each confirmed event entered each of its groups once, and is acked there. */
static void check_books(const storm_t *self, const char *group, unsigned publishers) {
    size_t all = 0;
    for (unsigned i = 0; i < TRUTH_PUBLISHERS; i++)
        all += publishers & 1u << i ? self->truth.sent[i] : 0;
    assert_int_equal(stand_figure(&self->stand, group, "accepted"), all);
    assert_int_equal(stand_figure(&self->stand, group, "acked"), all);
}

static void check_all_books(const storm_t *self) {
    check_books(self, "billing", 1u << PUB_NEW | 1u << PUB_ID);
    check_books(self, "audit", (1u << TRUTH_PUBLISHERS) - 1);
    check_books(self, "letters", 1u << PUB_LETTER);
    check_books(self, "steady", 1u << PUB_STEADY);
}

static void check_handled(storm_t *self) {
    truth_seen_t billing = {0}, audit = {0};
    truth_handled(&self->truth, self->handled[0], &billing);
    truth_handled(&self->truth, self->handled[1], &billing);
    truth_handled(&self->truth, self->handled[2], &audit);
    size_t twice = truth_complete(&self->truth, &billing, 1u << PUB_NEW | 1u << PUB_ID, "billing") +
                   truth_complete(&self->truth, &audit, (1u << TRUTH_PUBLISHERS) - 1, "audit");
    printf("%u kills, %zu events confirmed, each handed out to its groups (%zu of %zu more than "
           "once), %u starts and %u ends cut short, %u of %u acts and %u of %u backups confirmed\n",
           self->kills,
           self->truth.sent[0] + self->truth.sent[1] + self->truth.sent[2] + self->truth.sent[3],
           twice, billing.lines + audit.lines, self->starts_killed, self->stops, self->acts_good,
           self->acts, self->backups_good, self->backups);
    truth_seen_free(&billing);
    truth_seen_free(&audit);
}

void storm_end(storm_t *self) {
    end_publishers(self);
    storm_calm(self);
    end_steady(self);
    end_letters(self);
    for (unsigned i = 0; i < STORM_WORKERS; i++)
        end_worker(&self->workers[i]);
    check_handled(self);
    check_all_books(self);
    kill_bus(self);
    char *err = NULL;
    if (process_run_fob(NULL, NULL, &err, "journal", "verify", self->stand.data, NULL) != 0)
        fail_msg("%s", err);
    free(err);
    stand_serve(&self->stand);
    check_all_books(self);
    stand_end(&self->stand);
    for (unsigned i = 0; i < TRUTH_PUBLISHERS; i++)
        free(self->receipts[i]);
    for (unsigned i = 0; i < STORM_WORKERS; i++)
        free(self->handled[i]);
    truth_seen_free(&self->steady_done);
    truth_free(&self->truth);
}
