/* topic: what an event is about; pattern: which topics somebody wants.
 *
 * A topic is 1-255 bytes of tokens [A-Za-z0-9_-]+ joined by single dots. A pattern is a topic in
 * which a whole token may be `*` (one token), and the last may be `>` (one or more tokens). Topics
 * whose first token is `$sys` are the bus's own: valid to subscribe to literally, never to publish,
 * and a wildcard in the first token of a pattern does not match them. Pure; any thread. */
#ifndef FOB_TOPIC_H
#define FOB_TOPIC_H

#include "proto/slice.h"

#define FOB_TOPIC_MAX 255

/* True for a topic that a client may publish to (not under $sys). */
bool fob_topic_valid(fob_slice_t topic);

/* True for a topic of the bus's own, `$sys.` and at least one token. */
bool fob_topic_is_sys(fob_slice_t topic);

/* True for a valid pattern (a literal `$sys.` first token is allowed in one). */
bool fob_pattern_valid(fob_slice_t pattern);

/* Whether a valid pattern matches a valid topic. Linear in the topic's length, no allocation. */
bool fob_pattern_match(fob_slice_t pattern, fob_slice_t topic);

/* True if the pattern has no wildcard. */
bool fob_pattern_literal(fob_slice_t pattern);

/* The prefix to subscribe to on the wire: for a literal pattern the topic and its terminator (a
 * zero byte), else all up to the first wildcard ("shop." for "shop.*.x", "" for ">"). `out` has
 * room for FOB_TOPIC_MAX + 1 bytes. Returns the number of bytes. */
size_t fob_pattern_prefix(fob_slice_t pattern, uint8_t *out);

#endif
