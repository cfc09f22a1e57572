#include "bus/service/forms.h"

#include "bus/core/durable/record.h"
#include "bus/settings/terms.h"
#include "proto/cursor.h"
#include "proto/topic.h"

#include <stdarg.h>
#include <stdio.h>

#define WORD_MAX 64 /* bytes of a value in words, such as "drop-lowest-priority" */

/* What is being read, and where the sentence goes if it is wrong. */
typedef struct {
    fob_cursor_t cursor;
    char *text;
    size_t size;
} form_t;

static bool wrong(form_t *self, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool wrong(form_t *self, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(self->text, self->size, format, args);
    va_end(args);
    return false;
}

/* Some bytes as a short text that is harmless in a log, in `out` of WORD_MAX. */
static const char *word(fob_slice_t bytes, char *out) {
    size_t size = bytes.size < WORD_MAX ? bytes.size : WORD_MAX - 1;
    for (size_t i = 0; i < size; i++)
        out[i] = (char)(bytes.data[i] < 0x20 || bytes.data[i] >= 0x7f ? '?' : bytes.data[i]);
    out[size] = 0;
    return out;
}

typedef bool(entry_fn)(form_t *self, const char *name, void *out);

/* Steps through a map with str keys; the entry reads the value. */
static fob_status_t each(form_t *self, entry_fn *entry, void *out) {
    uint32_t count;
    if (fob_cursor_end(&self->cursor))
        return FOB_OK;
    if (!fob_cursor_map(&self->cursor, &count))
        return FOB_PROTOCOL;
    for (uint32_t i = 0; i < count; i++) {
        fob_slice_t bytes;
        char name[WORD_MAX];
        if (!fob_cursor_str(&self->cursor, &bytes))
            return FOB_PROTOCOL;
        if (!entry(self, word(bytes, name), out))
            return FOB_INVALID;
    }
    return FOB_OK;
}

/* --- settings --- */

static bool setting(form_t *self, const char *name, void *out) {
    unsigned number = fob_policy_find(fob_slice_str(name));
    fob_mp_type_t type = fob_cursor_peek(&self->cursor);
    fob_slice_t bytes;
    uint64_t value;
    bool flag;
    char text[WORD_MAX];
    if (number == 0)
        return fob_terms_read(out, name, "", self->text, self->size); /* which says so */
    if (fob_policy_kind(number) == FOB_POLICY_FLAG_KIND && type == FOB_MP_BOOL)
        return fob_cursor_bool(&self->cursor, &flag) &&
               fob_terms_set(out, number, flag, self->text, self->size);
    if (fob_policy_kind(number) == FOB_POLICY_OVERFLOW_KIND || type == FOB_MP_STR) {
        if (fob_cursor_str(&self->cursor, &bytes))
            return fob_terms_read(out, name, word(bytes, text), self->text, self->size);
    } else if (fob_cursor_uint(&self->cursor, &value)) {
        return fob_terms_set(out, number, value, self->text, self->size);
    }
    return wrong(self, "%s must be %s", name, fob_terms_want(number));
}

fob_status_t fob_form_settings(fob_slice_t raw, uint64_t max_disk, fob_policy_patch_t *out,
                               char *text, size_t size) {
    fob_terms_t terms = {0};
    form_t form = {.cursor = fob_cursor(raw), .size = size};
    form.text = text;
    fob_status_t status = each(&form, setting, &terms);
    fob_terms_settle(&terms, max_disk);
    *out = terms.patch;
    return status;
}

/* --- filters --- */

static bool reason(form_t *self, fob_dead_filter_t *out) {
    static const char *const known[] = {"attempts", "reject", "age", "overflow", "damaged"};
    fob_slice_t bytes;
    if (fob_cursor_str(&self->cursor, &bytes))
        for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
            if (fob_slice_eq(bytes, fob_slice_str(known[i])))
                return fob_reason_find(bytes, &out->reason);
    return wrong(self, "reason must be attempts, reject, age, overflow or damaged");
}

static bool topic(form_t *self, fob_dead_filter_t *out) {
    if (fob_cursor_str(&self->cursor, &out->topic) && fob_pattern_valid(out->topic))
        return true;
    return wrong(self, "topic must be a pattern: a topic in which a token may be * and the last >");
}

static bool key(form_t *self, fob_dead_filter_t *out) {
    if (fob_cursor_str(&self->cursor, &out->key) && out->key.size > 0)
        return true;
    return wrong(self, "key must be an ordering key");
}

static bool moment(form_t *self, const char *name, int64_t *out) {
    uint64_t value;
    if (fob_cursor_uint(&self->cursor, &value) && value <= INT64_MAX) {
        *out = (int64_t)value;
        return true;
    }
    return wrong(self, "%s must be a time in Unix ms", name);
}

static bool condition(form_t *self, const char *name, void *arg) {
    fob_dead_filter_t *out = arg;
    if (strcmp(name, "reason") == 0)
        return reason(self, out);
    if (strcmp(name, "topic") == 0)
        return topic(self, out);
    if (strcmp(name, "key") == 0)
        return key(self, out);
    if (strcmp(name, "since") == 0)
        return moment(self, name, &out->since);
    if (strcmp(name, "until") == 0)
        return moment(self, name, &out->until);
    if (strcmp(name, "offset") == 0)
        return fob_cursor_uint(&self->cursor, &out->offset) && out->offset > 0
                   ? true
                   : wrong(self, "offset must be 1 or more");
    return wrong(self,
                 "there is no \"%s\" in a filter: there are reason, topic, key, since, until, "
                 "offset",
                 name);
}

fob_status_t fob_form_filter(fob_slice_t raw, fob_dead_filter_t *out, char *text, size_t size) {
    *out = (fob_dead_filter_t){0};
    form_t form = {.cursor = fob_cursor(raw), .size = size};
    form.text = text;
    return each(&form, condition, out);
}
