#include "bus/fetch/treap.h"

#include <assert.h>
#include <stddef.h>

/* As if drawn by chance, but the same in each run: a node is above those of a lower rank. Nobody
 * who asks chooses the turns. */
static uint64_t rank(const fob_node_t *node) {
    uint64_t x = node->turn + UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static bool before(const fob_node_t *one, const fob_node_t *other) {
    return one->key < other->key || (one->key == other->key && one->turn < other->turn);
}

/* Parts a tree into those before the node and those behind it. */
static void split(fob_node_t *tree, const fob_node_t *at, fob_node_t **less, fob_node_t **more) {
    while (tree) {
        if (before(tree, at)) {
            *less = tree;
            less = &tree->more;
            tree = *less;
        } else {
            *more = tree;
            more = &tree->less;
            tree = *more;
        }
    }
    *less = *more = NULL;
}

/* Joins two, all of the first before all of the second. */
static void join(fob_node_t **tree, fob_node_t *less, fob_node_t *more) {
    while (less && more) {
        if (rank(less) > rank(more)) {
            *tree = less;
            tree = &less->more;
            less = *tree;
        } else {
            *tree = more;
            tree = &more->less;
            more = *tree;
        }
    }
    *tree = less ? less : more;
}

void fob_treap_add(fob_treap_t *self, fob_node_t *node) {
    fob_node_t **at = self;
    while (*at && rank(*at) > rank(node))
        at = before(*at, node) ? &(*at)->more : &(*at)->less;
    split(*at, node, &node->less, &node->more);
    *at = node;
}

void fob_treap_remove(fob_treap_t *self, fob_node_t *node) {
    fob_node_t **at = self;
    while (*at && *at != node)
        at = before(*at, node) ? &(*at)->more : &(*at)->less;
    assert(*at);
    join(at, node->less, node->more);
}

fob_node_t *fob_treap_from(const fob_treap_t *self, uint64_t key) {
    fob_node_t *found = NULL;
    for (fob_node_t *at = *self; at; at = at->key < key ? at->more : at->less)
        if (at->key >= key)
            found = at;
    return found;
}
