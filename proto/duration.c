#include "proto/duration.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DURATION_MAX ((int64_t)36525 * 86400000) /* a hundred years */

static const struct {
    const char *name;
    int64_t ms;
} units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};

#define UNITS (sizeof units / sizeof units[0])

bool fob_duration_parse_span(const char *text, int64_t *ms) {
    int64_t value = 0;
    size_t digits = strspn(text, "0123456789");
    for (size_t i = 0; i < digits && value <= DURATION_MAX; i++)
        value = value * 10 + (text[i] - '0');
    for (size_t i = 0; digits && i < UNITS; i++) {
        if (strcmp(text + digits, units[i].name) != 0)
            continue;
        if (value > DURATION_MAX / units[i].ms)
            return false;
        *ms = value * units[i].ms;
        return true;
    }
    return false;
}

bool fob_duration_parse(const char *text, int64_t *ms) {
    int64_t span;
    if (!fob_duration_parse_span(text, &span) || span == 0)
        return false;
    *ms = span;
    return true;
}

void fob_duration_text(int64_t ms, char *out, size_t size) {
    size_t i = 0;
    while (i + 1 < UNITS && (ms < units[i].ms || ms % units[i].ms))
        i++;
    snprintf(out, size, "%" PRId64 "%s", ms / units[i].ms, units[i].name);
}
