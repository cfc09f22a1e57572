/* utf8: which bytes are text. Pure; any thread. */
#ifndef FOB_CLI_UTF8_H
#define FOB_CLI_UTF8_H

#include "proto/slice.h"

/* The length of the valid UTF-8 character at `at` (1-4), or 0: none is there (overlong, surrogate,
 * cut short, above U+10FFFF). `left` is at least 1. */
size_t fob_utf8_step(const uint8_t *at, size_t left);
bool fob_utf8_valid(fob_slice_t text);

#endif
