/* record: what the core writes into its journal, byte by byte.
 *
 * Little-endian, fixed places, reserved bytes zero and checked. The first byte is the kind. To
 * change the format: give a new kind the next free number, write only that, and keep reading the
 * old one. */
#ifndef FOB_CORE_RECORD_H
#define FOB_CORE_RECORD_H

#include "proto/slice.h"
#include "proto/wire.h"

typedef enum {
    FOB_RECORD_EVENTS = 1,
    FOB_RECORD_GROUP_ADD = 2,
    FOB_RECORD_GROUP_REMOVE = 3,
    FOB_RECORD_MARK = 4,
    FOB_RECORD_RUNS = 5,
    FOB_RECORD_FORGET = 6
} fob_record_kind_t;

/* clang-format off */
/* Events of one publisher's session, numbers first_number.. at offsets first_offset..; the batch
 * follows.
 *   0  u8   kind 1        1  3 zero bytes
 *   4  u32  count         0: no events, only the session's numbers move
 *   8  i64  time          Unix ms, never below an earlier record's
 *  16  u64  first_offset  the head before, plus one
 *  24  16 bytes session
 *  40  u64  first_number  the publisher's number of the first event
 *  48  u64  low           numbers below have their receipts
 *  56  u64  next_number   the next one that may come; above first_number + count where refused
 *                         ones follow
 *  64  the batch */
/* clang-format on */
#define FOB_RECORD_EVENTS_SIZE 64
typedef struct {
    uint32_t count;
    int64_t time_ms;
    uint64_t first_offset;
    uint8_t session[FOB_SESSION_SIZE];
    uint64_t first_number, low, next_number;
} fob_record_events_t;

/* clang-format off */
/* Sessions that are forgotten: unseen for too long, or too many.
 *   0  u8 kind 6   1  3 zero bytes   4  u32 count   8  16 bytes each */
/* clang-format on */
#define FOB_RECORD_FORGET_SIZE 8

/* clang-format off */
/* A new group.
 *   0  u8   kind 2        1  u8 flags: 1 temporary
 *   2  u8   bytes of name 3  u8 bytes of pattern
 *   4  u32  id            grows with each group
 *   8  i64  time
 *  16  u64  start         the lowest offset it gets
 *  24  name, then pattern */
/* clang-format on */
#define FOB_RECORD_GROUP_ADD_SIZE 24
typedef struct {
    bool temporary;
    uint32_t id;
    int64_t time_ms;
    uint64_t start;
    fob_slice_t name, pattern;
} fob_record_group_add_t;

/* clang-format off */
/* A group is no more.
 *   0  u8 kind 3   1  3 zero bytes   4  u32 id   8  i64 time */
/* clang-format on */
#define FOB_RECORD_GROUP_REMOVE_SIZE 16

/* clang-format off */
/* How far first hand-outs of a group may go before the next mark.
 *   0  u8 kind 4   1  3 zero bytes   4  u32 group   8  u64 offset   16  u64 token */
/* clang-format on */
#define FOB_RECORD_MARK_SIZE 24
typedef struct {
    uint32_t group;
    uint64_t offset, token;
} fob_record_mark_t;

/* clang-format off */
/* What happened to events of a group: a head and any number of runs of one fixed size.
 *   0  u8 kind 5   1  3 zero bytes   4  u32 group   8  i64 time */
/* clang-format on */
#define FOB_RECORD_RUNS_SIZE 16

typedef enum {
    FOB_RUN_ACK = 1,
    FOB_RUN_RETURN = 2, /* it comes back: lost worker, retry, release */
    FOB_RUN_DEAD = 3,
    FOB_RUN_HANDOUT = 4, /* out, and may have been out before */
    FOB_RUN_COVER = 5    /* nothing of the group's is in from..to */
} fob_run_verb_t;

enum {
    FOB_RUN_FRESH = 1,    /* not in the table of what came back: from..to is covered by this */
    FOB_RUN_COUNTED = 2,  /* RETURN: an attempt */
    FOB_RUN_RELEASED = 4, /* RETURN: by `release` */
    FOB_RUN_DAMAGED = 8,  /* COVER: it cannot be read, and how many were the group's is not known */
    FOB_RUN_UNKNOWN = 16  /* DEAD: `count` events somewhere in from..to, which is covered already */
};

typedef enum {
    FOB_REASON_NONE,
    FOB_REASON_LOST, /* the worker was lost */
    FOB_REASON_RETRY,
    FOB_REASON_RELEASE,
    FOB_REASON_REJECT,
    FOB_REASON_DAMAGED,
    FOB_REASON_LEAVE
} fob_reason_t;

/* clang-format off */
/* One run. Its events are the last `count` offsets up to `to`, but for a FRESH ACK, where they lie
 * anywhere in from..to. Where it is not FRESH, from is the first event.
 *   0  u8 verb   1  u8 flags   2  u8 reason   3  u8 zero
 *   4  u32 count
 *   8  u64 from  16  u64 to
 *  24  u64 token of the first event (RETURN, HANDOUT: they ascend by one); DEAD: attempts
 *  32  i64 due   RETURN: journal time from which it may go out; 0: at once */
/* clang-format on */
#define FOB_RUN_SIZE 40
typedef struct {
    uint8_t verb, flags, reason;
    uint32_t count;
    uint64_t from, to;
    uint64_t token;
    int64_t due_ms;
} fob_run_record_t;

void fob_record_write_events(uint8_t *out, const fob_record_events_t *record);
void fob_record_write_forget(uint8_t *out, const uint8_t *const *sessions, uint32_t count);
void fob_record_write_group_add(uint8_t *out, const fob_record_group_add_t *record);
void fob_record_write_group_remove(uint8_t *out, uint32_t id, int64_t time_ms);
void fob_record_write_mark(uint8_t *out, const fob_record_mark_t *record);
void fob_record_write_runs(uint8_t *out, uint32_t group, int64_t time_ms);
void fob_record_write_run(uint8_t *out, const fob_run_record_t *run);

/* Readers trust nothing; false: not such a record. `read_events` takes the head only. */
bool fob_record_read_events(fob_slice_t bytes, fob_record_events_t *out);
/* The sessions begin at FOB_RECORD_FORGET_SIZE. */
bool fob_record_read_forget(fob_slice_t bytes, uint32_t *count);
bool fob_record_read_group_add(fob_slice_t bytes, fob_record_group_add_t *out);
bool fob_record_read_group_remove(fob_slice_t bytes, uint32_t *id, int64_t *time_ms);
bool fob_record_read_mark(fob_slice_t bytes, fob_record_mark_t *out);
/* Gives the number of runs; the index-th is at FOB_RECORD_RUNS_SIZE + index * FOB_RUN_SIZE. */
bool fob_record_read_runs(fob_slice_t bytes, uint32_t *group, int64_t *time_ms, size_t *count);
bool fob_record_read_run(const uint8_t *bytes, fob_run_record_t *out);

#endif
