/* duration: a span of time as people write it, in the configuration and on the command line. Pure.
 */
#ifndef FOB_DURATION_H
#define FOB_DURATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "250ms" "5s" "10m" "2h" "7d" in ms; a number without a unit, 0, or above 100 years is not a
 * duration: false, and *ms is as before. */
bool fob_duration_parse(const char *text, int64_t *ms);

/* The same for a span back from now, which may be none at all: "0s". */
bool fob_duration_parse_span(const char *text, int64_t *ms);

/* The shortest such text for ms above 0: "90s", "2h", "1500ms". Cut where `size` is below 32. */
void fob_duration_text(int64_t ms, char *out, size_t size);

#endif
