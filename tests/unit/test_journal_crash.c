/* Killed at any moment: what was said to be durable is there. */
#include "journal_support.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the process that will be killed says on its pipe. */
typedef struct {
    uint64_t position, offset, checkpoint;
} said_t;

static bool count_record(void *arg, const fob_stored_t *record) {
    said_t *head = arg;
    head->position = record->position;
    if (record->count > 0)
        head->offset = record->first_offset + record->count - 1;
    return true;
}

/* A checkpoint holds the head as it was when it was finished. */
static bool count_slice(void *arg, const uint8_t *data, size_t size) {
    if (size == sizeof(said_t))
        memcpy(arg, data, size);
    return size == sizeof(said_t);
}

/* Appends, takes checkpoints and trims until killed; never returns. */
static void run_until_killed(const fob_file_options_t *options, int pipe) {
    fob_journal_t *journal = fob_journal_file_open(options, NULL);
    if (journal == NULL)
        _exit(3);
    const fob_journal_ops_t *ops = journal->ops;
    said_t head = {0}, said = {0};
    fob_replay_t to = {count_slice, count_record, &head};
    if (ops->replay(journal, &to, NULL) != FOB_JOURNAL_OK)
        _exit(4);
    static uint8_t bytes[700];
    for (;;) {
        size_t size = (size_t)(head.position * 131 % sizeof bytes);
        for (size_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)((head.offset + 1) * 31 + i * 7 + 1);
        while (!ops->reserve(journal, size))
            wait_turn();
        fob_entry_t entry = {head.offset + 1, 2, 1, {{bytes, size}}};
        head.offset += 2;
        head.position = ops->append(journal, &entry, 1, true);
        if (ops->checkpoint_due(journal)) {
            ops->checkpoint_begin(journal, head.position);
            ops->checkpoint_slice(journal, (const uint8_t *)&head, sizeof head);
            ops->checkpoint_finish(journal);
        }
        /* The bytes are used again, so each is waited for; with level os that is after the write.
         */
        while (ops->durable(journal) < head.position) {
            ops->clear(journal);
            if (ops->durable(journal) >= head.position)
                break;
            if (!wait_news(journal))
                _exit(5);
        }
        fob_journal_stats_t stats;
        ops->stats(journal, &stats);
        said = (said_t){head.position, head.offset, stats.checkpoint_position};
        if (write(pipe, &said, sizeof said) != (ssize_t)sizeof said)
            _exit(6);
        if (head.position % 64 == 0)
            ops->trim(journal, head.offset, INT64_MAX / 2);
    }
}

/* Runs until it has said something `times` times; returns what was said last. */
static said_t run_and_kill(const fob_file_options_t *options, unsigned times) {
    int ends[2], status;
    said_t said = {0}, next;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        run_until_killed(options, ends[1]);
    }
    close(ends[1]);
    while (times-- > 0 && read(ends[0], &next, sizeof next) == (ssize_t)sizeof next)
        said = next;
    kill(child, SIGKILL);
    while (read(ends[0], &next, sizeof next) == (ssize_t)sizeof next)
        said = next; /* said before it died */
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFSIGNALED(status))
        fail_msg("ended by itself with %d", WEXITSTATUS(status));
    return said;
}

static bool check_record(void *arg, const fob_stored_t *record) {
    said_t *head = arg;
    assert_int_equal(record->first_offset, 2 * record->position - 1);
    assert_true(is_events(record, (size_t)((record->position - 1) * 131 % 700)));
    return count_record(head, record);
}

static void survives_kills(fob_sync_t sync) {
    char *folder = folder_new();
    fob_file_options_t options = small_options(folder);
    options.sync = sync;
    options.max_bytes = 2u << 20; /* a checkpoint every 256 KiB */
    options.retain_bytes = 1;
    said_t before = {0};
    for (unsigned round = 0; round < 12; round++) {
        said_t said = run_and_kill(&options, 100 + round * 7919 % 200);
        assert_true(said.position > before.position);
        said_t head = {0};
        fob_replay_t to = {count_slice, check_record, &head};
        fob_journal_t *journal = open_ok(&options);
        assert_int_equal(journal->ops->replay(journal, &to, NULL), FOB_JOURNAL_OK);
        assert_true(head.position >= said.position);
        assert_in_range(head.position - said.position, 0, 1); /* nothing was made up */
        assert_int_equal(head.offset, 2 * head.position);
        fob_page_t page = read_page(journal, said.offset, 1);
        assert_int_equal(page.code, FOB_JOURNAL_OK);
        free(page.memory);
        journal->ops->close(&journal);
        before = said;
    }
    assert_true(before.checkpoint > 0);
    folder_remove(&folder);
}

static void what_was_durable_on_disk_outlives_kills(void **state) {
    (void)state;
    survives_kills(FOB_SYNC_ALWAYS);
}

static void what_was_durable_at_the_system_outlives_kills(void **state) {
    (void)state;
    survives_kills(FOB_SYNC_OS);
}

FOB_MAIN(FOB_CASE(what_was_durable_on_disk_outlives_kills),
         FOB_CASE(what_was_durable_at_the_system_outlives_kills))
