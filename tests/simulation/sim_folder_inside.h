/* The inside of the folder, shared by its files. */
#ifndef FOB_TESTS_SIMULATION_FOLDER_INSIDE_H
#define FOB_TESTS_SIMULATION_FOLDER_INSIDE_H

#include "bus/journal/file.h"
#include "fibers.h"
#include "sim_folder.h"
#include "sim_memory.h"

#define MOST_ASKED 64
#define MOST_FLIPS 8

typedef struct {
    uint64_t offset, tag;
    bool durable; /* it was when it was asked for */
} sim_asked_t;

/* Bits of a file that are not as they were written. */
typedef struct {
    char path[64];
    uint64_t at;
    uint8_t bits;
    sim_commit_t *commit; /* whose bytes they are; NULL: a checkpoint's */
} sim_flip_t;

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
    sim_flip_t flips[MOST_FLIPS];
    size_t flip_count;
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

#define SIM_FOLDER "/data/journal"

/* --- harm (sim_harm.c) --- */

/* Flips a bit of a commit that lies well below the tail, or of a checkpoint. */
void sim_folder_flip(sim_folder_t *self);
/* Whether a text names a file that was harmed, and a byte of it that is not behind the harm. */
bool sim_folder_names_harm(const sim_folder_t *self, const char *text);
/* Brings the bytes back, as from a copy. */
void sim_folder_heal(const sim_folder_t *self, sim_disk_t *disk);
/* Whether a start may be refused like this. Where it is for harm, that is undone. */
bool sim_folder_refused(sim_folder_t *self, fob_journal_code_t code, const char *text);
/* Looks at a page that is DAMAGED. */
void sim_folder_damaged(const sim_folder_t *self, const fob_page_t *page, uint64_t offset);

#endif
