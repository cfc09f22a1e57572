/* policy: what an operator may set of a group, live: its limits, how failing events come back, how
 * long dead letters stay. One table gives each setting its name (the same in the config file, in
 * `fob group set`, on the wire and in stats), its kind and its bounds. Pure. */
#ifndef FOB_CORE_POLICY_H
#define FOB_CORE_POLICY_H

#include "proto/slice.h"
#include <fob/fob_status.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What becomes of an event that comes when the group is full. */
typedef enum {
    FOB_OVERFLOW_REJECT = 0,      /* the publisher gets BUSY: nothing is lost */
    FOB_OVERFLOW_DROP_OLDEST = 1, /* the oldest ready event goes; the new one, where none is */
    FOB_OVERFLOW_DROP_LOWEST = 2, /* the oldest ready one of the lowest priority goes */
    FOB_OVERFLOW_DEAD_LETTER = 3  /* the new one is a dead letter of the group at once */
} fob_overflow_t;

typedef enum {
    FOB_POLICY_COUNT_KIND, /* a number */
    FOB_POLICY_BYTES_KIND,
    FOB_POLICY_TIME_KIND, /* ms */
    FOB_POLICY_OVERFLOW_KIND,
    FOB_POLICY_FLAG_KIND
} fob_policy_kind_t;

/* X (number in records and checkpoints, never changed; NAME; kind; least; most).
 * 0 means "none" for lease and max_age. */
#define FOB_POLICY_MAP(X)                                                                          \
    X(1, max_depth, COUNT, 1, INT64_MAX)       /* ready + leased + delayed at the most */          \
    X(2, max_bytes, BYTES, 1, INT64_MAX)       /* of the events that it has unsettled */           \
    X(3, overflow, OVERFLOW, 0, 3)             /* fob_overflow_t */                                \
    X(4, lease, TIME, 0, INT64_C(31536000000)) /* a handler may run so long; 0: as it likes */     \
    X(5, max_attempts, COUNT, 1, 1000000)      /* then: dead */                                    \
    X(6, max_age, TIME, 0,                                                                         \
      INT64_C(315576000000)) /* older ones die when their turn comes; 0: none */                   \
    X(7, backoff_first, TIME, 0, INT64_C(31536000000))                                             \
    X(8, backoff_factor, COUNT, 1, 1000)                                                           \
    X(9, backoff_max, TIME, 0, INT64_C(31536000000))                                               \
    X(10, dead_max, COUNT, 1, UINT32_MAX) /* dead letters kept; then the oldest is removed */      \
    X(11, dead_max_age, TIME, 1, INT64_C(3155760000000))                                           \
    X(12, paused, FLAG, 0, 1) /* nothing is handed out */

typedef struct {
#define FOB_POLICY_X(number, name, kind, least, most) uint64_t name;
    FOB_POLICY_MAP(FOB_POLICY_X)
#undef FOB_POLICY_X
} fob_policy_t;

enum {
#define FOB_POLICY_X(number, name, kind, least, most) FOB_POLICY_##name = number,
    FOB_POLICY_MAP(FOB_POLICY_X)
#undef FOB_POLICY_X
        FOB_POLICY_END
};
#define FOB_POLICY_SETTINGS (FOB_POLICY_END - 1)

/* Some settings: those whose bit (1 << number) is set. */
typedef struct {
    uint32_t mask;
    fob_policy_t to;
} fob_policy_patch_t;

/* A setting by its name, or number; 0 / NULL: there is none. */
unsigned fob_policy_find(fob_slice_t name);
const char *fob_policy_name(unsigned number);
fob_policy_kind_t fob_policy_kind(unsigned number);
void fob_policy_bounds(unsigned number, uint64_t *least, uint64_t *most);
uint64_t fob_policy_get(const fob_policy_t *self, unsigned number);
/* False: out of its bounds, or no such setting; nothing changed. */
bool fob_policy_set(fob_policy_t *self, unsigned number, uint64_t value);
void fob_policy_apply(fob_policy_t *self, const fob_policy_patch_t *patch);
/* The number of the first setting of a patch that cannot be as asked; 0: all can.
 * FOB_POLICY_END: a bit is set that stands for no setting. */
unsigned fob_policy_wrong(const fob_policy_patch_t *patch);
/* Brings every setting into its bounds. */
void fob_policy_clamp(fob_policy_t *self);
/* What a setting may be, for a sentence: "max_attempts is 1 to 1000000, not 0". Gives the bytes
 * written, as snprintf does. */
int fob_policy_explain(unsigned number, uint64_t value, char *out, size_t room);

/* "reject" "drop-oldest" "drop-lowest-priority" "dead-letter"; NULL / false: there is none. */
const char *fob_overflow_name(uint64_t overflow);
bool fob_overflow_find(fob_slice_t name, uint64_t *overflow);

#endif
