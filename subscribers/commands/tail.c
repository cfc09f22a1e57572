/* fob tail: events for eyes. */
#include "proto/cli/show.h"
#include "subscribers/commands/commands.h"
#include "subscribers/commands/listen.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const char help[] =
    "usage: fob tail [PATTERN] [OPTION]...\n\n"
    "Shows what is published, a line an event: time, topic, offset, size, type, data.\n"
    "Without a PATTERN: all. It disturbs nobody: where it is read more slowly than\n"
    "events come, it falls behind and reads the journal at its own pace.\n\n"
    "  -n, --count N           exit after N events\n"
    "  -j, --json              one JSON object a line instead\n" FOB_HELP_LISTEN
    "  -v, --verbose           say when it is subscribed, behind, and live again\n"
    "  -q, --quiet             on standard error only what is missing\n"
    "  -b, --bus ENDPOINT      the bus to talk to, else FOB_BUS, else\n"
    "                          tcp://127.0.0.1:7670\n"
    "      --connect-timeout D how long to try to reach the bus first (default 3s)\n\n"
    "There is colour on a terminal, unless NO_COLOR is set.\n";

#define QUEUE       1000 /* events held: no more than eyes can follow */
#define QUEUE_BYTES (8 << 20)

typedef struct {
    bool terminal, colour;
} screen_t;

/* Looked up for each line, as windows change their size. 0: no edge. */
static size_t columns(const screen_t *self) {
    struct winsize size = {0};
    if (!self->terminal || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
        return 0;
    return size.ws_col;
}

static void show_eyes(fob_buf_t *out, const fob_event_t *event, void *arg) {
    const screen_t *self = arg;
    fob_show_eyes(out, event, self->colour, columns(self));
}

static void show_line(fob_buf_t *out, const fob_event_t *event, void *arg) {
    (void)arg;
    fob_show_json(out, event);
    fob_buf_put(out, "\n", 1);
}

static screen_t screen(void) {
    const char *term = getenv("TERM"), *no = getenv("NO_COLOR");
    screen_t self = {.terminal = isatty(STDOUT_FILENO)};
    self.colour = self.terminal && !(no && *no) && !(term && strcmp(term, "dumb") == 0);
    return self;
}

int fob_command_tail(int argc, char **argv) {
    screen_t eyes = screen();
    fob_listen_t self = {.cli = {.command = "tail"},
                         .pattern = ">",
                         .queue = QUEUE,
                         .queue_bytes = QUEUE_BYTES,
                         .far = true,
                         .show = show_eyes,
                         .arg = &eyes};
    fob_args_t args = {0};
    const fob_option_t options[] = {
        FOB_OPTIONS_CLIENT(&self.cli),
        FOB_OPTION_JSON(&self.cli),
        FOB_OPTIONS_LISTEN(&self),
    };
    int code = fob_options(&self.cli, options, sizeof options / sizeof options[0], help, argc, argv,
                           &args);
    if (code >= 0)
        return code;
    code = fob_args_check(&self.cli, &args, 0, 1, "fob tail [PATTERN]");
    if (code != FOB_EXIT_OK)
        return code;
    if (self.cli.json)
        self.show = show_line;
    if (args.arg_count > 0)
        self.pattern = args.args[0];
    return fob_listen(&self);
}
