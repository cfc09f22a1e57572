/* zmq_clients: PUB and SUB of plain libzmq, for whoever forwards between them; what all loops of
 * libzmq here share. */
#ifndef FOB_BENCH_ZMQ_CLIENTS_H
#define FOB_BENCH_ZMQ_CLIENTS_H

#include "tests/bench/peers/peer.h"

/* Messages that may wait at a socket: 64 MiB of them, at least 16. */
int zmq_clients_hwm(const work_t *work);
/* A PUB that connects to port 0 of the site, and waits rather than drops where it may not send;
 * with a batch, that many events to a frame. */
bool zmq_clients_publish(role_t *role);
/* A SUB at port 1. */
bool zmq_clients_consume(role_t *role);
/* Sets an int option; ends the program where that fails. */
void zmq_clients_set(void *socket, int option, int value);
/* The version of libzmq. */
bool zmq_clients_version(char *text, size_t size);

#endif
