#include "bus/commands/config.h"

#include "bus/settings/settings.h"
#include "proto/amount.h"
#include "proto/cli/options.h"
#include "proto/topic.h"

#include <ctype.h>
#include <czmq.h>
#include <errno.h>
#include <stdarg.h>

#define FILE_MAX (1 << 20) /* bytes */

/* Settings of a group, as the options want them. */
typedef struct {
    char *all[FOB_POLICY_SETTINGS + 1]; /* "NAME=VALUE", ended by NULL; its own */
    size_t count;
    fob_terms_t terms; /* as read so far */
} pairs_t;

struct fob_config {
    zconfig_t *root; /* owns the strings */
    unsigned disk_share;
    pairs_t defaults;
    fob_bus_group_t *groups; /* room for all; their strings are the root's */
    pairs_t *pairs;          /* of the groups, one by one */
    size_t group_count;
};

typedef enum { KIND_TEXT, KIND_PORT, KIND_COUNT, KIND_BYTES, KIND_DISK, KIND_TIME } kind_t;

typedef struct {
    const char *name;
    kind_t kind;
    size_t at;        /* in fob_bus_options_t */
    const char *want; /* what a good value looks like */
    uint32_t most;    /* of a COUNT */
} setting_t;

#define AT(member) offsetof(fob_bus_options_t, member)

static const setting_t keys[] = {
    {"bind", KIND_TEXT, AT(bind), "an address", 0},
    {"port", KIND_PORT, AT(port), "a number from 1 to 65533"},
    {"advertise", KIND_TEXT, AT(advertise), "a host name"},
    {"data", KIND_TEXT, AT(data), "a folder"},
    {"sync", KIND_TEXT, AT(sync), "always, os, or interval=D (interval=100ms)"},
    {"max_event", KIND_BYTES, AT(max_event), "an amount, as 1000000 or 4MiB"},
    {"max_disk", KIND_DISK, AT(max_disk), "an amount, as 20GiB, or a share of the disk, as 80%"},
    {"max_connections", KIND_COUNT, AT(max_connections), "a number from 1 to 1000000", 1000000},
    {"max_groups", KIND_COUNT, AT(max_groups), "a number from 1 to 1000000", 1000000},
    {"heartbeat", KIND_TIME, AT(heartbeat_ms), "a duration, as 250ms or 1s"},
    {"retain", KIND_TIME, AT(retain_ms), "a duration, as 10m, 24h or 7d"},
    {"retain_bytes", KIND_BYTES, AT(retain_bytes), "an amount, as 4GiB"},
    {"dedup_window", KIND_TIME, AT(dedup_window_ms), "a duration, as 10m or 1h"},
    {"dedup_max", KIND_COUNT, AT(dedup_max), "a number from 1 to 100000000", 100000000}};

#define KEY_COUNT (sizeof keys / sizeof keys[0])

/* --- values --- */

static bool parse_share(const char *text, unsigned *share) {
    char *end;
    if (!isdigit((unsigned char)text[0]))
        return false;
    unsigned long value = strtoul(text, &end, 10);
    bool good = strcmp(end, "%") == 0 && value >= 1 && value <= 100;
    *share = good ? (unsigned)value : 0;
    return good;
}

static bool set_number(void *to, const setting_t *key, const char *text) {
    uint64_t value;
    if (!fob_count_parse(text, &value) || value == 0)
        return false;
    if (key->kind == KIND_PORT) {
        *(int *)to = (int)value;
        return value <= 65533;
    }
    *(uint32_t *)to = (uint32_t)value;
    return value <= key->most;
}

static bool set(fob_config_t *self, fob_bus_options_t *options, const setting_t *key,
                const char *text) {
    void *to = (char *)options + key->at;
    switch (key->kind) {
    case KIND_TEXT:
        *(const char **)to = text;
        return text[0] != 0;
    case KIND_PORT:
    case KIND_COUNT:
        return set_number(to, key, text);
    case KIND_DISK:
        return parse_share(text, &self->disk_share) || fob_amount_parse(text, to);
    case KIND_BYTES:
        return fob_amount_parse(text, to);
    case KIND_TIME:
        return fob_duration_parse(text, to);
    }
    return false;
}

/* --- lines --- */

/* zconfig does not tell lines. A line is one item (or blank, or a comment), and its items come in
 * the order of the lines: so both are walked side by side. This says what a line is, and what is
 * wrong with it. */
typedef struct {
    const char *at; /* the rest of the file */
    unsigned number;
    char text[512]; /* the line, without its newline */
    const char *problem;
    unsigned depth; /* how deep the next line may stand: 1 behind "groups", 2 behind a group */
} lines_t;

#define INDENT 4 /* of ZPL */

/* Whether nothing follows but a comment. */
static bool ends(const char *rest) {
    rest += strspn(rest, " \t\r");
    return *rest == 0 || *rest == '#';
}

static const char *judge_setting(const char *text) {
    size_t name = strspn(text, "abcdefghijklmnopqrstuvwxyz_0123456789");
    const char *rest = text + name + strspn(text + name, " \t");
    if (name == 0 || *rest != '=')
        return "this is not KEY = VALUE";
    rest += 1 + strspn(rest + 1, " \t");
    if (ends(rest))
        return "the value is missing";
    if ((*rest == '"' || *rest == '\'') && !strchr(rest + 1, *rest))
        return "a quote is missing";
    return NULL;
}

static const char *judge_group(const char *text) {
    size_t name = strcspn(text, " \t\r#=");
    if (!fob_topic_valid(fob_slice(text, name)))
        return "a group's name is tokens of A-Z a-z 0-9 _ - joined by dots, 255 bytes at the most";
    return ends(text + name) ? NULL : "behind a group's name the line ends; its settings follow";
}

/* Three kinds of lines: a setting, or "groups"; under that a group's name; under that its settings.
 */
static const char *judge(lines_t *self) {
    size_t indent = strspn(self->text, " ");
    const char *text = self->text + indent;
    if (*text == '\t' || indent % INDENT != 0 || indent / INDENT > self->depth)
        return "only \"groups\" has lines below it that are indented: by 4 spaces a group's name, "
               "by "
               "8 its settings";
    self->depth = (unsigned)(indent / INDENT);
    bool groups = self->depth == 0 && strncmp(text, "groups", 6) == 0 && ends(text + 6);
    const char *problem = self->depth == 1 ? judge_group(text)
                          : groups         ? NULL
                                           : judge_setting(text);
    self->depth = groups ? 1 : self->depth > 0 ? 2 : 0;
    return problem;
}

/* Goes to the next line that is an item; false: the end, or a line with a problem. */
static bool next_item(lines_t *self) {
    while (*self->at) {
        size_t size = strcspn(self->at, "\n");
        self->number++;
        snprintf(self->text, sizeof self->text, "%.*s", (int)size, self->at);
        self->at += size + (self->at[size] == '\n');
        if (size >= sizeof self->text)
            self->problem = "the line is too long";
        const char *first = self->text + strspn(self->text, " \t\r");
        if (!self->problem && (*first == 0 || *first == '#'))
            continue;
        if (!self->problem)
            self->problem = judge(self);
        return !self->problem;
    }
    return false;
}

static const char *check_lines(const char *content, unsigned *number) {
    lines_t lines = {.at = content};
    while (next_item(&lines))
        ;
    *number = lines.number;
    return lines.problem;
}

/* --- the file --- */

static const setting_t *find_key(const char *name, size_t *index) {
    for (*index = 0; *index < KEY_COUNT; (*index)++)
        if (strcmp(keys[*index].name, name) == 0)
            return &keys[*index];
    return NULL;
}

/* What is being read, and what is wrong with it: a sentence without its line. */
typedef struct {
    fob_config_t *config;
    fob_bus_options_t *options;
    lines_t lines;
    uint64_t seen; /* keys, one bit each */
    char problem[400];
} reading_t;

static bool wrong(reading_t *self, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool wrong(reading_t *self, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(self->problem, sizeof self->problem, format, args);
    va_end(args);
    return false;
}

/* Adds one setting of a group, or of new groups. */
static bool take_pair(reading_t *self, pairs_t *to, const char *name, const char *value) {
    unsigned number = fob_policy_find(fob_slice_str(name));
    if (number && to->terms.patch.mask >> number & 1)
        return wrong(self, "%s is given twice", name);
    if (!fob_terms_read(&to->terms, name, value, self->problem, sizeof self->problem))
        return false;
    size_t size = strlen(name) + strlen(value) + 2;
    char *pair = malloc(size);
    if (!pair)
        return wrong(self, "out of memory");
    snprintf(pair, size, "%s=%s", name, value);
    to->all[to->count++] = pair;
    return true;
}

static bool take_setting(reading_t *self, zconfig_t *item) {
    size_t index;
    const char *name = zconfig_name(item), *value = zconfig_value(item);
    const setting_t *key = find_key(name, &index);
    if (!key && fob_policy_find(fob_slice_str(name)))
        return take_pair(self, &self->config->defaults, name, value);
    if (!key)
        return wrong(self, "there is no setting \"%.64s\": see DEFAULTS in fob(1)", name);
    if (self->seen >> index & 1)
        return wrong(self, "%s is given twice", key->name);
    self->seen |= (uint64_t)1 << index;
    if (!set(self->config, self->options, key, value))
        return wrong(self, "%s must be %s, not \"%.64s\"", key->name, key->want, value);
    /* What the bus would refuse is refused here, where the line is known. */
    fob_settings_t settings;
    return fob_settings_fill(&settings, self->options, self->problem, sizeof self->problem) ==
           FOB_OK;
}

static bool take_pattern(reading_t *self, fob_bus_group_t *group, const char *value) {
    if (group->pattern)
        return wrong(self, "pattern is given twice");
    if (!fob_pattern_valid(fob_slice_str(value)))
        return wrong(self,
                     "\"%.64s\" is no pattern: it is a topic in which a token may be * and the "
                     "last >",
                     value);
    group->pattern = value;
    return true;
}

static bool take_of_group(reading_t *self, fob_bus_group_t *group, pairs_t *pairs,
                          zconfig_t *item) {
    const char *name = zconfig_name(item), *value = zconfig_value(item);
    if (strcmp(name, "pattern") == 0)
        return take_pattern(self, group, value);
    if (fob_policy_find(fob_slice_str(name)) == 0)
        return wrong(self, "there is no setting \"%.64s\" of a group: there are pattern, %s", name,
                     fob_terms_names());
    return take_pair(self, pairs, name, value);
}

static bool take_group(reading_t *self, zconfig_t *item) {
    fob_config_t *config = self->config;
    const char *name = zconfig_name(item);
    for (size_t i = 0; i < config->group_count; i++)
        if (strcmp(config->groups[i].name, name) == 0)
            return wrong(self, "group %s is given twice", name);
    pairs_t *pairs = &config->pairs[config->group_count];
    fob_bus_group_t *group = &config->groups[config->group_count++];
    *group = (fob_bus_group_t){.name = name, .settings = (const char *const *)pairs->all};
    unsigned line = self->lines.number;
    for (zconfig_t *of = zconfig_child(item); of; of = zconfig_next(of)) {
        next_item(&self->lines);
        if (!take_of_group(self, group, pairs, of))
            return false;
    }
    if (group->pattern)
        return true;
    self->lines.number = line;
    return wrong(self, "group %s has no pattern: below it goes \"        pattern = ...\"", name);
}

static bool take_groups(reading_t *self, zconfig_t *item) {
    size_t count = 0;
    if (self->config->groups)
        return wrong(self, "groups is given twice");
    if (zconfig_value(item)[0])
        return wrong(self,
                     "groups has no value: below it go names of groups, indented by 4 spaces");
    for (zconfig_t *group = zconfig_child(item); group; group = zconfig_next(group))
        count++;
    self->config->groups = calloc(count + 1, sizeof *self->config->groups);
    self->config->pairs = calloc(count + 1, sizeof *self->config->pairs);
    if (!self->config->groups || !self->config->pairs)
        return wrong(self, "out of memory");
    for (zconfig_t *group = zconfig_child(item); group; group = zconfig_next(group)) {
        next_item(&self->lines);
        if (!take_group(self, group))
            return false;
    }
    self->options->groups = self->config->groups;
    self->options->group_count = self->config->group_count;
    return true;
}

/* True; or self->lines.number is the line and self->problem what is wrong. */
static bool take_all(reading_t *self) {
    for (zconfig_t *item = zconfig_child(self->config->root); item; item = zconfig_next(item)) {
        next_item(&self->lines);
        bool good = strcmp(zconfig_name(item), "groups") == 0 ? take_groups(self, item)
                                                              : take_setting(self, item);
        if (!good)
            return false;
    }
    return true;
}

/* Reads all of it, terminated. NULL: *problem says why; a part of a file must not pass for all. */
static char *read_file(const char *path, const char **problem) {
    FILE *file = fopen(path, "re");
    char *content = file ? calloc(1, FILE_MAX + 2) : NULL;
    size_t size = content ? fread(content, 1, FILE_MAX + 1, file) : 0;
    *problem = !content || ferror(file)  ? strerror(errno)
               : size > FILE_MAX         ? "it has more than 1 MiB"
               : strlen(content) != size ? "it holds a zero byte, so it is no text"
                                         : NULL;
    if (file)
        fclose(file);
    if (*problem) {
        free(content);
        content = NULL;
    }
    return content;
}

static bool parse(fob_config_t *self, const char *path, const char *content,
                  fob_bus_options_t *options, char *text, size_t size) {
    unsigned number = 0;
    const char *problem = check_lines(content, &number);
    if (problem) {
        snprintf(text, size, "%s:%u: %s", path, number, problem);
        return false;
    }
    self->root = zconfig_str_load(content);
    if (!self->root) {
        snprintf(text, size, "%s: this is not a ZPL file", path);
        return false;
    }
    reading_t reading = {.config = self, .options = options, .lines = {.at = content}};
    if (take_all(&reading)) {
        options->group_defaults = (const char *const *)self->defaults.all;
        return true;
    }
    snprintf(text, size, "%s:%u: %s", path, reading.lines.number, reading.problem);
    return false;
}

fob_config_t *fob_config_load(const char *path, fob_bus_options_t *options, char *text,
                              size_t size) {
    fob_config_t *self = calloc(1, sizeof *self);
    const char *problem = "out of memory";
    char *content = self ? read_file(path, &problem) : NULL;
    if (!content)
        snprintf(text, size, "%s: cannot be read: %s", path, problem);
    if (!content || !parse(self, path, content, options, text, size))
        fob_config_destroy(&self);
    free(content);
    return self;
}

static void pairs_free(pairs_t *pairs) {
    for (size_t i = 0; i < pairs->count; i++)
        free(pairs->all[i]);
}

void fob_config_destroy(fob_config_t **self_p) {
    fob_config_t *self = *self_p;
    if (!self)
        return;
    zconfig_destroy(&self->root);
    pairs_free(&self->defaults);
    for (size_t i = 0; i < self->group_count; i++)
        pairs_free(&self->pairs[i]);
    free(self->groups);
    free(self->pairs);
    free(self);
    *self_p = NULL;
}

unsigned fob_config_disk_share(const fob_config_t *self) {
    return self->disk_share;
}
