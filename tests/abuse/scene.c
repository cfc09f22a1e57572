#include "tests/abuse/scene.h"

#include "tests/support/case.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#define WITHIN    PACE_PATIENCE
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

static void judge_latency(const scene_t *self, const scene_bounds_t *bounds,
                          const pair_figures_t *during) {
    long slower = self->before.trip_median * or_else(bounds->slower, 20), least = 100000L;
    assert_in_range(during->trip_median, 0, slower > least ? slower : least);
    assert_in_range(during->trip_worst, 0, 1000L * or_else(bounds->worst_ms, 3000));
}

/* The bus may learn later than we that a connection is over. */
static void await_files(const scene_t *self, int most) {
    long long end = process_clock() + WITHIN;
    while (scene_files(self) - self->files_before > most) {
        if (process_clock() > end)
            fail_msg("descriptors %+d stay", scene_files(self) - self->files_before);
        stand_pace(process_clock() + 20);
    }
}

void scene_bears(scene_t *self, const char *what, const scene_bounds_t *bounds) {
    await_files(self, or_else(bounds->files, 32));
    go_on(self, AFTER_MS);
    pair_figures_t during = pair_figures(self->pair);
    long rss = scene_rss(self);
    printf(
        "%s: memory %.1f -> %.1f MiB, descriptors %d -> %d; healthy pair: median trip %ld -> "
        "%ld us, confirmed in (99%%) %ld -> %ld us, worst trip %ld -> %ld us, %.0f -> %.0f trips "
        "a second over %.1f s\n",
        what, (double)self->rss_before / MIB, (double)rss / MIB, self->files_before,
        scene_files(self), self->before.trip_median, during.trip_median, self->before.confirm_99,
        during.confirm_99, self->before.trip_worst, during.trip_worst, self->before.per_second,
        during.per_second, during.seconds);
    if (scene_alone())
        judge_latency(self, bounds, &during);
    else /* that none takes longer is what ends the pair */
        assert_in_range(during.trip_median, 0, 1000L * PACE_PATIENCE / 10);
    assert_true((rss - self->rss_before) / MIB <=
                or_else(bounds->rss_mib, 64) * (SANITIZED ? 8 : 1));
}

void scene_recovers(scene_t *self, int rss_mib, int files) {
    long long end = process_clock() + WITHIN;
    await_files(self, files);
    while (!SANITIZED && (scene_rss(self) - self->rss_before) / MIB > rss_mib) {
        if (process_clock() > end)
            fail_msg("memory %+ld MiB stay", (scene_rss(self) - self->rss_before) / MIB);
        stand_pace(process_clock() + 50);
    }
    go_on(self, AFTER_MS);
}

/* --- what it says --- */

/* The bus's figures; json_decref. Whoever asks may be one more than are let in just now. */
static json_t *figures(const scene_t *self) {
    long long end = process_clock() + WITHIN;
    for (char *out = NULL, *err = NULL;; free(out), free(err), out = err = NULL) {
        if (process_run_fob(NULL, &out, &err, "stats", "--json", "--bus",
                            process_bus(self->stand.port), NULL) == 0) {
            json_t *all = json_loads(out, 0, NULL);
            json_t *bus = json_incref(json_object_get(all, "bus"));
            json_decref(all);
            free(out);
            free(err);
            assert_non_null(bus);
            return bus;
        }
        if (process_clock() > end)
            fail_msg("no figures: %s", err);
    }
}

long long scene_figure(const scene_t *self, const char *name) {
    char first[32];
    const char *dot = strchr(name, '.');
    json_t *bus = figures(self);
    snprintf(first, sizeof first, "%.*s", dot ? (int)(dot - name) : 31, name);
    json_t *value = json_object_get(bus, first);
    assert_non_null(value);
    if (dot)
        value = json_object_get(value, dot + 1);
    long long figure = value ? json_integer_value(value) : 0;
    json_decref(bus);
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

/* Whether the word is one of a text. */
static bool is_word_of(const char *text, const char *word) {
    size_t size = strlen(word);
    for (const char *at = text; (at = strstr(at, word)) != NULL; at += size)
        if ((at == text || at[-1] == ' ') && (at[size] == 0 || at[size] == ' '))
            return true;
    return false;
}

void scene_await_ended(const scene_t *self, long long least, const char *names) {
    for (long long end = process_clock() + WITHIN;; stand_pace(process_clock() + 50)) {
        json_t *bus = figures(self), *value;
        const char *reason;
        long long all = 0, named = 0;
        json_object_foreach(json_object_get(bus, "ended"), reason, value) {
            all += json_integer_value(value);
            named += is_word_of(names, reason) ? json_integer_value(value) : 0;
        }
        json_decref(bus);
        if (all >= least && named > 0)
            return;
        if (process_clock() > end)
            fail_msg("%lld connections were ended, %lld of them for %s; not %lld", all, named,
                     names, least);
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
