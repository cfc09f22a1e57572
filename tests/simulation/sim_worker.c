/* A worker: the real leases, an application with handlers that take their time, fail, hang. */
#include "sim_world.h"

#include "subscribers/lease/leases.h"

#define JOBS_MOST 8

/* Longer than a handler takes that does not hang, and its settle to get there. */
#define LEASE_LEAST 2000
#define LEASE_MOST  5000

/* Longer than a settle of an earlier event is under way to the bus. */
#define LONG_NS (5 * FOB_SEC)

typedef struct {
    fob_event_t *event;
    const sim_group_t *group;
    uint64_t offset, token;
    int64_t begun_ns; /* the world's time */
    int64_t end_at;   /* mono_ns of this worker */
    bool told_lost;
} job_t;

typedef struct {
    fob_leases_t *leases;
    const char *group;
    uint32_t jobs;
    job_t running[JOBS_MOST];
    size_t count;
} worker_t;

static const struct {
    const char *name, *pattern;
} groups[SIM_GROUPS] = {{"all", ">"}, {"orders", "orders.*"}, {"mail", "mail"}, {"pay", "pay.>"}};

/* Some have a bound of their own, ms; drawn apart. */
static uint64_t lease_of(const sim_client_t *self) {
    sim_random_t random =
        sim_random_new(self->world->seed ^ (uint64_t)self->number * UINT64_C(0x9e3779b97f4a7c15));
    return sim_random_once(&random, 4) ? sim_random_between(&random, LEASE_LEAST, LEASE_MOST) : 0;
}

static worker_t *of(sim_client_t *self) {
    if (self->own)
        return self->own;
    worker_t *own = self->own = sim_alloc(sizeof *own);
    sim_random_t *random = &self->random;
    unsigned group = self->index % SIM_GROUPS;
    own->group = groups[group].name;
    own->jobs = 1 + (uint32_t)sim_random_skewed(random, JOBS_MOST - 1);
    own->leases = fob_leases_new(&(fob_leases_options_t){
        .group = fob_slice_str(groups[group].name),
        .pattern = fob_slice_str(groups[group].pattern),
        .jobs = own->jobs,
        .prefetch = own->jobs + (uint32_t)sim_random_skewed(random, 100),
        .worker = fob_slice_str("simulated"),
        .lease_ms = lease_of(self),
        .give_up_mono = FOB_NEVER,
    });
    return own;
}

static void up(sim_client_t *self, fob_now_t now, const fob_wire_t *welcome) {
    fob_leases_up(of(self)->leases, now, welcome);
}

static void down(sim_client_t *self, fob_now_t now, fob_status_t why, const char *text) {
    fob_leases_down(of(self)->leases, now, why, text);
}

static void input(sim_client_t *self, fob_now_t now, const fob_wire_t *msg, fob_blob_t *body) {
    if (msg->verb == FOB_VERB_ERROR)
        sim_world_note(self->world, "worker %u: error %.*s", self->number, (int)msg->text.size,
                       msg->text.data);
    fob_leases_input(of(self)->leases, now, msg, body);
}

static bool output(sim_client_t *self, fob_now_t now, fob_slice_t *header, fob_blob_t **body) {
    *body = NULL;
    return fob_leases_output(of(self)->leases, now, header);
}

/* --- handlers --- */

/* The bus took the lease away a moment ago: the LOST may be under way, or lost with a connection.
 */
static bool told_lost(const sim_world_t *world, const sim_group_t *group, uint64_t offset,
                      uint64_t token) {
    for (uint64_t i = world->lost_count; i-- > 0 && i + SIM_LOST_KEPT > world->lost_count;) {
        const sim_lost_t *lost = &world->lost[i % SIM_LOST_KEPT];
        if (world->now_ns - lost->at_ns > 3 * FOB_SEC)
            return false;
        if (lost->group == group && token - lost->token == offset - lost->offset &&
            offset >= lost->offset && offset - lost->offset < lost->count)
            return true;
    }
    return false;
}

static void begin(sim_client_t *self, fob_now_t now, fob_event_t *event) {
    sim_world_t *world = self->world;
    worker_t *own = of(self);
    job_t *job = &own->running[own->count++];
    uint64_t takes = sim_random_skewed(&self->random, 100) * (uint64_t)FOB_MS;
    if (!world->calm && sim_random_once(&self->random, 200))
        takes = (uint64_t)(30 * FOB_SEC); /* it hangs */
    *job = (job_t){.event = event,
                   .group = sim_witness_group(&world->witness, fob_slice_str(own->group)),
                   .offset = fob_event_offset(event),
                   .token = fob_event_token(event),
                   .begun_ns = world->now_ns,
                   .end_at = now.mono_ns + (int64_t)takes};
    job->told_lost = told_lost(world, job->group, job->offset, job->token);
    if (!job->group)
        sim_world_fail(world, "nothing is delivered before it is durable",
                       "a worker gets events of a group that is not durable");
    sim_witness_tell(&world->witness,
                     &(sim_fact_t){.kind = SIM_BEGUN,
                                   .worker = self->number,
                                   .group = job->group,
                                   .offset = job->offset,
                                   .token = job->token,
                                   .attempt = fob_event_attempt(event),
                                   .bytes = fob_event_envelope(event)->bytes,
                                   .taken = job->told_lost,
                                   .sure = sim_worker_sure_elsewhere(world, job->group, job->offset,
                                                                     job->token)});
}

static void begin_some(sim_client_t *self, fob_now_t now) {
    worker_t *own = of(self);
    fob_event_t *event;
    while (own->count < own->jobs && fob_leases_next(own->leases, now, &event) == FOB_OK)
        begin(self, now, event);
}

static fob_settle_how_t outcome(sim_client_t *self) {
    fob_settle_how_t how = {.kind = FOB_KIND_ACK};
    const sim_weather_t *weather = &self->world->weather;
    uint64_t draw = sim_random_below(&self->random, 100);
    if (self->world->calm || !weather->rough || draw < (weather->absent ? 60 : 85))
        return how;
    how.kind = draw < 94 ? FOB_KIND_RETRY : draw < 97 ? FOB_KIND_RELEASE : FOB_KIND_REJECT;
    if (how.kind == FOB_KIND_RETRY && draw % 2)
        how.after = 1 + sim_random_skewed(&self->random, weather->absent ? 10000 : 3000);
    how.reason = fob_slice_str(draw % 3 ? "it did not work" : "");
    return how;
}

static void end_job(sim_client_t *self, fob_now_t now, size_t index) {
    worker_t *own = of(self);
    job_t job = own->running[index];
    fob_settle_how_t how = outcome(self);
    own->running[index] = own->running[--own->count];
    sim_witness_tell(&self->world->witness, &(sim_fact_t){.kind = SIM_ENDED,
                                                          .worker = self->number,
                                                          .group = job.group,
                                                          .offset = job.offset,
                                                          .token = job.token,
                                                          .settle = how.kind,
                                                          .value = how.after});
    (void)fob_leases_settle(own->leases, now, job.event, &how);
    fob_event_destroy(&job.event);
}

static void tick(sim_client_t *self, fob_now_t now) {
    worker_t *own = of(self);
    fob_leases_round(own->leases, now, sim_client_heard(self));
    const char *why = fob_leases_restart(own->leases);
    if (why)
        sim_client_restart(self, now, why);
    for (size_t i = own->count; i-- > 0;)
        if (own->running[i].end_at <= now.mono_ns)
            end_job(self, now, i);
    begin_some(self, now);
}

static int64_t deadline(sim_client_t *self) {
    worker_t *own = of(self);
    int64_t at = fob_leases_deadline(own->leases);
    for (size_t i = 0; i < own->count; i++)
        at = own->running[i].end_at < at ? own->running[i].end_at : at;
    return at;
}

static void end(sim_client_t *self) {
    worker_t *own = of(self);
    fob_leases_destroy(&own->leases);
    free(own);
}

bool sim_worker_done(const sim_client_t *self) {
    const worker_t *own = self->own;
    return !own || (own->count == 0 && fob_leases_flushed(own->leases));
}

/* --- what others ask --- */

static bool is_sure(const sim_client_t *self, const job_t *job) {
    const worker_t *own = self->own;
    fob_now_t now = sim_clock_now(&self->clock, self->world->now_ns);
    return !job->told_lost && self->frozen_ns <= self->world->now_ns &&
           fob_leases_sure(own->leases, now, job->event);
}

/* A handler of that event whose worker is sure of it, under that token or, with `other`, under
 * another that was not taken away a moment ago. NULL: none. */
static const job_t *sure_job(const sim_client_t *self, const job_t *wanted, bool other) {
    const sim_witness_t *witness = &self->world->witness;
    const worker_t *own = self->role == &sim_worker_role ? self->own : NULL;
    for (size_t i = 0; own && i < own->count; i++) {
        const job_t *job = &own->running[i];
        if (job->group == wanted->group && job->offset == wanted->offset &&
            (job->token == wanted->token) != other && is_sure(self, job) &&
            !(other && sim_witness_taken(witness, job->group, job->offset, job->token)))
            return job;
    }
    return NULL;
}

bool sim_worker_sure_elsewhere(sim_world_t *world, const sim_group_t *group, uint64_t offset,
                               uint64_t token) {
    job_t wanted = {.group = group, .offset = offset, .token = token};
    for (size_t c = 0; c < world->client_count; c++)
        if (sure_job(&world->clients[c], &wanted, true))
            return true;
    return false;
}

bool sim_worker_runs(sim_world_t *world, const sim_group_t *group, uint64_t offset,
                     uint64_t token) {
    job_t wanted = {.group = group, .offset = offset, .token = token};
    for (size_t c = 0; c < world->client_count; c++) {
        const job_t *job = sure_job(&world->clients[c], &wanted, false);
        if (job && world->now_ns - job->begun_ns >= LONG_NS)
            return true;
    }
    return false;
}

static void lose(sim_world_t *world, const sim_group_t *group, const fob_run_t *run) {
    for (size_t c = 0; c < world->client_count; c++) {
        sim_client_t *client = &world->clients[c];
        if (client->role != &sim_worker_role || !client->own)
            continue;
        worker_t *own = client->own;
        for (size_t i = 0; i < own->count; i++) {
            job_t *job = &own->running[i];
            if (job->group == group && job->token - run->at[2] == job->offset - run->at[0] &&
                job->offset >= run->at[0] && job->offset - run->at[0] < run->at[1])
                job->told_lost = true;
        }
    }
}

void sim_worker_told_lost(sim_world_t *world, fob_slice_t header) {
    fob_wire_t msg;
    fob_runs_t runs;
    fob_run_t run;
    if (fob_wire_read(header, &msg) != FOB_OK || !fob_runs(msg.runs, &runs))
        sim_world_fail(world, "the bus speaks the protocol", "a LOST cannot be read");
    const sim_group_t *group = sim_witness_group(&world->witness, msg.group);
    while (fob_runs_next(&runs, &run)) {
        lose(world, group, &run);
        world->lost[world->lost_count++ % SIM_LOST_KEPT] =
            (sim_lost_t){group, run.at[0], run.at[1], run.at[2], world->now_ns};
        if (group)
            sim_witness_tell(&world->witness, &(sim_fact_t){.kind = SIM_TOLD_LOST,
                                                            .group = group,
                                                            .offset = run.at[0],
                                                            .count = run.at[1],
                                                            .token = run.at[2]});
    }
}

const sim_role_t sim_worker_role = {"worker", up,       down, input, output,
                                    tick,     deadline, NULL, NULL,  end};
