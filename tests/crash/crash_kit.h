/* crash_kit: data folders to damage, and what is in them.
 *
 *     folder_t folder;
 *     folder_golden (&folder);                 the one in tests/crash/golden, unpacked
 *     folder_flip (&folder, "epoch", 24, 0x10);
 *     folder_free (&folder);
 *
 * One thread. What cannot be had fails the test. */
#ifndef FOB_TESTS_CRASH_KIT_H
#define FOB_TESTS_CRASH_KIT_H

#include "tests/support/case.h"
#include "tests/support/process.h"

#include <stdbool.h>

typedef struct {
    char *top; /* the test's own */
    char path[512];
} folder_t;

/* A folder of tests/crash/golden, and the usual one. */
void folder_golden_of(folder_t *self, const char *name);
void folder_golden(folder_t *self);
/* A copy of another. */
void folder_copy(folder_t *self, const folder_t *from);
void folder_free(folder_t *self);

/* Changes bits of one byte of a file; the same again changes it back. */
void folder_flip(const folder_t *self, const char *name, size_t at, unsigned char bits);
/* Zeros from..to-1. */
void folder_zero(const folder_t *self, const char *name, size_t from, size_t to);
void folder_remove_file(const folder_t *self, const char *name);
/* The name of the index-th file (from 0, by name) that ends so; fails if there is none. Good until
 * the next call. */
const char *folder_file(const folder_t *self, const char *suffix, size_t index);
size_t folder_count(const folder_t *self, const char *suffix);
/* Of the names, sizes and bytes of all files: the same as long as nobody wrote. */
uint64_t folder_digest(const folder_t *self);

/* A path beside the folder, in the test's own; the caller's to free. */
char *folder_beside(const folder_t *self, const char *name);

/* A commit of the folder, as `at` tells it by bytes. */
typedef struct {
    char name[64];
    uint64_t at, bytes, position, first_offset;
    uint32_t count;
} commit_t;
/* All of them; *count; the caller's to free. */
commit_t *folder_commits(const folder_t *self, size_t *count);

/* Events by offset, as a digest of their bytes; 0: not there. */
typedef struct {
    uint64_t last, room; /* highest offset */
    uint64_t *digests;
} events_t;
/* Those that the commits of a folder hold, however damaged it is. */
void events_read(events_t *self, const char *path);
void events_free(events_t *self);
/* Each of `part` is in `all` with the same bytes. Gives how many. */
size_t events_within(const events_t *part, const events_t *all);

/* FOB_SEED, or FOB_RUN_SEED, or `otherwise`; it is printed. FOB_ROUNDS, or `otherwise`. */
uint64_t crash_seed(uint64_t otherwise);
unsigned crash_rounds(unsigned otherwise);

#endif
