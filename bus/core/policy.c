#include "bus/core/policy.h"

#include <stddef.h>

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
