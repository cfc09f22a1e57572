/* seeds: what the makers of seeds share. */
#ifndef FOB_TESTS_FUZZ_SEEDS_H
#define FOB_TESTS_FUZZ_SEEDS_H

#include "proto/buf.h"

/* Writes one. */
void seed_write(const char *target, const char *name, fob_slice_t bytes);
/* Appends a piece (pieces.h): head, then bytes. */
void seed_piece(fob_buf_t *out, const char *head, size_t head_size, fob_slice_t bytes);

/* Records as the core writes them, and checkpoints. */
void seeds_core(void);
/* Messages, both ways. */
void seeds_wire(void);
/* Folders and segments. */
void seeds_journal(void);
void seeds_segment(const char *path, const char *name);

#endif
