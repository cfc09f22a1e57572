/* fob journal salvage: what is whole of a damaged folder, in a new one. */
#include "bus/commands/draft.h"
#include "bus/commands/journal.h"
#include "bus/salvage/salvage.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

typedef struct {
    json_t *rows; /* with --json */
} report_t;

static void put_range(char *out, size_t size, const char *what, uint64_t first, uint64_t last) {
    if (first == 0)
        *out = '\0';
    else if (first == last)
        snprintf(out, size, ", %s %" PRIu64, what, first);
    else
        snprintf(out, size, ", %ss %" PRIu64 " to %" PRIu64, what, first, last);
}

static void on_lost(void *arg, const fob_loss_t *loss) {
    report_t *self = arg;
    char place[80] = "", commits[80], offsets[80];
    if (self->rows) {
        json_array_append_new(self->rows,
                              json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:b,s:s}", "file", loss->file,
                                        "from", (json_int_t)loss->at, "to", (json_int_t)loss->end,
                                        "first_position", (json_int_t)loss->first, "last_position",
                                        (json_int_t)loss->last, "first_offset",
                                        (json_int_t)loss->first_offset, "last_offset",
                                        (json_int_t)loss->last_offset, "was_durable", loss->proven,
                                        "text", loss->text));
        return;
    }
    if (loss->end > loss->at)
        snprintf(place, sizeof place, ", bytes %" PRIu64 " to %" PRIu64, loss->at, loss->end);
    else if (loss->at > 0)
        snprintf(place, sizeof place, ", byte %" PRIu64, loss->at);
    put_range(commits, sizeof commits, "lost: commit", loss->first, loss->last);
    put_range(offsets, sizeof offsets, "offset", loss->first_offset, loss->last_offset);
    printf("%s%s: %s%s%s%s\n", loss->file, place, loss->text, commits, offsets,
           loss->proven ? "" : "; nothing says that anybody was told of it");
}

static void tell_json(const report_t *self, const fob_salvaged_t *out) {
    json_t *root = json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:b,s:O}", "events", (json_int_t)out->events,
                             "first_offset", (json_int_t)out->first, "last_offset",
                             (json_int_t)out->last, "commits", (json_int_t)out->commits, "groups",
                             (json_int_t)out->groups, "unused_records", (json_int_t)out->unused,
                             "new_books", out->anew, "lost", self->rows);
    json_dumpf(root, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(root);
}

static void tell(const fob_salvaged_t *out, const char *folder, const char *to) {
    if (out->losses == 0)
        printf("%s is whole: nothing was lost\n", folder);
    printf("%s: %" PRIu64 " events (offsets %" PRIu64 " to %" PRIu64 ") and %" PRIu64 " groups\n",
           to, out->events, out->first, out->last, out->groups);
    if (out->anew)
        printf("Some of what became of events is lost, so the books of the groups begin anew: what "
               "is not known to be done is handed out (again).\n");
    if (out->unused > 0)
        printf("%" PRIu64 " records are about groups whose beginning is lost: make these groups "
               "again with \"fob group add NAME PATTERN --from earliest\".\n",
               out->unused);
    printf("Serve it with: fob serve --data %s\n", to);
}

int fob_journal_salvage_command(const fob_cli_t *cli, const char *folder, const char *to) {
    fob_draft_t draft;
    fob_salvaged_t out;
    fob_journal_error_t error = {0};
    report_t report = {.rows = cli->json ? json_array() : NULL};
    const fob_salvage_news_t news = {on_lost, &report};
    int code = fob_draft_begin(cli, &draft, to);
    if (code != FOB_EXIT_OK) {
        json_decref(report.rows);
        return code;
    }
    error.code = fob_salvage(folder, draft.part, &news, &out, &error);
    if (error.code != FOB_JOURNAL_OK) {
        fflush(stdout);
        fob_draft_drop(&draft);
        code = fob_journal_fail(cli, folder, &error);
    } else {
        code = fob_draft_end(cli, &draft);
    }
    if (code == FOB_EXIT_OK && report.rows)
        tell_json(&report, &out);
    else if (code == FOB_EXIT_OK)
        tell(&out, folder, to);
    json_decref(report.rows);
    return code == FOB_EXIT_OK ? fob_print_end(cli) : code;
}
