/* rss: how much memory this process uses. Any thread. */
#ifndef FOB_HOST_RSS_H
#define FOB_HOST_RSS_H

#include <stdint.h>

/* In bytes; negative: unknown. */
int64_t fob_rss(void);

#endif
