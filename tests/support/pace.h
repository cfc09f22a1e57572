/* pace: how slow a machine, and a build, may be without a test failing for it.
 *
 * A wait for what has to come ends after PACE_PATIENCE only so that a test ends at all. What a side
 * breaks by being late (a heartbeat, a lease, a deadline) is longer where a sanitizer makes it
 * late: `pace_ms (250)`. FOB_PACE=N, on a machine that is slower still, takes the place of the
 * build's factor. A promise in seconds is judged by process_late (process.h). All from one thread.
 */
#ifndef FOB_TESTS_PACE_H
#define FOB_TESTS_PACE_H

#include <stdio.h>
#include <stdlib.h>

#if defined(__SANITIZE_THREAD__)
#define PACE_BUILD    4
#define PACE_PATIENCE 200000 /* ms; less than a test may take */
#elif defined(__SANITIZE_ADDRESS__)
#define PACE_BUILD    3
#define PACE_PATIENCE 200000
#else
#define PACE_BUILD    1
#define PACE_PATIENCE 90000
#endif

/* How many times as long everything may take. */
static inline int pace(void) {
    const char *given = getenv("FOB_PACE");
    int factor = given ? atoi(given) : 0;
    return factor > 0 ? factor : PACE_BUILD;
}

static inline int pace_ms(int ms) {
    return ms * pace();
}

/* The same as a command's option takes it: "750ms"; overwritten by the fourth call after it. */
static inline const char *pace_option(int ms) {
    static char texts[4][24];
    static unsigned next;
    char *text = texts[next++ % 4];
    snprintf(text, sizeof texts[0], "%dms", pace_ms(ms));
    return text;
}

/* A bus's configuration with a heartbeat of so many ms, paced, and whatever else (NULL: nothing);
 * overwritten by the next call. */
static inline const char *pace_beat(int ms, const char *more) {
    static char text[256];
    snprintf(text, sizeof text, "heartbeat = %dms\n%s", pace_ms(ms), more ? more : "");
    return text;
}

#endif
