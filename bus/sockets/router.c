#include "bus/sockets/router.h"

#include "bus/service/peers.h"
#include "proto/handover.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <zmq.h>

#define QUEUE_MESSAGES 4096        /* that wait for one client at the most */
#define QUEUE_BYTES    (48u << 20) /* and their bytes */
#define FRAMES_MAX     16 /* of a message: no verb has more than two; a stranger may do it wrong */

/* Smaller bodies are copied: libzmq would keep its whole 8 KiB receive buffer alive for each. */
#define COPY_BELOW 4096

typedef struct letter {
    struct letter *next;
    zmq_msg_t header, body;
    bool has_body;
    size_t size;
} letter_t;

typedef struct {
    uint64_t conn; /* 0: nothing waits in this slot */
    letter_t *first, *last;
    size_t count, bytes;
    size_t place; /* in the list of those that wait */
    uint8_t route[FOB_ROUTE_SIZE];
} queue_t;

struct fob_router {
    void *socket;
    fob_traffic_t *traffic;
    zmq_msg_t route, header;
    queue_t *queues; /* by slot of the connection (the low half of its number) */
    size_t queue_count;
    uint32_t *waiting; /* slots of the queues that are not empty; room for all */
    size_t waiting_count;
};

fob_router_t *fob_router_new(void *socket) {
    fob_router_t *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->socket = socket;
    zmq_msg_init(&self->route);
    zmq_msg_init(&self->header);
    return self;
}

static void letter_destroy(letter_t *letter) {
    zmq_msg_close(&letter->header);
    if (letter->has_body)
        zmq_msg_close(&letter->body);
    free(letter);
}

static void queue_clear(fob_router_t *self, queue_t *queue) {
    if (!queue->conn)
        return;
    while (queue->first) {
        letter_t *letter = queue->first;
        queue->first = letter->next;
        letter_destroy(letter);
    }
    uint32_t last = self->waiting[--self->waiting_count];
    self->waiting[queue->place] = last;
    self->queues[last].place = queue->place;
    *queue = (queue_t){0};
}

void fob_router_destroy(fob_router_t **self_p, int linger_ms) {
    fob_router_t *self = *self_p;
    if (!self)
        return;
    while (self->waiting_count > 0)
        queue_clear(self, &self->queues[self->waiting[0]]);
    free(self->queues);
    free(self->waiting);
    zmq_msg_close(&self->route);
    zmq_msg_close(&self->header);
    zmq_setsockopt(self->socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    zmq_close(self->socket);
    free(self);
    *self_p = NULL;
}

void fob_router_watch(fob_router_t *self, fob_traffic_t *traffic) {
    self->traffic = traffic;
}

void *fob_router_socket(fob_router_t *self) {
    return self->socket;
}

/* --- receiving --- */

static void free_message(void *data, void *hint) {
    (void)data;
    zmq_msg_close(hint);
    free(hint);
}

/* Turns a received frame into a blob; large ones without a copy. The frame is empty afterwards. */
static fob_blob_t *blob_of(zmq_msg_t *frame) {
    size_t size = zmq_msg_size(frame);
    if (size < COPY_BELOW)
        return fob_blob_copy(fob_slice(zmq_msg_data(frame), size));
    zmq_msg_t *kept = malloc(sizeof *kept);
    if (!kept)
        return NULL;
    zmq_msg_init(kept);
    zmq_msg_move(kept, frame);
    fob_blob_t *blob = fob_blob_wrap(zmq_msg_data(kept), size, free_message, kept);
    if (!blob)
        free_message(NULL, kept);
    return blob;
}

/* libzmq hands a message over when all its frames are there: an endless one is not seen here, but
 * by what comes over its connection. */
static void receive_rest(fob_router_t *self, fob_mail_t *out) {
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    bool more = zmq_msg_more(&self->header);
    while (more && zmq_msg_recv(&frame, self->socket, ZMQ_DONTWAIT) >= 0) {
        more = zmq_msg_more(&frame);
        out->bytes += zmq_msg_size(&frame);
        if (++out->frames == 2) {
            out->body = blob_of(&frame);
            out->failed = !out->body;
        }
    }
    zmq_msg_close(&frame);
}

static void tell_whose(fob_router_t *self, fob_mail_t *out) {
    int fd = self->traffic ? zmq_msg_get(&self->header, ZMQ_SRCFD) : -1;
    if (fd < 0)
        return;
    out->line = fob_traffic_heard(self->traffic, fd);
    if (out->frames > FRAMES_MAX)
        fob_traffic_end(self->traffic, fd, FOB_ENDED_FRAMES);
}

bool fob_router_receive(fob_router_t *self, fob_mail_t *out) {
    if (zmq_msg_recv(&self->route, self->socket, ZMQ_DONTWAIT) < 0)
        return false;
    *out = (fob_mail_t){0};
    if (!zmq_msg_more(&self->route) ||
        zmq_msg_recv(&self->header, self->socket, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(&self->header);
        zmq_msg_init(&self->header);
    } else {
        out->frames = 1;
        receive_rest(self, out);
        tell_whose(self, out);
    }
    out->route = fob_slice(zmq_msg_data(&self->route), zmq_msg_size(&self->route));
    out->header = fob_slice(zmq_msg_data(&self->header), zmq_msg_size(&self->header));
    out->bytes += out->header.size;
    return true;
}

/* --- sending --- */

/* Fills the letter's frames; the body's hold passes in any case. */
static bool fill(letter_t *letter, fob_slice_t header, fob_body_t body) {
    if (zmq_msg_init_size(&letter->header, header.size) != 0) {
        fob_blob_unref(&body.blob);
        return false;
    }
    memcpy(zmq_msg_data(&letter->header), header.data, header.size);
    letter->size = header.size + body.size;
    letter->has_body = body.blob != NULL;
    if (!body.blob)
        return true;
    /* libzmq wants a pointer to change; it does not change what lies there. */
    uint8_t *data = (uint8_t *)(uintptr_t)(fob_blob_slice(body.blob).data + body.at);
    fob_hand_over(body.blob); /* libzmq's own thread drops it */
    if (zmq_msg_init_data(&letter->body, data, body.size, fob_hand_back, body.blob) == 0)
        return true;
    fob_blob_unref(&body.blob);
    zmq_msg_close(&letter->header);
    return false;
}

/* 0: sent, the frames are empty now; else errno. */
static int post(fob_router_t *self, fob_slice_t route, letter_t *letter) {
    if (zmq_send(self->socket, route.data, route.size, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
        return errno;
    /* Once the socket took the routing id it takes the rest: it drops it if the pipe ends
     * meanwhile. */
    int more = letter->has_body ? ZMQ_SNDMORE : 0;
    if (zmq_msg_send(&letter->header, self->socket, more | ZMQ_DONTWAIT) < 0)
        return errno;
    if (letter->has_body && zmq_msg_send(&letter->body, self->socket, ZMQ_DONTWAIT) < 0)
        return errno;
    return 0;
}

static queue_t *queue_of(fob_router_t *self, uint64_t conn) {
    uint32_t slot = (uint32_t)conn;
    if (slot >= self->queue_count || self->queues[slot].conn != conn)
        return NULL;
    return &self->queues[slot];
}

static bool queue_room(fob_router_t *self, uint32_t slot) {
    if (slot < self->queue_count)
        return true;
    size_t count = self->queue_count ? self->queue_count : 64;
    while (count <= slot)
        count *= 2;
    queue_t *queues = realloc(self->queues, count * sizeof *queues);
    if (!queues)
        return false;
    memset(queues + self->queue_count, 0, (count - self->queue_count) * sizeof *queues);
    self->queues = queues;
    uint32_t *waiting = realloc(self->waiting, count * sizeof *waiting);
    if (!waiting)
        return false;
    self->waiting = waiting;
    self->queue_count = count;
    return true;
}

static fob_send_t enqueue(fob_router_t *self, uint64_t conn, fob_slice_t route, letter_t *letter) {
    uint32_t slot = (uint32_t)conn;
    letter_t *kept = queue_room(self, slot) ? malloc(sizeof *kept) : NULL;
    if (!kept) {
        zmq_msg_close(&letter->header);
        if (letter->has_body)
            zmq_msg_close(&letter->body);
        return FOB_SEND_MEMORY;
    }
    *kept = (letter_t){.has_body = letter->has_body, .size = letter->size};
    zmq_msg_init(&kept->header);
    zmq_msg_move(&kept->header, &letter->header);
    if (letter->has_body) {
        zmq_msg_init(&kept->body);
        zmq_msg_move(&kept->body, &letter->body);
    }
    queue_t *queue = &self->queues[slot];
    if (queue->conn != conn) {
        queue_clear(self, queue); /* of a connection that is gone */
        queue->conn = conn;
        memcpy(queue->route, route.data, FOB_ROUTE_SIZE);
        queue->place = self->waiting_count;
        self->waiting[self->waiting_count++] = slot;
    }
    if (queue->last)
        queue->last->next = kept;
    else
        queue->first = kept;
    queue->last = kept;
    queue->count++;
    queue->bytes += kept->size;
    return queue->count > QUEUE_MESSAGES || queue->bytes > QUEUE_BYTES ? FOB_SEND_UNREAD
                                                                       : FOB_SEND_DONE;
}

fob_send_t fob_router_send(fob_router_t *self, uint64_t conn, fob_slice_t route, fob_slice_t header,
                           fob_body_t body) {
    letter_t letter = {0};
    if (!fill(&letter, header, body))
        return FOB_SEND_MEMORY;
    bool behind = conn && queue_of(self, conn);
    int problem = behind ? EAGAIN : post(self, route, &letter);
    if (problem == EAGAIN && conn)
        return enqueue(self, conn, route, &letter);
    zmq_msg_close(&letter.header);
    if (letter.has_body)
        zmq_msg_close(&letter.body);
    return problem == 0 ? FOB_SEND_DONE : FOB_SEND_GONE;
}

/* Sends from the front of a queue. False: the connection is gone. */
static bool retry(fob_router_t *self, queue_t *queue) {
    while (queue->first) {
        letter_t *letter = queue->first;
        int problem = post(self, fob_slice(queue->route, FOB_ROUTE_SIZE), letter);
        if (problem == EAGAIN)
            return true;
        if (problem != 0)
            return false;
        queue->first = letter->next;
        if (!queue->first)
            queue->last = NULL;
        queue->count--;
        queue->bytes -= letter->size;
        letter_destroy(letter);
    }
    queue_clear(self, queue);
    return true;
}

void fob_router_retry(fob_router_t *self, void (*gone)(void *arg, uint64_t conn), void *arg) {
    for (size_t i = self->waiting_count; i > 0;
         i--) { /* one that is done: the last takes its place */
        queue_t *queue = &self->queues[self->waiting[i - 1]];
        uint64_t conn = queue->conn;
        if (!retry(self, queue)) {
            queue_clear(self, queue);
            gone(arg, conn);
        }
    }
}

bool fob_router_waits(const fob_router_t *self) {
    return self->waiting_count > 0;
}

void fob_router_forget(fob_router_t *self, uint64_t conn) {
    queue_t *queue = queue_of(self, conn);
    if (queue)
        queue_clear(self, queue);
}
