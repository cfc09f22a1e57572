# What makes the queue trustworthy, shown with the real program. Under a sanitizer with fewer events: it is ten times
# slower.
foreach(topic full stored_once holders dead_letters disk_full)
    fob_test(NAME ${topic} LABEL integration TIMEOUT 300
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_${topic}.c
        ${PROJECT_SOURCE_DIR}/tests/support/stand.c ${PROJECT_SOURCE_DIR}/tests/support/proxy.c
        ${PROJECT_SOURCE_DIR}/tests/support/process.c ${PROJECT_SOURCE_DIR}/tests/support/process_run.c
        LIBRARIES fob_publishers PkgConfig::JANSSON)
    if(FOB_SANITIZE)
        target_compile_definitions(test_${topic} PRIVATE FULL_DEPTH=2000 CUT_EVENTS=20000 DEAD_EVENTS=2000)
    endif()
    if(TARGET fob)
        add_dependencies(test_${topic} fob)
    endif()
endforeach()
