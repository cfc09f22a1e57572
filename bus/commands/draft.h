/* draft: a new folder that gets its name only once it is whole: until then it is NAME.part, which
 * nobody takes for one that can be served. One thread. */
#ifndef FOB_DRAFT_H
#define FOB_DRAFT_H

#include "proto/cli/cli.h"

typedef struct {
    const char *name;
    char part[4096];
} fob_draft_t;

/* Makes it. FOB_EXIT_OK; or another exit code, and it was said why: there is something of that
 * name, or of the part's. */
int fob_draft_begin(const fob_cli_t *cli, fob_draft_t *self, const char *name);
/* Gives it its name. As above. */
int fob_draft_end(const fob_cli_t *cli, const fob_draft_t *self);
/* Removes it, with the files in it. */
void fob_draft_drop(const fob_draft_t *self);

#endif
