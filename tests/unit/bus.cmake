# What the bus is made of, without sockets.
foreach(noun gate peers outbox letters joins flights router pace jump needs ledger traffic conduct subscriptions terms clerk warnings settings config service)
    fob_test(NAME ${noun} LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_${noun}.c LIBRARIES fob_bus fob_cli)
endforeach()
# The reader of the configuration file is part of the program, not of the library.
target_sources(test_config PRIVATE ${PROJECT_SOURCE_DIR}/bus/commands/config.c)

# With real journals around it.
foreach(topic moved full)
    fob_test(NAME ledger_${topic} LABEL unit TIMEOUT 120
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_ledger_${topic}.c
        LIBRARIES fob_bus fob_journal_test_support)
endforeach()

# Memory is refused to all of it.
set(watch round news message turn perform)
list(TRANSFORM watch PREPEND fob_service_)
fob_scarce_test(NAME service_scarce LIBRARIES fob_bus WATCH ${watch}
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_service_scarce.c)
