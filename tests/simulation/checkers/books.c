/* The books balance, and say what the records say. */
#include "checker.h"

typedef struct {
    uint64_t accepted, acked, dead, shed, removed;
    uint64_t resets; /* so many times it began anew */
    bool removes;    /* what was removed is not in the records */
} book_t;

typedef struct {
    book_t *books;
    size_t room;
} own_t;

static book_t *book_of(sim_checker_t *self, const sim_group_t *group) {
    own_t *own = self->own;
    size_t index = (size_t)(group - self->ground->groups);
    while (index >= own->room)
        own->books = sim_grow(own->books, own->room, &own->room, sizeof *own->books);
    return &own->books[index];
}

static void stored(sim_checker_t *self, uint64_t offset) {
    const sim_stored_t *event = &self->ground->events[offset];
    for (size_t i = 0; i < self->ground->group_count; i++) {
        const sim_group_t *group = &self->ground->groups[i];
        if (!group->gone && group->matches[event->topic] && offset >= group->start)
            book_of(self, group)->accepted++;
    }
}

static void run(book_t *book, const fob_run_record_t *run) {
    if (run->flags & FOB_RUN_PAID)
        return;
    switch (run->verb) {
    case FOB_RUN_ACK:
        book->acked += run->count;
        break;
    case FOB_RUN_DEAD:
        book->dead += run->count;
        break;
    case FOB_RUN_SHED:
        book->shed += run->count;
        break;
    case FOB_RUN_REMOVE:
        book->removed += run->count;
        break;
    case FOB_RUN_REDRIVE:
        book->dead -= run->count;
        break;
    case FOB_RUN_ACCEPT:
        book->accepted += run->count;
        break;
    case FOB_RUN_UNBURY:
        book->dead -= run->count;
        book->removed += run->count;
        break;
    default:
        break;
    }
}

#define SAME(self, fact, field)                                                                    \
    SIM_HOLD(self, book->field == (fact)->books->field,                                            \
             "group %s says " #field " %llu, its records say %llu", (fact)->group->name,           \
             (unsigned long long)(fact)->books->field, (unsigned long long)book->field)

static void reset(book_t *book, const fob_record_reset_t *record) {
    if (record->mode != FOB_RESET_ANEW) {
        book->removes = true;
        return;
    }
    *book = (book_t){.accepted = book->dead, .dead = book->dead, .resets = book->resets + 1};
}

static void compare(sim_checker_t *self, const sim_fact_t *fact) {
    const sim_books_t *b = fact->books;
    book_t *book = book_of(self, fact->group);
    SIM_HOLD(self,
             b->accepted == b->acked + b->dead + b->expired + b->shed + b->removed + b->ready +
                                b->leased + b->delayed,
             "group %s: accepted %llu is not acked %llu + dead %llu + expired %llu + shed %llu + "
             "removed %llu + ready %llu + leased %llu + delayed %llu",
             fact->group->name, (unsigned long long)b->accepted, (unsigned long long)b->acked,
             (unsigned long long)b->dead, (unsigned long long)b->expired,
             (unsigned long long)b->shed, (unsigned long long)b->removed,
             (unsigned long long)b->ready, (unsigned long long)b->leased,
             (unsigned long long)b->delayed);
    if (!b->at_rest)
        return;
    SIM_HOLD(self, b->generation == book->resets + 1,
             "group %s says generation %llu, it began anew %llu times", fact->group->name,
             (unsigned long long)b->generation, (unsigned long long)book->resets);
    SAME(self, fact, accepted);
    SAME(self, fact, acked);
    SAME(self, fact, dead);
    SAME(self, fact, shed);
    if (!book->removes)
        SAME(self, fact, removed);
}

static void fact(sim_checker_t *self, const sim_fact_t *fact) {
    if (fact->kind == SIM_STORED)
        stored(self, fact->offset);
    else if (fact->kind == SIM_RESET)
        reset(book_of(self, fact->group), fact->reset);
    else if (fact->kind == SIM_RUN)
        run(book_of(self, fact->group), fact->run);
    else if (fact->kind == SIM_BOOKS)
        compare(self, fact);
}

static void end(sim_checker_t *self) {
    own_t *own = self->own;
    free(own->books);
}

const sim_checker_ops_t sim_check_books = {"the books balance, and say what the records say",
                                           sizeof(own_t), fact, end};
