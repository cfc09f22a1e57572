/* fob_event: an event as a handler sees it. Opaque; one event belongs to one thread at a time. */
#ifndef FOB_EVENT_H
#define FOB_EVENT_H

#include <fob/fob_export.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fob_event fob_event_t;

/* All pointers are good until the event is destroyed or settled. Strings are terminated by a zero
 * byte; an attribute that is absent is NULL. */
FOB_EXPORT const char *fob_event_topic(const fob_event_t *self);
FOB_EXPORT const void *fob_event_data(const fob_event_t *self, size_t *size); /* not terminated */
/* The publisher's id, or "SHARD-OFFSET". */
FOB_EXPORT const char *fob_event_id(const fob_event_t *self);
FOB_EXPORT const char *fob_event_key(const fob_event_t *self);
/* Never NULL: where the publisher gave none it is "application/msgpack". */
FOB_EXPORT const char *fob_event_content_type(const fob_event_t *self);
FOB_EXPORT const char *fob_event_source(const fob_event_t *self);
FOB_EXPORT const char *fob_event_traceparent(const fob_event_t *self);
FOB_EXPORT const char *fob_event_header(const fob_event_t *self, const char *name);
/* The index-th header; 0: no more, else 1. */
FOB_EXPORT int fob_event_header_at(const fob_event_t *self, size_t index, const char **name,
                                   const char **value);
FOB_EXPORT uint32_t fob_event_shard(const fob_event_t *self);
/* 0: fire-and-forget, never stored. */
FOB_EXPORT uint64_t fob_event_offset(const fob_event_t *self);
/* The epoch that the offset is of; 0: fire-and-forget. Offsets of two epochs are never compared:
 * who saves the one saves the other. */
FOB_EXPORT uint64_t fob_event_epoch(const fob_event_t *self);
/* Unix ms: when it was stored, or forwarded. */
FOB_EXPORT int64_t fob_event_time(const fob_event_t *self);
/* From 1 in a group; 0: broadcast. */
FOB_EXPORT uint32_t fob_event_attempt(const fob_event_t *self);
/* The lease's fencing token; 0: broadcast. */
FOB_EXPORT uint64_t fob_event_token(const fob_event_t *self);

/* Frees an event that needs no settling (from a subscriber) and nulls it; null-safe. */
FOB_EXPORT void fob_event_destroy(fob_event_t **self_p);

#ifdef __cplusplus
}
#endif
#endif
