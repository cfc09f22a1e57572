# Those who fetch what they missed, with a made-up journal.
fob_test(NAME fetches LABEL unit LIBRARIES fob_fetch
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_fetches.c ${CMAKE_CURRENT_LIST_DIR}/fetch_kit.c)
fob_scarce_test(NAME fetches_scarce LIBRARIES fob_fetch WATCH fob_fetches_add fob_fetches_next fob_fetches_page
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_fetches_scarce.c ${CMAKE_CURRENT_LIST_DIR}/fetch_kit.c)
