#include "tests/support/faults_disk.h"

#include <errno.h>

static bool strikes(faults_disk_t *self, unsigned kind) {
    if (!(self->kinds & kind) || !faults_strike(self->faults))
        return false;
    errno = self->error;
    return true;
}

static int on_open(void *arg, const char *path, int flags, mode_t mode) {
    faults_disk_t *self = arg;
    return strikes(self, FAULTS_OPEN) ? -1 : self->inner->open(self->inner->arg, path, flags, mode);
}

static int on_close(void *arg, int fd) {
    faults_disk_t *self = arg;
    int rc = self->inner->close(self->inner->arg, fd);
    return strikes(self, FAULTS_CLOSE) ? -1 : rc;
}

static ssize_t on_pread(void *arg, int fd, void *data, size_t size, off_t at) {
    faults_disk_t *self = arg;
    return strikes(self, FAULTS_READ) ? -1
                                      : self->inner->pread(self->inner->arg, fd, data, size, at);
}

static ssize_t on_pwritev(void *arg, int fd, const struct iovec *parts, int count, off_t at) {
    faults_disk_t *self = arg;
    return strikes(self, FAULTS_WRITE)
               ? -1
               : self->inner->pwritev(self->inner->arg, fd, parts, count, at);
}

static int on_fdatasync(void *arg, int fd) {
    faults_disk_t *self = arg;
    return strikes(self, FAULTS_SYNC) ? -1 : self->inner->fdatasync(self->inner->arg, fd);
}

static int on_fsync(void *arg, int fd) {
    faults_disk_t *self = arg;
    return strikes(self, FAULTS_SYNC) ? -1 : self->inner->fsync(self->inner->arg, fd);
}

static int on_fallocate(void *arg, int fd, off_t at, off_t size) {
    faults_disk_t *self = arg;
    return strikes(self, FAULTS_FALLOCATE) ? -1
                                           : self->inner->fallocate(self->inner->arg, fd, at, size);
}

static int on_rename(void *arg, const char *from, const char *to) {
    faults_disk_t *self = arg;
    return strikes(self, FAULTS_RENAME) ? -1 : self->inner->rename(self->inner->arg, from, to);
}

static int on_unlink(void *arg, const char *path) {
    faults_disk_t *self = arg;
    return strikes(self, FAULTS_UNLINK) ? -1 : self->inner->unlink(self->inner->arg, path);
}

static int on_mkdir(void *arg, const char *path, mode_t mode) {
    faults_disk_t *self = arg;
    return strikes(self, FAULTS_MKDIR) ? -1 : self->inner->mkdir(self->inner->arg, path, mode);
}

static int on_stat(void *arg, const char *path, fob_disk_stat_t *out) {
    faults_disk_t *self = arg;
    return strikes(self, FAULTS_LOOK) ? -1 : self->inner->stat(self->inner->arg, path, out);
}

static int on_fstat(void *arg, int fd, fob_disk_stat_t *out) {
    faults_disk_t *self = arg;
    return strikes(self, FAULTS_LOOK) ? -1 : self->inner->fstat(self->inner->arg, fd, out);
}

static int on_flock(void *arg, int fd, int operation) {
    faults_disk_t *self = arg;
    return strikes(self, FAULTS_LOCK) ? -1 : self->inner->flock(self->inner->arg, fd, operation);
}

static int on_list(void *arg, const char *folder, bool (*each)(void *to, const char *name),
                   void *to) {
    faults_disk_t *self = arg;
    return strikes(self, FAULTS_LOOK) ? -1 : self->inner->list(self->inner->arg, folder, each, to);
}

static int on_space(void *arg, const char *path, uint64_t *total, uint64_t *available) {
    faults_disk_t *self = arg;
    return strikes(self, FAULTS_LOOK)
               ? -1
               : self->inner->space(self->inner->arg, path, total, available);
}

void faults_disk_init(faults_disk_t *self, const fob_disk_t *inner, faults_t *faults) {
    *self = (faults_disk_t){.inner = inner, .faults = faults, .error = EIO};
    self->table = (fob_disk_t){.arg = self,
                               .open = on_open,
                               .close = on_close,
                               .pread = on_pread,
                               .pwritev = on_pwritev,
                               .fdatasync = on_fdatasync,
                               .fsync = on_fsync,
                               .fallocate = on_fallocate,
                               .rename = on_rename,
                               .unlink = on_unlink,
                               .mkdir = on_mkdir,
                               .stat = on_stat,
                               .fstat = on_fstat,
                               .flock = on_flock,
                               .list = on_list,
                               .space = on_space};
}
