/* account: all that a folder's bus tells of it, as text that is the same whenever it is asked: its
 * groups with books and settings, its dead letters with their histories; then what each group hands
 * out until nothing is left, and the books after that; and what is known of ids. One thread. */
#ifndef FOB_TESTS_CRASH_ACCOUNT_H
#define FOB_TESTS_CRASH_ACCOUNT_H

#include <stdbool.h>

/* Serves the folder, to its end. `settings`: those of groups are told too (a folder that says none
 * has today's defaults). The caller's to free. */
char *account_of(const char *folder, bool settings);

#endif
