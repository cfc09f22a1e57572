/* hot_bus: a bus without sockets, whole otherwise: service, ledger, core and the journal that
 * writes files, joined as the broker joins them. What it says waits in a box for each client, and
 * what it broadcasts in one more. Whoever uses it is the net and the clock.
 *
 * It ends the program where something fails: nothing is left to count then. One thread. */
#ifndef FOB_TESTS_HOT_BUS_H
#define FOB_TESTS_HOT_BUS_H

#include "bus/service/service.h"

#define HOT_HEADER_MAX 4096
#define HOT_BOX        64 /* letters that a box takes, a power of two */

typedef enum { HOT_PUBLISHER, HOT_WORKER, HOT_LISTENER, HOT_CAST, HOT_BOXES } hot_box_t;

/* What the bus said: its hold on the body is the receiver's. */
typedef struct {
    uint8_t bytes[HOT_HEADER_MAX];
    size_t size;
    fob_body_t body;
} hot_letter_t;

typedef struct {
    fob_ledger_t *ledger;
    fob_service_t *service;
    fob_house_t house;
    hot_letter_t boxes[HOT_BOXES][HOT_BOX];
    size_t first[HOT_BOXES], end[HOT_BOXES];
} hot_bus_t;

/* In an empty folder of the caller's. Everything is as by default but the level, which is "os":
 * what is counted are instructions and allocations, and a disk adds none. */
hot_bus_t *hot_bus_new(const char *folder, fob_now_t now);
void hot_bus_destroy(hot_bus_t **self_p);

/* A message of a client arrives, within a round; the body's hold stays the caller's. */
void hot_bus_hears(hot_bus_t *self, hot_box_t client, fob_slice_t header, fob_blob_t *body);
/* Waits until what was published is durable and the journal has told so. */
void hot_bus_wait(hot_bus_t *self);
/* Waits until the journal's threads wait, so that what the next stage finds is always the same. */
void hot_bus_rest(void);
/* The oldest letter in a box; NULL: none. It stays good until the box has come round. */
hot_letter_t *hot_bus_next(hot_bus_t *self, hot_box_t box);

/* For what must not go wrong here: says where, and ends the program. */
#define HOT_MUST(what)                                                                             \
    do {                                                                                           \
        if (!(what))                                                                               \
            hot_fail(__FILE__, __LINE__, #what);                                                   \
    } while (0)
_Noreturn void hot_fail(const char *file, int line, const char *what);

#endif
