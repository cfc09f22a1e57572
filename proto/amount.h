/* amount: bytes as people write them, in the configuration and on the command line. Pure. */
#ifndef FOB_AMOUNT_H
#define FOB_AMOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "1000000" "64KiB" "4GiB"; 0 and what is beyond 2^63 - 1 is none: false, and *bytes is as before.
 */
bool fob_amount_parse(const char *text, uint64_t *bytes);
/* The shortest such text. Cut where `size` is below 32. */
void fob_amount_text(uint64_t bytes, char *out, size_t size);

/* For eyes, rounded: "950 B" "64.0 KiB" "1.5 GiB". Cut where `size` is below 32. */
void fob_amount_about(uint64_t bytes, char *out, size_t size);

#endif
