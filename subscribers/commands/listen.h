/* listen: what sub and tail share: where to begin, a subscription, events one after the other to
 * standard output, what is missing told. Main thread. */
#ifndef FOB_LISTEN_H
#define FOB_LISTEN_H

#include "proto/buf.h"
#include "proto/cli/options.h"
#include <fob/fob_subscriber.h>

typedef struct {
    fob_cli_t cli;
    const char *pattern, *from, *mode; /* as they were written; NULL: the default */
    int64_t since_ms;                  /* 0: not said */
    uint64_t count;                    /* 0: no end */
    uint32_t queue;                    /* events held; 0: the library's default */
    uint64_t queue_bytes;              /* the same of their bytes */
    bool far;                          /* say when it is far behind */
    /* Appends one event as it is to be written. */
    void (*show)(fob_buf_t *out, const fob_event_t *event, void *arg);
    void *arg;
} fob_listen_t;

/* The options of these. */
#define FOB_OPTIONS_LISTEN(self)                                                                   \
    {"count", 'n', FOB_OPT_COUNT, &(self)->count, 1, 0},                                           \
        {"from", 0, FOB_OPT_TEXT, &(self)->from, 0, 0},                                            \
        {"since", 0, FOB_OPT_DURATION, &(self)->since_ms, 0, 0}, {                                 \
        "mode", 0, FOB_OPT_TEXT, &(self)->mode, 0, 0                                               \
    }
/* What --help says of them. */
#define FOB_HELP_LISTEN                                                                            \
    "      --from PLACE        where to begin: latest (the default), earliest, last\n"             \
    "                          (each topic's last event), OFFSET@EPOCH, an offset,\n"              \
    "                          a time, -10m (back from now); then what is\n"                       \
    "                          published from now on\n"                                            \
    "      --since D           as --from -D\n"                                                     \
    "      --mode MODE         reliable (the default): every event once, in order;\n"              \
    "                          notify: live at once, told what is missing;\n"                      \
    "                          live: what is lost is only counted\n"

/* Checks the place, the mode, the pattern and the bus, subscribes, writes events until `count`, a
 * signal, or a reader that has gone. The exit code; where it is not FOB_EXIT_OK, it was said why.
 */
int fob_listen(const fob_listen_t *what);

#endif
