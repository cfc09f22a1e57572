/* Folders whose last commits are cut, or in which a bit is flipped: it is reported with its place,
 * nothing at or below the durable mark is lost without a word, and no event is a wrong one.
 *
 * What a start would do is tried by the very code that does it, at every place; the program itself
 * at some of them. FOB_ROUNDS: at so many times more. */
#include "crash_kit.h"

#include "bus/core/durable/record.h"
#include "bus/journal/file.h"
#include "bus/journal/format.h"
#include "bus/salvage/salvage.h"

#include <signal.h>
#include <stdlib.h>

/* Under a sanitizer, which is some ten times slower, only some of the places. */
#ifndef CRASH_EVERY
#define CRASH_EVERY 1
#endif

static folder_t folder;
static events_t before;
static commit_t *commits;
static size_t commit_count;

static int set_up_with(const char *name) {
    folder_golden_of(&folder, name);
    events_read(&before, folder.path);
    commits = folder_commits(&folder, &commit_count);
    return 0;
}

static int set_up(void **state) {
    (void)state;
    return set_up_with("format1");
}

/* With every kind of record. */
static int set_up_all(void **state) {
    (void)state;
    return set_up_with("format1-all");
}

static int tear_down(void **state) {
    (void)state;
    free(commits);
    events_free(&before);
    folder_free(&folder);
    return 0;
}

static const commit_t *last_commit(size_t from_behind) {
    return &commits[commit_count - 1 - from_behind];
}

/* What a start would make of it: the state's hash, or a refusal in words. */
static fob_journal_code_t start(uint64_t *hash, fob_journal_error_t *error) {
    *hash = 0;
    fob_journal_code_t code = fob_salvage_try(folder.path, hash, error);
    if (code != FOB_JOURNAL_OK)
        assert_int_equal(code, FOB_JOURNAL_DAMAGED);
    return code;
}

static void on_torn(void *arg, const char *name, uint64_t at, const char *text) {
    (void)name, (void)text;
    *(uint64_t *)arg = at;
}

/* What verify says: OK, with *torn the byte at which a tail is cut (0: none); or where. */
static fob_journal_code_t verify(uint64_t *torn, fob_journal_error_t *error) {
    const fob_inspect_t to = {.torn = on_torn, .arg = torn};
    *torn = 0;
    return fob_journal_inspect(folder.path, &to, error);
}

/* The program: it is ready and says `word`; or ends with 73 and says it. False: it does neither. */
static void program_says(bool ready, const char *word) {
    folder_t copy;
    char port[16], *err;
    folder_copy(&copy, &folder);
    snprintf(port, sizeof port, "%d", process_port());
    process_t *bus = process_fob("serve", "--data", copy.path, "--port", port, NULL);
    const char *line = process_line(bus, PROCESS_OUT, PACE_PATIENCE);
    assert_int_equal(line != NULL, ready);
    if (ready)
        process_signal(bus, SIGTERM);
    assert_int_equal(process_wait(bus, PACE_PATIENCE), ready ? 0 : 73);
    err = process_rest(bus, PROCESS_ERR, NULL, 1000);
    if (!strstr(err, word))
        fail_msg("it does not say %s: %s", word, err);
    free(err);
    process_destroy(&bus);
    folder_free(&copy);
}

/* --- cuts --- */

/* Zeros from that byte on to the end of the last commit; gives back what was there. */
static void cut(const commit_t *last, uint64_t from, uint8_t *kept) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder.path, last->name);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    size_t size = (size_t)(last->at + last->bytes - from);
    assert_int_equal(fseek(file, (long)from, SEEK_SET), 0);
    assert_int_equal(fread(kept, 1, size, file), size);
    fclose(file);
    folder_zero(&folder, last->name, from, from + size);
}

static void restore(const commit_t *last, uint64_t from, const uint8_t *kept) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder.path, last->name);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, (long)from, SEEK_SET), 0);
    size_t size = (size_t)(last->at + last->bytes - from);
    assert_int_equal(fwrite(kept, 1, size, file), size);
    fclose(file);
}

/* Cuts a commit at each of its bytes: the state is the one before it, and what is torn is told. But
 * for zeros at its end, without which it is whole. */
static uint64_t cut_everywhere(const commit_t *commit, const commit_t *end, uint64_t with,
                               unsigned every) {
    uint8_t kept[8192];
    uint64_t hash, torn, without = 0;
    fob_journal_error_t error;
    for (uint64_t from = commit->at; from < commit->at + commit->bytes; from += CRASH_EVERY) {
        cut(end, from, kept);
        assert_int_equal(start(&hash, &error), FOB_JOURNAL_OK);
        assert_int_equal(verify(&torn, &error), FOB_JOURNAL_OK);
        if (from == commit->at)
            without = hash;
        assert_true(hash == without || hash == with);
        if (hash == without && from > commit->at)
            assert_int_equal(torn, commit->at);
        if (hash == without && from > commit->at && (from - commit->at) / CRASH_EVERY % every == 1)
            program_says(true, "A torn tail was cut");
        restore(end, from, kept);
    }
    return without;
}

static void the_last_commits_cut_at_every_byte_are_a_torn_tail(void **state) {
    (void)state;
    const commit_t *end = last_commit(0);
    unsigned every = 400 / crash_rounds(1) + 1;
    uint64_t whole, hash;
    fob_journal_error_t error;
    size_t count = 0;
    assert_int_equal(start(&whole, &error), FOB_JOURNAL_OK);
    hash = whole;
    for (; end->at + end->bytes - last_commit(count)->at < 2000; count++)
        hash = cut_everywhere(last_commit(count), end, hash, every);
    printf("the last %zu commits\n", count);
    assert_true(count >= 3);
    assert_int_equal(start(&hash, &error), FOB_JOURNAL_OK);
    assert_true(hash == whole);
}

static void a_cut_below_the_durable_mark_is_refused_with_its_place(void **state) {
    (void)state;
    const commit_t *end = last_commit(0);
    uint64_t mark = strtoull(folder_file(&folder, ".ckp", 1), NULL, 10), hash;
    fob_journal_error_t error;
    size_t tried = 0;
    for (size_t i = 0; i < commit_count; i++) {
        const commit_t *commit = last_commit(i);
        if (strcmp(commit->name, end->name) != 0 || commit->position + 3 < mark)
            break;
        if (commit->position > mark)
            continue;
        folder_zero(&folder, end->name, commit->at + commit->bytes / 2, end->at + end->bytes);
        assert_int_equal(start(&hash, &error), FOB_JOURNAL_DAMAGED);
        assert_non_null(strstr(error.text, commit->name));
        tried++;
    }
    assert_true(tried > 0);
    program_says(false, end->name);
}

/* --- flips --- */

static uint8_t byte_at(const char *name, uint64_t at) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder.path, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fseek(file, (long)at, SEEK_SET), 0);
    int byte = fgetc(file);
    assert_true(byte != EOF);
    fclose(file);
    return (uint8_t)byte;
}

static uint64_t salvages;

/* No event is a wrong one. */
static void salvage_is_right(void) {
    events_t after;
    events_read(&after, folder.path);
    events_within(&after, &before);
    events_free(&after);
    salvages++;
}

/* Flips one bit: verify and start say so, and name the file. `harmless`: a start may do without. */
static void flip(const char *name, uint64_t at, unsigned bit, bool harmless, uint64_t whole) {
    uint64_t hash, torn;
    fob_journal_error_t error = {0}, seen = {0};
    folder_flip(&folder, name, at, (unsigned char)(1u << bit));
    fob_journal_code_t looked = verify(&torn, &error), started = start(&hash, &seen);
    if (looked == FOB_JOURNAL_OK && torn == 0 && !harmless)
        fail_msg("%s, byte %llu, bit %u: verify finds nothing", name, (unsigned long long)at, bit);
    if (looked != FOB_JOURNAL_OK && !strstr(error.text, name))
        fail_msg("%s, byte %llu: it says %s", name, (unsigned long long)at, error.text);
    if (started != FOB_JOURNAL_OK && !strstr(seen.text, name))
        fail_msg("%s, byte %llu: a start says %s", name, (unsigned long long)at, seen.text);
    /* Where a start goes on, the state is what it was, or that of before a torn tail. */
    if (started == FOB_JOURNAL_OK && torn == 0 && hash != whole)
        fail_msg("%s, byte %llu, bit %u: the state is another one", name, (unsigned long long)at,
                 bit);
    salvage_is_right();
    folder_flip(&folder, name, at, (unsigned char)(1u << bit));
}

/* Each byte of from..to-1, one bit of it. */
static void flip_all(const char *name, uint64_t from, uint64_t to, bool harmless, uint64_t whole) {
    for (uint64_t at = from; at < to; at += CRASH_EVERY)
        flip(name, at, (unsigned)(at % 8), harmless, whole);
}

/* The records of a commit: where each begins, and its kind. */
typedef struct {
    uint64_t head, at, size;
    uint8_t kind;
} place_t;

static size_t places_of(const commit_t *commit, place_t *out, size_t most) {
    size_t count = 0;
    uint64_t at = commit->at + sizeof(fob_disk_commit_t);
    while (at < commit->at + commit->bytes && count < most) {
        uint64_t size = 0;
        for (unsigned i = 4; i-- > 0;)
            size = size << 8 | byte_at(commit->name, at + i);
        out[count++] = (place_t){at, at + sizeof(fob_disk_entry_t), size,
                                 byte_at(commit->name, at + sizeof(fob_disk_entry_t))};
        at += sizeof(fob_disk_entry_t) + fob_pad8(size);
    }
    return count;
}

static void a_flipped_bit_in_every_kind_of_record_is_reported_with_its_place(void **state) {
    (void)state;
    bool seen[16] = {false};
    uint64_t whole;
    fob_journal_error_t error;
    assert_int_equal(start(&whole, &error), FOB_JOURNAL_OK);
    for (size_t i = commit_count; i-- > 0;) {
        place_t places[32];
        size_t count = places_of(&commits[i], places, 32);
        for (size_t k = 0; k < count; k++) {
            const place_t *place = &places[k];
            assert_in_range(place->kind, 1, 15);
            if (seen[place->kind])
                continue;
            seen[place->kind] = true;
            /* Head of the commit, of the entry, of the record; and its last bytes. */
            flip_all(commits[i].name, commits[i].at, commits[i].at + sizeof(fob_disk_commit_t),
                     false, whole);
            flip_all(commits[i].name, place->head, place->at, false, whole);
            uint64_t head = place->size < 48 ? place->size : 48;
            flip_all(commits[i].name, place->at, place->at + head, false, whole);
            flip(commits[i].name, place->at + place->size - 1, 7, false, whole);
        }
    }
    for (unsigned kind = FOB_RECORD_EVENTS; kind < FOB_RECORD_KINDS; kind++)
        if (!seen[kind])
            fail_msg("there is no record of kind %u", kind);
    printf("%llu flips\n", (unsigned long long)salvages);
}

static void a_flipped_bit_beside_the_commits_is_reported_or_done_without(void **state) {
    (void)state;
    uint64_t whole;
    fob_journal_error_t error;
    assert_int_equal(start(&whole, &error), FOB_JOURNAL_OK);
    for (size_t i = 0; i < folder_count(&folder, ".seg"); i++) {
        char *name = strdup(folder_file(&folder, ".seg", i));
        flip_all(name, 0, sizeof(fob_disk_segment_t), false, whole);
        flip(name, 4000, 3, false, whole);
        free(name);
    }
    for (size_t i = 0; i < folder_count(&folder, ".ckp"); i++) {
        char *name = strdup(folder_file(&folder, ".ckp", i));
        flip_all(name, 0, 64 + 32 + 40, false, whole); /* its head, a slice's head, the slice */
        flip(name, 1000, 1, false, whole);
        free(name);
    }
    /* One of its two records is enough; the file's zeros mean nothing. */
    flip_all("epoch", 0, sizeof(fob_disk_epoch_t), true, whole);
    flip_all("epoch", FOB_EPOCH_SLOT, FOB_EPOCH_SLOT + sizeof(fob_disk_epoch_t), true, whole);
    printf("%llu flips\n", (unsigned long long)salvages);
}

static void the_program_names_the_place_of_damage(void **state) {
    (void)state;
    /* Above the checkpoint, below a later commit's mark. */
    const commit_t *commit = last_commit(8);
    char word[64];
    folder_flip(&folder, commit->name, commit->at + 100, 1);
    snprintf(word, sizeof word, "byte %llu", (unsigned long long)commit->at);
    program_says(false, word);
    program_says(false, commit->name);
    folder_flip(&folder, commit->name, commit->at + 100, 1);
    /* Both records of the epoch file; the newest checkpoint. */
    folder_flip(&folder, "epoch", 30, 1);
    program_says(true, "epoch is damaged; the other is used");
    folder_flip(&folder, "epoch", FOB_EPOCH_SLOT + 30, 1);
    program_says(false, "epoch is damaged");
    folder_flip(&folder, "epoch", 30, 1);
    folder_flip(&folder, "epoch", FOB_EPOCH_SLOT + 30, 1);
    folder_flip(&folder, folder_file(&folder, ".ckp", 1), 300, 1);
    program_says(true, "The one before it is used");
}

FOB_MAIN(FOB_CASE_WITH(the_last_commits_cut_at_every_byte_are_a_torn_tail, set_up, tear_down),
         FOB_CASE_WITH(a_cut_below_the_durable_mark_is_refused_with_its_place, set_up, tear_down),
         FOB_CASE_WITH(a_flipped_bit_in_every_kind_of_record_is_reported_with_its_place, set_up_all,
                       tear_down),
         FOB_CASE_WITH(a_flipped_bit_beside_the_commits_is_reported_or_done_without, set_up,
                       tear_down),
         FOB_CASE_WITH(the_program_names_the_place_of_damage, set_up, tear_down))
