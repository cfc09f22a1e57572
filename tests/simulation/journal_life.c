#include "journal_life.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_TURNS UINT64_C(3000000)
#define PATIENCE   INT64_C(600000000) /* us: far above what any fault may hold up */
#define MOST_ASKED 64
#define SEGMENT    (64u * 1024u)

typedef struct held {
    struct held *next;
    uint64_t position;
    void *memory;
} held_t;

typedef struct {
    const life_plan_t *plan;
    sim_disk_t *disk, *after; /* after: as it was when the life was cut short */
    model_t *model;
    life_t *out;
    fibers_t *fibers;
    sim_random_t random;
    fob_journal_t *journal;
    bool ended;                /* the owner has closed it */
    bool cut;                  /* by a crash or kill: what follows is not part of the world */
    held_t *held, **held_tail; /* bytes that are not durable yet */
    struct {
        uint64_t offset;
        bool durable, open;
    } asked[MOST_ASKED];
    unsigned asked_count;
    uint64_t floor_told; /* durable, as last seen */
    uint64_t failed_at;  /* appended when health was first seen to fail; 0: it has not */
    uint64_t checkpoint; /* position of the one under way; 0: none */
    uint64_t slices_to_go;
    uint64_t calls_to_go; /* to the disk, until it is cut; 0: not by that */
} owner_t;

static uint64_t pick(owner_t *self, uint64_t below) {
    return sim_random_below(&self->random, below);
}

/* --- what holds at all times --- */

static void let_go(owner_t *self, uint64_t durable) {
    while (self->held != NULL && self->held->position <= durable) {
        held_t *held = self->held;
        self->held = held->next;
        free(held->memory);
        free(held);
    }
    if (self->held == NULL)
        self->held_tail = &self->held;
}

static void look(owner_t *self) {
    const fob_journal_ops_t *ops = self->journal->ops;
    model_t *model = self->model;
    uint64_t durable = ops->durable(self->journal);
    if (durable < self->floor_told || durable > model->count)
        model_fail(model, "durable is %" PRIu64 " after %" PRIu64, durable, self->floor_told);
    self->floor_told = durable;
    let_go(self, durable);
    fob_journal_error_t error = {0};
    bool failed = ops->health(self->journal, &error) != FOB_JOURNAL_OK;
    sim_disk_tally_t tally = sim_disk_tally(self->disk);
    if (failed && tally.errors == 0 && tally.full == 0 && !self->cut)
        model_fail(model, "it failed with no fault: %s", error.text);
    if (failed && self->failed_at == 0)
        self->failed_at = model->count + 1;
    if (!failed && self->failed_at != 0)
        model_fail(model, "it works again after it failed");
    /* What was under way may still have got through; nothing that was appended later may. */
    if (failed && durable >= self->failed_at)
        model_fail(model, "position %" PRIu64 " was appended after it failed, and is durable",
                   durable);
    self->out->failed = self->out->failed || failed;
    if (!self->cut && durable > model->told)
        model->told = durable;
    if (!self->cut && self->plan->sync == FOB_SYNC_ALWAYS && durable > model->floor)
        model->floor = durable;
    fob_journal_stats_t stats;
    ops->stats(self->journal, &stats);
    if (!self->cut && stats.checkpoint_position > model->checkpoint)
        model->checkpoint = stats.checkpoint_position;
}

/* --- pages --- */

static void note_damage(owner_t *self, const fob_page_t *page, uint64_t offset) {
    life_t *out = self->out;
    if (!self->plan->flipped) {
        model_fail(self->model, "damage that nobody did: %s", page->text);
        return;
    }
    if (out->damaged++ == 0) {
        snprintf(out->damage, sizeof out->damage, "%s", page->text);
        out->damaged_low = offset;
        out->damaged_high = page->resume;
    }
    if (page->resume <= offset && page->resume != 0)
        model_fail(self->model, "damage at %" PRIu64 " is to be resumed at %" PRIu64, offset,
                   page->resume);
    if (offset < out->damaged_low)
        out->damaged_low = offset;
    if (page->resume > out->damaged_high)
        out->damaged_high = page->resume;
}

static void check_absent(owner_t *self, const fob_page_t *page, uint64_t offset, bool durable) {
    model_t *model = self->model;
    uint64_t position = model_find(model, offset), low, high;
    if (position == 0 || !durable)
        return;
    if (offset >= model->trimmed && model_holds(model, offset))
        model_fail(model, "offset %" PRIu64 " is absent, and only %" PRIu64 " were let go", offset,
                   model->trimmed);
    if (page->resume == 0)
        return;
    for (; position != 0 && position <= self->floor_told; position++) {
        model_range(model, position, &low, &high);
        if (low == 0 || high <= model->trimmed)
            continue;
        if (low < page->resume && high <= page->resume)
            model_fail(model, "reading is to resume at %" PRIu64 ", behind %" PRIu64, page->resume,
                       low);
        break;
    }
}

static void check_page(owner_t *self, const fob_page_t *page) {
    uint64_t offset = self->asked[page->tag % MOST_ASKED].offset;
    bool durable = self->asked[page->tag % MOST_ASKED].durable;
    if (page->tag >= MOST_ASKED || !self->asked[page->tag].open) {
        model_fail(self->model, "a page that nobody asked for");
        return;
    }
    self->asked[page->tag].open = false;
    self->asked_count--;
    self->out->pages++;
    if (page->code == FOB_JOURNAL_OK)
        model_check_page(self->model, page, offset, self->journal->ops->durable(self->journal));
    else if (page->code == FOB_JOURNAL_ABSENT)
        check_absent(self, page, offset, durable);
    else if (page->code == FOB_JOURNAL_DAMAGED)
        note_damage(self, page, offset);
    else if (sim_disk_tally(self->disk).errors == 0)
        model_fail(self->model, "a page for %" PRIu64 " could not be read: %s", offset, page->text);
}

static void take_pages(owner_t *self) {
    fob_page_t page;
    while (self->journal->ops->page(self->journal, &page) == FOB_JOURNAL_OK) {
        check_page(self, &page);
        free(page.memory);
    }
}

static void ask(owner_t *self, uint64_t offset, size_t bytes) {
    unsigned tag = 0;
    while (tag < MOST_ASKED && self->asked[tag].open)
        tag++;
    if (tag == MOST_ASKED)
        return;
    uint64_t position = model_find(self->model, offset);
    self->asked[tag].offset = offset;
    self->asked[tag].durable = position != 0 && position <= self->floor_told;
    self->asked[tag].open = true;
    self->asked_count++;
    if (self->journal->ops->read(self->journal, offset, bytes, tag) != FOB_JOURNAL_OK) {
        self->asked[tag].open = false;
        self->asked_count--;
    }
}

/* --- waiting --- */

/* Waits for news. False: there was none in all that time. */
static bool wait_news(owner_t *self) {
    const fob_journal_ops_t *ops = self->journal->ops;
    bool news = fibers_wait_bell(self->fibers, ops->fd(self->journal), PATIENCE);
    ops->clear(self->journal);
    look(self);
    take_pages(self);
    return news;
}

static void wait_durable(owner_t *self, uint64_t position) {
    look(self);
    while (self->floor_told < position && self->failed_at == 0 && !model_failed(self->model))
        if (!wait_news(self))
            model_fail(self->model, "position %" PRIu64 " is neither durable nor refused",
                       position);
}

static void wait_pages(owner_t *self) {
    take_pages(self);
    while (self->asked_count > 0 && !model_failed(self->model))
        if (!wait_news(self))
            model_fail(self->model, "a page never came");
}

/* --- what the owner does --- */

static void append(owner_t *self) {
    fob_entry_t entries[MODEL_ENTRIES];
    const fob_journal_ops_t *ops = self->journal->ops;
    size_t most = (size_t)sim_random_skewed(&self->random, self->plan->most);
    if (self->plan->even > 0)
        most = self->plan->even;
    else if (sim_random_once(&self->random, 64))
        most = SEGMENT + (size_t)pick(self, SEGMENT); /* larger than a segment */
    if (!ops->reserve(self->journal, most)) {
        self->out->refused = true;
        return;
    }
    held_t *held = calloc(1, sizeof *held);
    size_t count = model_append(self->model, &self->random, most, self->plan->even > 0, entries,
                                &held->memory);
    held->position = self->model->count;
    *self->held_tail = held;
    self->held_tail = &held->next;
    bool sync = !sim_random_once(&self->random, 3);
    uint64_t position = ops->append(self->journal, entries, count, sync);
    if (position != self->model->count)
        model_fail(self->model, "position %" PRIu64 " was given for %" PRIu64, position,
                   self->model->count);
    self->out->appended++;
}

static void read_somewhere(owner_t *self) {
    uint64_t end = model_next_offset(self->model) + 2;
    uint64_t offset = sim_random_once(&self->random, 8) || self->model->trimmed >= end
                          ? pick(self, end) + 1
                          : sim_random_between(&self->random, self->model->trimmed + 1, end);
    ask(self, offset, (size_t)sim_random_skewed(&self->random, 200000));
}

static void trim(owner_t *self) {
    uint64_t end = 1, low;
    if (self->floor_told > 0)
        model_range(self->model, self->floor_told, &low, &end);
    uint64_t offset = pick(self, end + 1);
    if (offset > self->model->trimmed)
        self->model->trimmed = offset;
    const fob_runtime_t *runtime = fibers_runtime(self->fibers);
    self->journal->ops->trim(self->journal, offset, fob_wall_ms(runtime));
    self->out->trims++;
}

static void checkpoint(owner_t *self) {
    const fob_journal_ops_t *ops = self->journal->ops;
    model_t *model = self->model;
    if (self->checkpoint == 0) {
        if (model->count == 0 || (!ops->checkpoint_due(self->journal) && pick(self, 3) != 0))
            return;
        self->checkpoint = model->count - pick(self, model->count < 4 ? model->count : 4);
        self->slices_to_go = pick(self, 5) + 1;
        model_checkpoint_begin(model, self->checkpoint);
        if (ops->checkpoint_begin(self->journal, self->checkpoint) != FOB_JOURNAL_OK)
            self->checkpoint = 0;
    } else if (self->slices_to_go-- > 0) {
        size_t size;
        void *slice = model_slice(model, &size);
        if (ops->checkpoint_slice(self->journal, slice, size) != FOB_JOURNAL_OK)
            self->checkpoint = 0;
        free(slice);
    } else {
        model->checkpoints[model->checkpoint_count - 1].finished = true;
        if (ops->checkpoint_finish(self->journal) == FOB_JOURNAL_OK)
            self->out->checkpoints++;
        self->checkpoint = 0;
    }
}

static void step(owner_t *self) {
    switch (pick(self, 16)) {
    case 0:
    case 1:
        read_somewhere(self);
        break;
    case 2:
        trim(self);
        break;
    case 3:
    case 4:
        checkpoint(self);
        break;
    case 5:
        fibers_sleep(self->fibers, (int64_t)sim_random_skewed(&self->random, 20000));
        break;
    case 6:
        wait_durable(self, self->model->count > 0 ? self->model->count : 0);
        break;
    case 7:
        if (self->plan->clocks && pick(self, 4) == 0)
            fibers_jump(self->fibers, (int64_t)pick(self, 400000000) - 200000000);
        break;
    default:
        append(self);
    }
    look(self);
    take_pages(self);
}

/* Every event that was not let go, one page after the other. */
static void read_all(owner_t *self) {
    uint64_t offset = self->model->trimmed > 0 ? self->model->trimmed : 1;
    wait_durable(self, self->model->count);
    uint64_t end = model_next_offset(self->model);
    while (offset < end && !self->cut && !model_failed(self->model) && self->failed_at == 0) {
        uint64_t before = self->out->damaged;
        ask(self, offset, 64 * 1024);
        wait_pages(self);
        uint64_t low, high, position = model_find(self->model, offset);
        if (position == 0)
            break;
        model_range(self->model, position, &low, &high);
        offset = self->out->damaged > before && self->out->damaged_high > offset
                     ? self->out->damaged_high
                     : high;
    }
}

/* --- from the start to the end --- */

static void keep_log(void *arg, const char *text) {
    owner_t *self = arg;
    size_t length = strlen(self->out->log);
    snprintf(self->out->log + length, sizeof self->out->log - length, "%s\n", text);
}

static void check_refusal(owner_t *self) {
    const fob_journal_error_t *error = &self->out->open;
    sim_disk_tally_t tally = sim_disk_tally(self->disk);
    bool faults = tally.errors > 0 || tally.full > 0;
    bool allowed = (error->code == FOB_JOURNAL_SYSTEM && faults) ||
                   (error->code == FOB_JOURNAL_DAMAGED && self->plan->flipped);
    if (!allowed && !self->cut)
        model_fail(self->model, "it does not start: %s", error->text);
}

static bool start(owner_t *self) {
    fob_file_options_t options = {.folder = LIFE_FOLDER,
                                  .sync = self->plan->sync,
                                  .segment_bytes = SEGMENT,
                                  .max_bytes = self->plan->max_bytes,
                                  .retain_bytes = 1,
                                  .disk = sim_disk_table(self->disk),
                                  .runtime = fibers_runtime(self->fibers),
                                  .log = keep_log,
                                  .log_arg = self};
    self->journal = fob_journal_file_open(&options, &self->out->open);
    if (self->journal == NULL) {
        check_refusal(self);
        return false;
    }
    self->out->opened = true;
    return true;
}

static bool replay(owner_t *self) {
    const fob_journal_ops_t *ops = self->journal->ops;
    fob_journal_stats_t stats;
    model_replay_t replay;
    ops->stats(self->journal, &stats);
    fob_replay_t to = model_replay_begin(&replay, self->model);
    fob_journal_code_t code = ops->replay(self->journal, &to, &self->out->open);
    if (model_failed(self->model) || self->cut)
        return false;
    if (code != FOB_JOURNAL_OK) {
        if (code != FOB_JOURNAL_SYSTEM || sim_disk_tally(self->disk).errors == 0)
            model_fail(self->model, "it does not replay: %s", self->out->open.text);
        return false;
    }
    self->floor_told = stats.last_position;
    model_replay_end(&replay, stats.last_position, ops->epoch(self->journal));
    return !model_failed(self->model);
}

static void live(owner_t *self) {
    for (unsigned i = 0; i < self->plan->steps && !self->cut && !model_failed(self->model); i++)
        step(self);
    if (self->plan->careful && !self->cut)
        read_all(self);
    /* Those that are not waited for are given back by the close. */
    if (!self->cut && pick(self, 2) == 0)
        wait_pages(self);
    if (!self->cut && pick(self, 2) == 0)
        wait_durable(self, self->model->count);
    look(self);
}

static void *own(void *arg) {
    owner_t *self = arg;
    if (start(self)) {
        if (replay(self))
            live(self);
        bool whole = !self->out->failed && !self->cut;
        self->journal->ops->close(&self->journal);
        /* A close makes all durable, at each level; where it could not, faults say why. */
        sim_disk_tally_t tally = sim_disk_tally(self->disk);
        if (whole && !self->cut && tally.errors == 0 && tally.full == 0)
            self->model->floor = self->model->told = self->model->count;
    }
    if (!self->cut && sim_disk_tally(self->disk).sync_errors > 0)
        self->model->shaken = true;
    self->ended = true;
    let_go(self, UINT64_MAX);
    return NULL;
}

/* Cuts the life short; what is left of it ends in peace. */
static void cut_now(owner_t *self) {
    const life_plan_t *plan = self->plan;
    if (self->ended || self->cut || plan->end == LIFE_CLOSES)
        return;
    bool power = plan->end == LIFE_LOSES_POWER;
    uint64_t seed = plan->seed + 1;
    self->after = power ? sim_disk_crash(self->disk, seed) : sim_disk_kill(self->disk, seed);
    self->cut = self->out->cut = true;
    model_t *model = self->model;
    if (self->journal != NULL) {
        uint64_t durable = self->journal->ops->durable(self->journal);
        if (durable > model->told)
            model->told = durable;
        if (plan->sync == FOB_SYNC_ALWAYS && durable > model->floor)
            model->floor = durable;
    }
    model->shaken = model->shaken || power || sim_disk_tally(self->disk).sync_errors > 0;
    sim_disk_faults(self->disk, (sim_faults_t){0});
    sim_disk_resize(self->disk, UINT64_C(1) << 40);
}

/* At a time, after so many turns, or within a call to the disk (as disk_call does). */
static void *cut(void *arg) {
    owner_t *self = arg;
    sim_random_t random = sim_random_new(self->plan->seed + 2);
    switch (sim_random_below(&random, 4)) {
    case 0:
        fibers_sleep(self->fibers, (int64_t)sim_random_below(&random, 60000));
        break;
    case 1:
        for (uint64_t i = sim_random_below(&random, 1500); i > 0 && !self->ended; i--)
            fibers_yield(self->fibers);
        break;
    default:
        self->calls_to_go = 1 + sim_random_below(&random, 600);
        return NULL;
    }
    cut_now(self);
    return NULL;
}

/* The middle of a call to the disk. */
static void disk_call(void *arg, int64_t us) {
    owner_t *self = arg;
    if (self->calls_to_go > 0 && --self->calls_to_go == 0)
        cut_now(self);
    fibers_sleep(self->fibers, us);
}

/* The first fiber: the owner, and who cuts its life short. */
static void *first(void *arg) {
    owner_t *self = arg;
    const fob_runtime_t *runtime = fibers_runtime(self->fibers);
    fob_task_t owner, cutter;
    runtime->start(runtime->arg, &owner, own, self);
    if (self->plan->end != LIFE_CLOSES) {
        runtime->start(runtime->arg, &cutter, cut, self);
        runtime->join(runtime->arg, &cutter);
    }
    runtime->join(runtime->arg, &owner);
    return NULL;
}

static void check_end(owner_t *self, fibers_end_t end) {
    if (end != FIBERS_ENDED) {
        fibers_print(self->fibers);
        model_fail(self->model, "it %s",
                   end == FIBERS_STUCK ? "waits for what nobody does" : "does not come to an end");
    } else if (sim_disk_open_files(self->disk) > 0) {
        model_fail(self->model, "%zu files are left open", sim_disk_open_files(self->disk));
    }
}

void journal_life(const life_plan_t *plan, sim_disk_t **disk, model_t *model, life_t *out) {
    *out = (life_t){0};
    owner_t self = {.plan = plan, .disk = *disk, .model = model, .out = out};
    self.held_tail = &self.held;
    self.random = sim_random_new(plan->seed);
    self.fibers = fibers_new(sim_random_next(&self.random));
    sim_disk_pause(self.disk, disk_call, &self);
    sim_disk_faults(self.disk, plan->faults);
    sim_disk_tally_reset(self.disk);
    check_end(&self, fibers_run(self.fibers, first, &self, MOST_TURNS));
    out->turns = fibers_turns(self.fibers);
    out->us = fibers_now(self.fibers);
    fibers_destroy(&self.fibers);
    sim_disk_pause(self.disk, NULL, NULL);
    sim_disk_faults(self.disk, (sim_faults_t){0});
    if (self.after != NULL) {
        sim_disk_destroy(disk);
        *disk = self.after;
    }
}
