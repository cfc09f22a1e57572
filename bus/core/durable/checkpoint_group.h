/* checkpoint, groups: one group's durable state as bytes. Each in a unit is:
 *
 *   group     u32 id, u32 flags (1 damaged), then u64 each: what `scalars` lists, numbers of:
 *             settings, intervals, intervals of priorities, back entries, dead letters; then these:
 *   setting   u64 number, value
 *   interval  u64 from, to
 *   priority  u64 from, to, priority
 *   back      0 u64 offset   8 u64 token   16 i64 due   24 u32 attempts   28 u16 releases
 *            30 u8 reason   31 u8 out   32 u8 priority   33 u8 attempts in its history
 *            34 6 zero bytes   40 these attempts
 *   dead      0 u64 offset   8 u64 serial   16 i64 time   24 u32 count   28 u32 attempts
 *            32 u32 size   36 u8 reason   37 u8 priority   38 u8 attempts in its history
 *            39 u8 zero   40 these attempts
 *   attempt   0 i64 time   8 u8 reason   9 u8 flags (1 counted, 2 a new note)
 *            10 u8 bytes of worker   11 u8 bytes of text   12 u32 its note's number, from 0 for
 * each group   16 where the note is new: worker, text */
#ifndef FOB_CORE_CHECKPOINT_GROUP_H
#define FOB_CORE_CHECKPOINT_GROUP_H

#include "bus/core/durable/checkpoint.h"

#define FOB_UNIT_BACK     40u
#define FOB_UNIT_DEAD     40u
#define FOB_UNIT_ATTEMPT  16u
#define FOB_UNIT_SETTING  16u
#define FOB_UNIT_INTERVAL 16u
#define FOB_UNIT_PRIORITY 24u

enum { FOB_ATTEMPT_COUNTED = 1, FOB_ATTEMPT_NEW_NOTE = 2 };

/* Where a group keeps its fields of one 64-bit number each, in the order of the format. */
#define FOB_UNIT_SCALARS 28u
extern const size_t fob_unit_scalars[FOB_UNIT_SCALARS];

#endif
