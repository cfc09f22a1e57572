# Those who fetch what they missed, with a made-up journal.
foreach(topic fetches fetches_amiss fetches_crowd fetches_ways)
    fob_test(NAME ${topic} LABEL unit LIBRARIES fob_fetch
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_${topic}.c ${CMAKE_CURRENT_LIST_DIR}/fetch_kit.c)
endforeach()
fob_scarce_test(NAME fetches_scarce LIBRARIES fob_fetch WATCH fob_fetches_add fob_fetches_add_whole fob_fetches_next fob_fetches_page
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_fetches_scarce.c ${CMAKE_CURRENT_LIST_DIR}/fetch_kit.c)
