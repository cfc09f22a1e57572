# A bus to try things on; then what makes the queue trustworthy, shown with the real program. Under a sanitizer with fewer events: it is ten times
# slower.
foreach(topic stand full stored_once holders dead_letters disk_full failures broadcast_whole)
    fob_test(NAME ${topic} LABEL integration TIMEOUT 300
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_${topic}.c
        LIBRARIES fob_publishers fob_test_support)
    if(FOB_SANITIZE)
        target_compile_definitions(test_${topic} PRIVATE FULL_DEPTH=2000 CUT_EVENTS=20000 DEAD_EVENTS=2000
            BYTES=20000 BROADCAST_EVENTS=8000)
    endif()
    if(TARGET fob)
        add_dependencies(test_${topic} fob)
    endif()
endforeach()
# The same with a broadcast that loses what the test chooses.
fob_test(NAME broadcast_repair LABEL integration TIMEOUT 300
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_broadcast_repair.c ${PROJECT_SOURCE_DIR}/tests/support/lossy.c
    LIBRARIES fob_proto fob_test_support PkgConfig::ZMQ)
if(FOB_SANITIZE)
    target_compile_definitions(test_broadcast_repair PRIVATE REPAIR_EVENTS=5000)
endif()
if(TARGET fob)
    add_dependencies(test_broadcast_repair fob)
endif()
# What sub and tail say, and where they begin.
fob_test(NAME cmd_listen LABEL integration TIMEOUT 300
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_cmd_listen.c ${PROJECT_SOURCE_DIR}/tests/support/lossy.c
    LIBRARIES fob_proto fob_test_support PkgConfig::ZMQ PkgConfig::JANSSON)
if(TARGET fob)
    add_dependencies(test_cmd_listen fob)
endif()
# Many who do not keep up. Under a sanitizer with fewer events: it is ten times slower.
fob_test(NAME many_listeners LABEL integration TIMEOUT 300
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_many_listeners.c ${PROJECT_SOURCE_DIR}/tests/abuse/pair.c
    LIBRARIES fob_publishers fob_subscribers fob_test_support)
if(FOB_SANITIZE)
    target_compile_definitions(test_many_listeners PRIVATE LISTENERS_EVENTS=5000)
endif()
if(TARGET fob)
    add_dependencies(test_many_listeners fob)
endif()
fob_test(NAME many_topics LABEL integration TIMEOUT 300
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_many_topics.c LIBRARIES fob_publishers fob_subscribers fob_test_support)
if(FOB_SANITIZE)
    target_compile_definitions(test_many_topics PRIVATE TOPICS=20000 MANY_TOPICS_UNBOUNDED)
endif()
if(TARGET fob)
    add_dependencies(test_many_topics fob)
endif()
# The clients whole, where memory is refused to them.
fob_scarce_test(NAME clients_scarce LABEL integration TIMEOUT 240
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_clients_scarce.c LIBRARIES fob_publishers fob_subscribers fob_test_support)
if(TARGET fob)
    add_dependencies(test_clients_scarce fob)
endif()
# Until when a worker is sure, with a bus in this process and a net that breaks.
fob_test(NAME holds LABEL integration TIMEOUT 240 SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_holds.c
    LIBRARIES fob_bus fob_publishers fob_subscribers fob_test_support fob_test_dealer)
