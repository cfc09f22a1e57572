#include "bus/desk.h"

#include "bus/host/rss.h"

#include <stdio.h>

/* Adds what a socket's connections did wrong. */
static void add_traffic(fob_figures_t *out, fob_traffic_t *traffic) {
    fob_traffic_stats_t stats;
    fob_traffic_stats(traffic, &stats);
    out->malformed += stats.failed;
    for (int reason = 0; reason < FOB_ENDED_COUNT; reason++)
        out->ended[reason] += stats.ended[reason];
}

static void gather(const fob_desk_t *self, fob_now_t now, fob_figures_t *out) {
    fob_broadcast_t *broadcast = self->broadcast;
    fob_peers_stats_t peers;
    fob_core_stats_t core;
    fob_journal_stats_t journal;
    fob_fetches_stats_t fetches;
    fob_fetches_stats(self->fetches, &fetches);
    fob_peers_stats(self->peers, &peers);
    fob_core_stats(fob_ledger_core(self->ledger), &core);
    fob_ledger_journal(self->ledger, &journal);
    *out = (fob_figures_t){.level = self->house->level,
                           .epoch = self->house->epoch,
                           .shards = 1,
                           .uptime_ms = (uint64_t)((now.mono_ns - self->started_ns) / FOB_MS),
                           .journal_bytes = journal.bytes,
                           .rss_bytes = fob_rss(),
                           .connections = peers.connections,
                           .publishers = peers.roles[FOB_ROLE_PUBLISHER],
                           .subscribers = peers.roles[FOB_ROLE_SUBSCRIBER],
                           .workers = peers.roles[FOB_ROLE_WORKER],
                           .events_in = core.events_in,
                           .busy = core.busy,
                           .ids = core.ids,
                           .dedup_span_ms = core.ids > 0 ? core.dedup_span_ms : -1,
                           .malformed = peers.malformed + atomic_load(&broadcast->malformed),
                           .fetching = fetches.waiting,
                           .fetched = fetches.served,
                           .fetched_bytes = fetches.bytes,
                           .dropped_broadcast = self->dropped_casts,
                           .dropped_unread = self->dropped_unread};
    add_traffic(out, self->traffic);
    add_traffic(out, broadcast->xsub_traffic);
    add_traffic(out, broadcast->xpub_traffic);
}

static fob_status_t give(fob_slice_t value, fob_body_t *body) {
    *body = (fob_body_t){.blob = fob_blob_copy(value), .size = value.size};
    return body->blob ? FOB_OK : FOB_NO_MEMORY;
}

static fob_status_t reply(const fob_house_t *house, const fob_wire_t *msg, fob_status_t code,
                          const char *text, fob_slice_t value, fob_buf_t *header,
                          fob_body_t *body) {
    fob_status_t status = give(value, body);
    if (status == FOB_OK)
        status = fob_letter_reply(header, house, msg->req, code, text);
    if (status != FOB_OK)
        fob_blob_unref(&body->blob);
    return status;
}

fob_status_t fob_desk_answer(fob_desk_t *self, fob_now_t now, const fob_wire_t *msg,
                             fob_buf_t *header, fob_body_t *body) {
    char text[FOB_NAME_MAX + 64] = "";
    fob_status_t code = FOB_OK;
    fob_buf_clear(&self->value);
    if (msg->verb == FOB_VERB_STATS) {
        fob_figures_t figures;
        gather(self, now, &figures);
        fob_figures_stats(&self->value, &figures, self->ledger, now);
    } else if (fob_figures_groups(&self->value, self->ledger, now, msg->group) == 0 &&
               msg->group.size) {
        code = FOB_NO_GROUP;
        snprintf(text, sizeof text, "there is no group %.*s: \"fob group ls\" lists them",
                 (int)msg->group.size, (const char *)msg->group.data);
    }
    if (self->value.failed)
        return FOB_NO_MEMORY;
    return reply(self->house, msg, code, text, fob_buf_slice(&self->value), header, body);
}

fob_status_t fob_desk_refuse(const fob_house_t *house, const fob_wire_t *msg, fob_status_t code,
                             const char *text, fob_buf_t *header, fob_body_t *body) {
    static const uint8_t nil = 0xc0;
    return reply(house, msg, code, text, fob_slice(&nil, 1), header, body);
}
