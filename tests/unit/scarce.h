/* scarce: the linker leads malloc, calloc and realloc here (-Wl,--wrap=malloc,...), so that a test
 * counts them, and refuses one. */
#ifndef FOB_TESTS_SCARCE_H
#define FOB_TESTS_SCARCE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    bool watching; /* else calls are neither counted nor refused */
    uint64_t calls;
    uint64_t fail_at; /* the number of the call that fails; 0: none */
} scarce_t;

extern scarce_t scarce;

#endif
