#include "bus/commands/config.h"

#include "proto/cli/options.h"

#include <ctype.h>
#include <czmq.h>
#include <errno.h>

#define FILE_MAX (1 << 20) /* bytes */

struct fob_config {
    zconfig_t *root; /* owns the strings */
    unsigned disk_share;
};

typedef enum {
    KIND_TEXT,
    KIND_SYNC,
    KIND_PORT,
    KIND_COUNT,
    KIND_BYTES,
    KIND_DISK,
    KIND_TIME
} kind_t;

typedef struct {
    const char *name;
    kind_t kind;
    size_t at;        /* in fob_bus_options_t */
    const char *want; /* what a good value looks like */
} setting_t;

#define AT(member) offsetof(fob_bus_options_t, member)

static const setting_t keys[] = {
    {"bind", KIND_TEXT, AT(bind), "an address"},
    {"port", KIND_PORT, AT(port), "a number from 1 to 65533"},
    {"advertise", KIND_TEXT, AT(advertise), "a host name"},
    {"data", KIND_TEXT, AT(data), "a folder"},
    {"sync", KIND_SYNC, AT(sync), "always, os, or interval=D (interval=100ms)"},
    {"max_event", KIND_BYTES, AT(max_event), "an amount, as 1000000 or 4MiB"},
    {"max_disk", KIND_DISK, AT(max_disk), "an amount, as 20GiB, or a share of the disk, as 80%"},
    {"max_connections", KIND_COUNT, AT(max_connections), "a number from 1 to 1000000"},
    {"max_groups", KIND_COUNT, AT(max_groups), "a number from 1 to 1000000"},
    {"heartbeat", KIND_TIME, AT(heartbeat_ms), "a duration, as 250ms or 1s"},
    {"retain", KIND_TIME, AT(retain_ms), "a duration, as 10m, 24h or 7d"},
    {"retain_bytes", KIND_BYTES, AT(retain_bytes), "an amount, as 4GiB"}};

#define KEY_COUNT (sizeof keys / sizeof keys[0])

/* --- values --- */

bool fob_bytes_parse(const char *text, uint64_t *bytes) {
    static const struct {
        const char *name;
        unsigned shift;
    } units[] = {{"", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}};
    char *end;
    if (!isdigit((unsigned char)text[0]))
        return false;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(end, units[i].name) != 0)
            continue;
        *bytes = value << units[i].shift;
        return errno == 0 && value > 0 && *bytes >> units[i].shift == value;
    }
    return false;
}

static bool parse_share(const char *text, unsigned *share) {
    char *end;
    if (!isdigit((unsigned char)text[0]))
        return false;
    unsigned long value = strtoul(text, &end, 10);
    bool good = strcmp(end, "%") == 0 && value >= 1 && value <= 100;
    *share = good ? (unsigned)value : 0;
    return good;
}

static bool valid_sync(const char *text) {
    int64_t ms;
    if (strncmp(text, "interval=", 9) == 0)
        return fob_duration_parse(text + 9, &ms);
    return strcmp(text, "always") == 0 || strcmp(text, "os") == 0;
}

static bool set_number(void *to, kind_t kind, const char *text) {
    uint64_t value;
    if (!fob_count_parse(text, &value) || value == 0)
        return false;
    if (kind == KIND_PORT) {
        *(int *)to = (int)value;
        return value <= 65533;
    }
    *(uint32_t *)to = (uint32_t)value;
    return value <= 1000000;
}

static bool set(fob_config_t *self, fob_bus_options_t *options, const setting_t *key,
                const char *text) {
    void *to = (char *)options + key->at;
    switch (key->kind) {
    case KIND_SYNC:
        if (!valid_sync(text))
            return false;
        *(const char **)to = text;
        return true;
    case KIND_TEXT:
        *(const char **)to = text;
        return text[0] != 0;
    case KIND_PORT:
    case KIND_COUNT:
        return set_number(to, key->kind, text);
    case KIND_DISK:
        return parse_share(text, &self->disk_share) || fob_bytes_parse(text, to);
    case KIND_BYTES:
        return fob_bytes_parse(text, to);
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
} lines_t;

static const char *judge(const char *text) {
    if (text[0] == ' ' || text[0] == '\t')
        return "only settings of the bus are known here, and they are not indented";
    size_t name = strspn(text, "abcdefghijklmnopqrstuvwxyz_0123456789");
    const char *rest = text + name + strspn(text + name, " \t");
    if (name == 0 || *rest != '=')
        return "this is not KEY = VALUE";
    rest += 1 + strspn(rest + 1, " \t");
    if (*rest == 0 || *rest == '#')
        return "the value is missing";
    if ((*rest == '"' || *rest == '\'') && !strchr(rest + 1, *rest))
        return "a quote is missing";
    return NULL;
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
            self->problem = judge(self->text);
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

static bool take_item(fob_config_t *self, fob_bus_options_t *options, zconfig_t *item,
                      uint64_t *seen, char *problem, size_t size) {
    size_t index;
    const setting_t *key = find_key(zconfig_name(item), &index);
    if (!key) {
        snprintf(problem, size, "there is no setting \"%s\": see COMMANDS in the manual",
                 zconfig_name(item));
        return false;
    }
    if (*seen >> index & 1) {
        snprintf(problem, size, "%s is given twice", key->name);
        return false;
    }
    *seen |= (uint64_t)1 << index;
    if (set(self, options, key, zconfig_value(item)))
        return true;
    snprintf(problem, size, "%s must be %s, not \"%.64s\"", key->name, key->want,
             zconfig_value(item));
    return false;
}

/* True; or `number` is the line and `problem` what is wrong. */
static bool take_all(fob_config_t *self, fob_bus_options_t *options, const char *content,
                     unsigned *number, char *problem, size_t size) {
    lines_t lines = {.at = content};
    uint64_t seen = 0;
    for (zconfig_t *item = zconfig_child(self->root); item; item = zconfig_next(item)) {
        next_item(&lines);
        *number = lines.number;
        if (!take_item(self, options, item, &seen, problem, size))
            return false;
    }
    return true;
}

static char *read_file(const char *path) {
    FILE *file = fopen(path, "re");
    char *content = file ? calloc(1, FILE_MAX + 1) : NULL;
    if (content && fread(content, 1, FILE_MAX, file) == 0 && ferror(file)) {
        free(content);
        content = NULL;
    }
    int problem = errno;
    if (file)
        fclose(file);
    errno = problem;
    return content;
}

static bool parse(fob_config_t *self, const char *path, const char *content,
                  fob_bus_options_t *options, char *text, size_t size) {
    char problem[256];
    unsigned number = 0;
    const char *wrong = check_lines(content, &number);
    if (wrong) {
        snprintf(text, size, "%s:%u: %s", path, number, wrong);
        return false;
    }
    self->root = zconfig_str_load(content);
    if (!self->root) {
        snprintf(text, size, "%s: this is not a ZPL file", path);
        return false;
    }
    if (take_all(self, options, content, &number, problem, sizeof problem))
        return true;
    snprintf(text, size, "%s:%u: %s", path, number, problem);
    return false;
}

fob_config_t *fob_config_load(const char *path, fob_bus_options_t *options, char *text,
                              size_t size) {
    fob_config_t *self = calloc(1, sizeof *self);
    char *content = self ? read_file(path) : NULL;
    if (!content)
        snprintf(text, size, "%s: cannot be read: %s", path, strerror(errno));
    if (!content || !parse(self, path, content, options, text, size))
        fob_config_destroy(&self);
    free(content);
    return self;
}

void fob_config_destroy(fob_config_t **self_p) {
    fob_config_t *self = *self_p;
    if (!self)
        return;
    zconfig_destroy(&self->root);
    free(self);
    *self_p = NULL;
}

unsigned fob_config_disk_share(const fob_config_t *self) {
    return self->disk_share;
}
