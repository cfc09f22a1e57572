/* status: names and sentences of the one list of outcomes. */
#include <fob/fob_status.h>

const char *fob_status_name(fob_status_t status) {
    switch (status) {
#define FOB_STATUS_X(number, name, sentence)                                                       \
    case FOB_##name:                                                                               \
        return #name;
        FOB_STATUS_MAP(FOB_STATUS_X)
#undef FOB_STATUS_X
    }
    return "UNKNOWN";
}

const char *fob_status_text(fob_status_t status) {
    switch (status) {
#define FOB_STATUS_X(number, name, sentence)                                                       \
    case FOB_##name:                                                                               \
        return sentence;
        FOB_STATUS_MAP(FOB_STATUS_X)
#undef FOB_STATUS_X
    }
    return "unknown status";
}
