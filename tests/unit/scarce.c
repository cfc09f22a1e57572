#include "scarce.h"

#include <stddef.h>

faults_t scarce;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_malloc(size_t size) {
    return faults_strike(&scarce) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    return faults_strike(&scarce) ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size) {
    return faults_strike(&scarce) ? NULL : __real_realloc(old, size);
}
