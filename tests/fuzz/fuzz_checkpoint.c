/* fuzz_checkpoint: any slices as those of a checkpoint: damage, or a state to work with. A piece is
 * a slice. Where all of them are of one moment, it is the one at which all is replayed. */
#include "bus/core/durable/checkpoint.h"
#include "tests/fuzz/core_use.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/pieces.h"

#include <string.h>

#define VERSION_AT 4u
#define KIND_AT    8u
#define MORE_AT    9u
#define STAMP_AT   12u
#define STAMP_SIZE 12u

/* Of a slice that was read. Before there were topics, the end had their number. */
static bool is_end(fob_slice_t slice) {
    return slice.data[KIND_AT] == (fob_get32(slice.data + VERSION_AT) == FOB_SLICE_OLDEST
                                       ? FOB_UNIT_TOPICS
                                       : FOB_UNIT_END);
}

static bool same_moment(fob_slice_t a, fob_slice_t b) {
    return memcmp(a.data + STAMP_AT, b.data + STAMP_AT, STAMP_SIZE) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fob_slice_t rest = fob_slice(data, size), piece, first = {0};
    fob_core_t *core = fob_core_new(&core_use_config);
    fob_status_t status = FOB_OK;
    bool one_moment = true, ended = false;
    while (status == FOB_OK && piece_next(&rest, &piece)) {
        status = fob_core_load(core, piece);
        first = first.size ? first : piece;
        ended = status == FOB_OK && is_end(piece) && !piece.data[MORE_AT];
        one_moment = one_moment && status == FOB_OK && same_moment(first, piece);
    }
    FUZZ_RULE(status == FOB_OK || status == FOB_DAMAGED || status == FOB_FOLDER_NEWER);
    FUZZ_RULE(status == FOB_OK || fob_core_error(core)[0]);
    if (ended && fob_core_replayed(core) != FOB_OK)
        FUZZ_RULE(!one_moment && fob_core_error(core)[0]);
    else if (ended)
        core_use(core, UINT32_MAX, (fob_slice_t){0}, 0, 0);
    fob_core_destroy(&core);
    return 0;
}
