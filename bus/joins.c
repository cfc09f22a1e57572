#include "bus/joins.h"

#include "proto/buf.h"

#include <stdlib.h>

#define BYTES_MAX 65536 /* of names for one connection */

/* Names, each after its size in one byte. */
typedef struct {
    uint64_t conn;
    fob_buf_t names;
} member_t;

struct fob_joins {
    member_t *members; /* by slot of the connection (the low half of its number) */
    size_t count;
};

fob_joins_t *fob_joins_new(void) {
    return calloc(1, sizeof(fob_joins_t));
}

void fob_joins_destroy(fob_joins_t **self_p) {
    fob_joins_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->count; i++)
        fob_buf_free(&self->members[i].names);
    free(self->members);
    free(self);
    *self_p = NULL;
}

static member_t *member(fob_joins_t *self, uint64_t conn) {
    uint32_t slot = (uint32_t)conn;
    return slot < self->count && self->members[slot].conn == conn ? &self->members[slot] : NULL;
}

static member_t *make(fob_joins_t *self, uint64_t conn) {
    uint32_t slot = (uint32_t)conn;
    if (slot >= self->count) {
        size_t count = self->count ? self->count : 64;
        while (count <= slot)
            count *= 2;
        member_t *members = realloc(self->members, count * sizeof *members);
        if (!members)
            return NULL;
        memset(members + self->count, 0, (count - self->count) * sizeof *members);
        self->members = members;
        self->count = count;
    }
    member_t *found = &self->members[slot];
    if (found->conn != conn)
        fob_buf_clear(&found->names);
    found->conn = conn;
    return found;
}

/* Where the name's entry begins; names.size: it is not there. */
static size_t find(const member_t *of, fob_slice_t group) {
    size_t at = 0;
    while (at < of->names.size) {
        size_t size = of->names.data[at];
        if (fob_slice_eq(fob_slice(of->names.data + at + 1, size), group))
            break;
        at += 1 + size;
    }
    return at;
}

bool fob_joins_add(fob_joins_t *self, uint64_t conn, fob_slice_t group) {
    member_t *of = group.size && group.size <= 255 ? make(self, conn) : NULL;
    if (!of)
        return false;
    if (find(of, group) < of->names.size)
        return true;
    if (of->names.size + 1 + group.size > BYTES_MAX || !fob_buf_room(&of->names, 1 + group.size))
        return false;
    uint8_t size = (uint8_t)group.size;
    fob_buf_put(&of->names, &size, 1);
    fob_buf_put(&of->names, group.data, group.size);
    return true;
}

static void cut(member_t *of, size_t at) {
    size_t size = 1 + (size_t)of->names.data[at];
    memmove(of->names.data + at, of->names.data + at + size, of->names.size - at - size);
    of->names.size -= size;
}

void fob_joins_remove(fob_joins_t *self, uint64_t conn, fob_slice_t group) {
    member_t *of = member(self, conn);
    size_t at = of ? find(of, group) : 0;
    if (of && at < of->names.size)
        cut(of, at);
}

size_t fob_joins_take(fob_joins_t *self, uint64_t conn, uint8_t *name) {
    member_t *of = member(self, conn);
    if (!of || of->names.size == 0)
        return 0;
    size_t size = of->names.data[0];
    memcpy(name, of->names.data + 1, size);
    cut(of, 0);
    return size;
}
