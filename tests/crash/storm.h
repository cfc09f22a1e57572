/* storm: a bus under load of every kind, and what it is done to.
 *
 *     storm_t storm;
 *     storm_begin (&storm, seed);
 *     storm_round (&storm);          load, operators, a backup; a kill at a random moment; a start
 *     storm_calm (&storm);           until all is settled that can be; then everything is looked at
 *     storm_end (&storm);            the end of all, and the last look
 *
 * Four publishers: `order.new`, `order.id` (with ids), a few of `letter` and of `steady`. Groups:
 * billing (two workers) and audit get all of theirs; letters' handler fails; steady has workers one
 * after the other, each for a few events, so that what they were told is known; idle, which nobody
 * works for, and temporary ones are what operators handle. One thread; what does not hold fails. */
#ifndef FOB_TESTS_CRASH_STORM_H
#define FOB_TESTS_CRASH_STORM_H

#include "tests/support/stand.h"
#include "truth.h"

#define STORM_WORKERS 3
#define STORM_TEMPS   4

typedef struct {
    stand_t stand;
    uint64_t random;
    truth_t truth;
    process_t *pubs[TRUTH_PUBLISHERS], *workers[STORM_WORKERS], *letters, *steady, *act, *backup;
    char *receipts[TRUTH_PUBLISHERS], *handled[STORM_WORKERS];
    truth_seen_t steady_done; /* acks that were confirmed */
    unsigned steady_count, backups, backups_good, acts_good, acts, kills, starts_killed, stops;
    /* What operators were told is so; `to` is what they asked for last. */
    struct {
        bool paused, temps[STORM_TEMPS];
        long long max_attempts;
    } is, to;
} storm_t;

void storm_begin(storm_t *self, uint64_t seed);
void storm_round(storm_t *self);
void storm_calm(storm_t *self);
/* All is handled, the letters too; the bus is killed once more and its folder verified. */
void storm_end(storm_t *self);

/* --- storm_acts.c: operators, within a round --- */

uint64_t storm_draw(storm_t *self, uint64_t below);
/* Begins what an operator does, drawn. */
void storm_act_begin(storm_t *self);
/* Waits until it is told how that went, and holds the bus's groups against it. */
void storm_act_end(storm_t *self);
void storm_backup_begin(storm_t *self);
/* Waits for it, and verifies the copy where it was made. */
void storm_backup_end(storm_t *self);

#endif
