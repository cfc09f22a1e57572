/* journal: the append-only log of a shard, behind one table of functions. It uses nothing else of
 * ours: a record is opaque bytes here, with the events it holds told beside it.
 *
 * A commit is what one append hands over: it is durable as a whole or not at all. Its number is its
 * `position`: from 1, growing by one. Offsets belong to entries that hold events (count > 0).
 *
 * Threads: every function is called from one thread, the journal's owner (the broker); an
 * implementation has threads of its own behind it and tells of news by the descriptor. */
#ifndef FOB_JOURNAL_H
#define FOB_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

typedef enum {
    FOB_JOURNAL_OK = 0,
    FOB_JOURNAL_AGAIN,   /* nothing (more) now */
    FOB_JOURNAL_FULL,    /* no room that could be reserved */
    FOB_JOURNAL_FAILED,  /* an append or a sync failed: this journal takes nothing more, for good */
    FOB_JOURNAL_IN_USE,  /* another process holds the folder */
    FOB_JOURNAL_NEWER,   /* written by a newer version */
    FOB_JOURNAL_DAMAGED, /* a part that must be whole is not */
    FOB_JOURNAL_ABSENT,  /* that offset is trimmed, or was never written */
    FOB_JOURNAL_SYSTEM,  /* the operating system refused: see the text */
    FOB_JOURNAL_MEMORY
} fob_journal_code_t;

/* What went wrong, in words for the operator: names file, byte and errno's text. */
typedef struct {
    fob_journal_code_t code;
    char text[512];
} fob_journal_error_t;

/* One record of a commit. */
typedef struct {
    uint64_t first_offset; /* of its events; 0 where count is 0 */
    uint32_t count;        /* events in it */
    uint32_t part_count;   /* 1 or 2 */
    struct iovec parts[2]; /* its bytes, in order */
} fob_entry_t;

/* A record read back. */
typedef struct {
    uint64_t position; /* of its commit */
    uint64_t first_offset;
    uint32_t count;
    const uint8_t *data;
    size_t size;
} fob_stored_t;

/* Answer to a read: whole commits' event records that hold offsets from the one asked for, in
 * order. */
typedef struct {
    uint64_t tag;            /* as given to read */
    fob_journal_code_t code; /* OK, ABSENT, DAMAGED, SYSTEM, MEMORY */
    char text[256];          /* where code is not OK */
    void *memory; /* malloc'd; owns what entries point into; the receiver frees it by free() */
    size_t memory_size;
    fob_stored_t *entries; /* inside memory too */
    size_t entry_count;
    uint64_t resume; /* where code is ABSENT or DAMAGED: the lowest offset above the one asked for
                        that may be there; 0: none known */
} fob_page_t;

typedef struct {
    uint64_t bytes;     /* on disk (or in memory) */
    uint64_t max_bytes; /* and so many at the most */
    uint64_t segments;
    uint64_t first_offset; /* oldest that can be read; 0: none */
    uint64_t last_offset;  /* highest ever appended */
    uint64_t last_position, durable_position, checkpoint_position;
    uint64_t syncs;
    uint64_t torn_bytes; /* cut at the start */
    uint64_t free_bytes; /* room that could still be reserved */
    /* As of the last trim: the oldest part, of so many bytes, would be given back but for what is
     * needed of it, which all lies below that offset; 0: it is not so. */
    uint64_t pinned_below, pinned_bytes;
} fob_journal_stats_t;

typedef struct fob_journal fob_journal_t;

/* What the owner is shown at the start: first the slices of the newest whole checkpoint, in the
 * order they were written, then every record of every commit above the position the checkpoint
 * began at. Returning false stops it with FOB_JOURNAL_DAMAGED. */
typedef struct {
    bool (*slice)(void *arg, const uint8_t *data, size_t size);
    bool (*record)(void *arg, const fob_stored_t *record);
    void *arg;
} fob_replay_t;

typedef struct {
    /* Shows what is there; once, before the first append. OK, DAMAGED, SYSTEM, MEMORY. */
    fob_journal_code_t (*replay)(fob_journal_t *self, const fob_replay_t *to,
                                 fob_journal_error_t *error);

    /* Whether a commit of `bytes` in all (payload) can be taken and enough stays for settles; on
     * true the room is held for the next append. False: full. Never blocks. */
    bool (*reserve)(fob_journal_t *self, size_t bytes);

    /* Appends one commit; returns its position. The bytes must stay as they are until it is
     * durable. `sync`: at once; otherwise it rides on the next sync, `lazy` (5 ms) later at the
     * most. Never blocks, never fails by itself: failures are reported by `health`. */
    uint64_t (*append)(fob_journal_t *self, const fob_entry_t *entries, size_t count, bool sync);

    /* Highest position that is durable at this journal's level. */
    uint64_t (*durable)(fob_journal_t *self);

    /* OK, or FAILED for good, with the reason. */
    fob_journal_code_t (*health)(fob_journal_t *self, fob_journal_error_t *error);

    /* Readable (level-triggered) while `durable` moved, a page waits, or health changed; `clear`
     * before looking at these three. */
    int (*fd)(fob_journal_t *self);
    void (*clear)(fob_journal_t *self);

    /* Asks for records from `offset` on, about `max_bytes` of them (at least one record). Answered
     * by a page with `tag`. Reads only what is durable. OK: under way; AGAIN: too many under way.
     */
    fob_journal_code_t (*read)(fob_journal_t *self, uint64_t offset, size_t max_bytes,
                               uint64_t tag);
    /* OK: `out` is filled and the receiver owns out->memory; AGAIN: none waits. */
    fob_journal_code_t (*page)(fob_journal_t *self, fob_page_t *out);

    /* Gives back what lies wholly below `offset` (needed by no group), below the last checkpoint,
     * and beyond retention (bytes and age, set at construction) at wall time `now_ms`. */
    void (*trim)(fob_journal_t *self, uint64_t offset, int64_t now_ms);

    /* A checkpoint: begin at `position` (all up to there is in the state, later slices may hold
     * more), write slices, finish. The owner says when it wants one: `checkpoint_due` is true when
     * 16 MiB were appended since the last, or more where it is large, up to 64 MiB. finish is
     * asynchronous: an older checkpoint stays until the new one is durable. OK, FULL, SYSTEM; after
     * a failure the checkpoint is dropped and may be begun again. */
    bool (*checkpoint_due)(fob_journal_t *self);
    fob_journal_code_t (*checkpoint_begin)(fob_journal_t *self, uint64_t position);
    fob_journal_code_t (*checkpoint_slice)(fob_journal_t *self, const uint8_t *data, size_t size);
    fob_journal_code_t (*checkpoint_finish)(fob_journal_t *self);

    /* The epoch of this journal's offsets; its level's name: "memory", "os", "disk". */
    uint64_t (*epoch)(fob_journal_t *self);
    /* The highest offset that is the same as it was under another epoch; 0: the one before. 0: not
     * known, perhaps none. */
    uint64_t (*began)(fob_journal_t *self, uint64_t epoch);
    const char *(*level)(fob_journal_t *self);
    void (*stats)(fob_journal_t *self, fob_journal_stats_t *out);

    /* Bytes from the segment that holds `offset` to the end; 0: no event at or above it is stored.
     */
    uint64_t (*bytes_from)(fob_journal_t *self, uint64_t offset);

    /* Makes everything durable, marks a clean end, frees. Nulls the caller's. */
    void (*close)(fob_journal_t **self_p);
} fob_journal_ops_t;

/* An implementation's struct begins with this. */
struct fob_journal {
    const fob_journal_ops_t *ops;
};

/* In memory: durable when appended; lost with the process. `max_bytes`: keeps at most that many;
 * what is needed is never dropped, `reserve` refuses instead. NULL: no memory. */
fob_journal_t *fob_journal_memory_new(uint64_t max_bytes, uint64_t retain_bytes, int64_t retain_ms);

/* The journal that writes files is in bus/journal/file.h. */

#endif
