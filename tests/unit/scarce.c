#include "scarce.h"

#include "tests/support/case.h"

#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#define PLACES 1024 /* a power of two, far above what one story meets */

faults_t scarce;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);

/* Return addresses of the calls that this story made: open addressing, from any thread. */
static _Atomic uintptr_t places[PLACES];
static atomic_size_t place_count;

static bool take_slot(_Atomic uintptr_t *slot, uintptr_t place) {
    uintptr_t none = 0;
    if (!atomic_compare_exchange_strong_explicit(slot, &none, place, memory_order_relaxed,
                                                 memory_order_relaxed))
        return none == place;
    atomic_fetch_add_explicit(&place_count, 1, memory_order_relaxed);
    return true;
}

static void note(uintptr_t place) {
    for (size_t i = 0; i < PLACES; i++)
        if (take_slot(&places[(place * 0x9e3779b1u >> 7 ^ i) % PLACES], place))
            return;
    abort();
}

static bool strikes(void *place) {
    if (faults_watching(&scarce))
        note((uintptr_t)place);
    if (!faults_strike(&scarce))
        return false;
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t size) {
    return strikes(__builtin_return_address(0)) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    return strikes(__builtin_return_address(0)) ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size) {
    return strikes(__builtin_return_address(0)) ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text) {
    return strikes(__builtin_return_address(0)) ? NULL : __real_strdup(text);
}

/* --- for what is the test's own, and has always enough --- */

void *plenty_malloc(size_t size);
void *plenty_calloc(size_t count, size_t size);
void *plenty_realloc(void *old, size_t size);
char *plenty_strdup(const char *text);

void *plenty_malloc(size_t size) {
    return __real_malloc(size);
}

void *plenty_calloc(size_t count, size_t size) {
    return __real_calloc(count, size);
}

void *plenty_realloc(void *old, size_t size) {
    return __real_realloc(old, size);
}

char *plenty_strdup(const char *text) {
    return __real_strdup(text);
}

/* --- the stories --- */

/* Where the program lies in memory: it comes first. */
static int on_object(struct dl_phdr_info *info, size_t size, void *arg) {
    uintptr_t *base = arg;
    (void)size;
    *base = info->dlpi_addr;
    return 1;
}

static void write_places(const char *path) {
    uintptr_t base = 0;
    static bool begun;
    FILE *file = fopen(path, begun ? "a" : "w");
    begun = true;
    assert_non_null(file);
    dl_iterate_phdr(on_object, &base);
    for (size_t i = 0; i < PLACES; i++)
        if (places[i]) /* the call is before the place that it returns to */
            fprintf(file, "0x%llx\n", (unsigned long long)(places[i] - base - 1));
    assert_int_equal(fclose(file), 0);
}

void scarce_each(const char *name, uint64_t least, void (*story)(void *arg), void *arg) {
    const char *path = getenv("FOB_PLACES");
    memset(places, 0, sizeof places);
    place_count = 0;
    uint64_t calls = faults_each(&scarce, story, arg);
    scarce = (faults_t){.fail_at = 0};
    print_message("%s: %u allocations at %u places\n", name, (unsigned)calls,
                  (unsigned)place_count);
    if (path)
        write_places(path);
    assert_true(calls >= least);
}
