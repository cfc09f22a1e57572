#include "bus/commands/figure.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void fob_figure_count(uint64_t count, char *out, size_t size) {
    char digits[24], text[32];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, count), at = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = '\0';
    snprintf(out, size, "%s", text);
}

void fob_figure_short(uint64_t count, char *out, size_t size) {
    static const char *const units[] = {"", "k", "M", "G", "T"};
    double value = (double)count;
    unsigned unit = 0;
    for (; unit < 4 && value >= 999.5; unit++)
        value /= 1000;
    int digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    snprintf(out, size, "%.*f%s", unit ? digits : 0, value, units[unit]);
}

void fob_figure_span(double us, char *out, size_t size) {
    static const char *const units[] = {"us", "ms", "s"};
    unsigned unit = 0;
    for (; unit < 2 && us >= 999.5; unit++)
        us /= 1000;
    int digits = us < 9.995 ? 2 : us < 99.95 ? 1 : 0;
    snprintf(out, size, "%.*f %s", digits - (unit == 0 && digits > 0), us, units[unit]);
}
