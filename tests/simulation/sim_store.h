/* What a world's bus keeps its records in, across its falls: behind one table either a journal in
 * memory that behaves as a disk may (sim_log), or the real file journal on a simulated disk
 * (sim_folder). Time passes in it only by `run`. */
#ifndef FOB_TESTS_SIMULATION_STORE_H
#define FOB_TESTS_SIMULATION_STORE_H

#include "sim_history.h"

typedef struct sim_store sim_store_t;

typedef struct {
    /* NULL, with *error: it cannot be opened now; `excused` tells whether the world is to blame.
     * The journal's close ends this life, after a crash too. */
    fob_journal_t *(*open)(sim_store_t *self, fob_journal_error_t *error);
    bool (*excused)(const sim_store_t *self);
    /* The machine falls, or only the program ends. The journal that is open takes and tells nothing
     * more; it is to be closed. */
    void (*crash)(sim_store_t *self, bool power);
    /* It fell by itself, in the middle of something. */
    bool (*fallen)(const sim_store_t *self);

    /* Lets time pass until then, or until there is news for the journal's owner that was not there
     * before; how far it came. */
    int64_t (*run)(sim_store_t *self, int64_t now_ns, int64_t until_ns);
    /* There is news for the journal's owner. */
    bool (*news)(const sim_store_t *self);
    /* Its own time: ahead of the world's where the owner had to wait for the disk. */
    int64_t (*now)(const sim_store_t *self);

    /* --- faults --- */
    void (*full)(sim_store_t *self, bool full);  /* no room for more */
    void (*fail)(sim_store_t *self);             /* the next sync fails */
    void (*slow)(sim_store_t *self, int64_t ns); /* the next sync takes so long */
    void (*jump)(sim_store_t *self, int64_t ms); /* the wall clock does */
    void (*befall)(sim_store_t *self);           /* one of what else may befall it */
    void (*calm)(sim_store_t *self);             /* no more faults from here on */
    void (*grow)(sim_store_t *self);             /* more room from the next start on */

    /* Shows what a start would find now. False: stopped, or not to be had (text). */
    bool (*replay)(sim_store_t *self, const fob_replay_t *to, char *text, size_t size);
    uint64_t (*max_bytes)(const sim_store_t *self);
    /* Calls to this life's disk that failed so far. */
    uint64_t (*failures)(const sim_store_t *self);
    /* One number for all that it holds. */
    uint64_t (*hash)(const sim_store_t *self);
    void (*free)(sim_store_t *self);
} sim_store_ops_t;

/* How often it was about something. */
typedef struct {
    uint64_t pages, absent, damaged; /* asked for; not there; harmed */
    uint64_t flips, cuts, refused;   /* bits; lives cut short within a call; starts refused */
    uint64_t kept, lost; /* commits not called durable, found by the next start or not */
} sim_counts_t;

/* An implementation's struct begins with this. */
struct sim_store {
    const sim_store_ops_t *ops;
    sim_history_t history;
    sim_counts_t counts;
};

#endif
