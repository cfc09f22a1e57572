if(TARGET fob_link)
    fob_test(NAME link LABEL unit LIBRARIES fob_link
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_link.c)
    fob_test(NAME conduit LABEL unit LIBRARIES fob_link
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_conduit.c ${CMAKE_CURRENT_LIST_DIR}/fake_bus.c)
    foreach(test link conduit)
        target_include_directories(test_${test} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
    endforeach()
endif()
