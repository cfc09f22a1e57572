/* scene: a bus (the real program), a healthy pair beside whatever is done to it, and how the bus
 * bears it: its memory, its descriptors, its figures, its log.
 *
 *     scene_t scene;
 *     scene_begin (&scene, pace_beat (200, NULL));   measures the pair undisturbed
 *     ... abuse ...
 *     scene_bears (&scene, "endless frames", &(scene_bounds_t){.rss_mib = 64});
 *     scene_end (&scene);
 *
 * Beside other tests latency says more of the machine than of the bus: it is told, and judged only
 * where the scene is alone. One at a time, one thread. What does not hold fails the test. */
#ifndef FOB_TESTS_SCENE_H
#define FOB_TESTS_SCENE_H

#include "tests/abuse/pair.h"
#include "tests/support/stand.h"

#define MIB (1 << 20)

typedef struct {
    stand_t stand;
    pair_t *pair; /* NULL: none */
    pair_figures_t before;
    long rss_before; /* bytes */
    int files_before;
} scene_t;

/* How long an abuse goes on: FOB_ABUSE_SECONDS, else `seconds`. */
int scene_seconds(int seconds);
/* How many of something, as the machine bears: FOB_ABUSE_FULL gives `full`; a sanitizer a tenth of
 * `some`. */
int scene_many(int some, int full);

/* Whether nothing runs beside it, as where FOB_ABUSE_SECONDS is given: then, and only then, there
 * are bounds on time. */
bool scene_alone(void);

void scene_begin(scene_t *self, const char *config);

long scene_rss(const scene_t *self);  /* bytes, now */
int scene_files(const scene_t *self); /* descriptors, now */

/* What an abuse may cost; 0: the default. */
typedef struct {
    int rss_mib;  /* growth of the bus's memory: 64 */
    int files;    /* more descriptors: 32 */
    int slower;   /* where it is alone: the pair's median trip may be so many times that of before:
                     20; a tenth of a second is always good. Beside others: half of the trips are
                     made in a tenth of PACE_PATIENCE, */
    int worst_ms; /* and none may take longer: 3000; beside others: PACE_PATIENCE */
} scene_bounds_t;

/* The pair goes on a moment more; then all of it is held against the bounds, and told in one line.
 * Descriptors of what has ended are waited for. What is below (of the figures of `fob stats`) is
 * left to the test. */
void scene_bears(scene_t *self, const char *what, const scene_bounds_t *bounds);
/* Memory and descriptors fall back to these bounds within a while; the pair is looked at too. */
void scene_recovers(scene_t *self, int rss_mib, int files);

/* A figure of the bus in `fob stats --json`: "malformed", or one of a map, "ended.silent"; a map's
 * entry that is not there is 0. */
long long scene_figure(const scene_t *self, const char *name);
/* Waits until it is at least that. */
void scene_await(const scene_t *self, const char *name, long long least);
/* Waits until so many connections were ended, for whatever reasons, and one of them at least for
 * one of those named: "unread silent". */
void scene_await_ended(const scene_t *self, long long least, const char *names);
/* Waits for a line of the bus's log with these words. */
void scene_log(scene_t *self, const char *words);

/* Stops the pair and the bus, which must end well. */
void scene_end(scene_t *self);

#endif
