/* Many who listen and do not keep up, with the real program: tails that are stopped, laggards whose
 * output nobody reads. They stop nobody, and they get all of it. `./run scale` measures the same.
 */
#include "tests/abuse/pair.h"
#include "tests/support/case.h"
#include "tests/support/stand.h"

#include <signal.h>
#include <stdlib.h>

#ifndef LISTENERS_EVENTS
#define LISTENERS_EVENTS 40000 /* more than what a listener may be behind and still listen */
#endif
#define WAIT_MS  PACE_PATIENCE
#define TAILS    4
#define LAGGARDS 6
#define PAST     2000
#define TRIPS    20

/* Stores so many events in large batches, as `fob pub --lines` sends them. */
static void store(size_t count) {
    char line[101];
    process_t *pub = process_fob("pub", "m.x", "--lines", "--text", "--deadline", "5m", NULL);
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\n';
    for (size_t i = 0; i < count; i++)
        assert_true(process_write(pub, line, sizeof line));
    process_close_input(pub);
    if (process_wait(pub, WAIT_MS) != 0)
        fail_msg("%s", process_line(pub, PROCESS_ERR, 1000));
    process_destroy(&pub);
}

/* A tail, as it holds no more than a thousand events: what it does not print it has to read again
 * from the journal. It ends after `count`. */
static process_t *tail(const char *from, size_t count) {
    char number[24];
    snprintf(number, sizeof number, "%zu", count);
    process_t *self =
        process_fob("tail", "m.*", "--json", "-v", "--from", from, "--count", number, NULL);
    if (!process_line_with(self, PROCESS_ERR, "subscribed", WAIT_MS))
        fail_msg("no subscription");
    return self;
}

/* It prints so many events, none twice, in order; then it ends. */
static void gets_all(process_t **self_p, size_t count) {
    long long last = 0;
    for (size_t i = 0; i < count; i++) {
        const char *line = process_line(*self_p, PROCESS_OUT, WAIT_MS);
        const char *at = line ? strstr(line, "\"offset\":") : NULL;
        if (!at)
            fail_msg("after %zu of %zu events: %s", i, count, line ? line : "(nothing)");
        long long offset = atoll(at + strlen("\"offset\":"));
        assert_true(offset > last);
        last = offset;
    }
    assert_int_equal(process_wait(*self_p, WAIT_MS), 0);
    process_destroy(self_p);
}

static void await_trips(pair_t *pair, size_t count) {
    size_t least = pair_trips(pair) + count;
    long long until = process_clock() + WAIT_MS;
    while (pair_trips(pair) < least) {
        if (process_clock() > until)
            fail_msg("the publisher and worker beside them do not get on");
        stand_pace(process_clock() + 5);
    }
}

static void who_does_not_keep_up_stops_nobody_and_gets_all(void **state) {
    (void)state;
    stand_t stand;
    process_t *tails[TAILS], *laggards[LAGGARDS];
    stand_start(&stand);
    store(PAST);
    for (size_t i = 0; i < TAILS; i++) {
        tails[i] = tail("latest", LISTENERS_EVENTS);
        process_signal(tails[i], SIGSTOP);
    }
    for (size_t i = 0; i < LAGGARDS; i++)
        laggards[i] = tail("earliest", PAST + LISTENERS_EVENTS);
    pair_t *pair = pair_new();
    store(LISTENERS_EVENTS);
    await_trips(pair, TRIPS);
    for (size_t i = 0; i < LAGGARDS; i++) {
        gets_all(&laggards[i], PAST + LISTENERS_EVENTS);
        await_trips(pair, 1);
    }
    for (size_t i = 0; i < TAILS; i++) {
        process_signal(tails[i], SIGCONT);
        gets_all(&tails[i], LISTENERS_EVENTS);
    }
    pair_destroy(&pair);
    stand_end(&stand);
}

FOB_MAIN(FOB_CASE(who_does_not_keep_up_stops_nobody_and_gets_all))
