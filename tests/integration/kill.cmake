# kill -9 in mid-stream. Under a sanitizer with fewer events: it is ten times slower.
fob_test(NAME kill LABEL integration TIMEOUT 300
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_kill.c
    LIBRARIES fob_test_support)
if(FOB_SANITIZE)
    target_compile_definitions(test_kill PRIVATE STORM_EVENTS=20000)
endif()
if(TARGET fob)
    add_dependencies(test_kill fob)
endif()
