/* case: a test program is a list of cases; each is named as a sentence and is one ctest of its own.
 *
 *     FOB_MAIN (FOB_CASE (a_pattern_star_matches_one_token), FOB_CASE (...))
 *
 * Run with a case's name to run that one, without to run all. CMake finds the names by reading the
 * source. */
#ifndef FOB_TESTS_CASE_H
#define FOB_TESTS_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#define FOB_CASE(name)                       cmocka_unit_test(name)
#define FOB_CASE_WITH(name, setup, teardown) cmocka_unit_test_setup_teardown(name, setup, teardown)

#define FOB_MAIN(...)                                                                              \
    int main(int argc, char **argv) {                                                              \
        const struct CMUnitTest cases[] = {__VA_ARGS__};                                           \
        if (argc > 1) {                                                                            \
            size_t known = 0;                                                                      \
            for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)                            \
                known += strcmp(cases[i].name, argv[1]) == 0;                                      \
            if (known != 1) {                                                                      \
                fprintf(stderr, "no case named %s\n", argv[1]);                                    \
                return 2;                                                                          \
            }                                                                                      \
            cmocka_set_test_filter(argv[1]);                                                       \
        }                                                                                          \
        return cmocka_run_group_tests(cases, NULL, NULL);                                          \
    }

#endif
