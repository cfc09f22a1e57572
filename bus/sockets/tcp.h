/* tcp: what the system tells of a connection's descriptor. Any thread. */
#ifndef FOB_SOCKETS_TCP_H
#define FOB_SOCKETS_TCP_H

#include "bus/guard/conduct.h"

#include <stddef.h>

/* Fills all but `unread`. False: it is no connection of TCP (any more), or the system does not
 * tell. */
bool fob_tcp_sample(int fd, fob_conduct_sample_t *out);
/* What the kernel received and nobody read yet, in bytes; 0 also where it does not tell. */
uint64_t fob_tcp_unread(int fd);
/* Who is on the other end: "127.0.0.1:4711"; "nobody" once it is gone. */
void fob_tcp_peer(int fd, char *out, size_t size);

#endif
