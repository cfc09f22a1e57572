/* inquiry: the engine of requests that may have to wait for pages. */
#include "bus/core/admin/inquiry.h"

#include <stdlib.h>

struct fob_inquiries {
    fob_inquiry_t *all[FOB_INQUIRIES_MAX]; /* in the order they came */
    size_t count;
};

size_t fob_inquiries_count(const fob_core_t *self) {
    return self->inquiries ? self->inquiries->count : 0;
}

/* --- taken in --- */

static bool of_dead(const fob_command_t *command) {
    return command->kind >= FOB_CMD_DEAD_LIST && command->kind <= FOB_CMD_DEAD_PURGE;
}

/* The slices that a command borrows: four places at the most. */
static size_t slices_of(fob_command_t *command, fob_slice_t **out) {
    if (!of_dead(command)) {
        out[0] = &command->admin.group;
        out[1] = &command->admin.pattern;
        return 2;
    }
    out[0] = &command->dead.group;
    out[1] = &command->dead.filter.topic;
    out[2] = &command->dead.filter.key;
    return 3;
}

static fob_inquiry_t *inquiry_new(const fob_command_t *command) {
    fob_command_t copy = *command;
    fob_slice_t *slices[4];
    size_t count = slices_of(&copy, slices), size = 0;
    for (size_t i = 0; i < count; i++)
        size += slices[i]->size;
    fob_inquiry_t *self = calloc(1, sizeof *self + size);
    if (!self)
        return NULL;
    uint8_t *at = self->bytes;
    for (size_t i = 0; i < count; i++) {
        size_t bytes = slices[i]->size;
        if (bytes)
            memcpy(at, slices[i]->data, bytes);
        *slices[i] = fob_slice(at, bytes);
        at += bytes;
    }
    self->command = copy;
    return self;
}

fob_status_t fob_inquire(fob_core_t *self, const fob_command_t *command) {
    return of_dead(command) ? fob_dead_request(self, command) : fob_seek(self, command);
}

fob_status_t fob_inquiry_add(fob_core_t *self, const fob_command_t *command, fob_inquiry_t **out) {
    if (!self->inquiries)
        self->inquiries = calloc(1, sizeof *self->inquiries);
    if (!self->inquiries)
        return FOB_NO_MEMORY;
    if (self->inquiries->count == FOB_INQUIRIES_MAX)
        return FOB_LIMIT;
    *out = inquiry_new(command);
    if (!*out)
        return FOB_NO_MEMORY;
    self->inquiries->all[self->inquiries->count++] = *out;
    return FOB_OK;
}

bool fob_inquiry_reply(fob_core_t *self, uint64_t conn, uint64_t req, fob_status_t status,
                       const char *text, fob_slice_t value, uint64_t after) {
    fob_open_turn_t *turn = fob_core_open(self);
    if (!turn || !fob_turn_reserve(turn, 0, 1, 0, 0))
        return false;
    fob_slice_t words = fob_turn_copy(turn, fob_slice_str(text));
    fob_slice_t copy = fob_turn_copy(turn, value);
    if ((words.size && !words.data) || (copy.size && !copy.data))
        return false;
    fob_effect_t *effect = fob_turn_effect(turn, FOB_EFF_REPLY);
    effect->conn = conn;
    effect->req = req;
    effect->status = status;
    effect->text = words;
    effect->value = copy;
    effect->after = after;
    fob_core_wait(self, after);
    return true;
}

/* --- pages --- */

/* Groups ask for pages too: requests have a quarter of the places at the most. */
static bool may_ask(const fob_core_t *self) {
    size_t asking = 0;
    for (size_t i = 0; i < self->inquiries->count; i++)
        asking += self->inquiries->all[i] && self->inquiries->all[i]->asked != 0;
    return asking == 0 || asking < self->cache.stretch_count / 4;
}

static fob_walk_t ask(fob_core_t *self, fob_inquiry_t *inquiry, uint64_t offset) {
    fob_open_turn_t *turn = fob_core_open(self);
    if (!turn || !fob_turn_reserve(turn, 0, 1, 0, 0))
        return FOB_WALK_MEMORY;
    fob_ask_t answer = may_ask(self) ? fob_cache_ask(&self->cache, offset) : FOB_ASK_WAITS;
    if (answer == FOB_ASK_LATER)
        return FOB_WALK_MEMORY;
    inquiry->waits = true;
    if (answer == FOB_ASK_WAITS)
        return FOB_WALK_BLOCKED;
    inquiry->asked = offset;
    fob_effect_t *effect = fob_turn_effect(turn, FOB_EFF_NEED);
    effect->need_offset = offset;
    effect->need_bytes = self->config.page_bytes;
    return FOB_WALK_BLOCKED;
}

fob_walk_t fob_inquiry_find(fob_core_t *self, fob_inquiry_t *inquiry, uint64_t offset,
                            fob_place_t *place, uint64_t *end) {
    switch (fob_cache_find(&self->cache, offset, &place->sheet, end)) {
    case FOB_CACHE_MISS:
        return ask(self, inquiry, offset);
    case FOB_CACHE_HOLE:
        return FOB_WALK_END;
    case FOB_CACHE_HIT:
        break;
    }
    place->index = (uint32_t)(offset - place->sheet->first_offset);
    return FOB_WALK_FOUND;
}

void fob_inquiries_page(fob_core_t *self, uint64_t asked) {
    for (size_t i = 0; self->inquiries && i < self->inquiries->count; i++) {
        fob_inquiry_t *inquiry = self->inquiries->all[i];
        if (inquiry->asked == asked)
            inquiry->asked = 0;
        inquiry->waits = false;
    }
}

/* --- worked on --- */

static bool waits(const fob_core_t *self, const fob_inquiry_t *inquiry) {
    bool gone = inquiry->group && !fob_groups_by_id(&self->groups, inquiry->group);
    return inquiry->waits && !gone;
}

static fob_inquiry_state_t work(fob_core_t *self, fob_inquiry_t *inquiry, uint32_t *looks) {
    uint32_t mine = *looks ? *looks : 1; /* each gets on in each take, with a page that just came */
    fob_inquiry_state_t state = of_dead(&inquiry->command)
                                    ? fob_dead_request_run(self, inquiry, &mine)
                                    : fob_seek_run(self, inquiry, &mine);
    *looks = *looks ? mine : 0;
    return state;
}

/* Those that ended are out of the list only now: while one works, it is looked through. */
static void close_holes(fob_inquiries_t *self) {
    size_t kept = 0;
    for (size_t i = 0; i < self->count; i++) {
        if (self->all[i])
            self->all[kept++] = self->all[i];
    }
    self->count = kept;
}

static void end(fob_inquiry_t **inquiry) {
    fob_buf_free(&(*inquiry)->rows);
    free(*inquiry);
    *inquiry = NULL;
}

void fob_inquiries_run(fob_core_t *self) {
    uint32_t looks = FOB_INQUIRY_LOOKS;
    fob_inquiries_t *all = self->inquiries;
    for (size_t i = 0; all && i < all->count; i++) {
        fob_inquiry_state_t state =
            waits(self, all->all[i]) ? FOB_INQUIRY_WAITS : work(self, all->all[i], &looks);
        if (state == FOB_INQUIRY_MORE)
            self->again = true;
        else if (state == FOB_INQUIRY_DONE)
            end(&all->all[i]);
    }
    if (all && all->count)
        close_holes(all);
}

void fob_inquiries_lost(fob_core_t *self, uint64_t conn) {
    fob_inquiries_t *all = self->inquiries;
    for (size_t i = 0; all && i < all->count; i++) {
        if (all->all[i]->command.conn == conn)
            end(&all->all[i]);
    }
    if (all && all->count)
        close_holes(all);
}

void fob_inquiries_free(fob_core_t *self) {
    for (size_t i = 0; self->inquiries && i < self->inquiries->count; i++)
        end(&self->inquiries->all[i]);
    free(self->inquiries);
    self->inquiries = NULL;
}
