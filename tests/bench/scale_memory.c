/* What the bus holds for many topics, many patterns, many subscribers. Each is held against what
 * README says ("Figures") it may be. */
#include "tests/bench/scale.h"
#include "tests/bench/scale_crowd.h"

#include <stdlib.h>
#include <string.h>

#define TOPICS   100000
#define PATTERNS 5000
#define HOLDERS  10 /* connections with five hundred patterns each */
#define CROWD    2000

/* MiB; HACKING.md tells what they are made of ("What the bus may hold"). */
#define BUDGET_TOPICS   64
#define BUDGET_PATTERNS 16
#define BUDGET_CROWD    128

static double resident(const rig_t *rig) {
    return (double)rig_rss(rig) / 1048576;
}

static bool tell(const char *what, double before, double after, double budget) {
    printf("  %-28s %8.1f MiB more, of %.0f: now %.1f MiB%s\n", what, after - before, budget, after,
           after - before > budget ? "; TOO MUCH" : "");
    fflush(stdout);
    return after - before <= budget;
}

bool scale_memory(const scale_options_t *options) {
    printf("memory: what the bus holds resident\n");
    rig_t *rig = rig_new(&options->bus);
    int port = atoi(strrchr(rig_endpoint(rig), ':') + 1);
    /* What any flow of events takes is there before. */
    bool good = flow_history(rig, options, TOPICS, 0);
    double before = resident(rig);
    printf("  %-28s %8.1f MiB\n", "after some events", before);
    good = flow_history(rig, options, 3 * TOPICS, TOPICS) && good;
    double after = resident(rig);
    good = tell("100,000 topics", before, after, BUDGET_TOPICS) && good;
    before = after;
    crowd_t *holders = crowd_new(port, HOLDERS, PATTERNS);
    after = resident(rig);
    good = tell("5,000 patterns", before, after, BUDGET_PATTERNS) && good;
    crowd_destroy(&holders);
    before = resident(rig);
    crowd_t *crowd = crowd_new(port, CROWD, PATTERNS);
    after = resident(rig);
    good = tell("2,000 subscribers", before, after, BUDGET_CROWD) && good;
    crowd_destroy(&crowd);
    rig_destroy(&rig);
    return good;
}
