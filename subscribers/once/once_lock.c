#include "subscribers/once/once_lock.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

enum { GATE = 0, DURABLE = 1, FAST = 2, KEYS = 16 };

/* What this process has open: LMDB does not bear the same folder twice in one. */
#define OPEN_MAX 64
static pthread_mutex_t open_lock = PTHREAD_MUTEX_INITIALIZER;
static struct { uint64_t device, inode; } open_files[OPEN_MAX];
static size_t open_count;

static int enlist(const fob_once_lock_t *self) {
    int error = 0;
    pthread_mutex_lock(&open_lock);
    for (size_t i = 0; i < open_count; i++)
        if (open_files[i].device == self->device && open_files[i].inode == self->inode)
            error = EBUSY;
    if (error == 0 && open_count == OPEN_MAX)
        error = EMFILE;
    if (error == 0) {
        open_files[open_count].device = self->device;
        open_files[open_count++].inode = self->inode;
    }
    pthread_mutex_unlock(&open_lock);
    return error;
}

static void delist(const fob_once_lock_t *self) {
    pthread_mutex_lock(&open_lock);
    for (size_t i = 0; i < open_count; i++)
        if (open_files[i].device == self->device && open_files[i].inode == self->inode) {
            open_files[i] = open_files[--open_count];
            break;
        }
    pthread_mutex_unlock(&open_lock);
}

/* 0 or an errno; a signal does not end the wait. */
static int lock(int fd, int command, short type, int64_t at) {
    struct flock byte = {.l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};
    while (fcntl(fd, command, &byte) != 0)
        if (errno != EINTR)
            return errno == EACCES ? EAGAIN : errno;
    return 0;
}

static int has(int fd, int64_t at, bool *held) {
    struct flock byte = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};
    if (fcntl(fd, F_OFD_GETLK, &byte) != 0)
        return errno;
    *held = byte.l_type != F_UNLCK;
    return 0;
}

int fob_once_lock_open(fob_once_lock_t *self, const char *path, bool fast) {
    struct stat file;
    *self = (fob_once_lock_t){.fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600), .fast = fast};
    if (self->fd < 0)
        return errno;
    int error = fstat(self->fd, &file) == 0 ? 0 : errno;
    self->device = file.st_dev;
    self->inode = file.st_ino;
    if (error == 0)
        error = enlist(self);
    if (error != 0) {
        close(self->fd);
        self->fd = -1;
        return error;
    }
    error = fob_once_lock_close_gate(self);
    if (error != 0)
        fob_once_lock_close(self);
    return error;
}

void fob_once_lock_close(fob_once_lock_t *self) {
    if (self->fd < 0)
        return;
    close(self->fd);
    delist(self);
    self->fd = -1;
}

int fob_once_lock_others(const fob_once_lock_t *self, fob_once_others_t *out) {
    int error = has(self->fd, self->fast ? FAST : DURABLE, &out->same);
    return error != 0 ? error : has(self->fd, self->fast ? DURABLE : FAST, &out->other);
}

int fob_once_lock_close_gate(fob_once_lock_t *self) {
    return lock(self->fd, F_OFD_SETLKW, F_WRLCK, GATE);
}

int fob_once_lock_join(fob_once_lock_t *self) {
    int error = lock(self->fd, F_OFD_SETLK, F_RDLCK, self->fast ? FAST : DURABLE);
    return error != 0 ? error : lock(self->fd, F_OFD_SETLK, F_UNLCK, GATE);
}

int64_t fob_once_lock_place(const uint8_t hash[FOB_ONCE_HASH_SIZE]) {
    return KEYS + (int64_t)(fob_once_sequence_read(hash) >> 2);
}

int fob_once_lock_take(fob_once_lock_t *self, int64_t place) {
    return lock(self->fd, F_OFD_SETLK, F_WRLCK, place);
}

void fob_once_lock_give(fob_once_lock_t *self, int64_t place) {
    /* The kernel may lack memory to split what it keeps as one range: then the key stays in
     * progress until this process ends, which is late, and not wrong. */
    int error = lock(self->fd, F_OFD_SETLK, F_UNLCK, place);
    assert(error == 0 || error == ENOLCK || error == ENOMEM);
    (void)error;
}
