/* context: see context.h. */
#include "proto/link/context.h"

#include <errno.h>
#include <pthread.h>
#include <zmq.h>

#define CONTEXT_SOCKETS 65000 /* three a client, so thousands of clients in one process */

static pthread_mutex_t context_lock = PTHREAD_MUTEX_INITIALIZER;
static void *context;
static unsigned context_holders;

void *fob_context_hold(void) {
    pthread_mutex_lock(&context_lock);
    if (!context && (context = zmq_ctx_new())) {
        zmq_ctx_set(context, ZMQ_BLOCKY, 0);
        if (zmq_ctx_set(context, ZMQ_MAX_SOCKETS, CONTEXT_SOCKETS) != 0)
            zmq_ctx_set(context, ZMQ_MAX_SOCKETS, zmq_ctx_get(context, ZMQ_SOCKET_LIMIT));
    }
    void *held = context;
    context_holders += held != NULL;
    pthread_mutex_unlock(&context_lock);
    return held;
}

void fob_context_drop(void) {
    pthread_mutex_lock(&context_lock);
    void *ended = NULL;
    if (--context_holders == 0) {
        ended = context;
        context = NULL;
    }
    pthread_mutex_unlock(&context_lock);
    while (ended && zmq_ctx_term(ended) != 0 && errno == EINTR)
        ;
}
