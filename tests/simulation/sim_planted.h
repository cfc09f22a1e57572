/* The planted bug that this run of the simulator is to find. */
#ifndef FOB_TESTS_SIMULATION_PLANTED_H
#define FOB_TESTS_SIMULATION_PLANTED_H

#include <stdbool.h>

/* Switches it on. False: there is none of that name, or this program was built without them. */
bool sim_planted_set(const char *name);
/* Prints name and text of each, a tab between. */
void sim_planted_list(void);

#endif
