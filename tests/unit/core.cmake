# The core's queue logic.
foreach(topic worker)
    fob_test(NAME core_${topic} LABEL unit
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_core_${topic}.c ${CMAKE_CURRENT_LIST_DIR}/test_core_kit.c
        LIBRARIES fob_core)
endforeach()

# A seeded world around it.
fob_test(NAME core_seeded LABEL unit TIMEOUT 300
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_core_seeded.c ${CMAKE_CURRENT_LIST_DIR}/test_core_model.c
        ${CMAKE_CURRENT_LIST_DIR}/test_core_kit.c
    LIBRARIES fob_core)
