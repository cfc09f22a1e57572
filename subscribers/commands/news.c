#include "subscribers/commands/news.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define FAR        10000 /* offsets behind, that is told at once */
#define BEHIND_MS  1000  /* behind for so long is told, too */
#define LOOK_EVERY 10    /* ms */
#define HOLD_MS    100   /* for a gap that goes on where the last one ended; */
#define HOLD_MOST  1000  /* and for as many of them as there may be */

static long long clock_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- the bus --- */

static void look_for_trouble(fob_news_t *self) {
    char text[sizeof self->degraded] = "";
    fob_subscriber_trouble(self->subscriber, text, sizeof text);
    fob_watch_look(&self->watch, self->cli, text);
    fob_subscriber_degraded(self->subscriber, text, sizeof text);
    if (text[0] && strcmp(text, self->degraded) != 0)
        fob_warn(self->cli, "%s", text);
    memcpy(self->degraded, text, sizeof text);
}

/* --- gaps --- */

/* "event 5", "events 5 to 90". */
static const char *range(char *text, size_t size, uint64_t first, uint64_t last) {
    if (first == last)
        snprintf(text, size, "event %" PRIu64, first);
    else
        snprintf(text, size, "events %" PRIu64 " to %" PRIu64, first, last);
    return text;
}

static void tell_epoch(const fob_cli_t *cli, const fob_gap_t *gap) {
    char events[64];
    if (gap->last < gap->first)
        fob_warn(cli,
                 "the bus may have lost what it stored last, nothing of which was shown here: it "
                 "numbers anew from %" PRIu64 " on (epoch %" PRIu64 ")",
                 gap->first, gap->epoch);
    else
        fob_warn(cli,
                 "the bus has lost %s, which %s shown here: it numbers anew from %" PRIu64
                 " on (epoch %" PRIu64 ")",
                 range(events, sizeof events, gap->first, gap->last),
                 gap->first == gap->last ? "was" : "may have been", gap->first, gap->epoch);
}

static void tell_gap(const fob_cli_t *cli, const fob_gap_t *gap) {
    char events[64];
    bool one = gap->first == gap->last;
    const char *of = gap->topic[0] ? " of " : "";
    range(events, sizeof events, gap->first, gap->last);
    if (gap->reason == FOB_GAP_EPOCH)
        tell_epoch(cli, gap);
    else if (gap->reason == FOB_GAP_RETENTION)
        fob_warn(cli, "%s%s%s %s no longer kept", events, of, gap->topic, one ? "is" : "are");
    else if (gap->reason == FOB_GAP_DAMAGED)
        fob_warn(cli, "%s%s%s cannot be read: the bus's journal is damaged there", events, of,
                 gap->topic);
    else
        fob_warn(cli, "%s%s%s %s lost on the way; --from %" PRIu64 "@%" PRIu64 " shows %s", events,
                 of, gap->topic, one ? "was" : "were", gap->first, gap->epoch, one ? "it" : "them");
}

static void tell_held(fob_news_t *self) {
    if (self->held.reason)
        tell_gap(self->cli, &self->held);
    self->held.reason = 0;
}

/* Whether one gap is more of the other. */
static bool goes_on(const fob_gap_t *held, const fob_gap_t *gap) {
    return held->reason && held->reason == gap->reason && held->last + 1 == gap->first &&
           held->epoch == gap->epoch && held->shard == gap->shard &&
           strcmp(held->topic, gap->topic) == 0;
}

void fob_news_gap(fob_news_t *self) {
    fob_gap_t gap;
    long long now = clock_ms();
    if (!fob_subscriber_gap(self->subscriber, &gap))
        return;
    if (gap.reason == FOB_GAP_EPOCH)
        look_for_trouble(self); /* the bus came back before it could say so */
    if (goes_on(&self->held, &gap)) {
        self->held.last = gap.last;
    } else {
        tell_held(self);
        self->held = gap;
        self->held_at = now;
    }
    self->due_at = now + HOLD_MS;
    if (self->due_at > self->held_at + HOLD_MOST)
        self->due_at = self->held_at + HOLD_MOST;
    if (gap.reason == FOB_GAP_EPOCH)
        tell_held(self);
}

void fob_news_events(fob_news_t *self) {
    if (self->mode != FOB_SUBSCRIBER_NOTIFY) /* there they tell nothing of what is missing */
        tell_held(self);
}

int fob_news_wait(const fob_news_t *self) {
    if (!self->held.reason)
        return FOB_WATCH_MS;
    long long left = self->due_at - clock_ms();
    return left > 0 ? (int)left : 0;
}

/* --- losses --- */

static void tell_lost(const fob_news_t *self, uint64_t lost) {
    uint64_t more = lost - self->lost;
    bool live = self->mode == FOB_SUBSCRIBER_LIVE, all = live || self->degraded[0];
    fob_warn(self->cli, "%" PRIu64 "%s event%s lost (%" PRIu64 " in all)%s", more,
             all ? "" : " fire-and-forget", more == 1 ? " was" : "s were", lost,
             all ? ": they came faster than they were read" : "");
}

static void tell_malformed(const fob_news_t *self, uint64_t malformed) {
    uint64_t more = malformed - self->malformed;
    fob_warn(self->cli,
             "%" PRIu64 " message%s malformed (%" PRIu64
             " in all): a fire-and-forget publisher breaks the protocol",
             more, more == 1 ? " was" : "s were", malformed);
}

/* Losses are told when they are known, and never silently summed up. */
static void look_for_losses(fob_news_t *self) {
    uint64_t pauses = self->pauses;
    uint64_t lost = fob_subscriber_lost(self->subscriber, &pauses);
    uint64_t malformed = fob_subscriber_malformed(self->subscriber);
    if (lost > self->lost)
        tell_lost(self, lost);
    if (pauses > self->pauses)
        fob_warn(self->cli, "the connection to the bus was away: events may have passed unseen");
    if (malformed > self->malformed)
        tell_malformed(self, malformed);
    self->lost = lost;
    self->pauses = pauses;
    self->malformed = malformed;
}

void fob_news_end(fob_news_t *self) {
    fob_subscriber_loss_t loss;
    size_t at = 0;
    if (!self->subscriber)
        return;
    tell_held(self);
    look_for_losses(self);
    while (self->cli->verbose && fob_subscriber_loss(self->subscriber, &at, &loss))
        fob_note(self->cli, "%" PRIu64 " of %s from publisher %016" PRIx64 " %s lost", loss.lost,
                 loss.topic, loss.source, loss.lost == 1 ? "was" : "were");
}

/* --- where it is --- */

static void look_for_place(fob_news_t *self, long long now) {
    uint64_t position, head;
    if (!fob_subscriber_behind(self->subscriber, &position, &head)) {
        if (self->told_behind)
            fob_note(self->cli, "live: what is published from now on comes at once");
        self->told_behind = false;
        self->caught_up = true;
        self->behind_since = 0;
        return;
    }
    if (!self->behind_since)
        self->behind_since = now;
    bool is_far = head > position && head - position >= FAR;
    bool told =
        self->cli->verbose ? is_far || now - self->behind_since >= BEHIND_MS : self->far && is_far;
    if (self->told_behind || !told)
        return;
    self->told_behind = true;
    if (self->mode == FOB_SUBSCRIBER_NOTIFY && self->caught_up)
        fob_note(self->cli,
                 "behind, at offset %" PRIu64 " of %" PRIu64
                 ": what did not come is looked up, to tell which it is",
                 position, head);
    else
        fob_note(self->cli,
                 "behind, at offset %" PRIu64 " of %" PRIu64
                 ": nothing is lost that the journal still keeps",
                 position, head);
}

/* The bus is there, and its broadcast does not come. */
static void look_for_broadcast(fob_news_t *self) {
    static const char *const costs[] = {
        [FOB_SUBSCRIBER_RELIABLE] = "what is stored is read from its journal, a little later",
        [FOB_SUBSCRIBER_NOTIFY] = "what is stored is told to be missing",
        [FOB_SUBSCRIBER_LIVE] = "what passes is lost",
    };
    char text[600] = "";
    fob_subscriber_blocked(self->subscriber, text, sizeof text);
    if (text[0] && !self->blocked)
        fob_warn(self->cli, "%s (meanwhile %s)", text, costs[self->mode]);
    if (!text[0] && self->blocked && !self->watch.away)
        fob_note(self->cli, "the broadcast is back");
    self->blocked = text[0] != 0;
}

void fob_news_begin(fob_news_t *self, fob_subscriber_t *subscriber, bool history) {
    self->subscriber = subscriber;
    self->told_behind = history && self->cli->verbose;
}

void fob_news_place(const fob_news_t *self, uint64_t from) {
    char trouble[sizeof self->degraded] = "";
    uint64_t head = 0;
    fob_subscriber_behind(self->subscriber, NULL, &head);
    fob_subscriber_degraded(self->subscriber, trouble, sizeof trouble);
    if (trouble[0] || from <= head || from - head <= 1)
        return;
    fob_warn(self->cli,
             "the bus has come to offset %" PRIu64
             " only: nothing is shown before it comes to %" PRIu64
             "; if these offsets are of another journal, begin with --from earliest",
             head, from);
}

void fob_news_look(fob_news_t *self) {
    long long now = clock_ms();
    if (self->held.reason && now >= self->due_at)
        tell_held(self);
    look_for_trouble(self); /* first, as it says what a loss means */
    look_for_broadcast(self);
    look_for_losses(self);
    if (now < self->look_at)
        return;
    self->look_at = now + LOOK_EVERY;
    look_for_place(self, now);
}
