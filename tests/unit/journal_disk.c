#include "journal_disk.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static test_disk_t *disk_of(void *arg) {
    return arg;
}

static const fob_disk_t *real(void) {
    return fob_disk_real();
}

static int test_open(void *arg, const char *path, int flags, mode_t mode) {
    (void)arg;
    return real()->open(NULL, path, flags, mode);
}

static int test_close(void *arg, int fd) {
    (void)arg;
    return real()->close(NULL, fd);
}

static ssize_t test_pread(void *arg, int fd, void *data, size_t size, off_t at) {
    (void)arg;
    return real()->pread(NULL, fd, data, size, at);
}

/* Whether a write needs room that the file has not got. */
static bool grows(int fd, const struct iovec *parts, int count, off_t at) {
    struct stat st;
    for (int i = 0; i < count; i++)
        at += (off_t)parts[i].iov_len;
    return fstat(fd, &st) != 0 || at > st.st_size;
}

static ssize_t test_pwritev(void *arg, int fd, const struct iovec *parts, int count, off_t at) {
    test_disk_t *self = disk_of(arg);
    pthread_mutex_lock(&self->lock);
    int error = self->fail_write;
    size_t first = self->write_first;
    if (error != 0)
        self->write_first = 0;
    self->writes++;
    bool full = self->full && grows(fd, parts, count, at);
    pthread_mutex_unlock(&self->lock);
    if (full) {
        errno = ENOSPC;
        return -1;
    }
    if (error == 0)
        return real()->pwritev(NULL, fd, parts, count, at);
    for (int i = 0; i < count && first > 0; i++) {
        struct iovec part = {parts[i].iov_base,
                             parts[i].iov_len < first ? parts[i].iov_len : first};
        real()->pwritev(NULL, fd, &part, 1, at);
        at += (off_t)part.iov_len;
        first -= part.iov_len;
    }
    errno = error;
    return -1;
}

static int test_fdatasync(void *arg, int fd) {
    test_disk_t *self = disk_of(arg);
    pthread_mutex_lock(&self->lock);
    self->syncs++;
    self->waiting++;
    pthread_cond_broadcast(&self->changed);
    while (self->hold_syncs)
        pthread_cond_wait(&self->changed, &self->lock);
    self->waiting--;
    int error = self->fail_sync;
    pthread_mutex_unlock(&self->lock);
    if (error == 0)
        return real()->fdatasync(NULL, fd);
    errno = error;
    return -1;
}

static int test_fsync(void *arg, int fd) {
    (void)arg;
    return real()->fsync(NULL, fd);
}

static int test_fallocate(void *arg, int fd, off_t at, off_t size) {
    test_disk_t *self = disk_of(arg);
    pthread_mutex_lock(&self->lock);
    bool full = self->full;
    pthread_mutex_unlock(&self->lock);
    if (!full)
        return real()->fallocate(NULL, fd, at, size);
    errno = ENOSPC;
    return -1;
}

static int test_rename(void *arg, const char *from, const char *to) {
    test_disk_t *self = disk_of(arg);
    pthread_mutex_lock(&self->lock);
    int error = self->fail_rename;
    pthread_mutex_unlock(&self->lock);
    if (error == 0)
        return real()->rename(NULL, from, to);
    errno = error;
    return -1;
}

static int test_unlink(void *arg, const char *path) {
    test_disk_t *self = disk_of(arg);
    pthread_mutex_lock(&self->lock);
    int error = self->unlinks_to_fail > 0 && strstr(path, ".seg") != NULL ? self->fail_unlink : 0;
    if (error != 0)
        self->unlinks_to_fail--;
    pthread_mutex_unlock(&self->lock);
    if (error != 0) {
        errno = error;
        return -1;
    }
    return real()->unlink(NULL, path);
}

static int test_space(void *arg, const char *path, uint64_t *total, uint64_t *available) {
    test_disk_t *self = disk_of(arg);
    int rc = real()->space(NULL, path, total, available);
    pthread_mutex_lock(&self->lock);
    if (self->full)
        *available = 0;
    pthread_mutex_unlock(&self->lock);
    return rc;
}

void test_disk_init(test_disk_t *self) {
    memset(self, 0, sizeof *self);
    self->table = *real(); /* what no test makes fail */
    self->table.arg = self;
    self->table.open = test_open;
    self->table.close = test_close;
    self->table.pread = test_pread;
    self->table.pwritev = test_pwritev;
    self->table.fdatasync = test_fdatasync;
    self->table.fsync = test_fsync;
    self->table.fallocate = test_fallocate;
    self->table.rename = test_rename;
    self->table.unlink = test_unlink;
    self->table.space = test_space;
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->changed, NULL);
}

bool test_disk_wait_held(test_disk_t *self) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    int rc = 0;
    pthread_mutex_lock(&self->lock);
    while (self->waiting == 0 && rc == 0)
        rc = pthread_cond_timedwait(&self->changed, &self->lock, &until);
    pthread_mutex_unlock(&self->lock);
    return rc == 0;
}

unsigned test_disk_syncs(test_disk_t *self) {
    pthread_mutex_lock(&self->lock);
    unsigned syncs = self->syncs;
    pthread_mutex_unlock(&self->lock);
    return syncs;
}

unsigned test_disk_writes(test_disk_t *self) {
    pthread_mutex_lock(&self->lock);
    unsigned writes = self->writes;
    pthread_mutex_unlock(&self->lock);
    return writes;
}
