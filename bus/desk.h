/* desk: answers what the core is not asked: how the bus and its groups are, and what a question
 * lacks. One thread: the broker's. */
#ifndef FOB_DESK_H
#define FOB_DESK_H

#include "bus/broadcast.h"
#include "bus/fetch/fetches.h"
#include "bus/report/figures.h"
#include "bus/service/letters.h"
#include "bus/service/peers.h"

/* Where the figures are; all of it is the broker's. */
typedef struct {
    fob_peers_t *peers;
    fob_ledger_t *ledger;
    fob_traffic_t *traffic; /* of the ROUTER */
    fob_broadcast_t *broadcast;
    const fob_house_t *house;
    int64_t started_ns;
    uint64_t dropped_casts, dropped_unread;
    const fob_fetches_t *fetches;
    fob_buf_t value; /* begins as zeros, and is freed by the owner */
} fob_desk_t;

/* The REPLY to STATS or GROUP_LIST: its header (`header` is cleared before) and its body, of which
 * the caller gets a hold. FOB_OK, FOB_NO_MEMORY. */
fob_status_t fob_desk_answer(fob_desk_t *self, fob_now_t now, const fob_wire_t *msg,
                             fob_buf_t *header, fob_body_t *body) FOB_MUST_USE;

/* The REPLY that refuses any question, with a sentence. Statuses as above. */
fob_status_t fob_desk_refuse(const fob_house_t *house, const fob_wire_t *msg, fob_status_t code,
                             const char *text, fob_buf_t *header, fob_body_t *body) FOB_MUST_USE;

#endif
