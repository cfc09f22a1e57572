/* scene: a bus (the real program), a healthy pair beside whatever is done to it, and how the bus
 * bears it: its memory, its descriptors, its figures, its log.
 *
 *     scene_t scene;
 *     scene_begin (&scene, "heartbeat = 200ms\n");   measures the pair undisturbed
 *     ... abuse ...
 *     scene_bears (&scene, "endless frames", &(scene_bounds_t){.rss_mib = 64});
 *     scene_end (&scene);
 *
 * One at a time, one thread. What does not hold fails the test. */
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

/* Whether nothing runs beside it, as where FOB_ABUSE_SECONDS is given: then bounds on time are
 * tight. */
bool scene_alone(void);

void scene_begin(scene_t *self, const char *config);

long scene_rss(const scene_t *self);  /* bytes, now */
int scene_files(const scene_t *self); /* descriptors, now */

/* What an abuse may cost; 0: the default. */
typedef struct {
    int rss_mib;  /* growth of the bus's memory: 64 */
    int files;    /* more descriptors: 32 */
    int slower;   /* the pair's median trip may be so many times that of before: 20; a tenth of a
                     second is always good */
    int worst_ms; /* and none may take longer: 3000; three times that where it is not alone */
} scene_bounds_t;

/* The pair goes on a moment more; then all of it is held against the bounds, and told in one line.
 * What is below (of the figures of `fob stats`) is left to the test. */
void scene_bears(scene_t *self, const char *what, const scene_bounds_t *bounds);
/* Memory and descriptors fall back to these bounds within a while; the pair is looked at too. */
void scene_recovers(scene_t *self, int rss_mib, int files);

/* A figure of the bus in `fob stats --json`: "malformed", or one of a map, "ended.silent"; a map's
 * entry that is not there is 0. */
long long scene_figure(const scene_t *self, const char *name);
/* Waits until it is at least that. */
void scene_await(const scene_t *self, const char *name, long long least);
/* Waits for a line of the bus's log with these words. */
void scene_log(scene_t *self, const char *words);

/* Stops the pair and the bus, which must end well. */
void scene_end(scene_t *self);

#endif
