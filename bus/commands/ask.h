/* ask: one question to the bus, for commands. Main thread. */
#ifndef FOB_ASK_H
#define FOB_ASK_H

#include "proto/cli/cli.h"
#include "proto/link/request.h"

#include <jansson.h>

/* Checks the bus's endpoint and asks (question NULL: only whether it is there). FOB_EXIT_OK:
 * *answer is filled. Else the exit code, and it was said why. fob_answer_clear it in every case. */
int fob_ask(const fob_cli_t *cli, const fob_wire_t *question, fob_answer_t *answer);

/* The same for a caller who has a better word for a refusal: FOB_EXIT_OK also then, and *status is
 * what became of it. */
int fob_ask_for(const fob_cli_t *cli, const fob_wire_t *question, fob_answer_t *answer,
                fob_status_t *status);

/* Prints the answer's body as one line of JSON. FOB_EXIT_OK, or it was said why not. */
int fob_ask_print(const fob_cli_t *cli, const fob_answer_t *answer);

/* The answer's body as a tree, the caller's to json_decref. NULL: it was said why not (exit with
 * FOB_EXIT_PROTOCOL). */
json_t *fob_ask_json(const fob_cli_t *cli, const fob_answer_t *answer);

#endif
