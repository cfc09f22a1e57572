/* ears: libzmq sockets and plain descriptors that one thread waits for, by poll(2) on what libzmq
 * signals by.
 *
 * zmq_poll asks each socket for its state twice a call, and each time the socket polls its own
 * descriptor and asks for the process's number: a thread with five sockets makes twenty-five system
 * calls to be told of one message. Here a socket is asked only where its owner sent on it, as that
 * may have swallowed the signal of what came meanwhile. The price: libzmq signals what is new and
 * not what is there, so a socket has `news` until its owner has read it until there was nothing.
 *
 * One thread at a time. */
#ifndef FOB_SOCKETS_EARS_H
#define FOB_SOCKETS_EARS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    void *socket; /* NULL: a plain descriptor, whose news last as long as it is readable */
    int fd;
    bool news; /* there may be something to read; the owner takes it back once there is nothing */
    bool used; /* the owner sent on it, or set an option, since it was last asked */
} fob_ear_t;

/* Of a socket, with news; of a descriptor. */
fob_ear_t fob_ear_of(void *socket);
fob_ear_t fob_ear_fd(int fd);

/* Waits until one of them has news, at most until `until_ns` (monotonic; FOB_NEVER). True, also
 * where it was interrupted or nothing came in time; false: the system cannot poll (errno). */
bool fob_ears_wait(fob_ear_t *ears, size_t count, int64_t until_ns);

#endif
