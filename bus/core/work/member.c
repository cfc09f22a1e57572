#include "bus/core/work/member.h"

#include "bus/core/durable/digest.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void fob_members_free(fob_members_t *self) {
    free(self->slab);
    fob_map64_free(&self->by_conn);
    fob_map64_free(&self->by_name);
    *self = (fob_members_t){0};
}

static bool reserve(fob_members_t *self, fob_group_t *group) {
    if (!fob_map64_reserve(&self->by_conn, 1) || !fob_map64_reserve(&self->by_name, 1))
        return false;
    if (group->member_count == group->member_capacity) {
        uint32_t capacity = group->member_capacity ? group->member_capacity * 2 : 4;
        uint32_t *members = realloc(group->members, capacity * sizeof *members);
        if (!members)
            return false;
        group->members = members;
        group->member_capacity = capacity;
    }
    if (self->free || self->used < self->capacity)
        return true;
    uint32_t capacity = self->capacity ? self->capacity * 2 : 16;
    fob_member_t *slab = realloc(self->slab, capacity * sizeof *slab);
    if (!slab)
        return false;
    self->slab = slab;
    self->capacity = capacity;
    return true;
}

uint32_t fob_members_add(fob_members_t *self, uint64_t conn, fob_group_t *group) {
    if (!reserve(self, group))
        return FOB_MEMBER_NONE;
    uint32_t index;
    if (self->free) {
        index = self->free - 1;
        self->free = self->slab[index].conn_next;
    } else {
        index = self->used++;
    }
    self->slab[index] = (fob_member_t){.group = group,
                                       .conn = conn,
                                       .conn_next = fob_map64_get(&self->by_conn, conn),
                                       .in_group = group->member_count,
                                       .jobs = 1,
                                       .held = FOB_GRANT_LIST,
                                       .overdue = FOB_GRANT_LIST};
    fob_map64_put(&self->by_conn, conn, index);
    group->members[group->member_count++] = index;
    self->count++;
    return index;
}

static void unlink_conn(fob_members_t *self, uint32_t index) {
    fob_member_t *member = &self->slab[index];
    uint32_t first = fob_map64_get(&self->by_conn, member->conn);
    if (first == index) {
        if (member->conn_next == FOB_MEMBER_NONE)
            fob_map64_remove(&self->by_conn, member->conn);
        else
            fob_map64_put(&self->by_conn, member->conn, member->conn_next);
        return;
    }
    while (self->slab[first].conn_next != index)
        first = self->slab[first].conn_next;
    self->slab[first].conn_next = member->conn_next;
}

static void ring_add(fob_members_t *self, uint32_t index) {
    fob_member_t *member = &self->slab[index];
    fob_group_t *group = member->group;
    member->in_ring = true;
    if (group->ring_count++ == 0) {
        group->ring = member->ring_next = member->ring_prev = index;
        return;
    }
    fob_member_t *next = &self->slab[group->ring];
    member->ring_next = group->ring;
    member->ring_prev = next->ring_prev;
    self->slab[next->ring_prev].ring_next = index;
    next->ring_prev = index;
}

static void ring_remove(fob_members_t *self, uint32_t index) {
    fob_member_t *member = &self->slab[index];
    fob_group_t *group = member->group;
    member->in_ring = false;
    if (--group->ring_count == 0) {
        group->ring = FOB_MEMBER_NONE;
        return;
    }
    self->slab[member->ring_prev].ring_next = member->ring_next;
    self->slab[member->ring_next].ring_prev = member->ring_prev;
    if (group->ring == index)
        group->ring = member->ring_next;
}

void fob_members_ring(fob_members_t *self, uint32_t index) {
    const fob_member_t *member = &self->slab[index];
    bool wants = fob_member_room(member) > 0 && fob_member_free_jobs(member) > 0;
    if (wants && !self->slab[index].in_ring)
        ring_add(self, index);
    else if (!wants && self->slab[index].in_ring)
        ring_remove(self, index);
}

void fob_members_unreach(fob_members_t *self, uint32_t index, int64_t over_ns) {
    fob_member_t *member = &self->slab[index];
    member->group->unreachable += member->over_ns == 0;
    member->over_ns = over_ns;
    fob_members_ring(self, index);
}

/* Never 0. */
static uint64_t name_key(const uint8_t *session, const fob_group_t *group) {
    uint8_t name[FOB_SESSION_SIZE + sizeof group->id];
    memcpy(name, session, FOB_SESSION_SIZE);
    memcpy(name + FOB_SESSION_SIZE, &group->id, sizeof group->id);
    uint64_t hash = fob_digest(name, sizeof name);
    return hash ? hash : 1;
}

void fob_members_name(fob_members_t *self, uint32_t index, const uint8_t *session) {
    fob_member_t *member = &self->slab[index];
    memcpy(member->session, session, FOB_SESSION_SIZE);
    fob_map64_put(&self->by_name, name_key(session, member->group), index);
}

uint32_t fob_members_named(const fob_members_t *self, const uint8_t *session,
                           const fob_group_t *group) {
    uint32_t index = fob_map64_get(&self->by_name, name_key(session, group));
    if (index == FOB_MAP64_NONE || self->slab[index].group != group ||
        memcmp(self->slab[index].session, session, FOB_SESSION_SIZE) != 0)
        return FOB_MEMBER_NONE;
    return index;
}

void fob_members_remove(fob_members_t *self, uint32_t index) {
    fob_member_t *member = &self->slab[index];
    fob_group_t *group = member->group;
    assert(member->held.count == 0);
    while (member->overdue.count > 0)
        fob_grants_remove(&group->overdue, &member->overdue,
                          &group->overdue.slab[member->overdue.first]);
    if (member->in_ring)
        ring_remove(self, index);
    group->unreachable -= member->over_ns != 0;
    unlink_conn(self, index);
    uint64_t key = name_key(member->session, group);
    if (fob_map64_get(&self->by_name, key) == index)
        fob_map64_remove(&self->by_name, key);
    uint32_t last = group->members[--group->member_count];
    group->members[member->in_group] = last;
    self->slab[last].in_group = member->in_group;
    member->group = NULL;
    member->conn_next = self->free;
    self->free = index + 1;
    self->count--;
}

uint32_t fob_members_of(const fob_members_t *self, uint64_t conn) {
    return fob_map64_get(&self->by_conn, conn);
}

uint32_t fob_members_find(const fob_members_t *self, uint64_t conn, const fob_group_t *group) {
    uint32_t index = fob_members_of(self, conn);
    while (index != FOB_MEMBER_NONE && self->slab[index].group != group)
        index = self->slab[index].conn_next;
    return index;
}
