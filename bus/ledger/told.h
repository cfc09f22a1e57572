/* told: the last few lines that were said, so as not to say them again. */
#ifndef FOB_LEDGER_TOLD_H
#define FOB_LEDGER_TOLD_H

#include <stdbool.h>
#include <stddef.h>

#define FOB_TOLD_KEPT 16
#define FOB_TOLD_LINE 256 /* bytes of one that are compared */

/* All zeros: none. */
typedef struct {
    char lines[FOB_TOLD_KEPT][FOB_TOLD_LINE];
    size_t next;
} fob_told_t;

/* Whether the line is news; it is not from then on. */
bool fob_told_news(fob_told_t *self, const char *line);

#endif
