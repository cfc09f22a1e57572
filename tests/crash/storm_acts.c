/* What operators do in a storm: each act is confirmed, and then it is so; or it is not, and then it
 * is so or not. */
#include "crash_kit.h"
#include "storm.h"

#include "bus/salvage/salvage.h"
#include "tests/support/case.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define PATIENCE PACE_PATIENCE

static process_t *fob(const char *words) {
    char *command = NULL;
    assert_true(asprintf(&command, "exec '%s' %s", getenv("FOB_BINARY"), words) > 0);
    process_t *process = process_spawn((const char *const[]){"sh", "-c", command, NULL});
    free(command);
    return process;
}

void storm_act_begin(storm_t *self) {
    char words[128];
    unsigned temp = (unsigned)storm_draw(self, STORM_TEMPS);
    self->to = self->is;
    switch (storm_draw(self, 7)) {
    case 0:
    case 1:
        self->to.temps[temp] = !self->is.temps[temp];
        snprintf(words, sizeof words,
                 self->to.temps[temp] ? "group add temp%u letter" : "group rm temp%u", temp);
        break;
    case 2:
        self->to.paused = !self->is.paused;
        snprintf(words, sizeof words, "group %s idle", self->to.paused ? "pause" : "resume");
        break;
    case 3:
        self->to.max_attempts = 1 + (long long)storm_draw(self, 50);
        snprintf(words, sizeof words, "group set idle max_attempts=%lld", self->to.max_attempts);
        break;
    case 4:
        snprintf(words, sizeof words, "group purge idle");
        break;
    case 5:
        snprintf(words, sizeof words, "group reset idle --to earliest");
        break;
    default:
        snprintf(words, sizeof words, "dead redrive letters");
    }
    self->act = fob(words);
    self->acts++;
}

static json_t *groups(void) {
    char *out = stand_do("group", "ls", "--json", NULL);
    json_t *all = json_loads(out, 0, NULL);
    assert_non_null(all);
    free(out);
    return all;
}

/* The bus's groups are as they were before, or (`done`: and no other way) as they were asked to be.
 */
static void look(storm_t *self, bool done) {
    __typeof__(self->is) now = {0};
    json_t *all = groups(), *each;
    size_t i, known = 0;
    json_array_foreach(all, i, each) {
        const char *name = json_string_value(json_object_get(each, "group"));
        const json_t *settings = json_object_get(each, "settings");
        unsigned temp;
        if (sscanf(name, "temp%u", &temp) == 1 && temp < STORM_TEMPS)
            now.temps[temp] = true;
        else
            known++;
        if (strcmp(name, "idle") != 0)
            continue;
        now.paused = json_is_true(json_object_get(settings, "paused"));
        now.max_attempts = json_integer_value(json_object_get(settings, "max_attempts"));
    }
    json_decref(all);
    assert_int_equal(known, 5);
    bool old = now.paused == self->is.paused && now.max_attempts == self->is.max_attempts &&
               memcmp(now.temps, self->is.temps, sizeof now.temps) == 0;
    bool new = now.paused == self->to.paused &&now.max_attempts ==
               self->to.max_attempts &&memcmp(now.temps, self->to.temps, sizeof now.temps) == 0;
    if (!new && (done || !old))
        fail_msg("idle is %s with max_attempts=%lld, there are temporary groups %d%d%d%d; what was "
                 "asked for %s",
                 now.paused ? "paused" : "not paused", now.max_attempts, now.temps[0], now.temps[1],
                 now.temps[2], now.temps[3], done ? "was confirmed" : "was not confirmed");
    self->is = now;
}

void storm_act_end(storm_t *self) {
    int code = process_wait(self->act, PATIENCE);
    assert_true(code != -1);
    process_destroy(&self->act);
    self->acts_good += code == 0;
    look(self, code == 0);
}

static char *copy_path(const storm_t *self) {
    char name[32];
    snprintf(name, sizeof name, "copy%u", self->backups);
    return stand_path(&self->stand, name);
}

void storm_backup_begin(storm_t *self) {
    self->backups++;
    char *copy = copy_path(self);
    self->backup = process_fob("journal", "backup", copy, "--data", self->stand.data, NULL);
    free(copy);
}

void storm_backup_end(storm_t *self) {
    char *copy = copy_path(self), *err = NULL;
    int code = process_wait(self->backup, PATIENCE);
    assert_true(code != -1 && code < 128);
    process_destroy(&self->backup);
    if (code == 0) {
        if (process_run_fob(NULL, NULL, &err, "journal", "verify", copy, NULL) != 0)
            fail_msg("a backup is not whole: %s", err);
        uint64_t hash;
        fob_journal_error_t error;
        if (fob_salvage_try(copy, &hash, &error) != FOB_JOURNAL_OK)
            fail_msg("a start would not take a backup: %s", error.text);
        self->backups_good++;
        process_run((const char *const[]){"rm", "-rf", copy, NULL}, NULL, NULL, NULL);
    } else {
        assert_int_equal(access(copy, F_OK), -1); /* what was not told to be one is none */
    }
    free(err);
    free(copy);
}
