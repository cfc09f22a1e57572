/* scarce: the linker leads malloc, calloc, realloc and strdup here (fob_scarce_test in
 * tests/support/scarce.cmake), so that a test counts them, and refuses one. Only what our own
 * objects call is led here; what a library allocates for itself is not. A part of the test that
 * runs within what is watched is spared where it is built with malloc=plenty_malloc and so on. */
#ifndef FOB_TESTS_SCARCE_H
#define FOB_TESTS_SCARCE_H

#include "tests/support/faults.h"

extern faults_t scarce;

/* faults_each for memory: tells the story with each allocation refused, and says on stdout how many
 * there were, at how many places of the code. Fails where there are fewer than `least`: then the
 * story does not do any more what it was written for. With FOB_PLACES naming a file, the places are
 * written to it, as addresses in this program: tests/unit/scarce_places looks whether all are met.
 */
void scarce_each(const char *name, uint64_t least, void (*story)(void *arg), void *arg);

#endif
