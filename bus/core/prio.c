#include "bus/core/prio.h"

#include <stdlib.h>

void fob_prio_free(fob_prio_t *self) {
    for (unsigned i = 0; i < FOB_PRIORITIES; i++)
        free(self->lists[i].items);
    *self = (fob_prio_t){0};
}
