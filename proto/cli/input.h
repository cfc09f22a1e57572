/* input: lines as they arrive, from a descriptor that may be a pipe: never waits for more than
 * there is, never keeps more than one line above its limit. One thread. */
#ifndef FOB_CLI_INPUT_H
#define FOB_CLI_INPUT_H

#include "proto/slice.h"

#define FOB_INPUT_MAX ((size_t)64 << 20) /* bytes, where nothing better is known */

typedef enum {
    FOB_INPUT_LINE,     /* a line */
    FOB_INPUT_MORE,     /* none whole yet: fill once the descriptor is readable */
    FOB_INPUT_END,      /* the end; a last line without newline was given before */
    FOB_INPUT_TOO_LONG, /* a line above `max` */
    FOB_INPUT_FAILED    /* errno says why (ENOMEM: no memory) */
} fob_input_code_t;

typedef struct {
    int fd;
    size_t max;
    uint64_t number; /* of the line given last, from 1 */
    /* Its own. */
    uint8_t *data;
    size_t start, size, capacity, seen;
    bool ended;
} fob_input_t;

/* Begin with: fob_input_t input = {.fd = 0, .max = FOB_INPUT_MAX}. */

/* The next whole line that is here, without its newline; good until the next call. Does
 * not read. */
fob_input_code_t fob_input_line(fob_input_t *self, fob_slice_t *line);
/* Reads once. FOB_INPUT_MORE: look for lines again; FOB_INPUT_FAILED. */
fob_input_code_t fob_input_fill(fob_input_t *self);
/* Reads until the end: all of it as one. FOB_INPUT_LINE, TOO_LONG, FAILED. */
fob_input_code_t fob_input_all(fob_input_t *self, fob_slice_t *all);
void fob_input_free(fob_input_t *self);

#endif
