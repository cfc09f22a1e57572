/* The reader of the sequencer's world: holds what is handed out against the journal, as the epoch
 * had it that the reader was told of last. */
#include "sequencer_world.h"

static unsigned topic_of(world_t *w, const char *name) {
    for (unsigned t = 0; t < TOPICS; t++)
        if (strcmp(world_topics[t], name) == 0)
            return t;
    CHECK(w, !"a topic that nobody published to");
    return 0;
}

/* Behind which offset nothing may be missing. */
static uint64_t due_behind(const world_t *w) {
    bool lasts = w->options.from == FOB_SEQUENCER_LAST && w->first_up_head > w->start;
    return lasts ? w->first_up_head : w->start;
}

/* Each event of the topic between was told to be gone, or is not due. */
static void no_hole(world_t *w, unsigned topic, uint64_t after, uint64_t before) {
    if (after < due_behind(w))
        after = due_behind(w);
    for (uint64_t o = after + 1; o < before; o++)
        if (world_entry(w, w->reader_era, o)->topic == topic)
            CHECK(w, w->fate[o] & GONE);
}

/* Of what was stored before a subscriber that begins with the last, each topic's last comes alone,
 * unless there were too many to be held. */
static bool comes_alone(const world_t *w, uint64_t offset) {
    return w->options.from == FOB_SEQUENCER_LAST && offset <= w->first_up_head && !w->renumbered &&
           !w->options.topics && !w->options.bytes;
}

static void take_event(world_t *w, const fob_event_t *event) {
    uint64_t offset = fob_event_offset(event), id;
    if (!offset) {
        w->fires_out++; /* fire-and-forget */
        return;
    }
    unsigned topic = topic_of(w, fob_event_topic(event));
    const entry_t *entry = world_entry(w, w->reader_era, offset);
    if (w->options.mode == FOB_SEQUENCER_LIVE) {
        w->events_out++;
        return;
    }
    CHECK(w, entry != NULL);
    fob_slice_t data = fob_event_envelope(event)->data;
    CHECK(w, data.size == sizeof id);
    memcpy(&id, data.data, sizeof id);
    CHECK(w, entry->topic == topic && entry->id == id);
    CHECK(w, entry->time_ms == fob_event_time(event));
    CHECK(w, world_wants(w, topic));
    CHECK(w, offset > w->last_out[topic]);
    CHECK(w, !comes_alone(w, offset) || w->last_out[topic] == 0);
    CHECK(w, w->fate[offset] == 0);
    if (w->options.mode == FOB_SEQUENCER_RELIABLE)
        no_hole(w, topic, w->last_out[topic], offset);
    w->fate[offset] = HANDED;
    w->last_out[topic] = offset;
    w->events_out++;
}

static void take_lost(world_t *w, const fob_notice_t *notice) {
    CHECK(w, w->options.mode == FOB_SEQUENCER_NOTIFY);
    for (uint64_t o = notice->first; o <= notice->last; o++) {
        const entry_t *entry = world_entry(w, w->reader_era, o);
        CHECK(w, entry != NULL && world_wants(w, entry->topic));
        CHECK(w, !notice->topic[0] || strcmp(notice->topic, world_topics[entry->topic]) == 0);
        CHECK(w, w->fate[o] == 0); /* neither handed out nor told */
        w->fate[o] = LOST;
    }
}

static void take_gone(world_t *w, const fob_notice_t *notice) {
    bool notify = w->options.mode == FOB_SEQUENCER_NOTIFY;
    for (uint64_t o = notice->first; o <= notice->last; o++) {
        const entry_t *entry = world_entry(w, w->reader_era, o);
        CHECK(w, entry != NULL && o > w->start);
        bool damaged = notice->kind == FOB_NOTICE_DAMAGED;
        CHECK(w, damaged ? entry->damaged : o < w->oldest || w->reader_era < w->era);
        if (notice->topic[0] && strcmp(notice->topic, world_topics[entry->topic]) != 0)
            continue;
        CHECK(w, notify || !(w->fate[o] & GONE)); /* told once, or by topics first */
        w->fate[o] |= GONE;
    }
}

static void take_epoch(world_t *w, const fob_notice_t *notice) {
    size_t era = w->reader_era;
    uint64_t began = UINT64_MAX, highest = 0;
    while (w->eras[era].epoch != notice->epoch) {
        CHECK(w, era < w->era);
        era++;
        if (w->eras[era].began < began)
            began = w->eras[era].began;
    }
    CHECK(w, era > w->reader_era && notice->first == began + 1);
    for (uint64_t o = began + 1; o < EVENTS; o++) {
        highest = w->fate[o] & HANDED ? o : highest;
        w->fate[o] = 0;
    }
    CHECK(w, highest <= notice->last);
    for (unsigned t = 0; t < TOPICS; t++)
        if (w->last_out[t] > began)
            w->last_out[t] = began;
    if (w->start > began && w->start_era < era)
        w->start = began;
    if (w->first_up_head > began)
        w->first_up_head = began;
    w->reader_era = era;
}

static void take_notice(world_t *w, const fob_notice_t *notice) {
    w->notices_out++;
    switch (notice->kind) {
    case FOB_NOTICE_LOST:
        CHECK(w, notice->epoch == w->eras[w->reader_era].epoch);
        take_lost(w, notice);
        break;
    case FOB_NOTICE_RETENTION:
    case FOB_NOTICE_DAMAGED:
        CHECK(w, notice->epoch == w->eras[w->reader_era].epoch);
        take_gone(w, notice);
        break;
    case FOB_NOTICE_EPOCH:
        take_epoch(w, notice);
        break;
    case FOB_NOTICE_NONE:
        CHECK(w, !"a notice of nothing");
    }
}

void reader_step(world_t *w) {
    if (!w->calm && !chance(w, w->pace))
        return;
    for (uint64_t left = 1 + draw(w, 40); left > 0; left--) {
        fob_event_t *event;
        if (fob_batch_empty(&w->batch))
            w->elsewhere += fob_sequencer_move(w->sequencer, &w->batch);
        fob_status_t status = fob_batch_next(&w->batch, NULL, &event);
        CHECK(w, status != FOB_NO_MEMORY || w->poor);
        if (status == FOB_AGAIN || status == FOB_NO_MEMORY)
            return;
        w->elsewhere--;
        CHECK(w, status == FOB_OK || status == FOB_GAP);
        if (status == FOB_OK)
            take_event(w, event);
        else
            take_notice(w, &w->batch.notice);
        fob_event_destroy(&event);
    }
}

/* Each topic's last event was handed out, also where it lies before the subscriber began. */
static void lasts_are_out(world_t *w) {
    uint64_t last[TOPICS] = {0};
    for (uint64_t o = 1; o <= head_of(w); o++)
        last[world_entry(w, w->era, o)->topic] = o;
    for (unsigned t = 0; t < TOPICS; t++)
        if (last[t] && last[t] <= w->first_up_head && world_wants(w, t) && !world_gone(w, last[t]))
            CHECK(w, w->fate[last[t]] & HANDED);
}

void reader_expects(world_t *w, const fob_cast_t *cast) {
    unsigned topic = topic_of(w, (const char *)cast->topic.data);
    bool fire = cast->kind == FOB_CAST_FIRE;
    if (!world_wants(w, topic))
        return;
    if (w->heard_of[fire][topic] == cast->source)
        w->expected += cast->seq - w->heard_next[fire][topic];
    w->expected += cast->count;
    w->heard_of[fire][topic] = cast->source;
    w->heard_next[fire][topic] = cast->seq + cast->count;
}

bool reader_resumes(world_t *w, uint64_t position) {
    uint64_t due = due_behind(w);
    if (position < due || position > head_of(w))
        return false;
    CHECK(w, w->eras[w->reader_era].epoch == fob_sequencer_epoch(w->sequencer));
    w->start = due;
    for (uint64_t o = position + 1; o < EVENTS; o++)
        w->fate[o] = 0; /* what it has beyond comes again */
    for (unsigned t = 0; t < TOPICS; t++)
        if (w->last_out[t] > position)
            w->last_out[t] = position;
    return true;
}

bool reader_rests(world_t *w) {
    fob_sequencer_figures_t figures;
    fob_sequencer_figures(w->sequencer, &figures);
    bool read = fob_sequencer_queued(w->sequencer) == 0 && w->elsewhere == 0;
    if (w->options.mode == FOB_SEQUENCER_LIVE)
        return read && !w->letter_count;
    bool ahead = figures.position > head_of(w) && figures.position + 1 == w->options.value;
    bool there = figures.position == head_of(w) || ahead;
    return read && there && figures.state == FOB_SEQUENCER_CURRENT && w->reader_era == w->era &&
           !figures.holes && !fob_sequencer_trouble(w->sequencer)[0];
}

void reader_rest(world_t *w) {
    fob_sequencer_figures_t figures;
    fob_sequencer_figures(w->sequencer, &figures);
    CHECK(w, reader_rests(w));
    CHECK(w, figures.malformed == 0 && !fob_sequencer_trouble(w->sequencer)[0]);
    if (w->options.from == FOB_SEQUENCER_LAST && !w->renumbered)
        lasts_are_out(w);
    for (uint64_t o = due_behind(w) + 1; o <= head_of(w); o++)
        if (world_wants(w, world_entry(w, w->era, o)->topic))
            CHECK(w, w->fate[o] != 0);
}
