/* lineage: which epochs came before a journal's, and up to where their offsets are the same.
 *
 * A file of its own, written when an epoch begins. What it lost is not known: then nothing counts
 * as the same, which costs a subscriber that it reads events again. Format, little-endian:
 *
 *    0  u64 checksum  XXH3-64 over all behind it
 *    8  u64 magic    16  u32 version 1    20  u32 rows
 *   24  rows, oldest first: u64 epoch, u64 the one before it, u64 began: up to this offset they
 * agree
 *
 * To change it: raise the version. A version that is not known counts as a file that is lost. */
#ifndef FOB_JOURNAL_LINEAGE_H
#define FOB_JOURNAL_LINEAGE_H

#include "bus/journal/disk.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FOB_LINEAGE_NAME "epochs"
#define FOB_LINEAGE_ROWS 64 /* the newest are kept */

typedef struct {
    uint64_t epoch, before, began;
} fob_lineage_row_t;

/* Begins as zeros. */
typedef struct {
    fob_lineage_row_t rows[FOB_LINEAGE_ROWS];
    size_t count;
} fob_lineage_t;

/* An epoch begins: offsets up to `began` are as they were under the one before. */
void fob_lineage_add(fob_lineage_t *self, uint64_t epoch, uint64_t before, uint64_t began);
/* The highest offset that is the same under the newest epoch as under that one (0: the one before
 * it); 0: it is not known. */
uint64_t fob_lineage_began(const fob_lineage_t *self, uint64_t epoch);

#define FOB_LINEAGE_BYTES (24 + FOB_LINEAGE_ROWS * 24)
/* The file's bytes, how many. */
size_t fob_lineage_encode(const fob_lineage_t *self, uint8_t *out);
/* Whatever is not whole is empty. False: it is not. */
bool fob_lineage_decode(fob_lineage_t *self, const uint8_t *data, size_t size);
/* Reads the file of a folder; false: it is not there, or not whole, and `self` is empty. */
bool fob_lineage_read(fob_lineage_t *self, const fob_disk_t *disk, const char *folder);

#endif
