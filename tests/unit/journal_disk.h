/* A disk that does what a test says: holds syncs back, fails them, is full, writes half.
 * Thread-safe. */
#ifndef FOB_TESTS_JOURNAL_DISK_H
#define FOB_TESTS_JOURNAL_DISK_H

#include "bus/journal/disk.h"

#include <pthread.h>
#include <stdbool.h>

typedef struct {
    fob_disk_t table; /* give &disk.table to the journal */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* What to do. */
    bool hold_syncs;    /* fdatasync waits until let go */
    int fail_sync;      /* errno that each fdatasync fails with; 0: none */
    int fail_write;     /* errno that each write fails with, */
    size_t write_first; /* after this many bytes of it were written */
    bool full;          /* no file can be made larger, nothing is available */
    int fail_rename;
    int fail_unlink;          /* errno of the next unlinks of segments, */
    unsigned unlinks_to_fail; /* so many of them */
    /* What was done. */
    unsigned syncs, waiting; /* fdatasyncs begun; held back now */
    unsigned writes;
} test_disk_t;

void test_disk_init(test_disk_t *self);
/* Sets one of the fields above, waking those held back. */
#define test_disk_set(self, field, value)                                                          \
    do {                                                                                           \
        pthread_mutex_lock(&(self)->lock);                                                         \
        (self)->field = (value);                                                                   \
        pthread_cond_broadcast(&(self)->changed);                                                  \
        pthread_mutex_unlock(&(self)->lock);                                                       \
    } while (0)
/* Waits until a sync is held back; false: took too long. */
bool test_disk_wait_held(test_disk_t *self);
unsigned test_disk_syncs(test_disk_t *self);
unsigned test_disk_writes(test_disk_t *self);

#endif
