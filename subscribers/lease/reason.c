#include "subscribers/lease/reason.h"

#include <stdlib.h>

static fob_slice_t cut(fob_slice_t text) {
    return fob_slice(text.data, text.size < FOB_REASON_MAX ? text.size : FOB_REASON_MAX);
}

fob_words_t *fob_reason_new(fob_slice_t text) {
    text = cut(text);
    fob_words_t *self = text.size ? malloc(sizeof *self + text.size) : NULL;
    if (!self)
        return NULL;
    self->holders = 1;
    self->size = (uint8_t)text.size;
    memcpy(self->text, text.data, text.size);
    return self;
}

fob_words_t *fob_reason_hold(fob_words_t *self) {
    if (self)
        self->holders++;
    return self;
}

void fob_reason_drop(fob_words_t **self_p) {
    if (*self_p && --(*self_p)->holders == 0)
        free(*self_p);
    *self_p = NULL;
}

fob_slice_t fob_reason_text(const fob_words_t *self) {
    return self ? fob_slice(self->text, self->size) : (fob_slice_t){0};
}

bool fob_reason_is(const fob_words_t *self, fob_slice_t text) {
    return fob_slice_eq(fob_reason_text(self), cut(text));
}
