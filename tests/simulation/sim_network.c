#include "sim_network.h"

#include "proto/now.h"
#include "sim_memory.h"

#define UNREAD_ABOVE 4096 /* letters for one client, as the router's queue */
#define REMEMBER_NS  (60 * FOB_SEC)

/* --- pipes --- */

void sim_letter_free(sim_letter_t *letter) {
    free(letter->header);
    fob_blob_unref(&letter->body);
}

static sim_letter_t *letter_at(const sim_pipe_t *pipe, size_t index) {
    return &pipe->ring[(pipe->first + index) % pipe->room];
}

static void pipe_put(sim_pipe_t *pipe, const sim_letter_t *letter) {
    if (pipe->count == pipe->room) {
        size_t room = pipe->room ? 2 * pipe->room : 16;
        sim_letter_t *ring = sim_alloc(room * sizeof *ring);
        for (size_t i = 0; i < pipe->count; i++)
            ring[i] = *letter_at(pipe, i);
        free(pipe->ring);
        pipe->ring = ring;
        pipe->first = 0;
        pipe->room = room;
    }
    pipe->count++;
    *letter_at(pipe, pipe->count - 1) = *letter;
}

/* Loses all but the first `kept`. */
static void pipe_lose(sim_network_t *self, sim_pipe_t *pipe, size_t kept) {
    while (pipe->count > kept) {
        sim_letter_free(letter_at(pipe, --pipe->count));
        self->lost++;
    }
}

bool sim_network_arrived(sim_pipe_t *pipe, int64_t now_ns, sim_letter_t *out) {
    if (!pipe->count || letter_at(pipe, 0)->at_ns > now_ns)
        return false;
    *out = *letter_at(pipe, 0);
    pipe->first = (pipe->first + 1) % pipe->room;
    pipe->count--;
    return true;
}

int64_t sim_pipe_next(const sim_pipe_t *pipe) {
    return pipe->count ? letter_at(pipe, 0)->at_ns : FOB_NEVER;
}

static int64_t delay(sim_network_t *self) {
    uint64_t least = (uint64_t)self->delay_least_ns, most = (uint64_t)self->delay_most_ns;
    return (int64_t)(least + sim_random_skewed(&self->random, most - least));
}

void sim_network_send(sim_network_t *self, sim_conn_t *conn, bool up, int64_t now_ns,
                      fob_slice_t header, fob_blob_t *body) {
    sim_pipe_t *pipe = up ? &conn->up : &conn->down;
    int64_t at = now_ns + delay(self);
    if (at < pipe->dark_ns)
        at = pipe->dark_ns;
    if (at < pipe->last_ns)
        at = pipe->last_ns;
    sim_letter_t letter = {at, NULL, header.size, body};
    self->letters++;
    if (pipe->cut) {
        self->lost++;
        sim_letter_free(&letter);
        return;
    }
    letter.header = sim_copy(header.data, header.size);
    pipe->last_ns = at;
    pipe_put(pipe, &letter);
    if (up && at < self->up_next)
        self->up_next = at;
}

/* --- connections --- */

static void conn_free(sim_network_t *self, sim_conn_t *conn) {
    pipe_lose(self, &conn->up, 0);
    pipe_lose(self, &conn->down, 0);
    free(conn->up.ring);
    free(conn->down.ring);
    *conn = (sim_conn_t){0};
}

sim_conn_t *sim_network_open(sim_network_t *self, uint32_t client, int64_t now_ns) {
    for (size_t i = 0; i < SIM_CONNECTIONS; i++) {
        sim_conn_t *conn = &self->conns[i];
        if (conn->used && !conn->client_holds && conn->free_ns <= now_ns && !conn->up.count)
            conn_free(self, conn);
        if (conn->used)
            continue;
        *conn = (sim_conn_t){.used = true,
                             .id = ++self->next_id * SIM_CONNECTIONS + (uint32_t)i,
                             .client_holds = true,
                             .client = client,
                             .told_client_ns = FOB_NEVER,
                             .told_bus_ns = FOB_NEVER};
        memcpy(conn->route + 1, &conn->id, sizeof conn->id);
        return conn;
    }
    return NULL;
}

void sim_network_close(sim_network_t *self, sim_conn_t *conn, int64_t now_ns, bool polite) {
    if (!polite)
        pipe_lose(self, &conn->up, (size_t)sim_random_below(&self->random, conn->up.count + 1));
    pipe_lose(self, &conn->down, 0);
    conn->client_holds = false;
    conn->down.cut = true;
    if (conn->told_bus_ns == FOB_NEVER && !conn->up.cut)
        conn->told_bus_ns = (conn->up.last_ns > now_ns ? conn->up.last_ns : now_ns) + delay(self);
    conn->free_ns = conn->told_bus_ns == FOB_NEVER ? now_ns + REMEMBER_NS : conn->told_bus_ns;
}

static int64_t told_at(sim_network_t *self, int64_t now_ns, const sim_pipe_t *behind) {
    return (behind->last_ns > now_ns ? behind->last_ns : now_ns) + delay(self);
}

void sim_network_cut(sim_network_t *self, sim_conn_t *conn, int64_t now_ns, bool tell_client,
                     bool tell_bus) {
    pipe_lose(self, &conn->up, (size_t)sim_random_below(&self->random, conn->up.count + 1));
    pipe_lose(self, &conn->down, (size_t)sim_random_below(&self->random, conn->down.count + 1));
    conn->up.cut = conn->down.cut = true;
    if (tell_client && conn->told_client_ns == FOB_NEVER)
        conn->told_client_ns = told_at(self, now_ns, &conn->down);
    if (tell_bus && conn->told_bus_ns == FOB_NEVER)
        conn->told_bus_ns = told_at(self, now_ns, &conn->up);
    self->cuts++;
}

void sim_network_bus_gone(sim_network_t *self, int64_t now_ns, bool silent) {
    for (size_t i = 0; i < SIM_CONNECTIONS; i++) {
        sim_conn_t *conn = &self->conns[i];
        if (!conn->used)
            continue;
        sim_network_cut(self, conn, now_ns, !silent, false);
        pipe_lose(self, &conn->up, 0);
        conn->told_bus_ns = now_ns;
        if (!conn->client_holds)
            conn_free(self, conn);
    }
    self->up_next = FOB_NEVER;
}

void sim_network_dark(sim_pipe_t *pipe, int64_t until_ns) {
    if (until_ns < pipe->dark_ns)
        return;
    pipe->dark_ns = until_ns;
    for (size_t i = 0; i < pipe->count; i++) {
        sim_letter_t *letter = letter_at(pipe, i);
        letter->at_ns = letter->at_ns < until_ns ? until_ns : letter->at_ns;
        pipe->last_ns = letter->at_ns;
    }
}

fob_send_t sim_network_reply(sim_network_t *self, fob_slice_t route, int64_t now_ns,
                             fob_slice_t header, fob_body_t body) {
    uint32_t id;
    memcpy(&id, route.data + 1, sizeof id);
    sim_conn_t *conn = &self->conns[id % SIM_CONNECTIONS];
    fob_blob_t *copy = NULL;
    if (body.blob)
        copy = fob_blob_copy(fob_slice(fob_blob_slice(body.blob).data + body.at, body.size));
    fob_blob_unref(&body.blob);
    fob_send_t sent = FOB_SEND_DONE;
    if (!conn->used || conn->id != id || conn->told_bus_ns <= now_ns)
        sent = FOB_SEND_GONE;
    else if (conn->down.count > UNREAD_ABOVE)
        sent = FOB_SEND_UNREAD;
    if (sent != FOB_SEND_DONE) {
        fob_blob_unref(&copy);
        return sent;
    }
    sim_network_send(self, conn, false, now_ns, header, copy);
    return sent;
}

bool sim_network_for_bus(sim_network_t *self, int64_t now_ns, sim_letter_t *out,
                         sim_conn_t **conn) {
    for (size_t i = 0; i < SIM_CONNECTIONS; i++) {
        sim_conn_t *one = &self->conns[(self->turn + i) % SIM_CONNECTIONS];
        if (!one->used || !sim_network_arrived(&one->up, now_ns, out))
            continue;
        self->turn = (self->turn + i + 1) % SIM_CONNECTIONS;
        *conn = one;
        return true;
    }
    return false;
}

void sim_network_look(sim_network_t *self, int64_t now_ns) {
    self->up_next = FOB_NEVER;
    (void)now_ns;
    for (size_t i = 0; i < SIM_CONNECTIONS; i++) {
        int64_t at = self->conns[i].used ? sim_pipe_next(&self->conns[i].up) : FOB_NEVER;
        self->up_next = at < self->up_next ? at : self->up_next;
    }
}

void sim_network_free(sim_network_t *self) {
    for (size_t i = 0; i < SIM_CONNECTIONS; i++)
        if (self->conns[i].used)
            conn_free(self, &self->conns[i]);
}
