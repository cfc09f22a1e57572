#include "proto/cli/when.h"

#include "proto/cli/options.h"

#include <string.h>

/* Days from 1970-01-01 to a date of the Gregorian calendar, after Hinnant's days_from_civil: years
 * are counted from March, so that the leap day is the last of its year. */
static int64_t days_of(int year, int month, int day) {
    int64_t y = year - (month <= 2);
    int64_t era = y / 400, of_era = y % 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int days_in(int year, int month) {
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

/* Steps over so many digits, whose number is from `min` to `max`. */
static bool number(const char **at, unsigned digits, int min, int max, int *out) {
    int value = 0;
    for (; digits > 0; digits--, ++*at) {
        if (**at < '0' || **at > '9')
            return false;
        value = value * 10 + (**at - '0');
    }
    *out = value;
    return value >= min && value <= max;
}

static bool one_of(const char **at, const char *set) {
    if (!**at || !strchr(set, **at))
        return false;
    ++*at;
    return true;
}

static bool date(const char **at, int64_t *days) {
    int year, month, day;
    if (!number(at, 4, 1970, 9999, &year) || !one_of(at, "-") || !number(at, 2, 1, 12, &month) ||
        !one_of(at, "-") || !number(at, 2, 1, days_in(year, month), &day))
        return false;
    *days = days_of(year, month, day);
    return true;
}

/* Hours, minutes, seconds and a fraction in ms. A leap second counts as the next minute's first. */
static bool clock_time(const char **at, int64_t *ms) {
    int hour, minute, second, fraction = 0;
    if (!number(at, 2, 0, 23, &hour) || !one_of(at, ":") || !number(at, 2, 0, 59, &minute) ||
        !one_of(at, ":") || !number(at, 2, 0, 60, &second))
        return false;
    if (**at == '.') {
        int weight = 100;
        if (!one_of(at, ".") || **at < '0' || **at > '9')
            return false;
        for (; **at >= '0' && **at <= '9'; ++*at, weight /= 10)
            fraction += (**at - '0') * weight;
    }
    *ms = ((int64_t)hour * 3600 + minute * 60 + second) * 1000 + fraction;
    return true;
}

static bool zone(const char **at, int64_t *ms) {
    int hour, minute;
    int sign = **at == '-' ? -1 : 1;
    *ms = 0;
    if (one_of(at, "Zz"))
        return true;
    if (!one_of(at, "+-") || !number(at, 2, 0, 23, &hour) || !one_of(at, ":") ||
        !number(at, 2, 0, 59, &minute))
        return false;
    *ms = sign * ((int64_t)hour * 3600 + minute * 60) * 1000;
    return true;
}

static bool rfc_3339(const char *text, int64_t *time_ms) {
    int64_t days, clock, offset;
    if (!date(&text, &days) || !one_of(&text, "Tt ") || !clock_time(&text, &clock) ||
        !zone(&text, &offset) || *text)
        return false;
    *time_ms = days * 86400000 + clock - offset;
    return *time_ms >= 0;
}

bool fob_when_time(const char *text, int64_t now_wall_ms, int64_t *time_ms) {
    int64_t ms;
    if (*text == '-') {
        if (!fob_duration_parse_span(text + 1, &ms))
            return false;
        *time_ms = ms < now_wall_ms ? now_wall_ms - ms : 0;
        return true;
    }
    if (!rfc_3339(text, &ms))
        return false;
    *time_ms = ms;
    return true;
}

static bool offset_parse(const char *text, uint64_t *offset) {
    uint64_t value;
    if (strncmp(text, "0:", 2) == 0)
        text += 2;
    if (!fob_count_parse(text, &value) || value == 0 || value > INT64_MAX)
        return false;
    *offset = value;
    return true;
}

/* "OFFSET@EPOCH" */
static bool place_parse(const char *text, fob_when_t *out) {
    char offset[32];
    const char *at = strchr(text, '@');
    if (!at || (size_t)(at - text) >= sizeof offset)
        return false;
    memcpy(offset, text, (size_t)(at - text));
    offset[at - text] = 0;
    return offset_parse(offset, &out->offset) && fob_count_parse(at + 1, &out->epoch) && out->epoch;
}

bool fob_when_parse_place(const char *text, int64_t now_wall_ms, fob_when_t *out) {
    fob_when_t when = {.kind = FOB_WHEN_OFFSET};
    if (!place_parse(text, &when))
        return fob_when_parse(text, now_wall_ms, out);
    *out = when;
    return true;
}

bool fob_when_parse(const char *text, int64_t now_wall_ms, fob_when_t *out) {
    fob_when_t when = {0};
    if (strcmp(text, "latest") == 0)
        when.kind = FOB_WHEN_LATEST;
    else if (strcmp(text, "earliest") == 0)
        when.kind = FOB_WHEN_EARLIEST;
    else if (offset_parse(text, &when.offset))
        when.kind = FOB_WHEN_OFFSET;
    else if (fob_when_time(text, now_wall_ms, &when.time_ms))
        when.kind = FOB_WHEN_TIME;
    else
        return false;
    *out = when;
    return true;
}
