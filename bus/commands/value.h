/* value: a msgpack value of the bus as a tree of JSON, for commands. Main thread. */
#ifndef FOB_VALUE_H
#define FOB_VALUE_H

#include "proto/slice.h"

#include <jansson.h>

/* The one value of `bytes`, the caller's to json_decref. What is no UTF-8 in a string becomes
 * U+FFFD, as clients may say anything; bytes become null. NULL: it is not msgpack that has a JSON
 * form, or no memory. */
json_t *fob_value_tree(fob_slice_t bytes);

/* One field of the map that `map` is, as its encoded value; empty where there is none. */
fob_slice_t fob_value_field(fob_slice_t map, const char *name);

#endif
