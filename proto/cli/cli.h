/* cli: what every command shares: who is talking, which bus, exit codes, errors in one sentence.
 * One thread. */
#ifndef FOB_CLI_H
#define FOB_CLI_H

#include <fob/fob_status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit codes: a part of the command line that scripts depend on. */
enum {
    FOB_EXIT_OK = 0,
    FOB_EXIT_USAGE = 64,
    FOB_EXIT_DATA = 65,
    FOB_EXIT_NONE = 66, /* no such group, event or schedule */
    FOB_EXIT_UNREACHABLE = 69,
    FOB_EXIT_BUG = 70,
    FOB_EXIT_SYSTEM = 71, /* port in use; the operating system refused */
    FOB_EXIT_FOLDER = 73,
    FOB_EXIT_IO = 74,
    FOB_EXIT_BUSY = 75,
    FOB_EXIT_PROTOCOL = 76,
    FOB_EXIT_DENIED = 77,
    FOB_EXIT_CONFIG = 78
};

#define FOB_DEFAULT_BUS "tcp://127.0.0.1:7670"

/* What the options that every client command takes say; zero it, then set `command`. */
typedef struct {
    const char *command;        /* "pub", "group add": names the speaker in errors */
    const char *bus;            /* --bus, or NULL; fob_cli_bus gives the one to use */
    int64_t connect_timeout_ms; /* --connect-timeout; 0: the default, 3 s */
    bool json, verbose, quiet;
} fob_cli_t;

/* The exit code for a status. */
int fob_exit_code(fob_status_t status);

/* Writes `fob COMMAND: ...` and a newline to standard error, control characters made harmless.
 * Returns `code`, so that a command can end by `return fob_fail (cli, FOB_EXIT_DATA, ...)`. Ignores
 * --quiet. */
int fob_fail(const fob_cli_t *cli, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for what does not end the command: something is lost, or is going to be. */
void fob_warn(const fob_cli_t *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for news that are no loss; silent with --quiet. */
void fob_note(const fob_cli_t *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* For a status that ends a command: picks the exit code, and the sentence that says what to do.
 * `trouble` is the library's last trouble in words, or NULL or "". */
int fob_fail_status(const fob_cli_t *cli, fob_status_t status, const char *trouble);

/* Flushes standard output. FOB_EXIT_OK, also where the reader has gone; FOB_EXIT_IO, and it was
 * said why. */
int fob_print_end(const fob_cli_t *cli);

/* The bus to talk to: --bus, else FOB_BUS (an empty one counts as unset), else the default. */
const char *fob_cli_bus(const fob_cli_t *cli);

/* Checks fob_cli_bus: endpoints `tcp://HOST:PORT`, comma between. FOB_EXIT_OK, or
 * FOB_EXIT_USAGE and it was said which is wrong. */
int fob_cli_check_bus(const fob_cli_t *cli);

/* FOB_EXIT_OK; or FOB_EXIT_DATA, and it was said what is wrong with it. */
int fob_cli_check_topic(const fob_cli_t *cli, const char *topic);
int fob_cli_check_pattern(const fob_cli_t *cli, const char *pattern);
int fob_cli_check_group(const fob_cli_t *cli, const char *group);

#endif
