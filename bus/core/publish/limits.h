/* limits: whether a group has room for an event, counted event by event, and what a publisher is
 * told where it has none. */
#ifndef FOB_CORE_LIMITS_H
#define FOB_CORE_LIMITS_H

#include "bus/core/state.h"

/* Whether some group of a routed batch might reach a limit by it: then each event is looked at by
 * itself. */
bool fob_limits_near(const fob_sheet_t *sheet);

/* What each group would have, were the events added so far stored: begins anew for each batch. */
void fob_limits_begin(fob_core_t *core);
/* The first group of the topic that refuses an event of `size` bytes, as it is full; NULL: none. */
fob_group_t *fob_limits_refuses(const fob_core_t *core, const fob_sheet_t *sheet,
                                const fob_sheet_topic_t *topic, uint64_t size);
/* The event is to be stored: all groups of the topic get it. */
void fob_limits_add(const fob_core_t *core, const fob_sheet_t *sheet,
                    const fob_sheet_topic_t *topic, uint64_t size);
/* Whether one that has `depth` events of `bytes` bytes has no room for one of `size`. */
bool fob_limits_full(const fob_group_t *group, uint64_t depth, uint64_t bytes, uint64_t size);

#define FOB_BUSY_TEXT 640 /* bytes of the sentence, at most, with its zero byte */

/* What a publisher is told of a group that refused `refused` of its events; `behind`: as it did
 * earlier ones, so there may be room again. */
typedef struct {
    char text[FOB_BUSY_TEXT];
    uint64_t retry_ms, depth, limit; /* events, or bytes where max_bytes is what refuses */
} fob_busy_t;
void fob_limits_tell(const fob_core_t *core, fob_group_t *group, uint64_t refused, bool behind,
                     fob_busy_t *out);

/* The group that holds most of the journal, as it needs the oldest event of those that cannot be
 * moved out of the way, or of all where they can; NULL: none needs any. */
fob_group_t *fob_limits_holder(const fob_core_t *core);
/* What a publisher is told of it where the disk is full: FOB_BUSY_TEXT bytes. */
void fob_limits_tell_holder(const fob_core_t *core, fob_group_t *group, char *out);

#endif
