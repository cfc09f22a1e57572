# The bus in this process, over real sockets on free ports.
add_library(fob_test_dealer STATIC ${PROJECT_SOURCE_DIR}/tests/support/dealer.c)
target_link_libraries(fob_test_dealer PUBLIC fob_proto PkgConfig::ZMQ PkgConfig::CMOCKA)
foreach(part bus_wire bus_queue bus_broadcast bus_strangers bus_restart)
    fob_test(NAME ${part} LABEL integration SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_${part}.c
        LIBRARIES fob_bus fob_test_dealer TIMEOUT 120)
endforeach()
