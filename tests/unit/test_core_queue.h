/* core_queue: one group "g" and its one worker on connection 1, in a core with its kit: what goes
 * out, in which order. The books are looked at after each step. */
#ifndef FOB_TESTS_CORE_QUEUE_H
#define FOB_TESTS_CORE_QUEUE_H

#include "test_core_kit.h"

#define QUEUE_GOT 200000

typedef struct {
    kit_t kit;
    uint64_t published, asked, seq;
    size_t size;        /* bytes of data of what is published */
    uint64_t (*got)[2]; /* offset, token, in the order of delivery; since queue_init */
    size_t count;       /* of these */
    char text[16384];   /* of the last take */
} queue_t;

void queue_init(queue_t *self, const fob_core_config_t *config);
/* Little of the backlog fits into its memory; an answer brings one batch or two. */
void queue_init_small(queue_t *self);
void queue_free(queue_t *self);
/* One batch: a word an event, a topic and a digit for its priority, "a0 b5". */
void queue_say(queue_t *self, const char *words);
/* One batch of `count` events. */
void queue_many(queue_t *self, const char *topic, uint8_t priority, unsigned count);
/* The worker comes, and asks for nothing yet; `pattern` NULL: as the group is. */
void queue_join(queue_t *self, const char *pattern);
/* Asks for `count` more, and answers NEEDs. What came, as text: "3 1 2". */
const char *queue_take(queue_t *self, uint64_t count);
/* The same, but pages are not answered. */
const char *queue_ask(queue_t *self, uint64_t count);
/* How the lease of an offset ends that it got last. */
void queue_settle(queue_t *self, unsigned kind, uint64_t offset);
void queue_ack(queue_t *self, uint64_t offset);
/* Takes and acks one by one, up to `most`, or until nothing more comes; as text. */
const char *queue_drain(queue_t *self, size_t most);
/* The bus dies after all that is durable, and starts again; the worker comes back without claims.
 */
void queue_crash(queue_t *self);
/* The resume window passes. */
void queue_resume(queue_t *self);
/* GROUP_ADD, GROUP_SET or GROUP_RESET of "g". */
void queue_admin(queue_t *self, fob_command_kind_t kind, const char *pattern, uint64_t offset,
                 unsigned setting, uint64_t value);
fob_group_stats_t queue_stats(queue_t *self);

#endif
