/* record: what the core writes into its journal, byte by byte.
 *
 * Little-endian, fixed places, reserved bytes zero and checked. The first byte is the kind. To
 * change the format: give a new kind the next free number, write only that, and keep reading the
 * old one. Raise the journal's FOB_FORMAT_VERSION with it: then an older program refuses the folder
 * by name before it writes into it. */
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
    FOB_RECORD_FORGET = 6,
    FOB_RECORD_SET = 7,
    FOB_RECORD_ANSWERS = 8,
    FOB_RECORD_NOTED = 9, /* as RUNS, with a note */
    FOB_RECORD_RESET = 10,
    FOB_RECORD_SEED = 11,
    FOB_RECORD_MOVED = 12,
    FOB_RECORD_KINDS /* above all that are known */
} fob_record_kind_t;

/* clang-format off */
/* Events of one publisher's session, numbers first_number.. at offsets first_offset..; the batch
 * follows.
 *   0  u8   kind 1        1  u8 flags: what some of the events have    2  u16 zero
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
enum { FOB_EVENTS_PRIORITY = 1, FOB_EVENTS_ID = 2 };
typedef struct {
    uint8_t flags;
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
/* Settings of a group, by their numbers in policy.h. A new group's follow its GROUP_ADD.
 *   0  u8 kind 7   1  u8 count   2  u16 zero   4  u32 group   8  i64 time
 *  16  count of: u32 number, u32 zero, u64 value */
/* clang-format on */
#define FOB_RECORD_SET_SIZE 16
#define FOB_RECORD_SET_ITEM 16

/* clang-format off */
/* Numbers of a session that were used without storing anything new: duplicates of earlier events.
 *   0  u8 kind 8   1  3 zero bytes   4  u32 rows   8  i64 time
 *  16  16 bytes session
 *  32  u64 low    40  u64 next_number   (as in EVENTS)
 *  48  rows of: u64 number, u64 offset (of the first such event), u32 count (both ascend by one),
 *      u32 groups, u32 flags (1 a duplicate, 2 its data differed), u32 zero */
/* clang-format on */
#define FOB_RECORD_ANSWERS_SIZE 48
#define FOB_RECORD_ANSWERS_ROW  32
typedef struct {
    uint32_t rows;
    int64_t time_ms;
    uint8_t session[FOB_SESSION_SIZE];
    uint64_t low, next_number;
} fob_record_answers_t;

enum { FOB_ANSWER_DUPLICATE = 1, FOB_ANSWER_DIFFERS = 2 };
typedef struct {
    uint64_t number, offset;
    uint32_t count, groups, flags;
} fob_record_answer_t;

/* clang-format off */
/* A group begins anew.
 *   0  u8 kind 10  1  u8 mode: fob_reset_t  2  u16 zero   4  u32 group   8  i64 time
 *  16  u64 offset: the first it gets   24  u64 head: up to there events are looked for */
/* clang-format on */
#define FOB_RECORD_RESET_SIZE 32
/* Whatever came back is removed, but for what PURGE spares; dead letters stay. */
typedef enum {
    FOB_RESET_ANEW, /* new books: all from offset on is to be handled, what of it was settled too */
    FOB_RESET_FORWARD, /* what lies below offset is removed; nothing from there on was settled yet
                        */
    FOB_RESET_LATEST,  /* all there is is removed */
    FOB_RESET_PURGE,   /* the same, but for what came back and is out again */
    FOB_RESETS
} fob_reset_t;
typedef struct {
    uint8_t mode;
    uint32_t group;
    int64_t time_ms;
    uint64_t offset, head;
} fob_record_reset_t;

/* clang-format off */
/* The secret under which ids are hashed; once in a journal, before any event with an id.
 *   0  u8 kind 11  1  7 zero bytes   8  u64 seed */
/* clang-format on */
#define FOB_RECORD_SEED_SIZE 16

/* clang-format off */
/* A copy of an event that is older than most of what lies around it: it is to be read from here. Its
 * place is an offset of its own, at which there is no other event.
 *   0  u8 kind 12  1  3 zero bytes   4  u32 count, 1
 *   8  i64 time    Unix ms at which the event was stored first
 *  16  u64 place   the head before, plus one
 *  24  u64 origin  the event's offset
 *  32  i64 time    of this record
 *  40  the event */
/* clang-format on */
#define FOB_RECORD_MOVED_SIZE 40
typedef struct {
    int64_t stored_ms;
    uint64_t place, origin;
    int64_t time_ms;
} fob_record_moved_t;

/* clang-format off */
/* What happened to events of a group: a head and any number of runs of one fixed size.
 *   0  u8 kind 5   1  3 zero bytes   4  u32 group   8  i64 time
 * With a note, which holds for every RETURN and DEAD in it, it is
 *   0  u8 kind 9   1  u8 bytes of worker   2  u8 bytes of text   3  u8 zero   4  u32 group
 *   8  i64 time   16  worker, text, zeros up to a multiple of 8, then the runs */
/* clang-format on */
#define FOB_RECORD_RUNS_SIZE 16

typedef enum {
    FOB_RUN_ACK = 1,
    FOB_RUN_RETURN = 2, /* it comes back: lost worker, retry, release */
    FOB_RUN_DEAD = 3,
    FOB_RUN_HANDOUT = 4, /* out, and may have been out before */
    FOB_RUN_COVER = 5,  /* nothing of the group's is in from..to; a census that stands in it goes on
                           behind it */
    FOB_RUN_SHED = 6,   /* dropped by the group's overflow policy; reason: fob_overflow_t */
    FOB_RUN_REMOVE = 7, /* taken out by an operator; reason: fob_removal_t */
    FOB_RUN_EXPIRE = 8, /* its ttl passed (not written yet) */
    FOB_RUN_REDRIVE = 9, /* dead letters are ready again: all of from..to */
    FOB_RUN_UNBURY = 10, /* a dead letter is removed; reason: fob_removal_t; token: its serial */
    FOB_RUN_ACCEPT = 11 /* found by the census of a group that begins in the past; detail: priority;
                           events of priority 0 lie anywhere in from..to, others are all of it */
} fob_run_verb_t;

enum {
    FOB_RUN_FRESH = 1,    /* not in the table of what came back: from..to is covered by this */
    FOB_RUN_COUNTED = 2,  /* RETURN: an attempt */
    FOB_RUN_RELEASED = 4, /* RETURN: by `release` */
    FOB_RUN_DAMAGED = 8,  /* COVER: it cannot be read, and how many were the group's is not known */
    FOB_RUN_UNKNOWN = 16, /* DEAD: `count` events somewhere in from..to, which is covered already */
    FOB_RUN_DEBT = 32,    /* SHED, REMOVE: the `count` lowest that were never out and have priority
                             0, wherever they lie: found when the walk comes to them */
    FOB_RUN_PAID = 64     /* SHED, REMOVE with FRESH: these are such ones, counted before; with
                             UNKNOWN: such ones of which it is only known that they are gone */
};

typedef enum {
    FOB_REASON_NONE,
    FOB_REASON_LOST, /* the worker was lost */
    FOB_REASON_RETRY,
    FOB_REASON_RELEASE,
    FOB_REASON_REJECT,
    FOB_REASON_DAMAGED,
    FOB_REASON_LEAVE,
    FOB_REASON_LEASE,    /* the group's lease ran out */
    FOB_REASON_ATTEMPTS, /* a dead letter: max_attempts */
    FOB_REASON_AGE,      /* a dead letter: max_age */
    FOB_REASON_OVERFLOW, /* a dead letter: the group was full */
    FOB_REASON_END
} fob_reason_t;

/* "lost" "retry" "release" "reject" "damaged" "leave" "lease" "attempts" "age" "overflow"; "" for
 * NONE; NULL / false: there is none. */
const char *fob_reason_name(unsigned reason);
bool fob_reason_find(fob_slice_t name, uint8_t *reason);

/* Why something was removed. */
typedef enum {
    FOB_REMOVAL_PURGE,
    FOB_REMOVAL_RESET,
    FOB_REMOVAL_DEAD_PURGE,
    FOB_REMOVAL_DEAD_MAX,
    FOB_REMOVAL_DEAD_MAX_AGE,
    FOB_REMOVALS
} fob_removal_t;
/* "purge" "reset" "dead_purge" "dead_max" "dead_max_age" */
const char *fob_removal_name(unsigned removal);

/* clang-format off */
/* One run. Its events are the last `count` offsets up to `to`, but for a FRESH ACK, SHED or REMOVE,
 * where they lie anywhere in from..to. Where it is not FRESH, from is the first event.
 *   0  u8 verb   1  u8 flags   2  u8 reason   3  u8 detail: DEAD: reason of the last attempt
 *                                                          (0: no attempt ended); ACCEPT: priority
 *   4  u32 count
 *   8  u64 from  16  u64 to
 *  24  u64 token of the first event (RETURN, HANDOUT: they ascend by one); DEAD: attempts
 *  32  i64 due   RETURN: journal time from which it may go out; 0: at once
 *      u64 bytes ACK, DEAD, SHED, REMOVE, ACCEPT: of the events' encodings; 0: not known */
/* clang-format on */
#define FOB_RUN_SIZE 40
typedef struct {
    uint8_t verb, flags, reason, detail;
    uint32_t count;
    uint64_t from, to;
    uint64_t token;
    int64_t due_ms; /* RETURN */
    uint64_t bytes; /* the others */
} fob_run_record_t;

/* The first of its events, where they are the last `count` up to `to`. */
static inline uint64_t fob_run_first(const fob_run_record_t *run) {
    return run->to - run->count + 1;
}
/* Whether they are all of from..to. */
static inline bool fob_run_dense(const fob_run_record_t *run) {
    return run->from == fob_run_first(run);
}

void fob_record_write_events(uint8_t *out, const fob_record_events_t *record);
void fob_record_write_forget(uint8_t *out, const uint8_t *const *sessions, uint32_t count);
void fob_record_write_group_add(uint8_t *out, const fob_record_group_add_t *record);
void fob_record_write_group_remove(uint8_t *out, uint32_t id, int64_t time_ms);
void fob_record_write_mark(uint8_t *out, const fob_record_mark_t *record);
void fob_record_write_runs(uint8_t *out, uint32_t group, int64_t time_ms);
/* The same with a note of up to 255 bytes each; gives the bytes written: where the runs begin. */
size_t fob_record_write_noted(uint8_t *out, uint32_t group, int64_t time_ms, fob_slice_t worker,
                              fob_slice_t text);
/* How many that is. */
size_t fob_record_noted_size(fob_slice_t worker, fob_slice_t text);
void fob_record_write_set(uint8_t *out, uint32_t group, int64_t time_ms, uint8_t count);
void fob_record_write_set_item(uint8_t *out, uint32_t number, uint64_t value);
void fob_record_write_answers(uint8_t *out, const fob_record_answers_t *record);
void fob_record_write_answer(uint8_t *out, const fob_record_answer_t *row);
void fob_record_write_reset(uint8_t *out, const fob_record_reset_t *record);
void fob_record_write_seed(uint8_t *out, uint64_t seed);
void fob_record_write_moved(uint8_t *out, const fob_record_moved_t *record);
void fob_record_write_run(uint8_t *out, const fob_run_record_t *run);

/* No offset, token or time (either way) of a record is above these, so that sums with them do not
 * run over. */
#define FOB_RECORD_NUMBER_MAX (UINT64_C(1) << 62)
#define FOB_RECORD_TIME_MAX   (INT64_C(1) << 61)
static inline bool fob_record_number_fits(uint64_t number) {
    return number <= FOB_RECORD_NUMBER_MAX;
}
static inline bool fob_record_time_fits(int64_t ms) {
    return ms >= -FOB_RECORD_TIME_MAX && ms <= FOB_RECORD_TIME_MAX;
}

/* Readers trust nothing; false: not such a record. `read_events` takes the head only. */
bool fob_record_read_events(fob_slice_t bytes, fob_record_events_t *out);
/* The sessions begin at FOB_RECORD_FORGET_SIZE. */
bool fob_record_read_forget(fob_slice_t bytes, uint32_t *count);
bool fob_record_read_group_add(fob_slice_t bytes, fob_record_group_add_t *out);
bool fob_record_read_group_remove(fob_slice_t bytes, uint32_t *id, int64_t *time_ms);
bool fob_record_read_mark(fob_slice_t bytes, fob_record_mark_t *out);
/* Of RUNS and NOTED. */
typedef struct {
    uint32_t group;
    int64_t time_ms;
    fob_slice_t worker, text; /* of NOTED */
    const uint8_t *runs;      /* the index-th is at index * FOB_RUN_SIZE */
    size_t count;
} fob_record_runs_t;
bool fob_record_read_runs(fob_slice_t bytes, fob_record_runs_t *out);
/* The index-th item is at FOB_RECORD_SET_SIZE + index * FOB_RECORD_SET_ITEM. */
bool fob_record_read_set(fob_slice_t bytes, uint32_t *group, int64_t *time_ms, uint8_t *count);
bool fob_record_read_set_item(const uint8_t *bytes, uint32_t *number, uint64_t *value);
/* The index-th row is at FOB_RECORD_ANSWERS_SIZE + index * FOB_RECORD_ANSWERS_ROW. */
bool fob_record_read_answers(fob_slice_t bytes, fob_record_answers_t *out);
bool fob_record_read_answer(const uint8_t *bytes, fob_record_answer_t *out);
bool fob_record_read_reset(fob_slice_t bytes, fob_record_reset_t *out);
bool fob_record_read_seed(fob_slice_t bytes, uint64_t *seed);
/* The head only. */
bool fob_record_read_moved(fob_slice_t bytes, fob_record_moved_t *out);
bool fob_record_read_run(const uint8_t *bytes, fob_run_record_t *out);

#endif
