if(TARGET fob_publishers)
    set(here ${CMAKE_CURRENT_LIST_DIR})
    set(bench ${here}/session_bench.c ${here}/model_bus.c)
    fob_test(NAME publisher_session LABEL unit LIBRARIES fob_publishers
        SOURCES ${here}/test_publisher_session.c ${bench})
    fob_test(NAME publisher_weather LABEL unit LIBRARIES fob_publishers
        SOURCES ${here}/test_publisher_weather.c ${bench} TIMEOUT 120)
    fob_test(NAME publisher_waiting LABEL unit LIBRARIES fob_publishers
        SOURCES ${here}/test_publisher_waiting.c ${bench})
    fob_test(NAME publisher_doubt LABEL unit LIBRARIES fob_publishers
        SOURCES ${here}/test_publisher_doubt.c ${bench})
    fob_test(NAME hold LABEL unit LIBRARIES fob_publishers SOURCES ${here}/test_hold.c)
    fob_test(NAME fire LABEL unit LIBRARIES fob_publishers SOURCES ${here}/test_fire.c)
    foreach(test publisher publisher_fire)
        fob_test(NAME ${test} LABEL unit LIBRARIES fob_publishers
            SOURCES ${here}/test_${test}.c ${here}/publisher_bench.c ${here}/model_bus.c ${here}/fake_bus.c)
    endforeach()
    foreach(test publisher_session publisher_doubt publisher_weather publisher_waiting publisher publisher_fire fire)
        target_include_directories(test_${test} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
    endforeach()
    # Memory is refused to it.
    set(watch offer up down input output tick close)
    list(TRANSFORM watch PREPEND fob_session_)
    fob_scarce_test(NAME publisher_scarce LIBRARIES fob_publishers WATCH ${watch}
        SOURCES ${here}/test_publisher_scarce.c ${bench})
endif()
