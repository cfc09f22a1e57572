#include "tests/support/case.h"

#include "sim_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#define SEEDS 200

typedef struct {
    sim_disk_t *sim;
    const fob_disk_t *disk;
} on_t;

static on_t on(sim_disk_t *sim) {
    return (on_t){sim, sim_disk_table(sim)};
}

/* A disk with a synced, empty folder /d. */
static on_t new_disk(uint64_t bytes) {
    on_t self = on(sim_disk_new(1, bytes));
    assert_int_equal(self.disk->mkdir(self.disk->arg, "/d", 0700), 0);
    int fd = self.disk->open(self.disk->arg, "/", O_RDONLY | O_DIRECTORY, 0);
    assert_int_equal(self.disk->fsync(self.disk->arg, fd), 0);
    self.disk->close(self.disk->arg, fd);
    return self;
}

static int make(on_t self, const char *path) {
    int fd = self.disk->open(self.disk->arg, path, O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0);
    return fd;
}

static ssize_t put(on_t self, int fd, uint64_t at, const char *text) {
    struct iovec part = {(void *)(uintptr_t)text, strlen(text)};
    return self.disk->pwritev(self.disk->arg, fd, &part, 1, (off_t)at);
}

static void sync_folder(on_t self) {
    int fd = self.disk->open(self.disk->arg, "/d", O_RDONLY | O_DIRECTORY, 0);
    assert_true(fd >= 0);
    assert_int_equal(self.disk->fsync(self.disk->arg, fd), 0);
    self.disk->close(self.disk->arg, fd);
}

/* A durable file of one sector that says "old". */
static int make_old(on_t self) {
    int fd = make(self, "/d/f");
    assert_int_equal(put(self, fd, 0, "old old old"), 11);
    assert_int_equal(self.disk->fsync(self.disk->arg, fd), 0);
    sync_folder(self);
    return fd;
}

static bool says(const sim_disk_t *sim, const char *path, const char *text) {
    char data[64];
    size_t length = strlen(text);
    if (sim_disk_size(sim, path) < (int64_t)length)
        return false;
    sim_disk_peek(sim, path, 0, data, length);
    return memcmp(data, text, length) == 0;
}

static void what_was_synced_is_there_after_each_crash(void **state) {
    (void)state;
    on_t self = new_disk(1 << 20);
    int fd = make_old(self);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        sim_disk_t *after = sim_disk_crash(self.sim, seed);
        assert_true(says(after, "/d/f", "old old old"));
        sim_disk_destroy(&after);
    }
    self.disk->close(self.disk->arg, fd);
    sim_disk_destroy(&self.sim);
}

static void what_was_not_synced_is_kept_dropped_or_trashed(void **state) {
    (void)state;
    on_t self = new_disk(1 << 20);
    int fd = make_old(self);
    unsigned kept = 0, dropped = 0, trashed = 0;
    assert_int_equal(put(self, fd, 4, "new"), 3);
    assert_true(says(self.sim, "/d/f", "old new old"));
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        sim_disk_t *after = sim_disk_crash(self.sim, seed);
        bool new = says(after, "/d/f", "old new old"), old = says(after, "/d/f", "old old old");
        kept += new;
        dropped += old;
        trashed += !new && !old;
        assert_true(says(after, "/d/f", "old ")); /* what was not written is not harmed */
        sim_disk_destroy(&after);
    }
    assert_true(kept > 0 && dropped > 0 && trashed > 0);
    self.disk->close(self.disk->arg, fd);
    sim_disk_destroy(&self.sim);
}

static void a_kill_loses_nothing(void **state) {
    (void)state;
    on_t self = new_disk(1 << 20);
    int fd = make(self, "/d/f");
    assert_int_equal(put(self, fd, 0, "new"), 3);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        sim_disk_t *after = sim_disk_kill(self.sim, seed);
        assert_true(says(after, "/d/f", "new"));
        sim_disk_destroy(&after);
    }
    self.disk->close(self.disk->arg, fd);
    sim_disk_destroy(&self.sim);
}

static void what_a_kill_left_may_be_lost_with_power(void **state) {
    (void)state;
    on_t self = new_disk(1 << 20);
    unsigned gone = 0, empty = 0;
    int fd = make(self, "/d/f");
    assert_int_equal(put(self, fd, 0, "new"), 3);
    sim_disk_t *killed = sim_disk_kill(self.sim, 1);
    assert_true(says(killed, "/d/f", "new"));
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        sim_disk_t *after = sim_disk_crash(killed, seed);
        gone += sim_disk_size(after, "/d/f") < 0;
        empty += sim_disk_size(after, "/d/f") >= 0 && !says(after, "/d/f", "new");
        sim_disk_destroy(&after);
    }
    assert_true(gone > 0 && empty > 0 && gone + empty < SEEDS);
    sim_disk_destroy(&killed);
    self.disk->close(self.disk->arg, fd);
    sim_disk_destroy(&self.sim);
}

static void names_are_durable_once_the_folder_is_synced(void **state) {
    (void)state;
    on_t self = new_disk(1 << 20);
    int fd = make_old(self);
    unsigned renamed = 0, kept = 0;
    assert_int_equal(self.disk->rename(self.disk->arg, "/d/f", "/d/g"), 0);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        sim_disk_t *after = sim_disk_crash(self.sim, seed);
        bool f = says(after, "/d/f", "old"), g = says(after, "/d/g", "old");
        assert_true(f != g); /* a rename is whole */
        renamed += g;
        kept += f;
        sim_disk_destroy(&after);
    }
    assert_true(renamed > 0 && kept > 0);
    sync_folder(self);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        sim_disk_t *after = sim_disk_crash(self.sim, seed);
        assert_true(says(after, "/d/g", "old") && sim_disk_size(after, "/d/f") < 0);
        sim_disk_destroy(&after);
    }
    self.disk->close(self.disk->arg, fd);
    sim_disk_destroy(&self.sim);
}

static void a_new_folder_may_be_gone_with_all_in_it(void **state) {
    (void)state;
    on_t self = new_disk(1 << 20);
    unsigned gone = 0;
    assert_int_equal(self.disk->mkdir(self.disk->arg, "/d/e", 0700), 0);
    int fd = make(self, "/d/e/f");
    assert_int_equal(self.disk->fsync(self.disk->arg, fd), 0);
    int folder = self.disk->open(self.disk->arg, "/d/e", O_RDONLY | O_DIRECTORY, 0);
    assert_int_equal(self.disk->fsync(self.disk->arg, folder), 0);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        sim_disk_t *after = sim_disk_crash(self.sim, seed);
        bool there = sim_disk_size(after, "/d/e") >= 0;
        assert_true(there == (sim_disk_size(after, "/d/e/f") >= 0));
        gone += !there;
        sim_disk_destroy(&after);
    }
    assert_true(gone > 0 && gone < SEEDS);
    self.disk->close(self.disk->arg, fd);
    self.disk->close(self.disk->arg, folder);
    sim_disk_destroy(&self.sim);
}

static void a_sync_after_one_that_failed_writes_nothing(void **state) {
    (void)state;
    on_t self = new_disk(1 << 20);
    int fd = make_old(self);
    unsigned lost = 0;
    assert_int_equal(put(self, fd, 0, "new"), 3);
    sim_disk_faults(self.sim, (sim_faults_t){.sync_error = 1});
    assert_int_equal(self.disk->fdatasync(self.disk->arg, fd), -1);
    assert_int_equal(errno, EIO);
    sim_disk_faults(self.sim, (sim_faults_t){0});
    assert_int_equal(self.disk->fdatasync(self.disk->arg, fd), 0);
    assert_true(says(self.sim, "/d/f", "new old old"));
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        sim_disk_t *after = sim_disk_crash(self.sim, seed);
        lost += says(after, "/d/f", "old old old");
        sim_disk_destroy(&after);
    }
    assert_true(lost > 0);
    assert_int_equal(put(self, fd, 0, "new"), 3); /* written again it is taken */
    assert_int_equal(self.disk->fdatasync(self.disk->arg, fd), 0);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        sim_disk_t *after = sim_disk_crash(self.sim, seed);
        assert_true(says(after, "/d/f", "new old old"));
        sim_disk_destroy(&after);
    }
    self.disk->close(self.disk->arg, fd);
    sim_disk_destroy(&self.sim);
}

static void a_full_disk_takes_what_it_has_room_for(void **state) {
    (void)state;
    on_t self = new_disk(2 * 4096);
    static char much[3 * 4096];
    memset(much, 'x', sizeof much - 1);
    int fd = make(self, "/d/f");
    assert_int_equal(put(self, fd, 0, much), 2 * 4096);
    assert_int_equal(put(self, fd, 2 * 4096, "y"), -1);
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(put(self, fd, 4096, "y"), 1); /* in place */
    int other = make(self, "/d/g");
    assert_int_equal(self.disk->fallocate(self.disk->arg, other, 0, 4096), -1);
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(self.disk->unlink(self.disk->arg, "/d/f"), 0);
    assert_int_equal(self.disk->fallocate(self.disk->arg, other, 0, 4096), -1); /* still open */
    self.disk->close(self.disk->arg, fd);
    assert_int_equal(self.disk->fallocate(self.disk->arg, other, 0, 4096), 0);
    self.disk->close(self.disk->arg, other);
    sim_disk_destroy(&self.sim);
}

static void the_faults_asked_for_strike_and_are_counted(void **state) {
    (void)state;
    on_t self = new_disk(1 << 20);
    char data[16];
    int fd = make_old(self);
    sim_disk_faults(self.sim, (sim_faults_t){.write_error = 1, .read_error = 1, .name_error = 1});
    assert_int_equal(put(self, fd, 0, "new"), -1);
    assert_int_equal(self.disk->pread(self.disk->arg, fd, data, 3, 0), -1);
    assert_int_equal(self.disk->rename(self.disk->arg, "/d/f", "/d/g"), -1);
    assert_int_equal(sim_disk_tally(self.sim).errors, 3);
    sim_disk_faults(self.sim, (sim_faults_t){.short_write = 1, .short_read = 1});
    assert_true(put(self, fd, 0, "a longer text") <= 13);
    ssize_t got = self.disk->pread(self.disk->arg, fd, data, 11, 0);
    assert_true(got > 0 && got <= 11);
    assert_int_equal(sim_disk_tally(self.sim).shorts, 2);
    self.disk->close(self.disk->arg, fd);
    sim_disk_destroy(&self.sim);
}

static void a_lock_on_a_folder_keeps_others_out_until_closed(void **state) {
    (void)state;
    on_t self = new_disk(1 << 20);
    int one = self.disk->open(self.disk->arg, "/d", O_RDONLY | O_DIRECTORY, 0);
    int two = self.disk->open(self.disk->arg, "/d", O_RDONLY | O_DIRECTORY, 0);
    assert_int_equal(self.disk->flock(self.disk->arg, one, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(self.disk->flock(self.disk->arg, two, LOCK_EX | LOCK_NB), -1);
    assert_int_equal(errno, EWOULDBLOCK);
    assert_int_equal(sim_disk_open_files(self.sim), 2);
    self.disk->close(self.disk->arg, one);
    assert_int_equal(self.disk->flock(self.disk->arg, two, LOCK_EX | LOCK_NB), 0);
    self.disk->close(self.disk->arg, two);
    assert_int_equal(sim_disk_open_files(self.sim), 0);
    sim_disk_destroy(&self.sim);
}

static void a_flipped_bit_is_on_disk_too(void **state) {
    (void)state;
    on_t self = new_disk(1 << 20);
    int fd = make_old(self);
    uint64_t before = sim_disk_hash(self.sim);
    sim_disk_flip(self.sim, "/d/f", 4, 'o' ^ 'O');
    assert_true(says(self.sim, "/d/f", "old Old old"));
    assert_true(sim_disk_hash(self.sim) != before);
    sim_disk_t *after = sim_disk_crash(self.sim, 1);
    assert_true(says(after, "/d/f", "old Old old"));
    sim_disk_destroy(&after);
    self.disk->close(self.disk->arg, fd);
    sim_disk_destroy(&self.sim);
}

FOB_MAIN(FOB_CASE(what_was_synced_is_there_after_each_crash),
         FOB_CASE(what_was_not_synced_is_kept_dropped_or_trashed), FOB_CASE(a_kill_loses_nothing),
         FOB_CASE(what_a_kill_left_may_be_lost_with_power),
         FOB_CASE(names_are_durable_once_the_folder_is_synced),
         FOB_CASE(a_new_folder_may_be_gone_with_all_in_it),
         FOB_CASE(a_sync_after_one_that_failed_writes_nothing),
         FOB_CASE(a_full_disk_takes_what_it_has_room_for),
         FOB_CASE(the_faults_asked_for_strike_and_are_counted),
         FOB_CASE(a_lock_on_a_folder_keeps_others_out_until_closed),
         FOB_CASE(a_flipped_bit_is_on_disk_too))
