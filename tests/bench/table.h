/* table: what a comparison found, for people, for BENCHMARKS.md, for programs. */
#ifndef FOB_BENCH_TABLE_H
#define FOB_BENCH_TABLE_H

#include "tests/bench/round.h"

#define TABLE_ROUNDS 32 /* at most */

/* What one peer did of one work. */
typedef struct {
    const peer_t *peer;
    const work_t *work;
    unsigned rounds; /* 0: it cannot, or was not asked */
    round_result_t results[TABLE_ROUNDS];
} cell_t;

typedef struct {
    size_t works_count, peers_count;
    const work_t **works;
    const peer_t **peers;
    char (*versions)[96]; /* of each peer */
    cell_t *cells;        /* work after work */
    uint64_t(*events);    /* of each work, in a round */
    unsigned rounds;
    const char *command; /* how it was called */
} table_t;

typedef enum { TABLE_TEXT, TABLE_MARKDOWN, TABLE_JSON } table_form_t;

cell_t *table_cell(const table_t *self, size_t work, size_t peer);
/* Median, lowest and highest of its good rounds; NAN: there is none. */
double cell_median(const cell_t *self, figure_t figure, double *low, double *high);
/* Prints all of it. Returns whether each round was good; *missed is how many targets were not
 * reached. */
bool table_print(const table_t *self, table_form_t form, unsigned *missed);

#endif
