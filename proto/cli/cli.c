#include "proto/cli/cli.h"

#include "proto/topic.h"
#include "proto/wire.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int fob_exit_code(fob_status_t status) {
    switch (status) {
    case FOB_OK:
        return FOB_EXIT_OK;
    case FOB_INVALID:
        return FOB_EXIT_USAGE;
    case FOB_BAD_TOPIC:
    case FOB_BAD_PATTERN:
    case FOB_BAD_EVENT:
    case FOB_TOO_LARGE:
    case FOB_PATTERN_DIFFERS:
        return FOB_EXIT_DATA;
    case FOB_NO_GROUP:
    case FOB_GONE:
    case FOB_NOT_HELD:
        return FOB_EXIT_NONE;
    case FOB_UNREACHABLE:
    case FOB_DEADLINE:
    case FOB_STOPPING:
    case FOB_CLOSED:
    case FOB_UNKNOWN_OUTCOME:
        return FOB_EXIT_UNREACHABLE;
    case FOB_PORT_IN_USE:
    case FOB_NO_MEMORY:
        return FOB_EXIT_SYSTEM;
    case FOB_FOLDER_IN_USE:
    case FOB_FOLDER_NEWER:
    case FOB_DAMAGED:
        return FOB_EXIT_FOLDER;
    case FOB_DISK_FAILED:
        return FOB_EXIT_IO;
    case FOB_AGAIN:
    case FOB_BUSY:
    case FOB_DISK_FULL:
    case FOB_GROUP_IN_USE:
    case FOB_LIMIT:
    case FOB_STALE:
        return FOB_EXIT_BUSY;
    case FOB_VERSION:
    case FOB_PROTOCOL:
    case FOB_NOT_OWNER:
    case FOB_HELLO_FIRST:
    case FOB_GAP:
    case FOB_FORGOTTEN:
        return FOB_EXIT_PROTOCOL;
    case FOB_DENIED:
        return FOB_EXIT_DENIED;
    case FOB_CONFIG:
        return FOB_EXIT_CONFIG;
    case FOB_INTERNAL:
        return FOB_EXIT_BUG;
    }
    return FOB_EXIT_PROTOCOL; /* a later version's */
}

/* One write, so that lines of processes that share a terminal do not mix. What came from a wire or
 * an argument may hold control characters, which a terminal must not see. */
__attribute__((format(printf, 2, 0))) static void say(const fob_cli_t *cli, const char *format,
                                                      va_list args) {
    char text[1024], line[1200];
    vsnprintf(text, sizeof text, format, args);
    for (char *at = text; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
    const char *command = cli->command ? cli->command : "";
    int size = snprintf(line, sizeof line, "fob%s%s: %s\n", *command ? " " : "", command, text);
    if (size > 0)
        fwrite(line, 1, (size_t)size < sizeof line ? (size_t)size : sizeof line - 1, stderr);
    fflush(stderr);
}

int fob_fail(const fob_cli_t *cli, int code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    say(cli, format, args);
    va_end(args);
    return code;
}

void fob_warn(const fob_cli_t *cli, const char *format, ...) {
    va_list args;
    va_start(args, format);
    say(cli, format, args);
    va_end(args);
}

void fob_note(const fob_cli_t *cli, const char *format, ...) {
    va_list args;
    if (cli->quiet)
        return;
    va_start(args, format);
    say(cli, format, args);
    va_end(args);
}

/* "tcp://a:1: connection refused" -> "connection refused": the endpoint is named already. */
static const char *without_endpoint(const char *trouble, const char *bus) {
    size_t size = strlen(bus);
    if (strncmp(trouble, bus, size) == 0 && strncmp(trouble + size, ": ", 2) == 0)
        return trouble + size + 2;
    return trouble;
}

static int fail_unreachable(const fob_cli_t *cli, const char *trouble) {
    const char *bus = fob_cli_bus(cli);
    trouble = without_endpoint(trouble, bus);
    return fob_fail(cli, FOB_EXIT_UNREACHABLE,
                    "cannot reach the bus at %s%s%s%s: is \"fob serve\" running? (--bus or FOB_BUS "
                    "names another)",
                    bus, *trouble ? " (" : "", trouble, *trouble ? ")" : "");
}

int fob_fail_status(const fob_cli_t *cli, fob_status_t status, const char *trouble) {
    int code = fob_exit_code(status);
    trouble = trouble ? trouble : "";
    if (status == FOB_UNREACHABLE)
        return fail_unreachable(cli, trouble);
    if (status == FOB_INTERNAL)
        return fob_fail(cli, code, "a bug in fob%s%s: please report it", *trouble ? ": " : "",
                        trouble);
    if (strcmp(trouble, fob_status_text(status)) == 0)
        trouble = "";
    if (!fob_wire_status_known(status))
        return fob_fail(cli, code,
                        "the bus answered with code %d, which this version does not know%s%s",
                        (int)status, *trouble ? ": " : "", trouble);
    return fob_fail(cli, code, "%s", *trouble ? trouble : fob_status_text(status));
}

int fob_print_end(const fob_cli_t *cli) {
    if ((fflush(stdout) == 0 && !ferror(stdout)) || errno == EPIPE)
        return FOB_EXIT_OK;
    return fob_fail(cli, FOB_EXIT_IO, "cannot write to standard output: %s", strerror(errno));
}

const char *fob_cli_bus(const fob_cli_t *cli) {
    const char *bus = cli->bus ? cli->bus : getenv("FOB_BUS");
    return bus && *bus ? bus : FOB_DEFAULT_BUS;
}

/* `size` bytes that say tcp://HOST:PORT, which is all that the library dials. */
static bool endpoint_valid(const char *at, size_t size) {
    if (size <= 6 || size > 255 || strncmp(at, "tcp://", 6) != 0)
        return false;
    const char *end = at + size, *host = at + 6;
    const char *colon = end;
    while (colon > host && colon[-1] != ':')
        colon--;
    if (colon <= host + 1 || colon == end || end - colon > 5)
        return false;
    long port = 0;
    for (const char *digit = colon; digit < end; digit++) {
        if (*digit < '0' || *digit > '9')
            return false;
        port = port * 10 + (*digit - '0');
    }
    return port >= 1 && port <= 65535;
}

int fob_cli_check_bus(const fob_cli_t *cli) {
    const char *from = cli->bus ? "--bus" : "FOB_BUS";
    if (cli->bus && !*cli->bus)
        return fob_fail(cli, FOB_EXIT_USAGE,
                        "--bus is empty: give an endpoint such as " FOB_DEFAULT_BUS);
    for (const char *at = fob_cli_bus(cli);;) {
        size_t size = strcspn(at, ",");
        if (!endpoint_valid(at, size))
            return fob_fail(cli, FOB_EXIT_USAGE,
                            "%s: \"%.*s\" is not an endpoint: it looks like " FOB_DEFAULT_BUS, from,
                            (int)(size < 200 ? size : 200), at);
        if (!at[size])
            return FOB_EXIT_OK;
        at += size + 1;
    }
}

int fob_cli_check_topic(const fob_cli_t *cli, const char *topic) {
    fob_slice_t slice = fob_slice_str(topic);
    if (fob_topic_valid(slice))
        return FOB_EXIT_OK;
    if (fob_topic_is_sys(slice))
        return fob_fail(cli, FOB_EXIT_DATA,
                        "\"%.80s\" is not a topic to publish to: $sys is the bus's own", topic);
    return fob_fail(cli, FOB_EXIT_DATA,
                    "\"%.80s\" is not a topic: it takes 1-255 bytes, tokens of A-Z a-z 0-9 _ - "
                    "joined by dots, such as shop.order_placed",
                    topic);
}

int fob_cli_check_pattern(const fob_cli_t *cli, const char *pattern) {
    if (fob_pattern_valid(fob_slice_str(pattern)))
        return FOB_EXIT_OK;
    return fob_fail(
        cli, FOB_EXIT_DATA,
        "\"%.80s\" is not a pattern: it is a topic in which a token may be * (one token) "
        "and the last may be > (one or more), such as shop.*.order_placed",
        pattern);
}

int fob_cli_check_group(const fob_cli_t *cli, const char *group) {
    if (fob_topic_valid(fob_slice_str(group)))
        return FOB_EXIT_OK;
    return fob_fail(cli, FOB_EXIT_DATA,
                    "\"%.80s\" is not a name for a group: it takes 1-255 bytes, tokens of A-Z a-z "
                    "0-9 _ - joined by dots, such as billing",
                    group);
}
