/* memory: what the bus holds when events queue up that nobody works. */
#include "tests/bench/rig.h"

#include <fob/fob_publisher.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const bench_options_t *options;
    const char *bus;
} fill_t;

static bool fill(void *arg) {
    fill_t *to = arg;
    uint8_t *data = calloc(1, to->options->size);
    fob_publisher_options_t options = FOB_PUBLISHER_OPTIONS;
    options.bus = to->bus;
    options.window = to->options->window;
    fob_publisher_t *publisher = fob_publisher_new(&options);
    bool good = data && publisher;
    for (uint64_t i = 0; good && i < to->options->events; i++) {
        good = fob_publisher_send(publisher, "bench.queue", data, to->options->size, NULL, NULL) ==
               FOB_OK;
        if (i % 512 == 511)
            fob_publisher_dispatch(publisher, 0);
    }
    good = good && fob_publisher_flush(publisher, -1) == FOB_OK;
    fob_publisher_destroy(&publisher);
    free(data);
    return good;
}

bool bench_memory(const bench_options_t *options) {
    printf("memory: %llu events of %llu B queued in one group, no worker, sync %s\n",
           (unsigned long long)options->events, (unsigned long long)options->size, options->sync);
    rig_t *rig = rig_new(options);
    fill_t to = {options, rig_endpoint(rig)};
    bool good = rig_fob(rig, (const char *[]){"group", "add", "bench", "bench.queue", NULL});
    double before = (double)rig_rss(rig);
    good = rig_join(rig_child(fill, &to)) && good;
    double after = (double)rig_rss(rig);
    bench_row("resident before", before / 1048576, "MiB");
    bench_row("resident after", after / 1048576, "MiB");
    bench_row("an event queued", (after - before) / (double)options->events, "bytes");
    rig_destroy(&rig);
    return good;
}
