/* tee: the commands' standard errors: each goes through a pipe of ours to our own standard error,
 * so that the last line that a command wrote can be told as the reason why it failed.
 *
 * Nothing here waits: what our standard error does not take is not read, and so the command waits
 * as it would if it wrote there itself. Main thread. */
#ifndef FOB_TEE_H
#define FOB_TEE_H

#include "proto/slice.h"
#include <poll.h>

#define FOB_TEE_LINE 200 /* bytes of a line that are kept */
#define FOB_TEE_LATE 32  /* streams kept that others than the command hold open */

typedef struct fob_tee fob_tee_t;
typedef struct fob_tee_stream fob_tee_stream_t;

/* For so many commands at once; to the descriptor `out`. NULL: no memory. */
fob_tee_t *fob_tee_new(size_t commands, int out);
/* Null-safe; nulls. */
void fob_tee_destroy(fob_tee_t **self_p);

/* A stream for a command, whose end of the pipe *end gets: for the child, then to be closed here.
 * NULL: the system refused (errno). */
fob_tee_stream_t *fob_tee_open(fob_tee_t *self, int *end);

/* What to poll for: `fds` has room for fob_tee_most. Returns how many. */
size_t fob_tee_fds(const fob_tee_t *self, struct pollfd *fds);
size_t fob_tee_most(const fob_tee_t *self);
/* Carries on what is there. */
void fob_tee_move(fob_tee_t *self);

/* Takes what a command has written, and gives the last line that is not blank, in UTF-8 without
 * control characters; good until the next call. */
fob_slice_t fob_tee_line(fob_tee_t *self, fob_tee_stream_t *stream);

/* The same, and the command has ended. Processes that it left behind may go on writing. */
fob_slice_t fob_tee_end(fob_tee_t *self, fob_tee_stream_t *stream);

#endif
