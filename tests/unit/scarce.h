/* scarce: the linker leads malloc, calloc and realloc here (-Wl,--wrap=malloc,...), so that a test
 * counts them, and refuses one. */
#ifndef FOB_TESTS_SCARCE_H
#define FOB_TESTS_SCARCE_H

#include "tests/support/faults.h"

extern faults_t scarce;

#endif
