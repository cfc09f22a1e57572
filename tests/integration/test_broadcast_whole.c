/* A broadcast that loses nothing, with the real program: listeners that stop, die and join late,
 * and a bus that is killed, while events are published as fast as they are taken.
 * FOB_BROADCAST_EVENTS says how many. */
#include "tests/support/case.h"
#include "tests/support/stand.h"

#include <signal.h>
#include <stdlib.h>

#ifndef BROADCAST_EVENTS
#define BROADCAST_EVENTS 48000
#endif
#define STEPS                                                                                      \
    8 /* the load comes in so many parts, and something happens while each is under way            \
       */
#define TOPICS  2    /* m.x and m.y: a publisher each */
#define WITHIN  300  /* seconds */
#define PAD     110  /* bytes: in the long form far more passes than pipes hold */
#define STOPPED 3000 /* ms, in the long form */

static const char *const topics[TOPICS] = {"m.x", "m.y"};

/* Of each topic. */
static size_t events(void) {
    const char *given = getenv("FOB_BROADCAST_EVENTS");
    return (given ? strtoull(given, NULL, 10) : BROADCAST_EVENTS) / STEPS / TOPICS * STEPS;
}

/* --- the load --- */

typedef struct {
    stand_t stand;
    process_t *publishers[TOPICS];
    size_t said; /* of each topic */
} load_t;

static void load_start(load_t *self) {
    *self = (load_t){0};
    stand_start(&self->stand);
    for (size_t i = 0; i < TOPICS; i++)
        self->publishers[i] = process_fob("pub", topics[i], "--lines", "--deadline", "5m", NULL);
}

/* The next part. When it returns the last of it is on its way. */
static void load_step(load_t *self) {
    size_t count = events() / STEPS;
    char *text = malloc(count * (PAD + 40) + 1), *at = text;
    assert_non_null(text);
    for (size_t n = self->said; n < self->said + count; n++)
        at += sprintf(at, "{\"n\":%zu,\"pad\":\"%0*d\"}\n", n, PAD, 0);
    for (size_t i = 0; i < TOPICS; i++)
        assert_true(process_puts(self->publishers[i], text));
    self->said += count;
    free(text);
}

static void load_finish(load_t *self) {
    while (self->said < events())
        load_step(self);
    for (size_t i = 0; i < TOPICS; i++) {
        process_close_input(self->publishers[i]);
        if (process_wait(self->publishers[i], WITHIN * 1000) != 0)
            fail_msg("%s", process_line(self->publishers[i], PROCESS_ERR, 1000));
        process_destroy(&self->publishers[i]);
    }
}

/* --- those who listen --- */

typedef struct {
    const char *pattern;
    bool topics[TOPICS]; /* that match */
    char *path;
    process_t *process;
    FILE *file; /* what it wrote, read as it grows */
    size_t lines, next[TOPICS];
    long long offset; /* of the last line */
    char *line;
    size_t size;
} listener_t;

static void listener_run(listener_t *self, const load_t *load, const char *from) {
    char *words = NULL;
    assert_true(asprintf(&words, "sub '%s' -v --from %s", self->pattern, from) > 0);
    if (!self->path)
        assert_true(asprintf(&self->path, "%s/listener-%p", load->stand.folder, (void *)self) > 0);
    if (self->file)
        fclose(self->file);
    self->process = stand_fob_to(self->path, words);
    free(words);
    if (!process_line_with(self->process, PROCESS_ERR, "subscribed", PACE_PATIENCE))
        fail_msg("no subscription");
    self->file = fopen(self->path, "r");
    assert_non_null(self->file);
}

static void listener_start(listener_t *self, const load_t *load, const char *pattern,
                           const char *from) {
    *self = (listener_t){.pattern = pattern};
    self->topics[0] = true;
    self->topics[1] = strcmp(pattern, "m.x") != 0;
    listener_run(self, load, from);
}

/* A line: the next event of its topic, and no other. */
static void take(listener_t *self) {
    const char *topic = strstr(self->line, "\"topic\":\""), *data = strstr(self->line, "\"n\":");
    const char *offset = strstr(self->line, "\"offset\":");
    assert_true(topic && data && offset);
    for (size_t i = 0; i < TOPICS; i++) {
        if (strncmp(topic + strlen("\"topic\":\""), topics[i], strlen(topics[i])) != 0)
            continue;
        size_t number = strtoull(data + strlen("\"n\":"), NULL, 10);
        if (number != self->next[i] || !self->topics[i])
            fail_msg("%s has %zu of %s, not %zu", self->pattern, number, topics[i], self->next[i]);
        self->next[i]++;
    }
    self->offset = atoll(offset + strlen("\"offset\":"));
    self->lines++;
}

/* Whole lines that it has written since. */
static void read_on(listener_t *self) {
    clearerr(self->file);
    for (;;) {
        long at = ftell(self->file);
        ssize_t size = getline(&self->line, &self->size, self->file);
        if (size > 0 && self->line[size - 1] == '\n') {
            take(self);
            continue;
        }
        fseek(self->file, at, SEEK_SET);
        return;
    }
}

static size_t expected(const listener_t *self) {
    return self->topics[1] ? 2 * events() : events();
}

/* Until it has so many of each topic, or more. */
static void await(listener_t *self, size_t count) {
    long long until = process_clock() + WITHIN * 1000;
    read_on(self);
    while (self->next[0] < count || (self->topics[1] && self->next[1] < count)) {
        if (process_clock() > until) {
            char *said = NULL;
            process_signal(self->process, SIGTERM);
            said = process_rest(self->process, PROCESS_ERR, NULL, PACE_PATIENCE);
            fail_msg("%s has %zu and %zu, not %zu: %s", self->pattern, self->next[0], self->next[1],
                     count, said);
        }
        stand_pace(process_clock() + 2);
        read_on(self);
    }
}

static bool is_long(void) {
    return getenv("FOB_BROADCAST_EVENTS") != NULL;
}

/* Everything, once, and nothing was said to be missing. `behind`: for want of room in its pipes it
 * had to read the journal, and said so. */
static void listener_end(listener_t *self, bool behind) {
    await(self, events());
    process_signal(self->process, SIGTERM);
    assert_int_equal(process_wait(self->process, PACE_PATIENCE), 0);
    read_on(self);
    assert_int_equal(self->lines, expected(self));
    char *said = process_rest(self->process, PROCESS_ERR, NULL, PACE_PATIENCE);
    if (!said || strstr(said, "event")) /* every sentence on something missing has the word */
        fail_msg("it says: %s", said ? said : "(nothing)");
    const char *news = strstr(said, "behind, at");
    if (news)
        printf("%s: %.*s\n", self->pattern, (int)strcspn(news, ":"), news);
    assert_true(news || !behind);
    free(said);
    process_destroy(&self->process);
    fclose(self->file);
    free(self->line);
    free(self->path);
}

/* It is killed, and one more goes on behind its last event. */
static void replace(listener_t *self, const load_t *load) {
    char from[32];
    process_signal(self->process, SIGKILL);
    assert_int_equal(process_wait(self->process, PACE_PATIENCE), 128 + SIGKILL);
    process_destroy(&self->process);
    read_on(self);
    snprintf(from, sizeof from, "%lld", self->offset + 1);
    listener_run(self, load, from);
}

/* --- cases --- */

/* Four listen. One is stopped, one is killed and replaced, and the bus may be killed three times.
 */
static void go_through(bool kills) {
    load_t load;
    listener_t all[4];
    static const char *const patterns[4] = {"m.x", ">", "m.x", "m.*"};
    size_t part = events() / STEPS;
    load_start(&load);
    for (size_t i = 0; i < 4; i++)
        listener_start(&all[i], &load, patterns[i], "latest");
    load_step(&load);
    await(&all[0], part / 2);
    await(&all[1], part / 2);
    long long stopped = process_clock();
    process_signal(all[1].process, SIGSTOP);
    for (int i = 0; i < 3; i++) {
        load_step(&load);
        if (kills)
            stand_kill_bus(&load.stand);
    }
    await(&all[2], part);
    load_step(&load);
    replace(&all[2], &load);
    load_finish(&load);
    await(&all[0], events());
    await(&all[3], events());
    if (is_long())
        stand_pace(stopped + STOPPED);
    process_signal(all[1].process, SIGCONT);
    for (size_t i = 0; i < 4; i++)
        listener_end(&all[i], i == 1 && is_long() && !kills);
    stand_end(&load.stand);
}

static void one_that_is_stopped_and_one_that_is_killed_miss_nothing(void **state) {
    (void)state;
    go_through(false);
}

static void a_bus_that_is_killed_three_times_makes_nobody_miss_anything(void **state) {
    (void)state;
    go_through(true);
}

static void one_that_joins_in_the_middle_gets_history_and_then_what_comes(void **state) {
    (void)state;
    load_t load;
    listener_t first, late;
    load_start(&load);
    listener_start(&first, &load, ">", "latest");
    for (int i = 0; i < STEPS / 2; i++)
        load_step(&load);
    listener_start(&late, &load, ">", "earliest");
    load_finish(&load);
    listener_end(&late, false);
    listener_end(&first, false);
    stand_end(&load.stand);
}

FOB_MAIN(FOB_CASE(one_that_is_stopped_and_one_that_is_killed_miss_nothing),
         FOB_CASE(a_bus_that_is_killed_three_times_makes_nobody_miss_anything),
         FOB_CASE(one_that_joins_in_the_middle_gets_history_and_then_what_comes))
