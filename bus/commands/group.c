#include "bus/commands/ask.h"
#include "bus/commands/commands.h"
#include "bus/commands/group_show.h"
#include "bus/settings/terms.h"
#include "proto/cli/options.h"
#include "proto/cli/when.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const char help[] =
    "usage: fob group add GROUP PATTERN [--from PLACE] [SETTING=VALUE]...\n"
    "       fob group set GROUP SETTING=VALUE...\n"
    "       fob group ls [--json]         all groups, and how they are\n"
    "       fob group show GROUP [--json] one group's figures and settings\n"
    "       fob group pause GROUP         hand nothing out until resume; keep events\n"
    "       fob group resume GROUP\n"
    "       fob group reset GROUP --to PLACE\n"
    "       fob group purge GROUP         remove all that waits; workers keep theirs\n"
    "       fob group rm GROUP            remove it and all that waits in it\n\n"
    "A group wants every event whose topic matches its PATTERN. A new one gets what\n"
    "is published from now on (latest), or begins at another PLACE; reset goes there\n"
    "again: earliest, an offset, a time as 2026-11-20T06:28:44Z, a span back as -10m.\n\n"
    "Settings hold at once, and for ever:\n"
    "  max_depth=10000   it is full with so many events, ready, leased or delayed\n"
    "  max_bytes=1GiB    or so many bytes; 50%: of max_disk\n"
    "  overflow=reject   then its publishers are BUSY; drop-oldest,\n"
    "                    drop-lowest-priority, dead-letter: see fob(1)\n"
    "  lease=30s         a handler may take so long; none: as long as it likes\n"
    "  max_attempts=5    then the event is a dead letter\n"
    "  max_age=7d        so is one that is older; none: however old\n"
    "  backoff_first=1s backoff_factor=2 backoff_max=5m   pauses between attempts\n"
    "  dead_max=1000000 dead_max_age=30d   dead letters kept; then the oldest goes\n"
    "  paused=no\n\n"
    "  -j, --json             ls: one array on one line; show: one object on one line\n"
    "  -b, --bus ENDPOINT     the bus to talk to\n"
    "  --connect-timeout D    how long to try: 250ms, 5s, 1m\n"
    "  -q, --quiet            no news on standard error\n";

/* What the line says beside its arguments. */
typedef struct {
    fob_cli_t cli;
    const char *from, *to;
} line_t;

typedef struct {
    const char *name, *speaker, *usage;
    size_t args, most; /* how many */
    enum { NO_OPTION, TAKES_JSON, TAKES_FROM, TAKES_TO } option;
    int (*run)(const line_t *line, const fob_args_t *args);
} action_t;

/* --- questions --- */

/* Asks, and says what the bus has to say of it. */
static int ask(const fob_cli_t *cli, const fob_wire_t *question) {
    fob_answer_t answer;
    int code = fob_ask(cli, question, &answer);
    if (code == FOB_EXIT_OK && answer.text[0])
        fob_note(cli, "%s", answer.text);
    fob_answer_clear(&answer);
    return code;
}

static void put_terms(fob_buf_t *out, const fob_terms_t *terms) {
    size_t count = 0;
    for (unsigned number = 1; number < FOB_POLICY_END; number++)
        count += terms->patch.mask >> number & 1;
    fob_pack_map(out, count);
    for (unsigned number = 1; number < FOB_POLICY_END; number++) {
        if (!(terms->patch.mask >> number & 1))
            continue;
        uint64_t value = fob_policy_get(&terms->patch.to, number);
        fob_pack_cstr(out, fob_policy_name(number));
        if (number == FOB_POLICY_max_bytes && terms->share) {
            char share[16];
            snprintf(share, sizeof share, "%u%%", terms->share);
            fob_pack_cstr(out, share);
        } else if (fob_policy_kind(number) == FOB_POLICY_OVERFLOW_KIND)
            fob_pack_cstr(out, fob_overflow_name(value));
        else
            fob_pack_uint(out, value);
    }
}

/* Reads the arguments from `first` on as settings, into the question; `memory` is the caller's to
 * free after the answer. */
static int take_settings(const fob_cli_t *cli, const fob_args_t *args, size_t first,
                         fob_wire_t *question, fob_buf_t *memory) {
    fob_terms_t terms = {0};
    char problem[512];
    for (size_t i = first; i < args->arg_count; i++)
        if (!fob_terms_read_pair(&terms, args->args[i], problem, sizeof problem))
            return fob_fail(cli, FOB_EXIT_USAGE, "%s", problem);
    put_terms(memory, &terms);
    if (memory->failed)
        return fob_fail(cli, FOB_EXIT_SYSTEM, "out of memory");
    if (terms.patch.mask)
        FOB_SET(question, settings, fob_buf_slice(memory));
    return FOB_EXIT_OK;
}

static int64_t wall_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int take_place(const fob_cli_t *cli, const char *option, const char *text,
                      fob_wire_t *question) {
    fob_when_t when;
    if (!fob_when_parse(text, wall_ms(), &when))
        return fob_fail(cli, FOB_EXIT_USAGE, "--%s takes " FOB_WHEN_HINT ", not \"%.64s\"", option,
                        text);
    switch (when.kind) {
    case FOB_WHEN_LATEST:
        break;
    case FOB_WHEN_EARLIEST:
        FOB_SET(question, offset, 1);
        break;
    case FOB_WHEN_OFFSET:
        FOB_SET(question, offset, when.offset);
        break;
    case FOB_WHEN_TIME:
        FOB_SET(question, time, when.time_ms > 0 ? (uint64_t)when.time_ms : 1);
        break;
    }
    return FOB_EXIT_OK;
}

/* --- actions --- */

static int group_add(const line_t *line, const fob_args_t *args) {
    const fob_cli_t *cli = &line->cli;
    const char *group = args->args[0], *pattern = args->args[1];
    fob_wire_t question = {.verb = FOB_VERB_GROUP_ADD};
    fob_buf_t memory = {0};
    int code = fob_cli_check_group(cli, group);
    if (code == FOB_EXIT_OK)
        code = fob_cli_check_pattern(cli, pattern);
    if (code == FOB_EXIT_OK)
        code = take_settings(cli, args, 2, &question, &memory);
    if (code == FOB_EXIT_OK && line->from)
        code = take_place(cli, "from", line->from, &question);
    FOB_SET(&question, group, fob_slice_str(group));
    FOB_SET(&question, pattern, fob_slice_str(pattern));
    if (code == FOB_EXIT_OK)
        code = ask(cli, &question);
    fob_buf_free(&memory);
    return code;
}

static int group_set(const line_t *line, const fob_args_t *args) {
    const fob_cli_t *cli = &line->cli;
    fob_wire_t question = {.verb = FOB_VERB_GROUP_SET};
    fob_buf_t memory = {0};
    if (args->arg_count < 2)
        return fob_fail(cli, FOB_EXIT_USAGE,
                        "settings are missing: fob group set GROUP SETTING=VALUE..., of %s",
                        fob_terms_names());
    int code = fob_cli_check_group(cli, args->args[0]);
    if (code == FOB_EXIT_OK)
        code = take_settings(cli, args, 1, &question, &memory);
    FOB_SET(&question, group, fob_slice_str(args->args[0]));
    if (code == FOB_EXIT_OK)
        code = ask(cli, &question);
    fob_buf_free(&memory);
    return code;
}

static int set_paused(const line_t *line, const char *group, bool paused) {
    fob_wire_t question = {.verb = FOB_VERB_GROUP_SET};
    fob_terms_t terms = {0};
    fob_buf_t memory = {0};
    terms.patch.mask = UINT32_C(1) << FOB_POLICY_paused;
    terms.patch.to.paused = paused;
    put_terms(&memory, &terms);
    FOB_SET(&question, group, fob_slice_str(group));
    FOB_SET(&question, settings, fob_buf_slice(&memory));
    int code = fob_cli_check_group(&line->cli, group);
    if (code == FOB_EXIT_OK && memory.failed)
        code = fob_fail(&line->cli, FOB_EXIT_SYSTEM, "out of memory");
    if (code == FOB_EXIT_OK)
        code = ask(&line->cli, &question);
    fob_buf_free(&memory);
    return code;
}

static int group_pause(const line_t *line, const fob_args_t *args) {
    return set_paused(line, args->args[0], true);
}

static int group_resume(const line_t *line, const fob_args_t *args) {
    return set_paused(line, args->args[0], false);
}

static int group_reset(const line_t *line, const fob_args_t *args) {
    const fob_cli_t *cli = &line->cli;
    fob_wire_t question = {.verb = FOB_VERB_GROUP_RESET};
    if (!line->to)
        return fob_fail(cli, FOB_EXIT_USAGE, "--to is missing: it takes " FOB_WHEN_HINT);
    int code = fob_cli_check_group(cli, args->args[0]);
    if (code == FOB_EXIT_OK)
        code = take_place(cli, "to", line->to, &question);
    FOB_SET(&question, group, fob_slice_str(args->args[0]));
    return code == FOB_EXIT_OK ? ask(cli, &question) : code;
}

static int group_purge(const line_t *line, const fob_args_t *args) {
    const fob_cli_t *cli = &line->cli;
    fob_wire_t question = {.verb = FOB_VERB_GROUP_PURGE};
    fob_answer_t answer;
    int code = fob_cli_check_group(cli, args->args[0]);
    if (code != FOB_EXIT_OK)
        return code;
    FOB_SET(&question, group, fob_slice_str(args->args[0]));
    code = fob_ask(cli, &question, &answer);
    if (code == FOB_EXIT_OK) {
        printf("%s\n", answer.text);
        code = fob_print_end(cli);
    }
    fob_answer_clear(&answer);
    return code;
}

static int group_rm(const line_t *line, const fob_args_t *args) {
    const fob_cli_t *cli = &line->cli;
    fob_wire_t question = {.verb = FOB_VERB_GROUP_REMOVE};
    fob_answer_t answer;
    fob_status_t status;
    const char *name = args->args[0];
    int code = fob_cli_check_group(cli, name);
    if (code != FOB_EXIT_OK)
        return code;
    FOB_SET(&question, group, fob_slice_str(name));
    code = fob_ask_for(cli, &question, &answer, &status);
    if (code == FOB_EXIT_OK && status == FOB_NO_GROUP)
        code = fob_fail(cli, FOB_EXIT_NONE,
                        "there is no group %.80s, nothing to remove: \"fob group ls\" lists them",
                        name);
    else if (code == FOB_EXIT_OK && status != FOB_OK)
        code = fob_fail_status(cli, status, answer.text);
    fob_answer_clear(&answer);
    return code;
}

static int group_ls(const line_t *line, const fob_args_t *args) {
    (void)args;
    return fob_group_ls(&line->cli);
}

static int group_show(const line_t *line, const fob_args_t *args) {
    return fob_group_show(&line->cli, args->args[0]);
}

/* --- the table --- */

#define MANY (FOB_ARGS_MAX + 1)

static const action_t actions[] = {
    {"add", "group add", "fob group add GROUP PATTERN [--from PLACE] [SETTING=VALUE]...", 2, MANY,
     TAKES_FROM, group_add},
    {"ls", "group ls", "fob group ls [--json]", 0, 0, TAKES_JSON, group_ls},
    {"show", "group show", "fob group show GROUP [--json]", 1, 1, TAKES_JSON, group_show},
    {"set", "group set", "fob group set GROUP SETTING=VALUE...", 1, MANY, NO_OPTION, group_set},
    {"pause", "group pause", "fob group pause GROUP", 1, 1, NO_OPTION, group_pause},
    {"resume", "group resume", "fob group resume GROUP", 1, 1, NO_OPTION, group_resume},
    {"reset", "group reset", "fob group reset GROUP --to PLACE", 1, 1, TAKES_TO, group_reset},
    {"purge", "group purge", "fob group purge GROUP", 1, 1, NO_OPTION, group_purge},
    {"rm", "group rm", "fob group rm GROUP", 1, 1, NO_OPTION, group_rm},
};
#define USAGE "fob group add | ls | show | set | pause | resume | reset | purge | rm"

static int run_action(const action_t *action, int argc, char **argv) {
    line_t line = {.cli = {.command = action->speaker}};
    fob_cli_t *cli = &line.cli;
    fob_args_t args = {0};
    const fob_option_t own[] = {[TAKES_JSON] = FOB_OPTION_JSON(cli),
                                [TAKES_FROM] = {"from", 0, FOB_OPT_TEXT, &line.from, 0, 0},
                                [TAKES_TO] = {"to", 0, FOB_OPT_TEXT, &line.to, 0, 0}};
    const fob_option_t options[] = {FOB_OPTIONS_CLIENT(cli), own[action->option]};
    size_t count = sizeof options / sizeof options[0] - (action->option == NO_OPTION);
    int code = fob_options(cli, options, count, help, argc, argv, &args);
    if (code >= 0)
        return code;
    code = fob_args_check(cli, &args, action->args, action->most, action->usage);
    return code == FOB_EXIT_OK ? action->run(&line, &args) : code;
}

int fob_command_group(int argc, char **argv) {
    fob_cli_t cli = {.command = "group"};
    fob_args_t args = {0};
    if (argc < 2)
        return fob_fail(&cli, FOB_EXIT_USAGE, "an argument is missing: " USAGE);
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        if (strcmp(argv[1], actions[i].name) == 0)
            return run_action(&actions[i], argc - 1, argv + 1);
    int code = fob_options(&cli, NULL, 0, help, 2, argv, &args);
    if (code >= 0)
        return code;
    return fob_fail(&cli, FOB_EXIT_USAGE, "\"%.40s\" is not one of: " USAGE, argv[1]);
}
