/* A publisher is refused for a group only where that group is full, or behind such a refusal: an
 * earlier event of the same topic that it has not offered again. */
#include "bus/core/group/policy.h"
#include "conns.h"

#include "proto/envelope.h"

#include <inttypes.h>

#define SIM_NAME 32
#define PLENTY   (UINT64_C(1) << 30) /* bytes: more than a world has */

/* One number of a connection. */
typedef struct {
    uint32_t size; /* in bytes; 0: it was not offered */
    uint8_t topic; /* its index plus one; 0: it is no event */
    bool refused;  /* that is its last answer, or */
    bool given_up; /* was, and it came again as none before an earlier one of the topic did */
} offer_t;

typedef struct {
    offer_t *offers;
    size_t count, room;
    uint64_t base;                       /* number of the first */
    uint64_t row_first, row_count;       /* the answer that is read */
    char full[SIM_TOPICS + 1][SIM_NAME]; /* the group that refused that topic last */
} conn_t;

typedef struct {
    sim_conns_t conns;
} own_t;

static conn_t *conn_of(sim_checker_t *self, uint32_t conn) {
    own_t *own = self->own;
    return sim_conns_at(&own->conns, conn, sizeof(conn_t));
}

static offer_t *offer_at(conn_t *conn, uint64_t number) {
    return &conn->offers[number - conn->base];
}

/* NULL: it was not offered. */
static offer_t *offer_of(conn_t *conn, uint64_t number) {
    bool there = number >= conn->base && number - conn->base < conn->count;
    offer_t *offer = there ? offer_at(conn, number) : NULL;
    return offer && offer->size ? offer : NULL;
}

/* --- offers --- */

static uint8_t topic_of(fob_slice_t name) {
    for (uint8_t i = 0; i < SIM_TOPICS; i++)
        if (fob_slice_eq(name, fob_slice_str(sim_topics[i])))
            return i + 1;
    return 0;
}

/* Room for numbers from there on, or up to there. */
static void reach(conn_t *conn, uint64_t number) {
    size_t below = conn->count && number < conn->base ? (size_t)(conn->base - number) : 0;
    conn->base = conn->count && !below ? conn->base : number;
    size_t index = (size_t)(number - conn->base), wanted = conn->count + below;
    wanted = index + 1 > wanted ? index + 1 : wanted;
    while (wanted > conn->room)
        conn->offers = sim_grow(conn->offers, conn->room, &conn->room, sizeof *conn->offers);
    if (below) {
        memmove(conn->offers + below, conn->offers, conn->count * sizeof *conn->offers);
        memset(conn->offers, 0, below * sizeof *conn->offers);
    }
    conn->count = wanted;
}

static void offered(conn_t *conn, uint64_t number, uint32_t size, uint8_t topic) {
    reach(conn, number);
    offer_t *offer = offer_at(conn, number);
    offer->size = size;
    if (topic || !(offer->refused || offer->given_up))
        offer->topic = topic;
}

static void published(sim_checker_t *self, const sim_fact_t *fact) {
    conn_t *conn = conn_of(self, fact->worker);
    fob_cursor_t cursor = fob_cursor(fact->bytes);
    for (uint64_t number = fact->serial; !fob_cursor_end(&cursor); number++) {
        fob_cursor_t from = cursor, at = cursor;
        fob_slice_t topic = {0}, bytes;
        if (!fob_cursor_skip(&cursor, NULL))
            break;
        bool good = fob_envelope_skim(&at, &topic, &bytes);
        offered(conn, number, (uint32_t)(cursor.at - from.at), good ? topic_of(topic) : 0);
    }
}

/* --- answers --- */

static void forgotten(conn_t *conn) {
    for (size_t i = 0; i < conn->count; i++)
        conn->offers[i].refused = conn->offers[i].given_up = false;
}

/* An earlier number of the topic that is refused, or was given up; NULL: none. */
static offer_t *earlier(conn_t *conn, uint64_t number, uint8_t topic) {
    while (number-- > conn->base) {
        offer_t *offer = offer_of(conn, number);
        if (offer && offer->topic == topic && (offer->refused || offer->given_up))
            return offer;
    }
    return NULL;
}

/* The number is used up. A topic opens in the order in which it was closed; that something of it is
 * stored shows that it is open. */
static void used_up(conn_t *conn, uint64_t number, bool stored) {
    offer_t *offer = offer_of(conn, number), *before;
    offer->given_up = (offer->refused || offer->given_up) && earlier(conn, number, offer->topic);
    offer->refused = false;
    while (stored && (before = earlier(conn, number, offer->topic)) != NULL && before->given_up)
        before->given_up = false;
}

static void answered(sim_checker_t *self, const sim_fact_t *fact) {
    conn_t *conn = conn_of(self, fact->worker);
    conn->row_first = fact->serial;
    conn->row_count = fact->count;
    if (fact->status == FOB_FORGOTTEN)
        forgotten(conn);
    for (uint64_t i = 0; fact->status != FOB_GAP && i < fact->count; i++) {
        offer_t *offer = offer_of(conn, fact->serial + i);
        if (offer && fact->status == FOB_BUSY)
            offer->refused = true;
        else if (offer)
            used_up(conn, fact->serial + i, fact->status == FOB_OK && !fact->duplicate_of);
    }
}

static bool is_behind(conn_t *conn, uint64_t number, const char *group) {
    uint8_t topic = offer_of(conn, number)->topic;
    return strcmp(conn->full[topic], group) == 0 && earlier(conn, number, topic);
}

/* Those that follow in the row may be refused for its bytes. */
static void look(sim_checker_t *self, const sim_fact_t *fact, conn_t *conn, bool full) {
    char group[SIM_NAME];
    snprintf(group, sizeof group, "%.*s", (int)fact->bytes.size, (const char *)fact->bytes.data);
    bool by_bytes = !fact->group || fact->group->settings[FOB_POLICY_max_bytes] < PLENTY;
    for (uint64_t i = 0; i < conn->row_count; i++) {
        uint64_t number = conn->row_first + i;
        const offer_t *offer = offer_of(conn, number);
        SIM_HOLD(self, offer, "number %" PRIu64 " is refused, and was not offered", number);
        SIM_HOLD(self, full || (i > 0 && by_bytes) || is_behind(conn, number, group),
                 "group %s is called full, with %" PRIu64 " of %" PRIu64 ", and number %" PRIu64
                 " is behind no event that it refused",
                 group, fact->value, fact->count, number);
        memcpy(conn->full[offer->topic], group, sizeof group);
    }
}

static void refused(sim_checker_t *self, const sim_fact_t *fact) {
    conn_t *conn = conn_of(self, fact->worker);
    const offer_t *first = offer_of(conn, conn->row_first);
    bool too_large = fact->token && first && fact->value + first->size > fact->count;
    look(self, fact, conn, fact->value >= fact->count || too_large);
}

static void bus_down(own_t *own) {
    size_t at = 0;
    for (conn_t *conn; (conn = sim_conns_next(&own->conns, &at, sizeof *conn)) != NULL;)
        free(conn->offers);
    sim_conns_clear(&own->conns);
}

static void fact(sim_checker_t *self, const sim_fact_t *fact) {
    if (fact->kind == SIM_PUBLISHED)
        published(self, fact);
    else if (fact->kind == SIM_ROW)
        answered(self, fact);
    else if (fact->kind == SIM_BUSY)
        refused(self, fact);
    else if (fact->kind == SIM_BUS_DOWN)
        bus_down(self->own);
}

static void end(sim_checker_t *self) {
    bus_down(self->own);
}

const sim_checker_ops_t sim_check_busy = {"a publisher is refused only where a group is full",
                                          sizeof(own_t), fact, end};
