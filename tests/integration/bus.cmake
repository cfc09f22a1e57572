# The bus in this process, over real sockets on free ports.
add_library(fob_test_dealer STATIC ${PROJECT_SOURCE_DIR}/tests/support/dealer.c)
target_link_libraries(fob_test_dealer PUBLIC fob_proto PkgConfig::ZMQ PkgConfig::CMOCKA)
foreach(part bus_wire bus_queue bus_broadcast bus_strangers bus_restart bus_failure bus_admin bus_fetch)
    fob_test(NAME ${part} LABEL integration SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_${part}.c
        LIBRARIES fob_bus fob_test_dealer fob_test_support TIMEOUT 120)
    if(TARGET fob)
        add_dependencies(test_${part} fob)
    endif()
endforeach()
fob_test(NAME bus_subscriber LABEL integration SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_bus_subscriber.c
    LIBRARIES fob_bus fob_publishers fob_subscribers fob_test_dealer fob_test_support TIMEOUT 120)

# The program that serves, as a user starts it.
fob_test(NAME bus_serve LABEL integration SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_bus_serve.c
    LIBRARIES fob_test_support)
if(TARGET fob)
    add_dependencies(test_bus_serve fob)
endif()

# That ThreadSanitizer still sees a race in an actor: the bus, built with one, must be told of.
if(FOB_SANITIZE MATCHES "thread")
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bus/*.c
        ${PROJECT_SOURCE_DIR}/bus/host/*.c ${PROJECT_SOURCE_DIR}/bus/salvage/*.c ${PROJECT_SOURCE_DIR}/bus/sockets/*.c)
    list(FILTER sources EXCLUDE REGEX "/main\\.c$")
    add_executable(planted_race ${CMAKE_CURRENT_LIST_DIR}/planted_race.c ${sources})
    target_compile_definitions(planted_race PRIVATE FOB_PLANTED_RACE)
    target_link_libraries(planted_race PRIVATE fob_service fob_report fob_guard PkgConfig::CZMQ PkgConfig::ZMQ
        fob_test_dealer)
    fob_case(NAME integration.bus_race.a_planted_race_is_seen LABEL integration COMMAND planted_race)
    set_tests_properties(integration.bus_race.a_planted_race_is_seen PROPERTIES
        PASS_REGULAR_EXPRESSION "SUMMARY: ThreadSanitizer: data race [^ ]*bus/bro(ker|adcast)[.]c:[0-9]+ in (on_cast|stored)")
endif()
