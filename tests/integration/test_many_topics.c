/* Very many topics, each with an event between two beats, with the real program: who listens to all
 * of them, to most or to a few stays live, and the bus sends nothing from its journal. */
#include "tests/support/case.h"
#include "tests/support/stand.h"

#include <fob/fob_publisher.h>
#include <fob/fob_subscriber.h>
#include <stdlib.h>

#ifndef TOPICS
#define TOPICS 100000
#endif
#define ROUNDS  3
#define STEP    100  /* events, which all have before the next are published: a pipe holds them */
#define OTHERS  10   /* one topic in so many is of nobody's but `>` */
#define FEW     1000 /* and one in so many is `few.*` */
#define MIB     1048576L
#define WAIT_MS PACE_PATIENCE

typedef struct {
    stand_t stand;
    fob_publisher_t *publisher;
    process_t *all; /* fob sub '>' */
    fob_subscriber_t *most, *few;
} scene_t;

static fob_subscriber_t *listens(const scene_t *scene, const char *pattern) {
    fob_subscriber_options_t options = FOB_SUBSCRIBER_OPTIONS;
    fob_status_t status;
    options.bus = process_bus(scene->stand.port);
    options.connect_timeout_ms = WAIT_MS;
    options.pattern = pattern;
    fob_subscriber_t *self = fob_subscriber_new(&options, &status);
    assert_int_equal(status, FOB_OK);
    return self;
}

static void begin(scene_t *self) {
    fob_publisher_options_t out = FOB_PUBLISHER_OPTIONS;
    stand_start_with(&self->stand, "heartbeat = 1s\nsync = os\n", NULL);
    self->all = process_fob("sub", ">", "--json", "-v", NULL);
    if (!process_line_with(self->all, PROCESS_ERR, "subscribed", WAIT_MS))
        fail_msg("no subscription");
    out.bus = process_bus(self->stand.port);
    out.connect_timeout_ms = WAIT_MS;
    self->most = listens(self, "most.*");
    self->few = listens(self, "few.*");
    self->publisher = fob_publisher_new(&out);
    assert_non_null(self->publisher);
}

static void end(scene_t *self) {
    fob_publisher_destroy(&self->publisher);
    fob_subscriber_destroy(&self->most);
    fob_subscriber_destroy(&self->few);
    process_destroy(&self->all);
    stand_end(&self->stand);
}

static const char *kind_of(long long offset) {
    long long topic = (offset - 1) % TOPICS;
    return topic % OTHERS == 0 ? "other" : topic % FEW == 1 ? "few" : "most";
}

static void publish(scene_t *self, long long offset) {
    char topic[32];
    snprintf(topic, sizeof topic, "%s.%lld", kind_of(offset), (offset - 1) % TOPICS);
    assert_int_equal(fob_publisher_send(self->publisher, topic, "1", 1, NULL, NULL), FOB_OK);
}

/* Whoever listens to it has this one next. */
static void expect(scene_t *self, long long offset) {
    const char *line = process_line(self->all, PROCESS_OUT, WAIT_MS);
    const char *at = line ? strstr(line, "\"offset\":") : NULL;
    if (!at || atoll(at + strlen("\"offset\":")) != offset)
        fail_msg("offset %lld is due: %s", offset, line ? line : "(nothing)");
    char kind = kind_of(offset)[0];
    if (kind == 'o')
        return;
    fob_event_t *event = NULL;
    fob_subscriber_t *by = kind == 'f' ? self->few : self->most;
    assert_int_equal(fob_subscriber_next(by, &event, WAIT_MS), FOB_OK);
    assert_int_equal(fob_event_offset(event), offset);
    fob_event_destroy(&event);
}

/* Resident, in bytes. */
static long resident(pid_t pid) {
    char path[64], line[128];
    long kib = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    while (file && kib < 0 && fgets(line, sizeof line, file))
        if (sscanf(line, "VmRSS: %ld", &kib) != 1)
            kib = -1;
    if (file)
        fclose(file);
    assert_true(kib > 0);
    return kib * 1024;
}

/* A figure of the bus. */
static long long figure(const char *name) {
    char *text = stand_do("stats", "--json", NULL), key[64];
    snprintf(key, sizeof key, "\"%s\":", name);
    const char *at = strstr(text, key);
    if (!at)
        fail_msg("there is no %s in: %s", name, text);
    long long value = atoll(at + strlen(key));
    free(text);
    return value;
}

static void await_live(fob_subscriber_t *subscriber) {
    long long until = process_clock() + WAIT_MS;
    while (fob_subscriber_behind(subscriber, NULL, NULL)) {
        if (process_clock() > until)
            fail_msg("a subscriber stays behind");
        stand_pace(process_clock() + 20);
    }
}

static void who_listens_to_a_hundred_thousand_topics_stays_live(void **state) {
    (void)state;
    scene_t scene;
    begin(&scene);
    long bus = resident(process_pid(scene.stand.bus)), sub = resident(process_pid(scene.all));
    long long began = process_clock();
    for (long long offset = 1; offset <= ROUNDS * TOPICS; offset += STEP) {
        for (long long i = offset; i < offset + STEP; i++)
            publish(&scene, i);
        assert_int_equal(fob_publisher_flush(scene.publisher, WAIT_MS), FOB_OK);
        for (long long i = offset; i < offset + STEP; i++)
            expect(&scene, i);
    }
    bus = resident(process_pid(scene.stand.bus)) - bus;
    sub = resident(process_pid(scene.all)) - sub;
    printf("%d topics, %d events of each in %lld ms; memory more: the bus %ld MiB, `fob sub '>'` "
           "%ld MiB\n",
           TOPICS, ROUNDS, process_clock() - began, bus / MIB, sub / MIB);
    /* Nothing of it came from the journal, or what was on its way for too long on a slow machine:
     * less than a byte for each event. */
    assert_in_range(figure("fetched"), 0, ROUNDS * TOPICS);
    await_live(scene.most);
    await_live(scene.few);
#ifndef MANY_TOPICS_UNBOUNDED /* (a sanitizer holds back what was freed) */
    assert_in_range(bus, 0, 128 * MIB);
    assert_in_range(sub + 16 * MIB, 0, 48 * MIB);
#endif
    end(&scene);
}

FOB_MAIN(FOB_CASE(who_listens_to_a_hundred_thousand_topics_stays_live))
