/* span: how long something takes, for eyes: rounded, in the units that people say. Any thread. */
#ifndef FOB_SPAN_H
#define FOB_SPAN_H

#include <stddef.h>
#include <stdint.h>

/* "850ms" "12s" "5m 12s" "3h 12m" "4d 3h". Cut where `size` is below 32. */
void fob_span_text(int64_t ms, char *out, size_t size);

#endif
