/* wire: the messages between a client and the bus's ROUTER. The page for people is PROTOCOL.md;
 * this file and that page say the same, and the golden vectors hold both to it.
 *
 * A message is one header frame, and for the verbs that carry events or a value one body frame:
 *
 *   header = [verb, shard, {field: value, ...}]      msgpack
 *
 * Fields are named by short strings; unknown fields and extra array elements are skipped; unknown
 * verbs are answered with ERROR (FOB_PROTOCOL). All of it is one flat struct and one table: a field
 * that is absent is zero or empty and not in `present`. */
#ifndef FOB_WIRE_H
#define FOB_WIRE_H

#include "proto/buf.h"
#include "proto/cursor.h"
#include <fob/fob_status.h>

#define FOB_WIRE_VERSION    1
#define FOB_WIRE_HEADER_MAX 65536 /* bytes of a header frame; longer is malformed */
#define FOB_SESSION_SIZE    16    /* bytes of a session's secret */
#define FOB_WINDOW_MAX      16384 /* numbers a publisher may have without a receipt */
/* ms for which a bus keeps at least a session that left while no number of it was known to be
 * answered: its client may have its first events in doubt, and rely on them being known again. */
#define FOB_SESSION_GRACE_MS 60000
#define FOB_NAME_MAX         255  /* bytes of a group's name: a valid topic */
#define FOB_RUNS_MAX         4096 /* runs in one header */

#define FOB_CAP_ECHO  "echo"  /* of the bus: it answers a BEAT that has an `echo` */
#define FOB_PARTS_MAX 64      /* of a WHOLE; `parts` is a power of two */
#define FOB_CAP_FETCH "fetch" /* of the bus: it answers FETCH and WHOLE, and says `began` */

/* X (number, NAME, direction) : C client to bus, B bus to client, CB both */
#define FOB_VERB_MAP(X)                                                                            \
    X(1, HELLO, C)                                                                                 \
    X(2, WELCOME, B)                                                                               \
    X(3, BEAT, CB)                                                                                 \
    X(4, GOODBYE, CB)                                                                              \
    X(5, ERROR, B)                                                                                 \
    X(10, PUBLISH, C)                                                                              \
    X(11, RECEIPT, B)                                                                              \
    X(20, JOIN, C)                                                                                 \
    X(21, JOINED, B)                                                                               \
    X(22, LEAVE, C)                                                                                \
    X(23, CREDIT, C)                                                                               \
    X(24, DELIVER, B)                                                                              \
    X(25, SETTLE, C)                                                                               \
    X(26, SETTLED, B)                                                                              \
    X(27, LOST, B)                                                                                 \
    X(40, GROUP_ADD, C)                                                                            \
    X(41, GROUP_REMOVE, C)                                                                         \
    X(42, GROUP_LIST, C)                                                                           \
    X(43, STATS, C)                                                                                \
    X(44, REPLY, B)                                                                                \
    X(45, GROUP_SET, C)                                                                            \
    X(46, GROUP_RESET, C)                                                                          \
    X(47, GROUP_PURGE, C)                                                                          \
    X(48, DEAD_LIST, C)                                                                            \
    X(49, DEAD_SHOW, C)                                                                            \
    X(50, DEAD_REDRIVE, C)                                                                         \
    X(51, DEAD_PURGE, C)                                                                           \
    X(52, FETCH, C)                                                                                \
    X(53, FETCHED, B)                                                                              \
    X(54, WHOLE, C)                                                                                \
    X(55, WHOLENESS, B)

typedef enum {
#define FOB_VERB_X(number, name, direction) FOB_VERB_##name = number,
    FOB_VERB_MAP(FOB_VERB_X)
#undef FOB_VERB_X
} fob_verb_t;

/* X (name on the wire, type, member). Types: UINT uint64_t, BOOL bool, STR and BIN fob_slice_t, RAW
 * one encoded msgpack value as fob_slice_t (checked to be one whole value within the depth). */
#define FOB_FIELD_MAP(X)                                                                           \
    X(version, UINT)     /* WELCOME, ERROR: the version spoken, or the bus's highest */            \
    X(version_min, UINT) /* HELLO, ERROR */                                                        \
    X(version_max, UINT) /* HELLO, ERROR */                                                        \
    X(caps, RAW)         /* HELLO, WELCOME: array of capability names */                           \
    X(client, STR)       /* HELLO: "libfob/0.1.0", for operators' eyes */                          \
    X(role, STR)         /* HELLO: "publisher" "worker" "subscriber" "admin" */                    \
    X(session, BIN)      /* HELLO: 16 secret random bytes by which a session resumes */            \
    X(bus, STR)          /* WELCOME: "fob/0.1.0" */                                                \
    X(heartbeat, UINT)   /* WELCOME: ms between beats; lost after three missed */                  \
    X(epoch, UINT)       /* WELCOME, BEAT: offsets are never compared across epochs */             \
    X(head, UINT)        /* WELCOME, BEAT: highest durable offset of the shard */                  \
    X(level, STR)        /* WELCOME: "memory" "os" "disk" "replicated" */                          \
    X(shards, RAW)       /* WELCOME: array of maps, see fob_shard_t */                             \
    X(max_event, UINT)   /* WELCOME: bytes of data */                                              \
    X(max_batch, UINT)   /* WELCOME: bytes of a PUBLISH body */                                    \
    X(window, UINT)      /* WELCOME: numbers without receipt at the most */                        \
    X(last, UINT)        /* WELCOME: last number this bus stored for the session, 0: none */       \
    X(first, UINT)       /* PUBLISH: number of the body's first event */                           \
    X(low, UINT)         /* PUBLISH: every number below it has its receipt */                      \
    X(runs, RAW)         /* RECEIPT, JOIN, DELIVER, SETTLE, LOST: array of arrays, see below */    \
    X(refused, RAW)      /* JOINED, SETTLED: array of arrays, see below */                         \
    X(group, STR)        /* every verb of groups */                                                \
    X(pattern, STR)      /* JOIN, JOINED, GROUP_ADD */                                             \
    X(create, BOOL)      /* JOIN: make the group if it is not there */                             \
    X(temporary, BOOL)   /* JOIN: remove the group that this makes with its last worker */         \
    X(created, BOOL)     /* JOINED: the group was made by this JOIN */                             \
    X(jobs, UINT)        /* JOIN: events it handles at once, from the front of what it holds */    \
    X(credit, UINT)      /* JOIN, CREDIT, SETTLE: deliveries allowed since this JOIN, in all */    \
    X(seq, UINT)         /* SETTLE, SETTLED: number of the SETTLE, from 1, per link */             \
    X(req, UINT)         /* admin verbs and REPLY: chosen by the client, echoed */                 \
    X(code, UINT)        /* ERROR, REPLY, JOINED: a fob_status_t */                                \
    X(text, STR)         /* ERROR, REPLY, JOINED, GOODBYE, LOST: a sentence; SETTLE: why */        \
    X(of, UINT)          /* ERROR: the verb it answers */                                          \
    X(endpoint, STR)     /* ERROR with NOT_OWNER: where that shard is */                           \
    X(retry_after, UINT) /* GOODBYE from the bus: ms after which to come back */                   \
    X(worker, STR)       /* JOIN: its name, for people: up to 255 bytes */                         \
    X(lease, UINT)   /* JOIN: ms that its handlers may take; JOINED: what holds; 0: no bound */    \
    X(settings, RAW) /* GROUP_ADD, GROUP_SET: map of name to value */                              \
    X(offset, UINT)  /* GROUP_ADD, GROUP_RESET: begin there; DEAD_SHOW: which */                   \
    X(time, UINT)    /* GROUP_ADD, GROUP_RESET: begin with what was stored then, Unix ms */        \
    X(filter, RAW)   /* DEAD_LIST, DEAD_REDRIVE, DEAD_PURGE: map, see PROTOCOL.md */               \
    X(from, UINT)    /* the same: go on above this offset; FETCH: from it on; WHOLE: above it */   \
    X(upto, UINT)    /* the same: only letters up to this serial; FETCH, WHOLE: up to it */        \
    X(limit, UINT)   /* the same: so many letters at the most; FETCH: events */                    \
    X(dry, BOOL)     /* DEAD_REDRIVE, DEAD_PURGE: only count; FETCH: only runs, no events */       \
    X(echo, UINT)    /* BEAT: a number of the client's, which the bus gives back at once */        \
    X(began, UINT)   /* WELCOME, BEAT: the epoch's own offsets begin behind this one */            \
    X(next, UINT)    /* FETCHED: every event of the pattern in [from, next) is told */             \
    X(gone, RAW)     /* FETCHED: rows of offsets in it that cannot be had any more */              \
    X(latest, BOOL)  /* FETCH: of each topic only its last event in the range */                   \
    X(floor, UINT)   /* WHOLENESS, FETCHED: what lies up to there is not vouched for */            \
    X(more, BOOL)    /* WHOLENESS: there are more topics than fit */                               \
    X(part, UINT)    /* WHOLE: asks of this part of the topics only, */                            \
    X(parts, UINT)   /* of so many; WHOLENESS: the next had better be asked in so many */

typedef uint64_t fob_wire_UINT_t;
typedef bool fob_wire_BOOL_t;
typedef fob_slice_t fob_wire_STR_t;
typedef fob_slice_t fob_wire_BIN_t;
typedef fob_slice_t fob_wire_RAW_t;

enum {
#define FOB_FIELD_X(name, type) FOB_FIELD_##name,
    FOB_FIELD_MAP(FOB_FIELD_X)
#undef FOB_FIELD_X
        FOB_FIELD_COUNT
};

typedef struct {
    fob_verb_t verb;
    uint32_t shard;
    uint64_t present; /* bit FOB_FIELD_x is set: the field x is there */
#define FOB_FIELD_X(name, type) fob_wire_##type##_t name;
    FOB_FIELD_MAP(FOB_FIELD_X)
#undef FOB_FIELD_X
} fob_wire_t;

#define FOB_HAS(msg, field) (((msg)->present >> FOB_FIELD_##field) & 1u)
/* Sets a field and marks it present. */
#define FOB_SET(msg, field, v)                                                                     \
    ((msg)->field = (v), (msg)->present |= (uint64_t)1 << FOB_FIELD_##field)

/* Name of a verb, "PUBLISH"; NULL for a number that is none. */
const char *fob_verb_name(unsigned verb);

/* Reads a header frame; slices point into it. FOB_OK; FOB_PROTOCOL: not a header, an unknown verb
 * (then out->verb holds the number and out->shard is read), a known field of the wrong type, a
 * duplicate field, a session that is not of FOB_SESSION_SIZE, longer than FOB_WIRE_HEADER_MAX,
 * bytes behind the array, or a field that the verb must have is missing. */
fob_status_t fob_wire_read(fob_slice_t header, fob_wire_t *out) FOB_MUST_USE;

/* Appends the header of the present fields. FOB_OK; FOB_NO_MEMORY; FOB_TOO_LARGE: it would have
 * more than FOB_WIRE_HEADER_MAX bytes, and no peer would read it. Where it fails nothing is
 * appended. */
fob_status_t fob_wire_write(fob_buf_t *out, const fob_wire_t *msg) FOB_MUST_USE;

/* --- runs: rows of unsigned integers, several events a row (further elements are skipped) --- */

/* RECEIPT  [status, number, count, offset, groups]  OK: numbers number.. are at offsets offset..;
 *                                                   else offset is 0. A sixth element may be a map:
 *                                                   with OK: duplicate, differs; else: group, text,
 *                                                   retry_after, depth, limit
 * JOIN     [offset, count, token]                   what the worker still holds
 * DELIVER  [offset, count, token, attempt, time]    time: when stored, Unix ms
 * SETTLE   [kind, offset, count, token, after]      kind: fob_settle_kind_t; after: of a retry,
 *                                                   ms, 0: the group's back-off
 * LOST     [offset, count, token]                   leases that were taken away
 * FETCHED  [offset, count, time]                    time: when stored, Unix ms; `gone`: [first,
 *                                                   last]
 * refused  [status, offset, count, token]           of a JOIN or a SETTLE: STALE, GONE, NOT_HELD
 *
 * Within a row offsets, numbers and tokens ascend by one. A row comes from outside: that offset and
 * count do not run over is for the caller to check. */
#define FOB_RUN_WIDTH 5

typedef struct {
    uint64_t at[FOB_RUN_WIDTH]; /* absent trailing elements are 0 */
    fob_slice_t detail;         /* the encoded 6th element, or empty */
} fob_run_t;

typedef enum {
    FOB_KIND_ACK = 1,
    FOB_KIND_RETRY = 2,
    FOB_KIND_RELEASE = 3,
    FOB_KIND_REJECT = 4
} fob_settle_kind_t;

/* Steps through encoded runs. `fob_runs` reads the outer array's head: false if it is not an array
 * or longer than FOB_RUNS_MAX. `next` is false at the end or on a malformed row (then
 * cursor->failed). */
typedef struct {
    fob_cursor_t cursor;
    uint32_t left;
} fob_runs_t;
bool fob_runs(fob_slice_t raw, fob_runs_t *self);
bool fob_runs_next(fob_runs_t *self, fob_run_t *out);

/* Bytes of a row of `width` elements at the most: for how many of them fit into a header. */
#define FOB_RUN_BYTES(width) (1 + 9 * (width))

/* Appends one row of the first `width` elements. The caller packed the outer array's head. */
void fob_run_write(fob_buf_t *out, const uint64_t *at, unsigned width);

/* Whether an encoded array of capability names has this one; what is no such array has none. */
bool fob_caps_have(fob_slice_t raw, const char *name);

/* --- the map of shards in WELCOME --- */
typedef struct {
    uint32_t shard;
    fob_slice_t host;            /* empty: the host that the client dialled */
    uint16_t router, xsub, xpub; /* ports */
} fob_shard_t;
bool fob_shards_find(fob_slice_t raw, uint32_t shard, fob_shard_t *out);
void fob_shard_write(fob_buf_t *out, const fob_shard_t *shard);

/* --- broadcast frames: XPUB to SUB, and PUB to XSUB ---
 *
 *   frame 1 = topic, a zero byte, then
 *             [kind, shard, epoch, offset, count, prev, time, source, seq]
 *   frame 2 = `count` events of that topic, one after the other
 *
 * kind 1, stored: offsets offset..offset+count-1; no event of this topic lies between prev and
 *                 offset.
 * kind 2, fire-and-forget: epoch, offset, prev are 0.
 * kind 3, probe: the bus's answer to a subscription to `$sys.probe.X`; no frame 2.
 *
 * Events of one source and topic are numbered from 1 without holes; seq is the first's. For stored
 * events the source is the bus's own for this run and topic, so that losses can be counted. */
typedef enum { FOB_CAST_STORED = 1, FOB_CAST_FIRE = 2, FOB_CAST_PROBE = 3 } fob_cast_kind_t;

typedef struct {
    fob_slice_t topic;
    uint32_t kind, shard;
    uint64_t epoch, offset, count, prev, source, seq;
    int64_t time_ms;
} fob_cast_t;

/* A code from the wire, whatever a later version may send, as a status. */
static inline fob_status_t fob_wire_status(uint64_t code) {
    return (fob_status_t)(code < UINT16_MAX ? code : UINT16_MAX);
}
/* False for a number that this version has no name for: final, and nothing was done. */
bool fob_wire_status_known(fob_status_t status);

/* FOB_OK; FOB_PROTOCOL: not such a frame, a kind that we do not know (out->kind then holds it),
 * numbers that break what stands above or run over. The topic points into the frame. */
fob_status_t fob_cast_read(fob_slice_t frame, fob_cast_t *out) FOB_MUST_USE;
/* Appends frame 1, its numbers unchecked. FOB_OK, FOB_NO_MEMORY. */
fob_status_t fob_cast_write(fob_buf_t *out, const fob_cast_t *cast) FOB_MUST_USE;

#endif
