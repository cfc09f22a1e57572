/* A disk of 64 MiB filled by a publisher while nobody works: refused by name, nothing lost, and it
 * recovers by itself. */
#include "tests/support/case.h"
#include "tests/support/stand.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define DISK "64m"
#ifndef BYTES
#define BYTES 4000 /* of one event's data */
#endif
#define MIB_OF(events) ((events) * (size_t)BYTES >> 20)

/* A small disk of the test's own: a tmpfs that nobody else sees and that goes with this process.
 * NULL: it may not be had here (no root); then max_disk stands for it. */
static char *small_disk(void) {
    char *at = process_folder();
    if (unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
        mount("fob-test", at, "tmpfs", 0, "size=" DISK) == 0)
        return at;
    printf("no disk of %s for this user (%s): max_disk stands for it\n", DISK, strerror(errno));
    process_folder_remove(&at);
    return NULL;
}

static bool put(process_t *pub, size_t n) {
    static char line[BYTES + 64];
    int at = snprintf(line, sizeof line, "{\"n\":%zu,\"p\":\"", n);
    memset(line + at, 'x', BYTES);
    strcpy(line + at + BYTES, "\"}\n");
    return process_puts(pub, line);
}

static size_t count_lines(const char *path) {
    char *text = stand_read(path);
    size_t lines = 0;
    /* Not by strchr: a sanitizer looks at the whole rest of the text each time. */
    for (const char *at = text; *at; at++)
        lines += *at == '\n';
    free(text);
    return lines;
}

static void a_full_disk_refuses_by_name_and_recovers_once_a_worker_drains_it(void **state) {
    (void)state;
    stand_t stand;
    char *disk = small_disk(), *data = NULL;
    if (disk)
        assert_true(asprintf(&data, "%s/data", disk) > 0);
    stand_start_with(&stand, disk ? NULL : "max_disk = 51MiB\n", data);
    free(data);
    free(stand_do("group", "add", "billing", "order_placed", "max_bytes=1GiB", NULL));
    char *receipts = stand_path(&stand, "receipts"), *handled = stand_path(&stand, "handled");
    char words[96];
    snprintf(words, sizeof words, "pub order_placed --lines --json --deadline %s",
             pace_option(4000));
    process_t *pub = stand_fob_to(receipts, words);
    size_t n = 0;
    while (MIB_OF(n) < 150 && process_wait(pub, 0) == -1 && put(pub, n))
        n++;
    process_close_input(pub);
    assert_int_equal(process_wait(pub, PACE_PATIENCE), 75);
    const char *said = process_line(pub, PROCESS_ERR, 1000);
    printf("%s\n", said ? said : "(nothing)");
    assert_non_null(said);
    assert_non_null(strstr(said, "DISK_FULL"));
    assert_non_null(strstr(said, "group billing needs what is stored from offset 1 on"));
    size_t confirmed = count_lines(receipts);
    printf("%zu events of %d bytes confirmed\n", confirmed, BYTES);
    assert_true(MIB_OF(confirmed) > 18);

    /* Publishing resumes without a restart while a worker drains. */
    process_t *again =
        process_fob("pub", "order_placed", "{\"n\":999999}", "--deadline", "9m", NULL);
    process_t *worker = stand_fob_to(handled, "work billing order_placed --json");
    assert_int_equal(process_wait(again, 6 * PACE_PATIENCE), 0);
    stand_await_settled(&stand);
    process_signal(worker, SIGTERM);
    assert_int_equal(process_wait(worker, PACE_PATIENCE), 0);
    size_t lines = count_lines(handled);
    printf("%zu handled\n", lines);
    assert_true(lines >= confirmed + 1); /* nothing that was confirmed is lost */
    assert_int_equal(stand_figure(&stand, "billing", "accepted"), lines);

    /* And as much again goes through. */
    worker = (process_destroy(&worker), stand_fob_to(handled, "work billing order_placed --json"));
    process_t *more = stand_fob_to(receipts, "pub order_placed --lines --deadline 9m");
    for (n = 0; MIB_OF(n) < 76; n++)
        assert_true(put(more, n));
    process_close_input(more);
    assert_int_equal(process_wait(more, 6 * PACE_PATIENCE), 0);
    stand_await_settled(&stand);
    process_destroy(&more);
    process_destroy(&worker);
    process_destroy(&again);
    process_destroy(&pub);
    free(receipts);
    free(handled);
    stand_end(&stand);
    if (disk) {
        umount2(disk, MNT_DETACH);
        process_folder_remove(&disk);
    }
}

FOB_MAIN(FOB_CASE(a_full_disk_refuses_by_name_and_recovers_once_a_worker_drains_it))
