/* What `fob pub` says of an event that was not stored. */
#include "tests/support/case.h"

#include "publishers/commands/outcome.h"

#include <stdlib.h>
#include <unistd.h>

typedef struct {
    int code;
    char text[1000];
} said_t;

/* Ends an outcome, with standard error in a file meanwhile. */
static said_t end(fob_outcome_t *outcome) {
    said_t said = {0};
    FILE *file = tmpfile();
    assert_non_null(file);
    fflush(stderr);
    int kept = dup(STDERR_FILENO);
    dup2(fileno(file), STDERR_FILENO);
    said.code = fob_outcome_end(outcome, NULL);
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    rewind(file);
    size_t size = fread(said.text, 1, sizeof said.text - 1, file);
    said.text[size] = 0;
    fclose(file);
    return said;
}

static void a_code_without_a_name_is_told_in_the_receipts_words(void **state) {
    const fob_cli_t cli = {.command = "pub"};
    fob_outcome_t outcome = {.cli = &cli};
    (void)state;
    fob_outcome_fail(&outcome, (fob_status_t)99, 1, "the bus refused it with code 99");
    said_t said = end(&outcome);
    assert_int_equal(said.code, 76);
    assert_string_equal(said.text, "fob pub: the bus refused it with code 99\n");
}

static void a_status_is_told_by_its_name_first(void **state) {
    const fob_cli_t cli = {.command = "pub"};
    fob_outcome_t outcome = {.cli = &cli, .lines = true};
    (void)state;
    fob_outcome_fail(&outcome, FOB_BUSY, 7, "group mailers is full");
    said_t said = end(&outcome);
    assert_int_equal(said.code, 75);
    assert_string_equal(
        said.text,
        "fob pub: line 7: BUSY: group mailers is full; every line before it is stored\n");
}

FOB_MAIN(FOB_CASE(a_code_without_a_name_is_told_in_the_receipts_words),
         FOB_CASE(a_status_is_told_by_its_name_first))
