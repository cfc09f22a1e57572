/* fob_bus: the bus, embedded in a process: a broker thread, a broadcast thread, a journal. */
#ifndef FOB_BUS_H
#define FOB_BUS_H

#include <fob/fob_export.h>
#include <fob/fob_status.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fob_bus fob_bus_t;

/* A group that is made at the start, if it is missing. */
typedef struct {
    const char *name;
    const char *pattern; /* that of a group that is there must be the same */
    /* As of `fob group set`: "max_depth=10000", "overflow=drop-oldest", "lease=30s", ended by NULL.
     * They hold from each start on, whatever the group was given meanwhile; what is not named here
     * stays as it is. NULL: none. */
    const char *const *settings;
} fob_bus_group_t;

typedef struct {
    unsigned version; /* of this struct: 1 */
    const char *bind; /* an address; NULL: 127.0.0.1 */
    int port;         /* ROUTER; XSUB on +1, XPUB on +2. 0: 7670. -1: three free ports (tests) */
    const char *advertise;    /* host told to clients; NULL: what they dialled */
    const char *data;         /* folder; NULL: in memory */
    const char *sync;         /* "always" "os" "interval=100ms"; NULL: always */
    uint64_t max_event;       /* bytes of data; 0: 1000000 */
    uint64_t max_disk;        /* bytes; 0: 80% of the file system */
    uint32_t max_connections; /* 0: 10000 */
    uint32_t max_groups;      /* 0: 1000 */
    int64_t heartbeat_ms;     /* 0: 1000 */
    int64_t retain_ms;        /* 0: 24 h */
    uint64_t retain_bytes;    /* 0: 4 GiB */
    uint64_t segment_bytes;   /* 0: 12 MiB */
    /* One line of news for the operator, from the bus's threads. NULL: none. */
    void (*log)(void *arg, const char *line);
    void *log_arg;
    const fob_bus_group_t *groups; /* NULL: none */
    size_t group_count;
    const char *const *group_defaults; /* settings of new groups, as above; NULL: as documented */
    int64_t dedup_window_ms;           /* an id is remembered for so long; 0: 1 h */
    uint32_t dedup_max;                /* and so many at the most; 0: 1000000 */
} fob_bus_options_t;
#define FOB_BUS_OPTIONS                                                                            \
    { .version = 1 }

/* Opens the journal, recovers, binds, serves. Returns when ready. NULL: *status and `text` (may be
 * NULL) say why: PORT_IN_USE, FOLDER_IN_USE, FOLDER_NEWER, DAMAGED, DISK_FAILED, INVALID,
 * CONFIG (a group of `groups`), NO_MEMORY. */
FOB_EXPORT fob_bus_t *fob_bus_new(const fob_bus_options_t *options, fob_status_t *status,
                                  char *text, size_t size);

/* "tcp://127.0.0.1:7670". Good as long as the bus. */
FOB_EXPORT const char *fob_bus_endpoint(fob_bus_t *self);

/* FOB_OK while it serves; DISK_FAILED, INTERNAL once it stopped by itself, with the sentence in
 * `text`. */
FOB_EXPORT fob_status_t fob_bus_health(fob_bus_t *self, char *text, size_t size);
/* Readable once it stopped by itself. */
FOB_EXPORT int fob_bus_fd(fob_bus_t *self);

/* Stops accepting, commits, takes a checkpoint, says goodbye to clients, frees. Nulls; null-safe.
 */
FOB_EXPORT void fob_bus_destroy(fob_bus_t **self_p);

#ifdef __cplusplus
}
#endif
#endif
