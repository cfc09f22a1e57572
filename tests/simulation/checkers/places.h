#ifndef FOB_TESTS_SIMULATION_PLACES_H
#define FOB_TESTS_SIMULATION_PLACES_H

#include "checker.h"

typedef enum {
    SIM_NOT_ITS,
    SIM_FRESH, /* never in a record of the group's */
    SIM_BACK,  /* it came back */
    SIM_OUT,   /* its hand-out is on record */
    SIM_ACKED,
    SIM_DEAD,
    SIM_SHED,
    SIM_REMOVED,
    SIM_UNREAD /* it was harmed on the disk, and passed over: the books tell later what became of it
                */
} sim_place_t;

#endif
