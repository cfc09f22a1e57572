if(TARGET fob_link)
    foreach(test link link_odd)
        fob_test(NAME ${test} LABEL unit LIBRARIES fob_link SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_${test}.c)
    endforeach()
    fob_test(NAME conduit LABEL unit LIBRARIES fob_link
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_conduit.c ${CMAKE_CURRENT_LIST_DIR}/fake_bus.c)
    fob_test(NAME conduit_callers LABEL unit LIBRARIES fob_link
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_conduit_callers.c ${CMAKE_CURRENT_LIST_DIR}/fake_bus.c)
    fob_test(NAME conduit_odd LABEL unit LIBRARIES fob_link
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_conduit_odd.c ${CMAKE_CURRENT_LIST_DIR}/fake_bus.c)
    foreach(test link link_odd conduit conduit_callers conduit_odd)
        target_include_directories(test_${test} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
    endforeach()
endif()
