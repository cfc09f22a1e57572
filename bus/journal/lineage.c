#include "bus/journal/lineage.h"

#include "bus/journal/store.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define MAGIC   UINT64_C(0x6e69656c756f6601) /* 01 "foulein" */
#define VERSION 1u
#define HEAD    24u
#define ROW     24u

void fob_lineage_add(fob_lineage_t *self, uint64_t epoch, uint64_t before, uint64_t began) {
    if (self->count == FOB_LINEAGE_ROWS)
        memmove(self->rows, self->rows + 1, --self->count * sizeof self->rows[0]);
    self->rows[self->count++] = (fob_lineage_row_t){epoch, before, began};
}

uint64_t fob_lineage_began(const fob_lineage_t *self, uint64_t epoch) {
    uint64_t began = UINT64_MAX, at = self->count ? self->rows[self->count - 1].epoch : 0;
    bool any = epoch == 0 || epoch == at;
    for (size_t i = self->count; i > 0; i--) {
        const fob_lineage_row_t *row = &self->rows[i - 1];
        if (row->epoch != at)
            continue; /* of a start that failed before it took it */
        began = row->began < began ? row->began : began;
        if (any || row->before == epoch)
            return began;
        at = row->before;
    }
    return 0;
}

static void put(uint8_t *out, uint64_t value, size_t size) {
    for (size_t i = 0; i < size; i++, value >>= 8)
        out[i] = (uint8_t)value;
}

static uint64_t get(const uint8_t *data, size_t size) {
    uint64_t value = 0;
    for (size_t i = size; i > 0; i--)
        value = value << 8 | data[i - 1];
    return value;
}

size_t fob_lineage_encode(const fob_lineage_t *self, uint8_t *out) {
    size_t size = HEAD + self->count * ROW;
    put(out + 8, MAGIC, 8);
    put(out + 16, VERSION, 4);
    put(out + 20, self->count, 4);
    for (size_t i = 0; i < self->count; i++) {
        put(out + HEAD + i * ROW, self->rows[i].epoch, 8);
        put(out + HEAD + i * ROW + 8, self->rows[i].before, 8);
        put(out + HEAD + i * ROW + 16, self->rows[i].began, 8);
    }
    put(out, XXH3_64bits(out + 8, size - 8), 8);
    return size;
}

bool fob_lineage_decode(fob_lineage_t *self, const uint8_t *data, size_t size) {
    *self = (fob_lineage_t){0};
    if (size < HEAD || get(data + 8, 8) != MAGIC || get(data + 16, 4) != VERSION ||
        get(data + 20, 4) > FOB_LINEAGE_ROWS || size != HEAD + get(data + 20, 4) * ROW ||
        get(data, 8) != XXH3_64bits(data + 8, size - 8))
        return false;
    self->count = (size_t)get(data + 20, 4);
    for (size_t i = 0; i < self->count; i++) {
        const uint8_t *row = data + HEAD + i * ROW;
        self->rows[i] = (fob_lineage_row_t){get(row, 8), get(row + 8, 8), get(row + 16, 8)};
    }
    return true;
}

bool fob_lineage_read(fob_lineage_t *self, const fob_disk_t *disk, const char *folder) {
    uint8_t data[FOB_LINEAGE_BYTES + 1]; /* one more: a file that is longer is none of ours */
    char path[FOB_PATH_SIZE];
    size_t got = 0;
    *self = (fob_lineage_t){0};
    snprintf(path, sizeof path, "%s/" FOB_LINEAGE_NAME, folder);
    int fd = disk->open(disk->arg, path, O_RDONLY, 0);
    if (fd < 0)
        return false;
    int rc = fob_disk_read(disk, fd, data, sizeof data, 0, &got);
    disk->close(disk->arg, fd);
    return rc == 0 && fob_lineage_decode(self, data, got);
}
