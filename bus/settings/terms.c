#include "bus/settings/terms.h"

#include "proto/amount.h"
#include "proto/duration.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NAME_SHOWN 64

static bool count_parse(const char *text, uint64_t *out) {
    uint64_t value = 0;
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || text[digits])
        return false;
    for (size_t i = 0; i < digits; i++) {
        unsigned digit = (unsigned)(text[i] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

/* Words for no time at all, which the bounds then judge. */
static bool is_no_time(const char *text) {
    static const char *const words[] = {"none", "0", "0s", "0ms"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(text, words[i]) == 0)
            return true;
    }
    return false;
}

static bool time_parse(const char *text, uint64_t *out) {
    int64_t ms = 0;
    if (!is_no_time(text) && !fob_duration_parse(text, &ms))
        return false;
    *out = (uint64_t)ms;
    return true;
}

static bool flag_parse(const char *text, uint64_t *out) {
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(text, words[i]) == 0) {
            *out = i % 2;
            return true;
        }
    return false;
}

static bool share_parse(const char *text, unsigned *share) {
    size_t digits = strspn(text, "0123456789");
    if (digits < 1 || digits > 3 || strcmp(text + digits, "%") != 0)
        return false;
    unsigned value = 0;
    for (size_t i = 0; i < digits; i++)
        value = value * 10 + (unsigned)(text[i] - '0');
    if (value < 1 || value > 100)
        return false;
    *share = value;
    return true;
}

static bool value_parse(unsigned number, const char *text, uint64_t *out) {
    switch (fob_policy_kind(number)) {
    case FOB_POLICY_COUNT_KIND:
        return count_parse(text, out);
    case FOB_POLICY_BYTES_KIND:
        return fob_amount_parse(text, out);
    case FOB_POLICY_TIME_KIND:
        return time_parse(text, out);
    case FOB_POLICY_OVERFLOW_KIND:
        return fob_overflow_find(fob_slice_str(text), out);
    case FOB_POLICY_FLAG_KIND:
        return flag_parse(text, out);
    }
    return false;
}

const char *fob_terms_want(unsigned number) {
    uint64_t least, most;
    fob_policy_bounds(number, &least, &most);
    switch (fob_policy_kind(number)) {
    case FOB_POLICY_COUNT_KIND:
        return most == INT64_MAX    ? "a number, 1 or more"
               : most == UINT32_MAX ? "a number from 1 to 4294967295"
               : most == 1000       ? "a number from 1 to 1000"
                                    : "a number from 1 to 1000000";
    case FOB_POLICY_BYTES_KIND:
        return "an amount, as 64MiB, or a share of max_disk, as 50%";
    case FOB_POLICY_TIME_KIND:
        return least > 0 ? "a duration, as 10m or 30d" : "a duration, as 30s or 10m, or none";
    case FOB_POLICY_OVERFLOW_KIND:
        return "reject, drop-oldest, drop-lowest-priority or dead-letter";
    case FOB_POLICY_FLAG_KIND:
        return "yes or no";
    }
    return "";
}

const char *fob_terms_names(void) {
    static const char names[] = ""
#define FOB_POLICY_X(number, name, kind, least, most) ", " #name
        FOB_POLICY_MAP(FOB_POLICY_X)
#undef FOB_POLICY_X
        ;
    return names + 2;
}

static void say_bounds(unsigned number, char *problem, size_t size) {
    uint64_t least, most;
    char from[32], upto[32];
    fob_policy_bounds(number, &least, &most);
    fob_terms_text(number, least, from, sizeof from);
    fob_terms_text(number, most, upto, sizeof upto);
    if (most == INT64_MAX)
        snprintf(problem, size, "%s must be %s or more", fob_policy_name(number), from);
    else
        snprintf(problem, size, "%s must be from %s to %s", fob_policy_name(number), from, upto);
}

bool fob_terms_set(fob_terms_t *self, unsigned number, uint64_t value, char *problem, size_t size) {
    if (!fob_policy_set(&self->patch.to, number, value)) {
        say_bounds(number, problem, size);
        return false;
    }
    self->patch.mask |= UINT32_C(1) << number;
    if (number == FOB_POLICY_max_bytes)
        self->share = 0;
    return true;
}

bool fob_terms_read(fob_terms_t *self, const char *name, const char *value, char *problem,
                    size_t size) {
    unsigned number = fob_policy_find(fob_slice_str(name));
    uint64_t units;
    if (number == 0) {
        snprintf(problem, size, "there is no setting \"%.*s\" of a group: there are %s", NAME_SHOWN,
                 name, fob_terms_names());
        return false;
    }
    if (number == FOB_POLICY_max_bytes && share_parse(value, &self->share)) {
        self->patch.mask |= UINT32_C(1) << number;
        return true;
    }
    if (value_parse(number, value, &units))
        return fob_terms_set(self, number, units, problem, size);
    snprintf(problem, size, "%s must be %s, not \"%.*s\"", name, fob_terms_want(number), NAME_SHOWN,
             value);
    return false;
}

bool fob_terms_read_pair(fob_terms_t *self, const char *pair, char *problem, size_t size) {
    char name[32];
    size_t length = strcspn(pair, "=");
    if (pair[length] != '=' || length == 0) {
        snprintf(problem, size, "\"%.*s\" is not NAME=VALUE, as max_depth=10000", NAME_SHOWN, pair);
        return false;
    }
    if (length >= sizeof name)
        length = sizeof name - 1; /* longer than any name that there is */
    memcpy(name, pair, length);
    name[length] = 0;
    return fob_terms_read(self, name, strchr(pair, '=') + 1, problem, size);
}

bool fob_terms_read_pairs(fob_terms_t *self, const char *const *pairs, char *problem, size_t size) {
    for (; pairs && *pairs; pairs++)
        if (!fob_terms_read_pair(self, *pairs, problem, size))
            return false;
    return true;
}

fob_policy_patch_t fob_terms_differ(const fob_terms_t *self, const fob_policy_t *policy) {
    fob_policy_patch_t differs = self->patch;
    for (unsigned number = 1; number < FOB_POLICY_END; number++)
        if (fob_policy_get(&self->patch.to, number) == fob_policy_get(policy, number))
            differs.mask &= ~(UINT32_C(1) << number);
    return differs;
}

void fob_terms_settle(fob_terms_t *self, uint64_t max_disk) {
    if (self->share == 0)
        return;
    uint64_t bytes = max_disk / 100 * self->share + max_disk % 100 * self->share / 100;
    self->patch.to.max_bytes = bytes > INT64_MAX ? INT64_MAX : bytes > 0 ? bytes : 1;
    self->share = 0;
}

void fob_terms_text(unsigned number, uint64_t value, char *out, size_t size) {
    switch (fob_policy_kind(number)) {
    case FOB_POLICY_BYTES_KIND:
        fob_amount_text(value, out, size);
        break;
    case FOB_POLICY_TIME_KIND:
        if (value > 0)
            fob_duration_text((int64_t)value, out, size);
        else
            snprintf(out, size, "none");
        break;
    case FOB_POLICY_OVERFLOW_KIND:
        snprintf(out, size, "%s", fob_overflow_name(value) ? fob_overflow_name(value) : "?");
        break;
    case FOB_POLICY_FLAG_KIND:
        snprintf(out, size, "%s", value ? "yes" : "no");
        break;
    case FOB_POLICY_COUNT_KIND:
        snprintf(out, size, "%" PRIu64, value);
        break;
    }
}
