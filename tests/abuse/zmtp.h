/* zmtp: a peer of the bus made of bytes: ZMTP 3 over a plain socket, so that it can break every
 * rule that a ZeroMQ library keeps.
 *
 *     zmtp_t *peer = zmtp_new (port, "DEALER");
 *     zmtp_hello (peer, "publisher", 1);
 *     zmtp_frame (peer, ZMTP_MORE, bytes, size);
 *     zmtp_destroy (&peer);
 *
 * Waits have a deadline and fail the test, but for those that say otherwise. One thread each. */
#ifndef FOB_TESTS_ZMTP_H
#define FOB_TESTS_ZMTP_H

#include "proto/wire.h"
#include "tests/support/pace.h"

#define ZMTP_LAST 0
#define ZMTP_MORE 1

#define ZMTP_PATIENCE PACE_PATIENCE /* ms that a wait takes at the most */

typedef struct zmtp zmtp_t;

/* Only the TCP connection, from an address of its own so that thousands of closed ones keep no port
 * from other tests. -1: refused. */
int zmtp_dial(int port);
/* The 64 bytes of greeting that a peer says first, and the READY command of a socket type. */
extern const uint8_t zmtp_greeting[64];
void zmtp_put_ready(fob_buf_t *out, const char *type);
/* Appends one frame. */
void zmtp_put_frame(fob_buf_t *out, uint8_t flags, const void *data, size_t size);

/* Connected, greeted, ready. */
zmtp_t *zmtp_new(int port, const char *type);
/* The same; NULL where the bus does not want it. */
zmtp_t *zmtp_try(int port, const char *type);
/* As zmtp_new, with little room on the way for what the bus sends: if it does not read, the bus has
 * to keep that after some hundred KiB, not after ten MiB. */
zmtp_t *zmtp_narrow(int port, const char *type);
/* Closes with a reset. Null-safe, nulls. */
void zmtp_destroy(zmtp_t **self_p);
int zmtp_fd(const zmtp_t *self);

/* Sends these bytes, all of them; false: the bus hung up, or took none for ZMTP_PATIENCE. */
bool zmtp_write(zmtp_t *self, const void *data, size_t size);
/* Sends what can be sent at once; how many bytes; -1: the bus hung up. */
long zmtp_push(zmtp_t *self, const void *data, size_t size);
bool zmtp_frame(zmtp_t *self, uint8_t flags, const void *data, size_t size);
/* A message of one frame, or of two. */
bool zmtp_send(zmtp_t *self, const fob_wire_t *msg, const fob_buf_t *body);
/* The next frame that is no command, within so many ms; its bytes are good until the next call.
 * False: none, or the bus hung up. */
bool zmtp_next(zmtp_t *self, fob_slice_t *frame, int timeout_ms);
/* Whether the bus hangs up within so many ms; what it says before is thrown away. */
bool zmtp_hung_up(zmtp_t *self, int timeout_ms);

/* Says HELLO and waits for the answer's verb (WELCOME, or ERROR). `session`: 0 is none. */
fob_verb_t zmtp_hello(zmtp_t *self, const char *role, uint8_t session);
/* SUBSCRIBE or, with `on` false, CANCEL, as messages of ZMTP 3.0 are. */
bool zmtp_subscribe(zmtp_t *self, bool on, const void *prefix, size_t size);

#endif
