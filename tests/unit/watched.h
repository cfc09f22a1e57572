/* watched: memory is scarce (scarce.h) only within the functions under test: the linker leads each
 * of them here (-Wl,--wrap=NAME). */
#ifndef FOB_TESTS_WATCHED_H
#define FOB_TESTS_WATCHED_H

#include "scarce.h"

extern bool watched; /* from now on */

#define WATCHED_BEGIN(was)                                                                         \
    bool was = scarce.watching;                                                                    \
    scarce.watching = watched
#define WATCHED_END(was) (scarce.watching = (was))

/* parameters and arguments in parentheses. */
#define WATCHED_VOID(name, parameters, arguments)                                                  \
    void __real_##name parameters;                                                                 \
    void __wrap_##name parameters;                                                                 \
    void __wrap_##name parameters {                                                                \
        WATCHED_BEGIN(was);                                                                        \
        __real_##name arguments;                                                                   \
        WATCHED_END(was);                                                                          \
    }

#define WATCHED(type, name, parameters, arguments)                                                 \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters {                                                                \
        WATCHED_BEGIN(was);                                                                        \
        type result = __real_##name arguments;                                                     \
        WATCHED_END(was);                                                                          \
        return result;                                                                             \
    }

#endif
