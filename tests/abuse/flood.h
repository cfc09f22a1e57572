/* flood: events by the thousand, by a publisher that waits for its receipts. */
#ifndef FOB_TESTS_FLOOD_H
#define FOB_TESTS_FLOOD_H

#include "proto/wire.h"

#include <stddef.h>

/* Stores so many events of so many bytes at the bus at FOB_BUS; fails the test where one is not. */
void flood(const char *topic, size_t count, size_t bytes);
/* Appends a body of events with data of `bytes` each. */
void flood_body(fob_buf_t *out, const char *topic, size_t count, size_t bytes);

#endif
