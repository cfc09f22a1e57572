#include "proto/cli/options.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool fob_count_parse(const char *text, uint64_t *out) {
    uint64_t value = 0;
    if (!*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        uint64_t digit = (uint64_t)(*text - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

static int set_count(const fob_cli_t *cli, const fob_option_t *option, const char *value) {
    uint64_t number;
    if (fob_count_parse(value, &number) && number >= option->min &&
        (option->max == 0 || number <= option->max)) {
        *(uint64_t *)option->to = number;
        return -1;
    }
    if (option->max == 0)
        return fob_fail(cli, FOB_EXIT_USAGE,
                        "--%s takes a whole number from %" PRIu64 ", not \"%.40s\"", option->name,
                        option->min, value);
    return fob_fail(cli, FOB_EXIT_USAGE,
                    "--%s takes a whole number from %" PRIu64 " to %" PRIu64 ", not \"%.40s\"",
                    option->name, option->min, option->max, value);
}

/* -1: taken. */
static int set(const fob_cli_t *cli, const fob_option_t *option, const char *value) {
    fob_list_t *list;
    switch (option->kind) {
    case FOB_OPT_FLAG:
        *(bool *)option->to = true;
        return -1;
    case FOB_OPT_TEXT:
        *(const char **)option->to = value;
        return -1;
    case FOB_OPT_COUNT:
        return set_count(cli, option, value);
    case FOB_OPT_DURATION:
        if (fob_duration_parse(value, option->to))
            return -1;
        return fob_fail(cli, FOB_EXIT_USAGE,
                        "--%s takes a duration such as 250ms 5s 10m 2h 7d, not \"%.40s\"",
                        option->name, value);
    case FOB_OPT_LIST:
        list = option->to;
        if (list->count == list->capacity)
            return fob_fail(cli, FOB_EXIT_USAGE, "--%s may be given %zu times at the most",
                            option->name, list->capacity);
        list->items[list->count++] = value;
        return -1;
    }
    return FOB_EXIT_BUG;
}

typedef struct {
    fob_cli_t *cli;
    const fob_option_t *options;
    size_t option_count;
    const char *help;
    int argc, at;
    char **argv;
} parser_t;

static int unknown(const parser_t *self, const char *dashes, const char *name, size_t size) {
    return fob_fail(self->cli, FOB_EXIT_USAGE,
                    "unknown option %s%.*s: \"fob %s -h\" lists the options", dashes,
                    (int)(size < 80 ? size : 80), name, self->cli->command);
}

static int show_help(const parser_t *self) {
    fputs(self->help, stdout);
    return fob_print_end(self->cli);
}

static int show_version(const parser_t *self) {
    puts("fob " FOB_VERSION_STRING);
    return fob_print_end(self->cli);
}

/* The value is in the same word, or is the next one, whatever that looks like: `--key -5` means a
 * key of -5. */
static int take_value(parser_t *self, const fob_option_t *option, const char *same) {
    if (option->kind == FOB_OPT_FLAG)
        return set(self->cli, option, NULL);
    if (!same) {
        if (self->at + 1 >= self->argc)
            return fob_fail(self->cli, FOB_EXIT_USAGE, "--%s needs a value", option->name);
        same = self->argv[++self->at];
    }
    return set(self->cli, option, same);
}

static int take_long(parser_t *self, const char *name) {
    size_t size = strcspn(name, "=");
    const char *value = name[size] ? name + size + 1 : NULL;
    if (strcmp(name, "help") == 0)
        return show_help(self);
    if (strcmp(name, "version") == 0)
        return show_version(self);
    for (size_t i = 0; i < self->option_count; i++) {
        const fob_option_t *option = &self->options[i];
        if (strlen(option->name) != size || strncmp(option->name, name, size) != 0)
            continue;
        if (value && option->kind == FOB_OPT_FLAG)
            return fob_fail(self->cli, FOB_EXIT_USAGE, "--%s takes no value", option->name);
        return take_value(self, option, value);
    }
    return unknown(self, "--", name, size);
}

/* -j -v -n5 -n 5 -jv */
static int take_letters(parser_t *self, const char *letters) {
    for (; *letters; letters++) {
        const fob_option_t *option = NULL;
        if (*letters == 'h')
            return show_help(self);
        if (*letters == 'V')
            return show_version(self);
        for (size_t i = 0; i < self->option_count && !option; i++)
            if (self->options[i].letter == *letters)
                option = &self->options[i];
        if (!option)
            return unknown(self, "-", letters, 1);
        if (option->kind != FOB_OPT_FLAG)
            return take_value(self, option, letters[1] ? letters + 1 : NULL);
        int code = set(self->cli, option, NULL);
        if (code >= 0)
            return code;
    }
    return -1;
}

static bool is_option(const char *word) {
    return word[0] == '-' && word[1] && !(word[1] >= '0' && word[1] <= '9');
}

static int take_arg(const fob_cli_t *cli, fob_args_t *args, const char *word) {
    if (args->arg_count == FOB_ARGS_MAX)
        return fob_fail(cli, FOB_EXIT_USAGE, "too many arguments at \"%.80s\"", word);
    args->args[args->arg_count++] = word;
    return -1;
}

int fob_options(fob_cli_t *cli, const fob_option_t *options, size_t option_count, const char *help,
                int argc, char **argv, fob_args_t *args) {
    parser_t self = {cli, options, option_count, help, argc, 1, argv};
    bool only_args = false;
    int code = -1;
    for (; self.at < argc && code < 0; self.at++) {
        const char *word = argv[self.at];
        if (only_args || !is_option(word))
            code = take_arg(cli, args, word);
        else if (strcmp(word, "--") != 0)
            code = word[1] == '-' ? take_long(&self, word + 2) : take_letters(&self, word + 1);
        else if (args->command) {
            args->rest = argv + self.at + 1;
            break;
        } else
            only_args = true;
    }
    return code;
}

int fob_args_check(const fob_cli_t *cli, const fob_args_t *args, size_t min, size_t max,
                   const char *usage) {
    if (args->arg_count < min)
        return fob_fail(cli, FOB_EXIT_USAGE, "an argument is missing: %s", usage);
    if (args->arg_count > max)
        return fob_fail(cli, FOB_EXIT_USAGE, "\"%.80s\" is one argument too many: %s",
                        args->args[max], usage);
    return FOB_EXIT_OK;
}
