#include "proto/amount.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    unsigned shift;
} units[] = {{"TiB", 40}, {"GiB", 30}, {"MiB", 20}, {"KiB", 10}, {"", 0}};

#define UNITS (sizeof units / sizeof units[0])

bool fob_amount_parse(const char *text, uint64_t *bytes) {
    uint64_t value = 0;
    size_t digits = strspn(text, "0123456789");
    for (size_t i = 0; i < digits; i++) {
        unsigned digit = (unsigned)(text[i] - '0');
        if (value > ((uint64_t)INT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    for (size_t i = 0; value > 0 && i < UNITS; i++) {
        if (strcmp(text + digits, units[i].name) != 0)
            continue;
        if (value > (uint64_t)INT64_MAX >> units[i].shift)
            return false;
        *bytes = value << units[i].shift;
        return true;
    }
    return false;
}

void fob_amount_text(uint64_t bytes, char *out, size_t size) {
    size_t i = 0;
    while (i + 1 < UNITS && (bytes == 0 || bytes & (((uint64_t)1 << units[i].shift) - 1)))
        i++;
    snprintf(out, size, "%" PRIu64 "%s", bytes >> units[i].shift, units[i].name);
}

void fob_amount_about(uint64_t bytes, char *out, size_t size) {
    static const char *const names[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes;
    size_t unit = 0;
    if (bytes < 1024) {
        snprintf(out, size, "%u B", (unsigned)bytes);
        return;
    }
    for (value /= 1024; value >= 1023.95 && unit + 1 < sizeof names / sizeof names[0]; unit++)
        value /= 1024;
    snprintf(out, size, "%.1f %s", value, names[unit]);
}
