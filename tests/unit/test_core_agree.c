/* core_books, compared: whether the core says the same. */
#include "test_core_books.h"

#include "bus/core/durable/record.h"
#include "tests/support/case.h"

#define WRONG(...)                                                                                 \
    do {                                                                                           \
        snprintf(books->trouble, sizeof books->trouble, __VA_ARGS__);                              \
        return false;                                                                              \
    } while (0)

typedef unsigned long long ull;

static bool same(books_t *books, const char *name, const char *what, uint64_t says,
                 uint64_t should) {
    if (says != should)
        WRONG("group %s: %s is %llu, by its records %llu", name, what, (ull)says, (ull)should);
    return true;
}

static bool group_agrees(books_t *books, const fob_group_stats_t *stats, books_group_t *group) {
    const char *name = group->name;
    uint64_t depth = stats->ready + stats->leased + stats->delayed;
    for (size_t i = 0; i < FOB_REMOVALS; i++) {
        if (!same(books, name, fob_removal_name((unsigned)i), stats->removed_by[i],
                  group->removed_by[i]))
            return false;
    }
    for (size_t i = 0; i < FOB_OVERFLOW_DEAD_LETTER; i++) {
        if (!same(books, name, fob_overflow_name(i), stats->shed_by[i], group->shed_by[i]))
            return false;
    }
    return same(books, name, "accepted", stats->accepted, group->accepted) &&
           same(books, name, "acked", stats->acked, group->acked) &&
           same(books, name, "dead", stats->dead, group->dead) &&
           same(books, name, "shed", stats->shed, group->shed) &&
           same(books, name, "removed", stats->removed, group->removed) &&
           same(books, name, "generation", stats->generation, group->generation) &&
           same(books, name, "letters", group->count[BOOKS_DEAD] + group->unknown, group->dead) &&
           same(books, name, "depth", depth, books_depth(group)) &&
           same(books, name, "bytes", stats->bytes, group->bytes);
}

bool books_agree(books_t *books) {
    fob_group_stats_t stats;
    size_t count = 0, there = 0;
    for (size_t i = 0; i < BOOKS_GROUPS; i++)
        there += books->groups[i].there;
    for (; fob_core_group_stats(books->kit->core, books->kit->now, count, &stats); count++) {
        char name[32];
        snprintf(name, sizeof name, "%.*s", (int)stats.group.size, (const char *)stats.group.data);
        books_group_t *group = books_find(books, name);
        if (!group)
            WRONG("no group %s in the records", name);
        if (!group_agrees(books, &stats, group))
            return false;
    }
    return same(books, "all", "how many", count, there) &&
           same(books, "all", "head", fob_core_head(books->kit->core), books->head);
}
