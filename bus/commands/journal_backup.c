/* fob journal backup: a copy of the data folder, also of a bus that runs. */
#include "bus/commands/draft.h"
#include "bus/commands/journal.h"
#include "bus/journal/backup.h"
#include "bus/journal/file.h"
#include "bus/salvage/salvage.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

static void tell(const fob_cli_t *cli, const fob_backup_t *out, const char *folder,
                 const char *to) {
    if (cli->json) {
        json_t *root =
            json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I}", "folder", to, "segments",
                      (json_int_t)out->segments, "commits", (json_int_t)out->commits, "events",
                      (json_int_t)out->events, "last_position", (json_int_t)out->last_position,
                      "last_offset", (json_int_t)out->last_offset, "bytes", (json_int_t)out->bytes);
        json_dumpf(root, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(root);
        return;
    }
    if (!cli->quiet)
        printf("%s: a copy of %s up to commit %" PRIu64 " and offset %" PRIu64 ", %" PRIu64
               " events, read back and whole. Restore it with: fob serve --data %s\n",
               to, folder, out->last_position, out->last_offset, out->events, to);
}

/* Whether a start takes it as it is. */
static fob_journal_code_t check(const char *part, fob_journal_error_t *error) {
    const fob_inspect_t nobody = {0};
    fob_journal_code_t code = fob_journal_inspect(part, &nobody, error);
    return code == FOB_JOURNAL_OK ? fob_salvage_try(part, NULL, error) : code;
}

int fob_journal_backup_command(const fob_cli_t *cli, const char *folder, const char *to) {
    fob_draft_t draft;
    fob_backup_t out;
    fob_journal_error_t error = {0};
    int code = fob_draft_begin(cli, &draft, to);
    if (code != FOB_EXIT_OK)
        return code;
    error.code = fob_journal_backup(folder, draft.part, &out, &error);
    const char *at = folder;
    if (error.code == FOB_JOURNAL_OK) {
        error.code = check(draft.part, &error);
        at = draft.part;
    }
    if (error.code != FOB_JOURNAL_OK) {
        code = fob_journal_fail(cli, at, &error);
        fob_draft_drop(&draft);
        return code;
    }
    code = fob_draft_end(cli, &draft);
    if (code != FOB_EXIT_OK)
        return code;
    tell(cli, &out, folder, to);
    return fob_print_end(cli);
}
