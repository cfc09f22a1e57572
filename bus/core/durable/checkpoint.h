/* clang-format off */
/* checkpoint: all durable state as bytes, taken a part at a time between turns, and read back.
 *
 * The state is cut into units: the head with the list of groups, then each group's state, then the
 * sessions by the buckets of their table, then the ids by offset, then the last event of each
 * topic. Each is copied whole when its turn comes and says before which record it was (its stamp);
 * the first stamp is the checkpoint's. Replay begins there, and skips for each group and each
 * session the records that its unit holds already:
 *
 *   - every record names the groups and sessions that it changes, and changes each of them by what
 *     this one was before (and the head): so units need not be of the same age;
 *   - a group that began after the first stamp is not in the list: its records are all replayed.
 * One that ended before its turn has no unit: its records are skipped up to its end;
 *   - a session keeps its bucket: it has its turn, or began in a bucket that was done, and then all
 *     its records are replayed, or was forgotten before, and then a record comes that says so;
 *   - ids go from the lowest offset to the highest, and one told again changes nothing. What was
 *     dropped since its unit is dropped by the same records again.
 *   - the last events of topics are no state, but advice to the gap chain (see chain.h): those up to
 *     the head's offset, lowest first. One that is published to meanwhile is linked by its record.
 *
 * A group is one unit, however large, and of one moment; what is large of it is copied while its
 * slices are handed out (see copy.h). Format, little-endian:
 *
 *   slice     0 u32 magic "FOBC"   4 u32 version 5
 *             8 u8 kind of unit   9 u8 1: the unit goes on in the next slice  10 u16 zero
 *            12 u32 stamp: index of the record in its commit   16 u64 stamp: position of the commit
 *            24 u64 number of the slice, from 0
 *            32 the bytes
 *   head 1    u64 head, i64 time, u64 uses of sessions, u64 secret of ids (0: none),
 *             u32 next group, u32 groups, then these: u32 id, u8 flags (1 temporary),
 *             u8 bytes of name, u8 of pattern, u8 zero, name, pattern;
 *             u64 moved events, then these: u64 offset, place
 *   groups 2  any number of groups: see checkpoint_group.h
 *   writers 3 any number of: 16 bytes session, u64 next, low, i64 seen, u64 use, u64 answers, then
 *             these: u64 number, offset, u32 count, groups, flags, zero
 *   ids 4     any number of: u64 high, low, data, offset, i64 time
 *   topics 5  one unit at least: u64 floor, u64 topics, then these: u64 last, u8 bytes of name, name
 *   end 6     nothing: the last slice
 *
 * To change it: raise the version, and the journal's with it, as for a record; write that, and keep
 * reading the old one. Version 4 has no topics, and its end is kind 5. Versions 1 to 3 were never
 * in a release, and are refused by name. The journal guards the bytes by checksums; what is read is
 * checked all the same. */
/* clang-format on */
#ifndef FOB_CORE_CHECKPOINT_H
#define FOB_CORE_CHECKPOINT_H

#include "bus/core/state.h"
#include "bus/core/table/little.h"

#define FOB_SLICE_MAGIC   UINT32_C(0x43424F46)
#define FOB_SLICE_VERSION 5u
#define FOB_SLICE_OLDEST  4u
#define FOB_SLICE_HEAD    32u

enum {
    FOB_UNIT_NONE,
    FOB_UNIT_HEAD,
    FOB_UNIT_GROUPS,
    FOB_UNIT_WRITERS,
    FOB_UNIT_IDS,
    FOB_UNIT_TOPICS,
    FOB_UNIT_END
};

/* Bytes of what has one size in any unit. */
#define FOB_UNIT_ANSWER 32u
#define FOB_UNIT_ID     40u
#define FOB_UNIT_MOVED  16u
#define FOB_UNIT_TOPIC  10u /* at least */

/* Ends the checkpoint being written, or read. */
void fob_snapshot_stop(fob_core_t *self);

/* --- writing --- */

static inline void fob_put_u8(fob_buf_t *out, uint8_t value) {
    fob_buf_put(out, &value, 1);
}
static inline void fob_put_u32(fob_buf_t *out, uint32_t value) {
    uint8_t bytes[4];
    fob_put32(bytes, value);
    fob_buf_put(out, bytes, sizeof bytes);
}
static inline void fob_put_u64(fob_buf_t *out, uint64_t value) {
    uint8_t bytes[8];
    fob_put64(bytes, value);
    fob_buf_put(out, bytes, sizeof bytes);
}

/* --- reading --- */

/* What is left to read; a read past the end fails it, and gives zeros. */
typedef struct {
    const uint8_t *at, *end;
    bool failed;
} fob_unit_t;

/* The next bytes; NULL where there are not so many. */
static inline const uint8_t *fob_get_bytes(fob_unit_t *in, size_t size) {
    if (in->failed || (size_t)(in->end - in->at) < size) {
        in->failed = true;
        return NULL;
    }
    const uint8_t *bytes = in->at;
    in->at += size;
    return bytes;
}
static inline uint8_t fob_get_u8(fob_unit_t *in) {
    const uint8_t *bytes = fob_get_bytes(in, 1);
    return bytes ? *bytes : 0;
}
static inline uint32_t fob_get_u32(fob_unit_t *in) {
    const uint8_t *bytes = fob_get_bytes(in, 4);
    return bytes ? fob_get32(bytes) : 0;
}
static inline uint64_t fob_get_u64(fob_unit_t *in) {
    const uint8_t *bytes = fob_get_bytes(in, 8);
    return bytes ? fob_get64(bytes) : 0;
}
/* A count of things of at least `size` bytes, of which so many could be there. */
static inline size_t fob_get_count(fob_unit_t *in, size_t size) {
    uint64_t count = fob_get_u64(in);
    if (count > (uint64_t)(in->end - in->at) / size)
        in->failed = true;
    return in->failed ? 0 : (size_t)count;
}

/* The next group of a unit: one of the list that had none yet. FOB_OK, FOB_DAMAGED, FOB_NO_MEMORY.
 */
fob_status_t fob_unit_get_group(fob_unit_t *in, fob_core_t *self) FOB_MUST_USE;

#endif
