#include "publishers/commands/outcome.h"

#include "proto/cli/json.h"
#include "proto/cli/output.h"
#include "proto/wire.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* {"topic","shard","offset","id","level","duplicate","groups"}, and "differs" where a duplicate's
 * data did; an event without an id is known by its place. */
static void put_json(fob_buf_t *out, const fob_receipt_t *receipt) {
    bool stored = receipt->offset > 0;
    fob_text(out, "{\"topic\":");
    fob_json_string(out, fob_slice_str(receipt->topic));
    fob_textf(out, ",\"shard\":%" PRIu32 ",\"offset\":", receipt->shard);
    if (stored)
        fob_textf(out, "%" PRIu64 ",\"id\":", receipt->offset);
    else
        fob_text(out, "null,\"id\":");
    if (receipt->id && *receipt->id)
        fob_json_string(out, fob_slice_str(receipt->id));
    else if (stored)
        fob_textf(out, "\"%" PRIu32 "-%" PRIu64 "\"", receipt->shard, receipt->offset);
    else
        fob_text(out, "null");
    fob_text(out, ",\"level\":");
    fob_json_string(out, fob_slice_str(receipt->level ? receipt->level : "none"));
    fob_text(out, ",\"duplicate\":");
    if (receipt->duplicate_of > 0)
        fob_textf(out, "%" PRIu64, receipt->duplicate_of);
    else
        fob_text(out, "false");
    fob_textf(out, ",\"groups\":%" PRIu32 "%s}\n", receipt->groups,
              receipt->differs ? ",\"differs\":true" : "");
}

static void warn_alone(fob_outcome_t *self, const fob_receipt_t *receipt) {
    if (receipt->groups > 0 || self->alone)
        return;
    self->alone = true;
    fob_note(
        self->cli,
        "warning: no group takes %s: only those who are subscribed now see it (\"fob group ls\")",
        receipt->topic);
}

static void say(fob_outcome_t *self, const fob_receipt_t *receipt) {
    if (receipt->offset == 0) {
        fob_note(self->cli, "%s sent, unconfirmed", receipt->topic);
        return;
    }
    if (receipt->duplicate_of > 0) {
        fob_note(self->cli, "%s %s is a duplicate of %" PRIu64 ": not stored again%s",
                 receipt->topic, receipt->id ? receipt->id : "", receipt->duplicate_of,
                 receipt->differs ? ", and its data differs" : "");
        return;
    }
    fob_note(self->cli, "%s stored at %" PRIu32 ":%" PRIu64 " (%s), in %" PRIu32 " group%s",
             receipt->topic, receipt->shard, receipt->offset, receipt->level, receipt->groups,
             receipt->groups == 1 ? "" : "s");
    warn_alone(self, receipt);
}

/* Other data under a known id is dropped: more likely a mistake than a repetition. Said once; how
 * many there were is said in the end. */
static void warn_differs(fob_outcome_t *self, const fob_receipt_t *receipt) {
    char line[40] = "";
    if (self->differing++ > 0)
        return;
    if (self->lines)
        snprintf(line, sizeof line, "line %" PRIu64 ": ", (uint64_t)(uintptr_t)receipt->tag);
    fob_note(self->cli,
             "warning: %sid %s was stored at %" PRIu64
             " with other data: that one is kept, this one is not stored",
             line, receipt->id ? receipt->id : "", receipt->duplicate_of);
}

void fob_outcome_fail(fob_outcome_t *self, fob_status_t status, uint64_t line, const char *text) {
    if (self->failed != FOB_OK && self->failed_line <= line)
        return;
    self->failed = status;
    self->failed_line = line;
    snprintf(self->text, sizeof self->text, "%s", text ? text : "");
}

void fob_outcome_take(void *arg, const fob_receipt_t *receipt) {
    fob_outcome_t *self = arg;
    self->answered++;
    if (receipt->status != FOB_OK) {
        fob_outcome_fail(self, receipt->status, (uint64_t)(uintptr_t)receipt->tag, receipt->text);
        return;
    }
    self->stored++;
    if (self->cli->json && !self->closed)
        put_json(&self->out, receipt);
    if (self->cli->verbose)
        say(self, receipt);
    if (receipt->differs)
        warn_differs(self, receipt);
}

int fob_outcome_print(fob_outcome_t *self) {
    if (self->out.failed)
        return fob_fail_status(self->cli, FOB_NO_MEMORY, NULL);
    if (self->out.size == 0)
        return FOB_EXIT_OK;
    fob_output_t result = fob_output(fob_buf_slice(&self->out));
    fob_buf_clear(&self->out);
    if (result == FOB_OUTPUT_FAILED)
        return fob_fail(self->cli, FOB_EXIT_IO, "cannot write to standard output: %s",
                        strerror(errno));
    self->closed = result != FOB_OUTPUT_OK; /* nobody reads receipts any more: publishing goes on */
    return FOB_EXIT_OK;
}

/* "BUSY: group mailers is full (...)": the name first, for scripts; not twice. */
static void in_words(const fob_outcome_t *self, char *out, size_t size) {
    const char *name = fob_status_name(self->failed), *text = self->text;
    size_t length = strlen(name);
    if (!*text)
        text = fob_status_text(self->failed);
    if (self->failed == FOB_BAD_EVENT || !fob_wire_status_known(self->failed))
        /* our own words: for data that was never sent, for what has no name */
        snprintf(out, size, "%s", text);
    else if (strncmp(text, name, length) == 0 && text[length] == ':')
        snprintf(out, size, "%s", text);
    else
        snprintf(out, size, "%s: %s", name, text);
}

int fob_outcome_end(fob_outcome_t *self, const char *trouble) {
    char words[500];
    if (self->differing > 1)
        fob_note(self->cli,
                 "warning: %" PRIu64 " events in all had an id that was stored with other data",
                 self->differing);
    if (self->failed == FOB_OK)
        return FOB_EXIT_OK;
    if (!self->lines && self->failed == FOB_UNREACHABLE)
        return fob_fail_status(self->cli, self->failed, trouble);
    in_words(self, words, sizeof words);
    if (self->lines)
        return fob_fail(self->cli, fob_exit_code(self->failed),
                        "line %" PRIu64 ": %s; every line before it is stored", self->failed_line,
                        words);
    return fob_fail(self->cli, fob_exit_code(self->failed), "%s", words);
}
