/* What sub and tail tell on standard error, of a subscriber that says what a test lets it say. */
#include "tests/support/case.h"

#include "subscribers/commands/news.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EPOCH 77

static struct {
    fob_gap_t gap;
    const char *trouble, *degraded, *blocked;
    uint64_t lost, pauses, malformed;
    int behind;
} listens;

int fob_subscriber_gap(fob_subscriber_t *self, fob_gap_t *out) {
    (void)self;
    *out = listens.gap;
    return 1;
}

uint64_t fob_subscriber_lost(fob_subscriber_t *self, uint64_t *pauses) {
    (void)self;
    *pauses = listens.pauses;
    return listens.lost;
}

uint64_t fob_subscriber_malformed(fob_subscriber_t *self) {
    (void)self;
    return listens.malformed;
}

int fob_subscriber_loss(fob_subscriber_t *self, size_t *at, fob_subscriber_loss_t *out) {
    (void)self, (void)out;
    (*at)++;
    return 0;
}

int fob_subscriber_behind(fob_subscriber_t *self, uint64_t *position, uint64_t *head) {
    (void)self;
    if (position)
        *position = 5;
    if (head)
        *head = 99999;
    return listens.behind;
}

static void put(const char *said, char *text, size_t size) {
    snprintf(text, size, "%s", said ? said : "");
}

void fob_subscriber_trouble(fob_subscriber_t *self, char *text, size_t size) {
    (void)self;
    put(listens.trouble, text, size);
}

void fob_subscriber_degraded(fob_subscriber_t *self, char *text, size_t size) {
    (void)self;
    put(listens.degraded, text, size);
}

void fob_subscriber_blocked(fob_subscriber_t *self, char *text, size_t size) {
    (void)self;
    put(listens.blocked, text, size);
}

/* --- what is said --- */

/* Standard error, in a file. */
typedef struct {
    fob_cli_t cli;
    fob_news_t news;
    FILE *file;
    int kept;
    long told;
    char text[1000];
} ear_t;

static void ear_open(ear_t *self, fob_subscriber_mode_t mode, bool quiet) {
    memset(&listens, 0, sizeof listens);
    *self = (ear_t){.cli = {.command = "sub", .quiet = quiet}, .file = tmpfile()};
    self->news.cli = &self->cli;
    self->news.mode = mode;
    assert_non_null(self->file);
    fflush(stderr);
    self->kept = dup(STDERR_FILENO);
    dup2(fileno(self->file), STDERR_FILENO);
    fob_news_begin(&self->news, (fob_subscriber_t *)&listens, false);
}

/* What was said since. */
static const char *heard(ear_t *self) {
    fflush(stderr);
    ssize_t size = pread(fileno(self->file), self->text, sizeof self->text - 1, self->told);
    assert_true(size >= 0);
    self->text[size] = 0;
    self->told += size;
    return self->text;
}

static void ear_close(ear_t *self) {
    fflush(stderr);
    dup2(self->kept, STDERR_FILENO);
    close(self->kept);
    fclose(self->file);
}

/* Says it, with standard error as it was. */
#define HEARS(ear, expected)                                                                       \
    do {                                                                                           \
        const char *said = heard(ear);                                                             \
        if (strcmp(said, expected) != 0) {                                                         \
            ear_close(ear);                                                                        \
            fail_msg("said: %s", said);                                                            \
        }                                                                                          \
    } while (0)

static void gap(ear_t *self, fob_gap_reason_t reason, uint64_t first, uint64_t last,
                const char *topic) {
    listens.gap = (fob_gap_t){.reason = reason, .epoch = EPOCH, .first = first, .last = last};
    snprintf(listens.gap.topic, sizeof listens.gap.topic, "%s", topic);
    fob_news_gap(&self->news);
}

static void gaps_one_behind_the_other_are_one_line_soon(void **state) {
    (void)state;
    ear_t ear;
    ear_open(&ear, FOB_SUBSCRIBER_NOTIFY, false);
    int wait = fob_news_wait(&ear.news);
    for (uint64_t page = 0; page < 50; page++) {
        gap(&ear, FOB_GAP_LOST, 1 + page * 100, 100 + page * 100, "");
        fob_news_events(&ear.news); /* live ones */
    }
    int held = fob_news_wait(&ear.news);
    while (ear.news.held.reason) {
        poll(NULL, 0, fob_news_wait(&ear.news));
        fob_news_look(&ear.news);
    }
    HEARS(&ear, "fob sub: events 1 to 5000 were lost on the way; --from 1@77 shows them\n");
    ear_close(&ear);
    assert_int_equal(wait, FOB_WATCH_MS);
    assert_in_range(held, 0, 100);
}

static void gaps_without_end_are_told_all_the_same(void **state) {
    (void)state;
    ear_t ear;
    ear_open(&ear, FOB_SUBSCRIBER_NOTIFY, false);
    uint64_t at = 1;
    while (!*heard(&ear)) {
        gap(&ear, FOB_GAP_LOST, at, at + 9, "");
        at += 10;
        fob_news_look(&ear.news);
    }
    ear_close(&ear);
    assert_true(strstr(ear.text, "fob sub: events 1 to ") == ear.text);
}

static void what_is_no_more_of_the_same_is_a_line_of_its_own(void **state) {
    (void)state;
    ear_t ear;
    ear_open(&ear, FOB_SUBSCRIBER_RELIABLE, false);
    gap(&ear, FOB_GAP_RETENTION, 1, 5, "");
    gap(&ear, FOB_GAP_DAMAGED, 6, 6, "");
    gap(&ear, FOB_GAP_RETENTION, 7, 9, "");
    gap(&ear, FOB_GAP_RETENTION, 11, 11, "");
    gap(&ear, FOB_GAP_RETENTION, 12, 13, "a");
    HEARS(&ear, "fob sub: events 1 to 5 are no longer kept\n"
                "fob sub: event 6 cannot be read: the bus's journal is damaged there\n"
                "fob sub: events 7 to 9 are no longer kept\n"
                "fob sub: event 11 is no longer kept\n");
    fob_news_end(&ear.news);
    HEARS(&ear, "fob sub: events 12 to 13 of a are no longer kept\n");
    ear_close(&ear);
}

static void a_gap_is_told_before_the_events_behind_it(void **state) {
    (void)state;
    ear_t ear;
    ear_open(&ear, FOB_SUBSCRIBER_RELIABLE, false);
    gap(&ear, FOB_GAP_RETENTION, 1, 5, "");
    fob_news_events(&ear.news);
    HEARS(&ear, "fob sub: events 1 to 5 are no longer kept\n");
    ear_close(&ear);
}

static void an_epoch_is_told_at_once_and_behind_the_buss_return(void **state) {
    (void)state;
    ear_t ear;
    ear_open(&ear, FOB_SUBSCRIBER_RELIABLE, false);
    listens.trouble = "no connection";
    fob_news_look(&ear.news);
    listens.trouble = NULL;
    gap(&ear, FOB_GAP_EPOCH, 5, 9, "");
    gap(&ear, FOB_GAP_EPOCH, 5, 5, "");
    gap(&ear, FOB_GAP_EPOCH, 10, 9, "");
    HEARS(&ear, "fob sub: the bus is away, waiting for it: no connection\n"
                "fob sub: the bus is back\n"
                "fob sub: the bus has lost events 5 to 9, which may have been shown here: it "
                "numbers anew from 5 on (epoch 77)\n"
                "fob sub: the bus has lost event 5, which was shown here: it numbers anew from 5 "
                "on (epoch 77)\n"
                "fob sub: the bus may have lost what it stored last, nothing of which was shown "
                "here: it numbers anew from 10 on (epoch 77)\n");
    ear_close(&ear);
}

static void quiet_is_silent_of_all_but_what_is_lost(void **state) {
    (void)state;
    ear_t ear;
    ear_open(&ear, FOB_SUBSCRIBER_RELIABLE, true);
    ear.news.far = true;
    listens.trouble = "no connection";
    listens.behind = 1;
    fob_news_look(&ear.news);
    listens.trouble = NULL;
    HEARS(&ear, "");
    gap(&ear, FOB_GAP_RETENTION, 1, 5, "");
    listens.degraded = "this bus cannot be asked";
    listens.blocked = "its broadcast cannot be reached";
    listens.lost = listens.pauses = listens.malformed = 1;
    fob_news_place(&ear.news, 100001);
    fob_news_end(&ear.news);
    HEARS(&ear, "fob sub: events 1 to 5 are no longer kept\n"
                "fob sub: 1 fire-and-forget event was lost (1 in all)\n"
                "fob sub: the connection to the bus was away: events may have passed unseen\n"
                "fob sub: 1 message was malformed (1 in all): a fire-and-forget publisher breaks "
                "the protocol\n");
    fob_news_look(&ear.news);
    HEARS(&ear, "fob sub: this bus cannot be asked\n"
                "fob sub: its broadcast cannot be reached (meanwhile what is stored is read from "
                "its journal, a little later)\n");
    listens.degraded = listens.blocked = NULL;
    fob_news_look(&ear.news);
    fob_news_place(&ear.news, 100001);
    HEARS(&ear, "fob sub: the bus has come to offset 99999 only: nothing is shown before it comes "
                "to 100001; if these offsets are of another journal, begin with --from earliest\n");
    ear_close(&ear);
}

static void in_notify_what_is_behind_is_looked_up_and_not_shown(void **state) {
    (void)state;
    ear_t ear;
    ear_open(&ear, FOB_SUBSCRIBER_NOTIFY, false);
    ear.news.far = true;
    listens.behind = 1; /* what was stored before */
    fob_news_look(&ear.news);
    HEARS(&ear, "fob sub: behind, at offset 5 of 99999: nothing is lost that the journal still "
                "keeps\n");
    listens.behind = ear.news.look_at = 0;
    fob_news_look(&ear.news);
    listens.behind = 1;
    ear.news.look_at = 0;
    fob_news_look(&ear.news);
    HEARS(&ear, "fob sub: live: what is published from now on comes at once\n"
                "fob sub: behind, at offset 5 of 99999: what did not come is looked up, to tell "
                "which it is\n");
    ear_close(&ear);
}

static void a_broadcast_that_is_blocked_is_told_once_and_when_it_is_back(void **state) {
    (void)state;
    ear_t ear;
    ear_open(&ear, FOB_SUBSCRIBER_LIVE, false);
    listens.blocked = "its broadcast cannot be reached";
    fob_news_look(&ear.news);
    fob_news_look(&ear.news);
    HEARS(&ear, "fob sub: its broadcast cannot be reached (meanwhile what passes is lost)\n");
    listens.blocked = NULL;
    fob_news_look(&ear.news);
    fob_news_look(&ear.news);
    HEARS(&ear, "fob sub: the broadcast is back\n");
    ear_close(&ear);
}

FOB_MAIN(FOB_CASE(gaps_one_behind_the_other_are_one_line_soon),
         FOB_CASE(gaps_without_end_are_told_all_the_same),
         FOB_CASE(what_is_no_more_of_the_same_is_a_line_of_its_own),
         FOB_CASE(a_gap_is_told_before_the_events_behind_it),
         FOB_CASE(an_epoch_is_told_at_once_and_behind_the_buss_return),
         FOB_CASE(quiet_is_silent_of_all_but_what_is_lost),
         FOB_CASE(in_notify_what_is_behind_is_looked_up_and_not_shown),
         FOB_CASE(a_broadcast_that_is_blocked_is_told_once_and_when_it_is_back))
