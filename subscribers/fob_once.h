/* fob_once: remembers which keys were done, so that what comes again is not done again.
 *
 *     fob_once_options_t options = FOB_ONCE_OPTIONS;
 *     options.folder = "billing-once";
 *     fob_once_t *once = fob_once_new (&options, NULL, NULL, 0);
 *     char key[FOB_ONCE_KEY_MAX];
 *     size_t size = fob_once_key_of (event, "billing", key);
 *     fob_once_state_t state;
 *     if (fob_once_begin (once, key, size, &state, NULL, NULL) == FOB_OK && state == FOB_ONCE_NEW)
 * {
 *         ... the effect ...
 *         fob_once_commit (once, key, size, NULL, 0);
 *     }
 *
 * The folder may be shared by many processes of one machine (no network file system). A key that
 * was begun is in progress while the process that began it lives, and no longer: the kernel gives
 * it back when that process ends, however it ends. There is no lease that could run out under a
 * slow handler, and none to wait for after a crash.
 *
 * What it cannot do: when a process dies after its effect and before its commit, the key is NEW
 * again. Where that matters, put the effect and its mark into one transaction of your own, or hand
 * the key on to whoever takes the effect.
 *
 * Done keys are forgotten oldest first, when there are more than max_count or they are older than
 * max_age_ms; each commit forgets a few at the most, so none takes long.
 *
 * After a write that failed halfway (DISK_FAILED, and the sentence says so) every call fails until
 * the store is closed and opened again.
 *
 * Threads: every function may be called from any thread, several at once; new and destroy excepted.
 * A folder is open once in a process. After fork only the parent may use it, and a child that does
 * not exec keeps the parent's keys in progress. */
#ifndef FOB_ONCE_H
#define FOB_ONCE_H

#include <fob/fob_event.h>
#include <fob/fob_status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fob_once fob_once_t;

#define FOB_ONCE_KEY_MAX    1024    /* bytes */
#define FOB_ONCE_RESULT_MAX 1048576 /* bytes */

typedef enum {
    FOB_ONCE_NEW = 1,        /* it is the caller's now: commit or abort it */
    FOB_ONCE_DONE = 2,       /* it was committed before */
    FOB_ONCE_IN_PROGRESS = 3 /* this process or another is at it */
} fob_once_state_t;

typedef struct {
    unsigned version;   /* of this struct: 1 */
    const char *folder; /* required; made if it is missing, its parent is not */
    int64_t max_age_ms; /* done keys are kept so long; 0: 7 days; negative: no bound */
    uint64_t max_count; /* done keys kept at the most; 0: 1000000 */
    /* 0: a commit is on the disk when it returns. 1: it survives the process, not the machine: a
     * store that was open when the machine stopped starts empty. All processes on a folder say the
     * same. */
    int fast;
} fob_once_options_t;
#define FOB_ONCE_OPTIONS                                                                           \
    { .version = 1 }

/* Opens the store. NULL: *status (may be NULL) says why and `text` (may be NULL; `size` bytes) a
 * sentence: INVALID (options), FOLDER_IN_USE (open in this process already, or elsewhere with
 * another `fast`), FOLDER_NEWER, DAMAGED, DENIED, DISK_FULL, DISK_FAILED, NO_MEMORY. Waits while
 * another process opens or closes the same folder. */
FOB_EXPORT fob_once_t *fob_once_new(const fob_once_options_t *options, fob_status_t *status,
                                    char *text, size_t size);

/* The key of an event in a group: group, topic and id. An event to which its publisher gave no id
 * is known by its place and the time it was stored, as another bus counts the same places. Writes
 * at most FOB_ONCE_KEY_MAX bytes to `key`, returns how many. Pure. */
FOB_EXPORT size_t fob_once_key_of(const fob_event_t *event, const char *group, char *key);

/* How it stands with a key of 1 to FOB_ONCE_KEY_MAX bytes. FOB_OK: *state says it. NEW: nobody else
 * begins it until commit, abort, destroy or the end of this process. DONE: *result (may be NULL)
 * gets a copy of what was committed, *result_size bytes and a zero byte behind them, the caller's
 * to free (). Otherwise *result is NULL. Else nothing was begun: INVALID, NO_MEMORY, BUSY (too many
 * at once), DAMAGED, DISK_FULL, DISK_FAILED. Does not wait for commits. */
FOB_EXPORT fob_status_t fob_once_begin(fob_once_t *self, const void *key, size_t key_size,
                                       fob_once_state_t *state, void **result,
                                       size_t *result_size) FOB_MUST_USE;

/* Marks a key that begin gave as NEW as done, with up to FOB_ONCE_RESULT_MAX bytes of result.
 * FOB_OK: it is, and durably so unless `fast`. NOT_HELD: it was not begun here. Else it is in
 * progress still (commit again, or abort): INVALID (sizes), NO_MEMORY, DAMAGED, DISK_FULL,
 * DISK_FAILED. */
FOB_EXPORT fob_status_t fob_once_commit(fob_once_t *self, const void *key, size_t key_size,
                                        const void *result, size_t result_size) FOB_MUST_USE;

/* Gives a begun key back: the next begin says NEW. FOB_OK; NOT_HELD: it was not begun here. */
FOB_EXPORT fob_status_t fob_once_abort(fob_once_t *self, const void *key, size_t key_size);

/* The last trouble in a sentence, or "". Copied into `text`. */
FOB_EXPORT void fob_once_trouble(fob_once_t *self, char *text, size_t size);

/* Gives back what is begun, closes, frees. Nulls; null-safe. */
FOB_EXPORT void fob_once_destroy(fob_once_t **self_p);

#ifdef __cplusplus
}
#endif
#endif
