#include "bus/ledger/told.h"

#include <stdio.h>
#include <string.h>

bool fob_told_news(fob_told_t *self, const char *line) {
    for (size_t i = 0; i < FOB_TOLD_KEPT; i++) {
        if (strncmp(self->lines[i], line, FOB_TOLD_LINE - 1) == 0)
            return false;
    }
    snprintf(self->lines[self->next++ % FOB_TOLD_KEPT], FOB_TOLD_LINE, "%s", line);
    return true;
}
