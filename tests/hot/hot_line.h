/* hot_line: the way of an event from the publisher's session through the bus to a worker's leases,
 * to a subscriber's sequence, and back as a receipt; and that of a fire-and-forget event. The very
 * state machines, joined as their shells join them, but on one thread and without sockets: so that
 * instructions and allocations can be counted, stage by stage, and come out the same each time.
 *
 *     hot_line_t *line = hot_line_new (folder, batch, size);
 *     for (each round)
 *         for (const hot_stage_t *stage = hot_stages; stage->name; stage++)
 *             stage->run (line);
 *
 * One round is one batch. What stands for the net copies what is sent, as sockets do, between the
 * stages. One thread. */
#ifndef FOB_TESTS_HOT_LINE_H
#define FOB_TESTS_HOT_LINE_H

#include <stddef.h>
#include <stdint.h>

typedef struct hot_line hot_line_t;

typedef struct {
    const char *name; /* a word; NULL: the end */
    const char *what; /* for people; NULL: not counted, as it is the net or a wait */
    void (*run)(hot_line_t *line);
} hot_stage_t;

/* A round, in order. A stage that is counted runs in a function of its own, hot_NAME. */
extern const hot_stage_t hot_stages[];

/* In an empty folder, batches of so many events with data of so many bytes. Ends the program where
 * it cannot be. */
hot_line_t *hot_line_new(const char *folder, uint32_t batch, size_t size);
/* Everything that was published was stored, delivered once, acked and heard: else it ends the
 * program. */
void hot_line_check(const hot_line_t *self);
void hot_line_destroy(hot_line_t **self_p);

#endif
