/* group_show: `fob group ls` and `show`: groups on the screen. Main thread. */
#ifndef FOB_GROUP_SHOW_H
#define FOB_GROUP_SHOW_H

#include "proto/cli/options.h"

/* The exit code. */
int fob_group_ls(const fob_cli_t *cli);
int fob_group_show(const fob_cli_t *cli, const char *name);

#endif
