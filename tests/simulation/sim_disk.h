/* sim_disk: a disk in memory, as the journal's table of system calls, that keeps what was synced
 * and may lose all else.
 *
 * A file has sectors of 512 bytes. A write changes what is read at once; on disk is what was synced
 * since. When power is lost (sim_disk_crash) each sector that was not synced is kept, dropped, or
 * trashed: the bytes in which it differs from what is on disk become anything. What is written
 * again as it was does not differ: a disk that harms bytes it was not told to change is not
 * simulated, the journal packs commits into shared sectors and relies on that. After an fsync that
 * failed, its sectors are taken for clean by the system: they can be read, and the next sync does
 * not write them. Names (creation, rename, unlink) are durable when the folder is synced; others
 * are kept or undone one by one.
 *
 * On one thread. Time passes only by `pause`. */
#ifndef FOB_TESTS_SIMULATION_SIM_DISK_H
#define FOB_TESTS_SIMULATION_SIM_DISK_H

#include "bus/journal/disk.h"
#include "random.h"

/* Each is the chance of one call, "once in"; 0: never. */
typedef struct {
    uint64_t short_write, short_read; /* less than asked for, without a word */
    uint64_t full;                    /* ENOSPC of a write or fallocate though there is room */
    uint64_t write_error, read_error; /* EIO; a part of it may be written */
    uint64_t sync_error;              /* EIO of fsync and fdatasync */
    uint64_t name_error;              /* EIO of open with O_CREAT, rename, unlink */
    uint64_t slow;                    /* the call takes up to slow_us, otherwise up to fast_us */
    int64_t slow_us, fast_us;
    int64_t sync_us;   /* a sync takes up to so much more */
    uint64_t nth;      /* the so-manieth call from now on that can fail does, once; 0: none */
    bool no_fallocate; /* the file system cannot: EOPNOTSUPP */
} sim_faults_t;

typedef struct {
    uint64_t errors, sync_errors, full, shorts; /* calls that were made to fail, or to do less */
    uint64_t writes, reads, syncs, looks;       /* looks: at the room that is left */
} sim_disk_tally_t;

typedef struct sim_disk sim_disk_t;

/* Empty, with one folder "/". `bytes`: its size. Out of memory it aborts: it is a test's. */
sim_disk_t *sim_disk_new(uint64_t seed, uint64_t bytes);
void sim_disk_destroy(sim_disk_t **self_p);
/* As long as the disk lives. */
const fob_disk_t *sim_disk_table(sim_disk_t *self);

void sim_disk_faults(sim_disk_t *self, sim_faults_t faults);
/* Called before and after each call's effect, with the microseconds it takes; NULL: none. */
void sim_disk_pause(sim_disk_t *self, void (*pause)(void *arg, int64_t us), void *arg);
void sim_disk_resize(sim_disk_t *self, uint64_t bytes);

/* What the next start finds if power is lost now: a disk of its own, without faults; this one goes
 * on. */
sim_disk_t *sim_disk_crash(const sim_disk_t *self, uint64_t seed);
/* The same if only the program ends: nothing is lost but, where a sync failed, what the system took
 * for clean and has put out of its memory. */
sim_disk_t *sim_disk_kill(const sim_disk_t *self, uint64_t seed);

/* Looking, and harming. */
size_t sim_disk_open_files(const sim_disk_t *self);
/* Since the last time it was reset. */
sim_disk_tally_t sim_disk_tally(const sim_disk_t *self);
void sim_disk_tally_reset(sim_disk_t *self);
/* Of a file; -1: there is none. */
int64_t sim_disk_size(const sim_disk_t *self, const char *path);
/* The index-th path in the order of names; NULL: no more. */
const char *sim_disk_path(const sim_disk_t *self, size_t index);
/* Bytes as they are read. */
void sim_disk_peek(const sim_disk_t *self, const char *path, uint64_t at, void *data, size_t size);
/* Flips bits in a byte of a file, also of what is on disk. */
void sim_disk_flip(sim_disk_t *self, const char *path, uint64_t at, uint8_t bits);
/* One number for all names and bytes. */
uint64_t sim_disk_hash(const sim_disk_t *self);

#endif
