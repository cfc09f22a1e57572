/* What the forms of a table share. */
#ifndef FOB_BENCH_TABLE_INSIDE_H
#define FOB_BENCH_TABLE_INSIDE_H

#include "tests/bench/table.h"

/* Compiler, kernel, machine, date: name and value, both the caller's to free; NULL: no more. */
typedef struct {
    char *compiler, *kernel, *machine, *date, *system;
} here_t;
void here_find(here_t *self);
void here_free(here_t *self);

/* How a target stands. */
typedef struct {
    const target_t *target;
    double has, due;     /* NAN: not measured */
    double ratio;        /* to the other; NAN: a limit */
    const char *than;    /* whose figure it is held against, or NULL */
    bool known, reached; /* known: both were measured */
} verdict_t;
void table_judge(const table_t *self, const target_t *target, verdict_t *verdict);
/* Of the figures of fob and this peer that the work is compared by: how many times better fob is;
 * NAN: not known. */
double table_ratio(const table_t *self, size_t work, size_t peer);
/* The first round that failed, or NULL. */
const char *cell_trouble(const cell_t *self);

bool table_print_json(const table_t *self);

#endif
