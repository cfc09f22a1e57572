/* dead: `fob dead`, its options, and the pages of letters that all its actions go through. */
#include "bus/commands/dead.h"

#include "bus/commands/commands.h"
#include "bus/commands/value.h"
#include "proto/cli/when.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define PATIENCE_MS 60000 /* for a bus that was there */
#define CROWDED_MS  100   /* before the next try, where it works on too many requests */

static const char help[] =
    "usage: fob dead ls GROUP [FILTER] [-n N] [--json]\n"
    "                            the events that a group gave up, by offset\n"
    "       fob dead show GROUP OFFSET [--json]\n"
    "                            one of them, and how each attempt ended\n"
    "       fob dead redrive GROUP [FILTER] [--rate N] [--dry-run] [--json]\n"
    "                            give them to that group again, also if it is full\n"
    "       fob dead purge GROUP [FILTER] [--dry-run] [--json]\n"
    "                            remove them for good\n\n"
    "FILTER: all that is given must hold; without one all are meant\n"
    "  --reason R             attempts, reject, age, overflow or damaged\n"
    "  --topic PATTERN        the event's topic matches\n"
    "  --key K                the event's ordering key\n"
    "  --since TIME|D         died then or later: 2026-11-20T06:28:44Z, or 10m ago\n"
    "  --until TIME|D         died before\n"
    "  --offset OFFSET        only that one\n\n"
    "  -n, --count N          ls: so many at the most (a table: 1000)\n"
    "  --rate N               so many a second\n"
    "  --dry-run              only count those that match\n"
    "  -j, --json             ls: one array on one line; else one object on one line\n"
    "  -b, --bus ENDPOINT     the bus to talk to\n"
    "  --connect-timeout D    how long to try: 250ms, 5s, 1m\n"
    "  -q, --quiet            no news on standard error\n";

/* --- the filter --- */

static int64_t wall_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pack_text(fob_buf_t *out, const char *name, const char *value) {
    if (!value)
        return;
    fob_pack_cstr(out, name);
    fob_pack_cstr(out, value);
}

/* A time, or a span back from now. */
static int pack_time(const fob_cli_t *cli, fob_buf_t *out, const char *name, const char *text) {
    int64_t now = wall_ms(), time_ms, span;
    if (!text)
        return FOB_EXIT_OK;
    if (fob_duration_parse_span(text, &span))
        time_ms = span < now ? now - span : 0;
    else if (!fob_when_time(text, now, &time_ms))
        return fob_fail(cli, FOB_EXIT_USAGE,
                        "--%s takes a time such as 2026-11-20T06:28:44Z, or a span back such as "
                        "10m, not \"%.40s\"",
                        name, text);
    fob_pack_cstr(out, name);
    fob_pack_uint(out, (uint64_t)time_ms);
    return FOB_EXIT_OK;
}

static int check_reason(const fob_cli_t *cli, const char *reason) {
    static const char *const known[] = {"attempts", "reject", "age", "overflow", "damaged"};
    for (size_t i = 0; reason && i < sizeof known / sizeof known[0]; i++)
        if (strcmp(reason, known[i]) == 0)
            return FOB_EXIT_OK;
    if (!reason)
        return FOB_EXIT_OK;
    return fob_fail(cli, FOB_EXIT_USAGE,
                    "--reason takes attempts, reject, age, overflow or damaged, not \"%.40s\"",
                    reason);
}

static int pack_offset(const fob_cli_t *cli, fob_buf_t *out, const char *text) {
    fob_when_t when;
    if (!text)
        return FOB_EXIT_OK;
    if (!fob_when_parse(text, wall_ms(), &when) || when.kind != FOB_WHEN_OFFSET)
        return fob_fail(cli, FOB_EXIT_USAGE,
                        "\"%.40s\" is no offset: take one from \"fob dead ls\"", text);
    fob_pack_cstr(out, "offset");
    fob_pack_uint(out, when.offset);
    return FOB_EXIT_OK;
}

static int pack_filter(const fob_cli_t *cli, fob_buf_t *out, const fob_dead_options_t *options) {
    const char *const given[] = {options->reason, options->topic, options->key,
                                 options->since,  options->until, options->offset};
    size_t count = 0;
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++)
        count += given[i] != NULL;
    int code = check_reason(cli, options->reason);
    if (code == FOB_EXIT_OK && options->topic)
        code = fob_cli_check_pattern(cli, options->topic);
    if (code == FOB_EXIT_OK && options->key && !*options->key)
        code = fob_fail(cli, FOB_EXIT_USAGE, "--key takes an ordering key, not nothing");
    fob_pack_map(out, count);
    pack_text(out, "reason", options->reason);
    pack_text(out, "topic", options->topic);
    pack_text(out, "key", options->key);
    if (code == FOB_EXIT_OK)
        code = pack_time(cli, out, "since", options->since);
    if (code == FOB_EXIT_OK)
        code = pack_time(cli, out, "until", options->until);
    if (code == FOB_EXIT_OK)
        code = pack_offset(cli, out, options->offset);
    return code;
}

/* --- pages --- */

int fob_dead_pages_init(fob_dead_pages_t *self, const fob_cli_t *cli, const char *group,
                        const fob_dead_options_t *options) {
    *self = (fob_dead_pages_t){.cli = *cli};
    int code = fob_cli_check_group(cli, group);
    if (code == FOB_EXIT_OK)
        code = pack_filter(cli, &self->filter, options);
    FOB_SET(&self->question, group, fob_slice_str(group));
    if (code == FOB_EXIT_OK && self->filter.failed)
        code = fob_fail_status(cli, FOB_NO_MEMORY, NULL);
    return code;
}

void fob_dead_pages_free(fob_dead_pages_t *self) {
    fob_answer_clear(&self->answer);
    fob_buf_free(&self->filter);
}

/* The first answer says which bus it is; later ones are waited for longer. */
static int meet(fob_dead_pages_t *self) {
    if (self->met && self->answer.epoch != self->epoch)
        return fob_fail(&self->cli, FOB_EXIT_UNREACHABLE,
                        "the bus began anew meanwhile (another epoch), its letters may be others: "
                        "look at them, and ask again");
    self->met = true;
    self->epoch = self->answer.epoch;
    if (self->cli.connect_timeout_ms == 0)
        self->cli.connect_timeout_ms = PATIENCE_MS;
    return FOB_EXIT_OK;
}

int fob_dead_pages_ask(fob_dead_pages_t *self, fob_verb_t verb, uint64_t from, uint64_t limit,
                       bool dry, fob_status_t *status) {
    fob_wire_t *question = &self->question;
    question->verb = verb;
    if (verb != FOB_VERB_DEAD_SHOW)
        FOB_SET(question, filter, fob_buf_slice(&self->filter));
    FOB_SET(question, from, from);
    FOB_SET(question, upto, self->upto);
    FOB_SET(question, limit, limit);
    if (dry)
        FOB_SET(question, dry, true);
    for (int tries = 0;; tries++) {
        fob_answer_clear(&self->answer);
        int code = fob_ask_for(&self->cli, question, &self->answer, status);
        if (code != FOB_EXIT_OK)
            return code;
        if (*status != FOB_LIMIT || tries >= PATIENCE_MS / CROWDED_MS)
            break;
        poll(NULL, 0, CROWDED_MS);
    }
    question->present &= ~((uint64_t)1 << FOB_FIELD_dry);
    question->dry = false;
    self->asked_again = self->asked_again || self->answer.asked > 1;
    if (*status != FOB_OK)
        return FOB_EXIT_OK;
    if (self->upto == 0)
        self->upto = fob_dead_pages_number(self, "upto");
    return meet(self);
}

fob_slice_t fob_dead_pages_value(const fob_dead_pages_t *self) {
    return self->answer.body ? fob_blob_slice(self->answer.body) : (fob_slice_t){0};
}

uint64_t fob_dead_pages_number(const fob_dead_pages_t *self, const char *name) {
    uint64_t value;
    fob_cursor_t cursor = fob_cursor(fob_value_field(fob_dead_pages_value(self), name));
    return fob_cursor_uint(&cursor, &value) ? value : 0;
}

/* --- the command --- */

#define USES_FILTER 1
#define USES_COUNT  2
#define USES_MOVE   4 /* --dry-run */
#define USES_RATE   8

typedef struct {
    const char *name, *speaker, *usage;
    size_t args;
    unsigned uses;
    int (*run)(const fob_cli_t *cli, const fob_args_t *args, const fob_dead_options_t *options);
} action_t;

static const action_t actions[] = {
    {"ls", "dead ls", "fob dead ls GROUP [FILTER] [-n N] [--json]", 1, USES_FILTER | USES_COUNT,
     fob_dead_ls},
    {"show", "dead show", "fob dead show GROUP OFFSET [--json]", 2, 0, fob_dead_show},
    {"redrive", "dead redrive", "fob dead redrive GROUP [FILTER] [--rate N] [--dry-run]", 1,
     USES_FILTER | USES_MOVE | USES_RATE, fob_dead_redrive},
    {"purge", "dead purge", "fob dead purge GROUP [FILTER] [--dry-run]", 1, USES_FILTER | USES_MOVE,
     fob_dead_purge},
};

/* The options of one action, packed together; returns how many. */
static size_t options_of(const action_t *action, fob_cli_t *cli, fob_dead_options_t *to,
                         fob_option_t *out) {
    const fob_option_t of_all[] = {FOB_OPTIONS_CLIENT(cli), FOB_OPTION_JSON(cli)};
    const fob_option_t filter[] = {{"reason", 0, FOB_OPT_TEXT, &to->reason, 0, 0},
                                   {"topic", 0, FOB_OPT_TEXT, &to->topic, 0, 0},
                                   {"key", 0, FOB_OPT_TEXT, &to->key, 0, 0},
                                   {"since", 0, FOB_OPT_TEXT, &to->since, 0, 0},
                                   {"until", 0, FOB_OPT_TEXT, &to->until, 0, 0},
                                   {"offset", 0, FOB_OPT_TEXT, &to->offset, 0, 0}};
    size_t count = sizeof of_all / sizeof of_all[0];
    memcpy(out, of_all, sizeof of_all);
    if (action->uses & USES_FILTER) {
        memcpy(out + count, filter, sizeof filter);
        count += sizeof filter / sizeof filter[0];
    }
    if (action->uses & USES_COUNT)
        out[count++] = (fob_option_t){"count", 'n', FOB_OPT_COUNT, &to->count, 1, 0};
    if (action->uses & USES_MOVE)
        out[count++] = (fob_option_t){"dry-run", 0, FOB_OPT_FLAG, &to->dry, 0, 0};
    if (action->uses & USES_RATE)
        out[count++] = (fob_option_t){"rate", 0, FOB_OPT_COUNT, &to->rate, 1, 1000000};
    return count;
}

static int run_action(fob_cli_t *cli, const action_t *action, int argc, char **argv) {
    fob_args_t args = {0};
    fob_dead_options_t given = {0};
    fob_option_t options[16];
    size_t count = options_of(action, cli, &given, options);
    cli->command = action->speaker;
    int code = fob_options(cli, options, count, help, argc, argv, &args);
    if (code >= 0)
        return code;
    code = fob_args_check(cli, &args, action->args, action->args, action->usage);
    return code == FOB_EXIT_OK ? action->run(cli, &args, &given) : code;
}

int fob_command_dead(int argc, char **argv) {
    fob_cli_t cli = {.command = "dead"};
    fob_args_t args = {0};
    if (argc < 2)
        return fob_fail(&cli, FOB_EXIT_USAGE,
                        "an argument is missing: fob dead ls | show | redrive | purge");
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        if (strcmp(argv[1], actions[i].name) == 0)
            return run_action(&cli, &actions[i], argc - 1, argv + 1);
    int code = fob_options(&cli, NULL, 0, help, 2, argv, &args);
    if (code >= 0)
        return code;
    return fob_fail(&cli, FOB_EXIT_USAGE,
                    "\"%.40s\" is not one of: fob dead ls | show | redrive | purge", argv[1]);
}
