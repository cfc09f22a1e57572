/* A publisher is answered soon, whatever other clients do: what the bus reads of it, while it comes
 * through, the bus can work and its disk has room. That it is refused only for a full group is
 * another checker's. */
#include "conns.h"

#include <inttypes.h>

#define WITHIN_NS (15 * FOB_SEC)
#define BEATS_NS  (3 * FOB_SEC) /* a connection that is read so seldom does not come through */

typedef struct {
    bool known;               /* the rest is of use */
    bool lost;                /* it was told to begin anew: what it offered so far is void */
    uint64_t offered;         /* and not answered */
    int64_t since_ns;         /* something was, and there was no answer */
    int64_t here_ns, read_ns; /* it comes through since, and was read last */
} conn_t;

typedef struct {
    sim_conns_t conns;
    int64_t quiet_ns; /* until then the bus could not work well */
} own_t;

static conn_t *conn_of(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    conn_t *conn = sim_conns_at(&own->conns, fact->worker, sizeof *conn);
    if (!conn->known)
        *conn = (conn_t){.known = true, .here_ns = fact->now_ns, .read_ns = fact->now_ns};
    return conn;
}

static void read_of(sim_checker_t *self, const sim_fact_t *fact) {
    const own_t *own = self->own;
    conn_t *conn = conn_of(self, fact);
    if (fact->now_ns - conn->read_ns > BEATS_NS)
        conn->here_ns = fact->now_ns;
    conn->read_ns = fact->now_ns;
    if (!conn->offered || conn->lost)
        return;
    int64_t since = conn->since_ns > conn->here_ns ? conn->since_ns : conn->here_ns;
    since = since > own->quiet_ns ? since : own->quiet_ns;
    SIM_HOLD(self, fact->now_ns - since < WITHIN_NS,
             "a publisher offered %" PRIu64 " events, and has no answer for %" PRId64 " s",
             conn->offered, (fact->now_ns - since) / FOB_SEC);
}

static void published(sim_checker_t *self, const sim_fact_t *fact) {
    conn_t *conn = conn_of(self, fact);
    if (!conn->offered)
        conn->since_ns = fact->now_ns;
    conn->offered += fact->count;
}

static void answered(sim_checker_t *self, const sim_fact_t *fact) {
    conn_t *conn = conn_of(self, fact);
    conn->since_ns = fact->now_ns;
    conn->offered -= fact->count < conn->offered ? fact->count : conn->offered;
    if (fact->status == FOB_GAP || fact->status == FOB_FORGOTTEN)
        conn->lost = true;
}

static void fact(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    if (fact->kind == SIM_READ)
        read_of(self, fact);
    else if (fact->kind == SIM_PUBLISHED)
        published(self, fact);
    else if (fact->kind == SIM_ROW)
        answered(self, fact);
    else if (fact->kind == SIM_BUS_UP)
        sim_conns_clear(&own->conns);
    else if (fact->kind == SIM_TROUBLE && fact->now_ns + (int64_t)fact->count > own->quiet_ns)
        own->quiet_ns = fact->now_ns + (int64_t)fact->count;
}

static void end(sim_checker_t *self) {
    own_t *own = self->own;
    sim_conns_clear(&own->conns);
}

const sim_checker_ops_t sim_check_isolated = {"a publisher is answered soon, whatever others do",
                                              sizeof(own_t), fact, end};
