/* handover: tells ThreadSanitizer that what one thread wrote is handed to another through libzmq,
 * whose own synchronisation it cannot see. One pair of calls, about one address; without the
 * sanitizer they are nothing. */
#ifndef FOB_LINK_HANDOVER_H
#define FOB_LINK_HANDOVER_H

#if defined(__SANITIZE_THREAD__)
#define FOB_LINK_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FOB_LINK_TSAN 1
#endif
#endif

#ifdef FOB_LINK_TSAN
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#endif

/* Before the address goes to libzmq: all that this thread did so far comes before what the receiver
 * does. */
static inline void fob_link_hand_over(void *address) {
#ifdef FOB_LINK_TSAN
    __tsan_release(address);
#else
    (void)address;
#endif
}

/* When it arrives, on the thread that libzmq calls. */
static inline void fob_link_take_over(void *address) {
#ifdef FOB_LINK_TSAN
    __tsan_acquire(address);
#else
    (void)address;
#endif
}

#endif
