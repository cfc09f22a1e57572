#include "sim_disk.h"

#include "sim_names.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#define FIRST_FD 1000

/* Numbers are never given twice, so that one that was closed is known for it. */
typedef struct {
    sim_file_t *file; /* NULL: closed */
    char *path;       /* of a folder */
    bool writes;
} opened_t;

struct sim_disk {
    fob_disk_t table;
    sim_random_t random;
    sim_names_t names;
    uint64_t bytes, next_inode;
    opened_t *fds;
    size_t fd_count, fd_capacity;
    sim_faults_t faults;
    uint64_t calls; /* that could have failed, since the faults were set */
    sim_disk_tally_t tally;
    void (*pause)(void *arg, int64_t us);
    void *pause_arg;
};

static sim_disk_t *disk_of(void *arg) {
    return arg;
}

/* --- time and faults --- */

static void begin_call_of(sim_disk_t *self, int64_t more_us) {
    bool slow = sim_random_once(&self->random, self->faults.slow);
    int64_t most = slow ? self->faults.slow_us : self->faults.fast_us;
    int64_t us = (int64_t)sim_random_below(&self->random, (uint64_t)most + 1);
    if (more_us > 0)
        us += (int64_t)sim_random_below(&self->random, (uint64_t)more_us + 1);
    if (self->pause != NULL)
        self->pause(self->pause_arg, us);
}

static void begin_call(sim_disk_t *self) {
    begin_call_of(self, 0);
}

/* Ends a call: the one that made it may be held up before it sees what came of it. */
static int64_t end_call(sim_disk_t *self, int64_t result, int error) {
    if (self->pause != NULL)
        self->pause(self->pause_arg, 0);
    if (error != 0)
        errno = error;
    return error != 0 ? -1 : result;
}

static bool strikes(sim_disk_t *self, uint64_t in) {
    bool hit = sim_random_once(&self->random, in);
    self->calls++;
    hit = hit || self->calls == self->faults.nth;
    self->tally.errors += hit;
    return hit;
}

/* --- room --- */

static uint64_t used(const sim_disk_t *self) {
    uint64_t sum = 0;
    for (size_t i = 0; i < self->names.now.count; i++)
        sum += sim_file_room(self->names.now.all[i].file->size);
    for (size_t i = 0; i < self->fd_count; i++) {
        const sim_file_t *file = self->fds[i].file;
        if (file != NULL && file->links == 0) /* rather too much, if opened twice */
            sum += sim_file_room(file->size);
    }
    return sum;
}

static uint64_t available(const sim_disk_t *self) {
    uint64_t taken = used(self);
    return taken < self->bytes ? self->bytes - taken : 0;
}

/* How large the file may become, at most `size`. */
static uint64_t may_grow(sim_disk_t *self, const sim_file_t *file, uint64_t size) {
    if (size <= file->size)
        return size;
    uint64_t most = sim_file_room(file->size) + available(self);
    if (strikes(self, self->faults.full))
        most = file->size;
    if (size > most)
        self->tally.full++;
    return size < most ? size : most;
}

/* --- descriptors --- */

static opened_t *opened(sim_disk_t *self, int fd) {
    assert(fd >= FIRST_FD && (size_t)(fd - FIRST_FD) < self->fd_count);
    opened_t *found = &self->fds[fd - FIRST_FD];
    assert(found->file != NULL); /* used after it was closed */
    return found;
}

static int new_fd(sim_disk_t *self, sim_file_t *file, const char *path, bool writes) {
    if (self->fd_count == self->fd_capacity) {
        self->fd_capacity = self->fd_capacity == 0 ? 64 : self->fd_capacity * 2;
        self->fds = realloc(self->fds, self->fd_capacity * sizeof *self->fds);
        assert(self->fds != NULL);
    }
    sim_file_hold(file);
    self->fds[self->fd_count] = (opened_t){file, strdup(path), writes};
    return FIRST_FD + (int)self->fd_count++;
}

static bool parent_exists(const sim_disk_t *self, const char *path) {
    const char *name;
    for (size_t i = 0; i < self->names.now.count; i++)
        if (self->names.now.all[i].file->folder &&
            sim_names_within(self->names.now.all[i].path, path, &name))
            return true;
    return false;
}

static int create(sim_disk_t *self, const char *path, bool folder) {
    if (!parent_exists(self, path))
        return ENOENT;
    if (strikes(self, self->faults.name_error))
        return EIO;
    sim_file_t *file = sim_file_new(self->next_inode++, folder);
    sim_names_change(&self->names, NULL, path, file);
    sim_file_release(file);
    return 0;
}

static int sim_open(void *arg, const char *path, int flags, mode_t mode) {
    sim_disk_t *self = disk_of(arg);
    (void)mode;
    begin_call(self);
    int error = 0;
    if (sim_names_find(&self->names, path) == NULL)
        error = (flags & O_CREAT) != 0 ? create(self, path, false) : ENOENT;
    if (error != 0)
        return (int)end_call(self, -1, error);
    sim_file_t *file = sim_names_find(&self->names, path);
    bool writes = (flags & O_ACCMODE) != O_RDONLY;
    if ((flags & O_DIRECTORY) != 0 ? !file->folder : file->folder && writes)
        return (int)end_call(self, -1, ENOTDIR);
    if ((flags & O_TRUNC) != 0)
        sim_file_truncate(file);
    return (int)end_call(self, new_fd(self, file, path, writes), 0);
}

static int sim_close(void *arg, int fd) {
    sim_disk_t *self = disk_of(arg);
    opened_t *open = opened(self, fd);
    if (open->file->holder == open->path)
        open->file->holder = NULL;
    sim_file_release(open->file);
    free(open->path);
    *open = (opened_t){0};
    return (int)end_call(self, 0, 0);
}

/* --- bytes --- */

static ssize_t sim_pread(void *arg, int fd, void *data, size_t size, off_t at) {
    sim_disk_t *self = disk_of(arg);
    begin_call(self);
    const sim_file_t *file = opened(self, fd)->file;
    self->tally.reads++;
    if (strikes(self, self->faults.read_error))
        return end_call(self, -1, EIO);
    uint64_t from = (uint64_t)at;
    uint64_t left = from < file->size ? file->size - from : 0;
    size_t got = size < left ? size : (size_t)left;
    if (got > 1 && sim_random_once(&self->random, self->faults.short_read)) {
        got = (size_t)sim_random_between(&self->random, 1, got);
        self->tally.shorts++;
    }
    if (got > 0)
        memcpy(data, file->bytes + from, got);
    return end_call(self, (int64_t)got, 0);
}

/* The first `size` bytes of the parts. */
static void write_parts(sim_file_t *file, const struct iovec *parts, int count, uint64_t at,
                        uint64_t size) {
    for (int i = 0; i < count && size > 0; i++) {
        size_t step = parts[i].iov_len < size ? parts[i].iov_len : (size_t)size;
        sim_file_write(file, at, parts[i].iov_base, step);
        at += step;
        size -= step;
    }
}

static ssize_t sim_pwritev(void *arg, int fd, const struct iovec *parts, int count, off_t at) {
    sim_disk_t *self = disk_of(arg);
    begin_call(self);
    opened_t *open = opened(self, fd);
    assert(open->writes && at >= 0);
    uint64_t from = (uint64_t)at, size = 0;
    for (int i = 0; i < count; i++)
        size += parts[i].iov_len;
    self->tally.writes++;
    if (strikes(self, self->faults.write_error)) {
        uint64_t end = may_grow(self, open->file, from + sim_random_below(&self->random, size));
        write_parts(open->file, parts, count, from, end > from ? end - from : 0);
        return end_call(self, -1, EIO);
    }
    uint64_t end = may_grow(self, open->file, from + size);
    if (size > 0 && end <= from)
        return end_call(self, -1, ENOSPC);
    if (size > 1 && sim_random_once(&self->random, self->faults.short_write)) {
        end = from + sim_random_between(&self->random, 1, end - from);
        self->tally.shorts++;
    }
    write_parts(open->file, parts, count, from, end - from);
    return end_call(self, (int64_t)(end - from), 0);
}

/* It takes its time, and what is written meanwhile is not in it. */
static int sync_file(sim_disk_t *self, int fd, bool folder_too) {
    begin_call_of(self, self->faults.sync_us);
    const opened_t *open = opened(self, fd);
    self->tally.syncs++;
    if (strikes(self, self->faults.sync_error)) {
        self->tally.sync_errors++;
        sim_file_sync_failed(open->file);
        return (int)end_call(self, -1, EIO);
    }
    sim_file_sync(open->file);
    if (open->file->folder && folder_too)
        sim_names_sync(&self->names, open->path);
    return (int)end_call(self, 0, 0);
}

static int sim_fdatasync(void *arg, int fd) {
    return sync_file(disk_of(arg), fd, false);
}

static int sim_fsync(void *arg, int fd) {
    return sync_file(disk_of(arg), fd, true);
}

static int sim_fallocate(void *arg, int fd, off_t at, off_t size) {
    sim_disk_t *self = disk_of(arg);
    begin_call(self);
    opened_t *open = opened(self, fd);
    assert(open->writes);
    if (self->faults.no_fallocate)
        return (int)end_call(self, -1, EOPNOTSUPP);
    uint64_t end = (uint64_t)at + (uint64_t)size;
    if (may_grow(self, open->file, end) < end)
        return (int)end_call(self, -1, ENOSPC);
    sim_file_extend(open->file, end);
    return (int)end_call(self, 0, 0);
}

/* --- names --- */

static int sim_rename(void *arg, const char *from, const char *to) {
    sim_disk_t *self = disk_of(arg);
    begin_call(self);
    sim_file_t *file = sim_names_find(&self->names, from);
    if (file == NULL)
        return (int)end_call(self, -1, ENOENT);
    if (strikes(self, self->faults.name_error))
        return (int)end_call(self, -1, EIO);
    sim_names_change(&self->names, from, to, file);
    return (int)end_call(self, 0, 0);
}

static int sim_unlink(void *arg, const char *path) {
    sim_disk_t *self = disk_of(arg);
    begin_call(self);
    if (sim_names_find(&self->names, path) == NULL)
        return (int)end_call(self, -1, ENOENT);
    if (strikes(self, self->faults.name_error))
        return (int)end_call(self, -1, EIO);
    sim_names_change(&self->names, path, NULL, NULL);
    return (int)end_call(self, 0, 0);
}

static int sim_mkdir(void *arg, const char *path, mode_t mode) {
    sim_disk_t *self = disk_of(arg);
    (void)mode;
    begin_call(self);
    int error = sim_names_find(&self->names, path) != NULL ? EEXIST : create(self, path, true);
    return (int)end_call(self, 0, error);
}

static void tell(const sim_file_t *file, fob_disk_stat_t *out) {
    *out = (fob_disk_stat_t){file->size, 1, file->inode, file->links};
}

static int sim_stat(void *arg, const char *path, fob_disk_stat_t *out) {
    sim_disk_t *self = disk_of(arg);
    begin_call(self);
    const sim_file_t *file = sim_names_find(&self->names, path);
    if (file == NULL)
        return (int)end_call(self, -1, ENOENT);
    tell(file, out);
    return (int)end_call(self, 0, 0);
}

static int sim_fstat(void *arg, int fd, fob_disk_stat_t *out) {
    sim_disk_t *self = disk_of(arg);
    tell(opened(self, fd)->file, out);
    return (int)end_call(self, 0, 0);
}

static int sim_flock(void *arg, int fd, int operation) {
    sim_disk_t *self = disk_of(arg);
    opened_t *open = opened(self, fd);
    if (open->file->holder != NULL && open->file->holder != open->path)
        return (int)end_call(self, -1, EWOULDBLOCK);
    if ((operation & LOCK_EX) != 0)
        open->file->holder = open->path;
    return (int)end_call(self, 0, 0);
}

static int sim_list(void *arg, const char *folder, bool (*each)(void *to, const char *name),
                    void *to) {
    sim_disk_t *self = disk_of(arg);
    begin_call(self);
    const sim_file_t *file = sim_names_find(&self->names, folder);
    if (file == NULL)
        return (int)end_call(self, -1, ENOENT);
    /* `each` may remove what it is told of: a list as it is now. */
    size_t count = 0;
    char **names = calloc(self->names.now.count + 1, sizeof *names);
    const char *name;
    for (size_t i = 0; names != NULL && i < self->names.now.count; i++)
        if (sim_names_within(folder, self->names.now.all[i].path, &name))
            names[count++] = strdup(name);
    bool on = true;
    for (size_t i = 0; i < count; i++) {
        on = on && each(to, names[i]);
        free(names[i]);
    }
    free(names);
    return (int)end_call(self, 0, 0);
}

static int sim_space(void *arg, const char *path, uint64_t *total, uint64_t *free_bytes) {
    sim_disk_t *self = disk_of(arg);
    (void)path;
    self->tally.looks++;
    *total = self->bytes;
    *free_bytes = available(self);
    return 0; /* the keeper holds its lock meanwhile */
}

/* --- from outside --- */

sim_disk_t *sim_disk_new(uint64_t seed, uint64_t bytes) {
    sim_disk_t *self = calloc(1, sizeof *self);
    assert(self != NULL);
    self->table = (fob_disk_t){.arg = self,
                               .open = sim_open,
                               .close = sim_close,
                               .pread = sim_pread,
                               .pwritev = sim_pwritev,
                               .fdatasync = sim_fdatasync,
                               .fsync = sim_fsync,
                               .fallocate = sim_fallocate,
                               .rename = sim_rename,
                               .unlink = sim_unlink,
                               .mkdir = sim_mkdir,
                               .stat = sim_stat,
                               .fstat = sim_fstat,
                               .flock = sim_flock,
                               .list = sim_list,
                               .space = sim_space};
    self->random = sim_random_new(seed);
    self->bytes = bytes;
    self->next_inode = 1;
    sim_file_t *root = sim_file_new(self->next_inode++, true);
    sim_names_change(&self->names, NULL, "/", root);
    sim_file_release(root);
    sim_names_sync(&self->names, ""); /* nobody could */
    return self;
}

void sim_disk_destroy(sim_disk_t **self_p) {
    if (self_p == NULL || *self_p == NULL)
        return;
    sim_disk_t *self = *self_p;
    for (size_t i = 0; i < self->fd_count; i++) {
        if (self->fds[i].file != NULL)
            sim_file_release(self->fds[i].file);
        free(self->fds[i].path);
    }
    free(self->fds);
    sim_names_free(&self->names);
    free(self);
    *self_p = NULL;
}

const fob_disk_t *sim_disk_table(sim_disk_t *self) {
    return &self->table;
}

void sim_disk_faults(sim_disk_t *self, sim_faults_t faults) {
    self->faults = faults;
    self->calls = 0;
}

void sim_disk_pause(sim_disk_t *self, void (*pause)(void *arg, int64_t us), void *arg) {
    self->pause = pause;
    self->pause_arg = arg;
}

void sim_disk_resize(sim_disk_t *self, uint64_t bytes) {
    self->bytes = bytes;
}

static sim_disk_t *after(const sim_disk_t *self, uint64_t seed, bool power_lost) {
    sim_disk_t *next = sim_disk_new(seed, self->bytes);
    sim_names_free(&next->names);
    sim_names_after(&self->names, power_lost, &next->random,
                    power_lost ? sim_file_after_crash : sim_file_after_kill, &next->names);
    next->next_inode = self->next_inode;
    return next;
}

sim_disk_t *sim_disk_crash(const sim_disk_t *self, uint64_t seed) {
    return after(self, seed, true);
}

sim_disk_t *sim_disk_kill(const sim_disk_t *self, uint64_t seed) {
    return after(self, seed, false);
}

size_t sim_disk_open_files(const sim_disk_t *self) {
    size_t count = 0;
    for (size_t i = 0; i < self->fd_count; i++)
        count += self->fds[i].file != NULL;
    return count;
}

sim_disk_tally_t sim_disk_tally(const sim_disk_t *self) {
    return self->tally;
}

void sim_disk_tally_reset(sim_disk_t *self) {
    self->tally = (sim_disk_tally_t){0};
}

int64_t sim_disk_size(const sim_disk_t *self, const char *path) {
    const sim_file_t *file = sim_names_find(&self->names, path);
    return file == NULL ? -1 : (int64_t)file->size;
}

const char *sim_disk_path(const sim_disk_t *self, size_t index) {
    return index < self->names.now.count ? self->names.now.all[index].path : NULL;
}

void sim_disk_peek(const sim_disk_t *self, const char *path, uint64_t at, void *data, size_t size) {
    const sim_file_t *file = sim_names_find(&self->names, path);
    assert(file != NULL && at + size <= file->size);
    memcpy(data, file->bytes + at, size);
}

void sim_disk_flip(sim_disk_t *self, const char *path, uint64_t at, uint8_t bits) {
    sim_file_t *file = sim_names_find(&self->names, path);
    assert(file != NULL && at < file->size);
    file->bytes[at] ^= bits;
    file->durable[at] ^= bits;
}

uint64_t sim_disk_hash(const sim_disk_t *self) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < self->names.now.count; i++) {
        const sim_name_t *name = &self->names.now.all[i];
        for (const char *c = name->path; *c != '\0'; c++)
            hash = (hash ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
        for (uint64_t at = 0; at < name->file->size; at++)
            hash = (hash ^ name->file->bytes[at]) * UINT64_C(0x100000001b3);
    }
    return hash;
}
