/* fob pub: publishes one event, or each line of standard input, and waits for the receipts. */
#include "proto/cli/input.h"
#include "proto/cli/output.h"
#include "publishers/commands/commands.h"
#include "publishers/commands/offer.h"
#include "publishers/commands/outgoing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char help[] =
    "usage: fob pub TOPIC [DATA | -] [OPTION]...\n"
    "       fob pub TOPIC --lines [OPTION]...\n\n"
    "Publishes one event and exits once it is stored. DATA that is JSON is sent as\n"
    "JSON, other text as a string; -, or a pipe on standard input, is read whole.\n\n"
    "      --lines             each line of standard input is one event (JSON), sent\n"
    "                          as it arrives\n"
    "      --text              the data is text, whatever it looks like\n"
    "      --raw               the data is bytes\n"
    "      --id ID             the event's id; the same topic and id again, within\n"
    "                          the bus's dedup_window, is not stored again\n"
    "      --id-from POINTER   the id is at this place of the data, as /order/id\n"
    "      --key KEY           the ordering key\n"
    "      --key-from POINTER  the ordering key is at this place of the data\n"
    "      --priority 0-9      higher ones are handed out first (default 0)\n"
    "      --header K=V        a header; may be given several times\n"
    "      --confirm MODE      stored (the default), or none: at most once, to those\n"
    "                          who are subscribed now\n"
    "      --deadline D        give up after this time: 250ms 5s 10m 2h\n"
    "                          (default 30s)\n"
    "  -j, --json              print a receipt for each event\n"
    "  -v, --verbose           say what became of each event\n"
    "  -q, --quiet             no progress, no news\n"
    "  -b, --bus ENDPOINT      the bus to talk to, else FOB_BUS, else\n"
    "                          tcp://127.0.0.1:7670\n"
    "      --connect-timeout D how long to try to reach the bus first (default 3s)\n";

static const char usage[] = "fob pub TOPIC [DATA | -] | fob pub TOPIC --lines";

typedef struct {
    fob_cli_t cli;
    fob_offer_t offer;
    fob_args_t args;
    const char *confirm;
} pub_t;

static int take_options(pub_t *self, int argc, char **argv) {
    fob_offer_t *offer = &self->offer;
    const fob_option_t options[] = {
        FOB_OPTIONS_CLIENT(&self->cli),
        FOB_OPTION_JSON(&self->cli),
        {"lines", 0, FOB_OPT_FLAG, &offer->lines, 0, 0},
        {"text", 0, FOB_OPT_FLAG, &offer->text, 0, 0},
        {"raw", 0, FOB_OPT_FLAG, &offer->raw, 0, 0},
        {"id", 0, FOB_OPT_TEXT, &offer->id, 0, 0},
        {"id-from", 0, FOB_OPT_TEXT, &offer->id_from, 0, 0},
        {"key", 0, FOB_OPT_TEXT, &offer->key, 0, 0},
        {"key-from", 0, FOB_OPT_TEXT, &offer->key_from, 0, 0},
        {"priority", 0, FOB_OPT_COUNT, &offer->priority, 0, 9},
        {"header", 0, FOB_OPT_LIST, &offer->headers, 0, 0},
        {"confirm", 0, FOB_OPT_TEXT, &self->confirm, 0, 0},
        {"deadline", 0, FOB_OPT_DURATION, &offer->deadline_ms, 0, 0},
    };
    return fob_options(&self->cli, options, sizeof options / sizeof options[0], help, argc, argv,
                       &self->args);
}

static int check(pub_t *self) {
    const fob_cli_t *cli = &self->cli;
    fob_offer_t *offer = &self->offer;
    int code = fob_args_check(cli, &self->args, 1, offer->lines ? 1 : 2, usage);
    if (code != FOB_EXIT_OK)
        return code;
    offer->topic = self->args.args[0];
    offer->fire = self->confirm && strcmp(self->confirm, "none") == 0;
    if (self->confirm && !offer->fire && strcmp(self->confirm, "stored") != 0)
        return fob_fail(cli, FOB_EXIT_USAGE, "--confirm takes stored or none, not \"%.40s\"",
                        self->confirm);
    code = fob_offer_begin(offer, cli);
    return code == FOB_EXIT_OK ? fob_cli_check_bus(cli) : code;
}

/* A terminal would wait for somebody to type, and /dev/null has nothing to say. */
static bool input_is_piped(void) {
    struct stat info;
    return fstat(STDIN_FILENO, &info) == 0 &&
           (S_ISFIFO(info.st_mode) || S_ISREG(info.st_mode) || S_ISSOCK(info.st_mode));
}

/* We were started without one: main puts a stand-in there that cannot be read. */
static bool input_is_closed(void) {
    int flags = fcntl(STDIN_FILENO, F_GETFL);
    return flags < 0 || (flags & O_ACCMODE) == O_WRONLY;
}

static int check_input(const pub_t *self) {
    const char *data = self->args.arg_count > 1 ? self->args.args[1] : NULL;
    bool read = self->offer.lines || (data && strcmp(data, "-") == 0);
    if (read && input_is_closed())
        return fob_fail(&self->cli, FOB_EXIT_USAGE,
                        "there is no data: standard input is closed, or cannot be read");
    if (!read && !data && !input_is_piped())
        return fob_fail(&self->cli, FOB_EXIT_USAGE, "there is no data: %s", usage);
    return FOB_EXIT_OK;
}

/* The one event's text: the argument, or all of standard input. */
static int read_text(const pub_t *self, fob_input_t *input, fob_slice_t *text) {
    const char *data = self->args.arg_count > 1 ? self->args.args[1] : NULL;
    if (data && strcmp(data, "-") != 0) {
        *text = fob_slice_str(data);
        return FOB_EXIT_OK;
    }
    switch (fob_input_all(input, text)) {
    case FOB_INPUT_LINE:
        return FOB_EXIT_OK;
    case FOB_INPUT_TOO_LONG:
        return fob_fail(&self->cli, FOB_EXIT_DATA,
                        "standard input has more than %zu bytes: no event may be that large",
                        input->max);
    default:
        return fob_fail(&self->cli, FOB_EXIT_IO, "cannot read standard input: %s", strerror(errno));
    }
}

/* The data is looked at before the bus is: what is wrong with it is wrong with any bus. */
static int publish_one(pub_t *self) {
    fob_input_t input = {.fd = STDIN_FILENO, .max = FOB_INPUT_MAX};
    fob_offered_t offered;
    fob_slice_t text = {0};
    char why[300];
    int code = read_text(self, &input, &text);
    if (code == FOB_EXIT_OK) {
        fob_status_t status = fob_offer_make(&self->offer, text, false, &offered, why, sizeof why);
        code = status == FOB_OK ? fob_outgoing_one(&self->cli, &self->offer, &offered)
                                : fob_fail(&self->cli, fob_exit_code(status), "%s", why);
    }
    fob_input_free(&input);
    return code;
}

int fob_command_pub(int argc, char **argv) {
    pub_t self = {.cli = {.command = "pub"}};
    self.offer.headers =
        (fob_list_t){.items = self.offer.header_items, .capacity = FOB_OFFER_HEADERS};
    int code = take_options(&self, argc, argv);
    if (code >= 0)
        return code;
    code = check(&self);
    if (code == FOB_EXIT_OK)
        code = check_input(&self);
    if (code == FOB_EXIT_OK)
        code = self.offer.lines ? fob_outgoing_lines(&self.cli, &self.offer) : publish_one(&self);
    fob_offer_end(&self.offer);
    return code;
}
