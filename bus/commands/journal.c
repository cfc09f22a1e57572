/* fob journal: looks into a data folder without changing it, also while a bus uses it; and makes
 * copies of it. */
#include "bus/commands/journal.h"

#include "bus/commands/commands.h"
#include "bus/commands/folder.h"
#include "bus/journal/file.h"
#include "proto/cli/options.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define FORMS                                                                                      \
    "fob journal verify [DIR] | ls [DIR] | salvage DIR --to NEWDIR | backup NEWDIR [--data DIR]"

static const char help[] =
    "usage: fob journal verify [DIR]     read all of it and check every checksum\n"
    "       fob journal ls [DIR]         its segments\n"
    "       fob journal salvage DIR --to NEWDIR\n"
    "                                    what is whole of a damaged folder, in a\n"
    "                                    new one; says what is lost\n"
    "       fob journal backup NEWDIR    a copy, also while a bus uses the folder\n\n"
    "      --data DIR             else FOB_DATA, else ~/.local/share/fob\n"
    "      --to NEWDIR            salvage: the new folder\n"
    "  -j, --json                 on one line: ls an array, the others an object\n"
    "  -q, --quiet                verify, backup: print nothing if all is well\n";

#define NAME_SIZE 64

typedef struct {
    char name[NAME_SIZE];
    uint64_t epoch, first_position, first_offset, bytes_used, bytes, commits, events;
} segment_t;

typedef struct {
    const fob_cli_t *cli;
    bool list;
    segment_t last; /* told when the next begins, as its commits come after it */
    json_t *rows;   /* with --json */
    uint64_t segments, commits, events, bytes, first, highest;
} look_t;

static void tell_json(look_t *self, const segment_t *s) {
    json_array_append_new(
        self->rows, json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "segment", s->name, "epoch",
                              (json_int_t)s->epoch, "first_position", (json_int_t)s->first_position,
                              "first_offset", (json_int_t)s->first_offset, "commits",
                              (json_int_t)s->commits, "events", (json_int_t)s->events, "bytes_used",
                              (json_int_t)s->bytes_used, "bytes", (json_int_t)s->bytes));
}

static void tell(look_t *self) {
    const segment_t *s = &self->last;
    if (!self->list || !s->name[0])
        return;
    if (self->rows) {
        tell_json(self, s);
        return;
    }
    if (self->segments == 1)
        printf("%-28s %12s %12s %10s %10s %12s %12s\n", "SEGMENT", "POSITION", "OFFSET", "COMMITS",
               "EVENTS", "USED", "BYTES");
    printf("%-28s %12" PRIu64 " %12" PRIu64 " %10" PRIu64 " %10" PRIu64 " %12" PRIu64 " %12" PRIu64
           "\n",
           s->name, s->first_position, s->first_offset, s->commits, s->events, s->bytes_used,
           s->bytes);
}

static void on_segment(void *arg, const char *name, uint64_t epoch, uint64_t first_position,
                       uint64_t first_offset, uint64_t bytes_used, uint64_t bytes) {
    look_t *self = arg;
    if (self->segments > 0)
        tell(self);
    self->segments++;
    self->bytes += bytes;
    self->last = (segment_t){.epoch = epoch,
                             .first_position = first_position,
                             .first_offset = first_offset,
                             .bytes_used = bytes_used,
                             .bytes = bytes};
    snprintf(self->last.name, sizeof self->last.name, "%s", name);
}

static void on_commit(void *arg, const char *name, uint64_t at, uint64_t position,
                      uint64_t first_offset, uint32_t count, uint64_t bytes) {
    look_t *self = arg;
    (void)name;
    (void)at;
    (void)first_offset;
    (void)bytes;
    self->commits++;
    self->events += count;
    self->last.commits++;
    self->last.events += count;
    if (self->first == 0)
        self->first = position;
    if (position > self->highest)
        self->highest = position;
}

static void on_torn(void *arg, const char *name, uint64_t at, const char *text) {
    look_t *self = arg;
    fob_note(self->cli,
             "segment %s ends in a torn tail at byte %" PRIu64 " (%s): the next start cuts it",
             name, at, text);
}

int fob_journal_fail(const fob_cli_t *cli, const char *folder, fob_journal_error_t *error) {
    size_t size = strlen(error->text);
    if (size > 0 && error->text[size - 1] == '.')
        error->text[size - 1] = '\0';
    switch (error->code) {
    case FOB_JOURNAL_DAMAGED:
        return fob_fail(cli, FOB_EXIT_FOLDER, "%s is damaged: %s", folder, error->text);
    case FOB_JOURNAL_NEWER:
        return fob_fail(cli, FOB_EXIT_FOLDER, "%s was written by a newer version: %s", folder,
                        error->text);
    case FOB_JOURNAL_IN_USE:
        return fob_fail(cli, FOB_EXIT_FOLDER, "%s", error->text);
    case FOB_JOURNAL_FULL:
    case FOB_JOURNAL_FAILED:
        return fob_fail(cli, FOB_EXIT_IO, "%s", error->text);
    case FOB_JOURNAL_MEMORY:
        return fob_fail_status(cli, FOB_NO_MEMORY, NULL);
    default:
        return fob_fail(cli, FOB_EXIT_FOLDER, "cannot read the journal in %s: %s", folder,
                        error->text);
    }
}

static int look(look_t *self, const char *folder) {
    fob_journal_error_t error = {0};
    const fob_inspect_t to = {on_segment, on_commit, on_torn, self};
    fob_journal_code_t code = fob_journal_inspect(folder, &to, &error);
    if (self->segments > 0)
        tell(self);
    if (self->rows) {
        json_dumpf(self->rows, stdout, JSON_COMPACT);
        putchar('\n');
    }
    if (code != FOB_JOURNAL_OK) {
        fflush(stdout);
        error.code = code;
        return fob_journal_fail(self->cli, folder, &error);
    }
    if (!self->list && !self->cli->quiet)
        printf("%s: whole: %" PRIu64 " segments, %" PRIu64 " bytes, %" PRIu64 " commits (%" PRIu64
               " to %" PRIu64 "), %" PRIu64 " events\n",
               folder, self->segments, self->bytes, self->commits, self->first, self->highest,
               self->events);
    return fob_print_end(self->cli);
}

typedef enum { VERIFY, LS, SALVAGE, BACKUP, VERBS } verb_t;

static const struct {
    const char *name, *speaker;
} verbs[VERBS] = {{"verify", "journal verify"},
                  {"ls", "journal ls"},
                  {"salvage", "journal salvage"},
                  {"backup", "journal backup"}};

static int look_into(const fob_cli_t *cli, verb_t verb, const char *folder) {
    look_t self = {
        .cli = cli, .list = verb == LS, .rows = verb == LS && cli->json ? json_array() : NULL};
    int code = look(&self, folder);
    json_decref(self.rows);
    return code;
}

/* What the words mean: the folder that is read, and the one that is made (NULL: none). */
static int sort_out(const fob_cli_t *cli, verb_t verb, const fob_args_t *args, const char *data,
                    const char **from, const char **to) {
    const char *word = args->arg_count == 2 ? args->args[1] : NULL;
    *from = data;
    if (verb == BACKUP) {
        if (*to || !word)
            return fob_fail(cli, FOB_EXIT_USAGE,
                            "where to? fob journal backup NEWDIR [--data DIR]");
        *to = word;
        return FOB_EXIT_OK;
    }
    if (word && data)
        return fob_fail(cli, FOB_EXIT_USAGE, "the folder is given twice: as DIR and by --data");
    if (word)
        *from = word;
    if (verb == SALVAGE && !*to)
        return fob_fail(cli, FOB_EXIT_USAGE, "where to? fob journal salvage DIR --to NEWDIR");
    if (verb != SALVAGE && *to)
        return fob_fail(cli, FOB_EXIT_USAGE, "--to is for fob journal salvage");
    return FOB_EXIT_OK;
}

int fob_command_journal(int argc, char **argv) {
    fob_cli_t cli = {.command = "journal"};
    fob_args_t args = {0};
    const char *data = NULL, *to = NULL, *from;
    char folder[4096];
    const fob_option_t options[] = {{"data", 0, FOB_OPT_TEXT, &data, 0, 0},
                                    {"to", 0, FOB_OPT_TEXT, &to, 0, 0},
                                    {"quiet", 'q', FOB_OPT_FLAG, &cli.quiet, 0, 0},
                                    FOB_OPTION_JSON(&cli)};
    int code =
        fob_options(&cli, options, sizeof options / sizeof options[0], help, argc, argv, &args);
    if (code >= 0)
        return code;
    code = fob_args_check(&cli, &args, 1, 2, FORMS);
    if (code != FOB_EXIT_OK)
        return code;
    unsigned verb = 0;
    while (verb < VERBS && strcmp(args.args[0], verbs[verb].name) != 0)
        verb++;
    if (verb == VERBS)
        return fob_fail(&cli, FOB_EXIT_USAGE, "\"%.40s\" is not one of: " FORMS, args.args[0]);
    cli.command = verbs[verb].speaker;
    code = sort_out(&cli, verb, &args, data, &from, &to);
    if (code != FOB_EXIT_OK)
        return code;
    if (!fob_data_folder(from, folder, sizeof folder))
        return fob_fail(&cli, FOB_EXIT_USAGE,
                        "which folder? give --data DIR, or set FOB_DATA (HOME is not set, either)");
    if (verb == SALVAGE)
        return fob_journal_salvage_command(&cli, folder, to);
    return verb == BACKUP ? fob_journal_backup_command(&cli, folder, to)
                          : look_into(&cli, verb, folder);
}
