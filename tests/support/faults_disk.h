/* faults_disk: a disk of which the N-th call of some kinds fails, in front of another one. */
#ifndef FOB_TESTS_FAULTS_DISK_H
#define FOB_TESTS_FAULTS_DISK_H

#include "bus/journal/disk.h"
#include "tests/support/faults.h"

enum {
    FAULTS_OPEN = 1,
    FAULTS_READ = 2,
    FAULTS_WRITE = 4,
    FAULTS_SYNC = 8, /* fdatasync and fsync */
    FAULTS_FALLOCATE = 16,
    FAULTS_RENAME = 32,
    FAULTS_UNLINK = 64,
    FAULTS_MKDIR = 128,
    FAULTS_LOOK = 256, /* stat, fstat, list, space */
    FAULTS_LOCK = 512,
    FAULTS_CLOSE = 1024 /* the descriptor is closed all the same, as the system does */
};

typedef struct {
    fob_disk_t table; /* what the journal is given */
    const fob_disk_t *inner;
    faults_t *faults;
    unsigned kinds; /* of calls that are counted */
    int error;      /* errno that they fail with */
} faults_disk_t;

void faults_disk_init(faults_disk_t *self, const fob_disk_t *inner, faults_t *faults);

#endif
