/* file: the journal on disk. The format is in format.h. */
#ifndef FOB_JOURNAL_FILE_H
#define FOB_JOURNAL_FILE_H

#include "bus/journal/journal.h"

typedef enum {
    FOB_SYNC_ALWAYS,   /* durable: after fdatasync. Level "disk" */
    FOB_SYNC_INTERVAL, /* written at once, synced every interval: durable when written. Level "os"
                        */
    FOB_SYNC_OS        /* written at once, synced when the system likes. Level "os" */
} fob_sync_t;

struct fob_disk;    /* bus/journal/disk.h: the table of system calls, replaced in tests */
struct fob_runtime; /* bus/journal/runtime.h: threads and clocks, replaced by simulators */

typedef struct {
    const char *folder; /* made (0700) if missing */
    fob_sync_t sync;
    int64_t interval_ms;               /* with FOB_SYNC_INTERVAL */
    uint64_t segment_bytes;            /* 0: 12 MiB */
    uint64_t max_bytes;                /* room for all of it; 0: 80% of the file system */
    uint64_t retain_bytes;             /* 0: 4 GiB */
    int64_t retain_ms;                 /* 0: 24 h */
    int64_t lazy_ms;                   /* 0: 5 */
    const struct fob_disk *disk;       /* NULL: the real one */
    const struct fob_runtime *runtime; /* NULL: the real one */
    /* Told in one sentence of what the operator should know (a torn tail cut, ...). May be NULL. */
    void (*log)(void *arg, const char *text);
    void *log_arg;
} fob_file_options_t;

/* Opens or makes the folder, takes its lock, checks headers, cuts a torn tail (and says so through
 * log). NULL, with *error filled: IN_USE, NEWER, DAMAGED (naming segment and byte), SYSTEM, MEMORY.
 */
fob_journal_t *fob_journal_file_open(const fob_file_options_t *options, fob_journal_error_t *error);

/* Reads a folder without changing it, for `fob journal verify` and `ls`; works on one in use. Each
 * segment and each commit is told; returns OK, or DAMAGED with the first place. */
typedef struct {
    void (*segment)(void *arg, const char *name, uint64_t epoch, uint64_t first_position,
                    uint64_t first_offset, uint64_t bytes_used, uint64_t bytes);
    void (*commit)(void *arg, const char *name, uint64_t at, uint64_t position,
                   uint64_t first_offset, uint32_t count, uint64_t bytes);
    void (*torn)(void *arg, const char *name, uint64_t at,
                 const char *text); /* a tail that a start cuts */
    void *arg;
} fob_inspect_t;
fob_journal_code_t fob_journal_inspect(const char *folder, const fob_inspect_t *to,
                                       fob_journal_error_t *error);

#endif
