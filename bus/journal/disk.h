/* disk: the system calls of the journal, as a table, so that tests can put failures, torn writes
 * and full disks in. Each call returns as the system's does, with errno set. Called from any
 * thread. */
#ifndef FOB_JOURNAL_DISK_H
#define FOB_JOURNAL_DISK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Of a file or folder. */
typedef struct {
    uint64_t size;
    uint64_t device, inode; /* tell it from every other */
    uint64_t links;         /* names it has; 0: it was removed */
} fob_disk_stat_t;

typedef struct fob_disk {
    void *arg; /* given to each call */
    int (*open)(void *arg, const char *path, int flags, mode_t mode);
    int (*close)(void *arg, int fd);
    ssize_t (*pread)(void *arg, int fd, void *data, size_t size, off_t at);
    ssize_t (*pwritev)(void *arg, int fd, const struct iovec *parts, int count, off_t at);
    int (*fdatasync)(void *arg, int fd);
    int (*fsync)(void *arg, int fd); /* of a new file, and of the folder */
    int (*fallocate)(void *arg, int fd, off_t at, off_t size);
    int (*rename)(void *arg, const char *from, const char *to);
    int (*unlink)(void *arg, const char *path);
    int (*mkdir)(void *arg, const char *path, mode_t mode);
    int (*stat)(void *arg, const char *path, fob_disk_stat_t *out);
    int (*fstat)(void *arg, int fd, fob_disk_stat_t *out);
    int (*flock)(void *arg, int fd, int operation);
    /* Tells `each` the names in a folder, in no order, until it says false. 0, or -1 with errno. */
    int (*list)(void *arg, const char *folder, bool (*each)(void *to, const char *name), void *to);
    /* Bytes of the file system at `path`: all, and those this user may still take. */
    int (*space)(void *arg, const char *path, uint64_t *total, uint64_t *available);
} fob_disk_t;

/* The real one. */
const fob_disk_t *fob_disk_real(void);
/* Reads the real one; every change is as if it were done and is not. */
const fob_disk_t *fob_disk_look(void);

/* All of `size` bytes, or -1; a file that ends before gives 0 bytes short: *got tells. EINTR is
 * retried. */
int fob_disk_read(const fob_disk_t *self, int fd, void *data, size_t size, uint64_t at,
                  size_t *got);
/* All of `count` parts (changed on the way), in calls of at most IOV_MAX; -1 with errno. A write
 * that stops short without a word is ENOSPC. */
int fob_disk_write(const fob_disk_t *self, int fd, struct iovec *parts, size_t count, uint64_t at);
/* Zeros from `at` on. */
int fob_disk_zero(const fob_disk_t *self, int fd, uint64_t at, uint64_t size);

#endif
