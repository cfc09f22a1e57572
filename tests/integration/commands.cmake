# The commands, as a user runs them: the real program ($FOB_BINARY), own ports, own folders.
foreach(topic pub pub_lines busy sub work lease once handlers group dead bench warnings usage)
    fob_test(NAME cmd_${topic} LABEL integration TIMEOUT 120
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_cmd_${topic}.c
        LIBRARIES fob_test_support)
    if(TARGET fob)
        add_dependencies(test_cmd_${topic} fob)
    endif()
endforeach()
target_link_libraries(test_cmd_dead PRIVATE fob_test_dealer)
# This one publishes by the library too, to look at single receipts.
target_link_libraries(test_cmd_busy PRIVATE fob_publishers)
