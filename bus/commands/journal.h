/* journal: what the commands of `fob journal` share, and those that make a folder. */
#ifndef FOB_COMMANDS_JOURNAL_H
#define FOB_COMMANDS_JOURNAL_H

#include "bus/journal/journal.h"
#include "proto/cli/cli.h"

/* Says what is wrong with a folder; gives the exit code. Changes the text. */
int fob_journal_fail(const fob_cli_t *cli, const char *folder, fob_journal_error_t *error);

/* fob journal salvage FOLDER --to TO; gives the exit code. */
int fob_journal_salvage_command(const fob_cli_t *cli, const char *folder, const char *to);
/* fob journal backup TO of FOLDER. */
int fob_journal_backup_command(const fob_cli_t *cli, const char *folder, const char *to);

#endif
