/* core_kit: a core with a journal of bytes in memory around it, for tests.
 *
 * Turns are taken, their records kept, their effects copied; commits become durable when the test
 * says so, and effects are shown only then. A crash keeps what is durable (or a bit more), and
 * replays it. */
#ifndef FOB_TESTS_CORE_KIT_H
#define FOB_TESTS_CORE_KIT_H

#include "test_core_effect.h"

#include "proto/envelope.h"

typedef struct {
    uint64_t position, first_offset;
    uint32_t count;
    uint8_t *bytes;
    size_t size;
    bool unreadable;
} kit_record_t;

typedef struct kit kit_t;
struct kit {
    fob_core_config_t config;
    fob_core_t *core;
    fob_now_t now;
    kit_record_t *log;
    size_t log_count, log_capacity;
    uint64_t position, durable;
    uint64_t *hashes; /* by position */
    size_t hash_capacity;
    bool hash_turns;
    kit_effect_t *waiting; /* not performed yet */
    size_t waiting_count, waiting_capacity;
    kit_effect_t *shown; /* performed, in order; the test clears them */
    size_t shown_count, shown_capacity;
    fob_turn_t **turns; /* not released yet: their effects wait */
    size_t turn_count, turn_capacity;
    fob_buf_t *slices; /* of the newest checkpoint */
    size_t slice_count;
    uint64_t checkpoint_position; /* replay needs what is above */
    fob_buf_t *taking;            /* of the one under way */
    size_t taking_count;
    bool taking_on;
    uint64_t taking_from, taking_needs;
    bool manual;    /* the test calls kit_sync itself; else all is durable at once */
    unsigned lives; /* how often it crashed */
    uint64_t turns_taken;
    size_t turn_from; /* of the log: where the records of the newest turn begin */
    bool synced;      /* the last turn asked for a sync */
    /* Told of each effect when it is decided, after the records of its turn are in the log. */
    void (*watch)(const kit_effect_t *effect);
};

extern const fob_core_config_t kit_config;

void kit_init(kit_t *kit, const fob_core_config_t *config);
void kit_free(kit_t *kit);
/* Steps and takes. */
void kit_do(kit_t *kit, const fob_command_t *command);
fob_status_t kit_step(kit_t *kit, const fob_command_t *command);
void kit_take(kit_t *kit);
/* Takes until nothing more happens. */
void kit_settle_down(kit_t *kit);
/* Time passes, and is told. */
void kit_pass(kit_t *kit, int64_t ms);
/* Commits up to `position` are durable; shows the effects that waited. */
void kit_sync(kit_t *kit, uint64_t position);
/* The process dies; what is above `keep` (>= durable) was not written. Replays, and checks the
 * hash. */
void kit_crash(kit_t *kit, uint64_t keep);
/* A whole checkpoint at once. */
void kit_checkpoint(kit_t *kit);
/* One slice of one: begins it, goes on with it, or, once all that it holds is durable, makes it the
 * one to recover from. */
void kit_checkpoint_some(kit_t *kit);
/* The journal is all there is to recover from. */
void kit_forget_checkpoint(kit_t *kit);
/* Forgets what was shown. */
void kit_clear(kit_t *kit);
/* The last shown effect of a kind, or NULL; the first from *at on. */
kit_effect_t *kit_last(kit_t *kit, fob_effect_kind_t kind);
size_t kit_count(const kit_t *kit, fob_effect_kind_t kind);

/* --- commands --- */
/* Publishes `count` events of a topic with data of `size` bytes. */
void kit_publish(kit_t *kit, uint8_t session, uint64_t first, uint64_t low, const char *topic,
                 unsigned count);
/* As events are named: topics separated by spaces. */
void kit_publish_topics(kit_t *kit, uint8_t session, uint64_t first, uint64_t low,
                        const char *topics);
void kit_publish_body(kit_t *kit, uint8_t session, uint64_t first, uint64_t low, fob_buf_t *body,
                      fob_status_t refuse);
void kit_event(fob_buf_t *body, const char *topic, const void *data, size_t size);
/* The same with an id (empty: none) and a priority. */
void kit_event_with(fob_buf_t *body, const char *topic, const char *id, uint8_t priority,
                    const void *data, size_t size);
void kit_join(kit_t *kit, uint64_t conn, const char *group, const char *pattern, uint64_t credit);
/* With a session and claims: rows of offset, count, token. */
void kit_rejoin(kit_t *kit, uint64_t conn, uint8_t session, const char *group, uint64_t credit,
                const uint64_t (*claims)[3], size_t count);
void kit_settle(kit_t *kit, uint64_t conn, const char *group, uint64_t seq, unsigned kind,
                uint64_t offset, uint64_t count, uint64_t token);
void kit_credit(kit_t *kit, uint64_t conn, const char *group, uint64_t credit);
void kit_leave(kit_t *kit, uint64_t conn, const char *group);
void kit_lost(kit_t *kit, uint64_t conn);
/* Answers a NEED from the log, records up to about `bytes`; absent where there is nothing. */
void kit_page(kit_t *kit, uint64_t offset, size_t bytes);
/* Answers every NEED shown, until none is. */
void kit_pages(kit_t *kit);

/* --- figures --- */
fob_group_stats_t kit_stats(kit_t *kit, const char *group);
/* Fails unless every group's books balance. */
void kit_books(kit_t *kit);
/* The index-th event of all shown deliveries: offset, token, attempt. */
const uint64_t *kit_nth(const kit_t *kit, size_t index);
/* The last receipt has exactly these rows. */
void kit_receipt_is(kit_t *kit, const uint64_t (*rows)[5], size_t count);
#define KIT_RECEIPT(kit, ...)                                                                      \
    kit_receipt_is((kit), (const uint64_t[][5]){__VA_ARGS__},                                      \
                   sizeof((const uint64_t[][5]){__VA_ARGS__}) / sizeof(uint64_t[5]))
/* How many events all shown deliveries to conn hold (0: to anybody). */
size_t kit_delivered(const kit_t *kit, uint64_t conn);

#endif
