/* fuzz_replay: any records as those of a journal, replayed by the core: damage, or a state to work
 * with. A piece is a record behind one byte: 0: of the same commit as the one before. */
#include "bus/core/durable/record.h"
#include "tests/fuzz/core_use.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/pieces.h"

#include <string.h>

/* The first record of events, for pages. */
typedef struct {
    fob_slice_t bytes;
    uint64_t first_offset;
    uint32_t count;
} events_t;

/* Replays the first `most` pieces. Gives how many of them were good, and the last position. */
static size_t replay(fob_core_t *core, fob_slice_t rest, size_t most, uint64_t *position,
                     events_t *events) {
    fob_slice_t piece;
    size_t good = 0;
    *position = 1;
    while (good < most && piece_next(&rest, &piece)) {
        *position += piece_byte(&piece) ? 1 : 0;
        fob_status_t status = fob_core_replay(core, *position, piece);
        FUZZ_RULE(status == FOB_OK || status == FOB_DAMAGED || status == FOB_FOLDER_NEWER);
        FUZZ_RULE(status == FOB_OK || fob_core_error(core)[0]);
        if (status != FOB_OK)
            break;
        good++;
        fob_record_events_t head;
        if (events->count == 0 && fob_record_read_events(piece, &head) && head.count)
            *events = (events_t){piece, head.first_offset, head.count};
    }
    return good;
}

static void use(fob_slice_t bytes, size_t good, bool pages) {
    events_t events = {.count = 0};
    uint64_t position;
    fob_core_t *core = fob_core_new(&core_use_config);
    FUZZ_RULE(replay(core, bytes, good, &position, &events) == good);
    FUZZ_RULE(fob_core_replayed(core) == FOB_OK);
    core_use(core, position, events.bytes, events.first_offset, pages ? events.count : 0);
    fob_core_destroy(&core);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    events_t events = {.count = 0};
    uint64_t position;
    fob_core_t *core = fob_core_new(&core_use_config);
    size_t good = replay(core, fob_slice(data, size), SIZE_MAX, &position, &events);
    fob_core_destroy(&core); /* also of what is half done by a record that is damaged */
    use(fob_slice(data, size), good, false);
    if (events.count)
        use(fob_slice(data, size), good, true);
    return 0;
}
