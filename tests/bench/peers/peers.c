/* peers: those that this build knows; a library that is not there leaves its peer out. */
#include "tests/bench/peers/peer.h"

extern const peer_t peer_fob, peer_libzmq, peer_zproxy, peer_nats, peer_redis, peer_mosquitto,
    peer_machine, peer_zmq_queue, peer_redis_always, peer_redis_everysec, peer_rabbitmq_quorum,
    peer_rabbitmq_classic, peer_jetstream, peer_mosquitto_queue, peer_beanstalkd;

const peer_t *const peers[] = {
    &peer_fob,
    &peer_libzmq,
    &peer_zmq_queue,
    &peer_zproxy,
#ifdef FOB_PEER_NATS
    &peer_nats,
    &peer_jetstream,
#endif
#ifdef FOB_PEER_HIREDIS
    &peer_redis,
    &peer_redis_always,
    &peer_redis_everysec,
#endif
#ifdef FOB_PEER_RABBITMQ
    &peer_rabbitmq_quorum,
    &peer_rabbitmq_classic,
#endif
#ifdef FOB_PEER_MOSQUITTO
    &peer_mosquitto,
    &peer_mosquitto_queue,
#endif
    &peer_beanstalkd,
    &peer_machine,
};
const size_t peers_count = sizeof peers / sizeof peers[0];
