/* bare: loops of libzmq alone, of the shape of a bus and with nothing else in them: what no bus on
 * libzmq can be faster than. Each runs in a process of its own until that is ended. */
#ifndef FOB_BENCH_BARE_H
#define FOB_BENCH_BARE_H

#include <stdint.h>
#include <sys/types.h>

typedef struct bare bare_t;

/* A ROUTER that takes what is there, writes it (pwrite, one fdatasync for all of it, into a file
 * whose bytes are allocated) and answers each. `sync`: "always" or another word for no fdatasync.
 * Ends the program where it cannot be. */
bare_t *bare_router(const char *sync);
/* An XSUB and an XPUB, and each message of the one sent by the other. */
bare_t *bare_forward(void);
/* Where to send, and where to receive (of bare_forward: else the same). */
const char *bare_in(const bare_t *self);
const char *bare_out(const bare_t *self);
/* Ends its process. Nulls. */
void bare_destroy(bare_t **self_p);

#endif
