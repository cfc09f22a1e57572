/* topics: events of very many topics, all of them between two beats, and one who listens to all, or
 * to nine in ten. Who keeps up has them from the broadcast; what the bus had to send from its
 * journal is told beside. */
#include "tests/bench/rig.h"

#include <fob/fob_publisher.h>
#include <fob/fob_subscriber.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OTHERS 10 /* one topic in so many is not `topic.*` */

typedef struct {
    const bench_options_t *options;
    const char *bus, *pattern;
    uint64_t due; /* events of the pattern */
    sem_t live;
    uint64_t received, twice, disordered, behind, looks;
    double send_began, send_ended, first, last;
    long rss_kib;
} topics_t;

/* Until the event `number` is due. */
static void keep_pace(const topics_t *self, fob_publisher_t *publisher, uint64_t number) {
    fob_publisher_dispatch(publisher, 0);
    double due = (double)number / (double)self->options->rate;
    while (self->options->rate && rig_now() - self->send_began < due)
        fob_publisher_dispatch(publisher, 1);
}

static bool publish(void *arg) {
    topics_t *self = arg;
    uint64_t failed = 0, size = self->options->size;
    uint8_t *data = calloc(1, size);
    char topic[32];
    fob_publisher_options_t options = FOB_PUBLISHER_OPTIONS;
    options.bus = self->bus;
    options.window = self->options->window;
    fob_publisher_t *publisher = fob_publisher_new(&options);
    if (!data || !publisher || fob_publisher_wait_ready(publisher, 10000) != FOB_OK)
        rig_die("the publisher cannot reach the bus");
    self->send_began = rig_now();
    for (uint64_t i = 0; i < self->options->events; i++) {
        uint64_t number = i % self->options->topics;
        snprintf(topic, sizeof topic, "%s.%llu", number % OTHERS ? "topic" : "other",
                 (unsigned long long)number);
        memcpy(data, &i, sizeof i);
        failed += fob_publisher_send(publisher, topic, data, size, NULL, NULL) != FOB_OK;
        if (i % 512 == 511)
            keep_pace(self, publisher, i);
    }
    fob_publisher_flush(publisher, -1);
    self->send_ended = rig_now();
    fob_publisher_destroy(&publisher);
    free(data);
    return failed == 0;
}

/* Of our own memory the most that was resident. */
static long peak_kib(void) {
    char line[128];
    long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "VmHWM: %ld", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return kib;
}

static void take(topics_t *self, const fob_event_t *event, uint64_t *next) {
    size_t size;
    uint64_t number, topic;
    memcpy(&number, fob_event_data(event, &size), sizeof number);
    topic = number % self->options->topics;
    self->twice += number < next[topic];
    self->disordered += number != next[topic];
    next[topic] = number + self->options->topics;
    self->last = rig_now();
    if (self->received++ == 0)
        self->first = self->last;
}

static bool subscribe(void *arg) {
    topics_t *self = arg;
    fob_subscriber_options_t options = FOB_SUBSCRIBER_OPTIONS;
    options.bus = self->bus;
    options.pattern = self->pattern;
    options.queue = 1000000;
    fob_status_t status = FOB_OK;
    fob_subscriber_t *subscriber = fob_subscriber_new(&options, &status);
    uint64_t *next = calloc(self->options->topics, sizeof *next);
    if (!subscriber || !next)
        return false;
    for (uint64_t i = 0; i < self->options->topics; i++)
        next[i] = i;
    sem_post(&self->live);
    while (self->received < self->due) {
        fob_event_t *event;
        status = fob_subscriber_next(subscriber, &event, 20000);
        if (status != FOB_OK)
            break;
        take(self, event, next);
        fob_event_destroy(&event);
        if (self->received % 1024)
            continue;
        self->looks++;
        self->behind += fob_subscriber_behind(subscriber, NULL, NULL) == 1;
    }
    self->rss_kib = peak_kib();
    fob_subscriber_destroy(&subscriber);
    free(next);
    return status == FOB_OK;
}

/* A figure of `fob stats --json`. */
static double figure(const rig_t *rig, const char *name) {
    char *text = rig_fob_says(rig, (const char *[]){"stats", "--json", NULL}), key[64];
    snprintf(key, sizeof key, "\"%s\":", name);
    const char *at = strstr(text, key);
    double value = at ? strtod(at + strlen(key), NULL) : -1;
    free(text);
    return value;
}

static bool listen(const bench_options_t *options, const char *pattern) {
    topics_t *self = rig_shared(sizeof *self);
    rig_t *rig = rig_new(options);
    self->options = options;
    self->bus = rig_endpoint(rig);
    self->pattern = pattern;
    self->due = options->events;
    for (uint64_t i = 0; pattern[0] != '>' && i < options->events; i++)
        self->due -= i % options->topics % OTHERS == 0;
    sem_init(&self->live, 1, 0);
    pid_t subscriber = rig_child(subscribe, self);
    rig_await(&self->live);
    bool good = rig_join(rig_child(publish, self));
    good = rig_join(subscriber) && good;
    printf("  %s\n", pattern);
    bench_row("sent", (double)options->events / (self->send_ended - self->send_began), "events/s");
    bench_row("received", (double)self->received / (self->last - self->first), "events/s");
    bench_row("of the time behind",
              100.0 * (double)self->behind / (double)(self->looks + !self->looks), "%");
    bench_row("sent again from the journal", figure(rig, "fetched"), "answers");
    bench_row("resident at most, the bus", (double)rig_peak(rig) / 1048576, "MiB");
    bench_row("and the subscriber", (double)self->rss_kib / 1024, "MiB");
    rig_destroy(&rig);
    bool right = self->received == self->due && !self->twice && !self->disordered;
    if (!right)
        printf("  WRONG: %llu of %llu received, %llu twice, %llu out of order\n",
               (unsigned long long)self->received, (unsigned long long)self->due,
               (unsigned long long)self->twice, (unsigned long long)self->disordered);
    return good && right;
}

bool bench_topics(const bench_options_t *options) {
    if (options->size < 8 || !options->topics)
        rig_die("topics: at least 8 bytes, and one topic");
    printf("topics: %llu events of %llu B to %llu topics in turn, %llu a second (0: all that can "
           "be), 1 publisher, 1 subscriber\n",
           (unsigned long long)options->events, (unsigned long long)options->size,
           (unsigned long long)options->topics, (unsigned long long)options->rate);
    bool all = listen(options, ">"), some = listen(options, "topic.*");
    return all && some;
}
