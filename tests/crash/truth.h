/* truth: what publishers were told, and what workers were given, each held against the other.
 *
 *     truth_t truth = {0};
 *     truth_receipts (&truth, 0, "order.new", path);   what publisher 0 was told of its lines, so
 * far truth_handled (&truth, path, seen);              what a worker wrote of what it was given
 *     truth_free (&truth);
 *
 * The lines that were published are {"n":0,"p":"xx"}, {"n":1,"p":"x"}, ..., each publisher on a
 * topic of its own. What does not fit fails the test. One thread. */
#ifndef FOB_TESTS_CRASH_TRUTH_H
#define FOB_TESTS_CRASH_TRUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRUTH_PUBLISHERS 4

/* An event that was confirmed. */
typedef struct {
    uint32_t n;
    uint8_t publisher; /* and one; 0: none that is known */
} truth_event_t;

typedef struct {
    const char *topics[TRUTH_PUBLISHERS];
    uint8_t *pads[TRUTH_PUBLISHERS]; /* how long the `p` of each line is */
    size_t sent[TRUTH_PUBLISHERS], room[TRUTH_PUBLISHERS];
    truth_event_t *events; /* by offset */
    size_t count;
    uint64_t last; /* offset */
} truth_t;

/* A line that goes to a publisher next, with so long a pad; good until the next call. */
const char *truth_line(truth_t *self, unsigned publisher, unsigned pad);
/* Reads what a publisher was told: each of its lines at one offset, in order. Gives how many. */
size_t truth_receipts(truth_t *self, unsigned publisher, const char *path);
/* NULL: that offset was not confirmed. */
const truth_event_t *truth_of(const truth_t *self, uint64_t offset);

/* How often each offset was handled. */
typedef struct {
    uint8_t *times;
    size_t room, lines;
} truth_seen_t;

/* Adds what a worker wrote: each event with the topic and the data that were confirmed for its
 * offset. A last line without its end is left out. */
void truth_handled(const truth_t *self, const char *path, truth_seen_t *seen);
unsigned truth_times(const truth_seen_t *seen, uint64_t offset);
void truth_saw(truth_seen_t *seen, uint64_t offset);
void truth_seen_free(truth_seen_t *seen);

/* Whether all confirmed events of the publishers (a bit each) were handled, and none else. Gives
 * how many were handled more than once. */
size_t truth_complete(const truth_t *self, const truth_seen_t *seen, unsigned publishers,
                      const char *group);

void truth_free(truth_t *self);

#endif
