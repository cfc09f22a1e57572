#include "publishers/commands/offer.h"

#include "proto/cli/json.h"
#include "proto/cli/utf8.h"
#include "proto/envelope.h"

#include <stdio.h>
#include <string.h>

static int check_options(const fob_offer_t *self, const fob_cli_t *cli) {
    if (self->text && self->raw)
        return fob_fail(cli, FOB_EXIT_USAGE, "--text and --raw exclude each other");
    if (self->id && self->id_from)
        return fob_fail(cli, FOB_EXIT_USAGE, "--id and --id-from exclude each other");
    if (self->key && self->key_from)
        return fob_fail(cli, FOB_EXIT_USAGE, "--key and --key-from exclude each other");
    if (self->id && self->lines)
        return fob_fail(cli, FOB_EXIT_USAGE,
                        "--id with --lines would make all lines one event: use --id-from");
    if ((self->id_from || self->key_from) && (self->text || self->raw))
        return fob_fail(cli, FOB_EXIT_USAGE, "%s needs JSON data: leave --text and --raw away",
                        self->id_from ? "--id-from" : "--key-from");
    return FOB_EXIT_OK;
}

static int check_name(const fob_cli_t *cli, const char *option, const char *name) {
    if (name && (!*name || strlen(name) > FOB_ID_MAX || !fob_utf8_valid(fob_slice_str(name))))
        return fob_fail(cli, FOB_EXIT_DATA, "%s takes 1-%d bytes of UTF-8 text", option,
                        FOB_ID_MAX);
    return FOB_EXIT_OK;
}

static int check_pointer(const fob_cli_t *cli, const char *option, const char *pointer) {
    if (pointer && !fob_json_pointer_valid(pointer))
        return fob_fail(cli, FOB_EXIT_USAGE,
                        "%s takes a JSON pointer such as /order/id, not \"%.80s\"", option,
                        pointer);
    return FOB_EXIT_OK;
}

/* K=V, the name copied out, as the argument has no end behind it. */
static int split_headers(fob_offer_t *self, const fob_cli_t *cli) {
    size_t starts[FOB_OFFER_HEADERS];
    for (size_t i = 0; i < self->headers.count; i++) {
        const char *item = self->headers.items[i], *equals = strchr(item, '=');
        if (!equals || equals == item)
            return fob_fail(cli, FOB_EXIT_USAGE, "--header takes NAME=VALUE, not \"%.80s\"", item);
        if (!fob_utf8_valid(fob_slice_str(item)))
            return fob_fail(cli, FOB_EXIT_DATA, "--header takes UTF-8 text");
        starts[i] = self->names.size;
        fob_buf_put(&self->names, item, (size_t)(equals - item));
        fob_buf_put(&self->names, "", 1);
        self->pairs[2 * i + 1] = equals + 1;
    }
    if (self->names.failed)
        return fob_fail_status(cli, FOB_NO_MEMORY, NULL);
    for (size_t i = 0; i < self->headers.count; i++)
        self->pairs[2 * i] = (const char *)self->names.data + starts[i];
    self->pairs[2 * self->headers.count] = NULL;
    return FOB_EXIT_OK;
}

int fob_offer_begin(fob_offer_t *self, const fob_cli_t *cli) {
    int code = check_options(self, cli);
    if (code == FOB_EXIT_OK)
        code = fob_cli_check_topic(cli, self->topic);
    if (code == FOB_EXIT_OK)
        code = check_name(cli, "--id", self->id);
    if (code == FOB_EXIT_OK)
        code = check_name(cli, "--key", self->key);
    if (code == FOB_EXIT_OK)
        code = check_pointer(cli, "--id-from", self->id_from);
    if (code == FOB_EXIT_OK)
        code = check_pointer(cli, "--key-from", self->key_from);
    return code == FOB_EXIT_OK ? split_headers(self, cli) : code;
}

void fob_offer_end(fob_offer_t *self) {
    fob_buf_free(&self->names);
    fob_buf_free(&self->data);
    fob_buf_free(&self->id_text);
    fob_buf_free(&self->key_text);
}

static bool looks_like_json(fob_slice_t text) {
    size_t at = 0;
    while (at < text.size && strchr(" \t\r\n", text.data[at]) && text.data[at])
        at++;
    return at < text.size && (text.data[at] == '{' || text.data[at] == '[');
}

/* A shell's `echo` ends what it writes with a newline that nobody means. */
static fob_slice_t without_newline(fob_slice_t text) {
    if (text.size > 0 && text.data[text.size - 1] == '\n')
        text.size--;
    return text;
}

static fob_status_t pack_json(fob_offer_t *self, fob_slice_t text, bool strict, char *why,
                              size_t why_size) {
    fob_json_error_t error;
    fob_buf_clear(&self->data);
    fob_status_t status = fob_json_pack(text, &self->data, &error);
    if (status != FOB_BAD_EVENT)
        return status;
    if (!error.syntax) {
        snprintf(why, why_size, "the data is not taken: %s", error.text);
        return status;
    }
    if (strict || looks_like_json(text)) {
        snprintf(why, why_size, "the data is not JSON: %s%s", error.text,
                 strict ? "" : " (--text takes text whatever it looks like)");
        return status;
    }
    if (!fob_utf8_valid(text)) {
        snprintf(why, why_size, "the data is neither JSON nor UTF-8 text: --raw takes bytes");
        return status;
    }
    fob_pack_str(&self->data, without_newline(text));
    return self->data.failed ? FOB_NO_MEMORY : FOB_OK;
}

/* An attribute from a place in the data, terminated by a zero byte. */
static fob_status_t find(const fob_offer_t *self, const char *option, const char *pointer,
                         fob_buf_t *out, char *why, size_t why_size) {
    fob_buf_clear(out);
    fob_status_t status = fob_json_pointer(fob_buf_slice(&self->data), pointer, out);
    if (status == FOB_OK &&
        (out->size == 0 || out->size > FOB_ID_MAX || memchr(out->data, '\0', out->size)))
        status = FOB_BAD_EVENT;
    fob_buf_put(out, "", 1);
    if (out->failed)
        return FOB_NO_MEMORY;
    if (status != FOB_OK)
        snprintf(why, why_size, "%s: there is no string of 1-%d bytes and no integer at %.80s",
                 option, FOB_ID_MAX, *pointer ? pointer : "the top");
    return status;
}

static fob_status_t find_names(fob_offer_t *self, fob_publish_options_t *options, char *why,
                               size_t why_size) {
    fob_status_t status = FOB_OK;
    options->id = self->id;
    options->key = self->key;
    if (self->id_from) {
        status = find(self, "--id-from", self->id_from, &self->id_text, why, why_size);
        options->id = (const char *)self->id_text.data;
    }
    if (self->key_from && status == FOB_OK) {
        status = find(self, "--key-from", self->key_from, &self->key_text, why, why_size);
        options->key = (const char *)self->key_text.data;
    }
    return status;
}

fob_status_t fob_offer_make(fob_offer_t *self, fob_slice_t text, bool strict, fob_offered_t *out,
                            char *why, size_t why_size) {
    *out = (fob_offered_t){.data = text, .options = FOB_PUBLISH_OPTIONS};
    out->options.content_type = "application/octet-stream";
    out->options.headers = self->headers.count > 0 ? self->pairs : NULL;
    out->options.deadline_ms = self->deadline_ms;
    out->options.priority = (int)self->priority;
    out->options.fire = self->fire;
    fob_status_t status = FOB_OK;
    if (self->text) {
        out->options.content_type = "text/plain";
        if (!fob_utf8_valid(text)) {
            snprintf(why, why_size, "the data is not UTF-8 text: --raw takes bytes");
            return FOB_BAD_EVENT;
        }
    } else if (!self->raw) {
        out->options.content_type = "application/msgpack";
        status = pack_json(self, text, strict, why, why_size);
        out->data = fob_buf_slice(&self->data);
    }
    if (status == FOB_OK)
        status = find_names(self, &out->options, why, why_size);
    if (status == FOB_NO_MEMORY)
        snprintf(why, why_size, "%s", fob_status_text(status));
    return status;
}
