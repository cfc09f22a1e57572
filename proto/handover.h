/* handover: tells ThreadSanitizer of what libzmq hands between threads.
 *
 * libzmq hands a message from one thread to another by atomics of its own, which a TSan build
 * cannot see, as libzmq itself is not instrumented. So the sender calls fob_hand_over before it
 * sends and the receiver fob_take_over after it received, both with the same token (any address
 * that belongs to that pipe alone). Without the sanitizer both are nothing. What does not go
 * through this pair is still checked. */
#ifndef FOB_HANDOVER_H
#define FOB_HANDOVER_H

#if defined(__SANITIZE_THREAD__)
#define FOB_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FOB_TSAN 1
#endif
#endif

#include "proto/blob.h"

#ifdef FOB_TSAN
void __tsan_acquire(void *token);
void __tsan_release(void *token);
#endif

/* The sender: all it did before is now visible to whoever takes over. */
static inline void fob_hand_over(void *token) {
#ifdef FOB_TSAN
    __tsan_release(token);
#else
    (void)token;
#endif
}

/* The receiver: sees all that was done before the handing over. */
static inline void fob_take_over(void *token) {
#ifdef FOB_TSAN
    __tsan_acquire(token);
#else
    (void)token;
#endif
}

/* For zmq_msg_init_data: drops the hold on a blob (`hint`) that was handed over with itself as the
 * token. On whichever thread of libzmq is the last. */
static inline void fob_hand_back(void *data, void *hint) {
    fob_blob_t *blob = hint;
    (void)data;
    fob_take_over(blob);
    fob_blob_unref(&blob);
}

#endif
