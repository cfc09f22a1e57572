if(TARGET fob_publishers)
    fob_test(NAME publisher_session LABEL unit LIBRARIES fob_publishers
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_publisher_session.c ${CMAKE_CURRENT_LIST_DIR}/model_bus.c)
    fob_test(NAME publisher LABEL unit LIBRARIES fob_publishers
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_publisher.c ${CMAKE_CURRENT_LIST_DIR}/model_bus.c
            ${CMAKE_CURRENT_LIST_DIR}/fake_bus.c)
    foreach(test publisher_session publisher)
        target_include_directories(test_${test} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
    endforeach()
endif()
