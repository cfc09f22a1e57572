/* dead_move: `fob dead redrive` and `purge`.
 *
 * First those that match are counted, which also fixes which are meant: letters that die later, or
 * again, are not. Then page after page is moved; the bus keeps no job, so a bus that restarts in
 * between goes on with what is left. */
#include "bus/commands/dead.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>

#define SLICES 4 /* a second, where there is a rate */

typedef struct {
    fob_verb_t verb;
    const char *done_word; /* "redriven" */
} kind_t;

typedef struct {
    fob_dead_pages_t pages;
    const fob_cli_t *cli;
    const kind_t *kind;
    uint64_t rate;
    uint64_t matched, damaged; /* before: those that can be moved, and those that cannot */
    uint64_t done;
} move_t;

/* --- counting --- */

/* How many match, and of these how many cannot be moved. */
static int count_all(move_t *self, uint64_t *matched, uint64_t *damaged) {
    uint64_t from = 0;
    fob_status_t status;
    *matched = *damaged = 0;
    do {
        int code =
            fob_dead_pages_ask(&self->pages, self->kind->verb, from, FOB_DEAD_PAGE, true, &status);
        if (code != FOB_EXIT_OK)
            return code;
        if (status != FOB_OK)
            return fob_fail_status(self->cli, status, self->pages.answer.text);
        *matched += fob_dead_pages_number(&self->pages, "count");
        *damaged += fob_dead_pages_number(&self->pages, "damaged");
        from = fob_dead_pages_number(&self->pages, "next");
    } while (from);
    return FOB_EXIT_OK;
}

/* An answer that was lost with its connection: what it had done is known from what is left. */
static int count_again(move_t *self) {
    uint64_t left, damaged;
    if (!self->pages.asked_again || self->done >= self->matched)
        return FOB_EXIT_OK;
    int code = count_all(self, &left, &damaged);
    if (code == FOB_EXIT_OK && left <= self->matched)
        self->done = self->matched - left;
    return code;
}

/* --- moving --- */

static int64_t mono_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Waits until so many were due. */
static void pace(const move_t *self, int64_t begun_ms) {
    if (!self->rate)
        return;
    int64_t due = begun_ms + (int64_t)(self->done * 1000 / self->rate);
    for (int64_t left; (left = due - mono_ms()) > 0;)
        poll(NULL, 0, left < 1000 ? (int)left : 1000);
}

static uint64_t page_size(const move_t *self) {
    uint64_t size = self->rate ? (self->rate + SLICES - 1) / SLICES : FOB_DEAD_PAGE;
    return size < FOB_DEAD_PAGE ? size : FOB_DEAD_PAGE;
}

static void print(const move_t *self) {
    printf("{\"%s\":%" PRIu64 ",\"matched\":%" PRIu64 ",\"damaged\":%" PRIu64 "}\n",
           self->kind->done_word, self->done, self->matched + self->damaged, self->damaged);
}

/* The bus is gone in the middle: how far it came. */
static int give_up(const move_t *self, fob_status_t status) {
    bool away = status == FOB_UNREACHABLE || status == FOB_AGAIN;
    if (!away)
        fob_note(self->cli, "%" PRIu64 " of %" PRIu64 " dead letters were %s", self->done,
                 self->matched, self->kind->done_word);
    if (!away)
        return fob_fail_status(self->cli, status, self->pages.answer.text);
    return fob_fail(self->cli, FOB_EXIT_UNREACHABLE,
                    "the bus cannot be reached any more: at least %" PRIu64 " of %" PRIu64
                    " dead letters were %s; the same command does the rest",
                    self->done, self->matched, self->kind->done_word);
}

static int move_all(move_t *self) {
    uint64_t from = 0;
    int64_t begun = mono_ms();
    fob_status_t status;
    do {
        int code = fob_dead_pages_ask(&self->pages, self->kind->verb, from, page_size(self), false,
                                      &status);
        if (code != FOB_EXIT_OK)
            return code;
        if (status != FOB_OK)
            return give_up(self, status);
        self->done += fob_dead_pages_number(&self->pages, "count");
        from = fob_dead_pages_number(&self->pages, "next");
        if (from)
            pace(self, begun);
    } while (from);
    return count_again(self);
}

/* --- the commands --- */

static void tell_damaged(const move_t *self) {
    if (self->damaged && self->kind->verb == FOB_VERB_DEAD_REDRIVE)
        fob_note(self->cli,
                 "%" PRIu64 " cannot be read from the journal and stay: "
                 "\"fob dead purge %.*s --reason damaged\" removes them",
                 self->damaged, (int)self->pages.question.group.size,
                 (const char *)self->pages.question.group.data);
}

static int count_only(move_t *self) {
    if (self->cli->json)
        print(self);
    else
        printf("%" PRIu64 " dead letter%s would be %s\n", self->matched,
               self->matched == 1 ? "" : "s", self->kind->done_word);
    tell_damaged(self);
    return fob_print_end(self->cli);
}

static int move(move_t *self) {
    int code = self->matched ? move_all(self) : FOB_EXIT_OK;
    if (self->cli->json)
        print(self);
    if (code == FOB_EXIT_OK && self->matched + self->damaged == 0)
        fob_note(self->cli, "no dead letter matches");
    else if (code == FOB_EXIT_OK)
        fob_note(self->cli, "%s %" PRIu64 " of %" PRIu64 " dead letters", self->kind->done_word,
                 self->done, self->matched + self->damaged);
    if (code == FOB_EXIT_OK)
        tell_damaged(self);
    int printed = fob_print_end(self->cli);
    return code == FOB_EXIT_OK ? printed : code;
}

static int run(const fob_cli_t *cli, const fob_args_t *args, const fob_dead_options_t *options,
               const kind_t *kind) {
    move_t self = {.cli = cli, .kind = kind, .rate = options->rate};
    int code = fob_dead_pages_init(&self.pages, cli, args->args[0], options);
    if (code == FOB_EXIT_OK)
        code = count_all(&self, &self.matched, &self.damaged);
    if (code == FOB_EXIT_OK)
        code = options->dry ? count_only(&self) : move(&self);
    fob_dead_pages_free(&self.pages);
    return code;
}

int fob_dead_redrive(const fob_cli_t *cli, const fob_args_t *args,
                     const fob_dead_options_t *options) {
    static const kind_t kind = {FOB_VERB_DEAD_REDRIVE, "redriven"};
    return run(cli, args, options, &kind);
}

int fob_dead_purge(const fob_cli_t *cli, const fob_args_t *args,
                   const fob_dead_options_t *options) {
    static const kind_t kind = {FOB_VERB_DEAD_PURGE, "purged"};
    return run(cli, args, options, &kind);
}
