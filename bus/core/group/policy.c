#include "bus/core/group/policy.h"

#include "proto/duration.h"

#include <stdio.h>

typedef struct {
    const char *name;
    fob_policy_kind_t kind;
    uint64_t least, most;
    size_t at;
} setting_t;

static const setting_t settings[] = {
#define FOB_POLICY_X(number, name, kind, least, most)                                              \
    [number] = {#name, FOB_POLICY_##kind##_KIND, least, most, offsetof(fob_policy_t, name)},
    FOB_POLICY_MAP(FOB_POLICY_X)
#undef FOB_POLICY_X
};

static const char *const overflows[] = {"reject", "drop-oldest", "drop-lowest-priority",
                                        "dead-letter"};
#define OVERFLOWS (sizeof overflows / sizeof overflows[0])
#define ALL_BITS  ((UINT32_C(1) << FOB_POLICY_END) - 2) /* from 1 on */

static const setting_t *setting(unsigned number) {
    return number > 0 && number < FOB_POLICY_END ? &settings[number] : NULL;
}

unsigned fob_policy_find(fob_slice_t name) {
    for (unsigned i = 1; i < FOB_POLICY_END; i++) {
        if (fob_slice_eq(name, fob_slice_str(settings[i].name)))
            return i;
    }
    return 0;
}

const char *fob_policy_name(unsigned number) {
    const setting_t *found = setting(number);
    return found ? found->name : NULL;
}

fob_policy_kind_t fob_policy_kind(unsigned number) {
    const setting_t *found = setting(number);
    return found ? found->kind : FOB_POLICY_COUNT_KIND;
}

void fob_policy_bounds(unsigned number, uint64_t *least, uint64_t *most) {
    const setting_t *found = setting(number);
    *least = found ? found->least : 0;
    *most = found ? found->most : 0;
}

uint64_t fob_policy_get(const fob_policy_t *self, unsigned number) {
    const setting_t *found = setting(number);
    return found ? *(const uint64_t *)(const void *)((const char *)self + found->at) : 0;
}

bool fob_policy_set(fob_policy_t *self, unsigned number, uint64_t value) {
    const setting_t *found = setting(number);
    if (!found || value < found->least || value > found->most)
        return false;
    *(uint64_t *)(void *)((char *)self + found->at) = value;
    return true;
}

void fob_policy_apply(fob_policy_t *self, const fob_policy_patch_t *patch) {
    for (unsigned i = 1; i < FOB_POLICY_END; i++) {
        if (patch->mask & (1u << i))
            fob_policy_set(self, i, fob_policy_get(&patch->to, i));
    }
}

unsigned fob_policy_wrong(const fob_policy_patch_t *patch) {
    fob_policy_t scratch;
    for (unsigned i = 1; i < FOB_POLICY_END; i++) {
        if ((patch->mask & (1u << i)) &&
            !fob_policy_set(&scratch, i, fob_policy_get(&patch->to, i)))
            return i;
    }
    return patch->mask & ~ALL_BITS ? FOB_POLICY_END : 0;
}

void fob_policy_clamp(fob_policy_t *self) {
    for (unsigned i = 1; i < FOB_POLICY_END; i++) {
        uint64_t value = fob_policy_get(self, i), least, most;
        fob_policy_bounds(i, &least, &most);
        if (value < least || value > most)
            fob_policy_set(self, i, value < least ? least : most);
    }
}

static void value_text(fob_policy_kind_t kind, uint64_t value, char *out, size_t room) {
    if (kind == FOB_POLICY_TIME_KIND && value > 0 && value <= INT64_MAX)
        fob_duration_text((int64_t)value, out, room);
    else
        snprintf(out, room, "%llu", (unsigned long long)value);
}

int fob_policy_explain(unsigned number, uint64_t value, char *out, size_t room) {
    const setting_t *found = setting(number);
    char least[32], most[32], is[32];
    if (!found)
        return snprintf(out, room, "there is no such setting in this version");
    if (found->kind == FOB_POLICY_OVERFLOW_KIND)
        return snprintf(out, room, "%s is one of %s, %s, %s, %s", found->name, overflows[0],
                        overflows[1], overflows[2], overflows[3]);
    value_text(found->kind, found->least, least, sizeof least);
    value_text(found->kind, found->most, most, sizeof most);
    value_text(found->kind, value, is, sizeof is);
    return snprintf(out, room, "%s is %s to %s, not %s", found->name, least, most, is);
}

const char *fob_overflow_name(uint64_t overflow) {
    return overflow < OVERFLOWS ? overflows[overflow] : NULL;
}

bool fob_overflow_find(fob_slice_t name, uint64_t *overflow) {
    for (size_t i = 0; i < OVERFLOWS; i++) {
        if (fob_slice_eq(name, fob_slice_str(overflows[i]))) {
            *overflow = i;
            return true;
        }
    }
    return false;
}
