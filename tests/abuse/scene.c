#include "tests/abuse/scene.h"

#include "tests/support/case.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#define WITHIN    60000
#define BEFORE_MS 1000 /* how long the pair is measured before */
#define AFTER_MS  200  /* and goes on, so that there is something to judge */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1 /* ten times slower; freed memory is kept a while */
#else
#define SANITIZED 0
#endif

int scene_seconds(int seconds) {
    const char *text = getenv("FOB_ABUSE_SECONDS");
    return text ? atoi(text) : seconds;
}

bool scene_alone(void) {
    return getenv("FOB_ABUSE_SECONDS") != NULL;
}

int scene_many(int some, int full) {
    if (scene_alone())
        return full;
    return SANITIZED ? (some + 9) / 10 : some;
}

/* --- the process --- */

long scene_rss(const scene_t *self) {
    char path[64];
    long size = 0, pages = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", process_pid(self->stand.bus));
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld %ld", &size, &pages), 2);
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

int scene_files(const scene_t *self) {
    char path[64];
    int count = -2; /* . and .. */
    snprintf(path, sizeof path, "/proc/%d/fd", process_pid(self->stand.bus));
    DIR *dir = opendir(path);
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

/* Lets the pair go on so long, and until it made a trip. */
static void go_on(scene_t *self, int ms) {
    long long until = process_clock() + ms, end = until + WITHIN;
    size_t from = pair_trips(self->pair);
    while (process_clock() < until || pair_trips(self->pair) == from) {
        assert_true(process_clock() < end);
        stand_pace(process_clock() + 10);
    }
}

void scene_begin(scene_t *self, const char *config) {
    *self = (scene_t){0};
    stand_start_with(&self->stand, config, NULL);
    self->pair = pair_new();
    pair_figures(self->pair);
    go_on(self, BEFORE_MS);
    self->before = pair_figures(self->pair);
    self->rss_before = scene_rss(self);
    self->files_before = scene_files(self);
}

static int or_else(int value, int usual) {
    return value ? value : usual;
}

void scene_bears(scene_t *self, const char *what, const scene_bounds_t *bounds) {
    int times = (SANITIZED ? 5 : 1) * (scene_alone() ? 1 : 3);
    go_on(self, AFTER_MS);
    pair_figures_t during = pair_figures(self->pair);
    long rss = scene_rss(self);
    int files = scene_files(self);
    printf(
        "%s: memory %.1f -> %.1f MiB, descriptors %d -> %d; healthy pair: median trip %ld -> "
        "%ld us, confirmed in (99%%) %ld -> %ld us, worst trip %ld -> %ld us, %.0f -> %.0f trips "
        "a second over %.1f s\n",
        what, (double)self->rss_before / MIB, (double)rss / MIB, self->files_before, files,
        self->before.trip_median, during.trip_median, self->before.confirm_99, during.confirm_99,
        self->before.trip_worst, during.trip_worst, self->before.per_second, during.per_second,
        during.seconds);
    long slower = self->before.trip_median * or_else(bounds->slower, 20) * times;
    long least = 100000L * times;
    assert_in_range(during.trip_median, 0, slower > least ? slower : least);
    assert_in_range(during.trip_worst, 0, 1000L * or_else(bounds->worst_ms, 3000) * times);
    assert_true((rss - self->rss_before) / MIB <=
                or_else(bounds->rss_mib, 64) * (SANITIZED ? 8 : 1));
    assert_true(files - self->files_before <= or_else(bounds->files, 32));
}

void scene_recovers(scene_t *self, int rss_mib, int files) {
    long long end = process_clock() + WITHIN;
    while (scene_files(self) - self->files_before > files ||
           (!SANITIZED && (scene_rss(self) - self->rss_before) / MIB > rss_mib)) {
        if (process_clock() > end)
            fail_msg("memory %+ld MiB, descriptors %+d stay",
                     (scene_rss(self) - self->rss_before) / MIB,
                     scene_files(self) - self->files_before);
        stand_pace(process_clock() + 50);
    }
    go_on(self, AFTER_MS);
}

/* --- what it says --- */

long long scene_figure(const scene_t *self, const char *name) {
    char *out = NULL, first[32];
    const char *dot = strchr(name, '.');
    assert_int_equal(process_run_fob(NULL, &out, NULL, "stats", "--json", "--bus",
                                     process_bus(self->stand.port), NULL),
                     0);
    json_t *all = json_loads(out, 0, NULL), *bus = json_object_get(all, "bus");
    free(out);
    snprintf(first, sizeof first, "%.*s", dot ? (int)(dot - name) : 31, name);
    json_t *value = json_object_get(bus, first);
    assert_non_null(value);
    if (dot)
        value = json_object_get(value, dot + 1);
    long long figure = value ? json_integer_value(value) : 0;
    json_decref(all);
    return figure;
}

void scene_await(const scene_t *self, const char *name, long long least) {
    long long end = process_clock() + WITHIN, figure;
    while ((figure = scene_figure(self, name)) < least) {
        if (process_clock() > end)
            fail_msg("%s is %lld, not %lld", name, figure, least);
        stand_pace(process_clock() + 50);
    }
}

void scene_log(scene_t *self, const char *words) {
    if (!process_line_with(self->stand.bus, PROCESS_ERR, words, WITHIN))
        fail_msg("the log does not say \"%s\"", words);
}

void scene_end(scene_t *self) {
    pair_destroy(&self->pair);
    stand_end(&self->stand);
}
