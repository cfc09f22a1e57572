/* store: what the threads of a file journal share: the folder, the segments, how far it is durable,
 * and whether it failed. One lock guards the segments and all fields that say so; the rest is
 * atomic or set once. */
#ifndef FOB_JOURNAL_STORE_H
#define FOB_JOURNAL_STORE_H

#include "bus/journal/bell.h"
#include "bus/journal/file.h"
#include "bus/journal/lineage.h"
#include "bus/journal/segment.h"
#include "bus/journal/thread.h"

typedef struct {
    /* Set once at the opening. */
    const fob_disk_t *disk;
    const fob_runtime_t *runtime;
    char *folder;
    int folder_fd; /* held open, so that another folder of its name is told from it */
    fob_sync_t sync;
    int64_t interval_ms, lazy_ms, retain_ms;
    uint64_t segment_bytes, max_bytes, retain_bytes;
    uint64_t margin;     /* room that publishes leave to settles */
    size_t ahead;        /* segments to have ready before they are needed, */
    uint64_t room_ahead; /* and bytes in them and in the tail's rest */
    uint64_t epoch;
    fob_lineage_t lineage; /* of it */
    int64_t stamp_ms;      /* of the last commit that was found; 0: none */
    uint64_t epoch_turn;   /* of the epoch file's newest record; 0: the file is to be made; touched
                              by who writes the file */
    uint64_t lowest;       /* sequence: no segment from here on is deleted; the keeper's */
    void (*log)(void *arg, const char *text);
    void *log_arg;
    fob_bell_t bell;

    fob_lock_t lock;
    fob_cond_t changed; /* under lock: segments, `synced`, failure or `stopping` changed */
    fob_cond_t keep;    /* under lock: the keeper has something to do */
    fob_segments_t segments;
    fob_segment_t *doomed;  /* to delete, oldest first */
    uint64_t tail_sequence; /* where the owner places commits; may not be made yet */
    uint64_t need_sequence; /* the segment that the committer waits for, */
    uint64_t need_bytes;    /* and how large it must be; 0: it waits for none */
    uint64_t promised;      /* bytes that segments are still to grow by, for large commits */
    uint64_t granted;       /* bytes to be made for a large commit that is not appended yet */
    uint64_t making;        /* bytes of the segment that is being made */
    bool stopping;
    bool no_room;    /* the segment that is needed cannot be made now, */
    int no_room_why; /* an errno */
    fob_journal_error_t failure;

    _Atomic uint64_t tail_at;     /* of the tail: bytes placed */
    _Atomic uint64_t written;     /* positions: handed to the system, */
    _Atomic uint64_t synced;      /* on disk, */
    _Atomic uint64_t durable;     /* and the one of the two that the level promises */
    _Atomic uint64_t next_offset; /* all durable events are below */
    _Atomic uint64_t syncs;
    _Atomic uint64_t available; /* of the file system, when last looked at */
    atomic_bool failed;
} fob_store_t;

/* Copies options, fills defaults, opens nothing. False: no memory, no descriptor (error). */
bool fob_store_init(fob_store_t *self, const fob_file_options_t *options,
                    fob_journal_error_t *error);
/* All threads are gone. */
void fob_store_close(fob_store_t *self);

/* "FOLDER/name" into `out`; names are ours and short, folders are checked at the opening. */
#define FOB_PATH_SIZE 4096
void fob_store_path(const fob_store_t *self, const char *name, char *out);

/* The first failure stays: health is FAILED for good, and the owner is told. Any thread, lock not
 * held. */
void fob_store_fail(fob_store_t *self, const char *what, const char *name, int error);
/* The same, with a sentence of its own. */
void fob_store_fail_as(fob_store_t *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void fob_store_log(const fob_store_t *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Waits for `changed`, at most `ms` (negative: without end). Lock held. */
void fob_store_wait(fob_store_t *self, fob_cond_t *cond, int64_t ms);
/* Fails the journal if its folder, or a segment that is open, was removed. Lock not held. */
void fob_store_watch(fob_store_t *self);
int fob_store_sync_folder(const fob_store_t *self);
/* Writes a small file whole: tmp, fsync, rename, fsync of the folder. 0, or -1 with errno. */
int fob_store_put(const fob_store_t *self, const char *name, const void *data, size_t size);
/* At a start: what its epoch has of the one `before` (0: there was none), whose offsets end below
 * `next_offset`. Where that cannot be written it is as if it were not known at the next start. */
void fob_store_look_back(fob_store_t *self, uint64_t before, uint64_t next_offset);

/* Makes a segment file of `bytes`, allocated, with a durable head and name, open for writing. NULL
 * with errno. */
fob_segment_t *fob_store_make_segment(const fob_store_t *self, uint64_t sequence, uint64_t bytes);

/* error: code and a sentence. */
void fob_error_set(fob_journal_error_t *error, fob_journal_code_t code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
