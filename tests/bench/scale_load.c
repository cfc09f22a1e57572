/* Who listens beside the flow: tails that were stopped (the program itself, by SIGSTOP), and
 * laggards, which read old history at a pace of their own.
 *
 * The laggards are the library's subscribers, a hundred in one process, each with a thread and two
 * connections of its own as ever. They read as slowly as they are told to, since on one machine
 * what they use of its processors is taken from the publisher; a laggard of one's own that reads as
 * fast as it can would show what its own work costs, not the bus's. */
#include "tests/bench/scale.h"

#include <errno.h>
#include <fob/fob_subscriber.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define TICK_NS 20000000 /* between two reads of a laggard */
#define TICKS   (1000000000 / TICK_NS)
#define QUEUE   1000 /* events that a laggard holds at the most; what `fob tail` has */

typedef struct {
    fob_subscriber_t *subscriber;
    uint64_t last; /* offset */
    uint64_t read;
} laggard_t;

struct load {
    const char *bus;
    const scale_options_t *options;
    sem_t reading;
    atomic_uint_fast64_t read, wrong;
    atomic_bool stop;
    pid_t laggards;
    pid_t tails[]; /* so many as options say */
};

/* --- laggards --- */

static void begin(load_t *load, laggard_t *laggard, uint32_t number) {
    const scale_options_t *scale = load->options;
    fob_subscriber_options_t options = FOB_SUBSCRIBER_OPTIONS;
    options.bus = load->bus;
    options.pattern = ">";
    options.queue = QUEUE;
    options.connect_timeout_ms = 20000;
    options.from = FOB_FROM_OFFSET;
    /* Each at a place of its own, in the older half. */
    options.from_value = 1 + scale->bus.events / 2 * number / scale->laggards;
    laggard->last = options.from_value - 1;
    laggard->subscriber = fob_subscriber_new(&options, NULL);
    if (!laggard->subscriber)
        rig_die("laggard %u cannot subscribe", number);
}

/* Reads what there is, `most` at the most. */
static void read_some(load_t *load, laggard_t *laggard, uint32_t most) {
    for (uint32_t i = 0; i < most && !atomic_load(&load->stop); i++) {
        fob_event_t *event;
        fob_status_t status = fob_subscriber_next(laggard->subscriber, &event, 0);
        if (status == FOB_AGAIN)
            return;
        uint64_t offset = status == FOB_OK ? fob_event_offset(event) : 0;
        fob_event_destroy(&event);
        if (offset != laggard->last + 1 && atomic_fetch_add(&load->wrong, 1) == 0)
            printf("  WRONG: a laggard got %llu after %llu\n", (unsigned long long)offset,
                   (unsigned long long)laggard->last);
        laggard->last = offset;
        if (laggard->read++ == 0)
            sem_post(&load->reading);
        atomic_fetch_add(&load->read, 1);
    }
}

static void await_tick(struct timespec *tick) {
    tick->tv_nsec += TICK_NS;
    if (tick->tv_nsec >= 1000000000) {
        tick->tv_nsec -= 1000000000;
        tick->tv_sec++;
    }
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, tick, NULL) == EINTR)
        ;
}

static bool lag(void *arg) {
    load_t *load = arg;
    uint32_t count = load->options->laggards, pace = load->options->pace;
    uint32_t most = !pace ? QUEUE : pace < TICKS ? 1 : pace / TICKS;
    laggard_t *laggards = calloc(count, sizeof *laggards);
    for (uint32_t i = 0; laggards && i < count; i++)
        begin(load, &laggards[i], i);
    struct timespec tick;
    clock_gettime(CLOCK_MONOTONIC, &tick);
    while (laggards && !atomic_load(&load->stop)) {
        for (uint32_t i = 0; i < count; i++)
            read_some(load, &laggards[i], most);
        await_tick(&tick);
    }
    for (uint32_t i = 0; laggards && i < count; i++)
        fob_subscriber_destroy(&laggards[i].subscriber);
    free(laggards);
    return laggards && !atomic_load(&load->wrong);
}

/* --- tails --- */

static pid_t stopped_tail(const rig_t *rig) {
    char line[512];
    FILE *lines;
    bool subscribed = false;
    pid_t tail = rig_fob_beside(rig, (const char *[]){"tail", "-v", "--json", NULL}, &lines);
    while (!subscribed && fgets(line, sizeof line, lines))
        subscribed = strstr(line, "subscribed to") != NULL;
    if (!subscribed)
        rig_die("fob tail did not subscribe");
    kill(tail, SIGSTOP);
    fclose(lines);
    return tail;
}

/* --- all of them --- */

load_t *load_new(const rig_t *rig, const scale_options_t *options) {
    load_t *load = rig_shared(sizeof *load + options->tails * sizeof load->tails[0]);
    load->bus = rig_endpoint(rig);
    load->options = options;
    sem_init(&load->reading, 1, 0);
    for (uint32_t i = 0; i < options->tails; i++)
        load->tails[i] = stopped_tail(rig);
    if (options->laggards)
        load->laggards = rig_child(lag, load);
    for (uint32_t i = 0; i < options->laggards; i++)
        rig_await(&load->reading);
    return load;
}

void load_look(const load_t *self, uint64_t *read, double *cpu) {
    *read = atomic_load(&self->read);
    *cpu = self->laggards ? rig_child_cpu(self->laggards) : 0;
}

bool load_destroy(load_t **self_p) {
    load_t *load = *self_p;
    bool good = true;
    atomic_store(&load->stop, true);
    if (load->laggards)
        good = rig_join(load->laggards);
    for (uint32_t i = 0; i < load->options->tails; i++) {
        kill(load->tails[i], SIGKILL);
        (void)rig_join(load->tails[i]);
    }
    *self_p = NULL;
    return good;
}
