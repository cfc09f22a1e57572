#include <fob/fob_once.h>

#include "subscribers/once/once_lock.h"
#include "subscribers/once/once_store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_AGE_MS ((int64_t)7 * 24 * 3600 * 1000)
#define DEFAULT_COUNT  1000000
#define BOOT_SIZE      64 /* room for the name of this run of the machine */

/* The name of the run of the machine in which the folder was used with `fast`. While it is there
 * and names another run, what the folder holds may be torn. */
#define MARK "unsynced"

struct fob_once {
    fob_once_lock_t file;
    fob_once_store_t store;
    bool fast, open; /* open: the store is */
    char folder[PATH_MAX];
    pthread_mutex_t lock; /* guards all below */
    int64_t *running;     /* places in the lock file of what was begun here */
    size_t count, capacity;
    char trouble[PATH_MAX + 256];
};

static int64_t wall_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- trouble in words --- */

static void say(fob_once_t *self, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(fob_once_t *self, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    pthread_mutex_lock(&self->lock);
    vsnprintf(self->trouble, sizeof self->trouble, format, arguments);
    pthread_mutex_unlock(&self->lock);
    va_end(arguments);
}

static const char *advice(fob_status_t status) {
    switch (status) {
    case FOB_DAMAGED:
        return "it is damaged: move the folder away to start anew; what was done before may then "
               "be done again";
    case FOB_FOLDER_NEWER:
        return "it was written by a newer version: use that one";
    case FOB_FOLDER_IN_USE:
        return "this process has it open already: share that one";
    case FOB_DISK_FULL:
        return "there is no room on its disk: make some and try again";
    case FOB_DENIED:
        return "it may not be read and written by this user";
    case FOB_NO_MEMORY:
        return "there is not enough memory";
    case FOB_BUSY:
        return "too many read it at this moment: try again";
    default:
        return "its disk failed or is full, or it is no folder";
    }
}

/* Says what went wrong with the store, and gives the status. */
static fob_status_t fail(fob_once_t *self, int error) {
    fob_status_t status = fob_once_store_status(error);
    if (error == MDB_PANIC)
        say(self, "once store %s: a write to its disk failed halfway: close it and open it again",
            self->folder);
    else if (error == FOB_ONCE_NEWER)
        say(self, "once store %s: %s", self->folder, advice(status));
    else
        say(self, "once store %s: %s (%s)", self->folder, advice(status), mdb_strerror(error));
    return status;
}

void fob_once_trouble(fob_once_t *self, char *text, size_t size) {
    pthread_mutex_lock(&self->lock);
    snprintf(text, size, "%s", self->trouble);
    pthread_mutex_unlock(&self->lock);
}

/* --- the mark of a fast store --- */

static int sync_folder(const char *folder) {
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int error = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    return error;
}

static void path_of(const fob_once_t *self, const char *name, char path[PATH_MAX + 32]) {
    snprintf(path, PATH_MAX + 32, "%s/%s", self->folder, name);
}

/* A short file as text; "" where there is none. 0 or an errno. */
static int read_text(const char *path, char text[BOOT_SIZE]) {
    memset(text, 0, BOOT_SIZE);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : errno;
    int error = read(fd, text, BOOT_SIZE - 1) >= 0 ? 0 : errno;
    close(fd);
    return error;
}

static int write_mark(const fob_once_t *self, const char *boot) {
    char path[PATH_MAX + 32];
    path_of(self, MARK, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    ssize_t wrote = write(fd, boot, strlen(boot));
    int error = wrote < 0 ? errno : (size_t)wrote < strlen(boot) ? ENOSPC : 0;
    if (error == 0 && fsync(fd) != 0)
        error = errno;
    close(fd);
    return error == 0 ? sync_folder(self->folder) : error;
}

static int remove_file(const fob_once_t *self, const char *name) {
    char path[PATH_MAX + 32];
    path_of(self, name, path);
    return unlink(path) == 0 || errno == ENOENT ? 0 : errno;
}

static int remove_mark(const fob_once_t *self) {
    int error = remove_file(self, MARK);
    return error == 0 ? sync_folder(self->folder) : error;
}

/* Pages of a fast store reach the disk in any order, so after the machine stopped it may be torn
 * in ways that nobody can see. It starts empty then: a key may be done again, and none is taken for
 * done that is not. */
static int start_empty(fob_once_t *self) {
    int error = remove_file(self, "data.mdb");
    if (error == 0)
        error = remove_file(self, "lock.mdb");
    if (error == 0)
        error = remove_mark(self);
    if (error == 0)
        say(self,
            "once store %s: the machine stopped while it was used without syncs, so it starts "
            "empty; what was done before may be done again",
            self->folder);
    return error;
}

/* --- opening and closing --- */

/* The store, behind the gate. `marked`: it holds what was not synced. */
static int open_store(fob_once_t *self, const fob_once_others_t *others) {
    char path[PATH_MAX + 32], boot[BOOT_SIZE], mark[BOOT_SIZE];
    path_of(self, MARK, path);
    int error = read_text("/proc/sys/kernel/random/boot_id", boot);
    if (error == 0 && !boot[0])
        error = ENOENT;
    if (error == 0)
        error = read_text(path, mark);
    if (error == 0 && mark[0] && !others->same && strcmp(boot, mark) != 0) {
        error = start_empty(self);
        mark[0] = '\0';
    }
    if (error == 0 && self->fast && !mark[0])
        error = write_mark(self, boot);
    if (error == 0)
        error = fob_once_store_open(&self->store, self->folder, self->fast, !others->same);
    self->open = error == 0;
    if (error == 0 && !self->fast && mark[0]) {
        error = fob_once_store_sync(&self->store);
        if (error == 0)
            error = remove_mark(self);
    }
    return error == 0 ? sync_folder(self->folder) : error;
}

static fob_status_t open_all(fob_once_t *self) {
    char path[PATH_MAX + 32];
    fob_once_others_t others = {0};
    if (mkdir(self->folder, 0700) != 0 && errno != EEXIST) {
        say(self, "once store %s: cannot make the folder: %s", self->folder, strerror(errno));
        return fob_once_store_status(errno);
    }
    path_of(self, "once.lock", path);
    int error = fob_once_lock_open(&self->file, path, self->fast);
    if (error == 0)
        error = fob_once_lock_others(&self->file, &others);
    if (error == 0 && others.other) {
        say(self,
            "once store %s: another process has it open %s syncs: all on one folder say the same",
            self->folder, self->fast ? "with" : "without");
        return FOB_FOLDER_IN_USE;
    }
    if (error == 0)
        error = open_store(self, &others);
    if (error == 0)
        error = fob_once_lock_join(&self->file);
    return error == 0 ? FOB_OK : fail(self, error);
}

/* The last one out of a fast store leaves it synced, so that a planned restart loses nothing. */
static void close_store(fob_once_t *self) {
    fob_once_others_t others = {0};
    bool last = self->fast && fob_once_lock_close_gate(&self->file) == 0 &&
                fob_once_lock_others(&self->file, &others) == 0 && !others.same;
    if (last && fob_once_store_sync(&self->store) == 0)
        (void)remove_mark(self); /* where it stays, the store is not believed: the safe side */
    fob_once_store_close(&self->store);
}

static bool valid(const fob_once_options_t *options) {
    return options && options->version == 1 && options->folder && options->folder[0] &&
           strlen(options->folder) < PATH_MAX;
}

static fob_once_t *make(const fob_once_options_t *options) {
    fob_once_t *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->file.fd = -1;
    self->fast = options->fast != 0;
    self->store.max_age_ms = options->max_age_ms ? options->max_age_ms : DEFAULT_AGE_MS;
    self->store.max_count = options->max_count ? options->max_count : DEFAULT_COUNT;
    snprintf(self->folder, sizeof self->folder, "%s", options->folder);
    pthread_mutex_init(&self->lock, NULL);
    return self;
}

fob_once_t *fob_once_new(const fob_once_options_t *options, fob_status_t *status, char *text,
                         size_t size) {
    fob_status_t result = valid(options) ? FOB_OK : FOB_INVALID;
    fob_once_t *self = result == FOB_OK ? make(options) : NULL;
    if (result == FOB_OK && !self)
        result = FOB_NO_MEMORY;
    if (text && size > 0)
        snprintf(text, size, "%s",
                 result == FOB_OK ? "" : "a once store needs options of version 1, and a folder");
    if (self && (result = open_all(self)) != FOB_OK) {
        if (text && size > 0)
            fob_once_trouble(self, text, size);
        fob_once_destroy(&self);
    }
    if (status)
        *status = result;
    return self;
}

void fob_once_destroy(fob_once_t **self_p) {
    fob_once_t *self = *self_p;
    if (!self)
        return;
    if (self->open)
        close_store(self);
    fob_once_lock_close(&self->file);
    pthread_mutex_destroy(&self->lock);
    free(self->running);
    free(self);
    *self_p = NULL;
}

/* --- what is in progress --- */

static bool valid_key(const void *key, size_t size) {
    return key && size >= 1 && size <= FOB_ONCE_KEY_MAX;
}

static int64_t place_of(const void *key, size_t size) {
    uint8_t hash[FOB_ONCE_HASH_SIZE];
    fob_once_hash(fob_slice(key, size), hash);
    return fob_once_lock_place(hash);
}

/* The index of a place, or count. Under the lock. There are as many as handlers run at once: few.
 */
static size_t index_of(const fob_once_t *self, int64_t place) {
    size_t i = 0;
    while (i < self->count && self->running[i] != place)
        i++;
    return i;
}

static int take_locked(fob_once_t *self, int64_t place) {
    if (index_of(self, place) < self->count)
        return EAGAIN;
    if (self->count == self->capacity) {
        size_t capacity = self->capacity ? 2 * self->capacity : 16;
        int64_t *running = realloc(self->running, capacity * sizeof *running);
        if (!running)
            return ENOMEM;
        self->running = running;
        self->capacity = capacity;
    }
    int error = fob_once_lock_take(&self->file, place);
    if (error == 0)
        self->running[self->count++] = place;
    return error == ENOLCK ? ENOMEM : error;
}

/* 0; EAGAIN: somebody has it; else an errno. */
static int take(fob_once_t *self, int64_t place) {
    pthread_mutex_lock(&self->lock);
    int error = take_locked(self, place);
    pthread_mutex_unlock(&self->lock);
    return error;
}

/* False: it is not ours. Under one lock, as the file's lock belongs to the process: whoever took
 * the place between the two steps would lose it by the second. */
static bool give(fob_once_t *self, int64_t place) {
    pthread_mutex_lock(&self->lock);
    size_t i = index_of(self, place);
    bool held = i < self->count;
    if (held) {
        fob_once_lock_give(&self->file, place);
        self->running[i] = self->running[--self->count];
    }
    pthread_mutex_unlock(&self->lock);
    return held;
}

static bool holds(fob_once_t *self, int64_t place) {
    pthread_mutex_lock(&self->lock);
    bool held = index_of(self, place) < self->count;
    pthread_mutex_unlock(&self->lock);
    return held;
}

/* --- the three verbs --- */

/* First the key, then the look: whoever holds it and commits gives it back only when the store has
 * it, so what is neither held nor stored is new. */
fob_status_t fob_once_begin(fob_once_t *self, const void *key, size_t key_size,
                            fob_once_state_t *state, void **result, size_t *result_size) {
    if (result)
        *result = NULL;
    if (result_size)
        *result_size = 0;
    if (!state || !valid_key(key, key_size))
        return FOB_INVALID;
    int64_t place = place_of(key, key_size);
    int error = take(self, place);
    if (error == EAGAIN) {
        *state = FOB_ONCE_IN_PROGRESS;
        return FOB_OK;
    }
    if (error != 0)
        return fail(self, error);
    error = fob_once_store_find(&self->store, fob_slice(key, key_size), result, result_size);
    if (error == MDB_NOTFOUND) {
        *state = FOB_ONCE_NEW;
        return FOB_OK;
    }
    (void)give(self, place);
    if (error != 0)
        return fail(self, error);
    *state = FOB_ONCE_DONE; /* never where nothing is known of it */
    return FOB_OK;
}

fob_status_t fob_once_commit(fob_once_t *self, const void *key, size_t key_size, const void *result,
                             size_t result_size) {
    if (!valid_key(key, key_size) || result_size > FOB_ONCE_RESULT_MAX || (!result && result_size))
        return FOB_INVALID;
    int64_t place = place_of(key, key_size);
    if (!holds(self, place))
        return FOB_NOT_HELD;
    int error = fob_once_store_put(&self->store, fob_slice(key, key_size),
                                   fob_slice(result, result_size), wall_ms());
    if (error != 0)
        return fail(self, error);
    (void)give(self, place);
    return FOB_OK;
}

fob_status_t fob_once_abort(fob_once_t *self, const void *key, size_t key_size) {
    return valid_key(key, key_size) && give(self, place_of(key, key_size)) ? FOB_OK : FOB_NOT_HELD;
}
