/* fob sub: events for scripts. */
#include "proto/cli/show.h"
#include "subscribers/commands/commands.h"
#include "subscribers/commands/listen.h"

static const char help[] =
    "usage: fob sub PATTERN [OPTION]...\n\n"
    "Prints every event of a pattern, one JSON object a line, those of a topic in\n"
    "order. What is missed on the way is read from the bus's journal; what is no\n"
    "longer kept is told on standard error. In a pattern * stands for one token of\n"
    "the topic, a last > for one or more.\n\n"
    "  -n, --count N           exit after N events\n"
    "  -j, --json              one JSON object a line (this is the default)\n"
    "      --raw               the data's bytes as they were published, nothing "
    "else\n" FOB_HELP_LISTEN
    "  -v, --verbose           say when it is subscribed, behind, and live again\n"
    "  -q, --quiet             on standard error only what is missing\n"
    "  -b, --bus ENDPOINT      the bus to talk to, else FOB_BUS, else\n"
    "                          tcp://127.0.0.1:7670\n"
    "      --connect-timeout D how long to try to reach the bus first (default 3s)\n\n"
    "To go on where it ended: fob sub order_placed --from OFFSET@EPOCH, with the\n"
    "epoch of the last event, and one more than its offset. With a pattern of several\n"
    "topics begin a little earlier: see fob(1).\n";

static void show_line(fob_buf_t *out, const fob_event_t *event, void *arg) {
    (void)arg;
    fob_show_json(out, event);
    fob_buf_put(out, "\n", 1);
}

static void show_raw(fob_buf_t *out, const fob_event_t *event, void *arg) {
    size_t size;
    const void *data = fob_event_data(event, &size);
    (void)arg;
    fob_buf_put(out, data, size);
}

int fob_command_sub(int argc, char **argv) {
    fob_listen_t self = {.cli = {.command = "sub"}, .show = show_line};
    fob_args_t args = {0};
    bool raw = false;
    const fob_option_t options[] = {
        FOB_OPTIONS_CLIENT(&self.cli),
        FOB_OPTION_JSON(&self.cli),
        FOB_OPTIONS_LISTEN(&self),
        {"raw", 0, FOB_OPT_FLAG, &raw, 0, 0},
    };
    int code = fob_options(&self.cli, options, sizeof options / sizeof options[0], help, argc, argv,
                           &args);
    if (code >= 0)
        return code;
    code = fob_args_check(&self.cli, &args, 1, 1, "fob sub PATTERN");
    if (code != FOB_EXIT_OK)
        return code;
    if (raw && self.cli.json)
        return fob_fail(&self.cli, FOB_EXIT_USAGE, "--json and --raw exclude each other");
    if (raw)
        self.show = show_raw;
    self.pattern = args.args[0];
    return fob_listen(&self);
}
