/* once_record: what the store of fob_once holds for a done key, byte by byte. Pure.
 *
 * Table `done`: XXH3-128 of the key (canonical, 16 bytes) -> record:
 *
 *      0  8  sequence      the number of the commit; the key in `age`
 *      8  8  time          Unix ms of the commit
 *     16  4  key size
 *     20  4  result size
 *     24  8  checksum      XXH3-64 of all the other bytes, in order
 *     32     key, result
 *
 * Table `age`: sequence, 8 bytes big-endian so that they sort -> entry: hash (16), time (8).
 *
 * All other numbers are little-endian. The key stands in the record because two may share a hash:
 * the later one then takes the place, and the earlier is forgotten, never taken for the other.
 * A changed layout is a new FOB_ONCE_FORMAT. */
#ifndef FOB_ONCE_RECORD_H
#define FOB_ONCE_RECORD_H

#include "proto/slice.h"

#define FOB_ONCE_FORMAT     1
#define FOB_ONCE_HASH_SIZE  16
#define FOB_ONCE_HEAD_SIZE  32
#define FOB_ONCE_ENTRY_SIZE 24

typedef struct {
    uint64_t sequence;
    int64_t time_ms;
    fob_slice_t key, result;
} fob_once_record_t;

/* The bytes a record takes. */
size_t fob_once_record_size(const fob_once_record_t *self);
/* Writes so many to `out`. */
void fob_once_record_write(const fob_once_record_t *self, uint8_t *out);
/* Reads one; the slices point into `bytes`. False: these are no sound record. */
bool fob_once_record_read(fob_once_record_t *self, fob_slice_t bytes);

void fob_once_hash(fob_slice_t key, uint8_t out[FOB_ONCE_HASH_SIZE]);

/* The key and the value of a line in `age`. */
void fob_once_sequence_write(uint64_t sequence, uint8_t out[8]);
uint64_t fob_once_sequence_read(const uint8_t in[8]);
void fob_once_entry_write(const uint8_t hash[FOB_ONCE_HASH_SIZE], int64_t time_ms,
                          uint8_t out[FOB_ONCE_ENTRY_SIZE]);
int64_t fob_once_entry_time(const uint8_t in[FOB_ONCE_ENTRY_SIZE]);

#endif
