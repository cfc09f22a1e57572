#include "proto/cli/watch.h"

void fob_watch_look(fob_watch_t *self, const fob_cli_t *cli, const char *trouble) {
    bool away = *trouble != '\0';
    if (away && !self->away)
        fob_note(cli, "the bus is away, waiting for it: %s", trouble);
    if (!away && self->away)
        fob_note(cli, "the bus is back");
    self->away = away;
}
