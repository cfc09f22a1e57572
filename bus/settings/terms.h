/* terms: a group's settings in words: in the configuration, in the library's options, on the
 * command line ("max_depth=10000" "lease=30s" "overflow=drop-oldest"), and how they are said back.
 * Names and bounds are those of policy.h. Pure. */
#ifndef FOB_SETTINGS_TERMS_H
#define FOB_SETTINGS_TERMS_H

#include "bus/core/group/policy.h"

#include <stddef.h>

/* Some settings. Begins as zeros. */
typedef struct {
    fob_policy_patch_t patch;
    unsigned share; /* max_bytes is so many hundredths of max_disk; 0: as in the patch */
} fob_terms_t;

/* Adds a setting, or sets it again: a count "10000", bytes "64MiB" (max_bytes also "50%"), a
 * duration "30s" ("none" or "0" where there may be none), "drop-oldest", "yes" and "no". False:
 * nothing is added, and `problem` says what is wrong, with the names there are, or what it must
 * be. */
bool fob_terms_read(fob_terms_t *self, const char *name, const char *value, char *problem,
                    size_t size) FOB_MUST_USE;
/* The same from "NAME=VALUE". */
bool fob_terms_read_pair(fob_terms_t *self, const char *pair, char *problem,
                         size_t size) FOB_MUST_USE;
/* The same from an array of them, ended by NULL; NULL: none. */
bool fob_terms_read_pairs(fob_terms_t *self, const char *const *pairs, char *problem,
                          size_t size) FOB_MUST_USE;
/* The same for a setting's number of policy.h (there must be one) and its value in units. */
bool fob_terms_set(fob_terms_t *self, unsigned number, uint64_t value, char *problem,
                   size_t size) FOB_MUST_USE;

/* Those of `self` by which `policy` differs; its share must be settled. */
fob_policy_patch_t fob_terms_differ(const fob_terms_t *self, const fob_policy_t *policy);

/* Turns a share into bytes, now that max_disk is known; above 0. */
void fob_terms_settle(fob_terms_t *self, uint64_t max_disk);

/* What a good value looks like: "a duration, as 30s, or none". */
const char *fob_terms_want(unsigned number);
/* A value in words; they are read again as the same. Cut where `size` is below 32. */
void fob_terms_text(unsigned number, uint64_t value, char *out, size_t size);
/* All names, comma between. Static memory. */
const char *fob_terms_names(void);

#endif
