/* status: names and sentences. */
#include "tests/support/case.h"
#include <fob/fob_status.h>

static void every_status_has_a_name_and_a_sentence(void **state) {
    (void)state;
    for (int i = FOB_OK; i <= FOB_INTERNAL; i++) {
        assert_string_not_equal(fob_status_name((fob_status_t)i), "UNKNOWN");
        assert_true(strlen(fob_status_text((fob_status_t)i)) > 3);
    }
    assert_string_equal(fob_status_name(FOB_BUSY), "BUSY");
}

static void a_number_that_is_no_status_is_unknown(void **state) {
    (void)state;
    assert_string_equal(fob_status_name((fob_status_t)9999), "UNKNOWN");
    assert_string_equal(fob_status_text((fob_status_t)9999), "unknown status");
}

FOB_MAIN(FOB_CASE(every_status_has_a_name_and_a_sentence),
         FOB_CASE(a_number_that_is_no_status_is_unknown))
