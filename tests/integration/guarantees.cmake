# A bus to try things on; then what makes the queue trustworthy, shown with the real program. Under a sanitizer with fewer events: it is ten times
# slower.
foreach(topic stand full stored_once holders dead_letters disk_full failures)
    fob_test(NAME ${topic} LABEL integration TIMEOUT 300
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_${topic}.c
        LIBRARIES fob_publishers fob_test_support)
    if(FOB_SANITIZE)
        target_compile_definitions(test_${topic} PRIVATE FULL_DEPTH=2000 CUT_EVENTS=20000 DEAD_EVENTS=2000)
    endif()
    if(TARGET fob)
        add_dependencies(test_${topic} fob)
    endif()
endforeach()
