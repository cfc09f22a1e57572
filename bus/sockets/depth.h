/* depth: how many messages may wait for a subscriber who does not take them, by their size: libzmq
 * counts messages, and memory is bytes. Where events are of many topics each message holds one, and
 * what is stored at once is many; where they are of few, a message holds 64 KiB. Pure. */
#ifndef FOB_BUS_DEPTH_H
#define FOB_BUS_DEPTH_H

#include <stdbool.h>
#include <stddef.h>

#define FOB_DEPTH_SMALL 4096 /* bytes of a message that is small */
#define FOB_DEPTH_FEW   256  /* messages of any size: of 64 KiB each 16 MiB, */
#define FOB_DEPTH_MANY  4096 /* and so many small ones are 16 MiB too */

typedef struct {
    bool few;       /* as one was large; all zeros: many may wait, as from the start on */
    bool anew;      /* a pipe came that does not know */
    unsigned small; /* one behind the other since */
} fob_depth_t;

static inline int fob_depth_most(const fob_depth_t *self) {
    return self->few ? FOB_DEPTH_FEW : FOB_DEPTH_MANY;
}

/* A subscriber came. libzmq makes its pipe as it would have when the socket was bound. */
static inline void fob_depth_came(fob_depth_t *self) {
    self->anew = self->few;
}

/* Before a message of so many bytes is sent. True: the pipes are to be told of fob_depth_most.
 * Small ones may be many again when as many came one behind the other. */
static inline bool fob_depth_next(fob_depth_t *self, size_t bytes) {
    bool before = self->few, anew = self->anew;
    if (bytes > FOB_DEPTH_SMALL) {
        self->few = true;
        self->small = 0;
    } else if (self->few && ++self->small == FOB_DEPTH_MANY) {
        self->few = false;
    }
    self->anew = false;
    return self->few != before || anew;
}

#endif
