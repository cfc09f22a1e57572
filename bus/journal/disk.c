#include "bus/journal/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define ZERO_BLOCK 65536
#define ZERO_PARTS 16

static int real_open(void *arg, const char *path, int flags, mode_t mode) {
    (void)arg;
    return open(path, flags | O_CLOEXEC, mode);
}

static int real_close(void *arg, int fd) {
    (void)arg;
    return close(fd);
}

static ssize_t real_pread(void *arg, int fd, void *data, size_t size, off_t at) {
    (void)arg;
    return pread(fd, data, size, at);
}

static ssize_t real_pwritev(void *arg, int fd, const struct iovec *parts, int count, off_t at) {
    (void)arg;
    return pwritev(fd, parts, count, at);
}

static int real_fdatasync(void *arg, int fd) {
    (void)arg;
    return fdatasync(fd);
}

static int real_fsync(void *arg, int fd) {
    (void)arg;
    return fsync(fd);
}

static int real_fallocate(void *arg, int fd, off_t at, off_t size) {
    (void)arg;
    return fallocate(fd, 0, at, size);
}

static int real_rename(void *arg, const char *from, const char *to) {
    (void)arg;
    return rename(from, to);
}

static int real_unlink(void *arg, const char *path) {
    (void)arg;
    return unlink(path);
}

static int real_mkdir(void *arg, const char *path, mode_t mode) {
    (void)arg;
    return mkdir(path, mode);
}

static int told(int rc, const struct stat *st, fob_disk_stat_t *out) {
    if (rc == 0)
        *out = (fob_disk_stat_t){(uint64_t)st->st_size, st->st_dev, st->st_ino, st->st_nlink};
    return rc;
}

static int real_stat(void *arg, const char *path, fob_disk_stat_t *out) {
    (void)arg;
    struct stat st;
    return told(stat(path, &st), &st, out);
}

static int real_fstat(void *arg, int fd, fob_disk_stat_t *out) {
    (void)arg;
    struct stat st;
    return told(fstat(fd, &st), &st, out);
}

static int real_flock(void *arg, int fd, int operation) {
    (void)arg;
    return flock(fd, operation);
}

static int real_list(void *arg, const char *folder, bool (*each)(void *to, const char *name),
                     void *to) {
    (void)arg;
    DIR *dir = opendir(folder);
    if (dir == NULL)
        return -1;
    const struct dirent *entry;
    bool on = true;
    errno = 0;
    while (on && (entry = readdir(dir)) != NULL) {
        on = each(to, entry->d_name);
        errno = 0;
    }
    /* A list that broke off must not pass for one of a folder with fewer files. */
    int error = on ? errno : 0;
    closedir(dir);
    errno = error;
    return error == 0 ? 0 : -1;
}

static int real_space(void *arg, const char *path, uint64_t *total, uint64_t *available) {
    (void)arg;
    struct statvfs fs;
    if (statvfs(path, &fs) != 0)
        return -1;
    *total = (uint64_t)fs.f_blocks * fs.f_frsize;
    *available = (uint64_t)fs.f_bavail * fs.f_frsize;
    return 0;
}

const fob_disk_t *fob_disk_real(void) {
    static const fob_disk_t real = {
        .open = real_open,
        .close = real_close,
        .pread = real_pread,
        .pwritev = real_pwritev,
        .fdatasync = real_fdatasync,
        .fsync = real_fsync,
        .fallocate = real_fallocate,
        .rename = real_rename,
        .unlink = real_unlink,
        .mkdir = real_mkdir,
        .stat = real_stat,
        .fstat = real_fstat,
        .flock = real_flock,
        .list = real_list,
        .space = real_space,
    };
    return &real;
}

static int look_open(void *arg, const char *path, int flags, mode_t mode) {
    (void)mode;
    return real_open(arg, path, (flags & ~(O_ACCMODE | O_CREAT | O_TRUNC)) | O_RDONLY, 0);
}

static ssize_t look_pwritev(void *arg, int fd, const struct iovec *parts, int count, off_t at) {
    (void)arg, (void)fd, (void)at;
    size_t size = 0;
    for (int i = 0; i < count; i++)
        size += parts[i].iov_len;
    return (ssize_t)size;
}

static int look_sync(void *arg, int fd) {
    (void)arg, (void)fd;
    return 0;
}

static int look_fallocate(void *arg, int fd, off_t at, off_t size) {
    (void)arg, (void)fd, (void)at, (void)size;
    return 0;
}

static int look_rename(void *arg, const char *from, const char *to) {
    (void)arg, (void)from, (void)to;
    return 0;
}

static int look_mkdir(void *arg, const char *path, mode_t mode) {
    (void)arg, (void)path, (void)mode;
    return 0;
}

static int look_unlink(void *arg, const char *path) {
    (void)arg, (void)path;
    return 0;
}

const fob_disk_t *fob_disk_look(void) {
    static const fob_disk_t look = {
        .open = look_open,
        .close = real_close,
        .pread = real_pread,
        .pwritev = look_pwritev,
        .fdatasync = look_sync,
        .fsync = look_sync,
        .fallocate = look_fallocate,
        .rename = look_rename,
        .unlink = look_unlink,
        .mkdir = look_mkdir,
        .stat = real_stat,
        .fstat = real_fstat,
        .flock = real_flock,
        .list = real_list,
        .space = real_space,
    };
    return &look;
}

int fob_disk_read(const fob_disk_t *self, int fd, void *data, size_t size, uint64_t at,
                  size_t *got) {
    *got = 0;
    while (*got < size) {
        ssize_t n =
            self->pread(self->arg, fd, (uint8_t *)data + *got, size - *got, (off_t)(at + *got));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            return 0;
        *got += (size_t)n;
    }
    return 0;
}

int fob_disk_write(const fob_disk_t *self, int fd, struct iovec *parts, size_t count, uint64_t at) {
    while (count > 0) {
        if (parts->iov_len == 0) {
            parts++, count--;
            continue;
        }
        int now = count < IOV_MAX ? (int)count : IOV_MAX;
        ssize_t n = self->pwritev(self->arg, fd, parts, now, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = ENOSPC;
        if (n <= 0)
            return -1;
        at += (uint64_t)n;
        size_t left = (size_t)n;
        while (count > 0 && left >= parts->iov_len) {
            left -= parts->iov_len;
            parts++, count--;
        }
        if (left > 0) {
            parts->iov_base = (uint8_t *)parts->iov_base + left;
            parts->iov_len -= left;
        }
    }
    return 0;
}

int fob_disk_zero(const fob_disk_t *self, int fd, uint64_t at, uint64_t size) {
    static const uint8_t zeros[ZERO_BLOCK];
    while (size > 0) {
        struct iovec parts[ZERO_PARTS];
        size_t count = 0;
        uint64_t sum = 0;
        while (count < ZERO_PARTS && sum < size) {
            uint64_t left = size - sum;
            parts[count].iov_base = (void *)(uintptr_t)zeros;
            parts[count].iov_len = left < ZERO_BLOCK ? (size_t)left : ZERO_BLOCK;
            sum += parts[count++].iov_len;
        }
        if (fob_disk_write(self, fd, parts, count, at) != 0)
            return -1;
        at += sum;
        size -= sum;
    }
    return 0;
}
