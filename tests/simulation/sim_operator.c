/* An operator: pauses, sets, purges, resets, redrives; adds groups that begin in the past and
 * removes them. Once all is calm it undoes what keeps groups from draining. */
#include "sim_world.h"

#include "proto/buf.h"

#define LATE_GROUPS 3

typedef struct {
    uint64_t req, answered;
    int64_t at; /* mono_ns: of the next question */
    bool up;
    unsigned calm; /* what was undone */
    fob_buf_t header, settings, next;
    bool waits; /* `next` is to be sent */
} operator_t;

static const char *const groups[] = {"all", "orders", "mail", "pay"};

static operator_t *of(sim_client_t *self) {
    if (!self->own)
        self->own = sim_alloc(sizeof(operator_t));
    return self->own;
}

static void up(sim_client_t *self, fob_now_t now, const fob_wire_t *welcome) {
    (void)welcome;
    of(self)->up = true;
    of(self)->at = now.mono_ns;
}

static void down(sim_client_t *self, fob_now_t now, fob_status_t why, const char *text) {
    (void)now, (void)why, (void)text;
    operator_t *own = of(self);
    own->up = false;
    own->answered = own->req; /* whether it was done is not known: it asks again */
    own->calm = 0;
}

static void input(sim_client_t *self, fob_now_t now, const fob_wire_t *msg, fob_blob_t *body) {
    (void)now, (void)body;
    operator_t *own = of(self);
    if (msg->verb != FOB_VERB_REPLY)
        return;
    if (msg->req == own->req)
        own->answered = own->req;
    fob_status_t code = fob_wire_status(msg->code);
    if (code != FOB_OK && code != FOB_NO_GROUP && code != FOB_LIMIT && code != FOB_GROUP_IN_USE)
        sim_world_note(self->world, "operator: %d %.*s", (int)code, (int)msg->text.size,
                       msg->text.data);
}

/* --- questions --- */

static void ask(operator_t *own, fob_wire_t *msg) {
    FOB_SET(msg, req, ++own->req);
    fob_buf_clear(&own->next);
    own->waits = fob_wire_write(&own->next, msg) == FOB_OK;
}

static void set(operator_t *own, const char *group, const char *name, uint64_t value) {
    fob_wire_t msg = {.verb = FOB_VERB_GROUP_SET};
    fob_buf_clear(&own->settings);
    fob_pack_map(&own->settings, 1);
    fob_pack_cstr(&own->settings, name);
    if (strcmp(name, "overflow") == 0)
        fob_pack_cstr(&own->settings, fob_overflow_name(value));
    else
        fob_pack_uint(&own->settings, value);
    FOB_SET(&msg, group, fob_slice_str(group));
    FOB_SET(&msg, settings, fob_buf_slice(&own->settings));
    ask(own, &msg);
}

static void any_setting(sim_client_t *self, const char *group) {
    sim_random_t *random = &self->random;
    switch (sim_random_below(random, 8)) {
    case 0:
        set(of(self), group, "paused", 1);
        break;
    case 1:
    case 2:
        set(of(self), group, "paused", 0);
        break;
    case 3:
        set(of(self), group, "max_depth", 1 + sim_random_skewed(random, 100000));
        break;
    case 4:
        set(of(self), group, "overflow", sim_random_below(random, 4));
        break;
    case 5:
        set(of(self), group, "lease",
            sim_random_once(random, 2) ? 0 : 50 + sim_random_skewed(random, 5000));
        break;
    case 6:
        set(of(self), group, "max_attempts", 1 + sim_random_below(random, 6));
        break;
    default:
        set(of(self), group, "max_age",
            sim_random_once(random, 2) ? 0 : 1 + sim_random_skewed(random, 100000));
    }
}

static void of_group(sim_client_t *self, fob_verb_t verb, const char *group) {
    fob_wire_t msg = {.verb = verb};
    FOB_SET(&msg, group, fob_slice_str(group));
    if (verb == FOB_VERB_GROUP_RESET && sim_random_below(&self->random, 4))
        FOB_SET(&msg, offset,
                1 + sim_random_below(&self->random, self->world->witness.ground.head + 1));
    if (verb == FOB_VERB_GROUP_ADD) {
        FOB_SET(&msg, pattern, fob_slice_str(sim_random_once(&self->random, 2) ? ">" : "orders.*"));
        FOB_SET(&msg, offset,
                1 + sim_random_below(&self->random, self->world->witness.ground.head + 1));
    }
    if (verb == FOB_VERB_DEAD_REDRIVE || verb == FOB_VERB_DEAD_PURGE || verb == FOB_VERB_DEAD_LIST)
        FOB_SET(&msg, limit, 1 + sim_random_skewed(&self->random, 1000));
    ask(of(self), &msg);
}

static const char *late_group(sim_client_t *self) {
    static char name[16];
    snprintf(name, sizeof name, "late%u", (unsigned)sim_random_below(&self->random, LATE_GROUPS));
    return name;
}

static void any_question(sim_client_t *self) {
    const char *group = groups[sim_random_below(&self->random, SIM_GROUPS)];
    switch (sim_random_below(&self->random, 16)) {
    case 0:
        of_group(self, FOB_VERB_GROUP_PURGE, group);
        break;
    case 1:
        of_group(self, FOB_VERB_GROUP_RESET, group);
        break;
    case 2:
    case 3:
        of_group(self, FOB_VERB_DEAD_REDRIVE, group);
        break;
    case 4:
        of_group(self, FOB_VERB_DEAD_PURGE, group);
        break;
    case 5:
        of_group(self, FOB_VERB_DEAD_LIST, group);
        break;
    case 6:
        of_group(self, FOB_VERB_GROUP_ADD, late_group(self));
        break;
    case 7:
        of_group(self, FOB_VERB_GROUP_REMOVE, late_group(self));
        break;
    default:
        any_setting(self, group);
    }
}

/* What keeps a group from draining is undone, one thing after the other. */
static void undo(sim_client_t *self) {
    operator_t *own = of(self);
    char name[16];
    unsigned step = own->calm++;
    if (step < SIM_GROUPS) {
        set(own, groups[step], "paused", 0);
    } else if (step < 2 * SIM_GROUPS) {
        set(own, groups[step - SIM_GROUPS], "lease", 0);
    } else if (step < 2 * SIM_GROUPS + LATE_GROUPS) {
        snprintf(name, sizeof name, "late%u", step - 2 * SIM_GROUPS);
        of_group(self, FOB_VERB_GROUP_REMOVE, name);
    }
}

static bool output(sim_client_t *self, fob_now_t now, fob_slice_t *header, fob_blob_t **body) {
    operator_t *own = of(self);
    (void)now;
    *body = NULL;
    if (!own->waits)
        return false;
    own->waits = false;
    fob_buf_clear(&own->header);
    fob_buf_put(&own->header, own->next.data, own->next.size);
    *header = fob_buf_slice(&own->header);
    return true;
}

static void tick(sim_client_t *self, fob_now_t now) {
    operator_t *own = of(self);
    if (!own->up || own->answered != own->req || now.mono_ns < own->at)
        return;
    own->at = now.mono_ns + FOB_MS + (int64_t)sim_random_skewed(&self->random, 4 * FOB_SEC);
    if (self->world->calm)
        undo(self);
    else
        any_question(self);
}

static int64_t deadline(sim_client_t *self) {
    operator_t *own = of(self);
    return own->up && own->answered == own->req ? own->at : FOB_NEVER;
}

static void end(sim_client_t *self) {
    operator_t *own = of(self);
    fob_buf_free(&own->header);
    fob_buf_free(&own->settings);
    fob_buf_free(&own->next);
    free(own);
}

bool sim_operator_done(const sim_client_t *self) {
    const operator_t *own = self->own;
    return own && own->calm > 2 * SIM_GROUPS + LATE_GROUPS && own->answered == own->req;
}

const sim_role_t sim_operator_role = {"admin", up,       down, input, output,
                                      tick,    deadline, NULL, NULL,  end};
