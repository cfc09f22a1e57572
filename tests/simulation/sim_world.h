/* The simulated world: one bus, its clients, the network, the clocks, and what befalls them. One
 * thread, no sleeps: the time is the world's own, and a seed decides all. */
#ifndef FOB_TESTS_SIMULATION_WORLD_H
#define FOB_TESTS_SIMULATION_WORLD_H

#include "bus/service/service.h"
#include "proto/link/link.h"
#include "sim_clock.h"
#include "sim_network.h"
#include "sim_store.h"
#include "sim_witness.h"

#define SIM_CLIENTS 32
#define SIM_GROUPS  4

typedef struct sim_world sim_world_t;
typedef struct sim_client sim_client_t;

/* What a client is: the shell around it is the same for all. As fob_client_ops_t, in a time of the
 * simulation's own. */
typedef struct {
    const char *name;
    void (*up)(sim_client_t *self, fob_now_t now, const fob_wire_t *welcome);
    void (*down)(sim_client_t *self, fob_now_t now, fob_status_t why, const char *text);
    void (*input)(sim_client_t *self, fob_now_t now, const fob_wire_t *msg, fob_blob_t *body);
    bool (*output)(sim_client_t *self, fob_now_t now, fob_slice_t *header, fob_blob_t **body);
    void (*tick)(sim_client_t *self, fob_now_t now);
    int64_t (*deadline)(sim_client_t *self);
    void (*cast)(sim_client_t *self, fob_slice_t header, fob_slice_t body);  /* may be NULL */
    void (*beat)(sim_client_t *self, fob_now_t now, const fob_wire_t *beat); /* may be NULL */
    void (*end)(sim_client_t *self);
} sim_role_t;

struct sim_client {
    sim_world_t *world;
    uint32_t index;  /* its place in the world */
    uint32_t number; /* of this life: no two are alike */
    const sim_role_t *role;
    void *own;
    sim_random_t random;
    sim_clock_t clock;
    fob_link_t *link;
    sim_conn_t *conn; /* NULL: none */
    bool more;
    bool closing;          /* a publisher that says one last event of each of its topics */
    bool late;             /* a subscriber who wants what is long gone */
    bool leaving, gone;    /* it says GOODBYE once it has nothing to send; it did */
    int64_t due_ns;        /* the world's time: runs then */
    int64_t frozen_ns;     /* does not run before */
    int64_t life_ns;       /* it dies then; FOB_NEVER */
    int64_t born_again_ns; /* dead until then */
};

typedef struct {
    fob_house_t house;
    fob_core_config_t config;
    sim_store_t *store;
    fob_ledger_t *ledger; /* NULL: it is down */
    fob_service_t *service;
    sim_clock_t clock;
    sim_random_t random;
    bool failed, stopping;
    int64_t start_ns; /* when it comes back */
    int64_t stop_ns;  /* when it is to have stopped, whatever is left */
    int64_t frozen_ns;
    int64_t look_ns; /* while it stops: when it looks again */
    uint64_t starts, refused, rounds, messages, commands, turns;
    uint64_t failures; /* of calls to its disk, at the last look at its books */
} sim_bus_t;

/* How a world is: drawn from the seed. */
typedef struct {
    uint32_t publishers, workers, subscribers, operators;
    uint32_t bus_falls; /* once in so many steps; 0: never */
    uint32_t cuts, darks, freezes, deaths, jumps, fulls, fails, stalls, harms;
    uint32_t offer_ms; /* between offers of one publisher, about */
    uint64_t depth;
    bool rough;  /* handlers fail */
    bool absent; /* who is away is so long enough that what it held has gone to others */
} sim_weather_t;

/* Leases that the bus told a worker are lost. */
typedef struct {
    const sim_group_t *group;
    uint64_t offset, count, token;
    int64_t at_ns;
} sim_lost_t;
#define SIM_LOST_KEPT 4096

/* What the bus keeps its records in. */
typedef enum { SIM_JOURNAL_ANY, SIM_JOURNAL_MEMORY, SIM_JOURNAL_FILE } sim_journal_kind_t;

struct sim_world {
    uint64_t seed;
    sim_journal_kind_t asked, journal; /* journal: from its beginning on not any */
    sim_random_t random;
    int64_t now_ns;
    uint64_t step, steps;
    bool calm;
    bool closing; /* the last event of each topic is said: no frame is lost any more */
    sim_weather_t weather;
    sim_network_t network;
    sim_bus_t bus;
    sim_client_t clients[SIM_CLIENTS];
    size_t client_count;
    uint32_t next_number;
    int64_t full_until_ns;
    sim_witness_t witness;
    sim_lost_t lost[SIM_LOST_KEPT]; /* the newest */
    uint64_t lost_count;
    uint64_t falls, stops, deaths, freezes, verified;
    bool verbose;
};

/* Runs one world to its end; a broken promise is told and ends the program. */
typedef struct {
    uint64_t seed, steps, watch;
    sim_journal_kind_t journal;
    bool verbose;
} sim_options_t;
void sim_world_run(sim_world_t *self, const sim_options_t *options);
void sim_world_free(sim_world_t *self);

/* Says what is broken, and how to see it again; ends the program. */
void sim_world_fail(sim_world_t *self, const char *promise, const char *text)
    __attribute__((noreturn));
void sim_world_note(sim_world_t *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* --- the bus --- */
void sim_bus_init(sim_world_t *world);
void sim_bus_start(sim_world_t *world);
void sim_bus_crash(sim_world_t *world, bool power);
void sim_bus_stop(sim_world_t *world); /* in order: begins to */
void sim_bus_run(sim_world_t *world);
int64_t sim_bus_due(const sim_world_t *world);
bool sim_bus_at_rest(const sim_world_t *world);
/* Tells the checkers the books of all groups. */
void sim_bus_books(sim_world_t *world);
/* Holds the state against a replay of all records. */
void sim_bus_verify(sim_world_t *world);
void sim_bus_free(sim_world_t *world);

/* Tells the checkers what the bus says to a connection, and what it reads of one. */
void sim_letters_read(sim_world_t *world, uint32_t conn, fob_slice_t header, fob_slice_t body);
void sim_letters_sent(sim_world_t *world, uint32_t conn, fob_slice_t header, fob_slice_t body);

/* --- clients --- */
void sim_client_birth(sim_world_t *world, sim_client_t *self, const sim_role_t *role);
/* It is gone as a process is that was killed. */
void sim_client_death(sim_client_t *self, bool polite);
void sim_client_run(sim_client_t *self);
void sim_client_cut(sim_client_t *self, bool tell_client, bool tell_bus);
/* Drops the connection, as a shell does that wants a fresh one. */
void sim_client_restart(sim_client_t *self, fob_now_t now, const char *why);
int64_t sim_client_heard(const sim_client_t *self);
/* Is run as soon as may be. */
void sim_client_wake(sim_client_t *self);

extern const sim_role_t sim_publisher_role, sim_worker_role, sim_operator_role, sim_subscriber_role;

/* At the end: holds what a subscriber has and was told of against what was stored. */
void sim_subscriber_sum(sim_client_t *self);
/* Whether all its work is done. */
bool sim_publisher_done(const sim_client_t *self);
bool sim_worker_done(const sim_client_t *self);
bool sim_operator_done(const sim_client_t *self);
bool sim_subscriber_done(const sim_client_t *self);
/* Whether a handler runs for this event under another token whose worker is sure of its lease, and
 * that was not taken away a moment ago. */
bool sim_worker_sure_elsewhere(sim_world_t *world, const sim_group_t *group, uint64_t offset,
                               uint64_t token);
/* Whether a handler runs under that lease for longer than anything is under way, and its worker is
 * sure of it. */
bool sim_worker_runs(sim_world_t *world, const sim_group_t *group, uint64_t offset, uint64_t token);
/* The bus told that it took leases away. */
void sim_worker_told_lost(sim_world_t *world, fob_slice_t header);

#endif
