/* fob_compare [OPTION...]: fob and others at the same works, on this machine, in turn.
 *
 * Brokers, publishers and consumers are processes of their own on this one machine, and share its
 * processors: what is measured is all of it together. Exit 0: every round ran; what was lost stands
 * in the table. 1: a round failed. 2, with --hold: a target was missed. 77: none of the peers that
 * were asked for is installed. */
#include "tests/bench/rig.h"
#include "tests/bench/table.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage_text[] =
    "fob_compare [--peers] [OPTION...]: fob, and others at the same works, on this machine\n"
    "  --peers           all peers that are installed; without it fob and plain libzmq\n"
    "  --peer NAME,...   these (fob is what they are compared with)\n"
    "  --only WORK,...   works by name, or by its beginning\n"
    "  --rounds N        each peer in turn, so often (3); medians are told\n"
    "  --scale F         times as many events as usual\n"
    "  --events N        so many in each work\n"
    "  --hold            exit 2 where a target is missed\n"
    "  --json, --markdown\n"
    "  --list            what there is\n";

typedef struct {
    const char *peer, *only;
    unsigned rounds;
    double scale;
    uint64_t events;
    table_form_t form;
    bool all, list, hold;
} options_t;

static void usage(void) {
    fputs(usage_text, stderr);
    exit(64);
}

static double number(const char *text) {
    char *end;
    double value = strtod(text, &end);
    if (*end || !(value > 0))
        usage();
    return value;
}

static void read_options(options_t *self, int argc, char **argv) {
    static const struct option known[] = {{"peers", 0, NULL, 'a'},
                                          {"peer", 1, NULL, 'p'},
                                          {"only", 1, NULL, 'o'},
                                          {"rounds", 1, NULL, 'r'},
                                          {"scale", 1, NULL, 's'},
                                          {"events", 1, NULL, 'e'},
                                          {"json", 0, NULL, 'j'},
                                          {"markdown", 0, NULL, 'm'},
                                          {"list", 0, NULL, 'l'},
                                          {"hold", 0, NULL, 'h'},
                                          {0}};
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;)
        switch (c) {
        case 'a':
            self->all = true;
            break;
        case 'p':
            self->peer = optarg;
            break;
        case 'o':
            self->only = optarg;
            break;
        case 'r':
            self->rounds = (unsigned)number(optarg);
            break;
        case 's':
            self->scale = number(optarg);
            break;
        case 'e':
            self->events = (uint64_t)number(optarg);
            break;
        case 'j':
            self->form = TABLE_JSON;
            break;
        case 'm':
            self->form = TABLE_MARKDOWN;
            break;
        case 'l':
            self->list = true;
            break;
        case 'h':
            self->hold = true;
            break;
        default:
            usage();
        }
    if (optind < argc || self->rounds > TABLE_ROUNDS)
        usage();
}

/* Whether a comma-separated list has the name, or, where `beginnings`, a beginning of it. */
static bool names(const char *list, const char *name, bool beginnings) {
    for (const char *at = list; *at;) {
        size_t length = strcspn(at, ",");
        if (length > 0 && strncmp(at, name, length) == 0 && (beginnings || !name[length]))
            return true;
        at += length + (at[length] == ',');
    }
    return false;
}

/* --- what there is to do --- */

static bool wanted(const options_t *options, const peer_t *peer) {
    if (options->peer)
        return names(options->peer, peer->name, false);
    return options->all || strcmp(peer->name, "fob") == 0 || strcmp(peer->name, "libzmq") == 0 ||
           strcmp(peer->name, "machine") == 0;
}

static void choose_peers(table_t *self, const options_t *options) {
    self->peers = calloc(peers_count, sizeof *self->peers);
    self->versions = calloc(peers_count, sizeof *self->versions);
    if (!self->peers || !self->versions)
        rig_die("no memory");
    for (size_t i = 0; i < peers_count; i++) {
        if (!wanted(options, peers[i]))
            continue;
        if (peers[i]->installed(self->versions[self->peers_count], sizeof *self->versions))
            self->peers[self->peers_count++] = peers[i];
        else
            fprintf(stderr, "%s is not installed: left out\n", peers[i]->name);
    }
}

static void choose_works(table_t *self, const options_t *options) {
    const work_t *work;
    size_t count = 0;
    while (works_at(count))
        count++;
    self->works = calloc(count, sizeof *self->works);
    self->events = calloc(count, sizeof *self->events);
    if (!self->works || !self->events)
        rig_die("no memory");
    for (size_t i = 0; (work = works_at(i)); i++) {
        bool can = false;
        for (size_t p = 0; p < self->peers_count; p++)
            can = can || self->peers[p]->can(work);
        if (!can || (options->only && !names(options->only, work->name, true)))
            continue;
        uint64_t events = (uint64_t)((double)work->events * options->scale);
        self->events[self->works_count] = options->events ? options->events : events;
        self->works[self->works_count++] = work;
    }
}

static void list_all(void) {
    const work_t *work;
    puts("works:");
    for (size_t i = 0; (work = works_at(i)); i++) {
        printf("  %-24s %s:", work->name, work->title);
        for (size_t p = 0; p < peers_count; p++)
            if (peers[p]->can(work))
                printf(" %s", peers[p]->name);
        putchar('\n');
    }
    puts("peers:");
    for (size_t p = 0; p < peers_count; p++) {
        char version[96];
        bool there = peers[p]->installed(version, sizeof version);
        printf("  %-24s %s\n", peers[p]->name, there ? version : "not installed");
    }
}

/* --- doing it --- */

static void tell(const table_t *self, const cell_t *cell, size_t w) {
    const round_result_t *result = &cell->results[cell->rounds - 1];
    const work_t *work = self->works[w];
    fprintf(stderr, "%s, %s, round %u:", work->name, cell->peer->name, cell->rounds);
    if (!result->good)
        fprintf(stderr, " FAILED: %s", result->why);
    for (unsigned i = 0; result->good && i < work->shows; i++)
        fprintf(stderr, "%s %s %.6g %s", i ? "," : "", figure_names[work->shown[i]].name,
                result->figures[work->shown[i]], figure_names[work->shown[i]].unit);
    fputc('\n', stderr);
}

/* A slow one shows its rate with fewer, so that a round takes seconds. */
static uint64_t enough(const peer_t *peer, const work_t *work, uint64_t events) {
    bool fewer = work->kind == WORK_QUEUE && work->rate == 0 && peer->flood;
    return fewer && peer->flood < events ? peer->flood : events;
}

/* Each peer in turn, so that a machine that grows slower does so for all. */
static void compare(table_t *self) {
    self->cells = calloc(self->works_count * self->peers_count + 1, sizeof *self->cells);
    if (!self->cells)
        rig_die("no memory");
    for (size_t w = 0; w < self->works_count; w++)
        for (unsigned i = 0; i < self->rounds * self->peers_count; i++) {
            size_t p = i % self->peers_count;
            cell_t *cell = table_cell(self, w, p);
            cell->peer = self->peers[p];
            cell->work = self->works[w];
            if (!cell->peer->can(cell->work) || site_stopping())
                continue;
            round_run(cell->peer, cell->work, enough(cell->peer, cell->work, self->events[w]),
                      &cell->results[cell->rounds++]);
            tell(self, cell, w);
        }
}

static char *command_of(int argc, char **argv) {
    static char text[1024] = "./run bench";
    for (int i = 1; i < argc; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), " %s", argv[i]);
    return text;
}

int main(int argc, char **argv) {
    options_t options = {.rounds = 3, .scale = 1};
    table_t table = {.command = command_of(argc, argv)};
    unsigned missed;
    read_options(&options, argc, argv);
    if (options.list) {
        list_all();
        return 0;
    }
    site_take_signals();
    table.rounds = options.rounds;
    choose_peers(&table, &options);
    choose_works(&table, &options);
    if (!table.peers_count) {
        fputs("none of these is installed: --list says what there is\n", stderr);
        return 77;
    }
    if (!table.works_count)
        rig_die("there is nothing to do: --list says what there is");
    compare(&table);
    if (site_stopping()) {
        fputs("stopped\n", stderr);
        return 130;
    }
    bool good = table_print(&table, options.form, &missed);
    free(table.peers);
    free(table.versions);
    free(table.works);
    free(table.events);
    free(table.cells);
    return !good ? 1 : options.hold && missed ? 2 : 0;
}
