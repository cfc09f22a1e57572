#include "bus/commands/span.h"

#include <stdio.h>

void fob_span_text(int64_t ms, char *out, size_t size) {
    static const struct {
        long long ms, part;
        const char *name, *part_name;
    } units[] = {
        {86400000, 3600000, "d", "h"}, {3600000, 60000, "h", "m"}, {60000, 1000, "m", "s"}};
    long long value = ms > 0 ? ms : 0;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (value >= units[i].ms) {
            snprintf(out, size, "%lld%s %lld%s", value / units[i].ms, units[i].name,
                     value % units[i].ms / units[i].part, units[i].part_name);
            return;
        }
    if (value >= 1000)
        snprintf(out, size, "%llds", value / 1000);
    else
        snprintf(out, size, "%lldms", value);
}
