/* fob_status: the one list of outcomes: code, name, sentence.
 *
 * The numbers are part of the wire protocol (PROTOCOL.md, "Codes") and never change; new ones are
 * added at the end. Every function that can fail says which of these it returns. */
#ifndef FOB_STATUS_H
#define FOB_STATUS_H

#include <fob/fob_export.h>

#ifdef __cplusplus
extern "C" {
#endif

/* X (number, NAME, sentence) */
#define FOB_STATUS_MAP(X)                                                                          \
    X(0, OK, "done")                                                                               \
    X(1, AGAIN, "nothing yet: try again later")                                                    \
    X(2, BUSY, "a limit is reached: offer it again later")                                         \
    X(3, INVALID, "an argument is not valid")                                                      \
    X(4, BAD_TOPIC, "the topic is not valid: 1-255 bytes, tokens of [A-Za-z0-9_-] joined by dots") \
    X(5, BAD_PATTERN,                                                                              \
      "the pattern is not valid: a topic in which a token may be * and the last >")                \
    X(6, BAD_EVENT, "the event cannot be decoded")                                                 \
    X(7, TOO_LARGE, "the event is larger than this bus takes")                                     \
    X(8, NO_GROUP, "there is no such group")                                                       \
    X(9, PATTERN_DIFFERS, "the group exists with another pattern")                                 \
    X(10, GROUP_IN_USE, "the group still has workers")                                             \
    X(11, STALE, "the lease is held by another: the token is old")                                 \
    X(12, GONE, "the event is settled already")                                                    \
    X(13, NOT_HELD, "this worker does not hold that event")                                        \
    X(14, UNREACHABLE, "the bus cannot be reached")                                                \
    X(15, DEADLINE, "the deadline passed")                                                         \
    X(16, VERSION, "the peer speaks no protocol version that we speak")                            \
    X(17, PROTOCOL, "the peer broke the protocol")                                                 \
    X(18, NOT_OWNER, "this bus does not own that shard")                                           \
    X(19, DENIED, "not permitted")                                                                 \
    X(20, NO_MEMORY, "out of memory")                                                              \
    X(21, DISK_FULL, "no room on the disk")                                                        \
    X(22, DISK_FAILED, "the disk failed")                                                          \
    X(23, FOLDER_IN_USE, "another process uses the data folder")                                   \
    X(24, FOLDER_NEWER, "the data folder was written by a newer version")                          \
    X(25, DAMAGED, "the data is damaged")                                                          \
    X(26, PORT_IN_USE, "the port is in use")                                                       \
    X(27, CONFIG, "the configuration is not valid")                                                \
    X(28, CLOSED, "it was closed")                                                                 \
    X(29, UNKNOWN_OUTCOME, "it may or may not have been stored")                                   \
    X(30, HELLO_FIRST, "the bus does not know this connection: say HELLO")                         \
    X(31, LIMIT, "a fixed limit of this bus is reached")                                           \
    X(32, GAP, "numbers are missing: go back to the one named")                                    \
    X(33, FORGOTTEN, "the bus has forgotten this session")                                         \
    X(34, STOPPING, "the bus is stopping")                                                         \
    X(35, INTERNAL, "a bug in fob")

typedef enum {
#define FOB_STATUS_X(number, name, sentence) FOB_##name = number,
    FOB_STATUS_MAP(FOB_STATUS_X)
#undef FOB_STATUS_X
} fob_status_t;

/* The name of a status, "BUSY"; "UNKNOWN" for a number not in the list. Static memory, any
 * thread. */
FOB_EXPORT const char *fob_status_name(fob_status_t status);

/* The sentence of a status, without a full stop. Static memory, any thread. */
FOB_EXPORT const char *fob_status_text(fob_status_t status);

#ifdef __cplusplus
}
#endif
#endif
