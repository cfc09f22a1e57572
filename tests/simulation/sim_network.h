/* The network: for each connection two ordered channels that delay, stand still (one, or both), and
 * break in the middle, told to one end, both or none. What a client sends on a connection it closes
 * may still arrive; what the bus sends to one that is gone may vanish without a word. */
#ifndef FOB_TESTS_SIMULATION_NETWORK_H
#define FOB_TESTS_SIMULATION_NETWORK_H

#include "bus/service/letters.h"
#include "bus/service/mail.h"
#include "random.h"

#define SIM_CONNECTIONS 128
#define SIM_ROUTE       5

typedef struct {
    int64_t at_ns; /* when it arrives */
    uint8_t *header;
    size_t size;
    fob_blob_t *body; /* NULL: none */
} sim_letter_t;

/* One direction. */
typedef struct {
    sim_letter_t *ring;
    size_t first, count, room;
    int64_t last_ns; /* when the last one arrives */
    int64_t dark_ns; /* nothing arrives before */
    bool cut;        /* what is sent vanishes */
} sim_pipe_t;

typedef struct {
    bool used;
    uint32_t id;
    uint8_t route[SIM_ROUTE];
    bool client_holds;
    uint32_t client;
    sim_pipe_t up, down;
    int64_t told_client_ns; /* when the client's side is told that it broke; FOB_NEVER */
    int64_t told_bus_ns;    /* from when on the bus's sends fail; FOB_NEVER */
    int64_t free_ns;        /* may be forgotten */
} sim_conn_t;

typedef struct {
    sim_random_t random;
    int64_t delay_least_ns, delay_most_ns;
    sim_conn_t conns[SIM_CONNECTIONS];
    uint32_t next_id;
    size_t turn;     /* whose letters the bus reads first */
    int64_t up_next; /* no letter for the bus arrives before */
    uint64_t letters, lost, cuts;
} sim_network_t;

/* A new connection of a client; NULL: there are too many. */
sim_conn_t *sim_network_open(sim_network_t *self, uint32_t client, int64_t now_ns);
/* The client closes it. `polite`: what it sent before gets there. */
void sim_network_close(sim_network_t *self, sim_conn_t *conn, int64_t now_ns, bool polite);
/* It breaks: a part of what is under way is lost; each end is told or not. */
void sim_network_cut(sim_network_t *self, sim_conn_t *conn, int64_t now_ns, bool tell_client,
                     bool tell_bus);
/* The bus is gone: all break. */
void sim_network_bus_gone(sim_network_t *self, int64_t now_ns, bool silent);
/* Nothing gets through until then. */
void sim_network_dark(sim_pipe_t *pipe, int64_t until_ns);

/* Takes the body's hold. */
void sim_network_send(sim_network_t *self, sim_conn_t *conn, bool up, int64_t now_ns,
                      fob_slice_t header, fob_blob_t *body);
fob_send_t sim_network_reply(sim_network_t *self, fob_slice_t route, int64_t now_ns,
                             fob_slice_t header, fob_body_t body);

/* The next letter that has arrived; NULL: none. Until then it is good; sim_letter_free frees it. */
bool sim_network_arrived(sim_pipe_t *pipe, int64_t now_ns, sim_letter_t *out);
/* The next one for the bus, from whichever connection. */
bool sim_network_for_bus(sim_network_t *self, int64_t now_ns, sim_letter_t *out, sim_conn_t **conn);
void sim_letter_free(sim_letter_t *letter);
/* When the next letter of a pipe arrives; FOB_NEVER. */
int64_t sim_pipe_next(const sim_pipe_t *pipe);
/* Works out up_next anew. */
void sim_network_look(sim_network_t *self, int64_t now_ns);
void sim_network_free(sim_network_t *self);

#endif
