/* core: the queue logic of one shard, as a pure state machine.
 *
 *     (now, command) -> records to append + effects to perform once these are durable
 *
 * No socket, file, clock, thread or random source; one thread at a time. The durable state (groups,
 * books, sessions, what came back) changes only by applying records, and replay applies the same
 * records by the same code: that is why the state hash after a replay is the same. Volatile state
 * (workers, credit, running leases, pages) starts empty and is not in the hash.
 *
 * A turn: any number of `fob_core_step`, then one `fob_core_take`, whose records are one commit. */
#ifndef FOB_CORE_H
#define FOB_CORE_H

#include "bus/core/events/lasts.h"
#include "bus/core/events/listing.h"
#include "bus/core/group/policy.h"
#include "proto/blob.h"
#include "proto/buf.h"
#include "proto/now.h"
#include "proto/wire.h"
#include <fob/fob_status.h>

typedef struct fob_core fob_core_t;

typedef struct {
    uint32_t shard;
    uint64_t max_event; /* bytes of data of one event */
    uint32_t max_groups;
    uint32_t max_sessions;    /* publisher sessions kept; then who has been away longest goes */
    int64_t session_keep_ms;  /* and after this long unseen, if it is away */
    int64_t session_grace_ms; /* away for so long at least where its first numbers may be in doubt;
                                 FOB_SESSION_GRACE_MS: clients rely on it */
    int64_t
        resume_ms; /* after a start: how long leases out before it may be claimed (three beats) */
    uint64_t cache_bytes; /* pages of events kept in memory */
    uint32_t page_bytes;  /* how much one NEED asks for */
    uint32_t mark_block;  /* events a group may hand out beyond what its last mark covers */
    fob_policy_t policy;  /* of new groups, where nothing else is said */
    uint32_t dedup_max;   /* ids remembered; 0: none */
    uint32_t topics_max;  /* topics of which the last event is known; 0: FOB_CHAIN_TOPICS */
    uint32_t topics_look; /* of them looked at for an answer; 0: FOB_LASTS_LOOKED */
    int64_t dedup_window_ms;
    uint64_t seed; /* random: the secret of the dedup table, where the journal has none yet */
    uint32_t slice_bytes;     /* of a checkpoint, about; 0: 256 KiB */
    int64_t release_first_ms; /* the pause after a release, doubling up to backoff_max_ms */
} fob_core_config_t;

/* --- commands --- */

typedef enum {
    FOB_CMD_PUBLISH,
    FOB_CMD_PRESENT, /* a connection begins, with a session: it is not forgotten until LOST */
    FOB_CMD_JOIN,
    FOB_CMD_LEAVE,
    FOB_CMD_CREDIT,
    FOB_CMD_SETTLE,
    FOB_CMD_UNSENT,      /* a worker was not sent all that was handed out to it */
    FOB_CMD_UNREACHABLE, /* a connection is broken: its workers may not know yet */
    FOB_CMD_LOST,        /* a connection is gone: all its workers with it */
    FOB_CMD_GROUP_ADD,
    FOB_CMD_GROUP_REMOVE,
    FOB_CMD_GROUP_SET,
    FOB_CMD_GROUP_RESET,
    FOB_CMD_GROUP_PURGE,
    FOB_CMD_DEAD_LIST,
    FOB_CMD_DEAD_SHOW,
    FOB_CMD_DEAD_REDRIVE,
    FOB_CMD_DEAD_PURGE,
    FOB_CMD_RECLAIM,     /* room is wanted: what little is needed of the oldest goes to the head */
    FOB_CMD_PAGE,        /* the answer to a NEED; makes no record */
    FOB_CMD_PAGE_ABSENT, /* ... which cannot be had: `offset` up to `offset + count - 1` is damaged
                            or trimmed */
    FOB_CMD_TICK         /* time has passed: see fob_core_deadline */
} fob_command_kind_t;

/* Which dead letters: all that are set must hold. */
typedef struct {
    uint8_t reason;       /* fob_reason_t; 0: any */
    fob_slice_t topic;    /* a pattern; empty: any */
    fob_slice_t key;      /* the event's ordering key; empty: any */
    int64_t since, until; /* died at or after, before: Unix ms; 0: any time */
    uint64_t offset;      /* only that one; 0: any */
} fob_dead_filter_t;

/* Slices and blobs are borrowed for the length of the step; the core takes its own holds and
 * copies. */
typedef struct {
    fob_command_kind_t kind;
    uint64_t conn; /* whose; 0 for PAGE and TICK */
    union {
        struct { /* ignored where the session published on a connection with a higher number, as
                    those before it may still have something under way */
            const uint8_t *session; /* FOB_SESSION_SIZE bytes */
            uint64_t first;         /* number of the first event in the body, from 1 */
            uint64_t low;           /* every number below has its receipt */
            fob_blob_t *body;       /* the batch; all of the blob */
            fob_status_t
                refuse; /* not FOB_OK: answer every number so (FOB_DISK_FULL: no room reserved) */
        } publish;
        struct {
            const uint8_t *session; /* FOB_SESSION_SIZE bytes */
        } present;
        struct {
            bool goodbye; /* it said so */
            bool other;   /* its client goes on as another session, or as none: it will not come
                             back for this one, as after a goodbye */
        } lost;
        struct {
            const uint8_t *session; /* the same session joining the same group again takes over */
            fob_slice_t group, pattern;
            bool create, temporary;
            uint64_t credit, jobs;
            fob_slice_t claims; /* runs [offset, count, token], or empty */
            fob_slice_t worker; /* its name, for people; may be empty */
            uint64_t lease_ms;  /* its leases end after so long at the most; 0: as the group's */
        } join;
        struct {
            fob_slice_t group;
        } leave;
        struct {
            fob_slice_t group;
            uint64_t credit;
        } credit;
        struct {
            fob_slice_t group;
            uint64_t after; /* the last token that was sent to it: nobody can have begun those
                               behind it, which go back as if they had never been out */
        } unsent;
        struct { /* gets nothing more, and keeps what it holds until LOST, or its session joins
                    again. A worker that holds nothing is over at once. */
            int64_t until_ns; /* mono_ns: LOST is to come then */
        } unreachable;
        struct {
            int64_t late_ns; /* how long after fob_core_deadline; 0: in time */
        } tick;
        struct {
            fob_slice_t group;
            uint64_t seq;
            uint64_t credit;  /* 0: unchanged */
            fob_slice_t runs; /* [kind, offset, count, token, after] */
            fob_slice_t text; /* why, for what is not acked; may be empty */
        } settle;
        struct { /* GROUP_... */
            uint64_t req;
            fob_slice_t group, pattern; /* the pattern of ADD */
            bool temporary;             /* ADD: it goes with its last worker */
            fob_policy_patch_t patch;   /* ADD, SET */
            uint64_t offset;            /* ADD, RESET: it begins there; 0: see time */
            int64_t time_ms; /* ADD, RESET: with the first stored at or after; 0: with the next */
            uint64_t lowest; /* ADD, RESET: the lowest offset that the journal has */
        } admin;
        struct { /* DEAD_... */
            uint64_t req;
            fob_slice_t group;
            fob_dead_filter_t filter; /* SHOW: its offset says which */
            uint64_t from;            /* go on above this offset; 0: from the first */
            uint64_t upto;  /* letters of higher serials are not meant; 0: all that are there now */
            uint32_t limit; /* so many at the most; 0: a hundred */
            bool dry;       /* REDRIVE, PURGE: only count */
        } dead;
        struct {
            uint64_t below; /* all below would be given back, but for what is needed of it */
            uint64_t bytes; /* so many */
            size_t room;    /* so many may be written in this turn; 0: none */
        } reclaim;
        struct {
            /* One record as it was appended (its bytes inside `blob`, which the core may hold). */
            fob_blob_t *blob;
            fob_slice_t record;
            uint64_t first_offset;
            uint32_t count;
            uint64_t asked; /* the `offset` of the NEED it answers */
            bool last;      /* the last record of that answer */
        } page;
        struct {
            uint64_t offset; /* as asked */
            uint64_t count;
            uint64_t asked;
        } absent;
    };
} fob_command_t;

/* --- records and effects: a turn --- */

typedef struct {
    fob_slice_t head;      /* the core's bytes */
    fob_blob_t *body;      /* and the batch behind it, held; NULL for most */
    uint64_t first_offset; /* of its events, 0 where count is 0 */
    uint32_t count;
} fob_record_t;

typedef enum {
    FOB_EFF_RECEIPT, /* to a publisher */
    FOB_EFF_JOINED,
    FOB_EFF_DELIVER,
    FOB_EFF_SETTLED,
    FOB_EFF_LOST,  /* leases taken away, told to the worker, with why in `text` */
    FOB_EFF_REPLY, /* to an admin request */
    FOB_EFF_NEED,  /* ask the journal for a page; never waits */
    FOB_EFF_STORED /* a run of one topic to broadcast */
} fob_effect_kind_t;

/* Consecutive events of one batch. */
typedef struct {
    uint64_t offset;
    uint32_t count;
    uint32_t attempt; /* from 1 */
    uint64_t token;   /* of the first; they ascend by one */
    int64_t time_ms;  /* when stored */
    fob_blob_t *blob; /* held by the turn */
    size_t at, size;  /* the events' bytes in it */
} fob_span_t;

typedef struct {
    fob_effect_kind_t kind;
    uint64_t after; /* the position that must be durable first; 0: none */
    uint64_t conn;
    fob_slice_t group; /* JOINED, DELIVER, SETTLED, LOST; pattern beside it for JOINED */
    fob_slice_t pattern;
    fob_status_t status; /* JOINED, REPLY */
    fob_slice_t text;    /* JOINED, REPLY, LOST: a sentence, or empty */
    fob_slice_t value;   /* REPLY: one msgpack value, or empty for nil */
    uint64_t lease_ms;   /* JOINED: the bound of its leases; 0: none */
    bool created;        /* JOINED */
    uint64_t seq;        /* SETTLED */
    uint64_t req;        /* REPLY */
    fob_slice_t runs;    /* RECEIPT, LOST: encoded as in wire.h, array head included */
    fob_slice_t refused; /* JOINED, SETTLED: the same */
    fob_span_t *spans;   /* DELIVER: one or more; STORED: exactly one */
    size_t span_count;
    fob_slice_t topic;  /* STORED: points into the span's blob */
    uint64_t prev, nth; /* STORED: the gap chain; the topic's running number in this run */
    uint64_t
        born; /* STORED: offset of the event numbered 1: differs when the numbering began anew */
    uint64_t need_offset; /* NEED */
    uint32_t need_bytes;
} fob_effect_t;

/* Owned by the core, lent until fob_core_release. */
typedef struct {
    uint64_t position; /* of its commit; 0: no records */
    bool sync;         /* somebody waits: sync at once */
    const fob_record_t *records;
    size_t record_count;
    size_t bytes; /* of all records */
    const fob_effect_t *effects;
    size_t effect_count;
} fob_turn_t;

/* Bytes on disk of a commit that settles one event, by a worker with a name of up to 64 bytes and
 * without a text, and no more. */
#define FOB_SETTLE_ROOM 216

/* NULL: no memory. */
fob_core_t *fob_core_new(const fob_core_config_t *config);
void fob_core_destroy(fob_core_t **self_p);

/* Recovery: slices of a checkpoint, then records, then start. FOB_OK, FOB_DAMAGED (not what we
 * wrote) or FOB_FOLDER_NEWER (what a newer version wrote), text in fob_core_error; FOB_NO_MEMORY. A
 * record that a slice already holds is skipped. */
fob_status_t fob_core_load(fob_core_t *self, fob_slice_t slice) FOB_MUST_USE;
fob_status_t fob_core_replay(fob_core_t *self, uint64_t position, fob_slice_t record) FOB_MUST_USE;
/* After the last record, before the start: whether what was loaded and replayed is one state.
 * Slices of a checkpoint may be of later moments than its head, and only now the head is there too.
 * FOB_DAMAGED: it is none. Looks at each group, session and what came back once. */
fob_status_t fob_core_replayed(fob_core_t *self) FOB_MUST_USE;
const char *fob_core_error(const fob_core_t *self);

/* Ends the replay; `position` is the journal's last. What was out before may be claimed for
 * resume_ms. */
void fob_core_start(fob_core_t *self, fob_now_t now, uint64_t position);

/* Tells one command. FOB_OK, also where the answer is a refusal (that is an effect); FOB_NO_MEMORY:
 * nothing was answered, and the core is as before but for a JOIN, LEAVE or LOST, of which parts may
 * be done: the same command again does the rest, and LOST undoes a JOIN; FOB_PROTOCOL: the
 * command's bytes are malformed, nothing was done: the shell counts it and ends the connection. */
fob_status_t fob_core_step(fob_core_t *self, fob_now_t now,
                           const fob_command_t *command) FOB_MUST_USE;

/* Ends the turn: hands out what ready events and credit allow, then lends the records and effects.
 * NULL: nothing at all happened. Turns are released in any order, once their effects are performed.
 */
fob_turn_t *fob_core_take(fob_core_t *self, fob_now_t now);
void fob_core_release(fob_core_t *self, fob_turn_t **turn_p);

/* When TICK is wanted (mono_ns), FOB_NEVER: not before something else happens. */
int64_t fob_core_deadline(const fob_core_t *self);

/* The lowest offset at which the journal still holds what a group needs; head + 1 where none does.
 */
uint64_t fob_core_floor(fob_core_t *self);
/* Whether some group has begun in the past, or anew there, since this was asked last: the floor may
 * have fallen. */
bool fob_core_reached_back(fob_core_t *self);
/* Bytes of disk to keep free for settling all that is unsettled now, at the worst one by one:
 * FOB_SETTLE_ROOM each. */
uint64_t fob_core_settle_reserve(const fob_core_t *self);
/* Of these, those that did not come back to wait. Costs a look at each group. */
uint64_t fob_core_once_reserve(const fob_core_t *self);
/* Whether the journal has so little room left that what came back is to go out only a few at a time
 * (see sparing.h), and how much that is, in bytes. Told before a take. */
void fob_core_spare(fob_core_t *self, bool sparing, uint64_t left);
/* For how many events more, which are not published, the journal has room to settle them: so many a
 * census may find, or a redrive bring back. Told before a take; before it is told, for all. True:
 * one waited for it and goes on, a TICK is wanted. */
bool fob_core_room(fob_core_t *self, uint64_t events);
uint64_t fob_core_head(const fob_core_t *self);
/* The last event of each topic, stored though perhaps not durable yet; see lasts.h. */
void fob_core_whole(const fob_core_t *self, const fob_lasts_of_t *of, fob_buf_t *rows,
                    fob_lasts_t *out);
/* The same, only their offsets, in steps; see listing.h. */
void fob_core_list(fob_core_t *self, fob_listing_t *listing, uint64_t from);
bool fob_core_list_on(fob_core_t *self, fob_listing_t *listing, fob_slice_t pattern,
                      uint64_t *offsets, size_t room, size_t *count);
bool fob_core_knows(const fob_core_t *self, fob_slice_t topic);
/* The last number stored for a session; 0: none. *known: the session is in the table. */
uint64_t fob_core_session_last(const fob_core_t *self, const uint8_t *session, bool *known);
/* Whether a connection has a worker in any group, and in this one. */
bool fob_core_has_worker(const fob_core_t *self, uint64_t conn);
bool fob_core_is_member(const fob_core_t *self, uint64_t conn, fob_slice_t group);
/* Hash of the durable state. */
uint64_t fob_core_hash(const fob_core_t *self);

/* Checkpoint in slices: begin, then next until it says false. Between slices turns go on: each
 * slice says up to which record it is true, and replay heeds that. So a checkpoint counts only when
 * all that was decided before its last slice is durable, and is followed by every record of the
 * commits above the position at its begin. False with slice->failed: no memory. */
void fob_core_checkpoint_begin(fob_core_t *self);
bool fob_core_checkpoint_next(fob_core_t *self, fob_buf_t *slice);

/* --- figures --- */
typedef struct {
    fob_slice_t group, pattern;
    bool temporary;
    fob_policy_t policy;
    int64_t paused_ms; /* since when; 0: it is not */
    const char *state; /* flowing idle no_worker paused full waiting (later: breaker_open) */
    char why[640];     /* one sentence, or a few joined */
    uint64_t generation;
    int64_t since_ms;
    uint64_t accepted, acked, dead, expired, shed, removed, ready, leased, delayed;
    uint64_t bytes;           /* of what is ready, leased, delayed */
    uint64_t shed_by[4];      /* by fob_overflow_t */
    uint64_t removed_by[5];   /* by fob_removal_t */
    uint64_t redelivered;     /* hand-outs after the first */
    uint32_t workers, busy;   /* that can be reached; busy: those of them that hold something */
    double in_rate, out_rate; /* events/s over the last 10 s; negative: unknown */
    int64_t
        oldest_age_ms; /* of the oldest unsettled event whose time is known; negative: unknown */
    uint64_t floor;    /* lowest offset it needs */
} fob_group_stats_t;

size_t fob_core_group_count(const fob_core_t *self);
/* The index-th group by name; false: none. Slices point into the core. */
bool fob_core_group_stats(fob_core_t *self, fob_now_t now, size_t index, fob_group_stats_t *out);
/* The group that holds most of the journal; false: none needs any of it. */
bool fob_core_holder(fob_core_t *self, fob_now_t now, fob_group_stats_t *out);

typedef struct {
    uint64_t events_in;   /* stored since the start of this process */
    uint64_t busy;        /* numbers answered BUSY or DISK_FULL */
    uint64_t cache_bytes; /* pages held */
    uint64_t sessions;
    uint64_t ids;          /* in the dedup table */
    int64_t dedup_span_ms; /* how far back it reaches; negative: it has nothing */
} fob_core_stats_t;
void fob_core_stats(const fob_core_t *self, fob_core_stats_t *out);

#endif
