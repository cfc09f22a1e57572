/* figure: counts and spans as people read them. Pure. */
#ifndef FOB_FIGURE_H
#define FOB_FIGURE_H

#include <stddef.h>
#include <stdint.h>

/* "950" "1,000,000". Cut where `size` is below 32. */
void fob_figure_count(uint64_t count, char *out, size_t size);
/* The same to three digits: "950" "9.50k" "142k" "1.23M". */
void fob_figure_short(uint64_t count, char *out, size_t size);
/* A span of so many us, to a tenth of one at the most: "0.8 us" "312 us" "3.12 ms" "1.50 s". The
 * same. */
void fob_figure_span(double us, char *out, size_t size);

#endif
