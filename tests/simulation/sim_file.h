/* sim_file: a file or folder of the simulated disk: its bytes as they are read, its bytes as they
 * are on disk, and which sectors differ. */
#ifndef FOB_TESTS_SIMULATION_SIM_FILE_H
#define FOB_TESTS_SIMULATION_SIM_FILE_H

#include "random.h"

#define SIM_SECTOR 512u

typedef enum {
    SIM_CLEAN,
    SIM_DIRTY, /* written, the next sync takes it */
    SIM_LOST   /* a sync of it failed: the system takes it for clean */
} sim_sector_t;

typedef struct {
    uint64_t inode;
    bool folder;
    unsigned refs;  /* names, durable names and descriptors */
    unsigned links; /* names */
    uint8_t *bytes, *durable;
    uint8_t *sectors;  /* sim_sector_t of each */
    uint64_t size;     /* of bytes, */
    uint64_t synced;   /* and on disk */
    uint64_t capacity; /* of all three, in bytes */
    void *holder;      /* of its lock */
} sim_file_t;

sim_file_t *sim_file_new(uint64_t inode, bool folder);
void sim_file_hold(sim_file_t *self);
void sim_file_release(sim_file_t *self);

/* Bytes it takes of the disk. */
uint64_t sim_file_room(uint64_t size);
/* Zeros up to `size`. */
void sim_file_extend(sim_file_t *self, uint64_t size);
void sim_file_truncate(sim_file_t *self);
/* Within its size or behind it. */
void sim_file_write(sim_file_t *self, uint64_t at, const void *data, size_t size);
void sim_file_sync(sim_file_t *self);
void sim_file_sync_failed(sim_file_t *self);
/* As the next start finds it, under the same inode. */
sim_file_t *sim_file_after_crash(const sim_file_t *self, sim_random_t *random);
sim_file_t *sim_file_after_kill(const sim_file_t *self, sim_random_t *random);

#endif
