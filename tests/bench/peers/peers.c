/* peers: those that this build knows; a library that is not there leaves its peer out. */
#include "tests/bench/peers/peer.h"

extern const peer_t peer_fob, peer_libzmq;

const peer_t *const peers[] = {
    &peer_fob,
    &peer_libzmq,
};
const size_t peers_count = sizeof peers / sizeof peers[0];
