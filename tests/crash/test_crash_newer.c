/* Folders of which a part is of a newer format: they are refused by that word, and nothing is
 * written into them. */
#include "crash_kit.h"

#include "bus/core/durable/record.h"
#include "bus/core/table/little.h"
#include "bus/journal/format.h"

#include <stdlib.h>
#include <xxhash.h>

#define CHECKPOINT_VERSION 5u /* FOB_SLICE_VERSION of bus/core/durable/checkpoint.h */

static folder_t folder;

static int set_up(void **state) {
    (void)state;
    folder_golden(&folder);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    folder_free(&folder);
    return 0;
}

/* --- files, rewritten --- */

static FILE *open_file(const char *name, long at) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder.path, name);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    return file;
}

static void get(const char *name, uint64_t at, void *out, size_t size) {
    FILE *file = open_file(name, (long)at);
    assert_int_equal(fread(out, 1, size, file), size);
    fclose(file);
}

static void put(const char *name, uint64_t at, const void *data, size_t size) {
    FILE *file = open_file(name, (long)at);
    assert_int_equal(fwrite(data, 1, size, file), size);
    fclose(file);
}

/* --- the newer program's part --- */

static void newer_epoch(uint64_t at) {
    fob_disk_epoch_t epoch;
    get("epoch", at, &epoch, sizeof epoch);
    epoch.version = FOB_FORMAT_VERSION + 1;
    epoch.checksum = XXH3_64bits((uint8_t *)&epoch + 8, sizeof epoch - 8);
    put("epoch", at, &epoch, sizeof epoch);
}

static void newer_segment(const char *name) {
    uint8_t page[FOB_SEGMENT_HEADER_BYTES];
    get(name, 0, page, sizeof page);
    fob_put32(page + 16, FOB_FORMAT_VERSION + 1);
    fob_put64(page, XXH3_64bits(page + 8, sizeof page - 8));
    put(name, 0, page, sizeof page);
}

static uint64_t seed_of(const char *name) {
    fob_disk_segment_t head;
    get(name, 0, &head, sizeof head);
    return head.seed;
}

/* The last commit: of a newer version, or (`kind`) with a first record that is of one. */
static void newer_commit(uint8_t kind) {
    size_t count;
    commit_t *all = folder_commits(&folder, &count), last = all[count - 1];
    uint8_t *bytes = malloc((size_t)last.bytes);
    fob_disk_commit_t head;
    free(all);
    get(last.name, last.at, bytes, (size_t)last.bytes);
    memcpy(&head, bytes, sizeof head);
    if (kind)
        bytes[sizeof head + sizeof(fob_disk_entry_t)] = kind;
    else
        head.version = FOB_FORMAT_VERSION + 1;
    struct iovec payload = {bytes + sizeof head, (size_t)last.bytes - sizeof head};
    fob_format_commit_seal(&head, seed_of(last.name), &payload, 1);
    memcpy(bytes, &head, sizeof head);
    put(last.name, last.at, bytes, (size_t)last.bytes);
    free(bytes);
}

static void newer_checkpoint(const char *name) {
    fob_disk_checkpoint_t head;
    get(name, 0, &head, sizeof head);
    head.version = FOB_FORMAT_VERSION + 1;
    head.checksum = XXH3_64bits((uint8_t *)&head + 8, sizeof head - 8);
    put(name, 0, &head, sizeof head);
}

static void other_slice(const char *name, uint32_t version) {
    fob_disk_checkpoint_t head;
    fob_disk_slice_t slice;
    uint64_t at = sizeof head;
    get(name, 0, &head, sizeof head);
    get(name, at, &slice, sizeof slice);
    uint8_t *bytes = calloc(1, fob_pad8(slice.length));
    get(name, at + sizeof slice, bytes, slice.length);
    fob_put32(bytes + 4, version);
    fob_format_slice_seal(&slice, head.seed, slice.index, slice.upto, bytes, slice.length);
    put(name, at, &slice, sizeof slice);
    put(name, at + sizeof slice, bytes, slice.length);
    free(bytes);
}

/* --- what is said --- */

static void says(const char *command, const char *const *argv, const char *word) {
    char *err = NULL;
    int code = process_run(argv, NULL, NULL, &err);
    if (code != 73 || !strstr(err, word))
        fail_msg("%s: exit %d, it does not say %s: %s", command, code, word, err);
    free(err);
}

static void refused_by_all(const char *word) {
    const char *fob = getenv("FOB_BINARY");
    char port[16], *to = folder_beside(&folder, "to");
    snprintf(port, sizeof port, "%d", process_port());
    says("backup", (const char *const[]){fob, "journal", "backup", to, "--data", folder.path, NULL},
         word);
    says("salvage", (const char *const[]){fob, "journal", "salvage", folder.path, "--to", to, NULL},
         word);
    says("serve", (const char *const[]){fob, "serve", "--data", folder.path, "--port", port, NULL},
         word);
    free(to);
}

/* Its files have the bytes that they had; the file that tells who uses it may come. */
static void refused_untouched(void) {
    uint64_t before = folder_digest(&folder);
    says("verify",
         (const char *const[]){getenv("FOB_BINARY"), "journal", "verify", folder.path, NULL},
         "newer version");
    refused_by_all("newer version of fob");
    if (folder_count(&folder, "lock"))
        folder_remove_file(&folder, "lock");
    assert_true(folder_digest(&folder) == before);
}

static void a_newer_epoch_file_is_refused(void **state) {
    (void)state;
    newer_epoch(0);
    refused_untouched();
    newer_epoch(FOB_EPOCH_SLOT);
    refused_untouched();
}

static void a_newer_segment_is_refused(void **state) {
    (void)state;
    size_t count;
    commit_t *all = folder_commits(&folder, &count);
    newer_segment(all[count - 1].name);
    free(all);
    refused_untouched();
}

static void a_newer_commit_is_refused_and_no_torn_tail(void **state) {
    (void)state;
    newer_commit(0);
    refused_untouched();
}

static void a_newer_checkpoint_is_refused_though_there_is_an_older_one(void **state) {
    (void)state;
    newer_checkpoint(folder_file(&folder, ".ckp", 1));
    refused_untouched();
}

/* Such folders there are not: a newer kind or slice comes with a newer journal. All the same. */
static void a_record_or_a_slice_that_is_newer_than_its_journal_is_refused(void **state) {
    (void)state;
    folder_t copy = folder;
    folder_copy(&folder, &copy);
    newer_commit(FOB_RECORD_KINDS);
    refused_by_all("newer version of fob knows");
    folder_free(&folder);
    folder = copy;
    other_slice(folder_file(&folder, ".ckp", 1), CHECKPOINT_VERSION + 1);
    refused_by_all("newer version of fob knows");
}

static void a_checkpoint_from_before_the_first_release_is_refused_by_its_number(void **state) {
    (void)state;
    other_slice(folder_file(&folder, ".ckp", 1), 3);
    refused_by_all("of version 3, which was in no release");
}

FOB_MAIN(FOB_CASE_WITH(a_newer_epoch_file_is_refused, set_up, tear_down),
         FOB_CASE_WITH(a_newer_segment_is_refused, set_up, tear_down),
         FOB_CASE_WITH(a_newer_commit_is_refused_and_no_torn_tail, set_up, tear_down),
         FOB_CASE_WITH(a_newer_checkpoint_is_refused_though_there_is_an_older_one, set_up,
                       tear_down),
         FOB_CASE_WITH(a_record_or_a_slice_that_is_newer_than_its_journal_is_refused, set_up,
                       tear_down),
         FOB_CASE_WITH(a_checkpoint_from_before_the_first_release_is_refused_by_its_number, set_up,
                       tear_down))
