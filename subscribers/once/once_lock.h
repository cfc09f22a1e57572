/* once_lock: the lock file of a store of fob_once: who has the folder open, and which keys are in
 * progress.
 *
 * All of it is locks on single bytes of one file that stays empty, held by its open descriptor
 * (F_OFD_SETLK): the kernel drops them when the process ends, however it ends. So there is no pid
 * that may be given again, no boot to tell from another, and no lease.
 *
 *      byte 0                the gate: held while a process opens or closes the store
 *      byte 1, byte 2        shared by each process that has it open, durable or fast
 *      16 + 62 bits of hash  a key that is in progress
 *
 * Within the process the caller sees to it that nobody begins a key twice. */
#ifndef FOB_ONCE_LOCK_H
#define FOB_ONCE_LOCK_H

#include "subscribers/once/once_record.h"

typedef struct {
    int fd; /* -1: closed */
    bool fast;
    uint64_t device, inode; /* of the file */
} fob_once_lock_t;

/* Opens (and makes) the file at `path` and waits for the gate. 0; EBUSY: this process has it open
 * already; else an errno. */
int fob_once_lock_open(fob_once_lock_t *self, const char *path, bool fast);
/* Drops all, the gate too. Harmless on one that is closed. */
void fob_once_lock_close(fob_once_lock_t *self);

/* Between close_gate and open_gate, and after open: whether another process has the store open,
 * with our setting of `fast` or with the other. */
typedef struct {
    bool same, other;
} fob_once_others_t;
int fob_once_lock_others(const fob_once_lock_t *self, fob_once_others_t *out);
int fob_once_lock_close_gate(fob_once_lock_t *self); /* waits */
/* Says that this process has it open, and lets the next one through. */
int fob_once_lock_join(fob_once_lock_t *self);

/* A key's byte. */
int64_t fob_once_lock_place(const uint8_t hash[FOB_ONCE_HASH_SIZE]);
/* 0; EAGAIN: another process holds it; else an errno. */
int fob_once_lock_take(fob_once_lock_t *self, int64_t place);
void fob_once_lock_give(fob_once_lock_t *self, int64_t place);

#endif
