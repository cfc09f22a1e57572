/* conduct: whether one connection behaves, judged by what the system tells of its descriptor. Pure.
 *
 * libzmq hands a message over when its last frame has come, and keeps the others until then,
 * without a bound; nor does it tell of a peer that says nothing, or takes nothing. So each
 * connection is looked at now and then: what came over it, what it took, and whether a message of
 * it had an end since the look before. */
#ifndef FOB_GUARD_CONDUCT_H
#define FOB_GUARD_CONDUCT_H

#include <stdbool.h>
#include <stdint.h>

/* Why the bus ends connections: name in the figures, and what the log says of it. */
#define FOB_ENDED_MAP(X)                                                                           \
    X(ENDLESS, "endless", "it sent more of a message than any message has, and no end of it")      \
    X(UNFINISHED, "unfinished", "it began a message, and did not end it in time")                  \
    X(SILENT, "silent", "it was open, and said nothing")                                           \
    X(UNREAD, "unread", "it did not read what was sent to it")                                     \
    X(STORM, "storm", "it changed its subscriptions without a pause")                              \
    X(CROWD, "crowd", "there are more connections than max_connections, or open files, allow")     \
    X(SUBSCRIPTIONS, "subscriptions", "it had too many subscriptions")                             \
    X(FRAMES, "frames", "it sent a message of far too many frames")                                \
    X(TALK, "talk", "it sent messages where only subscriptions are taken")                         \
    X(MIXED, "mixed", "its subscriptions cannot be told from those of others just now")

typedef enum {
    FOB_ENDED_NOT, /* it may stay */
#define FOB_ENDED_ENUM(name, word, sentence) FOB_ENDED_##name,
    FOB_ENDED_MAP(FOB_ENDED_ENUM)
#undef FOB_ENDED_ENUM
        FOB_ENDED_COUNT
} fob_ended_t;

/* "endless" and so on; and a half sentence about the connection. "" for FOB_ENDED_NOT. */
const char *fob_ended_name(fob_ended_t reason);
const char *fob_ended_sentence(fob_ended_t reason);

/* What is allowed; 0: everything. */
typedef struct {
    uint64_t message;      /* bytes without the end of a message: above the largest legal one */
    int64_t unfinished_ns; /* with a message that was begun, and no end of one */
    int64_t silent_ns; /* with no end of a message, nor more of one: for those who have to beat */
    int64_t unread_ns; /* with something to take, and taking nothing of it */
    uint64_t burst;    /* bytes that it may send at once, */
    uint64_t rate;     /* and a second: for those who have little to say */
} fob_conduct_limits_t;

/* What the system says of a connection now. */
typedef struct {
    uint64_t received; /* bytes, ever, by the kernel */
    uint64_t unread;   /* of these, what libzmq has not taken yet */
    uint64_t acked;    /* bytes that the peer acknowledged, ever */
    bool unsent;       /* there is something that it did not acknowledge */
} fob_conduct_sample_t;

/* When a look is taken. */
typedef struct {
    int64_t now_ns;   /* monotonic, above 0 */
    int64_t awake_ns; /* the same, but it stands still while the bus does; above 0 */
    bool sure; /* a message that was whole at the look before would have been handed over since */
} fob_conduct_look_t;

/* Of one connection. Begins as zeros, as it is accepted. */
typedef struct {
    int64_t looked_ns, heard_ns, took_ns; /* 0: not looked at yet */
    int64_t awake_ns;                     /* at the look before */
    int64_t whole_ns;                     /* the last look by which it owed no message's end */
    int64_t more_ns;                      /* the last look by which more came of such a message */
    uint64_t base;                        /* bytes at a look by which a message had an end */
    uint64_t spare;           /* bytes that may be libzmq's own, if as many were answered */
    uint64_t unfinished;      /* bytes that libzmq took, of a message without an end so far */
    uint64_t lasting;         /* the same, if that was so for a second at the look before; else 0 */
    uint64_t received, acked; /* at the look before */
    uint64_t level;           /* of what it sent of late, in bytes */
    bool heard;               /* a message had an end since the look before; the owner says so */
    bool over;                /* at the look before it was above `message` */
    bool brisk;               /* so much came since then that the next look had better be soon */
} fob_conduct_t;

/* One look. FOB_ENDED_NOT, or why the connection is to be ended: ENDLESS,
 * UNFINISHED, SILENT, UNREAD, STORM. Where a message had an end (`heard`), `unread` is to be from
 * before `received`: then no byte of that message is taken for the beginning of another. */
fob_ended_t fob_conduct_judge(fob_conduct_t *self, const fob_conduct_limits_t *limits,
                              const fob_conduct_sample_t *sample, const fob_conduct_look_t *look);

#endif
