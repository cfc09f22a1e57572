#include "bus/commands/ask.h"

#include "proto/cli/json.h"
#include "proto/now.h"

#include <stdio.h>

#define DEFAULT_MS 3000

int fob_ask_for(const fob_cli_t *cli, const fob_wire_t *question, fob_answer_t *answer,
                fob_status_t *status) {
    *answer = (fob_answer_t){0};
    *status = FOB_OK;
    int code = fob_cli_check_bus(cli);
    if (code != FOB_EXIT_OK)
        return code;
    int64_t timeout_ms = cli->connect_timeout_ms ? cli->connect_timeout_ms : DEFAULT_MS;
    *status = fob_request(fob_cli_bus(cli), question, timeout_ms * FOB_MS, answer);
    return FOB_EXIT_OK;
}

int fob_ask(const fob_cli_t *cli, const fob_wire_t *question, fob_answer_t *answer) {
    fob_status_t status;
    int code = fob_ask_for(cli, question, answer, &status);
    if (code != FOB_EXIT_OK || status == FOB_OK)
        return code;
    return fob_fail_status(cli, status, answer->text);
}

static bool to_text(const fob_cli_t *cli, const fob_answer_t *answer, fob_buf_t *text) {
    fob_slice_t body = answer->body ? fob_blob_slice(answer->body) : (fob_slice_t){0};
    if (fob_json_print(body, text))
        return true;
    fob_fail(cli, FOB_EXIT_PROTOCOL,
             "the bus's answer cannot be read: is it of another version (%s)?", answer->bus);
    fob_buf_free(text);
    return false;
}

int fob_ask_print(const fob_cli_t *cli, const fob_answer_t *answer) {
    fob_buf_t text = {0};
    if (!to_text(cli, answer, &text))
        return FOB_EXIT_PROTOCOL;
    fwrite(text.data, 1, text.size, stdout);
    putchar('\n');
    fob_buf_free(&text);
    return fob_print_end(cli);
}

json_t *fob_ask_json(const fob_cli_t *cli, const fob_answer_t *answer) {
    fob_buf_t text = {0};
    if (!to_text(cli, answer, &text))
        return NULL;
    json_t *root = json_loadb((char *)text.data, text.size, JSON_DECODE_ANY, NULL);
    fob_buf_free(&text);
    if (!root)
        fob_fail(cli, FOB_EXIT_PROTOCOL,
                 "the bus's answer cannot be read: is it of another version (%s)?", answer->bus);
    return root;
}
