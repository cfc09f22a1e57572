/* What a listener does not get over the broadcast, with the real program and a broadcast that loses
 * what the test chooses; what is no longer kept; and what the commands say of it. */
#include "tests/support/case.h"
#include "tests/support/lossy.h"
#include "tests/support/stand.h"

#include <signal.h>
#include <stdlib.h>

#ifndef REPAIR_EVENTS
#define REPAIR_EVENTS 20000
#endif
#define WAIT_MS   PACE_PATIENCE
#define BEAT_MS   1000
#define LARGE     60000 /* bytes: a message of the broadcast carries one such event */
#define PIPES     600 /* more of these than pipes hold: 256 of libzmq's, some MiB of the kernel's */
#define REST_MS   3000
#define LARGE_BUS "retain_bytes = 4MiB\n"

/* A bus whose broadcast comes by way of `lossy`. */
typedef struct {
    stand_t stand;
    lossy_t *lossy;
} net_t;

static void net_start(net_t *self) {
    stand_start_with(&self->stand, "advertise = 127.0.0.2\n", NULL);
    self->lossy = lossy_new(self->stand.port + 2);
}

static void net_end(net_t *self) {
    lossy_destroy(&self->lossy);
    stand_end(&self->stand);
}

static process_t *listen_to(const char *command, const char *pattern, const char *option,
                            const char *value) {
    process_t *self = process_fob(command, pattern, "-v", option, value, NULL);
    if (!process_line_with(self, PROCESS_ERR, "subscribed", WAIT_MS))
        fail_msg("no subscription");
    return self;
}

static long long number(const char *line, const char *name) {
    const char *at = line ? strstr(line, name) : NULL;
    if (!at)
        fail_msg("there is no %s in: %s", name, line ? line : "(nothing)");
    return atoll(at + strlen(name));
}

static long long next_offset(process_t *self) {
    return number(process_line(self, PROCESS_OUT, WAIT_MS), "\"offset\":");
}

static void expect_offsets(process_t *self, long long first, long long last) {
    for (long long offset = first; offset <= last; offset++)
        assert_int_equal(next_offset(self), offset);
}

static void end(process_t **self_p) {
    process_signal(*self_p, SIGTERM);
    assert_int_equal(process_wait(*self_p, WAIT_MS), 0);
    process_destroy(self_p);
}

/* --- the broadcast loses --- */

/* Until so many messages are. Where `lossy` is late, what is fetched comes before it has lost
 * them. */
static void await_lost(net_t *net, unsigned count) {
    long long until = process_clock() + WAIT_MS;
    while (lossy_lost(net->lossy) < count) {
        if (process_clock() > until)
            fail_msg("%u messages are lost, not %u", lossy_lost(net->lossy), count);
        stand_pace(process_clock() + 5);
    }
}

static void what_was_lost_last_is_noticed_within_a_beat(void **state) {
    (void)state;
    net_t net;
    net_start(&net);
    process_t *sub = listen_to("sub", "m.*", "--mode", "reliable");
    lossy_lose(net.lossy, 1000);
    stand_publish("m.burst", 1000);
    long long published = process_clock();
    expect_offsets(sub, 1, 1000);
    long long burst = process_clock() - published;
    await_lost(&net, 1);
    lossy_lose(net.lossy, 1001);
    stand_publish("m.new", 1); /* the only one of its topic */
    published = process_clock();
    expect_offsets(sub, 1001, 1001);
    long long alone = process_clock() - published;
    await_lost(&net, 2);
    printf("repaired after %lld ms; the only one of a topic after %lld ms; a beat is %d ms\n",
           burst, alone, BEAT_MS);
    long long lag = process_lag();
    assert_false(process_late(burst, 5 * BEAT_MS, lag) || process_late(alone, 5 * BEAT_MS, lag));
    end(&sub);
    net_end(&net);
}

static void a_broadcast_that_loses_each_third_message_is_whole(void **state) {
    (void)state;
    net_t net;
    net_start(&net);
    process_t *sub = listen_to("sub", "m.*", "--mode", "reliable");
    process_t *one = listen_to("sub", "m.x", "--mode", "reliable");
    lossy_lose_each(net.lossy, 3);
    stand_publish("m.x", REPAIR_EVENTS);
    expect_offsets(sub, 1, REPAIR_EVENTS);
    expect_offsets(one, 1, REPAIR_EVENTS);
    await_lost(&net, 1);
    end(&sub);
    end(&one);
    net_end(&net);
}

/* "... event 5 ...", "... events 5 to 90 ...": how many these are, each marked as had. */
static long long take_told(const char *line, char *had, long long events) {
    long long first = 0, last = 0;
    if (!line)
        fail_msg("nothing is said of what is missing");
    if (sscanf(line, "fob sub: events %lld to %lld", &first, &last) != 2) {
        if (sscanf(line, "fob sub: event %lld", &first) != 1)
            return 0;
        last = first;
    }
    for (long long offset = first; offset <= last; offset++) {
        assert_in_range(offset, 1, events);
        assert_false(had[offset]);
        had[offset] = true;
    }
    return last - first + 1;
}

static void mode_notify_tells_exactly_what_did_not_come(void **state) {
    (void)state;
    net_t net;
    net_start(&net);
    process_t *sub = listen_to("sub", "m.*", "--mode", "notify");
    char *had = calloc(REPAIR_EVENTS + 2, 1);
    lossy_lose_each(net.lossy, 3);
    stand_publish("m.x", REPAIR_EVENTS);
    await_lost(&net, 1);
    lossy_lose_each(net.lossy, 0);
    stand_publish("m.end", 1);
    long long offset = 0, missing = REPAIR_EVENTS + 1, lost = 0;
    while ((offset = next_offset(sub)) <= REPAIR_EVENTS) {
        assert_false(had[offset]);
        had[offset] = true;
        missing--;
    }
    missing--;
    assert_true(missing > 0);
    for (; lost < missing;)
        lost += take_told(process_line(sub, PROCESS_ERR, WAIT_MS), had, REPAIR_EVENTS);
    assert_int_equal(lost, missing);
    printf("%lld of %d did not come, and each was told\n", lost, REPAIR_EVENTS);
    free(had);
    end(&sub);
    net_end(&net);
}

static void mode_live_counts_what_did_not_come(void **state) {
    (void)state;
    net_t net;
    net_start(&net);
    process_t *sub = listen_to("sub", "m.*", "--mode", "live");
    stand_publish("m.x", 1);
    expect_offsets(sub, 1, 1);
    lossy_lose(net.lossy, 2);
    stand_publish("m.x", 1);
    stand_publish("m.x", 1);
    expect_offsets(sub, 3, 3);
    assert_non_null(process_line_with(sub, PROCESS_ERR, "1 event was lost (1 in all)", WAIT_MS));
    end(&sub);
    net_end(&net);
}

/* --- what is no longer kept --- */

typedef struct {
    stand_t stand;
    char *lines; /* so many large ones, a line each */
    size_t count;
} attic_t;

static void attic_start(attic_t *self) {
    bool file = getenv("FOB_BROADCAST_EVENTS") != NULL; /* the long form: with real segments */
    *self = (attic_t){.count = file ? 4000 : 1000};
    if (file) {
        stand_start_with(&self->stand, "sync = os\n" LARGE_BUS, NULL);
    } else {
        self->stand = (stand_t){.folder = process_folder(), .port = process_port()};
        char *path = stand_path(&self->stand, "conf");
        FILE *conf = fopen(path, "w");
        assert_non_null(conf);
        assert_true(fputs(LARGE_BUS, conf) >= 0);
        assert_int_equal(fclose(conf), 0);
        self->stand.config = path;
        self->stand.bus = process_serve(self->stand.port, "--memory", "--config", path, NULL);
        setenv("FOB_BUS", process_bus(self->stand.port), 1);
    }
}

static long long oldest(void) {
    char *out = stand_do("sub", ">", "--from", "earliest", "--count", "1", NULL);
    long long offset = number(out, "\"offset\":");
    free(out);
    return offset;
}

/* Until retention has done what it can: it looks once in a second, at what it knew the time before,
 * by the bus's own clock. */
static void await_rest(void) {
    long long bytes = -1, since = 0, uptime = 0, until = process_clock() + WAIT_MS;
    while (bytes < 0 || uptime - since <= REST_MS) {
        char *out = stand_do("stats", "--json", NULL);
        long long now = number(out, "\"journal_bytes\":");
        uptime = number(out, "\"uptime_ms\":");
        free(out);
        if (now != bytes)
            since = uptime;
        bytes = now;
        if (process_clock() > until)
            fail_msg("the journal does not come to rest, at %lld bytes", bytes);
        stand_pace(process_clock() + 20);
    }
}

/* Stores large events until those that may wait in pipes for a listener that is stopped are not
 * kept any more. */
static void attic_fill(attic_t *self) {
    char *line = malloc(LARGE + 1);
    process_t *pub = process_fob("pub", "big", "--lines", "--text", "--deadline", "5m", NULL);
    assert_non_null(line);
    memset(line, 'x', LARGE);
    line[LARGE] = '\n';
    for (size_t i = 0; i < self->count; i++)
        assert_true(process_write(pub, line, LARGE + 1));
    process_close_input(pub);
    if (process_wait(pub, WAIT_MS) != 0)
        fail_msg("%s", process_line(pub, PROCESS_ERR, 1000));
    process_destroy(&pub);
    free(line);
    await_rest();
    assert_true(oldest() > PIPES);
}

/* Until the file has the events at last - 1 and `last`; which it has. */
static void read_offsets(const char *path, bool *had, long long last) {
    long long until = process_clock() + WAIT_MS;
    char *line = NULL;
    size_t size = 0;
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    memset(had, 0, ((size_t)last + 1) * sizeof *had);
    while (!had[last] || (last > 1 && !had[last - 1])) {
        long at = ftell(file);
        ssize_t got = getline(&line, &size, file);
        if (got > 0 && line[got - 1] == '\n') {
            long long offset = number(line, "\"offset\":");
            assert_in_range(offset, 1, last);
            assert_false(had[offset]);
            had[offset] = true;
            continue;
        }
        if (process_clock() > until)
            fail_msg("the last events did not come");
        clearerr(file);
        fseek(file, at, SEEK_SET);
        stand_pace(process_clock() + 5);
    }
    fclose(file);
    free(line);
}

static void one_that_was_stopped_for_too_long_is_told_the_exact_range(void **state) {
    (void)state;
    attic_t attic;
    attic_start(&attic);
    long long last = (long long)attic.count + 2, lost = 0, first_lost = 0;
    char *path = stand_path(&attic.stand, "out"), want[100];
    bool *had = calloc((size_t)last + 1, sizeof *had);
    process_t *sub = stand_fob_to(path, "sub '>' -v");
    assert_non_null(process_line_with(sub, PROCESS_ERR, "subscribed", WAIT_MS));
    stand_publish("small", 1);
    read_offsets(path, had, 1);
    process_signal(sub, SIGSTOP);
    attic_fill(&attic);
    process_signal(sub, SIGCONT);
    stand_publish("small", 1);
    read_offsets(path, had, last);
    for (long long offset = 1; offset <= last; offset++) {
        if (had[offset])
            continue;
        first_lost = first_lost ? first_lost : offset;
        lost++;
    }
    assert_in_range(lost, 1, attic.count - 1);
    assert_false(had[first_lost + lost - 1]); /* one range */
    snprintf(want, sizeof want, "fob sub: events %lld to %lld are no longer kept", first_lost,
             first_lost + lost - 1);
    const char *said = process_line_with(sub, PROCESS_ERR, "no longer", WAIT_MS);
    assert_string_equal(said ? said : "(nothing)", want);
    printf("%s\n", want);
    end(&sub);
    free(had);
    free(path);
    stand_end(&attic.stand);
}

static void from_an_offset_tells_what_is_not_kept_and_earliest_does_not(void **state) {
    (void)state;
    attic_t attic;
    attic_start(&attic);
    attic_fill(&attic);
    process_t *sub = listen_to("sub", "big", "--from", "earliest");
    long long oldest = next_offset(sub);
    assert_in_range(oldest, 2, attic.count);
    expect_offsets(sub, oldest + 1, (long long)attic.count);
    process_signal(sub, SIGTERM);
    char *said = process_rest(sub, PROCESS_ERR, NULL, WAIT_MS), want[100];
    assert_null(strstr(said, "no longer"));
    free(said);
    process_destroy(&sub);
    sub = listen_to("sub", "big", "--from", "5");
    snprintf(want, sizeof want, "events 5 to %lld are no longer kept", oldest - 1);
    assert_non_null(process_line_with(sub, PROCESS_ERR, want, WAIT_MS));
    assert_int_equal(next_offset(sub), oldest);
    process_destroy(&sub);
    stand_end(&attic.stand);
}

/* --- where to begin --- */

static void each_place_to_begin_gives_history_and_then_what_comes(void **state) {
    (void)state;
    stand_t stand;
    stand_start(&stand);
    stand_publish("m.x", 100);
    stand_publish("m.y", 100);
    process_t *all = listen_to("sub", "m.*", "--from", "earliest");
    process_t *some = listen_to("sub", "m.*", "--from", "150");
    process_t *last = listen_to("sub", "m.*", "--from", "last");
    process_t *since = listen_to("tail", "--json", "--since", "1h");
    expect_offsets(all, 1, 200);
    expect_offsets(some, 150, 200);
    expect_offsets(last, 100, 100);
    expect_offsets(last, 200, 200);
    expect_offsets(since, 1, 200);
    stand_publish("m.x", 1);
    expect_offsets(all, 201, 201);
    expect_offsets(some, 201, 201);
    expect_offsets(last, 201, 201);
    expect_offsets(since, 201, 201);
    process_t *const every[] = {all, some, last, since};
    for (size_t i = 0; i < sizeof every / sizeof every[0]; i++) {
        process_t *one = every[i];
        end(&one);
    }
    stand_end(&stand);
}

/* --- who is behind --- */

static void a_tail_that_nobody_reads_is_behind_and_says_so_and_when_it_is_live_again(void **state) {
    (void)state;
    stand_t stand;
    stand_start(&stand);
    process_t *tail = listen_to("tail", "m.*", "--from", "latest");
    stand_publish("m.x", 30000);
    const char *line = NULL;
    for (size_t i = 0; i < 30000; i++) {
        line = process_line(tail, PROCESS_OUT, WAIT_MS);
        if (!line || number(line, "m.x ") != (long long)i + 1)
            fail_msg("not offset %zu: %s", i + 1, line ? line : "(nothing)");
    }
    line = process_line_with(tail, PROCESS_ERR, "behind, at offset", WAIT_MS);
    assert_non_null(line);
    printf("%s\n", line);
    assert_non_null(process_line_with(tail, PROCESS_ERR, "live: what is published", WAIT_MS));
    end(&tail);
    stand_end(&stand);
}

FOB_MAIN(FOB_CASE(what_was_lost_last_is_noticed_within_a_beat),
         FOB_CASE(a_broadcast_that_loses_each_third_message_is_whole),
         FOB_CASE(mode_notify_tells_exactly_what_did_not_come),
         FOB_CASE(mode_live_counts_what_did_not_come),
         FOB_CASE(one_that_was_stopped_for_too_long_is_told_the_exact_range),
         FOB_CASE(from_an_offset_tells_what_is_not_kept_and_earliest_does_not),
         FOB_CASE(each_place_to_begin_gives_history_and_then_what_comes),
         FOB_CASE(a_tail_that_nobody_reads_is_behind_and_says_so_and_when_it_is_live_again))
