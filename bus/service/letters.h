/* letters: what the bus says, as wire messages. Pure.
 *
 * An effect becomes one message or, for a delivery of many pieces, several. The body is a part of a
 * blob, to be sent as it lies there; only a delivery whose events lie in different blobs is copied,
 * once. */
#ifndef FOB_SERVICE_LETTERS_H
#define FOB_SERVICE_LETTERS_H

#include "bus/core/core.h"
#include "bus/fetch/fetches.h"

typedef struct {
    fob_blob_t *blob; /* a hold of the receiver's own; NULL: no body */
    size_t at, size;
} fob_body_t;

/* Appends the header of the effect's next message to `header` (cleared before) and fills `body`.
 * `runs` is scratch, which keeps its memory from one call to the next. `*from` is how far it came
 * (start with 0): done when it equals the effect's span_count. FOB_OK, FOB_NO_MEMORY. Not for NEED
 * and STORED. */
fob_status_t fob_letter_effect(fob_buf_t *header, fob_buf_t *runs, uint32_t shard,
                               const fob_effect_t *effect, size_t *from,
                               fob_body_t *body) FOB_MUST_USE;

/* The two frames of a STORED effect: header appended to `header` (cleared before), body as above.
 * `source` is the bus's own for this run. */
fob_status_t fob_letter_cast(fob_buf_t *header, uint32_t shard, uint64_t epoch, uint64_t source,
                             const fob_effect_t *effect, fob_body_t *body) FOB_MUST_USE;

/* What a client is told in WELCOME. */
typedef struct {
    uint32_t shard;
    const char *level;
    const char *advertise; /* host told to clients; "": the one they dialled */
    uint16_t router, xsub, xpub;
    uint64_t heartbeat_ms, epoch, max_event, max_batch, window;
} fob_house_t;

/* `began`: up to there offsets are as they were under the epoch that the client knows. */
fob_status_t fob_letter_welcome(fob_buf_t *header, const fob_house_t *house, uint64_t head,
                                uint64_t began, uint64_t last) FOB_MUST_USE;
/* `echo`: what the client's own BEAT had; NULL: it answers none. */
fob_status_t fob_letter_beat(fob_buf_t *header, const fob_house_t *house, uint64_t head,
                             uint64_t began, const uint64_t *echo) FOB_MUST_USE;
fob_status_t fob_letter_goodbye(fob_buf_t *header, const fob_house_t *house, const char *text,
                                uint64_t retry_after_ms) FOB_MUST_USE;
/* The header of a REPLY to the request `req`. */
fob_status_t fob_letter_reply(fob_buf_t *header, const fob_house_t *house, uint64_t req,
                              fob_status_t code, const char *text) FOB_MUST_USE;

/* The header of a FETCHED; its body is the answer's. */
fob_status_t fob_letter_fetched(fob_buf_t *header, const fob_house_t *house,
                                const fob_fetched_t *answer) FOB_MUST_USE;
/* The header of a WHOLENESS; its body are the rows. */
fob_status_t fob_letter_wholeness(fob_buf_t *header, const fob_house_t *house,
                                  const fob_whole_t *whole, const fob_lasts_t *answer) FOB_MUST_USE;
/* The header of a FETCHED or WHOLENESS that says why it is none. Its body is empty. */
fob_status_t fob_letter_no_past(fob_buf_t *header, const fob_house_t *house, fob_verb_t verb,
                                uint64_t req, fob_status_t code, const char *text) FOB_MUST_USE;

#endif
