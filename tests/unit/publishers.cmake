if(TARGET fob_publishers)
    fob_test(NAME publisher_session LABEL unit LIBRARIES fob_publishers
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_publisher_session.c ${CMAKE_CURRENT_LIST_DIR}/model_bus.c)
endif()
