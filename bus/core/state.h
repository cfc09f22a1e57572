/* state: the inside of a core, shared by its files and nobody else. */
#ifndef FOB_CORE_STATE_H
#define FOB_CORE_STATE_H

#include "bus/core/admin/moved.h"
#include "bus/core/core.h"
#include "bus/core/durable/record.h"
#include "bus/core/events/cache.h"
#include "bus/core/events/chain.h"
#include "bus/core/events/waits.h"
#include "bus/core/publish/dedup.h"
#include "bus/core/publish/present.h"
#include "bus/core/publish/refusal.h"
#include "bus/core/publish/twins.h"
#include "bus/core/publish/writer.h"
#include "bus/core/turn.h"
#include "bus/core/work/history.h"
#include "bus/core/work/member.h"

/* A checkpoint under way: see checkpoint.c. */
typedef struct {
    uint8_t stage;        /* what comes next; 0: none under way */
    uint8_t kind;         /* of `unit` */
    fob_buf_t unit;       /* bytes that are true for one stamp; handed out in slices */
    size_t at;            /* handed out of it */
    fob_stamp_t stamp;    /* of the unit */
    uint64_t number;      /* of slices, written or read */
    uint32_t group, last; /* ids of the groups to go on with and to end before */
    uint32_t bucket;      /* of the writers to go on with */
    uint64_t offset;      /* of the last id */
    uint64_t head;        /* at its begin */
    bool topics;          /* of those something was read */
    uint32_t version;     /* of the slice read last */
    bool open;            /* the unit goes on behind what was handed out last */
} fob_snapshot_t;

typedef struct fob_inquiries fob_inquiries_t; /* inquiry.h */
typedef struct fob_item fob_item_t;           /* offer.h */

/* What was found out about a part of the journal that could be given back: see reclaim.c. */
typedef struct {
    uint64_t asked; /* the end of that part, as was told last; 0: of none yet */
    uint64_t below; /* what the rest is about */
    bool worth;
    int64_t again_ns; /* when it is looked at again, where it was not */
} fob_reclaiming_t;

struct fob_core {
    fob_core_config_t config;
    char error[256];

    /* --- durable: changed by fob_apply only --- */
    uint64_t head;   /* the last offset given */
    int64_t time_ms; /* of the last record */
    uint32_t next_group;
    fob_groups_t groups;
    fob_writers_t writers;
    fob_dedup_t *dedup;
    fob_history_t *history; /* of all groups */
    uint64_t seed;          /* of the dedup table; 0: none yet */
    fob_moved_t moved;

    /* --- volatile --- */
    bool live;            /* started: applying wakes workers and counts rates */
    uint64_t position;    /* of the last commit taken (or replayed) */
    fob_stamp_t stamp;    /* of the record being replayed */
    fob_stamp_t loaded;   /* replay skips what is before: the checkpoint holds all of it */
    uint64_t unsettled;   /* of all groups */
    bool sparing;         /* the journal has little room: see sparing.h */
    uint32_t spare_most;  /* for so many hand-outs of one group */
    uint64_t room_events; /* so many more may be found by a census; see fob_core_room */
    fob_now_t now;
    fob_topics_t topics;
    fob_chain_t chain;
    fob_sheet_pool_t sheets;
    fob_cache_t cache;
    fob_members_t members;
    fob_open_turn_t *open; /* the turn being built, or NULL */
    fob_open_turn_t *pool; /* released ones */
    uint32_t pool_count;
    fob_group_t **dirty; /* groups to look at in the next take; room for each twice */
    size_t dirty_count, dirty_capacity;
    size_t take_bytes;    /* delivered in this take */
    bool again;           /* more could be handed out: take again at once */
    fob_waits_t waits;    /* groups that wait for a time or a page */
    int64_t spared_ns;    /* until then no lease runs out */
    int64_t resume_until; /* mono_ns; FOB_NEVER: over */
    uint64_t swept;       /* head when long gaps were last covered */
    fob_refusals_t refusals;
    fob_present_t present;
    fob_inquiries_t *inquiries; /* operators' requests under way; NULL: there were none yet */
    fob_buf_t rows, row_heads;  /* scratch: encoded runs */
    fob_item_t *items;          /* scratch: an offer's numbers, where not all is good and new */
    fob_twins_t twins;          /* scratch: an offer's ids */
    uint64_t offers;            /* number of the last one that was looked at event by event */
    uint32_t *match;            /* scratch: by topic of a sheet: match_id for no, + 1 for yes */
    size_t match_capacity;
    uint32_t match_id;
    fob_snapshot_t snapshot; /* the checkpoint being written, or read */
    struct fob_copy *copy;   /* of the group whose turn it is; NULL: there was no checkpoint yet */
    uint64_t events_in, busy;
    bool reached_back; /* a group began in the past, and nobody was told yet */
    fob_reclaiming_t reclaiming;
};

/* The turn being built; NULL: no memory. */
fob_open_turn_t *fob_core_open(fob_core_t *self);
/* The position that the turn being built will have. */
static inline uint64_t fob_core_next_position(const fob_core_t *self) {
    return self->position + 1;
}
/* The stamp of the record that would be made next. */
static inline fob_stamp_t fob_core_stamp(const fob_core_t *self) {
    return (fob_stamp_t){self->position + 1, self->open ? (uint32_t)self->open->record_count : 0};
}
/* Whether what was loaded holds the record being replayed. */
static inline bool fob_core_holds(const fob_core_t *self, fob_stamp_t loaded) {
    return !self->live && fob_stamp_before(self->stamp, loaded);
}
/* The time of a record made now: never goes back. */
static inline int64_t fob_core_time(const fob_core_t *self) {
    return self->now.wall_ms > self->time_ms ? self->now.wall_ms : self->time_ms;
}
/* The group is looked at in the next take. Cannot fail. */
void fob_core_wake(fob_core_t *self, fob_group_t *group);
/* An event that came back waits for its time, or may go out at once. */
void fob_core_schedule(fob_core_t *self, fob_group_t *group, fob_back_entry_t *entry);
/* Says that somebody waits for a record of the open turn. */
void fob_core_wait(fob_core_t *self, uint64_t position);

/* --- apply.c: the one place where durable state changes --- */

/* What a record needs that may fail: memory. `sheet` is routed. */
bool fob_apply_reserve_events(fob_core_t *self, const fob_record_events_t *record,
                              const fob_sheet_t *sheet);
/* The parts of it. How many answers a session gets by the sheet; and what its events need. */
uint32_t fob_apply_count_answers(const fob_sheet_t *sheet);
bool fob_apply_reserve_sheet(fob_core_t *self, const fob_sheet_t *sheet);
void fob_apply_events(fob_core_t *self, uint64_t position, const fob_record_events_t *record,
                      const fob_sheet_t *sheet);
/* There is room for one more in `moved`. */
void fob_apply_move(fob_core_t *self, const fob_record_moved_t *record);
/* FOB_OK, FOB_NO_MEMORY (nothing changed), FOB_DAMAGED (it does not fit; text in error). */
fob_status_t fob_apply(fob_core_t *self, uint64_t position, fob_slice_t record) FOB_MUST_USE;

/* Room for one more group in all lists; false: no memory. */
bool fob_core_reserve_group(fob_core_t *self);

/* --- the commands --- */
fob_status_t fob_publish(fob_core_t *self, const fob_command_t *command) FOB_MUST_USE;
/* A connection of the session is there. FOB_OK, FOB_NO_MEMORY. */
fob_status_t fob_publisher_present(fob_core_t *self, uint64_t conn,
                                   const uint8_t *session) FOB_MUST_USE;
/* A connection is over; `done`: its client will not come back for what it published. */
void fob_publisher_gone(fob_core_t *self, uint64_t conn, bool done);
fob_status_t fob_join(fob_core_t *self, const fob_command_t *command) FOB_MUST_USE;
fob_status_t fob_leave(fob_core_t *self, const fob_command_t *command) FOB_MUST_USE;
fob_status_t fob_unsent(fob_core_t *self, const fob_command_t *command) FOB_MUST_USE;
fob_status_t fob_unreachable(fob_core_t *self, const fob_command_t *command) FOB_MUST_USE;
fob_status_t fob_lost(fob_core_t *self, const fob_command_t *command) FOB_MUST_USE;
fob_status_t fob_credit(fob_core_t *self, const fob_command_t *command) FOB_MUST_USE;
fob_status_t fob_settle(fob_core_t *self, const fob_command_t *command) FOB_MUST_USE;
fob_status_t fob_admin(fob_core_t *self, const fob_command_t *command) FOB_MUST_USE;
fob_status_t fob_page(fob_core_t *self, const fob_command_t *command) FOB_MUST_USE;
fob_status_t fob_page_absent(fob_core_t *self, const fob_command_t *command) FOB_MUST_USE;

/* FOB_OK, FOB_INVALID (the name), FOB_BAD_PATTERN. */
fob_status_t fob_group_check(fob_slice_t name, fob_slice_t pattern);
/* The sentence for a refusal, in the open turn's memory; empty for a status that needs none. */
fob_slice_t fob_group_refusal(fob_core_t *self, fob_status_t status, fob_slice_t name,
                              fob_slice_t pattern, const fob_group_t *group);
/* A group that is to be made; the settings are the bus's defaults but for the patch. */
typedef struct {
    fob_slice_t name, pattern;
    bool temporary;
    fob_policy_patch_t patch;
    uint64_t start; /* the lowest offset it gets; 0: the next that is given */
} fob_birth_t;

/* Makes a group, with its settings, by records of the open turn. FOB_OK, FOB_LIMIT,
 * FOB_NO_MEMORY. */
fob_status_t fob_group_create(fob_core_t *self, const fob_birth_t *birth,
                              fob_group_t **out) FOB_MUST_USE;
/* A sentence in the open turn's memory; empty where there is none. */
fob_slice_t fob_sentence(fob_core_t *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Adds a record of the open turn, in which there is room, and applies it. FOB_OK, FOB_NO_MEMORY. */
fob_status_t fob_core_record(fob_core_t *self, const uint8_t *bytes, size_t size) FOB_MUST_USE;
/* GROUP_ADD, GROUP_RESET of which it is known now where it begins: `offset`, or head + 1; other
 * GROUP_... Answers as fob_core_step does. */
fob_status_t fob_group_begin_at(fob_core_t *self, const fob_command_t *command,
                                uint64_t offset) FOB_MUST_USE;
/* Room for the end of a group, and for what its last worker gives back first; NULL: no memory. */
uint8_t *fob_group_drop_reserve(fob_core_t *self);
/* Ends a group that nobody works for, in the room reserved. */
void fob_group_drop(fob_core_t *self, fob_group_t *group, uint8_t *bytes);

/* Takes what a member holds under tokens from `from` on away from it: the first `counted` of it at
 * the cost of an attempt. */
fob_status_t fob_give_back(fob_core_t *self, uint32_t index, uint64_t from, uint64_t counted,
                           uint8_t reason) FOB_MUST_USE;

/* Hands out to the workers of one group what may go; true: there may be more, at once. */
bool fob_handout(fob_core_t *self, fob_group_t *group);
/* Covers long stretches in which nothing matched, where that rides on a commit anyway. */
void fob_handout_sweep(fob_core_t *self);

#endif
