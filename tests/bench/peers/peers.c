/* peers: those that this build knows; a library that is not there leaves its peer out. */
#include "tests/bench/peers/peer.h"

extern const peer_t peer_fob, peer_libzmq, peer_zproxy, peer_nats, peer_redis, peer_mosquitto,
    peer_machine;

const peer_t *const peers[] = {
    &peer_fob,       &peer_libzmq, &peer_zproxy,
#ifdef FOB_PEER_NATS
    &peer_nats,
#endif
#ifdef FOB_PEER_HIREDIS
    &peer_redis,
#endif
#ifdef FOB_PEER_MOSQUITTO
    &peer_mosquitto,
#endif
    &peer_machine,
};
const size_t peers_count = sizeof peers / sizeof peers[0];
