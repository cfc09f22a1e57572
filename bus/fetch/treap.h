/* treap: things in the order of a number, and of a second one where that is equal; each pair stands
 * in it once. Adding, removing and finding cost the logarithm of how many there are. The nodes are
 * the caller's memory. Pure. Not thread-safe. */
#ifndef FOB_FETCH_TREAP_H
#define FOB_FETCH_TREAP_H

#include <stdbool.h>
#include <stdint.h>

typedef struct fob_node {
    struct fob_node *less, *more;
    uint64_t key, turn; /* its pair */
} fob_node_t;

/* Begins as NULL: empty. */
typedef fob_node_t *fob_treap_t;

/* Adds one whose pair is set and is not in it. */
void fob_treap_add(fob_treap_t *self, fob_node_t *node);
/* Removes one that is in it. */
void fob_treap_remove(fob_treap_t *self, fob_node_t *node);
/* The first whose key is not below; NULL: none. */
fob_node_t *fob_treap_from(const fob_treap_t *self, uint64_t key);

#endif
