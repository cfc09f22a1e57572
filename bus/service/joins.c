#include "bus/service/joins.h"

#include "proto/buf.h"
#include "proto/wire.h"

#include <stdlib.h>

#define BYTES_MAX 65536                  /* of names for one connection */
#define HEAD      (1 + sizeof(uint64_t)) /* before a name: its size, the token sent last */

/* Names, each after its head. */
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

static member_t *member(const fob_joins_t *self, uint64_t conn) {
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
        if (fob_slice_eq(fob_slice(of->names.data + at + HEAD, size), group))
            break;
        at += HEAD + size;
    }
    return at;
}

fob_status_t fob_joins_add(fob_joins_t *self, uint64_t conn, fob_slice_t group) {
    if (group.size == 0 || group.size > FOB_NAME_MAX)
        return FOB_INVALID;
    member_t *of = make(self, conn);
    if (!of)
        return FOB_NO_MEMORY;
    if (find(of, group) < of->names.size)
        return FOB_OK;
    if (of->names.size + HEAD + group.size > BYTES_MAX)
        return FOB_LIMIT;
    if (!fob_buf_room(&of->names, HEAD + group.size)) {
        of->names.failed = false; /* what it holds is whole: the next join may find memory */
        return FOB_NO_MEMORY;
    }
    const uint8_t head[HEAD] = {(uint8_t)group.size};
    fob_buf_put(&of->names, head, HEAD);
    fob_buf_put(&of->names, group.data, group.size);
    return FOB_OK;
}

static void cut(member_t *of, size_t at) {
    size_t size = HEAD + (size_t)of->names.data[at];
    memmove(of->names.data + at, of->names.data + at + size, of->names.size - at - size);
    of->names.size -= size;
}

void fob_joins_remove(fob_joins_t *self, uint64_t conn, fob_slice_t group) {
    member_t *of = member(self, conn);
    size_t at = of ? find(of, group) : 0;
    if (of && at < of->names.size)
        cut(of, at);
}

void fob_joins_sent(fob_joins_t *self, uint64_t conn, fob_slice_t group, uint64_t token) {
    member_t *of = member(self, conn);
    size_t at = of ? find(of, group) : 0;
    if (of && at < of->names.size)
        memcpy(of->names.data + at + 1, &token, sizeof token);
}

size_t fob_joins_next(const fob_joins_t *self, uint64_t conn, size_t *at, uint8_t *name,
                      uint64_t *sent) {
    const member_t *of = member(self, conn);
    if (!of || *at >= of->names.size)
        return 0;
    const uint8_t *entry = of->names.data + *at;
    size_t size = entry[0];
    memcpy(sent, entry + 1, sizeof *sent);
    memcpy(name, entry + HEAD, size);
    *at += HEAD + size;
    return size;
}

void fob_joins_forget(fob_joins_t *self, uint64_t conn) {
    member_t *of = member(self, conn);
    if (of)
        fob_buf_clear(&of->names);
}
