/* What grows with what. Each dimension is tried at a few numbers, all else equal; the rounds go
 * over all numbers one after the other, so that what the machine does beside falls on each; the
 * medians are told.
 *
 * Rates are those of the whole machine, publishers and workers included. What is judged is the
 * bus's own processor time: for each event where only its surroundings grow, for each delivery
 * where with the number the deliveries do. */
#include "tests/bench/scale_listeners.h"

#include "tests/bench/scale.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define POINTS_MOST 4
#define ROUNDS_MOST 9
#define WARM_UP     0.7 /* seconds of a flow before it is measured */

typedef struct {
    double stored, acked, heard; /* events a second */
    double each, delivery;       /* the bus's microseconds for an event stored, for one delivered */
    double drained;              /* events a second, of the backlog alone */
    double resident;             /* MiB */
    bool good;
} sample_t;

typedef struct {
    flow_plan_t plan;
    uint32_t listeners;
    uint64_t depth;
} setting_t;

static void set_groups(setting_t *setting, uint64_t number) {
    setting->plan.groups = (uint32_t)number;
    setting->plan.workers = 1;
}

static void set_subscribers(setting_t *setting, uint64_t number) {
    setting->listeners = (uint32_t)number;
}

static void set_publishers(setting_t *setting, uint64_t number) {
    setting->plan.publishers = (uint32_t)number;
}

static void set_topics(setting_t *setting, uint64_t number) {
    setting->plan.topics = (uint32_t)number;
}

static void set_depth(setting_t *setting, uint64_t number) {
    setting->depth = number;
}

typedef struct {
    const char *name, *what;
    void (*set)(setting_t *setting, uint64_t number);
    uint64_t numbers[POINTS_MOST]; /* 0 behind the first ends them */
    size_t judged;                 /* the member of sample_t that may not grow */
    double most;                   /* it may be so many times the first number's */
} dimension_t;

static const dimension_t dimensions[] = {
    {"groups",
     "groups of one worker each; one publisher, one topic",
     set_groups,
     {1, 4, 16, 64},
     offsetof(sample_t, delivery),
     1.25},
    {"subscribers",
     "subscribers to the one topic; one publisher, one group of two workers",
     set_subscribers,
     {1, 16, 256, 1000},
     offsetof(sample_t, delivery),
     1.25},
    {"publishers",
     "publishers, who share the window; one topic, one group of two workers",
     set_publishers,
     {1, 16, 256},
     offsetof(sample_t, each),
     16},
    {"topics",
     "topics in turn; one publisher, one group of two workers for all",
     set_topics,
     {10, 1000, 100000},
     offsetof(sample_t, each),
     16},
    {"depth",
     "events that another group has waiting; one publisher, one group of two workers",
     set_depth,
     {0, 1000000, 10000000},
     offsetof(sample_t, each),
     1.25},
};
#define DIMENSIONS (sizeof dimensions / sizeof dimensions[0])

/* --- one run --- */

typedef struct {
    double at, bus;
    uint64_t stored, acked, heard;
} look_t;

static look_t look(const rig_t *rig, const flow_t *flow, const listeners_t *listeners) {
    look_t now = {.at = rig_now(), .bus = rig_cpu(rig)};
    flow_look(flow, &now.stored, &now.acked);
    if (listeners)
        now.heard = listeners_heard(listeners);
    return now;
}

static double share(double of, double by) {
    return by > 0 ? of / by : 0;
}

static void measure(const rig_t *rig, const scale_options_t *options, const setting_t *setting,
                    sample_t *sample) {
    listeners_t *listeners =
        setting->listeners ? listeners_new(rig, setting->listeners, "scale.now") : NULL;
    flow_t *flow = flow_new(rig, options, &setting->plan);
    scale_rest(WARM_UP);
    look_t from = look(rig, flow, listeners);
    scale_rest(options->seconds);
    look_t to = look(rig, flow, listeners);
    double seconds = to.at - from.at, bus = (to.bus - from.bus) * 1e6;
    double stored = (double)(to.stored - from.stored), acked = (double)(to.acked - from.acked);
    double heard = (double)(to.heard - from.heard);
    sample->stored = stored / seconds;
    sample->acked = acked / seconds;
    sample->heard = heard / seconds;
    sample->each = share(bus, stored);
    sample->delivery = share(bus, acked + heard);
    sample->resident = (double)rig_rss(rig) / 1048576;
    sample->good = flow_destroy(&flow);
    listeners_destroy(&listeners);
}

/* The backlog alone, by two workers, until half of it is gone at the most. */
static double drain(const rig_t *rig, const scale_options_t *options, uint64_t depth) {
    flow_t *flow =
        flow_new(rig, options, &(flow_plan_t){.groups = 1, .workers = 2, .of_past = true});
    uint64_t none, first, last;
    double since = rig_now(), now = since;
    flow_look(flow, &none, &first);
    last = first;
    while (now - since < options->seconds && last < depth / 2) {
        scale_rest(0.01);
        flow_look(flow, &none, &last);
        now = rig_now();
    }
    (void)flow_destroy(&flow);
    return (double)(last - first) / (now - since);
}

static sample_t run_once(const scale_options_t *options, const setting_t *setting) {
    sample_t sample = {.good = true};
    rig_t *rig = rig_new(&options->bus);
    bool deep = setting->depth == 0 ||
                (flow_deep_group(rig) && flow_history(rig, options, setting->depth, 0));
    measure(rig, options, setting, &sample);
    if (setting->depth)
        sample.drained = drain(rig, options, setting->depth);
    sample.good = sample.good && deep;
    rig_destroy(&rig);
    return sample;
}

/* --- a dimension --- */

static double member_of(const sample_t *sample, size_t member) {
    double value;
    memcpy(&value, (const char *)sample + member, sizeof value);
    return value;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const sample_t *samples, uint32_t count, size_t member) {
    double values[ROUNDS_MOST];
    for (uint32_t i = 0; i < count; i++)
        values[i] = member_of(&samples[i], member);
    qsort(values, count, sizeof values[0], compare);
    return values[count / 2];
}

static void tell_head(const dimension_t *dimension, const scale_options_t *options) {
    printf("growth: %s\n", dimension->what);
    printf("  medians of %u rounds of %.1f s, events of %llu B, sync %s\n", options->rounds,
           options->seconds, (unsigned long long)options->bus.size, options->bus.sync);
    printf("  %12s %11s %11s %11s %11s | bus: %8s %12s %8s\n", dimension->name, "stored/s",
           "acked/s", "heard/s", "drained/s", "us/event", "us/delivery", "MiB");
}

static void tell_point(uint64_t number, const sample_t *samples, uint32_t rounds) {
#define OF(member) median(samples, rounds, offsetof(sample_t, member))
    printf("  %12llu %11.0f %11.0f %11.0f %11.0f |      %8.2f %12.3f %8.1f\n",
           (unsigned long long)number, OF(stored), OF(acked), OF(heard), OF(drained), OF(each),
           OF(delivery), OF(resident));
#undef OF
}

/* What the last number costs, against the first. */
static bool judge(const dimension_t *dimension, uint64_t first, uint64_t last, double before,
                  double after) {
    bool each = dimension->judged == offsetof(sample_t, each);
    double times = share(after, before);
    printf(
        "  from %llu to %llu: %.2f times the bus's time for each %s; at most %.2f is promised%s\n",
        (unsigned long long)first, (unsigned long long)last, times,
        each ? "event stored" : "event delivered", dimension->most,
        times > dimension->most ? ": TOO MUCH" : "");
    return times <= dimension->most;
}

/* The numbers that are tried: those of the dimension, the last no larger than was asked for. */
static uint32_t points_of(const dimension_t *dimension, uint64_t largest,
                          uint64_t numbers[POINTS_MOST]) {
    uint32_t points = 0;
    do {
        uint64_t number = dimension->numbers[points];
        numbers[points++] = number < largest ? number : largest;
    } while (points < POINTS_MOST && dimension->numbers[points] && numbers[points - 1] < largest);
    return points;
}

static bool grow(const dimension_t *dimension, const scale_options_t *options) {
    sample_t samples[POINTS_MOST][ROUNDS_MOST];
    uint64_t numbers[POINTS_MOST];
    uint32_t points = points_of(dimension, options->largest, numbers);
    bool good = true;
    for (uint32_t round = 0; round < options->rounds; round++)
        for (uint32_t i = 0; i < points; i++) {
            setting_t setting = {.plan = {.publishers = 1, .topics = 1, .groups = 1, .workers = 2}};
            dimension->set(&setting, numbers[i]);
            samples[i][round] = run_once(options, &setting);
            good = samples[i][round].good && good;
        }
    tell_head(dimension, options);
    for (uint32_t i = 0; i < points; i++)
        tell_point(numbers[i], samples[i], options->rounds);
    bool kept = options->most <= 0 ||
                judge(dimension, numbers[0], numbers[points - 1],
                      median(samples[0], options->rounds, dimension->judged),
                      median(samples[points - 1], options->rounds, dimension->judged));
    fflush(stdout);
    return good && kept;
}

bool scale_growth(const scale_options_t *options, const char *name) {
    bool good = true, known = false;
    if (options->rounds > ROUNDS_MOST)
        rig_die("at most %d rounds", ROUNDS_MOST);
    for (size_t i = 0; i < DIMENSIONS; i++) {
        if (name && strcmp(name, dimensions[i].name) != 0)
            continue;
        good = grow(&dimensions[i], options) && good;
        known = true;
    }
    if (!known)
        rig_die("nothing is known of how it grows with %s", name);
    return good;
}
