/* The inside of the folder, shared by its files. */
#ifndef FOB_TESTS_SIMULATION_FOLDER_INSIDE_H
#define FOB_TESTS_SIMULATION_FOLDER_INSIDE_H

#include "bus/journal/file.h"
#include "fibers.h"
#include "sim_folder.h"
#include "sim_memory.h"

#define MOST_ASKED 64

typedef struct {
    uint64_t offset, tag;
    bool durable; /* it was when it was asked for */
} sim_asked_t;

typedef struct sim_tap sim_tap_t;

typedef struct {
    struct sim_store base;
    sim_folder_options_t options;
    sim_random_t random;
    fibers_t *fibers;
    sim_disk_t *disk, *after; /* after: as it was when this life was cut short */
    sim_tap_t *tap;           /* the journal that is open; NULL: none */
    bool cut;                 /* what follows in this life is not part of the world */
    bool full, excused, calm;
    uint64_t calls_to_go;   /* to the disk, until it is cut; 0: not by that */
    bool calls_cut_power;   /* and how */
    int64_t slow_us;        /* the next call takes so much longer */
    sim_pending_t *pending; /* appended, and not told durable */
    size_t pending_first, pending_count, pending_room;
    uint64_t trimmed; /* offsets below were let go */
} sim_folder_t;

/* The journal as its owner sees it: all goes to the real one, and is looked at on its way. */
struct sim_tap {
    struct fob_journal base;
    fob_journal_t *real;
    sim_folder_t *folder;
    sim_asked_t asked[MOST_ASKED];
    size_t asked_count;
};

/* Takes the journal. */
sim_tap_t *sim_tap_new(sim_folder_t *folder, fob_journal_t *real);
/* Replays the journal and looks at what it shows. */
fob_journal_code_t sim_tap_show(const sim_folder_t *folder, fob_journal_t *real,
                                const fob_replay_t *to, fob_journal_error_t *error);
/* The first `upto` positions are durable: tells of those that were not told yet. */
void sim_folder_told(sim_folder_t *self, uint64_t upto, bool bytes_too);

#endif
